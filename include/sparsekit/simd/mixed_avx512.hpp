// mixed<arch::avx512>, with or without VNNI and BF16, and 512-bit registers of s32 sums.
#pragma once

#include "../core/bfloat16.hpp"
#include "../core/float16.hpp"
#include "avx512.hpp"

#if SPARSEKIT_HAS_AVX512

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <>
struct lanes<arch::avx512, std::int32_t> : xsimd_lanes<std::int32_t, xsimd::avx512bw> {
  using mask = __mmask16;
  static constexpr int width = 16;
  using base = xsimd_lanes<std::int32_t, xsimd::avx512bw>;
  using floats = lanes<arch::avx512, float>;
  using base::load;
  using base::store;

  static SPARSEKIT_INLINE mask first(index_t n) { return floats::first(n); }
  static SPARSEKIT_INLINE reg load(mask m, const std::int32_t* p) {
    return _mm512_maskz_loadu_epi32(m, p);
  }
  static SPARSEKIT_INLINE void store(mask m, std::int32_t* p, reg v) {
    _mm512_mask_storeu_epi32(p, m, v);
  }
  static SPARSEKIT_INLINE void transpose(reg* r) {
    floats::reg f[16];
    unroll<16>([&](auto i) SPARSEKIT_LAMBDA_INLINE { f[i] = _mm512_castsi512_ps(r[i]); });
    floats::transpose(f);
    unroll<16>([&](auto i) SPARSEKIT_LAMBDA_INLINE { r[i] = _mm512_castps_si512(f[i]); });
  }
};

template <>
struct mixed<arch::avx512> {
  using f32 = __m512;
  using s32 = __m512i;
  using words = __m512i;
  using mask = __mmask16;
  static constexpr int width = 16;
  static constexpr mask all = 0xffff;

