// Loops whose trip count is known at compile time and that must vanish: an array of registers indexed in
// an ordinary loop stays in memory with g++ 12, so tiles are walked by `unroll`.
#pragma once

#include <type_traits>
#include <utility>

#include "../config.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <class F, int... I>
SPARSEKIT_INLINE void unroll_indices(std::integer_sequence<int, I...>, F& f) {
  (f(std::integral_constant<int, I>{}), ...);
}

/// f(0), f(1), ..., f(N - 1), each index a constant. The lambda needs SPARSEKIT_LAMBDA_INLINE.
template <int N, class F>
SPARSEKIT_INLINE void unroll(F&& f) {
  unroll_indices(std::make_integer_sequence<int, N>{}, f);
}

}  // namespace simd
SPARSEKIT_EXEC_END
