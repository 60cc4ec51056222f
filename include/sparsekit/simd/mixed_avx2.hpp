// mixed<arch::avx2>, with or without F16C, and 256-bit registers of s32 sums. AVX2 has no masked
// access to 8 or 16 bits: the tails of such arrays are moved by a loop over their bytes.
#pragma once

#include "../core/bfloat16.hpp"
#include "../core/float16.hpp"
#include "avx2.hpp"

#if SPARSEKIT_HAS_AVX2

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <>
struct lanes<arch::avx2, std::int32_t> : xsimd_lanes<std::int32_t, xsimd::fma3<xsimd::avx2>> {
  using mask = __m256i;
  static constexpr int width = 8;
  using base = xsimd_lanes<std::int32_t, xsimd::fma3<xsimd::avx2>>;
  using floats = lanes<arch::avx2, float>;
  using base::load;
  using base::store;

  static SPARSEKIT_INLINE mask first(index_t n) { return floats::first(n); }
  static SPARSEKIT_INLINE reg load(mask m, const std::int32_t* p) {
    return _mm256_maskload_epi32(p, m);
  }
  static SPARSEKIT_INLINE void store(mask m, std::int32_t* p, reg v) {
    _mm256_maskstore_epi32(p, m, v);
  }
  static SPARSEKIT_INLINE void transpose(reg* r) {
    floats::reg f[8];
    unroll<8>([&](auto i) SPARSEKIT_LAMBDA_INLINE { f[i] = _mm256_castsi256_ps(r[i]); });
    floats::transpose(f);
    unroll<8>([&](auto i) SPARSEKIT_LAMBDA_INLINE { r[i] = _mm256_castps_si256(f[i]); });
  }
};

template <>
struct mixed<arch::avx2> {
  using f32 = __m256;
  using s32 = __m256i;
  using words = __m256i;
  using mask = __m256i;
  static constexpr int width = 8;

  static SPARSEKIT_INLINE f32 load_f32(const float* p) { return _mm256_loadu_ps(p); }
  static SPARSEKIT_INLINE f32 load_f32(mask m, const float* p) { return _mm256_maskload_ps(p, m); }
  static SPARSEKIT_INLINE f32 load_f32(const bfloat16* p) { return widened(load_16(p), p); }
  static SPARSEKIT_INLINE f32 load_f32(const float16* p) { return widened(load_16(p), p); }
  template <class U>
  requires(sizeof(U) == 2) static SPARSEKIT_INLINE f32 load_f32(mask m, const U* p) {
    alignas(16) U t[8] = {};
    std::memcpy(static_cast<void*>(t), p, sizeof(U) * count(m));
    return load_f32(t);
  }
  template <class U>
  static SPARSEKIT_INLINE f32 broadcast_f32(const U* p) {
    std::int16_t bits;
    std::memcpy(&bits, p, sizeof bits);
    return widened(_mm_set1_epi16(bits), p);
  }
  template <class U>
  static SPARSEKIT_INLINE f32 load_four(const U* p) {
    long long bits;
    std::memcpy(&bits, p, sizeof bits);
    return widened(_mm_set1_epi64x(bits), p);
  }
  template <int I>
  static SPARSEKIT_INLINE f32 pick(f32 four) {
    return _mm256_permute_ps(four, I * 0x55);
  }
  static SPARSEKIT_INLINE s32 load_s32(const std::int32_t* p) { return load_words(p); }
  static SPARSEKIT_INLINE s32 load_s32(mask m, const std::int32_t* p) { return load_words(m, p); }
  static SPARSEKIT_INLINE s32 load_s32(const std::uint8_t* p) {
    return _mm256_cvtepu8_epi32(load_8(p));
  }
  static SPARSEKIT_INLINE s32 load_s32(const std::int8_t* p) {
    return _mm256_cvtepi8_epi32(load_8(p));
  }
  template <class U>
  requires(sizeof(U) == 1) static SPARSEKIT_INLINE s32 load_s32(mask m, const U* p) {
    alignas(8) U t[8] = {};
    std::memcpy(t, p, count(m));
    return load_s32(t);
  }

