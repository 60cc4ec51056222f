// Element-wise functions for epilogues, on a scalar or on a register: callables that users compose see
// either, so both forms have one name. Those of registers are xsimd's, found by argument.
#pragma once

#include <math.h>

#include "avx2.hpp"
#include "avx512.hpp"
#include "generic.hpp"
#include "neon.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

// NaN in v stays NaN: x86's maximum returns its second operand when either is NaN, so the order of the
// operands matters; std::max(low, v) in scalar code would drop it.
template <class V>
SPARSEKIT_INLINE V max_with(V v, V low) {
  if constexpr (std::is_arithmetic_v<V>) {
    return v < low ? low : v;
  } else {
    return select(v < low, low, v);
  }
}
/// As max_with, but low where v is NaN.
template <class V>
SPARSEKIT_INLINE V number_or_low(V v, V low) {
  if constexpr (std::is_arithmetic_v<V>) {
    return v > low ? v : low;
  } else {
    return select(v > low, v, low);
  }
}
template <class V>
SPARSEKIT_INLINE V min_with(V v, V high) {
  if constexpr (std::is_arithmetic_v<V>) {
    return high < v ? high : v;
  } else {
    return select(high < v, high, v);
  }
}
template <class V>
SPARSEKIT_INLINE V exponential(V v) {
  if constexpr (std::is_same_v<V, float>) {
    return ::expf(v);  // not std::exp: see fma in generic.hpp
  } else if constexpr (std::is_same_v<V, double>) {
    return ::exp(v);
  } else {
    return exp(v);
  }
}
template <class V>
SPARSEKIT_INLINE V error_function(V v) {
  if constexpr (std::is_same_v<V, float>) {
    return ::erff(v);
  } else if constexpr (std::is_same_v<V, double>) {
    return ::erf(v);
  } else {
    return erf(v);
  }
}

}  // namespace simd
SPARSEKIT_EXEC_END
