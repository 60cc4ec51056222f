// Y = A X for packed structured matrices: the rows of X that A keeps come together in a panel, the smaller matrix
// is multiplied as the dense one it is (by the tiles of nm/panel.hpp, which read one column number for 16
// rows), and removed rows of Y get the epilogue of zero.
//
//   structured_panel   re-lays X into the workspace
//   structured_rows    few columns, or no workspace: lanes are the rows of a slice, X is read where it lies
#pragma once

#include "../../formats/structured.hpp"
#include "../nm/panel.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// The row of Y behind the first `kept` kept rows; behind the last of them, the end. So the rows from
/// structured_row_after(a, i) to structured_row_after(a, j) are the kept ones i .. j - 1 and the removed rows
/// around them.
template <class A>
index_t structured_row_after(const A& a, index_t kept) {
  if (kept == 0) return 0;
  return kept >= a.kept_rows.size() ? a.rows() : a.kept_rows[kept - 1] + index_t{1};
}

template <class Arch, class T>
struct spmm_structured_panel {
  using lanes = simd::lanes<Arch, T>;
  static constexpr index_t waiting_slices = 16;
  /// Rows that are brought together before they are transposed into column-major Y, and rows of X that are
  /// transposed at a time.
  static constexpr index_t chunk = 64;

  static index_t width_of(index_t columns) {
    const index_t most = nm_panel_registers * lanes::width;
    return columns < most ? round_up(columns, lanes::width) : most;
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    const index_t width = width_of(columns);
    const index_t sums = (waiting_slices * nm_slice + lanes::width) * width;
    const index_t together = (chunk + lanes::width) * width;
    return {.shared = 0,
            .per_worker = (round_up(a.kept_columns.size() * width, 64) + sums + together) *
                          index_t{sizeof(T)}};
  }
  template <class Call>
  static constexpr bool possible = Call::has_workspace && !Call::one_column;
  template <class Call>
  static bool accepts(const Call& c) {
    return !is_spmv(c) && c.x.cols() > 8 &&
           c.scratch.worker_bytes >= requirement(c.a, c.x.cols()).per_worker;
  }
  template <class Call>
  static void run(const Call& c) {
    const index_t slices = c.a.rest.slices() > 0 ? c.a.rest.slices() : 1;
    run_panel_tasks(c.policy, panel_split(c.x.cols(), lanes::width, nm_panel_registers),
                    c.a.rest.slots() * c.x.cols(), slices,
                    [&](auto... ranges) { run_panel(c, ranges...); });
  }

 private:
  template <class Call>
  static void run_panel(const Call& c, index_t register0, index_t register1, index_t slice0,
                        index_t slice1, index_t worker) {
    const auto& a = c.a;
    const index_t registers = register1 - register0;
    const index_t width = registers * lanes::width;
    const index_t column = register0 * lanes::width;
    const index_t columns = c.x.cols() - column < width ? c.x.cols() - column : width;
    T* const panel = c.scratch.template worker_as<T>(worker);
    T* const sums = panel + round_up(a.kept_columns.size() * width, 64);
    T* const together = sums + (waiting_slices * nm_slice + lanes::width) * width;
    const bool finite = relay_kept(c, column, columns, width, panel, together);
    for (index_t s = slice0; s < slice1; s += waiting_slices) {
      const index_t end = s + waiting_slices < slice1 ? s + waiting_slices : slice1;
      if (a.rest.slices() > 0) {
        nm_sum_slices<Arch>(a.rest, panel, registers,
                            finite ? panel_values::finite : panel_values::not_finite, s, end,
                            sums);
      }
      put(c, sums, together, width, s * nm_slice, end * nm_slice, column, columns);
    }
  }

