// pack() for bitmasks, of f32, f64, bf16, f16 and s8:
//
//   auto B = sk::pack<sk::bitmask>(dense).value();     // or of any sparse matrix
//   sk::workspace ws(B);
//   sk::multiply(B, x, y, sk::bias(b) | sk::relu, ws);
#pragma once

#include "../convert/to_bitmask.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0

/// See to_bitmask() for cost and errors.
template <class Format, class A>
requires std::is_same_v<Format, bitmask>
auto pack(const A& a) { return to_bitmask(a); }

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
