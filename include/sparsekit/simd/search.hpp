// search<Arch, T>: the elements of a vector that a condition holds for, side by side, with their
// positions.
//
//   available                         whether the ISA packs lanes; active_set goes element by element elsewhere
//   nonzero(x, n, positions, values)  by bits (formats/element_bits.hpp): NaN and subnormals count, -0.0 does not
//   above(t, x, n, ...)               x[i] > t or NaN
//
// Both return how many there are, and write up to `width` elements beyond them.
//
// bit_places<Arch>::list(bits, bytes, places): the numbers of the set bits, bit k of byte j being 8
// j + k. Returns how many there are, and writes up to `slack` places beyond them.
#pragma once

#include <bit>

#include "mixed.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <class Arch, class T>
struct search {
  static constexpr bool available = false;
};

template <class Arch>
struct bit_places {
  static constexpr index_t slack = 1;

  static index_t list(const std::uint8_t* bits, index_t bytes, std::uint32_t* places) {
    index_t count = 0;
    for (index_t i = 0; i < bytes; i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bits + i, static_cast<std::size_t>(bytes - i < 8 ? bytes - i : 8));
      for (; word != 0; word &= word - 1) {
        places[count++] = static_cast<std::uint32_t>(8 * i + std::countr_zero(word));
      }
    }
    return count;
  }
};

#if SPARSEKIT_HAS_AVX512

template <>
struct bit_places<arch::avx512> {
  static constexpr index_t slack = 16;

  static index_t list(const std::uint8_t* bits, index_t bytes, std::uint32_t* places) {
    __m512i place = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    index_t count = 0;
    for (index_t i = 0; i < bytes; i += 2) {
      const unsigned word = bits[i] | (i + 1 < bytes ? unsigned{bits[i + 1]} << 8 : 0u);
      _mm512_storeu_si512(places + count,
                          _mm512_maskz_compress_epi32(static_cast<__mmask16>(word), place));
      count += std::popcount(word);
      place = _mm512_add_epi32(place, _mm512_set1_epi32(16));
    }
    return count;
  }
};

