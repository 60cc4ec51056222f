// The three ways in which a format whose rows come in groups (rows of CSR, slices of SELL, block rows of
// BSR) is multiplied by a matrix; only the innermost tile differs from format to format.
//
//   panel    re-lays X into a panel in the workspace first: any layout of X
//   inplace  reads row-major X where it lies
//   columns  column-major X without a workspace: a column at a time
//
// A Tile has offsets(a), the array that balances groups among tasks, and
//   run<Lanes, Registers, MaskX>(a, x, stride, g0, g1, column, columns, out)
// for groups [g0, g1) times `columns` columns of X, which start at x and whose rows lie `stride` apart.
#pragma once

#include "../relay.hpp"
#include "../spmv/csr.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// run with as many registers as `columns` take, at most Tile::registers. One function for calls of all policies.
template <class Lanes, class Tile, bool MaskX, class A, class TX, class Output>
SPARSEKIT_NOINLINE void run_tile(const A& a, const TX* x, index_t stride, index_t g0, index_t g1,
                                 index_t column, index_t columns, const Output& out) {
  const index_t registers = ceil_div(columns, Lanes::width);
  const bool mask = MaskX && columns % Lanes::width != 0;
  simd::unroll<Tile::registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
    if (registers != j + 1) return;
    if constexpr (MaskX) {
      if (mask) {
        Tile::template run<Lanes, j + 1, true>(a, x, stride, g0, g1, column, columns, out);
        return;
      }
    }
    Tile::template run<Lanes, j + 1, false>(a, x, stride, g0, g1, column, columns, out);
  });
}

/// sum[j] += value times register j of a row of X. MaskX: the last one under `tail`.
template <class Lanes, int Registers, bool MaskX, class T, class TX>
SPARSEKIT_INLINE void add_entry(T value, const TX* row, typename Lanes::mask tail,
                                typename Lanes::reg (&sum)[Registers]) {
  const auto factor = simd::broadcast_as<Lanes>(value);
  simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
    constexpr index_t at = j * Lanes::width;
    if constexpr (MaskX && j == Registers - 1) {
      sum[j] = simd::add_product<Lanes>(factor, simd::load_as<Lanes>(tail, row + at), sum[j]);
    } else {
      sum[j] = simd::add_product<Lanes>(factor, simd::load_as<Lanes>(simd::all_lanes{}, row + at),
                                        sum[j]);
    }
  });
}

/// A finished row of sums into Y, whatever its layout. MaskX as above.
template <class Lanes, int Registers, class Output>
SPARSEKIT_INLINE void put_row(const typename Lanes::reg (&sum)[Registers], index_t row,
                              index_t column, index_t columns, const Output& out) {
  constexpr int w = Lanes::width;
  using S = simd::value_of<Lanes>;
  if constexpr (decltype(out.y)::layout::rows_contiguous) {
    out.template put_run<Registers>(sum, row, column, columns == Registers * w,
                                    Lanes::first(columns - (Registers - 1) * w));
  } else {
    alignas(64) S values[Registers * w];
    simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
      Lanes::store(values + j * w, sum[j]);
    });
    const auto one = output_of<simd::lanes<arch::scalar, S>>(out.y, out.epilogue);
    for (index_t j = 0; j < columns; ++j) one.put(values[j], row, column + j, simd::all_lanes{});
  }
}

template <class Arch, class T, class Tile>
struct spmm_tiled_panel {
  using S = sum_of_t<T>;
  using lanes = simd::lanes<Arch, S>;
  static constexpr index_t width = Tile::registers * lanes::width;

  template <class Call>
  static constexpr bool possible = Call::has_workspace && !Call::one_column;
  template <class Call>
  static bool accepts(const Call& c) {
    return !is_spmv(c) && c.scratch.worker_bytes >= requirement(c.a, c.x.cols()).per_worker;
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    const index_t panel = columns < width ? round_up(columns, lanes::width) : width;
    return {.shared = 0, .per_worker = a.cols() * panel * index_t{sizeof(S)}};
  }
  template <class Call>
  static void run(const Call& c) {
    const auto& a = c.a;
    const auto offsets = Tile::offsets(a);
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    const index_t panels = ceil_div(n, width);
    const index_t wanted = task_count(c.policy, a.nnz() * n, panels * ceil_div(a.rows(), 16));
    const index_t parts = ceil_div(wanted, panels);
    run_tasks(c.policy, panels * parts, [&](index_t task, index_t worker) {
      const index_t column = task / parts * width;
      const index_t columns = n - column < width ? n - column : width;
      const index_t stride = round_up(columns, lanes::width);
      S* panel = c.scratch.template worker_as<S>(worker);
      relay_panel<lanes, S>(c.x, column, columns, stride, panel);
      run_tile<lanes, Tile, false>(a, panel, stride, balanced_row(offsets, task % parts, parts),
                                   balanced_row(offsets, task % parts + 1, parts), column, columns,
                                   out);
    });
  }
};

template <class Arch, class T, class Tile>
struct spmm_tiled_inplace {
  using lanes = simd::lanes<Arch, sum_of_t<T>>;
  static constexpr index_t width = Tile::registers * lanes::width;

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
    const auto offsets = Tile::offsets(a);
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    const index_t tasks = task_count(c.policy, a.nnz() * n, ceil_div(a.rows(), 16));
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t g0 = balanced_row(offsets, task, tasks);
      const index_t g1 = balanced_row(offsets, task + 1, tasks);
      for (index_t column = 0; column < n; column += width) {
        const index_t columns = n - column < width ? n - column : width;
        run_tile<lanes, Tile, true>(a, c.x.data() + column, c.x.ld(), g0, g1, column, columns,
                                    out);
      }
    });
  }
};

template <class Arch, class T, class Tile>
struct spmm_tiled_columns {
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
  // A contiguous column is a matrix of rows of length 1: the tile of scalars reads it as it lies.
  template <class Call>
  static void run(const Call& c) {
    using one = simd::lanes<arch::scalar, sum_of_t<T>>;
    const auto& a = c.a;
    const auto offsets = Tile::offsets(a);
    const auto out = output_of<one>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    const index_t tasks = task_count(c.policy, a.nnz() * n, ceil_div(a.rows(), 16));
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t g0 = balanced_row(offsets, task, tasks);
      const index_t g1 = balanced_row(offsets, task + 1, tasks);
      for (index_t j = 0; j < n; ++j) {
        Tile::template run<one, 1, false>(a, c.x.data() + j * c.x.ld(), index_t{1}, g0, g1, j,
                                          index_t{1}, out);
      }
    });
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
