// mixed<Arch>: numbers of fewer bits than their sums: bf16 and f16 with f32 sums, 8-bit integers with s32
// sums. One file an ISA over the scalar form here.
//
//   f32, s32                        registers of sums: lanes<Arch, float>, lanes<Arch, std::int32_t>
//   load_f32([mask,] p)             `width` bf16, f16 or f32, widened
//   broadcast_f32(p)                one bf16 or f16 in all lanes, widened
//   load_four(p), pick<I>(four)     four bf16 or f16 loaded at once, widened; one of them in all lanes
//   load_s32([mask,] p)             `width` u8, s8 or s32, widened
//   store([mask,] p, v)             f32 to bf16, f16, f32: to nearest, ties to even, whatever the caller's
//                                   rounding mode on x86; s32 to u8, s8: v lies in their range
//   to_f32(s32), to_s32(f32)        to_s32: to nearest, ties to even; v lies in the range of s32
//   bits(f32)                       the same bits as s32
//   words                           `width` 32-bit words: pairs of 16-bit or quads of 8-bit numbers;
//                                   as_s32(words) the same register
//   load_words, broadcast_word      any address; no byte beyond is touched
//   as_words(f32)                   the same bits; merged<Mask>(a, b): bits of b where Mask is set, else of a
//   even, odd                       f32 of the lower (first) and upper bf16 of every pair
//   dot2(f32, a, b)                 sum + odd(a) odd(b), then + even(a) even(b), each fused: the order of
//                                   vdpbf16ps, so that every ISA gives the same bits. The exception: AVX-512
//                                   BF16 takes subnormal inputs and results as zero.
//   even_bytes<U>, odd_bytes<U>     bytes 0, 2 or 1, 3 of every word as pairs of s16
//   dot2(s32, a, b)                 sum + the two products of s16, exact
//   dot4(s32, u8, s8)               sum + the four products of bytes, exact modulo 2^32: no saturation
//   dot4_signed(s32, s8, s8)        the same for s8 and s8
//   has_dot4                        whether dot4 is one instruction, or one after a change of sign; then
//   flips<U>                        ... x of type U is kept with the highest bit of each byte flipped, and
//   dot4_kept<U>(s32, x, w)         ... sums x + shift<U>() in place of x
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "../core/bfloat16.hpp"
#include "../core/float16.hpp"
#include "mixed_avx2.hpp"
#include "mixed_avx512.hpp"
#include "mixed_neon.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <>
struct mixed<arch::scalar> {
  using f32 = float;
  using s32 = std::int32_t;
  using words = std::uint32_t;
  using mask = bool;
  static constexpr int width = 1;

  template <class U>
  static SPARSEKIT_INLINE f32 load_f32(const U* p) {
    return static_cast<float>(*p);
  }
  template <class U>
  static SPARSEKIT_INLINE f32 load_f32(mask m, const U* p) {
    return m ? static_cast<float>(*p) : 0.f;
  }
  template <class U>
  static SPARSEKIT_INLINE f32 broadcast_f32(const U* p) {
    return static_cast<float>(*p);
  }
  template <class U>
  static SPARSEKIT_INLINE const U* load_four(const U* p) {
    return p;
  }
  template <int I, class U>
  static SPARSEKIT_INLINE f32 pick(const U* four) {
    return static_cast<float>(four[I]);
  }
  template <class U>
  static SPARSEKIT_INLINE s32 load_s32(const U* p) {
    return *p;
  }
  template <class U>
  static SPARSEKIT_INLINE s32 load_s32(mask m, const U* p) {
    return m ? s32{*p} : 0;
  }
  template <class U, class V>
  static SPARSEKIT_INLINE void store(U* p, V v) {
    *p = static_cast<U>(v);
  }
  template <class U, class V>
  static SPARSEKIT_INLINE void store(mask m, U* p, V v) {
    if (m) *p = static_cast<U>(v);
  }
  static SPARSEKIT_INLINE f32 to_f32(s32 v) { return static_cast<float>(v); }
  // By integers, so that the caller's rounding mode does not matter. No fraction is left beyond 2^23.
  static SPARSEKIT_INLINE s32 to_s32(f32 v) {
    const s32 whole = static_cast<s32>(v);
    const f32 rest = v - static_cast<f32>(whole);
    if (rest > 0.5f || (rest == 0.5f && (whole & 1) != 0)) return whole + 1;
    if (rest < -0.5f || (rest == -0.5f && (whole & 1) != 0)) return whole - 1;
    return whole;
  }

