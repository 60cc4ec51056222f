// Y = W X for packed dense W, in any mix of layouts of X and Y.
//
//   gemm_packed_dense_columns  lanes are columns of X: for row-major X and Y and many columns
//   gemm_packed_dense_rows     lanes are rows of W: all other calls
//
// Rows: a step of a tile loads three registers of weights, broadcasts eight numbers of X and does
// 24 multiply-adds: 11 loads, so the FMA units bound it. Weights stream through once for every
// eight columns, in the order of memory, so it does not matter in which cache they are. A group
// whose last line alone is left (1 x 8) is bound by loads: 9 for 8 multiply-adds. AVX2: 2 x 6, 8
// loads for 12. Small layers (K of 8 to 64) spend as long on putting a tile into Y:
// run_register_tiles. On AVX2 the three together (loads that g++ had folded into each multiply-add,
// tiles, putting) took the layers of two pruned networks from .75 to .97 of XNNPACK's speed. Runs
// of tiles in one call, and X looked through for Inf and NaN rather than each sum where there are
// fewer of its numbers, took the layers with 8 to 32 columns from .86 to .97. Memory does not bound
// them: shapes in L2 run at the same speed, so that the order of stores does not matter.
//
// Columns: 6 x 4, 8 x 3 and 12 x 2 do 24 multiply-adds for 10, 11 and 14 loads (FMA bound); 16 x 1
// does 16 for 17 (load bound), and is left to rows unless there are few of them.
//
// All this holds while the caches keep up. Where K is large, k is cut into pieces, so that what a
// tile shares with the next stays in L1 (AVX2, 512 x 512 weights: tiles of columns from .85 to .92
// of what the FMA units do), and weights of the next piece are asked for meanwhile: they come from
// L3 or memory. Where the host was busy otherwise, weights beyond L2 gained a fifth to
// a half by that. X that tiles of columns copy is cut as well, into pieces that leave room in L2.
// A last register of columns or rows that is partly filled is put into Y from its register like the
// others, under a mask: 587 x 16 by 100 columns gained half, 64 x 64 a seventh.
#pragma once

#include "../../formats/packed_dense.hpp"
#include "../relay.hpp"
#include "gemm.hpp"
#include "tile.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Registers of weights that a tile of rows takes. AVX2 has 12 accumulators: 2 x 6 read one cache
/// line of weights a step, 3 x 4 two for the same multiply-adds.
template <class Arch>
inline constexpr int packed_vectors = std::is_same_v<Arch, arch::avx2> ? 2 : 3;
/// Columns of X that a tile of rows takes.
template <class Arch>
constexpr int packed_tokens(int vectors) {
  const int most = accumulators<Arch> / vectors;
  // Eight registers by one number need nine loads for eight multiply-adds.
  return most < 8 || most == 12 ? most : 8;
}
/// Rows of W that a tile of columns takes.
template <class Arch>
constexpr int packed_height(int vectors) {
  const int most = accumulators<Arch> / vectors;
  return most < 16 ? most : 16;
}

/// Most steps of k that tiles of rows and tiles of columns sum in one piece. Rows: two registers of
/// weights and six columns of X, 44 KB of L2 of which a tile reads most from there. Columns: a
/// group of weights (18 KB) and a panel of X (6 KB, AVX-512 24 KB) stay in L1 for all tiles of the
/// piece.
inline constexpr index_t rows_k = 512;
inline constexpr index_t columns_k = 96;
/// Fewer bytes of weights stay in L2, and need not be asked for.
inline constexpr index_t fetched_weights = index_t{1} << 18;

template <class Arch, class T>
struct gemm_packed_dense_rows {
  using lanes = simd::lanes<Arch, T>;
  using view = packed_dense_view<T>;
  static constexpr int w = lanes::width;
  /// Columns that are re-laid side by side, and put into Y together.
  static constexpr index_t strip = std::is_same_v<Arch, arch::avx2> ? 24 : w < 8 ? 8 : w;
  /// Columns that one pass over a group serves, so that it comes from L2 but for the first.
  static constexpr index_t block = strip == 24 ? 72 : 64;

