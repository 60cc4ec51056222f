// Y = A X for wide rows (formats/wide.hpp). A tile is `Rows` rows of a group by `Registers` registers of
// columns, eight sums at once, enough to hide the latency of an FMA:
//
//   columns   8 registers  4     2     1          for each step:  sum[r] += value[r] * X[column[r]]
//   rows      1            2     4     8
//
// Row-major X is read where it lies, the last, partly filled register under a mask; otherwise X is
// re-laid into a panel. A row's sum takes its entries in their order in every tile, so bits do not
// depend on it.
//
// With AVX-512 panels are two registers wide, so that those of a few hundred columns of A fit L1,
// and a few columns of X have registers of their width. What bounds it: one load of X an FMA, while
// X is in L1, with those of columns and values; beyond it, lines from L2, 1.4 to 2 cycles each;
// with Y beyond L2, its lines. Tried for 512 columns, 98 % zeros, Emerald Rapids: one register a
// panel takes 1.1 to 1.5 times as long (each row of Y is written a line at a time), four 1.1 times;
// rows in their own order in place of sorted, and prefetching X of the next entries, are no faster.
#pragma once

#include "../../formats/packed.hpp"
#include "../panel_rows.hpp"
#include "../relay.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Registers of X in the widest tile.
inline constexpr int wide_registers = 8;

/// How a tile reads X: from a panel just as wide as the tile, or where it lies, the last, partly
/// filled register of columns under a mask.
enum class wide_x { panel, in_place, in_place_masked };

/// The sums of Rows rows of a group, from its row `first` on. Their steps are 8 elements apart.
template <class Lanes, int Rows, int Registers, wide_x From, class Mask, class T>
SPARSEKIT_INLINE void run_wide(typename Lanes::reg* sum, const T* x, index_t stride,
                               const Mask& mask, const std::uint16_t* column, const T* value,
                               const std::uint16_t* count) {
  constexpr index_t eight = wide_view<T>::group_rows;
  constexpr bool in_panel = From == wide_x::panel;
  simd::registers<Lanes, Rows * Registers>::zero(sum);
  const auto add = [&](auto r, index_t at, const T* v) SPARSEKIT_LAMBDA_INLINE {
    const T* row = x + at * (in_panel ? index_t{Registers * Lanes::width} : stride);
    const auto number = Lanes::broadcast(*v);
    if constexpr (From == wide_x::in_place_masked) {
      static_assert(Registers == 1);
      sum[r] = Lanes::fma(number, Lanes::load(mask, row), sum[r]);
    } else {
      simd::registers<Lanes, Registers>::add_product_with(sum + r * Registers, number, row);
    }
  };
  // Rows are sorted, longest first: what the last has, all have.
  const index_t common = count[Rows - 1];
  for (index_t i = 0; i < common; ++i) {
    if constexpr (in_panel && Rows % 4 == 0) {
      // Four columns a load: where X is in L1, loads are what bounds this loop. (Values broadcast
      // by shuffle from one load of eight: no faster.)
      simd::unroll<Rows / 4>([&](auto word) SPARSEKIT_LAMBDA_INLINE {
        const index_t step = i * eight + 4 * word;
        std::uint64_t columns;
        std::memcpy(&columns, column + step, sizeof columns);
        simd::unroll<4>([&](auto r) SPARSEKIT_LAMBDA_INLINE {
          constexpr int row = 4 * decltype(word)::value + decltype(r)::value;
          add(std::integral_constant<int, row>{},
              static_cast<index_t>(columns >> (16 * r) & 0xffff), value + step + r);
        });
      });
    } else {
      simd::unroll<Rows>([&](auto r) SPARSEKIT_LAMBDA_INLINE {
        add(r, column[i * eight + r], value + i * eight + r);
      });
    }
  }
  if constexpr (Rows > 1) {
    if constexpr (Rows > 2) {
      if (count[0] == common) return;  // most groups: one branch in place of three or seven loops
    }
    simd::unroll<Rows - 1>([&](auto r) SPARSEKIT_LAMBDA_INLINE {
      for (index_t i = common; i < count[r]; ++i) {
        add(r, column[i * eight + r], value + i * eight + r);
      }
    });
  }
}

