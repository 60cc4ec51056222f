// The register tiles of dense products: what is summed in registers, how Inf and NaN are noticed,
// and how a finished tile reaches Y in either layout.
//
// A tile is an outer product summed over k: `Vectors` registers of one operand times `Scalars`
// numbers of the other. Its lanes are columns of Y (then the registers hold X and the numbers are
// weights) or rows of Y (registers hold weights). Each element of Y is one chain of fused
// multiply-adds over k in ascending order, whatever the tile, so all of them give the same bits;
// long chains are summed in pieces of k (k_range), whose sums lie in memory in between.
#pragma once

#include <cstdint>
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

  const tile_operands& whole() const { return *this; }
};
template <class T, class VectorStep, class ScalarStep, class ScalarStride>
tile_operands(const T*, VectorStep, const T*, ScalarStep, ScalarStride)
    -> tile_operands<T, VectorStep, ScalarStep, ScalarStride>;

/// Operands of some steps of a product, as its vectors were copied for them. whole(): of all steps,
/// the vectors where they lay.
template <class T, class Step>
struct part_operands {
  const T* vectors;
  Step vector_step;
  const T* scalars;
  index_t scalar_step;
  fixed_stride<1> scalar_stride;
  const T* all_vectors;
  index_t all_vectors_step;
  index_t steps_before;

  auto whole() const {
    return tile_operands{all_vectors, all_vectors_step, scalars - steps_before * scalar_step,
                         scalar_step, scalar_stride};
  }
};

/// Steps [begin, end) of `depth`: one piece of a product. Its operands begin at step 0, which is
/// step `before` of `all` if they are a part of them.
struct k_range {
  index_t begin, end, depth;
  index_t before = 0, all = depth;
  bool first() const { return before + begin == 0; }
  bool last() const { return before + end == all; }
};
constexpr k_range all_of(index_t depth) { return {0, depth, depth}; }

/// f(k_range) for pieces of `depth` in ascending order, as few of at most `most` steps as can be,
/// of one size but for rounding; one empty piece if there are no steps.
template <class F>
SPARSEKIT_INLINE void for_k_ranges(index_t depth, index_t most, F&& f) {
  const index_t pieces = depth <= most ? 1 : ceil_div(depth, most);
  const index_t size = ceil_div(depth, pieces);
  index_t begin = 0;
  do {
    const index_t end = depth - begin < size ? depth : begin + size;
    f(k_range{begin, end, depth});
    begin = end;
  } while (begin < depth);
}

/// What a tile does besides its sums: asks for weights of a later piece, `lines` cache lines every
/// `every` steps. Few at a time: more than a core can wait for at once would stop its loads. (Every
/// 64 steps, 16 columns of f32 from L3 asked for 48 lines at once, and were faster without.)
struct fetch_ahead {
  /// AVX2's tiles are half as long a step: every 8 took a tenth of their speed in cache.
  static constexpr bool often = SPARSEKIT_HAS_AVX512 != 0;
  static constexpr index_t every = often ? 8 : 64;
  std::uintptr_t next = 0;  ///< may lie beyond the array
  index_t lines = 0;

  /// Asks for `bytes` bytes from `first` in the course of `tiles` tiles of `steps` steps.
  template <class T>
  static fetch_ahead of(const T* first, index_t bytes, index_t tiles, index_t steps) {
    const index_t times = tiles * ceil_div(steps, every);
    return {reinterpret_cast<std::uintptr_t>(first),
            times == 0 ? 0 : ceil_div(bytes, times * index_t{64})};
  }
  SPARSEKIT_INLINE void operator()() {
    for (index_t i = 0; i < lines; ++i, next += 64) {
      simd::prefetch_to_l2(reinterpret_cast<const void*>(next));
    }
  }
  /// What a run of tiles leaves to the next.
  fetch_ahead after(index_t tiles, index_t steps) const {
    return {next + static_cast<std::uintptr_t>(tiles * ceil_div(steps, every) * lines * 64), lines};
  }
};
/// In its place: nothing to ask for.
struct no_fetch {
  SPARSEKIT_INLINE void operator()() const {}
};

