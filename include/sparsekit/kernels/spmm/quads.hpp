// Y = A X for balanced row quads (formats/quads.hpp). The tile is one group of quads across one panel of X:
// 4 * Quads rows by Registers registers, all sums in registers.
//
//   for each column of a pattern:   x = the panel's row of that column       (Registers loads)
//                                   sum[r] += value[r] * x for its rows r    (1 to 4 times Registers FMAs)
//
// X is re-laid into a panel of cols x width in the workspace (kernels/relay.hpp). Between the column blocks
// of a row block, sums wait in a scratch array of row_block x width, which stays in L2.
//
// What bounds it: columns of three and four rows, the FMA units; singles, the loads of X, one an FMA.
// Values are broadcast by shuffle from four loaded at once in singles, by load in shared patterns. (Emerald Rapids:
// all, half or none of those of singles by shuffle take the same time. At 90 % zeros an entry takes .48 ns for one
// register of X, whether it holds 4, 8 or 16 columns, and .36 for each of two: it is the instructions around the
// multiply-add that count.) Those of
// bf16 and f16 are widened two or four at a time, and X once a panel, so the sums are those of f32.
#pragma once

#include "../../formats/packed.hpp"
#include "../panel_rows.hpp"
#include "../relay.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Rows below r that a pattern holds: the place of row r's value.
constexpr int values_before(int pattern, int r) {
  return r == 0 ? 0 : values_before(pattern, r - 1) + (pattern >> (r - 1) & 1);
}

/// sum[r] += value * x for the rows of a pattern. Its values start at index First of a run of values;
/// value.get<i>() broadcasts the i-th.
template <class Lanes, int Registers, int Pattern, int First, class S, class Values>
SPARSEKIT_INLINE void add_column(typename Lanes::reg* sum, const S* x, const Values& value) {
  using row = simd::registers<Lanes, Registers>;
  simd::no_loads_ahead();
  typename Lanes::reg x_row[Registers];
  row::load(x_row, x);
  if constexpr ((Pattern & 1) != 0) row::add_product(sum, value.template get<First>(), x_row);
  if constexpr ((Pattern & 2) != 0) {
    row::add_product(sum + Registers, value.template get<First + values_before(Pattern, 1)>(),
                     x_row);
  }
  if constexpr ((Pattern & 4) != 0) {
    row::add_product(sum + 2 * Registers, value.template get<First + values_before(Pattern, 2)>(),
                     x_row);
  }
  if constexpr ((Pattern & 8) != 0) {
    row::add_product(sum + 3 * Registers, value.template get<First + values_before(Pattern, 3)>(),
                     x_row);
  }
}

/// Rows that the i-th column of a run holds, all columns of which hold `Rows` rows.
template <int Rows>
constexpr int quad_pattern(int i) {
  return Rows == 3 ? quad_triples[i] : Rows == 2 ? quad_pairs[i] : 1 << i;
}

/// Values broadcast by a load each.
template <class Lanes, class T>
struct values_by_load {
  const T* p;
  template <int I>
  SPARSEKIT_INLINE typename Lanes::reg get() const {
    return Lanes::broadcast(p[I]);
  }
};
/// Four values broadcast by shuffles of one load.
template <class Lanes, class T>
struct values_by_shuffle {
  typename Lanes::four four;
  explicit SPARSEKIT_INLINE values_by_shuffle(const T* p) : four(Lanes::load_four(p)) {}
  template <int I>
  SPARSEKIT_INLINE typename Lanes::reg get() const {
    return Lanes::template pick<I>(four);
  }
};

/// bf16 and f16, widened.
template <class Lanes, class T, bool Shuffle>
struct values_widened {
  using mixed = simd::mixed<simd::arch_of<Lanes>>;
  const T* p;
  explicit SPARSEKIT_INLINE values_widened(const T* values) : p(values) {}
  template <int I>
  SPARSEKIT_INLINE typename Lanes::reg get() const {
    if constexpr (Shuffle) {
      return mixed::template pick<I % 4>(mixed::load_four(p + I / 4 * 4));
    } else {
      return simd::broadcast_of_run<simd::arch_of<Lanes>, I>(p);
    }
  }
};

/// Byte `I` of a word, as an offset in elements of panel rows `Width` long.
template <int I, index_t Width>
SPARSEKIT_INLINE index_t row_offset(std::uint64_t word) {
  return static_cast<index_t>(word >> (8 * I) & 0xff) * Width;
}
template <class Word>
SPARSEKIT_INLINE Word load_word(const std::uint8_t* p) {
  Word w;
  std::memcpy(&w, p, sizeof w);
  return w;
}

