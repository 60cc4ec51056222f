// Y = A X for BSR A and any layout of X, which is re-laid into panels in the workspace. The inner
// loop is blocks/sums.hpp: tiles of up to four rows, so a block of 8 x 4 or 16 x 1 is two or four
// tiles, which read its column index again (8 rows x 1 register on AVX2 would broadcast more than
// it multiplies).
//
// The epilogue is apart from the sums, which wait in L1 for some block rows: so that one copy of
// the inner loops serves every epilogue and layout.
#pragma once

#include "../../formats/bsr.hpp"
#include "../blocks/sums.hpp"
#include "../panel_rows.hpp"
#include "../relay.hpp"
#include "../spmv/csr.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

template <class Arch, class T>
struct spmm_bsr_panel {
  using product = wide_product<Arch, T>;
  using lanes = typename product::lanes;
  using S = typename product::sum;
  static constexpr int most_registers = block_registers<Arch>();
  /// Rows whose sums wait together, or one block row if it has more.
  static constexpr index_t waiting_rows = 64;

  template <class Call>
  static constexpr bool possible = Call::has_workspace && !Call::one_column;
  template <class Call>
  static bool accepts(const Call& c) {
    return !is_spmv(c) && c.scratch.worker_bytes >= requirement(c.a, c.x.cols()).per_worker;
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    const index_t registers = ceil_div(columns, lanes::width);
    const index_t width =
        (registers < most_registers ? registers : index_t{most_registers}) * lanes::width;
    return {.shared = 0,
            .per_worker = (panel_elements(a, width) + (rows_together(a) + lanes::width) * width) *
                          index_t{sizeof(S)}};
  }
  template <class Call>
  static void run(const Call& c) {
    const auto& a = c.a;
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    const panel_split split(n, lanes::width, most_registers);
    const index_t wanted = task_count(c.policy, a.nnz() * n, split.panels * ceil_div(a.rows(), 16));
    const index_t parts = ceil_div(wanted, split.panels);
    run_tasks(c.policy, split.panels * parts, [&](index_t task, index_t worker) {
      const index_t p = task / parts;
      const index_t registers = split.begin(p + 1) - split.begin(p);
      const index_t width = registers * lanes::width;
      const index_t column = split.begin(p) * lanes::width;
      const index_t columns = n - column < width ? n - column : width;
      S* const panel = c.scratch.template worker_as<S>(worker);
      S* const sums = panel + panel_elements(a, width);
      const bool finite = relay_panel<lanes, S>(c.x, column, columns, width, panel);
      // Blocks may reach beyond the last column of A, with zeros.
      for (index_t k = a.cols() * width; k < round_up(a.cols(), a.block.cols) * width; ++k) {
        panel[k] = S{0};
      }
      const index_t r1 = balanced_row(a.row_ptr, task % parts + 1, parts);
      const index_t together = rows_together(a) / a.block.rows;
      for (index_t r = balanced_row(a.row_ptr, task % parts, parts); r < r1; r += together) {
        const index_t end = r + together < r1 ? r + together : r1;
        for (index_t i = r; i < end; ++i) {
          S* const to = sums + (i - r) * a.block.rows * width;
          if (finite) [[likely]] {
            add_block_row(a, i, panel, registers, to);
          } else {
            exact_block_row(a, i, panel, width, to);
          }
        }
        const index_t row = r * a.block.rows;
        const index_t row_end = end * a.block.rows < a.rows() ? end * a.block.rows : a.rows();
        put_panel_rows<lanes>(sums, width, row_end - row, columns, out, row, column);
      }
    });
  }

 private:
  template <class A>
  static index_t panel_elements(const A& a, index_t width) {
    return round_up(round_up(a.cols(), a.block.cols) * width, 64);
  }
  template <class A>
  static index_t rows_together(const A& a) {
    return a.block.rows < waiting_rows ? waiting_rows / a.block.rows * a.block.rows : a.block.rows;
  }
  template <class A>
  static auto blocks_of(const A& a, index_t r) {
    return block_run<T, typename A::index>{a.columns.data(),
                                           static_cast<index_t>(a.row_ptr[r]),
                                           static_cast<index_t>(a.row_ptr[r + 1]),
                                           a.values.data(),
                                           a.places(),
                                           a.block.cols};
  }
  template <class A>
  static index_t rows_inside(const A& a, index_t r) {
    const index_t left = a.rows() - r * a.block.rows;
    return left < a.block.rows ? left : a.block.rows;
  }

  /// Block row r times a panel, into sums[row][width].
  template <class A>
  static void add_block_row(const A& a, index_t r, const S* panel, index_t registers, S* sums) {
    const auto blocks = blocks_of(a, r);
    const index_t inside = rows_inside(a, r);
    const index_t width = registers * lanes::width;
    simd::unroll<most_registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
      if (registers != j + 1) return;
      for_block_tiles<product>(
          inside, a.block.cols, [&](index_t i, auto rows, auto units) SPARSEKIT_LAMBDA_INLINE {
            block_sums<product, rows, units, j + 1>(blocks, i, panel, true, sums + i * width);
          });
    });
  }
  /// The same where the panel holds Inf or NaN.
  template <class A>
  static SPARSEKIT_NOINLINE void exact_block_row(const A& a, index_t r, const S* panel,
                                                 index_t width, S* sums) {
    const auto blocks = blocks_of(a, r);
    const index_t inside = rows_inside(a, r);
    for (index_t j = 0; j < inside * width; ++j) sums[j] = S{0};
    for_block_tiles<product>(inside, a.block.cols, [&](index_t i, auto rows, auto units) {
      for (index_t q = 0; q < rows; ++q) {
        exact_block_sums<product>(
            blocks, i + q, rows, units, width,
            [&](index_t k, index_t j) { return panel[k * width + j]; },
            [&](index_t b, index_t place) { return bsr_checks::is_entry(a, b, place); },
            sums + (i + q) * width);
      }
    });
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
