// Single matrix elements: whether one is zero, how one becomes another type, how two at one place
// add up.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "../config.hpp"

SPARSEKIT_EXEC_BEGIN
namespace convert {

/// The unsigned integer as wide as T.
template <class T>
struct bits_of;
template <class T>
requires(sizeof(T) == 1) struct bits_of<T> {
  using type = std::uint8_t;
};
template <class T>
requires(sizeof(T) == 2) struct bits_of<T> {
  using type = std::uint16_t;
};
template <class T>
requires(sizeof(T) == 4) struct bits_of<T> {
  using type = std::uint32_t;
};
template <class T>
requires(sizeof(T) == 8) struct bits_of<T> {
  using type = std::uint64_t;
};
template <class T>
using bits_t = typename bits_of<T>::type;

/// v != 0, read from the bits: a comparison would take subnormals for zeros where the caller set
/// denormals-are-zero, and NaN for zero under -ffast-math.
template <class T>
constexpr bool is_nonzero(T v) {
  if constexpr (std::is_integral_v<T>) {
    return v != 0;
  } else {
    using bits = bits_t<T>;
    return static_cast<bits>(std::bit_cast<bits>(v) << 1) != 0;
  }
}

/// v as a T. Floating types round; an integer never comes from a fraction.
template <class T, class U>
constexpr T to_element(const U& v) {
  using from = std::remove_cv_t<U>;
  static_assert(std::is_same_v<T, from> || !std::is_integral_v<T>,
                "integer values must have the type that the matrix has");
  return static_cast<T>(v);
}

/// sum += v; false, and sum unchanged, where an integer would overflow.
template <class T>
constexpr bool add_element(T& sum, T v) {
  if constexpr (std::is_integral_v<T>) {
    using limits = std::numeric_limits<T>;
    if (v > 0 ? sum > limits::max() - v : sum < limits::min() - v) return false;
  }
  if constexpr (std::is_arithmetic_v<T>) {
    sum = static_cast<T>(sum + v);
  } else {
    sum = static_cast<T>(static_cast<float>(sum) + static_cast<float>(v));
  }
  return true;
}

}  // namespace convert
SPARSEKIT_EXEC_END
