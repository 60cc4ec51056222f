// external_dense: dense weights whose product somebody else's library computes (a CBLAS, oneDNN),
// as an operand of multiply like any other.
#pragma once

#include <type_traits>
#include <utility>

#include "../core/dense_view.hpp"

namespace sparsekit {
inline namespace v0 {

/// The product that an external library is asked for: y = w x, all of y overwritten. w is rows x
/// depth, x depth x columns. Each operand is row-major (element (i, j) at i * ld + j) or
/// column-major (at i + j * ld). No size is zero.
template <class T>
struct external_product {
  index_t rows, depth, columns;
  const T* w;
  index_t w_ld;
  bool w_row_major;
  const T* x;
  index_t x_ld;
  bool x_row_major;
  T* y;
  index_t y_ld;
  bool y_row_major;
};

/// Weights where they lie, and the function that multiplies by them.
template <class T, class Layout, class Gemm>
struct external_dense_view {
  using value_type = std::remove_cv_t<T>;
  using layout = Layout;

  dense_view<const value_type, Layout> weights{};
  const Gemm* gemm = nullptr;
  index_t entries = 0;  ///< weights that are not zero

  extents shape() const { return weights.shape(); }
  index_t rows() const { return weights.rows(); }
  index_t cols() const { return weights.cols(); }
  index_t nnz() const { return entries; }
  /// Whether a value of x meets a weight that is no entry of the pattern.
  bool has_zeros() const { return entries != rows() * cols(); }
  external_dense_view<const value_type, Layout, Gemm> as_const() const {
    return {weights, gemm, entries};
  }
};

/// The same weights as their transpose: free.
template <class T, class Layout, class Gemm>
auto transposed(const external_dense_view<T, Layout, Gemm>& a) {
  const auto flipped = transposed(a.weights);
  return external_dense_view<T, typename decltype(flipped)::layout, Gemm>{flipped, a.gemm,
                                                                          a.entries};
}

/// Dense weights with an external matrix product. `Gemm` is a callable with
/// gemm(const external_product<T>&), e.g. cblas_gemm of adapters/cblas.hpp. The weights must
/// outlive it.
template <class T, class Layout, class Gemm>
class external_dense {
 public:
  using value_type = std::remove_cv_t<T>;

  /// Counts the weights that are not zero: O(rows * cols). Errors: an invalid view.
  template <class Flags = flags_tag>
  static result<external_dense> make(const dense_view<T, Layout>& w, Gemm gemm) {
    if (status s = validate(w, "w"); !s) return s;
    external_dense out(std::move(gemm));
    out.weights_ = dense_view<const value_type, Layout>(w.data(), w.rows(), w.cols(), w.ld());
    for (index_t r = 0; r < w.rows(); ++r) {
      for (index_t c = 0; c < w.cols(); ++c) out.entries_ += w(r, c) == value_type{0} ? 0 : 1;
    }
    return out;
  }

  external_dense_view<const value_type, Layout, Gemm> view() const {
    return {weights_, &gemm_, entries_};
  }
  extents shape() const { return weights_.shape(); }
  index_t rows() const { return weights_.rows(); }
  index_t cols() const { return weights_.cols(); }
  index_t nnz() const { return entries_; }

 private:
  explicit external_dense(Gemm gemm) : gemm_(std::move(gemm)) {}

  dense_view<const value_type, Layout> weights_{};
  Gemm gemm_;
  index_t entries_ = 0;
};

/// Weights multiplied by `gemm`: see external_dense.
template <class T, class Layout, class Gemm>
result<external_dense<T, Layout, Gemm>> make_external_dense(const dense_view<T, Layout>& w,
                                                            Gemm gemm) {
  return external_dense<T, Layout, Gemm>::make(w, std::move(gemm));
}

}  // namespace v0
}  // namespace sparsekit
