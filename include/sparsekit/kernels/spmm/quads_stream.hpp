// Y = A X for balanced row quads without a workspace, for any layouts and one column as well: slot by slot,
// the sums of a row block on the stack. For calls that forgot the workspace, not for speed.
#pragma once

#include "../../formats/packed.hpp"
#include "../call.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

template <class Arch, class T>
struct spmm_packed_stream {
  using S = sum_of_t<T>;
  /// Sums of a row block of 512 rows: 16 KiB of stack.
  static constexpr index_t width = index_t{32} / index_t{sizeof(S)};

  template <class Call>
  static constexpr bool possible = !std::is_integral_v<T>;
  template <class Call>
  static bool accepts(const Call& c) {
    return c.a.has_quads();
  }
  template <class A>
  static workspace_size requirement(const A&, index_t) {
    return {};
  }
  template <class Call>
  static void run(const Call& c) {
    const quad_view<const T>& a = c.a.quads;
    const index_t n = c.x.cols();
    const index_t panels = ceil_div(n, width);
    const index_t tasks = a.row_blocks() * panels;
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t column = task % panels * width;
      const index_t columns = n - column < width ? n - column : width;
      run_block(c, task / panels, column, columns);
    });
  }

 private:
  using one = simd::lanes<arch::scalar, S>;

  template <class Call>
  static void run_block(const Call& c, index_t row_block, index_t column, index_t columns) {
    const quad_view<const T>& a = c.a.quads;
    using view = quad_view<const T>;
    alignas(64) S sums[view::max_row_block * width] = {};
    const index_t r0 = row_block * a.row_block;
    const index_t rows = a.rows() - r0 < a.row_block ? a.rows() - r0 : a.row_block;
    const index_t group_rows = 4 * a.interleave;
    for (index_t k = 0; k < a.column_blocks(); ++k) {
      const quad_block& block = a.blocks[row_block * a.column_blocks() + k];
      const std::uint16_t* head = a.heads.data() + block.head;
      const std::uint8_t* cols = a.columns.data() + block.column;
      const T* values = a.values.data() + block.value;
      for (std::int32_t g = 0; g < block.groups; ++g, head += group_rows + 1) {
        for_each_slot(block, a.interleave, head[group_rows], cols, values,
                      [&](index_t row, index_t col, T value) {
          if (is_empty_slot(value)) return;
          S* sum = sums + index_t{head[row]} * width;
          const S v = static_cast<S>(value);
          for (index_t j = 0; j < columns; ++j) {
            const S x = static_cast<S>(c.x(k * a.column_block + col, column + j));
            sum[j] = one::fma(v, x, sum[j]);
          }
        });
      }
    }
    const auto out = output_of<one>(c.y, c.epilogue);
    for (index_t r = 0; r < rows; ++r) {
      for (index_t j = 0; j < columns; ++j) {
        out.put(sums[r * width + j], r0 + r, column + j, simd::all_lanes{});
      }
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