  template <class Call>
  static constexpr bool possible = !Call::one_column;
  template <class Call>
  static bool accepts(const Call& c) {
    return !is_spmv(c);
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    const index_t most = round_up(columns < block ? columns : block, strip);
    return {.shared = 0,
            .per_worker = columns < 2 ? 0 : most * copied_ld(a.cols()) * index_t{sizeof(T)}};
  }

  template <class Call>
  static void run(const Call& c) {
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    const index_t depth = c.a.cols();
    const index_t blocks = ceil_div(n, block);
    const index_t groups = c.a.groups();
    const index_t wanted = task_count(c.policy, packed_work(c), blocks * groups);
    const index_t parts = ceil_div(wanted, blocks);
    run_tasks(c.policy, blocks * parts, [&](index_t task, index_t worker) {
      const index_t column = task / parts * block;
      const index_t columns = n - column < block ? n - column : block;
      const index_t g0 = groups * (task % parts) / parts;
      const index_t g1 = groups * (task % parts + 1) / parts;
      if constexpr (std::is_same_v<typename Call::x_layout, row_major>) {
        // Rows of X that lie far apart fall into few cache sets: re-lay them, if they are used
        // often.
        const bool relay = columns > 1 && c.x.ld() > strip && groups > 2 &&
                           c.scratch.worker_bytes >= requirement(c.a, n).per_worker;
        T* const panel = relay ? c.scratch.template worker_as<T>(worker) : nullptr;
        for (index_t j = 0; relay && j < columns; j += strip) {
          const index_t present = columns - j < strip ? columns - j : strip;
          relay_panel<lanes, T>(c.x, column + j, present, strip, panel + j * depth);
        }
        using source = strips<index_t, fixed_stride<1>>;
        run_block(c.a, g0, g1, column, columns, strip, false,
                  relay ? source{panel, strip, {}, depth} : source{c.x.data() + column, c.x.ld(), {}, 1}, out);
      } else {
        // A look at few columns of X costs less than one at each sum. Few columns stay in L1 for
        // all rows, too, and so need no strips. (Even strips of up to 36 for more: no gain.)
        using source = strips<fixed_stride<1>, index_t>;
        if (columns >= 24 && groups > 2 && falls_into_few_sets(c.x.ld()) &&
            c.scratch.worker_bytes >= requirement(c.a, n).per_worker) {
          T* const copy = c.scratch.template worker_as<T>(worker);
          const index_t ld = copied_ld(depth);
          const bool finite = copy_columns(c.x, column, columns, copy, ld);
          run_block(c.a, g0, g1, column, columns, block, finite, source{copy, {}, ld, ld}, out);
          return;
        }
        const bool finite = depth < c.a.rows() && all_finite<lanes>(c.x, column, columns);
        run_block(c.a, g0, g1, column, columns, block, finite,
                  source{&c.x(0, column), {}, c.x.ld(), c.x.ld()}, out);
      }
    });
  }

 private:
  /// Whether columns `ld` apart share cache sets, of which L1 and L2 then hold few at a time.
  static bool falls_into_few_sets(index_t ld) { return ld * index_t{sizeof(T)} % 1024 == 0; }
  /// The leading dimension of a copy whose columns do not.
  static index_t copied_ld(index_t depth) {
    const index_t line = index_t{64 / sizeof(T)};
    return (round_up(depth, line) / line | 1) * line;
  }
  /// Columns of X side by side in a copy; whether all of them are finite.
  static bool copy_columns(dense_view<const T, col_major> x, index_t column, index_t columns,
                           T* copy, index_t ld) {
    finite_watch<lanes> watch;
    const index_t whole = x.rows() / w * w;
    const auto tail = lanes::first(x.rows() - whole);
    for (index_t j = 0; j < columns; ++j) {
      const T* const from = x.data() + (column + j) * x.ld();
      T* const to = copy + j * ld;
      for (index_t k = 0; k < whole; k += w) {
        const auto v = lanes::load(from + k);
        watch.see(v);
        lanes::store(to + k, v);
      }
      if (whole < x.rows()) {
        const auto v = lanes::load(tail, from + whole);
        watch.see(v);
        lanes::store(to + whole, v);
      }
    }
    return watch.finite();
  }

