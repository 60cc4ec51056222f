// Y = A X where A is not sorted by rows, without a workspace: each entry adds to whichever row it names. The
// sums wait in y itself; or, where the epilogue wants what y held, in a small array on the stack, and every
// block of rows is one pass over the entries that fall into it. Tasks own ranges of rows; the order of each
// sum is that of the entries: the result does not depend on how rows are shared out. Every task looks at
// all entries, or searches every column: with a workspace, kernels/scatter/chunks.hpp does not.
#pragma once

#include <atomic>

#include "entries.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Bytes of sums on the stack: a quarter of a 64 KiB thread stack.
inline constexpr index_t scatter_block_bytes = 16384;
/// More tasks than this spend their time on entries of other tasks.
inline constexpr index_t most_scatter_tasks = 8;

/// Whether row indices never decrease within a column, so that a search finds a block of rows. A
/// view may be unsorted (validate_options::allow_unsorted) and says so nowhere: it takes a look at
/// every index, which is little beside the searches of every block in every column that it decides
/// about.
template <class Policy, class T, class Index, class Offset>
bool rows_are_sorted(const Policy& policy, const csc_view<const T, Index, Offset>& a) {
  constexpr index_t columns_a_task = 4096;
  std::atomic<bool> sorted{true};
  run_tasks(policy, ceil_div(a.cols(), columns_a_task), [&](index_t task, index_t) {
    const index_t first = task * columns_a_task;
    const index_t last = a.cols() - first < columns_a_task ? a.cols() : first + columns_a_task;
    bool increasing = true;
    for (index_t column = first; column < last; ++column) {
      const index_t end = static_cast<index_t>(a.col_ptr[column + 1]);
      for (index_t p = static_cast<index_t>(a.col_ptr[column]) + 1; p < end; ++p) {
        increasing &= a.row_indices[p - 1] <= a.row_indices[p];
      }
    }
    if (!increasing) sorted.store(false, std::memory_order_relaxed);
  });
  return sorted.load(std::memory_order_relaxed);
}
template <class Policy, class A>
bool rows_are_sorted(const Policy&, const A&) {
  return false;
}

/// f(row, column, value) for the entries of A with row in [r0, r1), in the order of the entries: all are
/// looked at, except
template <class A, class F>
SPARSEKIT_INLINE void for_entries_in_rows(const A& a, bool, index_t r0, index_t r1, F&& f) {
  scatter_entries(a, 0, scatter_units(a), [&](index_t row, index_t column, const auto& value)
                                              SPARSEKIT_LAMBDA_INLINE {
    if (row >= r0 && row < r1) f(row, column, value);
  });
}
/// in sorted columns, where a search finds the first.
template <class T, class Index, class Offset, class F>
SPARSEKIT_INLINE void for_entries_in_rows(const csc_view<const T, Index, Offset>& a, bool sorted,
                                          index_t r0, index_t r1, F&& f) {
  for (index_t column = 0; column < a.cols(); ++column) {
    index_t p = static_cast<index_t>(a.col_ptr[column]);
    const index_t end = static_cast<index_t>(a.col_ptr[column + 1]);
    if (sorted && r0 > 0) {
      index_t high = end;
      while (p < high) {
        const index_t middle = p + (high - p) / 2;
        if (static_cast<index_t>(a.row_indices[middle]) < r0) {
          p = middle + 1;
        } else {
          high = middle;
        }
      }
    }
    for (; p < end; ++p) {
      const index_t row = static_cast<index_t>(a.row_indices[p]);
      if (row >= r1 && sorted) break;
      if (row >= r0 && row < r1) f(row, column, a.values[p]);
    }
  }
}

/// Row ranges of tasks that add into y.
template <class Call>
index_t scatter_tasks(const Call& c, index_t columns) {
  const index_t most = std::min(most_scatter_tasks, ceil_div(c.a.rows(), 64));
  return task_count(c.policy, c.a.nnz() * columns, most);
}
inline index_t scatter_row(index_t rows, index_t task, index_t tasks) {
  return std::min(rows, round_up(rows / tasks * task + rows % tasks * task / tasks, 16));
}

/// Whether sums can wait in y: where it holds what they are, and the epilogue does not want what it
/// held.
template <class Call>
inline constexpr bool sums_fit_in_y =
    !Call::epilogue_type::reads_y && std::is_same_v<typename Call::y_type, typename Call::sum_type>;

template <class Arch, class T>
struct spmv_scatter : spmv_kernel {
  static constexpr bool asks_for_y = true;
  using S = sum_of_t<T>;
  using lanes = simd::lanes<Arch, S>;
  static constexpr index_t block = scatter_block_bytes / index_t{sizeof(S)};

