// y = A x for window-lookup steps of bf16, f16 and s8 (formats/lookup.hpp), one to four columns at
// a time.
//
// As gemv_lookup does it, but a step has two (bf16, f16) or four (s8) slots a row, which become one
// word: the window is looked up for all of them at once, and dot2 or dot4 sums their products.
// Where x is f32 and weights are not, the window holds f32 and is looked up once for each slot of a
// pair.
//
// x is copied to scratch with zeros behind its end. Without a workspace only short columns have
// room on the stack; longer ones are read where they are by plain loops, which is correct and slow.
#pragma once

#include "../../simd/lookup_narrow.hpp"
#include "lookup.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// A window of x and the products of one step with it. Bytes: of the window, in elements of type T.
template <class Arch, class T, class TX, int Bytes>
struct narrow_window {
  using lanes = simd::lanes<Arch, sum_of_t<T>>;
  using reg = typename lanes::reg;
  using mixed = simd::mixed<Arch>;
  static constexpr int elements = Bytes / static_cast<int>(sizeof(T));
  // Beyond 64 elements of f32 a window has no registers: they are gathered.
  static constexpr bool gathered = elements > 64;
  using floats = simd::window<Arch, float, gathered ? 64 : elements>;
  using window = std::conditional_t<
      sizeof(T) == 1, simd::byte_window<Arch, Bytes>,
      std::conditional_t<std::is_same_v<TX, float>, floats, simd::half_window<Arch, Bytes>>>;
  window w;
  const TX* x;

  explicit SPARSEKIT_INLINE narrow_window(const TX* p) : w(p), x(p) {}

  /// sum + the products of one register of rows: values and places of its slots.
  SPARSEKIT_INLINE reg add(reg sum, const T* values, const std::uint8_t* places) const {
    const auto v = mixed::load_words(values);
    if constexpr (std::is_same_v<T, std::int8_t>) {
      return mixed::template dot4_kept<TX>(sum, w.at(places), v);
    } else if constexpr (std::is_same_v<TX, float>) {
      sum = lanes::fma(odd(v), found<1>(places), sum);
      return lanes::fma(even(v), found<0>(places), sum);
    } else if constexpr (std::is_same_v<T, bfloat16>) {
      return mixed::dot2(sum, v, w.at(places));
    } else {
      const auto words = w.at(places);
      sum = lanes::fma(odd(v), odd(words), sum);
      return lanes::fma(even(v), even(words), sum);
    }
  }

  /// sum[v] + the products of register v of a step.
  template <int... V>
  SPARSEKIT_INLINE void add_step(reg* sum, const T* values, const std::uint8_t* places,
                                 std::integer_sequence<int, V...>) const {
    constexpr int slots = lanes::width * static_cast<int>(lookup_view<const T>::pair);
    ((sum[V] = add(sum[V], values + V * slots, places + V * slots)), ...);
  }

 private:
  template <int I>
  SPARSEKIT_INLINE reg found(const std::uint8_t* places) const {
    std::uint8_t at[16];
    simd::byte_of_pairs<Arch, I>(places, at);
    if constexpr (gathered) {
      return lanes::gather(x, at);
    } else {
      return w.at(at);
    }
  }
  static SPARSEKIT_INLINE reg even(typename mixed::words w) {
    if constexpr (std::is_same_v<T, bfloat16>) {
      return mixed::even(w);
    } else {
      return simd::even_f16<Arch>(w);
    }
  }
  static SPARSEKIT_INLINE reg odd(typename mixed::words w) {
    if constexpr (std::is_same_v<T, bfloat16>) {
      return mixed::odd(w);
    } else {
      return simd::odd_f16<Arch>(w);
    }
  }
};

template <class Arch, class T>
struct gemv_lookup_narrow {
  using sum = sum_of_t<T>;
  using lanes = simd::lanes<Arch, sum>;
  using view = lookup_view<const T>;
  static constexpr bool integers = std::is_integral_v<sum>;
  static constexpr index_t group = lookup_narrow_columns<Arch>;
  static constexpr index_t stack_bytes = 16384;
  /// Elements behind the end of x that the last window may reach.
  static constexpr index_t margin = 256 / index_t{sizeof(T)};

