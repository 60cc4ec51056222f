// Which numbers a product may mix: the type of its sums, and the types of X and Y that go with
// weights.
#pragma once

#include <cstdint>
#include <type_traits>

#include "bfloat16.hpp"
#include "float16.hpp"

namespace sparsekit {
inline namespace v0 {

/// The type that products with weights of type T are summed in: f32 for bf16 and f16, s32 for s8,
/// otherwise T.
template <class T>
struct sum_of {
  using type = T;
};
template <>
struct sum_of<bfloat16> {
  using type = float;
};
template <>
struct sum_of<float16> {
  using type = float;
};
template <>
struct sum_of<std::int8_t> {
  using type = std::int32_t;
};
template <class T>
using sum_of_t = typename sum_of<T>::type;

/// Weights with fewer bits than their sums. They have kernels of their own.
template <class T>
inline constexpr bool is_narrow = !std::is_same_v<sum_of_t<T>, T>;

/// Whether weights of type T multiply X of type TX into Y of type TY. Floating point: X and Y are
/// f32 or what the weights are. s8: X is u8 or s8, Y is what the epilogue makes of s32 (itself,
/// f32, u8 or s8).
template <class T, class TX, class TY>
constexpr bool types_go_together() {
  if constexpr (!is_narrow<T>) {
    return std::is_same_v<T, TX> && std::is_same_v<T, TY>;
  } else if constexpr (std::is_same_v<T, std::int8_t>) {
    constexpr bool bytes = std::is_same_v<TX, std::uint8_t> || std::is_same_v<TX, std::int8_t>;
    return bytes && (std::is_same_v<TY, std::int32_t> || std::is_same_v<TY, float> ||
                     std::is_same_v<TY, std::uint8_t> || std::is_same_v<TY, std::int8_t>);
  } else {
    return (std::is_same_v<TX, T> || std::is_same_v<TX, float>)&&(std::is_same_v<TY, T> ||
                                                                  std::is_same_v<TY, float>);
  }
}

}  // namespace v0
}  // namespace sparsekit
