// Whether sanitizers watch this program, or it is otherwise ten times as slow as users' builds
// (unoptimised, or run by an emulator): tests that try every combination then try every second one.
#pragma once

#include "sparsekit/config.hpp"

namespace sparsekit_test {

#if defined(SPARSEKIT_SANITIZED)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

#if defined(SPARSEKIT_SANITIZED) || defined(SPARSEKIT_EMULATED) || \
    (defined(__GNUC__) && !defined(__OPTIMIZE__))
inline constexpr bool slow = true;
#else
inline constexpr bool slow = false;
#endif

/// Of the combinations of these choices, all; in slow builds those with an even sum: each pair of
/// two choices still occurs if there are three.
template <class... Choice>
constexpr bool is_tried(Choice... choice) {
  return !slow || (... + static_cast<long>(choice)) % 2 == 0;
}

}  // namespace sparsekit_test
