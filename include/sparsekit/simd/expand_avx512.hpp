// expanded<arch::avx512, ...>: vexpand of whole registers, from memory that is loaded first: with a
// memory operand it takes twice as long. It waits for its destination even where that is all zero,
// so it merges into a register that the compiler does not know to be zero, made afresh.
#pragma once

#include "expand_avx2.hpp"
#include "math.hpp"
#include "mixed_avx512.hpp"

#if SPARSEKIT_HAS_AVX512

SPARSEKIT_EXEC_BEGIN
namespace simd {

SPARSEKIT_INLINE __m512i fresh_zero() { return rounded(_mm512_setzero_si512()); }
template <class M>
SPARSEKIT_INLINE M load_mask(const std::uint8_t* p) {
  M m;
  std::memcpy(&m, p, sizeof m);
  return m;
}
/// Keeps the load apart from what uses it.
SPARSEKIT_INLINE __m512i loaded(const void* p) { return rounded(_mm512_loadu_si512(p)); }

template <>
struct expanded<arch::avx512, double, double> {
  using x_type = double;
  using weights = __m512d;
  static constexpr int columns = 8;
  static constexpr bool flips = false;

  template <int First>
  static SPARSEKIT_INLINE weights at(const std::uint8_t* bits, const double*& p) {
    const auto m = load_mask<__mmask8>(bits + First / 8);
    const __m512i v = _mm512_mask_expand_epi64(fresh_zero(), m, loaded(p));
    p += __builtin_popcount(m);
    return _mm512_castsi512_pd(v);
  }
  template <class Reg>
  static SPARSEKIT_INLINE Reg add(Reg sum, weights w, const double* x) {
    return _mm512_fmadd_pd(w, _mm512_loadu_pd(x), sum);
  }
};

/// Weights that are widened to f32 before they are expanded: f32, bf16, f16.
template <class T>
struct expanded_floats {
  using x_type = float;
  using weights = __m512;
  static constexpr int columns = 16;
  static constexpr bool flips = false;

  template <int First>
  static SPARSEKIT_INLINE weights at(const std::uint8_t* bits, const T*& p) {
    const auto m = load_mask<__mmask16>(bits + First / 8);
    const __m512 wide = rounded(mixed<arch::avx512>::load_f32(p));
    const __m512i v = _mm512_mask_expand_epi32(fresh_zero(), m, _mm512_castps_si512(wide));
    p += __builtin_popcount(m);
    return _mm512_castsi512_ps(v);
  }
  template <class Reg>
  static SPARSEKIT_INLINE Reg add(Reg sum, weights w, const float* x) {
    return _mm512_fmadd_ps(w, _mm512_loadu_ps(x), sum);
  }
};
template <>
struct expanded<arch::avx512, float, float> : expanded_floats<float> {};
template <class TX>
struct expanded<arch::avx512, float16, TX> : expanded_floats<float16> {};
template <>
struct expanded<arch::avx512, bfloat16, float> : expanded_floats<bfloat16> {};

#if SPARSEKIT_HAS_AVX512_VBMI && SPARSEKIT_HAS_AVX512_BF16

/// Pairs for vdpbf16ps.
template <>
struct expanded<arch::avx512, bfloat16, bfloat16> {
  using x_type = bfloat16;
  using weights = __m512i;
  static constexpr int columns = 32;
  static constexpr bool flips = false;

  template <int First>
  static SPARSEKIT_INLINE weights at(const std::uint8_t* bits, const bfloat16*& p) {
    const auto m = load_mask<__mmask32>(bits + First / 8);
    const __m512i v = _mm512_mask_expand_epi16(fresh_zero(), m, loaded(p));
    p += __builtin_popcount(m);
    return v;
  }
  template <class Reg>
  static SPARSEKIT_INLINE Reg add(Reg sum, weights w, const bfloat16* x) {
    return mixed<arch::avx512>::dot2(sum, w, _mm512_loadu_si512(x));
  }
};

#else

template <>
struct expanded<arch::avx512, bfloat16, bfloat16> : expanded_floats<bfloat16> {};

#endif

#if SPARSEKIT_HAS_AVX512_VBMI && SPARSEKIT_HAS_AVX512_VNNI

/// Quads for vpdpbusd.
template <class TX>
struct expanded<arch::avx512, std::int8_t, TX> {
  using x_type = TX;
  using weights = __m512i;
  using m32 = mixed<arch::avx512>;
  static constexpr int columns = 64;
  static constexpr bool flips = m32::flips<TX>;

  template <int First>
  static SPARSEKIT_INLINE weights at(const std::uint8_t* bits, const std::int8_t*& p) {
    const auto m = load_mask<__mmask64>(bits);
    const __m512i v = _mm512_mask_expand_epi8(fresh_zero(), m, loaded(p));
    p += __builtin_popcountll(m);
    return v;
  }
  template <class Reg>
  static SPARSEKIT_INLINE Reg add(Reg sum, weights w, const TX* x) {
    return m32::dot4_kept<TX>(sum, _mm512_loadu_si512(x), w);
  }
};

#else

/// Without vpexpandb, sixteen widened to 32 bits.
template <class TX>
struct expanded<arch::avx512, std::int8_t, TX> {
  using x_type = std::int32_t;
  using weights = __m512i;
  static constexpr int columns = 16;
  static constexpr bool flips = false;

  template <int First>
  static SPARSEKIT_INLINE weights at(const std::uint8_t* bits, const std::int8_t*& p) {
    const auto m = load_mask<__mmask16>(bits + First / 8);
    const __m512i wide = rounded(mixed<arch::avx512>::load_s32(p));
    p += __builtin_popcount(m);
    return _mm512_mask_expand_epi32(fresh_zero(), m, wide);
  }
  template <class Reg>
  static SPARSEKIT_INLINE Reg add(Reg sum, weights w, const std::int32_t* x) {
    return _mm512_add_epi32(sum, _mm512_mullo_epi32(w, _mm512_loadu_si512(x)));
  }
};

#endif

}  // namespace simd
SPARSEKIT_EXEC_END

#endif
