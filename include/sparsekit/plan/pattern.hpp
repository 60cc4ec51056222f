// What the cost model needs to know about a sparse pattern, counted in one or two passes over it and never by
// packing: entries, empty rows and columns, the slots that each form would fill, N:M groups and blocks.
//
// Groups and blocks are counted on bits: 16 rows at a time are written as words of 64 columns, neighbouring
// rows are united in pairs, fours, eights and sixteens, and each word is asked how many of its groups of 2, 4,
// 8 and 16 columns are in use, and by how many columns at most.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>

#include "../formats/csr.hpp"
#include "../pack/blocks.hpp"
#include "../pack/lookup.hpp"
#include "form.hpp"

namespace sparsekit {
inline namespace v0 {

struct pattern_statistics {
  /// Rows that share an N:M pattern: 1, 2, 4, 8, 16. Columns of a group: 2, 4, 8, 16.
  static constexpr int sharings = 5;
  static constexpr int groups = 4;
  /// Rows of a block and its columns: 1, 2, 4, 8, 16 (block_shapes says which of them a type has).
  static constexpr int heights = 5;
  static constexpr int widths = 5;

  extents shape{};
  index_t nnz = 0;
  index_t kept_rows = 0;
  index_t kept_columns = 0;
  index_t quad_slots = 0;    ///< of balanced row quads, about
  index_t lookup_slots = 0;  ///< of window-lookup steps, from a sample of slices; 0: the form is not possible
  index_t list_slots = 0;    ///< of slices, gathered; about
  index_t run_slots = 0;     ///< of slices, in runs; about
  /// Whether groups and blocks were counted: not in matrices with very few entries.
  bool counted_groups = false;
  bool explicit_zeros = false;
  std::int32_t most_in_group[sharings][groups] = {};
  index_t blocks[heights][widths] = {};

  template <class Flags = flags_tag>
  double zeros() const {
    const double elements = static_cast<double>(shape.rows) * static_cast<double>(shape.cols);
    return elements == 0 ? 0 : 1 - static_cast<double>(nnz) / elements;
  }
  /// Blocks of such a shape that hold an entry; none where it was not counted.
  template <class Flags = flags_tag>
  index_t blocks_of(const block_shape& b) const {
    return blocks[std::countr_zero(static_cast<std::uint64_t>(b.rows))]
                 [std::countr_zero(static_cast<std::uint64_t>(b.cols))];
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace plan {

/// The blocks that are counted for weights of type T, as powers of two of rows and columns. Dot
/// products of narrow types take 2 or 4 columns at once and suit blocks of any height; f32 and f64
/// have kernels for 4 rows and more.
template <class T>
struct block_shapes {
  static constexpr int first_height = is_narrow<T> ? 0 : 2;
  static constexpr int first_width =
      is_narrow<T> ? std::countr_zero(static_cast<unsigned>(packed_blocks_view<const T>::pair)) : 0;

  /// Cuts of the columns, after each of which sums of narrow types go to memory.
  static double cuts(const pattern_statistics& s, const block_shape& block) {
    const double columns = static_cast<double>(s.shape.cols);
    const double all = std::max(1.0, static_cast<double>(s.shape.rows) * columns);
    const double share = static_cast<double>(s.blocks_of(block) * block.rows * block.cols) / all;
    const index_t cut =
        packing::blocks_cut(block, packed_blocks_view<const T>::pair, share) * block.cols;
    return std::ceil(columns / static_cast<double>(cut));
  }

  /// Calls f(block, how many hold an entry).
  template <class F>
  static void each(const pattern_statistics& s, F&& f) {
    for (int h = first_height; h < pattern_statistics::heights; ++h) {
      for (int w = first_width; w < pattern_statistics::widths; ++w) {
        f(block_shape{index_t{1} << h, index_t{1} << w}, s.blocks[h][w]);
      }
    }
  }
};

/// Bits of a word's groups of 2 << level columns: the most that one group has, no less than `most`.
inline std::int32_t most_in_groups(std::uint64_t x, int level, std::int32_t most) {
  constexpr std::uint64_t ones[4] = {0x5555555555555555u, 0x1111111111111111u, 0x0101010101010101u,
                                     0x0001000100010001u};
  const std::int32_t full = 2 << level;
  std::uint64_t sums = x - ((x >> 1) & ones[0]);
  if (level == 0) return (sums & ~ones[0]) != 0 ? 2 : sums != 0 ? std::max(most, 1) : most;
  sums = (sums & 0x3333333333333333u) + ((sums >> 2) & 0x3333333333333333u);
  if (level >= 2) sums = (sums + (sums >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  if (level == 3) sums = (sums + (sums >> 8)) & 0x00ff00ff00ff00ffu;
  // A field exceeds `most` where adding (its largest positive number - most) sets its highest bit.
  const int bits = full;
  const std::uint64_t high = ones[level] << (bits - 1);
  while (most < full) {
    const std::uint64_t lift = (std::uint64_t{1} << (bits - 1)) - 1 - static_cast<unsigned>(most);
    if (((sums + ones[level] * lift) & high) == 0) break;
    ++most;
  }
  return most;
}

/// Groups of 1 << level columns that have a bit.
inline int used_groups(std::uint64_t x, int level) {
  if (level >= 1) x = (x | x >> 1) & 0x5555555555555555u;
  if (level >= 2) x = (x | x >> 2) & 0x1111111111111111u;
  if (level >= 3) x = (x | x >> 4) & 0x0101010101010101u;
  if (level >= 4) x = (x | x >> 8) & 0x0001000100010001u;
  return std::popcount(x);
}

/// Sixteen rows as bits, and what their words say about groups and blocks.
class group_counter {
 public:
  static constexpr index_t band = 16;

  status allocate(index_t words) { return bits_.allocate(band * words); }

  /// Takes the words [first, first + words) of the rows from r0 on. Returns the entries in them.
  template <class View>
  index_t fill(const View& a, index_t r0, index_t first, index_t words) {
    words_ = words;
    std::fill(bits_.begin(), bits_.begin() + band * words, std::uint64_t{0});
    const index_t rows = std::min(band, a.rows() - r0);
    index_t entries = 0;
    for (index_t r = 0; r < rows; ++r) {
      std::uint64_t* const row = bits_.data() + r * words;
      const auto* p = a.columns.data() + a.row_ptr[r0 + r];
      const auto* end = a.columns.data() + a.row_ptr[r0 + r + 1];
      if (64 * first > 0) p = std::lower_bound(p, end, 64 * first, less);
      if (64 * (first + words) < a.cols()) end = std::lower_bound(p, end, 64 * (first + words), less);
      entries += end - p;
      for (; p != end; ++p) {
        const auto c = static_cast<std::uint64_t>(*p) - 64 * static_cast<std::uint64_t>(first);
        row[c / 64] |= std::uint64_t{1} << (c % 64);
      }
    }
    return entries;
  }

  /// Adds what was taken to the counts. Uses it up. Blocks are counted from 1 << first_height rows
  /// on.
  template <class Flags = flags_tag>
  void count(pattern_statistics& s, int first_height) {
    for (int share = 0; share < pattern_statistics::sharings; ++share) {
      const index_t sets = band >> share;
      if (share > 0) {
        for (index_t set = 0; set < sets; ++set) {
          for (index_t i = 0; i < words_; ++i) {
            bits_[set * words_ + i] = bits_[2 * set * words_ + i] | bits_[(2 * set + 1) * words_ + i];
          }
        }
      }
      for (int level = 0; level < pattern_statistics::groups; ++level) {
        std::int32_t most = s.most_in_group[share][level];
        for (index_t i = 0; i < sets * words_ && most < 2 << level; ++i) {
          if (bits_[i] != 0) most = most_in_groups(bits_[i], level, most);
        }
        s.most_in_group[share][level] = most;
      }
      if (share < first_height) continue;
      for (index_t i = 0; i < sets * words_; ++i) {
        const std::uint64_t x = bits_[i];
        if (x == 0) continue;
        const bool one = (x & (x - 1)) == 0;
        for (int w = 0; w < pattern_statistics::widths; ++w) {
          s.blocks[share][w] += one ? 1 : used_groups(x, w);
        }
      }
    }
  }

 private:
  static constexpr auto less = [](auto column, index_t bound) {
    return static_cast<index_t>(column) < bound;
  };
  buffer<std::uint64_t> bits_;
  index_t words_ = 0;
};

/// Whether there are entries enough for groups to matter.
inline bool groups_matter(const pattern_statistics& s) {
  const double elements = static_cast<double>(s.shape.rows) * static_cast<double>(s.shape.cols);
  return s.nnz > 0 && elements < 256.0 * static_cast<double>(s.nnz);
}

/// N:M groups and blocks, 16 rows at a time.
template <class T, class View>
status count_groups(const View& a, pattern_statistics& s) {
  const index_t words = ceil_div(a.cols(), 64);
  group_counter counter;
  if (status e = counter.allocate(words); !e) return e;
  for (index_t r0 = 0; r0 < a.rows(); r0 += group_counter::band) {
    counter.fill(a, r0, 0, words);
    counter.count(s, block_shapes<T>::first_height);
  }
  s.counted_groups = true;
  return {};
}

/// The largest blocks of quads: slots are counted in them, whatever the cut; and how many lie side by side.
inline constexpr index_t counted_row_block = 512;
inline constexpr index_t counted_column_block = 256;
inline index_t counted_column_blocks(const extents& shape) {
  return std::max<index_t>(1, ceil_div(shape.cols, counted_column_block));
}
/// Whether blocks are so empty that packing quads takes longer than anything else; other forms win there.
inline bool quad_blocks_nearly_empty(const extents& shape, index_t nnz) {
  return static_cast<double>(counted_column_blocks(shape)) * static_cast<double>(shape.rows) >
         2.0 * static_cast<double>(nnz) + 65536;
}

/// Slots of quads: rows of a block sorted by length come eight at a time, and each group runs as many single
/// steps as its longest row needs. Shared patterns fill a few slots more, the more entries, the more of them.
template <class View>
void count_quads(const View& a, pattern_statistics& s) {
  constexpr index_t row_block = counted_row_block;
  constexpr index_t column_block = counted_column_block;
  const index_t column_blocks = counted_column_blocks(a.shape);
  s.quad_slots = a.nnz();
  if (quad_blocks_nearly_empty(a.shape, a.nnz())) return;
  index_t padded = 0;
  for (index_t r0 = 0; r0 < a.rows(); r0 += row_block) {
    const index_t rows = std::min(row_block, a.rows() - r0);
    index_t cursor[row_block];
    for (index_t r = 0; r < rows; ++r) cursor[r] = static_cast<index_t>(a.row_ptr[r0 + r]);
    for (index_t k = 0; k < column_blocks; ++k) {
      std::int32_t histogram[column_block + 1] = {};
      for (index_t r = 0; r < rows; ++r) {
        const index_t end = static_cast<index_t>(a.row_ptr[r0 + r + 1]);
        index_t p = cursor[r];
        while (p < end && static_cast<index_t>(a.columns[p]) < (k + 1) * column_block) ++p;
        ++histogram[p - cursor[r]];
        cursor[r] = p;
      }
      index_t in_group = 0;
      index_t longest = 0;
      for (index_t length = column_block; length >= 0; --length) {
        for (std::int32_t i = 0; i < histogram[length]; ++i) {
          if (in_group == 0) longest = length;
          padded += longest - length;
          in_group = (in_group + 1) % 8;
        }
      }
      if (in_group != 0) padded += (8 - in_group) * longest;
    }
  }
  s.quad_slots = a.nnz() + padded + a.nnz() / 40;
}

/// Window-lookup steps, from up to `most` slices of 32 rows.
template <class T, class View>
status count_lookup(const View& a, pack_target target, pattern_statistics& s, index_t most = 8) {
  using view = lookup_view<const T>;
  s.lookup_slots = 0;
  if (a.cols() > view::max_cols || a.rows() == 0) return {};
  view v{.shape = a.shape, .entries = a.nnz()};
  v.window_bytes = packing::default_lookup_window<T>(a.nnz(), target);
  const index_t wanted = std::min<index_t>(v.slices(), most);
  index_t steps = 0;
  index_t entries = 0;
  std::uint8_t order[view::block_rows];
  for (index_t i = 0; i < wanted; ++i) {
    // One slice in each of `wanted` equal parts of the rows, at another place of each part: rows of
    // a block are sorted by length, and slices at one place of all blocks would have all short rows
    // or all long ones.
    const index_t begin = v.slices() * i / wanted;
    const index_t end = v.slices() * (i + 1) / wanted;
    const index_t slice = begin + (5 * i + 4) % 8 * (end - begin) / 8;
    const index_t first = slice / view::block_slices * view::block_rows;
    const index_t rows =
        std::min(view::block_rows, round_up(a.rows(), view::slice_rows) - first);
    packing::sort_block_rows(a.row_ptr, first, rows, order);
    const packing::lookup_slice lanes(
        a.row_ptr, first, order + slice % view::block_slices * view::slice_rows);
    for (int l = 0; l < 32; ++l) entries += lanes.end[l] - lanes.next[l];
    packing::for_each_lookup_step(v, lanes, a.columns, [&](index_t) { ++steps; },
                                  [](index_t, index_t, std::uint8_t) {});
  }
  const double slots = static_cast<double>(steps * view::step_slots);
  if (entries == 0 && a.nnz() > 0 && wanted < v.slices())
    return count_lookup<T>(a, target, s, 4 * wanted);
  // By the share of entries that was seen: slices of a block differ in length.
  const double share = entries == 0 ? 1 : static_cast<double>(a.nnz()) / static_cast<double>(entries);
  s.lookup_slots = std::max<index_t>(1, static_cast<index_t>(slots * share));
  return {};
}

/// Slots of slices: rows sorted by length, those beyond 2048 entries apart; and how many of the entries have
/// their neighbour in the next row one column further, as in bands and grids: of up to `pairs` pairs of rows, in
/// each up to `entries` of them.
template <class T, class View>
status count_slices(const View& a, pattern_statistics& s, index_t pairs = 256,
                    index_t entries = std::numeric_limits<index_t>::max()) {
  constexpr index_t height = static_cast<index_t>(storage_alignment / sizeof(T));
  constexpr index_t longest = 2048;
  const auto length = [&](index_t r) {
    return static_cast<index_t>(a.row_ptr[r + 1]) - static_cast<index_t>(a.row_ptr[r]);
  };
  index_t alone = 0;
  index_t most = 0;
  index_t least = longest;
  for (index_t r = 0; r < a.rows(); ++r) {
    const index_t n = length(r);
    if (n > longest) {
      alone += n;
    } else {
      most = std::max(most, n);
      least = std::min(least, n);
    }
  }
  buffer<std::int32_t> histogram;
  if (status e = histogram.allocate_zeroed(std::max<index_t>(0, most - least) + 1); !e) return e;
  for (index_t r = 0; r < a.rows(); ++r) {
    if (const index_t n = length(r); n <= longest) ++histogram[n - least];
  }
  index_t slots = alone;
  index_t lane = 0;
  for (index_t n = most; n >= least; --n) {
    index_t rows = histogram[n - least];
    const index_t begun = lane == 0 ? 0 : std::min(rows, height - lane);
    rows -= begun;
    lane = (lane + begun) % height;
    slots += ceil_div(rows, height) * height * n;  // a group begins with its longest row
    lane = (lane + rows) % height;
  }
  index_t seen = 0;
  index_t aligned = 0;
  const index_t stride = std::max<index_t>(1, a.rows() / pairs);
  for (index_t r = 0; r + 1 < a.rows(); r += stride) {
    index_t q = static_cast<index_t>(a.row_ptr[r + 1]);
    const index_t end = static_cast<index_t>(a.row_ptr[r + 2]);
    const index_t begin = static_cast<index_t>(a.row_ptr[r]);
    const index_t stop = begin + std::min(length(r), entries);
    for (index_t p = begin; p < stop; ++p, ++seen) {
      while (q < end && a.columns[q] <= a.columns[p]) ++q;
      aligned += q < end && static_cast<index_t>(a.columns[q]) == static_cast<index_t>(a.columns[p]) + 1;
    }
  }
  // Random columns meet by chance, the more of them the denser the matrix; only more than that is a run.
  const double share = seen == 0 ? 0 : static_cast<double>(aligned) / static_cast<double>(seen);
  s.run_slots = share > 0.7 ? static_cast<index_t>(share * static_cast<double>(a.nnz())) : 0;
  s.list_slots = s.run_slots > 0 ? a.nnz() - s.run_slots : slots;
  return {};
}

/// Rows that hold an entry.
template <class View>
index_t count_rows(const View& a) {
  index_t kept = 0;
  for (index_t r = 0; r < a.rows(); ++r) kept += a.row_ptr[r + 1] != a.row_ptr[r] ? 1 : 0;
  return kept;
}

/// Whether a zero is stored.
template <class View>
bool stores_zeros(const View& a) {
  using T = std::remove_cv_t<typename View::value_type>;
  index_t p = 0;
  bool zero = false;
  for (; p + 16 <= a.nnz() && !zero; p += 16) {
    for (index_t j = 0; j < 16; ++j) zero |= !is_nonzero_element<T>(a.values[p + j]);
  }
  for (; p < a.nnz(); ++p) zero |= !is_nonzero_element<T>(a.values[p]);
  return zero;
}

}  // namespace plan

/// Counts a valid, sorted CSR matrix, all of it: O(nnz), and one operation a place where there are entries enough
/// for groups. `few`: whether forms for one to three columns matter. What choose() decides by costs less:
/// survey_pattern() in plan/survey.hpp.
template <class T, class Index, class Offset>
status count_pattern(const csr_view<const T, Index, Offset>& a, bool few, pattern_statistics& s,
                     pack_target target = pack_target::native) {
  s = {};
  s.shape = a.shape;
  s.nnz = a.nnz();
  buffer<std::uint8_t> used;
  if (status e = used.allocate_zeroed(a.cols()); !e) return e;
  for (index_t p = 0; p < a.nnz(); ++p) used[static_cast<index_t>(a.columns[p])] = 1;
  for (const std::uint8_t u : used) s.kept_columns += u;
  s.explicit_zeros = plan::stores_zeros(a);
  s.kept_rows = plan::count_rows(a);
  plan::count_quads(a, s);
  if (few) {
    if (status e = plan::count_lookup<T>(a, target, s); !e) return e;
    if (status e = plan::count_slices<T>(a, s); !e) return e;
  }
  if (plan::groups_matter(s)) {
    if (status e = plan::count_groups<T>(a, s); !e) return e;
  }
  return {};
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
