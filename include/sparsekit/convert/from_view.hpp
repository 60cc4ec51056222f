// from_view: an owner with a copy of somebody's arrays, validated unless `unchecked` vouches for
// them.
#pragma once

#include "compress.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace convert {

template <class To, class From>
status copy_array(array_view<From> from, buffer<To>& to, const char* object) {
  if (status s = to.allocate(from.size() > 0 ? from.size() : 0); !s) return named(s, object);
  for (index_t i = 0; i < to.size(); ++i) to[i] = to_element<To>(from[i]);
  return {};
}

template <class Axis, class Matrix, class Offset, class Index, class U>
result<Matrix> compressed_copy(extents shape, array_view<const Offset> offsets,
                               array_view<const Index> indices, array_view<U> values) {
  constexpr const char* object = Axis::names.object;
  compressed_arrays<typename Matrix::value_type, Index, Offset> out;
  if (status s = copy_array(offsets, out.offsets, object); !s) return s;
  if (status s = copy_array(indices, out.indices, object); !s) return s;
  if (status s = copy_array(values, out.values, object); !s) return s;
  return Matrix(shape, std::move(out.offsets), std::move(out.indices), std::move(out.values));
}

}  // namespace convert
SPARSEKIT_EXEC_END_IN_V0

template <class T, index_type Index, index_type Offset>
template <class U, class Flags>
result<csr_matrix<T, Index, Offset>> csr_matrix<T, Index, Offset>::from_view(
    const csr_view<U, Index, Offset>& view) {
  if (status s = validate(view); !s) return s;
  return from_view(unchecked, view);
}
template <class T, index_type Index, index_type Offset>
template <class U, class Flags>
result<csr_matrix<T, Index, Offset>> csr_matrix<T, Index, Offset>::from_view(
    unchecked_t, const csr_view<U, Index, Offset>& view) {
  return convert::compressed_copy<convert::by_rows, csr_matrix>(view.shape, view.row_ptr,
                                                                view.columns, view.values);
}

template <class T, index_type Index, index_type Offset>
template <class U, class Flags>
result<csc_matrix<T, Index, Offset>> csc_matrix<T, Index, Offset>::from_view(
    const csc_view<U, Index, Offset>& view) {
  if (status s = validate(view); !s) return s;
  return from_view(unchecked, view);
}
template <class T, index_type Index, index_type Offset>
template <class U, class Flags>
result<csc_matrix<T, Index, Offset>> csc_matrix<T, Index, Offset>::from_view(
    unchecked_t, const csc_view<U, Index, Offset>& view) {
  return convert::compressed_copy<convert::by_columns, csc_matrix>(view.shape, view.col_ptr,
                                                                   view.row_indices, view.values);
}

template <class T, index_type Index>
template <class U, class Flags>
result<coo_matrix<T, Index>> coo_matrix<T, Index>::from_view(const coo_view<U, Index>& view) {
  if (status s = validate(view); !s) return s;
  return from_view(unchecked, view);
}
/// COO views may hold their entries in any order; the copy is sorted and entries at one place
/// summed.
template <class T, index_type Index>
template <class U, class Flags>
result<coo_matrix<T, Index>> coo_matrix<T, Index>::from_view(unchecked_t,
                                                             const coo_view<U, Index>& view) {
  convert::coordinate_arrays<T, Index> out;
  if (status s = convert::coordinates(view.shape, view, out); !s) return s;
  return coo_matrix(view.shape, std::move(out.row_indices), std::move(out.columns),
                    std::move(out.values));
}

}  // namespace v0
}  // namespace sparsekit
