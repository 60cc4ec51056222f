// Y = A X for wide rows (formats/wide.hpp). A tile is `Rows` rows of a group by `Registers` registers of
// columns, eight sums at once, enough to hide the latency of an FMA:
//
//   columns   8 registers  4     2     1          for each step:  sum[r] += value[r] * X[column[r]]
//   rows      1            2     4     8
//
// Row-major X is read where it lies, the last, partly filled register under a mask; otherwise X is re-laid
// into a panel. A row's sum takes its entries in their order in every tile, so bits do not depend on it.
// What bounds it: one load of X an FMA.
#pragma once

#include "../../formats/packed.hpp"
#include "../call.hpp"
#include "../relay.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// The sums of Rows rows of a group, from its row `first` on. Their steps are 8 elements apart.
/// Masked: the only register of columns is the last, partly filled, of X in place.
template <class Lanes, int Rows, int Registers, bool Masked, class Mask, class T>
SPARSEKIT_INLINE void run_wide(typename Lanes::reg* sum, const T* x, index_t stride,
                               const Mask& mask, const std::uint16_t* column, const T* value,
                               const std::uint16_t* count) {
  constexpr index_t eight = wide_view<T>::group_rows;
  simd::registers<Lanes, Rows * Registers>::zero(sum);
  const auto add = [&](auto r, index_t i) SPARSEKIT_LAMBDA_INLINE {
    const T* row = x + index_t{column[i * eight + r]} * stride;
    const auto v = Lanes::broadcast(value[i * eight + r]);
    if constexpr (Masked) {
      static_assert(Registers == 1);
      sum[r] = Lanes::fma(v, Lanes::load(mask, row), sum[r]);
    } else {
      simd::registers<Lanes, Registers>::add_product_with(sum + r * Registers, v, row);
    }
  };
  // Rows are sorted, longest first: what the last has, all have.
  const index_t common = count[Rows - 1];
  for (index_t i = 0; i < common; ++i) {
    simd::unroll<Rows>([&](auto r) SPARSEKIT_LAMBDA_INLINE { add(r, i); });
  }
  if constexpr (Rows > 1) {
    simd::unroll<Rows - 1>([&](auto r) SPARSEKIT_LAMBDA_INLINE {
      for (index_t i = common; i < count[r]; ++i) add(r, i);
    });
  }
}

/// Groups [g0, g1) of one row block times `Registers` registers of columns of X at x. Sums go to row-major Y
/// at once; with sums_wait to waiting[row * width], row inside the block.
template <class Lanes, int Registers, bool Masked, class T, class Output>
SPARSEKIT_NOINLINE void run_wide_groups(const wide_view<const T> a, index_t g0, index_t g1,
                                        const T* x, index_t stride, index_t columns, T* waiting,
                                        index_t width, index_t column, const Output& out) {
  using view = wide_view<T>;
  constexpr index_t eight = view::group_rows;
  constexpr int rows = static_cast<int>(eight) / Registers;
  const auto mask = Lanes::first(columns);
  for (index_t g = g0; g < g1; ++g) {
    const index_t r0 = g / view::block_groups * view::row_block;
    const index_t first_step = index_t{a.starts[g]} * eight;
    for (index_t l = 0; l < eight; l += rows) {
      const std::uint16_t* row = a.row_in_block.data() + g * eight + l;
      if (row[0] == view::no_row) break;  // only at the end of the last group
      typename Lanes::reg sum[rows * Registers];
      run_wide<Lanes, rows, Registers, Masked>(
          sum, x, stride, mask, a.columns.data() + first_step + l,
          a.values.data() + first_step + l, a.counts.data() + g * eight + l);
      simd::unroll<rows>([&](auto r) SPARSEKIT_LAMBDA_INLINE {
        const index_t at = row[r];
        if (at == view::no_row) return;
        if constexpr (std::is_same_v<Output, sums_wait>) {
          simd::registers<Lanes, Registers>::store(waiting + at * width, sum + r * Registers);
        } else if (Registers > 1 || columns >= Lanes::width) {
          out.template put_run<Registers>(sum + r * Registers, r0 + at, column);
        } else {
          out.put(sum[r], r0 + at, column, mask);
        }
      });
    }
  }
}

