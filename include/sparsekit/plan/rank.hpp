// Moves fitted constants to where the forms of a matrix are ranked rightly. Least squares (plan/fit.hpp) makes each
// price as right as its counts allow, which is some 10 %: what is left is shared out so that the form with the
// least price costs little over the fastest.
//
// What is made small is the expected loss: were each form of a case taken with a probability that falls with its
// price, e-fold for `softness` of it, the mean over cases of what the form taken loses over the fastest. Beside it
// stand the squared errors of prices, lest they go astray where nothing is near, and how far constants are from
// where they began: a few hundred cases would be learned by heart otherwise. Of cases held out, f32 and f64 on
// AVX-512, least squares alone was within 5 % in 86 to 88 of 100, with this 88 to 92.
#pragma once

#include "fit.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace plan {

/// The descent: Adam (Kingma and Ba, 2015), constants kept from falling below zero.
class constant_ranker {
 public:
  constant_ranker(array_view<const cost_sample> samples, array_view<const index_t> ends,
                  cost_constants& constants)
      : samples_(samples), ends_(ends), constants_(constants) {}

  status run() {
    constexpr int steps = 1500;
    if (status s = rows_.allocate(samples_.size()); !s) return s;
    if (status s = tables_.allocate_zeroed(tables); !s) return s;
    begin();
    for (int step = 1; step <= steps; ++step) {
      for (table& t : tables_) t.gradient = {};
      index_t first = 0;
      for (const index_t end : ends_) {
        if (end > first) add_case(first, end);
        first = end;
      }
      // Steps shrink, as the loss is not smooth on the scale of the first of them.
      const double length = 0.01 * (1 - 0.95 * step / steps);
      for (table& t : tables_) t.move(length, step, of_moves());
    }
    finish();
    return {};
  }

 private:
  static constexpr int tables = form_count * cost_regimes;
  static constexpr double softness = 0.05;
  static constexpr double of_rank = 2;      ///< of the expected loss in what is made small
  static constexpr double of_errors = 0.1;  ///< of squared errors
  /// Of squared moves, not a case's but all the cases': few cases know less. 60 for 250 cases, 5
  /// for thousands were best for cases held out; 5 for 250 learned them by heart.
  double of_moves() const { return std::max(5.0, 15000.0 / static_cast<double>(ends_.size() + 1)); }
  static constexpr double believed = 0.8;   ///< of a factor that all timings of a case share
  static constexpr int least_samples = 12;  ///< that a count stands in, or its constant stays

  using terms = std::array<double, cost_terms_count>;

  /// The constants of a form and regime, each in units in which it is its mean share of the time.
  struct table {
    terms unit, x, origin, gradient, mean, square;
    std::array<int, cost_terms_count> samples;

