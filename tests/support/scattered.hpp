// Matrices whose entries do not come row by row, in all the forms that say A x, and their products against plain
// loops with every operand between guard pages.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

#include "generators.hpp"
#include "guard.hpp"
#include "matrices.hpp"
#include "sparsekit/convert/conversions.hpp"
#include "sparsekit/convert/to_bsr.hpp"
#include "sparsekit/convert/to_sell.hpp"
#include "sparsekit/multiply.hpp"

namespace sparsekit_test {

namespace sk = sparsekit;

inline std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

/// `workers` threads, each with every workers-th task; or, with none, all tasks here, the last first.
struct threads {
  index_t workers;
  template <class F>
  void operator()(index_t tasks, F&& f) const {
    std::vector<std::thread> running;
    for (index_t w = 0; w < workers; ++w) {
      running.emplace_back([&, w] {
        for (index_t t = w; t < tasks; t += workers) f(t, w);
      });
    }
    for (std::thread& t : running) t.join();
    for (index_t t = tasks - 1; t >= 0 && workers == 0; --t) f(t, index_t{0});
  }
};

template <class T, class I, class O>
sk::csr_view<const T, I, O> view_of(const csr_arrays<T, I, O>& a) {
  return {{a.rows, a.cols}, a.row_ptr, a.columns, a.values};
}

/// Every way to say A x for the matrix of `a`: f(name, A as view or owner).
template <class T, class I, class O, class F>
void each_form(const csr_arrays<T, I, O>& a, edge e, F&& f) {
  const guarded_csr<T, I, O> rows(a, e);
  const auto transpose = sk::to_csr(sk::transposed(rows.view())).value();
  const auto t = transpose.view();
  {
    const guarded<O> col_ptr(t.row_ptr, e);
    const guarded<I> row_indices(t.columns, e);
    const guarded<T> values(t.values, e);
    f("csc", sk::csc_view<const T, I, O>{
                 {a.rows, a.cols}, col_ptr.view(), row_indices.view(), values.view()});
  }
  {
    const auto list = entries_of(rows.view());
    guarded<I> r(static_cast<index_t>(list.size()), e);
    guarded<I> c(static_cast<index_t>(list.size()), e);
    guarded<T> v(static_cast<index_t>(list.size()), e);
    // Sorted, then in an order of its own.
    for (const bool shuffled : {false, true}) {
      const std::size_t n = list.size();
      for (std::size_t i = 0; i < n; ++i) {
        const auto& [row, column, value] = list[shuffled ? (i * 7919 + 13) % n : i];
        if (shuffled && n % 7919 == 0) break;
        const auto p = static_cast<index_t>(i);
        r[p] = static_cast<I>(row);
        c[p] = static_cast<I>(column);
        v[p] = value;
      }
      f(shuffled ? "coo shuffled" : "coo",
        sk::coo_view<const T, I>{{a.rows, a.cols}, r.view(), c.view(), v.view()});
    }
  }
  f("transposed csr", sk::transposed(t));
  const auto sell = sk::to_sell(t, {.max_fill = 1000}).value();
  f("transposed sell", sk::transposed(sell));
  const auto bsr = sk::to_bsr(t, {.rows = 3, .cols = 2}).value();
  f("transposed bsr", sk::transposed(bsr));
}

/// Sums of entries in plain loops, in long double.
template <class T, class I, class O>
std::vector<long double> product(const csr_arrays<T, I, O>& a, const std::vector<T>& x, index_t n) {
  std::vector<long double> y(at(a.rows * n), 0);
  for (index_t r = 0; r < a.rows; ++r) {
    for (auto p = at(static_cast<index_t>(a.row_ptr[at(r)]));
         p < at(static_cast<index_t>(a.row_ptr[at(r + 1)])); ++p) {
      for (index_t j = 0; j < n; ++j) {
        y[at(r * n + j)] += static_cast<long double>(a.values[p]) *
                            static_cast<long double>(x[at(static_cast<index_t>(a.columns[p]) * n + j)]);
      }
    }
  }
  return y;
}

inline bool same(long double a, long double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// A times X (row by row in x), compared with `expected`: exact, as small integers are.
template <class XL, class YL, bool Accumulate, class A, class T>
void check_layout(const A& a, const std::vector<T>& x, index_t n,
                  const std::vector<long double>& expected, edge e, bool with_workspace) {
  const index_t x_ld = XL::rows_contiguous ? n + 1 : a.cols() + 3;
  const index_t y_ld = YL::rows_contiguous ? n + 2 : a.rows() + 1;
  const sk::dense_view<T, XL> x_shape(nullptr, a.cols(), n, x_ld);
  const sk::dense_view<T, YL> y_shape(nullptr, a.rows(), n, y_ld);
  guarded<T> xs(x_shape.span_size(), e);
  guarded<T> ys(y_shape.span_size(), e);
  xs.fill(std::numeric_limits<T>::quiet_NaN());
  const sk::dense_view<T, XL> xv(xs.data(), a.cols(), n, x_ld);
  const sk::dense_view<T, YL> yv(ys.data(), a.rows(), n, y_ld);
  for (index_t k = 0; k < a.cols(); ++k) {
    for (index_t j = 0; j < n; ++j) xv(k, j) = x[at(k * n + j)];
  }
  index_t wrong = 0;
  const auto compare = [&](long double factor, long double offset) {
    for (index_t r = 0; r < a.rows(); ++r) {
      for (index_t j = 0; j < n; ++j) {
        wrong += !same(yv(r, j), factor * expected[at(r * n + j)] + offset);
      }
    }
  };
  const auto run = [&](const auto& epilogue) {
    if (with_workspace) {
      sk::workspace ws(a, {.max_columns = n});
      sk::multiply(a, xv, yv, epilogue, ws);
    } else {
      sk::multiply(a, xv, yv, epilogue);
    }
  };
  ys.fill(std::numeric_limits<T>::quiet_NaN());
  run(sk::identity_epilogue{});
  compare(1, 0);
  if constexpr (Accumulate) {
    ys.fill(T{5});
    run(sk::scale(T{2}) | sk::accumulate);
    compare(2, 5);
  }
  CHECK(wrong == 0);
  CHECK(xs.intact());
  CHECK(ys.intact());
}

/// All layouts, and what y held, with COO only: the others differ in how entries are listed.
template <class A>
inline constexpr bool is_coo = std::is_same_v<typename sk::format_of<A>::type, sk::format::coo>;
template <class T, class A>
void check_products(const A& a, const std::vector<T>& x, index_t n,
                    const std::vector<long double>& expected, edge e) {
  using R = sk::row_major;
  using C = sk::col_major;
  constexpr bool all = is_coo<A> && std::is_same_v<T, float>;
  for (const bool ws : {false, true}) {
    check_layout<C, C, all>(a, x, n, expected, e, ws);
    if constexpr (all) {
      check_layout<R, R, all>(a, x, n, expected, e, ws);
      check_layout<C, R, false>(a, x, n, expected, e, ws);
      check_layout<R, C, false>(a, x, n, expected, e, ws);
    }
  }
}

/// X whose column of A `hurt` (if any) is NaN.
template <class T>
std::vector<T> integers(index_t rows, index_t n, rng& random, index_t hurt = -1) {
  std::vector<T> x(at(rows * n));
  for (T& v : x) v = static_cast<T>(random.between(-3, 3));
  if (hurt >= 0) {
    for (index_t j = 0; j < n; ++j) x[at(hurt * n + j)] = std::numeric_limits<T>::quiet_NaN();
  }
  return x;
}

/// A symmetric matrix of small integers, whole.
template <class T, class I = std::int32_t>
csr_arrays<T, I> make_symmetric(index_t n, double density, rng& random) {
  std::vector<std::vector<T>> dense(at(n), std::vector<T>(at(n), T{0}));
  for (index_t r = 0; r < n; ++r) {
    for (index_t c = 0; c <= r; ++c) {
      if (!random.chance(density)) continue;
      dense[at(r)][at(c)] = dense[at(c)][at(r)] = static_cast<T>(random.between(1, 4));
    }
  }
  csr_arrays<T, I> a{n, n, {0}, {}, {}};
  for (index_t r = 0; r < n; ++r) {
    for (index_t c = 0; c < n; ++c) {
      if (dense[at(r)][at(c)] == T{0}) continue;
      a.columns.push_back(static_cast<I>(c));
      a.values.push_back(dense[at(r)][at(c)]);
    }
    a.row_ptr.push_back(static_cast<std::int32_t>(a.columns.size()));
  }
  return a;
}
template <class T, class I>
csr_arrays<T, I> half_of(const csr_arrays<T, I>& a, sk::triangle stored) {
  csr_arrays<T, I> h{a.rows, a.cols, {0}, {}, {}};
  for (index_t r = 0; r < a.rows; ++r) {
    for (auto p = at(a.row_ptr[at(r)]); p < at(a.row_ptr[at(r + 1)]); ++p) {
      const auto c = static_cast<index_t>(a.columns[p]);
      if (stored == sk::lower ? c > r : c < r) continue;
      h.columns.push_back(a.columns[p]);
      h.values.push_back(a.values[p]);
    }
    h.row_ptr.push_back(static_cast<std::int32_t>(h.columns.size()));
  }
  return h;
}

/// Sequential and by 1, 2, 4 workers, and the last task first: the same bits.
template <class T, class A>
void check_bits(const A& form, index_t n, bool with_workspace, rng& random) {
  using sk::dense_view;
  std::vector<T> x = make_dense<T>(form.cols(), n, random);
  std::vector<T> first(at(form.rows() * n));
  std::vector<T> y(first.size());
  const auto run = [&](const auto& policy, std::vector<T>& to) {
    const dense_view<const T, sk::col_major> xv(x.data(), form.cols(), n);
    const dense_view<T, sk::col_major> yv(to.data(), form.rows(), n);
    if (with_workspace) {
      sk::workspace ws(form, {.max_columns = n, .max_workers = 4});
      sk::multiply(policy, form, xv, yv, ws);
    } else {
      sk::multiply(policy, form, xv, yv);
    }
  };
  run(sk::seq, first);
  const auto equal = [&] {
    return std::memcmp(first.data(), y.data(), first.size() * sizeof(T)) == 0;
  };
  for (const index_t workers : {0, 1, 2, 4}) {
    std::fill(y.begin(), y.end(), std::numeric_limits<T>::quiet_NaN());
    run(sk::par(threads{workers}), y);
    CHECK(equal());
  }
  }

}  // namespace sparsekit_test