  static SPARSEKIT_INLINE void store(float* p, f32 v) { _mm256_storeu_ps(p, v); }
  static SPARSEKIT_INLINE void store(mask m, float* p, f32 v) { _mm256_maskstore_ps(p, m, v); }
  static SPARSEKIT_INLINE void store(bfloat16* p, f32 v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), packed_16(narrowed_bf16(v)));
  }
  static SPARSEKIT_INLINE void store(float16* p, f32 v) {
#if SPARSEKIT_HAS_F16C
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#else
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), packed_16(narrowed_f16(v)));
#endif
  }
  static SPARSEKIT_INLINE void store(std::int32_t* p, s32 v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v);
  }
  static SPARSEKIT_INLINE void store(mask m, std::int32_t* p, s32 v) {
    _mm256_maskstore_epi32(p, m, v);
  }
  template <class U>
  requires(sizeof(U) == 1) static SPARSEKIT_INLINE void store(U* p, s32 v) {
    // The lowest byte of every lane to the front of its 128-bit half.
    const __m256i front =
        _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12,
                         -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i b = _mm256_shuffle_epi8(v, front);
    const __m128i both =
        _mm_unpacklo_epi32(_mm256_castsi256_si128(b), _mm256_extracti128_si256(b, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), both);
  }
  template <class U, class V>
  requires(sizeof(U) < 4) static SPARSEKIT_INLINE void store(mask m, U* p, V v) {
    alignas(16) U t[8];
    store(t, v);
    std::memcpy(static_cast<void*>(p), t, sizeof(U) * count(m));
  }

  /// f32 of the f16 in the lower half of every lane.
  static SPARSEKIT_INLINE f32 widened_low_f16(words w) {
    const __m256i low = _mm256_and_si256(w, _mm256_set1_epi32(0xffff));
    return widened(packed_16(low), static_cast<const float16*>(nullptr));
  }
  static SPARSEKIT_INLINE f32 to_f32(s32 v) { return _mm256_cvtepi32_ps(v); }
  static SPARSEKIT_INLINE s32 to_s32(f32 v) {
    return _mm256_cvttps_epi32(_mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }

  static SPARSEKIT_INLINE s32 bits(f32 v) { return _mm256_castps_si256(v); }
  static SPARSEKIT_INLINE s32 as_s32(words w) { return w; }
  static SPARSEKIT_INLINE words as_words(f32 v) { return _mm256_castps_si256(v); }
  template <std::uint32_t Mask>
  static SPARSEKIT_INLINE words merged(words a, words b) {
    if constexpr (Mask == 0xffff0000u) {
      return _mm256_blend_epi16(a, b, 0xaa);
    } else {
      return _mm256_blendv_epi8(a, b, _mm256_set1_epi32(static_cast<int>(Mask)));
    }
  }
  static SPARSEKIT_INLINE words load_words(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
  }
  static SPARSEKIT_INLINE words load_words(mask m, const void* p) {
    return _mm256_maskload_epi32(static_cast<const int*>(p), m);
  }
  static SPARSEKIT_INLINE words broadcast_word(const void* p) {
    std::int32_t w;
    std::memcpy(&w, p, sizeof w);
    return _mm256_set1_epi32(w);
  }
  static SPARSEKIT_INLINE f32 even(words w) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(w, 16));
  }
  static SPARSEKIT_INLINE f32 odd(words w) {
    return _mm256_castsi256_ps(_mm256_and_si256(w, _mm256_set1_epi32(-0x10000)));
  }
  static SPARSEKIT_INLINE f32 dot2(f32 sum, words a, words b) {
    return _mm256_fmadd_ps(even(a), even(b), _mm256_fmadd_ps(odd(a), odd(b), sum));
  }

  template <class U>
  static SPARSEKIT_INLINE words even_bytes(words w) {
    if constexpr (std::is_signed_v<U>) {
      return _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8);
    } else {
      return _mm256_and_si256(w, _mm256_set1_epi16(0xff));
    }
  }
  template <class U>
  static SPARSEKIT_INLINE words odd_bytes(words w) {
    return std::is_signed_v<U> ? _mm256_srai_epi16(w, 8) : _mm256_srli_epi16(w, 8);
  }
  static SPARSEKIT_INLINE s32 dot2(s32 sum, words a, words b) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
  }
  // Not vpmaddubsw, which saturates: 255 * 127 + 255 * 127 is beyond 16 bits.
  static SPARSEKIT_INLINE s32 dot4(s32 sum, words a, words b) {
    return dot4_kept<std::uint8_t>(sum, a, b);
  }
  static SPARSEKIT_INLINE s32 dot4_signed(s32 sum, words a, words b) {
    return dot4_kept<std::int8_t>(sum, a, b);
  }
  static constexpr bool has_dot4 = false;
  template <class U>
  static constexpr bool flips = false;
  template <class U>
  static SPARSEKIT_INLINE s32 dot4_kept(s32 sum, words x, words w) {
    sum = dot2(sum, even_bytes<U>(x), even_bytes<std::int8_t>(w));
    return dot2(sum, odd_bytes<U>(x), odd_bytes<std::int8_t>(w));
  }

 private:
  /// Lanes of a mask, which are the first ones.
  static SPARSEKIT_INLINE std::size_t count(mask m) {
    const int bits = _mm256_movemask_ps(_mm256_castsi256_ps(m));
    return static_cast<std::size_t>(__builtin_popcount(static_cast<unsigned>(bits)));
  }
  static SPARSEKIT_INLINE __m128i load_16(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
  }
  static SPARSEKIT_INLINE __m128i load_8(const void* p) {
    return _mm_loadl_epi64(static_cast<const __m128i*>(p));
  }
  /// The lower halves of all lanes, in order.
  static SPARSEKIT_INLINE __m128i packed_16(__m256i v) {
    return _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  }
  static SPARSEKIT_INLINE f32 widened(__m128i v, const bfloat16*) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16));
  }
  static SPARSEKIT_INLINE __m256i set(int v) { return _mm256_set1_epi32(v); }
  static SPARSEKIT_INLINE __m256i narrowed_bf16(f32 v) {
    const __m256i u = _mm256_castps_si256(v);
    const __m256i high = _mm256_srli_epi32(u, 16);
    const __m256i last = _mm256_and_si256(high, set(1));
    const __m256i up = _mm256_add_epi32(u, _mm256_add_epi32(last, set(0x7fff)));
    const __m256i magnitude = _mm256_and_si256(u, set(0x7fffffff));
    const __m256i nan = _mm256_cmpgt_epi32(magnitude, set(0x7f800000));
    return _mm256_blendv_epi8(_mm256_srli_epi32(up, 16), _mm256_or_si256(high, set(0x40)), nan);
  }

