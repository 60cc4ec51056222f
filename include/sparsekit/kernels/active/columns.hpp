// y = W x where only some columns of a column-major W take part: zeros of x that are known at run
// time.
//
// Rows are cut into tiles whose sums stay in L1. Into each, `fused` columns are added at a time, so
// that a sum is loaded and stored once for so many multiplications; the columns are long runs of
// memory, which hardware prefetches. With every column active this reads W once, as a dense product
// does.
//
// Weights of bf16 and f16 are widened to f32; those of s8 become words of two or four columns for
// dot products (simd/column_words.hpp), where the ISA has them.
//
// There is no separate dense way: with no zero in x this reads W once, as dense does. Over packed
// dense weights of f32, bf16, s8 that is, on Zen 3 from memory (4096 x 8192) 1.5, 1.4 and 1.2, in
// cache (512 x 512) .75 to .87, .85 to 1.1 and .67; on Emerald Rapids in cache .98, .8 and .7 (2048
// x 512: .83): there weights of bf16 and s8 should go to pack_dense() while fewer than a fifth to a
// third of x are zero. Two or three registers of rows at a time, sums of 64 to 192 rows kept in
// registers across all columns, or asking for the first 2 to 8 lines of the next columns changed
// nothing or were slower: L2 is read at nine tenths of what one long run gives.
#pragma once

#include <algorithm>

#include "../../active_set.hpp"
#include "../../simd/column_words.hpp"
#include "../../simd/mixed.hpp"
#include "../call.hpp"
#include "../dense/tile.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// The active elements of one column of x, in order: element i is x[i], of column indices[i] of W.
template <class TX>
struct active_elements {
  array_view<const std::uint32_t> indices;
  const TX* values;
  index_t stride;
  bool compact;  ///< values hold the active elements only

  index_t count() const { return indices.size(); }
  SPARSEKIT_INLINE TX operator[](index_t i) const {
    return values[(compact ? i : index_t{indices[i]}) * stride];
  }
};
template <class A, class TX, class Layout>
requires requires(const A& a) { a.indices; }
active_elements<TX> active_elements_of(const A& a, dense_view<const TX, Layout> x, index_t column) {
  return {a.indices, a.indices.size() > 0 ? &x(0, column) : nullptr,
          Layout::rows_contiguous ? x.ld() : 1, a.compact};
}
template <class T, class TX, class X>
active_elements<TX> active_elements_of(const active_batch_view<T, TX>& a, const X&,
                                       index_t column) {
  const auto v = a.sets[column].view();
  return {v.indices, v.values.data(), 1, true};
}

/// First row of a task, on a cache line of y.
inline index_t active_cut(index_t rows, index_t task, index_t tasks) {
  constexpr index_t line = 16;
  return std::min(rows, ceil_div(rows, line) * task / tasks * line);
}

/// Sums of a tile of rows through the epilogue.
template <class Lanes, class Call>
void put_active_sums(const Call& c, const simd::value_of<Lanes>* sums, index_t row, index_t rows,
                     index_t column) {
  if constexpr (Call::y_layout::rows_contiguous) {
    const auto out = output_of<simd::lanes<arch::scalar, simd::value_of<Lanes>>>(c.y, c.epilogue);
    for (index_t r = 0; r < rows; ++r) out.put(sums[r], row + r, column, simd::all_lanes{});
  } else {
    const auto out = output_of<Lanes>(c.y, c.epilogue);
    index_t r = 0;
    for (; r + Lanes::width <= rows; r += Lanes::width) {
      out.put(Lanes::load(sums + r), row + r, column, simd::all_lanes{});
    }
    if (r < rows) out.put(Lanes::load(sums + r), row + r, column, Lanes::first(rows - r));
  }
}

/// x, or zero where a zero weight meets an Inf or NaN.
template <class S>
SPARSEKIT_INLINE S visible_sum(S weight, S x) {
  if constexpr (std::is_integral_v<S>) {
    return x;
  } else {
    return visible(weight, x);
  }
}

