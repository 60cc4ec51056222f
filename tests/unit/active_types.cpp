// Active sets with weights of bf16, f16 and s8, with W in 16 x 1 blocks, with a set for each column,
// and with one list of rows for all: exact products of guarded arrays; what is not active or no entry is never looked at;
// refusals.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <sparsekit/check.hpp>
#include <sparsekit/convert/to_bsr.hpp>
#include <sparsekit/multiply.hpp>
#include <string>

#include "support/sparse_narrow.hpp"

using namespace sparsekit_test;

namespace {

/// f(x)[k], some of it zero.
template <class TX>
std::vector<TX> activations(index_t k, double share, rng& random) {
  std::vector<TX> x(at(k), TX{});
  for (TX& v : x) {
    if (random.chance(share)) v = number<TX>(random);
  }
  return x;
}

/// What is not NaN where type and place allow one: columns that nobody may read.
template <class T>
T poison() {
  if constexpr (std::is_integral_v<T>) {
    return T{77};
  } else {
    return made_of<T>(std::numeric_limits<double>::quiet_NaN());
  }
}

template <class TW, class TX, class TY>
void check_columns(index_t m, index_t k, double share, edge e, rng& random) {
  // Columns that all begin at the same place of a cache line, or at different ones.
  const index_t ld = random.chance(0.5) ? (m + 63) / 64 * 64 : m + random.below(4);
  const index_t sets = 3;
  std::vector<sk::active_set<TX>> active;
  std::vector<std::vector<TX>> x;
  std::vector<bool> used(at(k), false);
  for (index_t j = 0; j < sets; ++j) {
    x.push_back(activations<TX>(k, j == 1 ? 0 : share, random));
    active.emplace_back(k);
    REQUIRE(active.back().assign_nonzero(x.back()));
    for (index_t c = 0; c < k; ++c) used[at(c)] = used[at(c)] || value_of(x.back()[at(c)]) != 0;
  }
  guarded<TW> w(k > 0 ? (k - 1) * ld + m : 0, e);
  w.fill(poison<TW>());
  for (index_t c = 0; c < k; ++c) {
    for (index_t r = 0; used[at(c)] && r < m; ++r) w[c * ld + r] = number<TW>(random);
  }
  w.freeze();
  const sk::dense_view<const TW, sk::col_major> weights(w.data(), m, k, ld);
  const auto expected = [&](index_t r, index_t j) {
    double sum = 0;
    for (index_t c = 0; c < k; ++c) {
      const double v = value_of(x[at(j)][at(c)]);
      if (v != 0) sum += v * value_of(w[c * ld + r]);
    }
    return value_of(made_of<TY>(sum));
  };
  index_t wrong = 0;
  guarded<TY> y(m, e);
  y.fill(made_of<TY>(99));
  REQUIRE(sk::check(weights, active[0], y));
  sk::multiply(weights, active[0], y);
  for (index_t r = 0; r < m; ++r) wrong += value_of(y[r]) != expected(r, 0);
  CHECK(y.intact());
  matrix<TY, sk::row_major> rows(m, sets, 1, e);
  matrix<TY, sk::col_major> columns(m, sets, 1, e);
  rows.data.fill(made_of<TY>(99));
  columns.data.fill(made_of<TY>(99));
  REQUIRE(sk::check(weights, active, rows.view()));
  sk::multiply(weights, active, rows.view());
  sk::multiply(weights, active, columns.view());
  for (index_t r = 0; r < m; ++r) {
    for (index_t j = 0; j < sets; ++j) {
      wrong += value_of(rows.view()(r, j)) != expected(r, j);
      wrong += value_of(columns.view()(r, j)) != expected(r, j);
    }
  }
  CHECK(rows.data.intact());
  CHECK(columns.data.intact());
  CHECK(wrong == 0);

  // The same tokens with one list of features for all.
  matrix<TX, sk::col_major> tokens(k, sets, 1, e);
  for (index_t c = 0; c < k; ++c) {
    for (index_t j = 0; j < sets; ++j) tokens.view()(c, j) = x[at(j)][at(c)];
  }
  sk::active_rows features(k);
  REQUIRE(features.assign_nonzero(tokens.const_view()));
  columns.data.fill(made_of<TY>(99));
  REQUIRE(sk::check(weights, features.of(tokens.const_view()), columns.view()));
  sk::multiply(weights, features.of(tokens.const_view()), columns.view());
  for (index_t r = 0; r < m; ++r) {
    for (index_t j = 0; j < sets; ++j) wrong += value_of(columns.view()(r, j)) != expected(r, j);
  }
  CHECK(columns.data.intact());
  CHECK(wrong == 0);
}

/// W in blocks of 16 x 1, of which some places are no entries.
template <class TW, class TX, class TY>
void check_blocks(index_t m, index_t k, double share, sk::block_shape shape, rng& random) {
  sparse<TW> transpose(k, m, 0, random);
  transpose.row_ptr.assign(1, 0);
  transpose.columns.clear();
  transpose.values.clear();
  for (index_t c = 0; c < k; ++c) {
    for (index_t r = 0; r < m; ++r) {
      const bool block = (r / 16 * 7 + c * 5) % 4 == 1;
      if (!block || random.chance(0.2)) continue;
      transpose.columns.push_back(static_cast<std::int32_t>(r));
      transpose.values.push_back(number<TW>(random));
    }
    transpose.row_ptr.push_back(static_cast<std::int32_t>(transpose.columns.size()));
  }
  const auto blocks = sk::to_bsr(transpose.view(), shape).value();
  auto x = activations<TX>(k, share, random);
  std::vector<bool> hit(at(m), false);
  if constexpr (!std::is_integral_v<TX>) {
    if (k > 2) {
      x[2] = made_of<TX>(std::numeric_limits<double>::infinity());
      transpose.for_row(2, [&](index_t r, double) { hit[at(r)] = true; });
    }
  }
  sk::active_set<TX> active(k);
  REQUIRE(active.assign_nonzero(x));
  guarded<TY> y(m, edge::right);
  y.fill(made_of<TY>(99));
  REQUIRE(sk::check(sk::transposed(blocks), active, y));
  const auto executor = [](index_t tasks, auto&& f) {
    for (index_t t = tasks - 1; t >= 0; --t) f(t, t % 2);
  };
  sk::multiply(sk::par(executor), sk::transposed(blocks), active, y);
  std::vector<double> sum(at(m), 0);
  for (index_t c = 0; c < k; ++c) {
    const double v = value_of(x[at(c)]);
    if (v == 0 || !std::isfinite(v)) continue;
    transpose.for_row(c, [&](index_t r, double w) { sum[at(r)] += w * v; });
  }
  index_t wrong = 0;
  for (index_t r = 0; r < m; ++r) {
    const double got = value_of(y[r]);
    wrong += hit[at(r)] ? std::isfinite(got) : got != value_of(made_of<TY>(sum[at(r)]));
  }
  CHECK(wrong == 0);
  CHECK(y.intact());
}

}  // namespace

