// lanes<arch::neon, T>: 128-bit AArch64 registers. NEON has no masked memory access: a tail is moved
// element by element, so that no byte beyond it is touched.
#pragma once

#include "generic.hpp"

#if SPARSEKIT_HAS_NEON

#include <arm_neon.h>

#include <xsimd/xsimd.hpp>

SPARSEKIT_EXEC_BEGIN
namespace simd {

/// The number of lanes that are on, the first ones.
struct neon_mask {
  int count;
};

// Arithmetic by intrinsics: xsimd (13.2 at least) finds a NEON operation in a tuple of those of all
// element types, each of which takes g++ half a second in every source file.
template <class T>
struct neon_lanes {
  using reg = xsimd::batch<T, xsimd::neon64>;
  using mask = neon_mask;
  static constexpr int width = 16 / sizeof(T);

  static SPARSEKIT_INLINE reg zero() { return reg(T{0}); }
  static SPARSEKIT_INLINE reg broadcast(T x) { return reg(x); }
  static SPARSEKIT_INLINE reg load(const T* p) { return reg::load_unaligned(p); }
  static SPARSEKIT_INLINE void store(T* p, reg v) { v.store_unaligned(p); }
  static SPARSEKIT_INLINE reg load(all_lanes, const T* p) { return load(p); }
  static SPARSEKIT_INLINE void store(all_lanes, T* p, reg v) { store(p, v); }

  static SPARSEKIT_INLINE mask first(index_t n) {
    return {n >= width ? width : n <= 0 ? 0 : static_cast<int>(n)};
  }
  static SPARSEKIT_INLINE reg load(mask m, const T* p) {
    if (m.count == width) return load(p);
    alignas(16) T t[width] = {};
    for (int i = 0; i < m.count; ++i) t[i] = p[i];
    return load(t);
  }
  static SPARSEKIT_INLINE void store(mask m, T* p, reg v) {
    if (m.count == width) return store(p, v);
    alignas(16) T t[width];
    store(t, v);
    for (int i = 0; i < m.count; ++i) p[i] = t[i];
  }
  template <class Index>
  static SPARSEKIT_INLINE reg gather(const T* p, const Index* index) {
    return gather(mask{width}, p, index);
  }
  template <class Index>
  static SPARSEKIT_INLINE reg gather(mask m, const T* p, const Index* index) {
    alignas(16) T t[width] = {};
    for (int i = 0; i < m.count; ++i) t[i] = p[static_cast<index_t>(index[i])];
    return load(t);
  }
  template <class Index>
  static SPARSEKIT_INLINE reg gather_far(const T* p, const Index* index) {
    return gather(p, index);
  }
};

template <>
struct lanes<arch::neon, float> : neon_lanes<float> {
  using magnitude_reg = uint32x4_t;

