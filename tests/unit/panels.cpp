// The panel layout: products of quads, wide rows and packed dense weights with X, Y or both as
// panels, every tail, exact, all operands between guard pages; what lies behind the last column;
// Inf in X; epilogues by column; conversions; named errors.
#include <doctest/doctest.h>

#include <limits>
#include <sparsekit/pack/dense.hpp>
#include <sparsekit/pack/pack.hpp>
#include <sparsekit/panels.hpp>
#include <string_view>
#include <vector>

#include "support/guard.hpp"
#include "support/rng.hpp"

namespace sk = sparsekit;
using sk::index_t;
using sparsekit_test::edge;
using sparsekit_test::guarded;
using sparsekit_test::rng;

namespace {

template <class T>
struct problem {
  index_t m, k, n;
  std::vector<T> w, x, bias, column_bias;

  problem(index_t rows, index_t cols, index_t columns, double zeros, rng& random)
      : m(rows), k(cols), n(columns) {
    const auto fill = [&](std::vector<T>& v, index_t size, double none) {
      v.resize(static_cast<std::size_t>(size));
      for (T& e : v) e = random.chance(none) ? T{0} : static_cast<T>(random.between(1, 8));
    };
    fill(w, m * k, zeros);
    fill(x, k * n, 0.1);
    fill(bias, m, 0);
    fill(column_bias, n, 0);
  }
  sk::dense_view<const T> weights() const { return {w.data(), m, k}; }
  sk::dense_view<const T> X() const { return {x.data(), k, n}; }
  /// W X + bias + column_bias + 2 y0, leaving out zero weights.
  T expected(index_t r, index_t c, T y0) const {
    T sum{0};
    for (index_t i = 0; i < k; ++i) {
      if (weights()(r, i) != T{0}) sum += weights()(r, i) * X()(i, c);
    }
    return sum + bias[static_cast<std::size_t>(r)] + column_bias[static_cast<std::size_t>(c)] +
           2 * y0;
  }
};

template <class T>
bool same(T a, T b) {
  return a == b || (a != a && b != b);
}

template <class T, class Y>
index_t wrong_elements(const problem<T>& p, const Y& y, T y0) {
  index_t wrong = 0;
  for (index_t r = 0; r < p.m; ++r) {
    for (index_t c = 0; c < p.n; ++c) wrong += same(y(r, c), p.expected(r, c, y0)) ? 0 : 1;
  }
  return wrong;
}

/// X and Y as panels, then each of them row-major.
template <class T, class W, class Policy>
void check_product(const problem<T>& p, const W& w, index_t width, edge e, const Policy& policy,
                   index_t workers) {
  CAPTURE(p.m);
  CAPTURE(p.k);
  CAPTURE(p.n);
  CAPTURE(width);
  constexpr T nan = std::numeric_limits<T>::quiet_NaN();
  guarded<T> x_memory(sk::panel_elements(p.k, p.n, width), e);
  guarded<T> y_memory(sk::panel_elements(p.m, p.n, width), e);
  const sk::dense_view<T, sk::panel_major> x(x_memory.data(), p.k, p.n, width);
  const sk::dense_view<T, sk::panel_major> y(y_memory.data(), p.m, p.n, width);
  for (index_t i = 0; i < x.span_size(); ++i) x.data()[i] = nan;  // behind the last column, too
  for (index_t c = 0; c < p.n; ++c) {
    for (index_t r = 0; r < p.k; ++r) x(r, c) = p.X()(r, c);
  }
  for (index_t i = 0; i < y.span_size(); ++i) y.data()[i] = T{3};
  sk::workspace ws(w, {.max_columns = p.n, .max_workers = workers});
  const auto epilogue = sk::bias(p.bias) | sk::bias_columns(p.column_bias) | sk::accumulate(T{2});
  const sk::dense_view<const T, sk::panel_major> from = x;
  REQUIRE(sk::check(w, from, y, epilogue, ws));
  sk::multiply(policy, w, from, y, epilogue, ws);
  CHECK(wrong_elements(p, y, T{3}) == 0);
  index_t touched = 0;
  for (index_t c = p.n; c < y.panels() * width; ++c) {
    for (index_t r = 0; r < p.m; ++r) touched += y(r, c) == T{3} ? 0 : 1;
  }
  CHECK(touched == 0);

  guarded<T> rows_memory(p.m * p.n, e);
  const sk::dense_view<T> rows(rows_memory.data(), p.m, p.n);
  for (index_t i = 0; i < p.m * p.n; ++i) rows.data()[i] = T{5};
  sk::multiply(policy, w, from, rows, epilogue, ws);
  CHECK(wrong_elements(p, rows, T{5}) == 0);

  for (index_t i = 0; i < y.span_size(); ++i) y.data()[i] = T{7};
  guarded<T> x_rows(p.x, e);
  sk::multiply(policy, w, sk::dense_view<const T>(x_rows.data(), p.k, p.n), y, epilogue, ws);
  CHECK(wrong_elements(p, y, T{7}) == 0);
}

template <class T>
void check_type() {
  rng random(20251);
  // Three workers in turn: each task has the scratch of its own.
  const auto in_turn = [](index_t tasks, auto&& f) {
    for (index_t i = tasks; i-- > 0;) f(i, i % 3);
  };
  const index_t shapes[][2] = {{1, 1}, {37, 53}, {530, 140}};
  for (const auto& s : shapes) {
    for (const double zeros : {0.5, 0.9}) {
      const problem<T> one(s[0], s[1], 1, zeros, random);
      const auto dense_width = sk::panel_width(sk::pack_dense(one.weights()).value());
      for (const index_t n : {index_t{1}, dense_width - 1, dense_width, 2 * dense_width + 5}) {
        problem<T> p(s[0], s[1], n, zeros, random);
        const edge e = n % 2 == 0 ? edge::left : edge::right;
        // Inf where some rows have no entry: they must not see it.
        if (s[0] > 1)
          p.x[static_cast<std::size_t>((s[1] / 2) * n + n / 2)] =
              std::numeric_limits<T>::infinity();
        const auto dense = sk::pack_dense(p.weights()).value();
        const auto csr = sk::csr_matrix<T>::from_dense(p.weights()).value();
        const index_t interleave = 1 + n % 2;
        const sk::quad_shape cut{512, interleave == 1 ? 128 : 256, interleave};
        const sk::packed_matrix<T> quads(csr.shape(), csr.nnz(),
                                         sk::pack_quads(sk::seq, csr.view(), cut).value());
        check_product(p, dense, sk::panel_width(dense), e, sk::seq, 1);
        check_product(p, quads, sk::panel_width(quads), e, sk::par(in_turn), 3);
        check_product(p, quads, index_t{5}, e, sk::seq, 1);  // no kernel's width
        const sk::packed_matrix<T> wide(csr.shape(), csr.nnz(), {}, {}, {},
                                        sk::pack_wide(sk::seq, csr.view()).value());
        check_product(p, wide, sk::panel_width(wide), e, sk::par(in_turn), 3);
        check_product(p, wide, index_t{5}, e, sk::seq, 1);
      }
    }
  }
}

}  // namespace

