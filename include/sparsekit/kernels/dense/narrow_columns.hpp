// Y = W X for packed dense W of bf16, f16 or s8, or what is left of one without some rows and
// columns (structured/narrow.hpp), X and Y row-major and of many columns: lanes are columns of X,
// so that sums lie in the order of Y. (Those of narrow.hpp reach it by way of memory and a
// transpose, which takes as long as some hundred columns of W.)
//
// X is re-laid into panels of words, once for all rows, whole cache lines of each of its rows at a
// time. Weights are read as they are packed where dot products take them so; otherwise they are
// widened, piece by piece, for all panels of a task. Tiles are those of f32 (packed.hpp): 6 x 4,
// 8 x 3 or 12 x 2 products for 10, 11 or 14 loads. They put sums into Y from their registers where
// the epilogue is short; all others leave them in memory between two pieces of k and before it.
//
// Emerald Rapids, over narrow.hpp: s8 by 512 columns 22 x 17 4.7, 42 x 60 4.7, 64 x 64 2.0,
// 60 x 1972 1.7, 512 x 512 1.3; bf16 3.3, 1.8, 1.4, 1.2, 1.1; by 32 columns s8 2.4 to 1.05. AVX2 s8
// 2.8, 1.9, 1.4, 1.2, 1.25, bf16 2.1, 1.6, 1.4, 1.4, 1.35. NEON is not measured: its tiles have 24
// products for 10 loads where those of rows have 18 for 9.
#pragma once

#include "../panel_rows.hpp"
#include "narrow.hpp"
#include "narrow_columns_tile.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

template <class Arch, class T>
struct gemm_packed_dense_narrow_columns {
  using view = packed_dense_view<T>;
  using sum = sum_of_t<T>;
  template <class TX>
  using words_of = narrow_columns<Arch, T, TX>;
  static constexpr int w = simd::lanes<Arch, sum>::width;
  static constexpr index_t width = words_of<T>::most_vectors * w;

  /// Pairs of k that tiles sum in one piece.
  template <class Words>
  static constexpr index_t most_pairs = 128 / Words::parts;
  /// Groups whose sums wait together, so that X is re-laid piece by piece and met in L1.
  static constexpr index_t few_groups = 4;

  template <class Call>
  static constexpr bool possible =
      w > 1 && Call::has_workspace&& std::is_same_v<typename Call::x_layout, row_major>&&
                   std::is_same_v<typename Call::y_layout, row_major>;
  template <class Call>
  static bool accepts(const Call& c) {
    using words = words_of<typename Call::x_type>;
    const auto& a = narrow_weights<typename Call::matrix>::dense(c.a);
    return c.x.cols() > w && a.rows() > 0 && pays<words>(a.rows(), a.cols(), c.x.cols()) &&
           c.scratch.worker_bytes >= bytes<words>(a.rows(), a.cols(), c.x.cols());
  }
  template <class A>
  static workspace_size requirement(const A& weights, index_t columns) {
    const auto& a = narrow_weights<A>::dense(weights);
    if (w == 1 || columns <= w) return {};
    using other = std::conditional_t<std::is_same_v<T, std::int8_t>, T, float>;
    const index_t own = bytes<words_of<T>>(a.rows(), a.cols(), columns);
    const index_t wide = bytes<words_of<other>>(a.rows(), a.cols(), columns);
    return {.shared = 0, .per_worker = own > wide ? own : wide};
  }

