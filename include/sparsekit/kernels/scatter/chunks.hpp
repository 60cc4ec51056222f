// Y = A X where A is not sorted by rows, in parallel: the entries are cut into chunks, each chunk adds into
// partial sums of its own in the workspace, and the partial sums of a row are added in the order of the
// chunks. How many chunks there are depends on the matrix alone, so the result has the same bits whoever
// runs them. A chunk clears, and gives to the final sum, only the rows between the first and the last that it
// reaches: of banded and of sorted matrices that is little more than its share of them.
#pragma once

#include "../relay.hpp"
#include "entries.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

inline constexpr index_t most_scatter_chunks = 16;
/// Rows are cleared and added in groups of whole registers and cache lines.
inline constexpr index_t scatter_group = 64;

/// At most half as many partial sums as there are entries; no chunk of less than 1024 entries.
template <class A>
index_t scatter_chunks(const A& a) {
  const index_t nnz = a.nnz();
  const index_t by_rows = nnz / (2 * std::max(a.rows(), index_t{1}));
  return std::clamp(std::min(by_rows, nnz / 1024), index_t{1}, most_scatter_chunks);
}

/// Runs work(chunk, reach) for every chunk of A; reach[chunk] is rounded outward to groups and stays within
/// the padded rows. `columns` is what a unit of work costs.
template <class Call, class F>
void run_scatter_chunks(const Call& c, index_t chunks, index_t columns,
                        row_range (&reach)[most_scatter_chunks], F&& work) {
  const index_t tasks = task_count(c.policy, c.a.nnz() * columns, chunks);
  run_tasks(c.policy, tasks, [&](index_t task, index_t) {
    for (index_t k = chunks * task / tasks; k < chunks * (task + 1) / tasks; ++k) {
      const index_t u0 = scatter_cut(c.a, k, chunks);
      const index_t u1 = scatter_cut(c.a, k + 1, chunks);
      row_range r = scatter_reach(c.a, u0, u1);
      r.begin = r.begin / scatter_group * scatter_group;
      r.end = round_up(r.end, scatter_group);
      reach[k] = r.begin < r.end ? r : row_range{};
      work(k, u0, u1, reach[k]);
    }
  });
}

/// The chunks that reach one group of rows, in order.
struct reaching_chunks {
  index_t chunk[most_scatter_chunks];
  index_t count = 0;

  reaching_chunks(const row_range (&reach)[most_scatter_chunks], index_t chunks, index_t row) {
    for (index_t k = 0; k < chunks; ++k) {
      if (reach[k].begin <= row && row < reach[k].end) chunk[count++] = k;
    }
  }
};

template <class Arch, class T>
struct spmv_scatter_chunks {
  using S = sum_of_t<T>;
  using lanes = simd::lanes<Arch, S>;

  template <class Call>
  static constexpr bool possible = Call::has_workspace &&
                                   std::is_same_v<typename Call::x_layout, col_major> &&
                                   std::is_same_v<typename Call::y_layout, col_major>;
  template <class Call>
  static bool accepts(const Call& c) {
    return is_spmv(c) && c.scratch.shared_bytes >= requirement(c.a, 1).shared;
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t) {
    return {.shared = scatter_chunks(a) * round_up(a.rows(), scatter_group) * index_t{sizeof(S)},
            .per_worker = 0};
  }
  template <class Call>
  static void run(const Call& c) {
    const index_t rows = c.a.rows();
    const index_t stride = round_up(rows, scatter_group);
    const index_t chunks = scatter_chunks(c.a);
    S* partial = c.scratch.template shared_as<S>();
    row_range reach[most_scatter_chunks];
    run_scatter_chunks(c, chunks, 1, reach,
                       [&](index_t chunk, index_t u0, index_t u1, row_range r) {
                         S* sums = partial + chunk * stride;
                         for (index_t i = r.begin; i < r.end; i += lanes::width) {
                           lanes::store(sums + i, lanes::zero());
                         }
                         scatter_product(c.a, u0, u1, c.x.data(), sums);
                       });

    const auto out = output_of<lanes>(c.y, c.epilogue);
    const index_t groups = ceil_div(rows, scatter_group);
    const index_t tasks = task_count(c.policy, chunks * rows, groups);
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      for (index_t g = groups * task / tasks; g < groups * (task + 1) / tasks; ++g) {
        const reaching_chunks from(reach, chunks, g * scatter_group);
        const index_t end = std::min(rows, (g + 1) * scatter_group);
        for (index_t r = g * scatter_group; r < end; r += lanes::width) {
          auto sum = lanes::zero();
          for (index_t i = 0; i < from.count; ++i) {
            sum = lanes::add(sum, lanes::load(partial + from.chunk[i] * stride + r));
          }
          if (end - r >= lanes::width) {
            out.put(sum, r, 0, simd::all_lanes{});
          } else {
            out.put(sum, r, 0, lanes::first(end - r));
          }
        }
      }
    });
  }
};

template <class Arch, class T>
struct spmm_scatter_chunks {
  using S = sum_of_t<T>;
  using lanes = simd::lanes<Arch, S>;
  static constexpr int registers = 4;
  static constexpr index_t width = registers * lanes::width;

