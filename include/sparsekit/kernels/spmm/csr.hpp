// Y = A X for CSR A, row by row: a tile of registers holds one row of Y across some columns, and each
// entry adds its multiple of a row of X to it. Needs no packing; what pack() makes is faster.
#pragma once

#include "../../formats/csr.hpp"
#include "tiled.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

struct csr_tile {
  /// 4 hide the latency of FMA, and one broadcast value serves all of them.
  static constexpr int registers = 4;

  template <class A>
  static auto offsets(const A& a) {
    return a.row_ptr;
  }
  template <class Lanes, int Registers, bool MaskX, class A, class TX, class Output>
  static SPARSEKIT_INLINE void run(const A& a, const TX* x, index_t stride, index_t r0, index_t r1,
                                   index_t column, index_t columns, const Output& out) {
    constexpr int w = Lanes::width;
    using S = simd::value_of<Lanes>;
    constexpr bool along_rows = decltype(out.y)::layout::rows_contiguous;
    const auto tail = Lanes::first(columns - (Registers - 1) * w);
    const bool full = columns == Registers * w;
    [[maybe_unused]] alignas(64) S tile[along_rows ? 1 : w * w * Registers];
    for (index_t r = r0; r < r1; ++r) {
      typename Lanes::reg sum[Registers];
      simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE { sum[j] = Lanes::zero(); });
      const index_t end = static_cast<index_t>(a.row_ptr[r + 1]);
      for (index_t p = static_cast<index_t>(a.row_ptr[r]); p < end; ++p) {
        add_entry<Lanes, Registers, MaskX>(
            a.values[p], x + static_cast<index_t>(a.columns[p]) * stride, tail, sum);
      }
      if constexpr (along_rows) {
        out.template put_run<Registers>(sum, r, column, full, tail);
      } else {
        const index_t i = (r - r0) % w;
        simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
          Lanes::store(tile + i * w * Registers + j * w, sum[j]);
        });
        if (i == w - 1 || r + 1 == r1) {
          out.put_tile(tile, w * Registers, i + 1, columns, r - i, column);
        }
      }
    }
  }
};

template <class Arch, class T>
struct spmm_csr_panel : spmm_tiled_panel<Arch, T, csr_tile> {};
template <class Arch, class T>
struct spmm_csr_inplace : spmm_tiled_inplace<Arch, T, csr_tile> {};

/// An SpMV a column.
template <class Arch, class T>
struct spmm_csr_columns {
  using lanes = simd::lanes<Arch, sum_of_t<T>>;

  template <class Call>
  static constexpr bool possible =
      !Call::one_column && std::is_same_v<typename Call::x_layout, col_major>;
  template <class Call>
  static bool accepts(const Call& c) {
    return !is_spmv(c) && std::is_same_v<typename Call::x_layout, col_major>;
  }
  template <class A>
  static workspace_size requirement(const A&, index_t) {
    return {};
  }
  template <class Call>
  static void run(const Call& c) {
    const auto& a = c.a;
    const auto out = output_of<simd::lanes<arch::scalar, sum_of_t<T>>>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    const index_t tasks = task_count(c.policy, a.nnz() * n, ceil_div(a.rows(), 16));
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t end = balanced_row(a.row_ptr, task + 1, tasks);
      for (index_t r = balanced_row(a.row_ptr, task, tasks); r < end; ++r) {
        const index_t begin = static_cast<index_t>(a.row_ptr[r]);
        const index_t entries = static_cast<index_t>(a.row_ptr[r + 1]) - begin;
        for (index_t j = 0; j < n; ++j) {
          const auto sum = sparse_dot<lanes>(a.values.data() + begin, a.columns.data() + begin,
                                             entries, c.x.data() + j * c.x.ld());
          out.put(sum, r, j, simd::all_lanes{});
        }
      }
    });
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