/// Asks for the cache lines of `Registers` registers of a row of Y that will be put soon. Rows are
/// sorted by their entries, so Y is written out of order and the hardware does not see what comes
/// next.
template <int Registers, class Lanes, class T, class Epilogue>
SPARSEKIT_INLINE void expect_row(const row_output<Lanes, T, Epilogue>& out, index_t row,
                                 index_t column) {
  constexpr index_t bytes = index_t{Registers} * Lanes::width * index_t{sizeof(T)};
  const auto at = reinterpret_cast<std::uintptr_t>(out.y.data()) +
                  static_cast<std::uintptr_t>((row * out.y.ld() + column) * index_t{sizeof(T)});
  simd::unroll<static_cast<int>((bytes + 63) / 64)>([&](auto line) SPARSEKIT_LAMBDA_INLINE {
    simd::prefetch_to_write(reinterpret_cast<const void*>(at + 64 * std::uintptr_t{line()}));
  });
}
/// Whether that pays: Y is more than half of L2. Emerald Rapids, panels of two registers at 98 %
/// zeros: Y of 2 to 4 MB 1.1 to 1.3 times as fast, 1 MB no difference; where all is in L2 it costs
/// 1 to 4 %. (The same for quads, whose groups take longer: 2 to 5 % slower, at 95 % zeros and Y of
/// 2 MB 1.07 times as fast.)
template <class Lanes, class T, class Epilogue>
SPARSEKIT_INLINE bool expects_rows(const row_output<Lanes, T, Epilogue>& out) {
  constexpr index_t near_bytes = index_t{1} << 20;
  return std::is_same_v<simd::arch_of<Lanes>, arch::avx512> &&
         out.y.rows() * out.y.cols() > near_bytes / index_t{sizeof(T)};
}

/// Groups [g0, g1) of one row block times `Registers` registers of columns of X at x. Sums go to row-major Y
/// at once; with sums_wait to waiting[row * width], row inside the block.
template <class Lanes, int Registers, wide_x From, class T, class Output>
SPARSEKIT_NOINLINE void run_wide_groups(const wide_view<const T> a, index_t g0, index_t g1,
                                        const T* x, index_t stride, index_t columns, T* waiting,
                                        index_t width, index_t column, const Output& out) {
  using view = wide_view<T>;
  constexpr index_t eight = view::group_rows;
  constexpr int rows = static_cast<int>(eight) / Registers;
  const auto mask =
      Lanes::first(From == wide_x::panel ? columns - (Registers - 1) * Lanes::width : columns);
  const bool full = columns >= Registers * Lanes::width;
  constexpr bool may_expect = !std::is_same_v<Output, sums_wait> &&
                              Registers >= (From == wide_x::panel ? 2 : wide_registers);
  bool expects = false;
  if constexpr (may_expect) expects = expects_rows(out);
  for (index_t g = g0; g < g1; ++g) {
    const index_t r0 = g / view::block_groups * view::row_block;
    const index_t first_step = index_t{a.starts[g]} * eight;
    for (index_t l = 0; l < eight; l += rows) {
      const std::uint16_t* row = a.row_in_block.data() + g * eight + l;
      if (row[0] == view::no_row) break;  // only at the end of the last group
      if constexpr (may_expect) {
        // Rows of Y of the next tile, while this one is summed.
        if (expects && (l + rows < eight || g + 1 < g1)) {
          const index_t next = (g * eight + l + rows) / view::row_block * view::row_block;
          simd::unroll<rows>([&](auto r) SPARSEKIT_LAMBDA_INLINE {
            const index_t at = row[rows + r];
            if (at != view::no_row) expect_row<Registers>(out, next + at, column);
          });
        }
      }
      typename Lanes::reg sum[rows * Registers];
      run_wide<Lanes, rows, Registers, From>(
          sum, x, stride, mask, a.columns.data() + first_step + l, a.values.data() + first_step + l,
          a.counts.data() + g * eight + l);
      simd::unroll<rows>([&](auto r) SPARSEKIT_LAMBDA_INLINE {
        const index_t at = row[r];
        if (at == view::no_row) return;
        if constexpr (std::is_same_v<Output, sums_wait>) {
          simd::registers<Lanes, Registers>::store(waiting + at * width, sum + r * Registers);
        } else {
          out.template put_run<Registers>(sum + r * Registers, r0 + at, column, full, mask);
        }
      });
    }
  }
}

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

/// Registers of a panel that X is re-laid into with AVX-512.
inline constexpr int wide_panel_registers = 2;

