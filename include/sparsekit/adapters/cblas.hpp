// cblas_gemm: any CBLAS (OpenBLAS, MKL, BLIS, Accelerate, …) as the product of dense weights.
//
//   #include <cblas.h>
//   auto W = sk::make_external_dense(sk::dense_view<const float>(w, m, k),
//   sk::cblas_gemm(cblas_sgemm)).value(); sk::multiply(W, X, Y, sk::bias(b) | sk::relu);
//
// The epilogue, masks for zero weights and layouts are sparsekit's: see formats/external_dense.hpp,
// which also tells how to plug in another library (oneDNN, say): write a callable of your own.
#pragma once

#include <limits>

#include "../formats/external_dense.hpp"
#include "../multiply.hpp"

namespace sparsekit {
inline namespace v0 {

/// A gemm of the CBLAS interface. The types of its enumerations and of its integers are the
/// library's: they are deduced from the function, so that no cblas.h in particular is needed.
template <class Order, class Transpose, class Int, class T>
class cblas_gemm {
 public:
  using function = void (*)(Order, Transpose, Transpose, Int, Int, Int, T, const T*, Int, const T*,
                            Int, T, T*, Int);

  constexpr cblas_gemm(function gemm)  // NOLINT(google-explicit-constructor): it is that function
      : gemm_(gemm) {}

  /// Sizes must fit the integers of the library.
  template <class Flags = flags_tag>
  void operator()(const external_product<T>& p) const {
    constexpr auto most = static_cast<index_t>(std::numeric_limits<Int>::max());
    SPARSEKIT_ASSERT(p.rows <= most && p.depth <= most && p.columns <= most && p.w_ld <= most &&
                     p.x_ld <= most && p.y_ld <= most);
    static_cast<void>(most);
    // The layout of y is that of the call; operands in the other layout are transposed ones.
    const auto i = [](index_t n) { return static_cast<Int>(n); };
    const auto order = static_cast<Order>(p.y_row_major ? row_major_order : column_major_order);
    const auto as = [&](bool is_row_major) {
      return static_cast<Transpose>(is_row_major == p.y_row_major ? as_it_is : transposed_operand);
    };
    gemm_(order, as(p.w_row_major), as(p.x_row_major), i(p.rows), i(p.columns), i(p.depth), T{1},
          p.w, i(p.w_ld), p.x, i(p.x_ld), T{0}, p.y, i(p.y_ld));
  }

 private:
  // The values of the CBLAS standard.
  static constexpr int row_major_order = 101;
  static constexpr int column_major_order = 102;
  static constexpr int as_it_is = 111;
  static constexpr int transposed_operand = 112;

  function gemm_;
};
template <class Order, class Transpose, class Int, class T>
cblas_gemm(void (*)(Order, Transpose, Transpose, Int, Int, Int, T, const T*, Int, const T*, Int, T,
                    T*, Int)) -> cblas_gemm<Order, Transpose, Int, T>;

}  // namespace v0
}  // namespace sparsekit
