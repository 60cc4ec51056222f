// Y = A X for packed blocks of bf16, f16 and s8 (formats/packed_blocks.hpp), in any mix of layouts
// of X and Y.
//
//   panel   X is re-laid into panels of words in the workspace; lanes are columns of X (sums.hpp)
//   plain   without a workspace, and one column of blocks that gemv.hpp does not take: a sum at a time
//
// On AVX-512 VNNI a row of a 1 x 4 block is one load of X a dot product, so 1 x 4 is bound by
// loads; two rows share them. On AVX2 a step of s8 is two vpmaddwd and two additions a register
// (vpmaddubsw saturates), as in the dense kernel, and what X and weights are widened by is done
// once a panel and once a word of weights.
#pragma once

#include "../../formats/packed_blocks.hpp"
#include "../panel_rows.hpp"
#include "../relay.hpp"
#include "product.hpp"
#include "sums.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Sums of one row without lanes: what defines the results.
template <class T, class Call>
SPARSEKIT_NOINLINE sum_of_t<T> plain_block_sum(const Call& c, index_t row, index_t column) {
  using S = sum_of_t<T>;
  using one = simd::lanes<arch::scalar, S>;
  const auto& a = c.a;
  constexpr index_t pair = narrow_product<arch::scalar, T, typename Call::x_type>::pair;
  const index_t r = row / a.block.rows;
  const index_t chunk = r / a.chunk();
  const index_t i = row % a.block.rows;
  S sum{0};
  for (index_t k = 0; k < a.cuts(); ++k) {
    const index_t at = a.start(chunk, k, r % a.chunk());
    for (index_t b = a.starts[at]; b < a.starts[at + 1]; ++b) {
      const index_t first = (k * a.cut + a.columns[b]) * a.block.cols;
      const T* values = a.values.data() + b * a.places() + i * a.block.cols;
      for (index_t u = 0; u < a.block.cols; u += pair) {
        // Odd columns first, as everywhere.
        for (index_t j = u + pair - 1; j >= u; --j) {
          if (is_empty_slot(values[j])) continue;
          if constexpr (std::is_integral_v<S>) {
            sum += S{values[j]} * S{c.x(first + j, column)};
          } else {
            sum = one::fma(static_cast<S>(values[j]), static_cast<S>(c.x(first + j, column)), sum);
          }
        }
      }
    }
  }
  return sum;
}

template <class Arch, class T>
struct spmm_blocks_panel {
  /// Registers of the widest panel. Lone rows take many, as they have no other sums that are
  /// independent.
  static constexpr bool many =
      std::is_same_v<Arch, arch::avx512> || std::is_same_v<Arch, arch::neon>;
  static constexpr int widest = 8;
  /// With AVX-512 lone rows of s8 take turns in two sets of sums (block_sets); a panel of 8
  /// registers would only leave L1 (1 x 4, 512 x 512 by 64 and 256 columns: .85 to 1 of the time by
  /// 4).
  static constexpr index_t most_registers(index_t block_rows) {
    constexpr bool has_sets = std::is_same_v<Arch, arch::avx512> && std::is_same_v<T, std::int8_t>;
    return block_rows == 1 && !has_sets ? widest : block_rows < 4 || many ? 4 : 2;
  }
  /// What narrow_product widens for has_slow_dot2 is twice as much: the widest panel of lone rows
  /// would not stay in L1 (1 x 2 by 256 columns: .77 of the speed).
  template <class Product>
  static constexpr index_t most_wanted =
      has_slow_dot2<Arch> && Product::parts == 2 ? widest / 2 : widest;
  using sum = sum_of_t<T>;
  using lanes = simd::lanes<Arch, sum>;

  template <class Call>
  static constexpr bool possible = Call::has_workspace && !Call::one_column;
  template <class Call>
  static bool accepts(const Call& c) {
    return !is_spmv(c) && c.scratch.worker_bytes >= requirement(c.a, c.x.cols()).per_worker;
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    const index_t width = registers_for(a, ceil_div(columns, lanes::width)) * lanes::width;
    // X of f32 with bf16 weights takes a word an element, X of bf16 may take half.
    const index_t words = units<1>(a) * width;
    const index_t sums = (a.chunk() * a.block.rows + lanes::width) * width;
    return {.shared = 0,
            .per_worker = (round_up(words, 64) + sums) * index_t{sizeof(std::uint32_t)}};
  }