template <class Arch, class T>
struct gemv_active {
  using sum = sum_of_t<T>;
  using lanes = simd::lanes<Arch, sum>;
  using weights = dense_view<const T, col_major>;
  /// Columns added in one go. 16 were 15 % slower in cache on Zen 4, where their pointers spill,
  /// and no faster from memory; prefetching the next group's columns cost more than it brought.
  static constexpr int fused = 8;
  /// Rows of a tile: 16 KB of sums, half of L1.
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
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t r0 = active_cut(rows, task, tasks);
      const index_t r1 = active_cut(rows, task + 1, tasks);
      for (index_t n = 0; n < c.x.cols(); ++n) {
        const auto x = active_elements_of(c.a, c.x, n);
        for (index_t r = r0; r < r1; r += tile_rows) {
          alignas(64) sum room[tile_rows + 64];
          const index_t count = std::min(tile_rows, r1 - r);
          const index_t head = rows_before_line<decltype(x)>(c.a.w, r, count);
          // So that the sums of the other rows stand on lines, too.
          sum* const sums = room + lead<decltype(x)>(head);
          add_columns(c.a.w, r, count, head, x, sums);
          put_active_sums<lanes>(c, sums, r, count, n);
        }
      }
    });
  }

 private:
  using mixed = simd::mixed<Arch>;
  template <class X>
  using column_words = simd::column_words<Arch, std::decay_t<decltype(std::declval<X>()[0])>>;
  template <class X>
  static constexpr bool in_words = std::is_same_v<T, std::int8_t>&& column_words<X>::available;
  /// Whether words are made of all rows, the first and the last ones under a mask.
  template <class X>
  static constexpr bool all_in_words = [] {
    if constexpr (in_words<X>) {
      return column_words<X>::parts;
    } else {
      return false;
    }
  }();
  /// Rows that one iteration adds to.
  template <class X>
  static constexpr index_t step_rows = [] {
    if constexpr (in_words<X>) {
      return column_words<X>::registers * lanes::width;
    } else {
      return index_t{lanes::width};
    }
  }();

  /// Rows of a tile before the first that stands on a cache line in every column: they are added
  /// under a mask, and no register of the others lies across two lines (512 x 512 f32 from a
  /// std::vector: 1.8 times as fast). None where columns differ in that.
  template <class X>
  static index_t rows_before_line(const weights& w, index_t row, index_t rows) {
    constexpr index_t line = 64;
    constexpr bool masks = lanes::width * sizeof(sum) >= 32 && (!in_words<X> || all_in_words<X>);
    if (!masks || w.ld() * index_t{sizeof(T)} % line != 0) return 0;
    const auto beyond =
        static_cast<index_t>(reinterpret_cast<std::uintptr_t>(w.data() + row) % line);
    if (beyond % index_t{sizeof(T)} != 0) return 0;
    const index_t head = (line - beyond) % line / index_t{sizeof(T)};
    return head < rows ? head : 0;
  }
  /// Sums before the first one, so that the one behind `head` begins a step.
  template <class X>
  static index_t lead(index_t head) {
    return (step_rows<X> - head % step_rows<X>) % step_rows<X>;
  }

  /// bf16: a word holds two rows, each an f32 after one instruction; widening them in order takes
  /// two. The sums of so many rows then stand even rows first, until the last column is added.
  static constexpr bool splits_rows =
      std::is_same_v<T, bfloat16> && requires(typename mixed::words w) {
    mixed::even(w);
    mixed::odd(w);
  };
  static constexpr index_t split = 2 * lanes::width;

  /// Where the sum of row r of a tile stands, of which `head` rows are added in order first.
  static index_t place_of(index_t r, index_t head, index_t rows) {
    if (!splits_rows || r < head || r >= head + (rows - head) / split * split) return r;
    const index_t i = (r - head) % split;
    return r - i + i % 2 * lanes::width + i / 2;
  }
  static void order_rows(index_t head, index_t rows, sum* sums) {
    for (index_t r = head; r + split <= rows; r += split) {
      sum block[split];
      for (index_t i = 0; i < split; ++i) block[i] = sums[r + i];
      for (index_t i = 0; i < split; ++i) sums[r + i] = block[i % 2 * lanes::width + i / 2];
    }
  }

  /// sums[r] = sum over the active columns, in their order: `fused` at a time, then what is left.
  /// The first `head` rows apart.
  template <class X>
  static SPARSEKIT_NOINLINE void add_columns(const weights& w, index_t row, index_t rows,
                                             index_t head, const X& x, sum* sums) {
    const index_t count = x.count();
    const index_t begin = all_in_words<X> ? -lead<X>(head) : 0;
    const index_t end =
        begin + round_up(rows - begin, all_in_words<X> ? step_rows<X> : lanes::width);
    for (index_t r = begin; r < end; r += lanes::width) lanes::store(sums + r, lanes::zero());
    index_t i = 0;
    for (; i + fused <= count; i += fused) add_group<fused>(w, row, rows, head, x, i, sums);
    for (; i + 4 <= count; i += 4) add_group<4>(w, row, rows, head, x, i, sums);
    if constexpr (in_words<X>) {
      const index_t stop = i == 0 ? begin : all_in_words<X> ? end : rows;
      for (index_t r = begin; r + step_rows<X> <= stop; r += step_rows<X>)
        column_words<X>::order(sums + r);
    }
    for (; i < count; ++i) add_group<1>(w, row, rows, head, x, i, sums);
    if constexpr (splits_rows) order_rows(head, rows, sums);
  }

  template <int N, class X>
  static SPARSEKIT_INLINE void add_group(const weights& w, index_t row, index_t rows, index_t head,
                                         const X& x, index_t first, sum* sums) {
    const T* column[N];
    typename lanes::reg factor[N];
    bool finite = true;
    simd::unroll<N>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
      column[j] = &w(row, index_t{x.indices[first + j]});
      const sum value = static_cast<sum>(x[first + j]);
      finite = finite && simd::is_finite(value);
      factor[j] = lanes::broadcast(value);
    });
    if (!finite) return add_group_exactly<N>(column, rows, head, x, first, sums);
    const auto step = [&](index_t r, auto mask) SPARSEKIT_LAMBDA_INLINE {
      // Two chains, or the latency of one multiplication after the other would show.
      typename lanes::reg even = lanes::load(sums + r);
      typename lanes::reg odd = lanes::zero();
      simd::unroll<N>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
        auto& t = j % 2 == 0 ? even : odd;
        t = simd::add_product<lanes>(factor[j], simd::load_as<lanes>(mask, column[j] + r), t);
      });
      lanes::store(sums + r, N == 1 ? even : lanes::add(even, odd));
    };
    index_t r = 0;
    if constexpr (in_words<X>) {
      if constexpr (N % 4 == 0) r = add_words<N>(column, rows, head, x, first, sums);
    } else {
      for (; r < head; r += lanes::width) step(r, lanes::first(head - r));
      r = head;
      if constexpr (splits_rows) r = add_split_rows<N>(column, factor, r, rows, sums);
    }
    for (; r + lanes::width <= rows; r += lanes::width) step(r, simd::all_lanes{});
    if (r < rows) step(r, lanes::first(rows - r));
  }

  /// Two registers of rows at a time; each sum takes its terms in the order of `step`. Returns the
  /// rows that are done.
  template <int N>
  static SPARSEKIT_INLINE index_t add_split_rows(const T* const* column,
                                                 const typename lanes::reg* factor, index_t r,
                                                 index_t rows, sum* sums) {
    for (; r + split <= rows; r += split) {
      // [rows][chains]
      typename lanes::reg chain[2][2] = {{lanes::load(sums + r), lanes::zero()},
                                         {lanes::load(sums + r + lanes::width), lanes::zero()}};
      simd::unroll<N>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
        const auto w = mixed::load_words(column[j] + r);
        chain[0][j % 2] =
            lanes::fma(factor[j], typename lanes::reg(mixed::even(w)), chain[0][j % 2]);
        chain[1][j % 2] =
            lanes::fma(factor[j], typename lanes::reg(mixed::odd(w)), chain[1][j % 2]);
      });
      simd::unroll<2>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
        lanes::store(sums + r + i * lanes::width,
                     N == 1 ? chain[i][0] : lanes::add(chain[i][0], chain[i][1]));
      });
    }
    return r;
  }

  /// Some columns of s8 at a time, which is exact in any order. Returns the rows that are done;
  /// their sums stand in the order of column_words until `order`.
  template <int N, class X>
  static SPARSEKIT_INLINE index_t add_words(const T* const* column, index_t rows, index_t head,
                                            const X& x, index_t first, sum* sums) {
    using words = column_words<X>;
    constexpr index_t w = lanes::width;
    constexpr int steps = N / words::columns;
    typename words::words factor[steps];
    simd::unroll<steps>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
      factor[j] = words::factor([&](int i) { return x[first + j * words::columns + i]; });
    });
    [[maybe_unused]] std::uint32_t too_much = 0;
    if constexpr (words::raised != 0) {
      for (int j = 0; j < N; ++j)
        too_much += static_cast<std::uint32_t>(words::raised * x[first + j]);
    }
    const auto step = [&](index_t r, auto load) SPARSEKIT_LAMBDA_INLINE {
      typename mixed::s32 total[words::registers];
      simd::unroll<words::registers>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
        total[i] = mixed::load_s32(sums + r + i * w);
        if constexpr (words::raised != 0) {
          total[i] = lanes::sub(total[i], lanes::broadcast(static_cast<sum>(too_much)));
        }
      });
      simd::unroll<steps>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
        typename words::words word[words::registers];
        load(column + j * words::columns, r, word);
        simd::unroll<words::registers>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
          total[i] = words::add(total[i], word[i], factor[j]);
        });
      });
      simd::unroll<words::registers>(
          [&](auto i) SPARSEKIT_LAMBDA_INLINE { mixed::store(sums + r + i * w, total[i]); });
    };
    const auto whole = [](const T* const* from, index_t r, typename words::words* word)
                           SPARSEKIT_LAMBDA_INLINE { words::load(from, r, word); };
    index_t r = 0;
    if constexpr (words::parts) {
      const auto part = [&](const T* const* from, index_t at,
                            typename words::words* word) SPARSEKIT_LAMBDA_INLINE {
        words::load(from, at, at < 0 ? -at : 0, std::min(step_rows<X>, rows - at), word);
      };
      r = -lead<X>(head);
      if (r < 0) step(r, part), r += step_rows<X>;
      for (; r + step_rows<X> <= rows; r += step_rows<X>) step(r, whole);
      if (r < rows) step(r, part);
      return rows;
    }
    for (; r + step_rows<X> <= rows; r += step_rows<X>) step(r, whole);
    return r;
  }

  /// The same sums, leaving out zero weights where x is Inf or NaN.
  template <int N, class X>
  static SPARSEKIT_NOINLINE void add_group_exactly(const T* const* column, index_t rows,
                                                   index_t head, const X& x, index_t first,
                                                   sum* sums) {
    using one = simd::lanes<arch::scalar, sum>;
    for (index_t r = 0; r < rows; ++r) {
      sum& total = sums[place_of(r, head, rows)];
      sum chain[2] = {total, sum{0}};
      for (index_t j = 0; j < N; ++j) {
        const sum weight = static_cast<sum>(column[j][r]);
        const sum seen = visible_sum(weight, static_cast<sum>(x[first + j]));
        chain[j % 2] = simd::add_product<one>(seen, weight, chain[j % 2]);
      }
      total = N == 1 ? chain[0] : chain[0] + chain[1];
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
