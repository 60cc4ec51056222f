// Pruning: sets the least important weights of a dense matrix to zero, in place.
//
//   prune_fraction(w, 0.9)    90 % of all weights                     (unstructured)
//   prune_nm(w, 2, 4)         all but 2 of each 4 neighbours in a row (N:M)
//   prune_rows(w, 0.5)        half of the rows                        (structured)
//   prune_columns(w, 0.5)     half of the columns
//
// Importance is the magnitude |w|, or what a matrix of scores says, given as the last argument: of
// the shape of w, in any layout, signed; weights with lower scores go first. Scores must be finite,
// and so must w where it is its own score: errc::not_finite names the row and the position in
// memory. Rows and columns count by the sum of their scores, so by their L1 norm without a score
// matrix (Li et al., Pruning Filters for Efficient ConvNets, 2017). On an error w is left as it
// was. Ties keep what comes first, in the order of rows, then columns, so the result depends
// neither on layout, compiler nor floating-point state.
#pragma once

#include <bit>
#include <cmath>
#include <limits>

#include "../core/dense_view.hpp"
#include "../core/storage.hpp"
#include "select_lowest.hpp"

SPARSEKIT_EXEC_BEGIN
namespace prune {

/// For sums of scores. bf16 and f16 convert to f32 only.
template <class T>
double as_double(T v) {
  using wide = std::conditional_t<std::is_arithmetic_v<T>, double, float>;
  return static_cast<double>(static_cast<wide>(v));
}

/// Scores as unsigned integers in the same order: ranking needs no floating-point comparison.
struct by_magnitude {
  template <class T>
  static constexpr convert::bits_t<T> key(T v) {
    using bits = convert::bits_t<T>;
    if constexpr (std::is_unsigned_v<T>) {
      return v;
    } else if constexpr (std::is_integral_v<T>) {
      return v < 0 ? static_cast<bits>(bits{0} - static_cast<bits>(v)) : static_cast<bits>(v);
    } else {
      return static_cast<bits>(std::bit_cast<bits>(v) & (static_cast<bits>(~bits{0}) >> 1));
    }
  }
  template <class T>
  static double weight(T v) {
    return std::fabs(as_double(v));
  }
};
struct by_score {
  template <class T>
  static constexpr convert::bits_t<T> key(T v) {
    using bits = convert::bits_t<T>;
    constexpr bits sign = static_cast<bits>(bits{1} << (8 * sizeof(T) - 1));
    if constexpr (std::is_unsigned_v<T>) {
      return v;
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<bits>(static_cast<bits>(v) ^ sign);
    } else {
      const bits b = std::bit_cast<bits>(v);
      if (!convert::is_nonzero(v)) return sign;  // -0.0 and 0.0 rank alike
      return static_cast<bits>((b & sign) != 0 ? ~b : b | sign);
    }
  }
  template <class T>
  static double weight(T v) {
    return as_double(v);
  }
};

/// Neither NaN nor infinite, by the bits: -ffast-math would fold a comparison away. Floating types
/// of other make than IEEE single and double convert to float without loss.
template <class T>
bool is_finite(T v) {
  if constexpr (std::is_integral_v<T>) {
    return true;
  } else if constexpr (sizeof(T) == 8) {
    return (std::bit_cast<std::uint64_t>(v) & 0x7FF0000000000000u) != 0x7FF0000000000000u;
  } else {
    return (std::bit_cast<std::uint32_t>(static_cast<float>(v)) & 0x7F800000u) != 0x7F800000u;
  }
}

/// f(r, c) for every place, in the order of the view's memory.
template <class T, class Layout, class F>
void for_each_place(const dense_view<T, Layout>& w, F&& f) {
  if constexpr (Layout::rows_contiguous) {
    for (index_t r = 0; r < w.rows(); ++r) {
      for (index_t c = 0; c < w.cols(); ++c) f(r, c);
    }
  } else {
    for (index_t c = 0; c < w.cols(); ++c) {
      for (index_t r = 0; r < w.rows(); ++r) f(r, c);
    }
  }
}

/// Whether w and its scores can be used together.
template <class T, class Layout, class S, class ScoreLayout>
status check_operands(const dense_view<T, Layout>& w, const dense_view<S, ScoreLayout>& scores,
                      const char* scores_name) {
  static_assert(!std::is_const_v<T>, "pruning writes to its first argument");
  if (status s = validate(w, "weights"); !s) return s;
  if (status s = validate(scores, scores_name); !s) return s;
  if (w.shape() != scores.shape()) {
    const bool rows_differ = w.rows() != scores.rows();
    return {.code = errc::shape_mismatch,
            .object = scores_name,
            .detail = rows_differ ? "rows" : "cols",
            .got = rows_differ ? scores.rows() : scores.cols(),
            .allowed = rows_differ ? w.rows() : w.cols()};
  }
  status error;
  for_each_place(scores, [&](index_t r, index_t c) {
    if (is_finite<std::remove_cv_t<S>>(scores(r, c)) || !error) return;
    const index_t position =
        ScoreLayout::rows_contiguous ? r * scores.ld() + c : c * scores.ld() + r;
    error = {.code = errc::not_finite, .object = scores_name, .entry = position, .row = r};
  });
  return error;
}

/// round(fraction * count), halves up, into `out`.
inline status share_of(double fraction, index_t count, index_t& out) {
  if (!is_finite(fraction) || !(fraction >= 0 && fraction <= 1)) {
    return {
        .code = errc::bad_argument, .object = "prune", .detail = "fraction is not within [0, 1]"};
  }
  const double share = std::floor(fraction * static_cast<double>(count) + 0.5);
  out = share >= static_cast<double>(count) ? count : static_cast<index_t>(share);
  return {};
}

template <class Order, class T, class Layout, class S, class ScoreLayout>
status fraction(const dense_view<T, Layout>& w, double zeros,
                const dense_view<S, ScoreLayout>& scores, const char* scores_name) {
  if (status s = check_operands(w, scores, scores_name); !s) return s;
  index_t remove = 0;
  if (status s = share_of(zeros, w.rows() * w.cols(), remove); !s) return s;
  const auto key = [&](index_t r, index_t c) {
    return Order::template key<std::remove_cv_t<S>>(scores(r, c));
  };
  using key_type = convert::bits_t<S>;
  const auto cut = convert::select_lowest<key_type>(remove, [&](auto&& visit) {
    for_each_place(scores, [&](index_t r, index_t c) { visit(key(r, c)); });
  });
  index_t keep = cut.equal - cut.remove_equal;
  if (keep == 0) {  // no tie to decide, so the order of memory will do
    for_each_place(w, [&](index_t r, index_t c) {
      const key_type k = key(r, c);
      if (k < cut.threshold || (k == cut.threshold && cut.remove_equal > 0)) w(r, c) = T{};
    });
    return {};
  }
  // Of the weights that rank with the last one removed, the first `keep` stay, in logical order.
  for (index_t r = 0; r < w.rows(); ++r) {
    for (index_t c = 0; c < w.cols(); ++c) {
      const key_type k = key(r, c);
      if (k < cut.threshold || (k == cut.threshold && cut.remove_equal > 0 && keep-- <= 0)) {
        w(r, c) = T{};
      }
    }
  }
  return {};
}

/// Keeps the `keep` highest of `count` weights w[i * step] by their keys.
template <class T, class Key>
void keep_highest(T* w, index_t step, const Key* keys, index_t count, index_t keep) {
  if (count > 64) {  // where counting who is better would take count^2 steps
    const auto cut = convert::select_lowest<Key>(count - keep, [&](auto&& visit) {
      for (index_t i = 0; i < count; ++i) visit(keys[i]);
    });
    index_t ties = cut.equal - cut.remove_equal;
    for (index_t i = 0; i < count; ++i) {
      if (keys[i] < cut.threshold ||
          (keys[i] == cut.threshold && cut.remove_equal > 0 && ties-- <= 0)) {
        w[i * step] = T{};
      }
    }
    return;
  }
  for (index_t i = 0; i < count; ++i) {
    index_t better = 0;
    for (index_t j = 0; j < count; ++j)
      better += keys[j] > keys[i] || (keys[j] == keys[i] && j < i);
    if (better >= keep) w[i * step] = T{};
  }
}

template <class Order, class T, class Layout, class S, class ScoreLayout>
status nm(const dense_view<T, Layout>& w, index_t n, index_t m,
          const dense_view<S, ScoreLayout>& scores, const char* scores_name) {
  if (m < 1) {
    return {.code = errc::bad_argument, .object = "prune", .detail = "m", .got = m, .allowed = 1};
  }
  if (n < 0 || n > m) {
    return {.code = errc::bad_argument,
            .object = "prune",
            .detail = "n",
            .got = n,
            .allowed = n < 0 ? 0 : m};
  }
  if (status s = check_operands(w, scores, scores_name); !s) return s;
  if (w.rows() == 0 || w.cols() == 0) return {};
  const index_t group = m < w.cols() ? m : w.cols();
  buffer<convert::bits_t<S>> keys;
  if (status s = keys.allocate(group); !s) return s;
  const index_t step = Layout::rows_contiguous ? 1 : w.ld();
  for (index_t r = 0; r < w.rows(); ++r) {
    for (index_t begin = 0; begin < w.cols(); begin += group) {
      const index_t count = w.cols() - begin < group ? w.cols() - begin : group;
      for (index_t i = 0; i < count; ++i) {
        keys[i] = Order::template key<std::remove_cv_t<S>>(scores(r, begin + i));
      }
      keep_highest(&w(r, begin), step, keys.data(), count, n < count ? n : count);
    }
  }
  return {};
}

template <class Order, class T, class Layout, class S, class ScoreLayout>
status rows(const dense_view<T, Layout>& w, double zeros, const dense_view<S, ScoreLayout>& scores,
            const char* scores_name) {
  index_t remove = 0;
  if (status s = check_operands(w, scores, scores_name); !s) return s;
  if (status s = share_of(zeros, w.rows(), remove); !s) return s;
  buffer<double> sums;
  if (status s = sums.allocate_zeroed(w.rows()); !s) return s;
  for_each_place(scores, [&](index_t r, index_t c) {
    sums[r] += Order::template weight<std::remove_cv_t<S>>(scores(r, c));
  });
  const auto cut = convert::select_lowest<std::uint64_t>(remove, [&](auto&& visit) {
    for (const double sum : sums) visit(by_score::key(sum));
  });
  index_t keep = cut.equal - cut.remove_equal;
  for (index_t r = 0; r < w.rows(); ++r) {
    const std::uint64_t k = by_score::key(sums[r]);
    if (k < cut.threshold || (k == cut.threshold && cut.remove_equal > 0 && keep-- <= 0)) {
      for (index_t c = 0; c < w.cols(); ++c) w(r, c) = T{};
    }
  }
  return {};
}

}  // namespace prune

