// What the N:M kernels share: how finished sums are checked and handed to Y, and loops over tiles.
#pragma once

#include "../../formats/packed_nm.hpp"
#include "../call.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Whether all sums are finite. An Inf or NaN in X makes every sum that reads it Inf or NaN, the empty slots
/// included, so finite sums prove that no empty slot met one.
template <class Lanes, int Registers>
SPARSEKIT_INLINE bool nm_all_finite(const typename Lanes::reg* sum) {
  auto magnitude = Lanes::no_magnitude();
  simd::unroll<Registers>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
    magnitude = Lanes::max_magnitude(magnitude, sum[i]);
  });
  return !Lanes::any_not_finite(magnitude);
}

/// f(first, size) over [begin, end) with Size as long as it fits, then halves of it; sizes are constants.
template <int Size, class F>
SPARSEKIT_INLINE void nm_for_tiles(index_t begin, index_t end, F&& f) {
  for (; end - begin >= Size; begin += Size) f(begin, std::integral_constant<int, Size>{});
  if constexpr (Size > 1) nm_for_tiles<Size / 2>(begin, end, f);
}

/// Sums of `rows` rows and `columns` columns at tile[column * ld + row] into Y at (row0, column0). The tile is
/// readable to full registers in both directions.
template <class Lanes, class T, class Output>
SPARSEKIT_INLINE void nm_put_columns(const T* tile, index_t ld, index_t rows, index_t columns,
                                     const Output& out, index_t row0, index_t column0) {
  constexpr index_t w = Lanes::width;
  if constexpr (!decltype(out.y)::layout::rows_contiguous) {
    for (index_t c = 0; c < columns; ++c) {
      for (index_t r = 0; r < rows; r += w) {
        const auto v = Lanes::load(tile + c * ld + r);
        if (rows - r >= w) {
          out.put(v, row0 + r, column0 + c, simd::all_lanes{});
        } else {
          out.put(v, row0 + r, column0 + c, Lanes::first(rows - r));
        }
      }
    }
  } else {
    for (index_t r = 0; r < rows; r += w) {
      for (index_t c = 0; c < columns; c += w) {
        typename Lanes::reg t[Lanes::width];
        simd::unroll<Lanes::width>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
          t[i] = Lanes::load(tile + (c + i) * ld + r);
        });
        Lanes::transpose(t);
        const auto mask = Lanes::first(columns - c);
        simd::unroll<Lanes::width>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
          if (r + i < rows) out.put(t[i], row0 + r + i, column0 + c, mask);
        });
      }
    }
  }
}

}  // namespace kernels
SPARSEKIT_EXEC_END
