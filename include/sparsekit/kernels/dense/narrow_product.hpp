// How weights of a narrow type meet X: what one step of a product is on each ISA, and the 32-bit
// words that X is re-laid into for it.
//
// A step takes `pair` columns of W, of which each row of a packed group holds one 32-bit word (f16:
// one value). X becomes `parts` words a step, each of which is broadcast:
//
//   f16                    1 part   x as f32; weights are widened
//   bf16, X bf16, dot2     1 part   two x as they are, where dot2 is one instruction (or two)
//   bf16 otherwise         2 parts  even and odd x as f32; weights are widened
//   s8, dot4               1 part   four x, their sign changed where the instruction wants another
//   s8 otherwise           2 parts  even and odd x as pairs of 16 bits; weights are widened
//
// bf16 always adds odd columns first, so all ISAs and both types of X make the same sums.
#pragma once

#include "../../formats/packed_dense.hpp"
#include "../call.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Whether a dot product of bf16 pairs beats widened multiply-adds.
template <class Arch>
inline constexpr bool has_dot2 = (std::is_same_v<Arch, arch::avx512> &&
                                  SPARSEKIT_HAS_AVX512_BF16 != 0) ||
                                 (std::is_same_v<Arch, arch::neon> && SPARSEKIT_HAS_NEON_BF16 != 0);

/// Whether it does not where a weight is widened once for many columns: on Emerald Rapids it takes as long as four of
/// them (512 x 512 by 16 to 256 columns 80 GFLOP/s against 110 to 145; by one column it is ahead).
template <class Arch>
inline constexpr bool has_slow_dot2 = std::is_same_v<Arch, arch::avx512> && SPARSEKIT_HAS_AVX512_FP16 != 0;

/// Tiles: each register of weights meets many columns.
template <class Arch, class T, class TX, bool Tiles = false>
struct narrow_product {
  using sum = sum_of_t<T>;
  using lanes = simd::lanes<Arch, sum>;
  using reg = typename lanes::reg;
  using mixed = simd::mixed<Arch>;
  using ints = simd::lanes<Arch, std::int32_t>;

  static constexpr int pair = static_cast<int>(packed_dense_view<T>::pair);
  static constexpr bool integers = std::is_same_v<T, std::int8_t>;
  /// Whether words hold x as it lies in memory.
  static constexpr bool raw =
      integers ? mixed::has_dot4
               : pair == 2 && std::is_same_v<TX, T> && has_dot2<Arch> && !(Tiles && has_slow_dot2<Arch>);
  static constexpr int parts = raw || pair == 1 ? 1 : 2;
  static constexpr bool flipped = [] {
    if constexpr (integers && raw) {
      return mixed::template flips<TX>;
    } else {
      return false;
    }
  }();

  // ---- one step
  // -----------------------------------------------------------------------------------

  /// A register of weights as part P wants them.
  template <int P>
  static SPARSEKIT_INLINE auto weights(const T* w) {
    if constexpr (pair == 1) {
      return reg(mixed::load_f32(w));
    } else {
      const auto words = mixed::load_words(w);
      if constexpr (raw) {
        return words;
      } else if constexpr (integers) {
        return P == 0 ? mixed::template even_bytes<T>(words) : mixed::template odd_bytes<T>(words);
      } else {
        return reg(P == 0 ? mixed::even(words) : mixed::odd(words));
      }
    }
  }
  /// A word of X in all lanes.
  static SPARSEKIT_INLINE auto number(const std::uint32_t* word) {
    if constexpr (integers || raw) {
      return mixed::broadcast_word(word);
    } else {
      float f;
      std::memcpy(&f, word, sizeof f);
      return lanes::broadcast(f);
    }
  }
  template <class W, class X>
  static SPARSEKIT_INLINE reg add(reg sum, W w, X x) {
    if constexpr (integers && raw) {
      return mixed::template dot4_kept<TX>(sum, x, w);
    } else if constexpr (integers) {
      // g++ 12 would gather the products of both parts before adding any, in memory.
      return simd::rounded(reg(mixed::dot2(sum, x, w)));
    } else if constexpr (raw) {
      return mixed::dot2(sum, x, w);
    } else {
      return lanes::fma(w, x, sum);
    }
  }

  // ---- X as words
  // ---------------------------------------------------------------------------------

