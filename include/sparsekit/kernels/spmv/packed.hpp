// y = A x for the packed form of formats/spmv_packed.hpp. A slice of rows is a cache line of sums: one
// AVX-512 register, two of AVX2, four of NEON. The order of each row's sum is that of its steps.
#pragma once

#include <algorithm>

#include "../../formats/spmv_packed.hpp"
#include "csr.hpp"
#include "lane_output.hpp"
#include "long_rows.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// How far ahead the streams are prefetched. The hardware stops at the end of each page; 4 KB ahead
/// bridges that: 5-10 % from memory.
inline constexpr index_t spmv_prefetch_bytes = 4096;

/// The streams of one slice, as its steps consume them, and its sums. Two chains of FMAs hide latency.
template <class Lanes, class T, bool Far, class Column>
struct spmv_slice_sums {
  static constexpr index_t height = spmv_view<T>::height;
  static constexpr int registers = static_cast<int>(height) / Lanes::width;
  using reg = typename Lanes::reg;

  const T* x;
  const std::int32_t* word;
  const T* value;
  const Column* column;
  reg sum[2][registers];

  SPARSEKIT_INLINE spmv_slice_sums(const spmv_view<const T>& a, const spmv_slice& s,
                                   const T* x_data)
      : x(x_data),
        word(a.words.data() + s.word),
        value(a.values.data() + index_t{s.value} * height),
        column(a.template column_stream<Column>() + index_t{s.column} * height) {
    simd::unroll<registers>([&](auto k) SPARSEKIT_LAMBDA_INLINE {
      sum[0][k] = Lanes::zero();
      sum[1][k] = Lanes::zero();
    });
  }

  /// `count` runs. Uniform: one value for all lanes. Partial: only the lanes in the bits.
  template <bool Uniform, bool Partial>
  SPARSEKIT_INLINE void runs(index_t count) {
    index_t i = 0;
    for (; i + 2 <= count; i += 2) {
      run<0, Uniform, Partial>();
      run<1, Uniform, Partial>();
    }
    if (i < count) run<0, Uniform, Partial>();
  }
  template <bool Uniform, bool Partial>
  SPARSEKIT_INLINE void lists(index_t count) {
    index_t i = 0;
    for (; i + 2 <= count; i += 2) {
      list<0, Uniform, Partial>();
      list<1, Uniform, Partial>();
    }
    if (i < count) list<0, Uniform, Partial>();
  }
  SPARSEKIT_INLINE reg total(int k) const { return Lanes::add(sum[0][k], sum[1][k]); }

 private:
  template <int Chain, bool Uniform, bool Partial>
  SPARSEKIT_INLINE void run() {
    const T* from = x + *word++;
    unsigned bits = 0;
    if constexpr (Partial) bits = static_cast<unsigned>(*word++);
    if constexpr (!Uniform) simd::prefetch_ahead(value, spmv_prefetch_bytes);
    simd::unroll<registers>([&](auto k) SPARSEKIT_LAMBDA_INLINE {
      reg xs = Lanes::load(from + k * Lanes::width);
      if constexpr (Partial) xs = Lanes::keep(bits >> (k * Lanes::width), xs);
      const reg v = Uniform ? Lanes::broadcast(*value) : Lanes::load(value + k * Lanes::width);
      sum[Chain][k] = Lanes::fma(v, xs, sum[Chain][k]);
    });
    value += Uniform ? 1 : height;
  }
  template <int Chain, bool Uniform, bool Partial>
  SPARSEKIT_INLINE void list() {
    unsigned bits = 0;
    if constexpr (Partial) bits = static_cast<unsigned>(*word++);
    if constexpr (!Uniform) simd::prefetch_ahead(value, spmv_prefetch_bytes);
    simd::prefetch_ahead(column, spmv_prefetch_bytes);
    simd::unroll<registers>([&](auto k) SPARSEKIT_LAMBDA_INLINE {
      const Column* at = column + k * Lanes::width;
      reg xs = Far ? Lanes::gather_far(x, at) : Lanes::gather(x, at);
      if constexpr (Partial) xs = Lanes::keep(bits >> (k * Lanes::width), xs);
      const reg v = Uniform ? Lanes::broadcast(*value) : Lanes::load(value + k * Lanes::width);
      sum[Chain][k] = Lanes::fma(v, xs, sum[Chain][k]);
    });
    column += height;
    if constexpr (!Uniform) value += height;
  }
};

template <class Lanes, bool Far, class Column, class T, class Epilogue>
SPARSEKIT_INLINE void spmv_packed_slice(const spmv_view<const T>& a, const T* x,
                                        dense_view<T, col_major> y, const Epilogue& epilogue,
                                        index_t s) {
  using sums = spmv_slice_sums<Lanes, T, Far, Column>;
  constexpr index_t height = sums::height;
  const spmv_slice& slice = a.slices[s];
  sums r(a, slice, x);
  r.template runs<false, false>(slice.full);
  r.template runs<false, true>(slice.partial);
  r.template runs<true, false>(slice.uniform);
  r.template runs<true, true>(slice.uniform_partial);
  if (slice.list_steps() != 0) {
    r.value = a.values.data() + (slice.value + slice.run_lines(height)) * height;
    if (slice.uniform_list != 0) {
      r.template lists<true, false>(slice.lists);
      r.template lists<true, true>(slice.partial_lists);
    } else {
      r.template lists<false, false>(slice.lists);
      r.template lists<false, true>(slice.partial_lists);
    }
  }
  if (a.order.empty()) {
    const auto out = output_of<Lanes>(y, epilogue);
    const index_t row = s * height;
    simd::unroll<sums::registers>([&](auto k) SPARSEKIT_LAMBDA_INLINE {
      const index_t first = row + k * Lanes::width;
      if (first + Lanes::width <= a.rows()) {
        out.put(r.total(k), first, 0, simd::all_lanes{});
      } else if (first < a.rows()) {
        out.put(r.total(k), first, 0, Lanes::first(a.rows() - first));
      }
    });
    return;
  }
  simd::unroll<sums::registers>([&](auto k) SPARSEKIT_LAMBDA_INLINE {
    const std::int32_t* rows = a.order.data() + s * height + k * Lanes::width;
    index_t count = Lanes::width;
    while (count > 0 && rows[count - 1] == spmv_view<T>::no_row) --count;
    if (count > 0) put_scattered<Lanes>(r.total(k), rows, count, y.data(), epilogue);
  });
}