  static SPARSEKIT_INLINE s32 bits(f32 v) { return std::bit_cast<s32>(v); }
  static SPARSEKIT_INLINE s32 as_s32(words w) { return static_cast<s32>(w); }
  static SPARSEKIT_INLINE words as_words(f32 v) { return std::bit_cast<words>(v); }
  template <std::uint32_t Mask>
  static SPARSEKIT_INLINE words merged(words a, words b) {
    return (a & ~Mask) | (b & Mask);
  }
  static SPARSEKIT_INLINE words broadcast_word(const void* p) {
    words w;
    std::memcpy(&w, p, sizeof w);
    return w;
  }
  static SPARSEKIT_INLINE words load_words(const void* p) { return broadcast_word(p); }
  static SPARSEKIT_INLINE words load_words(mask m, const void* p) {
    return m ? broadcast_word(p) : 0;
  }
  static SPARSEKIT_INLINE f32 even(words w) { return std::bit_cast<float>(w << 16); }
  static SPARSEKIT_INLINE f32 odd(words w) { return std::bit_cast<float>(w & 0xffff0000u); }
  static SPARSEKIT_INLINE f32 dot2(f32 sum, words a, words b) {
    using one = lanes<arch::scalar, float>;
    return one::fma(even(a), even(b), one::fma(odd(a), odd(b), sum));
  }

  template <class U>
  static SPARSEKIT_INLINE words even_bytes(words w) {
    return pair(byte<U>(w, 0), byte<U>(w, 2));
  }
  template <class U>
  static SPARSEKIT_INLINE words odd_bytes(words w) {
    return pair(byte<U>(w, 1), byte<U>(w, 3));
  }
  static SPARSEKIT_INLINE s32 dot2(s32 sum, words a, words b) {
    const auto s16 = [](words w, int i) SPARSEKIT_LAMBDA_INLINE {
      return static_cast<std::int16_t>(w >> 16 * i & 0xffffu);
    };
    return wrapped(sum, s16(a, 0) * s16(b, 0), s16(a, 1) * s16(b, 1));
  }
  static SPARSEKIT_INLINE s32 dot4(s32 sum, words a, words b) {
    return dot4_of<std::uint8_t, std::int8_t>(sum, a, b);
  }
  static SPARSEKIT_INLINE s32 dot4_signed(s32 sum, words a, words b) {
    return dot4_of<std::int8_t, std::int8_t>(sum, a, b);
  }
  static constexpr bool has_dot4 = true;
  template <class U>
  static constexpr bool flips = false;
  template <class U>
  static SPARSEKIT_INLINE s32 dot4_kept(s32 sum, words x, words w) {
    return dot4_of<U, std::int8_t>(sum, x, w);
  }

 private:
  template <class U>
  static SPARSEKIT_INLINE int byte(words w, int i) {
    return static_cast<U>(w >> 8 * i & 0xffu);
  }
  static SPARSEKIT_INLINE words pair(int low, int high) {
    return (static_cast<words>(low) & 0xffffu) | static_cast<words>(high) << 16;
  }
  // Unsigned, as sums may pass 2^31 on the way, and vector registers wrap.
  static SPARSEKIT_INLINE s32 wrapped(s32 sum, int a, int b) {
    return static_cast<s32>(static_cast<words>(sum) + static_cast<words>(a) + static_cast<words>(b));
  }
  template <class U, class V>
  static SPARSEKIT_INLINE s32 dot4_of(s32 sum, words a, words b) {
    sum = wrapped(sum, byte<U>(a, 0) * byte<V>(b, 0), byte<U>(a, 1) * byte<V>(b, 1));
    return wrapped(sum, byte<U>(a, 2) * byte<V>(b, 2), byte<U>(a, 3) * byte<V>(b, 3));
  }
};

/// What `flips` adds to numbers of type U: 128 for s8, which become u8; -128 for u8, which become s8.
template <class Arch, class U>
constexpr int shift_of_kept() {
  if constexpr (!mixed<Arch>::template flips<U>) {
    return 0;
  } else {
    return std::is_signed_v<U> ? 128 : -128;
  }
}

/// Number I of an even run of bf16 or f16, widened, in all lanes, without a load of its own. bf16: two in a word
/// by a load that broadcasts, then a shift or a mask (Zen 3: 1.3 times as fast as shuffles of four in quads
/// at 50 % zeros). Else shuffles of four, of which those behind the run are read and not used; on NEON they are
/// part of the multiply-add.
template <class Arch, int I, class U>
SPARSEKIT_INLINE auto broadcast_of_run(const U* p) {
  using m = mixed<Arch>;
  if constexpr (std::is_same_v<U, bfloat16> && !std::is_same_v<Arch, arch::neon>) {
    const auto word = m::broadcast_word(p + I / 2 * 2);
    if constexpr (I % 2 == 0) {
      return m::even(word);
    } else {
      return m::odd(word);
    }
  } else {
    return m::template pick<I % 4>(m::load_four(p + I / 4 * 4));
  }
}

