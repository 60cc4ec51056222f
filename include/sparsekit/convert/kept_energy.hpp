// What pruning to a pattern costs: the energy that is kept of each row, and an order of the columns that keeps
// more of it.
//
//   std::vector<double> share(rows);
//   double all;
//   sk::kept_energy(original, pruned, share, all);                       // share of the sum of squares, by row
//   sk::permute_columns_for_nm(w, {2, 4}, order);                        // column j of the new w is order[j]
//   sk::permute_columns(w, order);                                       // moves them there
//   sk::permute_columns(sk::transposed(previous), order);                // and the rows of the layer that makes X
#pragma once

#include <cmath>

#include "prune_nm.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace prune {

/// Energy that an N:M pattern keeps of `m` columns, given by their numbers.
template <class T, class Layout>
double group_energy(const dense_view<T, Layout>& w, const nm_shape& g, const index_t* columns,
                    index_t count) {
  double total = 0;
  double energy[nm_max_group];
  for (index_t set = 0; set < w.rows(); set += g.v) {
    const index_t end = set + g.v < w.rows() ? set + g.v : w.rows();
    for (index_t i = 0; i < count; ++i) {
      energy[i] = 0;
      for (index_t r = set; r < end; ++r) {
        energy[i] += energy_of_weight::worth<std::remove_cv_t<T>>(w(r, columns[i]));
      }
    }
    // The n largest: selection is enough for groups of at most 16.
    for (index_t kept = 0; kept < g.n && kept < count; ++kept) {
      index_t best = kept;
      for (index_t i = kept + 1; i < count; ++i) best = energy[i] > energy[best] ? i : best;
      const double e = energy[best];
      energy[best] = energy[kept];
      energy[kept] = e;
      total += e;
    }
  }
  return total;
}

}  // namespace prune

/// share[r] = sum of pruned(r, .)^2 / sum of original(r, .)^2, 1 for a row of zeros; `all` the same for the
/// whole matrix. Sums in double. Errors: malformed views, shapes that differ, a list of another length than
/// rows, NaN or infinity in the original.
template <class T, class Layout, class U, class OtherLayout>
[[nodiscard]] status kept_energy(const dense_view<T, Layout>& original,
                                 const dense_view<U, OtherLayout>& pruned,
                                 array_view<double> share, double& all) {
  if (status s = validate(pruned, "pruned"); !s) return s;
  const dense_view<std::remove_cv_t<U>, OtherLayout> shape_of(
      const_cast<std::remove_cv_t<U>*>(pruned.data()), pruned.rows(), pruned.cols(), pruned.ld());
  if (status s = prune::check_operands(shape_of, original, "original"); !s) return s;
  if (share.size() != original.rows()) {
    return {.code = errc::length_mismatch, .object = "kept_energy", .detail = "share",
            .got = share.size(), .allowed = original.rows()};
  }
  double kept_of_all = 0;
  double sum_of_all = 0;
  for (index_t r = 0; r < original.rows(); ++r) {
    double kept = 0;
    double sum = 0;
    for (index_t c = 0; c < original.cols(); ++c) {
      sum += prune::energy_of_weight::worth<std::remove_cv_t<T>>(original(r, c));
      kept += prune::energy_of_weight::worth<std::remove_cv_t<U>>(pruned(r, c));
    }
    share[r] = sum > 0 ? kept / sum : 1;
    kept_of_all += kept;
    sum_of_all += sum;
  }
  all = sum_of_all > 0 ? kept_of_all / sum_of_all : 1;
  return {};
}

/// An order of the columns (input channels) under which pruning to N:M keeps more energy: column j of the new
/// matrix is column order[j] of w, and X's rows move along. Greedy: `passes` times over all pairs of columns
/// of different groups, exchanging two where that keeps more. Never worse than the order it starts from,
/// the given one. O(passes * cols^2 * rows * m): for layers, once, not for large matrices. Errors: those of
/// prune_nm, and a list of another length than cols.
template <class T, class Layout>
[[nodiscard]] status permute_columns_for_nm(const dense_view<T, Layout>& w, const nm_shape& g,
                                            array_view<index_t> order, int passes = 1) {
  if (status s = validate(g); !s) return s;
  const dense_view<std::remove_cv_t<T>, Layout> plain(const_cast<std::remove_cv_t<T>*>(w.data()),
                                                      w.rows(), w.cols(), w.ld());
  if (status s = prune::check_operands(plain, w, "weights"); !s) return s;
  if (order.size() != w.cols()) {
    return {.code = errc::length_mismatch, .object = "permute_columns_for_nm", .detail = "order",
            .got = order.size(), .allowed = w.cols()};
  }
  for (index_t c = 0; c < w.cols(); ++c) order[c] = c;
  const auto energy = [&](index_t group) {
    const index_t begin = group * g.m;
    const index_t count = w.cols() - begin < g.m ? w.cols() - begin : g.m;
    return prune::group_energy(w, g, order.data() + begin, count);
  };
  for (int pass = 0; pass < passes; ++pass) {
    for (index_t i = 0; i < w.cols(); ++i) {
      for (index_t j = (i / g.m + 1) * g.m; j < w.cols(); ++j) {
        const double before = energy(i / g.m) + energy(j / g.m);
        const index_t moved = order[i];
        order[i] = order[j];
        order[j] = moved;
        // Strictly more, by more than rounding: or two equal states could alternate.
        if (energy(i / g.m) + energy(j / g.m) > before * (1 + 1e-12)) continue;
        order[j] = order[i];
        order[i] = moved;
      }
    }
  }
  return {};
}

/// Moves columns, in place: column j becomes what column order[j] was. A product stays the same if
/// X's rows move likewise; the layer that makes X does that if its rows move:
/// permute_columns(transposed(layer), order). O(rows * cols), one row of memory. Errors, w left as
/// it was: a malformed view; a list of another length than cols, or that leaves a column out
/// (column_out_of_range, duplicate_entry); no memory.
template <class T, class Layout>
[[nodiscard]] status permute_columns(const dense_view<T, Layout>& w,
                                     array_view<const index_t> order) {
  constexpr const char* object = "permute_columns";
  if (status s = validate(w, "weights"); !s) return s;
  if (order.size() != w.cols()) {
    return {.code = errc::length_mismatch,
            .object = object,
            .detail = "order",
            .got = order.size(),
            .allowed = w.cols()};
  }
  buffer<std::uint8_t> seen;
  buffer<T> row;
  if (status s = seen.allocate_zeroed(w.cols()); !s) return s;
  if (status s = row.allocate(w.cols()); !s) return s;
  for (index_t c = 0; c < w.cols(); ++c) {
    const bool inside = order[c] >= 0 && order[c] < w.cols();
    if (!inside || seen[order[c]] != 0) {
      return {.code = inside ? errc::duplicate_entry : errc::column_out_of_range,
              .object = object,
              .detail = "order",
              .entry = c,
              .got = order[c],
              .allowed = w.cols()};
    }
    seen[order[c]] = 1;
  }
  for (index_t r = 0; r < w.rows(); ++r) {
    for (index_t c = 0; c < w.cols(); ++c) row[c] = w(r, order[c]);
    for (index_t c = 0; c < w.cols(); ++c) w(r, c) = row[c];
  }
  return {};
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
