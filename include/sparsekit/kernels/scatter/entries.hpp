// Matrices whose entries do not come row by row (COO, CSC, one triangle, the transposes of SELL and BSR) as
// sequences of units that can be cut anywhere. For each of them:
//
//   scatter_units(a)                  how many units there are, and
//   scatter_cut(a, chunk, chunks)     where a chunk of about equal work begins
//   scatter_entries(a, u0, u1, f)     f(row, column, value) for the entries of units [u0, u1)
//   scatter_reach(a, u0, u1)          the rows that they add to lie in this range
#pragma once

#include <algorithm>

#include "../../formats/coo.hpp"
#include "../../formats/csc.hpp"
#include "../../formats/symmetric.hpp"
#include "../../formats/transposed.hpp"
#include "../call.hpp"
#include "../spmv/csr.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Rows [begin, end); empty if begin >= end.
struct row_range {
  index_t begin = 0;
  index_t end = 0;
};

/// The range of indices[p0 .. p1). Four chains, since a minimum takes a cycle and a load half of one.
template <class Index>
SPARSEKIT_INLINE row_range range_of(const Index* indices, index_t p0, index_t p1) {
  if (p0 >= p1) return {};
  Index low[4];
  Index high[4];
  for (int i = 0; i < 4; ++i) low[i] = high[i] = indices[p0];
  index_t p = p0;
  for (; p + 4 <= p1; p += 4) {
    simd::unroll<4>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
      const Index v = indices[p + i];
      low[i] = v < low[i] ? v : low[i];
      high[i] = v > high[i] ? v : high[i];
    });
  }
  for (; p < p1; ++p) {
    low[0] = std::min(low[0], indices[p]);
    high[0] = std::max(high[0], indices[p]);
  }
  return {static_cast<index_t>(std::min(std::min(low[0], low[1]), std::min(low[2], low[3]))),
          static_cast<index_t>(std::max(std::max(high[0], high[1]), std::max(high[2], high[3]))) +
              1};
}

