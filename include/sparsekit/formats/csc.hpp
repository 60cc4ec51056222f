// CSC (compressed sparse column): per column a run of row indices and values, columns in order.
#pragma once

#include "../core/dense_view.hpp"
#include "../core/storage.hpp"
#include "compressed.hpp"
#include "triplet.hpp"

namespace sparsekit {
inline namespace v0 {

/// A CSC matrix in somebody else's arrays. T may be const. Nothing is checked until `validate`.
///   col_ptr: cols + 1 offsets from 0 to nnz;  row_indices, values: nnz each, rows increasing in a column.
/// Every stored entry counts, explicit zeros included: NaN in X reaches the rows that store its column.
template <class T, index_type Index = std::int32_t, index_type Offset = std::int32_t>
struct csc_view {
  using value_type = std::remove_cv_t<T>;
  using index = Index;
  using offset = Offset;

  extents shape{};
  array_view<const Offset> col_ptr{};
  array_view<const Index> row_indices{};
  array_view<T> values{};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return row_indices.size(); }
};

/// O(cols + nnz): about a tenth to a quarter of one SpMV. See errc for what can be wrong.
template <class T, class Index, class Offset, class Flags = flags_tag>
status validate(const csc_view<T, Index, Offset>& a, validate_options options = {}) {
  return validate_compressed<Offset, Index>(
      {"csc", "col_ptr", "row_indices", errc::row_out_of_range}, a.shape.cols, a.shape.rows,
      a.col_ptr, a.row_indices, a.values.size(), a.values.data(), options);
}

/// A CSC matrix that owns its arrays. Move-only.
template <class T, index_type Index = std::int32_t, index_type Offset = std::int32_t>
class csc_matrix {
 public:
  using value_type = T;
  using index = Index;
  using offset = Offset;

  csc_matrix() = default;  ///< 0 x 0
  /// Takes arrays over. Invariants are the caller's: factories validate.
  csc_matrix(extents shape, buffer<Offset>&& col_ptr, buffer<Index>&& row_indices, buffer<T>&& values)
      : shape_(shape),
        col_ptr_(std::move(col_ptr)),
        row_indices_(std::move(row_indices)),
        values_(std::move(values)) {}

  /// A moved-from matrix is 0 x 0; assignment swaps.
  csc_matrix(csc_matrix&& other) noexcept
      : shape_(std::exchange(other.shape_, {})),
        col_ptr_(std::move(other.col_ptr_)),
        row_indices_(std::move(other.row_indices_)),
        values_(std::move(other.values_)) {}
  csc_matrix& operator=(csc_matrix&& other) noexcept {
    std::swap(shape_, other.shape_);
    std::swap(col_ptr_, other.col_ptr_);
    std::swap(row_indices_, other.row_indices_);
    std::swap(values_, other.values_);
    return *this;
  }

  /// From (row, column, value) in any order; duplicates are summed in the order given. O(nnz log).
  /// Errors: an index out of range; sizes that Index or Offset cannot hold; out of memory.
  template <class Triplets, class Flags = flags_tag>
  static result<csc_matrix> from_triplets(extents shape, const Triplets& triplets);
  template <class Flags = flags_tag>
  static result<csc_matrix> from_triplets(extents shape, std::initializer_list<triplet<T>> triplets) {
    return from_triplets<std::initializer_list<triplet<T>>, Flags>(shape, triplets);
  }
  /// The elements of w that are not zero (NaN is not zero).
  template <class U, class Layout, class Flags = flags_tag>
  static result<csc_matrix> from_dense(const dense_view<U, Layout>& w);
  /// A copy of somebody's arrays, validated.
  template <class U, class Flags = flags_tag>
  static result<csc_matrix> from_view(const csc_view<U, Index, Offset>& view);
  /// A copy of somebody's arrays that the caller vouches for.
  template <class U, class Flags = flags_tag>
  static result<csc_matrix> from_view(unchecked_t, const csc_view<U, Index, Offset>& view);

  csc_view<const T, Index, Offset> view() const {
    return {shape_, col_ptr_.size() > 0 ? col_ptr_.view() : array_view<const Offset>(&no_columns, 1),
            row_indices_.view(), values_.view()};
  }
  array_view<T> values() { return values_.view(); }
  extents shape() const { return shape_; }
  index_t rows() const { return shape_.rows; }
  index_t cols() const { return shape_.cols; }
  index_t nnz() const { return row_indices_.size(); }

 private:
  static constexpr Offset no_columns = 0;

  extents shape_{};
  buffer<Offset> col_ptr_;
  buffer<Index> row_indices_;
  buffer<T> values_;
};

}  // namespace v0
}  // namespace sparsekit