  template <class Call>
  static void run(const Call& c) {
    using words = words_of<typename Call::x_type>;
    const auto& a = narrow_weights<typename Call::matrix>::dense(c.a);
    const auto out = output_of<typename words::lanes>(c.y, c.epilogue, c.a.weight_sums.data());
    const index_t n = columns_of<words>(a.cols(), c.x.cols());
    const index_t groups = a.groups();
    const bool few = is_few<words>(a.rows(), a.cols());
    const panel_split split(n, w, words::most_vectors);
    const index_t together = few ? 1 : panels_together<words>(a.cols());
    const index_t blocks = ceil_div(split.panels, together);
    const index_t wanted = task_count(c.policy, a.rows() * a.cols() / 8 * n, blocks * groups);
    const index_t parts = ceil_div(wanted, blocks);
    run_tasks(c.policy, blocks * parts, [&](index_t task, index_t worker) {
      block b{.split = split,
              .p0 = split.panels * (task / parts) / blocks,
              .p1 = split.panels * (task / parts + 1) / blocks,
              .g0 = groups * (task % parts) / parts,
              .g1 = groups * (task % parts + 1) / parts};
      const index_t pairs = words::steps(a.cols()) / words::parts;
      const index_t lanes = (split.begin(b.p1) - split.begin(b.p0)) * w;
      const index_t held = few && pairs > most_pairs<words> ? most_pairs<words> : pairs;
      b.x = c.scratch.template worker_as<std::uint32_t>(worker);
      b.x_pairs = held;
      b.sums = reinterpret_cast<sum*>(b.x + held * words::parts * lanes);
      b.widened =
          reinterpret_cast<std::uint32_t*>(b.sums + (few ? b.g1 - b.g0 : 1) * view::group * lanes);
      if (few) {
        for_k_ranges(pairs, most_pairs<words>, [&](k_range range) {
          relay_panels(c, b, range);
          b.x_begin = range.begin;
          for (index_t g = b.g0; g < b.g1; ++g) {
            run_piece(c, b, g, range, b.sums + (g - b.g0) * view::group * lanes, out);
          }
        });
      } else {
        relay_panels(c, b, all_of(pairs));
        for (index_t g = b.g0; g < b.g1; ++g) {
          for_k_ranges(pairs, most_pairs<words>,
                       [&](k_range range) { run_piece(c, b, g, range, b.sums, out); });
        }
      }
    });
    if (n < c.x.cols()) gemm_packed_dense_narrow<Arch, T>::run_from(c, n);
  }

 private:
  /// Columns that tiles of columns take. The last few would fill less than half of a register: they
  /// go by tiles of rows, but where there are so few products that these are not worth beginning.
  template <class Words>
  static index_t columns_of(index_t cols, index_t columns) {
    constexpr index_t least = Words::least_vectors * w;
    const index_t left = columns % w;
    const bool apart = left <= w / 2 && columns - left >= least && Words::steps(cols) >= 24;
    return apart ? columns - left : columns;
  }
  /// Whether tiles of columns are faster. Those of rows multiply no lanes that are not there, but
  /// take as long as so many columns of W for putting a sum into Y; and where they keep weights
  /// that they have widened for 64 columns, they are ahead where putting is little (Emerald Rapids,
  /// bf16 by 32 and 49 columns: .9 at 512 columns of W and more).
  template <class Words>
  static bool pays(index_t rows, index_t cols, index_t columns) {
    const index_t n = columns_of<Words>(cols, columns);
    const index_t idle = round_up(n, w) - n;
    if (idle * cols > (Words::product::raw ? 128 : 24) * n) return false;
    using rows_of = narrow_groups<Arch, T, typename Words::x_type, true>;
    return !rows_of::keeps_wide || (cols <= 6 * n && cols <= 1024) ||
           (is_few<Words>(rows, cols) && rows <= n);
  }
  template <class Words>
  static bool is_few(index_t rows, index_t cols) {
    return rows <= few_groups * view::group &&
           Words::steps(cols) > most_pairs<Words> * Words::parts;
  }

  /// What a task has: panels [p0, p1) of X, of which pairs [x_begin, x_begin + x_pairs) lie as
  /// words at x, and groups [g0, g1).
  struct block {
    const panel_split& split;
    index_t p0, p1;
    index_t g0, g1;
    std::uint32_t* x = nullptr;
    index_t x_begin = 0;
    index_t x_pairs = 0;
    sum* sums = nullptr;
    std::uint32_t* widened = nullptr;
    bool finite = true;  ///< all of X so far is known to be
  };