template <class Arch, class T>
struct spmm_packed_wide {
  using lanes = simd::lanes<Arch, T>;
  static constexpr bool narrow_panels = std::is_same_v<Arch, arch::avx512>;
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
    if constexpr (narrow_panels && Call::has_workspace) {
      if (!in_place && fits_narrow_panels(c)) return run_narrow_panels(c);
    }
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
    // A few columns in registers of their width, and tiles as wide as their panel.
    if (narrow_panels && c.x.cols() <= wide_panel_registers * lanes::width) return false;
    const index_t stride = c.x.ld() * index_t{sizeof(T)};
    constexpr bool avx512 = std::is_same_v<Arch, arch::avx512>;
    if (c.x.cols() > width && wide_rows_share_sets(avx512, stride, c.a.nnz(), c.a.cols()))
      return false;
    constexpr std::uintptr_t bytes = static_cast<std::uintptr_t>(lanes::width) * sizeof(T);
    const auto place =
        reinterpret_cast<std::uintptr_t>(c.x.data()) | static_cast<std::uintptr_t>(stride);
    return place % bytes == 0 || c.a.nnz() < wide_least_uses * c.a.cols();
  }

  using half = typename simd::narrower<Arch>::type;
  using quarter = typename simd::narrower<half>::type;

  /// Rows of Y on a page each: the less of each is written at a time, the more the TLB misses.
  /// Panels of two registers take 1.1 to 1.2 times as long there as those of eight (f64, 512
  /// columns).
  template <class Call>
  static bool fits_narrow_panels(const Call& c) {
    constexpr index_t page = 4096;
    return !along_rows<Call> || c.y.ld() * index_t{sizeof(T)} < page ||
           c.y.cols() <= wide_panel_registers * lanes::width;
  }

  /// X re-laid, or a panel already.
  template <class Call>
  static void run_narrow_panels(const Call& c) {
    const index_t n = c.x.cols();
    if (n <= simd::lanes<quarter, T>::width) {
      run_narrow_panels<simd::lanes<quarter, T>, 1>(c);
    } else if (n <= simd::lanes<half, T>::width) {
      run_narrow_panels<simd::lanes<half, T>, 1>(c);
    } else {
      run_narrow_panels<lanes, wide_panel_registers>(c);
    }
  }
  template <class Lanes, int Most, class Call>
  static void run_narrow_panels(const Call& c) {
    const wide_view<const T>& a = c.a.wide;
    const auto out = output_of<Lanes>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    // A task is one panel of columns and some groups, whole blocks of them where sums wait for
    // others.
    const index_t unit = along_rows<Call> ? 1 : a.block_groups;
    const index_t units = ceil_div(a.groups(), unit);
    const panel_split split(n, Lanes::width, Most);
    run_panel_tasks(
        c.policy, split, a.nnz() * n, units,
        [&](index_t first, index_t last, index_t u0, index_t u1, index_t worker) {
          const index_t column = first * Lanes::width;
          const index_t panel_width = (last - first) * Lanes::width;
          const index_t columns = n - column < panel_width ? n - column : panel_width;
          T* const scratch = c.scratch.template worker_as<T>(worker);
          T* const waiting = scratch + round_up(a.cols() * panel_width, 64);
          const T* panel = scratch;
          if (is_panel(c.x, columns, panel_width)) {
            panel = c.x.data();
          } else {
            relay_panel<Lanes, T>(c.x, column, columns, panel_width, scratch);
          }
          const auto run = [&](index_t g0, index_t g1,
                               const auto& sums_out) SPARSEKIT_LAMBDA_INLINE {
            simd::unroll<Most>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
              if (last - first != j + 1) return;
              run_wide_groups<Lanes, j + 1, wide_x::panel>(a, g0, g1, panel, panel_width, columns,
                                                           waiting, panel_width, column, sums_out);
            });
          };
          if constexpr (along_rows<Call>) {
            run(u0, u1, out);
          } else {
            for (index_t b = u0; b < u1; ++b) {
              const index_t end = (b + 1) * unit;
              run(b * unit, end < a.groups() ? end : a.groups(), sums_wait{});
              const index_t r0 = b * a.row_block;
              const index_t rows = a.rows() - r0 < a.row_block ? a.rows() - r0 : a.row_block;
              out.put_tile(waiting, panel_width, rows, columns, r0, column);
            }
          }
        });
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
          run_wide_groups<lanes, registers, masked ? wide_x::in_place_masked : wide_x::in_place>(
              a, b0, b1, x + done, stride, columns - done, waiting + (transposes ? done : 0),
              panel_width, column + done, sums_out);
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