/// Registers of X in the widest tile.
inline constexpr int wide_registers = 8;
/// Row-major X whose rows lie a multiple of 1 KB apart is re-laid all the same: they would share
/// few sets of the L1 cache. With AVX-512, where a panel of 128 columns is more than L1 holds
/// anyway, only if they are used so often. Emerald Rapids, in place over re-laid: 256 columns (1 KB
/// apart) up to 1.3 at 99 % zeros, 512 columns (2 KB) .9 at 98 % and 1.05 to 1.1 at 99 %.
inline bool wide_rows_share_sets(bool avx512, index_t stride, index_t nnz, index_t cols) {
  constexpr index_t bad_stride_bytes = 1024;
  if (stride % bad_stride_bytes != 0) return false;
  return !avx512 || nnz >= (stride % (2 * bad_stride_bytes) == 0 ? 8 : 32) * cols;
}
/// X whose registers straddle cache lines is re-laid if its rows are used so often: a load and a
/// store of each register save half a load an entry.
inline constexpr index_t wide_least_uses = 8;

template <class Arch, class T>
struct spmm_packed_wide {
  using lanes = simd::lanes<Arch, T>;
  static constexpr int most = wide_registers;
  static constexpr index_t width = most * lanes::width;

  template <class Call>
  static constexpr bool along_rows = std::is_same_v<typename Call::y_layout, row_major>;
  template <class Call>
  static constexpr bool possible =
      !Call::one_column &&
      (Call::has_workspace ||
       (std::is_same_v<typename Call::x_layout, row_major> && along_rows<Call>));

  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    if (!a.has_wide()) return {};
    const index_t panel = columns < width ? round_up(columns, lanes::width) : width;
    return {.shared = 0,
            .per_worker = ((a.cols() + a.wide.row_block + lanes::width) * panel + 64) *
                          index_t{sizeof(T)}};
  }
  template <class Call>
  static bool has_scratch(const Call& c) {
    return c.scratch.worker_bytes >= requirement(c.a, c.x.cols()).per_worker;
  }
  template <class Call>
  static bool accepts(const Call& c) {
    if (!c.a.has_wide() || is_spmv(c)) return false;
    return has_scratch(c) ||
           (std::is_same_v<typename Call::x_layout, row_major> && along_rows<Call>);
  }
  template <class Call>
  static void run(const Call& c) {
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const wide_view<const T>& a = c.a.wide;
    const index_t n = c.x.cols();
    const index_t panels = ceil_div(n, width);
    const bool in_place = reads_in_place(c);
    // A task is one panel of columns and some groups, whole blocks of them where sums wait for others.
    const index_t unit = along_rows<Call> ? 1 : a.block_groups;
    const index_t units = ceil_div(a.groups(), unit);
    const index_t wanted = task_count(c.policy, a.nnz() * n, panels * units);
    const index_t parts = ceil_div(wanted, panels);
    run_tasks(c.policy, panels * parts, [&](index_t task, index_t worker) {
      const index_t column = task / parts * width;
      const index_t columns = n - column < width ? n - column : width;
      const index_t g0 = units * (task % parts) / parts * unit;
      const index_t end = units * (task % parts + 1) / parts * unit;
      const index_t g1 = end < a.groups() ? end : a.groups();
      T* scratch = nullptr;
      const index_t panel_width = round_up(columns, lanes::width);
      if constexpr (Call::has_workspace) {
        if (!in_place || !along_rows<Call>) scratch = c.scratch.template worker_as<T>(worker);
        if (!in_place) {
          relay_panel<lanes, T>(c.x, column, columns, panel_width, scratch);
          run_panel<false>(a, g0, g1, scratch, panel_width, columns,
                           scratch + round_up(a.cols() * panel_width, 64), column, out);
          return;
        }
      }
      if constexpr (std::is_same_v<typename Call::x_layout, row_major>) {
        T* waiting = scratch == nullptr ? nullptr : scratch + round_up(a.cols() * panel_width, 64);
        run_panel<true>(a, g0, g1, c.x.data() + column, c.x.ld(), columns, waiting, column, out);
      }
    });
  }

 private:
  template <class Call>
  static bool reads_in_place(const Call& c) {
    if (!std::is_same_v<typename Call::x_layout, row_major>) return false;
    if (!Call::has_workspace || !has_scratch(c)) return true;
    const index_t stride = c.x.ld() * index_t{sizeof(T)};
    constexpr bool avx512 = std::is_same_v<Arch, arch::avx512>;
    if (c.x.cols() > width && wide_rows_share_sets(avx512, stride, c.a.nnz(), c.a.cols()))
      return false;
    constexpr std::uintptr_t bytes = static_cast<std::uintptr_t>(lanes::width) * sizeof(T);
    const auto place =
        reinterpret_cast<std::uintptr_t>(c.x.data()) | static_cast<std::uintptr_t>(stride);
    return place % bytes == 0 || c.a.nnz() < wide_least_uses * c.a.cols();
  }

  /// Columns of one panel by tiles of 8, 4, 2 and 1 registers; the last register may be partly filled.
  template <bool InPlace, class Output>
  static void run_panel(const wide_view<const T>& a, index_t g0, index_t g1, const T* x,
                        index_t stride, index_t columns, T* waiting, index_t column,
                        const Output& out) {
    constexpr bool transposes = !std::is_same_v<decltype(out.y), dense_view<T, row_major>>;
    const index_t panel_width = round_up(columns, lanes::width);
    for (index_t b0 = g0; b0 < g1;) {
      // One block at a time where sums wait; all groups otherwise.
      const index_t next = (b0 / a.block_groups + 1) * a.block_groups;
      const index_t b1 = transposes && next < g1 ? next : g1;
      index_t done = 0;
      const auto tile = [&](auto registers, auto masked) SPARSEKIT_LAMBDA_INLINE {
        const auto run = [&](const auto& sums_out) SPARSEKIT_LAMBDA_INLINE {
          run_wide_groups<lanes, registers, masked>(a, b0, b1, x + done, stride, columns - done,
                                                    waiting + (transposes ? done : 0), panel_width,
                                                    column + done, sums_out);
        };
        if constexpr (transposes) {
          run(sums_wait{});
        } else {
          run(out);
        }
        done += registers * lanes::width;
      };
      const auto fits = [&](index_t registers) { return columns - done >= registers * lanes::width; };
      using no = std::false_type;
      if (fits(8)) tile(std::integral_constant<int, 8>{}, no{});
      if (fits(4)) tile(std::integral_constant<int, 4>{}, no{});
      if (fits(2)) tile(std::integral_constant<int, 2>{}, no{});
      if (fits(1)) tile(std::integral_constant<int, 1>{}, no{});
      if (done < columns) tile(std::integral_constant<int, 1>{}, std::bool_constant<InPlace>{});
      if constexpr (transposes) {
        const index_t r0 = b0 / a.block_groups * a.row_block;
        const index_t rows = a.rows() - r0 < a.row_block ? a.rows() - r0 : a.row_block;
        out.put_tile(waiting, panel_width, rows, columns, r0, column);
      }
      b0 = b1;
    }
  }
};

