// window: a run of consecutive elements held in registers, from which every lane takes its own by a
// one-byte place. How window-lookup kernels read x.
//
//   window<Arch, T, Elements>(p)      holds p[0 .. Elements)
//   at(places)                        lane l: element places[l]; lanes<Arch, T>::width places
//   place_run<Arch, T, Registers>(p)  places of so many registers one behind the other; at() takes get<i>() for
//                                     the places of register i
#pragma once

#include "avx2.hpp"
#include "avx512.hpp"
#include "generic.hpp"
#include "neon.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

/// 0.0 or -0.0, by the sign of x: what an empty slot meets instead of Inf or NaN.
template <class T>
SPARSEKIT_INLINE T zero_of_sign(T x) {
  using bits = float_bits<T>;
  typename bits::type b;
  std::memcpy(&b, &x, sizeof b);
  b &= ~bits::magnitude;
  std::memcpy(&x, &b, sizeof b);
  return x;
}

/// Any ISA and size: the elements stay in memory.
template <class Arch, class T, int Elements>
struct window {
  using lanes_type = lanes<Arch, T>;
  const T* p;

  explicit SPARSEKIT_INLINE window(const T* elements) : p(elements) {}
  SPARSEKIT_INLINE typename lanes_type::reg at(const std::uint8_t* places) const {
    return lanes_type::gather(p, places);
  }
  /// At the lowest five bits of `width` f32.
  SPARSEKIT_INLINE typename lanes_type::reg at_low_bits(const T* slots) const {
    std::uint8_t places[lanes_type::width];
    for (int i = 0; i < lanes_type::width; ++i) {
      places[i] = static_cast<std::uint8_t>(std::bit_cast<std::uint32_t>(slots[i]) & 31);
    }
    return at(places);
  }
};

/// Any ISA: each register reads its own.
template <class Arch, class T, int Registers>
struct place_run {
  static constexpr bool saves_work = false;  ///< over registers one by one
  const std::uint8_t* p;

  explicit SPARSEKIT_INLINE place_run(const std::uint8_t* places) : p(places) {}
  template <int I>
  SPARSEKIT_INLINE const std::uint8_t* get() const {
    return p + I * lanes<Arch, T>::width;
  }
};

/// f32 without their lowest five bits.
template <class Arch>
struct low_places {
  using lanes_type = lanes<Arch, float>;
  static SPARSEKIT_INLINE typename lanes_type::reg values(const float* slots) {
    static_assert(lanes_type::width == 1);
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(*slots) & ~31u);
  }
};

#if SPARSEKIT_HAS_AVX512

/// vpermt2ps looks up 32 elements by the lowest five bits of each lane.
template <int Elements>
struct window<arch::avx512, float, Elements> {
  using reg = lanes<arch::avx512, float>::reg;
  static_assert(Elements == 16 || Elements == 32 || Elements == 64);
  __m512 t[Elements / 16];

  explicit SPARSEKIT_INLINE window(const float* p) {
    unroll<Elements / 16>([&](auto i) SPARSEKIT_LAMBDA_INLINE { t[i] = _mm512_loadu_ps(p + 16 * i); });
  }
  SPARSEKIT_INLINE reg at(const std::uint8_t* places) const {
    return at(_mm512_maskz_cvtepu8_epi32(
        __mmask16(0xffff), _mm_loadu_si128(reinterpret_cast<const __m128i*>(places))));
  }
  SPARSEKIT_INLINE reg at_low_bits(const float* slots) const {
    static_assert(Elements <= 32);
    return at(_mm512_loadu_si512(slots));
  }
  /// Bits of n above those of a place do not matter.
  SPARSEKIT_INLINE reg at(__m512i n) const {
    if constexpr (Elements == 16) {
      return _mm512_maskz_permutexvar_ps(__mmask16(0xffff), n, t[0]);
    } else if constexpr (Elements == 32) {
      return _mm512_permutex2var_ps(t[0], n, t[1]);
    } else {
      const __m512 low = _mm512_permutex2var_ps(t[0], n, t[1]);
      const __m512 high = _mm512_permutex2var_ps(t[2], n, t[3]);
      return _mm512_mask_blend_ps(_mm512_test_epi32_mask(n, _mm512_set1_epi32(32)), low, high);
    }
  }
};

