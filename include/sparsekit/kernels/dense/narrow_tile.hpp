// The register tiles of dense products of narrow types: some registers of rows times the words of
// some columns, over the steps of a chunk (narrow_product.hpp says what a step is).
#pragma once

#include "narrow_product.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Words of X, and sums, of one column of a strip: `steps` steps of all parts, and a gap so that
/// columns do not share cache sets.
template <class Product>
struct narrow_chunk {
  static constexpr index_t words = 256;
  static constexpr index_t steps = words / Product::parts;
  static constexpr index_t columns = steps * Product::pair;
  static constexpr index_t stride = words + 16;
};

/// Bytes between weights that are read and those that are asked for.
inline constexpr index_t narrow_ahead = 4096;
/// Fewer bytes of weights stay in L2, and need not be asked for.
inline constexpr index_t narrow_fetched = index_t{5} << 18;

/// Part P of a step's weights. Once: g++ 12 loads words anew for each column.
template <class Product, int P, class Reg, class T, int... I>
SPARSEKIT_INLINE void load_narrow_weights(Reg* v, const T* from, std::integer_sequence<int, I...>) {
  ((v[I] = simd::loaded_once(
        Product::template weights<P>(from + I * Product::lanes::width * Product::pair))),
   ...);
}
/// A product of weights that add_narrow has kept: those of part P of a register behind those of the
/// parts before, so that a weight has the index that it has as it is packed.
template <class Product>
struct narrow_widened : Product {
  template <int P>
  static SPARSEKIT_INLINE typename Product::reg weights(const float* w) {
    return Product::lanes::load(w + P * Product::lanes::width);
  }
};
template <class Product, int P, class Reg, int... I>
SPARSEKIT_INLINE void keep_narrow_weights(const Reg* v, float* to,
                                          std::integer_sequence<int, I...>) {
  constexpr int w = Product::lanes::width;
  (Product::lanes::store(to + (I * Product::pair + P) * w, v[I]), ...);
}
/// sum[i] += v[i] times a word of one column. g++ 12 copies sums of integers to and fro unless each
/// is fenced off.
template <class Product, class Sum, class Reg, class Number, int... I>
SPARSEKIT_INLINE void add_narrow_token(Sum* sum, const Reg* v, Number number,
                                       std::integer_sequence<int, I...>) {
  const auto add = [&](Sum s, Reg w) SPARSEKIT_LAMBDA_INLINE {
    const Sum total = Product::add(s, w, number);
    return Product::integers ? simd::rounded(total) : total;
  };
  ((sum[I] = add(sum[I], v[I])), ...);
}

/// sums[j * sums_step + i] += weights of row i times column j, over `steps` steps. Chains: sums
/// that are kept apart, one a step in turn, and added at the end: few columns need them to hide
/// latency. `fetching`: weights are asked for ahead of their use, as they come from beyond L2.
/// `wide`: where weights are kept as they were widened, for narrow_widened, or nothing. Not
/// inlined: one copy serves every epilogue and layout.
template <class Product, int Vectors, int Tokens, int Chains, class T, class Wide = std::nullptr_t>
SPARSEKIT_NOINLINE void add_narrow(const T* weights, index_t step, const std::uint32_t* x,
                                   index_t steps, bool fetching, typename Product::sum* sums,
                                   index_t sums_step, [[maybe_unused]] Wide wide = {}) {
  using lanes = typename Product::lanes;
  constexpr int tile = Vectors * Tokens;
  using vectors = std::make_integer_sequence<int, Vectors>;
  using chunk = narrow_chunk<Product>;
  typename lanes::reg sum[Chains * tile];
  simd::unroll<Tokens>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
    simd::registers<lanes, Vectors>::load(sum + j * Vectors, sums + j * sums_step);
  });
  simd::registers<lanes, (Chains - 1) * tile>::zero(sum + tile);
  [[maybe_unused]] const T* const begin = weights;
  const auto add = [&](const T* from, const std::uint32_t* numbers,
                       auto chain) SPARSEKIT_LAMBDA_INLINE {
    if (fetching) {
      constexpr index_t bytes = Vectors * lanes::width * index_t{sizeof(T)} * Product::pair;
      for (index_t b = 0; b < bytes; b += 64) simd::prefetch_ahead(from, narrow_ahead + b);
    }
    // Odd columns first: the order of vdpbf16ps.
    simd::unroll<Product::parts>([&](auto part) SPARSEKIT_LAMBDA_INLINE {
      constexpr int p = Product::parts - 1 - part;
      using weights_reg = decltype(Product::template weights<p>(from));
      weights_reg v[Vectors];
      load_narrow_weights<Product, p>(v, from, vectors{});
      if constexpr (!std::is_null_pointer_v<Wide>) {
        keep_narrow_weights<Product, p>(v, wide + (from - begin), vectors{});
      }
      simd::unroll<Tokens>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
        add_narrow_token<Product>(sum + chain * tile + j * Vectors, v,
                                  Product::number(numbers + j * chunk::stride + p * chunk::steps),
                                  vectors{});
      });
    });
  };
  const index_t stride = step * Product::pair;
  index_t s = 0;
  for (; steps - s >= Chains; s += Chains) {
    simd::unroll<Chains>([&](auto c)
                             SPARSEKIT_LAMBDA_INLINE { add(weights + c * stride, x + s + c, c); });
    weights += Chains * stride;
  }
  simd::unroll<Chains - 1>([&](auto c) SPARSEKIT_LAMBDA_INLINE {
    if (s + c < steps) add(weights + c * stride, x + s + c, c);
  });
  simd::unroll<Chains - 1>([&](auto c) SPARSEKIT_LAMBDA_INLINE {
    simd::registers<lanes, tile>::add(sum, sum + (c + 1) * tile);
  });
  simd::unroll<Tokens>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
    simd::registers<lanes, Vectors>::store(sums + j * sums_step, sum + j * Vectors);
  });
}

}  // namespace kernels
SPARSEKIT_EXEC_END