/// Whether numbers of type U can be loaded as sums of type T.
template <class U, class T>
inline constexpr bool widens =
    std::is_same_v<U, T> ||
    (std::is_same_v<T, float> && (std::is_same_v<U, bfloat16> || std::is_same_v<U, float16>)) ||
    (std::is_same_v<T, std::int32_t> &&
     (std::is_same_v<U, std::uint8_t> || std::is_same_v<U, std::int8_t>));

/// A register of sums of type T (f32 or s32) from numbers of type U.
template <class Lanes, class Mask, class U>
SPARSEKIT_INLINE auto load_as(Mask m, const U* p) {
  using T = value_of<Lanes>;
  if constexpr (std::is_same_v<T, U>) {
    return Lanes::load(m, p);
  } else if constexpr (std::is_same_v<T, float>) {
    using m32 = mixed<arch_of<Lanes>>;
    if constexpr (std::is_same_v<Mask, all_lanes>) {
      return typename Lanes::reg(m32::load_f32(p));
    } else {
      return typename Lanes::reg(m32::load_f32(m, p));
    }
  } else {
    static_assert(std::is_same_v<T, std::int32_t>, "no widening load to this type");
    using m32 = mixed<arch_of<Lanes>>;
    if constexpr (std::is_same_v<Mask, all_lanes>) {
      return typename Lanes::reg(m32::load_s32(p));
    } else {
      return typename Lanes::reg(m32::load_s32(m, p));
    }
  }
}

/// A register of sums into numbers of type U: rounded to bf16 and f16; u8 and s8 must be in range.
template <class Lanes, class Mask, class U>
SPARSEKIT_INLINE void store_as(Mask m, U* p, typename Lanes::reg v) {
  if constexpr (std::is_same_v<value_of<Lanes>, U>) {
    Lanes::store(m, p, v);
  } else if constexpr (std::is_same_v<Mask, all_lanes>) {
    mixed<arch_of<Lanes>>::store(p, v);
  } else {
    mixed<arch_of<Lanes>>::store(m, p, v);
  }
}

/// A number of type U as one of type T, a sum's. f16 by hardware where there is some.
template <class T, class U>
SPARSEKIT_INLINE T number_as(U v) {
#if SPARSEKIT_HAS_AVX2 && SPARSEKIT_HAS_F16C
  if constexpr (std::is_same_v<U, float16>) return _cvtsh_ss(v.bits);
#elif SPARSEKIT_HAS_NEON
  if constexpr (std::is_same_v<U, float16>) {
    __fp16 half;
    std::memcpy(&half, &v, sizeof half);
    return half;
  }
#endif
  return static_cast<T>(v);
}
/// The number b in all lanes.
template <class Lanes, class U>
SPARSEKIT_INLINE auto broadcast_as(U b) {
  return Lanes::broadcast(number_as<value_of<Lanes>>(b));
}

/// p[index[0]], p[index[1]], ... as sums. Narrow numbers, for which there is no gather, are put
/// side by side first.
template <class Lanes, class U, class Index>
SPARSEKIT_INLINE auto gather_as(const U* p, const Index* index) {
  if constexpr (std::is_same_v<value_of<Lanes>, U> && requires { Lanes::gather(p, index); }) {
    return Lanes::gather(p, index);
  } else {
    alignas(64) U t[Lanes::width];
    for (int i = 0; i < Lanes::width; ++i) t[i] = p[static_cast<index_t>(index[i])];
    return typename Lanes::reg(load_as<Lanes>(all_lanes{}, t));
  }
}
/// The same for the first `count` lanes, which are those of the mask; zero in the others.
template <class Lanes, class U, class Index>
SPARSEKIT_INLINE auto gather_as(typename Lanes::mask m, index_t count, const U* p,
                                const Index* index) {
  if constexpr (std::is_same_v<value_of<Lanes>, U> && requires { Lanes::gather(m, p, index); }) {
    return Lanes::gather(m, p, index);
  } else {
    alignas(64) U t[Lanes::width] = {};
    for (index_t i = 0; i < count; ++i) t[i] = p[static_cast<index_t>(index[i])];
    return typename Lanes::reg(load_as<Lanes>(all_lanes{}, t));
  }
}

/// sum + a * b: fused, or modulo 2^32.
template <class Lanes>
SPARSEKIT_INLINE auto add_product(typename Lanes::reg a, typename Lanes::reg b,
                                  typename Lanes::reg sum) {
  using S = value_of<Lanes>;
  if constexpr (!std::is_integral_v<S>) {
    return Lanes::fma(a, b, sum);
  } else if constexpr (Lanes::width == 1) {
    return static_cast<S>(static_cast<std::uint32_t>(sum) +
                          static_cast<std::uint32_t>(a) * static_cast<std::uint32_t>(b));
  } else {
    return typename Lanes::reg(Lanes::add(sum, Lanes::mul(a, b)));
  }
}

}  // namespace simd
SPARSEKIT_EXEC_END
