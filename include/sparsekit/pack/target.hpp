// Which instruction set packed bytes are tuned for. Every one runs all of them; only the choice of forms and
// their cut depends on it, so the same options give the same bytes whoever packs.
#pragma once

#include <cstdint>
#include <type_traits>

#include "../config.hpp"
#include "../core/checked.hpp"

namespace sparsekit {
inline namespace v0 {

enum class pack_target : std::uint16_t { native, scalar, avx2, avx512, neon };

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

/// The density of entries below which wide rows are ahead of balanced quads, for rows of X of so many bytes.
///
/// avx2: measured on Zen 3, f32, four shapes. Speed of wide rows over quads at 95 / 98 % zeros: N = 8 .95 / 1.15,
/// N = 16 .9 / 1.15, N = 32 1.05 / 1.3, N = 64 .8 / 1.2, N = 128 .7 / 1.05; at 90 % below .9 everywhere.
/// avx512: from a plain kernel and one that steps eight rows together, on Zen 5: at N = 16 ahead from 90 %, at
/// 32 above, at 64 and more from 95 to 98 %. This kernel has not been timed there.
/// Others have not been timed: only where hardly any two rows share a column.
constexpr double wide_density(pack_target target, index_t row_bytes) {
  if (resolved(target) == pack_target::avx2) {
    return row_bytes > 64 && row_bytes <= 128 ? 0.055 : 0.03;
  }
  if (resolved(target) == pack_target::avx512) {
    return row_bytes <= 32 ? 0.03 : row_bytes <= 64 ? 0.11 : row_bytes <= 128 ? 0.08 : 0.04;
  }
  return 0.03;
}

}  // namespace packing
SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
