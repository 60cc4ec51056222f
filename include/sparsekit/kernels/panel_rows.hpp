// What kernels share whose lanes are the columns of a panel of X: how columns are dealt to panels,
// and how finished sums, which wait as rows of the panel's width, are put into Y.
#pragma once

#include "call.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Columns are dealt to panels in whole registers, as evenly as possible: 7 registers are 4 + 3,
/// not 4 + 2 + 1, so that no panel is much narrower than the others.
struct panel_split {
  index_t registers;  ///< of all columns
  index_t panels;

  constexpr panel_split(index_t columns, index_t lane_width, index_t most)
      : registers(ceil_div(columns, lane_width)), panels(ceil_div(registers, most)) {}
  /// First register of panel p.
  constexpr index_t begin(index_t p) const { return registers * p / panels; }
};

/// f(first register, last register, first group, last group, worker): a task is one panel of X and
/// a range of the `groups` of rows; each re-lays its panel for itself. `work`: multiplications of
/// all.
template <class Policy, class F>
void run_panel_tasks(const Policy& policy, const panel_split& split, index_t work, index_t groups,
                     const F& f) {
  const index_t parts = ceil_div(task_count(policy, work, split.panels * groups), split.panels);
  run_tasks(policy, split.panels * parts, [&](index_t task, index_t worker) {
    const index_t panel = task / parts;
    const index_t part = task % parts;
    f(split.begin(panel), split.begin(panel + 1), groups * part / parts,
      groups * (part + 1) / parts, worker);
  });
}

/// `rows` rows of sums, `width` apart, into rows r0 and on of Y and columns [column, column +
/// columns). Sums must be readable up to full registers in both directions.
template <class Lanes, class S, class Output>
SPARSEKIT_NOINLINE void put_panel_rows(const S* sums, index_t width, index_t rows, index_t columns,
                                       const Output& out, index_t r0, index_t column) {
  if constexpr (decltype(out.y)::layout::rows_contiguous) {
    const index_t full = columns / Lanes::width * Lanes::width;
    const auto tail = Lanes::first(columns - full);
    // Behind references, each store might change them, and they would be read again.
    const auto epilogue = out.epilogue;
    const auto own = output_of<Lanes>(out.y, epilogue, out.weight_sums);
    for (index_t r = 0; r < rows; ++r) {
      const S* sum = sums + r * width;
      for (index_t j = 0; j < full; j += Lanes::width) {
        own.put(Lanes::load(sum + j), r0 + r, column + j, simd::all_lanes{});
      }
      if (full < columns) own.put(Lanes::load(sum + full), r0 + r, column + full, tail);
    }
  } else {
    out.put_tile(sums, width, rows, columns, r0, column);
  }
}

}  // namespace kernels
SPARSEKIT_EXEC_END
