// COO (coordinate): three arrays, the row, the column and the value of each entry.
#pragma once

#include "../core/dense_view.hpp"
#include "../core/storage.hpp"
#include "compressed.hpp"
#include "triplet.hpp"

namespace sparsekit {
inline namespace v0 {

/// A COO matrix in somebody else's arrays, entries in any order; entries at one place add up.
template <class T, index_type Index = std::int32_t>
struct coo_view {
  using value_type = std::remove_cv_t<T>;
  using index = Index;

  extents shape{};
  array_view<const Index> row_indices{};
  array_view<const Index> columns{};
  array_view<T> values{};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return columns.size(); }
};

/// O(nnz).
template <class T, class Index, class Flags = flags_tag>
status validate(const coo_view<T, Index>& a) {
  if (a.shape.rows < 0 || a.shape.cols < 0) {
    return {.code = errc::negative_size, .object = "coo",
            .detail = a.shape.rows < 0 ? "rows" : "cols",
            .got = a.shape.rows < 0 ? a.shape.rows : a.shape.cols};
  }
  const index_t nnz = a.columns.size();
  if (nnz < 0) {
    return {.code = errc::length_mismatch, .object = "coo", .detail = "columns", .got = nnz,
            .allowed = a.values.size()};
  }
  if (a.row_indices.size() != nnz || a.values.size() != nnz) {
    const bool rows_differ = a.row_indices.size() != nnz;
    return {.code = errc::length_mismatch, .object = "coo",
            .detail = rows_differ ? "row_indices" : "values",
            .got = rows_differ ? a.row_indices.size() : a.values.size(), .allowed = nnz};
  }
  if (nnz > 0) {
    const char* null = a.row_indices.data() == nullptr ? "row_indices"
                       : a.columns.data() == nullptr   ? "columns"
                       : a.values.data() == nullptr    ? "values"
                                                       : nullptr;
    if (null != nullptr) {
      return {.code = errc::null_array, .object = "coo", .detail = null, .allowed = nnz};
    }
  }
  for (index_t p = 0; p < nnz; ++p) {
    if (!index_in_range(a.row_indices[p], a.shape.rows)) {
      return {.code = errc::row_out_of_range, .object = "coo", .detail = "row_indices", .entry = p,
              .got = a.row_indices[p], .allowed = a.shape.rows};
    }
    if (!index_in_range(a.columns[p], a.shape.cols)) {
      return {.code = errc::column_out_of_range, .object = "coo", .detail = "columns", .entry = p,
              .got = a.columns[p], .allowed = a.shape.cols};
    }
  }
  return {};
}

/// A COO matrix that owns its arrays. Move-only. Factories give it sorted by row, then column.
template <class T, index_type Index = std::int32_t>
class coo_matrix {
 public:
  using value_type = T;
  using index = Index;

  coo_matrix() = default;
  coo_matrix(extents shape, buffer<Index>&& row_indices, buffer<Index>&& columns,
             buffer<T>&& values)
      : shape_(shape),
        row_indices_(std::move(row_indices)),
        columns_(std::move(columns)),
        values_(std::move(values)) {}

  /// A moved-from matrix is 0 x 0; assignment swaps.
  coo_matrix(coo_matrix&& other) noexcept
      : shape_(std::exchange(other.shape_, {})),
        row_indices_(std::move(other.row_indices_)),
        columns_(std::move(other.columns_)),
        values_(std::move(other.values_)) {}
  coo_matrix& operator=(coo_matrix&& other) noexcept {
    std::swap(shape_, other.shape_);
    std::swap(row_indices_, other.row_indices_);
    std::swap(columns_, other.columns_);
    std::swap(values_, other.values_);
    return *this;
  }

  /// As csr_matrix::from_triplets.
  template <class Triplets, class Flags = flags_tag>
  static result<coo_matrix> from_triplets(extents shape, const Triplets& triplets);
  template <class Flags = flags_tag>
  static result<coo_matrix> from_triplets(extents shape, std::initializer_list<triplet<T>> triplets) {
    return from_triplets<std::initializer_list<triplet<T>>, Flags>(shape, triplets);
  }
  template <class U, class Layout, class Flags = flags_tag>
  static result<coo_matrix> from_dense(const dense_view<U, Layout>& w);
  template <class U, class Flags = flags_tag>
  static result<coo_matrix> from_view(const coo_view<U, Index>& view);
  template <class U, class Flags = flags_tag>
  static result<coo_matrix> from_view(unchecked_t, const coo_view<U, Index>& view);

  coo_view<const T, Index> view() const {
    return {shape_, row_indices_.view(), columns_.view(), values_.view()};
  }
  array_view<T> values() { return values_.view(); }
  extents shape() const { return shape_; }
  index_t rows() const { return shape_.rows; }
  index_t cols() const { return shape_.cols; }
  index_t nnz() const { return columns_.size(); }

 private:
  extents shape_{};
  buffer<Index> row_indices_;
  buffer<Index> columns_;
  buffer<T> values_;
};

}  // namespace v0
}  // namespace sparsekit
