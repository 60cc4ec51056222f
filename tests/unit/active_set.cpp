// active_set: how it is filled and what it refuses; products that read only the active columns, from
// guarded arrays.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "sparsekit/sparsekit.hpp"
#include "support/generators.hpp"
#include "support/guard.hpp"

namespace sk = sparsekit;
using sk::index_t;
using namespace sparsekit_test;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

std::vector<std::uint32_t> indices_of(const sk::active_set<float>& a) {
  const auto v = a.view();
  return {v.indices.begin(), v.indices.end()};
}

TEST_CASE("the ways to fill a set") {
  const std::vector<float> x{0.f, 1.f, -0.f, -2.f, not_a_number, 0.f, 3.f, 1e-45f, 0.f, 5.f};
  sk::active_set<float> a(12);
  CHECK(bool(a.assign_nonzero(x)));
  CHECK(indices_of(a) == std::vector<std::uint32_t>{1, 3, 4, 6, 7, 9});
  CHECK(a.size() == 10);
  CHECK(a.view().values[1] == -2.f);
  CHECK(bool(a.assign(x, [](float v) { return v > 2.f; })));
  CHECK(indices_of(a) == std::vector<std::uint32_t>{6, 9});
  CHECK(bool(a.assign_above(x, 1.f)));
  CHECK(indices_of(a) == std::vector<std::uint32_t>{4, 6, 9});
  const std::vector<std::uint8_t> mask{0x81, 0x02};
  CHECK(bool(a.assign_mask(x, mask)));
  CHECK(indices_of(a) == std::vector<std::uint32_t>{0, 7, 9});
  CHECK(bool(a.assign_indices(x, std::vector<int>{2, 3, 8})));
  CHECK(indices_of(a) == std::vector<std::uint32_t>{2, 3, 8});
  CHECK(bool(a.assign_nonzero(std::vector<float>{})));
  CHECK(a.count() == 0);
}

TEST_CASE("what a set refuses, by name") {
  const std::vector<float> x(10, 1.f);
  CHECK(sk::active_set<float>::make(-1).error().code == sk::errc::bad_argument);
  sk::active_set<float> small(9);
  CHECK(small.assign_nonzero(x).code == sk::errc::length_mismatch);
  CHECK(small.count() == 0);
  sk::active_set<float> a(10);
  CHECK(a.assign_mask(x, std::vector<std::uint8_t>{1}).code == sk::errc::length_mismatch);
  CHECK(a.assign_mask(x, std::vector<std::uint8_t>{1, 4}).code == sk::errc::bad_pattern);
  CHECK(a.assign_indices(x, std::vector<int>{1, 10}).code == sk::errc::column_out_of_range);
  CHECK(a.assign_indices(x, std::vector<int>{-1}).code == sk::errc::column_out_of_range);
  CHECK(a.assign_indices(x, std::vector<int>{3, 3}).code == sk::errc::duplicate_entry);
  CHECK(a.assign_indices(x, std::vector<int>{3, 2}).code == sk::errc::not_sorted);
  CHECK(a.count() == 0);
  REQUIRE(bool(a.assign_nonzero(x)));
  const std::vector<float> w(40, 1.f);
  std::vector<float> y(4);
  CHECK(bool(sk::check(sk::dense_view<const float, sk::col_major>(w.data(), 4, 10), a, y)));
  CHECK(sk::check(sk::dense_view<const float, sk::col_major>(w.data(), 4, 9), a, y).code ==
        sk::errc::shape_mismatch);
}