/// add_column for a run of columns of `Rows` rows each, one of every pattern: byte I of `columns`
/// is the I-th.
template <class Lanes, int Registers, int Rows, class S, class Values, int... I>
SPARSEKIT_INLINE void add_columns(std::integer_sequence<int, I...>, typename Lanes::reg* sum,
                                  const S* panel, std::uint64_t columns, const Values& value) {
  constexpr index_t width = Registers * Lanes::width;
  (add_column<Lanes, Registers, quad_pattern<Rows>(I), Rows * I>(
       sum, panel + row_offset<I, width>(columns), value),
   ...);
}

/// One group: moves columns and values on, adds to sum[quad][row][register].
template <class Lanes, int Registers, int Quads, class T>
SPARSEKIT_INLINE void run_group(typename Lanes::reg* sum, const sum_of_t<T>* panel,
                                const quad_block& block, index_t singles,
                                const std::uint8_t*& columns, const T*& values) {
  constexpr index_t width = Registers * Lanes::width;
  constexpr int quad_sums = 4 * Registers;
  using four = std::make_integer_sequence<int, 4>;
  using six = std::make_integer_sequence<int, 6>;
  using shared =
      std::conditional_t<is_narrow<T>, values_widened<Lanes, T, false>, values_by_load<Lanes, T>>;
  using lone =
      std::conditional_t<is_narrow<T>, values_widened<Lanes, T, true>, values_by_shuffle<Lanes, T>>;
  for (int i = 0; i < block.t4; ++i) {
    simd::unroll<Quads>([&](auto z) SPARSEKIT_LAMBDA_INLINE {
      add_column<Lanes, Registers, 0b1111, 0>(sum + z * quad_sums,
                                              panel + index_t{columns[z]} * width,
                                              shared{values + 4 * z});
    });
    columns += Quads;
    values += 4 * Quads;
  }
  for (int i = 0; i < block.t3; ++i) {
    simd::unroll<Quads>([&](auto z) SPARSEKIT_LAMBDA_INLINE {
      add_columns<Lanes, Registers, 3>(four{}, sum + z * quad_sums, panel,
                                       load_word<std::uint32_t>(columns + 4 * z),
                                       shared{values + 12 * z});
    });
    columns += 4 * Quads;
    values += 12 * Quads;
  }
  for (int i = 0; i < block.t2; ++i) {
    simd::unroll<Quads>([&](auto z) SPARSEKIT_LAMBDA_INLINE {
      add_columns<Lanes, Registers, 2>(six{}, sum + z * quad_sums, panel,
                                       load_word<std::uint64_t>(columns + 6 * z),
                                       shared{values + 12 * z});
    });
    columns += 6 * Quads;
    values += 12 * Quads;
  }
  for (index_t i = 0; i < singles; ++i) {
    simd::unroll<Quads>([&](auto z) SPARSEKIT_LAMBDA_INLINE {
      add_columns<Lanes, Registers, 1>(four{}, sum + z * quad_sums, panel,
                                       load_word<std::uint32_t>(columns + 4 * z),
                                       lone(values + 4 * z));
    });
    columns += 4 * Quads;
    values += 4 * Quads;
  }
}

/// The same sums in the same order without the filled slots, for a panel of X that holds Inf or NaN. Slow
/// and small: sums stay in memory.
template <class Lanes, int Registers, class T>
SPARSEKIT_NOINLINE void run_group_strict(sum_of_t<T>* sums, const sum_of_t<T>* panel,
                                         const quad_block& block, index_t interleave, index_t singles,
                                         const std::uint8_t* columns, const T* values) {
  constexpr index_t width = Registers * Lanes::width;
  for_each_slot(block, interleave, singles, columns, values,
                [&](index_t row, index_t column, T value) SPARSEKIT_LAMBDA_INLINE {
    if (is_empty_slot(value)) return;
    sum_of_t<T>* sum = sums + row * width;
    const auto v = Lanes::broadcast(static_cast<sum_of_t<T>>(value));
    for (index_t j = 0; j < width; j += Lanes::width) {
      Lanes::store(sum + j, Lanes::fma(v, Lanes::load(panel + column * width + j),
                                       Lanes::load(sum + j)));
    }
  });
}

