// BSR (block sparse row): CSR whose entries are dense blocks of r x c elements.
#pragma once

#include <bit>

#include "../core/dense_view.hpp"
#include "../core/storage.hpp"
#include "compressed.hpp"

namespace sparsekit {
inline namespace v0 {

/// Rows and columns of a block.
struct block_shape {
  index_t rows = 4;
  index_t cols = 4;
  friend constexpr bool operator==(const block_shape&, const block_shape&) = default;
};

/// The longest side of a block.
inline constexpr index_t max_block_side = 64;

/// A BSR matrix in somebody else's arrays. Nothing is checked until `validate`.
///
///   row_ptr: ceil(rows / block.rows) + 1 offsets of blocks
///   columns: the block column of each block, increasing in a block row
///   values: block.rows * block.cols each, row by row; places beyond the last row or column are zero
///   pattern: empty, or ceil(block.rows * block.cols / 64) words a block whose bit i says that place i is
///            an entry. Without it, the places that are not zero are the entries; it is for matrices that
///            store zeros explicitly.
///
/// A place that is no entry never contributes: NaN in X does not reach its row.
template <class T, index_type Index = std::int32_t, index_type Offset = std::int32_t>
struct bsr_view {
  using value_type = std::remove_cv_t<T>;
  using index = Index;
  using offset = Offset;

  extents shape{};
  block_shape block{};
  array_view<const Offset> row_ptr{};
  array_view<const Index> columns{};
  array_view<T> values{};
  array_view<const std::uint64_t> pattern{};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t blocks() const { return columns.size(); }
  index_t block_rows() const { return ceil_div(shape.rows, block.rows); }
  index_t block_columns() const { return ceil_div(shape.cols, block.cols); }
  index_t places() const { return block.rows * block.cols; }
  index_t pattern_words() const { return ceil_div(places(), 64); }
  /// Places, the empty ones of blocks included: what a multiply costs.
  index_t nnz() const { return values.size(); }
  bsr_view<const value_type, Index, Offset> as_const() const {
    return {shape, block, row_ptr, columns, {values.data(), values.size()}, pattern};
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace bsr_checks {

/// value != 0, by the bits: a comparison takes NaN for zero under -ffast-math, and subnormals where the
/// caller flushes them.
template <class T>
SPARSEKIT_INLINE bool is_nonzero(T value) {
  if constexpr (std::is_integral_v<T>) {
    return value != 0;
  } else if constexpr (sizeof(T) == 8) {
    return std::bit_cast<std::uint64_t>(value) << 1 != 0;
  } else if constexpr (sizeof(T) == 4) {
    return std::bit_cast<std::uint32_t>(value) << 1 != 0;
  } else {
    return (std::bit_cast<std::uint16_t>(value) & 0x7fff) != 0;
  }
}

/// Whether place i of block b is an entry.
template <class A>
SPARSEKIT_INLINE bool is_entry(const A& a, index_t b, index_t i) {
  using T = typename A::value_type;
  if (a.pattern.empty()) return is_nonzero<T>(a.values[b * a.places() + i]);
  return (a.pattern[b * a.pattern_words() + i / 64] >> (i % 64) & 1) != 0;
}

/// Places beyond the matrix, and places that the pattern leaves out, hold zero; no stray pattern bits.
template <class A>
status block(const A& a, index_t block_row, index_t b) {
  using T = typename A::value_type;
  const index_t rows = a.rows() - block_row * a.block.rows;
  const index_t cols = a.cols() - static_cast<index_t>(a.columns[b]) * a.block.cols;
  for (index_t i = 0; i < a.places(); ++i) {
    const bool outside = i / a.block.cols >= rows || i % a.block.cols >= cols;
    const bool nonzero = is_nonzero<T>(a.values[b * a.places() + i]);
    const bool entry = is_entry(a, b, i);
    if ((outside && (entry || nonzero)) || (nonzero && !entry)) {
      return {.code = errc::bad_pattern, .object = "bsr",
              .detail = outside ? "place outside the matrix" : "value outside the pattern",
              .entry = b * a.places() + i, .row = block_row};
    }
  }
  const index_t used = a.places() % 64;
  if (!a.pattern.empty() && used != 0 &&
      a.pattern[(b + 1) * a.pattern_words() - 1] >> used != 0) {
    return {.code = errc::bad_pattern, .object = "bsr", .detail = "pattern bits beyond the block",
            .entry = b, .row = block_row};
  }
  return {};
}

}  // namespace bsr_checks
/// f(row, column, value) for each entry: the conversions read any format by such a function.
template <class T, class I, class O, class F>
void for_each_entry(const bsr_view<T, I, O>& a, F&& f) {
  for (index_t r = 0; r < a.block_rows(); ++r) {
    const index_t end = static_cast<index_t>(a.row_ptr[r + 1]);
    for (index_t b = static_cast<index_t>(a.row_ptr[r]); b < end; ++b) {
      const index_t column = static_cast<index_t>(a.columns[b]) * a.block.cols;
      for (index_t i = 0; i < a.places(); ++i) {
        if (!bsr_checks::is_entry(a, b, i)) continue;
        f(r * a.block.rows + i / a.block.cols, column + i % a.block.cols,
          a.values[b * a.places() + i]);
      }
    }
  }
}

SPARSEKIT_EXEC_END_IN_V0

/// O(block rows + places).
template <class T, class Index, class Offset, class Flags = flags_tag>
status validate(const bsr_view<T, Index, Offset>& a) {
  const bool rows_bad = a.block.rows < 1 || a.block.rows > max_block_side;
  if (rows_bad || a.block.cols < 1 || a.block.cols > max_block_side) {
    return {.code = errc::bad_argument, .object = "bsr",
            .detail = rows_bad ? "block.rows" : "block.cols",
            .got = rows_bad ? a.block.rows : a.block.cols, .allowed = max_block_side};
  }
  if (a.shape.rows < 0 || a.shape.cols < 0) {
    return {.code = errc::negative_size, .object = "bsr",
            .detail = a.shape.rows < 0 ? "rows" : "cols",
            .got = a.shape.rows < 0 ? a.shape.rows : a.shape.cols};
  }
  const index_t largest = std::numeric_limits<index_t>::max() - max_block_side;
  if (a.shape.rows > largest || a.shape.cols > largest) {
    return {.code = errc::size_overflow, .object = "bsr",
            .detail = a.shape.rows > largest ? "rows" : "cols",
            .got = a.shape.rows > largest ? a.shape.rows : a.shape.cols, .allowed = largest};
  }
  index_t value_count = 0;
  if (!checked_multiply(a.blocks() < 0 ? 0 : a.blocks(), a.places(), value_count)) {
    return {.code = errc::size_overflow,
            .object = "bsr",
            .detail = "columns",
            .got = a.blocks(),
            .allowed = std::numeric_limits<index_t>::max() / a.places()};
  }
  if (a.values.size() != value_count) {
    return {.code = errc::length_mismatch, .object = "bsr", .detail = "values",
            .got = a.values.size(), .allowed = value_count};
  }
  if (a.pattern.size() != 0 && a.pattern.size() != a.blocks() * a.pattern_words()) {
    return {.code = errc::length_mismatch, .object = "bsr", .detail = "pattern",
            .got = a.pattern.size(), .allowed = a.blocks() * a.pattern_words()};
  }
  if (a.pattern.size() != 0 && a.pattern.data() == nullptr) {
    return {.code = errc::null_array, .object = "bsr", .detail = "pattern",
            .allowed = a.pattern.size()};
  }
  if (status s = validate_compressed<Offset, Index>(
          {"bsr", "row_ptr", "columns", errc::column_out_of_range}, a.block_rows(),
          a.block_columns(), a.row_ptr, a.columns, a.blocks(), a.values.data(), {});
      !s) {
    return s;
  }
  for (index_t r = 0; r < a.block_rows(); ++r) {
    for (index_t b = static_cast<index_t>(a.row_ptr[r]); b < static_cast<index_t>(a.row_ptr[r + 1]);
         ++b) {
      if (status s = bsr_checks::block(a, r, b); !s) return s;
    }
  }
  return {};
}

/// A BSR matrix that owns its arrays. Move-only; to_bsr makes one.
template <class T, index_type Index = std::int32_t, index_type Offset = std::int32_t>
class bsr_matrix {
 public:
  using value_type = T;
  using index = Index;
  using offset = Offset;

  bsr_matrix() = default;  ///< 0 x 0
  /// Takes arrays over. Invariants are the caller's.
  bsr_matrix(extents shape, block_shape block, buffer<Offset>&& row_ptr, buffer<Index>&& columns,
             buffer<T>&& values, buffer<std::uint64_t>&& pattern)
      : shape_(shape),
        block_(block),
        row_ptr_(std::move(row_ptr)),
        columns_(std::move(columns)),
        values_(std::move(values)),
        pattern_(std::move(pattern)) {}

  bsr_view<const T, Index, Offset> view() const {
    return {shape_,
            block_,
            row_ptr_.size() > 0 ? row_ptr_.view() : array_view<const Offset>(&no_rows, 1),
            columns_.view(),
            values_.view(),
            pattern_.view()};
  }
  extents shape() const { return shape_; }
  index_t rows() const { return shape_.rows; }
  index_t cols() const { return shape_.cols; }
  index_t blocks() const { return columns_.size(); }

 private:
  static constexpr Offset no_rows = 0;

  extents shape_{};
  block_shape block_{};
  buffer<Offset> row_ptr_;
  buffer<Index> columns_;
  buffer<T> values_;
  buffer<std::uint64_t> pattern_;
};

}  // namespace v0
}  // namespace sparsekit