TEST_CASE_TEMPLATE("active columns of narrow weights", Types, types<float, float, float>,
                   types<bf16, float, float>, types<bf16, bf16, bf16>, types<f16, float, f16>,
                   types<s8, u8, s32>, types<s8, s8, s32>) {
  using TW = typename Types::weight;
  using TX = typename Types::x;
  using TY = typename Types::y;
  rng random(41);
  for (index_t m = 1; m < 40; ++m) {
    const edge e = m % 2 == 0 ? edge::left : edge::right;
    check_columns<TW, TX, TY>(m, m % 23, 0.6, e, random);
    check_columns<TW, TX, TY>(m, 37, 1, e, random);
  }
  for (const index_t m : {63, 64, 65, 100, 127, 128, 129, 191, 200, 5000}) {
    for (const edge e : both_edges) check_columns<TW, TX, TY>(m, 19, 0.5, e, random);
  }
}

TEST_CASE_TEMPLATE("active columns of W in 16 x 1 blocks", Types, types<float, float, float>,
                   types<double, double, double>, types<bf16, float, float>, types<s8, u8, s32>) {
  using TW = typename Types::weight;
  using TX = typename Types::x;
  using TY = typename Types::y;
  rng random(43);
  for (const index_t m : {1, 15, 16, 17, 33, 100}) {
    for (const index_t k : {0, 1, 2, 3, 40}) {
      check_blocks<TW, TX, TY>(m, k, 0.5, {1, 16}, random);
      check_blocks<TW, TX, TY>(m, k, 0.5, {2, 8}, random);
    }
  }
  check_blocks<TW, TX, TY>(9000, 30, 0.7, {1, 16}, random);
}

