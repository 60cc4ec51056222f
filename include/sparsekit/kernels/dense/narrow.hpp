// Y = W X for packed dense W of bf16, f16 or s8, in any mix of layouts of X and Y.
//
//   gemv_packed_dense_narrow   one contiguous column: bound by reading W, which streams through once
//   gemm_packed_dense_narrow   all other calls
//
// W may be what is left of a matrix without some rows and columns (narrow_weights).
//
// Lanes are rows of W. A step of a tile loads three registers of weights, broadcasts a word of each
// of eight columns of X and does 24 multiply-adds or dot products (narrow_tile.hpp). X is
// re-laid into words once a block of columns, or where there is no workspace once a group of rows,
// in chunks that stay in L1. Sums wait in a tile in memory between chunks and before the epilogue,
// whose code is apart.
//
// Where X and Y are row-major and there are many columns, lanes are columns of X
// (narrow_columns.hpp).
#pragma once

#include "../panel_rows.hpp"
#include "narrow_tile.hpp"
#include "tile.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// What a kernel asks W besides its numbers: where its columns and rows lie in X and Y. Packed
/// dense weights are all there is; those without some rows and columns answer in
/// structured/narrow.hpp.
template <class A>
struct narrow_weights {
  using value = typename A::value_type;
  static const A& dense(const A& a) { return a; }
  static index_t groups(const A& a) { return a.groups(); }
  static index_t row_of_x(const A&, index_t k) { return k; }
  /// What a weight meets that may meet Inf or NaN: nothing, if it is no entry.
  static float seen(value weight, float x) { return visible(static_cast<float>(weight), x); }

  template <class Groups, class X>
  static void relay(const A&, X x, index_t chunk, index_t column, index_t count,
                    std::uint32_t* out) {
    Groups::relay(x, chunk, column, count, out);
  }
  template <class Groups, class Output>
  static void put(const A&, const typename Groups::sum* sums, index_t row, index_t rows,
                  index_t count, const Output& out, index_t column) {
    put_sums<typename Groups::lanes, roles::rows>(sums, A::group, rows, count, out, row, column);
  }
  /// The first row of Y if rows [row, row + rows) of W are one below the other there, with none
  /// around them that W does not have; -1 if not.
  static index_t run_of_y(const A&, index_t row, index_t) { return row; }
  /// Sums that lie as rows, `ld` apart, into row-major Y.
  template <class Lanes, class Sum, class Output>
  static void put_rows(const A&, const Sum* sums, index_t ld, index_t row, index_t rows,
                       index_t columns, const Output& out, index_t column) {
    put_panel_rows<Lanes>(sums, ld, rows, columns, out, row, column);
  }
};

/// What both kernels share: groups of rows times a strip of columns.
template <class Arch, class T, class TX, bool Tiles>
struct narrow_groups {
  using product = narrow_product<Arch, T, TX, Tiles>;
  using chunk = narrow_chunk<product>;
  using lanes = typename product::lanes;
  using sum = typename product::sum;
  using view = packed_dense_view<T>;
  static constexpr int w = lanes::width;
  /// A tile. With sixteen registers a product in two parts needs some for what it widens: g++ 12
  /// keeps sums of 3 x 4 in memory, and those of 3 x 8 on AArch64, where it loads all numbers
  /// ahead.
  static constexpr bool cramped = product::parts > 1 && accumulators<Arch> < 24;
  static constexpr bool neon = std::is_same_v<Arch, arch::neon>;
  static constexpr int vectors = cramped ? 2 : 3;
  static constexpr int tokens = neon ? 6 : cramped ? 4 : accumulators<Arch> / 3;
  /// Columns that are re-laid side by side, and put into Y together: whole registers and whole
  /// tiles.
  static constexpr index_t strip = neon ? 12 : w < 8 ? 8 : w;

