// mixed<arch::neon>, with or without dot products (sdot, udot), i8mm (usdot) and bf16, and 128-bit
// registers of s32 sums.
#pragma once

#include "../core/bfloat16.hpp"
#include "../core/float16.hpp"
#include "neon.hpp"

#if SPARSEKIT_HAS_NEON

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <>
struct lanes<arch::neon, std::int32_t> : neon_lanes<std::int32_t> {
  static SPARSEKIT_INLINE reg add(reg a, reg b) { return vaddq_s32(a, b); }
  static SPARSEKIT_INLINE reg sub(reg a, reg b) { return vsubq_s32(a, b); }
  static SPARSEKIT_INLINE reg mul(reg a, reg b) { return vmulq_s32(a, b); }
  static SPARSEKIT_INLINE std::int32_t reduce_add(reg v) { return vaddvq_s32(v); }
  static SPARSEKIT_INLINE reg select_less(reg left, reg right, reg a, reg b) {
    return vbslq_s32(vcltq_s32(left, right), a, b);
  }
  static SPARSEKIT_INLINE void transpose(reg* r) {
    const int32x4x2_t a = vtrnq_s32(int32x4_t(r[0]), int32x4_t(r[1]));
    const int32x4x2_t b = vtrnq_s32(int32x4_t(r[2]), int32x4_t(r[3]));
    r[0] = vcombine_s32(vget_low_s32(a.val[0]), vget_low_s32(b.val[0]));
    r[1] = vcombine_s32(vget_low_s32(a.val[1]), vget_low_s32(b.val[1]));
    r[2] = vcombine_s32(vget_high_s32(a.val[0]), vget_high_s32(b.val[0]));
    r[3] = vcombine_s32(vget_high_s32(a.val[1]), vget_high_s32(b.val[1]));
  }
};

template <>
struct mixed<arch::neon> {
  using f32 = float32x4_t;
  using s32 = int32x4_t;
  using words = uint32x4_t;
  using mask = neon_mask;
  static constexpr int width = 4;

