// to_csr, to_csc, to_coo: any of COO, CSR and CSC, view or owner, as an owner of another format or
// with other index types.
//
//   auto a = sk::to_csr(coo).value();
//   auto b = sk::to_csc<std::int64_t, std::int64_t>(a).value();    // wider indices and offsets
//   auto c = sk::to_csr(sk::transposed(a)).value();                // the transpose, as a copy
//
// The result is sorted; entries of one place are summed in the order stored. Views are validated
// first, except after sk::unchecked; owners are trusted. Index types stay as they are unless named;
// a COO source has no offsets, so they are 32 bits wide then. Sizes that do not fit are
// errc::size_overflow.
#pragma once

#include <type_traits>

#include "compress.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace convert {

/// `Wanted`, or the type that the source has where it is void.
template <class Wanted, class Own>
using type_or = std::conditional_t<std::is_void_v<Wanted>, Own, Wanted>;

template <class A>
struct offset_type {
  using type = std::int32_t;
};
template <class A>
requires requires { typename A::offset; }
struct offset_type<A> {
  using type = typename A::offset;
};

template <class A, class Index, class Offset>
using csr_for = csr_matrix<typename A::value_type, type_or<Index, typename A::index>,
                           type_or<Offset, typename offset_type<A>::type>>;
template <class A, class Index, class Offset>
using csc_for = csc_matrix<typename A::value_type, type_or<Index, typename A::index>,
                           type_or<Offset, typename offset_type<A>::type>>;
template <class A, class Index>
using coo_for = coo_matrix<typename A::value_type, type_or<Index, typename A::index>>;

template <class Axis, class Matrix, class A>
result<Matrix> compressed_from(const A& view) {
  compressed_arrays<typename Matrix::value_type, typename Matrix::index, typename Matrix::offset>
      out;
  if (status s = compress<Axis>(view.shape, view, out); !s) return s;
  return Matrix(view.shape, std::move(out.offsets), std::move(out.indices), std::move(out.values));
}

}  // namespace convert

/// As CSR. O(rows + nnz), and O(nnz log nnz) where entries are out of order; memory does not depend
/// on cols.
template <class Index = void, class Offset = void, convert::sparse_matrix A>
result<convert::csr_for<A, Index, Offset>> to_csr(unchecked_t, const A& a) {
  return convert::compressed_from<convert::by_rows, convert::csr_for<A, Index, Offset>>(
      convert::view_of(a));
}
template <class Index = void, class Offset = void, convert::sparse_matrix A>
result<convert::csr_for<A, Index, Offset>> to_csr(const A& a) {
  if (status s = convert::check_structure(a); !s) return s;
  return to_csr<Index, Offset>(unchecked, a);
}

/// As CSC. O(cols + nnz), and O(nnz log nnz) where entries are out of order; memory does not depend
/// on rows.
template <class Index = void, class Offset = void, convert::sparse_matrix A>
result<convert::csc_for<A, Index, Offset>> to_csc(unchecked_t, const A& a) {
  return convert::compressed_from<convert::by_columns, convert::csc_for<A, Index, Offset>>(
      convert::view_of(a));
}
template <class Index = void, class Offset = void, convert::sparse_matrix A>
result<convert::csc_for<A, Index, Offset>> to_csc(const A& a) {
  if (status s = convert::check_structure(a); !s) return s;
  return to_csc<Index, Offset>(unchecked, a);
}

/// As COO, sorted by row, then column. O(nnz), and O(nnz log nnz) where entries are out of that
/// order.
template <class Index = void, convert::sparse_matrix A>
result<convert::coo_for<A, Index>> to_coo(unchecked_t, const A& a) {
  using Matrix = convert::coo_for<A, Index>;
  const auto& view = convert::view_of(a);
  convert::coordinate_arrays<typename Matrix::value_type, typename Matrix::index> out;
  if (status s = convert::coordinates(view.shape, view, out); !s) return s;
  return Matrix(view.shape, std::move(out.row_indices), std::move(out.columns),
                std::move(out.values));
}
template <class Index = void, convert::sparse_matrix A>
result<convert::coo_for<A, Index>> to_coo(const A& a) {
  if (status s = convert::check_structure(a); !s) return s;
  return to_coo<Index>(unchecked, a);
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
