// N:M sparsity: of each M neighbouring columns in a row at most N are kept. With V > 1, the kept columns are
// the same for V neighbouring rows, which nearly doubles the speed of SpMM on a CPU.
#pragma once

#include "../core/dense_view.hpp"
#include "../core/storage.hpp"
#include "compressed.hpp"
#include "element_bits.hpp"

namespace sparsekit {
inline namespace v0 {

/// At most n of m columns, in a pattern that v rows share.
struct nm_shape {
  index_t n = 2;
  index_t m = 4;
  index_t v = 1;
  friend constexpr bool operator==(const nm_shape&, const nm_shape&) = default;
};

/// The same as a type: sk::pack<sk::nm<2, 4>>(dense, sk::magnitude_pruning).
template <int N, int M, int V = 1>
struct nm {
  static constexpr nm_shape shape{N, M, V};
};

/// The longest group, and the most rows that share a pattern.
inline constexpr index_t nm_max_group = 16;
inline constexpr index_t nm_max_sharing = 16;
/// The place of an empty slot.
inline constexpr std::uint8_t nm_no_place = 0xff;

/// An N:M matrix in somebody else's arrays. Nothing is checked until `validate`. With
/// slots = ceil(cols / m) * n, the kept places of a row:
///
///   places   ceil(rows / v) * slots: the column of a slot inside its group, increasing in a group; slots
///            that a group does not use come last and hold nm_no_place
///   values   rows * slots, row by row; zero where there is no place
///   pattern  empty, or ceil(rows * slots / 64) words whose bit i says that value i is an entry. Without
///            it the values that are not zero are the entries; it is for matrices that store zeros.
///
/// A slot that is no entry never contributes, whether the group is short or another row of the v has it.
template <class T>
struct nm_view {
  using value_type = std::remove_cv_t<T>;
  using index = std::int32_t;
  using offset = std::int32_t;

  extents shape{};
  nm_shape group{};
  array_view<const std::uint8_t> places{};
  array_view<T> values{};
  array_view<const std::uint64_t> pattern{};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t groups() const { return ceil_div(shape.cols, group.m); }
  index_t slots() const { return groups() * group.n; }  ///< of one row
  index_t sets() const { return ceil_div(shape.rows, group.v); }
  /// Slots, the empty ones included: what a multiply costs.
  index_t nnz() const { return values.size(); }
  nm_view<const value_type> as_const() const {
    return {shape, group, places, {values.data(), values.size()}, pattern};
  }
  /// Whether slot `slot` of row r is an entry.
  bool is_entry(index_t r, index_t slot) const {
    const index_t i = r * slots() + slot;
    if (pattern.empty()) return is_nonzero_element<value_type>(values[i]);
    return (pattern[i / 64] >> (i % 64) & 1) != 0;
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// f(row, column, value) for each entry: the conversions read any format by such a function.
template <class T, class F>
void for_each_entry(const nm_view<T>& a, F&& f) {
  const index_t slots = a.slots();
  for (index_t r = 0; r < a.rows(); ++r) {
    const std::uint8_t* places = a.places.data() + r / a.group.v * slots;
    for (index_t s = 0; s < slots; ++s) {
      if (!a.is_entry(r, s)) continue;
      f(r, s / a.group.n * a.group.m + places[s], a.values[r * slots + s]);
    }
  }
}

/// 1 <= n <= m <= 16, and v one of 1, 2, 4, 8, 16.
inline status validate(const nm_shape& g) {
  const auto bad = [](const char* detail, index_t got, index_t allowed) {
    return status{.code = errc::bad_argument, .object = "nm", .detail = detail, .got = got,
                  .allowed = allowed};
  };
  if (g.m < 1 || g.m > nm_max_group) return bad("m", g.m, g.m < 1 ? 1 : nm_max_group);
  if (g.n < 1 || g.n > g.m) return bad("n", g.n, g.n < 1 ? 1 : g.m);
  if (g.v < 1 || g.v > nm_max_sharing || (g.v & (g.v - 1)) != 0) {
    return bad("v, a power of two", g.v, g.v < 1 ? 1 : nm_max_sharing);
  }
  return {};
}

/// Shape and group of an N:M matrix, and the number of values that it holds.
inline status validate_nm_sizes(extents shape, const nm_shape& g, index_t& values) {
  if (status s = validate(g); !s) return s;
  if (shape.rows < 0 || shape.cols < 0) {
    return {.code = errc::negative_size, .object = "nm",
            .detail = shape.rows < 0 ? "rows" : "cols",
            .got = shape.rows < 0 ? shape.rows : shape.cols};
  }
  // Indices are 32 bits wide in conversions, and sizes are rounded up to groups and sets.
  constexpr index_t most_columns = std::numeric_limits<std::int32_t>::max();
  constexpr index_t most_rows = std::numeric_limits<index_t>::max() - 2 * nm_max_sharing;
  if (shape.cols > most_columns || shape.rows > most_rows) {
    const bool cols = shape.cols > most_columns;
    return {.code = errc::size_overflow, .object = "nm", .detail = cols ? "cols" : "rows",
            .got = cols ? shape.cols : shape.rows, .allowed = cols ? most_columns : most_rows};
  }
  if (!checked_multiply(round_up(shape.rows, nm_max_sharing), ceil_div(shape.cols, g.m) * g.n,
                        values)) {
    return {.code = errc::size_overflow, .object = "nm", .detail = "rows * slots",
            .got = shape.rows, .allowed = std::numeric_limits<index_t>::max()};
  }
  values = shape.rows * (ceil_div(shape.cols, g.m) * g.n);
  return {};
}

namespace nm_checks {

/// The places of one set: inside their groups and the matrix, increasing, empty slots last.
template <class T>
status places(const nm_view<T>& a, index_t set) {
  const index_t n = a.group.n;
  const index_t m = a.group.m;
  const index_t slots = a.slots();
  for (index_t s = 0; s < slots; ++s) {
    const std::uint8_t place = a.places[set * slots + s];
    const index_t begin = s / n * m;
    const index_t width = a.cols() - begin < m ? a.cols() - begin : m;
    const bool first = s % n == 0;
    const std::uint8_t before = first ? std::uint8_t{0} : a.places[set * slots + s - 1];
    if (place == nm_no_place) continue;
    const auto fail = [&](const char* detail, index_t allowed) {
      return status{.code = errc::bad_pattern, .object = "nm", .detail = detail,
                    .entry = set * slots + s, .row = set * a.group.v, .got = place,
                    .allowed = allowed};
    };
    if (place >= width) return fail("place outside its group", width);
    if (!first && before == nm_no_place) return fail("place after an empty slot", nm_no_place);
    if (!first && place <= before) return fail("places do not increase", before);
  }
  return {};
}

/// The values of one row: zero and no entry where there is no place; no value outside the pattern.
template <class T>
status values(const nm_view<T>& a, index_t row) {
  const index_t slots = a.slots();
  const std::uint8_t* places = a.places.data() + row / a.group.v * slots;
  for (index_t s = 0; s < slots; ++s) {
    const bool nonzero = is_nonzero_element<std::remove_cv_t<T>>(a.values[row * slots + s]);
    const bool entry = a.is_entry(row, s);
    if ((places[s] == nm_no_place && (nonzero || entry)) || (nonzero && !entry)) {
      return {.code = errc::bad_pattern, .object = "nm",
              .detail = places[s] == nm_no_place ? "value without a place"
                                                 : "value outside the pattern",
              .entry = row * slots + s, .row = row};
    }
  }
  return {};
}

}  // namespace nm_checks

/// O(rows * slots).
template <class T>
status validate(const nm_view<T>& a) {
  index_t value_count = 0;
  if (status s = validate_nm_sizes(a.shape, a.group, value_count); !s) return s;
  const auto wrong_length = [](const char* detail, index_t got, index_t allowed) {
    return status{.code = errc::length_mismatch, .object = "nm", .detail = detail, .got = got,
                  .allowed = allowed};
  };
  const index_t place_count = a.sets() * a.slots();
  if (a.places.size() != place_count) {
    return wrong_length("places", a.places.size(), place_count);
  }
  if (a.values.size() != value_count) return wrong_length("values", a.values.size(), value_count);
  const index_t words = ceil_div(value_count, 64);
  if (a.pattern.size() != 0 && a.pattern.size() != words) {
    return wrong_length("pattern", a.pattern.size(), words);
  }
  if ((place_count > 0 && a.places.data() == nullptr) ||
      (value_count > 0 && a.values.data() == nullptr) ||
      (a.pattern.size() > 0 && a.pattern.data() == nullptr)) {
    const bool no_places = place_count > 0 && a.places.data() == nullptr;
    const bool no_values = !no_places && value_count > 0 && a.values.data() == nullptr;
    return {.code = errc::null_array, .object = "nm",
            .detail = no_places   ? "places"
                      : no_values ? "values"
                                  : "pattern",
            .allowed = no_places   ? place_count
                       : no_values ? value_count
                                   : words};
  }
  for (index_t set = 0; set < a.sets(); ++set) {
    if (status s = nm_checks::places(a, set); !s) return s;
  }
  for (index_t r = 0; r < a.rows(); ++r) {
    if (status s = nm_checks::values(a, r); !s) return s;
  }
  if (!a.pattern.empty() && value_count % 64 != 0 &&
      a.pattern[words - 1] >> (value_count % 64) != 0) {
    return {.code = errc::bad_pattern, .object = "nm", .detail = "pattern bits beyond the values",
            .entry = words - 1};
  }
  return {};
}

SPARSEKIT_EXEC_END_IN_V0

/// An N:M matrix that owns its arrays. Move-only; to_nm makes one.
template <class T>
class nm_matrix {
 public:
  using value_type = T;
  using index = std::int32_t;
  using offset = std::int32_t;

  nm_matrix() = default;  ///< 0 x 0
  /// Takes arrays over. Invariants are the caller's.
  nm_matrix(extents shape, nm_shape group, buffer<std::uint8_t>&& places, buffer<T>&& values,
            buffer<std::uint64_t>&& pattern)
      : shape_(shape),
        group_(group),
        places_(std::move(places)),
        values_(std::move(values)),
        pattern_(std::move(pattern)) {}

  nm_matrix(nm_matrix&& other) noexcept
      : shape_(std::exchange(other.shape_, {})),
        group_(other.group_),
        places_(std::move(other.places_)),
        values_(std::move(other.values_)),
        pattern_(std::move(other.pattern_)) {}
  nm_matrix& operator=(nm_matrix&& other) noexcept {
    shape_ = std::exchange(other.shape_, {});
    group_ = other.group_;
    places_ = std::exchange(other.places_, {});
    values_ = std::exchange(other.values_, {});
    pattern_ = std::exchange(other.pattern_, {});
    return *this;
  }

  nm_view<const T> view() const {
    return {shape_, group_, places_.view(), values_.view(), pattern_.view()};
  }
  extents shape() const { return shape_; }
  nm_shape group() const { return group_; }
  index_t rows() const { return shape_.rows; }
  index_t cols() const { return shape_.cols; }

 private:
  extents shape_{};
  nm_shape group_{};
  buffer<std::uint8_t> places_;
  buffer<T> values_;
  buffer<std::uint64_t> pattern_;
};

}  // namespace v0
}  // namespace sparsekit