template <class T>
void check_product(index_t rows, index_t cols, double active_share, bool with_infinity, edge side,
                   rng& random) {
  CAPTURE(rows);
  CAPTURE(cols);
  const index_t ld = rows + 3;
  guarded<T> w(std::vector<T>(static_cast<std::size_t>(cols > 0 ? (cols - 1) * ld + rows : 0),
                              std::numeric_limits<T>::quiet_NaN()),
               side);
  std::vector<T> x(static_cast<std::size_t>(cols), T{0});
  for (T& v : x) {
    if (random.chance(active_share)) v = static_cast<T>(random.between(1, 4));
  }
  if (with_infinity && cols > 0) {
    x[static_cast<std::size_t>(random.below(cols))] = std::numeric_limits<T>::infinity();
  }
  // Columns that are not active hold NaN: nobody may look at them.
  std::vector<T> expected(static_cast<std::size_t>(rows), T{1});
  for (index_t k = 0; k < cols; ++k) {
    const T factor = x[static_cast<std::size_t>(k)];
    if (factor == T{0}) continue;
    for (index_t r = 0; r < rows; ++r) {
      const T weight = static_cast<T>(random.between(-2, 2));
      w[k * ld + r] = weight;
      if (weight != T{0}) expected[static_cast<std::size_t>(r)] += weight * factor;
    }
  }
  sk::active_set<T> active(cols);
  REQUIRE(bool(active.assign_nonzero(x)));
  guarded<T> y(rows, side);
  y.fill(std::numeric_limits<T>::quiet_NaN());
  const std::vector<T> bias(static_cast<std::size_t>(rows), T{1});
  sk::multiply(sk::dense_view<const T, sk::col_major>(w.data(), rows, cols, ld), active, y,
               sk::bias(bias));
  index_t wrong = 0;
  for (index_t r = 0; r < rows; ++r) {
    wrong += y[r] == expected[static_cast<std::size_t>(r)] ? 0 : 1;
  }
  CHECK(wrong == 0);
  CHECK(y.intact());
}

TEST_CASE_TEMPLATE("every number of rows and of active columns", T, float, double) {
  rng random(11);
  for (index_t rows = 1; rows < 70; ++rows) {
    const edge side = rows % 2 == 0 ? edge::left : edge::right;
    check_product<T>(rows, rows % 27, 0.7, false, side, random);
    check_product<T>(rows, 40, 1.0, true, side, random);
    check_product<T>(rows, 33, 0.0, false, side, random);
  }
  check_product<T>(5000, 19, 0.5, false, edge::right, random);
  check_product<T>(5000, 19, 0.5, true, edge::left, random);
}

TEST_CASE("a zero weight keeps Inf and NaN of x to itself") {
  const std::vector<float> w{1.f, 0.f, 0.f, 1.f};
  const std::vector<float> x{infinity, 2.f};
  sk::active_set<float> active(2);
  REQUIRE(bool(active.assign_nonzero(x)));
  std::vector<float> y(2, not_a_number);
  sk::multiply(sk::dense_view<const float, sk::col_major>(w.data(), 2, 2), active, y);
  CHECK(y[0] == infinity);
  CHECK(y[1] == 2.f);
}

TEST_CASE("threads do not change a bit") {
  rng random(12);
  const std::vector<float> w = make_dense<float>(3000, 90, random);
  std::vector<float> x = make_dense<float>(90, 1, random);
  for (std::size_t i = 0; i < x.size(); i += 3) x[i] = 0;
  sk::active_set<float> active(90);
  REQUIRE(bool(active.assign_nonzero(x)));
  const sk::dense_view<const float, sk::col_major> wv(w.data(), 3000, 90);
  std::vector<float> one(3000, not_a_number);
  std::vector<float> two(3000, not_a_number);
  sk::multiply(wv, active, one);
  const auto backwards = [](index_t tasks, const auto& f) {
    for (index_t t = tasks; t-- > 0;) f(t, index_t{0});
  };
  sk::multiply(sk::par(backwards), wv, active, two);
  CHECK(one == two);
}

