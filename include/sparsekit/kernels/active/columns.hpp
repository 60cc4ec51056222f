// y = W x where only some columns of a column-major W take part: zeros of x that are known at run time.
//
// Rows are cut into tiles whose sums stay in L1. Into each, `fused` columns are added at a time, so that a
// sum is loaded and stored once for so many multiplications; the columns are long runs of memory, which
// hardware prefetches. With every column active this reads W once, as a dense product does.
#pragma once

#include <algorithm>

#include "../../formats/active_set.hpp"
#include "../call.hpp"
#include "../dense/tile.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

template <class Arch, class T>
struct gemv_active {
  using lanes = simd::lanes<Arch, T>;
  using view = active_columns_view<T>;
  /// Columns added in one go. 16 were 15 % slower in cache on Zen 4, where their pointers spill, and no faster
  /// from memory; prefetching the next group's columns cost more than it brought.
  static constexpr int fused = 8;
  /// Rows of a tile: 16 KB of sums, half of L1.
  static constexpr index_t tile_rows = 16384 / index_t{sizeof(T)};

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
    constexpr index_t line = 16;
    const index_t tasks = task_count(c.policy, c.a.nnz() * c.x.cols() / 4, ceil_div(rows, line));
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t r0 = cut(rows, task, tasks);
      const index_t r1 = cut(rows, task + 1, tasks);
      for (index_t n = 0; n < c.x.cols(); ++n) {
        for (index_t r = r0; r < r1; r += tile_rows) {
          finish_tile(c, r, std::min(tile_rows, r1 - r), n);
        }
      }
    });
  }

 private:
  /// First row of a task, on a cache line of y.
  static index_t cut(index_t rows, index_t task, index_t tasks) {
    constexpr index_t line = 16;
    return std::min(rows, ceil_div(rows, line) * task / tasks * line);
  }

  /// x as this kernel reads it: element i of the active ones.
  template <class X>
  struct active_values {
    X x;
    const std::uint32_t* indices;
    index_t column;
    bool compact;
    SPARSEKIT_INLINE T operator[](index_t i) const {
      return x(compact ? i : index_t{indices[i]}, column);
    }
  };

  template <class Call>
  static void finish_tile(const Call& c, index_t row, index_t rows, index_t column) {
    alignas(64) T sums[tile_rows];
    const active_values<decltype(c.x)> x{c.x, c.a.indices.data(), column, c.a.compact};
    add_columns(c.a, row, rows, x, sums);
    if constexpr (Call::y_layout::rows_contiguous) {
      const auto out = output_of<simd::lanes<arch::scalar, T>>(c.y, c.epilogue);
      for (index_t r = 0; r < rows; ++r) out.put(sums[r], row + r, column, simd::all_lanes{});
    } else {
      const auto out = output_of<lanes>(c.y, c.epilogue);
      index_t r = 0;
      for (; r + lanes::width <= rows; r += lanes::width) {
        out.put(lanes::load(sums + r), row + r, column, simd::all_lanes{});
      }
      if (r < rows) out.put(lanes::load(sums + r), row + r, column, lanes::first(rows - r));
    }
  }

  /// sums[r] = sum over the active columns, in their order: `fused` at a time, then what is left.
  template <class X>
  static SPARSEKIT_NOINLINE void add_columns(const view& a, index_t row, index_t rows, const X& x,
                                             T* sums) {
    const index_t count = a.indices.size();
    const index_t whole = round_up(rows, lanes::width);
    for (index_t r = 0; r < whole; r += lanes::width) lanes::store(sums + r, lanes::zero());
    index_t i = 0;
    for (; i + fused <= count; i += fused) add_group<fused>(a, row, rows, x, i, sums);
    for (; i + 4 <= count; i += 4) add_group<4>(a, row, rows, x, i, sums);
    for (; i < count; ++i) add_group<1>(a, row, rows, x, i, sums);
  }

  template <int N, class X>
  static SPARSEKIT_INLINE void add_group(const view& a, index_t row, index_t rows, const X& x,
                                         index_t first, T* sums) {
    const T* column[N];
    typename lanes::reg factor[N];
    bool finite = true;
    simd::unroll<N>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
      column[j] = &a.w(row, index_t{a.indices[first + j]});
      const T value = x[first + j];
      finite = finite && simd::is_finite(value);
      factor[j] = lanes::broadcast(value);
    });
    if (!finite) return add_group_exactly<N>(column, rows, x, first, sums);
    const auto step = [&](index_t r, auto mask) SPARSEKIT_LAMBDA_INLINE {
      // Two chains, or the latency of one multiplication after the other would show.
      typename lanes::reg even = lanes::load(sums + r);
      typename lanes::reg odd = lanes::zero();
      simd::unroll<N>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
        auto& sum = j % 2 == 0 ? even : odd;
        sum = lanes::fma(factor[j], lanes::load(mask, column[j] + r), sum);
      });
      lanes::store(sums + r, N == 1 ? even : lanes::add(even, odd));
    };
    index_t r = 0;
    for (; r + lanes::width <= rows; r += lanes::width) step(r, simd::all_lanes{});
    if (r < rows) step(r, lanes::first(rows - r));
  }

  /// The same sums, leaving out zero weights where x is Inf or NaN.
  template <int N, class X>
  static SPARSEKIT_NOINLINE void add_group_exactly(const T* const* column, index_t rows, const X& x,
                                                   index_t first, T* sums) {
    using one = simd::lanes<arch::scalar, T>;
    for (index_t r = 0; r < rows; ++r) {
      T chain[2] = {sums[r], T{0}};
      for (index_t j = 0; j < N; ++j) {
        const T weight = column[j][r];
        chain[j % 2] = one::fma(visible(weight, x[first + j]), weight, chain[j % 2]);
      }
      sums[r] = N == 1 ? chain[0] : chain[0] + chain[1];
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