  template <class Call>
  static void run(const Call& c) {
    const index_t rows = c.a.rows();
    if constexpr (!sums_fit_in_y<Call>) {
      const bool sorted = rows > block && rows_are_sorted(c.policy, c.a);
      run_tasks(c.policy, ceil_div(rows, block), [&](index_t task, index_t) {
        alignas(64) S sums[block];
        const index_t r0 = task * block;
        add_rows(c, sorted, r0, std::min(rows, r0 + block), sums);
      });
    } else {
      const index_t tasks = scatter_tasks(c, 1);
      const bool sorted = tasks > 1 && rows_are_sorted(c.policy, c.a);
      run_tasks(c.policy, tasks, [&](index_t task, index_t) {
        const index_t r0 = scatter_row(rows, task, tasks);
        add_rows(c, sorted, r0, scatter_row(rows, task + 1, tasks), c.y.data() + r0);
      });
    }
  }

 private:
  /// Rows [r0, r1): their sums in sums[0 ..], then to y.
  template <class Call>
  static SPARSEKIT_INLINE void add_rows(const Call& c, bool sorted, index_t r0, index_t r1,
                                        S* sums) {
    using one = simd::lanes<arch::scalar, S>;
    const auto add = [&](S& sum, index_t column, T value) SPARSEKIT_LAMBDA_INLINE {
      sum = simd::add_product<one>(simd::number_as<S>(value),
                                   simd::number_as<S>(c.x.data()[column]), sum);
    };
    for (index_t i = 0; i < r1 - r0; ++i) sums[i] = S{0};
    if (r0 == 0 && r1 == c.a.rows()) {
      scatter_entries(c.a, 0, scatter_units(c.a),
                      [&](index_t row, index_t column, T value)
                          SPARSEKIT_LAMBDA_INLINE { add(sums[row], column, value); });
    } else {
      for_entries_in_rows(c.a, sorted, r0, r1,
                          [&](index_t row, index_t column, T value)
                              SPARSEKIT_LAMBDA_INLINE { add(sums[row - r0], column, value); });
    }
    const auto out = output_of<lanes>(c.y, c.epilogue);
    index_t r = r0;
    for (; r + lanes::width <= r1; r += lanes::width) {
      out.put(lanes::load(sums + (r - r0)), r, 0, simd::all_lanes{});
    }
    if (r < r1) {
      const auto tail = lanes::first(r1 - r);
      out.put(lanes::load(tail, sums + (r - r0)), r, 0, tail);
    }
  }
};

template <class Arch, class T>
struct spmm_scatter {
  static constexpr bool asks_for_y = true;
  using S = sum_of_t<T>;
  using lanes = simd::lanes<Arch, S>;
  static constexpr int registers = 2;
  static constexpr index_t width = registers * lanes::width;
  static constexpr index_t block =
      scatter_block_bytes / (width * index_t{sizeof(S)}) / lanes::width * lanes::width;

  template <class Call>
  static constexpr bool possible = !Call::one_column;
  template <class Call>
  static bool accepts(const Call& c) {
    return !is_spmv(c);
  }
  template <class A>
  static workspace_size requirement(const A&, index_t) {
    return {};
  }
  template <class Call>
  static void run(const Call& c) {
    const index_t rows = c.a.rows();
    const index_t n = c.x.cols();
    if constexpr (sums_fit_in_y<Call>) {
      const index_t tasks = scatter_tasks(c, n);
      const bool sorted = tasks > 1 && rows_are_sorted(c.policy, c.a);
      run_tasks(c.policy, tasks, [&](index_t task, index_t) {
        const index_t r0 = scatter_row(rows, task, tasks);
        add_to_y(c, sorted, r0, scatter_row(rows, task + 1, tasks));
      });
    } else {
      add_on_stack(c, rows, n);
    }
  }

 private:
  template <class Call>
  static void add_on_stack(const Call& c, index_t rows, index_t n) {
    const bool sorted = rows > block && rows_are_sorted(c.policy, c.a);
    const index_t panels = ceil_div(n, width);
    run_tasks(c.policy, ceil_div(rows, block) * panels, [&](index_t task, index_t) {
      const index_t r0 = task / panels * block;
      const index_t r1 = std::min(rows, r0 + block);
      const index_t column = task % panels * width;
      const index_t columns = std::min(n - column, width);
      alignas(64) S sums[block * width];
      for (index_t i = 0; i < block * width; i += lanes::width) {
        lanes::store(sums + i, lanes::zero());
      }
      if (columns == width) {
        add_entries<false>(c, sorted, r0, r1, column, columns, sums);
      } else {
        add_entries<true>(c, sorted, r0, r1, column, columns, sums);
      }
      put_block(c, sums, r0, r1, column, columns);
    });
  }