  static SPARSEKIT_INLINE f32 load_f32(const float* p) { return _mm512_loadu_ps(p); }
  static SPARSEKIT_INLINE f32 load_f32(mask m, const float* p) {
    return _mm512_maskz_loadu_ps(m, p);
  }
  static SPARSEKIT_INLINE f32 load_f32(const bfloat16* p) { return widened_bf16(load_16(p)); }
  static SPARSEKIT_INLINE f32 load_f32(mask m, const bfloat16* p) {
    return widened_bf16(_mm256_maskz_loadu_epi16(m, p));
  }
  static SPARSEKIT_INLINE f32 load_f32(const float16* p) {
    return _mm512_maskz_cvtph_ps(all, load_16(p));
  }
  static SPARSEKIT_INLINE f32 load_f32(mask m, const float16* p) {
    return _mm512_maskz_cvtph_ps(all, _mm256_maskz_loadu_epi16(m, p));
  }
  static SPARSEKIT_INLINE f32 broadcast_f32(const bfloat16* p) {
    std::uint16_t bits;
    std::memcpy(&bits, p, sizeof bits);
    return _mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(std::uint32_t{bits} << 16)));
  }
  static SPARSEKIT_INLINE f32 broadcast_f32(const float16* p) {
    std::int16_t bits;
    std::memcpy(&bits, p, sizeof bits);
    return _mm512_maskz_cvtph_ps(all, _mm256_set1_epi16(bits));
  }
  static SPARSEKIT_INLINE f32 load_four(const bfloat16* p) { return widened_bf16(four_times(p)); }
  static SPARSEKIT_INLINE f32 load_four(const float16* p) {
    return _mm512_maskz_cvtph_ps(all, four_times(p));
  }
  template <int I>
  static SPARSEKIT_INLINE f32 pick(f32 four) {
    return _mm512_maskz_permute_ps(all, four, I * 0x55);
  }
  static SPARSEKIT_INLINE s32 load_s32(const std::int32_t* p) { return _mm512_loadu_si512(p); }
  static SPARSEKIT_INLINE s32 load_s32(mask m, const std::int32_t* p) {
    return _mm512_maskz_loadu_epi32(m, p);
  }
  static SPARSEKIT_INLINE s32 load_s32(const std::uint8_t* p) {
    return _mm512_maskz_cvtepu8_epi32(all, load_8(p));
  }
  static SPARSEKIT_INLINE s32 load_s32(mask m, const std::uint8_t* p) {
    return _mm512_maskz_cvtepu8_epi32(all, _mm_maskz_loadu_epi8(m, p));
  }
  static SPARSEKIT_INLINE s32 load_s32(const std::int8_t* p) {
    return _mm512_maskz_cvtepi8_epi32(all, load_8(p));
  }
  static SPARSEKIT_INLINE s32 load_s32(mask m, const std::int8_t* p) {
    return _mm512_maskz_cvtepi8_epi32(all, _mm_maskz_loadu_epi8(m, p));
  }

  static SPARSEKIT_INLINE void store(float* p, f32 v) { _mm512_storeu_ps(p, v); }
  static SPARSEKIT_INLINE void store(mask m, float* p, f32 v) { _mm512_mask_storeu_ps(p, m, v); }
  static SPARSEKIT_INLINE void store(bfloat16* p, f32 v) { store_16(p, narrowed_bf16(v)); }
  static SPARSEKIT_INLINE void store(mask m, bfloat16* p, f32 v) {
    _mm256_mask_storeu_epi16(p, m, narrowed_bf16(v));
  }
  static SPARSEKIT_INLINE void store(float16* p, f32 v) { store_16(p, narrowed_f16(v)); }
  static SPARSEKIT_INLINE void store(mask m, float16* p, f32 v) {
    _mm256_mask_storeu_epi16(p, m, narrowed_f16(v));
  }
  static SPARSEKIT_INLINE void store(std::int32_t* p, s32 v) { _mm512_storeu_si512(p, v); }
  static SPARSEKIT_INLINE void store(mask m, std::int32_t* p, s32 v) {
    _mm512_mask_storeu_epi32(p, m, v);
  }
  template <class U>
  requires(sizeof(U) == 1) static SPARSEKIT_INLINE void store(U* p, s32 v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_maskz_cvtepi32_epi8(all, v));
  }
  template <class U>
  requires(sizeof(U) == 1) static SPARSEKIT_INLINE void store(mask m, U* p, s32 v) {
    _mm_mask_storeu_epi8(p, m, _mm512_maskz_cvtepi32_epi8(all, v));
  }

  static SPARSEKIT_INLINE f32 to_f32(s32 v) { return _mm512_maskz_cvtepi32_ps(all, v); }
  static SPARSEKIT_INLINE s32 to_s32(f32 v) {
    return _mm512_maskz_cvt_roundps_epi32(all, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }

  static SPARSEKIT_INLINE s32 bits(f32 v) { return _mm512_castps_si512(v); }
  static SPARSEKIT_INLINE s32 as_s32(words w) { return w; }
  static SPARSEKIT_INLINE words as_words(f32 v) { return _mm512_castps_si512(v); }
  template <std::uint32_t Mask>
  static SPARSEKIT_INLINE words merged(words a, words b) {
    return _mm512_ternarylogic_epi32(_mm512_set1_epi32(static_cast<int>(Mask)), b, a, 0xca);
  }
  static SPARSEKIT_INLINE words load_words(const void* p) { return _mm512_loadu_si512(p); }
  static SPARSEKIT_INLINE words load_words(mask m, const void* p) {
    return _mm512_maskz_loadu_epi32(m, p);
  }
  static SPARSEKIT_INLINE words broadcast_word(const void* p) {
    std::int32_t w;
    std::memcpy(&w, p, sizeof w);
    return _mm512_set1_epi32(w);
  }
  static SPARSEKIT_INLINE f32 even(words w) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(w, 16));
  }
  static SPARSEKIT_INLINE f32 odd(words w) {
    return _mm512_castsi512_ps(_mm512_and_si512(w, _mm512_set1_epi32(-0x10000)));
  }
  static SPARSEKIT_INLINE f32 dot2(f32 sum, words a, words b) {
#if SPARSEKIT_HAS_AVX512_BF16
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
#else
    return _mm512_fmadd_ps(even(a), even(b), _mm512_fmadd_ps(odd(a), odd(b), sum));
#endif
  }

  template <class U>
  static SPARSEKIT_INLINE words even_bytes(words w) {
    if constexpr (std::is_signed_v<U>) {
      return _mm512_srai_epi16(_mm512_slli_epi16(w, 8), 8);
    } else {
      return _mm512_and_si512(w, _mm512_set1_epi16(0xff));
    }
  }
  template <class U>
  static SPARSEKIT_INLINE words odd_bytes(words w) {
    return std::is_signed_v<U> ? _mm512_srai_epi16(w, 8) : _mm512_srli_epi16(w, 8);
  }
  static SPARSEKIT_INLINE s32 dot2(s32 sum, words a, words b) {
#if SPARSEKIT_HAS_AVX512_VNNI
    return _mm512_dpwssd_epi32(sum, a, b);
#else
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
#endif
  }
  static SPARSEKIT_INLINE s32 dot4(s32 sum, words a, words b) {
#if SPARSEKIT_HAS_AVX512_VNNI
    return _mm512_dpbusd_epi32(sum, a, b);
#else
    return dot4_widened<std::uint8_t>(sum, a, b);
#endif
  }
  static SPARSEKIT_INLINE s32 dot4_signed(s32 sum, words a, words b) {
    return dot4_widened<std::int8_t>(sum, a, b);
  }
  static constexpr bool has_dot4 = SPARSEKIT_HAS_AVX512_VNNI != 0;
  template <class U>
  static constexpr bool flips = has_dot4&& std::is_signed_v<U>;
  template <class U>
  static SPARSEKIT_INLINE s32 dot4_kept(s32 sum, words x, words w) {
    return has_dot4 || !std::is_signed_v<U> ? dot4(sum, x, w) : dot4_signed(sum, x, w);
  }

 private:
  static SPARSEKIT_INLINE __m256i load_16(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
  }
  static SPARSEKIT_INLINE __m128i load_8(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
  }
  static SPARSEKIT_INLINE void store_16(void* p, __m256i v) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), v);
  }
  /// Four 16-bit numbers, in every quarter.
  static SPARSEKIT_INLINE __m256i four_times(const void* p) {
    long long bits;
    std::memcpy(&bits, p, sizeof bits);
    return _mm256_set1_epi64x(bits);
  }
  static SPARSEKIT_INLINE f32 widened_bf16(__m256i v) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_maskz_cvtepu16_epi32(all, v), 16));
  }
  // Not vcvtneps2bf16, which flushes subnormals. NaN is told by its bits, immune to -ffast-math.
  static SPARSEKIT_INLINE __m256i narrowed_bf16(f32 v) {
    const __m512i u = _mm512_castps_si512(v);
    const __m512i high = _mm512_srli_epi32(u, 16);
    const __m512i last = _mm512_and_si512(high, _mm512_set1_epi32(1));
    const __m512i up = _mm512_add_epi32(u, _mm512_add_epi32(last, _mm512_set1_epi32(0x7fff)));
    const __m512i magnitude = _mm512_and_si512(u, _mm512_set1_epi32(0x7fffffff));
    const mask nan = _mm512_cmpgt_epi32_mask(magnitude, _mm512_set1_epi32(0x7f800000));
    const __m512i r =
        _mm512_mask_or_epi32(_mm512_srli_epi32(up, 16), nan, high, _mm512_set1_epi32(0x40));
    return _mm512_maskz_cvtepi32_epi16(all, r);
  }
  static SPARSEKIT_INLINE __m256i narrowed_f16(f32 v) {
    return _mm512_maskz_cvtps_ph(all, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  template <class U>
  static SPARSEKIT_INLINE s32 dot4_widened(s32 sum, words a, words b) {
    sum = dot2(sum, even_bytes<U>(a), even_bytes<std::int8_t>(b));
    return dot2(sum, odd_bytes<U>(a), odd_bytes<std::int8_t>(b));
  }
};

}  // namespace simd
SPARSEKIT_EXEC_END

#endif
