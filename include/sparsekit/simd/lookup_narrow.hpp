// Windows of x for narrow types: lookups that make 32-bit words for dot2 and dot4 (mixed.hpp).
//
//   byte_window<Arch, Bytes>(p)    holds Bytes bytes at p
//     at(places)                   word l: the bytes places[4 l .. 4 l + 3]; 4 * width places
//   half_window<Arch, Bytes>(p)    the same memory as 16-bit elements
//     at(places)                   word l: the elements places[2 l], places[2 l + 1]; 2 * width of
//                                  them
//   byte_of_pairs<Arch, I>(p, to)  byte I of every pair, for lookups of one part of them
//   even_f16, odd_f16<Arch>(words) f32 of the lower and upper f16 of every pair
//
// A shuffle looks up 16 bytes. Place p of table i: p ^ 16 i is below 16 there and only there, and
// adding 0x70 with saturation sets the highest bit of all others, for which the shuffle gives zero.
#pragma once

#include "mixed.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

/// Any ISA: the elements stay in memory.
template <class Arch, int Bytes>
struct byte_window {
  using m = mixed<Arch>;
  const std::uint8_t* p;

  explicit SPARSEKIT_INLINE byte_window(const void* x) : p(static_cast<const std::uint8_t*>(x)) {}
  SPARSEKIT_INLINE typename m::words at(const std::uint8_t* places) const {
    std::uint8_t t[4 * m::width];
    for (int i = 0; i < 4 * m::width; ++i) t[i] = p[places[i]];
    return m::load_words(t);
  }
};
template <class Arch, int Bytes>
struct half_window {
  using m = mixed<Arch>;
  const std::uint8_t* p;

  explicit SPARSEKIT_INLINE half_window(const void* x) : p(static_cast<const std::uint8_t*>(x)) {}
  SPARSEKIT_INLINE typename m::words at(const std::uint8_t* places) const {
    std::uint8_t t[4 * m::width];
    for (int i = 0; i < 2 * m::width; ++i) std::memcpy(t + 2 * i, p + 2 * places[i], 2);
    return m::load_words(t);
  }
};
template <class Arch, int I>
SPARSEKIT_INLINE void byte_of_pairs(const std::uint8_t* pairs, std::uint8_t* to) {
  for (int i = 0; i < mixed<Arch>::width; ++i) to[i] = pairs[2 * i + I];
}
template <class Arch>
SPARSEKIT_INLINE float even_f16(std::uint32_t w) {
  return static_cast<float>(float16::from_bits(static_cast<std::uint16_t>(w)));
}
template <class Arch>
SPARSEKIT_INLINE float odd_f16(std::uint32_t w) {
  return static_cast<float>(float16::from_bits(static_cast<std::uint16_t>(w >> 16)));
}

#if SPARSEKIT_HAS_AVX512

template <int Bytes>
struct byte_window<arch::avx512, Bytes> {
  static_assert(Bytes == 64 || Bytes == 128 || Bytes == 256);
  const std::uint8_t* p;

  explicit SPARSEKIT_INLINE byte_window(const void* x) : p(static_cast<const std::uint8_t*>(x)) {}
  SPARSEKIT_INLINE __m512i at(const std::uint8_t* places) const {
    const __m512i n = _mm512_loadu_si512(places);
#if SPARSEKIT_HAS_AVX512_VBMI
    const auto t = [&](int i) SPARSEKIT_LAMBDA_INLINE { return _mm512_loadu_si512(p + 64 * i); };
    if constexpr (Bytes == 64) {
      return _mm512_maskz_permutexvar_epi8(~__mmask64{0}, n, t(0));
    } else if constexpr (Bytes == 128) {
      return _mm512_permutex2var_epi8(t(0), n, t(1));
    } else {
      const __m512i low = _mm512_permutex2var_epi8(t(0), n, t(1));
      const __m512i high = _mm512_permutex2var_epi8(t(2), n, t(3));
      return _mm512_mask_blend_epi8(_mm512_movepi8_mask(n), low, high);
    }
#else
    __m512i found = _mm512_setzero_si512();
    unroll<Bytes / 16>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
      const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * i));
      const __m512i here = _mm512_adds_epu8(
          _mm512_xor_si512(n, _mm512_set1_epi8(static_cast<char>(16 * i))), _mm512_set1_epi8(0x70));
      const __m512i all = _mm512_maskz_broadcast_i32x4(__mmask16(0xffff), table);
      found = _mm512_or_si512(found, _mm512_shuffle_epi8(all, here));
    });
    return found;
#endif
  }
};
template <int Bytes>
struct half_window<arch::avx512, Bytes> {
  static_assert(Bytes == 64 || Bytes == 128 || Bytes == 256);
  const std::uint8_t* p;

  explicit SPARSEKIT_INLINE half_window(const void* x) : p(static_cast<const std::uint8_t*>(x)) {}
  SPARSEKIT_INLINE __m512i at(const std::uint8_t* places) const {
    const __m512i n = _mm512_maskz_cvtepu8_epi16(
        ~__mmask32{0}, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(places)));
    const auto t = [&](int i) SPARSEKIT_LAMBDA_INLINE { return _mm512_loadu_si512(p + 64 * i); };
    if constexpr (Bytes == 64) {
      return _mm512_maskz_permutexvar_epi16(~__mmask32{0}, n, t(0));
    } else if constexpr (Bytes == 128) {
      return _mm512_permutex2var_epi16(t(0), n, t(1));
    } else {
      const __m512i low = _mm512_permutex2var_epi16(t(0), n, t(1));
      const __m512i high = _mm512_permutex2var_epi16(t(2), n, t(3));
      return _mm512_mask_blend_epi16(_mm512_test_epi16_mask(n, _mm512_set1_epi16(64)), low, high);
    }
  }
};
template <class Arch, int I>
requires std::is_same_v<Arch, arch::avx512> SPARSEKIT_INLINE void byte_of_pairs(
    const std::uint8_t* pairs, std::uint8_t* to) {
  const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm256_maskz_cvtepi16_epi8(__mmask16(0xffff), _mm256_srli_epi16(v, 8 * I)));
}
template <class Arch>
requires std::is_same_v<Arch, arch::avx512> SPARSEKIT_INLINE __m512 even_f16(__m512i w) {
  return _mm512_maskz_cvtph_ps(__mmask16(0xffff),
                               _mm512_maskz_cvtepi32_epi16(__mmask16(0xffff), w));
}
template <class Arch>
requires std::is_same_v<Arch, arch::avx512> SPARSEKIT_INLINE __m512 odd_f16(__m512i w) {
  return even_f16<Arch>(_mm512_srli_epi32(w, 16));
}

