// y = W x for dense W where it lies: one contiguous column in, one out. Bound by reading W.
//
// Row-major W: four rows at a time, two accumulators each. Column-major W: registers of rows, a
// step a column, eight registers at a time.
#pragma once

#include "dot.hpp"
#include "gemm.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

template <class Arch, class T>
struct gemv_dense : spmv_kernel {
  using lanes = simd::lanes<Arch, T>;

  template <class Call>
  static void run(const Call& c) {
    const index_t rows = c.a.rows();
    const index_t tasks = task_count(c.policy, rows * c.a.cols() / 4, ceil_div(rows, 16));
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t r0 = task_row(rows, task, tasks);
      const index_t r1 = task_row(rows, task + 1, tasks);
      if constexpr (Call::matrix::layout::rows_contiguous) {
        rows_at_a_time(c, r0, r1);
      } else {
        columns_at_a_time(c, r0, r1);
      }
    });
  }

 private:
  template <class Call>
  static void rows_at_a_time(const Call& c, index_t r0, index_t r1) {
    const auto out = output_of<simd::lanes<arch::scalar, T>>(c.y, c.epilogue);
    for_tiles<4>(r0, r1, [&](index_t r, auto rows) SPARSEKIT_LAMBDA_INLINE {
      constexpr int n = rows;
      T sums[n];
      dot_tile<lanes, n, 1, 2>(&c.a(r, 0), c.a.ld(), c.x.data(), 0, c.a.cols(), sums);
      for (index_t i = 0; i < n; ++i) out.put(sums[i], r + i, 0, simd::all_lanes{});
    });
  }

  template <class Call>
  static void columns_at_a_time(const Call& c, index_t r0, index_t r1) {
    const auto out = output_of<lanes>(c.y, c.epilogue);
    constexpr int w = lanes::width;
    const auto tile = [&](index_t r, auto vectors, auto mask,
                          index_t count) SPARSEKIT_LAMBDA_INLINE {
      const tile_operands o{&c.a(r, 0), c.a.ld(), c.x.data(), fixed_stride<1>{}, fixed_stride<0>{}};
      run_tile<lanes, vectors, 1, roles::rows, mask>(o, c.a.cols(), count, out, r, 0);
    };
    const index_t whole = r0 + (r1 - r0) / w * w;
    for_tiles<8>(0, (whole - r0) / w, [&](index_t v, auto vectors) SPARSEKIT_LAMBDA_INLINE {
      tile(r0 + v * w, vectors, std::false_type{}, vectors * w);
    });
    if (whole < r1) tile(whole, std::integral_constant<int, 1>{}, std::true_type{}, r1 - whole);
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