  /// Whether weights that many columns meet are kept as they were widened for the first of them.
  /// Each tile of 3 x 8 widens six registers of bf16 for 48 multiply-adds, in the same units: .89
  /// of what these reach, which the loop does; stores cost it nothing.
  static constexpr bool keeps_wide =
      std::is_same_v<Arch, arch::avx512> && !product::integers && !product::raw;
  /// Numbers that are kept, of one group and chunk: 48 KB, from L2.
  static constexpr index_t wide = keeps_wide ? chunk::columns * view::group : 0;

  static index_t chunks(index_t depth) { return ceil_div(depth, chunk::columns); }
  static index_t steps_of(index_t depth, index_t c) {
    const index_t left = ceil_div(depth - c * chunk::columns, index_t{product::pair});
    return left < chunk::steps ? left : chunk::steps;
  }

  /// Chunk c of columns [column, column + count) of X.
  template <class Layout>
  static void relay(dense_view<const TX, Layout> x, index_t c, index_t column, index_t count,
                    std::uint32_t* out) {
    const index_t k0 = c * chunk::columns;
    const index_t steps = steps_of(x.rows(), c);
    if constexpr (Layout::rows_contiguous) {
      for (index_t j = 0; j < count; j += w) {
        product::relay_rows(&x(k0, column + j), x.ld(), count - j < w ? count - j : w,
                            x.rows() - k0, steps, chunk::steps, chunk::stride,
                            out + j * chunk::stride);
      }
    } else {
      for (index_t j = 0; j < count; ++j) {
        product::relay_column(&x(k0, column + j), 1, x.rows() - k0, steps, chunk::steps,
                              out + j * chunk::stride);
      }
    }
  }

  /// One group times `count` columns: words(c) gives chunk c of X. Then the epilogue.
  template <int Chains, class Call, class Words, class Output>
  static void run_group(const Call& c, index_t g, index_t column, index_t count, bool fetching,
                        Words&& words, const Output& out) {
    using operand = narrow_weights<typename Call::matrix>;
    const auto& a = operand::dense(c.a);
    const index_t depth = a.cols();
    const index_t step = a.step(g);
    const index_t row = g * view::group;
    const index_t rows = a.rows() - row < step ? a.rows() - row : step;
    constexpr index_t most = Chains > 1 ? 1 : strip;
    // Readable to full registers in both directions.
    alignas(64) sum sums[(most < w ? w : most) * view::group];
    begin_sums(a, row, step, count, sums);
    for (index_t i = 0; i < chunks(depth); ++i) {
      const std::uint32_t* x = words(i);
      const T* from = a.group_begin(g) + i * chunk::columns * step;
      add_chunk<Chains>(from, step, x, steps_of(depth, i), count, fetching, sums);
    }
    finish(c, g, rows, column, count, sums, out);
  }

  /// The same for a whole group and up to `Most` columns, more than a tile has; words(j, c) gives
  /// chunk c of X from column j on, a multiple of the strip. Weights are kept in `kept`.
  template <index_t Most, class Call, class Words, class Output>
  static void run_wide_group(const Call& c, index_t g, index_t column, index_t columns,
                             bool fetching, float* kept, Words&& words, const Output& out) {
    using operand = narrow_weights<typename Call::matrix>;
    const auto& a = operand::dense(c.a);
    constexpr index_t step = view::group;
    const index_t rows = a.rows() - g * step < step ? a.rows() - g * step : step;
    alignas(64) sum sums[Most * step];
    begin_sums(a, g * step, step, columns, sums);
    for (index_t i = 0; i < chunks(a.cols()); ++i) {
      const index_t steps = steps_of(a.cols(), i);
      const T* from = a.group_begin(g) + i * chunk::columns * step;
      add_narrow<product, vectors, tokens, 1>(from, step, words(0, i), steps, fetching, sums, step,
                                              kept);
      for (index_t j = 0; j < columns; j += strip) {
        const index_t count = columns - j < strip ? columns - j : strip;
        for_tiles<tokens>(
            j == 0 ? tokens : 0, count, [&](index_t t, auto tile) SPARSEKIT_LAMBDA_INLINE {
              add_narrow<narrow_widened<product>, vectors, tile, 1>(
                  static_cast<const float*>(kept), step, words(j, i) + t * chunk::stride, steps,
                  false, sums + (j + t) * step, step);
            });
      }
    }
    for (index_t j = 0; j < columns; j += strip) {
      finish(c, g, rows, column + j, columns - j < strip ? columns - j : strip, sums + j * step,
             out);
    }
  }

