// CSR (compressed sparse row): per row a run of column indices and values, rows one after the other.
#pragma once

#include "../core/dense_view.hpp"
#include "../core/storage.hpp"
#include "compressed.hpp"
#include "triplet.hpp"

namespace sparsekit {
inline namespace v0 {

/// A CSR matrix in somebody else's arrays. T may be const. Nothing is checked until `validate`.
///   row_ptr: rows + 1 offsets from 0 to nnz;  columns, values: nnz each, columns increasing in a row.
/// Every stored entry counts, explicit zeros included: NaN in X reaches the rows that store its column.
template <class T, index_type Index = std::int32_t, index_type Offset = std::int32_t>
struct csr_view {
  using value_type = std::remove_cv_t<T>;
  using index = Index;
  using offset = Offset;

  extents shape{};
  array_view<const Offset> row_ptr{};
  array_view<const Index> columns{};
  array_view<T> values{};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return columns.size(); }
};

/// O(rows + nnz): about a tenth to a quarter of one SpMV. See errc for what can be wrong.
template <class T, class Index, class Offset, class Flags = flags_tag>
status validate(const csr_view<T, Index, Offset>& a, validate_options options = {}) {
  return validate_compressed<Offset, Index>(
      {"csr", "row_ptr", "columns", errc::column_out_of_range}, a.shape.rows, a.shape.cols,
      a.row_ptr, a.columns, a.values.size(), a.values.data(), options);
}

/// A CSR matrix that owns its arrays. Move-only.
template <class T, index_type Index = std::int32_t, index_type Offset = std::int32_t>
class csr_matrix {
 public:
  using value_type = T;
  using index = Index;
  using offset = Offset;

  csr_matrix() = default;  ///< 0 x 0
  /// Takes arrays over. Invariants are the caller's: factories validate.
  csr_matrix(extents shape, buffer<Offset>&& row_ptr, buffer<Index>&& columns, buffer<T>&& values)
      : shape_(shape),
        row_ptr_(std::move(row_ptr)),
        columns_(std::move(columns)),
        values_(std::move(values)) {}

  /// A moved-from matrix is 0 x 0; assignment swaps.
  csr_matrix(csr_matrix&& other) noexcept
      : shape_(std::exchange(other.shape_, {})),
        row_ptr_(std::move(other.row_ptr_)),
        columns_(std::move(other.columns_)),
        values_(std::move(other.values_)) {}
  csr_matrix& operator=(csr_matrix&& other) noexcept {
    std::swap(shape_, other.shape_);
    std::swap(row_ptr_, other.row_ptr_);
    std::swap(columns_, other.columns_);
    std::swap(values_, other.values_);
    return *this;
  }

  /// From (row, column, value) in any order; duplicates are summed in the order given. O(nnz log).
  /// Errors: an index out of range; sizes that Index or Offset cannot hold; out of memory.
  template <class Triplets, class Flags = flags_tag>
  static result<csr_matrix> from_triplets(extents shape, const Triplets& triplets);
  template <class Flags = flags_tag>
  static result<csr_matrix> from_triplets(extents shape, std::initializer_list<triplet<T>> triplets) {
    return from_triplets<std::initializer_list<triplet<T>>, Flags>(shape, triplets);
  }
  /// The elements of w that are not zero (NaN is not zero).
  template <class U, class Layout, class Flags = flags_tag>
  static result<csr_matrix> from_dense(const dense_view<U, Layout>& w);
  /// A copy of somebody's arrays, validated.
  template <class U, class Flags = flags_tag>
  static result<csr_matrix> from_view(const csr_view<U, Index, Offset>& view);
  /// A copy of somebody's arrays that the caller vouches for.
  template <class U, class Flags = flags_tag>
  static result<csr_matrix> from_view(unchecked_t, const csr_view<U, Index, Offset>& view);

  csr_view<const T, Index, Offset> view() const {
    return {shape_, row_ptr_.size() > 0 ? row_ptr_.view() : array_view<const Offset>(&no_rows, 1),
            columns_.view(), values_.view()};
  }
  array_view<T> values() { return values_.view(); }
  extents shape() const { return shape_; }
  index_t rows() const { return shape_.rows; }
  index_t cols() const { return shape_.cols; }
  index_t nnz() const { return columns_.size(); }

 private:
  static constexpr Offset no_rows = 0;

  extents shape_{};
  buffer<Offset> row_ptr_;
  buffer<Index> columns_;
  buffer<T> values_;
};

}  // namespace v0
}  // namespace sparsekit
