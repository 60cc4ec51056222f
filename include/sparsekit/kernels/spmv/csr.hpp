// y = A x for CSR A: one row at a time, x gathered element by element.
#pragma once

#include <algorithm>

#include "../../formats/csr.hpp"
#include "../call.hpp"
#include "long_rows.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// sum over one row's entries of values[p] * x[columns[p]]. Long rows run in two accumulators of full
/// registers, what remains in a scalar chain; the order of the sum depends on the length alone.
template <class Lanes, class T, class Index>
SPARSEKIT_INLINE T sparse_dot(const T* values, const Index* columns, index_t n, const T* x) {
  constexpr index_t w = Lanes::width;
  index_t p = 0;
  T sum{0};
  if (n >= 2 * w) {
    typename Lanes::reg a = Lanes::zero();
    typename Lanes::reg b = Lanes::zero();
    for (; p + 2 * w <= n; p += 2 * w) {
      a = Lanes::fma(Lanes::load(values + p), Lanes::gather(x, columns + p), a);
      b = Lanes::fma(Lanes::load(values + p + w), Lanes::gather(x, columns + p + w), b);
    }
    sum = Lanes::reduce_add(Lanes::add(a, b));
  }
  using one = simd::lanes<arch::scalar, T>;
  for (; p < n; ++p) sum = one::fma(values[p], x[static_cast<index_t>(columns[p])], sum);
  return sum;
}

/// First row of every task: rows are cut where the entries are, so that one long row does not make one
/// task the whole work.
template <class Offset>
index_t balanced_row(array_view<const Offset> row_ptr, index_t task, index_t tasks) {
  const index_t rows = row_ptr.size() - 1;
  if (task <= 0) return 0;
  if (task >= tasks) return rows;
  // A row weighs its entries plus one, so that empty rows are shared out as well.
  const index_t total = static_cast<index_t>(row_ptr[rows]) + rows;
  const index_t wanted = total / tasks * task + total % tasks * task / tasks;
  index_t low = 0;
  index_t high = rows;
  while (low < high) {
    const index_t middle = low + (high - low) / 2;
    if (static_cast<index_t>(row_ptr[middle]) + middle < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  // Whole cache lines of y, or two threads would write the same one.
  constexpr index_t line = 16;
  return std::min(rows, round_up(low, line));
}

template <class Arch, class T>
struct spmv_csr_row : spmv_kernel {
  using lanes = simd::lanes<Arch, T>;

  template <class Call>
  static void run(const Call& c) {
    const auto& a = c.a;
    const auto out = output_of<simd::lanes<arch::scalar, T>>(c.y, c.epilogue);
    const row_cut cut(a.nnz());
    const auto dot = [&](index_t begin, index_t end) SPARSEKIT_LAMBDA_INLINE {
      return sparse_dot<lanes>(a.values.data() + begin, a.columns.data() + begin, end - begin,
                               c.x.data());
    };
    row_pieces<T> pieces;
    constexpr bool parallel =
        !std::is_same_v<std::remove_cvref_t<decltype(c.policy)>, sequential_policy>;
    if (parallel && cut.cuts(a.nnz())) find_long_rows(cut, a.row_ptr, pieces);
    const index_t tasks = task_count(c.policy, a.nnz() + a.rows(), ceil_div(a.rows(), 16));
    run_tasks(c.policy, tasks + pieces.count, [&](index_t task, index_t) {
      if (task >= tasks) {
        const index_t i = task - tasks;
        const auto& piece = pieces.at[i];
        const index_t begin = static_cast<index_t>(a.row_ptr[piece.row]);
        pieces.sum[i] = dot(begin + piece.begin, begin + piece.end);
        return;
      }
      const index_t end = balanced_row(a.row_ptr, task + 1, tasks);
      for (index_t r = balanced_row(a.row_ptr, task, tasks); r < end; ++r) {
        const index_t begin = static_cast<index_t>(a.row_ptr[r]);
        const index_t n = static_cast<index_t>(a.row_ptr[r + 1]) - begin;
        if (cut.cuts(n)) {
          if (parallel) continue;
          out.put(sum_of_pieces<T>(cut, n,
                                   [&](index_t from, index_t to) {
                                     return dot(begin + from, begin + to);
                                   }),
                  r, 0, simd::all_lanes{});
          continue;
        }
        out.put(dot(begin, begin + n), r, 0, simd::all_lanes{});
      }
    });
    pieces.join([&](index_t row, T sum) { out.put(sum, row, 0, simd::all_lanes{}); });
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