  static SPARSEKIT_INLINE reg add(reg a, reg b) { return vaddq_f32(a, b); }
  static SPARSEKIT_INLINE reg sub(reg a, reg b) { return vsubq_f32(a, b); }
  static SPARSEKIT_INLINE reg mul(reg a, reg b) { return vmulq_f32(a, b); }
  static SPARSEKIT_INLINE float reduce_add(reg v) { return vaddvq_f32(v); }
  /// a where left is less than right, elsewhere (NaN, too) b.
  static SPARSEKIT_INLINE reg select_less(reg left, reg right, reg a, reg b) {
    return vbslq_f32(vcltq_f32(left, right), a, b);
  }
  static SPARSEKIT_INLINE reg fma(reg a, reg b, reg c) {
    return vfmaq_f32(float32x4_t(c), float32x4_t(a), float32x4_t(b));
  }
  static SPARSEKIT_INLINE reg keep(unsigned bits, reg v) {
    const uint32x4_t bit = {1, 2, 4, 8};
    const uint32x4_t set = vtstq_u32(vdupq_n_u32(bits), bit);
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(float32x4_t(v)), set));
  }
  static SPARSEKIT_INLINE void transpose(reg* r) {
    const float32x4x2_t a = vtrnq_f32(float32x4_t(r[0]), float32x4_t(r[1]));
    const float32x4x2_t b = vtrnq_f32(float32x4_t(r[2]), float32x4_t(r[3]));
    r[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    r[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    r[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    r[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
  }
  // vfmaq of a vdupq_laneq becomes one by-element fmla: the broadcast is free.
  using four = float32x4_t;
  static SPARSEKIT_INLINE four load_four(const float* p) { return vld1q_f32(p); }
  template <int I>
  static SPARSEKIT_INLINE reg pick(four q) {
    return vdupq_laneq_f32(q, I);
  }

  static SPARSEKIT_INLINE magnitude_reg no_magnitude() { return vdupq_n_u32(0); }
  static SPARSEKIT_INLINE magnitude_reg max_magnitude(magnitude_reg m, reg v) {
    return vmaxq_u32(m, vbicq_u32(vreinterpretq_u32_f32(float32x4_t(v)), vdupq_n_u32(1u << 31)));
  }
  static SPARSEKIT_INLINE bool any_not_finite(magnitude_reg m) {
    return vmaxvq_u32(m) >= static_cast<std::uint32_t>(float_bits<float>::infinity);
  }
};

template <>
struct lanes<arch::neon, double> : neon_lanes<double> {
  using magnitude_reg = uint32x4_t;

  static SPARSEKIT_INLINE reg add(reg a, reg b) { return vaddq_f64(a, b); }
  static SPARSEKIT_INLINE reg sub(reg a, reg b) { return vsubq_f64(a, b); }
  static SPARSEKIT_INLINE reg mul(reg a, reg b) { return vmulq_f64(a, b); }
  static SPARSEKIT_INLINE double reduce_add(reg v) { return vaddvq_f64(v); }
  /// a where left is less than right, elsewhere (NaN, too) b.
  static SPARSEKIT_INLINE reg select_less(reg left, reg right, reg a, reg b) {
    return vbslq_f64(vcltq_f64(left, right), a, b);
  }
  static SPARSEKIT_INLINE reg fma(reg a, reg b, reg c) {
    return vfmaq_f64(float64x2_t(c), float64x2_t(a), float64x2_t(b));
  }
  static SPARSEKIT_INLINE reg keep(unsigned bits, reg v) {
    const uint64x2_t bit = {1, 2};
    const uint64x2_t set = vtstq_u64(vdupq_n_u64(bits), bit);
    return vreinterpretq_f64_u64(vandq_u64(vreinterpretq_u64_f64(float64x2_t(v)), set));
  }
  static SPARSEKIT_INLINE void transpose(reg* r) {
    const float64x2_t a = float64x2_t(r[0]);
    const float64x2_t b = float64x2_t(r[1]);
    r[0] = vzip1q_f64(a, b);
    r[1] = vzip2q_f64(a, b);
  }
  using four = float64x2x2_t;
  static SPARSEKIT_INLINE four load_four(const double* p) {
    return {{vld1q_f64(p), vld1q_f64(p + 2)}};
  }
  template <int I>
  static SPARSEKIT_INLINE reg pick(four q) {
    return vdupq_laneq_f64(q.val[I / 2], I % 2);
  }

  static SPARSEKIT_INLINE magnitude_reg no_magnitude() { return vdupq_n_u32(0); }
  // Only the high words of the magnitudes, which hold the exponents: there is no 64-bit maximum.
  static SPARSEKIT_INLINE magnitude_reg max_magnitude(magnitude_reg m, reg v) {
    const uint64x2_t bits = vbicq_u64(vreinterpretq_u64_f64(float64x2_t(v)), vdupq_n_u64(1ull << 63));
    return vmaxq_u32(m, vreinterpretq_u32_u64(vshrq_n_u64(bits, 32)));
  }
  static SPARSEKIT_INLINE bool any_not_finite(magnitude_reg m) {
    return vmaxvq_u32(m) >= 0x7ff00000u;
  }
};

}  // namespace simd
SPARSEKIT_EXEC_END

#endif
