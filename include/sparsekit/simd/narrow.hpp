// Half and quarter registers under AVX-512: for a few columns of X, where a full register would be mostly
// empty. Masks are mask registers here too (AVX-512VL), which AVX2's slow masked stores are not.
#pragma once

#include "avx2.hpp"
#include "avx512.hpp"

namespace sparsekit {
inline namespace v0 {
namespace arch {
/// AVX-512 in 256-bit registers.
struct avx512_half {
  static constexpr const char* name = "avx512_half";
};
/// AVX-512 in 128-bit registers.
struct avx512_quarter {
  static constexpr const char* name = "avx512_quarter";
};
}  // namespace arch
}  // namespace v0
}  // namespace sparsekit

SPARSEKIT_EXEC_BEGIN
namespace simd {

/// The ISA with registers of half the width; itself where there is none.
template <class Arch>
struct narrower {
  using type = Arch;
};

#if SPARSEKIT_HAS_AVX512

template <>
struct narrower<arch::avx512> {
  using type = arch::avx512_half;
};
template <>
struct narrower<arch::avx512_half> {
  using type = arch::avx512_quarter;
};

template <>
struct lanes<arch::avx512_half, float> : lanes<arch::avx2, float> {
  using base = lanes<arch::avx2, float>;
  using mask = __mmask8;
  using base::load;
  using base::store;

  static SPARSEKIT_INLINE mask first(index_t n) {
    return n >= 8 ? mask(0xff) : n <= 0 ? mask(0) : mask((1u << n) - 1u);
  }
  static SPARSEKIT_INLINE reg load(mask m, const float* p) { return _mm256_maskz_loadu_ps(m, p); }
  static SPARSEKIT_INLINE void store(mask m, float* p, reg v) { _mm256_mask_storeu_ps(p, m, v); }
};

template <>
struct lanes<arch::avx512_half, double> : lanes<arch::avx2, double> {
  using base = lanes<arch::avx2, double>;
  using mask = __mmask8;
  using base::load;
  using base::store;

  static SPARSEKIT_INLINE mask first(index_t n) {
    return n >= 4 ? mask(0xf) : n <= 0 ? mask(0) : mask((1u << n) - 1u);
  }
  static SPARSEKIT_INLINE reg load(mask m, const double* p) { return _mm256_maskz_loadu_pd(m, p); }
  static SPARSEKIT_INLINE void store(mask m, double* p, reg v) { _mm256_mask_storeu_pd(p, m, v); }
};

template <>
struct lanes<arch::avx512_quarter, float> : xsimd_lanes<float, xsimd::fma3<xsimd::sse4_2>> {
  using base = xsimd_lanes<float, xsimd::fma3<xsimd::sse4_2>>;
  using mask = __mmask8;
  using magnitude_reg = __m128i;
  static constexpr int width = 4;
  using base::load;
  using base::store;

  static SPARSEKIT_INLINE mask first(index_t n) {
    return n >= 4 ? mask(0xf) : n <= 0 ? mask(0) : mask((1u << n) - 1u);
  }
  static SPARSEKIT_INLINE reg load(mask m, const float* p) { return _mm_maskz_loadu_ps(m, p); }
  static SPARSEKIT_INLINE void store(mask m, float* p, reg v) { _mm_mask_storeu_ps(p, m, v); }

  static SPARSEKIT_INLINE void transpose(reg* r) {
    const __m128 a = _mm_unpacklo_ps(r[0], r[1]);
    const __m128 b = _mm_unpackhi_ps(r[0], r[1]);
    const __m128 c = _mm_unpacklo_ps(r[2], r[3]);
    const __m128 d = _mm_unpackhi_ps(r[2], r[3]);
    r[0] = _mm_movelh_ps(a, c);
    r[1] = _mm_movehl_ps(c, a);
    r[2] = _mm_movelh_ps(b, d);
    r[3] = _mm_movehl_ps(d, b);
  }

  using four = __m128;
  static SPARSEKIT_INLINE four load_four(const float* p) { return _mm_loadu_ps(p); }
  template <int I>
  static SPARSEKIT_INLINE reg pick(four q) {
    return _mm_permute_ps(q, I * 0x55);
  }

  static SPARSEKIT_INLINE magnitude_reg no_magnitude() { return _mm_setzero_si128(); }
  static SPARSEKIT_INLINE magnitude_reg max_magnitude(magnitude_reg m, reg v) {
    return _mm_max_epi32(
        m, _mm_and_si128(_mm_castps_si128(v), _mm_set1_epi32(float_bits<float>::magnitude)));
  }
  static SPARSEKIT_INLINE bool any_not_finite(magnitude_reg m) {
    return _mm_cmpge_epi32_mask(m, _mm_set1_epi32(float_bits<float>::infinity)) != 0;
  }
};

template <>
struct lanes<arch::avx512_quarter, double> : xsimd_lanes<double, xsimd::fma3<xsimd::sse4_2>> {
  using base = xsimd_lanes<double, xsimd::fma3<xsimd::sse4_2>>;
  using mask = __mmask8;
  using magnitude_reg = __m128i;
  static constexpr int width = 2;
  using base::load;
  using base::store;

  static SPARSEKIT_INLINE mask first(index_t n) {
    return n >= 2 ? mask(0x3) : n <= 0 ? mask(0) : mask(1);
  }
  static SPARSEKIT_INLINE reg load(mask m, const double* p) { return _mm_maskz_loadu_pd(m, p); }
  static SPARSEKIT_INLINE void store(mask m, double* p, reg v) { _mm_mask_storeu_pd(p, m, v); }

  static SPARSEKIT_INLINE void transpose(reg* r) {
    const __m128d a = r[0];
    const __m128d b = r[1];
    r[0] = _mm_unpacklo_pd(a, b);
    r[1] = _mm_unpackhi_pd(a, b);
  }

  struct four {
    __m128d half[2];
  };
  static SPARSEKIT_INLINE four load_four(const double* p) {
    return {{_mm_loadu_pd(p), _mm_loadu_pd(p + 2)}};
  }
  template <int I>
  static SPARSEKIT_INLINE reg pick(four q) {
    return _mm_permute_pd(q.half[I / 2], I % 2 * 3);
  }

  static SPARSEKIT_INLINE magnitude_reg no_magnitude() { return _mm_setzero_si128(); }
  static SPARSEKIT_INLINE magnitude_reg max_magnitude(magnitude_reg m, reg v) {
    return _mm_max_epi64(
        m, _mm_and_si128(_mm_castpd_si128(v), _mm_set1_epi64x(float_bits<double>::magnitude)));
  }
  static SPARSEKIT_INLINE bool any_not_finite(magnitude_reg m) {
    return _mm_cmpge_epi64_mask(m, _mm_set1_epi64x(float_bits<double>::infinity)) != 0;
  }
};

#endif

}  // namespace simd
SPARSEKIT_EXEC_END