/// Zeroes the round(zeros_fraction * rows * cols) weights of the lowest rank (halves round up);
/// weights that are zero already count. O(rows * cols), no allocation. Errors: a fraction outside
/// [0, 1]; malformed views; shapes that differ; NaN or infinity.
template <class T, class Layout>
[[nodiscard]] status prune_fraction(const dense_view<T, Layout>& w, double zeros_fraction) {
  return prune::fraction<prune::by_magnitude>(w, zeros_fraction, w, "weights");
}
template <class T, class Layout, class S, class ScoreLayout>
[[nodiscard]] status prune_fraction(const dense_view<T, Layout>& w, double zeros_fraction,
                                    const dense_view<S, ScoreLayout>& scores) {
  return prune::fraction<prune::by_score>(w, zeros_fraction, scores, "scores");
}

/// N:M: of each group of m neighbouring columns in a row keeps the n of the highest rank. Groups
/// start at multiples of m; a shorter one at the end keeps min(n, its length). O(rows * cols * m)
/// for m up to 64, O(rows * cols) beyond. Errors: m < 1, n outside [0, m], no memory for m keys,
/// and those of prune_fraction.
template <class T, class Layout>
[[nodiscard]] status prune_nm(const dense_view<T, Layout>& w, index_t n, index_t m) {
  return prune::nm<prune::by_magnitude>(w, n, m, w, "weights");
}
template <class T, class Layout, class S, class ScoreLayout>
[[nodiscard]] status prune_nm(const dense_view<T, Layout>& w, index_t n, index_t m,
                              const dense_view<S, ScoreLayout>& scores) {
  return prune::nm<prune::by_score>(w, n, m, scores, "scores");
}

/// Zeroes the round(fraction * rows) rows with the lowest sum of scores (sums in double, by
/// increasing column). Errors: those of prune_fraction, and no memory for the sums.
template <class T, class Layout>
[[nodiscard]] status prune_rows(const dense_view<T, Layout>& w, double fraction) {
  return prune::rows<prune::by_magnitude>(w, fraction, w, "weights");
}
template <class T, class Layout, class S, class ScoreLayout>
[[nodiscard]] status prune_rows(const dense_view<T, Layout>& w, double fraction,
                                const dense_view<S, ScoreLayout>& scores) {
  return prune::rows<prune::by_score>(w, fraction, scores, "scores");
}

/// Zeroes the round(fraction * cols) columns with the lowest sum of scores: prune_rows of the
/// transpose.
template <class T, class Layout>
[[nodiscard]] status prune_columns(const dense_view<T, Layout>& w, double fraction) {
  return prune_rows(transposed(w), fraction);
}
template <class T, class Layout, class S, class ScoreLayout>
[[nodiscard]] status prune_columns(const dense_view<T, Layout>& w, double fraction,
                                   const dense_view<S, ScoreLayout>& scores) {
  return prune_rows(transposed(w), fraction, transposed(scores));
}

SPARSEKIT_EXEC_END
