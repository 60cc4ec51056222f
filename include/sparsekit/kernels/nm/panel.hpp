// Y = A X for packed N:M matrices, lanes along the columns of X. X is re-laid into panels of up to
// four registers; a tile is some rows of a slice across one panel:
//
//   for each step:   x = the panel's row of the column that V rows share      (Registers loads)
//                    sum[r] += value[r] * x for these rows                    (V * Registers FMAs)
//
// With V = 1 every FMA needs a load of X of its own, and on cores with as many loads as FMAs a
// cycle the broadcasts of the values are what is lost; from V = 2 on the FMA units are the bound.
//
// Steps are cut so that the part of the panel that they read stays in L1; between the cuts the sums
// of some slices wait in L2. (Slices that go through all steps at once while the panel fits L2, and
// into Y one by one: with V = 8 1:4 and 1:8 3 % faster, 2:4 and all with V = 2 5 to 10 % slower.)
// Each sum is one chain of FMAs in ascending order of columns, here and in lookup.hpp, so both
// kernels give the same bits.
#pragma once

#include "../blocks/product.hpp"
#include "../panel_rows.hpp"
#include "../relay.hpp"
#include "slice.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Rows of a tile `Registers` wide: enough independent sums to hide the latency of FMA, few enough
/// to stay in registers.
template <class Arch>
constexpr int nm_tile_rows(int registers) {
  constexpr bool many = std::is_same_v<Arch, arch::avx512> || std::is_same_v<Arch, arch::neon>;
  constexpr int sums = many ? 16 : 8;
  return registers == 3 ? sums / 4 : sums / registers;
}
/// The widest panel in registers.
inline constexpr int nm_panel_registers = 4;

/// Steps [begin, end) of some slices; all inside one block of columns, whose first row of the panel
/// is `x`.
template <class T>
struct nm_part {
  using sum = sum_of_t<T>;
  const packed_nm_view<const T>& a;
  const sum* x;
  index_t slice0;
  index_t slice1;
  index_t begin;
  index_t end;
  /// Sums of row r of slice s at sums[((s - slice0) * 16 + r) * width]. `first`: they start at
  /// zero.
  sum* sums;
  bool first;
};

/// The columns of a step in a word or two: an address that hangs on one load of 4 or 8 bytes is
/// there sooner than those that hang on a load each.
template <int Count>
struct nm_columns_of_step {
  using word = std::conditional_t<
      (Count > 4), std::uint64_t,
      std::conditional_t<(Count > 2), std::uint32_t,
                         std::conditional_t<(Count > 1), std::uint16_t, std::uint8_t>>>;
  static constexpr int per_word = static_cast<int>(sizeof(word));
  static_assert(Count % per_word == 0, "a word would reach into the next tile");
  word words[Count / per_word];

  explicit SPARSEKIT_INLINE nm_columns_of_step(const std::uint8_t* p) {
    std::memcpy(words, p, sizeof words);
  }
  template <int I>
  SPARSEKIT_INLINE index_t get() const {
    return static_cast<index_t>(words[I / per_word] >> (8 * (I % per_word)) & 0xff);
  }
};

/// The values of a step, broadcast. By shuffles of a load of four where loads are the bound (no
/// sharing), by a load each where they are not.
template <class Lanes, class T, int Count, bool Shuffle>
struct nm_numbers {
  const T* value;
  explicit SPARSEKIT_INLINE nm_numbers(const T* p) : value(p) {}
  template <int I>
  SPARSEKIT_INLINE typename Lanes::reg get() const {
    using mixed = simd::mixed<simd::arch_of<Lanes>>;
    if constexpr (is_narrow<T> && Count > 1) {
      return simd::broadcast_of_run<simd::arch_of<Lanes>, I>(value);
    } else if constexpr (is_narrow<T>) {
      return mixed::broadcast_f32(value);
    } else {
      return Lanes::broadcast(value[I]);
    }
  }
};
template <class Lanes, class T, int Count>
struct nm_numbers<Lanes, T, Count, true> {
  typename Lanes::four fours[Count / 4];
  explicit SPARSEKIT_INLINE nm_numbers(const T* p) {
    simd::unroll<Count / 4>(
        [&](auto i) SPARSEKIT_LAMBDA_INLINE { fours[i] = Lanes::load_four(p + 4 * i); });
  }
  template <int I>
  SPARSEKIT_INLINE typename Lanes::reg get() const {
    return Lanes::template pick<I % 4>(fours[I / 4]);
  }
};

