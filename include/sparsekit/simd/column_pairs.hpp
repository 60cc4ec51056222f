// Two columns of s8 as pairs of 16 bits, row by row, for dot2 with a pair of factors: half the
// multiplications of one column at a time, where bytes must be widened anyway.
//
//   load(a, b, low, high)   pairs (a[r], b[r]) of rows 0 .. width - 1 and width .. 2 width - 1
//   factor(x, y)            the pair in every lane; both in the range of s16
#pragma once

#include "mixed.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <class Arch>
struct column_pairs {
  static constexpr bool available = false;
};

#if SPARSEKIT_HAS_AVX2

template <>
struct column_pairs<arch::avx2> {
  static constexpr bool available = true;
  using words = __m256i;

  static SPARSEKIT_INLINE void load(const std::int8_t* a, const std::int8_t* b, words& low,
                                    words& high) {
    const __m128i p = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
    const __m128i q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
    low = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(p, q));
    high = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(p, q));
  }
  static SPARSEKIT_INLINE words factor(std::int32_t x, std::int32_t y) {
    return _mm256_set1_epi32((x & 0xffff) | y * 65536);
  }
};

#endif

}  // namespace simd
SPARSEKIT_EXEC_END
