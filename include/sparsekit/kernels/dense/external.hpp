// Y = epilogue(W X) where an external library computes W X: it writes Y, and the epilogue passes
// over that once more. What the library cannot promise is ours to do: columns of X that are not
// finite, from which a zero weight must shield a row; and, without a workspace, epilogues that read
// the old Y.
#pragma once

#include "../../formats/external_dense.hpp"
#include "../relay.hpp"
#include "gemm.hpp"
#include "gemv.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

template <class Arch, class T>
struct gemm_external {
  static constexpr bool asks_for_y = true;
  using lanes = simd::lanes<Arch, T>;
  /// Columns of Y that wait in the workspace while the old ones are still needed.
  static constexpr index_t panel = 64;

  template <class Call>
  static bool accepts(const Call&) {
    return true;
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    const index_t width = columns < panel ? columns : panel;
    return {.shared = a.rows() * width * index_t{sizeof(T)}, .per_worker = 0};
  }

  template <class Call>
  static void run(const Call& c) {
    using E = std::remove_cvref_t<decltype(c.epilogue)>;
    if (c.a.cols() == 0) {  // no operand to point at
      const auto out = output_of<simd::lanes<arch::scalar, T>>(c.y, c.epilogue);
      for (index_t r = 0; r < c.a.rows(); ++r) {
        for (index_t j = 0; j < c.x.cols(); ++j) out.put(T{0}, r, j, simd::all_lanes{});
      }
      return;
    }
    if constexpr (!E::reads_y) {
      product(c, c.x, c.y);
      if constexpr (!std::is_same_v<E, identity_epilogue>) finish(c, c.y, 0);
    } else {
      const index_t width = c.scratch.shared_bytes / (c.a.rows() * index_t{sizeof(T)});
      if (width == 0) return run_own(c);
      for (index_t j = 0; j < c.x.cols(); j += width) {
        const index_t columns = c.x.cols() - j < width ? c.x.cols() - j : width;
        using Y = typename Call::y_layout;
        const dense_view<T, Y> sums(c.scratch.template shared_as<T>(), c.a.rows(), columns);
        const dense_view<const T, typename Call::x_layout> x(&c.x(0, j), c.x.rows(), columns,
                                                             c.x.ld());
        product(c, x, sums);
        finish(c, sums, j);
      }
    }
  }

 private:
  template <class Layout>
  static bool is_finite(const dense_view<const T, Layout>& x) {
    const index_t lines = Layout::rows_contiguous ? x.rows() : x.cols();
    const index_t length = Layout::rows_contiguous ? x.cols() : x.rows();
    for (index_t i = 0; i < lines; ++i) {
      if (!all_finite<lanes>(x.data() + i * x.ld(), length)) return false;
    }
    return true;
  }

  template <class Call, class X, class Y>
  static void product(const Call& c, const dense_view<const T, X>& x, const dense_view<T, Y>& y) {
    (*c.a.gemm)(external_product<T>{c.a.rows(), c.a.cols(), x.cols(), c.a.weights.data(),
                                    c.a.weights.ld(), Call::matrix::layout::rows_contiguous,
                                    x.data(), x.ld(), X::rows_contiguous, y.data(), y.ld(),
                                    Y::rows_contiguous});
    if (c.a.has_zeros() && !is_finite(x)) repair(c, x, y);
  }

  /// Columns of x that are not finite once more, by plain loops that leave zero weights out. Only
  /// those: the others keep the bits that the library gave them.
  template <class Call, class X, class Y>
  static void repair(const Call& c, const dense_view<const T, X>& x, const dense_view<T, Y>& y) {
    for (index_t j = 0; j < x.cols(); ++j) {
      bool finite = true;
      for (index_t k = 0; k < x.rows(); ++k) finite = finite && simd::is_finite(x(k, j));
      if (finite) continue;
      for (index_t r = 0; r < c.a.rows(); ++r) {
        T sum{0};
        for (index_t k = 0; k < x.rows(); ++k) {
          const T w = c.a.weights(r, k);
          if (w != T{0}) sum = simd::lanes<arch::scalar, T>::fma(w, x(k, j), sum);
        }
        y(r, j) = sum;
      }
    }
  }

  /// Columns [first, first + sums.cols()) of Y = epilogue(sums). Sums may be Y itself.
  template <class Call, class Y>
  static void finish(const Call& c, const dense_view<T, Y>& sums, index_t first) {
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const index_t lines = Y::rows_contiguous ? sums.rows() : sums.cols();
    const index_t length = Y::rows_contiguous ? sums.cols() : sums.rows();
    for (index_t i = 0; i < lines; ++i) {
      const T* source = sums.data() + i * sums.ld();
      for (index_t k = 0; k < length; k += lanes::width) {
        const index_t row = Y::rows_contiguous ? i : k;
        const index_t column = first + (Y::rows_contiguous ? k : i);
        if (length - k >= lanes::width) {
          out.put(lanes::load(source + k), row, column, simd::all_lanes{});
        } else {
          const auto mask = lanes::first(length - k);
          out.put(lanes::load(mask, source + k), row, column, mask);
        }
      }
    }
  }

  template <class Call>
  static void run_own(const Call& c) {
    const call<std::remove_cvref_t<decltype(c.policy)>,
               dense_view<const T, typename Call::matrix::layout>, T, typename Call::x_layout,
               typename Call::y_layout, std::remove_cvref_t<decltype(c.epilogue)>,
               Call::has_workspace, typename Call::x_type, typename Call::y_type, Call::one_column>
        own{c.policy, c.a.weights, c.x, c.y, c.epilogue, c.scratch};
    if (is_spmv(own)) {
      if constexpr (gemv_dense<Arch, T>::template possible<decltype(own)>) {
        return gemv_dense<Arch, T>::run(own);
      }
    }
    if constexpr (Call::x_layout::rows_contiguous) {
      gemm_dense_inplace<Arch, T>::run(own);
    } else {
      gemm_dense_columns<Arch, T>::run(own);
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
