// y = A x for CSR A: four rows at a time, each in four running sums, x loaded element by element.
#pragma once

#include <algorithm>

#include "../../formats/csr.hpp"
#include "../call.hpp"
#include "long_rows.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// sum over one row's entries of values[p] * x[columns[p]]. Long rows run in two accumulators of
/// full registers, what remains in a scalar chain; the order of the sum depends on the length
/// alone.
template <class Lanes, class T, class Index, class TX>
SPARSEKIT_INLINE auto sparse_dot(const T* values, const Index* columns, index_t n, const TX* x) {
  using S = simd::value_of<Lanes>;
  constexpr index_t w = Lanes::width;
  constexpr simd::all_lanes all;
  index_t p = 0;
  S sum{0};
  if (n >= 2 * w) {
    typename Lanes::reg a = Lanes::zero();
    typename Lanes::reg b = Lanes::zero();
    for (; p + 2 * w <= n; p += 2 * w) {
      a = simd::add_product<Lanes>(simd::load_as<Lanes>(all, values + p),
                                   simd::gather_as<Lanes>(x, columns + p), a);
      b = simd::add_product<Lanes>(simd::load_as<Lanes>(all, values + p + w),
                                   simd::gather_as<Lanes>(x, columns + p + w), b);
    }
    sum = Lanes::reduce_add(Lanes::add(a, b));
  }
  using one = simd::lanes<arch::scalar, S>;
  for (; p < n; ++p) {
    sum = simd::add_product<one>(simd::number_as<S>(values[p]),
                                 simd::number_as<S>(x[static_cast<index_t>(columns[p])]), sum);
  }
  return sum;
}

/// What so many entries count for when tasks are cut: each waits for its element of x.
constexpr index_t spmv_work(index_t entries) { return 2 * entries; }

