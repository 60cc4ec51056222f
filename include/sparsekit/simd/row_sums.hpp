// Four running sums of one sparse row, and what they come to for four rows at once. Most rows of
// ordinary sparse matrices have fewer entries than a wide register has lanes; four serve them on
// every ISA.
//
//   reg, zero                     the four sums
//   add(s, v, x, c)               sum i += v[i] * x[c[i]], fused, for four entries; f32 sums take numbers of bf16 and
//                                 f16, those of s32 of bytes
//   add_first(s, n, v, x, c)      the same for the first n <= 4 entries; all four are read, and
//   elements of x there add_one, add_two, add_three   the same for so many entries, reading no more
//   total(s), totals(rows, to)    (s0 + s1) + (s2 + s3) of one row; of each of four
//   store(s, to)                  the sums themselves
//   pairs(a, b, to)               a0 + a1, a2 + a3, b0 + b1, b2 + b3
#pragma once

#include "avx2.hpp"
#include "generic.hpp"
#include "mixed.hpp"
#include "neon.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <class Arch, class T>
struct row_sums {
  struct reg {
    T at[4];
  };
  using one = lanes<arch::scalar, T>;

  static SPARSEKIT_INLINE reg zero() { return {}; }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add(reg s, const V* v, const X* x, const Index* c) {
    return add_first(s, 4, v, x, c);
  }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add_first(reg s, index_t n, const V* v, const X* x, const Index* c) {
    // Numbered by constants, or the sums would live in memory.
    unroll<4>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
      if (i < n) {
        s.at[i] = add_product<one>(number_as<T>(v[i]), number_as<T>(x[static_cast<index_t>(c[i])]),
                                   s.at[i]);
      }
    });
    return s;
  }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add_one(reg s, const V* v, const X* x, const Index* c) {
    return add_first(s, 1, v, x, c);
  }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add_two(reg s, const V* v, const X* x, const Index* c) {
    return add_first(s, 2, v, x, c);
  }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add_three(reg s, const V* v, const X* x, const Index* c) {
    return add_first(s, 3, v, x, c);
  }
  static SPARSEKIT_INLINE reg add(reg a, reg b) {
    for (int i = 0; i < 4; ++i) a.at[i] = a.at[i] + b.at[i];
    return a;
  }
  static SPARSEKIT_INLINE T total(reg s) { return (s.at[0] + s.at[1]) + (s.at[2] + s.at[3]); }
  static SPARSEKIT_INLINE void totals(const reg (&rows)[4], T* to) {
    for (int r = 0; r < 4; ++r) to[r] = total(rows[r]);
  }
  static SPARSEKIT_INLINE void store(reg s, T* to) {
    for (int i = 0; i < 4; ++i) to[i] = s.at[i];
  }
  static SPARSEKIT_INLINE void pairs(reg a, reg b, T* to) {
    for (int i = 0; i < 2; ++i) to[i] = a.at[2 * i] + a.at[2 * i + 1];
    for (int i = 0; i < 2; ++i) to[2 + i] = b.at[2 * i] + b.at[2 * i + 1];
  }
};

#if SPARSEKIT_HAS_AVX2

/// Lanes of s where a row has ended stay as they are: what stands there belongs to the next row.
struct x86_row_sums_f64 {
  using reg = __m256d;