/// One row block of A times one panel of X: rows [r0, ...) and columns [column, column + columns) of Y, or with
/// sums_wait the sums in `waiting`: row_block x width, plus one row that padding rows write to.
template <class Lanes, int Registers, int Quads, class T, class Output>
SPARSEKIT_NOINLINE void run_row_block(const quad_view<const T>& a, index_t row_block,
                                      const sum_of_t<T>* panel, bool finite, sum_of_t<T>* waiting,
                                      index_t column, index_t columns, const Output& out) {
  using S = sum_of_t<T>;
  constexpr index_t width = Registers * Lanes::width;
  constexpr int group_rows = 4 * Quads;
  constexpr bool along_rows = !std::is_same_v<Output, sums_wait>;
  using view = quad_view<const T>;
  const index_t r0 = row_block * a.row_block;
  const index_t blocks = a.column_blocks();
  S* const nowhere = waiting + a.row_block * width;
  const auto tail = Lanes::first(columns - (Registers - 1) * Lanes::width);
  const bool full = columns == width;
  for (index_t k = 0; k < blocks; ++k) {
    const quad_block& block = a.blocks[row_block * blocks + k];
    const std::uint16_t* head = a.heads.data() + block.head;
    const std::uint8_t* c = a.columns.data() + block.column;
    const T* v = a.values.data() + block.value;
    const S* x = panel + k * a.column_block * width;
    const bool last = k + 1 == blocks;
    for (std::int32_t g = 0; g < block.groups; ++g, head += group_rows + 1) {
      using one_row = simd::registers<Lanes, Registers>;
      using all_rows = simd::registers<Lanes, group_rows * Registers>;
      typename Lanes::reg sum[group_rows * Registers];
      const auto kept = [&](int r) SPARSEKIT_LAMBDA_INLINE {
        return head[r] == view::no_row ? nowhere : waiting + index_t{head[r]} * width;
      };
      if (k == 0) {
        all_rows::zero(sum);
      } else {
        simd::unroll<group_rows>(
            [&](auto r) SPARSEKIT_LAMBDA_INLINE { one_row::load(sum + r * Registers, kept(r)); });
      }
      const index_t singles = head[group_rows];
      if (finite) [[likely]] {
        run_group<Lanes, Registers, Quads>(sum, x, block, singles, c, v);
      } else {
        alignas(64) S sums[group_rows * width];
        all_rows::store(sums, sum);
        run_group_strict<Lanes, Registers>(sums, x, block, Quads, singles, c, v);
        c += quad_group_columns(block, Quads, singles);
        v += quad_group_values(block, Quads, singles);
        all_rows::load(sum, sums);
      }
      if (along_rows && last) {
        if constexpr (along_rows) {
          simd::unroll<group_rows>([&](auto r) SPARSEKIT_LAMBDA_INLINE {
            const index_t at = head[r];
            if (at == view::no_row) return;
            out.template put_run<Registers>(sum + r * Registers, r0 + at, column, full, tail);
          });
        }
      } else {
        simd::unroll<group_rows>(
            [&](auto r) SPARSEKIT_LAMBDA_INLINE { one_row::store(kept(r), sum + r * Registers); });
      }
    }
  }
}

/// The most registers of a row that a tile of `interleave` quads may hold without spilling.
template <class Arch>
constexpr int quad_registers(index_t interleave) {
  if constexpr (std::is_same_v<Arch, arch::avx2>) {
    return interleave == 1 ? 2 : 1;
  } else {
    return interleave == 1 ? 4 : 2;
  }
}

/// The tile of `lanes` for one stream; narrower lanes serve a few columns, and then of one register.
template <class Arch, class T, bool Narrower = false>
struct quad_panels {
  using S = sum_of_t<T>;
  using lanes = simd::lanes<Arch, S>;

  static index_t bytes(index_t cols, index_t row_block, index_t interleave, index_t columns) {
    const index_t most = quad_registers<Arch>(interleave);
    const index_t registers = ceil_div(columns, lanes::width);
    const index_t width = (registers < most ? registers : most) * lanes::width;
    return (cols * width + 64 + (row_block + lanes::width) * width) * index_t{sizeof(S)};
  }