 private:
  /// Sums of one group and `count` columns into Y.
  template <class Call, class Output>
  static void finish(const Call& c, index_t g, index_t rows, index_t column, index_t count,
                     sum* sums, const Output& out) {
    using operand = narrow_weights<typename Call::matrix>;
    if constexpr (!product::integers) {
      for (index_t j = 0; j < count; ++j) {
        if (!finite_column(sums + j * view::group, operand::dense(c.a).step(g))) {
          exact_column(c, g, rows, column + j, sums + j * view::group);
        }
      }
    }
    operand::template put<narrow_groups>(c.a, sums, g * view::group, rows, count, out, column);
  }

  template <int Chains>
  static void add_chunk(const T* weights, index_t step, const std::uint32_t* x, index_t steps,
                        index_t count, bool fetching, sum* sums) {
    for_tiles<vectors>(0, step / w, [&](index_t v, auto registers) SPARSEKIT_LAMBDA_INLINE {
      const T* from = weights + v * w * product::pair;
      const auto add = [&](index_t t, auto tile) SPARSEKIT_LAMBDA_INLINE {
        // Integers give the same sums in any order; others must not depend on how many columns
        // there are.
        constexpr int apart = Chains > 1 || !product::integers ? Chains : chains_of(tile);
        add_narrow<product, registers, tile, apart>(from, step, x + t * chunk::stride, steps,
                                                    fetching && t == 0,
                                                    sums + t * view::group + v * w, view::group);
      };
      if constexpr (Chains > 1) {
        add(0, std::integral_constant<int, 1>{});
      } else {
        const auto run = [&](index_t t, auto tile, index_t tiles) SPARSEKIT_LAMBDA_INLINE {
          for (; tiles > 0; --tiles, t += tile) add(t, tile);
        };
        for_tile_runs_of_three<tokens>(count, run);
      }
    });
  }
  /// Steps of a tile that are summed apart: as many as hide the latency of dot products.
  static constexpr int chains_of(int tile) {
    const int most = accumulators<Arch> / (vectors * tile);
    return most < 1 ? 1 : most < 4 ? most : tile == 1 ? 4 : 2;
  }

  /// Zero, or what makes up for words of X with another sign.
  static void begin_sums(const packed_dense_view<const T>& a, index_t row, index_t step,
                         index_t count, sum* sums) {
    for (index_t i = 0; i < step; i += w) {
      auto v = lanes::zero();
      if constexpr (product::flipped) {
        constexpr int shift = simd::shift_of_kept<Arch, TX>();
        v = lanes::mul(lanes::broadcast(-shift), lanes::load(a.weight_sums.data() + row + i));
      }
      for (index_t j = 0; j < count; ++j) lanes::store(sums + j * view::group + i, v);
    }
  }

  static bool finite_column(const sum* sums, index_t step) {
    auto magnitude = lanes::no_magnitude();
    for (index_t i = 0; i < step; i += w) {
      magnitude = lanes::max_magnitude(magnitude, lanes::load(sums + i));
    }
    return !lanes::any_not_finite(magnitude);
  }

  /// A column with Inf or NaN again, leaving out what is no entry where x is not finite.
  template <class Call>
  static SPARSEKIT_NOINLINE void exact_column(const Call& c, index_t g, index_t rows,
                                              index_t column, sum* sums) {
    for (index_t r = 0; r < rows; ++r) sums[r] = exact_sum(c, g, r, column);
  }