  /// Where strips of columns start, and the strides inside one, along k and along columns. The strip of columns
  /// from j on begins at x + j * column.
  template <class Step, class Stride>
  struct strips {
    const T* x;
    Step step;
    Stride stride;
    index_t column;
  };

  /// One function for calls of all policies, with and without a workspace.
  template <class A, class Step, class Stride, class Output>
  static void run_block(const A& a, index_t g0, index_t g1, index_t column, index_t columns,
                        index_t together, bool finite, strips<Step, Stride> source, const Output& out) {
    constexpr bool along_columns = !decltype(out.y)::layout::rows_contiguous;
    constexpr bool straight = std::is_same_v<Step, fixed_stride<1>> && along_columns;
    alignas(64) T sums[block * view::group];
    const bool fetching = columns >= (fetch_ahead::often ? 16 : 24) &&
                          a.values.size() * index_t{sizeof(T)} > fetched_weights;
    for (index_t g = g0; g < g1; ++g) {
      const index_t step = a.step(g);
      const index_t row = g * view::group;
      const index_t rows = a.rows() - row < step ? a.rows() - row : step;
      const T* const weights = a.group_begin(g);
      for_k_ranges(a.cols(), rows_k, [&](k_range range) SPARSEKIT_LAMBDA_INLINE {
        const index_t steps = range.end - range.begin;
        constexpr int most = packed_vectors<Arch>;
        fetch_ahead fetch;
        if (fetching) {
          fetch = fetch_ahead::of(
              weights + range.end * step, steps * step * index_t{sizeof(T)},
              ceil_div(rows, most * w) * ceil_div(columns, packed_tokens<Arch>(most)), steps);
        }
        for (index_t j = 0; j < columns; j += together) {
          const index_t count = columns - j < together ? columns - j : together;
          const T* const strip_begin = source.x + j * source.column;
          for_tiles_of(rows, count,
                       [&](index_t v, auto vectors, index_t t, auto tokens, index_t tiles)
                           SPARSEKIT_LAMBDA_INLINE {
                             tile_operands o{weights + v * w, step, strip_begin + t * source.stride,
                                             source.step, source.stride};
                             T* tile = sums + (j + t) * view::group + v * w;
                             if constexpr (straight) {
                               const index_t left =
                                   rows - v * w < vectors * w ? rows - v * w : vectors * w;
                               run_straight_tiles<lanes, vectors, tokens, roles::rows, false>(
                                   o, range, tiles, left, finite, tile, view::group, fetch, out,
                                   row + v * w, column + j + t);
                               fetch = fetch.after(tiles, steps);
                             } else {
                               for (; tiles > 0; --tiles, o.scalars += tokens * source.stride,
                                                 tile += tokens * view::group) {
                                 sum_tile<lanes, vectors, tokens, false>(
                                     o, range, vectors * w, roles::rows, tile, view::group);
                               }
                             }
                           });
        }
      });
      if constexpr (!straight) {
        put_sums<lanes, roles::rows>(sums, view::group, rows, columns, out, row, column);
      }
    }
  }

  /// f(first vector, vectors, first token, tokens, tiles) for the runs of tiles of `rows` rows and
  /// `count` columns.
  template <class F>
  static SPARSEKIT_INLINE void for_tiles_of(index_t rows, index_t count, F&& f) {
    for_tiles<packed_vectors<Arch>>(
        0, ceil_div(rows, w), [&](index_t v, auto vectors) SPARSEKIT_LAMBDA_INLINE {
          constexpr int most = packed_tokens<Arch>(vectors);
          const auto run = [&](index_t t, auto tokens, index_t tiles)
                               SPARSEKIT_LAMBDA_INLINE { f(v, vectors, t, tokens, tiles); };
          if constexpr (most == 6) {
            for_even_tile_runs<most>(count, run);
          } else if constexpr (most == 8 && vectors == packed_vectors<Arch>) {
            for_tile_runs_of_three<most>(count, run);
          } else {
            for_tile_runs<most>(0, count, run);
          }
        });
  }

