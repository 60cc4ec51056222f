// Times of packed forms that keep what rounds differ by, for confidence intervals.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <sparsekit/choose/timing.hpp>
#include <vector>

namespace choose_benchmark {

namespace sk = sparsekit;
using sk::index_t;

struct interval {
  double low = 0, high = 0;
};

/// Of each form all its rounds, in microseconds; forms of one round were timed in turn.
struct form_rounds {
  std::array<std::vector<double>, sk::form_count> us;

  const std::vector<double>& of(sk::form f) const { return us[static_cast<std::size_t>(f)]; }
  bool has(sk::form f) const { return !of(f).empty(); }
  /// The least but one, as sk::time_forms says.
  double time(sk::form f) const {
    std::vector<double> t = of(f);
    if (t.size() < 2) return 0;
    std::nth_element(t.begin(), t.begin() + 1, t.end());
    return t[1];
  }
  double median(sk::form f) const {
    std::vector<double> t = of(f);
    std::nth_element(t.begin(), t.begin() + static_cast<std::ptrdiff_t>(t.size() / 2), t.end());
    return t[t.size() / 2];
  }
  /// 95 % confidence for the median over rounds of a's time over b's: two of the ratios in order,
  /// by the sign test, which asks for no distribution. It needs six rounds at least.
  interval ratio(sk::form a, sk::form b) const {
    std::vector<double> r(of(a).size());
    for (std::size_t i = 0; i < r.size(); ++i) r[i] = of(a)[i] / of(b)[i];
    std::sort(r.begin(), r.end());
    const double n = static_cast<double>(r.size());
    const auto rank =
        static_cast<std::size_t>(std::max(0.0, std::floor((n - 1.96 * std::sqrt(n)) / 2)));
    return {r[rank], r[r.size() - 1 - rank]};
  }
};

template <class T>
form_rounds time_with_rounds(const sk::packed_forms<T>& forms, sk::extents shape, sk::form_set all,
                             index_t n, double budget_us, std::uint64_t seed) {
  form_rounds r;
  const sk::timing_options timing{.budget_us = budget_us, .least_rounds = 6, .seed = seed};
  const auto keep = [&](sk::form f, double us) { r.us[static_cast<std::size_t>(f)].push_back(us); };
  if (!sk::time_rounds(forms, shape, all, n, timing, keep)) std::abort();
  return r;
}

}  // namespace choose_benchmark
