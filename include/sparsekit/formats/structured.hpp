// Structured sparsity: whole rows and columns removed. What is left is a smaller dense matrix and two index
// lists. Channel pruning makes such matrices.
#pragma once

#include "../core/dense_view.hpp"
#include "../core/storage.hpp"
#include "compressed.hpp"
#include "element_bits.hpp"
#include "packed_dense.hpp"
#include "packed_nm.hpp"

namespace sparsekit {
inline namespace v0 {

/// A matrix without some rows and columns, in somebody else's arrays. Nothing is checked until `validate`.
///
///   kept_rows, kept_columns   the rows and columns that are left, increasing
///   values                    kept rows x kept columns, row by row
///   pattern                   empty, or ceil(values / 64) words whose bit i says that value i is an entry.
///                             Without it the values that are not zero are the entries.
///
/// A removed row of Y is the epilogue of zero: the bias still counts.
template <class T>
struct structured_view {
  using value_type = std::remove_cv_t<T>;
  using index = std::int32_t;
  using offset = std::int64_t;

  extents shape{};
  array_view<const std::int32_t> kept_rows{};
  array_view<const std::int32_t> kept_columns{};
  array_view<T> values{};
  array_view<const std::uint64_t> pattern{};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return values.size(); }
  structured_view<const value_type> as_const() const {
    return {shape, kept_rows, kept_columns, {values.data(), values.size()}, pattern};
  }
  bool is_entry(index_t i) const {
    if (pattern.empty()) return is_nonzero_element<value_type>(values[i]);
    return (pattern[i / 64] >> (i % 64) & 1) != 0;
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// f(row, column, value) for each entry.
template <class T, class F>
void for_each_entry(const structured_view<T>& a, F&& f) {
  const index_t width = a.kept_columns.size();
  for (index_t i = 0; i < a.values.size(); ++i) {
    if (!a.is_entry(i)) continue;
    f(index_t{a.kept_rows[i / width]}, index_t{a.kept_columns[i % width]}, a.values[i]);
  }
}

/// A list of kept rows or columns: inside the matrix, increasing.
inline status validate_kept(array_view<const std::int32_t> kept, index_t size, bool rows) {
  const char* detail = rows ? "kept_rows" : "kept_columns";
  if (kept.size() < 0 || kept.size() > size) {
    return {.code = errc::length_mismatch, .object = "structured", .detail = detail,
            .got = kept.size(), .allowed = size};
  }
  if (kept.size() > 0 && kept.data() == nullptr) {
    return {.code = errc::null_array, .object = "structured", .detail = detail,
            .allowed = kept.size()};
  }
  for (index_t i = 0; i < kept.size(); ++i) {
    if (kept[i] < 0 || kept[i] >= size) {
      return {.code = rows ? errc::row_out_of_range : errc::column_out_of_range,
              .object = "structured", .detail = detail, .entry = i, .got = kept[i],
              .allowed = size};
    }
    if (i > 0 && kept[i] <= kept[i - 1]) {
      return {.code = kept[i] == kept[i - 1] ? errc::duplicate_entry : errc::not_sorted,
              .object = "structured", .detail = detail, .entry = i, .got = kept[i],
              .allowed = kept[i - 1]};
    }
  }
  return {};
}

/// O(kept rows + kept columns), and O(values) where there is a pattern.
template <class T>
status validate(const structured_view<T>& a) {
  if (a.rows() < 0 || a.cols() < 0) {
    return {.code = errc::negative_size, .object = "structured",
            .detail = a.rows() < 0 ? "rows" : "cols", .got = a.rows() < 0 ? a.rows() : a.cols()};
  }
  if (status s = validate_kept(a.kept_rows, a.rows(), true); !s) return s;
  if (status s = validate_kept(a.kept_columns, a.cols(), false); !s) return s;
  const auto wrong_length = [](const char* detail, index_t got, index_t allowed) {
    return status{.code = errc::length_mismatch, .object = "structured", .detail = detail,
                  .got = got, .allowed = allowed};
  };
  const index_t count = a.kept_rows.size() * a.kept_columns.size();  // both fit 32 bits
  if (a.values.size() != count) return wrong_length("values", a.values.size(), count);
  if (count > 0 && a.values.data() == nullptr) {
    return {.code = errc::null_array, .object = "structured", .detail = "values",
            .allowed = count};
  }
  if (a.pattern.size() == 0) return {};
  const index_t words = ceil_div(count, 64);
  if (a.pattern.size() != words) return wrong_length("pattern", a.pattern.size(), words);
  if (a.pattern.data() == nullptr) {
    return {.code = errc::null_array, .object = "structured", .detail = "pattern",
            .allowed = words};
  }
  for (index_t i = 0; i < count; ++i) {
    if (is_nonzero_element<std::remove_cv_t<T>>(a.values[i]) && !a.is_entry(i)) {
      return {.code = errc::bad_pattern, .object = "structured",
              .detail = "value outside the pattern", .entry = i,
              .row = a.kept_rows[i / a.kept_columns.size()]};
    }
  }
  if (count % 64 != 0 && a.pattern[words - 1] >> (count % 64) != 0) {
    return {.code = errc::bad_pattern, .object = "structured",
            .detail = "pattern bits beyond the values", .entry = words - 1};
  }
  return {};
}

SPARSEKIT_EXEC_END_IN_V0

/// A structured matrix that owns its arrays. Move-only; to_structured makes one.
template <class T>
class structured_matrix {
 public:
  using value_type = T;
  using index = std::int32_t;
  using offset = std::int64_t;

  structured_matrix() = default;  ///< 0 x 0
  /// Takes arrays over. Invariants are the caller's.
  structured_matrix(extents shape, buffer<std::int32_t>&& kept_rows,
                    buffer<std::int32_t>&& kept_columns, buffer<T>&& values,
                    buffer<std::uint64_t>&& pattern)
      : shape_(shape),
        kept_rows_(std::move(kept_rows)),
        kept_columns_(std::move(kept_columns)),
        values_(std::move(values)),
        pattern_(std::move(pattern)) {}

  structured_view<const T> view() const {
    return {shape_, kept_rows_.view(), kept_columns_.view(), values_.view(), pattern_.view()};
  }
  extents shape() const { return shape_; }
  index_t rows() const { return shape_.rows; }
  index_t cols() const { return shape_.cols; }
  index_t removed_rows() const { return shape_.rows - kept_rows_.size(); }
  index_t removed_columns() const { return shape_.cols - kept_columns_.size(); }

 private:
  extents shape_{};
  buffer<std::int32_t> kept_rows_;
  buffer<std::int32_t> kept_columns_;
  buffer<T> values_;
  buffer<std::uint64_t> pattern_;
};

/// What is left, packed: slices of formats/packed_nm.hpp, every column kept (a group of one column
/// that 16 rows share); narrow types are packed dense weights, the order that dot products want. No
/// entry is -0.0 there.
template <class T>
using structured_rest = std::conditional_t<is_narrow<T>, packed_dense<T>, packed_nm<T>>;
template <class T>
using structured_rest_view =
    std::conditional_t<is_narrow<T>, packed_dense_view<const T>, packed_nm_view<const T>>;

/// The packed form: the smaller matrix, and the lists.
template <class T>
struct packed_structured_view {
  using value_type = std::remove_cv_t<T>;
  static constexpr bool has_weight_sums = std::is_same_v<value_type, std::int8_t>;

  extents shape{};
  array_view<const std::int32_t> kept_rows{};
  array_view<const std::int32_t> kept_columns{};
  structured_rest_view<value_type> rest{};
  /// s8: the sum of each row, 0 of a removed one: epilogues ask for rows of Y, `rest` counts those
  /// that are left.
  array_view<const std::int32_t> weight_sums{};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  /// Entries; of narrow types those that are not zero.
  index_t nnz() const { return rest.nnz(); }
  packed_structured_view<const value_type> as_const() const {
    return {shape, kept_rows, kept_columns, rest, weight_sums};
  }
};

/// The lists and the shape of what is left.
template <class T, class Flags = flags_tag>
status validate_without_rest(const packed_structured_view<T>& a) {
  if (status s = validate_kept(a.kept_rows, a.rows(), true); !s) return s;
  if (status s = validate_kept(a.kept_columns, a.cols(), false); !s) return s;
  bool fits = a.rest.rows() == a.kept_rows.size() && a.rest.cols() == a.kept_columns.size();
  if constexpr (!is_narrow<std::remove_cv_t<T>>) {
    fits = fits && a.rest.group == nm_shape{1, 1, nm_max_sharing};
  }
  if (!fits) {
    return {.code = errc::corrupt, .object = "structured", .detail = "rest",
            .got = a.rest.rows(), .allowed = a.kept_rows.size()};
  }
  return {};
}
/// Whether the sums of all rows are those of what is left, which is valid. O(rows).
template <class T, class Flags = flags_tag>
status validate_weight_sums(const packed_structured_view<T>& a) {
  const index_t rows = a.has_weight_sums ? a.rows() : 0;
  if (a.weight_sums.size() != rows) {
    return {.code = errc::corrupt,
            .object = "structured",
            .detail = "weight sums",
            .got = a.weight_sums.size(),
            .allowed = rows};
  }
  index_t kept = 0;
  for (index_t r = 0; r < rows; ++r) {
    const bool has = kept < a.kept_rows.size() && a.kept_rows[kept] == r;
    const std::int32_t sum = has ? a.rest.weight_sums[kept] : 0;
    kept += has;
    if (a.weight_sums[r] != sum) {
      return {.code = errc::corrupt,
              .object = "structured",
              .detail = "weight sums",
              .row = r,
              .got = a.weight_sums[r],
              .allowed = sum};
    }
  }
  return {};
}
/// Whether a packed view describes a matrix. O(stream).
template <class T, class Flags = flags_tag>
status validate(const packed_structured_view<T>& a) {
  if (status s = validate_without_rest(a); !s) return s;
  if (status s = validate(a.rest); !s) return s;
  return validate_weight_sums(a);
}

/// A packed structured matrix that owns its memory. Move-only; made by pack(). save() and from_bytes() as
/// those of packed_matrix.
template <class T>
class packed_structured {
 public:
  using value_type = T;

  packed_structured() = default;
  packed_structured(extents shape, buffer<std::int32_t>&& kept_rows,
                    buffer<std::int32_t>&& kept_columns, structured_rest<T>&& rest,
                    buffer<std::int32_t>&& weight_sums = {})
      : shape_(shape),
        kept_rows_(std::move(kept_rows)),
        kept_columns_(std::move(kept_columns)),
        rest_(std::move(rest)),
        weight_sums_(std::move(weight_sums)) {}

  packed_structured_view<const T> view() const {
    return {shape_, kept_rows_.view(), kept_columns_.view(), rest_.view(), weight_sums_.view()};
  }
  extents shape() const { return shape_; }
  index_t rows() const { return shape_.rows; }
  index_t cols() const { return shape_.cols; }
  index_t nnz() const { return rest_.nnz(); }
  /// Memory that it holds.
  index_t bytes() const {
    const index_t numbers = kept_rows_.size() + kept_columns_.size() + weight_sums_.size();
    return numbers * index_t{sizeof(std::int32_t)} + rest_.bytes().size();
  }

  /// One block of portable bytes. Errors: out of memory.
  template <class Flags = flags_tag>
  result<buffer<std::byte>> save() const {
    constexpr index_t index = index_t{sizeof(std::int32_t)};
    const void* const parts[] = {kept_rows_.data(), kept_columns_.data(), rest_.bytes().data(),
                                 weight_sums_.data()};
    const index_t sizes[] = {kept_rows_.size() * index, kept_columns_.size() * index,
                             rest_.bytes().size(), weight_sums_.size() * index};
    packed_header h;
    h.form = packed_form::structured;
    h.type = packed_type_of<T>;
    h.rows = shape_.rows;
    h.cols = shape_.cols;
    h.nnz = nnz();
    h.slots = h.nnz;
    if (status s = layout_packed(h, sizes, section_count); !s) return s;
    buffer<std::byte> bytes;
    if (status s = bytes.allocate_zeroed(h.total_bytes); !s) return s;
    for (int i = 0; i < section_count; ++i) {
      if (sizes[i] == 0) continue;
      std::memcpy(bytes.data() + h.sections[i].offset, parts[i], static_cast<std::size_t>(sizes[i]));
    }
    seal_packed(bytes.data(), h);
    return bytes;
  }

  /// What save() wrote, loaded or mapped on a 64-byte boundary: checked whole, and used where it lies. O(bytes).
  /// Errors: those of packed_matrix::view_of; bad_pattern and others of the lists.
  template <class Flags = flags_tag>
  static result<packed_structured_view<const T>> view_of(array_view<const std::byte> bytes) {
    array_view<const std::byte> rest;
    return view_of<Flags>(bytes, rest);
  }
  /// The same checks, and a copy that owns its memory.
  template <class Flags = flags_tag>
  static result<packed_structured> from_bytes(array_view<const std::byte> bytes) {
    packed_structured_view<const T> v;
    array_view<const std::byte> rest;
    if (status s = view_of<Flags>(bytes, rest).get(v); !s) return s;
    buffer<std::int32_t> rows;
    buffer<std::int32_t> columns;
    buffer<std::int32_t> sums;
    buffer<std::byte> copy;
    if (status s = copy_of(v.kept_rows, rows); !s) return s;
    if (status s = copy_of(v.kept_columns, columns); !s) return s;
    if (status s = copy_of(v.weight_sums, sums); !s) return s;
    if (status s = copy_of(rest, copy); !s) return s;
    return packed_structured(v.shape, std::move(rows), std::move(columns),
                             structured_rest<T>(std::move(copy)), std::move(sums));
  }

 private:
  static constexpr bool has_weight_sums = packed_structured_view<T>::has_weight_sums;
  static constexpr int section_count = has_weight_sums ? 4 : 3;

  template <class Flags>
  static result<packed_structured_view<const T>> view_of(array_view<const std::byte> bytes,
                                                         array_view<const std::byte>& rest) {
    packed_header h;
    if (status s =
            validate_packed_header(bytes, packed_form::structured, packed_type_of<T>, h);
        !s) {
      return s;
    }
    if (h.section_count != section_count) return corrupt("sections", h.section_count, section_count);
    packed_structured_view<const T> v{
        .shape = extents(h.rows, h.cols),
        .kept_rows = packed_section_as<std::int32_t>(bytes.data(), h.sections[0]),
        .kept_columns = packed_section_as<std::int32_t>(bytes.data(), h.sections[1])};
    rest = packed_section_as<std::byte>(bytes.data(), h.sections[2]);
    if constexpr (has_weight_sums) {
      v.weight_sums = packed_section_as<std::int32_t>(bytes.data(), h.sections[3]);
    }
    if (rest.empty() && h.rows == 0 && h.cols == 0 && h.nnz == 0) {
      return packed_structured_view<const T>{};  // of a default-constructed matrix
    }
    if (status s = structured_rest<T>::view_of(rest).get(v.rest); !s) return s;
    if (v.nnz() != h.nnz) return corrupt("nnz", v.nnz(), h.nnz);
    if (status s = validate_without_rest(v); !s) return s;
    if (status s = validate_weight_sums(v); !s) return s;
    return v;
  }
  static status corrupt(const char* detail, any_integer got, any_integer allowed) {
    return {.code = errc::corrupt, .object = "structured", .detail = detail, .got = got,
            .allowed = allowed};
  }
  template <class U>
  static status copy_of(array_view<const U> from, buffer<U>& to) {
    if (from.empty()) return {};
    if (status s = to.allocate(from.size()); !s) return s;
    std::memcpy(to.data(), from.data(), static_cast<std::size_t>(from.size()) * sizeof(U));
    return {};
  }

  extents shape_{};
  buffer<std::int32_t> kept_rows_;
  buffer<std::int32_t> kept_columns_;
  structured_rest<T> rest_;
  buffer<std::int32_t> weight_sums_;
};

}  // namespace v0
}  // namespace sparsekit
