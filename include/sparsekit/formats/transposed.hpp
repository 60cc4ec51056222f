// transposed_view: the transpose of a SELL, BSR or bitmask matrix, read from the same arrays. (Of CSR, CSC and COO the
// transpose is itself one of these formats: convert/transpose.hpp.)
#pragma once

#include "bitmask.hpp"
#include "bsr.hpp"
#include "sell.hpp"

namespace sparsekit {
inline namespace v0 {

/// The transpose of `base`, a view.
template <class View>
struct transposed_view {
  using value_type = typename View::value_type;
  using index = typename View::index;
  using offset = typename View::offset;

  View base;
  extents shape{base.cols(), base.rows()};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return base.nnz(); }
  auto as_const() const {
    return transposed_view<decltype(base.as_const())>{base.as_const(), shape};
  }
};

template <class T, class Index, class Offset>
transposed_view<sell_view<T, Index, Offset>> transposed(const sell_view<T, Index, Offset>& a) {
  return {a, {a.cols(), a.rows()}};
}
template <class T, class Index, class Offset>
transposed_view<bsr_view<T, Index, Offset>> transposed(const bsr_view<T, Index, Offset>& a) {
  return {a, {a.cols(), a.rows()}};
}
template <class T>
transposed_view<bitmask_view<T>> transposed(const bitmask_view<T>& a) {
  return {a, {a.cols(), a.rows()}};
}
template <class View>
View transposed(const transposed_view<View>& a) {
  return a.base;
}

// Of an owner: it must outlive the view, hence not of a temporary.
template <class T, class Index, class Offset>
auto transposed(const sell_matrix<T, Index, Offset>& a) {
  return transposed(a.view());
}
template <class T, class Index, class Offset>
auto transposed(const bsr_matrix<T, Index, Offset>& a) {
  return transposed(a.view());
}
template <class T>
auto transposed(const bitmask_matrix<T>& a) {
  return transposed(a.view());
}
template <class T>
void transposed(const bitmask_matrix<T>&&) = delete;
template <class T, class Index, class Offset>
void transposed(const sell_matrix<T, Index, Offset>&&) = delete;
template <class T, class Index, class Offset>
void transposed(const bsr_matrix<T, Index, Offset>&&) = delete;

template <class View, class Flags = flags_tag>
status validate(const transposed_view<View>& a) {
  return validate(a.base);
}

SPARSEKIT_EXEC_BEGIN_IN_V0
template <class View, class F>
void for_each_entry(const transposed_view<View>& a, F&& f) {
  for_each_entry(a.base, [&](index_t row, index_t column, const auto& value) {
    f(column, row, value);
  });
}
SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
