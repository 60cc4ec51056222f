// calibrate(): measures this machine, so that the cost model's constants are its own.
//
//   const sk::calibration here = sk::calibrate().value();               // f32 and f64: 40 s on one core
//   const sk::calibration s8 = sk::calibrate<std::int8_t>().value();    // the types that are named
//   save(sk::save_calibration(here));                                   // text; load_calibration() reads it
//   auto P = sk::choose(dense, {.columns = {64}, .calibration = &here}).value();
//
// Generated matrices of all patterns are packed in every form that fits and timed; the constants
// are fitted to these timings (plan/fit.hpp) and moved to where they rank forms rightly
// (plan/rank.hpp).
#pragma once

#include "../plan/calibration.hpp"
#include "../plan/candidates.hpp"
#include "../plan/fit.hpp"
#include "../plan/rank.hpp"
#include "samples.hpp"
#include "timing.hpp"

namespace sparsekit {
inline namespace v0 {

struct calibrate_options {
  double seconds = 40;           ///< for all types together
  std::uint64_t seed = 1;        ///< of the generated matrices
  index_t most_elements = 1 << 22;  ///< rows times columns; at least 256, for sides are 16 and more
  double most_work = 1 << 27;       ///< that times columns of X: more takes its time in proportion
  double sample_us = 3000;       ///< to time one matrix at one column count, in all forms
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace plan {

/// Sides from 16 to 4096, small ones as likely as large ones.
template <class T>
sample random_sample(sample_random& random, index_t most_elements) {
  const auto side = [&] {
    const double s = 16 * std::exp2(8 * random.uniform());
    return static_cast<index_t>(s);
  };
  sample g;
  do {
    g.shape = extents(side(), side());
  } while (g.shape.rows * g.shape.cols > most_elements);
  g.seed = random.bits();
  const double pick = random.uniform();
  const double level = random.uniform();
  g.zeros = level < 0.5 ? 1.8 * level : level < 0.8 ? 0.9 + (level - 0.5) / 3 * 0.9 : level;
  const index_t one_to_16[] = {1, 2, 4, 8, 16};
  if (pick < 0.25) g.pattern = sample_pattern::uneven;
  if (pick < 0.5) return g;
  if (pick < 0.72) {
    g.pattern = sample_pattern::groups;
    const index_t m = one_to_16[1 + random.below(4)];
    const index_t n = m == 2 ? 1 : 1 + random.below(m / 2);
    g.shared = {one_to_16[random.below(5)], m};
    g.zeros = 1 - static_cast<double>(n) / static_cast<double>(m);
  } else if (pick < 0.87) {
    g.pattern = sample_pattern::blocks;
    constexpr index_t height = block_shapes<T>::first_height;
    constexpr index_t width = block_shapes<T>::first_width;
    g.shared = {one_to_16[height + random.below(5 - height)],
                one_to_16[width + random.below(5 - width)]};
  } else if (pick < 0.95) {
    g.pattern = sample_pattern::structured;
    g.by_rows = 0.5 * static_cast<double>(random.below(3));
    if (random.below(2) == 0) g.zeros_left = 0.9 * random.uniform();
  } else {
    g.pattern = sample_pattern::band;
    g.zeros = std::max(g.zeros, 0.9);
  }
  return g;
}

/// Times random samples for a while; f(choice, statistics, n, microseconds) for each timing, and end_of_case()
/// after those that were taken in turn.
template <class T, class F, class End>
status time_samples(const calibrate_options& options, double seconds, F&& f, End&& end_of_case) {
  constexpr index_t counts[] = {1, 1, 2, 3, 4, 8, 12, 16, 32, 48, 64, 100, 128, 200, 256, 512};
  using clock = std::chrono::steady_clock;
  const auto begin = clock::now();
  sample_random random{options.seed};
  const cost_model<T> model = cost_model<T>::native();
  while (std::chrono::duration<double>(clock::now() - begin).count() < seconds) {
    const sample g = random_sample<T>(random, options.most_elements);
    csr_matrix<T, std::int32_t, std::int64_t> matrix;
    if (status s = make_sample<T>(g).get(matrix); !s) return s;
    const auto a = matrix.view();
    pattern_statistics stats;
    if (status s = count_pattern(a, true, stats); !s) return s;
    const index_t some[] = {counts[random.below(4)], counts[4 + random.below(6)],
                            counts[10 + random.below(6)]};
    const column_counts columns(some, 3);
    candidate_list list = candidates_of(stats, columns, model);
    // Both cuts of quads are to be known.
    for (candidate& c : list) c.choice.interleave = 1 + static_cast<index_t>(g.seed % 2);
    packed_forms<T> forms;
    form_set all;
    for (const candidate& c : list) {
      const auto dense = [&] { return dense_of(a); };
      if (status s = forms.pack_form(c.choice, a, dense); !s) return s;
      all.add(c.choice.kind);
    }
    for (int i = 0; i < columns.size(); ++i) {
      const index_t n = columns[i];
      const double elements =
          static_cast<double>(stats.shape.rows) * static_cast<double>(stats.shape.cols);
      if (elements * static_cast<double>(n) > options.most_work) continue;
      form_set timed;
      for (const candidate& c : list) {
        // Forms for few columns take their time with many, in proportion to them.
        const form k = c.choice.kind;
        const bool few = k == form::slices ||
                         (has_form<T, form::quads> && (k == form::lookup || k == form::bitmask));
        if (few && n > 16) continue;
        if (k == form::wide && n == 1) continue;  // a loop of its own, for calls that have nothing else
        timed.add(k);
      }
      std::array<double, form_count> us{};
      const timing_options timing{.budget_us = options.sample_us, .least_rounds = 3, .seed = g.seed};
      if (status s = time_forms(forms, stats.shape, timed, n, timing, us); !s) return s;
      for (const candidate& c : list) {
        if (!timed.has(c.choice.kind)) continue;
        if (status s = f(c.choice, stats, n, us[static_cast<std::size_t>(c.choice.kind)]); !s) return s;
      }
      if (status s = end_of_case(); !s) return s;
    }
  }
  return {};
}

template <class T>
status calibrate_type(const calibrate_options& options, double seconds, cost_constants& c) {
  growing_buffer<cost_sample> samples;
  growing_buffer<index_t> ends;
  const cost_model<T> model = cost_model<T>::native();
  const auto add = [&](const form_choice& f, const pattern_statistics& stats, index_t n,
                       double us) {
    const cost_terms t = model.terms_of(f, stats, n);
    return samples.push_back({model.priced_as(f.kind), t.regime, t.count, us});
  };
  const auto end_of_case = [&] { return ends.push_back(samples.size()); };
  if (status s = time_samples<T>(options, seconds, add, end_of_case); !s) return s;
  const array_view<const cost_sample> all(samples.data(), samples.size());
  const array_view<const index_t> cases(ends.data(), ends.size());
  if (status s = fit_cost_constants(all, cases, default_constants<native_arch, T>(), c); !s)
    return s;
  return rank_by_cost_constants(all, cases, c);
}

template <class... Types>
result<calibration> calibrate_types(const calibrate_options& options) {
  if (!(options.seconds > 0) || options.most_elements < 256) {
    const bool time = !(options.seconds > 0);
    // In range of index_t, also of NaN, which the maximum leaves out.
    const double seconds = std::max(-1e18, options.seconds);
    return status{.code = errc::bad_argument,
                  .object = "calibrate",
                  .detail = time ? "seconds" : "most_elements",
                  .got = time ? static_cast<index_t>(seconds) : options.most_elements,
                  .allowed = time ? 1 : 256};
  }
  calibration c = default_calibration();
  status s;
  const double each = options.seconds / static_cast<double>(sizeof...(Types));
  const auto measure_type = [&]<class T>(T*) {
    if (s) s = plan::calibrate_type<T>(options, each, c.template constants<T>());
  };
  (measure_type(static_cast<Types*>(nullptr)), ...);
  if (!s) return s;
  return c;
}

}  // namespace plan

/// Measures this machine with weights of these types, f32 and f64 unless named; others keep the
/// library's constants. Errors: seconds that are not positive, most_elements below 256, out of
/// memory.
template <class... Types>
result<calibration> calibrate(const calibrate_options& options = {}) {
  if constexpr (sizeof...(Types) == 0) {
    return calibrate<float, double>(options);
  } else {
    return plan::calibrate_types<Types...>(options);
  }
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
