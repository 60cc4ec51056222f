// See properties.hpp.
#include "properties.hpp"

#include <pthread.h>

#include <algorithm>
#include <cfenv>
#include <climits>
#include <map>
#include <thread>
#include <tuple>

#include "problems.hpp"
#include "support/allocation_failure.hpp"
#include "support/fp_environment.hpp"

namespace sparsekit_test {
namespace {

/// Runs the call; tells the report if it allocates or changes floating-point controls.
template <class T>
void run_watched(report& to, const call_space<T>& space) {
  const std::uint64_t controls = float_controls();
  allocation_counters allocated;
  {
    allocation_watch watch;
    space.run();
    allocated = watch.now();
  }
  if (allocated.calls + allocated.throwing > 0) to.fail("allocates memory");
  if (float_controls() != controls) to.fail("changes the floating-point controls");
}

/// Operands of kernels, built when first asked for and kept while entries have the same way to build them:
/// that takes longer than most cases.
template <class T>
class operand_cache {
 public:
  const operand& get(const kernel_entry<T>& e, const problem<T>& p, placement where) {
    if (e.build != build_ || e.option != option_) kept_.clear();
    build_ = e.build;
    option_ = e.option;
    std::unique_ptr<operand>& one = kept_[std::tuple(&p, where.at, where.offset)];
    if (one == nullptr) one = e.build(p, where, e.option);
    return *one;
  }

