// lanes<arch::avx2, T>: 256-bit registers with FMA, tails by vmaskmov.
#pragma once

#include "x86.hpp"

#if SPARSEKIT_HAS_AVX2

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <>
struct lanes<arch::avx2, float> : xsimd_lanes<float, xsimd::fma3<xsimd::avx2>> {
  using mask = __m256i;
  using magnitude_reg = __m256i;
  static constexpr int width = 8;
  using base = xsimd_lanes<float, xsimd::fma3<xsimd::avx2>>;
  using base::load;
  using base::store;

  // lane i is on while i < n
  static SPARSEKIT_INLINE mask first(index_t n) {
    const int count = n >= 8 ? 8 : n <= 0 ? 0 : static_cast<int>(n);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static SPARSEKIT_INLINE reg load(mask m, const float* p) { return _mm256_maskload_ps(p, m); }
  static SPARSEKIT_INLINE void store(mask m, float* p, reg v) { _mm256_maskstore_ps(p, m, v); }

  template <class Index>
  static SPARSEKIT_INLINE reg gather(const float* p, const Index* index) {
    return _mm256_setr_m128(gather4(p, index), gather4(p, index + 4));
  }
  template <class Index>
  static SPARSEKIT_INLINE reg gather(mask m, const float* p, const Index* index) {
    if constexpr (std::is_same_v<Index, std::int32_t>) {
      const __m256i at = _mm256_maskload_epi32(index, m);
      return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), p, at, _mm256_castsi256_ps(m), 4);
    } else {
      alignas(32) float t[8] = {};
      const unsigned bits = static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(m)));
      for (unsigned i = 0; bits >> i != 0; ++i) {
        if (bits >> i & 1) t[i] = p[static_cast<index_t>(index[i])];
      }
      return _mm256_load_ps(t);
    }
  }
  // One vgather keeps more misses in flight than loads and inserts, which fill the scheduler.
  template <class Index>
  static SPARSEKIT_INLINE reg gather_far(const float* p, const Index* index) {
    if constexpr (std::is_same_v<Index, std::int32_t>) {
      const __m256i at = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index));
      return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), p, at,
                                      _mm256_castsi256_ps(_mm256_set1_epi32(-1)), 4);
    } else {
      return gather(p, index);
    }
  }

  static SPARSEKIT_INLINE reg keep(unsigned bits, reg v) {
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i set = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), bit);
    return _mm256_and_ps(v, _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, bit)));
  }

  static SPARSEKIT_INLINE void transpose(reg* r) {
    __m256 a[8];
    __m256 b[8];
    const auto pairs = [&](int i) SPARSEKIT_LAMBDA_INLINE {
      a[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
      a[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    };
    pairs(0), pairs(1), pairs(2), pairs(3);
    const auto quads = [&](int i) SPARSEKIT_LAMBDA_INLINE {
      b[4 * i] = _mm256_shuffle_ps(a[4 * i], a[4 * i + 2], 0x44);
      b[4 * i + 1] = _mm256_shuffle_ps(a[4 * i], a[4 * i + 2], 0xee);
      b[4 * i + 2] = _mm256_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0x44);
      b[4 * i + 3] = _mm256_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0xee);
    };
    quads(0), quads(1);
    // b[4i + j] holds column j (low half) and 4 + j (high half) of rows 4i .. 4i + 3.
    const auto parts = [&](int j) SPARSEKIT_LAMBDA_INLINE {
      r[j] = _mm256_permute2f128_ps(b[j], b[4 + j], 0x20);
      r[4 + j] = _mm256_permute2f128_ps(b[j], b[4 + j], 0x31);
    };
    parts(0), parts(1), parts(2), parts(3);
  }

  using four = __m256;
  static SPARSEKIT_INLINE four load_four(const float* p) {
    return _mm256_broadcast_ps(reinterpret_cast<const __m128*>(p));
  }
  template <int I>
  static SPARSEKIT_INLINE reg pick(four q) {
    return _mm256_permute_ps(q, I * 0x55);
  }

  static SPARSEKIT_INLINE magnitude_reg no_magnitude() { return _mm256_setzero_si256(); }
  static SPARSEKIT_INLINE magnitude_reg max_magnitude(magnitude_reg m, reg v) {
    const __m256i bits =
        _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(float_bits<float>::magnitude));
    return _mm256_max_epi32(m, bits);
  }
  static SPARSEKIT_INLINE bool any_not_finite(magnitude_reg m) {
    const __m256i below = _mm256_set1_epi32(float_bits<float>::infinity - 1);
    return _mm256_movemask_epi8(_mm256_cmpgt_epi32(m, below)) != 0;
  }
};

