// Y = A X for packed N:M of bf16, f16 and s8 and a few columns, lanes along the rows of a slice, as
// in lookup.hpp. A column of X becomes 32-bit elements in scratch, zero behind its end:
//
//   bf16, f16   f32; values are widened as they are loaded
//   s8          the byte in all places of a word (two 16-bit places where four bytes have no dot
//               product), so that four looked up words, each masked to one place, are a word of X
//               for the four slots of a row that lie together
//
// A pass over the weights for each column: they are read from cache from the second on. (From four
// columns on panels are ahead.) Without a workspace short columns have room on the stack.
#pragma once

#include "../../simd/group_lookup.hpp"
#include "../dense/narrow_product.hpp"
#include "slice.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// How X meets s8 slots of four columns: narrow_product with words gathered from four places.
template <class Arch, class TX>
struct nm_bytes_product : narrow_product<Arch, std::int8_t, TX> {
  using base = narrow_product<Arch, std::int8_t, TX>;
  using typename base::mixed;
  using words = typename mixed::words;

  /// x in each of its places in a word.
  static SPARSEKIT_INLINE std::uint32_t spread(TX x) {
    if constexpr (base::raw) {
      const auto byte = static_cast<std::uint32_t>(static_cast<std::uint8_t>(x));
      return (byte ^ (base::flipped ? 0x80u : 0u)) * 0x01010101u;
    } else {
      return static_cast<std::uint32_t>(static_cast<std::uint16_t>(x)) * 0x00010001u;
    }
  }
  /// Part P of a word of weights, in all lanes.
  template <int P>
  static SPARSEKIT_INLINE words broadcast(const std::int8_t* p) {
    const words w = mixed::broadcast_word(p);
    if constexpr (base::raw) {
      return w;
    } else {
      return P == 0 ? mixed::template even_bytes<std::int8_t>(w)
                    : mixed::template odd_bytes<std::int8_t>(w);
    }
  }
  /// The word that part P wants, from spread elements of the four slots: found(0), ..., found(3).
  template <int P, class F>
  static SPARSEKIT_INLINE words gathered(const F& found) {
    using zero = std::integral_constant<int, 0>;
    if constexpr (base::raw) {
      words w = found(zero{});
      w = mixed::template merged<0x0000ff00u>(w, found(std::integral_constant<int, 1>{}));
      w = mixed::template merged<0x00ff0000u>(w, found(std::integral_constant<int, 2>{}));
      return mixed::template merged<0xff000000u>(w, found(std::integral_constant<int, 3>{}));
    } else {
      return mixed::template merged<0xffff0000u>(found(std::integral_constant<int, P>{}),
                                                 found(std::integral_constant<int, P + 2>{}));
    }
  }
};

/// Sums of slices [slice, slice + Slices) of bf16 or f16. N: slots of a group, 0 if known at run
/// time only.
template <class Arch, class T, class TX, bool Wide, int N, int Slices, class Reg>
requires(!std::is_integral_v<T>) SPARSEKIT_INLINE
    void nm_narrow_sums(const packed_nm_view<const T>& a, const float* x, index_t slice, Reg* sum) {
  using lanes = simd::lanes<Arch, float>;
  using lookup = simd::group_lookup<Arch, float, Wide>;
  constexpr int w = lanes::width;
  constexpr int parts = static_cast<int>(nm_slice) / w;
  constexpr index_t word = Wide ? 8 : 4;
  const index_t n = N == 0 ? a.group.n : N;
  const index_t steps = a.steps();
  const T* value = a.values.data() + slice * steps * nm_slice;
  const std::uint8_t* places = a.places.data() + slice * steps * word;
  for (index_t g = 0; g < a.groups(); ++g, x += a.group.m) {
    const auto window = lookup::load(x);
    for (index_t i = 0; i < n; ++i, value += nm_slice, places += word) {
      simd::unroll<Slices>([&](auto s) SPARSEKIT_LAMBDA_INLINE {
        simd::unroll<parts>([&](auto p) SPARSEKIT_LAMBDA_INLINE {
          const auto v =
              simd::load_as<lanes>(simd::all_lanes{}, value + s * steps * nm_slice + p * w);
          const auto pick =
              lookup::places(places + s * steps * word, std::integral_constant<int, p>{});
          auto& to = sum[s * parts + p];
          to = lanes::fma(v, lookup::pick(window, pick), to);
        });
      });
    }
  }
}