/// V rows share a column here; the format may let more rows share it.
template <class Arch, class T, int Registers, int V>
SPARSEKIT_NOINLINE void nm_tiles(const nm_part<T>& p) {
  using S = sum_of_t<T>;
  using lanes = simd::lanes<Arch, S>;
  constexpr int width = Registers * lanes::width;
  constexpr int rows = nm_tile_rows<Arch>(Registers);
  using one_row = simd::registers<lanes, Registers>;
  using all_rows = simd::registers<lanes, rows * Registers>;
  constexpr int patterns = rows / V;
  const index_t per_step = p.a.columns_per_step();
  const index_t v_shift = p.a.group.v;
  for (index_t s = p.slice0; s < p.slice1; ++s) {
    const index_t step0 = s * p.a.steps() + p.begin;
    const index_t rows_left = p.a.rows() - s * nm_slice;
    for (index_t r0 = 0; r0 < nm_slice && r0 < rows_left; r0 += rows) {
      S* sums = p.sums + ((s - p.slice0) * nm_slice + r0) * width;
      typename lanes::reg sum[rows * Registers];
      all_rows::zero(sum);
      if (!p.first) all_rows::load(sum, sums);
      const T* value = p.a.values.data() + step0 * nm_slice + r0;
      const std::uint8_t* column = p.a.columns.data() + step0 * per_step + r0 / v_shift;
      for (index_t i = p.begin; i < p.end; ++i, value += nm_slice, column += per_step) {
        const nm_columns_of_step<patterns> columns(column);
        const nm_numbers<lanes, T, rows, V == 1 && rows % 4 == 0 && !is_narrow<T>> numbers(value);
        simd::unroll<patterns>([&](auto q) SPARSEKIT_LAMBDA_INLINE {
          const S* row = p.x + columns.template get<q>() * width;
          typename lanes::reg x[Registers];
          one_row::load(x, row);
          simd::unroll<V>([&](auto t) SPARSEKIT_LAMBDA_INLINE {
            constexpr int r = q * V + t;
            one_row::add_product(sum + r * Registers, numbers.template get<r>(), x);
          });
        });
      }
      all_rows::store(sums, sum);
    }
  }
}

/// The same sums where X holds Inf or NaN, which slots that are no entry must not see. Finite
/// columns get the same bits.
template <class T>
SPARSEKIT_NOINLINE void nm_exact(const nm_part<T>& p, index_t width) {
  using S = sum_of_t<T>;
  using one = simd::lanes<arch::scalar, S>;
  const index_t block = p.a.block_groups() * p.a.group.m;
  for (index_t s = p.slice0; s < p.slice1; ++s) {
    for (index_t r = 0; r < nm_slice; ++r) {
      S* sums = p.sums + ((s - p.slice0) * nm_slice + r) * width;
      for (index_t j = 0; p.first && j < width; ++j) sums[j] = S{0};
      for (index_t i = p.begin; i < p.end; ++i) {
        const T value = p.a.values[(s * p.a.steps() + i) * nm_slice + r];
        const S* x = p.x + p.a.column(s, i, r) % block * width;
        for (index_t j = 0; j < width; ++j) {
          if (is_empty_slot(value) && !simd::is_finite(x[j])) continue;
          sums[j] = one::fma(static_cast<S>(value), x[j], sums[j]);
        }
      }
    }
  }
}

/// f(V): how many rows of a tile `Registers` wide share a column where v rows of the format do.
template <class Arch, int Registers, class F>
SPARSEKIT_INLINE void nm_with_sharing(index_t v, const F& f) {
  constexpr int rows = nm_tile_rows<Arch>(Registers);
  simd::unroll<5>([&](auto e) SPARSEKIT_LAMBDA_INLINE {
    constexpr int shared = 1 << e;
    if constexpr (shared <= rows) {
      if (v == shared || (shared == rows && v > shared)) f(std::integral_constant<int, shared>{});
    }
  });
}

