// Dense products as dot products along k, where W is row-major and X column-major: GEMV, and the
// product without a workspace.
#pragma once

#include "tile.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// sum of w[k] * x[k], leaving out zero weights where x is not finite, in the order of dot_tile.
template <class Lanes, int Chains, class T>
SPARSEKIT_NOINLINE T exact_dot(const T* w, const T* x, index_t depth) {
  constexpr int width = Lanes::width;
  typename Lanes::reg sum[Chains];
  simd::unroll<Chains>([&](auto u) SPARSEKIT_LAMBDA_INLINE { sum[u] = Lanes::zero(); });
  index_t k = 0;
  while (k < depth) {
    simd::unroll<Chains>([&](auto u) SPARSEKIT_LAMBDA_INLINE {
      if (k >= depth) return;
      alignas(64) T weight[width] = {};
      alignas(64) T seen[width] = {};
      for (index_t i = 0; i < width && k + i < depth; ++i) {
        weight[i] = w[k + i];
        seen[i] = visible(w[k + i], x[k + i]);
      }
      sum[u] = Lanes::fma(Lanes::load(weight), Lanes::load(seen), sum[u]);
      k += width;
    });
  }
  simd::unroll<Chains - 1>(
      [&](auto u) SPARSEKIT_LAMBDA_INLINE { sum[0] = Lanes::add(sum[0], sum[u + 1]); });
  return Lanes::reduce_add(sum[0]);
}

/// Rows x Columns dot products of length `depth` into sums[i * Columns + j]. `Chains` accumulators
/// each: register number b of a row goes to chain b % Chains, and the tail under a mask to the
/// next.
template <class Lanes, int Rows, int Columns, int Chains, class T>
SPARSEKIT_INLINE void dot_tile(const T* w, index_t w_stride, const T* x, index_t x_stride,
                               index_t depth, T* sums) {
  constexpr int width = Lanes::width;
  typename Lanes::reg sum[Rows * Columns * Chains];
  simd::registers<Lanes, Rows * Columns * Chains>::zero(sum);
  const auto step = [&](index_t k, auto chain, auto mask) SPARSEKIT_LAMBDA_INLINE {
    typename Lanes::reg column[Columns];
    simd::unroll<Columns>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
      column[j] = Lanes::load(mask, x + j * x_stride + k);
    });
    simd::unroll<Rows>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
      const auto row = Lanes::load(mask, w + i * w_stride + k);
      simd::registers<Lanes, Columns>::add_product(sum + (chain * Rows + i) * Columns, row, column);
    });
  };
  index_t k = 0;
  for (; depth - k >= Chains * width; k += Chains * width) {
    simd::unroll<Chains>(
        [&](auto u) SPARSEKIT_LAMBDA_INLINE { step(k + u * width, u, simd::all_lanes{}); });
  }
  simd::unroll<Chains>([&](auto u) SPARSEKIT_LAMBDA_INLINE {
    const index_t left = depth - k;
    if (left <= 0) return;
    if (left >= width) {
      step(k, u, simd::all_lanes{});
    } else {
      step(k, u, Lanes::first(left));
    }
    k += width;
  });
  simd::unroll<Chains - 1>([&](auto u) SPARSEKIT_LAMBDA_INLINE {
    simd::registers<Lanes, Rows * Columns>::add(sum, sum + (u + 1) * Rows * Columns);
  });
  simd::unroll<Rows * Columns>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
    sums[i] = Lanes::reduce_add(sum[i]);
    if (!simd::is_finite(sums[i])) {
      sums[i] =
          exact_dot<Lanes, Chains>(w + i / Columns * w_stride, x + i % Columns * x_stride, depth);
    }
  });
}

/// Rows [r0, r1) of row-major W times all columns of column-major X. 4 x 4 dot products (2 x 4 with
/// 16 registers) load 8 registers for 16 multiply-adds; their horizontal sums are what this form
/// costs.
template <class Arch, class T, class Output>
void dot_rows(dense_view<const T, row_major> w, dense_view<const T, col_major> x, index_t r0, index_t r1,
              const Output& out) {
  using lanes = simd::lanes<Arch, T>;
  constexpr int height = accumulators<Arch> == 24 ? 4 : 2;
  for_tiles<height>(r0, r1, [&](index_t r, auto rows) SPARSEKIT_LAMBDA_INLINE {
    for_tiles<4>(0, x.cols(), [&](index_t j, auto columns) SPARSEKIT_LAMBDA_INLINE {
      constexpr int nr = rows;
      constexpr int nc = columns;
      T sums[nr * nc];
      dot_tile<lanes, nr, nc, 1>(&w(r, 0), w.ld(), &x(0, j), x.ld(), w.cols(), sums);
      for (index_t i = 0; i < nr * nc; ++i) {
        out.put(sums[i], r + i / nc, j + i % nc, simd::all_lanes{});
      }
    });
  });
}

}  // namespace kernels
SPARSEKIT_EXEC_END