/// The same for s8. Steps beyond the last have zeros for values, and read places of the next slice
/// (or the slack behind all) and zeros behind X.
template <class Arch, class T, class TX, bool Wide, int N, int Slices, class Reg>
requires std::is_integral_v<T> SPARSEKIT_INLINE void nm_narrow_sums(
    const packed_nm_view<const T>& a, const float* x, index_t slice, Reg* sum) {
  using product = nm_bytes_product<Arch, TX>;
  using mixed = simd::mixed<Arch>;
  using lookup = simd::group_lookup<Arch, float, Wide>;
  constexpr int w = mixed::width;
  constexpr int parts = static_cast<int>(nm_slice) / w;
  constexpr index_t word = Wide ? 8 : 4;
  const index_t n = N == 0 ? a.group.n : N;
  const index_t m = a.group.m;
  const index_t slice_values = a.padded_steps() * nm_slice;
  const index_t slice_places = a.steps() * word;
  const T* value = a.values.data() + slice * slice_values;
  const std::uint8_t* places = a.places.data() + slice * slice_places;
  index_t used = 0;
  for (index_t i = 0; i < a.steps(); i += 4, value += 4 * nm_slice, places += 4 * word) {
    typename lookup::window window[4];
    simd::unroll<4>([&](auto q) SPARSEKIT_LAMBDA_INLINE {
      window[q] = lookup::load(x);
      if (++used == n) {
        used = 0;
        x += m;
      }
    });
    simd::unroll<Slices>([&](auto s) SPARSEKIT_LAMBDA_INLINE {
      simd::unroll<parts>([&](auto p) SPARSEKIT_LAMBDA_INLINE {
        const auto found = [&](auto q) SPARSEKIT_LAMBDA_INLINE {
          const auto pick = lookup::places(places + s * slice_places + q * word,
                                           std::integral_constant<int, p>{});
          return mixed::as_words(
              typename mixed::f32(typename lookup::reg(lookup::pick(window[q], pick))));
        };
        const T* v = value + s * slice_values + p * w * 4;
        auto& to = sum[s * parts + p];
        simd::unroll<product::parts>([&](auto part) SPARSEKIT_LAMBDA_INLINE {
          to = product::add(to, product::template weights<part>(v),
                            product::template gathered<part>(found));
        });
      });
    });
  }
}

template <class Arch, class T>
struct gemv_nm_narrow {
  using sum = sum_of_t<T>;
  using lanes = simd::lanes<Arch, sum>;
  static constexpr bool integers = std::is_integral_v<T>;
  static constexpr index_t most_columns = 3;
  static constexpr index_t stack_bytes = 16384;
  static constexpr int parts = static_cast<int>(nm_slice) / lanes::width;
  /// Slices at a time, so that enough sums are independent.
  static constexpr int slices = parts >= 4 ? 1 : 4 / parts;

  template <class A>
  static workspace_size requirement(const A& a, index_t) {
    return {.shared = stride(a.cols()) * index_t{sizeof(float)}, .per_worker = 0};
  }
  template <class Call>
  static bool accepts(const Call& c) {
    const index_t need = requirement(c.a, 1).shared;
    return c.x.cols() <= most_columns && (need <= stack_bytes || c.scratch.shared_bytes >= need);
  }
  template <class Call>
  static void run(const Call& c) {
    alignas(64) float on_stack[stack_bytes / sizeof(float)];
    const auto& a = c.a;
    float* const x = c.scratch.shared_bytes >= requirement(a, 1).shared
                         ? c.scratch.template shared_as<float>()
                         : on_stack;
    for (index_t column = 0; column < c.x.cols(); ++column) {
      relay_column(c.x, column, x, stride(a.cols()));
      const index_t tasks = fine_task_count(c.policy, a.slots(), a.slices());
      run_tasks(c.policy, tasks, [&](index_t task, index_t) {
        const index_t s0 = a.slices() * task / tasks;
        const index_t s1 = a.slices() * (task + 1) / tasks;
        if (a.group.m > 4) {
          run_slices<true, 0>(c, x, s0, s1, column);
        } else if (a.group.n == 2) {
          run_slices<false, 2>(c, x, s0, s1, column);
        } else {
          run_slices<false, 0>(c, x, s0, s1, column);
        }
      });
    }
  }

