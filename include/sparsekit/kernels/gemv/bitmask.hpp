// y = A x for bitmasks (formats/bitmask.hpp), a few columns of x at a time.
//
// A row goes 64 columns at a time. Its values are expanded to their columns (simd/expand.hpp) and
// multiplied by x as it lies: no index, no gather, one load of x for a register of columns. Several
// columns of x share what was expanded. Lanes are columns, so a row ends with a sum across lanes,
// in an order of its own: the same for every count of columns, task and workspace.
//
// x is copied to scratch first, widened where products want that, with zeros up to a multiple
// of 64. An empty place is multiplied by zero, so rows go another way, each 64 columns of x with
// the empty places zeroed, where x is not finite; and where there is no room for the copy, or no
// bytes to read behind the last values.
#pragma once

#include <algorithm>

#include "../../formats/bitmask.hpp"
#include "../../simd/expand.hpp"
#include "../../simd/lookup.hpp"
#include "../call.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

template <class Arch, class T>
struct gemv_bitmask {
  using sum = sum_of_t<T>;
  using lanes = simd::lanes<Arch, sum>;
  using reg = typename lanes::reg;
  using view = bitmask_view<const T>;
  template <class TX>
  using expanded = simd::expanded<Arch, T, TX>;
  static constexpr bool integers = std::is_integral_v<T>;
  /// Columns of A that a step takes.
  static constexpr index_t chunk = 64;
  /// Sums of a row that are kept apart, to hide the latency of multiplications.
  static constexpr int chains = std::is_same_v<Arch, arch::scalar> ? 1 : 4;
  /// Columns of x that share one pass over the rows.
  static constexpr index_t group = std::is_same_v<Arch, arch::avx2> ? 2 : 4;
  /// Rows of a block: whole cache lines of y.
  static constexpr index_t block_rows = 64;
  static constexpr index_t stack_bytes = 16384;
  /// Bytes that values are fetched ahead: hardware alone reads one stream of rows at half the speed of several.
  /// Zen 3, 5504 x 4096 flushed, over dense without and with: f32 1.8 and 2.3 at 50 % zeros, 2.45 and 3.0 at 80;
  /// bf16 1.27 and 1.46 at 50; in cache 2 % slower. 1024 bytes: f32 2.0 at 50 %.
  static constexpr index_t ahead = 4096;

  template <class Call>
  static bool accepts(const Call&) {
    return true;
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    return {.shared = std::min(columns, group) * stride_of(a.cols()) * index_t{sizeof(sum)},
            .per_worker = 0};
  }
  template <class Call>
  static void run(const Call& c) {
    using TX = typename Call::x_type;
    using element = typename expanded<TX>::x_type;
    alignas(64) std::byte on_stack[stack_bytes];
    const index_t stride = stride_of(c.a.cols());
    const index_t bytes = stride * index_t{sizeof(element)};
    const bool in_workspace = c.scratch.shared_bytes >= bytes;
    element* const room = in_workspace ? c.scratch.template shared_as<element>()
                                       : reinterpret_cast<element*>(on_stack);
    const index_t fit = (in_workspace ? c.scratch.shared_bytes : stack_bytes) / bytes;
    const index_t at_once = std::clamp(fit, index_t{1}, group);
    const index_t blocks = ceil_div(c.a.rows(), block_rows);
    for (index_t n = 0; n < c.x.cols(); n += at_once) {
      const index_t count = std::min(at_once, c.x.cols() - n);
      bool usable = fit > 0;
      for (index_t i = 0; usable && i < count; ++i) {
        usable = prepare(c.x, n + i, room + i * stride, stride);
      }
      const index_t work = (c.a.nnz() + c.a.mask.size()) * count / 2;
      const index_t tasks = fine_task_count(c.policy, work, blocks);
      run_tasks(c.policy, tasks, [&](index_t task, index_t) {
        for (index_t b = blocks * task / tasks; b < blocks * (task + 1) / tasks; ++b) {
          finish_block(c, b * block_rows, n, count, usable ? room : nullptr, stride);
        }
      });
    }
  }

 private:
  /// Whole chunks, and a gap so that columns do not share cache sets.
  static index_t stride_of(index_t cols) { return round_up(cols, chunk) + 16; }