  template <class Call>
  static bool accepts(const Call&) {
    return true;
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    // X may be f32 where weights are bf16 or f16.
    const index_t element = integers ? 1 : 4;
    return {.shared = std::min(columns, group) * column_stride(a.cols()) * element,
            .per_worker = 0};
  }
  template <class Call>
  static void run(const Call& c) {
    using TX = typename Call::x_type;
    alignas(64) std::byte on_stack[stack_bytes];
    const index_t stride = column_stride(c.a.cols());
    const index_t bytes = stride * index_t{sizeof(TX)};
    const bool in_workspace = c.scratch.shared_bytes >= bytes;
    TX* const room =
        in_workspace ? c.scratch.template shared_as<TX>() : reinterpret_cast<TX*>(on_stack);
    const index_t fit = (in_workspace ? c.scratch.shared_bytes : stack_bytes) / bytes;
    const index_t at_once = std::clamp(fit, index_t{1}, group);
    for (index_t n = 0; n < c.x.cols(); n += at_once) {
      const index_t count = std::min(at_once, c.x.cols() - n);
      bool finite = fit > 0;
      for (index_t i = 0; finite && i < count; ++i) {
        finite = copy_column(c.x, n + i, room + i * stride, stride);
      }
      const index_t tasks = fine_task_count(c.policy, c.a.slots() * count, c.a.blocks());
      run_tasks(c.policy, tasks, [&](index_t task, index_t) {
        const index_t end = lookup_task_block(c.a, task + 1, tasks);
        for (index_t b = lookup_task_block(c.a, task, tasks); b < end; ++b) {
          finish_block(c, b, n, count, room, stride, finite);
        }
      });
    }
  }

 private:
  static index_t column_stride(index_t cols) { return round_up(cols, margin) + margin; }

  template <class TX>
  static constexpr bool flipped() {
    if constexpr (integers) {
      return simd::mixed<Arch>::template flips<TX>;
    } else {
      return false;
    }
  }

  /// x's column into `to`, zeros up to `stride`. Returns whether all is finite.
  template <class TX, class Layout>
  static bool copy_column(dense_view<const TX, Layout> x, index_t column, TX* to, index_t stride) {
    const index_t k = x.rows();
    const index_t step = Layout::rows_contiguous ? x.ld() : 1;
    const TX* from = k > 0 ? &x(0, column) : nullptr;
    if (step == 1 && k > 0) {
      std::memcpy(static_cast<void*>(to), from, static_cast<std::size_t>(k) * sizeof(TX));
    } else {
      for (index_t i = 0; i < k; ++i) to[i] = from[i * step];
    }
    for (index_t i = k; i < stride; ++i) to[i] = TX{};
    if constexpr (flipped<TX>()) {
      for (index_t i = 0; i < k; ++i) to[i] = static_cast<TX>(to[i] ^ 0x80);
    }
    if constexpr (integers) {
      return true;
    } else {
      auto magnitude = lanes::no_magnitude();
      for (index_t i = 0; i < k; i += lanes::width) {
        const auto v = simd::load_as<lanes>(simd::all_lanes{}, to + i);
        magnitude = lanes::max_magnitude(magnitude, v);
      }
      return !lanes::any_not_finite(magnitude);
    }
  }

  /// Sums of one block of rows, in the order of rows, then the epilogue.
  template <class Call>
  static void finish_block(const Call& c, index_t block, index_t column, index_t count,
                           const typename Call::x_type* x, index_t stride, bool finite) {
    using TX = typename Call::x_type;
    alignas(64) sum sums[group * view::block_rows];
    if (!finite) {
      for (index_t n = 0; n < count; ++n) {
        kept_block_sums(c.a, block, c.x, column + n, sums + n * view::block_rows);
      }
    } else {
      sum_columns(c.a, block, count, x, stride, sums);
    }
    const index_t row = block * view::block_rows;
    const index_t rows = std::min(view::block_rows, c.a.rows() - row);
    for (index_t n = 0; n < count; ++n) {
      sum* s = sums + n * view::block_rows;
      if constexpr (flipped<TX>()) {
        // Takes off what the other sign of x has added.
        constexpr int shift = simd::shift_of_kept<Arch, TX>();
        for (index_t r = 0; finite && r < rows; r += lanes::width) {
          const auto weights = lanes::load(c.a.weight_sums.data() + row + r);
          lanes::store(
              s + r, lanes::sub(lanes::load(s + r), lanes::mul(lanes::broadcast(shift), weights)));
        }
      }
      if constexpr (Call::y_layout::rows_contiguous) {
        const auto out =
            output_of<simd::lanes<arch::scalar, sum>>(c.y, c.epilogue, c.a.weight_sums.data());
        for (index_t r = 0; r < rows; ++r) out.put(s[r], row + r, column + n, simd::all_lanes{});
      } else {
        const auto out = output_of<lanes>(c.y, c.epilogue, c.a.weight_sums.data());
        index_t r = 0;
        for (; r + lanes::width <= rows; r += lanes::width) {
          out.put(lanes::load(s + r), row + r, column + n, simd::all_lanes{});
        }
        if (r < rows) out.put(lanes::load(s + r), row + r, column + n, lanes::first(rows - r));
      }
    }
  }

