// One step of a product with blocks of a narrow type whose lanes are columns of X: narrow_product
// with the roles of weights and X changed, and X re-laid into panels of words for it:
//
//   panel[(unit * parts + part) * width + column]   a word a column, or an f32 (bf16, f16 widened)
//
// Units beyond the last row of X, and columns beyond those asked for, are zero.
#pragma once

#include "../dense/narrow_product.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// A tile in the sense of narrow_product: on Emerald Rapids 2 x 2 blocks of bf16 take .8 of the
/// time that dot products take, 4 x 2 .65 (512 x 512, N = 64 and 256).
template <class Arch, class T, class TX>
struct block_product : narrow_product<Arch, T, TX, true> {
  using base = narrow_product<Arch, T, TX, true>;
  using x_type = TX;
  using base::integers;
  using base::pair;
  using base::parts;
  using base::raw;
  using typename base::ints;
  using typename base::lanes;
  using typename base::mixed;
  using typename base::reg;

  /// Whether a panel holds words; otherwise f32.
  static constexpr bool words = integers || raw;
  using x_element = std::conditional_t<words, std::uint32_t, float>;
  static constexpr int most_units = 1;
  static constexpr bool has_four = false;
  template <bool>
  static SPARSEKIT_INLINE auto four(const T* p) {
    return p;
  }

  static SPARSEKIT_INLINE auto x(const x_element* p) {
    if constexpr (words) {
      return mixed::load_words(p);
    } else {
      return lanes::load(p);
    }
  }
  /// Part P of a row's unit of weights, in all lanes.
  template <int P>
  static SPARSEKIT_INLINE auto number(const T* p) {
    if constexpr (pair == 1) {
      return reg(mixed::broadcast_f32(p));
    } else if constexpr (raw) {
      return mixed::broadcast_word(p);
    } else if constexpr (integers) {
      const auto word = mixed::broadcast_word(p);
      return P == 0 ? mixed::template even_bytes<T>(word) : mixed::template odd_bytes<T>(word);
    } else {
      const auto word = mixed::broadcast_word(p);
      return reg(P == 0 ? mixed::even(word) : mixed::odd(word));
    }
  }
  using number_reg = decltype(number<0>(static_cast<const T*>(nullptr)));

  /// Columns [column, column + columns) of X into a panel `width` wide of `units` units.
  static void relay(dense_view<const TX, row_major> x, index_t column, index_t columns,
                    index_t width, index_t units, x_element* panel) {
    constexpr index_t w = lanes::width;
    const index_t whole = x.rows() / pair < units ? x.rows() / pair : units;
    for (index_t u = 0; u < whole; ++u) {
      const TX* row = x.data() + u * pair * x.ld() + column;
      simd::unroll<parts>([&](auto p) SPARSEKIT_LAMBDA_INLINE {
        x_element* to = panel + (u * parts + p) * width;
        index_t j = 0;
        for (; j + w <= columns; j += w) {
          put(to + j, base::template row_words<p>(row + j, x.ld(), simd::all_lanes{}));
        }
        if (j < columns) {
          const auto mask = ints::first(columns - j);
          put(to + j, base::template row_words<p>(row + j, x.ld(), mask));
          j += w;
        }
        for (; j < width; j += w) put(to + j, ints::zero());
      });
    }
    relay_rest(x, column, columns, width, whole, units, panel);
  }
  static void relay(dense_view<const TX, col_major> x, index_t column, index_t columns,
                    index_t width, index_t units, x_element* panel) {
    constexpr int w = lanes::width;
    index_t whole = 0;
    for (; whole + w <= units && (whole + w) * pair <= x.rows(); whole += w) {
      for (index_t j = 0; j < width; j += w) {
        const TX* from = x.data() + (column + j) * x.ld() + whole * pair;
        simd::unroll<parts>([&](auto p) SPARSEKIT_LAMBDA_INLINE {
          typename ints::reg t[w];
          simd::unroll<w>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
            t[i] = j + i < columns
                       ? typename ints::reg(base::template column_words<p>(from + i * x.ld()))
                       : ints::zero();
          });
          ints::transpose(t);
          simd::unroll<w>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
            put(panel + ((whole + i) * parts + p) * width + j, t[i]);
          });
        });
      }
    }
    relay_rest(x, column, columns, width, whole, units, panel);
  }

 private:
  static SPARSEKIT_INLINE void put(x_element* to, typename ints::reg v) {
    ints::store(reinterpret_cast<std::int32_t*>(to), v);
  }

  /// Units [whole, units), element by element.
  template <class Layout>
  static void relay_rest(dense_view<const TX, Layout> x, index_t column, index_t columns,
                         index_t width, index_t whole, index_t units, x_element* panel) {
    for (index_t u = whole; u < units; ++u) {
      for (index_t j = 0; j < width; ++j) {
        TX e[pair] = {};
        for (index_t i = 0; j < columns && i < pair && u * pair + i < x.rows(); ++i) {
          e[i] = x(u * pair + i, column + j);
        }
        simd::unroll<parts>([&](auto p) SPARSEKIT_LAMBDA_INLINE {
          const std::uint32_t word = base::template word<p>(e);
          std::memcpy(panel + (u * parts + p) * width + j, &word, sizeof word);
        });
      }
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