TEST_CASE("products of panels, f32") { check_type<float>(); }
TEST_CASE("products of panels, f64") { check_type<double>(); }

TEST_CASE("to panels and back, from both layouts") {
  rng random(7);
  for (const index_t width : {index_t{3}, index_t{16}, index_t{32}}) {
    for (const index_t n : {index_t{1}, index_t{16}, index_t{37}}) {
      const problem<float> p(1, 29, n, 0, random);
      std::vector<float> panels(static_cast<std::size_t>(sk::panel_elements(29, n, width)), -1.f);
      const sk::dense_view<float, sk::panel_major> x(panels.data(), 29, n, width);
      std::vector<float> back(p.x.size()), turned(p.x.size());
      sk::to_panels(p.X(), x);
      sk::from_panels(x, sk::dense_view<float>(back.data(), 29, n));
      CHECK(back == p.x);
      sk::from_panels(x, sk::dense_view<float, sk::col_major>(turned.data(), 29, n));
      std::fill(panels.begin(), panels.end(), -1.f);
      sk::to_panels(sk::dense_view<const float, sk::col_major>(turned.data(), 29, n), x);
      std::fill(back.begin(), back.end(), 0.f);
      sk::from_panels(x, sk::dense_view<float>(back.data(), 29, n));
      CHECK(back == p.x);
      for (index_t c = n; c < x.panels() * width; ++c) CHECK(x(0, c) == 0.f);
    }
  }
}

