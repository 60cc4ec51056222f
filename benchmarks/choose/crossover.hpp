// Where sparse begins to pay: for scattered zeros, the share from which the fastest sparse form
// beats packed dense weights, measured and as the cost model predicts it, for each type and several
// column counts and shapes.
//
// Each row: type, rows, columns of W, columns of X, the zeros tried, and for these the fastest
// sparse form, its measured and predicted time over dense's, and what 95 % of confidence makes of
// the measured one. tools/performance_report.py makes the table and the plot of it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <sparsekit/choose.hpp>
#include <sparsekit/choose/samples.hpp>

#include "choices.hpp"
#include "rounds.hpp"

namespace choose_benchmark {

namespace sk = sparsekit;
using sk::index_t;

template <class T>
void crossover_of(const options& o, const char* type, sk::extents shape,
                  const sk::cost_model<T>& model, std::FILE* out) {
  constexpr index_t counts[] = {1, 2, 4, 8, 16, 32, 64, 128, 512};
  for (const double zeros : {0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}) {
    sk::sample g;
    g.shape = shape;
    g.zeros = zeros;
    g.seed = 11;
    const auto matrix = sk::make_sample<T>(g).value();
    const auto a = matrix.view();
    sk::pattern_statistics stats;
    if (!sk::count_pattern(a, true, stats)) std::abort();
    for (const index_t n : counts) {
      if (static_cast<double>(shape.rows) * static_cast<double>(shape.cols) *
              static_cast<double>(n) >
          o.most_work)
        break;
      const auto list = sk::candidates_of(stats, {n}, model);
      sk::packed_forms<T> forms;
      sk::form_set all;
      for (const sk::candidate& c : list) {
        const sk::form k = c.choice.kind;
        if (k == sk::form::nm || k == sk::form::bsr) continue;  // not for scattered zeros
        if (!forms.pack_form(c.choice, a, [&] { return sk::plan::dense_of(a); })) std::abort();
        all.add(k);
      }
      const form_rounds rounds = time_with_rounds(forms, shape, all, n, o.budget, 1);
      sk::form fastest = sk::form::dense;
      double least = 1e300;
      double predicted = 1e300;
      for (const sk::candidate& c : list) {
        const sk::form k = c.choice.kind;
        if (!all.has(k) || k == sk::form::dense) continue;
        predicted = std::min(predicted, c.us[0]);
        if (rounds.time(k) >= least) continue;
        least = rounds.time(k);
        fastest = k;
      }
      if (fastest == sk::form::dense) continue;  // no form that is sparse
      const double dense = rounds.time(sk::form::dense);
      const interval measured = rounds.ratio(sk::form::dense, fastest);
      std::fprintf(out, "%s,%ld,%ld,%ld,%.2f,%s,%.3f,%.3f,%.4f,%.4f,%zu,%.4f,%.4f\n", type,
                   static_cast<long>(shape.rows), static_cast<long>(shape.cols),
                   static_cast<long>(n), zeros, sk::name_of(fastest), dense, least, dense / least,
                   list.find(sk::form::dense)->us[0] / predicted, rounds.of(fastest).size(),
                   measured.low, measured.high);
      std::fflush(out);
    }
  }
}

/// All shapes of one type as lines of CSV.
template <class T>
void add_crossover(const options& o, const char* type, const sk::calibration* c, std::FILE* out) {
  const auto model = c == nullptr ? sk::cost_model<T>::native() : sk::cost_model<T>(c->template constants<T>());
  for (const sk::extents shape : {sk::extents(64, 64), sk::extents(256, 512), sk::extents(1024, 1024)}) {
    crossover_of<T>(o, type, shape, model, out);
  }
}

}  // namespace choose_benchmark