/// The last major (row of CSR, column of CSC) that begins at or before position p: the one that holds
/// entry p, if it exists.
template <class Offset>
SPARSEKIT_INLINE index_t major_of(array_view<const Offset> offsets, index_t p) {
  index_t low = 0;
  index_t high = offsets.size() - 1;
  while (low < high) {
    const index_t middle = low + (high - low + 1) / 2;
    if (static_cast<index_t>(offsets[middle]) <= p) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

/// f(major, p, end) for the pieces of majors that lie in entries [p0, p1). A long major may be cut.
template <class Offset, class F>
SPARSEKIT_INLINE void for_majors(array_view<const Offset> offsets, index_t p0, index_t p1, F&& f) {
  if (p0 >= p1) return;
  index_t p = p0;
  for (index_t major = major_of(offsets, p0); p < p1; ++major) {
    const index_t end = std::min(p1, static_cast<index_t>(offsets[major + 1]));
    if (p < end) f(major, p, end);
    p = end;
  }
}

// ---- COO and CSC: units are entries ----------------------------------------------------------------

template <class T, class Index>
index_t scatter_units(const coo_view<const T, Index>& a) {
  return a.nnz();
}
template <class T, class Index, class F>
SPARSEKIT_INLINE void scatter_entries(const coo_view<const T, Index>& a, index_t p0, index_t p1,
                                      F&& f) {
  for (index_t p = p0; p < p1; ++p) {
    f(static_cast<index_t>(a.row_indices[p]), static_cast<index_t>(a.columns[p]), a.values[p]);
  }
}
template <class T, class Index>
row_range scatter_reach(const coo_view<const T, Index>& a, index_t p0, index_t p1) {
  return range_of(a.row_indices.data(), p0, p1);
}

template <class T, class Index, class Offset>
index_t scatter_units(const csc_view<const T, Index, Offset>& a) {
  return a.nnz();
}
template <class T, class Index, class Offset, class F>
SPARSEKIT_INLINE void scatter_entries(const csc_view<const T, Index, Offset>& a, index_t p0,
                                      index_t p1, F&& f) {
  for_majors(a.col_ptr, p0, p1, [&](index_t column, index_t p, index_t end)
                                    SPARSEKIT_LAMBDA_INLINE {
    for (; p < end; ++p) f(static_cast<index_t>(a.row_indices[p]), column, a.values[p]);
  });
}
template <class T, class Index, class Offset>
row_range scatter_reach(const csc_view<const T, Index, Offset>& a, index_t p0, index_t p1) {
  return range_of(a.row_indices.data(), p0, p1);
}

// ---- one triangle: units are its entries; each is read once and counts at both its places -----------

template <class T, class Index, class Offset>
index_t scatter_units(const symmetric_view<const T, Index, Offset>& a) {
  return a.half.nnz();
}
template <class T, class Index, class Offset, class F>
SPARSEKIT_INLINE void scatter_entries(const symmetric_view<const T, Index, Offset>& a, index_t p0,
                                      index_t p1, F&& f) {
  for_majors(a.half.row_ptr, p0, p1, [&](index_t row, index_t p, index_t end)
                                         SPARSEKIT_LAMBDA_INLINE {
    for (; p < end; ++p) {
      const index_t column = static_cast<index_t>(a.half.columns[p]);
      f(row, column, a.half.values[p]);
      if (row != column) f(column, row, a.half.values[p]);
    }
  });
}
template <class T, class Index, class Offset>
row_range scatter_reach(const symmetric_view<const T, Index, Offset>& a, index_t p0, index_t p1) {
  if (p0 >= p1) return {};
  const row_range columns = range_of(a.half.columns.data(), p0, p1);
  return {std::min(columns.begin, major_of(a.half.row_ptr, p0)),
          std::max(columns.end, major_of(a.half.row_ptr, p1 - 1) + 1)};
}

// ---- transposes: units are slices of SELL, block rows of BSR, rows of a bitmask ------------------------------------------

template <class T, class Index, class Offset>
array_view<const Offset> unit_offsets(const sell_view<const T, Index, Offset>& a) {
  return a.slice_ptr;
}
template <class T, class Index, class Offset>
array_view<const Offset> unit_offsets(const bsr_view<const T, Index, Offset>& a) {
  return a.row_ptr;
}
template <class View>
index_t scatter_units(const transposed_view<View>& a) {
  return unit_offsets(a.base).size() - 1;
}
/// SELL lane by lane: the entries of a lane add to rows that increase.
template <class T, class Index, class Offset, class F>
SPARSEKIT_INLINE void scatter_entries(const transposed_view<sell_view<const T, Index, Offset>>& a,
                                      index_t s0, index_t s1, F&& f) {
  const auto& b = a.base;
  const index_t last = std::min(b.rows(), s1 * b.slice_height);
  for (index_t i = s0 * b.slice_height; i < last; ++i) {
    const index_t column = static_cast<index_t>(b.row_order[i]);
    const index_t slot = static_cast<index_t>(b.slice_ptr[i / b.slice_height]) + i % b.slice_height;
    const index_t end = slot + static_cast<index_t>(b.lengths[i]) * b.slice_height;
    for (index_t p = slot; p < end; p += b.slice_height) {
      f(static_cast<index_t>(b.columns[p]), column, b.values[p]);
    }
  }
}
template <class T, class Index, class Offset, class F>
SPARSEKIT_INLINE void scatter_entries(const transposed_view<bsr_view<const T, Index, Offset>>& a,
                                      index_t g0, index_t g1, F&& f) {
  const auto& b = a.base;
  for (index_t g = g0; g < g1; ++g) {
    const index_t end = static_cast<index_t>(b.row_ptr[g + 1]);
    for (index_t k = static_cast<index_t>(b.row_ptr[g]); k < end; ++k) {
      const index_t row = static_cast<index_t>(b.columns[k]) * b.block.cols;
      const T* values = b.values.data() + k * b.places();
      index_t place = 0;
      for (index_t i = 0; i < b.block.rows; ++i) {
        for (index_t j = 0; j < b.block.cols; ++j, ++place) {
          if (bsr_checks::is_entry(b, k, place)) f(row + j, g * b.block.rows + i, values[place]);
        }
      }
    }
  }
}
template <class T>
index_t scatter_units(const transposed_view<bitmask_view<const T>>& a) {
  return a.base.rows();
}
template <class T, class F>
SPARSEKIT_INLINE void scatter_entries(const transposed_view<bitmask_view<const T>>& a, index_t r0,
                                      index_t r1, F&& f) {
  const auto& b = a.base;
  for (index_t r = r0; r < r1; ++r) {
    const T* value = b.values.data() + b.row_offsets[r];
    bitmask_checks::for_each_column(b.row_mask(r), b.mask_bytes(),
                                    [&](index_t c) SPARSEKIT_LAMBDA_INLINE { f(c, r, *value++); });
  }
}
template <class View>
row_range scatter_reach(const transposed_view<View>& a, index_t u0, index_t u1) {
  row_range reach{a.rows(), 0};
  scatter_entries(a, u0, u1, [&](index_t row, index_t, const auto&) SPARSEKIT_LAMBDA_INLINE {
    reach.begin = std::min(reach.begin, row);
    reach.end = std::max(reach.end, row + 1);
  });
  return reach;
}

template <class A>
index_t scatter_cut(const A& a, index_t chunk, index_t chunks) {
  const index_t units = scatter_units(a);
  return units / chunks * chunk + units % chunks * chunk / chunks;
}
template <class View>
index_t scatter_cut(const transposed_view<View>& a, index_t chunk, index_t chunks) {
  return balanced_row(unit_offsets(a.base), chunk, chunks);
}

/// Rows of a mask cost about the same.
template <class T>
index_t scatter_cut(const transposed_view<bitmask_view<const T>>& a, index_t chunk,
                    index_t chunks) {
  const index_t units = scatter_units(a);
  return units / chunks * chunk + units % chunks * chunk / chunks;
}

// ---- a vector of sums ---------------------------------------------------------------------------------

/// sums[row] += value * x[column] for the entries of units [u0, u1), in their order.
template <class A, class TX, class S>
SPARSEKIT_INLINE void scatter_product(const A& a, index_t u0, index_t u1, const TX* x, S* sums) {
  using one = simd::lanes<arch::scalar, S>;
  scatter_entries(a, u0, u1, [&](index_t row, index_t column, auto value) SPARSEKIT_LAMBDA_INLINE {
    sums[row] =
        simd::add_product<one>(simd::number_as<S>(value), simd::number_as<S>(x[column]), sums[row]);
  });
}
/// What a row of the triangle gathers stays in a register.
template <class T, class Index, class Offset, class TX, class S>
SPARSEKIT_INLINE void scatter_product(const symmetric_view<const T, Index, Offset>& a, index_t p0,
                                      index_t p1, const TX* x, S* sums) {
  using one = simd::lanes<arch::scalar, S>;
  for_majors(a.half.row_ptr, p0, p1,
             [&](index_t row, index_t p, index_t end) SPARSEKIT_LAMBDA_INLINE {
               S gathered{0};
               const S x_row = simd::number_as<S>(x[row]);
               for (; p < end; ++p) {
                 const index_t column = static_cast<index_t>(a.half.columns[p]);
                 const S value = simd::number_as<S>(a.half.values[p]);
                 gathered = simd::add_product<one>(value, simd::number_as<S>(x[column]), gathered);
                 if (column != row)
                   sums[column] = simd::add_product<one>(value, x_row, sums[column]);
               }
               sums[row] += gathered;
             });
}

}  // namespace kernels
SPARSEKIT_EXEC_END
