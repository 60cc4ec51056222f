// Whether sanitizers watch this program: its kernels are then compiled without optimisation and ten times as slow, so
// tests that try every combination try every second one.
#pragma once

#include "sparsekit/config.hpp"

namespace sparsekit_test {

#if defined(SPARSEKIT_SANITIZED)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

/// Of the combinations of these choices, all; under sanitizers those with an even sum: each pair of two
/// choices still occurs if there are three.
template <class... Choice>
constexpr bool is_tried(Choice... choice) {
  return !sanitized || (... + static_cast<long>(choice)) % 2 == 0;
}

}  // namespace sparsekit_test