  /// `steps` steps of one column from x[k * stride], zero from k = depth on; part P of step s at
  /// out[P * part_step + s].
  static void relay_column(const TX* x, index_t stride, index_t depth, index_t steps,
                           index_t part_step, std::uint32_t* out) {
    index_t s = 0;
    if (stride == 1) {
      for (; s + mixed::width <= steps && (s + mixed::width) * pair <= depth; s += mixed::width) {
        simd::unroll<parts>([&](auto p) SPARSEKIT_LAMBDA_INLINE {
          store_words(out + p * part_step + s, column_words<p>(x + s * pair));
        });
      }
    }
    for (; s < steps; ++s) {
      TX e[pair] = {};
      for (index_t i = 0; i < pair && s * pair + i < depth; ++i) e[i] = x[(s * pair + i) * stride];
      simd::unroll<parts>([&](auto p)
                              SPARSEKIT_LAMBDA_INLINE { out[p * part_step + s] = word<p>(e); });
    }
  }
  /// `steps` steps of up to `width` columns side by side, in rows ld apart; column j's words begin
  /// at out[j * column_step]. Square tiles of words are transposed in registers.
  static void relay_rows(const TX* x, index_t ld, index_t columns, index_t depth, index_t steps,
                         index_t part_step, index_t column_step, std::uint32_t* out) {
    constexpr int w = mixed::width;
    const auto mask = ints::first(columns);
    index_t s = 0;
    for (; s + w <= steps && (s + w) * pair <= depth; s += w) {
      simd::unroll<parts>([&](auto p) SPARSEKIT_LAMBDA_INLINE {
        typename ints::reg t[w];
        simd::unroll<w>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
          // AVX2 masks 8 and 16 bits by a copy: not where all columns are there.
          const TX* row = x + (s + i) * pair * ld;
          t[i] = columns >= w ? row_words<p>(row, ld, simd::all_lanes{})
                              : row_words<p>(row, ld, mask);
        });
        ints::transpose(t);
        simd::unroll<w>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
          store_words(out + j * column_step + p * part_step + s, t[j]);
        });
      });
    }
    for (index_t j = 0; j < columns; ++j) {
      relay_column(x + s * pair * ld + j, ld, depth - s * pair, steps - s, part_step,
                   out + j * column_step + s);
    }
  }

  template <class V>
  static SPARSEKIT_INLINE void store_words(std::uint32_t* p, V v) {
    ints::store(reinterpret_cast<std::int32_t*>(p), v);
  }
  /// `width` words of a column that lies in one piece.
  template <int P>
  static SPARSEKIT_INLINE typename ints::reg column_words(const TX* x) {
    if constexpr (raw) {
      return flip(typename ints::reg(as_ints(mixed::load_words(x))));
    } else if constexpr (pair == 1) {
      return mixed::bits(mixed::load_f32(x));
    } else if constexpr (integers) {
      const auto words = mixed::load_words(x);
      return as_ints(P == 0 ? mixed::template even_bytes<TX>(words)
                            : mixed::template odd_bytes<TX>(words));
    } else if constexpr (std::is_same_v<TX, float>) {
      alignas(64) float t[mixed::width];
      for (int i = 0; i < mixed::width; ++i) t[i] = x[2 * i + P];
      return mixed::bits(mixed::load_f32(t));
    } else {
      const auto words = mixed::load_words(x);
      return mixed::bits(P == 0 ? mixed::even(words) : mixed::odd(words));
    }
  }
  /// The words of one step of `width` columns, side by side.
  template <int P, class Mask>
  static SPARSEKIT_INLINE typename ints::reg row_words(const TX* x, index_t ld, Mask mask) {
    const auto row = [&](auto i) SPARSEKIT_LAMBDA_INLINE {
      const TX* p = x + i * ld;
      if constexpr (!integers) {
        using floats = simd::lanes<Arch, float>;
        return typename ints::reg(mixed::bits(simd::load_as<floats>(mask, p)));
      } else if constexpr (raw) {
        return simd::load_as<ints>(mask, reinterpret_cast<const std::uint8_t*>(p));
      } else {
        return simd::load_as<ints>(mask, p);
      }
    };
    constexpr std::integral_constant<int, 0> first{};
    constexpr std::integral_constant<int, 1> second{};
    constexpr std::integral_constant<int, 2> third{};
    constexpr std::integral_constant<int, 3> fourth{};
    const typename ints::reg low = ints::broadcast(0xffff);
    if constexpr (integers && raw) {
      return flip(row(first) | (row(second) << 8) | (row(third) << 16) | (row(fourth) << 24));
    } else if constexpr (integers) {
      return (row(std::integral_constant<int, P>{}) & low) |
             (row(std::integral_constant<int, P + 2>{}) << 16);
    } else if constexpr (raw) {
      // bf16 is the upper half of its f32.
      return ((row(first) >> 16) & low) | row(second);
    } else {
      return row(std::integral_constant<int, P>{});
    }
  }
  /// The sign of every byte, where it is to be changed.
  static SPARSEKIT_INLINE typename ints::reg flip(typename ints::reg v) {
    if constexpr (flipped) {
      return v ^ ints::broadcast(static_cast<std::int32_t>(0x80808080u));
    } else {
      return v;
    }
  }
  /// One word of elements.
  template <int P>
  static SPARSEKIT_INLINE std::uint32_t word(const TX (&e)[pair]) {
    if constexpr (raw) {
      std::uint32_t w;
      std::memcpy(&w, e, sizeof w);
      return flipped ? w ^ 0x80808080u : w;
    } else if constexpr (integers) {
      return (static_cast<std::uint32_t>(int{e[P]}) & 0xffffu) |
             static_cast<std::uint32_t>(int{e[P + 2]}) << 16;
    } else {
      return std::bit_cast<std::uint32_t>(static_cast<float>(e[P]));
    }
  }

 private:
  static SPARSEKIT_INLINE auto as_ints(typename mixed::words w) { return mixed::as_s32(w); }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
