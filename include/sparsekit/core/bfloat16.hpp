// bfloat16: the upper half of a float, as models store weights. For storage: arithmetic is done in float.
#pragma once

#include <bit>
#include <cstdint>

#include "../config.hpp"

namespace sparsekit {
inline namespace v0 {

/// 1 sign, 8 exponent, 7 mantissa bits. Conversion from float rounds to nearest, ties to even; a NaN stays
/// a NaN, made quiet. By bits, so that -ffast-math and flushed subnormals change nothing.
struct bfloat16 {
  std::uint16_t bits = 0;

  constexpr bfloat16() = default;
  explicit constexpr bfloat16(float value) : bits(rounded(std::bit_cast<std::uint32_t>(value))) {}
  explicit constexpr operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
  static constexpr bfloat16 from_bits(std::uint16_t b) {
    bfloat16 out;
    out.bits = b;
    return out;
  }

 private:
  static constexpr std::uint16_t rounded(std::uint32_t u) {
    if ((u & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>(u >> 16 | 0x40u);
    return static_cast<std::uint16_t>((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
  }
};
static_assert(sizeof(bfloat16) == 2);

}  // namespace v0
}  // namespace sparsekit