 private:
  decltype(kernel_entry<T>::build) build_ = nullptr;
  int option_ = 0;
  std::map<std::tuple<const problem<T>*, edge, index_t>, std::unique_ptr<operand>> kept_;
};

/// The problem as the entry's format can hold it. Kept, for the many cases that ask for it.
template <class T>
const problem<T>& adapted(const kernel_entry<T>& e, const problem<T>& p) {
  if (e.adapt == nullptr) return p;
  static std::map<std::tuple<decltype(e.adapt), int, std::string>, problem<T>> made;
  const auto key = std::tuple(e.adapt, e.option, p.name);
  auto found = made.find(key);
  if (found == made.end()) found = made.emplace(key, e.adapt(p, e.option)).first;
  return found->second;
}

template <class T>
bool takes(const kernel_entry<T>& e, const problem<T>& p) {
  return !(p.any_order && !e.any_order) && !(p.explicit_zeros && e.zeros_are_absent) &&
         p.rows <= e.largest_index && p.cols <= e.largest_index;
}

template <class T>
std::string details_of(const kernel_entry<T>& e, const problem<T>& p, placement matrix,
                       const case_spec& spec) {
  return e.label() + " | " + p.name + " " + name_of(matrix.at) + "+" +
         std::to_string(matrix.offset) + " | " + spec.text();
}

/// The cases of one trial, apart from where the matrix stands.
template <class T>
std::vector<case_spec> cases_of(const kernel_entry<T>& e, const trial<T>& t, bool empty_too) {
  constexpr index_t all_widths[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  12, 15,  16,  17,  24, 31,
                                    32, 33, 47, 48, 49, 63, 64, 65, 96, 100, 127, 128, 129, 130};
  constexpr index_t some_widths[] = {1, 2, 3, 7, 8, 13, 16, 17, 29, 33, 64, 65, 100, 130};
  const bool all = t.depth == depth_of_test::all_widths_and_epilogues && e.full;
  std::vector<case_spec> out;
  std::size_t turn = 0;
  const auto add = [&](index_t n, epilogue_kind epilogue) {
    if (n > t.p.columns || !(t.transcendental || is_exact(epilogue))) return;
    const placement at = all_placements[turn % std::size(all_placements)];
    out.push_back({.n = n, .epilogue = epilogue, .where = at, .with_workspace = turn % 4 != 3,
                   .gap = static_cast<index_t>(turn % 3 == 0 ? 0 : turn % 5)});
    ++turn;
  };
  if (empty_too) add(0, epilogue_kind::identity);
  if (all) {
    for (const index_t n : all_widths) {
      for (const epilogue_kind k : all_epilogues) add(n, k);
    }
  } else {
    for (const epilogue_kind k : all_epilogues) add(1, k);
    std::size_t k = 0;
    for (const index_t n : some_widths) {
      add(n, epilogue_kind::identity);
      if (e.full) add(n, all_epilogues[++k % std::size(all_epilogues)]);
    }
  }
  return out;
}

/// Columns that `between_not_finite` leaves alone: multiples of this.
constexpr index_t quiet_columns = 9;

/// The problem with NaN and Inf all over the other columns of X.
template <class T>
problem<T> between_not_finite(const problem<T>& p) {
  problem<T> noisy = p;
  noisy.name += " between NaN and Inf";
  noisy.finite = false;
  for (index_t j = 0; j < p.columns; ++j) {
    if (j % quiet_columns == 0) continue;
    for (index_t k = 0; k < p.cols; ++k) {
      noisy.x[static_cast<std::size_t>(j * p.cols + k)] =
          j % 2 == 0 ? std::numeric_limits<T>::quiet_NaN() : std::numeric_limits<T>::infinity();
    }
  }
  return noisy;
}

/// The kernel's results for all columns, in one call or, if it takes only one column, in many. Empty if it
/// takes neither.
template <class T>
std::vector<T> all_columns(call_space<T>& space, const kernel_entry<T>& e, const operand& a,
                           const problem<T>& p, epilogue_kind k) {
  std::vector<T> out;
  if (space.prepare(e, a, p, {.n = p.columns, .epilogue = k})) {
    space.run();
    return columns_of(space, p, p.columns);
  }
  for (index_t j = 0; j < p.columns; ++j) {
    if (!space.prepare(e, a, p, {.first = j, .n = 1, .epilogue = k})) return {};
    space.run();
    const std::vector<T> column = columns_of(space, p, 1);
    out.insert(out.end(), column.begin(), column.end());
  }
  return out;
}

}  // namespace

template <class T>
void check_products(report& to, const entries<T>& kernels, bool empty_too) {
  call_space<T> space;
  operand_cache<T> operands;
  for (const kernel_entry<T>& e : kernels) {
    for (const trial<T>& t : trials<T>()) {
      if (!takes(e, t.p) || (!empty_too && t.p.rows == 0)) continue;
      const problem<T>& p = adapted(e, t.p);
      const std::vector<case_spec> cases = cases_of(e, t, empty_too);
      // Each case with the matrix in one of these places.
      constexpr std::size_t places = 3;
      constexpr std::size_t edges[places] = {0, 1, 4};  // right, left, right but not aligned
      for (std::size_t place = 0; place < places; ++place) {
        const placement edge = all_placements[edges[place]];
        for (std::size_t i = place; i < cases.size(); i += places) {
          if (!to.wants(e.kernel, [&] { return details_of(e, p, edge, cases[i]); })) continue;
          if (!space.prepare(e, operands.get(e, p, edge), p, cases[i])) continue;
          run_watched(to, space);
          judge(to, e, p, cases[i], space);
        }
      }
      // A workspace one byte short: refused or not needed.
      case_spec tight{.n = std::min<index_t>(p.columns, 17), .short_bytes = 1};
      if (e.full && to.wants(e.kernel, [&] { return details_of(e, p, {}, tight); })) {
        const operand& a = operands.get(e, p, {});
        if (e.requirement(a, tight.n).per_worker > 0 && space.prepare(e, a, p, tight)) {
          run_watched(to, space);
          judge(to, e, p, tight, space);
        }
      }
    }
  }
}

template <class T>
void check_batch_positions(report& to, const entries<T>& kernels) {
  constexpr epilogue_kind epilogues[] = {
      epilogue_kind::identity, epilogue_kind::bias_relu_accumulate,
      epilogue_kind::scale_bias_columns_clamp, epilogue_kind::gelu, epilogue_kind::silu};
  constexpr struct {
    index_t first, n;
  } ranges[] = {{0, 70}, {0, 1}, {5, 1}, {69, 1}, {3, 2}, {1, 16}, {7, 8}, {17, 33}, {31, 36}, {2, 65}};
  call_space<T> space;
  operand_cache<T> operands;
  // What a kernel's first entry said; its other layouts must say the same.
  std::map<std::string, std::vector<T>> known;
  std::map<const problem<T>*, problem<T>> noisy_of;
  for (const kernel_entry<T>& e : kernels) {
    if (!e.full) continue;
    const problem<T>& p = adapted(e, low_problem<T>());
    auto found = noisy_of.find(&p);
    if (found == noisy_of.end()) found = noisy_of.emplace(&p, between_not_finite(p)).first;
    const problem<T>& noisy = found->second;
    for (const epilogue_kind k : epilogues) {
      std::size_t turn = 0;
      for (const auto [first, n] : ranges) {
        for (const bool noise : {false, true}) {
          const case_spec spec{.first = first, .n = n, .epilogue = k,
                               .where = all_placements[turn++ % std::size(all_placements)],
                               .gap = static_cast<index_t>(turn % 4)};
          const problem<T>& one = noise ? noisy : p;
          const placement matrix = all_placements[noise ? 3 : 0];
          if (!to.wants(e.kernel, [&] { return details_of(e, one, matrix, spec); })) continue;
          const operand& a = operands.get(e, p, matrix);
          if (!space.prepare(e, a, one, spec)) continue;
          std::vector<T>& right = known[e.kernel + e.variant + name_of(k)];
          if (right.empty()) {
            right = all_columns(space, e, operands.get(e, p, {}), p, k);
            space.prepare(e, a, one, spec);
          }
          if (right.empty()) continue;
          space.run();
          const std::vector<T> got = columns_of(space, p, n);
          const auto bytes = static_cast<std::size_t>(p.rows) * sizeof(T);
          for (index_t j = 0; j < n; ++j) {
            if (noise && (first + j) % quiet_columns != 0) continue;
            if (std::memcmp(got.data() + j * p.rows, right.data() + (first + j) * p.rows, bytes) ==
                0) {
              continue;
            }
            to.fail("the bits of column " + std::to_string(first + j) +
                    " depend on where it is or what stands beside it");
            break;
          }
          to.ran();
        }
      }
    }
  }
}

template <class T>
void check_workers(report& to, const entries<T>& kernels) {
  using order = test_executor::order;
  constexpr test_executor executors[] = {{order::ascending, 1},  {order::ascending, 3},
                                         {order::descending, 2}, {order::threads, 2},
                                         {order::threads, 4}};
  call_space<T> space;
  operand_cache<T> operands;
  for (const kernel_entry<T>& e : kernels) {
    if (!e.parallel) continue;
    for (const problem<T>* p :
         {&adapted(e, medium_problem<T>()), &adapted(e, vector_problem<T>())}) {
      for (const epilogue_kind k :
           {epilogue_kind::identity, epilogue_kind::bias_relu_accumulate}) {
        for (const bool with_workspace : {true, false}) {
          case_spec spec{.n = p->columns, .epilogue = k, .with_workspace = with_workspace, .gap = 1};
          std::vector<T> right;
          for (const test_executor& executor : executors) {
            spec.executor = &executor;
            if (!to.wants(e.kernel, [&] { return details_of(e, *p, {}, spec); })) continue;
            const operand& a = operands.get(e, *p, {});
            if (right.empty()) {
              spec.executor = nullptr;
              if (!space.prepare(e, a, *p, spec)) break;
              space.run();
              right = columns_of(space, *p, spec.n);
              spec.executor = &executor;
            }
            if (!space.prepare(e, a, *p, spec)) {
              to.fail("accepts the call without threads only");
              continue;
            }
            space.run();
            const std::vector<T> got = columns_of(space, *p, spec.n);
            if (std::memcmp(got.data(), right.data(), right.size() * sizeof(T)) != 0) {
              to.fail("the bits depend on the workers");
            }
            judge(to, e, *p, spec, space);
          }
        }
      }
    }
  }
}

template <class T>
void check_float_environment(report& to, const entries<T>& kernels) {
  call_space<T> space;
  operand_cache<T> operands;
  for (const kernel_entry<T>& e : kernels) {
    if (!e.full) continue;
    const problem<T>& p = adapted(e, medium_problem<T>());
    for (const index_t n : {1, 21, 70}) {
      for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST}) {
        const case_spec spec{.n = n, .gap = 1};
        const std::string rounding = " rounding " + std::to_string(mode);
        if (!to.wants(e.kernel, [&] { return details_of(e, p, {}, spec) + rounding; })) continue;
        if (!space.prepare(e, operands.get(e, p, {}), p, spec)) continue;
        std::fesetround(mode);
        run_watched(to, space);
        std::fesetround(FE_TONEAREST);
        const std::int64_t failed = to.failures();
        for (index_t i = 0; i < p.rows * n && to.failures() == failed; ++i) {
          const index_t r = i % p.rows;
          const wide<T> right = p.sum[p.at(r, i / p.rows)];
          const wide<T> got = space.y(r, i / p.rows);
          // Every step rounds one way, so the sum is on that side of the exact one. The reference
          // itself is good to a millionth of that.
          const wide<T> slack = p.magnitude[p.at(r, i / p.rows)] *
                                std::numeric_limits<wide<T>>::epsilon() * 400;
          if ((mode == FE_UPWARD && got < right - slack) ||
              (mode == FE_DOWNWARD && got > right + slack)) {
            to.fail("does not round in the caller's direction");
          }
          const wide<T> bound = p.magnitude[p.at(r, i / p.rows)] *
                                static_cast<wide<T>>(e.depth(p.terms[static_cast<std::size_t>(r)])) *
                                std::numeric_limits<T>::epsilon();
          if (std::abs(got - right) > bound * wide<T>(1.01)) to.fail("is too inaccurate");
        }
        to.ran();
      }
      for (const epilogue_kind k : {epilogue_kind::identity, epilogue_kind::gelu}) {
        const case_spec spec{.n = n, .epilogue = k, .gap = 1};
        if (!to.wants(e.kernel, [&] { return details_of(e, p, {}, spec) + " flush to zero"; })) {
          continue;
        }
        if (!space.prepare(e, operands.get(e, p, {}), p, spec)) continue;
        set_flush_to_zero(true);
        run_watched(to, space);
        set_flush_to_zero(false);
        judge(to, e, p, spec, space);
      }
    }
  }
}

