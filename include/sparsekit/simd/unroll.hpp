// Loops whose trip count is known at compile time and that must vanish: an array of registers indexed in
// an ordinary loop stays in memory with g++ 12, so tiles are walked by `unroll`.
#pragma once

#include <type_traits>
#include <utility>

#include "../config.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

/// f(First), ..., f(First + N - 1), each index a constant. The lambda needs
/// SPARSEKIT_LAMBDA_INLINE. One function for up to eight: a second one that deduced the indices
/// would be one more to compile for every lambda.
template <int N, int First = 0, class F>
SPARSEKIT_INLINE void unroll(F&& f) {
  if constexpr (N > 0) f(std::integral_constant<int, First>{});
  if constexpr (N > 1) f(std::integral_constant<int, First + 1>{});
  if constexpr (N > 2) f(std::integral_constant<int, First + 2>{});
  if constexpr (N > 3) f(std::integral_constant<int, First + 3>{});
  if constexpr (N > 4) f(std::integral_constant<int, First + 4>{});
  if constexpr (N > 5) f(std::integral_constant<int, First + 5>{});
  if constexpr (N > 6) f(std::integral_constant<int, First + 6>{});
  if constexpr (N > 7) f(std::integral_constant<int, First + 7>{});
  if constexpr (N > 8) unroll<N - 8, First + 8>(f);
}

}  // namespace simd
SPARSEKIT_EXEC_END