/// nm_tiles for run-time numbers of registers and rows that share.
template <class Arch, class T>
SPARSEKIT_INLINE void nm_tiles_any(const nm_part<T>& p, index_t registers) {
  simd::unroll<nm_panel_registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
    constexpr int wide = j + 1;
    if (registers != wide) return;
    nm_with_sharing<Arch, wide>(
        p.a.group.v, [&](auto v) SPARSEKIT_LAMBDA_INLINE { nm_tiles<Arch, T, wide, v>(p); });
  });
}

/// What the sums of a tile of s8 begin with, from row `row` on: what waited, or, in the first
/// steps, what makes up for x that is kept with another sign.
template <class Arch, class TX, int Rows, int Registers, class Reg>
SPARSEKIT_INLINE void nm_begin_byte_sums(const packed_nm_view<const std::int8_t>& a, index_t row,
                                         bool first, const std::int32_t* waited, Reg* sum) {
  using lanes = simd::lanes<Arch, std::int32_t>;
  simd::unroll<Rows>([&](auto r) SPARSEKIT_LAMBDA_INLINE {
    simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
      auto& to = sum[r * Registers + j];
      if (!first) {
        to = lanes::load(waited + (r * Registers + j) * lanes::width);
      } else if constexpr (narrow_product<Arch, std::int8_t, TX>::flipped) {
        to = lanes::broadcast(-simd::shift_of_kept<Arch, TX>() * a.weight_sums[row + r]);
      } else {
        to = lanes::zero();
      }
    });
  });
}

/// Bytes of a panel that the steps of one cut may read. Without sharing, each load of X must find
/// it in L1; the fewer steps a cut has, the more its sums' way to L2 and back weighs against that.
/// With V >= 4 a load serves four rows, and L2 is fast enough: whole blocks. (24, 40 and 64 KB were
/// tried on Zen 4.)
inline index_t nm_cut_bytes(const nm_shape& g) {
  return g.v >= 4 ? 64 * 1024 : 4 * g.n <= g.m ? 40 * 1024 : 24 * 1024;
}

/// f(part) for cut after cut of all steps, for slices [s0, s1).
template <class T, class F>
void nm_for_each_cut(const packed_nm_view<const T>& a, const sum_of_t<T>* panel, index_t width,
                     index_t s0, index_t s1, sum_of_t<T>* sums, F&& f) {
  const index_t block = a.block_groups();
  const index_t bytes = block * a.group.m * width * index_t{sizeof(sum_of_t<T>)};
  // Whole words of s8; a block has a multiple of them.
  const index_t cut = round_up(ceil_div(block, ceil_div(bytes, nm_cut_bytes(a.group))), a.together);
  index_t g = 0;
  do {  // a matrix without columns still has rows to write
    const index_t first = g / block * block;
    index_t next = g + cut < first + block ? g + cut : first + block;
    next = next < a.groups() ? next : a.groups();
    f(nm_part<T>{a, panel + first * a.group.m * width, s0, s1, g * a.group.n, next * a.group.n,
                 sums, g == 0});
    g = next;
  } while (g < a.groups());
}

/// What is known of a panel: whether all of it is finite, or that the sums will tell.
enum class panel_values { finite, not_finite, unknown };

/// Slices [s0, s1) times one panel of `registers` registers, into sums[row][width].
template <class Arch, class T>
void nm_sum_slices(const packed_nm_view<const T>& a, const sum_of_t<T>* panel, index_t registers,
                   panel_values values, index_t s0, index_t s1, sum_of_t<T>* sums) {
  using lanes = simd::lanes<Arch, sum_of_t<T>>;
  const index_t width = registers * lanes::width;
  if (values != panel_values::not_finite) [[likely]] {
    nm_for_each_cut(a, panel, width, s0, s1, sums,
                    [&](const nm_part<T>& p) { nm_tiles_any<Arch>(p, registers); });
    if (values == panel_values::finite) return;
    const index_t rows = a.rows() < s1 * nm_slice ? a.rows() - s0 * nm_slice : (s1 - s0) * nm_slice;
    if (all_finite<lanes>(sums, rows * width)) return;
  }
  nm_for_each_cut(a, panel, width, s0, s1, sums, [&](const nm_part<T>& p) { nm_exact(p, width); });
}

