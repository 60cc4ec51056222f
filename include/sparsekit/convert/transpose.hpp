// transposed: the transpose of a sparse matrix, read from the same arrays. Nothing is copied: CSR's
// arrays are those of the transpose in CSC, and the other way round. to_csr(transposed(a)) copies.
#pragma once

#include "../formats/coo.hpp"
#include "../formats/csc.hpp"
#include "../formats/csr.hpp"

namespace sparsekit {
inline namespace v0 {

template <class T, class Index, class Offset>
csc_view<T, Index, Offset> transposed(const csr_view<T, Index, Offset>& a) {
  return {{a.cols(), a.rows()}, a.row_ptr, a.columns, a.values};
}
template <class T, class Index, class Offset>
csr_view<T, Index, Offset> transposed(const csc_view<T, Index, Offset>& a) {
  return {{a.cols(), a.rows()}, a.col_ptr, a.row_indices, a.values};
}
template <class T, class Index>
coo_view<T, Index> transposed(const coo_view<T, Index>& a) {
  return {{a.cols(), a.rows()}, a.columns, a.row_indices, a.values};
}

// Of an owner: it must outlive the view, hence not of a temporary.
template <class T, class Index, class Offset>
csc_view<const T, Index, Offset> transposed(const csr_matrix<T, Index, Offset>& a) {
  return transposed(a.view());
}
template <class T, class Index, class Offset>
csr_view<const T, Index, Offset> transposed(const csc_matrix<T, Index, Offset>& a) {
  return transposed(a.view());
}
template <class T, class Index>
coo_view<const T, Index> transposed(const coo_matrix<T, Index>& a) {
  return transposed(a.view());
}
template <class T, class Index, class Offset>
void transposed(const csr_matrix<T, Index, Offset>&&) = delete;
template <class T, class Index, class Offset>
void transposed(const csc_matrix<T, Index, Offset>&&) = delete;
template <class T, class Index>
void transposed(const coo_matrix<T, Index>&&) = delete;

}  // namespace v0
}  // namespace sparsekit
