// y = A x for packed blocks of bf16, f16 and s8 whose columns are one word
// (formats/packed_blocks.hpp), up to 16 units of weights. A block row is a stream of units, of
// which a register holds those of several blocks or several rows. What they meet of x is laid out
// first, some blocks at a time, so that the products are plain loads, with no shuffles and no
// gather, on every ISA:
//
//   blocks of 2 x 4 s8   | b0 row 0 | b0 row 1 | b1 row 0 | b1 row 1 | ...
//   words of x           | x[b0]    | x[b0]    | x[b1]    | x[b1]    | ...
//
// A lane always belongs to the same row of a block, so the sums of the lanes are added once a block
// row. Behind the last block the words of x are zero, and what they meet is readable (the slack of
// packed bytes).
#pragma once

#include "panel.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Products of a register of units: four s8, two bf16, one f16. x is as it lies in memory where
/// both are of 8 or 16 bits, otherwise f32, even and odd columns apart.
template <class Arch, class T, class TX>
struct block_unit {
  using sum = sum_of_t<T>;
  using lanes = simd::lanes<Arch, sum>;
  using reg = typename lanes::reg;
  using mixed = simd::mixed<Arch>;
  static constexpr bool integers = std::is_integral_v<T>;
  static constexpr int pair = std::is_same_v<T, float16> ? 1 : 4 / static_cast<int>(sizeof(T));
  static constexpr int parts = std::is_same_v<T, bfloat16> && std::is_same_v<TX, float> ? 2 : 1;
  static constexpr bool flipped = [] {
    if constexpr (integers) {
      return mixed::template flips<TX>;
    } else {
      return false;
    }
  }();

  static constexpr bool widened = std::is_same_v<TX, float> || pair == 1;
  /// What holds a part of a unit of x.
  using word = std::conditional_t<widened, float, std::uint32_t>;

  template <int P>
  static SPARSEKIT_INLINE word part(const TX (&e)[pair]) {
    if constexpr (widened) {
      return static_cast<float>(e[P]);
    } else {
      std::uint32_t w;
      std::memcpy(&w, e, sizeof w);
      return flipped ? w ^ 0x80808080u : w;
    }
  }
  /// sum + the products of a register of units with their words of x; the second part `part_step`
  /// behind.
  static SPARSEKIT_INLINE reg add(reg sum, const T* weights, const word* x, index_t part_step) {
    if constexpr (integers) {
      return mixed::template dot4_kept<TX>(sum, mixed::load_words(x), mixed::load_words(weights));
    } else if constexpr (pair == 1) {
      return lanes::fma(reg(mixed::load_f32(weights)), lanes::load(x), sum);
    } else {
      const auto w = mixed::load_words(weights);
      if constexpr (parts == 2) {
        sum = lanes::fma(reg(mixed::odd(w)), lanes::load(x + part_step), sum);
        return lanes::fma(reg(mixed::even(w)), lanes::load(x), sum);
      } else {
        return mixed::dot2(sum, w, mixed::load_words(x));
      }
    }
  }
};

template <class Arch, class T>
struct gemv_blocks {
  using sum = sum_of_t<T>;
  using lanes = simd::lanes<Arch, sum>;
  static constexpr index_t stack_bytes = 16384;
  /// Units of a block that fit the words of x on the stack, and blocks whose words are laid out
  /// together.
  static constexpr index_t most_units = 16;
  static constexpr index_t batch = 64;