  template <class Call>
  static index_t packed_work(const Call& c) {
    return c.a.rows() * c.a.cols() / 8 * c.x.cols();
  }
};

template <class Arch, class T>
struct gemm_packed_dense_columns {
  using lanes = simd::lanes<Arch, T>;
  using view = packed_dense_view<T>;
  static constexpr int w = lanes::width;
  static constexpr index_t width = dense_vectors<Arch> * w;

  template <class Call>
  static constexpr bool possible = std::is_same_v<typename Call::x_layout, row_major>&&
      std::is_same_v<typename Call::y_layout, row_major>;
  template <class Call>
  static bool accepts(const Call& c) {
    return std::is_same_v<typename Call::x_layout, row_major> &&
           std::is_same_v<typename Call::y_layout, row_major> && c.x.cols() >= 2 * w;
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    const cuts c = cuts_of(a);
    const index_t most = width * c.panels;
    const index_t panel = columns < most ? round_up(columns, w) : most;
    // X re-laid, and the sums that are carried on.
    return {.shared = 0,
            .per_worker =
                columns < 2 ? 0 : (c.steps + c.groups * view::group) * panel * index_t{sizeof(T)}};
  }

  template <class Call>
  static void run(const Call& c) {
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    const index_t groups = c.a.groups();
    const index_t registers = ceil_div(n, w);
    const index_t panels = ceil_div(registers, dense_vectors<Arch>);
    const cuts cut = cuts_of(c.a);
    const index_t blocks = ceil_div(panels, cut.panels);
    const index_t wanted = task_count(c.policy, c.a.rows() * c.a.cols() / 8 * n, blocks * groups);
    const index_t parts = ceil_div(wanted, blocks);
    const bool relay = pays_copying(c) && c.scratch.worker_bytes >= requirement(c.a, n).per_worker;
    // Registers are shared out evenly over the panels, so that the last one is not a narrow one.
    const auto column_of = [&](index_t p) {
      const index_t column = registers * p / panels * w;
      return column < n ? column : n;
    };
    run_tasks(c.policy, blocks * parts, [&](index_t task, index_t worker) {
      const index_t p0 = panels * (task / parts) / blocks;
      const index_t p1 = panels * (task / parts + 1) / blocks;
      const index_t g0 = groups * (task % parts) / parts;
      const index_t g1 = groups * (task % parts + 1) / parts;
      if (relay) {
        T* const scratch = c.scratch.template worker_as<T>(worker);
        // A copy of all steps serves all groups, one of some of them those whose sums wait.
        const index_t together = cut.groups == 1 ? groups : cut.groups;
        for (index_t g = g0; g < g1; g += together) {
          run_copied(c, out, cut, p0, p1, g, g1 - g < together ? g1 : g + together, column_of,
                     scratch);
        }
      } else {
        run_in_place(c, out, p0, p1, g0, g1, column_of);
      }
    });
  }

