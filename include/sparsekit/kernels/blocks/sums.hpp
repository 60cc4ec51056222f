// The inner loop of every product with blocks, of BSR and of the packed form, of wide and of narrow
// types: some rows of a block row across one panel of X, all sums in registers.
//
//   for each block:
//     for each unit of its columns:   x = the panel's rows of that unit   (a part: Registers loads)
//                                     sum[r] += numbers of row r * x      (Rows * Registers)
//
// A unit is what one step of a product takes: one column, or the two or four columns that share a
// 32-bit word (kernels/dense/narrow_product.hpp). There is no branch but the loop over blocks,
// whose places are multiplied whether they are entries or not; a panel that holds Inf or NaN is
// done again without the empty ones (exact_block_sums).
//
// One or two rows alone have too few sums to hide the latency of FMA: then units take turns among
// up to four sets of sums (`chains`), which are added at the end. The order depends on the shape of
// the block alone.
#pragma once

#include "../call.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Registers of a panel of f32 or f64. With sixteen: 4 rows x 3 sums, 3 of X, one number.
template <class Arch>
constexpr int block_registers() {
  constexpr bool many = std::is_same_v<Arch, arch::avx512> || std::is_same_v<Arch, arch::neon>;
  return many ? 4 : 3;
}

/// One step of a product of f32 or f64, or of narrow numbers that are widened one by one, in the
/// words of narrow_product.
template <class Arch, class T>
struct wide_product {
  using sum = sum_of_t<T>;
  using lanes = simd::lanes<Arch, sum>;
  using reg = typename lanes::reg;
  using x_element = sum;
  static constexpr int pair = 1;
  static constexpr int parts = 1;
  static constexpr bool integers = std::is_integral_v<sum>;

  static SPARSEKIT_INLINE reg x(const sum* p) { return lanes::load(p); }
  template <int P>
  static SPARSEKIT_INLINE reg number(const T* p) {
    return simd::broadcast_as<lanes>(*p);
  }
  static SPARSEKIT_INLINE reg add(reg sum, reg number, reg x) {
    return simd::add_product<lanes>(number, x, sum);
  }
  using number_reg = reg;
  static constexpr int most_units = 4;
  static constexpr bool has_four = !is_narrow<T>;
  template <bool Load>
  static SPARSEKIT_INLINE auto four(const T* p) {
    if constexpr (Load) {
      return lanes::load_four(p);
    } else {
      return p;
    }
  }
};

/// Where blocks are: block b has columns[b], counted in blocks from the panel's first row, and
/// block.rows rows of block.cols values at values + b * places.
template <class T, class Index>
struct block_run {
  const Index* columns;
  index_t begin;
  index_t end;
  const T* values;
  index_t places;
  index_t cols;  ///< of a block
};

/// Sets of sums that `Units` units of a block take turns in.
constexpr int block_chains(int rows, int units) {
  const int wanted = rows >= 4 ? 1 : 4 / rows;
  return units < wanted ? units : wanted;
}

/// Blocks that follow each other take turns in this many sets of sums, where the few sums of one
/// set would wait for their latency (vpdpbusd: 5 cycles, in which two blocks of 8 sums are done).
/// Of integers alone: others have one order.
template <class Product, int Sums>
constexpr int block_sets() {
  constexpr bool many =
      std::is_same_v<typename Product::lanes, simd::lanes<arch::avx512, typename Product::sum>>;
  return many && Product::integers && Sums <= 8 ? 2 : 1;
}

/// One row of a part: sum[j] += number * xs[j].
template <class Product, class Reg, class Number, class X, int... J>
SPARSEKIT_INLINE void add_block_row(Reg* sum, Number number, const X* xs,
                                    std::integer_sequence<int, J...>) {
  ((sum[J] = Product::add(sum[J], number, xs[J])), ...);
}
/// X of a part for `Rows` rows.
template <class Product, int Rows, class X, class Element, int... J>
SPARSEKIT_INLINE void load_block_x(X* xs, const Element* x, std::integer_sequence<int, J...>) {
  ((xs[J] = Product::x(x + J * Product::lanes::width)), ...);
  // Or g++ loads it again for each row.
  if constexpr (Rows > 1) ((xs[J] = simd::rounded(xs[J])), ...);
}