  /// The kept rows of X as a panel; whether all of it is finite.
  template <class Call>
  static bool relay_kept(const Call& c, index_t column, index_t columns, index_t width, T* panel,
                         T* together) {
    const auto& kept = c.a.kept_columns;
    bool finite = true;
    if constexpr (std::is_same_v<typename Call::x_layout, row_major>) {
      for (index_t i = 0; i < kept.size();) {
        index_t run = 1;  // neighbours are re-laid together
        while (i + run < kept.size() && kept[i + run] == kept[i] + run) ++run;
        const dense_view<const T, row_major> rows(&c.x(kept[i], 0), run, c.x.cols(), c.x.ld());
        finite &= relay_panel<lanes, T>(rows, column, columns, width, panel + i * width);
        i += run;
      }
    } else {
      index_t next = 0;
      for (index_t k = 0; k < c.x.rows() && next < kept.size(); k += chunk) {
        const index_t rows = c.x.rows() - k < chunk ? c.x.rows() - k : chunk;
        if (kept[next] >= k + rows) continue;
        const dense_view<const T, col_major> part(&c.x(k, 0), rows, c.x.cols(), c.x.ld());
        // Finite or not is asked of the kept rows alone, below.
        if (!relay_panel<lanes, T>(part, column, columns, width, together)) finite = false;
        for (; next < kept.size() && kept[next] < k + rows; ++next) {
          std::memcpy(panel + next * width, together + (kept[next] - k) * width,
                      static_cast<std::size_t>(width) * sizeof(T));
        }
      }
    }
    return finite;
  }

  /// Kept rows [first, last) and the removed rows around them into Y.
  template <class Call>
  static void put(const Call& c, const T* sums, T* together, index_t width, index_t first,
                  index_t last, index_t column, index_t columns) {
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const auto& a = c.a;
    const index_t end = structured_row_after(a, last);
    index_t kept = first;
    for (index_t r = structured_row_after(a, first); r < end;) {
      const index_t rows = end - r < chunk ? end - r : chunk;
      for (index_t i = 0; i < rows; ++i) {
        const bool has = kept < a.kept_rows.size() && a.kept_rows[kept] == r + i;
        const T* sum = sums + (kept - first) * width;
        for (index_t j = 0; j < width; j += lanes::width) {
          const auto v = has ? lanes::load(sum + j) : lanes::zero();
          if constexpr (std::is_same_v<typename Call::y_layout, row_major>) {
            if (columns - j >= lanes::width) {
              out.put(v, r + i, column + j, simd::all_lanes{});
            } else if (columns > j) {
              out.put(v, r + i, column + j, lanes::first(columns - j));
            }
          } else {
            lanes::store(together + i * width + j, v);
          }
        }
        kept += has;
      }
      if constexpr (!std::is_same_v<typename Call::y_layout, row_major>) {
        out.put_tile(together, width, rows, columns, r, column);
      }
      r += rows;
    }
  }
};

/// Lanes are the rows of a slice, the numbers come from X wherever it lies.
template <class Arch, class T>
struct spmm_structured_rows {
  using lanes = simd::lanes<Arch, T>;
  static constexpr int parts = static_cast<int>(nm_slice) / lanes::width;
  static constexpr int most_columns = parts >= 4 ? 2 : 8 / parts;
  static constexpr int most_slices = parts >= 4 ? 1 : 4 / parts;

