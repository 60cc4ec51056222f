// y = W x for packed dense W. Bound by reading W, which streams through in the order of memory.
#pragma once

#include "../../formats/packed_dense.hpp"
#include "gemm.hpp"
#include "tile.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

template <class Arch, class T>
struct gemv_packed_dense : spmv_kernel {
  using lanes = simd::lanes<Arch, T>;
  using view = packed_dense_view<T>;
  static constexpr int w = lanes::width;
  /// Registers of rows that are summed side by side: a whole group, so that its weights are one
  /// stream. (Half a group, 96 of 192 bytes a column, made AVX2 a third slower than unpacked
  /// weights.)
  static constexpr int most_vectors =
      std::is_same_v<Arch, arch::avx512> ? 3 : accumulators<Arch> / 2;
  /// Bytes between weights that are read and those that are fetched.
  static constexpr index_t ahead = 4096;
  /// Fewer weights stay in L2, where fetching them takes load slots and gains nothing (Emerald Rapids: 512 x 512 in
  /// .85 to .95 of the time without).
  static constexpr index_t fetched_bytes =
      std::is_same_v<Arch, arch::avx512> ? index_t{5} << 18 : index_t{1} << 18;
  /// Columns whose products are summed apart, as many as hide the latency of the multiply-adds.
  static constexpr int chains_of(int vectors) {
    const int most = accumulators<Arch> / vectors;
    return most < 4 ? most : 4;
  }

  template <class Call>
  static void run(const Call& c) {
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const index_t groups = c.a.groups();
    const index_t tasks = task_count(c.policy, c.a.rows() * c.a.cols() / 4, groups);
    const bool fetching = c.a.values.size() * index_t{sizeof(T)} > fetched_bytes;
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      for (index_t g = groups * task / tasks; g < groups * (task + 1) / tasks; ++g) {
        const index_t step = c.a.step(g);
        const index_t row = g * view::group;
        const index_t rows = c.a.rows() - row < step ? c.a.rows() - row : step;
        alignas(64) T tile[view::group];
        for_tiles<most_vectors>(0, step / w, [&](index_t v, auto vectors) SPARSEKIT_LAMBDA_INLINE {
          sum_column<vectors>(c.a.group_begin(g) + v * w, step, c.x.data(), c.a.cols(), fetching,
                              tile + v * w);
        });
        const index_t whole = rows / w * w;
        for (index_t i = 0; i < whole; i += w) {
          out.put(lanes::load(tile + i), row + i, 0, simd::all_lanes{});
        }
        if (whole < rows) {
          out.put(lanes::load(tile + whole), row + whole, 0, lanes::first(rows - whole));
        }
      }
    });
  }

 private:
  /// Vectors * w rows times x.
  template <int Vectors>
  static SPARSEKIT_NOINLINE void sum_column(const T* weights, index_t step, const T* x,
                                            index_t depth, bool fetching, T* tile) {
    constexpr int chains = chains_of(Vectors);
    typename lanes::reg sum[chains * Vectors];
    using column = simd::registers<lanes, Vectors>;
    simd::registers<lanes, chains * Vectors>::zero(sum);
    const auto add = [&](index_t k, auto chain) SPARSEKIT_LAMBDA_INLINE {
      // Weights beyond L2: the prefetchers of Zen 3 keep too little of one stream under way.
      for (index_t b = 0; fetching && b < Vectors * w * index_t{sizeof(T)}; b += 64) {
        simd::prefetch_ahead(weights + k * step, ahead + b);
      }
      column::add_product_with(sum + chain * Vectors, lanes::broadcast(x[k]), weights + k * step);
    };
    index_t k = 0;
    for (; depth - k >= chains; k += chains) {
      simd::unroll<chains>([&](auto u) SPARSEKIT_LAMBDA_INLINE { add(k + u, u); });
    }
    simd::unroll<chains - 1>([&](auto u) SPARSEKIT_LAMBDA_INLINE {
      if (k + u < depth) add(k + u, u);
    });
    simd::unroll<chains - 1>(
        [&](auto u) SPARSEKIT_LAMBDA_INLINE { column::add(sum, sum + (u + 1) * Vectors); });
    column::store(tile, sum);
    if (!all_finite<lanes, Vectors>(sum)) {
      exact_column<chains>(weights, step, x, depth, Vectors * w, tile);
    }
  }

  /// The same sums in the same order, leaving out zero weights where x is not finite.
  template <int Chains>
  static SPARSEKIT_NOINLINE void exact_column(const T* weights, index_t step, const T* x,
                                              index_t depth, index_t rows, T* tile) {
    using one = simd::lanes<arch::scalar, T>;
    for (index_t i = 0; i < rows; ++i) {
      T sum[Chains] = {};
      for (index_t k = 0; k < depth; ++k) {
        const T weight = weights[k * step + i];
        sum[k % Chains] = one::fma(weight, visible(weight, x[k]), sum[k % Chains]);
      }
      for (int u = 1; u < Chains; ++u) sum[0] += sum[u];
      tile[i] = sum[0];
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