  template <class A>
  static workspace_size requirement(const A& a, index_t) {
    // f32 X of bf16 weights takes a word an element, as f16 does; the rest takes less.
    const index_t elements = round_up(a.cols(), a.block.cols);
    return {.shared = elements * (std::is_integral_v<T> ? 1 : 4), .per_worker = 0};
  }
  template <class Call>
  static bool accepts(const Call& c) {
    using unit = block_unit<Arch, T, typename Call::x_type>;
    const auto& b = c.a.block;
    const index_t units = b.rows * b.cols / unit::pair;
    const index_t need = requirement(c.a, 1).shared;
    return c.x.cols() == 1 && b.cols == packed_blocks_view<T>::pair &&
           (b.rows & (b.rows - 1)) == 0 && units <= most_units &&
           (need <= stack_bytes || c.scratch.shared_bytes >= need);
  }
  template <class Call>
  static void run(const Call& c) {
    using unit = block_unit<Arch, T, typename Call::x_type>;
    const auto& a = c.a;
    using word = typename unit::word;
    alignas(64) word on_stack[stack_bytes / sizeof(word)];
    word* const x = c.scratch.shared_bytes >= requirement(a, 1).shared
                        ? c.scratch.template shared_as<word>()
                        : on_stack;
    relay<unit>(c.x, round_up(a.cols(), a.block.cols) / unit::pair, x);
    const index_t tasks = fine_task_count(c.policy, a.slots(), a.block_rows());
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t r0 = a.block_rows() * task / tasks;
      const index_t r1 = a.block_rows() * (task + 1) / tasks;
      simd::unroll<5>([&](auto e) SPARSEKIT_LAMBDA_INLINE {
        constexpr int rows = 1 << e;
        constexpr int across = static_cast<int>(packed_blocks_view<T>::pair) / unit::pair;
        if constexpr (rows * across <= most_units) {
          if (a.block.rows == rows) run_rows<unit, rows, across>(c, x, r0, r1);
        }
      });
    });
  }

 private:
  template <class Unit, class TX, class Layout>
  static void relay(dense_view<const TX, Layout> x, index_t units, typename Unit::word* to) {
    for (index_t u = 0; u < units; ++u) {
      TX e[Unit::pair] = {};
      for (index_t i = 0; i < Unit::pair && u * Unit::pair + i < x.rows(); ++i) {
        e[i] = x(u * Unit::pair + i, 0);
      }
      simd::unroll<Unit::parts>([&](auto p) SPARSEKIT_LAMBDA_INLINE {
        to[u * Unit::parts + p] = Unit::template part<p>(e);
      });
    }
  }

  /// Block rows [r0, r1): Rows rows of Across units each.
  template <class Unit, int Rows, int Across, class Call>
  static SPARSEKIT_NOINLINE void run_rows(const Call& c, const typename Unit::word* x, index_t r0,
                                          index_t r1) {
    using one = simd::lanes<arch::scalar, sum>;
    constexpr int units = Rows * Across;
    constexpr int w = lanes::width;
    // Two registers at least, so that enough sums are independent.
    constexpr int registers = units > 2 * w ? units / w : 2;
    constexpr int step = registers * w;
    constexpr index_t room = round_up(batch * units, step);
    alignas(64) typename Unit::word words[Unit::parts * room];
    const auto& a = c.a;
    const auto out = output_of<one>(c.y, c.epilogue, a.weight_sums.data());
    for (index_t r = r0; r < r1; ++r) {
      typename lanes::reg sums[registers];
      simd::unroll<registers>([&](auto i) SPARSEKIT_LAMBDA_INLINE { sums[i] = lanes::zero(); });
      const index_t chunk = r / a.chunk();
      for (index_t k = 0; k < a.cuts(); ++k) {
        const index_t at = a.start(chunk, k, r % a.chunk());
        const auto* from = x + k * a.cut * Across * Unit::parts;
        for (index_t b = a.starts[at]; b < a.starts[at + 1]; b += batch) {
          const index_t left = a.starts[at + 1] - b;
          const index_t count = left < batch ? left : batch;
          lay_out<Unit, Rows, Across, room>(a.columns.data() + b, count, from, words);
          const index_t used = count * units;
          const index_t end = round_up(used, step);
          for (int p = 0; p < Unit::parts; ++p) {
            for (index_t i = used; i < end; ++i) words[p * room + i] = 0;
          }
          const T* weights = a.values.data() + b * units * Unit::pair;
          for (index_t i = 0; i < end; i += step) {
            simd::unroll<registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
              const index_t first = i + j * w;
              sums[j] = Unit::add(sums[j], weights + first * Unit::pair, words + first, room);
            });
          }
        }
      }
      alignas(64) sum lane[step];
      simd::unroll<registers>([&](auto i)
                                  SPARSEKIT_LAMBDA_INLINE { lanes::store(lane + i * w, sums[i]); });
      finish<Unit, Rows, Across, step>(c, r, lane, out);
    }
  }

  /// The words of x that the units of some blocks meet.
  template <class Unit, int Rows, int Across, index_t Room>
  static SPARSEKIT_INLINE void lay_out(const std::uint8_t* columns, index_t count,
                                       const typename Unit::word* x, typename Unit::word* words) {
    for (index_t b = 0; b < count; ++b, words += Rows * Across) {
      const auto* from = x + index_t{columns[b]} * Across * Unit::parts;
      simd::unroll<Unit::parts>([&](auto p) SPARSEKIT_LAMBDA_INLINE {
        typename Unit::word e[Rows * Across];
        simd::unroll<Rows * Across>(
            [&](auto i) SPARSEKIT_LAMBDA_INLINE { e[i] = from[i % Across * Unit::parts + p]; });
        std::memcpy(words + p * Room, e, sizeof e);
      });
    }
  }

  /// Lanes into the rows of block row r, and these into y.
  template <class Unit, int Rows, int Across, int Lanes, class Call, class Output>
  static SPARSEKIT_INLINE void finish(const Call& c, index_t r, const sum* lane,
                                      const Output& out) {
    const index_t left = c.a.rows() - r * Rows;
    for (index_t i = 0; i < Rows && i < left; ++i) {
      const index_t row = r * Rows + i;
      sum s{0};
      if constexpr (Unit::flipped) {
        s = -simd::shift_of_kept<Arch, typename Call::x_type>() * c.a.weight_sums[row];
      }
      // Unsigned, as sums of lanes may pass 2^31 on the way.
      for (index_t l = i * Across; l < Lanes; l += Rows * Across) {
        for (index_t j = l; j < l + Across; ++j) {
          if constexpr (Unit::integers) {
            s = static_cast<sum>(static_cast<std::uint32_t>(s) +
                                 static_cast<std::uint32_t>(lane[j]));
          } else {
            s += lane[j];
          }
        }
      }
      if constexpr (!Unit::integers) {
        if (!simd::is_finite(s)) s = plain_block_sum<T>(c, row, 0);
      }
      out.put(s, row, 0, simd::all_lanes{});
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
