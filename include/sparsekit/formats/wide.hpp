// Wide rows: the packed form for SpMM with so few entries that neighbouring rows hardly share
// columns, and for a few columns of X. Every entry is a step of its own row, so a row of X is
// loaded once an entry; what counts is that nothing else is done.
//
// Rows are sorted by their number of entries inside blocks of 512 and taken eight at a time: a
// group. Step i of a group holds the i-th entry of each of its rows, so a kernel may run eight rows
// by one register, two by four or one by eight, as the columns of X ask for, from the same stream.
// Rows of a group have about the same number of entries; places beyond a row's own count are there
// for the addresses' sake only and never multiplied, so this form needs no look at whether X is
// finite.
//
//   starts            first step of each group, and the number of steps
//   rows, counts      row inside the block (`no_row`: none) and entries of each row of a group
//   columns, values   8 a step
#pragma once

#include "packed_bytes.hpp"

namespace sparsekit {
inline namespace v0 {

/// Wide rows in somebody else's memory.
template <class T>
struct wide_view {
  using value_type = std::remove_cv_t<T>;
  static constexpr index_t group_rows = 8;
  static constexpr index_t row_block = 512;
  static constexpr index_t block_groups = row_block / group_rows;
  static constexpr std::uint16_t no_row = 0xffff;
  /// Columns and counts have 16 bits.
  static constexpr index_t max_cols = 65536;
  static constexpr index_t max_count = 65535;

  extents shape{};
  index_t entries = 0;
  array_view<const std::uint32_t> starts{};
  array_view<const std::uint16_t> row_in_block{};
  array_view<const std::uint16_t> counts{};
  array_view<const std::uint16_t> columns{};
  array_view<const value_type> values{};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return entries; }
  index_t row_blocks() const { return ceil_div(shape.rows, row_block); }
  /// Blocks end with a group of their own: all but the last have 64.
  index_t groups() const { return ceil_div(shape.rows, group_rows); }
  // For packed_owner.
  static constexpr packed_form form = packed_form::wide;
  static constexpr const char* object = "wide";
  static constexpr int section_count = 5;
  static wide_view of(const std::byte* bytes, const packed_header& h) {
    return {.shape = extents(h.rows, h.cols),
            .entries = h.nnz,
            .starts = packed_section_as<std::uint32_t>(bytes, h.sections[0]),
            .row_in_block = packed_section_as<std::uint16_t>(bytes, h.sections[1]),
            .counts = packed_section_as<std::uint16_t>(bytes, h.sections[2]),
            .columns = packed_section_as<std::uint16_t>(bytes, h.sections[3]),
            .values = packed_section_as<value_type>(bytes, h.sections[4])};
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// Whether a stream describes a matrix: every row once, counts within their group, columns below
/// cols. O(stream). After it, kernels touch nothing outside the arrays.
template <class T>
status validate(const wide_view<T>& a) {
  using view = wide_view<T>;
  constexpr index_t eight = view::group_rows;
  const auto fail = [](const char* detail, index_t entry, any_integer got, any_integer allowed) {
    return status{.code = errc::corrupt,
                  .object = "wide",
                  .detail = detail,
                  .entry = entry,
                  .got = got,
                  .allowed = allowed};
  };
  if (a.rows() < 0 || a.cols() < 0) return fail("shape", -1, a.rows(), a.cols());
  if (a.cols() > view::max_cols) return fail("cols", -1, a.cols(), view::max_cols);
  const index_t groups = a.groups();
  // In this order: the sizes that are compared with groups bound it, so nothing overflows.
  if (a.starts.size() != groups + 1) return fail("starts", -1, a.starts.size(), groups + 1);
  if (a.row_in_block.size() != groups * eight) {
    return fail("rows", -1, a.row_in_block.size(), groups * eight);
  }
  if (a.counts.size() != groups * eight) return fail("counts", -1, a.counts.size(), groups * eight);
  const index_t steps = a.starts[groups];
  if (a.starts[0] != 0) return fail("starts", 0, a.starts[0], 0);
  if (a.columns.size() != steps * eight || a.values.size() != steps * eight) {
    return fail("steps", -1, a.columns.size(), steps * eight);
  }
  for (index_t i = 0; i < a.columns.size(); ++i) {
    // Places beyond a row's count as well: a kernel may look at them, and with no columns there are
    // none.
    if (a.columns[i] >= a.cols()) return fail("column", i, a.columns[i], a.cols());
  }
  index_t entries = 0;
  std::uint64_t seen[view::row_block / 64] = {};
  for (index_t g = 0; g < groups; ++g) {
    if (g % view::block_groups == 0) std::memset(seen, 0, sizeof seen);
    const index_t r0 = g / view::block_groups * view::row_block;
    const index_t rows = a.rows() - r0 < view::row_block ? a.rows() - r0 : view::row_block;
    if (a.starts[g + 1] < a.starts[g]) return fail("starts", g + 1, a.starts[g + 1], a.starts[g]);
    const index_t most = index_t{a.starts[g + 1]} - a.starts[g];
    for (index_t l = g * eight; l < (g + 1) * eight; ++l) {
      const index_t row = a.row_in_block[l];
      const index_t allowed = row == view::no_row ? 0 : most;
      if (a.counts[l] > allowed) return fail("count", l, a.counts[l], allowed);
      // Kernels go by the last row's count, and by the first row that is none.
      if (l % eight != 0) {
        if (a.counts[l] > a.counts[l - 1]) return fail("count", l, a.counts[l], a.counts[l - 1]);
        if (row != view::no_row && a.row_in_block[l - 1] == view::no_row) {
          return fail("row in block", l, row, view::no_row);
        }
      }
      entries += a.counts[l];
      if (row == view::no_row) continue;
      if (row >= rows || (seen[row / 64] >> (row % 64) & 1) != 0) {
        return fail("row in block", l, row, rows);
      }
      seen[row / 64] |= std::uint64_t{1} << (row % 64);
    }
    if (g + 1 == groups || (g + 1) % view::block_groups == 0) {
      index_t rows_seen = 0;
      for (std::uint64_t w : seen) rows_seen += std::popcount(w);
      if (rows_seen != rows) return fail("rows in block", g, rows_seen, rows);
    }
  }
  if (entries != a.entries) return fail("nnz", -1, entries, a.entries);
  return {};
}

SPARSEKIT_EXEC_END_IN_V0

/// Wide rows that own their packed bytes. Move-only; made by pack_wide().
template <class T>
class wide_matrix : public packed_owner<wide_view<const T>> {
 public:
  using packed_owner<wide_view<const T>>::packed_owner;
};

}  // namespace v0
}  // namespace sparsekit