 private:
  /// How copied X is cut.
  struct cuts {
    index_t panels;  ///< that one pass over the weights serves
    index_t steps;   ///< of k that a panel holds at a time
    index_t groups;  ///< whose sums wait for the next steps: one, if k is not cut
  };
  /// Whether X is worth a pass over it that re-lays it. Copied, it costs as much as some fifteen
  /// rows of W; where it lies, what a panel reads of it falls out of L2 before the next group of
  /// rows if there is much of it, or if its rows lie whole pages apart and so share few sets. (Few
  /// rows on Emerald Rapids, copied over in place: K of 16 to 1024 .6 to .95, 79 x 3452 1.2 to 1.9;
  /// f64, 512 columns, 64 x 576 1.45.)
  template <class Call>
  static bool pays_copying(const Call& c) {
    constexpr index_t page = 4096;
    if (c.x.ld() <= width) return false;
    const bool leaves_l2 = c.a.cols() > 2048;
    const bool shares_sets = c.a.cols() >= 256 && c.x.ld() * index_t{sizeof(T)} % page == 0;
    return c.a.rows() >= 128 || (c.a.rows() >= 32 && (leaves_l2 || shares_sets));
  }
  /// Long panels would leave no room in L2 for the weights that come next: beyond 512 columns of W,
  /// k is cut, and the sums of up to 40 groups are carried on. (All k at once before; f32 and f64
  /// on Emerald Rapids, 256 x 2304 1.1 and 1.15, 512 x 4608 1.25 and 1.5, 4096 x 4096 1.25 and 1.65
  /// times as fast since. Pieces of 768 and 1024 are 1 to 4 % slower.)
  static constexpr index_t most_panels = 8;
  static constexpr index_t most_steps = 512;
  static constexpr index_t most_groups = 40;
  template <class A>
  static cuts cuts_of(const A& a) {
    const index_t pieces = a.cols() <= most_steps ? 1 : ceil_div(a.cols(), most_steps);
    const index_t steps = ceil_div(a.cols(), pieces);
    const index_t panel = steps * width * index_t{sizeof(T)};
    const index_t most = index_t{1 << 19} / (panel > 0 ? panel : 1);
    const index_t panels = most < 1 ? 1 : most < most_panels ? most : most_panels;
    const index_t groups = a.groups() < most_groups ? a.groups() : most_groups;
    return {panels, steps, pieces == 1 ? 1 : groups};
  }

  /// Groups [g0, g1) of rows times panels [p0, p1), which are copied cut by cut of k. The sums of
  /// all panels are carried on together, so that weights come into L1 once for them.
  template <class Call, class Output, class ColumnOf>
  static void run_copied(const Call& c, const Output& out, const cuts& cut, index_t p0, index_t p1,
                         index_t g0, index_t g1, const ColumnOf& column_of, T* scratch) {
    const index_t begin = column_of(p0);
    const index_t all = round_up(column_of(p1) - begin, w);
    T* const sums = scratch + all * cut.steps;
    bool finite = true;
    for_k_ranges(c.a.cols(), cut.steps, [&](k_range part) {
      const index_t steps = part.end - part.begin;
      finite = relay_panels(c.x, part, p0, p1, column_of, scratch) && finite;
      for (index_t g = g0; g < g1; ++g) {
        T* const carried = sums + (cut.groups > 1 ? (g - g0) * all * view::group : 0);
        fetch_ahead fetch = fetch_next_group(c.a, g, part, p1 - p0, dense_vectors<Arch>);
        for_k_ranges(steps, columns_k, [&](k_range range) {
          range.before = part.begin;
          range.all = part.depth;
          for (index_t p = p0; p < p1; ++p) {
            const index_t column = column_of(p);
            const index_t columns = column_of(p + 1) - column;
            run_panel<false>(c, scratch + (column - begin) * steps, round_up(columns, w), range,
                             finite, g, carried + (column - begin) * view::group, fetch, column,
                             columns, out);
          }
        });
      }
    });
  }
  template <class Call, class Output, class ColumnOf>
  static void run_in_place(const Call& c, const Output& out, index_t p0, index_t p1, index_t g0,
                           index_t g1, const ColumnOf& column_of) {
    const index_t begin = column_of(p0);
    const bool finite =
        c.a.cols() < c.a.rows() && all_finite<lanes>(c.x, begin, column_of(p1) - begin);
    for (index_t g = g0; g < g1; ++g) {
      for (index_t p = p0; p < p1; ++p) {
        const index_t column = column_of(p);
        const index_t columns = column_of(p + 1) - column;
        alignas(64) T sums[view::group * width];
        fetch_ahead fetch;
        if (fetch_ahead::often) {
          fetch = fetch_next_group(c.a, g, all_of(c.a.cols()), 1, ceil_div(columns, w));
        }
        for_k_ranges(c.a.cols(), columns_k, [&](k_range range) {
          run_panel<true>(c, c.x.data() + column, c.x.ld(), range, finite, g, sums, fetch, column,
                          columns, out);
        });
      }
    }
  }

