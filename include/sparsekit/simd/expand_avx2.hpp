// expanded<arch::avx2, ...>: eight columns at a time (f64: four, s8: sixteen), by shuffles whose
// indices are looked up for each byte of the mask. No pdep: it takes hundreds of cycles before
// Zen 3.
#pragma once

#include "expand_tables.hpp"
#include "mixed_avx2.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <class Arch, class T, class TX>
struct expanded;

#if SPARSEKIT_HAS_AVX2

template <>
struct expanded<arch::avx2, float, float> {
  using x_type = float;
  using weights = __m256;
  static constexpr int columns = 8;
  static constexpr bool flips = false;

  template <int First>
  static SPARSEKIT_INLINE weights at(const std::uint8_t* bits, const float*& p) {
    const unsigned b = bits[First / 8];
    const __m256i place = _mm256_cvtepi8_epi32(
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(expansion_of<8, 1>.at[b])));
    const __m256 v = _mm256_permutevar8x32_ps(_mm256_loadu_ps(p), place);
    p += __builtin_popcount(b);
    // Empty places have the sign bit.
    return _mm256_blendv_ps(v, _mm256_setzero_ps(), _mm256_castsi256_ps(place));
  }
  template <class Reg>
  static SPARSEKIT_INLINE Reg add(Reg sum, weights w, const float* x) {
    return _mm256_fmadd_ps(w, _mm256_loadu_ps(x), sum);
  }
};

template <>
struct expanded<arch::avx2, double, double> {
  using x_type = double;
  using weights = __m256d;
  static constexpr int columns = 4;
  static constexpr bool flips = false;

  template <int First>
  static SPARSEKIT_INLINE weights at(const std::uint8_t* bits, const double*& p) {
    const unsigned b = bits[First / 8] >> First % 8 & 15;
    // Places of 32-bit halves: two bytes an element, 2 i and 2 i + 1.
    const __m256i place = _mm256_cvtepi8_epi32(
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(expansion_of<4, 2>.at[b])));
    const __m256 v = _mm256_permutevar8x32_ps(_mm256_castpd_ps(_mm256_loadu_pd(p)), place);
    p += __builtin_popcount(b);
    return _mm256_castps_pd(_mm256_blendv_ps(v, _mm256_setzero_ps(), _mm256_castsi256_ps(place)));
  }
  template <class Reg>
  static SPARSEKIT_INLINE Reg add(Reg sum, weights w, const double* x) {
    return _mm256_fmadd_pd(w, _mm256_loadu_pd(x), sum);
  }
};

// One shuffle expands and widens: it moves each bf16 to the upper half of a lane.
template <class TX>
struct expanded<arch::avx2, bfloat16, TX> {
  using x_type = float;
  using weights = __m256;
  static constexpr int columns = 8;
  static constexpr bool flips = false;

  template <int First>
  static SPARSEKIT_INLINE weights at(const std::uint8_t* bits, const bfloat16*& p) {
    const unsigned b = bits[First / 8];
    const __m256i v =
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    const __m256i place =
        _mm256_load_si256(reinterpret_cast<const __m256i*>(expansion_of<8, 4, 2>.at[b]));
    p += __builtin_popcount(b);
    return _mm256_castsi256_ps(_mm256_shuffle_epi8(v, place));
  }
  template <class Reg>
  static SPARSEKIT_INLINE Reg add(Reg sum, weights w, const float* x) {
    return _mm256_fmadd_ps(w, _mm256_loadu_ps(x), sum);
  }
};

template <class TX>
struct expanded<arch::avx2, float16, TX> {
  using x_type = float;
  using weights = __m256;
  static constexpr int columns = 8;
  static constexpr bool flips = false;

  template <int First>
  static SPARSEKIT_INLINE weights at(const std::uint8_t* bits, const float16*& p) {
    const unsigned b = bits[First / 8];
    const __m128i v = _mm_shuffle_epi8(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)),
        _mm_load_si128(reinterpret_cast<const __m128i*>(expansion_of<8, 2>.at[b])));
    p += __builtin_popcount(b);
#if SPARSEKIT_HAS_F16C
    return _mm256_cvtph_ps(v);
#else
    alignas(16) float16 t[8];
    _mm_store_si128(reinterpret_cast<__m128i*>(t), v);
    return mixed<arch::avx2>::load_f32(t);
#endif
  }
  template <class Reg>
  static SPARSEKIT_INLINE Reg add(Reg sum, weights w, const float* x) {
    return _mm256_fmadd_ps(w, _mm256_loadu_ps(x), sum);
  }
};

// Sixteen bytes, widened to 16 bits, for x that is widened already: exact, where vpmaddubsw
// saturates.
template <class TX>
struct expanded<arch::avx2, std::int8_t, TX> {
  using x_type = std::int16_t;
  using weights = __m256i;
  static constexpr int columns = 16;
  static constexpr bool flips = false;

  template <int First>
  static SPARSEKIT_INLINE weights at(const std::uint8_t* bits, const std::int8_t*& p) {
    const unsigned low = bits[First / 8];
    const unsigned high = bits[First / 8 + 1];
    const auto half = [](const void* from) SPARSEKIT_LAMBDA_INLINE {
      return _mm_loadl_epi64(static_cast<const __m128i*>(from));
    };
    const std::int8_t* second = p + __builtin_popcount(low);
    const __m128i v = _mm_unpacklo_epi64(half(p), half(second));
    const __m128i place =
        _mm_unpacklo_epi64(half(expansion_of<8, 1>.at[low]), half(expansion_of<8, 1>.at[high]));
    // The second half's values begin at byte 8.
    const __m128i from_high = _mm_set_epi64x(0x0808080808080808, 0);
    p = second + __builtin_popcount(high);
    return _mm256_cvtepi8_epi16(_mm_shuffle_epi8(v, _mm_or_si128(place, from_high)));
  }
  template <class Reg>
  static SPARSEKIT_INLINE Reg add(Reg sum, weights w, const std::int16_t* x) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(w, v));
  }
};

#endif

}  // namespace simd
SPARSEKIT_EXEC_END
