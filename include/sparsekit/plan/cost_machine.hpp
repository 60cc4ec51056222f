// What the cost model's counts need to know of an instruction set: registers, tiles and caches. Numbers, not types, so that
// a program of one ISA can choose for another.
#pragma once

#include "../kernels/blocks/sums.hpp"
#include "../kernels/dense/packed.hpp"
#include "../kernels/gemv/lookup_narrow.hpp"
#include "../kernels/nm/lookup.hpp"
#include "../kernels/nm/panel.hpp"
#include "../kernels/spmm/quads.hpp"
#include "../pack/target.hpp"
#include "cost_constants.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
/// Columns up to which forms for few of them may be best, on any ISA.
template <class T>
inline constexpr index_t most_columns_of_few =
    is_narrow<T> ? kernels::lookup_narrow_columns<arch::avx512>
                 : kernels::lookup_columns<arch::avx512, T>;

struct cost_machine {
  pack_target target;
  int register_bytes;     ///< 0: of one element, whatever its type
  double l1, l2, l3;      ///< where caches are taken to end, in bytes
  double pages;           ///< bytes that the first TLB reaches
  int dense_registers;    ///< of X in a tile of dense weights
  int dense_tokens;       ///< columns of X in a tile of dense weights whose lanes are rows
  int quad_registers[2];  ///< of a tile of one quad and of two
  int nm_rows[kernels::nm_panel_registers];  ///< of an N:M tile of 1, 2, ... registers
  int nm_lookup_registers;  ///< of sums for the columns that N:M by lookup takes at a time
  int block_registers;    ///< of a tile of blocks
  index_t lookup_columns[3];  ///< that window lookup takes at a time, of narrow types, f32 and f64
  bool measured;          ///< whether the library has constants that were measured on this ISA

  template <class Arch>
  static constexpr cost_machine of(pack_target target) {
    using caches = model_caches<Arch>;
    cost_machine m{
        .target = target,
        .register_bytes = std::is_same_v<Arch, arch::avx512> ? 64
                          : std::is_same_v<Arch, arch::avx2> ? 32
                          : std::is_same_v<Arch, arch::neon> ? 16
                                                             : 0,
        .l1 = caches::l1,
        .l2 = caches::l2,
        .l3 = caches::l3,
        .pages = caches::pages,
        .dense_registers = kernels::dense_vectors<Arch>,
        .dense_tokens = kernels::packed_tokens<Arch>(kernels::packed_vectors<Arch>),
        .quad_registers = {kernels::quad_registers<Arch>(1), kernels::quad_registers<Arch>(2)},
        .nm_rows = {},
        .nm_lookup_registers = kernels::nm_lookup_registers<Arch>,
        .block_registers = kernels::block_registers<Arch>(),
        .lookup_columns = {kernels::lookup_narrow_columns<Arch>,
                           kernels::lookup_columns<Arch, float>,
                           kernels::lookup_columns<Arch, double>},
        .measured = has_own_constants<Arch>};
    for (int r = 0; r < kernels::nm_panel_registers; ++r) m.nm_rows[r] = kernels::nm_tile_rows<Arch>(r + 1);
    return m;
  }
  /// Of a target; `native` is this program's ISA.
  static constexpr cost_machine of(pack_target target) {
    target = packing::resolved(target);
    return target == pack_target::avx512 ? of<arch::avx512>(target)
           : target == pack_target::avx2 ? of<arch::avx2>(target)
           : target == pack_target::neon ? of<arch::neon>(target)
                                         : of<arch::scalar>(target);
  }

  /// Sums in a register for weights of type T: those of narrow types take as many bytes as f32.
  template <class T>
  constexpr double width() const {
    constexpr int bytes = is_narrow<T> ? 4 : static_cast<int>(sizeof(T));
    return register_bytes == 0 ? 1 : register_bytes / bytes;
  }
  /// Columns of a block of quads: 128 suit panels of four registers, in L1; AVX2 has narrower ones.
  constexpr index_t quad_column_block(index_t interleave) const {
    return interleave == 1 && quad_registers[0] > 2 ? 128 : 256;
  }
};

/// The library's constants for a type and a target; `native` is this program's ISA.
template <class T>
const cost_constants& constants_for(pack_target target) {
  switch (packing::resolved(target)) {
    case pack_target::avx512: return default_constants<arch::avx512, T>();
    case pack_target::avx2: return default_constants<arch::avx2, T>();
    case pack_target::neon: return default_constants<arch::neon, T>();
    default: return default_constants<arch::scalar, T>();
  }
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