  static SPARSEKIT_INLINE f32 load_f32(const float* p) { return vld1q_f32(p); }
  static SPARSEKIT_INLINE f32 load_f32(const bfloat16* p) {
    return vreinterpretq_f32_u32(vshll_n_u16(load_16(p), 16));
  }
  static SPARSEKIT_INLINE f32 load_f32(const float16* p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(load_16(p)));
  }
  template <class U>
  static SPARSEKIT_INLINE f32 broadcast_f32(const U* p) {
    U four[4];
    for (U& u : four) u = *p;  // a load that broadcasts
    return load_f32(four);
  }
  template <class U>
  static SPARSEKIT_INLINE f32 load_four(const U* p) {
    return load_f32(p);
  }
  template <int I>
  static SPARSEKIT_INLINE f32 pick(f32 four) {
    return vdupq_laneq_f32(four, I);
  }
  static SPARSEKIT_INLINE s32 load_s32(const std::int32_t* p) { return vld1q_s32(p); }
  static SPARSEKIT_INLINE s32 load_s32(const std::uint8_t* p) {
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(load_8(p)))));
  }
  static SPARSEKIT_INLINE s32 load_s32(const std::int8_t* p) {
    return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(load_8(p)))));
  }
  template <class U>
  static SPARSEKIT_INLINE f32 load_f32(mask m, const U* p) {
    alignas(16) U t[width] = {};
    std::memcpy(static_cast<void*>(t), p, sizeof(U) * static_cast<std::size_t>(m.count));
    return load_f32(t);
  }
  template <class U>
  static SPARSEKIT_INLINE s32 load_s32(mask m, const U* p) {
    alignas(16) U t[width] = {};
    std::memcpy(t, p, sizeof(U) * static_cast<std::size_t>(m.count));
    return load_s32(t);
  }

  static SPARSEKIT_INLINE void store(float* p, f32 v) { vst1q_f32(p, v); }
  static SPARSEKIT_INLINE void store(bfloat16* p, f32 v) {
    store_16(p, vmovn_u32(narrowed_bf16(v)));
  }
  static SPARSEKIT_INLINE void store(float16* p, f32 v) {
    store_16(p, vreinterpret_u16_f16(vcvt_f16_f32(v)));
  }
  static SPARSEKIT_INLINE void store(std::int32_t* p, s32 v) { vst1q_s32(p, v); }
  template <class U>
  requires(sizeof(U) == 1) static SPARSEKIT_INLINE void store(U* p, s32 v) {
    const uint16x4_t half = vmovn_u32(vreinterpretq_u32_s32(v));
    const uint8x8_t b = vmovn_u16(vcombine_u16(half, half));
    const std::uint32_t w = vget_lane_u32(vreinterpret_u32_u8(b), 0);
    std::memcpy(p, &w, sizeof w);
  }
  template <class U, class V>
  static SPARSEKIT_INLINE void store(mask m, U* p, V v) {
    alignas(16) U t[width];
    store(t, v);
    std::memcpy(static_cast<void*>(p), t, sizeof(U) * static_cast<std::size_t>(m.count));
  }

  static SPARSEKIT_INLINE f32 to_f32(s32 v) { return vcvtq_f32_s32(v); }
  static SPARSEKIT_INLINE s32 to_s32(f32 v) { return vcvtnq_s32_f32(v); }

  static SPARSEKIT_INLINE s32 bits(f32 v) { return vreinterpretq_s32_f32(v); }
  static SPARSEKIT_INLINE s32 as_s32(words w) { return vreinterpretq_s32_u32(w); }
  static SPARSEKIT_INLINE words as_words(f32 v) { return vreinterpretq_u32_f32(v); }
  template <std::uint32_t Mask>
  static SPARSEKIT_INLINE words merged(words a, words b) {
    return vbslq_u32(vdupq_n_u32(Mask), b, a);
  }
  static SPARSEKIT_INLINE words load_words(const void* p) {
    return vreinterpretq_u32_u8(vld1q_u8(static_cast<const std::uint8_t*>(p)));
  }
  static SPARSEKIT_INLINE words load_words(mask m, const void* p) {
    alignas(16) std::uint32_t t[width] = {};
    std::memcpy(t, p, sizeof(std::uint32_t) * static_cast<std::size_t>(m.count));
    return vld1q_u32(t);
  }
  static SPARSEKIT_INLINE words broadcast_word(const void* p) {
    std::uint32_t w;
    std::memcpy(&w, p, sizeof w);
    return vdupq_n_u32(w);
  }
  static SPARSEKIT_INLINE f32 even(words w) { return vreinterpretq_f32_u32(vshlq_n_u32(w, 16)); }
  static SPARSEKIT_INLINE f32 odd(words w) {
    return vreinterpretq_f32_u32(vandq_u32(w, vdupq_n_u32(0xffff0000u)));
  }
  // Not bfdot, which would halve the instructions: it rounds to odd and flushes subnormals, so that
  // its sums would differ from those of every other ISA.
  static SPARSEKIT_INLINE f32 dot2(f32 sum, words a, words b) {
#if SPARSEKIT_HAS_NEON_BF16
    const bfloat16x8_t p = vreinterpretq_bf16_u32(a);
    const bfloat16x8_t q = vreinterpretq_bf16_u32(b);
    return vbfmlalbq_f32(vbfmlaltq_f32(sum, p, q), p, q);
#else
    return vfmaq_f32(vfmaq_f32(sum, odd(a), odd(b)), even(a), even(b));
#endif
  }

  template <class U>
  static SPARSEKIT_INLINE words even_bytes(words w) {
    if constexpr (std::is_signed_v<U>) {
      return vreinterpretq_u32_s16(vshrq_n_s16(vshlq_n_s16(vreinterpretq_s16_u32(w), 8), 8));
    } else {
      return vandq_u32(w, vdupq_n_u32(0x00ff00ffu));
    }
  }
  template <class U>
  static SPARSEKIT_INLINE words odd_bytes(words w) {
    if constexpr (std::is_signed_v<U>) {
      return vreinterpretq_u32_s16(vshrq_n_s16(vreinterpretq_s16_u32(w), 8));
    } else {
      return vreinterpretq_u32_u16(vshrq_n_u16(vreinterpretq_u16_u32(w), 8));
    }
  }
  static SPARSEKIT_INLINE s32 dot2(s32 sum, words a, words b) {
    const int16x8_t p = vreinterpretq_s16_u32(a);
    const int16x8_t q = vreinterpretq_s16_u32(b);
    const int32x4_t low = vmull_s16(vget_low_s16(p), vget_low_s16(q));
    return vaddq_s32(sum, vpaddq_s32(low, vmull_high_s16(p, q)));
  }
  static SPARSEKIT_INLINE s32 dot4(s32 sum, words a, words b) {
#if SPARSEKIT_HAS_NEON_I8MM
    return vusdotq_s32(sum, vreinterpretq_u8_u32(a), vreinterpretq_s8_u32(b));
#else
    sum = dot2(sum, even_bytes<std::uint8_t>(a), even_bytes<std::int8_t>(b));
    return dot2(sum, odd_bytes<std::uint8_t>(a), odd_bytes<std::int8_t>(b));
#endif
  }
  static SPARSEKIT_INLINE s32 dot4_signed(s32 sum, words a, words b) {
    const int8x16_t p = vreinterpretq_s8_u32(a);
    const int8x16_t q = vreinterpretq_s8_u32(b);
#if SPARSEKIT_HAS_NEON_DOTPROD
    return vdotq_s32(sum, p, q);
#else
    // -128 * -128 fits 16 bits, the sum of two of them does not: widened before it is added.
    const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(p), vget_low_s8(q)));
    return vaddq_s32(sum, vpaddq_s32(low, vpaddlq_s16(vmull_high_s8(p, q))));
