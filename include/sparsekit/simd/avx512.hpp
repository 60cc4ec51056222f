// lanes<arch::avx512, T>: 512-bit registers, tails by mask registers.
#pragma once

#include "x86.hpp"

#if SPARSEKIT_HAS_AVX512

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <>
struct lanes<arch::avx512, float> : xsimd_lanes<float, xsimd::avx512bw> {
  using mask = __mmask16;
  using magnitude_reg = __m512i;
  static constexpr int width = 16;
  using base = xsimd_lanes<float, xsimd::avx512bw>;
  using base::load;
  using base::store;

  static SPARSEKIT_INLINE mask first(index_t n) {
    return n >= 16 ? mask(0xffff) : n <= 0 ? mask(0) : mask((1u << n) - 1u);
  }
  static SPARSEKIT_INLINE reg load(mask m, const float* p) { return _mm512_maskz_loadu_ps(m, p); }
  static SPARSEKIT_INLINE void store(mask m, float* p, reg v) { _mm512_mask_storeu_ps(p, m, v); }

  // Zen 5: sixteen scalar loads with inserts take 10 cycles, vgatherdps 20. Emerald Rapids: inserts wait for the one
  // shuffle port, and a gather is ahead (f32 .21 against .37 ns an element, f64 .31 against .36).
  template <class Index>
  static SPARSEKIT_INLINE reg gather(const float* p, const Index* index) {
    if constexpr (SPARSEKIT_HAS_AVX512_FP16 && std::is_same_v<Index, std::int32_t>) {
      return gather(__mmask16(0xffff), p, index);
    }
    if constexpr (SPARSEKIT_HAS_AVX512_FP16 && std::is_same_v<Index, std::uint16_t>) {
      const __m256i at = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index));
      return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), __mmask16(0xffff),
                                      _mm512_cvtepu16_epi32(at), p, 4);
    }
    const __m256 low = _mm256_setr_m128(gather4(p, index), gather4(p, index + 4));
    const __m256 high = _mm256_setr_m128(gather4(p, index + 8), gather4(p, index + 12));
    return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
  }
  template <class Index>
  static SPARSEKIT_INLINE reg gather(mask m, const float* p, const Index* index) {
    if constexpr (std::is_same_v<Index, std::int32_t>) {
      const __m512i at = _mm512_maskz_loadu_epi32(m, index);
      return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), m, at, p, 4);
    } else {
      alignas(64) float t[16] = {};
      for (unsigned i = 0; m >> i != 0; ++i) {
        if (m >> i & 1) t[i] = p[static_cast<index_t>(index[i])];
      }
      return _mm512_load_ps(t);
    }
  }
  // One vgather keeps more misses in flight than loads and inserts, which fill the scheduler.
  template <class Index>
  static SPARSEKIT_INLINE reg gather_far(const float* p, const Index* index) {
    if constexpr (std::is_same_v<Index, std::int32_t>) {
      return gather(__mmask16(0xffff), p, index);
    } else {
      return gather(p, index);
    }
  }

  static SPARSEKIT_INLINE reg keep(unsigned bits, reg v) {
    return _mm512_maskz_mov_ps(static_cast<__mmask16>(bits), v);
  }

  // Four stages of 16 shuffles: pairs, quads inside 128-bit parts, then the parts themselves.
  static SPARSEKIT_INLINE void transpose(reg* r) {
    __m512 a[16];
    __m512 b[16];
    const auto pairs = [&](int i) SPARSEKIT_LAMBDA_INLINE {
      a[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
      a[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    };
    pairs(0), pairs(1), pairs(2), pairs(3), pairs(4), pairs(5), pairs(6), pairs(7);
    const auto quads = [&](int i) SPARSEKIT_LAMBDA_INLINE {
      auto pd = [](__m512 v) SPARSEKIT_LAMBDA_INLINE { return _mm512_castps_pd(v); };
      const __m512d p = pd(a[4 * i]), q = pd(a[4 * i + 1]), s = pd(a[4 * i + 2]),
                    t = pd(a[4 * i + 3]);
      b[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(p, s));
      b[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(p, s));
      b[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(q, t));
      b[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(q, t));
    };
    quads(0), quads(1), quads(2), quads(3);
    // b[4i + j] holds, in 128-bit part h, column 4h + j of rows 4i .. 4i + 3.
    const auto parts = [&](int j) SPARSEKIT_LAMBDA_INLINE {
      const __m512 low01 = _mm512_shuffle_f32x4(b[j], b[4 + j], 0x44);
      const __m512 high01 = _mm512_shuffle_f32x4(b[j], b[4 + j], 0xee);
      const __m512 low23 = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0x44);
      const __m512 high23 = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0xee);
      r[j] = _mm512_shuffle_f32x4(low01, low23, 0x88);
      r[4 + j] = _mm512_shuffle_f32x4(low01, low23, 0xdd);
      r[8 + j] = _mm512_shuffle_f32x4(high01, high23, 0x88);
      r[12 + j] = _mm512_shuffle_f32x4(high01, high23, 0xdd);
    };
    parts(0), parts(1), parts(2), parts(3);
  }

  using four = __m512;
  static SPARSEKIT_INLINE four load_four(const float* p) {
    return _mm512_broadcast_f32x4(_mm_loadu_ps(p));
  }
  template <int I>
  static SPARSEKIT_INLINE reg pick(four q) {
    return _mm512_permute_ps(q, I * 0x55);
  }

  static SPARSEKIT_INLINE magnitude_reg no_magnitude() { return _mm512_setzero_si512(); }
  static SPARSEKIT_INLINE magnitude_reg max_magnitude(magnitude_reg m, reg v) {
    const __m512i bits =
        _mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(float_bits<float>::magnitude));
    return _mm512_maskz_max_epi32(__mmask16(0xffff), m, bits);
  }
  static SPARSEKIT_INLINE bool any_not_finite(magnitude_reg m) {
    return _mm512_cmpge_epi32_mask(m, _mm512_set1_epi32(float_bits<float>::infinity)) != 0;
  }
};

