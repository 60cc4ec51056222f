// A check of the checks: kernels with one deliberate fault each must be caught, and one without any must pass.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cfenv>
#include <cstdio>
#include <memory>

#include "instantiate.hpp"
#include "properties.hpp"

namespace sparsekit_test {
namespace {

enum class fault {
  none,
  skips_column_in_tail,
  reads_y,
  drops_a_term_of_long_rows,
  counts_padding,
  skips_stored_zeros,
  skips_empty_rows,
  one_of_two_entries_at_a_place,
  flushes_subnormals,
  writes_beside_columns,
  reads_beyond_x,
  reads_before_values,
  bias_of_the_neighbour,
  no_epilogue_on_last_row,
  order_by_position,
  order_by_alignment,
  order_by_workers,
  rounds_twice_in_tails,
  inaccurate,
  allocates,
  leaves_rounding_mode,
  ignores_rounding_mode,
  deep_stack,
  reads_scratch_first,
  ignores_scratch_size,
};
struct named_fault {
  fault f;
  const char* name;
};
#define SPARSEKIT_FAULT(f) {fault::f, #f}
constexpr named_fault all_faults[] = {
    SPARSEKIT_FAULT(skips_column_in_tail),    SPARSEKIT_FAULT(reads_y),
    SPARSEKIT_FAULT(drops_a_term_of_long_rows), SPARSEKIT_FAULT(counts_padding),
    SPARSEKIT_FAULT(skips_stored_zeros),      SPARSEKIT_FAULT(skips_empty_rows),
    SPARSEKIT_FAULT(one_of_two_entries_at_a_place), SPARSEKIT_FAULT(flushes_subnormals),
    SPARSEKIT_FAULT(writes_beside_columns),   SPARSEKIT_FAULT(reads_beyond_x),
    SPARSEKIT_FAULT(reads_before_values),     SPARSEKIT_FAULT(bias_of_the_neighbour),
    SPARSEKIT_FAULT(no_epilogue_on_last_row), SPARSEKIT_FAULT(order_by_position),
    SPARSEKIT_FAULT(order_by_alignment),      SPARSEKIT_FAULT(order_by_workers),
    SPARSEKIT_FAULT(rounds_twice_in_tails),   SPARSEKIT_FAULT(inaccurate),
    SPARSEKIT_FAULT(allocates),               SPARSEKIT_FAULT(leaves_rounding_mode),
    SPARSEKIT_FAULT(ignores_rounding_mode),   SPARSEKIT_FAULT(deep_stack),
    SPARSEKIT_FAULT(reads_scratch_first),     SPARSEKIT_FAULT(ignores_scratch_size)};
#undef SPARSEKIT_FAULT

/// The fault of the process: one type serves all mutants.
fault current = fault::none;

/// Plain loops, and the fault.
template <class T>
struct mutant {
  using one = sparsekit::simd::lanes<sparsekit::arch::scalar, T>;
  static constexpr index_t scratch_bytes = 256;

  template <class Call>
  static bool accepts(const Call& c) {
    return current == fault::ignores_scratch_size ? c.scratch.worker_bytes > 0
                                                  : c.scratch.worker_bytes >= scratch_bytes;
  }
  template <class A>
  static sparsekit::workspace_size requirement(const A&, index_t) {
    return {.shared = 0, .per_worker = scratch_bytes};
  }

  template <class Call>
  static void run(const Call& c) {
    constexpr bool parallel =
        !std::is_same_v<std::remove_cvref_t<decltype(c.policy)>, sparsekit::sequential_policy>;
    const int mode = std::fegetround();
    if (current == fault::ignores_rounding_mode) std::fesetround(FE_TONEAREST);
    if (current == fault::allocates) std::make_unique<T>(T{1}).swap(kept_);
    if (current == fault::deep_stack) use_stack();
    const index_t tasks =
        sparsekit::task_count(c.policy, c.a.nnz() * c.x.cols(), sparsekit::ceil_div(c.a.rows(), 16));
    sparsekit::run_tasks(c.policy, tasks, [&](index_t task, index_t worker) {
      T* scratch = c.scratch.template worker_as<T>(worker);
      if (current != fault::reads_scratch_first) scratch[0] = T{0};
      scratch[scratch_bytes / index_t{sizeof(T)} - 1] = T{0};
      for (index_t r = c.a.rows() * task / tasks; r < c.a.rows() * (task + 1) / tasks; ++r) {
        for (index_t j = 0; j < c.x.cols(); ++j) {
          element(c, r, j, parallel, scratch[0]);
        }
      }
    });
    if (current == fault::leaves_rounding_mode) {
      std::fesetround(FE_DOWNWARD);
    } else if (current == fault::ignores_rounding_mode) {
      std::fesetround(mode);
    }
  }

 private:
  static inline std::unique_ptr<T> kept_;

  static SPARSEKIT_NOINLINE void use_stack() {
    volatile char memory[small_stack_bytes + (16 << 10)];
    // Downwards: into the guard page, and not over it.
    for (std::size_t i = sizeof memory; i >= 512; i -= 512) memory[i - 1] = 1;
  }

