// Balanced row quads: the packed form for SpMM with scattered zeros.
//
// A is cut into row blocks x column blocks. In a block, rows are sorted by their number of entries
// and taken four at a time: a quad. A column of a quad is used by some of its four rows, its
// pattern: four rows (1 pattern), three (4), two (6) or one (4). A sum may run in any order, so all
// columns of one pattern come together: the row of X is loaded once and serves exactly the rows
// that have it, without a test. The counts of the shared patterns are the same for every quad of a
// block (`t4` columns of four rows, `t3` of each triple, `t2` of each pair), so the loops have the
// same trip counts again and again and branches predict; a quad with more columns of a kind splits
// the surplus into smaller patterns, one with fewer fills a few slots. What is left runs as
// singles, one column for each row a step, as many steps as the longest of the rows needs.
// `interleave` quads (1 or 2) form a group whose steps alternate, so that narrow panels have enough
// independent sums.
//
// A filled slot multiplies by -0.0, which no source entry is packed as (element_bits.hpp). So filled
// slots are known by their value, and left out when X is not finite. Values of bf16 and f16 are
// stored as they are; kernels widen them. There are no quads of s8.
//
// Order of the stream, for row blocks, for column blocks, for groups:
//   heads             row of each of the 4 * interleave rows inside the block (`no_row`: padding),
//                     single steps
//   columns, values   in the order of `for_each_slot`
#pragma once

#include "element_bits.hpp"
#include "packed_bytes.hpp"