 public:
  /// Row r of group g times a column of X, in the order in which tiles sum.
  template <class Call>
  static float exact_sum(const Call& c, index_t g, index_t r, index_t column) {
    using one = simd::lanes<arch::scalar, float>;
    using operand = narrow_weights<typename Call::matrix>;
    const auto& a = operand::dense(c.a);
    const index_t step = a.step(g);
    const T* const weights = a.group_begin(g) + r * view::pair;
    float total = 0;
    for (index_t s = 0; s < a.depth(); s += view::pair) {
      for (index_t k = s + view::pair - 1; k >= s; --k) {
        if (k >= a.cols()) continue;
        const T weight = weights[s * step + k - s];
        const auto x = static_cast<float>(c.x(operand::row_of_x(c.a, k), column));
        total = one::fma(static_cast<float>(weight), operand::seen(weight, x), total);
      }
    }
    return total;
  }
};

template <class Arch, class T>
struct gemm_packed_dense_narrow {
  using view = packed_dense_view<T>;
  /// Columns that one pass over a group serves, so that it comes from L2 but for the first.
  static constexpr index_t block = 64;

  template <class Call>
  static constexpr bool possible = !Call::one_column;
  template <class Call>
  static bool accepts(const Call& c) {
    return !is_spmv(c);
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    if (columns < 2) return {};
    const index_t most = columns < block ? columns : block;
    const index_t depth = narrow_weights<A>::dense(a).cols();
    if constexpr (std::is_same_v<T, std::int8_t>) {
      // s8 and u8 have the same parts.
      return {.shared = 0, .per_worker = panel_bytes<std::int8_t>(depth, most)};
    } else {
      const index_t own = panel_bytes<T>(depth, most);
      const index_t wide = panel_bytes<float>(depth, most);
      return {.shared = 0, .per_worker = own > wide ? own : wide};
    }
  }

  template <class Call>
  static void run(const Call& c) {
    run_from(c, 0);
  }
  /// Columns from `begin` on.
  template <class Call>
  static void run_from(const Call& c, index_t begin) {
    using groups = narrow_groups<Arch, T, typename Call::x_type, true>;
    using operand = narrow_weights<typename Call::matrix>;
    using chunk = typename groups::chunk;
    using lanes = typename groups::lanes;
    constexpr index_t strip = groups::strip;
    const index_t n = c.x.cols() - begin;
    const auto& a = operand::dense(c.a);
    const index_t chunks = groups::chunks(a.cols());
    const index_t blocks = ceil_div(n, block);
    const index_t work = a.rows() * a.cols() / 8 * n;
    const index_t all_groups = operand::groups(c.a);
    const index_t parts = ceil_div(task_count(c.policy, work, blocks * all_groups), blocks);
    const auto out = output_of<lanes>(c.y, c.epilogue, c.a.weight_sums.data());
    run_tasks(c.policy, blocks * parts, [&](index_t task, index_t worker) {
      const index_t first = begin + task / parts * block;
      const index_t columns = c.x.cols() - first < block ? c.x.cols() - first : block;
      const index_t g0 = all_groups * (task % parts) / parts;
      const index_t g1 = all_groups * (task % parts + 1) / parts;
      const bool whole =
          c.scratch.worker_bytes >= panel_bytes<typename Call::x_type>(a.cols(), columns);
      auto* const panel = whole ? c.scratch.template worker_as<std::uint32_t>(worker) : nullptr;
      const auto at = [&](index_t j, index_t i) SPARSEKIT_LAMBDA_INLINE {
        return panel + (j * chunks + i * strip) * chunk::stride;
      };
      for (index_t j = 0; whole && j < columns; j += strip) {
        const index_t count = columns - j < strip ? columns - j : strip;
        for (index_t i = 0; i < chunks; ++i) {
          operand::template relay<groups>(c.a, c.x, i, first + j, count, at(j, i));
        }
      }
      alignas(64) std::uint32_t on_stack[strip * chunk::stride];
      const bool fetching = a.values.size() * index_t{sizeof(T)} > narrow_fetched;
      for (index_t g = g0; g < g1; ++g) {
        if constexpr (groups::keeps_wide) {
          if (whole && columns > groups::tokens && a.step(g) == view::group) {
            float* const kept = reinterpret_cast<float*>(at(round_up(columns, strip), 0));
            groups::template run_wide_group<block>(c, g, first, columns, fetching, kept, at, out);
            continue;
          }
        }
        for (index_t j = 0; j < columns; j += strip) {
          const index_t count = columns - j < strip ? columns - j : strip;
          groups::template run_group<1>(
              c, g, first + j, count, fetching && j == 0,
              [&](index_t i) -> const std::uint32_t* {
                if (whole) return at(j, i);
                operand::template relay<groups>(c.a, c.x, i, first + j, count, on_stack);
                return on_stack;
              },
              out);
        }
      }
    });
  }

