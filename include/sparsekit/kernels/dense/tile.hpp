// The register tiles of dense products: what is summed in registers, how Inf and NaN are noticed,
// and how a finished tile reaches Y in either layout.
//
// A tile is an outer product summed over k: `Vectors` registers of one operand times `Scalars`
// numbers of the other. Its lanes are columns of Y (then the registers hold X and the numbers are
// weights) or rows of Y (registers hold weights). Each element of Y is one chain of fused
// multiply-adds over k in ascending order, whatever the tile, so all of them give the same bits.
#pragma once

#include <type_traits>

#include "../call.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// A stride that is known at compile time, where an index_t may stand.
template <int N>
using fixed_stride = std::integral_constant<index_t, N>;

/// Both operands of a tile: lane i of step k at vectors[k * vector_step + i], number j at
/// scalars[k * scalar_step + j * scalar_stride].
template <class T, class VectorStep, class ScalarStep, class ScalarStride>
struct tile_operands {
  const T* vectors;
  VectorStep vector_step;
  const T* scalars;
  ScalarStep scalar_step;
  ScalarStride scalar_stride;
};
template <class T, class VectorStep, class ScalarStep, class ScalarStride>
tile_operands(const T*, VectorStep, const T*, ScalarStep, ScalarStride)
    -> tile_operands<T, VectorStep, ScalarStep, ScalarStride>;

/// sum[j * Vectors + i] += vector i times number j over `depth` steps. MaskLast: the last vector
/// ends with the operand and is loaded under the mask.
template <class Lanes, int Vectors, int Scalars, bool MaskLast, class Operands>
SPARSEKIT_INLINE void add_products(const Operands& o, index_t depth, typename Lanes::mask tail,
                                   typename Lanes::reg* sum) {
  constexpr int w = Lanes::width;
  const auto* v = o.vectors;
  const auto* s = o.scalars;
  for (index_t k = 0; k < depth; ++k, v += o.vector_step, s += o.scalar_step) {
    typename Lanes::reg vector[Vectors];
    simd::unroll<Vectors>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
      if constexpr (MaskLast && i == Vectors - 1) {
        vector[i] = simd::loaded_once(Lanes::load(tail, v + i * w));
      } else {
        vector[i] = simd::loaded_once(Lanes::load(v + i * w));
      }
    });
    simd::unroll<Scalars>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
      simd::no_loads_ahead();
      const auto number = Lanes::broadcast(s[j * o.scalar_stride]);
      simd::unroll<Vectors>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
        sum[j * Vectors + i] = Lanes::fma(vector[i], number, sum[j * Vectors + i]);
      });
    });
  }
}

/// Whether all sums are finite. An Inf or NaN in X makes every sum of its column Inf or NaN, zero
/// weights included, so finite sums prove that X was finite: one addition a register for promise 1.
/// A total that overflows says no where yes is true; the exact products that follow give the same
/// bits.
template <class Lanes, int Registers>
SPARSEKIT_INLINE bool all_finite(const typename Lanes::reg* sum) {
  constexpr int chains = Registers < 4 ? Registers : 4;
  typename Lanes::reg total[chains];
  simd::unroll<Registers>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
    if constexpr (i < chains) {
      total[i] = sum[i];
    } else {
      total[i % chains] = Lanes::add(total[i % chains], sum[i]);
    }
  });
  simd::unroll<chains - 1>(
      [&](auto i) SPARSEKIT_LAMBDA_INLINE { total[0] = Lanes::add(total[0], total[i + 1]); });
  return !Lanes::any_not_finite(Lanes::max_magnitude(Lanes::no_magnitude(), total[0]));
}

/// x, or zero where a zero weight meets an Inf or NaN: a weight of zero is no entry of the pattern.
template <class T>
SPARSEKIT_INLINE T visible(T weight, T x) {
  return weight == T{0} && !simd::is_finite(x) ? T{0} : x;
}

/// What the lanes of a tile are in Y; its numbers are the other.
enum class roles { rows, columns };

/// The tile again, element by element, leaving out zero weights where X is not finite. Columns of
/// finite X get the bits that add_products gives them.
template <class Operands, class T>
SPARSEKIT_NOINLINE void exact_products(const Operands& o, index_t depth, index_t lanes,
                                       index_t scalars, roles lanes_are, T* tile, index_t tile_ld) {
  const bool weight_first = lanes_are == roles::rows;
  for (index_t j = 0; j < scalars; ++j) {
    for (index_t i = 0; i < lanes; ++i) {
      T total{0};
      for (index_t k = 0; k < depth; ++k) {
        const T v = o.vectors[k * o.vector_step + i];
        const T s = o.scalars[k * o.scalar_step + j * o.scalar_stride];
        const T weight = weight_first ? v : s;
        const T x = visible(weight, weight_first ? s : v);
        total = simd::lanes<arch::scalar, T>::fma(weight, x, total);
      }
      tile[j * tile_ld + i] = total;
    }
  }
}