  /// An element of x as products take it.
  template <class TX>
  static SPARSEKIT_INLINE typename expanded<TX>::x_type prepared(TX x) {
    if constexpr (expanded<TX>::flips) {
      return static_cast<TX>(x ^ 0x80);
    } else {
      return static_cast<typename expanded<TX>::x_type>(x);
    }
  }
  /// x's column into `to`, zeros up to `stride`. Returns whether all is finite.
  template <class TX, class Layout, class Element>
  static bool prepare(dense_view<const TX, Layout> x, index_t column, Element* to, index_t stride) {
    const index_t k = x.rows();
    const index_t step = Layout::rows_contiguous ? x.ld() : 1;
    const TX* from = k > 0 ? &x(0, column) : nullptr;
    if (step == 1) {
      for (index_t i = 0; i < k; ++i) to[i] = prepared(from[i]);
    } else {
      for (index_t i = 0; i < k; ++i) to[i] = prepared(from[i * step]);
    }
    for (index_t i = k; i < stride; ++i) to[i] = Element{};
    if constexpr (integers) {
      return true;
    } else {
      auto magnitude = lanes::no_magnitude();
      for (index_t i = 0; i < stride; i += lanes::width) {
        magnitude =
            lanes::max_magnitude(magnitude, simd::load_as<lanes>(simd::all_lanes{}, to + i));
      }
      return !lanes::any_not_finite(magnitude);
    }
  }