    template <class Flags = flags_tag>
    void move(double length, int step, double pull) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (samples[i] < least_samples) continue;
        const double g = gradient[i] + 2 * pull * (x[i] - origin[i]);
        mean[i] += 0.1 * (g - mean[i]);
        square[i] += 0.001 * (g * g - square[i]);
        const double m = mean[i] / (1 - std::pow(0.9, step));
        const double s = square[i] / (1 - std::pow(0.999, step));
        x[i] = std::max(0.0, x[i] - length * m / (std::sqrt(s) + 1e-9));
      }
    }
  };
  /// What a step computes of a timing.
  struct row {
    terms count;  ///< in units of `table::unit`, over the time
    double log_loss, blame, weight;
    double log_price, error, share;
  };

  table& table_of(const cost_sample& s) {
    return tables_[static_cast<int>(s.kind) * cost_regimes + s.regime];
  }

  /// What taking a form costs that takes e^r the time of the fastest. Beyond 5 and 15 % it counts
  /// for more, as does whoever asks how often choose() is right. Once more beyond 5 % over dense:
  /// no gain.
  static double blame_of(double r) {
    r = std::min(r, 0.7);
    const auto step = [&](double at, double soft) { return 0.06 / (1 + std::exp((at - r) / soft)); };
    return r + step(0.05, 0.012) + step(0.14, 0.03);
  }

  void begin() {
    for (const cost_sample& s : samples_) {
      table& t = table_of(s);
      for (std::size_t i = 0; i < s.count.size(); ++i) {
        const double share = 1e-3 * s.count[i] / s.us;
        if (share <= 1e-6) continue;
        t.unit[i] += share;
        ++t.samples[i];
      }
    }
    for (int p = 0; p < tables; ++p) {
      table& t = tables_[p];
      for (std::size_t i = 0; i < t.unit.size(); ++i) {
        t.unit[i] = t.unit[i] > 0 ? t.samples[i] / t.unit[i] : 1;
        t.x[i] = t.origin[i] = constants_.of[p / cost_regimes][p % cost_regimes][i] / t.unit[i];
      }
    }
    index_t first = 0;
    for (const index_t end : ends_) {
      double best = 1e300;
      for (index_t j = first; j < end; ++j) best = std::min(best, samples_[j].us);
      for (index_t j = first; j < end; ++j) {
        const cost_sample& s = samples_[j];
        row& r = rows_[j];
        const table& t = table_of(s);
        for (std::size_t i = 0; i < s.count.size(); ++i) {
          r.count[i] = 1e-3 * s.count[i] / s.us * t.unit[i];
        }
        r.log_loss = std::log(s.us / best);
        r.blame = blame_of(r.log_loss);
        const double near = std::min(1.0, 1.15 * best / s.us);
        r.weight = near * near * (best < 2 ? 0.5 : 1);  // clocks are coarse
      }
      first = end;
    }
  }

  /// Adds the gradient of a case.
  void add_case(index_t first, index_t end) {
    double least = 1e300;
    double weights = 0;
    double shared = 0;
    for (index_t j = first; j < end; ++j) {
      row& r = rows_[j];
      const table& t = table_of(samples_[j]);
      double price = 0;  // over the time
      for (std::size_t i = 0; i < r.count.size(); ++i) price += t.x[i] * r.count[i];
      r.log_price = std::log(std::max(price, 1e-6));
      r.error = r.log_price;
      weights += r.weight;
      shared += r.weight * r.error;
      // Over the best of the case, without what choose() asks of forms that are not dense:
      // constants would learn to take that back.
      r.log_price += r.log_loss;
      least = std::min(least, r.log_price);
    }
    shared *= believed / weights;
    double total = 0;
    double expected = 0;
    double errors = 0;
    for (index_t j = first; j < end; ++j) {
      row& r = rows_[j];
      r.share = std::exp((least - r.log_price) / softness);
      total += r.share;
      expected += r.share * r.blame;
      r.error -= shared;
      errors += 2 * r.weight * r.error;
    }
    expected /= total;
    for (index_t j = first; j < end; ++j) {
      row& r = rows_[j];
      table& t = table_of(samples_[j]);
      const double rank = of_rank * r.share / total * (expected - r.blame) / softness;
      const double error = of_errors * (2 * r.weight * r.error - believed * r.weight / weights * errors);
      const double by_price = (rank + error) / std::max(price_of(r, t), 1e-6);
      for (std::size_t i = 0; i < r.count.size(); ++i) t.gradient[i] += by_price * r.count[i];
    }
  }
  static double price_of(const row& r, const table& t) {
    double price = 0;
    for (std::size_t i = 0; i < r.count.size(); ++i) price += t.x[i] * r.count[i];
    return price;
  }

  void finish() {
    for (int p = 0; p < tables; ++p) {
      const table& t = tables_[p];
      for (std::size_t i = 0; i < t.x.size(); ++i) {
        if (t.samples[i] < least_samples) continue;
        constants_.of[p / cost_regimes][p % cost_regimes][i] = t.x[i] * t.unit[i];
      }
    }
  }

  array_view<const cost_sample> samples_;
  array_view<const index_t> ends_;
  cost_constants& constants_;
  buffer<row> rows_;
  buffer<table> tables_;
};

}  // namespace plan

/// Moves `constants`, which were fitted to `samples`, to where these are ranked better. Cases as in
/// fit_cost_constants(). Some seconds for ten thousand timings.
inline status rank_by_cost_constants(array_view<const cost_sample> samples, array_view<const index_t> ends,
                                     cost_constants& constants) {
  return plan::constant_ranker(samples, ends, constants).run();
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