/// Sixteen at a time; narrow elements are widened to 32 bits on the way.
template <class T>
requires(std::is_same_v<T, float> || std::is_same_v<T, bfloat16> || std::is_same_v<T, float16> ||
         (std::is_integral_v<T> && sizeof(T) == 1)) struct search<arch::avx512, T> {
  static constexpr bool available = true;
  static constexpr index_t width = 16;

  static index_t nonzero(const T* x, index_t n, std::uint32_t* positions, T* values) {
    constexpr int magnitude = std::is_integral_v<T> ? -1 : sizeof(T) == 2 ? 0x7fff : 0x7fffffff;
    return find(x, n, positions, values, [](__m512i v) SPARSEKIT_LAMBDA_INLINE {
      return _mm512_test_epi32_mask(v, _mm512_set1_epi32(magnitude));
    });
  }
  static index_t above(T threshold, const T* x, index_t n, std::uint32_t* positions, T* values) {
    if constexpr (std::is_integral_v<T>) {
      return find(x, n, positions, values, [&](__m512i v) SPARSEKIT_LAMBDA_INLINE {
        return _mm512_cmpgt_epi32_mask(v, _mm512_set1_epi32(threshold));
      });
    } else {
      const __m512 t = _mm512_set1_ps(static_cast<float>(threshold));
      return find(x, n, positions, values, [&](__m512i v) SPARSEKIT_LAMBDA_INLINE {
        return _mm512_cmp_ps_mask(as_f32(v), t, _CMP_NLE_UQ);
      });
    }
  }

 private:
  template <class Condition>
  static index_t find(const T* x, index_t n, std::uint32_t* positions, T* values,
                      Condition condition) {
    __m512i place = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    index_t count = 0;
    for (index_t i = 0; i < n; i += width) {
      const __mmask16 inside =
          n - i >= width ? __mmask16(0xffff) : static_cast<__mmask16>((1u << (n - i)) - 1);
      const __m512i v = load(inside, x + i);
      const auto found = static_cast<__mmask16>(condition(v) & inside);
      _mm512_storeu_si512(positions + count, _mm512_maskz_compress_epi32(found, place));
      store(values + count, _mm512_maskz_compress_epi32(found, v));
      count += std::popcount(static_cast<unsigned>(found));
      place = _mm512_add_epi32(place, _mm512_set1_epi32(static_cast<int>(width)));
    }
    return count;
  }
  static SPARSEKIT_INLINE __m512i load(__mmask16 m, const T* p) {
    if constexpr (sizeof(T) == 4) {
      return _mm512_maskz_loadu_epi32(m, p);
    } else if constexpr (sizeof(T) == 2) {
      return _mm512_maskz_cvtepu16_epi32(m, _mm256_maskz_loadu_epi16(m, p));
    } else if constexpr (std::is_signed_v<T>) {
      return _mm512_maskz_cvtepi8_epi32(m, _mm_maskz_loadu_epi8(m, p));
    } else {
      return _mm512_maskz_cvtepu8_epi32(m, _mm_maskz_loadu_epi8(m, p));
    }
  }
  static SPARSEKIT_INLINE void store(T* p, __m512i v) {
    if constexpr (sizeof(T) == 4) {
      _mm512_storeu_si512(p, v);
    } else if constexpr (sizeof(T) == 2) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_maskz_cvtepi32_epi16(0xffff, v));
    } else {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_maskz_cvtepi32_epi8(0xffff, v));
    }
  }
  static SPARSEKIT_INLINE __m512 as_f32(__m512i v) {
    if constexpr (std::is_same_v<T, bfloat16>) {
      return _mm512_castsi512_ps(_mm512_slli_epi32(v, 16));
    } else if constexpr (std::is_same_v<T, float16>) {
      return _mm512_maskz_cvtph_ps(0xffff, _mm512_maskz_cvtepi32_epi16(0xffff, v));
    } else {
      return _mm512_castsi512_ps(v);
    }
  }
};

template <>
struct search<arch::avx512, double> {
  static constexpr bool available = true;
  static constexpr index_t width = 8;

  static index_t nonzero(const double* x, index_t n, std::uint32_t* positions, double* values) {
    return find(x, n, positions, values, [](__m512d v) SPARSEKIT_LAMBDA_INLINE {
      return _mm512_test_epi64_mask(_mm512_castpd_si512(v), _mm512_set1_epi64(0x7fffffffffffffff));
    });
  }
  static index_t above(double threshold, const double* x, index_t n, std::uint32_t* positions,
                       double* values) {
    return find(x, n, positions, values, [&](__m512d v) SPARSEKIT_LAMBDA_INLINE {
      return _mm512_cmp_pd_mask(v, _mm512_set1_pd(threshold), _CMP_NLE_UQ);
    });
  }

 private:
  template <class Condition>
  static index_t find(const double* x, index_t n, std::uint32_t* positions, double* values,
                      Condition condition) {
    __m256i place = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    index_t count = 0;
    for (index_t i = 0; i < n; i += width) {
      const __mmask8 inside =
          n - i >= width ? __mmask8(0xff) : static_cast<__mmask8>((1u << (n - i)) - 1);
      const __m512d v = _mm512_maskz_loadu_pd(inside, x + i);
      const auto found = static_cast<__mmask8>(condition(v) & inside);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(positions + count),
                          _mm256_maskz_compress_epi32(found, place));
      _mm512_storeu_pd(values + count, _mm512_maskz_compress_pd(found, v));
      count += std::popcount(static_cast<unsigned>(found));
      place = _mm256_add_epi32(place, _mm256_set1_epi32(static_cast<int>(width)));
    }
    return count;
  }
};

#endif

}  // namespace simd
SPARSEKIT_EXEC_END