/// Rows [i, i + Rows) of a run of blocks times a panel `Registers` wide: into sums[row][width] if
/// `fresh`, else added to them. A block has a multiple of Units units.
template <class Product, int Rows, int Units, int Registers, class T, class Index>
SPARSEKIT_INLINE void block_sums_inline(const block_run<T, Index>& run, index_t i,
                                        const typename Product::x_element* panel, bool fresh,
                                        typename Product::sum* sums) {
  using lanes = typename Product::lanes;
  constexpr int w = lanes::width;
  constexpr int width = Registers * w;
  constexpr int parts = Product::parts;
  constexpr int pair = Product::pair;
  constexpr int tile = Rows * Registers;
  constexpr int chains = block_chains(Rows, Units);
  constexpr int sets = block_sets<Product, chains * tile>();
  typename lanes::reg sum[sets * chains * tile];
  using tile_registers = simd::registers<lanes, tile>;
  if (run.begin == run.end) {  // values may be null, and then have no row i
    if (!fresh) return;
    tile_registers::zero(sum);
    tile_registers::store(sums, sum);
    return;
  }
  if (fresh) {
    tile_registers::zero(sum);
  } else {
    tile_registers::load(sum, sums);
  }
  simd::registers<lanes, (sets * chains - 1) * tile>::zero(sum + tile);
  const index_t row_step = run.cols;
  const index_t steps = run.cols / (Units * pair);
  const index_t block_step = run.cols / pair * parts * width;
  const T* value = run.values + run.begin * run.places + i * row_step;
  const auto add_block = [&](index_t b, const T* from, auto set,
                             auto count) SPARSEKIT_LAMBDA_INLINE {
    const auto* x = panel + static_cast<index_t>(run.columns[b]) * block_step;
    for (index_t s = 0; s < count; ++s, x += Units * parts * width, from += Units * pair) {
      // A lone row is bound by loads: its four numbers by one load and shuffles.
      constexpr bool shuffle = Rows == 1 && Units == 4 && Product::has_four;
      const auto four = Product::template four<shuffle>(from);
      simd::unroll<Units>([&](auto u) SPARSEKIT_LAMBDA_INLINE {
        // Odd columns first: the order of vdpbf16ps.
        simd::unroll<parts>([&](auto part) SPARSEKIT_LAMBDA_INLINE {
          constexpr int p = parts - 1 - part;
          decltype(Product::x(x)) xs[Registers];
          load_block_x<Product, Rows>(xs, x + (u * parts + p) * width,
                                      std::make_integer_sequence<int, Registers>{});
          simd::unroll<Rows>([&](auto r) SPARSEKIT_LAMBDA_INLINE {
            typename Product::number_reg number;
            if constexpr (shuffle) {
              number = lanes::template pick<u>(four);
            } else {
              number = Product::template number<p>(from + r * row_step + u * pair);
            }
            add_block_row<Product>(sum + (set * chains + u % chains) * tile + r * Registers, number,
                                   xs, std::make_integer_sequence<int, Registers>{});
          });
        });
      });
    }
  };
  const auto add_all = [&](auto count) SPARSEKIT_LAMBDA_INLINE {
    index_t b = run.begin;
    if constexpr (sets == 2) {
      for (; b + 1 < run.end; b += 2, value += 2 * run.places) {
        add_block(b, value, std::integral_constant<int, 0>{}, count);
        add_block(b + 1, value + run.places, std::integral_constant<int, 1>{}, count);
      }
    }
    for (; b < run.end; ++b, value += run.places) {
      add_block(b, value, std::integral_constant<int, 0>{}, count);
    }
  };
  // Blocks of one unit, as most of narrow types are, without an inner loop: their few steps take as
  // long as it.
  if constexpr (Product::most_units == 1) {
    if (steps == 1) {
      add_all(std::integral_constant<index_t, 1>{});
    } else {
      add_all(steps);
    }
  } else {
    add_all(steps);
  }
  simd::unroll<sets * chains - 1>(
      [&](auto c) SPARSEKIT_LAMBDA_INLINE { tile_registers::add(sum, sum + (c + 1) * tile); });
  tile_registers::store(sums, sum);
}

template <class Product, int Rows, int Units, int Registers, class T, class Index>
SPARSEKIT_NOINLINE void block_sums(const block_run<T, Index>& run, index_t i,
                                   const typename Product::x_element* panel, bool fresh,
                                   typename Product::sum* sums) {
  block_sums_inline<Product, Rows, Units, Registers>(run, i, panel, fresh, sums);
}

/// The same sums of one row in the same order, leaving out what is_entry(block, column of the
/// block) denies, for panels of floating point that hold Inf or NaN. `x(column, j)` is the element
/// of the panel.
template <class Product, class T, class Index, class X, class IsEntry>
SPARSEKIT_NOINLINE void exact_block_sums(const block_run<T, Index>& run, index_t i, int rows,
                                         int units, index_t columns, X&& x, IsEntry&& is_entry,
                                         typename Product::sum* sums) {
  using S = typename Product::sum;
  using one = simd::lanes<arch::scalar, S>;
  constexpr index_t pair = Product::pair;
  const int chains = block_chains(rows, units);
  for (index_t j = 0; j < columns; ++j) {
    S sum[4] = {sums[j]};
    for (index_t b = run.begin; b < run.end; ++b) {
      const index_t first = static_cast<index_t>(run.columns[b]) * run.cols;
      for (index_t u = 0; u < run.cols; u += pair) {
        S& to = sum[u / pair % units % chains];
        for (index_t k = u + pair - 1; k >= u; --k) {
          const index_t place = i * run.cols + k;
          if (!is_entry(b, place)) continue;
          const S number = simd::number_as<S>(run.values[b * run.places + place]);
          to = simd::add_product<one>(number, x(first + k, j), to);
        }
      }
    }
    for (int c = 1; c < chains; ++c) sum[0] = sum[0] + sum[c];
    sums[j] = sum[0];
  }
}

/// f(first row, rows, units) for the tiles that the rows of a block are cut into; rows and units
/// are constants. `inside`: rows of the block that the matrix has.
template <class Product, class F>
SPARSEKIT_INLINE void for_block_tiles(index_t inside, index_t units, F&& f) {
  const auto rows_of = [&](auto unrolled) SPARSEKIT_LAMBDA_INLINE {
    index_t i = 0;
    for (; inside - i >= 4; i += 4) f(i, std::integral_constant<int, 4>{}, unrolled);
    if (inside - i >= 2) {
      f(i, std::integral_constant<int, 2>{}, unrolled);
      i += 2;
    }
    if (inside - i >= 1) f(i, std::integral_constant<int, 1>{}, unrolled);
  };
  if constexpr (Product::most_units > 1) {
    if (units % Product::most_units == 0) {
      rows_of(std::integral_constant<int, Product::most_units>{});
      return;
    }
  }
  rows_of(std::integral_constant<int, 1>{});
}

}  // namespace kernels
SPARSEKIT_EXEC_END