  static SPARSEKIT_INLINE reg zero() { return _mm256_setzero_pd(); }
  template <class Index>
  static SPARSEKIT_INLINE reg add(reg s, const double* v, const double* x, const Index* c) {
    return _mm256_fmadd_pd(_mm256_loadu_pd(v), gather4(x, c), s);
  }
  template <class Index>
  static SPARSEKIT_INLINE reg add_first(reg s, index_t n, const double* v, const double* x,
                                        const Index* c) {
    const __m256i on = _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
    return _mm256_blendv_pd(s, add(s, v, x, c), _mm256_castsi256_pd(on));
  }
  template <class Index>
  static SPARSEKIT_INLINE reg add_one(reg s, const double* v, const double* x, const Index* c) {
    const __m128d sum = _mm_fmadd_sd(_mm_load_sd(v), _mm_load_sd(x + static_cast<index_t>(*c)),
                                     _mm256_castpd256_pd128(s));
    return _mm256_blend_pd(s, _mm256_castpd128_pd256(sum), 1);
  }
  template <class Index>
  static SPARSEKIT_INLINE reg add_two(reg s, const double* v, const double* x, const Index* c) {
    const __m128d xs =
        _mm_loadh_pd(_mm_load_sd(x + static_cast<index_t>(c[0])), x + static_cast<index_t>(c[1]));
    const __m128d sums = _mm_fmadd_pd(_mm_loadu_pd(v), xs, _mm256_castpd256_pd128(s));
    return _mm256_blend_pd(s, _mm256_castpd128_pd256(sums), 3);
  }
  template <class Index>
  static SPARSEKIT_INLINE reg add_three(reg s, const double* v, const double* x, const Index* c) {
    const __m128d high = _mm256_extractf128_pd(s, 1);
    const __m128d third =
        _mm_fmadd_sd(_mm_load_sd(v + 2), _mm_load_sd(x + static_cast<index_t>(c[2])), high);
    return _mm256_insertf128_pd(add_two(s, v, x, c), _mm_move_sd(high, third), 1);
  }
  static SPARSEKIT_INLINE reg add(reg a, reg b) { return _mm256_add_pd(a, b); }
  static SPARSEKIT_INLINE double total(reg s) {
    const __m128d pairs = _mm_hadd_pd(_mm256_castpd256_pd128(s), _mm256_extractf128_pd(s, 1));
    return _mm_cvtsd_f64(_mm_add_sd(pairs, _mm_unpackhi_pd(pairs, pairs)));
  }
  static SPARSEKIT_INLINE void totals(const reg (&rows)[4], double* to) {
    const __m256d a = _mm256_hadd_pd(rows[0], rows[1]);  // low half: sums of lanes 0 and 1
    const __m256d b = _mm256_hadd_pd(rows[2], rows[3]);
    _mm256_storeu_pd(
        to, _mm256_add_pd(_mm256_permute2f128_pd(a, b, 0x20), _mm256_permute2f128_pd(a, b, 0x31)));
  }
  static SPARSEKIT_INLINE void store(reg s, double* to) { _mm256_storeu_pd(to, s); }
  static SPARSEKIT_INLINE void pairs(reg a, reg b, double* to) {
    // The halves hold a01 b01 and a23 b23.
    _mm256_storeu_pd(to, _mm256_permute4x64_pd(_mm256_hadd_pd(a, b), 0xd8));
  }
};
struct x86_row_sums_f32 {
  using reg = __m128;

  static SPARSEKIT_INLINE reg zero() { return _mm_setzero_ps(); }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add(reg s, const V* v, const X* x, const Index* c) {
    return _mm_fmadd_ps(four(v), four(x, c), s);
  }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add_first(reg s, index_t n, const V* v, const X* x, const Index* c) {
    const __m128i on =
        _mm_cmpgt_epi32(_mm_set1_epi32(static_cast<int>(n)), _mm_setr_epi32(0, 1, 2, 3));
    return _mm_blendv_ps(s, add(s, v, x, c), _mm_castsi128_ps(on));
  }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add_one(reg s, const V* v, const X* x, const Index* c) {
    const __m128 sum = _mm_fmadd_ss(one(v), one(x + static_cast<index_t>(*c)), s);
    return _mm_move_ss(s, sum);
  }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add_two(reg s, const V* v, const X* x, const Index* c) {
    const __m128 xs =
        _mm_unpacklo_ps(one(x + static_cast<index_t>(c[0])), one(x + static_cast<index_t>(c[1])));
    const __m128 vs = two(v);
    return _mm_blend_ps(s, _mm_fmadd_ps(vs, xs, s), 3);
  }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add_three(reg s, const V* v, const X* x, const Index* c) {
    const __m128 third =
        _mm_fmadd_ss(one(v + 2), one(x + static_cast<index_t>(c[2])), _mm_movehl_ps(s, s));
    return _mm_insert_ps(add_two(s, v, x, c), third, 0x20);
  }
  static SPARSEKIT_INLINE reg add(reg a, reg b) { return _mm_add_ps(a, b); }
  static SPARSEKIT_INLINE float total(reg s) {
    const __m128 pairs = _mm_hadd_ps(s, s);
    return _mm_cvtss_f32(_mm_hadd_ps(pairs, pairs));
  }
  static SPARSEKIT_INLINE void totals(const reg (&rows)[4], float* to) {
    const __m128 a = _mm_hadd_ps(rows[0], rows[1]);  // pairs of row 0, then those of row 1
    const __m128 b = _mm_hadd_ps(rows[2], rows[3]);
    _mm_storeu_ps(to, _mm_hadd_ps(a, b));
  }
  static SPARSEKIT_INLINE void store(reg s, float* to) { _mm_storeu_ps(to, s); }
  static SPARSEKIT_INLINE void pairs(reg a, reg b, float* to) {
    _mm_storeu_ps(to, _mm_hadd_ps(a, b));
  }