TEST_CASE_TEMPLATE("the search for active elements, beside one element at a time", T, float, double,
                   bf16, f16, s8, u8) {
  std::vector<T> special{made_of<T>(0), made_of<T>(1), made_of<T>(100)};
  if constexpr (std::is_signed_v<T>) special.push_back(T{-128});
  if constexpr (!std::is_integral_v<T>) {
    using limits = std::numeric_limits<double>;
    for (const double v :
         {-0.0, -1.0, limits::infinity(), -limits::infinity(), limits::quiet_NaN()}) {
      special.push_back(made_of<T>(v));
    }
    using bits =
        std::conditional_t<sizeof(T) == 8, std::uint64_t,
                           std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint16_t>>;
    special.push_back(std::bit_cast<T>(bits{1}));  // the least subnormal
  }
  rng random(45);
  for (index_t n = 0; n < 70; ++n) {
    for (const edge e : both_edges) {
      guarded<T> x(n, e);
      for (index_t i = 0; i < n; ++i)
        x[i] = special[at(random.below(static_cast<index_t>(special.size())))];
      x.freeze();
      sk::active_set<T> found(n);
      sk::active_set<T> expected(n);
      const auto same = [&] {
        const auto a = found.view();
        const auto b = expected.view();
        const auto bytes = at(a.values.size()) * sizeof(T);
        return std::ranges::equal(a.indices, b.indices) &&
               (bytes == 0 || std::memcmp(a.values.data(), b.values.data(), bytes) == 0);
      };
      REQUIRE(found.assign_nonzero(x));
      REQUIRE(expected.assign(x, [](T v) { return !(value_of(v) == 0); }));
      CHECK(same());
      for (const T threshold : {made_of<T>(0), made_of<T>(1), special.back()}) {
        REQUIRE(found.assign_above(x, threshold));
        REQUIRE(expected.assign(x, [&](T v) { return !(value_of(v) <= value_of(threshold)); }));
        CHECK(same());
      }
    }
  }
}

TEST_CASE("what active sets refuse") {
  const std::vector<s8> w(40, s8{1});
  const sk::dense_view<const s8, sk::col_major> weights(w.data(), 4, 10);
  const std::vector<u8> x(10, 1);
  std::vector<sk::active_set<u8>> active;
  for (int i = 0; i < 2; ++i) {
    active.emplace_back(10);
    REQUIRE(active.back().assign_nonzero(x));
  }
  std::vector<float> y(8);
  const sk::dense_view<float, sk::col_major> two(y.data(), 4, 2);
  CHECK(sk::check(weights, active, two, sk::dequantize(0.5f)));
  CHECK(sk::check(weights, active, two, sk::dequantize(0.5f, 3)).code == sk::errc::unsupported);
  CHECK(sk::check(weights, active[0], y, sk::dequantize(0.5f, 3)).code == sk::errc::unsupported);
  CHECK(sk::check(weights, active, sk::dense_view<float, sk::col_major>(y.data(), 4, 1),
                  sk::dequantize(0.5f))
            .code == sk::errc::shape_mismatch);
  CHECK(sk::check(weights, active, sk::dense_view<float, sk::col_major>(y.data(), 3, 2),
                  sk::dequantize(0.5f))
            .code == sk::errc::shape_mismatch);
  REQUIRE(active[1].assign_nonzero(std::vector<u8>(9, 1)));
  const sk::status s = sk::check(weights, active, two, sk::dequantize(0.5f));
  CHECK(s.code == sk::errc::shape_mismatch);
  CHECK(s.entry == 1);
  CHECK(s.got == sk::any_integer(9));
}

namespace {

/// The most active columns of s8 weights whose sum fits, whatever the weights, and one more.
template <class TX>
void check_limit_of_sums(index_t most) {
  const index_t k = most + 1;
  const std::vector<s8> w(at(k));
  const sk::dense_view<const s8, sk::col_major> weights(w.data(), 1, k);
  // check looks at no entry.
  const sk::bsr_view<const s8> blocks{.shape = {k, 16}, .block = {1, 16}};
  std::vector<TX> x(at(k), TX{1});
  sk::active_set<TX> set(k);
  sk::active_rows rows(k);
  const sk::dense_view<const TX> one(x.data(), k, 1);
  std::vector<std::int32_t> y(16);
  const sk::dense_view<std::int32_t, sk::col_major> y1(y.data(), 1, 1);
  const auto each = [&](sk::errc code) {
    REQUIRE(set.assign_nonzero(x));
    REQUIRE(rows.assign_nonzero(one));
    CHECK(sk::check(weights, set, y1).code == code);
    CHECK(sk::check(weights, rows.of(one), y1).code == code);
    CHECK(sk::check(sk::transposed(blocks), set, y).code == code);
    const sk::status s = sk::check(weights, std::span(&set, 1), y1);
    CHECK(s.code == code);
    if (!s) CHECK(s.entry == 0);
  };
  each(sk::errc::overflow_possible);
  CHECK(sk::check(weights, set, y1).message() ==
        "active_set: overflow_possible: sum of a row (" +
            std::to_string(k * (std::is_same_v<TX, u8> ? 32640 : 16384)) + ", allowed 2147483647)");
  x[at(k / 2)] = 0;
  each(sk::errc::ok);
}

}  // namespace

TEST_CASE("active sets: sums of s8 that could leave 32 bits are refused") {
  check_limit_of_sums<u8>(65793);
  check_limit_of_sums<s8>(131071);
}
