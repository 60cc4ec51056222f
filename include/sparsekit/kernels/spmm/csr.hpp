// Y = A X for CSR A, row by row: a tile of registers holds one row of Y across some columns, and each
// entry adds its multiple of a row of X to it. Needs no packing; what pack() makes is faster.
//
//   spmm_csr_panel    re-lays X into a panel in the workspace first: any layout of X
//   spmm_csr_inplace  reads row-major X where it lies
//   spmm_csr_columns  column-major X without a workspace: an SpMV a column
#pragma once

#include "../../formats/csr.hpp"
#include "../call.hpp"
#include "../relay.hpp"
#include "../spmv/csr.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Registers of a tile: 4 hide the latency of FMA, and one broadcast value serves all of them.
inline constexpr int csr_tile = 4;

/// Rows [r0, r1) of A times `columns` columns of X, which start at x and whose rows lie `stride` apart.
/// MaskX: x ends with the last column, so the last register is loaded under the mask.
template <class Lanes, int Registers, bool MaskX, class A, class T, class Output>
SPARSEKIT_INLINE void csr_rows(const A& a, const T* x, index_t stride, index_t r0, index_t r1,
                               index_t column, index_t columns, const Output& out) {
  constexpr int w = Lanes::width;
  constexpr bool along_rows = std::is_same_v<decltype(out.y), dense_view<T, row_major>>;
  const auto tail = Lanes::first(columns - (Registers - 1) * w);
  const bool full = columns == Registers * w;
  [[maybe_unused]] alignas(64) T tile[along_rows ? 1 : w * w * Registers];
  for (index_t r = r0; r < r1; ++r) {
    typename Lanes::reg sum[Registers];
    simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE { sum[j] = Lanes::zero(); });
    const index_t end = static_cast<index_t>(a.row_ptr[r + 1]);
    for (index_t p = static_cast<index_t>(a.row_ptr[r]); p < end; ++p) {
      const auto value = Lanes::broadcast(a.values[p]);
      const T* row = x + static_cast<index_t>(a.columns[p]) * stride;
      simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
        if constexpr (MaskX && j == Registers - 1) {
          sum[j] = Lanes::fma(value, Lanes::load(tail, row + j * w), sum[j]);
        } else {
          sum[j] = Lanes::fma(value, Lanes::load(row + j * w), sum[j]);
        }
      });
    }
    if constexpr (along_rows) {
      simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
        if (j < Registers - 1 || full) {
          out.put(sum[j], r, column + j * w, simd::all_lanes{});
        } else {
          out.put(sum[j], r, column + j * w, tail);
        }
      });
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

/// csr_rows with as many registers as `columns` take.
template <class Lanes, bool MaskX, class A, class T, class Output>
SPARSEKIT_INLINE void csr_rows_any(const A& a, const T* x, index_t stride, index_t r0, index_t r1,
                                   index_t column, index_t columns, const Output& out) {
  const index_t registers = ceil_div(columns, Lanes::width);
  const bool mask = MaskX && columns % Lanes::width != 0;
  simd::unroll<csr_tile>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
    if (registers != j + 1) return;
    if constexpr (MaskX) {
      if (mask) return csr_rows<Lanes, j + 1, true>(a, x, stride, r0, r1, column, columns, out);
    }
    csr_rows<Lanes, j + 1, false>(a, x, stride, r0, r1, column, columns, out);
  });
}

template <class Arch, class T>
struct spmm_csr_panel {
  using lanes = simd::lanes<Arch, T>;
  static constexpr index_t width = csr_tile * lanes::width;

  template <class Call>
  static constexpr bool possible = Call::has_workspace;
  template <class Call>
  static bool accepts(const Call& c) {
    return !is_spmv(c) && c.scratch.worker_bytes >= requirement(c.a, c.x.cols()).per_worker;
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    const index_t panel = columns < width ? round_up(columns, lanes::width) : width;
    return {.shared = 0, .per_worker = a.cols() * panel * index_t{sizeof(T)}};
  }
  template <class Call>
  static void run(const Call& c) {
    const auto& a = c.a;
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    const index_t panels = ceil_div(n, width);
    // A task is one panel and a range of rows; each re-lays its panel for itself.
    const index_t wanted = task_count(c.policy, a.nnz() * n, panels * ceil_div(a.rows(), 16));
    const index_t parts = ceil_div(wanted, panels);
    run_tasks(c.policy, panels * parts, [&](index_t task, index_t worker) {
      const index_t column = task / parts * width;
      const index_t columns = n - column < width ? n - column : width;
      const index_t stride = round_up(columns, lanes::width);
      T* panel = c.scratch.template worker_as<T>(worker);
      relay_panel<lanes, T>(c.x, column, columns, stride, panel);
      csr_rows_any<lanes, false>(a, panel, stride, balanced_row(a.row_ptr, task % parts, parts),
                                 balanced_row(a.row_ptr, task % parts + 1, parts), column, columns,
                                 out);
    });
  }
};

template <class Arch, class T>
struct spmm_csr_inplace {
  using lanes = simd::lanes<Arch, T>;
  static constexpr index_t width = csr_tile * lanes::width;

  template <class Call>
  static constexpr bool possible = std::is_same_v<typename Call::x_layout, row_major>;
  template <class Call>
  static bool accepts(const Call& c) {
    return !is_spmv(c) && std::is_same_v<typename Call::x_layout, row_major>;
  }
  template <class A>
  static workspace_size requirement(const A&, index_t) {
    return {};
  }
  template <class Call>
  static void run(const Call& c) {
    const auto& a = c.a;
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    const index_t tasks = task_count(c.policy, a.nnz() * n, ceil_div(a.rows(), 16));
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t r0 = balanced_row(a.row_ptr, task, tasks);
      const index_t r1 = balanced_row(a.row_ptr, task + 1, tasks);
      for (index_t column = 0; column < n; column += width) {
        const index_t columns = n - column < width ? n - column : width;
        csr_rows_any<lanes, true>(a, c.x.data() + column, c.x.ld(), r0, r1, column, columns, out);
      }
    });
  }
};

template <class Arch, class T>
struct spmm_csr_columns {
  using lanes = simd::lanes<Arch, T>;

  template <class Call>
  static constexpr bool possible = std::is_same_v<typename Call::x_layout, col_major>;
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
    const auto out = output_of<simd::lanes<arch::scalar, T>>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    const index_t tasks = task_count(c.policy, a.nnz() * n, ceil_div(a.rows(), 16));
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t end = balanced_row(a.row_ptr, task + 1, tasks);
      for (index_t r = balanced_row(a.row_ptr, task, tasks); r < end; ++r) {
        const index_t begin = static_cast<index_t>(a.row_ptr[r]);
        const index_t entries = static_cast<index_t>(a.row_ptr[r + 1]) - begin;
        for (index_t j = 0; j < n; ++j) {
          const T sum = sparse_dot<lanes>(a.values.data() + begin, a.columns.data() + begin,
                                          entries, c.x.data() + j * c.x.ld());
          out.put(sum, r, j, simd::all_lanes{});
        }
      }
    });
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
