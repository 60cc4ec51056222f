// from_triplets: a COO, CSR or CSC matrix from (row, column, value) in any order.
#pragma once

#include <ranges>

#include "compress.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace convert {

/// Triplets whose indices are within `shape`, or the first error.
template <class Triplets>
auto checked_triplets(const char* object, extents shape, const Triplets& triplets, status& error) {
  static_assert(
      std::ranges::contiguous_range<const Triplets> && std::ranges::sized_range<const Triplets>,
      "triplets come as a contiguous, sized range, such as an array_view");
  using triplet_type = std::remove_cvref_t<std::ranges::range_reference_t<const Triplets>>;
  const triplet_view<triplet_type> view{{std::ranges::data(triplets), std::ranges::size(triplets)}};
  const index_t count = view.nnz();
  if (count < 0 || (count > 0 && view.entries.data() == nullptr)) {
    error = {.code = count < 0 ? errc::length_mismatch : errc::null_array,
             .object = object,
             .detail = "triplets",
             .got = count,
             .allowed = count < 0 ? 0 : count};
    return view;
  }
  error = check_not_negative(shape, object);
  for (index_t p = 0; error && p < count; ++p) {
    const triplet_type& t = view.entries[p];
    static_assert(std::is_integral_v<std::remove_cvref_t<decltype(t.row)>> &&
                      std::is_integral_v<std::remove_cvref_t<decltype(t.col)>>,
                  "a triplet has integers `row` and `col`, and `value`");
    if (!index_in_range(t.row, shape.rows)) {
      error = {.code = errc::row_out_of_range,
               .object = object,
               .detail = "triplets",
               .entry = p,
               .got = t.row,
               .allowed = shape.rows};
    } else if (!index_in_range(t.col, shape.cols)) {
      error = {.code = errc::column_out_of_range,
               .object = object,
               .detail = "triplets",
               .entry = p,
               .got = t.col,
               .allowed = shape.cols};
    }
  }
  return view;
}

template <class Axis, class Matrix, class Triplets>
result<Matrix> compressed_from_triplets(extents shape, const Triplets& triplets) {
  status error;
  const auto view = checked_triplets(Axis::names.object, shape, triplets, error);
  if (!error) return error;
  compressed_arrays<typename Matrix::value_type, typename Matrix::index, typename Matrix::offset>
      out;
  if (status s = compress<Axis>(shape, view, out); !s) return s;
  return Matrix(shape, std::move(out.offsets), std::move(out.indices), std::move(out.values));
}

}  // namespace convert
SPARSEKIT_EXEC_END_IN_V0

template <class T, index_type Index, index_type Offset>
template <class Triplets, class Flags>
result<csr_matrix<T, Index, Offset>> csr_matrix<T, Index, Offset>::from_triplets(
    extents shape, const Triplets& triplets) {
  return convert::compressed_from_triplets<convert::by_rows, csr_matrix>(shape, triplets);
}

template <class T, index_type Index, index_type Offset>
template <class Triplets, class Flags>
result<csc_matrix<T, Index, Offset>> csc_matrix<T, Index, Offset>::from_triplets(
    extents shape, const Triplets& triplets) {
  return convert::compressed_from_triplets<convert::by_columns, csc_matrix>(shape, triplets);
}

template <class T, index_type Index>
template <class Triplets, class Flags>
result<coo_matrix<T, Index>> coo_matrix<T, Index>::from_triplets(extents shape,
                                                                 const Triplets& triplets) {
  status error;
  const auto view = convert::checked_triplets("coo", shape, triplets, error);
  if (!error) return error;
  convert::coordinate_arrays<T, Index> out;
  if (status s = convert::coordinates(shape, view, out); !s) return s;
  return coo_matrix(shape, std::move(out.row_indices), std::move(out.columns),
                    std::move(out.values));
}

}  // namespace v0
}  // namespace sparsekit