  /// What tiles of group g ask for while they go through steps `part`: these of the next group.
  template <class A>
  static fetch_ahead fetch_next_group(const A& a, index_t g, k_range part, index_t panels,
                                      index_t registers) {
    if (a.values.size() * index_t{sizeof(T)} <= fetched_weights) return {};
    const index_t step = a.step(g);
    const index_t steps = part.end - part.begin;
    const index_t height = packed_height<Arch>(static_cast<int>(registers));
    return fetch_ahead::of(a.group_begin(g) + step * (a.cols() + part.begin),
                           step * steps * index_t{sizeof(T)},
                           ceil_div(step, height) * panels * ceil_div(steps, columns_k), columns_k);
  }
  /// Steps `part` of panels [p0, p1) of X, one behind the other; whether all of them are finite.
  /// Row by row, so that X is read as it lies.
  template <class ColumnOf>
  static bool relay_panels(dense_view<const T, row_major> x, k_range part, index_t p0, index_t p1,
                           const ColumnOf& column_of, T* target) {
    finite_watch<lanes> watch;
    const index_t begin = column_of(p0);
    const index_t end = column_of(p1);
    const index_t whole = (end - begin) / w * w;
    const index_t steps = part.end - part.begin;
    index_t edge[most_panels + 1];
    for (index_t p = p0; p <= p1; ++p) edge[p - p0] = column_of(p) - begin;
    for (index_t k = 0; k < steps; ++k) {
      const T* const source = x.data() + (part.begin + k) * x.ld() + begin;
      for (index_t p = 0; p < p1 - p0; ++p) {
        const index_t first = edge[p];
        const index_t last = edge[p + 1];
        T* const panel = target + first * steps + k * round_up(last - first, w) - first;
        for (index_t j = first; j < last; j += w) {
          const auto v = j < whole ? lanes::load(source + j)
                                   : lanes::load(lanes::first(end - begin - j), source + j);
          watch.see(v);
          lanes::store(panel + j, v);
        }
      }
    }
    return watch.finite();
  }
  template <bool InPlace, class Call, class Output>
  static void run_panel(const Call& c, const T* x, index_t x_step, k_range range, bool finite,
                        index_t g, T* sums, fetch_ahead& fetch, index_t column, index_t columns,
                        const Output& out) {
    const index_t registers = ceil_div(columns, w);
    simd::unroll<dense_vectors<Arch>>([&](auto v) SPARSEKIT_LAMBDA_INLINE {
      if (registers != v + 1) return;
      const auto run = [&](auto mask) SPARSEKIT_LAMBDA_INLINE {
        run_group<v + 1, mask>(c, x, x_step, range, finite, g, sums, fetch, column, columns, out);
      };
      if constexpr (InPlace && w > 1) {
        if (columns % w != 0) return run(std::true_type{});
      }
      run(std::false_type{});
    });
  }
  template <int Vectors, bool MaskX, class Call, class Output>
  static void run_group(const Call& c, const T* x, index_t x_step, k_range range, bool finite,
                        index_t g, T* sums, fetch_ahead& fetch, index_t column, index_t columns,
                        const Output& out) {
    const index_t step = c.a.step(g);
    const index_t row = g * view::group;
    const index_t rows = c.a.rows() - row < step ? c.a.rows() - row : step;
    const T* const weights = c.a.group_begin(g) + range.before * step;
    const auto run = [&](index_t r, auto height, index_t tiles) SPARSEKIT_LAMBDA_INLINE {
      const part_operands<T, index_t> o{
          x, x_step, weights + r, step, {}, c.x.data() + column, c.x.ld(), range.before};
      run_straight_tiles<lanes, Vectors, height, roles::columns, MaskX>(
          o, range, tiles, columns, finite, sums + r * Vectors * w, Vectors * w, fetch, out, column,
          row + r);
      fetch = fetch.after(tiles, range.end - range.begin);
    };
    constexpr int most = packed_height<Arch>(Vectors);
    if constexpr (most == 6) {
      for_even_tile_runs<most>(rows, run);
    } else {
      for_tile_runs<most>(0, rows, run);
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