template <>
struct lanes<arch::avx2, double> : xsimd_lanes<double, xsimd::fma3<xsimd::avx2>> {
  using mask = __m256i;
  using magnitude_reg = __m256i;
  static constexpr int width = 4;
  using base = xsimd_lanes<double, xsimd::fma3<xsimd::avx2>>;
  using base::load;
  using base::store;

  static SPARSEKIT_INLINE mask first(index_t n) {
    const int count = n >= 4 ? 4 : n <= 0 ? 0 : static_cast<int>(n);
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
  }
  static SPARSEKIT_INLINE reg load(mask m, const double* p) { return _mm256_maskload_pd(p, m); }
  static SPARSEKIT_INLINE void store(mask m, double* p, reg v) { _mm256_maskstore_pd(p, m, v); }

  template <class Index>
  static SPARSEKIT_INLINE reg gather(const double* p, const Index* index) {
    return gather4(p, index);
  }
  template <class Index>
  static SPARSEKIT_INLINE reg gather(mask m, const double* p, const Index* index) {
    if constexpr (std::is_same_v<Index, std::int32_t>) {
      // The mask of the indices: every other 32-bit half of the mask of the lanes.
      const __m256i halves = _mm256_permutevar8x32_epi32(m, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
      const __m128i at = _mm_maskload_epi32(index, _mm256_castsi256_si128(halves));
      return _mm256_mask_i32gather_pd(_mm256_setzero_pd(), p, at, _mm256_castsi256_pd(m), 8);
    } else {
      alignas(32) double t[4] = {};
      const unsigned bits = static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(m)));
      for (unsigned i = 0; bits >> i != 0; ++i) {
        if (bits >> i & 1) t[i] = p[static_cast<index_t>(index[i])];
      }
      return _mm256_load_pd(t);
    }
  }
  // One vgather keeps more misses in flight than loads and inserts, which fill the scheduler.
  template <class Index>
  static SPARSEKIT_INLINE reg gather_far(const double* p, const Index* index) {
    if constexpr (std::is_same_v<Index, std::int32_t>) {
      const __m128i at = _mm_loadu_si128(reinterpret_cast<const __m128i*>(index));
      return _mm256_mask_i32gather_pd(_mm256_setzero_pd(), p, at,
                                      _mm256_castsi256_pd(_mm256_set1_epi64x(-1)), 8);
    } else {
      return gather(p, index);
    }
  }

  static SPARSEKIT_INLINE reg keep(unsigned bits, reg v) {
    const __m256i bit = _mm256_setr_epi64x(1, 2, 4, 8);
    const __m256i set = _mm256_and_si256(_mm256_set1_epi64x(static_cast<int>(bits)), bit);
    return _mm256_and_pd(v, _mm256_castsi256_pd(_mm256_cmpeq_epi64(set, bit)));
  }

  static SPARSEKIT_INLINE void transpose(reg* r) {
    const __m256d a0 = _mm256_unpacklo_pd(r[0], r[1]);
    const __m256d a1 = _mm256_unpackhi_pd(r[0], r[1]);
    const __m256d a2 = _mm256_unpacklo_pd(r[2], r[3]);
    const __m256d a3 = _mm256_unpackhi_pd(r[2], r[3]);
    r[0] = _mm256_permute2f128_pd(a0, a2, 0x20);
    r[1] = _mm256_permute2f128_pd(a1, a3, 0x20);
    r[2] = _mm256_permute2f128_pd(a0, a2, 0x31);
    r[3] = _mm256_permute2f128_pd(a1, a3, 0x31);
  }

  using four = __m256d;
  static SPARSEKIT_INLINE four load_four(const double* p) { return _mm256_loadu_pd(p); }
  template <int I>
  static SPARSEKIT_INLINE reg pick(four q) {
    return _mm256_permute4x64_pd(q, I * 0x55);
  }

  static SPARSEKIT_INLINE magnitude_reg no_magnitude() { return _mm256_setzero_si256(); }
  // AVX2 has no 64-bit maximum. Shifted down to their high words, magnitudes compare as 32 bits: the
  // exponent is all that matters.
  static SPARSEKIT_INLINE magnitude_reg max_magnitude(magnitude_reg m, reg v) {
    const __m256i bits =
        _mm256_and_si256(_mm256_castpd_si256(v), _mm256_set1_epi64x(float_bits<double>::magnitude));
    return _mm256_max_epi32(m, _mm256_srli_epi64(bits, 32));
  }
  static SPARSEKIT_INLINE bool any_not_finite(magnitude_reg m) {
    const __m256i below = _mm256_set1_epi32(0x7ff00000 - 1);
    return _mm256_movemask_epi8(_mm256_cmpgt_epi32(m, below)) != 0;
  }
};

}  // namespace simd
SPARSEKIT_EXEC_END

#endif