/// First row of every task: rows are cut where the entries are, so that one long row does not make
/// one task the whole work.
template <class Offsets>
index_t balanced_row(const Offsets& row_ptr, index_t task, index_t tasks) {
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

/// The four running sums of one row. Which entry goes into which sum depends on the length alone.
/// Tail: what is known of it, the entries beyond a multiple of four. `any_tail`: nothing, but four
/// entries from each multiple of four on are readable, for the rows behind have some. `last_tail`:
/// not even that.
inline constexpr int any_tail = -1;
inline constexpr int last_tail = -2;
template <class Sums, int Tail, class T, class Index, class TX>
SPARSEKIT_INLINE typename Sums::reg csr_row_sums(const T* v, const Index* c, index_t n,
                                                 const TX* x) {
  auto s = Sums::zero();
  if (n > 12) {
    auto t = Sums::zero();
    for (; n > 8; n -= 8, v += 8, c += 8) {
      s = Sums::add(s, v, x, c);
      t = Sums::add(t, v + 4, x, c + 4);
    }
    s = Sums::add(s, t);
  }
  for (; n > 4; n -= 4, v += 4, c += 4) s = Sums::add(s, v, x, c);
  if constexpr (Tail == 1) {
    return Sums::add_one(s, v, x, c);
  } else if constexpr (Tail == 2) {
    return Sums::add_two(s, v, x, c);
  } else if constexpr (Tail == any_tail) {
    return Sums::add_first(s, n, v, x, c);
  } else {
    if (n == 1) return Sums::add_one(s, v, x, c);
    if (n == 2) return Sums::add_two(s, v, x, c);
    if (n == 3) return Sums::add_three(s, v, x, c);
    return n == 4 ? Sums::add(s, v, x, c) : s;
  }
}

/// Sums of rows [r0, r1) into to[0], to[1], ... Four rows at a time: their chains overlap, and the
/// lanes of all four are added up at once. Not inlined, so that programs have it once and not for
/// each epilogue.
template <class Sums, class T, class Index, class Offset, class TX>
SPARSEKIT_NOINLINE void csr_sums(const csr_view<const T, Index, Offset>& a, const TX* x, index_t r0,
                                 index_t r1, sum_of_t<T>* to) {
  const T* const values = a.values.data();
  const Index* const columns = a.columns.data();
  const Offset* row_ptr = a.row_ptr.data() + r0;
  const Offset* const end = a.row_ptr.data() + r1;
  const index_t readable = a.nnz() - 4;  // four entries from here on are
  for (; end - row_ptr >= 4 && static_cast<index_t>(row_ptr[4]) <= readable;
       row_ptr += 4, to += 4) {
    index_t begin[4];
    index_t length[4];
    index_t some = 0;
    index_t all = 3;
    simd::unroll<4>([&](auto q) SPARSEKIT_LAMBDA_INLINE {
      begin[q] = static_cast<index_t>(row_ptr[q]);
      length[q] = static_cast<index_t>(row_ptr[q + 1]) - begin[q];
      some |= length[q];
      all &= length[q];
    });
    const auto four = [&](auto tail) SPARSEKIT_LAMBDA_INLINE {
      typename Sums::reg s[4];
      simd::unroll<4>([&](auto q) SPARSEKIT_LAMBDA_INLINE {
        s[q] = csr_row_sums<Sums, decltype(tail)::value>(values + begin[q], columns + begin[q],
                                                         length[q], x);
      });
      Sums::totals(s, to);
    };
    // Rows of grids are all alike: then the tail is known, and costs no more than it has entries.
    const index_t entries = static_cast<index_t>(row_ptr[4]) - begin[0];
    some &= 3;
    if (some == 1 && all == 1) {
      if (entries == 4) {  // one each
        Sums::store(Sums::add(Sums::zero(), values + begin[0], x, columns + begin[0]), to);
        continue;
      }
      four(std::integral_constant<int, 1>{});
    } else if (some == 2 && all == 2) {
      if (entries == 8) {  // two each
        Sums::pairs(Sums::add(Sums::zero(), values + begin[0], x, columns + begin[0]),
                    Sums::add(Sums::zero(), values + begin[2], x, columns + begin[2]), to);
        continue;
      }
      four(std::integral_constant<int, 2>{});
    } else {
      four(std::integral_constant<int, any_tail>{});
    }
  }
  for (; row_ptr != end; ++row_ptr, ++to) {
    const index_t begin = static_cast<index_t>(row_ptr[0]);
    *to = Sums::total(csr_row_sums<Sums, last_tail>(values + begin, columns + begin,
                                                    static_cast<index_t>(row_ptr[1]) - begin, x));
  }
}

/// Rows whose sums wait together for the epilogue.
inline constexpr index_t csr_block_rows = 64;

template <class Arch, class T>
struct spmv_csr_row : spmv_kernel {
  using S = sum_of_t<T>;
  using lanes = simd::lanes<Arch, S>;
  using sums = simd::row_sums<Arch, S>;

  template <class Call>
  static void run(const Call& c) {
    const auto& a = c.a;
    const auto out = output_of<lanes>(c.y, c.epilogue);
    // The last rows, which fill no register, one by one: a masked store takes longer than all of a
    // small matrix.
    const auto last_out = output_of<simd::lanes<arch::scalar, S>>(c.y, c.epilogue);
    const index_t last_rows = a.rows() - a.rows() % lanes::width;
    const auto put_one = [&](index_t row, S sum) {
      if (row < last_rows) {
        out.put(lanes::broadcast(sum), row, 0, lanes::first(1));
      } else {
        last_out.put(sum, row, 0, simd::all_lanes{});
      }
    };
    const row_cut cut(a.nnz());
    const auto dot = [&](index_t begin, index_t end) SPARSEKIT_LAMBDA_INLINE {
      return sparse_dot<lanes>(a.values.data() + begin, a.columns.data() + begin, end - begin,
                               c.x.data());
    };
    row_pieces<S> pieces;
    constexpr bool parallel =
        !std::is_same_v<std::remove_cvref_t<decltype(c.policy)>, sequential_policy>;
    if (parallel && cut.cuts(a.nnz())) find_long_rows(cut, a.row_ptr, pieces);
    // A block that has a row that is cut, row by row.
    const auto run_long = [&](index_t r0, index_t r1) {
      for (index_t r = r0; r < r1; ++r) {
        const index_t begin = static_cast<index_t>(a.row_ptr[r]);
        const index_t n = static_cast<index_t>(a.row_ptr[r + 1]) - begin;
        if (!cut.cuts(n)) {
          S sum;
          csr_sums<sums>(a, c.x.data(), r, r + 1, &sum);
          put_one(r, sum);
        } else if (!parallel) {
          put_one(r, sum_of_pieces<S>(cut, n, [&](index_t from, index_t to) {
                    return dot(begin + from, begin + to);
                  }));
        }
      }
    };
    const index_t tasks =
        fine_task_count(c.policy, spmv_work(a.nnz() + a.rows()), ceil_div(a.rows(), 16));
    run_tasks(c.policy, tasks + pieces.count, [&](index_t task, index_t) {
      if (task >= tasks) {
        const index_t i = task - tasks;
        const auto& piece = pieces.at[i];
        const index_t begin = static_cast<index_t>(a.row_ptr[piece.row]);
        pieces.sum[i] = dot(begin + piece.begin, begin + piece.end);
        return;
      }
      const index_t end = balanced_row(a.row_ptr, task + 1, tasks);
      index_t r = balanced_row(a.row_ptr, task, tasks);
      for (index_t next; r < end; r = next) {
        next = std::min(end, r + csr_block_rows);
        if (cut.cuts(static_cast<index_t>(a.row_ptr[next]) - static_cast<index_t>(a.row_ptr[r]))) {
          run_long(r, next);
          continue;
        }
        alignas(64) S sum[csr_block_rows];
        csr_sums<sums>(a, c.x.data(), r, next, sum);
        index_t i = 0;
        for (; i + lanes::width <= next - r; i += lanes::width) {
          out.put(lanes::load(sum + i), r + i, 0, simd::all_lanes{});
        }
        for (; i < next - r; ++i) last_out.put(sum[i], r + i, 0, simd::all_lanes{});
      }
    });
    pieces.join(put_one);
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
