// Y = W X for dense W where it lies, in any mix of layouts. Weights that are used again are better
// packed (packed.hpp); these kernels prepare nothing, or only X.
//
//   gemm_dense_panel    re-lays X into a panel in the workspace: any layout of X
//   gemm_dense_inplace  reads row-major X where it lies
//   gemm_dense_columns  column-major X without a workspace
//
// A tile holds V registers along the columns of X and H rows of W. A step costs V loads, H
// broadcast loads and V * H multiply-adds: 6 x 4 and 8 x 3 are bound by the FMA units; 8 x 1, where
// N is short, by the load units (9 loads for 8 multiply-adds).
#pragma once

#include "../relay.hpp"
#include "dot.hpp"
#include "tile.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// The most registers along the columns of X.
template <class Arch>
inline constexpr int dense_vectors = accumulators<Arch> == 24 ? 4 : 2;

/// Rows of W in a tile. Rows that are `ld` apart need an address register each, so 8 is the most.
template <class Arch>
constexpr int dense_height(int vectors) {
  const int most = accumulators<Arch> / vectors;
  return most < 8 ? most : 8;
}

/// Rows [r0, r1) of W times `columns` columns of X, whose rows start at x and lie `step` apart.
template <class Arch, int Vectors, bool MaskX, class T, class Layout, class Output>
void dense_rows(dense_view<const T, Layout> w, const T* x, index_t step, index_t r0, index_t r1,
                index_t column, index_t columns, const Output& out) {
  using lanes = simd::lanes<Arch, T>;
  for_tiles<dense_height<Arch>(Vectors)>(
      r0, r1, [&](index_t r, auto height) SPARSEKIT_LAMBDA_INLINE {
        constexpr int h = height;
        const auto tile = [&](auto k_step, auto row_stride) SPARSEKIT_LAMBDA_INLINE {
          const tile_operands o{x, step, &w(r, 0), k_step, row_stride};
          run_tile<lanes, Vectors, h, roles::columns, MaskX>(o, w.cols(), columns, out, column, r);
        };
        if constexpr (Layout::rows_contiguous) {
          tile(fixed_stride<1>{}, w.ld());
        } else {
          tile(w.ld(), fixed_stride<1>{});
        }
      });
}

/// dense_rows with as many registers as `columns` take.
template <class Arch, bool MaskX, class T, class Layout, class Output>
void dense_rows_any(dense_view<const T, Layout> w, const T* x, index_t step, index_t r0, index_t r1,
                    index_t column, index_t columns, const Output& out) {
  constexpr int width = simd::lanes<Arch, T>::width;
  const index_t registers = ceil_div(columns, width);
  const bool mask = MaskX && columns % width != 0;
  simd::unroll<dense_vectors<Arch>>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
    if (registers != j + 1) return;
    if constexpr (MaskX && width > 1) {
      if (mask) return dense_rows<Arch, j + 1, true>(w, x, step, r0, r1, column, columns, out);
    }
    dense_rows<Arch, j + 1, false>(w, x, step, r0, r1, column, columns, out);
  });
}

/// Multiply-adds of the product in the units of task_count, which counts sparse ones: dense ones
/// are some eight times as fast.
template <class Call>
index_t dense_work(const Call& c) {
  return c.a.rows() * c.a.cols() / 8 * c.x.cols();
}
/// First row of a task: multiples of 16, so that no two tasks share a cache line of Y.
inline index_t task_row(index_t rows, index_t task, index_t tasks) {
  const index_t lines = ceil_div(rows, 16);
  const index_t r = (lines / tasks * task + lines % tasks * task / tasks) * 16;
  return r < rows ? r : rows;
}

template <class Arch, class T>
struct gemm_dense_panel {
  using lanes = simd::lanes<Arch, T>;
  static constexpr index_t width = dense_vectors<Arch> * lanes::width;

