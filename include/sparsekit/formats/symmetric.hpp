// Symmetric: a square matrix of which one triangle, diagonal included, is stored as CSR. Half the memory,
// and half of what SpMV of a large matrix waits for.
//
//   auto A = sk::symmetric(csr_view, sk::lower);     entries (r, c) with c <= r; each off the diagonal counts
//   sk::multiply(A, x, y);                           twice, at (r, c) and at (c, r)
#pragma once

#include "csr.hpp"

namespace sparsekit {
inline namespace v0 {

/// The triangle that is stored.
enum class triangle : std::uint8_t { lower, upper };
inline constexpr triangle lower = triangle::lower;
inline constexpr triangle upper = triangle::upper;

/// A symmetric matrix in somebody else's arrays. Nothing is checked until `validate`.
template <class T, index_type Index = std::int32_t, index_type Offset = std::int32_t>
struct symmetric_view {
  using value_type = std::remove_cv_t<T>;
  using index = Index;
  using offset = Offset;

  csr_view<T, Index, Offset> half{};
  triangle stored = triangle::lower;
  extents shape = half.shape;

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  /// Entries of the whole matrix, at most: those of the diagonal are counted twice as well.
  index_t nnz() const { return 2 * half.nnz(); }
  symmetric_view<const value_type, Index, Offset> as_const() const {
    return {{half.shape, half.row_ptr, half.columns, {half.values.data(), half.values.size()}},
            stored,
            shape};
  }
};

/// One triangle of A, given as CSR.
template <class T, class Index, class Offset>
symmetric_view<T, Index, Offset> symmetric(const csr_view<T, Index, Offset>& half,
                                           triangle stored) {
  return {half, stored, half.shape};
}
template <class T, class Index, class Offset>
symmetric_view<const T, Index, Offset> symmetric(const csr_matrix<T, Index, Offset>& half,
                                                 triangle stored) {
  return symmetric(half.view(), stored);
}
template <class T, class Index, class Offset>
void symmetric(const csr_matrix<T, Index, Offset>&&, triangle) = delete;

/// A symmetric matrix is its own transpose.
template <class T, class Index, class Offset>
symmetric_view<T, Index, Offset> transposed(const symmetric_view<T, Index, Offset>& a) {
  return a;
}

/// O(rows + nnz): the triangle as CSR, sorted; square; no entry of the other triangle.
template <class T, class Index, class Offset, class Flags = flags_tag>
status validate(const symmetric_view<T, Index, Offset>& a) {
  const csr_view<T, Index, Offset>& h = a.half;
  if (status s = validate_compressed<Offset, Index>(
          {"symmetric", "row_ptr", "columns", errc::column_out_of_range}, h.shape.rows,
          h.shape.cols, h.row_ptr, h.columns, h.values.size(), h.values.data(), {});
      !s) {
    return s;
  }
  if (h.shape.rows != h.shape.cols || !(a.shape == h.shape)) {
    return {.code = errc::shape_mismatch, .object = "symmetric", .detail = "cols",
            .got = h.shape.rows == h.shape.cols ? a.shape.cols : h.shape.cols,
            .allowed = h.shape.rows};
  }
  const bool low = a.stored == triangle::lower;
  for (index_t r = 0; r < h.shape.rows; ++r) {
    const index_t begin = static_cast<index_t>(h.row_ptr[r]);
    const index_t end = static_cast<index_t>(h.row_ptr[r + 1]);
    if (begin == end) continue;
    // Columns increase, so the outermost one tells.
    const index_t p = low ? end - 1 : begin;
    const index_t c = static_cast<index_t>(h.columns[p]);
    if (low ? c > r : c < r) {
      return {.code = errc::bad_pattern, .object = "symmetric",
              .detail = low ? "an entry above the diagonal, but the lower triangle is stored"
                            : "an entry below the diagonal, but the upper triangle is stored",
              .entry = p, .row = r, .got = c, .allowed = r};
    }
  }
  return {};
}

SPARSEKIT_EXEC_BEGIN_IN_V0

/// f(row, column, value) for each entry of the whole matrix: the conversions read any format by such a
/// function.
template <class T, class I, class O, class F>
void for_each_entry(const symmetric_view<T, I, O>& a, F&& f) {
  for (index_t r = 0; r < a.rows(); ++r) {
    const index_t end = static_cast<index_t>(a.half.row_ptr[r + 1]);
    for (index_t p = static_cast<index_t>(a.half.row_ptr[r]); p < end; ++p) {
      const index_t c = static_cast<index_t>(a.half.columns[p]);
      f(r, c, a.half.values[p]);
      if (r != c) f(c, r, a.half.values[p]);
    }
  }
}

SPARSEKIT_EXEC_END_IN_V0

/// A symmetric matrix that owns its arrays. Move-only; to_symmetric makes one of a whole matrix, and the
/// reader of Matrix Market files of a symmetric file.
template <class T, index_type Index = std::int32_t, index_type Offset = std::int32_t>
class symmetric_matrix {
 public:
  using value_type = T;
  using index = Index;
  using offset = Offset;

  symmetric_matrix() = default;  ///< 0 x 0
  /// Takes a triangle over. Invariants are the caller's: `make` validates.
  symmetric_matrix(csr_matrix<T, Index, Offset>&& half, triangle stored)
      : half_(std::move(half)), stored_(stored) {}

  /// Takes a triangle over, validated.
  template <class Flags = flags_tag>
  static result<symmetric_matrix> make(csr_matrix<T, Index, Offset>&& half, triangle stored) {
    if (status s = validate(symmetric_view<const T, Index, Offset>{half.view(), stored,
                                                                   half.shape()});
        !s) {
      return s;
    }
    return symmetric_matrix(std::move(half), stored);
  }

  symmetric_view<const T, Index, Offset> view() const {
    return {half_.view(), stored_, half_.shape()};
  }
  const csr_matrix<T, Index, Offset>& half() const { return half_; }
  triangle stored() const { return stored_; }
  extents shape() const { return half_.shape(); }
  index_t rows() const { return half_.rows(); }
  index_t cols() const { return half_.cols(); }
  index_t nnz() const { return view().nnz(); }

 private:
  csr_matrix<T, Index, Offset> half_;
  triangle stored_ = triangle::lower;
};
template <class T, class Index, class Offset>
symmetric_view<const T, Index, Offset> transposed(const symmetric_matrix<T, Index, Offset>& a) {
  return a.view();
}
template <class T, class Index, class Offset>
void transposed(const symmetric_matrix<T, Index, Offset>&&) = delete;

}  // namespace v0
}  // namespace sparsekit
