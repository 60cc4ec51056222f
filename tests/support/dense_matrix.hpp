// Dense operands of the tests of dense products: matrices of either layout between guard pages.
#pragma once

#include <sparsekit/core/dense_view.hpp>

#include "support/guard.hpp"

namespace sparsekit_test {

/// A dense matrix between guard pages, its leading dimension a little too wide.
template <class T, class Layout>
struct matrix {
  sparsekit::index_t rows, cols, ld;
  guarded<T> data;

  matrix(sparsekit::index_t r, sparsekit::index_t c, sparsekit::index_t gap, edge e)
      : rows(r), cols(c), ld((Layout::rows_contiguous ? c : r) + gap), data(span(), e) {}
  sparsekit::index_t span() const {
    const sparsekit::index_t lines = Layout::rows_contiguous ? rows : cols;
    return lines == 0 ? 0 : (lines - 1) * ld + (Layout::rows_contiguous ? cols : rows);
  }
  sparsekit::dense_view<T, Layout> view() { return {data.data(), rows, cols, ld}; }
  sparsekit::dense_view<const T, Layout> const_view() { return view(); }
  template <class F>
  void fill(F&& f) {
    auto v = view();
    for (sparsekit::index_t r = 0; r < rows; ++r) {
      for (sparsekit::index_t c = 0; c < cols; ++c) v(r, c) = f();
    }
  }
};

/// W is m x k, X k x n.
struct shape {
  sparsekit::index_t m, k, n;
};

}  // namespace sparsekit_test
