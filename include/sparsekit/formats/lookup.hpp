// Window-lookup steps: the packed form for few columns of x with scattered zeros.
//
// Rows are sorted by their number of entries inside blocks of 256 and taken 32 at a time: a slice.
// A slice is a sequence of steps. A step has one window of x, a short run of consecutive elements
// that starts at `base * unit`, and for each row of the slice `pair` slots: a place in the window
// (one byte) and a value. The kernel holds the window in registers, and every lane looks up its own
// elements there: no gather, no branch, no sum across lanes.
//
//   step   base | place[row 0 .. 31][0 .. pair) | value[row 0 .. 31][0 .. pair)
//
// `pair` is 1 for f32 and f64, 2 for 16-bit and 4 for 8-bit values, as dot products take them. A
// row without an entry in the window leaves its slots empty: they hold empty_slot_value
// (formats/element_bits.hpp) and are left out when x is not finite. A block and not the whole
// matrix is sorted, so that threads do not write the same cache lines of y. For s8 the sums of the
// rows' weights are kept too, which take zero points off. A wider window has fewer empty slots, but
// costs more loads a step: 128 bytes are best while the matrix is in cache, 256 when it comes from
// memory.
//
// f32 weights may give up five bits of their mantissas for the place: a slot takes four bytes, not five. What is
// left of a weight is with_18_bits() of it. Under AVX2 (Zen 3) that is as fast as the exact form in cache and
// only 5 % faster from memory, where its shuffles take as long as the fifth of the bytes that it saves.
#pragma once

#include "element_bits.hpp"
#include "packed_bytes.hpp"
#include "weight_range.hpp"