  template <class Words>
  static index_t panels_together(index_t cols) {
    const index_t panel = Words::steps(cols) * width * index_t{sizeof(std::uint32_t)};
    const index_t most = index_t{1 << 19} / (panel > 0 ? panel : 1);
    return most < 1 ? 1 : most < 8 ? most : 8;
  }
  template <class Words>
  static index_t bytes(index_t rows, index_t cols, index_t columns) {
    const bool few = is_few<Words>(rows, cols);
    const index_t most = few ? width : width * panels_together<Words>(cols);
    const index_t together = columns < most ? round_up(columns, w) : most;
    const index_t piece = most_pairs<Words> * Words::parts;
    const index_t steps = few && Words::steps(cols) > piece ? piece : Words::steps(cols);
    const index_t sums = (few ? ceil_div(rows, view::group) : 1) * view::group;
    return (together * (steps + sums) + (Words::product::raw ? 0 : piece * view::group)) *
           index_t{sizeof(std::uint32_t)};
  }

  /// f(vectors), a constant, for a panel of so many registers.
  template <class Words, class F>
  static SPARSEKIT_INLINE void with_vectors(index_t registers, F&& f) {
    constexpr int least = Words::least_vectors;
    simd::unroll<Words::most_vectors - least + 1, least>([&](auto v) SPARSEKIT_LAMBDA_INLINE {
      if (registers == v) f(v);
    });
  }

  /// Pairs of `range` of all panels to b.x.
  template <class Call>
  static void relay_panels(const Call& c, block& b, k_range range) {
    using words = words_of<typename Call::x_type>;
    using operand = narrow_weights<typename Call::matrix>;
    finite_watch<typename words::lanes> watch;
    const index_t depth = operand::dense(c.a).cols();
    const index_t n = columns_of<words>(depth, c.x.cols());
    const auto row_of = [&](index_t k)
                            SPARSEKIT_LAMBDA_INLINE { return operand::row_of_x(c.a, k); };
    std::uint32_t* to = b.x;
    for (index_t p = b.p0; p < b.p1; ++p) {
      const index_t column = b.split.begin(p) * w;
      const index_t end = b.split.begin(p + 1) * w;
      std::uint32_t* next = to;
      with_vectors<words>((end - column) / w, [&](auto vectors) SPARSEKIT_LAMBDA_INLINE {
        for (index_t u = range.begin; u < range.end; ++u, next += words::parts * vectors * w) {
          words::template relay<vectors>(c.x, depth, row_of, u, column,
                                         (n < end ? n : end) - column, watch, next);
        }
      });
      to += b.x_pairs * words::parts * (end - column);
    }
    b.finite = b.finite && (words::floats || words::product::integers) && watch.finite();
  }

  /// Group g times `range` of all panels, whose sums wait at `sums`.
  template <class Call, class Output>
  static void run_piece(const Call& c, const block& b, index_t g, k_range range, sum* sums,
                        const Output& out) {
    using TX = typename Call::x_type;
    using words = words_of<TX>;
    const auto& a = narrow_weights<typename Call::matrix>::dense(c.a);
    const index_t step = a.step(g);
    const index_t row = g * view::group;
    const index_t rows = a.rows() - row < step ? a.rows() - row : step;
    alignas(64) sum begin[view::group];
    for (index_t r = 0; r < step; ++r) {
      begin[r] = 0;
      if constexpr (words::product::flipped) {
        begin[r] = -simd::shift_of_kept<Arch, TX>() * a.weight_sums[row + r];
      }
    }
    const std::uint32_t* weights = b.widened;
    if constexpr (words::product::raw) {
      weights = reinterpret_cast<const std::uint32_t*>(a.group_begin(g)) + range.begin * step;
    } else {
      words::widen(a.group_begin(g), step, range.begin, range.end, b.widened);
    }
    const std::uint32_t* x = b.x;
    for (index_t p = b.p0; p < b.p1; ++p) {
      const index_t column = b.split.begin(p) * w;
      const index_t lanes = b.split.begin(p + 1) * w - column;
      with_vectors<words>(lanes / w, [&](auto v) SPARSEKIT_LAMBDA_INLINE {
        const narrow_columns_operands o{x + (range.begin - b.x_begin) * words::parts * lanes,
                                        weights, step, (range.end - range.begin) * words::parts};
        const index_t left = columns_of<words>(a.cols(), c.x.cols()) - column;
        run_panel<v>(c, b, g, o, range, begin, sums, rows, column, left < lanes ? left : lanes,
                     out);
      });
      x += b.x_pairs * words::parts * lanes;
      sums += view::group * lanes;
    }
  }

