// Y = A X for BSR A where X is read as it lies (bsr_panel.hpp: from a workspace): a register of a row of X
// serves four rows of the block.
//
// As in spmv/bsr.hpp, empty places are multiplied like entries; where a sum is not finite, the row is
// summed again in the same order without them.
#pragma once

#include "../../formats/bsr.hpp"
#include "tiled.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

struct bsr_tile {
  static constexpr int registers = 2;
  static constexpr int rows = 4;

  template <class A>
  static auto offsets(const A& a) {
    return a.row_ptr;
  }
  template <class Lanes, int Registers, bool MaskX, class A, class TX, class Output>
  static SPARSEKIT_INLINE void run(const A& a, const TX* x, index_t stride, index_t g0, index_t g1,
                                   index_t column, index_t columns, const Output& out) {
    for (index_t r = g0; r < g1; ++r) {
      const index_t inside = a.rows() - r * a.block.rows;
      const index_t n = inside < a.block.rows ? inside : a.block.rows;
      index_t i = 0;
      const auto some = [&](auto count) SPARSEKIT_LAMBDA_INLINE {
        rows_of_block<Lanes, count(), Registers, MaskX, false>(a, x, stride, r, i, column, columns,
                                                               out);
      };
      for (; i + rows <= n; i += rows) some(std::integral_constant<int, rows>{});
      simd::unroll<rows>([&](auto left) SPARSEKIT_LAMBDA_INLINE {
        if constexpr (left > 0) {
          if (n - i == left) some(left);
        }
      });
    }
  }

 private:
  /// Rows i .. i + Rows - 1 of block row r. EntriesOnly: without the empty places.
  template <class Lanes, int Rows, int Registers, bool MaskX, bool EntriesOnly, class A, class TX>
  static SPARSEKIT_INLINE void sums(const A& a, const TX* x, index_t stride, index_t r, index_t i,
                                    index_t columns, typename Lanes::reg (&sum)[Rows][Registers]) {
    constexpr int w = Lanes::width;
    const auto tail = Lanes::first(columns - (Registers - 1) * w);
    const index_t end = static_cast<index_t>(a.row_ptr[r + 1]);
    simd::unroll<Rows>([&](auto q) SPARSEKIT_LAMBDA_INLINE {
      simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE { sum[q][j] = Lanes::zero(); });
    });
    for (index_t b = static_cast<index_t>(a.row_ptr[r]); b < end; ++b) {
      const index_t first = static_cast<index_t>(a.columns[b]) * a.block.cols;
      const index_t inside = a.cols() - first < a.block.cols ? a.cols() - first : a.block.cols;
      const auto* values = a.values.data() + b * a.places() + i * a.block.cols;
      for (index_t k = 0; k < inside; ++k) {
        const TX* row = x + (first + k) * stride;
        typename Lanes::reg xs[Registers];
        simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
          if constexpr (MaskX && j == Registers - 1) {
            xs[j] = simd::load_as<Lanes>(tail, row + j * w);
          } else {
            xs[j] = simd::load_as<Lanes>(simd::all_lanes{}, row + j * w);
          }
        });
        simd::unroll<Rows>([&](auto q) SPARSEKIT_LAMBDA_INLINE {
          if constexpr (EntriesOnly) {
            if (!bsr_checks::is_entry(a, b, (i + q) * a.block.cols + k)) return;
          }
          const auto value = simd::broadcast_as<Lanes>(values[q * a.block.cols + k]);
          simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
            sum[q][j] = simd::add_product<Lanes>(value, xs[j], sum[q][j]);
          });
        });
      }
    }
  }

  /// Not inlined: twenty of these in one function compile for minutes under sanitizers.
  template <class Lanes, int Rows, int Registers, bool MaskX, bool EntriesOnly, class A, class TX,
            class Output>
  static SPARSEKIT_NOINLINE void rows_of_block(const A& a, const TX* x, index_t stride, index_t r,
                                               index_t i, index_t column, index_t columns,
                                               const Output& out) {
    typename Lanes::reg sum[Rows][Registers];
    sums<Lanes, Rows, Registers, MaskX, EntriesOnly>(a, x, stride, r, i, columns, sum);
    if constexpr (!EntriesOnly) {
      finite_watch<Lanes> watch;
      simd::unroll<Rows>([&](auto q) SPARSEKIT_LAMBDA_INLINE {
        simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE { watch.see(sum[q][j]); });
      });
      if (!watch.finite()) {
        rows_of_block<Lanes, Rows, Registers, MaskX, true>(a, x, stride, r, i, column, columns,
                                                           out);
        return;
      }
    }
    simd::unroll<Rows>([&](auto q) SPARSEKIT_LAMBDA_INLINE {
      put_row<Lanes, Registers>(sum[q], r * a.block.rows + i + q, column, columns, out);
    });
  }
};

template <class Arch, class T>
struct spmm_bsr_inplace : spmm_tiled_inplace<Arch, T, bsr_tile> {};
template <class Arch, class T>
struct spmm_bsr_columns : spmm_tiled_columns<Arch, T, bsr_tile> {};

}  // namespace kernels
SPARSEKIT_EXEC_END
