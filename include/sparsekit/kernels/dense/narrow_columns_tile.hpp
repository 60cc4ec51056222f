// Dense products of narrow types whose lanes are columns of X: both operands as words in the order
// in which they are multiplied, and the register tiles (narrow_product.hpp says what a step is).
#pragma once

#include "../../simd/byte_rows.hpp"
#include "../relay.hpp"
#include "narrow_product.hpp"
#include "tile.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// One step of such a product, and its operands as words. Panels of X are
/// [step][registers][lanes], weights [step][rows of the group].
template <class Arch, class T, class TX>
struct narrow_columns {
  using x_type = TX;
  using product = narrow_product<Arch, T, TX, true>;
  using lanes = typename product::lanes;
  using ints = typename product::ints;
  using sum = typename product::sum;
  using view = packed_dense_view<T>;
  static constexpr int w = lanes::width;
  static constexpr int pair = product::pair;
  static constexpr int parts = product::parts;
  /// Whether words are numbers of f32.
  static constexpr bool floats = !product::integers && !product::raw;
  /// Registers of the widest panel. A product of integers in two parts wants a register more.
  static constexpr int most_vectors = accumulators<Arch> >= 24 ? 4 : product::integers ? 2 : 3;
  static constexpr int least_vectors = most_vectors == 2 ? 1 : 2;
  static constexpr int height(int vectors) {
    return vectors == 1 ? 8 : accumulators<Arch> / vectors;
  }

  /// The product whose tiles serve this one, too, so that few are compiled: words of both signs of
  /// s8 are the same after a change of sign, and those of f32 whatever they were widened from.
  struct tiles_of {
    using T1 = std::conditional_t<floats, float16, T>;
    using other = std::conditional_t<std::is_signed_v<TX>, std::uint8_t, std::int8_t>;
    using word = std::conditional_t<!product::raw, std::uint8_t,
                                    std::conditional_t<product::flipped, other, TX>>;
    using X1 = std::conditional_t<floats, float, std::conditional_t<product::integers, word, TX>>;
    using type = narrow_product<Arch, T1, X1, true>;
  };
  using tile_product = typename tiles_of::type;

  static index_t steps(index_t cols) { return ceil_div(cols, index_t{pair}) * parts; }

  /// The words of pair u of `depth` rows of X, row_of(k) the k-th, and of columns [column, column +
  /// columns): those of part P at to[(parts - 1 - P) * Vectors * w], as odd columns are multiplied
  /// first. Rows that do not lie one below the other come together first.
  template <int Vectors, class RowOf, class Watch>
  static SPARSEKIT_INLINE void relay(dense_view<const TX, row_major> x, index_t depth,
                                     const RowOf& row_of, index_t u, index_t column,
                                     index_t columns, Watch& watch, std::uint32_t* to) {
    const index_t first = u * pair;
    const index_t count = depth - first < pair ? depth - first : pair;
    const TX* row = &x(row_of(first), column);
    index_t ld = x.ld();
    [[maybe_unused]] TX together[pair * Vectors * w];
    if (pair > 1 && (count < pair || row_of(first + count - 1) - row_of(first) != count - 1)) {
      if (count < pair) std::memset(static_cast<void*>(together), 0, sizeof together);
      for (index_t i = 0; i < count; ++i) {
        std::memcpy(together + i * Vectors * w, &x(row_of(first + i), column),
                    static_cast<std::size_t>(columns) * sizeof(TX));
      }
      row = together;
      ld = Vectors * w;
    }
    if constexpr (product::integers && product::raw && simd::byte_rows<Arch>::available) {
      using rows = simd::byte_rows<Arch>;
      const TX* const four[4] = {row, row + ld, row + 2 * ld, row + 3 * ld};
      typename rows::reg words[rows::registers];
      rows::words(four, columns, words);
      simd::unroll<Vectors>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
        put(to + i * w, product::flip(typename ints::reg(product::mixed::as_s32(words[i]))));
      });
    } else {
      simd::unroll<Vectors>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
        if (i < Vectors - 1 || columns == Vectors * w) {
          relay_register<Vectors>(row + i * w, ld, simd::all_lanes{}, watch, to + i * w);
        } else {
          relay_register<Vectors>(row + i * w, ld, lanes::first(columns - i * w), watch,
                                  to + i * w);
        }
      });
    }
  }

  /// Pairs [u0, u1) of the weights of a group, as words in the order of steps.
  static void widen(const T* weights, index_t step, index_t u0, index_t u1, std::uint32_t* to) {
    for (index_t u = u0; u < u1; ++u) {
      simd::unroll<parts>([&](auto part) SPARSEKIT_LAMBDA_INLINE {
        constexpr int p = parts - 1 - part;
        for (index_t i = 0; i < step; i += w, to += w) {
          const auto v = product::template weights<p>(weights + (u * step + i) * pair);
          if constexpr (floats) {
            put(to, product::mixed::bits(v));
          } else {
            put(to, typename ints::reg(product::mixed::as_s32(v)));
          }
        }
      });
    }
  }

 private:
  static SPARSEKIT_INLINE void put(std::uint32_t* to, typename ints::reg v) {
    ints::store(reinterpret_cast<std::int32_t*>(to), v);
  }
  template <int Vectors, class Mask, class Watch>
  static SPARSEKIT_INLINE void relay_register(const TX* row, index_t ld, Mask mask, Watch& watch,
                                              std::uint32_t* to) {
    simd::unroll<parts>([&](auto part) SPARSEKIT_LAMBDA_INLINE {
      constexpr int p = parts - 1 - part;
      if constexpr (floats) {
        const auto v = typename lanes::reg(simd::load_as<lanes>(mask, row + p * ld));
        watch.see(v);
        put(to + part * Vectors * w, product::mixed::bits(v));
      } else {
        put(to + part * Vectors * w, product::template row_words<p>(row, ld, mask));
      }
    });
  }
};

