// Bitmask: one bit a place says whether it holds an entry, and the values of the entries stand side
// by side, row by row. An eighth of a byte a place plus the values: fewer bytes than any list of
// columns while more than a tenth of the places are filled. It is the layout that
// compressed-tensors calls `sparse-bitmask`.
//
//   mask         ceil(cols / 8) bytes a row; bit k of byte j is column 8 j + k; no bits beyond cols
//   row_offsets  where the values of each row begin: rows of them, no end
//   values       of the set bits in order
//   weight_sums  s8: the sum of each row, which takes zero points off
#pragma once

#include <bit>

#include "element_bits.hpp"
#include "packed_bytes.hpp"
#include "weight_range.hpp"

namespace sparsekit {
inline namespace v0 {

/// Names the format: pack<sk::bitmask>(a).
struct bitmask {};

/// A bitmask matrix in somebody else's arrays, which may be those of a file as they are. Nothing is
/// checked until `validate`. A set bit is an entry, its value may be zero; a place without one
/// never counts.
template <class T>
struct bitmask_view {
  using value_type = std::remove_cv_t<T>;
  using index = std::int32_t;  ///< of what it converts to
  using offset = std::int64_t;
  static constexpr bool has_weight_sums = std::is_same_v<value_type, std::int8_t>;

  extents shape{};
  array_view<const std::int64_t> row_offsets{};
  array_view<const std::uint8_t> mask{};
  array_view<T> values{};
  array_view<const std::int32_t> weight_sums{};
  /// Bytes behind the last value that may be read: kernels load whole registers of values.
  index_t readable_beyond = 0;

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return values.size(); }
  index_t mask_bytes() const { return ceil_div(shape.cols, 8); }  ///< of a row
  const std::uint8_t* row_mask(index_t r) const { return mask.data() + r * mask_bytes(); }
  index_t row_begin(index_t r) const { return r < rows() ? row_offsets[r] : nnz(); }
  bitmask_view<const value_type> as_const() const {
    return {shape, row_offsets, mask, {values.data(), values.size()}, weight_sums, readable_beyond};
  }
  // For packed_owner.
  static constexpr packed_form form = packed_form::bitmask;
  static constexpr const char* object = "bitmask";
  static constexpr int section_count = has_weight_sums ? 4 : 3;
  static bitmask_view of(const std::byte* bytes, const packed_header& h) {
    bitmask_view view{.shape = extents(h.rows, h.cols),
                      .row_offsets = packed_section_as<std::int64_t>(bytes, h.sections[0]),
                      .mask = packed_section_as<std::uint8_t>(bytes, h.sections[1]),
                      .values = packed_section_as<value_type>(bytes, h.sections[2]),
                      .readable_beyond = packed_slack};
    if constexpr (has_weight_sums) {
      view.weight_sums = packed_section_as<std::int32_t>(bytes, h.sections[3]);
    }
    return view;
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace bitmask_checks {

inline index_t count(const std::uint8_t* mask, index_t bytes) {
  index_t n = 0;
  index_t i = 0;
  for (; i + 8 <= bytes; i += 8) {
    std::uint64_t word;
    std::memcpy(&word, mask + i, sizeof word);
    n += std::popcount(word);
  }
  for (; i < bytes; ++i) n += std::popcount(mask[i]);
  return n;
}

/// f(column) for the set bits of a row.
template <class F>
void for_each_column(const std::uint8_t* mask, index_t bytes, F&& f) {
  for (index_t i = 0; i < bytes; ++i) {
    for (unsigned bits = mask[i]; bits != 0; bits &= bits - 1) f(8 * i + std::countr_zero(bits));
  }
}

/// Shapes and lengths, before anything is read.
template <class T>
status lengths(const bitmask_view<T>& a) {
  const auto fail = [](errc code, const char* detail, any_integer got, any_integer allowed) {
    return status{
        .code = code, .object = "bitmask", .detail = detail, .got = got, .allowed = allowed};
  };
  if (a.rows() < 0 || a.cols() < 0) {
    const bool rows_bad = a.rows() < 0;
    return fail(errc::negative_size, rows_bad ? "rows" : "cols", rows_bad ? a.rows() : a.cols(), 0);
  }
  constexpr index_t most = std::numeric_limits<index_t>::max() - 64;
  index_t mask_size = 0;
  if (a.cols() > most) return fail(errc::size_overflow, "cols", a.cols(), most);
  if (!checked_multiply(a.rows(), a.mask_bytes(), mask_size)) {
    return fail(errc::size_overflow, "rows", a.rows(), most / a.mask_bytes());
  }
  if (a.mask.size() != mask_size) {
    return fail(errc::length_mismatch, "mask", a.mask.size(), mask_size);
  }
  if (a.row_offsets.size() != a.rows()) {
    return fail(errc::length_mismatch, "row_offsets", a.row_offsets.size(), a.rows());
  }
  if (a.values.size() < 0) return fail(errc::length_mismatch, "values", a.values.size(), 0);
  const index_t sums = bitmask_view<T>::has_weight_sums ? a.rows() : 0;
  if (a.weight_sums.size() != sums) {
    return fail(errc::length_mismatch, "weight_sums", a.weight_sums.size(), sums);
  }
  const auto null = [](const auto& array) { return array.size() > 0 && array.data() == nullptr; };
  if (null(a.mask)) return fail(errc::null_array, "mask", 0, mask_size);
  if (null(a.row_offsets)) return fail(errc::null_array, "row_offsets", 0, a.rows());
  if (null(a.values)) return fail(errc::null_array, "values", 0, a.values.size());
  if (null(a.weight_sums)) return fail(errc::null_array, "weight_sums", 0, sums);
  return {};
}

/// The sum of a row, and whether sums of its products stay within 32 bits.
template <class T>
weight_range range_of_row(const bitmask_view<T>& a, index_t r) {
  weight_range range;
  for (index_t p = a.row_begin(r); p < a.row_begin(r + 1); ++p) range.add(a.values[p]);
  return range;
}

}  // namespace bitmask_checks

/// O(rows + mask); for s8 O(nnz) too. Reads nothing outside the arrays, whatever they hold. Errors:
/// lengths that do not fit the shape, bits beyond the last column, offsets that do not start at 0
/// or differ from the bits before the row, values that are not as many as bits; s8: a row whose
/// sums could leave 32 bits, wrong weight_sums.
template <class T, class Flags = flags_tag>
status validate(const bitmask_view<T>& a) {
  if (status s = bitmask_checks::lengths(a); !s) return s;
  const auto fail = [](errc code, const char* detail, index_t entry, index_t row, any_integer got,
                       any_integer allowed) {
    return status{.code = code,
                  .object = "bitmask",
                  .detail = detail,
                  .entry = entry,
                  .row = row,
                  .got = got,
                  .allowed = allowed};
  };
  const index_t bytes = a.mask_bytes();
  index_t found = 0;
  for (index_t r = 0; r < a.rows(); ++r) {
    if (r == 0 && a.row_offsets[0] != 0) {
      return fail(errc::bad_first_offset, "row_offsets", 0, 0, a.row_offsets[0], 0);
    }
    if (a.row_offsets[r] != found) {
      return fail(errc::bad_pattern, "row offset that is not the number of bits before it", r, r,
                  a.row_offsets[r], found);
    }
    const index_t used = a.cols() % 8;
    if (used != 0 && a.row_mask(r)[bytes - 1] >> used != 0) {
      return fail(errc::bad_pattern, "bits beyond cols", (r + 1) * bytes - 1, r,
                  a.row_mask(r)[bytes - 1], (1 << used) - 1);
    }
    found += bitmask_checks::count(a.row_mask(r), bytes);
  }
  if (found != a.nnz()) {
    return fail(errc::bad_pattern, "number of set bits that is not the number of values", -1, -1,
                found, a.nnz());
  }
  if constexpr (bitmask_view<T>::has_weight_sums) {
    for (index_t r = 0; r < a.rows(); ++r) {
      const weight_range range = bitmask_checks::range_of_row(a, r);
      if (!range.fits()) return range.error("bitmask", r);
      if (a.weight_sums[r] != range.sum()) {
        return fail(errc::bad_pattern, "weight_sums", r, r, a.weight_sums[r], range.sum());
      }
    }
  }
  return {};
}

/// f(row, column, value) for each entry: the conversions read any format by such a function.
template <class T, class F>
void for_each_entry(const bitmask_view<T>& a, F&& f) {
  for (index_t r = 0; r < a.rows(); ++r) {
    index_t p = a.row_offsets[r];
    bitmask_checks::for_each_column(a.row_mask(r), a.mask_bytes(),
                                    [&](index_t c) { f(r, c, a.values[p++]); });
  }
}

SPARSEKIT_EXEC_END_IN_V0

/// A bitmask matrix that owns its arrays, as packed bytes that can be saved. Move-only;
/// to_bitmask() makes one.
template <class T>
class bitmask_matrix : public packed_owner<bitmask_view<const T>> {
 public:
  using index = std::int32_t;
  using offset = std::int64_t;
  using packed_owner<bitmask_view<const T>>::packed_owner;
};

}  // namespace v0
}  // namespace sparsekit
