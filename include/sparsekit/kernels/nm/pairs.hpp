// Y = A X for packed 2:4 of s8 with lanes along the columns of X, exact, where four bytes have a
// dot product. A group of four rows of X keeps two of them: of the few pairs that there are, all
// lie ready in the panel, a register a pair, so the word of X for four slots of a row, which belong
// to two groups, is two loads and one shuffle a register:
//
//   for two groups:   x = the pairs of the first group and of the second, joined      (2 loads, 2 shuffles)
//                     sum[r] += word[r] . x for the V rows that share these columns   (V dot products a register)
//
// Up to a register of columns each pair lies in its half of a word, and joining is one `or`.
//
// With VNNI 8 rows that share a pattern take 16 dot products and 2 shuffles for 32 columns, 9
// cycles of both ports, where dense takes 16; half as many shuffles as dot products (V = 1) leave
// nothing of that. Emerald Rapids, 512 x 512 over packed dense, X and Y row-major, N = 64 and 256:
// V = 8 1.4, V = 2 1.0 to 1.1, V = 1 .65 (four rows gathered by merges, bytes.hpp: .9, .45, .3).
// What is missing to 1.8: laying the pairs out (a tenth), reading them from L2 and not L1 (a
// tenth), Y. Pieces of the panel that fit L1 were slower, as sums then wait in L2. N = 16 is bound
// by loads, one broadcast a dot product: 1.0.
#pragma once

#include "../../simd/word_pairs.hpp"
#include "../blocks/product.hpp"
#include "../panel_rows.hpp"
#include "panel.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// The pairs of rows of a group: any two in order, and the last row twice, for it may be alone.
struct nm_pair_lines {
  static constexpr int count = 7;
  static constexpr int first[count] = {0, 0, 0, 1, 1, 2, 3};
  static constexpr int second[count] = {1, 2, 3, 2, 3, 3, 3};
  /// By the places of two slots, first + 4 * second. A slot without an entry has place 0 and comes
  /// last, and what it is multiplied by does not matter.
  static constexpr std::uint8_t of_places[16] = {0, 3, 5, 6, 0, 3, 5, 6, 1, 3, 5, 6, 2, 4, 5, 6};
};

/// Groups [begin, end) of slices [slice0, slice1); begin is even.
struct nm_pair_part {
  const packed_nm_view<const std::int8_t>& a;
  const std::uint32_t* panel;  ///< [groups][pairs][width of lanes]
  index_t slice0;
  index_t slice1;
  index_t begin;
  index_t end;
  std::int32_t* sums;  ///< as in nm_part
};

/// V rows share a pattern here; the format may let more rows share it.
template <class Arch, class TX, int Registers, int V>
SPARSEKIT_NOINLINE void nm_pair_tiles(const nm_pair_part& p) {
  using product = block_product<Arch, std::int8_t, TX>;
  using lanes = simd::lanes<Arch, std::int32_t>;
  using pairs = simd::word_pairs<Arch>;
  using words = typename pairs::words;
  constexpr int w = lanes::width;
  constexpr int width = Registers * w;
  constexpr index_t group = nm_pair_lines::count * w;
  constexpr int rows = nm_tile_rows<Arch>(Registers);
  constexpr int patterns = rows / V;
  const index_t rows_left = p.a.rows() - p.slice0 * nm_slice;
  for (index_t s = p.slice0; s < p.slice1; ++s) {
    for (index_t r0 = 0; r0 < nm_slice && r0 < rows_left - (s - p.slice0) * nm_slice; r0 += rows) {
      std::int32_t* sums = p.sums + ((s - p.slice0) * nm_slice + r0) * width;
      typename lanes::reg sum[rows * Registers];
      nm_begin_byte_sums<Arch, TX, rows, Registers>(p.a, s * nm_slice + r0, p.begin == 0, sums,
                                                    sum);
      const std::int8_t* value = p.a.values.data() + p.a.value_at(s, 2 * p.begin, r0);
      const std::uint8_t* places = p.a.places.data() + (s * p.a.steps() + 2 * p.begin) * 4;
      const std::uint32_t* x = p.panel + p.begin * group;
      const auto step = [&](const std::uint8_t* second,
                            const std::uint32_t* second_x) SPARSEKIT_LAMBDA_INLINE {
        const std::uint64_t places0 = load_nm_places(places, true);
        const std::uint64_t places1 = load_nm_places(second, true);
        simd::unroll<patterns>([&](auto q) SPARSEKIT_LAMBDA_INLINE {
          const int shift = 2 * static_cast<int>(r0 + q * V);
          const auto pair = [&](const std::uint32_t* from,
                                std::uint64_t of) SPARSEKIT_LAMBDA_INLINE {
            return simd::mixed<Arch>::load_words(
                from + index_t{nm_pair_lines::of_places[simd::two_bits_of_halves(of, shift)]} * w);
          };
          const words u = pair(x, places0);
          const words v = pair(second_x, places1);
          words joined[Registers];
          if constexpr (Registers == 1) {
            joined[0] = pairs::merge(u, v);
          } else {
            pairs::join(u, v, joined);
          }
          simd::unroll<V>([&](auto t) SPARSEKIT_LAMBDA_INLINE {
            constexpr int r = q * V + t;
            const auto number = product::template number<0>(value + r * 4);
            simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
              auto& to = sum[r * Registers + j];
              to = product::add(to, number, joined[j]);
            });
          });
        });
        value += 4 * nm_slice;
        places += 16;
        x += 2 * group;
      };
      index_t g = p.begin;
      for (; g + 1 < p.end; g += 2) step(places + 8, x + group);
      // A second group that is not there has zeros for weights.
      if (g < p.end) step(places, x);
      simd::registers<lanes, rows * Registers>::store(sums, sum);
    }
  }
}

