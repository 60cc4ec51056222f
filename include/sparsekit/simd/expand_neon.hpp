// expanded<arch::neon, ...>: tbl with indices that are looked up for each byte or half byte of the
// mask. An index out of range gives zero.
#pragma once

#include "expand_avx2.hpp"
#include "mixed_neon.hpp"

#if SPARSEKIT_HAS_NEON

SPARSEKIT_EXEC_BEGIN
namespace simd {

/// f32 and f64: as many columns as fit a register.
template <class T>
struct expanded_neon {
  using x_type = T;
  using weights = typename lanes<arch::neon, T>::reg;
  static constexpr int columns = 16 / sizeof(T);
  static constexpr bool flips = false;

  template <int First>
  static SPARSEKIT_INLINE weights at(const std::uint8_t* bits, const T*& p) {
    constexpr unsigned all = (1u << columns) - 1;
    const unsigned b = bits[First / 8] >> First % 8 & all;
    const uint8x16_t v = vld1q_u8(reinterpret_cast<const std::uint8_t*>(p));
    // In parentheses: clang's intrinsics are macros, which a comma would give two arguments.
    const uint8x16_t place = vld1q_u8((expansion_of<columns, sizeof(T)>.at[b]));
    p += bits_set.of[b];
    const uint8x16_t there = vqtbl1q_u8(v, place);
    if constexpr (sizeof(T) == 4) {
      return vreinterpretq_f32_u8(there);
    } else {
      return vreinterpretq_f64_u8(there);
    }
  }
  static SPARSEKIT_INLINE weights add(weights sum, weights w, const T* x) {
    using l = lanes<arch::neon, T>;
    return l::fma(w, l::load(x), sum);
  }
};
template <>
struct expanded<arch::neon, float, float> : expanded_neon<float> {};
template <>
struct expanded<arch::neon, double, double> : expanded_neon<double> {};

/// bf16 and f16: eight columns.
template <class T>
struct expanded_neon_halves {
  using x_type = float;
  using weights = float32x4x2_t;
  static constexpr int columns = 8;
  static constexpr bool flips = false;

  template <int First>
  static SPARSEKIT_INLINE weights at(const std::uint8_t* bits, const T*& p) {
    const unsigned b = bits[First / 8];
    const uint8x16_t v = vld1q_u8(reinterpret_cast<const std::uint8_t*>(p));
    p += bits_set.of[b];
    if constexpr (std::is_same_v<T, bfloat16>) {
      const std::uint8_t* place = expansion_of<8, 4, 2>.at[b];
      return {{vreinterpretq_f32_u8(vqtbl1q_u8(v, vld1q_u8(place))),
               vreinterpretq_f32_u8(vqtbl1q_u8(v, vld1q_u8(place + 16)))}};
    } else {
      const float16x8_t there =
          vreinterpretq_f16_u8(vqtbl1q_u8(v, vld1q_u8((expansion_of<8, 2>.at[b]))));
      return {{vcvt_f32_f16(vget_low_f16(there)), vcvt_f32_f16(vget_high_f16(there))}};
    }
  }
  template <class Reg>
  static SPARSEKIT_INLINE Reg add(Reg sum, const weights& w, const float* x) {
    return vfmaq_f32(vfmaq_f32(float32x4_t(sum), w.val[0], vld1q_f32(x)), w.val[1],
                     vld1q_f32(x + 4));
  }
};
template <class TX>
struct expanded<arch::neon, bfloat16, TX> : expanded_neon_halves<bfloat16> {};
template <class TX>
struct expanded<arch::neon, float16, TX> : expanded_neon_halves<float16> {};

template <class TX>
struct expanded<arch::neon, std::int8_t, TX> {
  using x_type = TX;
  using weights = uint32x4_t;
  using m32 = mixed<arch::neon>;
  static constexpr int columns = 16;
  static constexpr bool flips = m32::flips<TX>;

  template <int First>
  static SPARSEKIT_INLINE weights at(const std::uint8_t* bits, const std::int8_t*& p) {
    const unsigned low = bits[First / 8];
    const unsigned high = bits[First / 8 + 1];
    const auto half = [&](unsigned b) SPARSEKIT_LAMBDA_INLINE {
      const uint8x8_t v = vld1_u8(reinterpret_cast<const std::uint8_t*>(p));
      p += bits_set.of[b];
      return vtbl1_u8(v, vld1_u8((expansion_of<8, 1>.at[b])));
    };
    const uint8x8_t first = half(low);
    return vreinterpretq_u32_u8(vcombine_u8(first, half(high)));
  }
  template <class Reg>
  static SPARSEKIT_INLINE Reg add(Reg sum, weights w, const TX* x) {
    return m32::template dot4_kept<TX>(int32x4_t(sum), m32::load_words(x), w);
  }
};

}  // namespace simd
SPARSEKIT_EXEC_END

#endif
