// The packed form of N:M matrices: one stream of values that serves SpMM and GEMV, with the kept
// columns written down twice, as bytes for SpMM and as 2 or 4 bits for GEMV.
//
// Rows are taken 16 at a time: a slice. A step of a slice is one slot of each of its rows, so a
// slice has ceil(cols / m) * n steps:
//
//   values   [slice][step][16]      a GEMV kernel's lanes are the rows of a slice; an SpMM kernel
//                                   broadcasts the values of a few rows and keeps its columns in
//                                   lanes
//   columns  [slice][step][16 / v]  one for each v rows, counted from the start of the block of
//                                   columns that the step's group is in (as many whole groups as
//                                   256 columns hold)
//   places   [slice][step][4 or 8]  the place inside the group of each row: 2 bits (m <= 4) or 4
//
// s8 has four steps of a row together, a word of a dot product, with zeros where a slice has no more
// steps: values [slice][step / 4][16][4]; and
//
//   weight_sums  the sum of each row of all slices; they take zero points off
//
// Slots that are no entry hold -0.0 (element_bits.hpp), s8: 0, and name any column of their group.
#pragma once

#include "element_bits.hpp"
#include "nm.hpp"
#include "packed_bytes.hpp"
#include "weight_range.hpp"

namespace sparsekit {
inline namespace v0 {

/// Rows of a slice.
inline constexpr index_t nm_slice = 16;

template <class T>
struct packed_nm_view {
  using value_type = std::remove_cv_t<T>;
  static constexpr bool has_weight_sums = std::is_same_v<value_type, std::int8_t>;
  /// Steps whose values of a row lie together.
  static constexpr index_t together = has_weight_sums ? 4 : 1;

  extents shape{};
  nm_shape group{};
  index_t entries = 0;
  array_view<const value_type> values{};
  array_view<const std::uint8_t> columns{};
  array_view<const std::uint8_t> places{};
  array_view<const std::int32_t> weight_sums{};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  /// Entries of the source; slots() is what a multiply costs a column.
  index_t nnz() const { return entries; }
  index_t slots() const { return values.size(); }
  packed_nm_view<const value_type> as_const() const {
    return {shape, group, entries, values, columns, places, weight_sums};
  }

  index_t slices() const { return ceil_div(shape.rows, nm_slice); }
  index_t groups() const { return ceil_div(shape.cols, group.m); }
  index_t steps() const { return groups() * group.n; }  ///< of a slice
  index_t padded_steps() const { return round_up(steps(), together); }
  /// Whole groups whose columns a byte can tell apart, so many that their steps lie together.
  index_t block_groups() const { return 256 / group.m / together * together; }
  index_t columns_per_step() const { return nm_slice / group.v; }
  index_t bytes_per_places() const { return group.m <= 4 ? 4 : 8; }

  /// Where the value of a row of a slice stands.
  index_t value_at(index_t slice, index_t step, index_t row) const {
    return ((slice * padded_steps() + step / together * together) * nm_slice + row * together) +
           step % together;
  }
  /// The column of X that row `row` of a slice uses in a step.
  index_t column(index_t slice, index_t step, index_t row) const {
    const index_t block = step / group.n / block_groups();
    return block * block_groups() * group.m +
           columns[(slice * steps() + step) * columns_per_step() + row / group.v];
  }
  // For packed_owner.
  static constexpr packed_form form = packed_form::nm;
  static constexpr const char* object = "packed_nm";
  static constexpr int section_count = has_weight_sums ? 4 : 3;
  // The header's three numbers of a form are n, m and v here.
  static packed_nm_view of(const std::byte* bytes, const packed_header& h) {
    packed_nm_view v{.shape = extents(h.rows, h.cols),
                     .group = {h.row_block, h.column_block, h.interleave},
                     .entries = h.nnz,
                     .values = packed_section_as<value_type>(bytes, h.sections[0]),
                     .columns = packed_section_as<std::uint8_t>(bytes, h.sections[1]),
                     .places = packed_section_as<std::uint8_t>(bytes, h.sections[2])};
    if constexpr (has_weight_sums) {
      v.weight_sums = packed_section_as<std::int32_t>(bytes, h.sections[3]);
    }
    return v;
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// Where the place of a slice's row stands in the step's word of places: 2 bits a row in order; 4
/// bits with even rows in the low half and odd ones in the high half, so that either half shifts
/// into place.
SPARSEKIT_INLINE constexpr int nm_place_shift(bool wide, index_t row) {
  return static_cast<int>(wide ? row / 2 * 4 + row % 2 * 32 : row * 2);
}
SPARSEKIT_INLINE std::uint64_t load_nm_places(const std::uint8_t* p, bool wide) {
  std::uint64_t w = 0;
  std::memcpy(&w, p, wide ? 8 : 4);
  return w;
}

/// Whether a stream describes a matrix. O(stream). After it, kernels touch nothing outside the
/// arrays.
template <class T>
status validate(const packed_nm_view<T>& a) {
  using view = packed_nm_view<T>;
  using value = std::remove_cv_t<T>;
  const auto fail = [](const char* detail, index_t entry, any_integer got, any_integer allowed) {
    return status{.code = errc::corrupt,
                  .object = "packed_nm",
                  .detail = detail,
                  .entry = entry,
                  .got = got,
                  .allowed = allowed};
  };
  index_t unpacked = 0;
  if (status s = validate_nm_sizes(a.shape, a.group, unpacked); !s) return s;
  const index_t steps = a.slices() * a.steps();  // no overflow: 16 of them fit, as just checked
  index_t slots = 0;
  if (!checked_multiply(a.slices() * nm_slice, a.padded_steps(), slots) ||
      a.values.size() != slots) {
    return fail("values", -1, a.values.size(), slots);
  }
  const index_t sums = view::has_weight_sums ? a.slices() * nm_slice : 0;
  if (a.weight_sums.size() != sums) return fail("weight sums", -1, a.weight_sums.size(), sums);
  if (a.columns.size() != steps * a.columns_per_step()) {
    return fail("columns", -1, a.columns.size(), steps * a.columns_per_step());
  }
  if (a.places.size() != steps * a.bytes_per_places()) {
    return fail("places", -1, a.places.size(), steps * a.bytes_per_places());
  }
  index_t entries = 0;
  const bool wide = a.group.m > 4;
  // Without values, a file of a few bytes may claim 2^60 rows.
  const index_t slices = slots == 0 && !view::has_weight_sums ? 0 : a.slices();
  for (index_t slice = 0; slice < slices; ++slice) {
    weight_range range[nm_slice];
    index_t before[nm_slice] = {};  // places of the slots before
    for (index_t step = 0; step < a.steps(); ++step) {
      const index_t at = slice * a.steps() + step;
      const index_t begin = step / a.group.n * a.group.m;
      const index_t end = begin + a.group.m < a.cols() ? begin + a.group.m : a.cols();
      const std::uint64_t places = load_nm_places(a.places.data() + at * (wide ? 8 : 4), wide);
      for (index_t row = 0; row < nm_slice; ++row) {
        const index_t column = a.column(slice, step, row);
        if (column < begin || column >= end) return fail("column", at, column, end);
        const index_t place =
            static_cast<index_t>(places >> nm_place_shift(wide, row) & (wide ? 15 : 3));
        if (begin + place != column) return fail("place", at, place, column - begin);
        const value v = a.values[a.value_at(slice, step, row)];
        const bool entry = !is_empty_slot<value>(v);
        if (entry && slice * nm_slice + row >= a.rows()) {
          return fail("value beyond the last row", at * nm_slice + row, 1, 0);
        }
        // Kernels that take a group's slots together rely on it.
        if (entry && step % a.group.n != 0 && place <= before[row]) {
          return fail("places do not increase", at, place, before[row] + 1);
        }
        before[row] = place;
        entries += entry;
        if constexpr (view::has_weight_sums) range[row].add(v);
      }
    }
    if constexpr (view::has_weight_sums) {
      for (index_t row = 0; row < nm_slice; ++row) {
        const index_t r = slice * nm_slice + row;
        for (index_t step = a.steps(); step < a.padded_steps(); ++step) {
          const value v = a.values[a.value_at(slice, step, row)];
          if (v != 0) return fail("value beyond the last step", r, v, 0);
        }
        if (!range[row].fits()) return range[row].error("packed_nm", r);
        if (range[row].sum() != a.weight_sums[r]) {
          return fail("weight sums", r, a.weight_sums[r], range[row].sum());
        }
      }
    }
  }
  // An s8 entry that is an explicit zero cannot be told from an empty slot.
  if (view::has_weight_sums ? entries > a.entries : entries != a.entries) {
    return fail("nnz", -1, a.entries, entries);
  }
  return {};
}

SPARSEKIT_EXEC_END_IN_V0

/// A packed N:M matrix that owns its bytes. Move-only; made by pack().
template <class T>
class packed_nm : public packed_owner<packed_nm_view<const T>> {
 public:
  using packed_owner<packed_nm_view<const T>>::packed_owner;

  nm_shape group() const { return this->view().group; }
};

}  // namespace v0
}  // namespace sparsekit
