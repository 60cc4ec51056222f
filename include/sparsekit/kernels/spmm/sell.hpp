// Y = A X for SELL-C-sigma A: lane after lane, whose entries lie slice_height slots apart.
#pragma once

#include "../../formats/sell.hpp"
#include "tiled.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

struct sell_tile {
  static constexpr int registers = 4;

  template <class A>
  static auto offsets(const A& a) {
    return a.slice_ptr;
  }
  template <class Lanes, int Registers, bool MaskX, class A, class TX, class Output>
  static SPARSEKIT_INLINE void run(const A& a, const TX* x, index_t stride, index_t s0, index_t s1,
                                   index_t column, index_t columns, const Output& out) {
    constexpr int w = Lanes::width;
    const auto tail = Lanes::first(columns - (Registers - 1) * w);
    const index_t height = a.slice_height;
    const index_t last = s1 * height < a.rows() ? s1 * height : a.rows();
    for (index_t i = s0 * height; i < last; ++i) {
      index_t p = static_cast<index_t>(a.slice_ptr[i / height]) + i % height;
      typename Lanes::reg sum[Registers];
      simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE { sum[j] = Lanes::zero(); });
      for (index_t n = static_cast<index_t>(a.lengths[i]); n > 0; --n, p += height) {
        add_entry<Lanes, Registers, MaskX>(
            a.values[p], x + static_cast<index_t>(a.columns[p]) * stride, tail, sum);
      }
      put_row<Lanes, Registers>(sum, static_cast<index_t>(a.row_order[i]), column, columns, out);
    }
  }
};

template <class Arch, class T>
struct spmm_sell_panel : spmm_tiled_panel<Arch, T, sell_tile> {};
template <class Arch, class T>
struct spmm_sell_inplace : spmm_tiled_inplace<Arch, T, sell_tile> {};
template <class Arch, class T>
struct spmm_sell_columns : spmm_tiled_columns<Arch, T, sell_tile> {};

}  // namespace kernels
SPARSEKIT_EXEC_END