  template <class A>
  static workspace_size requirement(const A&, index_t) {
    return {};
  }
  template <class Call>
  static bool accepts(const Call&) {
    return true;
  }
  template <class Call>
  static void run(const Call& c) {
    const index_t slices = c.a.rest.slices() > 0 ? c.a.rest.slices() : 1;
    const index_t n = c.x.cols();
    const index_t tasks = task_count(c.policy, c.a.rest.slots() * n, slices);
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t slice0 = slices * task / tasks;
      const index_t slice1 = slices * (task + 1) / tasks;
      if (n == 1) {
        nm_for_tiles<most_slices>(slice0, slice1, [&](index_t s, auto count) {
          tile<count, 1>(c, s, 0);
        });
      } else {
        for (index_t s = slice0; s < slice1; ++s) {
          nm_for_tiles<most_columns>(0, n, [&](index_t j, auto count) { tile<1, count>(c, s, j); });
        }
      }
    });
  }

 private:
  // Not inlined: g++ 12 takes the full-register branch for reachable where it sees a short y (-Warray-bounds).
  template <int Slices, int Columns, class Call>
  SPARSEKIT_NOINLINE static void tile(const Call& c, index_t slice, index_t column) {
    const auto& a = c.a.rest;
    constexpr int vectors = Slices * parts;
    constexpr index_t ld = Slices * nm_slice;
    constexpr bool rows_contiguous = std::is_same_v<typename Call::x_layout, row_major>;
    const index_t down = rows_contiguous ? c.x.ld() : 1;
    const index_t right = rows_contiguous ? 1 : c.x.ld();
    const T* x = c.x.data() + column * right;
    alignas(64) T sums[(Columns + lanes::width - 1) / lanes::width * lanes::width * ld];
    typename lanes::reg sum[vectors * Columns];
    simd::unroll<vectors * Columns>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
      sum[i] = lanes::zero();
    });
    if (a.slices() > 0) {
      const index_t steps = a.steps();
      const T* value = a.values.data() + slice * steps * nm_slice;
      for (index_t i = 0; i < steps; ++i, value += nm_slice) {
        const T* row = x + c.a.kept_columns[i] * down;
        typename lanes::reg number[Columns];
        simd::unroll<Columns>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
          number[j] = lanes::broadcast(row[j * right]);
        });
        simd::unroll<Slices>([&](auto s) SPARSEKIT_LAMBDA_INLINE {
          simd::unroll<parts>([&](auto p) SPARSEKIT_LAMBDA_INLINE {
            const auto v = lanes::load(value + s * steps * nm_slice + p * lanes::width);
            simd::unroll<Columns>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
              auto& to = sum[j * vectors + s * parts + p];
              to = lanes::fma(v, number[j], to);
            });
          });
        });
      }
    }
    simd::unroll<vectors * Columns>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
      lanes::store(sums + i * lanes::width, sum[i]);
    });
    if (!nm_all_finite<lanes, vectors * Columns>(sum)) {
      exact(c, slice, Slices, column, Columns, sums, ld);
    }
    put(c, sums, ld, slice * nm_slice, (slice + Slices) * nm_slice, column, Columns);
  }

  /// The same sums without what is no entry, where X holds Inf or NaN.
  template <class Call>
  SPARSEKIT_NOINLINE static void exact(const Call& c, index_t slice, index_t slices,
                                       index_t column, index_t columns, T* sums, index_t ld) {
    using one = simd::lanes<arch::scalar, T>;
    const auto& a = c.a.rest;
    for (index_t j = 0; j < columns; ++j) {
      for (index_t r = 0; r < slices * nm_slice; ++r) {
        T sum{0};
        for (index_t i = 0; i < a.steps(); ++i) {
          const index_t step = (slice + r / nm_slice) * a.steps() + i;
          const T value = a.values[step * nm_slice + r % nm_slice];
          const T from = c.x(c.a.kept_columns[i], column + j);
          if (is_empty_slot(value) && !simd::is_finite(from)) continue;
          sum = one::fma(value, from, sum);
        }
        sums[j * ld + r] = sum;
      }
    }
  }

  /// Kept rows [first, last) and the removed rows around them into Y, runs of neighbours at a time.
  template <class Call>
  static void put(const Call& c, const T* sums, index_t ld, index_t first, index_t last,
                  index_t column, index_t columns) {
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const auto& a = c.a;
    const index_t end = structured_row_after(a, last);
    alignas(64) T run[(most_columns + lanes::width) * nm_slice];
    index_t kept = first;
    for (index_t r = structured_row_after(a, first); r < end; r += nm_slice) {
      const index_t rows = end - r < nm_slice ? end - r : nm_slice;
      for (index_t i = 0; i < nm_slice; ++i) {
        const bool has = i < rows && kept < a.kept_rows.size() && a.kept_rows[kept] == r + i;
        for (index_t j = 0; j < columns; ++j) {
          run[j * nm_slice + i] = has ? sums[j * ld + kept - first] : T{0};
        }
        kept += has;
      }
      nm_put_columns<lanes>(run, nm_slice, rows, columns, out, r, column);
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
