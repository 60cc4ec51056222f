// See driver.hpp.
#include "driver.hpp"

#include <thread>

namespace sparsekit_test {
namespace {

/// A NaN with a payload: what nobody may read, or must not have written.
template <class T>
T poison() {
  T v;
  if constexpr (sizeof(T) == 4) {
    const std::uint32_t bits = 0x7fc5a5a5u;
    std::memcpy(&v, &bits, sizeof v);
  } else {
    const std::uint64_t bits = 0x7ff85a5a5a5a5a5au;
    std::memcpy(&v, &bits, sizeof v);
  }
  return v;
}
template <class T>
bool same_bits(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

/// rows x columns into `to`, which takes the layout's leading dimension; value(r, j).
template <class T, class F>
index_t lay_out(guarded<T>& to, index_t rows, index_t columns, bool row_major, const case_spec& spec,
                const F& value) {
  const index_t width = row_major ? columns : rows;
  const index_t count = row_major ? rows : columns;
  const index_t ld = width + spec.gap;
  to.reset(count == 0 || width == 0 ? 0 : (count - 1) * ld + width, spec.where.at,
           spec.where.offset);
  if (spec.gap > 0) to.fill(poison<T>());
  for (index_t i = 0; i < (width == 0 ? 0 : count); ++i) {
    for (index_t k = 0; k < width; ++k) {
      to[i * ld + k] = row_major ? value(i, k) : value(k, i);
    }
  }
  return ld;
}

void lay_out_scratch(guarded<std::byte>& to, index_t bytes, edge at) {
  to.reset(bytes, at);
  // All ones is NaN in every floating-point type: scratch that is read before it is written shows.
  to.fill(std::byte{0xff});
}

std::string text_of(long double v) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.9Lg", v);
  return buffer;
}

}  // namespace

void test_executor::run(index_t tasks, const void* f, task_function call) const {
  switch (how) {
    case order::ascending:
      for (index_t t = 0; t < tasks; ++t) call(f, t, t % workers);
      return;
    case order::descending:
      for (index_t t = tasks - 1; t >= 0; --t) call(f, t, workers - 1);
      return;
    case order::threads: {
      std::vector<std::thread> threads;
      for (index_t w = 0; w < workers; ++w) {
        threads.emplace_back([=, this] {
          for (index_t t = w; t < tasks; t += workers) call(f, t, w);
        });
      }
      for (std::thread& t : threads) t.join();
      return;
    }
  }
}

template <class T>
bool call_space<T>::prepare(const kernel_entry<T>& entry, const operand& a, const problem<T>& p,
                            const case_spec& spec) {
  entry_ = &entry;
  a_ = &a;
  const placement at = spec.where;
  call_ = {.a = &a, .rows = p.rows, .cols = p.cols, .columns = spec.n, .epilogue = &epilogue_,
           .executor = spec.executor};
  const index_t workers = spec.executor == nullptr ? 1 : spec.executor->workers;

  constexpr index_t line = 64;
  if (spec.with_workspace) {
    const sparsekit::workspace_size need = entry.requirement(a, spec.n);
    const index_t each = sparsekit::round_up(need.per_worker, line) - spec.short_bytes;
    call_.scratch = {.shared = nullptr,
                     .workers = nullptr,
                     .shared_bytes = sparsekit::round_up(need.shared, line),
                     .worker_bytes = each < 0 ? 0 : each,
                     .worker_count = workers};
  }
  // Refusals depend on sizes and layouts only; to lay out what is not used would take most of the time.
  if (!entry.accepts(call_)) return false;

  if (spec.with_workspace) {
    // Each part starts on a cache line, as workspace promises. An edge that is a page's is one.
    lay_out_scratch(shared_, call_.scratch.shared_bytes, at.at);
    // One that is too small ends where it says: what is written beyond shows.
    const bool is_short = spec.short_bytes > 0;
    const index_t usable = call_.scratch.worker_bytes;
    lay_out_scratch(workers_, is_short ? usable : sparsekit::round_up(usable, line) * workers,
                    is_short ? edge::left : at.at);
    call_.scratch.shared = shared_.data();
    call_.scratch.workers = workers_.data();
  }

  call_.x_ld = lay_out(x_, p.cols, spec.n, entry.x_row_major, spec, [&](index_t k, index_t j) {
    return p.x_at(k, spec.first + j);
  });
  x_.freeze();
  call_.y_ld = lay_out(y_, p.rows, spec.n, entry.y_row_major, spec, [&](index_t r, index_t j) {
    if (reads_y(spec.epilogue)) return p.old_y[p.at(r, spec.first + j)];
    return (r + j) % 2 == 0 ? poison<T>() : std::numeric_limits<T>::infinity();
  });
  bias_rows_.assign(p.bias_rows, at.at, at.offset);
  bias_rows_.freeze();
  const auto begin = p.bias_columns.begin() + spec.first;
  bias_columns_.assign(std::vector<T>(begin, begin + spec.n), at.at, at.offset);
  bias_columns_.freeze();
  call_.x = x_.data();
  call_.y = y_.data();
  epilogue_.kind = spec.epilogue;
  epilogue_.bias_rows = bias_rows_.view();
  epilogue_.bias_columns = bias_columns_.view();
  return entry.accepts(call_);
}

template <class T>
const char* call_space<T>::damage() const {
  if (!x_.intact()) return "wrote beside x";
  if (!y_.intact()) return "wrote beside y";
  if (!a_->intact()) return "wrote beside the matrix";
  if (!bias_rows_.intact() || !bias_columns_.intact()) return "wrote beside a bias";
  if (call_.scratch.workers != nullptr && !(shared_.intact() && workers_.intact())) {
    return "wrote beside the workspace";
  }
  const index_t width = entry_->y_row_major ? call_.columns : call_.rows;
  for (index_t i = 0; i < y_.size(); ++i) {
    if (i % call_.y_ld >= width && !same_bits(y_[i], poison<T>())) {
      return "wrote between the rows or columns of y";
    }
  }
  return nullptr;
}

template <class T>
void judge(report& to, const kernel_entry<T>& entry, const problem<T>& p, const case_spec& spec,
           call_space<T>& space) {
  using W = wide<T>;
  constexpr W u = std::numeric_limits<T>::epsilon() / W(2);
  index_t zeros = 0;
  const bool exact = p.exact && is_exact(spec.epilogue);
  for (index_t j = 0; j < spec.n; ++j) {
    for (index_t r = 0; r < p.rows; ++r) {
      const std::size_t i = p.at(r, spec.first + j);
      const index_t terms = p.terms[static_cast<std::size_t>(r)];
      const W k = static_cast<W>(entry.depth(terms));
      const W gamma = k * u / (1 - k * u);
      const bounded<W> sum{p.sum[i], gamma * p.magnitude[i] +
                                         k * W(std::numeric_limits<T>::denorm_min())};
      const W old = reads_y(spec.epilogue) ? W(p.old_y[i]) : W(0);
      bounded<W> right = reference_epilogue<T>(
          spec.epilogue, sum, W(p.bias_rows[static_cast<std::size_t>(r)]),
          W(p.bias_columns[static_cast<std::size_t>(spec.first + j)]), old);
      // What an infinite sum becomes (by clamp or relu) is exact but for the last stage.
      if (!std::isfinite(p.sum[i])) right.error = 2 * u * std::abs(right.value);
      const T got = space.y(r, j);
      if (got == T{0}) ++zeros;

      bool fine;
      if (!std::isfinite(right.value)) {
        fine = std::isnan(right.value) ? std::isnan(got)
                                       : std::isinf(got) && (got > 0) == (right.value > 0);
      } else if (exact) {
        fine = W(got) == right.value;
      } else {
        const W error = std::abs(W(got) - right.value);
        fine = error <= right.error;
        // With fewer terms than these the bound is as small as one rounding.
        if (spec.epilogue == epilogue_kind::identity && terms >= 8 && !p.exact && p.finite) {
          to.error_ratio(error * 10 < right.error);
        }
      }
      // An empty sum is +0.
      if (fine && terms == 0 && spec.epilogue == epilogue_kind::identity) {
        fine = same_bits(got, T{0});
      }
      if (!fine) {
        to.fail("y(" + std::to_string(r) + ", " + std::to_string(j) + ") is " + text_of(got) +
                ", not " + text_of(right.value) + " +- " + text_of(exact ? W(0) : right.error) +
                " (" + std::to_string(terms) + " terms)");
        to.ran(true);
        return;
      }
    }
  }
  if (const char* what = space.damage(); what != nullptr) to.fail(what);
  to.ran(zeros * 10 <= p.rows * spec.n * 7);
}

template class call_space<float>;
template class call_space<double>;
template void judge<float>(report&, const kernel_entry<float>&, const problem<float>&,
                           const case_spec&, call_space<float>&);
template void judge<double>(report&, const kernel_entry<double>&, const problem<double>&,
                            const case_spec&, call_space<double>&);

}  // namespace sparsekit_test
