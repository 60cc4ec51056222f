// What s8 weights can sum up to: packers refuse rows whose sums could leave 32 bits.
#pragma once

#include <cstdint>
#include <limits>

#include "../core/checked.hpp"
#include "../status.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0

/// The largest magnitude that a sum of s8 weights times u8 or s8 activations can have, also with
/// the activations' zero point taken off: 255 times the positive or the negative weights.
struct weight_range {
  std::int64_t positive = 0;
  std::int64_t negative = 0;

  void add(std::int8_t w) { (w > 0 ? positive : negative) += w > 0 ? w : -w; }
  std::int64_t largest_sum() const { return 255 * (positive > negative ? positive : negative); }
  std::int32_t sum() const { return static_cast<std::int32_t>(positive - negative); }
  bool fits() const { return largest_sum() <= std::numeric_limits<std::int32_t>::max(); }
  status error(const char* object, index_t row) const {
    return {.code = errc::overflow_possible,
            .object = object,
            .detail = "sum of a row",
            .row = row,
            .got = largest_sum(),
            .allowed = std::numeric_limits<std::int32_t>::max()};
  }
};

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
