// packed_matrix: what pack() makes of constant weights. It holds one or several packed forms of the same
// matrix, each the best for some column counts; multiply takes the one that fits the call.
#pragma once

#include <string>

#include "lookup.hpp"
#include "quads.hpp"
#include "spmv_packed.hpp"

namespace sparsekit {
inline namespace v0 {

/// Forms that are absent have no rows.
template <class T>
struct packed_view {
  using value_type = std::remove_cv_t<T>;

  extents shape{};
  index_t entries = 0;
  quad_view<const value_type> quads{};     ///< two columns and more
  lookup_view<const value_type> lookup{};  ///< one to three columns, weights
  spmv_view<const value_type> spmv{};      ///< one column, very sparse matrices

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return entries; }
  bool has_quads() const { return quads.row_block != 0; }
  bool has_lookup() const { return lookup.window_bytes != 0; }
  bool has_spmv() const { return !has_lookup() && spmv.shape.rows != 0; }
};

template <class T>
class packed_matrix {
 public:
  using value_type = T;

  packed_matrix() = default;
  packed_matrix(extents shape, index_t nnz, quad_matrix<T>&& quads, lookup_matrix<T>&& lookup = {},
                spmv_packed<T>&& spmv = {})
      : shape_(shape),
        nnz_(nnz),
        quads_(std::move(quads)),
        lookup_(std::move(lookup)),
        spmv_(std::move(spmv)) {}

  packed_view<const T> view() const {
    return {.shape = shape_,
            .entries = nnz_,
            .quads = quads_.view(),
            .lookup = lookup_.view(),
            .spmv = spmv_.view()};
  }
  extents shape() const { return shape_; }
  index_t rows() const { return shape_.rows; }
  index_t cols() const { return shape_.cols; }
  index_t nnz() const { return nnz_; }
  /// Memory of all forms together.
  index_t bytes() const {
    return quads_.bytes().size() + lookup_.bytes().size() + spmv_.bytes().size();
  }
  /// The forms, each empty if it is absent. Their bytes() can be saved, and multiplied with after
  /// view_of() has checked them.
  const quad_matrix<T>& quads() const { return quads_; }
  const lookup_matrix<T>& lookup() const { return lookup_; }
  const spmv_packed<T>& spmv() const { return spmv_; }
  /// What was packed and why, in words. Allocates.
  std::string reason() const {
    const double elements = static_cast<double>(shape_.rows) * static_cast<double>(shape_.cols);
    const double zeros = elements == 0 ? 0 : 100 * (1 - static_cast<double>(nnz_) / elements);
    std::string text = std::to_string(zeros).substr(0, zeros < 10 ? 3 : 4) + " % zeros";
    if (!lookup_.bytes().empty()) text += "; window-lookup steps for 1 to 3 columns";
    if (!spmv_.bytes().empty()) text += "; 1 column: " + spmv_.reason();
    if (!quads_.bytes().empty()) text += "; balanced row quads for more columns";
    return text;
  }

 private:
  extents shape_{};
  index_t nnz_ = 0;
  quad_matrix<T> quads_;
  lookup_matrix<T> lookup_;
  spmv_packed<T> spmv_;
};

}  // namespace v0
}  // namespace sparsekit
