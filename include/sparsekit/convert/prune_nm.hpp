// Pruning to N:M patterns that rows share, and to blocks:
//
//   prune_nm(w, {2, 4, 8})              2 of 4 columns, the same ones in 8 neighbouring rows
//   prune_blocks(w, {4, 1}, 0.8)        80 % of the 4 x 1 blocks
//
// By the energy of what stays (the sum of squares), or by scores of the shape of w as in prune.hpp (Wanda,
// SparseGPT): a place that several rows share counts by the sum of their scores.
#pragma once

#include "../formats/bsr.hpp"
#include "../formats/nm.hpp"
#include "prune.hpp"

namespace sparsekit {
inline namespace v0 {

/// Passed to pack() and to_nm(): keep the weights of the largest magnitude.
struct magnitude_pruning_t {};
inline constexpr magnitude_pruning_t magnitude_pruning{};

/// The same by scores: sk::pack<sk::nm<2, 4>>(dense, sk::score_pruning(scores)).
template <class S, class Layout>
struct score_pruning {
  dense_view<S, Layout> scores;
  explicit score_pruning(const dense_view<S, Layout>& s) : scores(s) {}
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace prune {

/// What a weight adds to the worth of its place.
struct energy_of_weight {
  using order = by_magnitude;
  static constexpr const char* name = "weights";
  template <class T>
  static double worth(T v) {
    const double x = as_double(v);
    return x * x;
  }
};
struct score_itself {
  using order = by_score;
  static constexpr const char* name = "scores";
  template <class T>
  static double worth(T v) {
    return as_double(v);
  }
};

/// Of `count` places the `keep` best as a bit set; of equals the first.
template <class Key>
std::uint32_t best_places(const Key* keys, index_t count, index_t keep) {
  std::uint32_t kept = 0;
  for (index_t i = 0; i < count; ++i) {
    index_t better = 0;
    for (index_t j = 0; j < count; ++j) {
      better += keys[j] > keys[i] || (keys[j] == keys[i] && j < i);
    }
    if (better < keep) kept |= std::uint32_t{1} << i;
  }
  return kept;
}

/// The places that set `set` keeps in the group that starts at column `begin`. A pattern of one row ranks by
/// the bits of its scores, so nothing is rounded; shared ones by sums in double.
template <class Measure, class S, class Layout>
std::uint32_t kept_places(const dense_view<S, Layout>& scores, const nm_shape& g, index_t set,
                          index_t begin) {
  using value = std::remove_cv_t<S>;
  const index_t count = scores.cols() - begin < g.m ? scores.cols() - begin : g.m;
  if (g.v == 1) {
    convert::bits_t<value> keys[nm_max_group];
    for (index_t i = 0; i < count; ++i) {
      keys[i] = Measure::order::template key<value>(scores(set, begin + i));
    }
    return best_places(keys, count, g.n);
  }
  std::uint64_t keys[nm_max_group];
  const index_t first = set * g.v;
  const index_t rows = scores.rows() - first < g.v ? scores.rows() - first : g.v;
  for (index_t i = 0; i < count; ++i) {
    double worth = 0;
    for (index_t r = 0; r < rows; ++r) {
      worth += Measure::template worth<value>(scores(first + r, begin + i));
    }
    keys[i] = by_score::key(worth);
  }
  return best_places(keys, count, g.n);
}

template <class Measure, class T, class Layout, class S, class ScoreLayout>
status nm_shared(const dense_view<T, Layout>& w, const nm_shape& g,
                 const dense_view<S, ScoreLayout>& scores) {
  if (status s = validate(g); !s) return s;
  if (status s = check_operands(w, scores, Measure::name); !s) return s;
  for (index_t set = 0; set < ceil_div(w.rows(), g.v); ++set) {
    for (index_t begin = 0; begin < w.cols(); begin += g.m) {
      // The whole group is ranked before any of it is overwritten: w may be its own score.
      const std::uint32_t kept = kept_places<Measure>(scores, g, set, begin);
      for (index_t r = set * g.v; r < w.rows() && r < (set + 1) * g.v; ++r) {
        for (index_t i = 0; i < g.m && begin + i < w.cols(); ++i) {
          if ((kept >> i & 1) == 0) w(r, begin + i) = T{};
        }
      }
    }
  }
  return {};
}

template <class Measure, class T, class Layout, class S, class ScoreLayout>
status blocks(const dense_view<T, Layout>& w, block_shape block, double zeros,
              const dense_view<S, ScoreLayout>& scores) {
  const bool rows_bad = block.rows < 1 || block.rows > max_block_side;
  if (rows_bad || block.cols < 1 || block.cols > max_block_side) {
    return {.code = errc::bad_argument, .object = "prune",
            .detail = rows_bad ? "block.rows" : "block.cols",
            .got = rows_bad ? block.rows : block.cols, .allowed = max_block_side};
  }
  if (status s = check_operands(w, scores, Measure::name); !s) return s;
  const index_t down = ceil_div(w.rows(), block.rows);
  const index_t across = ceil_div(w.cols(), block.cols);
  index_t remove = 0;
  if (status s = share_of(zeros, down * across, remove); !s) return s;
  buffer<double> worth;
  if (status s = worth.allocate_zeroed(down * across); !s) return s;
  for_each_place(scores, [&](index_t r, index_t c) {
    worth[r / block.rows * across + c / block.cols] +=
        Measure::template worth<std::remove_cv_t<S>>(scores(r, c));
  });
  const auto cut = convert::select_lowest<std::uint64_t>(remove, [&](auto&& visit) {
    for (const double x : worth) visit(by_score::key(x));
  });
  index_t keep = cut.equal - cut.remove_equal;
  for (index_t b = 0; b < worth.size(); ++b) {
    const std::uint64_t k = by_score::key(worth[b]);
    const bool removed =
        k < cut.threshold || (k == cut.threshold && cut.remove_equal > 0 && keep-- <= 0);
    worth[b] = removed ? 0.0 : 1.0;
  }
  for_each_place(w, [&](index_t r, index_t c) {
    if (worth[r / block.rows * across + c / block.cols] == 0.0) w(r, c) = T{};
  });
  return {};
}

}  // namespace prune

/// N:M with a pattern that g.v neighbouring rows share: of each group of g.m columns the g.n places of the
/// highest energy (scores: the highest sum) over these rows stay. The last group and the last rows may be
/// fewer. Of equals the first stays. O(rows * cols * m), no allocation. Errors: a shape out of range
/// (see nm_shape), malformed views, shapes that differ, NaN or infinity.
template <class T, class Layout>
[[nodiscard]] status prune_nm(const dense_view<T, Layout>& w, const nm_shape& g) {
  return prune::nm_shared<prune::energy_of_weight>(w, g, w);
}
template <class T, class Layout, class S, class ScoreLayout>
[[nodiscard]] status prune_nm(const dense_view<T, Layout>& w, const nm_shape& g,
                              const dense_view<S, ScoreLayout>& scores) {
  return prune::nm_shared<prune::score_itself>(w, g, scores);
}

/// Zeroes the round(zeros_fraction * blocks) blocks of the lowest energy (scores: sum). Blocks start at
/// multiples of the block's sides. O(rows * cols), one double a block. Errors: a block side out of
/// 1 .. 64, and those of prune_fraction.
template <class T, class Layout>
[[nodiscard]] status prune_blocks(const dense_view<T, Layout>& w, block_shape block,
                                  double zeros_fraction) {
  return prune::blocks<prune::energy_of_weight>(w, block, zeros_fraction, w);
}
template <class T, class Layout, class S, class ScoreLayout>
[[nodiscard]] status prune_blocks(const dense_view<T, Layout>& w, block_shape block,
                                  double zeros_fraction,
                                  const dense_view<S, ScoreLayout>& scores) {
  return prune::blocks<prune::score_itself>(w, block, zeros_fraction, scores);
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