  template <class Call>
  static constexpr bool possible = Call::has_workspace && !Call::one_column;
  template <class Call>
  static bool accepts(const Call& c) {
    return !is_spmv(c) && c.scratch.worker_bytes >= requirement(c.a, c.x.cols()).per_worker &&
           c.scratch.worker_bytes > 0;
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    const index_t panel = columns < width ? round_up(columns, lanes::width) : width;
    return {.shared = 0, .per_worker = columns < 2 ? 0 : a.cols() * panel * index_t{sizeof(T)}};
  }
  template <class Call>
  static void run(const Call& c) {
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    const index_t rows = c.a.rows();
    const index_t panels = ceil_div(n, width);
    const index_t wanted = task_count(c.policy, dense_work(c), panels * ceil_div(rows, 16));
    const index_t parts = ceil_div(wanted, panels);
    run_tasks(c.policy, panels * parts, [&](index_t task, index_t worker) {
      const index_t column = task / parts * width;
      const index_t columns = n - column < width ? n - column : width;
      const index_t stride = round_up(columns, lanes::width);
      T* panel = c.scratch.template worker_as<T>(worker);
      relay_panel<lanes, T>(c.x, column, columns, stride, panel);
      dense_rows_any<Arch, false>(c.a, panel, stride, task_row(rows, task % parts, parts),
                                  task_row(rows, task % parts + 1, parts), column, columns, out);
    });
  }
};

template <class Arch, class T>
struct gemm_dense_inplace {
  using lanes = simd::lanes<Arch, T>;
  static constexpr index_t width = dense_vectors<Arch> * lanes::width;

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
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    const index_t rows = c.a.rows();
    const index_t tasks = task_count(c.policy, dense_work(c), ceil_div(rows, 16));
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      for (index_t column = 0; column < n; column += width) {
        const index_t columns = n - column < width ? n - column : width;
        dense_rows_any<Arch, true>(c.a, c.x.data() + column, c.x.ld(), task_row(rows, task, tasks),
                                   task_row(rows, task + 1, tasks), column, columns, out);
      }
    });
  }
};

template <class Arch, class T>
struct gemm_dense_columns {
  using lanes = simd::lanes<Arch, T>;

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
    const index_t rows = c.a.rows();
    const index_t tasks = task_count(c.policy, dense_work(c), ceil_div(rows, 16));
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t r0 = task_row(rows, task, tasks);
      const index_t r1 = task_row(rows, task + 1, tasks);
      if constexpr (Call::matrix::layout::rows_contiguous) {
        dot_rows<Arch>(dense_view<const T, row_major>(c.a), c.x, r0, r1,
                       output_of<simd::lanes<arch::scalar, T>>(c.y, c.epilogue));
      } else {
        lanes_of_rows(c, r0, r1);
      }
    });
  }

 private:
  /// Column-major W: the registers hold rows of it, the numbers come from columns of X.
  template <class Call>
  static void lanes_of_rows(const Call& c, index_t r0, index_t r1) {
    const auto out = output_of<lanes>(c.y, c.epilogue);
    constexpr int w = lanes::width;
    constexpr int vectors = dense_vectors<Arch> - 1;
    index_t r = r0;
    while (r < r1) {
      const index_t left = r1 - r;
      const bool full = left >= vectors * w;
      const auto group = [&](auto v, auto mask) SPARSEKIT_LAMBDA_INLINE {
        const index_t count = left < v * w ? left : v * w;
        for_tiles<dense_height<Arch>(vectors)>(
            0, c.x.cols(), [&](index_t j, auto number) SPARSEKIT_LAMBDA_INLINE {
              const tile_operands o{&c.a(r, 0), c.a.ld(), &c.x(0, j), fixed_stride<1>{}, c.x.ld()};
              run_tile<lanes, v, number, roles::rows, mask>(o, c.a.cols(), count, out, r, j);
            });
        r += count;
      };
      if (full) {
        group(std::integral_constant<int, vectors>{}, std::false_type{});
      } else {
        group(std::integral_constant<int, 1>{}, std::true_type{});
      }
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
