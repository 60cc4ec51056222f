// Y = A X for packed structured matrices of bf16, f16 and s8, by the kernels of packed dense
// weights (dense/narrow.hpp, dense/narrow_columns.hpp): the rows of X that A keeps come together on
// their way to words, in chunks that stay in L1, so that no other row is read, with or without a
// workspace; finished sums go to their rows of Y, and the removed rows around them get the epilogue
// of zero.
#pragma once

#include "../dense/narrow.hpp"
#include "structured.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

template <class T>
struct narrow_weights<packed_structured_view<T>> {
  using matrix = packed_structured_view<T>;
  using value = typename matrix::value_type;

  static const packed_dense_view<const value>& dense(const matrix& a) { return a.rest; }
  /// Where no row is left, one has all of Y.
  static index_t groups(const matrix& a) { return a.rest.groups() > 0 ? a.rest.groups() : 1; }
  static index_t row_of_x(const matrix& a, index_t k) { return a.kept_columns[k]; }
  static float seen(value weight, float x) {
    return is_empty_slot(weight) && !simd::is_finite(x) ? 0.f : x;
  }

  template <class Groups, class TX, class Layout>
  static void relay(const matrix& a, dense_view<const TX, Layout> x, index_t chunk, index_t column,
                    index_t count, std::uint32_t* out) {
    constexpr index_t most = Groups::chunk::columns;
    const std::int32_t* const kept = a.kept_columns.data() + chunk * most;
    const index_t left = a.kept_columns.size() - chunk * most;
    const index_t rows = left < most ? left : most;
    if (kept[rows - 1] - kept[0] == rows - 1) {  // neighbours are re-laid where they lie
      const dense_view<const TX, Layout> run(&x(kept[0], 0), rows, x.cols(), x.ld());
      return Groups::relay(run, 0, column, count, out);
    }
    alignas(64) TX together[most * Groups::strip];
    constexpr index_t ld = Layout::rows_contiguous ? Groups::strip : most;
    if constexpr (Layout::rows_contiguous) {
      for (index_t i = 0; i < rows; ++i) {
        std::memcpy(together + i * ld, &x(kept[i], column),
                    static_cast<std::size_t>(count) * sizeof(TX));
      }
    } else {
      for (index_t j = 0; j < count; ++j) {
        const TX* const from = &x(0, column + j);
        for (index_t i = 0; i < rows; ++i) together[j * ld + i] = from[kept[i]];
      }
    }
    Groups::relay(dense_view<const TX, Layout>(together, rows, count, ld), 0, 0, count, out);
  }

  /// Sums of kept rows [row, row + rows), and the removed rows around them.
  template <class Groups, class Output>
  static void put(const matrix& a, const typename Groups::sum* sums, index_t row, index_t rows,
                  index_t count, const Output& out, index_t column) {
    using lanes = typename Groups::lanes;
    using sum = typename Groups::sum;
    constexpr index_t group = packed_dense_view<value>::group;
    index_t r = structured_row_after(a, row);
    const index_t end = structured_row_after(a, row + group);
    if (end - r == rows)
      return put_sums<lanes, roles::rows>(sums, group, rows, count, out, r, column);
    alignas(64) sum tile[Groups::strip * group];
    for (; r < end; r += group) {
      const index_t here = end - r < group ? end - r : group;
      index_t places[group];  // of the kept rows among these
      index_t kept = 0;
      while (kept < rows && a.kept_rows[row + kept] < r + here) {
        places[kept] = a.kept_rows[row + kept] - r;
        ++kept;
      }
      for (index_t j = 0; j < count; ++j) {
        sum* const to = tile + j * group;
        for (index_t i = 0; i < group; ++i) to[i] = 0;
        for (index_t i = 0; i < kept; ++i) to[places[i]] = sums[j * group + i];
      }
      put_sums<lanes, roles::rows>(tile, group, here, count, out, r, column);
      row += kept;
      rows -= kept;
      sums += kept;
    }
  }

  static index_t run_of_y(const matrix& a, index_t row, index_t rows) {
    const index_t first = structured_row_after(a, row);
    return structured_row_after(a, row + rows) - first == rows ? first : -1;
  }
  template <class Lanes, class Sum, class Output>
  static void put_rows(const matrix& a, const Sum* sums, index_t ld, index_t row, index_t rows,
                       index_t columns, const Output& out, index_t column) {
    alignas(64) constexpr Sum none[4 * Lanes::width] = {};
    const index_t last = row + rows;
    const index_t end = structured_row_after(a, last);
    for (index_t r = structured_row_after(a, row); r < end;) {
      const index_t next = row < last ? a.kept_rows[row] : end;
      if (next > r) put_panel_rows<Lanes>(none, 0, next - r, columns, out, r, column);
      index_t run = 0;
      while (row + run < last && a.kept_rows[row + run] == next + run) ++run;
      if (run > 0) put_panel_rows<Lanes>(sums, ld, run, columns, out, next, column);
      r = next + run;
      row += run;
      sums += run * ld;
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
