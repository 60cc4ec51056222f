// column_words<Arch, TX>: a few columns of s8 as words, row by row, for dot products with as many
// elements of x of type TX: fewer multiplications than one column at a time, where bytes must be
// widened anyway.
//
//   columns, registers   of a step; words stand for registers * width rows
//   load(column, r, w)   the step's words from row r on
//   parts                whether load(column, r, first, last, w) takes rows [first, last) of a step alone, no byte of
//                        the others; r may lie before the first row then
//   factor(x)            the elements x(0) .. x(columns - 1), in every word
//   add(sum, w, factor)  sum + the products, exact modulo 2^32
//   raised               what is added to each weight first, so that it is unsigned: sums then hold so many times the
//                        elements of x too much
//   order(sums)          sums of a step, in the order in which load leaves rows, to the order of rows
#pragma once

#include "byte_rows.hpp"
#include "mixed.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <class Arch, class TX>
struct column_words {
  static constexpr bool available = false;
};

/// Four elements of 8 bits as a word.
template <class X>
SPARSEKIT_INLINE std::uint32_t word_of_four(const X& x) {
  const auto byte = [&](int i) SPARSEKIT_LAMBDA_INLINE {
    return std::uint32_t{static_cast<std::uint8_t>(x(i))} << 8 * i;
  };
  return byte(0) | byte(1) | byte(2) | byte(3);
}

#if SPARSEKIT_HAS_AVX2

template <class TX>
struct column_words<arch::avx2, TX> {
  static constexpr bool available = true;
  static constexpr int columns = 2;
  static constexpr int registers = 2;
  static constexpr int raised = 0;
  static constexpr bool parts = false;
  using words = __m256i;

  static SPARSEKIT_INLINE void load(const std::int8_t* const* column, index_t r, words* w) {
    const __m128i p = _mm_loadu_si128(reinterpret_cast<const __m128i*>(column[0] + r));
    const __m128i q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(column[1] + r));
    w[0] = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(p, q));
    w[1] = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(p, q));
  }
  template <class X>
  static SPARSEKIT_INLINE words factor(const X& x) {
    return _mm256_set1_epi32((x(0) & 0xffff) | x(1) * 65536);
  }
  static SPARSEKIT_INLINE __m256i add(__m256i sum, words w, words factor) {
    return mixed<arch::avx2>::dot2(sum, w, factor);
  }
  static SPARSEKIT_INLINE void order(std::int32_t*) {}
};

#endif

#if SPARSEKIT_HAS_AVX512

template <class TX>
struct column_words<arch::avx512, TX> {
  using mixed = simd::mixed<arch::avx512>;
  static constexpr bool available = true;
  static constexpr int columns = 4;
  static constexpr int registers = 4;
  static constexpr int raised = std::is_signed_v<TX> && mixed::has_dot4 ? 128 : 0;
  static constexpr bool parts = true;
  using words = __m512i;

