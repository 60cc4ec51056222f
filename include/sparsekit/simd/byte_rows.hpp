// byte_rows<Arch>: four rows of bytes, one below the other, as words of four bytes a column, which
// dot products take (mixed.hpp).
//
//   columns, registers          that `words` makes at a time
//   words(row, n, w)            w[i], lane j: bytes row[0..3][i * width + j], as far as the first n; no byte beyond
//                               is touched
//   interleave(a, b, c, d, w)   four registers of bytes as words, on AVX-512 in each 128 bits apart: w[i] has those of
//                               elements 4 i .. 4 i + 3 of each 16
#pragma once

#include "mixed.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <class Arch>
struct byte_rows {
  static constexpr bool available = false;
};

#if SPARSEKIT_HAS_AVX512

template <>
struct byte_rows<arch::avx512> {
  static constexpr bool available = true;
  static constexpr int columns = 64;
  static constexpr int registers = 4;
  using reg = __m512i;

  template <class X>
  static SPARSEKIT_INLINE void words(const X* const* row, index_t n, reg* w) {
    if (n == columns) {
      put([&](int i) SPARSEKIT_LAMBDA_INLINE { return _mm512_loadu_si512(row[i]); }, w);
    } else {
      const __mmask64 mask = (std::uint64_t{1} << n) - 1;
      put([&](int i) SPARSEKIT_LAMBDA_INLINE { return _mm512_maskz_loadu_epi8(mask, row[i]); }, w);
    }
  }
  static SPARSEKIT_INLINE void interleave(reg a, reg b, reg c, reg d, reg* w) {
    const __m512i ab_low = _mm512_unpacklo_epi8(a, b), ab_high = _mm512_unpackhi_epi8(a, b);
    const __m512i cd_low = _mm512_unpacklo_epi8(c, d), cd_high = _mm512_unpackhi_epi8(c, d);
    w[0] = _mm512_unpacklo_epi16(ab_low, cd_low);
    w[1] = _mm512_unpackhi_epi16(ab_low, cd_low);
    w[2] = _mm512_unpacklo_epi16(ab_high, cd_high);
    w[3] = _mm512_unpackhi_epi16(ab_high, cd_high);
  }

 private:
  template <class Rows>
  static SPARSEKIT_INLINE void put(const Rows& rows, reg* w) {
    // So that what interleave() takes apart are columns in order.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const auto bytes = [&](int i) SPARSEKIT_LAMBDA_INLINE {
      return _mm512_permutexvar_epi32(order, rows(i));
    };
    interleave(bytes(0), bytes(1), bytes(2), bytes(3), w);
  }
};

#endif

#if SPARSEKIT_HAS_NEON

template <>
struct byte_rows<arch::neon> {
  static constexpr bool available = true;
  static constexpr int columns = 16;
  static constexpr int registers = 4;
  using reg = uint32x4_t;

  template <class X>
  static SPARSEKIT_INLINE void words(const X* const* row, index_t n, reg* w) {
    const auto bytes = [&](int i) SPARSEKIT_LAMBDA_INLINE {
      if (n == columns) return vld1q_u8(reinterpret_cast<const std::uint8_t*>(row[i]));
      std::uint8_t some[columns] = {};
      std::memcpy(some, row[i], static_cast<std::size_t>(n));
      return vld1q_u8(some);
    };
    interleave(bytes(0), bytes(1), bytes(2), bytes(3), w);
  }
  static SPARSEKIT_INLINE void interleave(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d,
                                          reg* w) {
    const auto pairs = [](uint8x16_t v) SPARSEKIT_LAMBDA_INLINE { return vreinterpretq_u16_u8(v); };
    const auto word = [](uint16x8_t v) SPARSEKIT_LAMBDA_INLINE { return vreinterpretq_u32_u16(v); };
    const uint16x8_t ab_low = pairs(vzip1q_u8(a, b)), ab_high = pairs(vzip2q_u8(a, b));
    const uint16x8_t cd_low = pairs(vzip1q_u8(c, d)), cd_high = pairs(vzip2q_u8(c, d));
    w[0] = word(vzip1q_u16(ab_low, cd_low));
    w[1] = word(vzip2q_u16(ab_low, cd_low));
    w[2] = word(vzip1q_u16(ab_high, cd_high));
    w[3] = word(vzip2q_u16(ab_high, cd_high));
  }
};

#endif

}  // namespace simd
SPARSEKIT_EXEC_END