TEST_CASE("the rows of X that some token needs") {
  // Two blocks of rows, and tokens that each need others.
  const index_t rows = 700;
  std::vector<float> x(static_cast<std::size_t>(rows * 3), 0.f);
  const sk::dense_view<float, sk::row_major> by_row(x.data(), rows, 3);
  by_row(3, 0) = 1.f;
  by_row(3, 2) = -1.f;
  by_row(511, 1) = 1e-45f;
  by_row(512, 2) = not_a_number;
  by_row(699, 0) = -0.f;
  std::vector<float> turned(x.size());
  const sk::dense_view<float, sk::col_major> by_column(turned.data(), rows, 3);
  for (index_t r = 0; r < rows; ++r) {
    for (index_t j = 0; j < 3; ++j) by_column(r, j) = by_row(r, j);
  }
  const std::vector<std::uint32_t> right{3, 511, 512};
  sk::active_rows list(rows);
  const auto indices = [&] {
    return std::vector<std::uint32_t>(list.indices().begin(), list.indices().end());
  };
  CHECK(bool(list.assign_nonzero(by_row)));
  CHECK(indices() == right);
  CHECK(bool(list.assign(by_row, [](float v) { return v > 0.5f; })));
  CHECK(indices() == std::vector<std::uint32_t>{3});
  CHECK(bool(list.assign_nonzero(by_column)));
  CHECK(indices() == right);
  CHECK(list.size() == rows);
  CHECK(list.count() == 3);

  CHECK(sk::active_rows::make(-1).error().code == sk::errc::bad_argument);
  const std::vector<float> w(2800, 1.f);
  std::vector<float> y(12);
  const sk::dense_view<float> yv(y.data(), 4, 3);
  const sk::dense_view<const float, sk::col_major> wv(w.data(), 4, rows);
  CHECK(bool(sk::check(wv, list.of(by_row), yv)));
  CHECK(sk::check(wv, list.of(by_row), sk::dense_view(y.data(), 4, 2)).code ==
        sk::errc::shape_mismatch);
  CHECK(sk::check(sk::dense_view<const float, sk::col_major>(w.data(), 4, rows - 1),
                  list.of(by_row), yv)
            .code == sk::errc::shape_mismatch);
  CHECK(sk::check(wv, list.of(sk::dense_view<float>(x.data(), rows - 1, 3)), yv).code ==
        sk::errc::shape_mismatch);
  sk::active_rows small(rows - 1);
  CHECK(small.assign_nonzero(by_row).code == sk::errc::length_mismatch);
  CHECK(small.count() == 0);
}