/// Slices [s0, s1). Not inlined, and the view by value: where the compiler saw references into the call,
/// it read them anew after every store, 15 cycles a slice (g++ 12).
template <class Lanes, bool Far, class Column, class T, class Epilogue>
SPARSEKIT_NOINLINE void spmv_packed_range(const spmv_view<const T> a, const T* x,
                                          dense_view<T, col_major> y, const Epilogue& epilogue,
                                          index_t s0, index_t s1) {
  for (index_t s = s0; s < s1; ++s) spmv_packed_slice<Lanes, Far, Column, T>(a, x, y, epilogue, s);
}

template <class Lanes, bool Far, class Column, class Call>
void spmv_packed_run(const Call& c, const spmv_view<const typename Call::value_type>& a) {
  using T = typename Call::value_type;
  const index_t slices = a.slices.size();
  // Work before slice s in entries that take as long. A step costs its words, its values and most
  // of all a list its gathers; a slice costs some for itself.
  constexpr index_t height = spmv_view<T>::height;
  const auto work = [](index_t words, index_t lines, index_t lists, index_t s) {
    return words * 6 + lines * 4 + lists * 10 + s * 16;
  };
  const auto before = [&](index_t s) {
    if (s < slices) {
      const spmv_slice& next = a.slices[s];
      return work(next.word, next.value, next.column, s);
    }
    // Not what the streams hold: long rows are in them as well.
    const spmv_slice& last = a.slices[slices - 1];
    return work(last.word + last.words(), last.value + last.lines(height),
                last.column + last.list_steps(), slices);
  };
  const index_t lines =
      slices == 0 ? 0 : a.slices[slices - 1].value + a.slices[slices - 1].lines(height);
  const index_t all_work =
      (slices == 0 ? 0 : before(slices)) + (index_t{a.values.size()} - lines * height);
  const index_t tasks = fine_task_count(c.policy, spmv_work(all_work),
                                        std::max(ceil_div(slices, 8), a.long_rows.size()));
  const auto cut = [&](index_t task) {
    if (task == 0) return index_t{0};
    if (task == tasks) return slices;
    const index_t wanted = before(slices) / tasks * task;
    index_t low = 0;
    index_t high = slices;
    while (low < high) {
      const index_t middle = low + (high - low) / 2;
      if (before(middle) < wanted) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  const auto out = output_of<simd::lanes<arch::scalar, T>>(c.y, c.epilogue);
  const row_cut row_cuts(a.nnz());
  const auto dot = [&](const spmv_row& row, index_t begin, index_t end) {
    return sparse_dot<Lanes>(a.values.data() + row.value + begin,
                             a.template column_stream<Column>() + row.column + begin, end - begin,
                             c.x.data());
  };
  row_pieces<T> pieces;
  constexpr bool parallel =
      !std::is_same_v<std::remove_cvref_t<decltype(c.policy)>, sequential_policy>;
  if (parallel && row_cuts.cuts(a.nnz())) {
    for (index_t i = 0; i < a.long_rows.size(); ++i) {
      const index_t n = a.long_rows[i].count;
      if (row_cuts.cuts(n)) pieces.add(row_cuts, i, n);
    }
  }
  run_tasks(c.policy, tasks + pieces.count, [&](index_t task, index_t) {
    if (task >= tasks) {
      const auto& piece = pieces.at[task - tasks];
      pieces.sum[task - tasks] = dot(a.long_rows[piece.row], piece.begin, piece.end);
      return;
    }
    spmv_packed_range<Lanes, Far, Column, T>(a, c.x.data(), c.y, c.epilogue, cut(task),
                                             cut(task + 1));
    // Long rows are dealt out in turn: they come in no order of length.
    for (index_t i = task; i < a.long_rows.size(); i += tasks) {
      const spmv_row& row = a.long_rows[i];
      T sum;
      if (!row_cuts.cuts(row.count)) {
        sum = dot(row, 0, row.count);
      } else if (parallel) {
        continue;
      } else {
        sum = sum_of_pieces<T>(row_cuts, row.count,
                               [&](index_t from, index_t to) { return dot(row, from, to); });
      }
      out.put(sum, row.row, 0, simd::all_lanes{});
    }
  });
  pieces.join([&](index_t i, T sum) { out.put(sum, a.long_rows[i].row, 0, simd::all_lanes{}); });
}

template <class Arch, class T>
struct spmv_packed_slices : spmv_kernel {
  using lanes = simd::lanes<Arch, T>;

  template <class Call>
  static void run(const Call& c) {
    static_assert(spmv_view<T>::most_short_columns * index_t{sizeof(T)} <= spmv_far_bytes);
    if (c.a.has_short_columns()) return spmv_packed_run<lanes, false, std::uint16_t>(c, c.a);
    if constexpr (simd::gather_far_differs<Arch>) {
      if (c.a.cols() * index_t{sizeof(T)} > spmv_far_bytes) {
        return spmv_packed_run<lanes, true, std::int32_t>(c, c.a);
      }
    }
    spmv_packed_run<lanes, false, std::int32_t>(c, c.a);
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