namespace sparsekit {
inline namespace v0 {

/// Trip counts of one block.
struct quad_block {
  std::int32_t groups = 0;
  std::uint16_t t4 = 0;
  std::uint16_t t3 = 0;
  std::uint16_t t2 = 0;
  std::uint16_t unused[3] = {};
  /// Where the block's stream starts, so that row blocks can run apart.
  std::int64_t head = 0;
  std::int64_t column = 0;
  std::int64_t value = 0;
};
// Blocks are bytes of the packed form: padding would be whatever lay in memory.
static_assert(sizeof(quad_block) == 40 && std::has_unique_object_representations_v<quad_block>);

/// Patterns as bit sets of rows, in stream order.
inline constexpr int quad_triples[4] = {0b0111, 0b1011, 0b1101, 0b1110};
inline constexpr int quad_pairs[6] = {0b0011, 0b1100, 0b0101, 0b1010, 0b1001, 0b0110};

/// Balanced row quads in somebody else's memory.
template <class T>
struct quad_view {
  using value_type = std::remove_cv_t<T>;
  static constexpr std::uint16_t no_row = 0xffff;
  /// The most rows and columns of a block: columns are one byte, and sums of a row block wait in
  /// cache.
  static constexpr index_t max_row_block = 512;
  static constexpr index_t max_column_block = 256;

  extents shape{};
  index_t entries = 0;
  index_t slots = 0;
  index_t row_block = 0;
  index_t column_block = 0;
  index_t interleave = 0;
  array_view<const quad_block> blocks{};
  array_view<const std::uint16_t> heads{};
  array_view<const std::uint8_t> columns{};
  array_view<const value_type> values{};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return entries; }
  index_t row_blocks() const { return row_block == 0 ? 0 : ceil_div(shape.rows, row_block); }
  /// At least one, so that rows without columns are still written.
  index_t column_blocks() const {
    return column_block == 0 || shape.cols == 0 ? 1 : ceil_div(shape.cols, column_block);
  }
  // For packed_owner.
  static constexpr packed_form form = packed_form::quads;
  static constexpr const char* object = "quads";
  static constexpr int section_count = 4;
  static quad_view of(const std::byte* bytes, const packed_header& h) {
    return {.shape = extents(h.rows, h.cols),
            .entries = h.nnz,
            .slots = h.slots,
            .row_block = h.row_block,
            .column_block = h.column_block,
            .interleave = h.interleave,
            .blocks = packed_section_as<quad_block>(bytes, h.sections[0]),
            .heads = packed_section_as<std::uint16_t>(bytes, h.sections[1]),
            .columns = packed_section_as<std::uint8_t>(bytes, h.sections[2]),
            .values = packed_section_as<value_type>(bytes, h.sections[3])};
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// f(row in group, column in block, value) for every slot of one group, in stream order: what the
/// kernels do unrolled. Moves the stream pointers on.
template <class T, class F>
SPARSEKIT_INLINE void for_each_slot(const quad_block& block, index_t interleave, index_t singles,
                                    const std::uint8_t*& column, const T*& value, F&& f) {
  const auto pattern = [&](index_t quad, int rows) {
    for (int r = 0; r < 4; ++r) {
      if (rows >> r & 1) f(4 * quad + r, index_t{*column}, *value++);
    }
    ++column;
  };
  for (int i = 0; i < block.t4; ++i) {
    for (index_t z = 0; z < interleave; ++z) pattern(z, 0b1111);
  }
  for (int i = 0; i < block.t3; ++i) {
    for (index_t z = 0; z < interleave; ++z) {
      for (int t : quad_triples) pattern(z, t);
    }
  }
  for (int i = 0; i < block.t2; ++i) {
    for (index_t z = 0; z < interleave; ++z) {
      for (int p : quad_pairs) pattern(z, p);
    }
  }
  for (index_t i = 0; i < singles; ++i) {
    for (index_t z = 0; z < interleave; ++z) {
      for (int r = 0; r < 4; ++r) pattern(z, 1 << r);
    }
  }
}

/// Columns and values that one group takes.
inline index_t quad_group_columns(const quad_block& b, index_t interleave, index_t singles) {
  return interleave * (b.t4 + 4 * index_t{b.t3} + 6 * index_t{b.t2} + 4 * singles);
}
inline index_t quad_group_values(const quad_block& b, index_t interleave, index_t singles) {
  return interleave * (4 * index_t{b.t4} + 12 * index_t{b.t3} + 12 * index_t{b.t2} + 4 * singles);
}

/// Whether a stream describes a matrix: every block where the stream puts it, every row once, no
/// column outside its block. O(stream). After it, kernels touch nothing outside the arrays.
template <class T>
status validate(const quad_view<T>& a) {
  using view = quad_view<T>;
  const auto fail = [](const char* detail, index_t entry, any_integer got, any_integer allowed) {
    return status{.code = errc::corrupt,
                  .object = "quads",
                  .detail = detail,
                  .entry = entry,
                  .got = got,
                  .allowed = allowed};
  };
  if (a.rows() < 0 || a.cols() < 0) return fail("shape", -1, a.rows(), a.cols());
  if (a.row_block < 1 || a.row_block > view::max_row_block) {
    return fail("row_block", -1, a.row_block, view::max_row_block);
  }
  if (a.column_block < 1 || a.column_block > view::max_column_block) {
    return fail("column_block", -1, a.column_block, view::max_column_block);
  }
  if (a.interleave != 1 && a.interleave != 2) return fail("interleave", -1, a.interleave, 2);
  index_t expected = 0;
  if (!checked_multiply(a.row_blocks(), a.column_blocks(), expected) ||
      a.blocks.size() != expected) {
    return fail("blocks", -1, a.blocks.size(), expected);
  }
  index_t head = 0;
  index_t column = 0;
  index_t value = 0;
  index_t entries = 0;
  const index_t per_group = 4 * a.interleave + 1;
  for (index_t b = 0; b < a.blocks.size(); ++b) {
    const quad_block& block = a.blocks[b];
    const index_t r0 = b / a.column_blocks() * a.row_block;
    const index_t k0 = b % a.column_blocks() * a.column_block;
    const index_t rows = a.rows() - r0 < a.row_block ? a.rows() - r0 : a.row_block;
    const index_t cols = a.cols() - k0 < a.column_block ? a.cols() - k0 : a.column_block;
    if (block.head != head || block.column != column || block.value != value) {
      return fail("block start", b, block.head, head);
    }
    if (block.groups != ceil_div(rows, 4 * a.interleave)) {
      return fail("groups", b, block.groups, ceil_div(rows, 4 * a.interleave));
    }
    if (a.heads.size() - head < block.groups * per_group) {
      return fail("heads", b, a.heads.size(), head + block.groups * per_group);
    }
    std::uint64_t seen[view::max_row_block / 64] = {};
    index_t rows_seen = 0;
    for (index_t g = 0; g < block.groups; ++g) {
      const std::uint16_t* h = a.heads.data() + head + g * per_group;
      for (index_t r = 0; r < 4 * a.interleave; ++r) {
        if (h[r] == view::no_row) continue;
        if (h[r] >= rows || (seen[h[r] / 64] >> (h[r] % 64) & 1) != 0) {
          return fail("row in block", head + g * per_group + r, h[r], rows);
        }
        seen[h[r] / 64] |= std::uint64_t{1} << (h[r] % 64);
        ++rows_seen;
      }
      const index_t singles = h[4 * a.interleave];
      const index_t columns = quad_group_columns(block, a.interleave, singles);
      const index_t values = quad_group_values(block, a.interleave, singles);
      if (a.columns.size() - column < columns || a.values.size() - value < values) {
        return fail("stream", b, a.columns.size(), column + columns);
      }
      for (index_t i = 0; i < columns; ++i) {
        if (a.columns[column + i] >= cols) {
          return fail("column in block", column + i, a.columns[column + i], cols);
        }
      }
      // A padding row must multiply by nothing; other filled slots are the packer's business.
      const std::uint8_t* c = a.columns.data() + column;
      const std::remove_cv_t<T>* v = a.values.data() + value;
      bool padding_used = false;
      for_each_slot(block, a.interleave, singles, c, v,
                    [&](index_t row, index_t, std::remove_cv_t<T> x) {
                      if (is_empty_slot(x)) return;
                      ++entries;
                      padding_used = padding_used || h[row] == view::no_row;
                    });
      if (padding_used) return fail("padding row", head + g * per_group, 1, 0);
      column += columns;
      value += values;
    }
    if (rows_seen != rows) return fail("rows in block", b, rows_seen, rows);
    head += block.groups * per_group;
  }
  if (entries != a.entries || value != a.slots) return fail("nnz", -1, entries, a.entries);
  return {};
}

SPARSEKIT_EXEC_END_IN_V0

/// Balanced row quads that own their packed bytes. Move-only; made by pack().
template <class T>
class quad_matrix : public packed_owner<quad_view<const T>> {
 public:
  using packed_owner<quad_view<const T>>::packed_owner;
};

}  // namespace v0
}  // namespace sparsekit