 private:
  // Numbers in memory: as they are, or widened.
  static SPARSEKIT_INLINE __m128 one(const float* p) { return _mm_load_ss(p); }
  template <class V>
  static SPARSEKIT_INLINE __m128 one(const V* p) {
    return _mm_set_ss(number_as<float>(*p));
  }
  static SPARSEKIT_INLINE __m128 two(const float* p) {
    return _mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  template <class V>
  static SPARSEKIT_INLINE __m128 two(const V* p) {
    return _mm_unpacklo_ps(one(p), one(p + 1));
  }
  static SPARSEKIT_INLINE __m128 four(const float* p) { return _mm_loadu_ps(p); }
  static SPARSEKIT_INLINE __m128 four(const bfloat16* p) {
    const __m128i bits = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return _mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(bits), 16));
  }
  static SPARSEKIT_INLINE __m128 four(const float16* p) {
#if SPARSEKIT_HAS_F16C
    return _mm_cvtph_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
#else
    return _mm_setr_ps(number_as<float>(p[0]), number_as<float>(p[1]), number_as<float>(p[2]),
                       number_as<float>(p[3]));
#endif
  }
  template <class Index>
  static SPARSEKIT_INLINE __m128 four(const float* p, const Index* c) {
    return gather4(p, c);
  }
  template <class X, class Index>
  static SPARSEKIT_INLINE __m128 four(const X* p, const Index* c) {
    index_t at[4];
    load4(c, at);
    return _mm_setr_ps(number_as<float>(p[at[0]]), number_as<float>(p[at[1]]),
                       number_as<float>(p[at[2]]), number_as<float>(p[at[3]]));
  }
};
template <>
struct row_sums<arch::avx2, double> : x86_row_sums_f64 {};
template <>
struct row_sums<arch::avx2, float> : x86_row_sums_f32 {};

#endif
#if SPARSEKIT_HAS_NEON

template <>
struct row_sums<arch::neon, float> {
  using reg = float32x4_t;

  static SPARSEKIT_INLINE reg zero() { return vdupq_n_f32(0); }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add(reg s, const V* v, const X* x, const Index* c) {
    return vfmaq_f32(s, mixed<arch::neon>::load_f32(v), elements<4>(x, c));
  }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add_first(reg s, index_t n, const V* v, const X* x, const Index* c) {
    const std::uint32_t places[4] = {0, 1, 2, 3};
    const uint32x4_t on = vcltq_u32(vld1q_u32(places), vdupq_n_u32(static_cast<std::uint32_t>(n)));
    return vbslq_f32(on, add(s, v, x, c), s);
  }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add_one(reg s, const V* v, const X* x, const Index* c) {
    return vfmaq_f32(s, elements<1>(v), elements<1>(x, c));
  }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add_two(reg s, const V* v, const X* x, const Index* c) {
    return vfmaq_f32(s, elements<2>(v), elements<2>(x, c));
  }
  template <class V, class X, class Index>
  static SPARSEKIT_INLINE reg add_three(reg s, const V* v, const X* x, const Index* c) {
    return vfmaq_f32(s, elements<3>(v), elements<3>(x, c));
  }
  static SPARSEKIT_INLINE reg add(reg a, reg b) { return vaddq_f32(a, b); }
  static SPARSEKIT_INLINE float total(reg s) { return vaddvq_f32(s); }
  static SPARSEKIT_INLINE void totals(const reg (&rows)[4], float* to) {
    vst1q_f32(to, vpaddq_f32(vpaddq_f32(rows[0], rows[1]), vpaddq_f32(rows[2], rows[3])));
  }
  static SPARSEKIT_INLINE void store(reg s, float* to) { vst1q_f32(to, s); }
  static SPARSEKIT_INLINE void pairs(reg a, reg b, float* to) { vst1q_f32(to, vpaddq_f32(a, b)); }