  /// 64 columns: p moves behind their values.
  template <class TX, int N, class Element>
  static SPARSEKIT_INLINE void add_chunk(const std::uint8_t* bits, const T*& p, const Element* x,
                                         index_t stride, reg* total) {
    constexpr int columns = expanded<TX>::columns;
    simd::unroll<chunk / columns>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
      constexpr int first = i * columns;
      const auto w = expanded<TX>::template at<first>(bits, p);
      add_columns<TX>(w, x + first, stride, total + i % chains,
                      std::make_integer_sequence<int, N>{});
    });
  }
  template <class TX, class Weights, class Element, int... N>
  static SPARSEKIT_INLINE void add_columns(const Weights& w, const Element* x, index_t stride,
                                           reg* total, std::integer_sequence<int, N...>) {
    ((total[N * chains] = expanded<TX>::add(total[N * chains], w, x + N * stride)), ...);
  }
  template <int N>
  static SPARSEKIT_INLINE void put_sums(const reg* total, index_t row, sum* sums) {
    simd::unroll<N>([&](auto n) SPARSEKIT_LAMBDA_INLINE {
      reg t = total[n * chains];
      if constexpr (chains == 4) {
        t = lanes::add(lanes::add(t, total[n * chains + 1]),
                       lanes::add(total[n * chains + 2], total[n * chains + 3]));
      }
      sums[n * block_rows + row] = lanes::reduce_add(t);
    });
  }

  /// sums[n * block_rows + r] for rows [row, row + rows). Not inlined: it does not depend on the
  /// epilogue.
  template <class TX, int N, class Element>
  static SPARSEKIT_NOINLINE void sum_rows(const view& a, index_t row, index_t rows,
                                          const Element* x, index_t stride, sum* sums) {
    const index_t whole = a.cols() / chunk * chunk;
    for (index_t r = 0; r < rows; ++r) {
      const std::uint8_t* bits = a.row_mask(row + r);
      const T* p = a.values.data() + a.row_offsets[row + r];
      reg total[N * chains];
      simd::registers<lanes, N * chains>::zero(total);
      for (index_t k = 0; k < whole; k += chunk, bits += chunk / 8) {
        simd::prefetch_ahead(p, ahead);
        if constexpr (sizeof(T) > 2) simd::prefetch_ahead(p, ahead + 64);
        add_chunk<TX, N>(bits, p, x + k, stride, total);
      }
      if (whole < a.cols()) {
        std::uint8_t last[chunk / 8] = {};
        std::memcpy(last, bits, static_cast<std::size_t>(a.mask_bytes() - whole / 8));
        add_chunk<TX, N>(last, p, x + whole, stride, total);
      }
      put_sums<N>(total, r, sums);
    }
  }

  /// The same sums of one row and column, x taken where it lies and its empty places zeroed, no
  /// byte behind the values read.
  template <class TX, class Layout>
  static SPARSEKIT_NOINLINE void sum_row_carefully(const view& a, index_t row, index_t place,
                                                   dense_view<const TX, Layout> x, index_t column,
                                                   sum* sums) {
    using element = typename expanded<TX>::x_type;
    reg total[chains];
    simd::registers<lanes, chains>::zero(total);
    const T* p = a.values.data() + a.row_offsets[row];
    for (index_t k = 0; k < a.cols(); k += chunk) {
      std::uint8_t bits[chunk / 8] = {};
      const index_t bytes = std::min(chunk / 8, a.mask_bytes() - k / 8);
      std::memcpy(bits, a.row_mask(row) + k / 8, static_cast<std::size_t>(bytes));
      T values[2 * chunk] = {};
      element seen[chunk] = {};
      index_t count = 0;
      for (index_t i = 0; i < std::min(chunk, a.cols() - k); ++i) {
        const bool here = (bits[i / 8] >> i % 8 & 1) != 0;
        if (here) values[count++] = *p++;
        if constexpr (integers) {
          seen[i] = prepared(x(k + i, column));
        } else {
          const element e = prepared(x(k + i, column));
          seen[i] = here ? e : zero_like(e);
        }
      }
      const T* from = values;
      add_chunk<TX, 1>(bits, from, seen, 0, total);
    }
    put_sums<1>(total, place, sums);
  }
  /// A zero with the sign of x, as the product with an empty place would be.
  template <class Element>
  static SPARSEKIT_INLINE Element zero_like(Element x) {
    if constexpr (std::is_same_v<Element, bfloat16>) {
      return bfloat16(simd::zero_of_sign(static_cast<float>(x)));
    } else {
      return simd::zero_of_sign(x);
    }
  }

  /// Sums of a block of rows, then the epilogue. x is null where rows must be summed carefully.
  template <class Call, class Element>
  static void finish_block(const Call& c, index_t row, index_t column, index_t count,
                           const Element* x, index_t stride) {
    using TX = typename Call::x_type;
    alignas(64) sum sums[group * block_rows];
    const index_t rows = std::min(block_rows, c.a.rows() - row);
    const index_t fast = x == nullptr ? 0 : readable_rows(c.a, row, rows);
    simd::unroll<static_cast<int>(group)>([&](auto n) SPARSEKIT_LAMBDA_INLINE {
      if (count == n + 1) sum_rows<TX, n + 1>(c.a, row, fast, x, stride, sums);
    });
    for (index_t n = 0; n < count; ++n) {
      sum* s = sums + n * block_rows;
      for (index_t r = fast; r < rows; ++r) {
        sum_row_carefully(c.a, row + r, r, c.x, column + n, s);
      }
      if constexpr (expanded<TX>::flips) {
        // Takes off what the other sign of x has added.
        constexpr auto shift = static_cast<std::uint32_t>(simd::shift_of_kept<Arch, TX>());
        for (index_t r = 0; r < rows; ++r) {
          const auto weights = static_cast<std::uint32_t>(c.a.weight_sums[row + r]);
          s[r] = static_cast<sum>(static_cast<std::uint32_t>(s[r]) - shift * weights);
        }
      }
      if constexpr (Call::y_layout::rows_contiguous) {
        const auto out =
            output_of<simd::lanes<arch::scalar, sum>>(c.y, c.epilogue, weight_sums(c.a));
        for (index_t r = 0; r < rows; ++r) out.put(s[r], row + r, column + n, simd::all_lanes{});
      } else {
        const auto out = output_of<lanes>(c.y, c.epilogue, weight_sums(c.a));
        index_t r = 0;
        for (; r + lanes::width <= rows; r += lanes::width) {
          out.put(lanes::load(s + r), row + r, column + n, simd::all_lanes{});
        }
        if (r < rows) out.put(lanes::load(s + r), row + r, column + n, lanes::first(rows - r));
      }
    }
  }
  static const std::int32_t* weight_sums(const view& a) { return a.weight_sums.data(); }

  /// Of `rows` rows the first whose registers of values end inside what may be read.
  static index_t readable_rows(const view& a, index_t row, index_t rows) {
    if (a.readable_beyond >= 64) return rows;
    const index_t left = 64 / index_t{sizeof(T)};
    while (rows > 0 && a.nnz() - a.row_begin(row + rows) < left) --rows;
    return rows;
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