/// sum[j * Vectors + i] += vector i times number j over the steps of `range`. MaskLast: the last
/// vector ends with the operand and is loaded under the mask.
template <class Lanes, int Vectors, int Scalars, bool MaskLast, class Operands, class Fetch>
SPARSEKIT_INLINE void add_products(const Operands& o, k_range range, typename Lanes::mask tail,
                                   Fetch& fetch, typename Lanes::reg* sum) {
  constexpr int w = Lanes::width;
  const auto* v = o.vectors + range.begin * o.vector_step;
  const auto* s = o.scalars + range.begin * o.scalar_step;
  for (index_t k = range.begin; k < range.end;) {
    fetch();
    const index_t stop = std::is_same_v<Fetch, fetch_ahead> && range.end - k > fetch_ahead::every
                             ? k + fetch_ahead::every
                             : range.end;
    for (; k < stop; ++k, v += o.vector_step, s += o.scalar_step) {
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
        simd::registers<Lanes, Vectors>::add_product(
            sum + j * Vectors, Lanes::broadcast(s[j * o.scalar_stride]), vector);
      });
    }
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

/// sum[j * Vectors + i]: zero before the first step, else what carry_on left.
template <class Lanes, int Vectors, int Scalars, class T>
SPARSEKIT_INLINE void take_up(k_range range, const T* tile, index_t tile_ld,
                              typename Lanes::reg* sum) {
  simd::registers<Lanes, Vectors * Scalars>::zero(sum);
  if (range.first()) return;
  simd::unroll<Scalars>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
    simd::registers<Lanes, Vectors>::load(sum + j * Vectors, tile + j * tile_ld);
  });
}
template <class Lanes, int Vectors, int Scalars, class T>
SPARSEKIT_INLINE void carry_on(const typename Lanes::reg* sum, T* tile, index_t tile_ld) {
  simd::unroll<Scalars>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
    simd::registers<Lanes, Vectors>::store(tile + j * tile_ld, sum + j * Vectors);
  });
}

/// The sums of a tile over `range`, added to those of the ranges before, into tile[j * tile_ld +
/// i], number j and lane i; after the last with Inf and NaN as the pattern wants them. Not inlined:
/// one copy serves every epilogue and layout of Y, for a store and a load a register.
template <class Lanes, int Vectors, int Scalars, bool MaskLast, class Operands, class T>
SPARSEKIT_NOINLINE void sum_tile(const Operands& o, k_range range, index_t lanes, roles lanes_are,
                                 T* tile, index_t tile_ld) {
  constexpr int w = Lanes::width;
  typename Lanes::reg sum[Vectors * Scalars];
  take_up<Lanes, Vectors, Scalars>(range, tile, tile_ld, sum);
  no_fetch fetch;
  add_products<Lanes, Vectors, Scalars, MaskLast>(o, range, Lanes::first(lanes - (Vectors - 1) * w),
                                                  fetch, sum);
  carry_on<Lanes, Vectors, Scalars>(sum, tile, tile_ld);
  if (range.last() && !all_finite<Lanes, Vectors * Scalars>(sum)) {
    exact_products(o.whole(), range.all, lanes, Scalars, lanes_are, tile, tile_ld);
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
        simd::registers<Lanes, w>::load_rows(t, tile + j * tile_ld + i, tile_ld);
        Lanes::transpose(t);
        alignas(64) T turned[w * w];
        simd::registers<Lanes, w>::store(turned, t);
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
  sum_tile<Lanes, Vectors, Scalars, MaskLast>(o, all_of(depth), lanes, LanesAre, tile, Vectors * w);
  put_sums<Lanes, LanesAre>(tile, Vectors * w, lanes, Scalars, out, lane0, scalar0);
}

/// `tiles` tiles, one behind the other along their numbers, whose lanes lie side by side in Y: the
/// epilogue runs on the sums in their registers. Tiles of few steps (8 to 64 columns of W) are as
/// much put as summed: what each costs besides, a call with its operands and the look at its sums,
/// took a quarter of the time at 8 columns. `finite`: X is known to be, no such look. The last of
/// `lanes` lanes may leave a part of their register empty, which is loaded under a mask if
/// MaskLast. Sums of all ranges but the last are carried on in memory, at carried[j * carried_ld +
/// i].
template <class Lanes, int Vectors, int Scalars, roles LanesAre, bool MaskLast, class Operands,
          class T, class Output>
SPARSEKIT_NOINLINE void run_register_tiles(Operands o, k_range range, index_t tiles, index_t lanes,
                                           bool finite, T* carried, index_t carried_ld,
                                           fetch_ahead fetch, const Output& output, index_t lane0,
                                           index_t scalar0) {
  constexpr int w = Lanes::width;
  // Behind references, each register that is stored might change them, and they would be read
  // again.
  const auto epilogue = output.epilogue;
  const auto out = output_of<Lanes>(output.y, epilogue, output.weight_sums);
  const bool full = lanes == Vectors * w;
  const auto tail = Lanes::first(lanes - (Vectors - 1) * w);
  for (; tiles > 0; --tiles, scalar0 += Scalars, o.scalars += Scalars * o.scalar_stride,
                    carried += Scalars * carried_ld) {
    typename Lanes::reg sum[Vectors * Scalars];
    take_up<Lanes, Vectors, Scalars>(range, carried, carried_ld, sum);
    add_products<Lanes, Vectors, Scalars, MaskLast>(o, range, tail, fetch, sum);
    if (!range.last()) {
      carry_on<Lanes, Vectors, Scalars>(sum, carried, carried_ld);
      continue;
    }
    if (!finite && !all_finite<Lanes, Vectors * Scalars>(sum)) [[unlikely]] {
      alignas(64) T tile[(Scalars + w - 1) / w * w * Vectors * w];
      exact_products(o.whole(), range.all, lanes, Scalars, LanesAre, tile, Vectors * w);
      put_sums<Lanes, LanesAre>(tile, Vectors * w, lanes, Scalars, output, lane0, scalar0);
      continue;
    }
    simd::unroll<Scalars>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
      const bool rows = LanesAre == roles::rows;
      out.template put_run<Vectors>(sum + j * Vectors, rows ? lane0 : scalar0 + j,
                                    rows ? scalar0 + j : lane0, full, tail);
    });
  }
}

