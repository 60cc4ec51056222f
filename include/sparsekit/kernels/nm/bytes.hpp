// Y = A X for packed N:M of s8 with lanes along the columns of X, exact. Four slots of a row are
// one word of weights, which lies ready; the word of X for them is put together from four rows of
// the panel:
//
//   for four steps:   x = places 0, 1, 2, 3 of the panel's rows of their four columns
//                                                     (4 loads, 2 or 3 merges)
//                     sum[r] += word[r] . x for the V rows that share these columns
//                                                     (V dot products)
//
// The panel holds each byte of X in all places of its word (gemv_narrow.hpp), so that a merge needs
// no shift. With V = 1 the merges take longer than the products: a free pattern of s8 gains nothing
// over dense weights but their memory. 2:4 goes by pairs where there are dot products (pairs.hpp).
#pragma once

#include "../panel_rows.hpp"
#include "../relay.hpp"
#include "gemv_narrow.hpp"
#include "panel.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// V rows share a column here; the format may let more rows share it.
template <class Arch, class TX, int Registers, int V>
SPARSEKIT_NOINLINE void nm_byte_tiles(const nm_part<std::int8_t>& p) {
  using product = nm_bytes_product<Arch, TX>;
  using mixed = simd::mixed<Arch>;
  using lanes = simd::lanes<Arch, std::int32_t>;
  constexpr int w = lanes::width;
  constexpr int width = Registers * w;
  constexpr int rows = nm_tile_rows<Arch>(Registers);
  constexpr int patterns = rows / V;
  const index_t per_step = p.a.columns_per_step();
  const index_t rows_left = p.a.rows() - p.slice0 * nm_slice;
  for (index_t s = p.slice0; s < p.slice1; ++s) {
    for (index_t r0 = 0; r0 < nm_slice && r0 < rows_left - (s - p.slice0) * nm_slice; r0 += rows) {
      std::int32_t* sums = p.sums + ((s - p.slice0) * nm_slice + r0) * width;
      typename lanes::reg sum[rows * Registers];
      nm_begin_byte_sums<Arch, TX, rows, Registers>(p.a, s * nm_slice + r0, p.first, sums, sum);
      const std::int8_t* value = p.a.values.data() + p.a.value_at(s, p.begin, r0);
      const std::uint8_t* column =
          p.a.columns.data() + (s * p.a.steps() + p.begin) * per_step + r0 / p.a.group.v;
      // The last steps, with columns for those that are missing.
      std::uint8_t last[4 * nm_slice];
      for (index_t i = p.begin; i < p.end; i += 4, value += 4 * nm_slice, column += 4 * per_step) {
        const std::uint8_t* from = column;
        if (p.end - i < 4) {
          for (index_t q = 0; q < 4; ++q) {
            const index_t step = q < p.end - i ? q : 0;
            for (index_t k = 0; k < patterns; ++k) {
              last[q * per_step + k] = column[step * per_step + k];
            }
          }
          from = last;
        }
        simd::unroll<patterns>([&](auto q) SPARSEKIT_LAMBDA_INLINE {
          const auto row_of = [&](int k) SPARSEKIT_LAMBDA_INLINE {
            return p.x + index_t{from[k * per_step + q]} * width;
          };
          const std::int32_t* const row[4] = {row_of(0), row_of(1), row_of(2), row_of(3)};
          typename mixed::words x[product::parts * Registers];
          simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
            const auto found = [&](auto k) SPARSEKIT_LAMBDA_INLINE {
              return mixed::load_words(row[k] + j * w);
            };
            simd::unroll<product::parts>([&](auto part) SPARSEKIT_LAMBDA_INLINE {
              x[part * Registers + j] = product::template gathered<part>(found);
            });
          });
          simd::unroll<V>([&](auto t) SPARSEKIT_LAMBDA_INLINE {
            constexpr int r = q * V + t;
            simd::unroll<product::parts>([&](auto part) SPARSEKIT_LAMBDA_INLINE {
              const auto number = product::template broadcast<part>(value + r * 4);
              add_block_row<product>(sum + r * Registers, number, x + part * Registers,
                                     std::make_integer_sequence<int, Registers>{});
            });
          });
        });
      }
      simd::registers<lanes, rows * Registers>::store(sums, sum);
    }
  }
}

template <class Arch, class T>
struct spmm_nm_bytes {
  using lanes = simd::lanes<Arch, std::int32_t>;
  /// Of a panel. More would leave no registers for the words of X.
  static constexpr int registers = 2;
  /// Slices whose sums wait together.
  static constexpr index_t waiting_slices = 16;

  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    const index_t width = columns <= lanes::width ? lanes::width : registers * lanes::width;
    const index_t waiting = (waiting_slices * nm_slice + lanes::width) * width;
    return {.shared = 0, .per_worker = (round_up(a.cols() * width, 64) + waiting) * 4};
  }
  template <class Call>
  static constexpr bool possible = Call::has_workspace && std::is_integral_v<T>;
  template <class Call>
  static bool accepts(const Call& c) {
    return c.scratch.worker_bytes >= requirement(c.a, c.x.cols()).per_worker;
  }
  template <class Call>
  static void run(const Call& c) {
    run_panel_tasks(c.policy, panel_split(c.x.cols(), lanes::width, registers),
                    c.a.slots() * c.x.cols(), c.a.slices(),
                    [&](auto... ranges) { run_panel(c, ranges...); });
  }

 private:
  template <class Call>
  static void run_panel(const Call& c, index_t register0, index_t register1, index_t slice0,
                        index_t slice1, index_t worker) {
    using TX = typename Call::x_type;
    const auto& a = c.a;
    const index_t width = (register1 - register0) * lanes::width;
    const index_t column = register0 * lanes::width;
    const index_t columns = c.x.cols() - column < width ? c.x.cols() - column : width;
    std::int32_t* const panel = c.scratch.template worker_as<std::int32_t>(worker);
    std::int32_t* const sums = panel + round_up(a.cols() * width, 64);
    relay_panel<lanes, std::int32_t>(c.x, column, columns, width, panel);
    for (index_t i = 0; i < a.cols() * width; ++i) {
      panel[i] =
          static_cast<std::int32_t>(nm_bytes_product<Arch, TX>::spread(static_cast<TX>(panel[i])));
    }
    const auto out = output_of<lanes>(c.y, c.epilogue, a.weight_sums.data());
    for (index_t s = slice0; s < slice1; s += waiting_slices) {
      const index_t end = s + waiting_slices < slice1 ? s + waiting_slices : slice1;
      nm_for_each_cut(a, panel, width, s, end, sums, [&](const nm_part<T>& p) {
        if (width == lanes::width) {
          tiles<TX, 1>(p);
        } else {
          tiles<TX, 2>(p);
        }
      });
      const index_t r0 = s * nm_slice;
      const index_t r1 = a.rows() < end * nm_slice ? a.rows() : end * nm_slice;
      put_panel_rows<lanes>(sums, width, r1 - r0, columns, out, r0, column);
    }
  }

  template <class TX, int Registers>
  static void tiles(const nm_part<T>& p) {
    nm_with_sharing<Arch, Registers>(p.a.group.v, [&](auto v) SPARSEKIT_LAMBDA_INLINE {
      nm_byte_tiles<Arch, TX, Registers, v>(p);
    });
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