/// The sums of a tile into tile[j * tile_ld + i], number j and lane i, with Inf and NaN as the
/// pattern wants them. Not inlined: one copy serves every epilogue and layout of Y, for a store and
/// a load a register.
template <class Lanes, int Vectors, int Scalars, bool MaskLast, class Operands, class T>
SPARSEKIT_NOINLINE void sum_tile(const Operands& o, index_t depth, index_t lanes, roles lanes_are,
                                 T* tile, index_t tile_ld) {
  constexpr int w = Lanes::width;
  typename Lanes::reg sum[Vectors * Scalars];
  simd::unroll<Vectors * Scalars>([&](auto i) SPARSEKIT_LAMBDA_INLINE { sum[i] = Lanes::zero(); });
  add_products<Lanes, Vectors, Scalars, MaskLast>(o, depth, Lanes::first(lanes - (Vectors - 1) * w),
                                                  sum);
  simd::unroll<Vectors * Scalars>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
    Lanes::store(tile + i / Vectors * tile_ld + i % Vectors * w, sum[i]);
  });
  if (!all_finite<Lanes, Vectors * Scalars>(sum)) {
    exact_products(o, depth, lanes, Scalars, lanes_are, tile, tile_ld);
  }
}

/// Finished sums, `scalars` rows of `lanes` numbers at tile[j * tile_ld + i], into Y through the
/// epilogue; tile[0] goes to lane0 and scalar0 of Y. The tile is readable to full registers in both
/// directions.
template <class Lanes, roles LanesAre, class T, class Output>
void put_sums(const T* tile, index_t tile_ld, index_t lanes, index_t scalars, const Output& out,
              index_t lane0, index_t scalar0) {
  constexpr int w = Lanes::width;
  constexpr bool y_row_major = decltype(out.y)::layout::rows_contiguous;
  const auto put = [&](typename Lanes::reg v, index_t lane, index_t scalar, auto mask)
                       SPARSEKIT_LAMBDA_INLINE {
                         if constexpr (LanesAre == roles::rows) {
                           out.put(v, lane0 + lane, scalar0 + scalar, mask);
                         } else {
                           out.put(v, scalar0 + scalar, lane0 + lane, mask);
                         }
                       };
  if constexpr ((LanesAre == roles::rows) != y_row_major) {
    // The lanes lie side by side in Y.
    const index_t whole = lanes / w * w;
    for (index_t j = 0; j < scalars; ++j) {
      const T* row = tile + j * tile_ld;
      for (index_t i = 0; i < whole; i += w) put(Lanes::load(row + i), i, j, simd::all_lanes{});
      if (whole < lanes) put(Lanes::load(row + whole), whole, j, Lanes::first(lanes - whole));
    }
  } else {
    // The numbers lie side by side in Y: square blocks of the tile are transposed.
    for (index_t j = 0; j < scalars; j += w) {
      const bool full = scalars - j >= w;
      const auto mask = Lanes::first(scalars - j);
      for (index_t i = 0; i < lanes; i += w) {
        typename Lanes::reg t[w];
        simd::unroll<w>([&](auto l) SPARSEKIT_LAMBDA_INLINE {
          t[l] = Lanes::load(tile + (j + l) * tile_ld + i);
        });
        Lanes::transpose(t);
        alignas(64) T turned[w * w];
        simd::unroll<w>([&](auto l)
                            SPARSEKIT_LAMBDA_INLINE { Lanes::store(turned + l * w, t[l]); });
        for (index_t l = 0; l < w && i + l < lanes; ++l) {
          const auto v = Lanes::load(turned + l * w);
          if (full) {
            put(v, i + l, j, simd::all_lanes{});
          } else {
            put(v, i + l, j, mask);
          }
        }
      }
    }
  }
}

/// A whole tile: summed and put into Y.
template <class Lanes, int Vectors, int Scalars, roles LanesAre, bool MaskLast, class Operands,
          class Output>
SPARSEKIT_INLINE void run_tile(const Operands& o, index_t depth, index_t lanes, const Output& out,
                               index_t lane0, index_t scalar0) {
  constexpr int w = Lanes::width;
  using T = std::remove_cvref_t<decltype(*o.vectors)>;
  alignas(64) T tile[(Scalars + w - 1) / w * w * Vectors * w];
  sum_tile<Lanes, Vectors, Scalars, MaskLast>(o, depth, lanes, LanesAre, tile, Vectors * w);
  put_sums<Lanes, LanesAre>(tile, Vectors * w, lanes, Scalars, out, lane0, scalar0);
}