#endif
#if SPARSEKIT_HAS_AVX2

/// Bytes that are looked up by the 32 indices of a register.
template <int Bytes>
SPARSEKIT_INLINE __m256i bytes_at(const std::uint8_t* p, __m256i n) {
  __m256i found = _mm256_setzero_si256();
  unroll<Bytes / 16>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * i)));
    const __m256i here = _mm256_adds_epu8(
        _mm256_xor_si256(n, _mm256_set1_epi8(static_cast<char>(16 * i))), _mm256_set1_epi8(0x70));
    found = _mm256_or_si256(found, _mm256_shuffle_epi8(table, here));
  });
  return found;
}
template <int Bytes>
struct byte_window<arch::avx2, Bytes> {
  const std::uint8_t* p;

  explicit SPARSEKIT_INLINE byte_window(const void* x) : p(static_cast<const std::uint8_t*>(x)) {}
  SPARSEKIT_INLINE __m256i at(const std::uint8_t* places) const {
    return bytes_at<Bytes>(p, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(places)));
  }
};
template <int Bytes>
struct half_window<arch::avx2, Bytes> {
  const std::uint8_t* p;

  explicit SPARSEKIT_INLINE half_window(const void* x) : p(static_cast<const std::uint8_t*>(x)) {}
  SPARSEKIT_INLINE __m256i at(const std::uint8_t* places) const {
    const __m256i n =
        _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(places)));
    // Bytes 2 n and 2 n + 1 of element n.
    const __m256i two = _mm256_slli_epi16(n, 1);
    const __m256i both = _mm256_or_si256(two, _mm256_slli_epi16(two, 8));
    return bytes_at<Bytes>(p, _mm256_or_si256(both, _mm256_set1_epi16(0x100)));
  }
};
template <class Arch, int I>
requires std::is_same_v<Arch, arch::avx2> SPARSEKIT_INLINE void byte_of_pairs(
    const std::uint8_t* pairs, std::uint8_t* to) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(pairs));
  const __m128i b = I == 0 ? _mm_and_si128(v, _mm_set1_epi16(0xff)) : _mm_srli_epi16(v, 8);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(b, b));
}
template <class Arch>
requires std::is_same_v<Arch, arch::avx2> SPARSEKIT_INLINE __m256 even_f16(__m256i w) {
  return mixed<Arch>::widened_low_f16(w);
}
template <class Arch>
requires std::is_same_v<Arch, arch::avx2> SPARSEKIT_INLINE __m256 odd_f16(__m256i w) {
  return mixed<Arch>::widened_low_f16(_mm256_srli_epi32(w, 16));
}

#endif
#if SPARSEKIT_HAS_NEON

/// tbl looks up 64 bytes; a place beyond its table leaves the lane of tbx as it was.
template <int Bytes>
SPARSEKIT_INLINE uint32x4_t bytes_at(const std::uint8_t* p, uint8x16_t n) {
  uint8x16_t found = vqtbl4q_u8(vld1q_u8_x4(p), n);
  unroll<Bytes / 64 - 1>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
    found = vqtbx4q_u8(found, vld1q_u8_x4(p + 64 * (i + 1)),
                       vsubq_u8(n, vdupq_n_u8(static_cast<std::uint8_t>(64 * (i + 1)))));
  });
  return vreinterpretq_u32_u8(found);
}
template <int Bytes>
struct byte_window<arch::neon, Bytes> {
  const std::uint8_t* p;

  explicit SPARSEKIT_INLINE byte_window(const void* x) : p(static_cast<const std::uint8_t*>(x)) {}
  SPARSEKIT_INLINE uint32x4_t at(const std::uint8_t* places) const {
    return bytes_at<Bytes>(p, vld1q_u8(places));
  }
};
template <int Bytes>
struct half_window<arch::neon, Bytes> {
  const std::uint8_t* p;

  explicit SPARSEKIT_INLINE half_window(const void* x) : p(static_cast<const std::uint8_t*>(x)) {}
  SPARSEKIT_INLINE uint32x4_t at(const std::uint8_t* places) const {
    const uint16x8_t two = vshll_n_u8(vld1_u8(places), 1);
    const uint16x8_t both = vorrq_u16(two, vshlq_n_u16(two, 8));
    return bytes_at<Bytes>(p, vreinterpretq_u8_u16(vorrq_u16(both, vdupq_n_u16(0x100))));
  }
};
template <class Arch>
requires std::is_same_v<Arch, arch::neon> SPARSEKIT_INLINE float32x4_t even_f16(uint32x4_t w) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(w)));
}
template <class Arch>
requires std::is_same_v<Arch, arch::neon> SPARSEKIT_INLINE float32x4_t odd_f16(uint32x4_t w) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vshrn_n_u32(w, 16)));
}

#endif

}  // namespace simd
SPARSEKIT_EXEC_END