template <class Arch, class T>
struct spmm_nm_panel {
  using sum = sum_of_t<T>;
  using lanes = simd::lanes<Arch, sum>;
  /// Slices whose sums wait together.
  static constexpr index_t waiting_slices = 16;
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    const index_t most = nm_panel_registers * lanes::width;
    const index_t width = columns < most ? round_up(columns, lanes::width) : most;
    const index_t waiting = (waiting_slices * nm_slice + lanes::width) * width;
    return {.shared = 0,
            .per_worker = (round_up(a.cols() * width, 64) + waiting) * index_t{sizeof(sum)}};
  }
  template <class Call>
  static constexpr bool possible =
      Call::has_workspace && !std::is_integral_v<T> && (!Call::one_column || is_narrow<T>);
  template <class Call>
  static bool accepts(const Call& c) {
    return c.scratch.worker_bytes >= requirement(c.a, c.x.cols()).per_worker;
  }
  template <class Call>
  static void run(const Call& c) {
    run_panel_tasks(c.policy, panel_split(c.x.cols(), lanes::width, nm_panel_registers),
                    c.a.slots() * c.x.cols(), c.a.slices(),
                    [&](auto... ranges) { run_panel(c, ranges...); });
  }

 private:
  template <class Call>
  static void run_panel(const Call& c, index_t register0, index_t register1, index_t slice0,
                        index_t slice1, index_t worker) {
    const auto& a = c.a;
    const index_t registers = register1 - register0;
    const index_t width = registers * lanes::width;
    const index_t column = register0 * lanes::width;
    const index_t columns = c.x.cols() - column < width ? c.x.cols() - column : width;
    sum* const own = c.scratch.template worker_as<sum>(worker);
    sum* const sums = own + round_up(a.cols() * width, 64);
    const sum* panel = own;
    const auto out = output_of<lanes>(c.y, c.epilogue);
    panel_values values = panel_values::unknown;
    if constexpr (is_narrow<T>) {
      // X of any type as f32; the sums tell whether it is finite.
      block_product<Arch, float16, typename Call::x_type>::relay(c.x, column, columns, width,
                                                                 a.cols(), own);
    } else if (is_panel(c.x, columns, width)) {
      panel = c.x.data();
    } else {
      values = relay_panel<lanes, T>(c.x, column, columns, width, own) ? panel_values::finite
                                                                       : panel_values::not_finite;
    }
    for (index_t s = slice0; s < slice1; s += waiting_slices) {
      const index_t end = s + waiting_slices < slice1 ? s + waiting_slices : slice1;
      nm_sum_slices<Arch>(a, panel, registers, values, s, end, sums);
      const index_t r0 = s * nm_slice;
      const index_t r1 = a.rows() < end * nm_slice ? a.rows() : end * nm_slice;
      put_panel_rows<lanes>(sums, width, r1 - r0, columns, out, r0, column);
    }
  }
};

/// bf16, f16 and s8 without a workspace: a sum at a time, in the same order.
template <class Arch, class T>
struct spmm_nm_plain {
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
    using one = simd::lanes<arch::scalar, sum_of_t<T>>;
    const auto& a = c.a;
    const auto out = output_of<one>(c.y, c.epilogue, a.weight_sums.data());
    const index_t n = c.x.cols();
    const index_t tasks = task_count(c.policy, a.slots() * n, a.slices());
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t r1 = a.rows() * (task + 1) / tasks;
      for (index_t r = a.rows() * task / tasks; r < r1; ++r) {
        const index_t slice = r / nm_slice;
        for (index_t j = 0; j < n; ++j) {
          sum_of_t<T> sum{0};
          for (index_t i = 0; i < a.steps(); ++i) {
            const T value = a.values[a.value_at(slice, i, r % nm_slice)];
            if (is_empty_slot(value)) continue;
            const auto w = static_cast<sum_of_t<T>>(value);
            const auto x = static_cast<sum_of_t<T>>(c.x(a.column(slice, i, r % nm_slice), j));
            if constexpr (std::is_integral_v<T>) {
              sum += w * x;
            } else {
              sum = one::fma(w, x, sum);
            }
          }
          out.put(sum, r, j, simd::all_lanes{});
        }
      }
    });
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