  template <class Call>
  static void element(const Call& c, index_t r, index_t j, bool parallel, T start) {
    const index_t n = c.x.cols();
    const bool tail = n % 8 != 0 && j >= n / 8 * 8;
    if (current == fault::skips_column_in_tail && n > 8 && tail && j == n - 1) return;
    const index_t begin = static_cast<index_t>(c.a.row_ptr[r]);
    const index_t end = static_cast<index_t>(c.a.row_ptr[r + 1]);
    if (current == fault::skips_empty_rows && begin == end) return;
    const bool backward =
        (current == fault::order_by_position && j % 2 == 1) ||
        (current == fault::order_by_alignment &&
         reinterpret_cast<std::uintptr_t>(c.x.data()) % 64 != 0) ||
        (current == fault::order_by_workers && parallel);
    const index_t count =
        end - begin - (current == fault::drops_a_term_of_long_rows && end - begin > 128 ? 1 : 0);
    T sum = start;
    for (index_t i = 0; i < count; ++i) {
      const index_t p = backward ? end - 1 - i : begin + i;
      const index_t k = static_cast<index_t>(c.a.columns[p]);
      const T a = c.a.values[p];
      if (current == fault::skips_stored_zeros && a == T{0}) continue;
      if (current == fault::one_of_two_entries_at_a_place && p + 1 < end &&
          static_cast<index_t>(c.a.columns[p + 1]) == k) {
        continue;
      }
      if (current == fault::rounds_twice_in_tails && tail) {
        volatile T product = a * c.x(k, j);
        sum += product;
      } else {
        sum = one::fma(a, c.x(k, j), sum);
      }
    }
    if (current == fault::counts_padding && count % 2 == 1) sum = one::fma(T{0}, c.x(0, j), sum);
    if (current == fault::reads_y) sum = one::fma(T{0}, c.y(r, j), sum);
    if (current == fault::flushes_subnormals && std::abs(sum) < std::numeric_limits<T>::min()) {
      sum = T{0};
    }
    if (current == fault::inaccurate) {
      sum *= T{1} + std::numeric_limits<T>::epsilon() * static_cast<T>(count / 3);
    }
    if (current == fault::reads_beyond_x && r + 1 == c.a.rows()) {
      volatile T beyond = c.x.data()[c.x.span_size()];
      static_cast<void>(beyond);
    }
    if (current == fault::reads_before_values && r == 0) {
      volatile T before = c.a.values.data()[-1];
      static_cast<void>(before);
    }
    if (current == fault::writes_beside_columns && c.y.ld() > (Call::y_layout::rows_contiguous
                                                                  ? n
                                                                  : c.a.rows())) {
      c.y.data()[Call::y_layout::rows_contiguous ? n : c.a.rows()] = T{0};
    }
    if (current == fault::no_epilogue_on_last_row && r > 0 && r + 1 == c.a.rows()) {
      c.y(r, j) = sum;
      return;
    }
    using place = sparsekit::kernels::place<one, T, sparsekit::simd::all_lanes, true>;
    const bool shifted = current == fault::bias_of_the_neighbour && j > 0;
    c.y(r, j) = c.epilogue(
        sum, place{r, shifted ? j - 1 : j, sparsekit::simd::all_lanes{}, &c.y(r, j)});
  }
};

template <class T>
entries<T> mutant_entries() {
  entries<T>& all = registry<T>();
  const std::size_t before = all.size();
  add_layouts<mutant<T>, T, csr_operand<T, std::int32_t, std::int32_t>, true>("mutant");
  entries<T> out(all.begin() + static_cast<std::ptrdiff_t>(before), all.end());
  all.resize(before);
  return out;
}

/// Whether any property fails.
bool is_caught(const entries<float>& kernels) {
  const std::vector<std::string> names = {"mutant"};
  const auto fails = [&](auto&& check) {
    report r("mutant");
    r.expect_failures();
    check(r);
    return r.summary(names) > 0;
  };
  return fails([&](report& r) { check_products(r, kernels, false); }) ||
         fails([&](report& r) { check_batch_positions(r, kernels); }) ||
         fails([&](report& r) { check_workers(r, kernels); }) ||
         fails([&](report& r) { check_float_environment(r, kernels); }) ||
         fails([&](report& r) { check_two_threads(r, kernels); }) ||
         fails([&](report& r) { check_small_stack(r, kernels); });
}

/// In a process of its own: some mutants crash.
bool is_caught(fault f, const entries<float>& kernels) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    forget_crash_handler();
    current = f;
    ::_exit(is_caught(kernels) ? 1 : 0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

TEST_CASE("faulty kernels are caught") {
  if (runs_single_case()) return;
  const entries<float> kernels = mutant_entries<float>();
  CHECK_FALSE(is_caught(fault::none, kernels));
  int caught = 0;
  for (const named_fault& f : all_faults) {
    INFO(std::string(f.name));
    const bool found = is_caught(f.f, kernels);
    CHECK(found);
    caught += found ? 1 : 0;
  }
  std::printf("%d of %zu faulty kernels caught\n", caught, std::size(all_faults));
}

}  // namespace
}  // namespace sparsekit_test