 private:
  template <class TX>
  static index_t panel_bytes(index_t depth, index_t columns) {
    using groups = narrow_groups<Arch, T, TX, true>;
    const index_t words =
        round_up(columns, groups::strip) * groups::chunks(depth) * groups::chunk::stride;
    return (words + (columns > groups::tokens ? groups::wide : 0)) * index_t{sizeof(std::uint32_t)};
  }
};

template <class Arch, class T>
struct gemv_packed_dense_narrow {
  using view = packed_dense_view<T>;
  /// Steps whose products are summed apart: 3 registers x 4 hide the latency of the dot products.
  static constexpr int chains = 4;
  /// Chunks of x that are kept on the stack where there is no workspace.
  static constexpr index_t on_stack = 16;

  template <class Call>
  static constexpr bool possible = std::is_same_v<typename Call::x_layout, col_major>&&
      std::is_same_v<typename Call::y_layout, col_major>;
  template <class Call>
  static bool accepts(const Call& c) {
    return is_spmv(c);
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t) {
    using X = std::conditional_t<std::is_same_v<T, std::int8_t>, T, float>;
    const index_t depth = narrow_weights<A>::dense(a).cols();
    return {.shared = bytes<X>(depth) > bytes<T>(depth) ? bytes<X>(depth) : bytes<T>(depth),
            .per_worker = 0};
  }

  template <class Call>
  static void run(const Call& c) {
    using groups_of = narrow_groups<Arch, T, typename Call::x_type, false>;
    using operand = narrow_weights<typename Call::matrix>;
    using chunk = typename groups_of::chunk;
    const auto& a = operand::dense(c.a);
    const index_t chunks = groups_of::chunks(a.cols());
    alignas(64) std::uint32_t room[on_stack * chunk::words];
    const bool shared = c.scratch.shared_bytes >= bytes<typename Call::x_type>(a.cols());
    std::uint32_t* const x = shared ? c.scratch.template shared_as<std::uint32_t>() : room;
    const bool whole = shared || chunks <= on_stack;
    for (index_t i = 0; whole && i < chunks; ++i) {
      operand::template relay<groups_of>(c.a, c.x, i, 0, 1, x + i * chunk::words);
    }
    const index_t groups = operand::groups(c.a);
    const index_t tasks = task_count(c.policy, a.rows() * a.cols() / 4, groups);
    const auto out = output_of<typename groups_of::lanes>(c.y, c.epilogue, c.a.weight_sums.data());
    const bool fetching = a.values.size() * index_t{sizeof(T)} > narrow_fetched;
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      alignas(64) std::uint32_t one[chunk::words];
      for (index_t g = groups * task / tasks; g < groups * (task + 1) / tasks; ++g) {
        groups_of::template run_group<chains>(
            c, g, 0, 1, fetching,
            [&](index_t i) -> const std::uint32_t* {
              if (whole) return x + i * chunk::words;
              operand::template relay<groups_of>(c.a, c.x, i, 0, 1, one);
              return one;
            },
            out);
      }
    });
  }

 private:
  template <class TX>
  static index_t bytes(index_t depth) {
    using groups_of = narrow_groups<Arch, T, TX, false>;
    return groups_of::chunks(depth) * groups_of::chunk::words * index_t{sizeof(std::uint32_t)};
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
