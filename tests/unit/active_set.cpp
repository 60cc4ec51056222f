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

}  // namespace