namespace sparsekit {
inline namespace v0 {

/// Window-lookup steps in somebody else's memory.
template <class T>
struct lookup_view {
  using value_type = std::remove_cv_t<T>;
  static constexpr index_t slice_rows = 32;
  static constexpr index_t block_rows = 256;
  static constexpr index_t block_slices = block_rows / slice_rows;
  /// Slots of a row in a step: as many as share a 32-bit sum.
  static constexpr index_t pair = sizeof(value_type) > 4
                                      ? 1
                                      : 4 / static_cast<index_t>(sizeof(value_type));
  static constexpr index_t step_slots = slice_rows * pair;
  /// Beyond this many columns a base does not fit its 16 bits.
  static constexpr index_t max_cols = 65536 * (32 / static_cast<index_t>(sizeof(value_type)));

  extents shape{};
  index_t entries = 0;
  index_t window_bytes = 0;  ///< 64, 128 or 256
  /// f32: places are the lowest five bits of the values, and no array.
  bool places_in_values = false;
  array_view<const std::uint32_t>
      slice_start{};                        ///< first step of each slice, and the number of steps
  array_view<const std::uint16_t> bases{};  ///< one a step, in units
  array_view<const std::uint8_t> places{};  ///< step_slots a step
  array_view<const value_type> values{};    ///< step_slots a step
  array_view<const std::uint8_t> lane_rows{};  ///< row inside its block, slice_rows a slice
  array_view<const std::int32_t>
      weight_sums{};  ///< s8: one a row, and zeros up to the last slice's end
  static constexpr bool can_place_in_values = std::is_same_v<value_type, float>;
  static constexpr bool has_weight_sums = std::is_same_v<value_type, std::int8_t>;

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return entries; }
  lookup_view<const value_type> as_const() const {
    return {shape, entries, window_bytes, places_in_values, slice_start,
            bases, places,  values,       lane_rows,        weight_sums};
  }
  index_t slots() const { return values.size(); }
  index_t place(index_t slot) const {
    if constexpr (can_place_in_values) {
      if (places_in_values) {
        return std::bit_cast<std::uint32_t>(values[slot]) & low_place_bits;
      }
    }
    return places[slot];
  }
  value_type value(index_t slot) const {
    if constexpr (can_place_in_values) {
      if (places_in_values) {
        return std::bit_cast<value_type>(std::bit_cast<std::uint32_t>(values[slot]) &
                                         ~low_place_bits);
      }
    }
    return values[slot];
  }
  index_t steps() const { return bases.size(); }
  index_t slices() const { return ceil_div(shape.rows, slice_rows); }
  index_t blocks() const { return ceil_div(shape.rows, block_rows); }
  /// Elements of a window, and what bases count in. Half a cache line where the window is two
  /// registers.
  index_t window() const { return window_bytes / static_cast<index_t>(sizeof(value_type)); }
  index_t unit() const {
    return (window_bytes == 256 ? 64 : 32) / static_cast<index_t>(sizeof(value_type));
  }
  /// Of a mantissa, where places are in values: what the header says then.
  static constexpr std::int32_t kept_bits = 18;
  // For packed_owner.
  static constexpr packed_form form = packed_form::lookup;
  static constexpr const char* object = "lookup";
  static constexpr int section_count = has_weight_sums ? 6 : 5;
  static lookup_view of(const std::byte* bytes, const packed_header& h) {
    lookup_view view{.shape = extents(h.rows, h.cols),
                     .entries = h.nnz,
                     .window_bytes = h.column_block,
                     .places_in_values = h.interleave == kept_bits,
                     .slice_start = packed_section_as<std::uint32_t>(bytes, h.sections[0]),
                     .bases = packed_section_as<std::uint16_t>(bytes, h.sections[1]),
                     .places = packed_section_as<std::uint8_t>(bytes, h.sections[2]),
                     .values = packed_section_as<value_type>(bytes, h.sections[3]),
                     .lane_rows = packed_section_as<std::uint8_t>(bytes, h.sections[4])};
    if constexpr (has_weight_sums) {
      view.weight_sums = packed_section_as<std::int32_t>(bytes, h.sections[5]);
    }
    return view;
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// Whether a stream describes a matrix: every row once, places inside windows, entries inside cols.
/// O(slots). After it, kernels touch nothing outside the arrays and x.
template <class T>
status validate(const lookup_view<T>& a) {
  using view = lookup_view<T>;
  const auto fail = [](const char* detail, index_t entry, any_integer got, any_integer allowed) {
    return status{.code = errc::corrupt,
                  .object = "lookup",
                  .detail = detail,
                  .entry = entry,
                  .got = got,
                  .allowed = allowed};
  };
  if (a.rows() < 0 || a.cols() < 0) return fail("shape", -1, a.rows(), a.cols());
  if (a.cols() > view::max_cols) return fail("cols", -1, a.cols(), view::max_cols);
  if (a.window_bytes != 64 && a.window_bytes != 128 && a.window_bytes != 256) {
    return fail("window", -1, a.window_bytes, 256);
  }
  if (a.places_in_values && (!view::can_place_in_values || a.window_bytes == 256)) {
    return fail("window with places in values", -1, a.window_bytes, 128);
  }
  index_t slots = 0;
  if (a.slice_start.size() != a.slices() + 1) {
    return fail("slice_start", -1, a.slice_start.size(), a.slices() + 1);
  }
  if (a.lane_rows.size() != a.slices() * view::slice_rows) {
    return fail("lane_rows", -1, a.lane_rows.size(), a.slices() * view::slice_rows);
  }
  if (!checked_multiply(a.steps(), view::step_slots, slots) || a.values.size() != slots ||
      a.places.size() != (a.places_in_values ? 0 : slots)) {
    return fail("slots", -1, a.values.size(), slots);
  }
  if (a.slice_start[0] != 0 || a.slice_start[a.slices()] != a.steps()) {
    return fail("slice_start", a.slices(), a.slice_start[a.slices()], a.steps());
  }
  for (index_t s = 0; s < a.slices(); ++s) {
    if (a.slice_start[s + 1] < a.slice_start[s]) {
      return fail("slice_start", s + 1, a.slice_start[s + 1], a.slice_start[s]);
    }
  }
  if (a.weight_sums.size() != (view::has_weight_sums ? a.lane_rows.size() : 0)) {
    return fail("weight sums", -1, a.weight_sums.size(),
                view::has_weight_sums ? a.lane_rows.size() : 0);
  }
  index_t entries = 0;
  for (index_t s = 0; s < a.slices(); ++s) {
    const std::uint8_t* lanes = a.lane_rows.data() + s * view::slice_rows;
    const index_t first_row = s / view::block_slices * view::block_rows;
    for (index_t t = a.slice_start[s]; t < a.slice_start[s + 1]; ++t) {
      const index_t base = a.bases[t] * a.unit();
      if (base >= a.cols()) return fail("base", t, base, a.cols());
      for (index_t i = t * view::step_slots; i < (t + 1) * view::step_slots; ++i) {
        const index_t place = a.place(i);
        if (place >= a.window()) return fail("place", i, place, a.window());
        if (is_empty_slot(a.value(i))) continue;
        ++entries;
        if (base + place >= a.cols()) return fail("column", i, base + place, a.cols());
        const index_t row = first_row + lanes[i % view::step_slots / view::pair];
        if (row >= a.rows()) return fail("row", i, row, a.rows());
      }
    }
    if constexpr (view::has_weight_sums) {
      for (index_t l = 0; l < view::slice_rows; ++l) {
        weight_range range;
        for (index_t t = a.slice_start[s]; t < a.slice_start[s + 1]; ++t) {
          for (index_t e = 0; e < view::pair; ++e) {
            range.add(a.values[t * view::step_slots + l * view::pair + e]);
          }
        }
        const index_t row = first_row + lanes[l];
        if (!range.fits()) return range.error("lookup", row);
        if (row >= a.weight_sums.size() || range.sum() != a.weight_sums[row]) {
          return fail("weight sums", row, range.sum(), 0);
        }
      }
    }
  }
  // Integers do not mark empty slots, so their stored zeros cannot be counted.
  if (std::is_integral_v<std::remove_cv_t<T>> ? entries > a.nnz() : entries != a.nnz()) {
    return fail("nnz", -1, entries, a.nnz());
  }
  for (index_t b = 0; b < a.blocks(); ++b) {
    const index_t s0 = b * view::block_slices;
    const index_t s1 = s0 + view::block_slices < a.slices() ? s0 + view::block_slices : a.slices();
    std::uint64_t seen[view::block_rows / 64] = {};
    for (index_t i = s0 * view::slice_rows; i < s1 * view::slice_rows; ++i) {
      const unsigned row = a.lane_rows[i];
      std::uint64_t& word = seen[row / 64];
      if (static_cast<index_t>(row) >= (s1 - s0) * view::slice_rows ||
          (word >> row % 64 & 1) != 0) {
        return fail("lane_rows", i, row, (s1 - s0) * view::slice_rows);
      }
      word |= std::uint64_t{1} << row % 64;
    }
  }
  return {};
}

SPARSEKIT_EXEC_END_IN_V0

/// Window-lookup steps that own their packed bytes. Move-only; made by pack_lookup().
template <class T>
class lookup_matrix : public packed_owner<lookup_view<const T>> {
 public:
  using packed_owner<lookup_view<const T>>::packed_owner;
};

}  // namespace v0
}  // namespace sparsekit