template <>
struct low_places<arch::avx512> {
  static SPARSEKIT_INLINE lanes<arch::avx512, float>::reg values(const float* slots) {
    return _mm512_castsi512_ps(
        _mm512_and_si512(_mm512_loadu_si512(slots), _mm512_set1_epi32(-32)));
  }
};

template <int Elements>
struct window<arch::avx512, double, Elements> {
  using reg = lanes<arch::avx512, double>::reg;
  static_assert(Elements == 8 || Elements == 16 || Elements == 32);
  __m512d t[Elements / 8];

  explicit SPARSEKIT_INLINE window(const double* p) {
    unroll<Elements / 8>([&](auto i) SPARSEKIT_LAMBDA_INLINE { t[i] = _mm512_loadu_pd(p + 8 * i); });
  }
  SPARSEKIT_INLINE reg at(const std::uint8_t* places) const {
    return at(_mm512_maskz_cvtepu8_epi64(__mmask8(0xff),
                                         _mm_loadl_epi64(reinterpret_cast<const __m128i*>(places))));
  }
  /// Bits of n above those of a place do not matter.
  SPARSEKIT_INLINE reg at(__m512i n) const {
    if constexpr (Elements == 8) {
      return _mm512_maskz_permutexvar_pd(__mmask8(0xff), n, t[0]);
    } else if constexpr (Elements == 16) {
      return _mm512_permutex2var_pd(t[0], n, t[1]);
    } else {
      const __m512d low = _mm512_permutex2var_pd(t[0], n, t[1]);
      const __m512d high = _mm512_permutex2var_pd(t[2], n, t[3]);
      return _mm512_mask_blend_pd(_mm512_test_epi64_mask(n, _mm512_set1_epi64(16)), low, high);
    }
  }
};

#if SPARSEKIT_HAS_AVX512_VBMI

/// 64 places at once: one byte permute deals them out to the lanes, shifts bring the next ones down. Widening each
/// register's places takes the shuffle port that the lookups need, of which Intel has one: with two chains of sums,
/// steps take four fifths of the time on Emerald Rapids.
template <class T, int Registers>
  requires(Registers * lanes<arch::avx512, T>::width == 64)
struct place_run<arch::avx512, T, Registers> {
  static constexpr bool saves_work = true;
  __m512i lanes_of_places;

  explicit SPARSEKIT_INLINE place_run(const std::uint8_t* places)
      : lanes_of_places(_mm512_maskz_permutexvar_epi8(~__mmask64{0}, order(), _mm512_loadu_si512(places))) {}
  template <int I>
  SPARSEKIT_INLINE __m512i get() const {
    if constexpr (I == 0) {
      return lanes_of_places;
    } else if constexpr (sizeof(T) == 4) {
      return _mm512_maskz_srli_epi32(__mmask16(0xffff), lanes_of_places, 8 * I);
    } else {
      return _mm512_maskz_srli_epi64(__mmask8(0xff), lanes_of_places, 8 * I);
    }
  }

 private:
  /// Byte i of lane l is place i * width + l.
  static SPARSEKIT_INLINE __m512i order() {
    struct table {
      std::uint8_t at[64];
    };
    static constexpr table from = [] {
      table t{};
      for (int b = 0; b < 64; ++b) {
        const int bytes = static_cast<int>(sizeof(T));
        t.at[b] = static_cast<std::uint8_t>(b % bytes * (64 / bytes) + b / bytes);
      }
      return t;
    }();
    return _mm512_loadu_si512(from.at);
  }
};

#endif
#endif
#if SPARSEKIT_HAS_AVX2

/// vpermps looks up 8 elements by the lowest three bits of each lane; the next bits blend.
template <int Elements>
  requires(Elements <= 32)