/// What a tile reads: words of X, `Vectors` registers a step, and words of weights, `step` apart.
struct narrow_columns_operands {
  const std::uint32_t* x;
  const std::uint32_t* weights;
  index_t step;
  index_t steps;
};

/// A register of words of X.
template <class Product>
SPARSEKIT_INLINE auto narrow_x(const std::uint32_t* x) {
  if constexpr (Product::integers || Product::raw) {
    return Product::mixed::load_words(x);
  } else {
    return typename Product::reg(Product::lanes::load(reinterpret_cast<const float*>(x)));
  }
}
/// sum[i] += a row's number times x[i]. g++ 12 copies sums of integers to and fro unless each is
/// fenced off.
template <class Product, class Sum, class Number, class X, int... I>
SPARSEKIT_INLINE void add_narrow_row(Sum* sum, Number number, const X* x,
                                     std::integer_sequence<int, I...>) {
  const auto add = [&](Sum s, X v) SPARSEKIT_LAMBDA_INLINE {
    const Sum total = Product::add(s, number, v);
    return Product::integers ? simd::rounded(total) : total;
  };
  ((sum[I] = add(sum[I], x[I])), ...);
}

/// put(tile, sums) for `tiles` tiles one below the other. Sums begin with what `begin` says of each
/// row, or, without it, with what is at sums[row * Vectors * width].
template <class Product, int Vectors, int Height, class Put>
SPARSEKIT_INLINE void sum_narrow_columns(const narrow_columns_operands& o, index_t tiles,
                                         const typename Product::sum* begin,
                                         const typename Product::sum* sums, Put&& put) {
  using lanes = typename Product::lanes;
  constexpr int width = Vectors * lanes::width;
  constexpr int tile = Vectors * Height;
  const std::uint32_t* weights = o.weights;
  for (index_t t = 0; t < tiles; ++t, weights += Height) {
    typename lanes::reg sum[tile];
    if (begin != nullptr) {
      simd::unroll<Height>([&](auto r) SPARSEKIT_LAMBDA_INLINE {
        const auto v = lanes::broadcast(begin[t * Height + r]);
        simd::unroll<Vectors>([&](auto i) SPARSEKIT_LAMBDA_INLINE { sum[r * Vectors + i] = v; });
      });
    } else {
      simd::registers<lanes, tile>::load(sum, sums + t * Height * width);
    }
    const std::uint32_t* x = o.x;
    const std::uint32_t* numbers = weights;
    for (index_t s = 0; s < o.steps; ++s, x += width, numbers += o.step) {
      decltype(narrow_x<Product>(x)) v[Vectors];
      simd::unroll<Vectors>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
        v[i] = simd::loaded_once(narrow_x<Product>(x + i * lanes::width));
      });
      simd::unroll<Height>([&](auto r) SPARSEKIT_LAMBDA_INLINE {
        simd::no_loads_ahead();
        add_narrow_row<Product>(sum + r * Vectors, Product::number(numbers + r), v,
                                std::make_integer_sequence<int, Vectors>{});
      });
    }
    put(t, sum);
  }
}

/// Into sums[row][Vectors * width]. Not inlined: one copy serves every epilogue.
template <class Product, int Vectors, int Height>
SPARSEKIT_NOINLINE void add_narrow_columns(const narrow_columns_operands& o, index_t tiles,
                                           const typename Product::sum* begin,
                                           typename Product::sum* sums) {
  using lanes = typename Product::lanes;
  constexpr int tile = Vectors * Height;
  sum_narrow_columns<Product, Vectors, Height>(
      o, tiles, begin, sums,
      [&](index_t t, const typename lanes::reg* sum) SPARSEKIT_LAMBDA_INLINE {
        simd::registers<lanes, tile>::store(sums + t * tile * lanes::width, sum);
      });
}

/// Into Y, from row and column on.
template <class Product, int Vectors, int Height, class Output>
SPARSEKIT_NOINLINE void put_narrow_columns(const narrow_columns_operands& o, index_t tiles,
                                           const typename Product::sum* begin,
                                           const typename Product::sum* sums, const Output& output,
                                           index_t row, index_t column, index_t columns) {
  using lanes = typename Product::lanes;
  // Behind references, each store might change them, and they would be read again.
  const auto epilogue = output.epilogue;
  const auto out = output_of<lanes>(output.y, epilogue, output.weight_sums);
  const bool full = columns == Vectors * lanes::width;
  const auto tail = lanes::first(columns - (Vectors - 1) * lanes::width);
  sum_narrow_columns<Product, Vectors, Height>(
      o, tiles, begin, sums,
      [&](index_t t, const typename lanes::reg* sum) SPARSEKIT_LAMBDA_INLINE {
        simd::unroll<Height>([&](auto r) SPARSEKIT_LAMBDA_INLINE {
          out.template put_run<Vectors>(sum + r * Vectors, row + t * Height + r, column, full,
                                        tail);
        });
      });
}

}  // namespace kernels
SPARSEKIT_EXEC_END