/// Any layouts without a workspace, and one column: a column at a time. For calls that forgot it, not for
/// speed.
template <class Arch, class T>
struct spmm_packed_wide_columns {
  template <class Call>
  static bool accepts(const Call& c) {
    return c.a.has_wide();
  }
  template <class A>
  static workspace_size requirement(const A&, index_t) {
    return {};
  }
  template <class Call>
  static void run(const Call& c) {
    using one = simd::lanes<arch::scalar, T>;
    using view = wide_view<T>;
    constexpr index_t eight = view::group_rows;
    const wide_view<const T>& a = c.a.wide;
    const auto out = output_of<one>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    const index_t tasks = task_count(c.policy, a.nnz() * n, a.groups());
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      for (index_t g = a.groups() * task / tasks; g < a.groups() * (task + 1) / tasks; ++g) {
        const index_t r0 = g / view::block_groups * view::row_block;
        for (index_t l = g * eight; l < (g + 1) * eight; ++l) {
          if (a.row_in_block[l] == view::no_row) continue;
          const index_t first = index_t{a.starts[g]} * eight + l % eight;
          for (index_t j = 0; j < n; ++j) {
            T sum = 0;
            for (index_t i = 0; i < a.counts[l]; ++i) {
              const index_t p = first + i * eight;
              sum = one::fma(a.values[p], c.x(index_t{a.columns[p]}, j), sum);
            }
            out.put(sum, r0 + a.row_in_block[l], j, simd::all_lanes{});
          }
        }
      }
    });
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
