// to_structured: dense weights or any sparse matrix without its empty rows and columns.
//
//   auto s = sk::to_structured(csr).value();      // s.removed_rows(), s.removed_columns()
//   auto a = sk::to_csr(s).value();               // back
#pragma once

#include "../formats/structured.hpp"
#include "conversions.hpp"
#include "from_dense.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace convert {

/// From the list of used (true) rows or columns to the list of their numbers, and to the way back.
inline status kept_of(const buffer<std::uint8_t>& used, buffer<std::int32_t>& kept,
                      buffer<std::int32_t>& place) {
  index_t count = 0;
  for (index_t i = 0; i < used.size(); ++i) count += used[i];
  if (status s = kept.allocate(count); !s) return named(s, "structured");
  if (status s = place.allocate(used.size()); !s) return named(s, "structured");
  index_t next = 0;
  for (index_t i = 0; i < used.size(); ++i) {
    place[i] = static_cast<std::int32_t>(next);
    if (used[i] != 0) kept[next++] = static_cast<std::int32_t>(i);
  }
  return {};
}

/// source(f) calls f(row, column, value) for each entry, the same ones each time, each place once.
template <class T, class Source>
result<structured_matrix<T>> structured_from(extents shape, Source&& source) {
  if (status s = check_not_negative(shape, "structured"); !s) return s;
  if (status s = check_indices_fit<std::int32_t>(shape.rows, "structured", "rows"); !s) return s;
  if (status s = check_indices_fit<std::int32_t>(shape.cols, "structured", "cols"); !s) return s;
  buffer<std::uint8_t> row_used;
  buffer<std::uint8_t> column_used;
  if (status s = row_used.allocate_zeroed(shape.rows); !s) return named(s, "structured");
  if (status s = column_used.allocate_zeroed(shape.cols); !s) return named(s, "structured");
  bool explicit_zeros = false;
  source([&](index_t r, index_t c, const auto& v) {
    row_used[r] = 1;
    column_used[c] = 1;
    explicit_zeros |= !is_nonzero<T>(to_element<T>(v));
  });
  buffer<std::int32_t> kept_rows;
  buffer<std::int32_t> kept_columns;
  buffer<std::int32_t> row_place;
  buffer<std::int32_t> column_place;
  if (status s = kept_of(row_used, kept_rows, row_place); !s) return s;
  if (status s = kept_of(column_used, kept_columns, column_place); !s) return s;
  const index_t width = kept_columns.size();
  const index_t count = kept_rows.size() * width;
  buffer<T> values;
  buffer<std::uint64_t> pattern;
  if (status s = values.allocate_zeroed(count); !s) return named(s, "structured");
  if (status s = pattern.allocate_zeroed(explicit_zeros ? ceil_div(count, 64) : 0); !s) {
    return named(s, "structured");
  }
  source([&](index_t r, index_t c, const auto& v) {
    const index_t at = row_place[r] * width + column_place[c];
    values[at] = to_element<T>(v);
    if (explicit_zeros) pattern[at / 64] |= std::uint64_t{1} << (at % 64);
  });
  return structured_matrix<T>(shape, std::move(kept_rows), std::move(kept_columns),
                              std::move(values), std::move(pattern));
}

}  // namespace convert

/// As a smaller dense matrix: rows and columns without an entry go. O(rows + cols + values left). Errors: as
/// to_csr; more than 2^31 rows or columns.
template <convert::sparse_matrix A>
result<structured_matrix<typename A::value_type>> to_structured(unchecked_t, const A& a) {
  using T = typename A::value_type;
  csr_matrix<T, std::int64_t, std::int64_t> sorted;  // sums entries at one place
  if (status s = to_csr<std::int64_t, std::int64_t>(unchecked, a).get(sorted); !s) {
    return convert::named(s, "structured");
  }
  const auto view = sorted.view();
  return convert::structured_from<T>(view.shape,
                                     [&](auto&& f) { convert::for_each_entry(view, f); });
}
template <convert::sparse_matrix A>
result<structured_matrix<typename A::value_type>> to_structured(const A& a) {
  if (status s = convert::check_structure(a); !s) return s;
  return to_structured(unchecked, a);
}
template <class U, class Layout>
result<structured_matrix<std::remove_cv_t<U>>> to_structured(const dense_view<U, Layout>& w) {
  if (status s = validate(w, "dense"); !s) return s;
  return convert::structured_from<std::remove_cv_t<U>>(
      w.shape(), [&](auto&& f) { convert::for_each_nonzero(w, f); });
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
