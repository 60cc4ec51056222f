// Size arithmetic that reports overflow instead of wrapping.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "../config.hpp"

namespace sparsekit {
inline namespace v0 {

/// Sizes and positions inside the library: signed, as loops and differences want them.
using index_t = std::int64_t;

/// a * b into `out`; false if it does not fit (then `out` is unspecified). Both must be >= 0.
constexpr bool checked_multiply(index_t a, index_t b, index_t& out) {
  if (a < 0 || b < 0) return false;
  if (a != 0 && b > std::numeric_limits<index_t>::max() / a) return false;
  out = a * b;
  return true;
}

/// a + b into `out`; false if it does not fit. Both must be >= 0.
constexpr bool checked_add(index_t a, index_t b, index_t& out) {
  if (a < 0 || b < 0 || b > std::numeric_limits<index_t>::max() - a) return false;
  out = a + b;
  return true;
}

/// Whether `value` can be stored in the integer type I.
template <class I>
constexpr bool fits(index_t value) {
  if constexpr (std::is_signed_v<I>) {
    return value >= static_cast<index_t>(std::numeric_limits<I>::min()) &&
           value <= static_cast<index_t>(std::numeric_limits<I>::max());
  } else {
    return value >= 0 &&
           static_cast<std::uint64_t>(value) <= std::uint64_t{std::numeric_limits<I>::max()};
  }
}

/// a >= 0 and b > 0. No sum that overflows: sizes may come from a file.
constexpr index_t ceil_div(index_t a, index_t b) { return a / b + (a % b > 0 ? 1 : 0); }
constexpr index_t round_up(index_t a, index_t b) { return ceil_div(a, b) * b; }

/// The integer types that may index a sparse matrix: 16, 32 or 64 bits, signed or unsigned.
template <class I>
concept index_type = std::is_integral_v<I> && !std::is_same_v<std::remove_cv_t<I>, bool> &&
                     (sizeof(I) == 2 || sizeof(I) == 4 || sizeof(I) == 8);

}  // namespace v0
}  // namespace sparsekit