  template <class Call>
  static void run(const Call& c) {
    using product = block_product<Arch, T, typename Call::x_type>;
    const auto& a = c.a;
    const auto out = output_of<lanes>(c.y, c.epilogue, a.weight_sums.data());
    const index_t n = c.x.cols();
    const auto registers_of = [&](index_t columns) {
      const index_t wanted = ceil_div(columns, lanes::width);
      return registers_for(a, wanted < most_wanted<product> ? wanted : most_wanted<product>);
    };
    const index_t most = registers_of(n) * lanes::width;
    const index_t panels = ceil_div(n, most);
    const index_t wanted = task_count(c.policy, a.slots() / product::pair * n, panels * a.chunks());
    const index_t parts = ceil_div(wanted, panels);
    run_tasks(c.policy, panels * parts, [&](index_t task, index_t worker) {
      const index_t column = task / parts * most;
      const index_t columns = n - column < most ? n - column : most;
      const index_t registers = registers_of(columns);
      const index_t width = registers * lanes::width;
      auto* const panel = c.scratch.template worker_as<typename product::x_element>(worker);
      auto* const sums =
          c.scratch.template worker_as<sum>(worker) + round_up(units<1>(a) * width, 64);
      product::relay(c.x, column, columns, width, units<product::pair>(a), panel);
      const index_t c1 = a.chunks() * (task % parts + 1) / parts;
      for (index_t chunk = a.chunks() * (task % parts) / parts; chunk < c1; ++chunk) {
        const index_t step = rows_together<typename Call::y_layout>(a, chunk);
        index_t r0 = 0;
        if constexpr (Call::y_layout::rows_contiguous) {
          if (columns == width)
            r0 = put_tiles<product>(c, out, chunk, column, panel, registers, sums);
        }
        for (; r0 < a.chunk_size(chunk); r0 += step) {
          const index_t r1 = a.chunk_size(chunk) - r0 < step ? a.chunk_size(chunk) : r0 + step;
          // Other sums begin with the first cut, if there is one.
          if (product::flipped || a.cuts() == 0) begin_sums<product>(a, chunk, r0, r1, width, sums);
          add_rows<product>(a, chunk, r0, r1, a.cuts(), panel, registers, sums);
          const index_t row = (chunk * a.chunk() + r0) * a.block.rows;
          const index_t end = row + (r1 - r0) * a.block.rows;
          const index_t rows = (end < a.rows() ? end : a.rows()) - row;
          if constexpr (!product::integers) exact_sums(c, row, rows, column, columns, width, sums);
          put_panel_rows<lanes>(sums, width, rows, columns, out, row, column);
        }
      }
    });
  }

 private:
  /// A power of two that holds so many registers, or the most.
  template <class A>
  static index_t registers_for(const A& a, index_t wanted) {
    index_t r = 1;
    while (r < wanted && r < most_registers(a.block.rows)) r *= 2;
    return r;
  }
  /// Units of Pair columns that the blocks of A may reach.
  template <int Pair, class A>
  static index_t units(const A& a) {
    return round_up(a.cols(), a.block.cols) / Pair;
  }

  /// Block rows that are summed and put into Y together. All of a chunk where their sums wait from cut to cut, and where
  /// Y takes whole columns of them; else so few that their sums stay in L1 (Emerald Rapids, s8, 512 x 512 by 256 columns:
  /// .88 to .93 of the time at 90 % zeros).
  template <class Layout, class A>
  static index_t rows_together(const A& a, index_t chunk) {
    if (a.cuts() > 1 || !Layout::rows_contiguous) return a.chunk_size(chunk);
    constexpr index_t few = 16;
    return a.block.rows < few ? few / a.block.rows : 1;
  }

