// y = A x for window-lookup steps (formats/lookup.hpp), one to six columns of x at a time.
//
// A slice's sums live in registers: 32 rows a column. A step loads the window of x once and looks
// up all its slots there. Nothing in the loop depends on a value just loaded but the window's
// address.
//
// x is copied to aligned scratch, with zeros behind its end, while it is searched for Inf and NaN.
// Without room for that it is read in place; windows that reach beyond its end are served from a
// copy of the tail.
#pragma once

#include <algorithm>

#include "../../formats/lookup.hpp"
#include "../../simd/lookup.hpp"
#include "../call.hpp"
#include "lookup_columns.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// One column of x as windows: bases below `first_tail` count from head, the others from tail.
template <class T>
struct window_source {
  const T* head;
  const T* tail;
  index_t first_tail;
  index_t stride;  ///< between elements of head; 1 but for rows of x read in place
  index_t cols;

  SPARSEKIT_INLINE const T* at(index_t base, index_t unit) const {
    const T* p = head + base * unit;
    const T* q = tail + (base - first_tail) * unit;
    return base < first_tail ? p : q;
  }
};

/// First block of every task: blocks are cut where the steps are.
template <class View>
index_t lookup_task_block(const View& a, index_t task, index_t tasks) {
  if (task <= 0) return 0;
  if (task >= tasks) return a.blocks();
  const index_t wanted = a.steps() / tasks * task + a.steps() % tasks * task / tasks;
  index_t low = 0;
  index_t high = a.blocks();
  while (low < high) {
    const index_t middle = low + (high - low) / 2;
    if (a.slice_start[middle * View::block_slices] < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// Chains of steps that are summed apart, step s in chain s % chains: two where a step has so few registers that it
/// would wait for the multiply-adds of the one before. As many for any number of columns, whose bits are the same.
template <class Arch, class T>
inline constexpr int lookup_chains =
    lookup_view<const T>::slice_rows / simd::lanes<Arch, T>::width == 2 ? 2 : 1;

/// Sums of the 32 rows of one slice for N columns: sum[n * vectors + v] holds rows v * width onward.
/// InValues: places are the lowest bits of the values.
template <class Arch, class T, int Window, int N, bool InValues = false>
struct lookup_slice_sums {
  using lanes = simd::lanes<Arch, T>;
  using reg = typename lanes::reg;
  using view = lookup_view<const T>;
  static constexpr int vectors = static_cast<int>(view::slice_rows) / lanes::width;
  static constexpr int chains = lookup_chains<Arch, T>;
  /// Steps that are taken together: no more than pays, for g++ 12 would load ahead for all of them on AArch64, and
  /// spill sums.
  static constexpr int together = chains > 1 || simd::place_run<Arch, T, 2 * vectors>::saves_work ? 2 : 1;

  /// A smaller stream stays in L2, and need not be asked for.
  static constexpr index_t fetched_bytes = index_t{1} << 19;
  /// A step's cache lines. On Zen 3, 5504 x 4096 flushed, over dense without and with: 1.67 and 2.1 at 50 % zeros,
  /// 3.6 and 4.3 at 80. Narrow types gained nothing (bf16) or lost 10 % (s8): their steps take longer.
  static SPARSEKIT_INLINE void fetch_ahead(const T* value, const std::uint8_t* place) {
    constexpr index_t ahead = 4096;
    simd::unroll<static_cast<int>(view::step_slots * index_t{sizeof(T)} / 64)>(
        [&](auto i) SPARSEKIT_LAMBDA_INLINE { simd::prefetch_ahead(value, ahead + 64 * i); });
    if constexpr (!InValues) simd::prefetch_ahead(place, ahead / 4);
  }
  struct places_in_values {};
  using registers_of_step = std::make_integer_sequence<int, vectors>;
  /// One step of one column: slots times what the window holds at their places, those of run from
  /// register First on.
  template <int First, class Elements, class Run, int... V>
  static SPARSEKIT_INLINE void add_step(reg* total, const Elements& w, const T* slots,
                                        const Run& run, std::integer_sequence<int, V...>) {
    constexpr int width = lanes::width;
    if constexpr (InValues) {
      ((total[V] = lanes::fma(simd::low_places<Arch>::values(slots + V * width),
                              w.at_low_bits(slots + V * width), total[V])),
       ...);
    } else {
      ((total[V] = lanes::fma(lanes::load(slots + V * width), w.at(run.template get<First + V>()),
                              total[V])),
       ...);
    }
  }

  static SPARSEKIT_INLINE void run(const view& a, index_t slice, const window_source<T>* x,
                                   reg (&sum)[N * vectors]) {
    reg total[chains][N * vectors];
    simd::unroll<chains>([&](auto c) SPARSEKIT_LAMBDA_INLINE {
      simd::registers<lanes, N * vectors>::zero(total[c]);
    });
    constexpr index_t unit = (Window == 256 ? 64 : 32) / index_t{sizeof(T)};
    const index_t begin = a.slice_start[slice];
    const std::uint16_t* base = a.bases.data() + begin;
    const std::uint8_t* place = a.places.data() + (InValues ? 0 : begin * view::step_slots);
    const T* value = a.values.data() + begin * view::step_slots;
    const bool fetching = a.steps() * view::step_slots * index_t{sizeof(T)} > fetched_bytes;
    // step(s, run): the step s behind base; its places are those of run from register s * vectors
    // on, if values do not hold them.
    const auto step = [&](auto s, const auto& run) SPARSEKIT_LAMBDA_INLINE {
      constexpr index_t first = s * view::step_slots;
      if (fetching) fetch_ahead(value + first, place + (InValues ? 0 : first));
      simd::unroll<N>([&](auto n) SPARSEKIT_LAMBDA_INLINE {
        const simd::window<Arch, T, Window / static_cast<int>(sizeof(T))> w(x[n].at(base[s], unit));
        add_step<s * vectors>(total[s % chains] + n * vectors, w, value + first, run,
                              registers_of_step{});
      });
    };
    index_t left = index_t{a.slice_start[slice + 1]} - begin;
    for (; left >= together; left -= together) {
      if constexpr (InValues) {
        simd::unroll<together>([&](auto s)
                                   SPARSEKIT_LAMBDA_INLINE { step(s, places_in_values{}); });
      } else {
        const simd::place_run<Arch, T, together * vectors> run(place);
        simd::unroll<together>([&](auto s) SPARSEKIT_LAMBDA_INLINE { step(s, run); });
      }
      base += together;
      place += InValues ? 0 : together * view::step_slots;
      value += together * view::step_slots;
    }
    if constexpr (together > 1) {
      if (left > 0) {
        step(std::integral_constant<int, 0>{}, simd::place_run<Arch, T, vectors>(place));
      }
    }
    simd::unroll<N * vectors>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
      sum[i] = chains == 1 ? total[0][i] : lanes::add(total[0][i], total[chains - 1][i]);
    });
  }
};

/// The sums of a slice in the order of rows.
template <class T, int... I>
SPARSEKIT_INLINE void put_lanes(const T* lane, const std::uint8_t* row, T* sums,
                                std::integer_sequence<int, I...>) {
  ((sums[row[I]] = lane[I]), ...);
}

template <class Arch, class T>
struct gemv_lookup {
  using lanes = simd::lanes<Arch, T>;
  using view = lookup_view<const T>;
  static constexpr index_t group = lookup_columns<Arch, T>;
  /// Elements of x that are copied to the stack when there is no workspace.
  static constexpr index_t stack_elements = 16384 / index_t{sizeof(T)};
  /// Elements behind the end of x that the last window may reach.
  static constexpr index_t margin = 256 / index_t{sizeof(T)};

  template <class Call>
  static bool accepts(const Call&) {
    return true;
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    return {.shared = std::min(columns, group) * column_stride(a.cols()) * index_t{sizeof(T)},
            .per_worker = 0};
  }
  template <class Call>
  static void run(const Call& c) {
    alignas(64) T on_stack[stack_elements];
    const index_t stride = column_stride(c.a.cols());
    const bool in_workspace = c.scratch.shared_bytes >= stride * index_t{sizeof(T)};
    T* const room = in_workspace ? c.scratch.template shared_as<T>() : on_stack;
    const index_t room_size = in_workspace ? c.scratch.shared_bytes / index_t{sizeof(T)}
                                           : stack_elements;
    const index_t at_once = std::clamp(room_size / stride, index_t{1}, group);
    for (index_t n = 0; n < c.x.cols(); n += at_once) {
      const index_t count = std::min(at_once, c.x.cols() - n);
      window_source<T> x[group];
      bool finite = true;
      for (index_t i = 0; i < count; ++i) {
        if (stride <= room_size) {
          finite = copy_column(c.x, n + i, room + i * stride, stride) && finite;
          x[i] = {room + i * stride, room, view::max_cols, 1, c.a.cols()};
        } else {
          finite = read_in_place(c.x, n + i, c.a, on_stack, x[i]) && finite;
        }
      }
      const index_t tasks = fine_task_count(c.policy, c.a.slots() * count, c.a.blocks());
      run_tasks(c.policy, tasks, [&](index_t task, index_t) {
        const index_t end = lookup_task_block(c.a, task + 1, tasks);
        for (index_t b = lookup_task_block(c.a, task, tasks); b < end; ++b) {
          finish_block(c, b, n, count, x, finite);
        }
      });
    }
  }

 private:
  static index_t column_stride(index_t cols) { return round_up(cols, margin) + margin; }

  /// x's column into `to`, zeros up to `stride`. Returns whether all is finite.
  template <class Layout>
  static bool copy_column(dense_view<const T, Layout> x, index_t column, T* to, index_t stride) {
    auto magnitude = lanes::no_magnitude();
    const index_t k = x.rows();
    const index_t step = Layout::rows_contiguous ? x.ld() : 1;
    const T* from = k > 0 ? &x(0, column) : nullptr;
    index_t i = 0;
    if (step == 1) {
      for (; i + lanes::width <= k; i += lanes::width) {
        const auto v = lanes::load(from + i);
        magnitude = lanes::max_magnitude(magnitude, v);
        lanes::store(to + i, v);
      }
    }
    index_t filled = i;
    for (; i < k; ++i) to[i] = from[i * step];
    for (; i < stride; ++i) to[i] = T{0};
    for (; filled < k; filled += lanes::width) {
      magnitude = lanes::max_magnitude(magnitude, lanes::load(to + filled));
    }
    return !lanes::any_not_finite(magnitude);
  }

  /// A column that stays where it is; its tail goes to `tail`. False if it has to be read with care:
  /// not finite, or its elements apart.
  template <class Layout>
  static bool read_in_place(dense_view<const T, Layout> x, index_t column, const view& a, T* tail,
                            window_source<T>& out) {
    const index_t k = x.rows();
    const index_t step = Layout::rows_contiguous ? x.ld() : 1;
    const T* from = &x(0, column);
    const index_t first_tail = k < a.window() ? 0 : (k - a.window()) / a.unit() + 1;
    for (index_t i = 0; i < 3 * margin; ++i) {
      const index_t at = first_tail * a.unit() + i;
      tail[i] = at < k ? from[at * step] : T{0};
    }
    out = {from, tail, first_tail, step, k};
    if (step != 1) return false;
    auto magnitude = lanes::no_magnitude();
    index_t i = 0;
    for (; i + lanes::width <= k; i += lanes::width) {
      magnitude = lanes::max_magnitude(magnitude, lanes::load(from + i));
    }
    magnitude = lanes::max_magnitude(magnitude, lanes::load(lanes::first(k - i), from + i));
    return !lanes::any_not_finite(magnitude);
  }

  /// Sums of one block of rows, in the order of rows, then the epilogue.
  template <class Call>
  static void finish_block(const Call& c, index_t block, index_t column, index_t count,
                           const window_source<T>* x, bool finite) {
    alignas(64) T sums[group * view::block_rows];
    if (!finite) {
      for (index_t n = 0; n < count; ++n) {
        kept_block_sums(c.a, block, x[n], sums + n * view::block_rows);
      }
    } else if (count == 1) {
      block_sums<1>(c.a, block, x, sums);
    } else if constexpr (!Call::one_column) {
      block_sums_of_many<2>(c.a, block, count, x, sums);
    }
    const index_t row = block * view::block_rows;
    const index_t rows = std::min(view::block_rows, c.a.rows() - row);
    for (index_t n = 0; n < count; ++n) {
      const T* s = sums + n * view::block_rows;
      if constexpr (Call::y_layout::rows_contiguous) {
        const auto out = output_of<simd::lanes<arch::scalar, T>>(c.y, c.epilogue);
        for (index_t r = 0; r < rows; ++r) out.put(s[r], row + r, column + n, simd::all_lanes{});
      } else {
        const auto out = output_of<lanes>(c.y, c.epilogue);
        index_t r = 0;
        for (; r + lanes::width <= rows; r += lanes::width) {
          out.put(lanes::load(s + r), row + r, column + n, simd::all_lanes{});
        }
        if (r < rows) out.put(lanes::load(s + r), row + r, column + n, lanes::first(rows - r));
      }
    }
  }

  /// Of N columns and more, up to a group of them.
  template <int N>
  static void block_sums_of_many(const view& a, index_t block, index_t count,
                                 const window_source<T>* x, T* sums) {
    if constexpr (N <= group) {
      if (count == N) return block_sums<N>(a, block, x, sums);
      block_sums_of_many<N + 1>(a, block, count, x, sums);
    }
  }

  template <int N>
  static void block_sums(const view& a, index_t block, const window_source<T>* x, T* sums) {
    if constexpr (view::can_place_in_values) {
      if (a.places_in_values && a.window_bytes == 64) {
        return block_sums_of<64, N, true>(a, block, x, sums);
      }
      if (a.places_in_values) return block_sums_of<128, N, true>(a, block, x, sums);
    }
    switch (a.window_bytes) {
      case 64: return block_sums_of<64, N>(a, block, x, sums);
      case 128: return block_sums_of<128, N>(a, block, x, sums);
      default: return block_sums_of<256, N>(a, block, x, sums);
    }
  }

  /// sums[n * block_rows + r] for the rows of a block. Not inlined: it does not depend on the epilogue.
  template <int Window, int N, bool InValues = false>
  static SPARSEKIT_NOINLINE void block_sums_of(const view& a, index_t block,
                                               const window_source<T>* x, T* sums) {
    using slice_sums = lookup_slice_sums<Arch, T, Window, N, InValues>;
    window_source<T> source[N];
    for (int n = 0; n < N; ++n) source[n] = x[n];
    const index_t end = std::min((block + 1) * view::block_slices, a.slices());
    for (index_t s = block * view::block_slices; s < end; ++s) {
      typename lanes::reg sum[N * slice_sums::vectors];
      slice_sums::run(a, s, source, sum);
      const std::uint8_t* row = a.lane_rows.data() + s * view::slice_rows;
      simd::unroll<N>([&](auto n) SPARSEKIT_LAMBDA_INLINE {
        alignas(64) T lane[view::slice_rows];
        simd::registers<lanes, slice_sums::vectors>::store(lane, sum + n * slice_sums::vectors);
        put_lanes(lane, row, sums + n * view::block_rows,
                  std::make_integer_sequence<int, static_cast<int>(view::slice_rows)>{});
      });
    }
  }

  /// The same sums when x holds Inf or NaN, or has to be gathered: an empty slot meets a zero with the sign
  /// that x has, so that the bits of the other sums do not change.
  static SPARSEKIT_NOINLINE void kept_block_sums(const view& a, index_t block,
                                                 const window_source<T>& x, T* sums) {
    using one = simd::lanes<arch::scalar, T>;
    const index_t end = std::min((block + 1) * view::block_slices, a.slices());
    for (index_t s = block * view::block_slices; s < end; ++s) {
      T lanes_of[lookup_chains<Arch, T>][view::slice_rows] = {};
      for (index_t t = a.slice_start[s]; t < a.slice_start[s + 1]; ++t) {
        T* const lane = lanes_of[(t - a.slice_start[s]) % lookup_chains<Arch, T>];
        const index_t begin = a.bases[t] * a.unit();
        for (index_t i = 0; i < view::slice_rows; ++i) {
          const index_t at = begin + a.place(t * view::slice_rows + i);
          const T value = a.value(t * view::slice_rows + i);
          T seen = at >= x.cols ? T{0} : x.head[at * x.stride];
          if (is_empty_slot(value)) seen = simd::zero_of_sign(seen);
          lane[i] = one::fma(value, seen, lane[i]);
        }
      }
      for (index_t i = 0; i < view::slice_rows; ++i) {
        T sum = lanes_of[0][i];
        if constexpr (lookup_chains<Arch, T> == 2) sum += lanes_of[1][i];
        sums[a.lane_rows[s * view::slice_rows + i]] = sum;
      }
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