/// Y = W X from guarded arrays, features that no token needs poisoned, against exact sums.
template <class T, class LX, class LY>
void check_tokens(index_t rows, index_t cols, index_t tokens, double active_share,
                  bool with_infinity, edge side, rng& random) {
  CAPTURE(rows);
  CAPTURE(cols);
  CAPTURE(tokens);
  const index_t ld = rows + 1;
  guarded<T> w(cols > 0 ? (cols - 1) * ld + rows : 0, side);
  w.fill(std::numeric_limits<T>::quiet_NaN());
  guarded<T> x(cols * tokens, side);
  const auto layout = [](index_t r, index_t c, auto tag) {
    return sk::dense_view<T, decltype(tag)>(nullptr, r, c).ld();
  };
  const sk::dense_view<T, LX> xv(x.data(), cols, tokens, layout(cols, tokens, LX{}));
  std::vector<T> expected(static_cast<std::size_t>(rows * tokens), T{0});
  for (index_t k = 0; k < cols; ++k) {
    const bool used = random.chance(active_share);
    for (index_t j = 0; j < tokens; ++j) {
      xv(k, j) = used && random.chance(0.8) ? static_cast<T>(random.between(1, 4)) : T{0};
    }
    if (used) xv(k, random.below(tokens)) = T{2};
    if (used && with_infinity && k % 5 == 1) xv(k, tokens / 2) = std::numeric_limits<T>::infinity();
    for (index_t r = 0; used && r < rows; ++r) {
      const T weight = static_cast<T>(random.between(0, 3));
      w[k * ld + r] = weight;
      for (index_t j = 0; j < tokens && weight != T{0}; ++j) {
        expected[static_cast<std::size_t>(j * rows + r)] += weight * xv(k, j);
      }
    }
  }
  w.freeze();
  x.freeze();
  sk::active_rows list(cols);
  REQUIRE(bool(list.assign_nonzero(xv)));
  guarded<T> y(rows * tokens, side);
  y.fill(std::numeric_limits<T>::quiet_NaN());
  const sk::dense_view<T, LY> yv(y.data(), rows, tokens, layout(rows, tokens, LY{}));
  sk::multiply(sk::dense_view<const T, sk::col_major>(w.data(), rows, cols, ld), list.of(xv), yv);
  index_t wrong = 0;
  for (index_t r = 0; r < rows; ++r) {
    for (index_t j = 0; j < tokens; ++j) {
      wrong += yv(r, j) == expected[static_cast<std::size_t>(j * rows + r)] ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
  CHECK(y.intact());
}

TEST_CASE("tiles of tokens: every tail of rows and tokens") {
  rng random(13);
  for (index_t tokens = 1; tokens < 15; ++tokens) {
    const edge side = tokens % 2 == 0 ? edge::left : edge::right;
    for (const index_t rows : {1, 7, 16, 33, 70}) {
      check_tokens<float, sk::row_major, sk::row_major>(rows, 40, tokens, 0.6, false, side, random);
      check_tokens<float, sk::col_major, sk::col_major>(rows, 33, tokens, 0.6, true, side, random);
    }
    check_tokens<double, sk::col_major, sk::row_major>(45, 17, tokens, 0.9, true, side, random);
  }
  for (const index_t tokens : {47, 48, 49, 97}) {
    check_tokens<float, sk::row_major, sk::row_major>(300, 35, tokens, 0.5, true, edge::right, random);
    check_tokens<double, sk::col_major, sk::row_major>(150, 35, tokens, 0.5, false, edge::left, random);
  }
  check_tokens<float, sk::col_major, sk::col_major>(7000, 20, 2, 0.5, false, edge::right, random);
  check_tokens<float, sk::col_major, sk::col_major>(20, 0, 5, 0.5, false, edge::right, random);
  check_tokens<float, sk::col_major, sk::col_major>(20, 30, 5, 0.0, false, edge::right, random);
}

TEST_CASE("the bits of a token do not depend on its tile or on threads") {
  rng random(14);
  const index_t rows = 201, cols = 90, tokens = 61;
  const std::vector<float> w = make_dense<float>(rows, cols, random);
  std::vector<float> x = make_dense<float>(cols, tokens, random);
  const sk::dense_view<float> xv(x.data(), cols, tokens);
  for (index_t j = 0; j < tokens; ++j) xv(7, j) = xv(50, j) = 0.f;
  const sk::dense_view<const float, sk::col_major> wv(w.data(), rows, cols);
  sk::active_rows list(cols);
  REQUIRE(bool(list.assign_nonzero(xv)));
  std::vector<float> all(static_cast<std::size_t>(rows * tokens), not_a_number);
  const sk::dense_view<float> yv(all.data(), rows, tokens);
  sk::multiply(wv, list.of(xv), yv);
  std::vector<float> again(all.size(), not_a_number);
  const auto backwards = [](index_t tasks, const auto& f) {
    for (index_t t = tasks; t-- > 0;) f(t, index_t{0});
  };
  sk::multiply(sk::par(backwards), wv, list.of(xv), sk::dense_view<float>(again.data(), rows, tokens));
  CHECK(all == again);
  // Two tokens of it, beside one of Inf.
  for (const index_t first : {0, 5, 58}) {
    std::vector<float> some(static_cast<std::size_t>(cols * 3), infinity);
    const sk::dense_view<float> sv(some.data(), cols, 3);
    for (index_t k = 0; k < cols; ++k) {
      for (index_t j = 0; j < 2; ++j) sv(k, j) = xv(k, first + j);
    }
    std::vector<float> out(static_cast<std::size_t>(rows * 3), not_a_number);
    const sk::dense_view<float> ov(out.data(), rows, 3);
    sk::multiply(wv, list.of(sv), ov);
    index_t wrong = 0;
    for (index_t r = 0; r < rows; ++r) {
      wrong += ov(r, 0) == yv(r, first) && ov(r, 1) == yv(r, first + 1) ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
}

}  // namespace
