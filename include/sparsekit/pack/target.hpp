// Which instruction set packed bytes are tuned for. Every one runs all of them; only the choice of forms and
// their cut depends on it, so the same options give the same bytes whoever packs.
#pragma once

#include <cstdint>
#include <type_traits>

#include "../config.hpp"
#include "../core/array_view.hpp"
#include "../core/number.hpp"
#include "../kernels/gemv/lookup_columns.hpp"

namespace sparsekit {
inline namespace v0 {

enum class pack_target : std::uint16_t { native, scalar, avx2, avx512, neon };

constexpr const char* name_of(pack_target t) {
  switch (t) {
    case pack_target::scalar:
      return arch::scalar::name;
    case pack_target::avx2:
      return arch::avx2::name;
    case pack_target::avx512:
      return arch::avx512::name;
    case pack_target::neon:
      return arch::neon::name;
    case pack_target::native:
      break;
  }
  return "native";
}

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace packing {

/// `native` is what this program is compiled for.
constexpr pack_target resolved(pack_target target) {
  if (target != pack_target::native) return target;
  return std::is_same_v<native_arch, arch::avx512> ? pack_target::avx512
         : std::is_same_v<native_arch, arch::avx2> ? pack_target::avx2
         : std::is_same_v<native_arch, arch::neon> ? pack_target::neon
                                                   : pack_target::scalar;
}

/// Whether wide rows are ahead of balanced quads for n columns of X; nnz > 0.
///
/// avx2: on Zen 3 a load of X costs no more than an FMA while X stays in L1, and wide rows re-lay X
/// only if they must. So they are ahead where rows are short, where a row of X is used too few
/// times to pay for re-laying it, and at 97 % zeros: together within 1 to 4 % of the better form on
/// pruned layers, random and structured matrices (mean time over it; quads alone 5 to 30 %). Column
/// blocks, which keep the X of long rows in L1, bring wide rows to .85 to 1 of quads there, no
/// further. avx512: on Emerald Rapids, f32, four shapes of 512 to 2048, speed of wide rows over
/// quads at 98 / 95 / 90 / 80 % zeros: 4 columns 1.34 / 1.14 / 1.03 / .94, 8 columns 1.37 / 1.15
/// / 1.04 / .96, 16 columns where their panel fits L1 1.4 / 1.2 / 1.08 / .97, else .95 at 95 %; 32
/// columns .86 at 95 %. From 64 to 256 words (f32 or half an f64) quads are ahead down to 3 to 4 %
/// entries, and beyond that to 2 %; except where a panel of 32 words fits L1: 384 columns by 256 to
/// 512 at 95 % zeros 1.1 to 1.2. Others have not been timed: only where hardly any two rows share a
/// column.
template <class T>
constexpr bool wide_wins(pack_target target, const extents& shape, index_t nnz, index_t n) {
  const double entries = static_cast<double>(nnz);
  const double density = entries / (static_cast<double>(shape.rows) * static_cast<double>(shape.cols));
  const bool is_f32 = sizeof(T) == 4;
  if (resolved(target) == pack_target::avx2) {
    const double row_entries = entries / static_cast<double>(shape.rows);
    const double uses_of_x = entries / static_cast<double>(shape.cols);
    const bool many = n >= (is_f32 ? 32 : 8);
    return density <= 0.03 || uses_of_x <= 6 ||
           (many && density <= 0.5 && row_entries <= (is_f32 ? 40 : 80));
  }
  if (resolved(target) == pack_target::avx512) {
    const index_t words = is_f32 ? n : 2 * n;  // a row of X in 4-byte words
    const auto fits_l1 = [&](index_t width) {
      return shape.cols * width * 4 <= index_t{48} * 1024;
    };
    if (words <= 8) return density <= (fits_l1(words) ? 0.11 : 0.08);
    if (words <= 16) return density <= (fits_l1(16) ? 0.11 : 0.04);
    if (words <= 32) return density <= 0.03;
    if (words >= 256 && words <= 512 && fits_l1(32)) return density <= 0.06;
    return density <= (words <= 256 ? 0.035 : 0.025);
  }
  return density <= 0.03;
}

/// Whether window-lookup steps serve n columns of X better than quads and wide rows do.
template <class T>
constexpr bool lookup_serves(pack_target target, const extents& shape, index_t nnz, index_t n) {
  const index_t at_once = resolved(target) != pack_target::avx512 ? 3
                          : is_narrow<T> ? kernels::lookup_narrow_columns<arch::avx512>
                                         : kernels::lookup_columns<arch::avx512, T>;
  return kernels::lookup_serves(at_once, shape, nnz, n);
}

}  // namespace packing
SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
