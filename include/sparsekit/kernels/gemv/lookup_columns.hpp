// How many columns window-lookup steps take in one pass, and how many they serve better than other forms:
// what kernels and packers both have to know.
#pragma once

#include <type_traits>

#include "../../config.hpp"
#include "../../core/array_view.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Columns of f32 and f64 that share one pass over the stream: as many as pay, for whose sums
/// registers have to have room. Lookups of f64 take twice the time: by four columns quads are as
/// fast.
template <class Arch, class T>
inline constexpr index_t lookup_columns = std::is_same_v<Arch, arch::avx512>
                                              ? (sizeof(T) == 8 ? 3 : 6)
                                          : std::is_same_v<Arch, arch::scalar> ? 1
                                                                               : 2;
/// The same for bf16, f16 and s8.
template <class Arch>
inline constexpr index_t lookup_narrow_columns = std::is_same_v<Arch, arch::avx512>   ? 4
                                                 : std::is_same_v<Arch, arch::scalar> ? 1
                                                                                      : 2;

/// Whether steps serve n columns better than quads and wide rows, where `at_once` share a pass. A
/// further column costs the lookups alone, two cycles a step on Intel, while quads leave registers
/// empty; but sums are put one by one, and empty slots are bytes. On Emerald Rapids, f32, over
/// quads, tokens x features, 50 / 80 / 90 % zeros, 512 x 512, 2048 x 512 and 512 x 2048, each again
/// and again: by 4 columns 1.5 to 1.7 / 1.9 to 2.0 / 1.6 to 1.8, by 6 1.2 to 1.3 / 1.3 to 1.5 / 1.2
/// to 1.3; where columns of X and Y are strided a tenth to a third less. By 4 columns at 95 %, over
/// wide rows: 1.2, with eight matrices in turn .7. bf16 by 4, 512 x 512, at 50 / 80 / 90 %: 1.4 /
/// 1.5 / 1.4.
constexpr bool lookup_serves(index_t at_once, const extents& shape, index_t nnz, index_t n) {
  constexpr double least = 0.08;
  return n <= 3 || (n <= at_once &&
                    static_cast<double>(nnz) >=
                        least * static_cast<double>(shape.rows) * static_cast<double>(shape.cols));
}

}  // namespace kernels
SPARSEKIT_EXEC_END