 private:
  /// Windows of 16 elements may begin four groups behind the last column.
  static index_t stride(index_t cols) { return round_up(cols, 16) + 5 * nm_max_group; }

  template <class TX, class Layout>
  static void relay_column(dense_view<const TX, Layout> x, index_t column, float* to,
                           index_t stride) {
    const index_t k = x.rows();
    index_t i = 0;
    if constexpr (!integers && !Layout::rows_contiguous) {
      const TX* from = x.data() + column * x.ld();
      for (; i + lanes::width <= k; i += lanes::width) {
        lanes::store(to + i, simd::load_as<lanes>(simd::all_lanes{}, from + i));
      }
    }
    for (; i < k; ++i) {
      if constexpr (integers) {
        const std::uint32_t word = nm_bytes_product<Arch, TX>::spread(x(i, column));
        std::memcpy(to + i, &word, sizeof word);
      } else {
        to[i] = static_cast<float>(x(i, column));
      }
    }
    for (; i < stride; ++i) to[i] = 0;
  }

  template <bool Wide, int N, class Call>
  static SPARSEKIT_NOINLINE void run_slices(const Call& c, const float* x, index_t s0, index_t s1,
                                            index_t column) {
    nm_for_tiles<slices>(s0, s1, [&](index_t s, auto count) SPARSEKIT_LAMBDA_INLINE {
      run_tile<Wide, N, count>(c, x, s, column);
    });
  }

  template <bool Wide, int N, int Slices, class Call>
  static SPARSEKIT_INLINE void run_tile(const Call& c, const float* x, index_t slice,
                                        index_t column) {
    using TX = typename Call::x_type;
    constexpr index_t rows_of_tile = Slices * nm_slice;
    const auto& a = c.a;
    // As many columns as a transposition of row-major Y reads.
    alignas(64) sum tile[lanes::width * rows_of_tile];
    typename lanes::reg sums[Slices * parts];
    simd::unroll<Slices * parts>([&](auto i) SPARSEKIT_LAMBDA_INLINE { sums[i] = lanes::zero(); });
    if constexpr (integers) {
      if constexpr (nm_bytes_product<Arch, TX>::flipped) {
        // What the other sign of x adds is taken off first.
        constexpr int shift = simd::shift_of_kept<Arch, TX>();
        const std::int32_t* weights = a.weight_sums.data() + slice * nm_slice;
        simd::unroll<Slices * parts>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
          sums[i] = lanes::mul(lanes::broadcast(-shift), lanes::load(weights + i * lanes::width));
        });
      }
    }
    nm_narrow_sums<Arch, T, TX, Wide, N, Slices>(a, x, slice, sums);
    simd::unroll<Slices * parts>(
        [&](auto i) SPARSEKIT_LAMBDA_INLINE { lanes::store(tile + i * lanes::width, sums[i]); });
    if constexpr (!integers) {
      if (!nm_all_finite<lanes, Slices * parts>(sums)) {
        for (index_t r = 0; r < rows_of_tile; ++r) {
          tile[r] = exact_sum(a, x, slice + r / nm_slice, r % nm_slice);
        }
      }
    }
    const index_t left = a.rows() - slice * nm_slice;
    nm_put_columns<lanes>(tile, rows_of_tile, left < rows_of_tile ? left : rows_of_tile, 1,
                          output_of<lanes>(c.y, c.epilogue, a.weight_sums.data()), slice * nm_slice,
                          column);
  }

  /// The sum of a row that may meet Inf or NaN, which slots that are no entry must not see.
  static SPARSEKIT_NOINLINE float exact_sum(const packed_nm_view<const T>& a, const float* x,
                                            index_t slice, index_t row) {
    using one = simd::lanes<arch::scalar, float>;
    float s = 0;
    for (index_t i = 0; i < a.steps(); ++i) {
      const T value = a.values[a.value_at(slice, i, row)];
      if (is_empty_slot(value)) continue;
      s = one::fma(static_cast<float>(value), x[a.column(slice, i, row)], s);
    }
    return s;
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
