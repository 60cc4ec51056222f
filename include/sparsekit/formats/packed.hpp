// packed_matrix: what pack() makes of constant weights. It holds one or several packed forms of the same
// matrix, each the best for some column counts; multiply takes the one that fits the call.
#pragma once

#include "quads.hpp"

namespace sparsekit {
inline namespace v0 {

template <class T>
struct packed_view {
  using value_type = std::remove_cv_t<T>;

  extents shape{};
  index_t entries = 0;
  quad_view<const value_type> quads{};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return entries; }
};

template <class T>
class packed_matrix {
 public:
  using value_type = T;

  packed_matrix() = default;
  packed_matrix(extents shape, index_t nnz, quad_matrix<T>&& quads)
      : shape_(shape), nnz_(nnz), quads_(std::move(quads)) {}

  packed_view<const T> view() const {
    return {.shape = shape_, .entries = nnz_, .quads = quads_.view()};
  }
  extents shape() const { return shape_; }
  index_t rows() const { return shape_.rows; }
  index_t cols() const { return shape_.cols; }
  index_t nnz() const { return nnz_; }
  /// Memory of all forms together.
  index_t bytes() const { return quads_.bytes().size(); }
  const quad_matrix<T>& quads() const { return quads_; }

 private:
  extents shape_{};
  index_t nnz_ = 0;
  quad_matrix<T> quads_;
};

}  // namespace v0
}  // namespace sparsekit
