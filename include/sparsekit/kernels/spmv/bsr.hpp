// y = A x for BSR A: lanes are neighbouring columns of a block, so a register of x serves all of its rows.
//
// A block's empty places hold zeros that are multiplied like entries. That shows only where x is NaN or
// infinite, and then in the sum, which is not finite: such rows are summed again, entries only, in the
// same order.
#pragma once

#include "../../formats/bsr.hpp"
#include "csr.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Rows of a block row that share the registers of x.
inline constexpr int bsr_rows = 4;

/// The sum of row i of block row r, leaving out places that are no entries. Same order as bsr_sums.
template <class Lanes, class A, class TX>
SPARSEKIT_NOINLINE auto bsr_entries_sum(const A& a, index_t r, index_t i, const TX* x) {
  using S = simd::value_of<Lanes>;
  using one = simd::lanes<arch::scalar, S>;
  alignas(64) S lane[Lanes::width] = {};
  for (index_t b = static_cast<index_t>(a.row_ptr[r]); b < static_cast<index_t>(a.row_ptr[r + 1]);
       ++b) {
    const index_t column = static_cast<index_t>(a.columns[b]) * a.block.cols;
    for (index_t k = 0; k < a.block.cols; ++k) {
      const index_t place = i * a.block.cols + k;
      if (!bsr_checks::is_entry(a, b, place)) continue;
      S& sum = lane[k % Lanes::width];
      sum = simd::add_product<one>(simd::number_as<S>(a.values[b * a.places() + place]),
                                   simd::number_as<S>(x[column + k]), sum);
    }
  }
  return Lanes::reduce_add(Lanes::load(lane));
}

/// Rows i .. i + Rows - 1 of block row r: f(row in the block, sum).
template <class Lanes, int Rows, class A, class TX, class F>
SPARSEKIT_INLINE void bsr_sums(const A& a, index_t r, index_t i, const TX* x, F&& f) {
  constexpr index_t w = Lanes::width;
  typename Lanes::reg sum[Rows];
  simd::unroll<Rows>([&](auto q) SPARSEKIT_LAMBDA_INLINE { sum[q] = Lanes::zero(); });
  const index_t end = static_cast<index_t>(a.row_ptr[r + 1]);
  for (index_t b = static_cast<index_t>(a.row_ptr[r]); b < end; ++b) {
    const index_t column = static_cast<index_t>(a.columns[b]) * a.block.cols;
    const index_t inside = a.cols() - column < a.block.cols ? a.cols() - column : a.block.cols;
    const auto* values = a.values.data() + b * a.places() + i * a.block.cols;
    for (index_t k = 0; k < inside; k += w) {
      const auto mask = Lanes::first(inside - k);
      const typename Lanes::reg xs = simd::load_as<Lanes>(mask, x + column + k);
      simd::unroll<Rows>([&](auto q) SPARSEKIT_LAMBDA_INLINE {
        sum[q] = simd::add_product<Lanes>(simd::load_as<Lanes>(mask, values + q * a.block.cols + k),
                                          xs, sum[q]);
      });
    }
  }
  simd::unroll<Rows>([&](auto q) SPARSEKIT_LAMBDA_INLINE { f(i + q, Lanes::reduce_add(sum[q])); });
}

/// All rows of block row r.
template <class Lanes, class A, class TX, class F>
SPARSEKIT_INLINE void bsr_block_row(const A& a, index_t r, const TX* x, F&& f) {
  const index_t inside = a.rows() - r * a.block.rows;
  const index_t rows = inside < a.block.rows ? inside : a.block.rows;
  index_t i = 0;
  for (; i + bsr_rows <= rows; i += bsr_rows) bsr_sums<Lanes, bsr_rows>(a, r, i, x, f);
  simd::unroll<bsr_rows>([&](auto left) SPARSEKIT_LAMBDA_INLINE {
    if constexpr (left > 0) {
      if (rows - i == left) bsr_sums<Lanes, left>(a, r, i, x, f);
    }
  });
}

template <class Arch, class T>
struct spmv_bsr : spmv_kernel {
  using S = sum_of_t<T>;
  using lanes = simd::lanes<Arch, S>;

  template <class Call>
  static void run(const Call& c) {
    const auto& a = c.a;
    const auto out = output_of<simd::lanes<arch::scalar, S>>(c.y, c.epilogue);
    const auto* x = c.x.data();
    const index_t tasks =
        fine_task_count(c.policy, spmv_work(a.nnz() + a.rows()), ceil_div(a.block_rows(), 16));
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t end = balanced_row(a.row_ptr, task + 1, tasks);
      for (index_t r = balanced_row(a.row_ptr, task, tasks); r < end; ++r) {
        bsr_block_row<lanes>(a, r, x, [&](index_t i, S sum) SPARSEKIT_LAMBDA_INLINE {
          if (!simd::is_finite(sum)) sum = bsr_entries_sum<lanes>(a, r, i, x);
          out.put(sum, r * a.block.rows + i, 0, simd::all_lanes{});
        });
      }
    });
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