  /// Sums of block rows [r0, r1) of a chunk: zero, or what makes up for words of X with another sign.
  template <class Product, class A>
  static void begin_sums(const A& a, index_t chunk, index_t r0, index_t r1, index_t width,
                         sum* sums) {
    const index_t row = (chunk * a.chunk() + r0) * a.block.rows;
    for (index_t r = 0; r < (r1 - r0) * a.block.rows; ++r) {
      auto v = lanes::zero();
      if constexpr (Product::flipped) {
        v = lanes::broadcast(-simd::shift_of_kept<Arch, typename Product::x_type>() *
                             a.weight_sums[row + r]);
      }
      for (index_t j = 0; j < width; j += lanes::width) lanes::store(sums + r * width + j, v);
    }
  }

  template <class Product, class A>
  static void add_rows(const A& a, index_t chunk, index_t r0, index_t r1, index_t cuts,
                       const typename Product::x_element* panel, index_t registers, sum* sums) {
    static_assert(widest == 8);
    if (registers == 1) add_cuts<Product, 1>(a, chunk, r0, r1, cuts, panel, sums);
    if (registers == 2) add_cuts<Product, 2>(a, chunk, r0, r1, cuts, panel, sums);
    if (registers == 4) add_cuts<Product, 4>(a, chunk, r0, r1, cuts, panel, sums);
    if (registers == 8) add_cuts<Product, 8>(a, chunk, r0, r1, cuts, panel, sums);
  }
  /// The first `cuts` cuts.
  template <class Product, int Registers, class A>
  static SPARSEKIT_NOINLINE void add_cuts(const A& a, index_t chunk, index_t r0, index_t r1,
                                          index_t cuts, const typename Product::x_element* panel,
                                          sum* sums) {
    constexpr index_t width = Registers * lanes::width;
    const index_t unit_elements = Product::parts * width;
    // Known by divisions, which for each row of blocks would take as long as some of its blocks.
    const index_t rows_of_cut = a.chunk_size(chunk);
    const index_t start = a.start(chunk, 0, 0);
    const index_t cut_elements = a.cut * (a.block.cols / Product::pair) * unit_elements;
    // Block rows that are one tile go through one loop; others tile by tile, while their blocks are
    // in L1.
    const bool one_tile = a.block.rows == 1 || a.block.rows == 2 || a.block.rows == 4;
    const index_t together = one_tile ? r1 - r0 : 1;
    for (index_t k = 0; k < cuts; ++k) {
      const bool fresh = !Product::flipped && k == 0;
      const auto* x = panel + k * cut_elements;
      for (index_t r = r0; r < r1; r += together) {
        const std::int64_t* starts = a.starts.data() + start + k * rows_of_cut + r;
        sum* const to = sums + (r - r0) * a.block.rows * width;
        for_block_tiles<Product>(
            a.block.rows, 1, [&](index_t i, auto rows, auto) SPARSEKIT_LAMBDA_INLINE {
              if constexpr (Registers <= most_registers(rows)) {
                add_tile<Product, rows, Registers>(a, starts, together, i, x, fresh, to);
              }
            });
      }
    }
  }
  /// Rows [i, i + Rows) of each of `count` block rows in one cut. A call for each, whose blocks are
  /// few where most are zero, would take as long as some of them (1 x 4 at 90 %: 1.15).
  template <class Product, int Rows, int Registers, class A>
  static SPARSEKIT_NOINLINE void add_tile(const A& a, const std::int64_t* starts, index_t count,
                                          index_t i, const typename Product::x_element* x,
                                          bool fresh, sum* sums) {
    constexpr index_t width = Registers * lanes::width;
    const index_t step = a.block.rows * width;
    block_run<T, std::uint8_t> run{a.columns.data(), 0,          starts[0],
                                   a.values.data(),  a.places(), a.block.cols};
    sums += i * width;
    for (index_t r = 0; r < count; ++r, sums += step) {
      run.begin = run.end;
      run.end = starts[r + 1];
      block_sums_inline<Product, Rows, 1, Registers>(run, i, x, fresh, sums);
    }
  }