template <>
struct lanes<arch::avx512, double> : xsimd_lanes<double, xsimd::avx512bw> {
  using mask = __mmask8;
  using magnitude_reg = __m512i;
  static constexpr int width = 8;
  using base = xsimd_lanes<double, xsimd::avx512bw>;
  using base::load;
  using base::store;

  static SPARSEKIT_INLINE mask first(index_t n) {
    return n >= 8 ? mask(0xff) : n <= 0 ? mask(0) : mask((1u << n) - 1u);
  }
  static SPARSEKIT_INLINE reg load(mask m, const double* p) { return _mm512_maskz_loadu_pd(m, p); }
  static SPARSEKIT_INLINE void store(mask m, double* p, reg v) { _mm512_mask_storeu_pd(p, m, v); }

  template <class Index>
  static SPARSEKIT_INLINE reg gather(const double* p, const Index* index) {
    if constexpr (SPARSEKIT_HAS_AVX512_FP16 && std::is_same_v<Index, std::int32_t>) {
      return gather(__mmask8(0xff), p, index);
    }
    if constexpr (SPARSEKIT_HAS_AVX512_FP16 && std::is_same_v<Index, std::uint16_t>) {
      const __m128i at = _mm_loadu_si128(reinterpret_cast<const __m128i*>(index));
      return _mm512_mask_i32gather_pd(_mm512_setzero_pd(), __mmask8(0xff),
                                      _mm256_cvtepu16_epi32(at), p, 8);
    }
    return _mm512_insertf64x4(_mm512_castpd256_pd512(gather4(p, index)), gather4(p, index + 4), 1);
  }
  template <class Index>
  static SPARSEKIT_INLINE reg gather(mask m, const double* p, const Index* index) {
    if constexpr (std::is_same_v<Index, std::int32_t>) {
      const __m256i at = _mm256_maskz_loadu_epi32(m, index);
      return _mm512_mask_i32gather_pd(_mm512_setzero_pd(), m, at, p, 8);
    } else {
      alignas(64) double t[8] = {};
      for (unsigned i = 0; m >> i != 0; ++i) {
        if (m >> i & 1) t[i] = p[static_cast<index_t>(index[i])];
      }
      return _mm512_load_pd(t);
    }
  }
  // One vgather keeps more misses in flight than loads and inserts, which fill the scheduler.
  template <class Index>
  static SPARSEKIT_INLINE reg gather_far(const double* p, const Index* index) {
    if constexpr (std::is_same_v<Index, std::int32_t>) {
      return gather(__mmask8(0xff), p, index);
    } else {
      return gather(p, index);
    }
  }

  static SPARSEKIT_INLINE reg keep(unsigned bits, reg v) {
    return _mm512_maskz_mov_pd(static_cast<__mmask8>(bits), v);
  }

  static SPARSEKIT_INLINE void transpose(reg* r) {
    __m512d a[8];
    const auto pairs = [&](int i) SPARSEKIT_LAMBDA_INLINE {
      a[2 * i] = _mm512_unpacklo_pd(r[2 * i], r[2 * i + 1]);
      a[2 * i + 1] = _mm512_unpackhi_pd(r[2 * i], r[2 * i + 1]);
    };
    pairs(0), pairs(1), pairs(2), pairs(3);
    // a[2i + j] holds, in 128-bit part h, column 2h + j of rows 2i and 2i + 1.
    const auto parts = [&](int j) SPARSEKIT_LAMBDA_INLINE {
      const __m512d low01 = _mm512_shuffle_f64x2(a[j], a[2 + j], 0x44);
      const __m512d high01 = _mm512_shuffle_f64x2(a[j], a[2 + j], 0xee);
      const __m512d low23 = _mm512_shuffle_f64x2(a[4 + j], a[6 + j], 0x44);
      const __m512d high23 = _mm512_shuffle_f64x2(a[4 + j], a[6 + j], 0xee);
      r[j] = _mm512_shuffle_f64x2(low01, low23, 0x88);
      r[2 + j] = _mm512_shuffle_f64x2(low01, low23, 0xdd);
      r[4 + j] = _mm512_shuffle_f64x2(high01, high23, 0x88);
      r[6 + j] = _mm512_shuffle_f64x2(high01, high23, 0xdd);
    };
    parts(0), parts(1);
  }

  using four = __m512d;
  static SPARSEKIT_INLINE four load_four(const double* p) {
    return _mm512_broadcast_f64x4(_mm256_loadu_pd(p));
  }
  template <int I>
  static SPARSEKIT_INLINE reg pick(four q) {
    return _mm512_permutex_pd(q, I * 0x55);
  }

  static SPARSEKIT_INLINE magnitude_reg no_magnitude() { return _mm512_setzero_si512(); }
  static SPARSEKIT_INLINE magnitude_reg max_magnitude(magnitude_reg m, reg v) {
    const __m512i bits =
        _mm512_and_si512(_mm512_castpd_si512(v), _mm512_set1_epi64(float_bits<double>::magnitude));
    return _mm512_maskz_max_epi64(__mmask8(0xff), m, bits);
  }
  static SPARSEKIT_INLINE bool any_not_finite(magnitude_reg m) {
    return _mm512_cmpge_epi64_mask(m, _mm512_set1_epi64(float_bits<double>::infinity)) != 0;
  }
};

}  // namespace simd
SPARSEKIT_EXEC_END

#endif
