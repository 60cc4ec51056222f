// Times several ways to do the same multiply, turn and turn about, so that all see the same clock and caches.
#pragma once

#include <chrono>
#include <ctime>

#include "packed_forms.hpp"

namespace sparsekit {
inline namespace v0 {

struct timing_options {
  double budget_us = 2000;    ///< for all ways together, beside the first call of each
  int least_rounds = 3;       ///< even if they take longer than the budget
  std::uint64_t seed = 1;     ///< of the numbers in X
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace plan {

/// Microseconds of this thread's own time, where the system tells it: what else runs on the machine, and the time
/// that this thread waits for a core, do not count. Reading it takes about 0.3 us.
inline double thread_microseconds() {
#ifdef CLOCK_THREAD_CPUTIME_ID
  std::timespec now{};
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0) {
    return 1e6 * static_cast<double>(now.tv_sec) + 1e-3 * static_cast<double>(now.tv_nsec);
  }
#endif
  const std::chrono::duration<double, std::micro> since =
      std::chrono::steady_clock::now().time_since_epoch();
  return since.count();
}

}  // namespace plan

/// Times each form of `a` in `forms` (those bits that are held), round after round, each in turn:
/// each(f, us) for each time of one call in microseconds, at n columns, row-major (narrow weights:
/// X is of f32, or of u8 beside s8, and Y of sums).
template <class T, class Each>
status time_rounds(const packed_forms<T>& a, extents shape, form_set forms, index_t n,
                   const timing_options& options, Each&& each) {
  index_t x_size = 0;
  index_t y_size = 0;
  if (!checked_multiply(shape.cols, n, x_size) || !checked_multiply(shape.rows, n, y_size)) {
    return {.code = errc::size_overflow, .object = "choose", .detail = "columns", .got = n,
            .allowed = std::numeric_limits<index_t>::max() / std::max<index_t>(shape.cols, 1)};
  }
  using sum = sum_of_t<T>;
  using input = std::conditional_t<std::is_integral_v<T>, std::uint8_t, sum>;
  buffer<input> x;
  buffer<sum> y;
  if (status s = x.allocate(x_size); !s) return s;
  if (status s = y.allocate(y_size); !s) return s;
  std::uint64_t state = options.seed;
  for (index_t i = 0; i < x_size; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    if constexpr (std::is_integral_v<T>) {
      x[i] = static_cast<input>(state >> 56);
    } else {
      x[i] = input(1) + input(static_cast<double>(state >> 40) * 0x1p-24);
    }
  }
  workspace ws;
  if (status s = workspace::make(a, {.max_columns = n}).get(ws); !s) return s;
  const dense_view<const input> xv(x.data(), shape.cols, n);
  const dense_view<sum> yv(y.data(), shape.rows, n);
  const auto time = [&](form f, index_t calls) {
    const double begin = plan::thread_microseconds();
    for (index_t i = 0; i < calls; ++i) multiply_by(f, seq, a, xv, yv, ws);
    return (plan::thread_microseconds() - begin) / static_cast<double>(calls);
  };
  form list[form_count];
  index_t calls[form_count];
  double round = 0;
  int count = 0;
  for (int i = 0; i < form_count; ++i) {
    const form f = static_cast<form>(i);
    if (!forms.has(f) || !a.held().has(f)) continue;
    time(f, 1);  // caches, page faults
    const double once = time(f, 1);
    // Short calls run in a row, for the clock takes time. But not long: what disturbs comes in bursts.
    calls[count] = once > 30 ? 1 : static_cast<index_t>(30 / std::max(once, 0.05)) + 1;
    round += once * static_cast<double>(calls[count]);
    list[count++] = f;
  }
  const int rounds = std::max(std::max(options.least_rounds, 2),
                              static_cast<int>(std::min(1000.0, options.budget_us / std::max(round, 1.0))));
  for (int r = 0; r < rounds; ++r) {
    for (int i = 0; i < count; ++i) each(list[i], time(list[i], calls[i]));
  }
  return {};
}

/// The least time but one of each form; of those that are not timed, `us` stays. But one: once in
/// about 100 000 readings a thread's clock jumps, and a time of nearly zero would win everything.
template <class T>
status time_forms(const packed_forms<T>& a, extents shape, form_set forms, index_t n,
                  const timing_options& options, std::array<double, form_count>& us) {
  double least[form_count];
  for (int i = 0; i < form_count; ++i) {
    least[i] = 1e300;
    if (forms.has(static_cast<form>(i)) && a.held().has(static_cast<form>(i)))
      us[static_cast<std::size_t>(i)] = 1e300;
  }
  return time_rounds(a, shape, forms, n, options, [&](form f, double t) {
    double& second = us[static_cast<std::size_t>(f)];
    double& first = least[static_cast<int>(f)];
    second = std::min(second, std::max(t, first));
    first = std::min(first, t);
  });
}

SPARSEKIT_EXEC_END_IN_V0

/// time_forms(), or null. A pointer, so that choose() by its model does not compile all kernels,
/// only for them to be timed: with them it takes four times as long.
template <class T>
using form_timer = status (*)(const packed_forms<T>&, extents, form_set, index_t,
                              const timing_options&, std::array<double, form_count>&);

}  // namespace v0
}  // namespace sparsekit
