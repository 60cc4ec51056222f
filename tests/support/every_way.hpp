// A product computed in every way that selection knows: each layout of X and Y, with and without a workspace,
// compared with plain loops over small integers, where it must be exact.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <vector>

#include "sparsekit/multiply.hpp"
#include "support/at.hpp"
#include "support/sanitized.hpp"

namespace sparsekit_test {

using sparsekit::index_t;

template <class T>
struct dense {
  index_t rows, cols;
  std::vector<T> data;

  dense(index_t r, index_t c, T fill = T{0}) : rows(r), cols(c), data(at(r * c), fill) {}
  T& operator()(index_t r, index_t c) { return data[at(r * cols + c)]; }
  T operator()(index_t r, index_t c) const { return data[at(r * cols + c)]; }
  sparsekit::dense_view<T, sparsekit::row_major> view() { return {data.data(), rows, cols}; }
  sparsekit::dense_view<const T, sparsekit::row_major> view() const { return {data.data(), rows, cols}; }
};

/// Multiplies in every way that selection knows: each layout of X and Y, with and without a workspace, for
/// every count of columns given; f(X as a function of place, Y as a function of place, columns).
template <class T, class Matrix, class X, class F>
void in_every_way(const Matrix& a, const X& x_at, std::initializer_list<index_t> counts, F&& f) {
  const auto run = [&](index_t n, auto x_layout, auto y_layout, bool with_workspace) {
    std::vector<T> xs(at(a.cols() * n + 1));
    std::vector<T> ys(at(a.rows() * n + 1), std::numeric_limits<T>::quiet_NaN());
    const sparsekit::dense_view<T, decltype(x_layout)> x(xs.data(), a.cols(), n);
    const sparsekit::dense_view<T, decltype(y_layout)> y(ys.data(), a.rows(), n);
    for (index_t k = 0; k < a.cols(); ++k) {
      for (index_t j = 0; j < n; ++j) x(k, j) = x_at(k, j);
    }
    if (with_workspace) {
      sparsekit::workspace ws(a, {.max_columns = n});
      sparsekit::multiply(a, x, y, ws);
    } else {
      sparsekit::multiply(a, x, y);
    }
    f(x, y, n);
  };
  long turn = 0;
  for (const index_t n : counts) {
    ++turn;
    for (const bool ws : {false, true}) {
      if (is_tried(turn, ws)) {
        run(n, sparsekit::row_major{}, sparsekit::row_major{}, ws);
        run(n, sparsekit::col_major{}, sparsekit::col_major{}, ws);
      }
      if (is_tried(turn, ws, 1)) {
        run(n, sparsekit::row_major{}, sparsekit::col_major{}, ws);
        run(n, sparsekit::col_major{}, sparsekit::row_major{}, ws);
      }
    }
  }
}

/// Small integers: products and sums are exact, so results must be equal. X may hold NaN and Inf: only the
/// nonzeros of w meet it. Returns how many elements of Y these reached.
template <class T, class Matrix, class X>
index_t check_product(const Matrix& a, const dense<T>& w, std::initializer_list<index_t> counts,
                      const X& x_at) {
  // What is right, once for all ways, with plain pointers: sanitizers run this unoptimised.
  const index_t n = std::max(counts);
  std::vector<T> xs(at(w.cols * n));
  std::vector<T> sums(at(w.rows * n), T{0});
  for (index_t k = 0; k < w.cols; ++k) {
    for (index_t j = 0; j < n; ++j) xs[at(k * n + j)] = static_cast<T>(x_at(k, j));
  }
  for (index_t r = 0; r < w.rows; ++r) {
    T* const sum = sums.data() + r * n;
    for (index_t k = 0; k < w.cols; ++k) {
      const T v = w(r, k);
      const T* const x = xs.data() + k * n;
      if (v == T{0}) continue;
      for (index_t j = 0; j < n; ++j) sum[j] += v * x[j];
    }
  }
  index_t wrong = 0;
  index_t checked = 0;
  index_t reached = 0;
  in_every_way<T>(a, x_at, counts, [&](const auto&, const auto& y, index_t columns) {
    for (index_t r = 0; r < w.rows; ++r) {
      const T* const right = sums.data() + r * n;
      for (index_t j = 0; j < columns; ++j) {
        const T got = y(r, j);
        const T want = right[j];
        wrong += want != want ? got == got : !(got == want);
        reached += !std::isfinite(want);
        ++checked;
      }
    }
  });
  CHECK(wrong == 0);
  CHECK(checked > 0);
  return reached;
}
template <class T, class Matrix>
void check_product(const Matrix& a, const dense<T>& w, std::initializer_list<index_t> counts) {
  check_product(a, w, counts,
                [](index_t k, index_t j) { return static_cast<T>((k * 7 + j * 5) % 13 - 6); });
}

}  // namespace sparsekit_test