  template <int Quads, class Call>
  static void run(const Call& c) {
    const quad_view<const T>& a = c.a.quads;
    const auto out = output_of<lanes>(c.y, c.epilogue);
    constexpr int most = Narrower ? 1 : quad_registers<Arch>(Quads);
    constexpr bool along_rows = Call::y_layout::rows_contiguous;
    const index_t n = c.x.cols();
    const panel_split split(n, lanes::width, shared_width(c, most));
    // A task is one panel and a range of row blocks; each re-lays its panel for itself. (Panels
    // kept from task to task of a worker, in either order of panels and rows: no gain on two
    // threads.)
    const index_t row_blocks = a.row_blocks();
    const index_t wanted = task_count(c.policy, a.slots * n, split.panels * row_blocks);
    const index_t parts = ceil_div(wanted, split.panels);
    run_tasks(c.policy, split.panels * parts, [&](index_t task, index_t worker) {
      const index_t p = task / parts;
      const index_t first = split.begin(p);
      const index_t registers = split.begin(p + 1) - first;
      const index_t column = first * lanes::width;
      const index_t columns =
          n - column < registers * lanes::width ? n - column : registers * lanes::width;
      const index_t b0 = row_blocks * (task % parts) / parts;
      const index_t b1 = row_blocks * (task % parts + 1) / parts;
      const index_t width = registers * lanes::width;
      S* scratch = c.scratch.template worker_as<S>(worker);
      S* waiting = scratch + round_up(a.cols() * width, 64);
      bool finite = true;
      const S* panel = panel_of(c.x, column, columns, width, scratch, finite);
      for (index_t b = b0; b < b1; ++b) {
        simd::unroll<most>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
          if (registers != j + 1) return;
          if constexpr (along_rows) {
            run_row_block<lanes, j + 1, Quads>(a, b, panel, finite, waiting, column, columns, out);
          } else {
            run_row_block<lanes, j + 1, Quads>(a, b, panel, finite, waiting, column, columns,
                                               sums_wait{});
          }
        });
        if constexpr (!along_rows) {
          const index_t r0 = b * a.row_block;
          const index_t rows = a.rows() - r0 < a.row_block ? a.rows() - r0 : a.row_block;
          out.put_tile(waiting, width, rows, columns, r0, column);
        }
      }
    });
  }

 private:
  /// Registers of a panel at most: fewer where workers would have no panel, as one row block, which
  /// no two can share, is all rows. (Sharing its groups, with a barrier for each column block: sums
  /// went from one cache to the other; 1.2 to 1.4 times as fast on two threads at 64 columns, where
  /// narrower panels are 1.5 times and more.)
  template <class Call>
  static index_t shared_width(const Call& c, index_t most) {
    const index_t row_blocks = c.a.quads.row_blocks();
    const index_t registers = ceil_div(c.x.cols(), lanes::width);
    const index_t workers = known_workers(c.policy);
    if (row_blocks == 0 || ceil_div(registers, most) * row_blocks >= workers) return most;
    if (task_count(c.policy, c.a.quads.slots * c.x.cols(), 2) < 2) return most;
    return ceil_div(registers * row_blocks, workers);
  }

  /// The columns as a panel: re-laid, or where they lie if X is that panel already.
  template <class TX, class Layout>
  static const S* panel_of(dense_view<const TX, Layout> x, index_t column, index_t columns,
                           index_t width, S* scratch, bool& finite) {
    if constexpr (std::is_same_v<TX, S>) {
      if (is_panel(x, columns, width)) {
        finite = all_finite<lanes>(x.data() + column, x.rows() * width);
        return x.data() + column;
      }
    }
    finite = relay_panel<lanes, S>(x, column, columns, width, scratch);
    return scratch;
  }
};

template <class Arch, class T>
struct spmm_packed_quads {
  // Narrow types have no operations in half registers.
  template <class A>
  using narrower = std::conditional_t<is_narrow<T>, A, typename simd::narrower<A>::type>;
  using half = narrower<Arch>;
  using quarter = narrower<half>;

  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    const auto& q = a.quads;
    if (!a.has_quads()) return {};
    // What fewer columns take never exceeds what more take: narrow panels are a prefix of wide ones.
    return {.shared = 0,
            .per_worker =
                quad_panels<Arch, T>::bytes(q.cols(), q.row_block, q.interleave, columns)};
  }
  template <class Call>
  static constexpr bool possible = Call::has_workspace && !Call::one_column && !std::is_integral_v<T>;
  template <class Call>
  static bool accepts(const Call& c) {
    return c.a.has_quads() && !is_spmv(c) &&
           c.scratch.worker_bytes >= requirement(c.a, c.x.cols()).per_worker;
  }
  template <class Call>
  static void run(const Call& c) {
    // A register that is mostly empty costs as much as a full one. One path for all counts would not do
    // less: sums have the same order in every width, so the bits of a column do not depend on it.
    const index_t n = c.x.cols();
    if (n <= simd::lanes<quarter, sum_of_t<T>>::width) {
      run_lanes<quarter>(c);
    } else if (n <= simd::lanes<half, sum_of_t<T>>::width) {
      run_lanes<half>(c);
    } else {
      run_lanes<Arch>(c);
    }
  }

 private:
  template <class Lanes, class Call>
  static void run_lanes(const Call& c) {
    using panels = quad_panels<Lanes, T, !std::is_same_v<Lanes, Arch>>;
    if (c.a.quads.interleave == 1) {
      panels::template run<1>(c);
    } else {
      panels::template run<2>(c);
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
