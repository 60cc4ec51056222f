// to_bsr: dense weights or any sparse matrix in dense blocks; and the entries of BSR, so that it
// converts back.
//
//   auto b = sk::to_bsr(csr, {3, 3}).value();
//   auto d = sk::to_bsr(dense, {4, 4}).value();  // every block that holds a nonzero
//   auto a = sk::to_csr(b).value();              // the entries of csr, explicit zeros included
#pragma once

#include "../formats/bsr.hpp"
#include "conversions.hpp"
#include "from_dense.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace convert {

inline status check_block(block_shape block) {
  const bool rows_bad = block.rows < 1 || block.rows > max_block_side;
  if (!rows_bad && block.cols >= 1 && block.cols <= max_block_side) return {};
  return {.code = errc::bad_argument,
          .object = "bsr",
          .detail = rows_bad ? "block.rows" : "block.cols",
          .got = rows_bad ? block.rows : block.cols,
          .allowed = max_block_side};
}

/// Calls f(block column) for the blocks of a block row from left to right: a merge of its rows,
/// whose entries are sorted. `next` holds each row's first entry that lies in no block yet.
template <class A, class F>
void for_each_block(const A& a, block_shape block, index_t block_row, index_t* next, F&& f) {
  const index_t first = block_row * block.rows;
  const index_t rows = a.rows() - first < block.rows ? a.rows() - first : block.rows;
  for (index_t i = 0; i < rows; ++i) next[i] = static_cast<index_t>(a.row_ptr[first + i]);
  while (true) {
    index_t column = std::numeric_limits<index_t>::max();
    for (index_t i = 0; i < rows; ++i) {
      if (next[i] == static_cast<index_t>(a.row_ptr[first + i + 1])) continue;
      const index_t c = static_cast<index_t>(a.columns[next[i]]) / block.cols;
      if (c < column) column = c;
    }
    if (column == std::numeric_limits<index_t>::max()) return;
    f(column);
    for (index_t i = 0; i < rows; ++i) {
      const index_t end = static_cast<index_t>(a.row_ptr[first + i + 1]);
      while (next[i] < end && static_cast<index_t>(a.columns[next[i]]) / block.cols == column) {
        ++next[i];
      }
    }
  }
}

/// A sorted, valid CSR view as BSR.
template <class Matrix, class T, class Index, class Offset>
result<Matrix> bsr_from_csr(const csr_view<T, Index, Offset>& a, block_shape block) {
  using value = typename Matrix::value_type;
  if (status s = check_block(block); !s) return s;
  const index_t block_rows = ceil_div(a.rows(), block.rows);
  const index_t places = block.rows * block.cols;
  index_t next[max_block_side];

  buffer<Offset> row_ptr;
  if (status s = row_ptr.allocate(block_rows + 1); !s) return named(s, "bsr");
  index_t blocks = 0;
  row_ptr[0] = 0;
  for (index_t r = 0; r < block_rows; ++r) {
    for_each_block(a, block, r, next, [&](index_t) { ++blocks; });
    if (!fits<Offset>(blocks)) return check_nnz_fits<Offset>(blocks, "bsr");
    row_ptr[r + 1] = static_cast<Offset>(blocks);
  }
  bool explicit_zeros = false;
  for (index_t p = 0; p < a.nnz(); ++p) explicit_zeros |= !is_nonzero<value>(a.values[p]);

  index_t value_count = 0;
  if (!checked_multiply(blocks, places, value_count)) {
    return status{.code = errc::size_overflow,
                  .object = "bsr",
                  .detail = "values",
                  .got = blocks,
                  .allowed = std::numeric_limits<index_t>::max() / places};
  }
  const index_t words = ceil_div(places, 64);
  buffer<Index> columns;
  buffer<value> values;
  buffer<std::uint64_t> pattern;
  if (status s = columns.allocate(blocks); !s) return named(s, "bsr");
  if (status s = values.allocate_zeroed(value_count); !s) return named(s, "bsr");
  if (status s = pattern.allocate_zeroed(explicit_zeros ? blocks * words : 0); !s) {
    return named(s, "bsr");
  }
  index_t b = 0;
  for (index_t r = 0; r < block_rows; ++r) {
    const index_t first = r * block.rows;
    const index_t rows = a.rows() - first < block.rows ? a.rows() - first : block.rows;
    for_each_block(a, block, r, next, [&](index_t column) {
      columns[b] = static_cast<Index>(column);
      for (index_t i = 0; i < rows; ++i) {
        const index_t end = static_cast<index_t>(a.row_ptr[first + i + 1]);
        for (index_t p = next[i]; p < end; ++p) {
          const index_t c = static_cast<index_t>(a.columns[p]);
          if (c / block.cols != column) break;
          const index_t place = i * block.cols + c % block.cols;
          values[b * places + place] = a.values[p];
          if (explicit_zeros) {
            pattern[b * words + place / 64] |= std::uint64_t{1} << (place % 64);
          }
        }
      }
      ++b;
    });
  }
  return Matrix(a.shape, block, std::move(row_ptr), std::move(columns), std::move(values),
                std::move(pattern));
}

template <class A, class Index, class Offset>
using bsr_for = bsr_matrix<typename A::value_type, type_or<Index, typename A::index>,
                           type_or<Offset, typename offset_type<A>::type>>;

}  // namespace convert

/// As BSR with blocks of block.rows x block.cols: every block that holds an entry. O(nnz
/// block.rows), beyond the sort that unsorted input needs. Errors: as to_csr; a block side out of 1
/// .. 64.
template <class Index = void, class Offset = void, convert::sparse_matrix A>
result<convert::bsr_for<A, Index, Offset>> to_bsr(unchecked_t, const A& a, block_shape block = {}) {
  using Matrix = convert::bsr_for<A, Index, Offset>;
  csr_matrix<typename Matrix::value_type, typename Matrix::index, typename Matrix::offset> sorted;
  if (status s = to_csr<typename Matrix::index, typename Matrix::offset>(unchecked, a).get(sorted);
      !s) {
    return convert::named(s, "bsr");
  }
  return convert::bsr_from_csr<Matrix>(sorted.view(), block);
}
template <class Index = void, class Offset = void, convert::sparse_matrix A>
result<convert::bsr_for<A, Index, Offset>> to_bsr(const A& a, block_shape block = {}) {
  if (status s = convert::check_structure(a); !s) return s;
  return to_bsr<Index, Offset>(unchecked, a, block);
}
/// The elements that are not zero. O(rows cols). Errors: a malformed view, too.
template <class Index = std::int32_t, class Offset = std::int32_t, class U, class Layout>
result<bsr_matrix<std::remove_cv_t<U>, Index, Offset>> to_bsr(const dense_view<U, Layout>& w,
                                                              block_shape block = {}) {
  using csr = csr_matrix<std::remove_cv_t<U>, Index, Offset>;
  csr a;
  if (status s = csr::from_dense(w).get(a); !s) return s;
  return convert::bsr_from_csr<bsr_matrix<std::remove_cv_t<U>, Index, Offset>>(a.view(), block);
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