 private:
  /// The first N elements of p, or those of p that c names; then zeros.
  template <int N, class X>
  static SPARSEKIT_INLINE reg elements(const X* p) {
    static constexpr std::int32_t places[4] = {0, 1, 2, 3};
    return elements<N>(p, places);
  }
  template <int N, class X, class Index>
  static SPARSEKIT_INLINE reg elements(const X* p, const Index* c) {
    float t[4] = {};  // widened
    for (int i = 0; i < N; ++i) t[i] = number_as<float>(p[static_cast<index_t>(c[i])]);
    return vld1q_f32(t);
  }
  template <int N, class Index>
  static SPARSEKIT_INLINE reg elements(const float* p, const Index* c) {
    reg r = vdupq_n_f32(0);
    r = vld1q_lane_f32(p + static_cast<index_t>(c[0]), r, 0);
    if constexpr (N > 1) r = vld1q_lane_f32(p + static_cast<index_t>(c[1]), r, 1);
    if constexpr (N > 2) r = vld1q_lane_f32(p + static_cast<index_t>(c[2]), r, 2);
    if constexpr (N > 3) r = vld1q_lane_f32(p + static_cast<index_t>(c[3]), r, 3);
    return r;
  }
};
template <>
struct row_sums<arch::neon, double> {
  struct reg {
    float64x2_t low;
    float64x2_t high;
  };

  static SPARSEKIT_INLINE reg zero() { return {vdupq_n_f64(0), vdupq_n_f64(0)}; }
  template <class Index>
  static SPARSEKIT_INLINE reg add(reg s, const double* v, const double* x, const Index* c) {
    return {vfmaq_f64(s.low, vld1q_f64(v), pair(x, c)),
            vfmaq_f64(s.high, vld1q_f64(v + 2), pair(x, c + 2))};
  }
  template <class Index>
  static SPARSEKIT_INLINE reg add_first(reg s, index_t n, const double* v, const double* x,
                                        const Index* c) {
    const std::uint64_t places[4] = {0, 1, 2, 3};
    const uint64x2_t count = vdupq_n_u64(static_cast<std::uint64_t>(n));
    const reg all = add(s, v, x, c);
    return {vbslq_f64(vcltq_u64(vld1q_u64(places), count), all.low, s.low),
            vbslq_f64(vcltq_u64(vld1q_u64(places + 2), count), all.high, s.high)};
  }
  template <class Index>
  static SPARSEKIT_INLINE reg add_one(reg s, const double* v, const double* x, const Index* c) {
    return {one(s.low, v, x, c), s.high};
  }
  template <class Index>
  static SPARSEKIT_INLINE reg add_two(reg s, const double* v, const double* x, const Index* c) {
    return {vfmaq_f64(s.low, vld1q_f64(v), pair(x, c)), s.high};
  }
  template <class Index>
  static SPARSEKIT_INLINE reg add_three(reg s, const double* v, const double* x, const Index* c) {
    return {vfmaq_f64(s.low, vld1q_f64(v), pair(x, c)), one(s.high, v + 2, x, c + 2)};
  }
  static SPARSEKIT_INLINE reg add(reg a, reg b) {
    return {vaddq_f64(a.low, b.low), vaddq_f64(a.high, b.high)};
  }
  static SPARSEKIT_INLINE double total(reg s) { return vaddvq_f64(vpaddq_f64(s.low, s.high)); }
  static SPARSEKIT_INLINE void totals(const reg (&rows)[4], double* to) {
    for (int r = 0; r < 4; ++r) to[r] = total(rows[r]);
  }
  static SPARSEKIT_INLINE void store(reg s, double* to) {
    vst1q_f64(to, s.low);
    vst1q_f64(to + 2, s.high);
  }
  static SPARSEKIT_INLINE void pairs(reg a, reg b, double* to) {
    vst1q_f64(to, vpaddq_f64(a.low, a.high));
    vst1q_f64(to + 2, vpaddq_f64(b.low, b.high));
  }

 private:
  template <class Index>
  static SPARSEKIT_INLINE float64x2_t pair(const double* x, const Index* c) {
    return vcombine_f64(vld1_f64(x + static_cast<index_t>(c[0])),
                        vld1_f64(x + static_cast<index_t>(c[1])));
  }
  /// Lane 0 alone.
  template <class Index>
  static SPARSEKIT_INLINE float64x2_t one(float64x2_t s, const double* v, const double* x,
                                          const Index* c) {
    return vcombine_f64(
        vfma_f64(vget_low_f64(s), vld1_f64(v), vld1_f64(x + static_cast<index_t>(*c))),
        vget_high_f64(s));
  }
};

#endif
#if SPARSEKIT_HAS_AVX512

template <>
struct row_sums<arch::avx512, double> : x86_row_sums_f64 {};
template <>
struct row_sums<arch::avx512, float> : x86_row_sums_f32 {};

#endif

}  // namespace simd
SPARSEKIT_EXEC_END