#endif
  }
  static constexpr bool has_dot4 = true;
  // Without usdot, u8 less 128 is s8.
  template <class U>
  static constexpr bool flips = !std::is_signed_v<U> && SPARSEKIT_HAS_NEON_I8MM == 0;
  template <class U>
  static SPARSEKIT_INLINE s32 dot4_kept(s32 sum, words x, words w) {
    return std::is_signed_v<U> || flips<U> ? dot4_signed(sum, x, w) : dot4(sum, x, w);
  }

 private:
  static SPARSEKIT_INLINE uint16x4_t load_16(const void* p) {
    std::uint64_t w;
    std::memcpy(&w, p, sizeof w);
    return vcreate_u16(w);
  }
  static SPARSEKIT_INLINE uint8x8_t load_8(const void* p) {
    std::uint32_t w;
    std::memcpy(&w, p, sizeof w);
    return vcreate_u8(w);
  }
  static SPARSEKIT_INLINE void store_16(void* p, uint16x4_t v) {
    const std::uint64_t w = vget_lane_u64(vreinterpret_u64_u16(v), 0);
    std::memcpy(p, &w, sizeof w);
  }
  // Not bfcvtn, which would depend on the caller's rounding mode and flushing.
  static SPARSEKIT_INLINE uint32x4_t narrowed_bf16(f32 v) {
    const uint32x4_t u = vreinterpretq_u32_f32(v);
    const uint32x4_t high = vshrq_n_u32(u, 16);
    const uint32x4_t last = vandq_u32(high, vdupq_n_u32(1));
    const uint32x4_t up = vaddq_u32(u, vaddq_u32(last, vdupq_n_u32(0x7fff)));
    const uint32x4_t magnitude = vandq_u32(u, vdupq_n_u32(0x7fffffffu));
    const uint32x4_t nan = vcgtq_u32(magnitude, vdupq_n_u32(0x7f800000u));
    return vbslq_u32(nan, vorrq_u32(high, vdupq_n_u32(0x40)), vshrq_n_u32(up, 16));
  }
};

}  // namespace simd
SPARSEKIT_EXEC_END

#endif
