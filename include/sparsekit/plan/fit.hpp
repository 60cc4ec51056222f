// Fits the constants of the cost model to timings: least squares of relative errors with no constant below
// zero (a negative price would be paid back somewhere else, absurdly).
//
// Forms are ranked, so it is ratios that count: all timings of one matrix at one column count are taken in turn
// and see the same clock and neighbours, and a factor that they have in common is estimated and divided out.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "../core/storage.hpp"
#include "cost_constants.hpp"

namespace sparsekit {
inline namespace v0 {

/// One timing: what was counted, and the time.
struct cost_sample {
  form kind = form::dense;
  int regime = 0;
  std::array<double, cost_terms_count> count{};
  double us = 0;
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// The sums over timings that normal equations are made of.
class cost_fit {
 public:
  using terms = std::array<double, cost_terms_count>;
  /// Fewer timings than this do not determine the constants.
  static constexpr int least_samples = 3 * cost_terms_count;

  /// `prior`: what the constants are without timings.
  explicit cost_fit(const double (&prior)[cost_terms_count]) {
    for (std::size_t i = 0; i < prior_.size(); ++i) prior_[i] = prior[i];
  }

  /// One timing in microseconds and its counts. Errors count relative to the time, times `weight`.
  void add(const terms& count, double us, double weight = 1) {
    const double ns = 1e3 * us;
    if (!(ns > 0)) return;
    double known = 0;
    for (std::size_t i = 0; i < count.size(); ++i) known += prior_[i] * count[i];
    if (known > 0) logs_ += std::log(ns / known);
    for (std::size_t i = 0; i < count.size(); ++i) {
      for (std::size_t j = 0; j < count.size(); ++j) {
        square_[i][j] += weight * count[i] / ns * count[j] / ns;
      }
      right_[i] += weight * count[i] / ns;
    }
    ++samples_;
  }

  /// The constants, by cyclic coordinate descent. A little weight pulls each towards the prior, so that counts
  /// which the timings cannot tell apart keep their proportion; with few timings all of them do.
  void solve(double (&c)[cost_terms_count]) const {
    const double scale = samples_ == 0 ? 1 : std::exp(logs_ / samples_);
    for (std::size_t i = 0; i < prior_.size(); ++i) c[i] = scale * prior_[i];
    if (samples_ < least_samples) return;
    for (int sweep = 0; sweep < 20000; ++sweep) {
      double moved = 0;
      for (std::size_t i = 0; i < square_.size(); ++i) {
        if (square_[i][i] <= 0) continue;
        const double pull = 1e-4 * square_[i][i];
        double gradient = right_[i] + pull * (scale * prior_[i] - c[i]);
        for (std::size_t j = 0; j < square_.size(); ++j) gradient -= square_[i][j] * c[j];
        const double next = std::max(0.0, c[i] + gradient / (square_[i][i] + pull));
        moved = std::max(moved, std::abs(next - c[i]) * std::sqrt(square_[i][i]));
        c[i] = next;
      }
      if (moved < 1e-7) break;
    }
  }

 private:
  std::array<terms, cost_terms_count> square_{};
  terms right_{};
  terms prior_{};
  double logs_ = 0;
  int samples_ = 0;
};

namespace plan {

inline double price(const cost_sample& s, const cost_constants& c) {
  const auto& per = c.of[static_cast<int>(s.kind)][s.regime];
  double ns = 0;
  for (int i = 0; i < cost_terms_count; ++i) ns += per[i] * s.count[static_cast<std::size_t>(i)];
  return 1e-3 * ns;
}

}  // namespace plan

/// The constants that fit `samples`. Those of one case, a matrix at one column count, stand side by side and end
/// before ends[i]. Timings far behind the best of their case count less: such forms are not taken anyway.
inline status fit_cost_constants(array_view<const cost_sample> samples,
                                 array_view<const index_t> ends, const cost_constants& prior,
                                 cost_constants& out) {
  constexpr int rounds = 6;
  // Less than all: counts tie one column number to the next loosely, and factors of all cases of a number would drift.
  constexpr double believed = 0.7;
  buffer<double> scale;
  buffer<double> weight;
  if (status s = scale.allocate(ends.size()); !s) return s;
  if (status s = weight.allocate(samples.size()); !s) return s;
  const auto cases = [&](auto&& f) {
    index_t begin = 0;
    for (index_t i = 0; i < ends.size(); begin = ends[i++]) f(i, begin, ends[i]);
  };
  cases([&](index_t i, index_t begin, index_t end) {
    scale[i] = 1;
    double best = 1e300;
    for (index_t j = begin; j < end; ++j) best = std::min(best, samples[j].us);
    for (index_t j = begin; j < end; ++j) {
      const double near = std::min(1.0, 1.2 * best / samples[j].us);
      weight[j] = near * near;
    }
  });
  buffer<cost_fit> fits;
  if (status s = fits.allocate(form_count * cost_regimes); !s) return s;
  out = prior;
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < form_count * cost_regimes; ++i) {
      fits[i] = cost_fit(prior.of[i / cost_regimes][i % cost_regimes]);
    }
    cases([&](index_t i, index_t begin, index_t end) {
      for (index_t j = begin; j < end; ++j) {
        const cost_sample& s = samples[j];
        fits[static_cast<int>(s.kind) * cost_regimes + s.regime].add(s.count, s.us * scale[i], weight[j]);
      }
    });
    for (int i = 0; i < form_count * cost_regimes; ++i) {
      fits[i].solve(out.of[i / cost_regimes][i % cost_regimes]);
    }
    double logs = 0;
    cases([&](index_t i, index_t begin, index_t end) {
      double sum = 0;
      double total = 0;
      for (index_t j = begin; j < end; ++j) {
        const double us = plan::price(samples[j], out);
        if (us > 0) sum += weight[j] * std::log(us / samples[j].us);
        total += weight[j];
      }
      scale[i] = total > 0 ? std::exp(believed * sum / total) : 1;
      logs += std::log(scale[i]);
    });
    // On average no case is slower than it was: the factors are of single cases, not of all.
    for (double& s : scale) s /= std::exp(logs / static_cast<double>(std::max<index_t>(1, ends.size())));
  }
  return {};
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
