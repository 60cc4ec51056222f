// packed_dense: dense weights in the order in which the dense kernels read them, for weights that
// stay.
//
// Rows are taken in groups of three cache lines of values (48 rows of f32, 24 of f64). A group
// stores, column after column, its rows side by side: the kernels whose lanes are rows load whole
// registers, those whose lanes are columns of X broadcast single values, on every ISA from the same
// bytes. The last group is one, two or three lines wide, as many as it needs, and its missing rows
// are zero.
//
// bf16 and s8 are kept as dot products take them: two or four values of one row side by side
// (`pair`), so that a row of a group is one 32-bit word a step of `pair` columns. Columns that the
// last step misses are zero. Narrow types have groups of 48 rows, as f32. For s8 the sums of the
// rows' weights are kept too, which take zero points off.
#pragma once

#include "element_bits.hpp"
#include "packed_bytes.hpp"
#include "weight_range.hpp"

namespace sparsekit {
inline namespace v0 {

/// Packed dense weights in somebody else's memory.
template <class T>
struct packed_dense_view {
  using value_type = std::remove_cv_t<T>;
  /// Rows in a cache line of sums, and in a group.
  static constexpr index_t line =
      index_t{storage_alignment} / index_t{sizeof(sum_of_t<value_type>)};
  static constexpr index_t group = 3 * line;
  /// Values of one row that lie side by side.
  static constexpr index_t pair = std::is_same_v<value_type, bfloat16>      ? 2
                                  : std::is_same_v<value_type, std::int8_t> ? 4
                                                                            : 1;
  static constexpr bool has_weight_sums = std::is_same_v<value_type, std::int8_t>;

  extents shape{};
  index_t entries = 0;  ///< weights that are not zero
  array_view<const value_type> values{};
  array_view<const std::int32_t> weight_sums{};  ///< s8: the sum of each row, 0 beyond the last row

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return entries; }
  packed_dense_view<const value_type> as_const() const {
    return {.shape = shape, .entries = entries, .values = values, .weight_sums = weight_sums};
  }
  /// Columns with those that fill the last step.
  index_t depth() const { return round_up(shape.cols, pair); }
  index_t groups() const { return ceil_div(shape.rows, group); }
  /// Rows of group g; times `pair`, values between two of its steps.
  index_t step(index_t g) const {
    const index_t left = round_up(shape.rows, line) - g * group;
    return left < group ? left : group;
  }
  /// Row 0, column 0 of group g.
  const value_type* group_begin(index_t g) const { return values.data() + g * group * depth(); }
  // For packed_owner.
  static constexpr packed_form form = packed_form::dense;
  static constexpr const char* object = "packed_dense";
  static constexpr int section_count = has_weight_sums ? 2 : 1;
  static packed_dense_view of(const std::byte* bytes, const packed_header& h) {
    packed_dense_view view{.shape = extents(h.rows, h.cols),
                           .entries = h.nnz,
                           .values = packed_section_as<value_type>(bytes, h.sections[0])};
    if constexpr (has_weight_sums) {
      view.weight_sums = packed_section_as<std::int32_t>(bytes, h.sections[1]);
    }
    return view;
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// Whether the values are as many as the shape says, padding is zero, and sums of s8 weights are
/// what the weights say and fit 32 bits. O(rows * cols).
template <class T>
status validate(const packed_dense_view<T>& a) {
  using view = packed_dense_view<T>;
  const auto fail = [](const char* detail, index_t entry, any_integer got, any_integer allowed) {
    return status{.code = errc::corrupt,
                  .object = "packed_dense",
                  .detail = detail,
                  .entry = entry,
                  .got = got,
                  .allowed = allowed};
  };
  index_t padded = 0;
  index_t slots = 0;
  if (!checked_add(a.rows(), view::line - 1, padded)) {
    return fail("rows", -1, a.rows(), std::numeric_limits<index_t>::max() - view::line + 1);
  }
  padded = padded / view::line * view::line;
  if (a.cols() < 0 || a.cols() > std::numeric_limits<index_t>::max() - view::pair ||
      !checked_multiply(padded, a.depth(), slots) || a.values.size() != slots) {
    return fail("values", -1, a.values.size(), slots);
  }
  if (a.weight_sums.size() != (view::has_weight_sums ? padded : 0)) {
    return fail("weight sums", -1, a.weight_sums.size(), view::has_weight_sums ? padded : 0);
  }
  index_t entries = 0;
  // Without values, a file of a few bytes may claim 2^60 rows.
  const index_t groups = slots == 0 && !view::has_weight_sums ? 0 : a.groups();
  for (index_t g = 0; g < groups; ++g) {
    const index_t step = a.step(g);
    const index_t rows = a.rows() - g * view::group;
    const std::remove_cv_t<T>* v = a.group_begin(g);
    for (index_t i = 0; i < step * a.depth(); ++i) {
      const bool zero = !is_nonzero_element(v[i]);
      const index_t column = i / (step * view::pair) * view::pair + i % view::pair;
      if (!zero && (i / view::pair % step >= rows || column >= a.cols())) {
        return fail("padding", g * view::group * a.depth() + i, 1, 0);
      }
      entries += zero ? 0 : 1;
    }
    if constexpr (view::has_weight_sums) {
      for (index_t r = 0; r < step; ++r) {
        weight_range range;
        for (index_t i = r * view::pair; i < step * a.depth(); i += step * view::pair) {
          for (index_t k = 0; k < view::pair; ++k) range.add(v[i + k]);
        }
        const index_t row = g * view::group + r;
        if (!range.fits()) return range.error("packed_dense", row);
        if (range.sum() != a.weight_sums[row]) {
          return fail("weight sums", row, a.weight_sums[row], range.sum());
        }
      }
    }
  }
  if (entries != a.entries) return fail("nnz", -1, entries, a.entries);
  return {};
}

SPARSEKIT_EXEC_END_IN_V0

/// Packed dense weights that own their packed bytes. Move-only; made by pack_dense().
template <class T>
class packed_dense : public packed_owner<packed_dense_view<const T>> {
 public:
  using packed_owner<packed_dense_view<const T>>::packed_owner;
};

}  // namespace v0
}  // namespace sparsekit
