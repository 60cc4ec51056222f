// group_lookup: elements of one short window of x, picked for the rows of a slice by places of 2 or 4 bits
// that lie together in one word. How N:M kernels read x when the lanes are rows.
//
//   window         the elements that places count from: 4 (2 bits a place) or 16 (4 bits)
//   load(p)        a window from memory; reads `window_size` elements
//   places(m, p)   the places of the lanes of part p of the slice, from their word at m
//   pick(w, i)     lane l: element i[l] of the window
//
// formats/packed_nm.hpp says which bits of the word belong to a row.
#pragma once

#include "avx2.hpp"
#include "avx512.hpp"
#include "generic.hpp"
#include "neon.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

/// Any ISA: places are unpacked, elements gathered.
template <class Arch, class T, bool Wide>
struct group_lookup {
  using lanes_type = lanes<Arch, T>;
  using reg = typename lanes_type::reg;
  static constexpr int width = lanes_type::width;
  static constexpr int window_size = Wide ? 16 : 4;
  using window = const T*;
  struct picks {
    std::uint8_t place[width];
  };

  static SPARSEKIT_INLINE window load(const T* p) { return p; }
  template <int Part>
  static SPARSEKIT_INLINE picks places(const std::uint8_t* p, std::integral_constant<int, Part>) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, Wide ? 8 : 4);
    picks out;
    unroll<width>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
      constexpr int row = Part * width + i;
      constexpr int shift = Wide ? row / 2 * 4 + row % 2 * 32 : row * 2;
      out.place[i] = static_cast<std::uint8_t>(word >> shift & (Wide ? 15 : 3));
    });
    return out;
  }
  static SPARSEKIT_INLINE reg pick(window w, const picks& i) {
    return lanes_type::gather(w, i.place);
  }
};

#if SPARSEKIT_HAS_AVX512

// vpermilps reads the lowest two bits of each lane, vpermps the lowest four, vpermpd the lowest three: what
// lies above needs no mask, only the copies of a short window that vpermpd's third bit may choose.

template <>
struct group_lookup<arch::avx512, float, false> {
  using reg = lanes<arch::avx512, float>::reg;
  static constexpr int window_size = 4;
  using window = __m512;
  using picks = __m512i;
  static SPARSEKIT_INLINE window load(const float* p) {
    return _mm512_maskz_broadcast_f32x4(__mmask16(0xffff), _mm_loadu_ps(p));
  }
  template <int Part>
  static SPARSEKIT_INLINE picks places(const std::uint8_t* p, std::integral_constant<int, Part>) {
    std::int32_t word;
    std::memcpy(&word, p, sizeof word);
    return _mm512_maskz_srlv_epi32(
        __mmask16(0xffff), _mm512_set1_epi32(word),
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30));
  }
  static SPARSEKIT_INLINE reg pick(window w, picks i) {
    return _mm512_maskz_permutevar_ps(__mmask16(0xffff), w, i);
  }
};

template <>
struct group_lookup<arch::avx512, float, true> {
  using reg = lanes<arch::avx512, float>::reg;
  static constexpr int window_size = 16;
  using window = __m512;
  using picks = __m512i;
  static SPARSEKIT_INLINE window load(const float* p) { return _mm512_loadu_ps(p); }
  template <int Part>
  static SPARSEKIT_INLINE picks places(const std::uint8_t* p, std::integral_constant<int, Part>) {
    long long word;
    std::memcpy(&word, p, sizeof word);
    return _mm512_maskz_srlv_epi32(
        __mmask16(0xffff), _mm512_set1_epi64(word),
        _mm512_setr_epi32(0, 0, 4, 4, 8, 8, 12, 12, 16, 16, 20, 20, 24, 24, 28, 28));
  }
  static SPARSEKIT_INLINE reg pick(window w, picks i) {
    return _mm512_maskz_permutexvar_ps(__mmask16(0xffff), i, w);
  }
};

