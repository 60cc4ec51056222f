// y = W x with zeros in both: W in 16 x 1 blocks, column by column (active_set.hpp), of
// which only the active columns are read.
//
// Sums of a tile of rows stay in L1; a block is added to its 16 rows there. A column's blocks are
// sorted by row, so where there are several tiles or tasks each finds its own by bisection.
#pragma once

#include "columns.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

template <class Arch, class T>
struct gemv_active_blocks {
  using sum = sum_of_t<T>;
  using lanes = simd::lanes<Arch, sum>;
  static constexpr index_t height = 16;
  static constexpr index_t tile_rows = 16384 / index_t{sizeof(sum)};

  template <class Call>
  static bool accepts(const Call&) {
    return true;
  }
  template <class A>
  static workspace_size requirement(const A&, index_t) {
    return {};
  }
  template <class Call>
  static void run(const Call& c) {
    const index_t rows = c.a.rows();
    const index_t tasks = task_count(c.policy, c.a.nnz() * c.x.cols() / 4, ceil_div(rows, 16));
    const bool fast = c.a.base.block == block_shape{1, height};
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t r0 = active_cut(rows, task, tasks);
      const index_t r1 = active_cut(rows, task + 1, tasks);
      for (index_t n = 0; n < c.x.cols(); ++n) {
        const auto x = active_elements_of(c.a, c.x, n);
        for (index_t r = r0; r < r1; r += tile_rows) {
          alignas(64) sum sums[tile_rows];
          const index_t count = std::min(tile_rows, r1 - r);
          if (fast) {
            add_columns(c.a.base, r, count, x, sums);
          } else {
            add_places(c.a.base, r, count, x, sums);
          }
          put_active_sums<lanes>(c, sums, r, count, n);
        }
      }
    });
  }

 private:
  /// The first block of column k whose rows begin at or behind `row`.
  template <class A>
  static index_t first_block(const A& a, index_t k, index_t row) {
    index_t low = static_cast<index_t>(a.row_ptr[k]);
    index_t high = static_cast<index_t>(a.row_ptr[k + 1]);
    if (row == 0) return low;
    while (low < high) {
      const index_t middle = low + (high - low) / 2;
      if (static_cast<index_t>(a.columns[middle]) * height < row) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /// sums[r] over the active columns, in their order. The tile begins with a block.
  template <class A, class X>
  static SPARSEKIT_NOINLINE void add_columns(const A& a, index_t row, index_t rows, const X& x,
                                             sum* sums) {
    const index_t whole = round_up(rows, height);
    std::fill(sums, sums + whole, sum{0});
    for (index_t i = 0; i < x.count(); ++i) {
      const index_t k = index_t{x.indices[i]};
      const index_t end = static_cast<index_t>(a.row_ptr[k + 1]);
      const sum value = static_cast<sum>(x[i]);
      const bool finite = simd::is_finite(value);
      const auto factor = lanes::broadcast(value);
      for (index_t b = first_block(a, k, row); b < end; ++b) {
        const index_t at = static_cast<index_t>(a.columns[b]) * height - row;
        if (at >= rows) break;
        const T* block = a.values.data() + b * height;
        if (!finite) {
          add_entries(a, b, value, block, sums + at);
          continue;
        }
        simd::unroll<static_cast<int>(height) / lanes::width>([&](auto v) SPARSEKIT_LAMBDA_INLINE {
          sum* const s = sums + at + v * lanes::width;
          const auto w = simd::load_as<lanes>(simd::all_lanes{}, block + v * lanes::width);
          lanes::store(s, simd::add_product<lanes>(factor, w, lanes::load(s)));
        });
      }
    }
  }
  /// One block where x is Inf or NaN: its entries only.
  template <class A>
  static void add_entries(const A& a, index_t b, sum x, const T* block, sum* sums) {
    using one = simd::lanes<arch::scalar, sum>;
    for (index_t i = 0; i < height; ++i) {
      if (!bsr_checks::is_entry(a, b, i)) continue;
      sums[i] = simd::add_product<one>(x, static_cast<sum>(block[i]), sums[i]);
    }
  }

  /// Blocks of any other shape, entry by entry.
  template <class A, class X>
  static SPARSEKIT_NOINLINE void add_places(const A& a, index_t row, index_t rows, const X& x,
                                            sum* sums) {
    using one = simd::lanes<arch::scalar, sum>;
    std::fill(sums, sums + round_up(rows, lanes::width), sum{0});
    for (index_t i = 0; i < x.count(); ++i) {
      const index_t k = index_t{x.indices[i]};
      const index_t g = k / a.block.rows;
      const index_t line = k % a.block.rows * a.block.cols;
      for (index_t b = static_cast<index_t>(a.row_ptr[g]);
           b < static_cast<index_t>(a.row_ptr[g + 1]); ++b) {
        for (index_t j = 0; j < a.block.cols; ++j) {
          const index_t at = static_cast<index_t>(a.columns[b]) * a.block.cols + j - row;
          if (at < 0 || at >= rows || !bsr_checks::is_entry(a, b, line + j)) continue;
          const sum w = static_cast<sum>(a.values[b * a.places() + line + j]);
          sums[at] = simd::add_product<one>(static_cast<sum>(x[i]), w, sums[at]);
        }
      }
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