  template <class Call>
  static constexpr bool possible = Call::has_workspace && !Call::one_column;
  template <class Call>
  static bool accepts(const Call& c) {
    return c.x.cols() > 1 && c.scratch.shared_bytes >= requirement(c.a, c.x.cols()).shared;
  }
  /// X as a panel, then the partial sums. One column that is not contiguous is left to the kernel without
  /// a workspace: here it would take the memory of a register's worth of columns.
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    if (columns < 2) return {};
    const index_t stride = stride_for(columns);
    return {.shared = (panel_size(a, stride) +
                       scatter_chunks(a) * round_up(a.rows(), scatter_group) * stride) *
                      index_t{sizeof(S)},
            .per_worker = 0};
  }
  template <class Call>
  static void run(const Call& c) {
    const index_t n = c.x.cols();
    for (index_t column = 0; column < n; column += width) {
      run_panel(c, column, std::min(n - column, width));
    }
  }

 private:
  static index_t stride_for(index_t columns) {
    return columns < width ? round_up(columns, lanes::width) : width;
  }
  template <class A>
  static index_t panel_size(const A& a, index_t stride) {
    return round_up(a.cols() * stride, scatter_group);
  }

  template <class Call>
  static void run_panel(const Call& c, index_t column, index_t columns) {
    const index_t stride = stride_for(columns);
    const index_t chunks = scatter_chunks(c.a);
    const index_t chunk_size = round_up(c.a.rows(), scatter_group) * stride;
    S* panel = c.scratch.template shared_as<S>();
    S* partial = panel + panel_size(c.a, stride);
    relay(c, column, columns, stride, panel);

    row_range reach[most_scatter_chunks];
    run_scatter_chunks(
        c, chunks, columns, reach, [&](index_t chunk, index_t u0, index_t u1, row_range r) {
          S* sums = partial + chunk * chunk_size;
          for (index_t i = r.begin * stride; i < r.end * stride; i += lanes::width) {
            lanes::store(sums + i, lanes::zero());
          }
          simd::unroll<registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
            if (stride == (j + 1) * lanes::width) add_entries<j + 1>(c.a, u0, u1, panel, sums);
          });
        });

    const index_t groups = ceil_div(c.a.rows(), scatter_group);
    const index_t tasks = task_count(c.policy, chunks * c.a.rows() * columns, groups);
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      for (index_t g = groups * task / tasks; g < groups * (task + 1) / tasks; ++g) {
        const reaching_chunks from(reach, chunks, g * scatter_group);
        put_group(c, from, partial, chunk_size, stride, g * scatter_group, column, columns);
      }
    });
  }

  /// Units [u0, u1) of A times the panel.
  template <int Registers, class A>
  static SPARSEKIT_NOINLINE void add_entries(const A& a, index_t u0, index_t u1, const S* panel,
                                             S* sums) {
    constexpr index_t stride = Registers * lanes::width;
    scatter_entries(a, u0, u1, [&](index_t row, index_t k, T value) SPARSEKIT_LAMBDA_INLINE {
      const auto v = simd::broadcast_as<lanes>(value);
      simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
        S* s = sums + row * stride + j * lanes::width;
        const auto x = lanes::load(panel + k * stride + j * lanes::width);
        lanes::store(s, simd::add_product<lanes>(v, x, lanes::load(s)));
      });
    });
  }

  /// Pieces of rows of X, each by a task.
  template <class Call>
  static void relay(const Call& c, index_t column, index_t columns, index_t stride, S* panel) {
    using TX = typename Call::x_type;
    const index_t groups = ceil_div(c.x.rows(), scatter_group);
    const index_t tasks = task_count(c.policy, c.x.rows() * columns, groups);
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t k0 = groups * task / tasks * scatter_group;
      const index_t k1 = std::min(c.x.rows(), groups * (task + 1) / tasks * scatter_group);
      if (k0 >= k1) return;
      constexpr bool by_rows = std::is_same_v<typename Call::x_layout, row_major>;
      const TX* x = c.x.data() + (by_rows ? k0 * c.x.ld() : k0);
      relay_panel<lanes, S>(
          dense_view<const TX, typename Call::x_layout>(x, k1 - k0, c.x.cols(), c.x.ld()), column,
          columns, stride, panel + k0 * stride);
    });
  }

  /// The sums of one group of rows, to Y by way of a tile of as many rows as a register has lanes.
  template <class Call>
  static void put_group(const Call& c, const reaching_chunks& from, const S* partial,
                        index_t chunk_size, index_t stride, index_t first, index_t column,
                        index_t columns) {
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const index_t end = std::min(c.a.rows(), first + scatter_group);
    alignas(64) S tile[lanes::width * width];
    for (index_t r = first; r < end; r += lanes::width) {
      const index_t rows = std::min(end - r, index_t{lanes::width});
      for (index_t i = 0; i < lanes::width * stride; i += lanes::width) {
        auto sum = lanes::zero();
        for (index_t k = 0; k < from.count; ++k) {
          sum = lanes::add(sum,
                           lanes::load(partial + from.chunk[k] * chunk_size + r * stride + i));
        }
        lanes::store(tile + i, sum);
      }
      if constexpr (std::is_same_v<typename Call::y_layout, row_major>) {
        for (index_t i = 0; i < rows; ++i) {
          for (index_t j = 0; j < columns; j += lanes::width) {
            const auto sum = lanes::load(tile + i * stride + j);
            if (columns - j >= lanes::width) {
              out.put(sum, r + i, column + j, simd::all_lanes{});
            } else {
              out.put(sum, r + i, column + j, lanes::first(columns - j));
            }
          }
        }
      } else {
        out.put_tile(tile, stride, rows, columns, r, column);
      }
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