template <class T>
void check_two_threads(report& to, const entries<T>& kernels) {
  constexpr int times = sanitized ? 4 : 8;
  call_space<T> space[2];
  operand_cache<T> operands;
  for (const kernel_entry<T>& e : kernels) {
    if (!e.full) continue;
    const problem<T>& p = adapted(e, medium_problem<T>());
    for (const index_t n : {1, 33, 64}) {  // some kernels take many columns only
      const case_spec specs[2] = {{.n = n}, {.first = 69 - n, .n = n, .where = all_placements[3]}};
      if (!to.wants(e.kernel, [&] { return details_of(e, p, {}, specs[0]); })) continue;
      const operand& a = operands.get(e, p, {});
      if (!space[0].prepare(e, a, p, specs[0])) continue;
      space[1].prepare(e, a, p, specs[1]);
      std::thread other([&] {
        for (int i = 0; i < times; ++i) space[1].run();
      });
      for (int i = 0; i < times; ++i) space[0].run();
      other.join();
      judge(to, e, p, specs[0], space[0]);
      judge(to, e, p, specs[1], space[1]);
    }
  }
}

template <class T>
std::size_t check_small_stack(report& to, const entries<T>& kernels) {
  // The least stack of a thread may be larger (128 KiB on AArch64): what was touched is measured.
  static const guarded_pages stack(
      std::max(small_stack_bytes, static_cast<std::size_t>(PTHREAD_STACK_MIN)));
  constexpr std::byte paint{0x5c};
  std::size_t most = 0;
  call_space<T> space;
  operand_cache<T> operands;
  for (const kernel_entry<T>& e : kernels) {
    if (!e.full) continue;
    for (const problem<T>* p :
         {&adapted(e, medium_problem<T>()), &adapted(e, vector_problem<T>())}) {
      for (const index_t n : {1, 37, 70}) {
        for (const epilogue_kind k : {epilogue_kind::identity, epilogue_kind::gelu}) {
          const case_spec spec{.n = n, .epilogue = k, .gap = 1};
          if (n > p->columns) continue;
          if (!to.wants(e.kernel, [&] { return details_of(e, *p, {}, spec); })) continue;
          if (!space.prepare(e, operands.get(e, *p, {}), *p, spec)) continue;
          std::memset(stack.begin(), static_cast<int>(paint), stack.size());
          pthread_attr_t attributes;
          pthread_attr_init(&attributes);
          const int placed = pthread_attr_setstack(&attributes, stack.begin(), stack.size());
          pthread_t thread;
          const int started = pthread_create(
              &thread, &attributes,
              [](void* s) -> void* {
                const signal_stack overflow;
                static_cast<const call_space<T>*>(s)->run();
                return nullptr;
              },
              &space);
          pthread_attr_destroy(&attributes);
          if (placed != 0 || started != 0) {
            to.fail("no thread with such a stack");
            continue;
          }
          pthread_join(thread, nullptr);
          std::size_t untouched = 0;
          while (untouched < stack.size() && stack.begin()[untouched] == paint) ++untouched;
          const std::size_t used = stack.size() - untouched;
          if (used > small_stack_bytes) to.fail("uses " + std::to_string(used) + " bytes of stack");
          most = std::max(most, used);
          judge(to, e, *p, spec, space);
        }
      }
    }
  }
  return most;
}

#define SPARSEKIT_PROPERTIES(T)                                               \
  template void check_products<T>(report&, const entries<T>&, bool);          \
  template void check_batch_positions<T>(report&, const entries<T>&);         \
  template void check_workers<T>(report&, const entries<T>&);                 \
  template void check_float_environment<T>(report&, const entries<T>&);       \
  template void check_two_threads<T>(report&, const entries<T>&);             \
  template std::size_t check_small_stack<T>(report&, const entries<T>&);
SPARSEKIT_PROPERTIES(float)
SPARSEKIT_PROPERTIES(double)

}  // namespace sparsekit_test