TEST_CASE("errors of panels are named") {
  rng random(3);
  const problem<float> p(8, 4, 20, 0.5, random);
  const auto w = sk::pack_dense(p.weights()).value();
  std::vector<float> x(4 * 32), y(8 * 32);
  using panels = sk::dense_view<float, sk::panel_major>;
  const panels X(x.data(), 4, 20, 16), Y(y.data(), 8, 20, 16);
  CHECK(sk::check(w, X, Y));
  CHECK(sk::check(w, X, panels(y.data(), 8, 20, 32)).code == sk::errc::shape_mismatch);
  CHECK(sk::check(w, X, panels(y.data(), 8, 20, 0)).code == sk::errc::bad_argument);
  CHECK(sk::check(w, panels(x.data(), 5, 20, 16), Y).code == sk::errc::shape_mismatch);
  CHECK(sk::check(w, panels(nullptr, 4, 20, 16), Y).code == sk::errc::null_array);
  CHECK(sk::check(w, panels(y.data(), 4, 20, 16), Y).code == sk::errc::aliased_operands);
  CHECK(sk::validate(panels(x.data(), -1, 20, 16)).code == sk::errc::negative_size);
  constexpr index_t most = std::numeric_limits<index_t>::max();
  CHECK(sk::validate(panels(x.data(), 4, most, 16)).code == sk::errc::size_overflow);
  CHECK(sk::validate(panels(x.data(), most / 8, 20, 16)).code == sk::errc::size_overflow);
  const auto csr = sk::csr_matrix<float>::from_dense(p.weights()).value();
  const sk::packed_matrix<float> none(csr.shape(), csr.nnz(), {}, {},
                                      sk::pack_spmv(csr.view()).value());
  CHECK(sk::check(none, X, Y).code == sk::errc::unsupported);
  std::vector<float> short_bias(7);
  CHECK(sk::check(w, X, Y, sk::bias(short_bias)).code == sk::errc::length_mismatch);

  // A workspace for fewer columns or workers than the call's.
  struct {
    index_t workers() const { return 3; }
  } three;
  const sk::packed_matrix<float> quads(csr.shape(), csr.nnz(),
                                       sk::pack_quads(sk::seq, csr.view(), {512, 128, 1}).value());
  const auto detail = [&](const auto& matrix, sk::workspace_options made_for) {
    const sk::workspace ws(matrix, made_for);
    const sk::status s = sk::check(sk::par(three), matrix, X, Y, sk::relu, ws);
    CHECK((s || s.code == sk::errc::workspace_too_small));
    return std::string_view(s.detail);
  };
  CHECK(detail(w, {.max_columns = 20, .max_workers = 3}) == "");
  CHECK(detail(w, {.max_columns = 20}) == "workers");
  CHECK(detail(w, {.max_columns = 1, .max_workers = 3}) == "bytes a worker");
  CHECK(detail(quads, {.max_columns = 20, .max_workers = 3}) == "");
  CHECK(detail(quads, {.max_columns = 20}) == "workers");
  CHECK(sk::check(quads, X, Y, sk::workspace()).code == sk::errc::workspace_too_small);
}
