// Y = A X for bitmasks (formats/bitmask.hpp) and many columns, row by row as for CSR: the columns
// of a row are listed from its bits first, a piece at a time, so that the loop over entries ends
// once a piece and not once a word of bits. Fewer columns are multiplied with the values expanded
// (kernels/gemv/bitmask.hpp), which does the work of a dense product for each of them.
#pragma once

#include "../../formats/bitmask.hpp"
#include "../../simd/search.hpp"
#include "tiled.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Where rows begin, as an array that ends with the count of entries.
template <class T>
struct bitmask_rows {
  bitmask_view<const T> a;
  index_t size() const { return a.rows() + 1; }
  index_t operator[](index_t r) const { return a.row_begin(r); }
};

template <class Arch>
struct bitmask_tile {
  static constexpr int registers = 4;
  /// Bytes of bits whose columns are listed at a time: a list of 4 KB.
  static constexpr index_t piece = 128;

  template <class T>
  static bitmask_rows<T> offsets(const bitmask_view<const T>& a) {
    return {a};
  }
  template <class Lanes, int Registers, bool MaskX, class A, class TX, class Output>
  static SPARSEKIT_INLINE void run(const A& a, const TX* x, index_t stride, index_t r0, index_t r1,
                                   index_t column, index_t columns, const Output& out) {
    const auto tail = Lanes::first(columns - (Registers - 1) * Lanes::width);
    std::uint32_t places[8 * piece + simd::bit_places<Arch>::slack];
    for (index_t r = r0; r < r1; ++r) {
      typename Lanes::reg sum[Registers];
      simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE { sum[j] = Lanes::zero(); });
      const auto* value = a.values.data() + a.row_begin(r);
      for (index_t i = 0; i < a.mask_bytes(); i += piece) {
        const index_t bytes = std::min(piece, a.mask_bytes() - i);
        const auto* const end =
            value + simd::bit_places<Arch>::list(a.row_mask(r) + i, bytes, places);
        const TX* const origin = x + 8 * i * stride;
        for (const std::uint32_t* place = places; value != end; ++value, ++place) {
          add_entry<Lanes, Registers, MaskX>(*value, origin + index_t{*place} * stride, tail, sum);
        }
      }
      put_row<Lanes, Registers>(sum, r, column, columns, out);
    }
  }
};

/// From how many columns on this is as fast as values expanded for four columns at a time, or
/// faster. Emerald Rapids, 512 x 512 f32 at 50, 80 and 90 % zeros: 8 columns .3, .8 and 1.1 times,
/// 16 1.0, 1.5 and 2.6, 64 1.7, 4.5 and 7.
inline constexpr index_t bitmask_many = 16;

// Not s8, whose zero points need the sums of rows.
template <class Arch, class T>
struct spmm_bitmask_panel : spmm_tiled_panel<Arch, T, bitmask_tile<Arch>> {
  template <class Call>
  static constexpr bool possible =
      !std::is_integral_v<T> &&
      spmm_tiled_panel<Arch, T, bitmask_tile<Arch>>::template possible<Call>;
  template <class Call>
  static bool accepts(const Call& c) {
    return c.x.cols() >= bitmask_many && spmm_tiled_panel<Arch, T, bitmask_tile<Arch>>::accepts(c);
  }
};
template <class Arch, class T>
struct spmm_bitmask_inplace : spmm_tiled_inplace<Arch, T, bitmask_tile<Arch>> {
  template <class Call>
  static constexpr bool possible =
      !std::is_integral_v<T> &&
      spmm_tiled_inplace<Arch, T, bitmask_tile<Arch>>::template possible<Call>;
  template <class Call>
  static bool accepts(const Call& c) {
    return c.x.cols() >= bitmask_many &&
           spmm_tiled_inplace<Arch, T, bitmask_tile<Arch>>::accepts(c);
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