struct window<arch::avx2, float, Elements> {
  using reg = lanes<arch::avx2, float>::reg;
  static_assert(Elements == 16 || Elements == 32);
  __m256 t[Elements / 8];

  explicit SPARSEKIT_INLINE window(const float* p) {
    unroll<Elements / 8>([&](auto i) SPARSEKIT_LAMBDA_INLINE { t[i] = _mm256_loadu_ps(p + 8 * i); });
  }
  SPARSEKIT_INLINE reg at(const std::uint8_t* places) const {
    return at_lanes(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(places))));
  }
  SPARSEKIT_INLINE reg at_low_bits(const float* slots) const {
    return at_lanes(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(slots)));
  }

 private:
  /// Bits of n above those of a place do not matter.
  SPARSEKIT_INLINE reg at_lanes(__m256i n) const {
    const __m256 by_8 = _mm256_castsi256_ps(_mm256_slli_epi32(n, 28));
    const __m256 low = _mm256_blendv_ps(_mm256_permutevar8x32_ps(t[0], n),
                                        _mm256_permutevar8x32_ps(t[1], n), by_8);
    if constexpr (Elements == 16) {
      return low;
    } else {
      const __m256 high = _mm256_blendv_ps(_mm256_permutevar8x32_ps(t[2], n),
                                           _mm256_permutevar8x32_ps(t[3], n), by_8);
      return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(n, 27)));
    }
  }
};

template <>
struct low_places<arch::avx2> {
  static SPARSEKIT_INLINE lanes<arch::avx2, float>::reg values(const float* slots) {
    return _mm256_and_ps(_mm256_loadu_ps(slots),
                         _mm256_castsi256_ps(_mm256_set1_epi32(-32)));
  }
};

#endif
#if SPARSEKIT_HAS_NEON

/// tbl looks up 64 bytes; a place beyond its table leaves the lane of tbx as it was.
template <int Elements>
struct window<arch::neon, float, Elements> {
  using reg = lanes<arch::neon, float>::reg;
  static_assert(Elements == 16 || Elements == 32 || Elements == 64);
  uint8x16x4_t t[Elements / 16];

  explicit SPARSEKIT_INLINE window(const float* p) {
    unroll<Elements / 16>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
      t[i] = vld1q_u8_x4(reinterpret_cast<const std::uint8_t*>(p + 16 * i));
    });
  }
  SPARSEKIT_INLINE reg at(const std::uint8_t* places) const {
    std::uint32_t four;
    std::memcpy(&four, places, sizeof four);
    const uint8x8_t bytes = vcreate_u8(four);
    return at_lanes(vmovl_u16(vget_low_u16(vmovl_u8(bytes))));
  }
  SPARSEKIT_INLINE reg at_low_bits(const float* slots) const {
    return at_lanes(vandq_u32(vreinterpretq_u32_f32(vld1q_f32(slots)), vdupq_n_u32(31)));
  }

 private:
  SPARSEKIT_INLINE reg at_lanes(uint32x4_t n) const {
    // Four bytes of table a lane: 4 n + 0, 1, 2, 3.
    const uint8x16_t at_byte = vreinterpretq_u8_u32(
        vaddq_u32(vmulq_n_u32(n, 0x04040404u), vdupq_n_u32(0x03020100u)));
    uint8x16_t found = vqtbl4q_u8(t[0], at_byte);
    unroll<Elements / 16 - 1>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
      found = vqtbx4q_u8(found, t[i + 1],
                         vsubq_u8(at_byte, vdupq_n_u8(static_cast<std::uint8_t>(64 * (i + 1)))));
    });
    return reg(vreinterpretq_f32_u8(found));
  }
};

template <>
struct low_places<arch::neon> {
  static SPARSEKIT_INLINE lanes<arch::neon, float>::reg values(const float* slots) {
    return vreinterpretq_f32_u32(
        vbicq_u32(vreinterpretq_u32_f32(vld1q_f32(slots)), vdupq_n_u32(31)));
  }
};

#endif

}  // namespace simd
SPARSEKIT_EXEC_END