template <class Arch, class T>
struct spmm_nm_pairs {
  using lanes = simd::lanes<Arch, std::int32_t>;
  using pairs = simd::word_pairs<Arch>;
  static constexpr int registers = 2;
  /// Slices whose sums wait together, and groups whose part of the panel they meet: 112 KB, of
  /// which slices read two sevenths, out of L2.
  static constexpr index_t waiting_slices = 16;
  static constexpr index_t cut = 256;

  static bool takes(const nm_shape& g) { return g.n == 2 && g.m == 4; }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    if (!pairs::available || !takes(a.group)) return {};
    const index_t waiting = (waiting_slices * nm_slice + lanes::width) * width_of(columns);
    return {.shared = 0, .per_worker = (panel_words(a) + words_of(columns) + waiting) * 4};
  }
  template <class Call>
  static constexpr bool possible = Call::has_workspace&& std::is_integral_v<T>&& [] {
    if constexpr (pairs::available) {
      return simd::mixed<Arch>::has_dot4;
    } else {
      return false;
    }
  }();
  template <class Call>
  static bool accepts(const Call& c) {
    return takes(c.a.group) && c.x.cols() > 3 &&
           c.scratch.worker_bytes >= requirement(c.a, c.x.cols()).per_worker;
  }
  template <class Call>
  static void run(const Call& c) {
    run_panel_tasks(c.policy, panel_split(c.x.cols(), lanes::width, registers),
                    c.a.slots() * c.x.cols(), c.a.slices(),
                    [&](auto... ranges) { run_panel(c, ranges...); });
  }

 private:
  /// Groups whose words are made before they are taken apart.
  static constexpr index_t strip = 64;

  static index_t width_of(index_t columns) {
    return columns <= lanes::width ? lanes::width : registers * lanes::width;
  }
  static index_t words_of(index_t columns) { return strip * width_of(columns); }
  template <class A>
  static index_t panel_words(const A& a) {
    return round_up(a.groups() * nm_pair_lines::count * lanes::width, 64);
  }

  template <class Call>
  static void run_panel(const Call& c, index_t register0, index_t register1, index_t slice0,
                        index_t slice1, index_t worker) {
    using TX = typename Call::x_type;
    const auto& a = c.a;
    const index_t width = (register1 - register0) * lanes::width;
    const index_t column = register0 * lanes::width;
    const index_t columns = c.x.cols() - column < width ? c.x.cols() - column : width;
    auto* const panel = c.scratch.template worker_as<std::uint32_t>(worker);
    std::uint32_t* const words = panel + panel_words(a);
    auto* const sums = reinterpret_cast<std::int32_t*>(words + words_of(width));
    lay_out(c.x, column, columns, width, a.groups(), words, panel);
    const auto out = output_of<lanes>(c.y, c.epilogue, a.weight_sums.data());
    // Where nothing waits, stores into Y go on while the next slice is summed.
    const index_t together = a.groups() <= cut ? 1 : waiting_slices;
    for (index_t s = slice0; s < slice1; s += together) {
      const index_t end = s + together < slice1 ? s + together : slice1;
      index_t g = 0;
      do {  // a matrix without columns still has rows to write
        const index_t next = g + cut < a.groups() ? g + cut : a.groups();
        const nm_pair_part part{a, panel, s, end, g, next, sums};
        width == lanes::width ? tiles<TX, 1>(part) : tiles<TX, 2>(part);
        g = next;
      } while (g < a.groups());
      const index_t r0 = s * nm_slice;
      const index_t r1 = a.rows() < end * nm_slice ? a.rows() : end * nm_slice;
      put_panel_rows<lanes>(sums, width, r1 - r0, columns, out, r0, column);
    }
  }

  /// All groups of X into lines of pairs; `words` is scratch.
  template <class TX, class Layout>
  static SPARSEKIT_NOINLINE void lay_out(dense_view<const TX, Layout> x, index_t column,
                                         index_t columns, index_t width, index_t groups,
                                         std::uint32_t* words, std::uint32_t* panel) {
    if constexpr (Layout::rows_contiguous) {
      if (width == registers * lanes::width) return pair_rows(x, column, columns, groups, panel);
    }
    for (index_t g = 0; g < groups; g += strip) {
      const index_t count = groups - g < strip ? groups - g : strip;
      const index_t row = g * 4;
      const index_t rows = x.rows() - row < count * 4 ? x.rows() - row : count * 4;
      block_product<Arch, std::int8_t, TX>::relay(
          dense_view<const TX, Layout>(&x(row, 0), rows, x.cols(), x.ld()), column, columns, width,
          count, words);
      std::uint32_t* const to = panel + g * nm_pair_lines::count * lanes::width;
      width == lanes::width ? take_apart<1>(words, count, to) : take_apart<2>(words, count, to);
    }
  }

  /// Rows of X as they lie, for two registers of columns.
  template <class TX>
  static void pair_rows(dense_view<const TX, row_major> x, index_t column, index_t columns,
                        index_t groups, std::uint32_t* panel) {
    using mixed = simd::mixed<Arch>;
    constexpr index_t width = registers * lanes::width;
    const auto row = [&](index_t k) SPARSEKIT_LAMBDA_INLINE {
      if (k >= x.rows()) return pairs::row(0, x.data());
      const TX* p = &x(k, column);
      const auto bytes = columns == width ? pairs::row(p) : pairs::row(columns, p);
      if constexpr (block_product<Arch, std::int8_t, TX>::flipped) {
        return pairs::flipped(bytes);
      } else {
        return bytes;
      }
    };
    for (index_t g = 0; g < groups; ++g) {
      const typename pairs::words r[4] = {row(4 * g), row(4 * g + 1), row(4 * g + 2),
                                          row(4 * g + 3)};
      simd::unroll<nm_pair_lines::count>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
        const auto line = pairs::of_rows(r[nm_pair_lines::first[i]], r[nm_pair_lines::second[i]]);
        lanes::store(reinterpret_cast<std::int32_t*>(panel), mixed::as_s32(line));
        panel += lanes::width;
      });
    }
  }

  /// The words of `count` groups, the first of them even, into their pairs.
  template <int Registers>
  static SPARSEKIT_NOINLINE void take_apart(const std::uint32_t* words, index_t count,
                                            std::uint32_t* panel) {
    using mixed = simd::mixed<Arch>;
    constexpr int w = lanes::width;
    for (index_t g = 0; g < count; ++g, words += Registers * w) {
      simd::unroll<nm_pair_lines::count>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
        constexpr int a = nm_pair_lines::first[i];
        constexpr int b = nm_pair_lines::second[i];
        const auto u = mixed::load_words(words);
        typename pairs::words line;
        if constexpr (Registers == 2) {
          line = pairs::template of_two<a, b>(u, mixed::load_words(words + w));
        } else if (g % 2 == 0) {
          line = pairs::template of_one<a, b, false>(u);
        } else {
          line = pairs::template of_one<a, b, true>(u);
        }
        lanes::store(reinterpret_cast<std::int32_t*>(panel), mixed::as_s32(line));
        panel += w;
      });
    }
  }

  template <class TX, int Registers>
  static void tiles(const nm_pair_part& p) {
    nm_with_sharing<Arch, Registers>(p.a.group.v, [&](auto v) SPARSEKIT_LAMBDA_INLINE {
      nm_pair_tiles<Arch, TX, Registers, v>(p);
    });
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
