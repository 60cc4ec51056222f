// float16: IEEE 754 binary16, as models store weights. For storage: arithmetic is done in float.
#pragma once

#include <bit>
#include <cstdint>

#include "../config.hpp"

namespace sparsekit {
inline namespace v0 {

/// 1 sign, 5 exponent, 10 mantissa bits. Conversion from float rounds to nearest, ties to even, beyond
/// 65504 to infinity from 65520 on; a NaN stays a NaN, made quiet.
struct float16 {
  std::uint16_t bits = 0;

  constexpr float16() = default;
  explicit constexpr float16(float value) : bits(rounded(std::bit_cast<std::uint32_t>(value))) {}
  explicit constexpr operator float() const {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
    const std::uint32_t magnitude = bits & 0x7fffu;
    if (magnitude >= 0x7c00u) {
      // A signalling NaN becomes quiet, as in hardware.
      const std::uint32_t quiet = magnitude > 0x7c00u ? 0x400000u : 0u;
      return std::bit_cast<float>(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13 | quiet);
    }
    if (magnitude < 0x400u) {
      const float value = static_cast<float>(magnitude) * 0x1p-24f;
      return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(value));
    }
    return std::bit_cast<float>(sign | ((magnitude << 13) + (112u << 23)));
  }
  static constexpr float16 from_bits(std::uint16_t b) {
    float16 out;
    out.bits = b;
    return out;
  }

 private:
  static constexpr std::uint16_t rounded(std::uint32_t u) {
    const std::uint32_t sign = u >> 16 & 0x8000u;
    const std::uint32_t magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
      return static_cast<std::uint16_t>(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
    }
    if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);
    if (magnitude >= 0x38800000u) {
      const std::uint32_t r = magnitude - (112u << 23);
      return static_cast<std::uint16_t>(sign | (r + 0xfffu + (r >> 13 & 1u)) >> 13);
    }
    // Subnormal: a multiple of 2^-24, of which the mantissa m is m * 2^-shift.
    const std::uint32_t shift = 126u - (magnitude >> 23);
    if (shift > 24) return static_cast<std::uint16_t>(sign);
    const std::uint32_t m = (magnitude & 0x7fffffu) | 0x800000u;
    const std::uint32_t rest = m & ((1u << shift) - 1u);
    const std::uint32_t half = 1u << (shift - 1);
    const std::uint32_t q = m >> shift;
    const bool up = rest > half || (rest == half && (q & 1u) != 0);
    return static_cast<std::uint16_t>(sign | (q + (up ? 1u : 0u)));
  }
};
static_assert(sizeof(float16) == 2);

}  // namespace v0
}  // namespace sparsekit