#if SPARSEKIT_HAS_F16C
  static SPARSEKIT_INLINE f32 widened(__m128i v, const float16*) { return _mm256_cvtph_ps(v); }
#else
  // Subnormals by an exact conversion of their mantissa, all else by moving exponent and mantissa.
  static SPARSEKIT_INLINE f32 widened(__m128i v, const float16*) {
    const __m256i h = _mm256_cvtepu16_epi32(v);
    const __m256i magnitude = _mm256_and_si256(h, set(0x7fff));
    const __m256i sign = _mm256_slli_epi32(_mm256_and_si256(h, set(0x8000)), 16);
    const __m256i moved = _mm256_add_epi32(_mm256_slli_epi32(magnitude, 13), set(112 << 23));
    const __m256i special = _mm256_cmpgt_epi32(magnitude, set(0x7bff));
    const __m256i nan = _mm256_cmpgt_epi32(magnitude, set(0x7c00));
    const __m256i small = _mm256_cmpgt_epi32(set(0x400), magnitude);
    const __m256i normal =
        _mm256_or_si256(_mm256_add_epi32(moved, _mm256_and_si256(special, set(112 << 23))),
                        _mm256_and_si256(nan, set(0x400000)));
    const __m256 tiny = _mm256_mul_ps(_mm256_cvtepi32_ps(magnitude), _mm256_set1_ps(0x1p-24f));
    const __m256i bits = _mm256_blendv_epi8(normal, _mm256_castps_si256(tiny), small);
    return _mm256_castsi256_ps(_mm256_or_si256(bits, sign));
  }
  // As float16's own conversion; subnormals are rounded by adding 0.5, whose last bit is 2^-24.
  static SPARSEKIT_INLINE __m256i narrowed_f16(f32 v) {
    const __m256i u = _mm256_castps_si256(v);
    const __m256i sign = _mm256_and_si256(_mm256_srli_epi32(u, 16), set(0x8000));
    const __m256i magnitude = _mm256_and_si256(u, set(0x7fffffff));
    const __m256i r = _mm256_sub_epi32(magnitude, set(112 << 23));
    const __m256i last = _mm256_and_si256(_mm256_srli_epi32(r, 13), set(1));
    const __m256i normal =
        _mm256_srli_epi32(_mm256_add_epi32(r, _mm256_add_epi32(last, set(0xfff))), 13);
    const __m256 half = _mm256_set1_ps(0.5f);
    const __m256i tiny =
        _mm256_sub_epi32(_mm256_castps_si256(_mm256_add_ps(_mm256_castsi256_ps(magnitude), half)),
                         _mm256_castps_si256(half));
    const __m256i quiet = _mm256_or_si256(
        _mm256_and_si256(_mm256_srli_epi32(magnitude, 13), set(0x3ff)), set(0x7e00));
    const auto pick = [](__m256i yes, __m256i no, __m256i m)
                          SPARSEKIT_LAMBDA_INLINE { return _mm256_blendv_epi8(no, yes, m); };
    __m256i out = pick(tiny, normal, _mm256_cmpgt_epi32(set(0x38800000), magnitude));
    out = pick(set(0x7c00), out, _mm256_cmpgt_epi32(magnitude, set(0x477fefff)));
    out = pick(quiet, out, _mm256_cmpgt_epi32(magnitude, set(0x7f800000)));
    return _mm256_or_si256(out, sign);
  }
#endif
};

}  // namespace simd
SPARSEKIT_EXEC_END

#endif
