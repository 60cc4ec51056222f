// packed_blocks: BSR of bf16, f16 or s8 in the order in which the block kernels read it.
//
// The columns of a block are those of one or more 32-bit words of a dot product (two bf16 or f16,
// four s8), so a row of a 2 x 4 block of s8 is one word. Rows are taken in chunks of 256, columns
// in cuts of `cut` block columns, of which a panel of X stays in L1; sums of a chunk wait in L2
// between its cuts. In stream order, for chunks, for cuts of the chunk, for block rows of the
// chunk:
//
//   starts       where the blocks of this block row in this cut begin; one more at the end
//   columns      of each block, counted in blocks from the start of its cut
//   values       block.rows rows of block.cols values of each block
//   weight_sums  s8: the sum of each row, 0 beyond the last row; they take zero points off
//
// Places that are no entry hold -0.0 (element_bits.hpp), s8: 0.
#pragma once

#include "bsr.hpp"
#include "element_bits.hpp"
#include "packed_bytes.hpp"
#include "weight_range.hpp"

namespace sparsekit {
inline namespace v0 {

template <class T>
struct packed_blocks_view {
  using value_type = std::remove_cv_t<T>;
  /// Values in a 32-bit word.
  static constexpr index_t pair = 4 / index_t{sizeof(value_type)};
  static constexpr bool has_weight_sums = std::is_same_v<value_type, std::int8_t>;
  static constexpr index_t max_chunk_rows = 256;
  static constexpr index_t max_cut = 256;

  extents shape{};
  block_shape block{};
  index_t cut = 0;
  index_t entries = 0;
  array_view<const std::int64_t> starts{};
  array_view<const std::uint8_t> columns{};
  array_view<const value_type> values{};
  array_view<const std::int32_t> weight_sums{};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  /// Entries of the source; slots() is what a multiply costs a column.
  index_t nnz() const { return entries; }
  index_t slots() const { return values.size(); }
  packed_blocks_view<const value_type> as_const() const {
    return {shape, block, cut, entries, starts, columns, values, weight_sums};
  }

  index_t places() const { return block.rows * block.cols; }
  index_t block_rows() const { return ceil_div(shape.rows, block.rows); }
  index_t block_columns() const { return ceil_div(shape.cols, block.cols); }
  index_t cuts() const { return ceil_div(block_columns(), cut); }
  /// Block rows of a whole chunk, and of chunk c.
  index_t chunk() const { return max_chunk_rows / block.rows; }
  index_t chunks() const { return ceil_div(block_rows(), chunk()); }
  index_t chunk_size(index_t c) const {
    const index_t left = block_rows() - c * chunk();
    return left < chunk() ? left : chunk();
  }
  /// Where starts has the blocks of block row r of chunk c in a cut.
  index_t start(index_t c, index_t cut_index, index_t r) const {
    return c * chunk() * cuts() + cut_index * chunk_size(c) + r;
  }
  // For packed_owner. The header's three numbers of a form are the block's sides and the cut.
  static constexpr packed_form form = packed_form::blocks;
  static constexpr const char* object = "packed_blocks";
  static constexpr int section_count = has_weight_sums ? 4 : 3;
  static packed_blocks_view of(const std::byte* bytes, const packed_header& h) {
    packed_blocks_view v{.shape = extents(h.rows, h.cols),
                         .block = {h.row_block, h.column_block},
                         .cut = h.interleave,
                         .entries = h.nnz,
                         .starts = packed_section_as<std::int64_t>(bytes, h.sections[0]),
                         .columns = packed_section_as<std::uint8_t>(bytes, h.sections[1]),
                         .values = packed_section_as<value_type>(bytes, h.sections[2])};
    if constexpr (has_weight_sums) {
      v.weight_sums = packed_section_as<std::int32_t>(bytes, h.sections[3]);
    }
    return v;
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// Block sides that the packed form has, and sizes that do not overflow.
template <class T>
status validate_blocks_sizes(extents shape, block_shape block, index_t cut) {
  using view = packed_blocks_view<T>;
  const auto bad = [](const char* detail, index_t got, index_t allowed) {
    return status{.code = errc::bad_argument,
                  .object = view::object,
                  .detail = detail,
                  .got = got,
                  .allowed = allowed};
  };
  if (block.rows < 1 || block.rows > max_block_side) {
    return bad("block.rows", block.rows, max_block_side);
  }
  if (block.cols < 1 || block.cols > max_block_side) {
    return bad("block.cols", block.cols, max_block_side);
  }
  if (block.cols % view::pair != 0) return bad("block.cols, a multiple", block.cols, view::pair);
  if (cut < 1 || cut > view::max_cut) return bad("cut", cut, view::max_cut);
  // Column counts of X's panels are rounded up to blocks, and starts has a number a block row and
  // cut.
  constexpr index_t most_columns = std::numeric_limits<std::int32_t>::max();
  constexpr index_t most_rows = std::numeric_limits<index_t>::max() - view::max_chunk_rows;
  index_t starts = 0;
  if (shape.rows < 0 || shape.cols < 0 || shape.cols > most_columns || shape.rows > most_rows ||
      !checked_multiply(ceil_div(shape.rows, block.rows),
                        ceil_div(ceil_div(shape.cols, block.cols), cut), starts) ||
      starts == std::numeric_limits<index_t>::max()) {
    return {.code = errc::size_overflow,
            .object = view::object,
            .detail = "shape",
            .got = shape.rows,
            .allowed = most_rows};
  }
  return {};
}

/// Whether a stream describes a matrix. O(stream). After it, kernels touch nothing outside the
/// arrays.
template <class T>
status validate(const packed_blocks_view<T>& a) {
  using view = packed_blocks_view<T>;
  using value = typename view::value_type;
  const auto fail = [](const char* detail, index_t entry, any_integer got, any_integer allowed) {
    return status{.code = errc::corrupt,
                  .object = view::object,
                  .detail = detail,
                  .entry = entry,
                  .got = got,
                  .allowed = allowed};
  };
  if (status s = validate_blocks_sizes<T>(a.shape, a.block, a.cut); !s) return s;
  const index_t blocks = a.columns.size();
  index_t value_count = 0;
  if (a.starts.size() != a.block_rows() * a.cuts() + 1) {
    return fail("starts", -1, a.starts.size(), a.block_rows() * a.cuts() + 1);
  }
  if (!checked_multiply(blocks, a.places(), value_count) || a.values.size() != value_count) {
    return fail("values", -1, a.values.size(), value_count);
  }
  const index_t padded = round_up(a.rows(), a.block.rows);
  if (a.weight_sums.size() != (view::has_weight_sums ? padded : 0)) {
    return fail("weight sums", -1, a.weight_sums.size(), view::has_weight_sums ? padded : 0);
  }
  if (a.starts[0] != 0) return fail("starts", 0, a.starts[0], 0);
  for (index_t i = 1; i < a.starts.size(); ++i) {
    if (a.starts[i] < a.starts[i - 1] || a.starts[i] > blocks) {
      return fail("starts", i, a.starts[i], blocks);
    }
  }
  if (a.starts[a.starts.size() - 1] != blocks) {
    return fail("starts", a.starts.size() - 1, a.starts[a.starts.size() - 1], blocks);
  }
  index_t entries = 0;
  // Without columns, a file of a few bytes may claim 2^60 rows.
  const index_t block_rows = a.cuts() == 0 && !view::has_weight_sums ? 0 : a.block_rows();
  for (index_t br = 0; br < block_rows; ++br) {
    const index_t c = br / a.chunk();
    weight_range range[max_block_side];
    for (index_t k = 0; k < a.cuts(); ++k) {
      const index_t at = a.start(c, k, br % a.chunk());
      index_t next = 0;
      for (index_t b = a.starts[at]; b < a.starts[at + 1]; ++b) {
        const index_t column = a.columns[b];
        if (column < next || column >= a.cut || k * a.cut + column >= a.block_columns()) {
          return fail("column", b, column, a.cut);
        }
        next = column + 1;
        for (index_t i = 0; i < a.places(); ++i) {
          const value v = a.values[b * a.places() + i];
          if (is_empty_slot(v)) continue;
          const index_t row = br * a.block.rows + i / a.block.cols;
          if (row >= a.rows() ||
              (k * a.cut + column) * a.block.cols + i % a.block.cols >= a.cols()) {
            return fail("value outside the matrix", b * a.places() + i, 1, 0);
          }
          ++entries;
          if constexpr (view::has_weight_sums) range[i / a.block.cols].add(v);
        }
      }
    }
    if constexpr (view::has_weight_sums) {
      for (index_t i = 0; i < a.block.rows; ++i) {
        const index_t row = br * a.block.rows + i;
        if (!range[i].fits()) return range[i].error(view::object, row);
        if (range[i].sum() != a.weight_sums[row]) {
          return fail("weight sums", row, a.weight_sums[row], range[i].sum());
        }
      }
    }
  }
  // An s8 entry that is an explicit zero cannot be told from an empty place.
  if (view::has_weight_sums ? entries > a.entries : entries != a.entries) {
    return fail("nnz", -1, a.entries, entries);
  }
  return {};
}

SPARSEKIT_EXEC_END_IN_V0

/// Packed blocks that own their bytes. Move-only; made by pack_blocks().
template <class T>
class packed_blocks : public packed_owner<packed_blocks_view<const T>> {
 public:
  using packed_owner<packed_blocks_view<const T>>::packed_owner;

  block_shape block() const { return this->view().block; }
};

}  // namespace v0
}  // namespace sparsekit
