// SELL-C-sigma (sliced ELLPACK): C rows side by side in a slice, so that a vector register works on C rows
// at once and no sum runs across lanes. Rows are sorted by length inside windows of sigma rows, so that
// the rows of a slice are about equally long; shorter ones are padded.
//
// Kreutzer, Hager, Wellein, Fehske, Bishop: "A unified sparse matrix data format for efficient general
// sparse matrix-vector multiplication on modern processors with wide SIMD units", SISC 36(5), 2014.
#pragma once

#include "../core/dense_view.hpp"
#include "../core/storage.hpp"
#include "compressed.hpp"

namespace sparsekit {
inline namespace v0 {

/// The most rows of a slice: sums of one slice fit a small array on the stack.
inline constexpr index_t max_slice_height = 64;

/// A SELL-C-sigma matrix in somebody else's arrays. Nothing is checked until `validate`.
///
///   slot of entry j of lane l of slice s:  slice_ptr[s] + j * slice_height + l
///
///   slice_ptr: ceil(rows / slice_height) + 1 slot offsets; a slice holds whole steps of slice_height slots
///   row_order: rows; lane l of slice s is row row_order[s * slice_height + l] of the matrix
///   lengths: rows; entries of each lane, not increasing within a slice; the first is the slice's width
///   columns, values: slots; what stands in a slot beyond its lane's length is never used
template <class T, index_type Index = std::int32_t, index_type Offset = std::int32_t>
struct sell_view {
  using value_type = std::remove_cv_t<T>;
  using index = Index;
  using offset = Offset;

  extents shape{};
  index_t slice_height = 8;
  index_t entries = 0;
  array_view<const Offset> slice_ptr{};
  array_view<const Offset> row_order{};
  array_view<const Offset> lengths{};
  array_view<const Index> columns{};
  array_view<T> values{};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return entries; }
  index_t slots() const { return columns.size(); }
  index_t slices() const { return ceil_div(shape.rows, slice_height); }
  sell_view<const value_type, Index, Offset> as_const() const {
    return {shape,     slice_height, entries, slice_ptr,
            row_order, lengths,      columns, {values.data(), values.size()}};
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace sell_checks {

inline status wrong(errc code, const char* detail, index_t got, index_t allowed) {
  return {.code = code, .object = "sell", .detail = detail, .got = got, .allowed = allowed};
}

template <class A>
status arrays(const A& a) {
  if (a.rows() < 0 || a.cols() < 0) {
    const bool rows_bad = a.rows() < 0;
    return {.code = errc::negative_size, .object = "sell", .detail = rows_bad ? "rows" : "cols",
            .got = rows_bad ? a.rows() : a.cols()};
  }
  if (a.slice_height < 1 || a.slice_height > max_slice_height) {
    return wrong(errc::bad_argument, "slice_height", a.slice_height, max_slice_height);
  }
  if (a.rows() > std::numeric_limits<index_t>::max() - max_slice_height) {
    return wrong(errc::size_overflow, "rows", a.rows(),
                 std::numeric_limits<index_t>::max() - max_slice_height);
  }
  const struct {
    const char* name;
    index_t size;
    index_t expected;
    const void* data;
  } all[] = {{"slice_ptr", a.slice_ptr.size(), a.slices() + 1, a.slice_ptr.data()},
             {"row_order", a.row_order.size(), a.rows(), a.row_order.data()},
             {"lengths", a.lengths.size(), a.rows(), a.lengths.data()},
             {"columns", a.columns.size(), a.columns.size(), a.columns.data()},
             {"values", a.values.size(), a.columns.size(), a.values.data()}};
  for (const auto& array : all) {
    if (array.size != array.expected || array.size < 0) {
      return wrong(errc::length_mismatch, array.name, array.size, array.expected);
    }
    if (array.size > 0 && array.data == nullptr) {
      return wrong(errc::null_array, array.name, 0, array.expected);
    }
  }
  return {};
}

/// Every row of the matrix stands in one lane: two lanes of one row would be a race between tasks.
template <class A>
status order(const A& a) {
  buffer<std::uint64_t> seen;
  if (status s = seen.allocate_zeroed(ceil_div(a.rows(), 64)); !s) {
    s.object = "sell";
    return s;
  }
  for (index_t i = 0; i < a.rows(); ++i) {
    if (!index_in_range(a.row_order[i], a.rows())) {
      return {.code = errc::row_out_of_range, .object = "sell", .detail = "row_order", .entry = i,
              .got = a.row_order[i], .allowed = a.rows()};
    }
    const index_t r = static_cast<index_t>(a.row_order[i]);
    const std::uint64_t bit = std::uint64_t{1} << (r % 64);
    if ((seen[r / 64] & bit) != 0) {
      return {.code = errc::duplicate_entry, .object = "sell", .detail = "row_order", .entry = i,
              .got = r};
    }
    seen[r / 64] |= bit;
  }
  return {};
}

template <class A>
status slice_offsets(const A& a) {
  if (a.slice_ptr[0] != 0) {
    return {.code = errc::bad_first_offset, .object = "sell", .detail = "slice_ptr",
            .got = a.slice_ptr[0]};
  }
  for (index_t s = 0; s < a.slices(); ++s) {
    if (a.slice_ptr[s + 1] < a.slice_ptr[s]) {
      return {.code = errc::offsets_decrease, .object = "sell", .detail = "slice_ptr",
              .entry = s + 1, .got = a.slice_ptr[s + 1], .allowed = a.slice_ptr[s]};
    }
  }
  const auto last = a.slice_ptr[a.slices()];
  if (static_cast<std::uint64_t>(last) != static_cast<std::uint64_t>(a.slots())) {
    return {.code = errc::bad_last_offset, .object = "sell", .detail = "slice_ptr", .got = last,
            .allowed = a.slots()};
  }
  return {};
}

/// One slice: its width, its lanes' lengths and the columns of their entries.
template <class A>
status slice(const A& a, index_t s, index_t& entries) {
  const index_t begin = static_cast<index_t>(a.slice_ptr[s]);
  const index_t slots = static_cast<index_t>(a.slice_ptr[s + 1]) - begin;
  const index_t first = s * a.slice_height;
  const index_t lanes = a.rows() - first < a.slice_height ? a.rows() - first : a.slice_height;
  index_t longest = slots / a.slice_height;
  if (slots % a.slice_height != 0) {
    return {.code = errc::bad_pattern, .object = "sell", .detail = "slots of a slice", .entry = s,
            .got = slots, .allowed = longest * a.slice_height};
  }
  for (index_t l = 0; l < lanes; ++l) {
    const auto length = a.lengths[first + l];
    const index_t row = static_cast<index_t>(a.row_order[first + l]);
    const bool wrong_first = l == 0 && static_cast<std::uint64_t>(length) !=
                                           static_cast<std::uint64_t>(longest);
    if (wrong_first || !index_in_range(length, longest + 1)) {
      return {.code = errc::bad_pattern, .object = "sell", .detail = "lengths", .entry = first + l,
              .row = row, .got = length, .allowed = longest};
    }
    longest = static_cast<index_t>(length);
    entries += longest;
    for (index_t j = 0; j < longest; ++j) {
      const index_t p = begin + j * a.slice_height + l;
      if (!index_in_range(a.columns[p], a.cols())) {
        return {.code = errc::column_out_of_range, .object = "sell", .detail = "columns",
                .entry = p, .row = row, .got = a.columns[p], .allowed = a.cols()};
      }
      if (j == 0 || a.columns[p - a.slice_height] < a.columns[p]) continue;
      const auto before = a.columns[p - a.slice_height];
      return {.code = before == a.columns[p] ? errc::duplicate_entry : errc::not_sorted,
              .object = "sell", .detail = "columns", .entry = p, .row = row, .got = a.columns[p],
              .allowed = before};
    }
  }
  return {};
}

}  // namespace sell_checks
/// f(row, column, value) for each entry: the conversions read any format by such a function.
template <class T, class I, class O, class F>
void for_each_entry(const sell_view<T, I, O>& a, F&& f) {
  for (index_t i = 0; i < a.rows(); ++i) {
    const index_t slot = static_cast<index_t>(a.slice_ptr[i / a.slice_height]) + i % a.slice_height;
    for (index_t j = 0; j < static_cast<index_t>(a.lengths[i]); ++j) {
      const index_t p = slot + j * a.slice_height;
      f(static_cast<index_t>(a.row_order[i]), static_cast<index_t>(a.columns[p]), a.values[p]);
    }
  }
}

SPARSEKIT_EXEC_END_IN_V0

/// O(rows + slots), and rows / 8 bytes of memory for the time of the call.
template <class T, class Index, class Offset, class Flags = flags_tag>
status validate(const sell_view<T, Index, Offset>& a) {
  if (status s = sell_checks::arrays(a); !s) return s;
  if (status s = sell_checks::slice_offsets(a); !s) return s;
  if (status s = sell_checks::order(a); !s) return s;
  index_t entries = 0;
  for (index_t s = 0; s < a.slices(); ++s) {
    if (status error = sell_checks::slice(a, s, entries); !error) return error;
  }
  if (entries != a.entries) {
    return sell_checks::wrong(errc::length_mismatch, "entries", a.entries, entries);
  }
  return {};
}

/// A SELL-C-sigma matrix that owns its arrays. Move-only; to_sell makes one.
template <class T, index_type Index = std::int32_t, index_type Offset = std::int32_t>
class sell_matrix {
 public:
  using value_type = T;
  using index = Index;
  using offset = Offset;

  sell_matrix() = default;  ///< 0 x 0
  /// Takes arrays over. Invariants are the caller's.
  sell_matrix(extents shape, index_t slice_height, index_t entries, buffer<Offset>&& slice_ptr,
              buffer<Offset>&& row_order, buffer<Offset>&& lengths, buffer<Index>&& columns,
              buffer<T>&& values)
      : shape_(shape),
        slice_height_(slice_height),
        entries_(entries),
        slice_ptr_(std::move(slice_ptr)),
        row_order_(std::move(row_order)),
        lengths_(std::move(lengths)),
        columns_(std::move(columns)),
        values_(std::move(values)) {}

  sell_view<const T, Index, Offset> view() const {
    return {shape_,
            slice_height_,
            entries_,
            slice_ptr_.size() > 0 ? slice_ptr_.view() : array_view<const Offset>(&no_slices, 1),
            row_order_.view(),
            lengths_.view(),
            columns_.view(),
            values_.view()};
  }
  extents shape() const { return shape_; }
  index_t rows() const { return shape_.rows; }
  index_t cols() const { return shape_.cols; }
  index_t nnz() const { return entries_; }
  /// Slots over entries: 1 without padding.
  double fill() const {
    return entries_ == 0 ? 1.0
                         : static_cast<double>(columns_.size()) / static_cast<double>(entries_);
  }

 private:
  static constexpr Offset no_slices = 0;

  extents shape_{};
  index_t slice_height_ = 8;
  index_t entries_ = 0;
  buffer<Offset> slice_ptr_;
  buffer<Offset> row_order_;
  buffer<Offset> lengths_;
  buffer<Index> columns_;
  buffer<T> values_;
};

}  // namespace v0
}  // namespace sparsekit