  /// Rows [r0, r1) of Y: cleared, added to entry by entry, then handed to the epilogue in place.
  template <class Call>
  static SPARSEKIT_INLINE void add_to_y(const Call& c, bool sorted, index_t r0, index_t r1) {
    using one = simd::lanes<arch::scalar, S>;
    constexpr bool by_rows = std::is_same_v<typename Call::y_layout, row_major>;
    constexpr bool wide = by_rows && std::is_same_v<typename Call::x_layout, row_major>;
    const index_t n = c.x.cols();
    const index_t outer = by_rows ? r1 - r0 : n;
    const index_t inner = by_rows ? n : r1 - r0;
    S* first = c.y.data() + (by_rows ? r0 * c.y.ld() : r0);
    for (index_t i = 0; i < outer; ++i) {
      for (index_t j = 0; j < inner; ++j) first[i * c.y.ld() + j] = S{0};
    }
    for_entries_in_rows(c.a, sorted, r0, r1, [&](index_t row, index_t k, T value) SPARSEKIT_LAMBDA_INLINE {
      index_t j = 0;
      if constexpr (wide) {
        S* sums = c.y.data() + row * c.y.ld();
        const auto* xs = c.x.data() + k * c.x.ld();
        const auto v = simd::broadcast_as<lanes>(value);
        for (; j + lanes::width <= n; j += lanes::width) {
          const typename lanes::reg x = simd::load_as<lanes>(simd::all_lanes{}, xs + j);
          lanes::store(sums + j, simd::add_product<lanes>(v, x, lanes::load(sums + j)));
        }
      }
      for (; j < n; ++j) {
        c.y(row, j) = simd::add_product<one>(simd::number_as<S>(value),
                                             simd::number_as<S>(c.x(k, j)), c.y(row, j));
      }
    });
    const auto out = output_of<lanes>(c.y, c.epilogue);
    for (index_t i = 0; i < outer; ++i) {
      for (index_t j = 0; j < inner; j += lanes::width) {
        const S* sums = first + i * c.y.ld() + j;
        const index_t row = r0 + (by_rows ? i : j);
        const index_t column = by_rows ? j : i;
        if (inner - j >= lanes::width) {
          out.put(lanes::load(sums), row, column, simd::all_lanes{});
        } else {
          const auto mask = lanes::first(inner - j);
          out.put(lanes::load(mask, sums), row, column, mask);
        }
      }
    }
  }

  template <bool Masked, class Call>
  static SPARSEKIT_INLINE void add_entries(const Call& c, bool sorted, index_t r0, index_t r1,
                                           index_t column, index_t columns, S* sums) {
    const auto* x = c.x.data();
    const index_t ld = c.x.ld();
    for_entries_in_rows(
        c.a, sorted, r0, r1, [&](index_t row, index_t k, T value) SPARSEKIT_LAMBDA_INLINE {
          S* sum = sums + (row - r0) * width;
          if constexpr (std::is_same_v<typename Call::x_layout, row_major>) {
            const auto* xs = x + k * ld + column;
            const auto v = simd::broadcast_as<lanes>(value);
            simd::unroll<registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
              S* s = sum + j * lanes::width;
              const auto old = lanes::load(s);
              if constexpr (Masked) {
                const auto mask = lanes::first(columns - j * lanes::width);
                const typename lanes::reg part = simd::load_as<lanes>(mask, xs + j * lanes::width);
                lanes::store(s, simd::add_product<lanes>(v, part, old));
              } else {
                const typename lanes::reg part =
                    simd::load_as<lanes>(simd::all_lanes{}, xs + j * lanes::width);
                lanes::store(s, simd::add_product<lanes>(v, part, old));
              }
            });
          } else {
            using one = simd::lanes<arch::scalar, S>;
            for (index_t j = 0; j < columns; ++j) {
              sum[j] = simd::add_product<one>(simd::number_as<S>(value),
                                              simd::number_as<S>(x[(column + j) * ld + k]), sum[j]);
            }
          }
        });
  }

  template <class Call>
  static SPARSEKIT_INLINE void put_block(const Call& c, const S* sums, index_t r0, index_t r1,
                                         index_t column, index_t columns) {
    const auto out = output_of<lanes>(c.y, c.epilogue);
    if constexpr (std::is_same_v<typename Call::y_layout, row_major>) {
      for (index_t r = r0; r < r1; ++r) {
        const S* sum = sums + (r - r0) * width;
        for (index_t j = 0; j < columns; j += lanes::width) {
          if (columns - j >= lanes::width) {
            out.put(lanes::load(sum + j), r, column + j, simd::all_lanes{});
          } else {
            out.put(lanes::load(sum + j), r, column + j, lanes::first(columns - j));
          }
        }
      }
    } else {
      out.put_tile(sums, width, r1 - r0, columns, r0, column);
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