/// `tiles` tiles without tails, one behind the other along their numbers, whose lanes lie side by
/// side in Y: the epilogue runs on the sums in their registers. Tiles of few steps (8 to 64 columns
/// of W) are as much put as summed: what each costs besides, a call with its operands and the look
/// at its sums, took a quarter of the time at 8 columns. `finite`: X is known to be, no such look.
template <class Lanes, int Vectors, int Scalars, roles LanesAre, class Operands, class Output>
SPARSEKIT_NOINLINE void run_full_tiles(Operands o, index_t depth, index_t tiles, bool finite,
                                       const Output& output, index_t lane0, index_t scalar0) {
  constexpr int w = Lanes::width;
  using T = std::remove_cvref_t<decltype(*o.vectors)>;
  // Behind references, each register that is stored might change them, and they would be read
  // again.
  const auto epilogue = output.epilogue;
  const auto out = output_of<Lanes>(output.y, epilogue, output.weight_sums);
  for (; tiles > 0; --tiles, scalar0 += Scalars, o.scalars += Scalars * o.scalar_stride) {
    typename Lanes::reg sum[Vectors * Scalars];
    simd::unroll<Vectors * Scalars>([&](auto i)
                                        SPARSEKIT_LAMBDA_INLINE { sum[i] = Lanes::zero(); });
    add_products<Lanes, Vectors, Scalars, false>(o, depth, Lanes::first(w), sum);
    if (!finite && !all_finite<Lanes, Vectors * Scalars>(sum)) [[unlikely]] {
      alignas(64) T tile[(Scalars + w - 1) / w * w * Vectors * w];
      exact_products(o, depth, Vectors * w, Scalars, LanesAre, tile, Vectors * w);
      put_sums<Lanes, LanesAre>(tile, Vectors * w, Vectors * w, Scalars, output, lane0, scalar0);
      continue;
    }
    simd::unroll<Scalars>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
      simd::unroll<Vectors>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
        if constexpr (LanesAre == roles::rows) {
          out.put(sum[j * Vectors + i], lane0 + i * w, scalar0 + j, simd::all_lanes{});
        } else {
          out.put(sum[j * Vectors + i], scalar0 + j, lane0 + i * w, simd::all_lanes{});
        }
      });
    });
  }
}

/// `tiles` whole tiles whose lanes lie side by side in Y, by run_full_tiles where that pays. Long
/// epilogues and tails go through memory, where one copy of the sums serves all.
template <class Lanes, int Vectors, int Scalars, roles LanesAre, bool MaskLast, class Operands,
          class Output>
SPARSEKIT_INLINE void run_straight_tiles(Operands o, index_t depth, index_t tiles, index_t lanes,
                                         bool finite, const Output& out, index_t lane0,
                                         index_t scalar0) {
  using epilogue = std::remove_cvref_t<decltype(out.epilogue)>;
  if constexpr (epilogue::is_short && !MaskLast && Lanes::width > 1) {
    if (lanes == Vectors * Lanes::width) {
      return run_full_tiles<Lanes, Vectors, Scalars, LanesAre>(o, depth, tiles, finite, out, lane0,
                                                               scalar0);
    }
  }
  for (; tiles > 0; --tiles, scalar0 += Scalars, o.scalars += Scalars * o.scalar_stride) {
    run_tile<Lanes, Vectors, Scalars, LanesAre, MaskLast>(o, depth, lanes, out, lane0, scalar0);
  }
}

/// Accumulators that a tile may use, so that they, the vectors and a number stay in registers: 24
/// of 32 (AVX-512, NEON), 12 of 16 (AVX2, scalar).
template <class Arch>
inline constexpr int accumulators =
    std::is_same_v<Arch, arch::avx512> || std::is_same_v<Arch, arch::neon> ? 24 : 12;

/// The next smaller tile when fewer than `size` numbers are left.
constexpr int smaller_tile(int size) {
  return size > 8 ? 8 : size > 4 ? 4 : size > 2 ? 2 : size - 1;
}

/// f(first, size) over [begin, end) with the largest sizes that fit, each a constant.
template <int Size, class F>
SPARSEKIT_INLINE void for_tiles(index_t begin, index_t end, F&& f) {
  for (; end - begin >= Size; begin += Size) f(begin, std::integral_constant<int, Size>{});
  if constexpr (Size > 1) for_tiles<smaller_tile(Size)>(begin, end, f);
}

/// f(first, size, tiles): as many tiles of one constant size, one behind the other, as for_tiles
/// makes of [begin, end).
template <int Size, class F>
SPARSEKIT_INLINE void for_tile_runs(index_t begin, index_t end, F&& f) {
  if (const index_t tiles = (end - begin) / Size; tiles > 0) {
    f(begin, std::integral_constant<int, Size>{}, tiles);
    begin += tiles * Size;
  }
  if constexpr (Size > 1) for_tile_runs<smaller_tile(Size)>(begin, end, f);
}

/// The same over [0, count) in as few tiles of at most `Size` as can be, whose sizes, each a
/// constant, differ by one at most: a last tile of one or two would wait for its few chains of
/// sums.
template <int Size, class F>
SPARSEKIT_INLINE void for_even_tile_runs(index_t count, F&& f) {
  const index_t tiles = ceil_div(count, index_t{Size});
  const index_t least = tiles == 0 ? 0 : count / tiles;
  const index_t larger = count - tiles * least;
  index_t first = 0;
  for (const index_t size : {least + 1, least}) {
    const index_t run = size == least ? tiles - larger : larger;
    if (run == 0) continue;
    simd::unroll<Size>([&](auto s) SPARSEKIT_LAMBDA_INLINE {
      if (size == s + 1) f(first, std::integral_constant<int, s + 1>{}, run);
    });
    first += size * run;
  }
}

}  // namespace kernels
SPARSEKIT_EXEC_END