  template <class TX>
  static void sum_columns(const view& a, index_t block, index_t count, const TX* x, index_t stride,
                          sum* sums) {
    switch (a.window_bytes) {
      case 64:
        return sum_columns_of<64>(a, block, count, x, stride, sums);
      case 128:
        return sum_columns_of<128>(a, block, count, x, stride, sums);
      default:
        return sum_columns_of<256>(a, block, count, x, stride, sums);
    }
  }
  template <int Bytes, class TX>
  static void sum_columns_of(const view& a, index_t block, index_t count, const TX* x,
                             index_t stride, sum* sums) {
    simd::unroll<static_cast<int>(group)>([&](auto n) SPARSEKIT_LAMBDA_INLINE {
      if (count == n + 1) block_sums<Bytes, n + 1>(a, block, x, stride, sums);
    });
  }

  /// sums[n * block_rows + r] for the rows of a block. Not inlined: it does not depend on the
  /// epilogue.
  template <int Bytes, int N, class TX>
  static SPARSEKIT_NOINLINE void block_sums(const view& a, index_t block, const TX* x,
                                            index_t stride, sum* sums) {
    constexpr int vectors = static_cast<int>(view::slice_rows) / lanes::width;
    constexpr index_t unit = (Bytes == 256 ? 64 : 32) / index_t{sizeof(T)};
    const index_t end = std::min((block + 1) * view::block_slices, a.slices());
    for (index_t s = block * view::block_slices; s < end; ++s) {
      typename lanes::reg total[N * vectors];
      simd::registers<lanes, N * vectors>::zero(total);
      const index_t begin = a.slice_start[s];
      const std::uint16_t* base = a.bases.data() + begin;
      const std::uint16_t* const last = a.bases.data() + a.slice_start[s + 1];
      const std::uint8_t* place = a.places.data() + begin * view::step_slots;
      const T* value = a.values.data() + begin * view::step_slots;
      for (; base != last; ++base, place += view::step_slots, value += view::step_slots) {
        simd::unroll<N>([&](auto n) SPARSEKIT_LAMBDA_INLINE {
          const narrow_window<Arch, T, TX, Bytes> w(x + n * stride + *base * unit);
          w.add_step(total + n * vectors, value, place, std::make_integer_sequence<int, vectors>{});
        });
      }
      const std::uint8_t* row = a.lane_rows.data() + s * view::slice_rows;
      simd::unroll<N>([&](auto n) SPARSEKIT_LAMBDA_INLINE {
        alignas(64) sum lane[view::slice_rows];
        simd::registers<lanes, vectors>::store(lane, total + n * vectors);
        put_lanes(lane, row, sums + n * view::block_rows,
                  std::make_integer_sequence<int, static_cast<int>(view::slice_rows)>{});
      });
    }
  }

  /// The same sums by plain loops: when x holds Inf or NaN, where an empty slot meets a zero with
  /// the sign that x has, and when there is no room for a copy of x.
  template <class TX, class Layout>
  static SPARSEKIT_NOINLINE void kept_block_sums(const view& a, index_t block,
                                                 dense_view<const TX, Layout> x, index_t column,
                                                 sum* sums) {
    const index_t end = std::min((block + 1) * view::block_slices, a.slices());
    for (index_t s = block * view::block_slices; s < end; ++s) {
      for (index_t l = 0; l < view::slice_rows; ++l) {
        sum total{0};
        for (index_t t = a.slice_start[s]; t < a.slice_start[s + 1]; ++t) {
          const index_t begin = a.bases[t] * a.unit();
          for (index_t e = view::pair - 1; e >= 0; --e) {
            const index_t slot = t * view::step_slots + l * view::pair + e;
            const index_t at = begin + a.places[slot];
            total = added(total, a.values[slot], at >= x.rows() ? TX{} : x(at, column));
          }
        }
        sums[a.lane_rows[s * view::slice_rows + l]] = total;
      }
    }
  }
  template <class TX>
  static SPARSEKIT_INLINE sum added(sum total, T value, TX x) {
    if constexpr (integers) {
      return static_cast<sum>(static_cast<std::uint32_t>(total) +
                              static_cast<std::uint32_t>(int{value} * int{x}));
    } else {
      float seen = static_cast<float>(x);
      if (is_empty_slot(value)) seen = simd::zero_of_sign(seen);
      return simd::lanes<arch::scalar, float>::fma(static_cast<float>(value), seen, total);
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