  static SPARSEKIT_INLINE void load(const std::int8_t* const* column, index_t r, words* w) {
    load([&](int i) SPARSEKIT_LAMBDA_INLINE { return _mm512_loadu_si512(column[i] + r); }, w);
  }
  static SPARSEKIT_INLINE void load(const std::int8_t* const* column, index_t r, index_t first,
                                    index_t last, words* w) {
    const __mmask64 rows = ~std::uint64_t{0} >> (64 - last) & ~std::uint64_t{0} << first;
    load([&](int i)
             SPARSEKIT_LAMBDA_INLINE { return _mm512_maskz_loadu_epi8(rows, column[i] + r); },
         w);
  }
  template <class X>
  static SPARSEKIT_INLINE words factor(const X& x) {
    return _mm512_set1_epi32(static_cast<int>(word_of_four(x)));
  }
  static SPARSEKIT_INLINE __m512i add(__m512i sum, words w, words factor) {
    if constexpr (raised != 0) {
      return mixed::dot4(sum, w, factor);
    } else if constexpr (std::is_signed_v<TX>) {
      return mixed::dot4_signed(sum, factor, w);
    } else {
      return mixed::dot4(sum, factor, w);
    }
  }
  /// Register i holds rows 4 i .. 4 i + 3 of each 16.
  static SPARSEKIT_INLINE void order(std::int32_t* sums) {
    const __m512i a = _mm512_loadu_si512(sums), b = _mm512_loadu_si512(sums + 16);
    const __m512i c = _mm512_loadu_si512(sums + 32), d = _mm512_loadu_si512(sums + 48);
    const __m512i ab_low = _mm512_shuffle_i32x4(a, b, 0x44),
                  ab_high = _mm512_shuffle_i32x4(a, b, 0xee);
    const __m512i cd_low = _mm512_shuffle_i32x4(c, d, 0x44),
                  cd_high = _mm512_shuffle_i32x4(c, d, 0xee);
    _mm512_storeu_si512(sums, _mm512_shuffle_i32x4(ab_low, cd_low, 0x88));
    _mm512_storeu_si512(sums + 16, _mm512_shuffle_i32x4(ab_low, cd_low, 0xdd));
    _mm512_storeu_si512(sums + 32, _mm512_shuffle_i32x4(ab_high, cd_high, 0x88));
    _mm512_storeu_si512(sums + 48, _mm512_shuffle_i32x4(ab_high, cd_high, 0xdd));
  }

 private:
  template <class Rows>
  static SPARSEKIT_INLINE void load(const Rows& rows, words* w) {
    const auto bytes = [&](int i) SPARSEKIT_LAMBDA_INLINE {
      return raised == 0 ? rows(i) : _mm512_xor_si512(rows(i), _mm512_set1_epi8(-128));
    };
    byte_rows<arch::avx512>::interleave(bytes(0), bytes(1), bytes(2), bytes(3), w);
  }
};

#endif

#if SPARSEKIT_HAS_NEON

template <class TX>
struct column_words<arch::neon, TX> {
  using mixed = simd::mixed<arch::neon>;
  static constexpr bool available = true;
  static constexpr int columns = 4;
  static constexpr int registers = 4;
  /// udot takes u8 and u8, sdot s8 and s8; only i8mm has one of each.
  static constexpr int raised =
      !std::is_signed_v<TX> && SPARSEKIT_HAS_NEON_DOTPROD && !SPARSEKIT_HAS_NEON_I8MM ? 128 : 0;
  static constexpr bool parts = false;
  using words = uint32x4_t;

  static SPARSEKIT_INLINE void load(const std::int8_t* const* column, index_t r, words* w) {
    const auto rows = [&](int i) SPARSEKIT_LAMBDA_INLINE {
      const uint8x16_t v = vreinterpretq_u8_s8(vld1q_s8(column[i] + r));
      return raised == 0 ? v : veorq_u8(v, vdupq_n_u8(128));
    };
    byte_rows<arch::neon>::interleave(rows(0), rows(1), rows(2), rows(3), w);
  }
  template <class X>
  static SPARSEKIT_INLINE words factor(const X& x) {
    return vdupq_n_u32(word_of_four(x));
  }
  static SPARSEKIT_INLINE int32x4_t add(int32x4_t sum, words w, words factor) {
#if SPARSEKIT_HAS_NEON_DOTPROD
    if constexpr (raised != 0) {
      return vreinterpretq_s32_u32(vdotq_u32(vreinterpretq_u32_s32(sum), vreinterpretq_u8_u32(w),
                                             vreinterpretq_u8_u32(factor)));
    }
#endif
    return std::is_signed_v<TX> ? mixed::dot4_signed(sum, factor, w) : mixed::dot4(sum, factor, w);
  }
  static SPARSEKIT_INLINE void order(std::int32_t*) {}
};

#endif

}  // namespace simd
SPARSEKIT_EXEC_END
