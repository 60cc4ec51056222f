// to_symmetric: one triangle of a whole symmetric matrix, checked to be symmetric.
//
//   auto S = sk::to_symmetric(csr).value();                 the lower triangle
//   auto U = sk::to_symmetric(csr, sk::upper).value();
#pragma once

#include <cstring>

#include "../formats/symmetric.hpp"
#include "conversions.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0

/// Any matrix that to_csr takes. Entries of one place are summed first, then (r, c) and (c, r) must both be
/// there with values of the same bits, or errc::bad_pattern names the entry. O(rows + nnz), and O(nnz log
/// nnz) where entries are out of order.
template <class Index = void, class Offset = void, convert::sparse_matrix A>
result<symmetric_matrix<typename A::value_type, convert::type_or<Index, typename A::index>,
                        convert::type_or<Offset, typename convert::offset_type<A>::type>>>
to_symmetric(const A& a, triangle stored = triangle::lower) {
  using csr = convert::csr_for<A, Index, Offset>;
  using T = typename csr::value_type;
  const auto as_symmetric = [](status s) { return convert::named(s, "symmetric"); };
  csr whole;
  if (status s = to_csr<Index, Offset>(a).get(whole); !s) return as_symmetric(s);
  const auto v = whole.view();
  if (v.rows() != v.cols()) {
    return status{.code = errc::shape_mismatch, .object = "symmetric", .detail = "cols",
                  .got = v.cols(), .allowed = v.rows()};
  }
  csr mirrored;
  if (status s = to_csr(unchecked, transposed(v)).get(mirrored); !s) return as_symmetric(s);
  const auto m = mirrored.view();
  index_t kept = 0;
  for (index_t r = 0; r < v.rows(); ++r) {
    const index_t end = static_cast<index_t>(v.row_ptr[r + 1]);
    const bool same_count = m.row_ptr[r + 1] == v.row_ptr[r + 1];
    for (index_t p = static_cast<index_t>(v.row_ptr[r]); p < end; ++p) {
      const bool same = p < static_cast<index_t>(m.row_ptr[r + 1]) &&
                        v.columns[p] == m.columns[p] &&
                        std::memcmp(&v.values[p], &m.values[p], sizeof(T)) == 0;
      if (!same) {
        return status{.code = errc::bad_pattern, .object = "symmetric",
                      .detail = "an entry without its mirror image", .entry = p, .row = r,
                      .got = v.columns[p], .allowed = r};
      }
      const index_t c = static_cast<index_t>(v.columns[p]);
      kept += stored == triangle::lower ? c <= r : c >= r;
    }
    if (!same_count) {
      return status{.code = errc::bad_pattern, .object = "symmetric",
                    .detail = "an entry without its mirror image", .row = r,
                    .got = m.columns[end], .allowed = r};
    }
  }

  buffer<typename csr::offset> row_ptr;
  buffer<typename csr::index> columns;
  buffer<T> values;
  if (status s = row_ptr.allocate(v.rows() + 1); !s) return as_symmetric(s);
  if (status s = columns.allocate(kept); !s) return as_symmetric(s);
  if (status s = values.allocate(kept); !s) return as_symmetric(s);
  row_ptr[0] = 0;
  index_t filled = 0;
  for (index_t r = 0; r < v.rows(); ++r) {
    const index_t end = static_cast<index_t>(v.row_ptr[r + 1]);
    for (index_t p = static_cast<index_t>(v.row_ptr[r]); p < end; ++p) {
      const index_t c = static_cast<index_t>(v.columns[p]);
      if (stored == triangle::lower ? c > r : c < r) continue;
      columns[filled] = v.columns[p];
      values[filled++] = v.values[p];
    }
    row_ptr[r + 1] = static_cast<typename csr::offset>(filled);
  }
  return symmetric_matrix<T, typename csr::index, typename csr::offset>(
      csr(v.shape, std::move(row_ptr), std::move(columns), std::move(values)), stored);
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