template <>
struct group_lookup<arch::avx512, double, false> {
  using reg = lanes<arch::avx512, double>::reg;
  static constexpr int window_size = 4;
  using window = __m512d;
  using picks = __m512i;
  static SPARSEKIT_INLINE window load(const double* p) {
    return _mm512_maskz_broadcast_f64x4(__mmask8(0xff), _mm256_loadu_pd(p));
  }
  template <int Part>
  static SPARSEKIT_INLINE picks places(const std::uint8_t* p, std::integral_constant<int, Part>) {
    std::uint32_t word;
    std::memcpy(&word, p, sizeof word);
    return _mm512_maskz_srlv_epi64(__mmask8(0xff), _mm512_set1_epi64(word >> (16 * Part)),
                                   _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14));
  }
  static SPARSEKIT_INLINE reg pick(window w, picks i) {
    return _mm512_maskz_permutexvar_pd(__mmask8(0xff), i, w);
  }
};

template <>
struct group_lookup<arch::avx512, double, true> {
  using reg = lanes<arch::avx512, double>::reg;
  static constexpr int window_size = 16;
  struct window {
    __m512d low;
    __m512d high;
  };
  using picks = __m512i;
  static SPARSEKIT_INLINE window load(const double* p) {
    return {_mm512_loadu_pd(p), _mm512_loadu_pd(p + 8)};
  }
  template <int Part>
  static SPARSEKIT_INLINE picks places(const std::uint8_t* p, std::integral_constant<int, Part>) {
    long long word;
    std::memcpy(&word, p, sizeof word);
    constexpr int s = 16 * Part;
    return _mm512_maskz_srlv_epi64(
        __mmask8(0xff), _mm512_set1_epi64(word),
        _mm512_setr_epi64(s, s + 32, s + 4, s + 36, s + 8, s + 40, s + 12, s + 44));
  }
  static SPARSEKIT_INLINE reg pick(const window& w, picks i) {
    return _mm512_permutex2var_pd(w.low, i, w.high);
  }
};

#endif

#if SPARSEKIT_HAS_AVX2

template <>
struct group_lookup<arch::avx2, float, false> {
  using reg = lanes<arch::avx2, float>::reg;
  static constexpr int window_size = 4;
  using window = __m256;
  using picks = __m256i;
  static SPARSEKIT_INLINE window load(const float* p) {
    const __m128 four = _mm_loadu_ps(p);
    return _mm256_setr_m128(four, four);
  }
  template <int Part>
  static SPARSEKIT_INLINE picks places(const std::uint8_t* p, std::integral_constant<int, Part>) {
    std::int32_t word;
    std::memcpy(&word, p, sizeof word);
    constexpr int s = 16 * Part;
    return _mm256_srlv_epi32(
        _mm256_set1_epi32(word),
        _mm256_setr_epi32(s, s + 2, s + 4, s + 6, s + 8, s + 10, s + 12, s + 14));
  }
  static SPARSEKIT_INLINE reg pick(window w, picks i) { return _mm256_permutevar_ps(w, i); }
};

template <>
struct group_lookup<arch::avx2, float, true> {
  using reg = lanes<arch::avx2, float>::reg;
  static constexpr int window_size = 16;
  struct window {
    __m256 low;
    __m256 high;
  };
  using picks = __m256i;
  static SPARSEKIT_INLINE window load(const float* p) {
    return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
  }
  template <int Part>
  static SPARSEKIT_INLINE picks places(const std::uint8_t* p, std::integral_constant<int, Part>) {
    long long word;
    std::memcpy(&word, p, sizeof word);
    constexpr int s = 16 * Part;
    return _mm256_srlv_epi32(
        _mm256_set1_epi64x(word),
        _mm256_setr_epi32(s, s, s + 4, s + 4, s + 8, s + 8, s + 12, s + 12));
  }
  // The fourth bit of a place, moved to the sign, chooses the half.
  static SPARSEKIT_INLINE reg pick(const window& w, picks i) {
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(w.low, i),
                            _mm256_permutevar8x32_ps(w.high, i),
                            _mm256_castsi256_ps(_mm256_slli_epi32(i, 28)));
  }
};

#endif

}  // namespace simd
SPARSEKIT_EXEC_END
