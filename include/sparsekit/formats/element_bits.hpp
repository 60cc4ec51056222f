// What a packed or blocked format asks of single elements, answered by their bits: -ffast-math and flushed
// subnormals must not change a pattern.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "../config.hpp"

namespace sparsekit {
inline namespace v0 {

/// value != 0; NaN and subnormals are not zero, -0.0 is.
template <class T>
constexpr bool is_nonzero_element(T value) {
  if constexpr (std::is_integral_v<T>) {
    return value != 0;
  } else if constexpr (sizeof(T) == 8) {
    return std::bit_cast<std::uint64_t>(value) << 1 != 0;
  } else if constexpr (sizeof(T) == 4) {
    return std::bit_cast<std::uint32_t>(value) << 1 != 0;
  } else {
    return (std::bit_cast<std::uint16_t>(value) & 0x7fff) != 0;
  }
}

// An empty slot of a packed form holds -0.0, and no entry is packed as -0.0 (it becomes 0.0, which no sum
// that starts at 0.0 can tell). An empty slot is known by its value, so. Integers need no such mark.

template <class T>
constexpr T empty_slot_value() {
  if constexpr (std::is_integral_v<T>) {
    return T{0};
  } else if constexpr (sizeof(T) == 8) {
    return std::bit_cast<T>(std::uint64_t{1} << 63);
  } else if constexpr (sizeof(T) == 4) {
    return std::bit_cast<T>(std::uint32_t{1} << 31);
  } else {
    return std::bit_cast<T>(std::uint16_t{0x8000});
  }
}
template <class T>
constexpr bool is_empty_slot(T value) {
  if constexpr (std::is_integral_v<T>) {
    return value == 0;
  } else if constexpr (sizeof(T) == 8) {
    return std::bit_cast<std::uint64_t>(value) == std::uint64_t{1} << 63;
  } else if constexpr (sizeof(T) == 4) {
    return std::bit_cast<std::uint32_t>(value) == std::uint32_t{1} << 31;
  } else {
    return std::bit_cast<std::uint16_t>(value) == 0x8000;
  }
}
/// A value as an entry of a packed form.
template <class T>
constexpr T slot_value(T value) {
  return is_nonzero_element(value) ? value : T{};
}

// A slot of f32 weights that keep 18 bits of their 23-bit mantissas: the lowest five hold a place below 32.

inline constexpr std::uint32_t low_place_bits = 31;

/// The nearest f32 whose lowest five bits are zero, ties to even; the largest of them instead of overflow. Off
/// by at most 2^-19 of the value, 2^-18 next to overflow; a subnormal by at most 2^-145. NaN and Inf stay.
constexpr float with_18_bits(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits & 0x80000000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return std::bit_cast<float>((bits | 0x400000u) & ~low_place_bits);
  if (magnitude == 0x7f800000u) return value;
  const std::uint32_t up = magnitude + 15 + (magnitude >> 5 & 1);
  const std::uint32_t kept = up & ~low_place_bits;
  return std::bit_cast<float>(sign | (kept >= 0x7f800000u ? 0x7f7fffe0u : kept));
}

}  // namespace v0
}  // namespace sparsekit