  /// Registers of the widest panel of blocks of so many rows.
  template <class Product>
  static constexpr int widest_panel(int block_rows) {
    const index_t most = most_registers(block_rows);
    return static_cast<int>(most < most_wanted<Product> ? most : most_wanted<Product>);
  }
  /// Puts block rows of one tile each, across the widest panel of so many rows, into Y from where
  /// their last cut is summed: stores then wait for Y's cache lines while the next row is summed
  /// (s8, 512 x 512 by 256 columns, at 90 %: 1 x 4 and 4 x 4 1.2 times as fast). Returns how many
  /// of the chunk it did, from the first on.
  template <class Product, class Call, class Output>
  static index_t put_tiles(const Call& c, const Output& out, index_t chunk, index_t column,
                           const typename Product::x_element* panel, index_t registers, sum* sums) {
    const auto& a = c.a;
    if (a.cuts() == 0) return 0;
    index_t done = 0;
    const auto tiles_of = [&](auto rows) {
      if (a.block.rows != rows || registers != widest_panel<Product>(rows)) return;
      // The last block row may reach beyond the matrix.
      const index_t inside = a.rows() / rows - chunk * a.chunk();
      done = inside < a.chunk_size(chunk) ? inside : a.chunk_size(chunk);
      put_last_cut<Product, rows>(c, out, chunk, done, column, panel, sums);
    };
    tiles_of(std::integral_constant<int, 1>{});
    tiles_of(std::integral_constant<int, 2>{});
    tiles_of(std::integral_constant<int, 4>{});
    return done;
  }
  template <class Product, int Rows, class Call, class Output>
  static SPARSEKIT_NOINLINE void put_last_cut(const Call& c, const Output& output, index_t chunk,
                                              index_t count, index_t column,
                                              const typename Product::x_element* panel, sum* sums) {
    constexpr int registers = widest_panel<Product>(Rows);
    constexpr index_t width = registers * lanes::width;
    // Behind references, each store might change them, and they would be read again.
    const auto a = c.a;
    const auto epilogue = output.epilogue;
    const auto out = output_of<lanes>(output.y, epilogue, output.weight_sums);
    const index_t last = a.cuts() - 1;
    if (last > 0) {
      if (Product::flipped) begin_sums<Product>(a, chunk, 0, count, width, sums);
      add_cuts<Product, registers>(a, chunk, 0, count, last, panel, sums);
    }
    const auto* x = panel + last * a.cut * (a.block.cols / Product::pair) * Product::parts * width;
    const std::int64_t* starts = a.starts.data() + a.start(chunk, last, 0);
    block_run<T, std::uint8_t> run{a.columns.data(), 0,          starts[0],
                                   a.values.data(),  a.places(), a.block.cols};
    for (index_t r = 0; r < count; ++r) {
      run.begin = run.end;
      run.end = starts[r + 1];
      if (Product::flipped && last == 0) begin_sums<Product>(a, chunk, r, r + 1, width, sums);
      block_sums_inline<Product, Rows, 1, registers>(run, 0, x, !Product::flipped && last == 0,
                                                     sums);
      const index_t row = (chunk * a.chunk() + r) * Rows;
      if constexpr (!Product::integers) exact_sums(c, row, Rows, column, width, width, sums);
      for (int i = 0; i < Rows; ++i) {
        simd::unroll<registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
          out.put(lanes::load(sums + i * width + j * lanes::width), row + i,
                  column + j * lanes::width, simd::all_lanes{});
        });
      }
      if (last > 0) sums += Rows * width;
    }
  }

  /// Sums that are not finite again, without the empty places. All others have met no Inf or NaN.
  template <class Call>
  static void exact_sums(const Call& c, index_t row, index_t rows, index_t column, index_t columns,
                         index_t width, sum* sums) {
    for (index_t r = 0; r < rows; ++r) {
      if (all_finite<lanes>(sums + r * width, columns)) continue;
      for (index_t j = 0; j < columns; ++j) {
        sum& s = sums[r * width + j];
        if (!simd::is_finite(s)) s = plain_block_sum<T>(c, row + r, column + j);
      }
    }
  }
};

template <class Arch, class T>
struct spmm_blocks_plain {
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
    const auto out = output_of<one>(c.y, c.epilogue, c.a.weight_sums.data());
    const index_t rows = c.a.rows();
    const index_t n = c.x.cols();
    const index_t tasks = task_count(c.policy, c.a.slots() * n, c.a.chunks());
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      for (index_t r = rows * task / tasks; r < rows * (task + 1) / tasks; ++r) {
        for (index_t j = 0; j < n; ++j) {
          out.put(plain_block_sum<T>(c, r, j), r, j, simd::all_lanes{});
        }
      }
    });
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