  template <int Vectors, class Call, class Output>
  static void run_panel(const Call& c, const block& b, index_t g, narrow_columns_operands o,
                        k_range range, const sum* begin, sum* sums, index_t rows, index_t column,
                        index_t columns, const Output& out) {
    using words = words_of<typename Call::x_type>;
    using product = typename words::tile_product;
    using lanes = typename words::lanes;
    using operand = narrow_weights<typename Call::matrix>;
    using epilogue = std::remove_cvref_t<decltype(out.epilogue)>;
    constexpr index_t ld = Vectors * w;
    constexpr int height = words::height(Vectors);
    const index_t row = g * view::group;
    const std::uint32_t* const weights = o.weights;
    index_t put = 0;
    if constexpr (epilogue::is_short) {
      const index_t to =
          range.last() && b.finite && rows >= height ? operand::run_of_y(c.a, row, rows) : -1;
      if (to >= 0) {
        const index_t tiles = rows / height;
        put_narrow_columns<product, Vectors, height>(o, tiles, range.first() ? begin : nullptr,
                                                     sums, out, to, column, columns);
        put = tiles * height;
      }
    }
    // Rows of the group beyond the last are zero.
    for_row_tiles<height>(put, round_up(rows, 2),
                          [&](index_t r, auto high, index_t tiles) SPARSEKIT_LAMBDA_INLINE {
                            o.weights = weights + r;
                            add_narrow_columns<product, Vectors, high>(
                                o, tiles, range.first() ? begin + r : nullptr, sums + r * ld);
                          });
    if (!range.last() || put == rows) return;
    if constexpr (!words::product::integers) {
      if (!b.finite) exact_sums(c, g, rows, column, columns, ld, sums);
    }
    operand::template put_rows<lanes>(c.a, sums + put * ld, ld, row + put, rows - put, columns, out,
                                      column);
  }

  /// f(first row, height, tiles) with tiles of at most Height rows and of even heights.
  template <int Height, class F>
  static SPARSEKIT_INLINE void for_row_tiles(index_t r, index_t rows, F&& f) {
    if (const index_t tiles = (rows - r) / Height; tiles > 0) {
      f(r, std::integral_constant<int, Height>{}, tiles);
      r += tiles * Height;
    }
    if constexpr (Height > 2) {
      for_row_tiles<(Height > 8 ? 8 : Height > 4 ? 4 : 2)>(r, rows, f);
    }
  }

  /// Sums that are not finite again, leaving out weights of zero where x is not.
  template <class Call>
  static SPARSEKIT_NOINLINE void exact_sums(const Call& c, index_t g, index_t rows, index_t column,
                                            index_t columns, index_t ld, sum* sums) {
    using lanes = simd::lanes<Arch, float>;
    using groups = narrow_groups<Arch, T, typename Call::x_type, true>;
    for (index_t r = 0; r < rows; ++r) {
      if (all_finite<lanes>(sums + r * ld, columns)) continue;
      for (index_t j = 0; j < columns; ++j) {
        float& s = sums[r * ld + j];
        if (!simd::is_finite(s)) s = groups::exact_sum(c, g, r, column + j);
      }
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