/// `tiles` tiles whose lanes lie side by side in Y, by run_register_tiles where that pays. Long
/// epilogues go through memory, where one copy of the sums serves all: `carried` has room for full
/// registers in both directions.
template <class Lanes, int Vectors, int Scalars, roles LanesAre, bool MaskLast, class Operands,
          class T, class Output>
SPARSEKIT_INLINE void run_straight_tiles(Operands o, k_range range, index_t tiles, index_t lanes,
                                         bool finite, T* carried, index_t carried_ld,
                                         fetch_ahead fetch, const Output& out, index_t lane0,
                                         index_t scalar0) {
  using epilogue = std::remove_cvref_t<decltype(out.epilogue)>;
  if constexpr (epilogue::is_short && Lanes::width > 1) {
    return run_register_tiles<Lanes, Vectors, Scalars, LanesAre, MaskLast>(
        o, range, tiles, lanes, finite, carried, carried_ld, fetch, out, lane0, scalar0);
  }
  for (; tiles > 0; --tiles, scalar0 += Scalars, o.scalars += Scalars * o.scalar_stride,
                    carried += Scalars * carried_ld) {
    sum_tile<Lanes, Vectors, Scalars, MaskLast>(o, range, lanes, LanesAre, carried, carried_ld);
    if (range.last()) {
      put_sums<Lanes, LanesAre>(carried, carried_ld, lanes, Scalars, out, lane0, scalar0);
    }
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

/// The same over [0, count) with tiles of three, which sum as fast as larger ones, where two and
/// one would wait for their few chains of sums: 3, 5 = 3 + 2, 6 = 3 + 3, 7 = 3 + 4.
template <int Size, class F>
SPARSEKIT_INLINE void for_tile_runs_of_three(index_t count, F&& f) {
  static_assert(Size >= 4 && Size <= 8);
  const index_t tiles = count / Size;
  if (tiles > 0) f(index_t{0}, std::integral_constant<int, Size>{}, tiles);
  index_t first = tiles * Size;
  const index_t left = count - first;
  const index_t threes = left == 6 ? 2 : left == 3 || left == 5 || left == 7 ? 1 : 0;
  if (threes > 0) f(first, std::integral_constant<int, 3>{}, threes);
  for_tile_runs<smaller_tile(Size)>(first + 3 * threes, count, f);
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
