// Helpers of the tests of narrow types: matrices between guard pages, numbers whose products are
// exact, and the shapes that reach every tail of a dense product.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <sparsekit/check.hpp>
#include <sparsekit/multiply.hpp>
#include <sparsekit/pack/dense.hpp>
#include <vector>

#include "support/at.hpp"
#include "support/dense_matrix.hpp"
#include "support/rng.hpp"
#include "support/sanitized.hpp"

namespace sparsekit_test {

namespace sk = sparsekit;
using sk::index_t;
using bf16 = sk::bfloat16;
using f16 = sk::float16;
using s8 = std::int8_t;
using u8 = std::uint8_t;
using s32 = std::int32_t;

template <class T>
double value_of(T v) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<double>(v);
  } else {
    return static_cast<double>(static_cast<float>(v));
  }
}
template <class T>
T made_of(double v) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(v);
  } else {
    return T(static_cast<float>(v));
  }
}

/// Numbers whose products and sums are exact: small integers; for s8, all of its range.
template <class T>
T number(rng& random) {
  if constexpr (std::is_integral_v<T>) {
    const int extremes[] = {-128, 127, 255, 0};
    return random.chance(0.3) ? static_cast<T>(extremes[random.below(4)])
                              : static_cast<T>(random.below(256));
  } else {
    return made_of<T>(random.chance(0.3) ? 0 : static_cast<double>(random.between(-4, 4)));
  }
}

/// Packed W times X into Y, and what each element should be, `zero` taken off X.
template <class TW, class TX, class TY, class X, class Y>
struct product_case {
  shape s;
  bool with_workspace;
  matrix<TW, sk::row_major> w;
  matrix<TX, X> x;
  matrix<TY, Y> y;
  sk::packed_dense<TW> packed;

  product_case(shape sizes, bool ws, edge e, index_t gap, rng& random)
      : s(sizes),
        with_workspace(ws),
        w(s.m, s.k, gap, e),
        x(s.k, s.n, gap, e),
        y(s.m, s.n, gap, e) {
    w.fill([&] { return number<TW>(random); });
    x.fill([&] { return number<TX>(random); });
    y.data.fill(made_of<TY>(99));
    packed = sk::pack_dense(w.const_view()).value();
    REQUIRE(sk::validate(packed.view()));
  }
  /// Without a workspace: with one that has no memory, which spares another copy of every kernel.
  template <class Epilogue>
  void run(const Epilogue& epilogue) {
    REQUIRE(sk::check(packed, x.const_view(), y.view(), epilogue));
    sk::workspace ws;
    if (with_workspace) ws = sk::workspace(packed, {.max_columns = s.n});
    sk::multiply(packed, x.const_view(), y.view(), epilogue, ws);
  }
  /// The product, row after row. By plain pointers: sanitizers run this unoptimised.
  std::vector<double> product(double zero) {
    std::vector<double> row(at(s.k));
    std::vector<double> xs(at(s.k * s.n));
    for (index_t c = 0; c < s.n; ++c) {
      for (index_t k = 0; k < s.k; ++k) xs[at(c * s.k + k)] = value_of(x.view()(k, c)) - zero;
    }
    std::vector<double> sums;
    for (index_t r = 0; r < s.m; ++r) {
      for (index_t k = 0; k < s.k; ++k) row[at(k)] = value_of(w.view()(r, k));
      for (index_t c = 0; c < s.n; ++c) {
        const double* const a = row.data();
        const double* const b = xs.data() + c * s.k;
        double sum = 0;
        for (index_t k = 0; k < s.k; ++k) sum += a[k] * b[k];
        sums.push_back(sum);
      }
    }
    return sums;
  }
  /// Elements of Y other than expected(sum, row).
  template <class F>
  int wrong(double zero, F&& expected) {
    const std::vector<double> sums = product(zero);
    int n = 0;
    for (index_t r = 0; r < s.m; ++r) {
      for (index_t c = 0; c < s.n; ++c) {
        n += value_of(y.view()(r, c)) == value_of(expected(sums[at(r * s.n + c)], r)) ? 0 : 1;
      }
    }
    return n;
  }
  void check_intact() const {
    CHECK(w.data.intact());
    CHECK(x.data.intact());
    CHECK(y.data.intact());
  }
};

/// Each mix of types is tried in two of the four mixes of layouts: equal ones, or (Mixed) different
/// ones.
template <class TW, class TX, class TY, bool Mixed = false>
struct types {
  static constexpr bool mixed = Mixed;
  using weight = TW;
  using x = TX;
  using y = TY;
};

/// check.operator()<TW, TX, TY, X, Y>(shape, with_workspace, edge, gap, random) for every mix of
/// layouts.
template <class Types, class Check>
void check_all(shape s, Check&& check) {
  using TW = typename Types::weight;
  using TX = typename Types::x;
  using TY = typename Types::y;
  using R = sk::row_major;
  using C = sk::col_major;
  rng random(static_cast<std::uint64_t>(s.m * 1000003 + s.k * 1009 + s.n));
  for (const edge e : sparsekit_test::both_edges) {
    for (const bool with_workspace : {false, true}) {
      const index_t gap = random.below(4);
      if constexpr (Types::mixed) {
        check.template operator()<TW, TX, TY, R, C>(s, with_workspace, e, gap, random);
        check.template operator()<TW, TX, TY, C, R>(s, with_workspace, e, gap, random);
      } else {
        check.template operator()<TW, TX, TY, R, R>(s, with_workspace, e, gap, random);
        check.template operator()<TW, TX, TY, C, C>(s, with_workspace, e, gap, random);
      }
    }
  }
}

/// What tiles whose lanes are columns of row-major X and Y meet: panels of every width with a last
/// register that is full, partly filled, or left to tiles of rows, and tiles of every height.
template <class Types, class Check>
void check_columns(Check&& check) {
  for (const index_t n : {18, 23, 33, 47, 49, 72, 95, 100, 113, 130}) {
    check_all<Types>(shape{6, 9, n}, check);
  }
  for (index_t m = 1; m <= 49; ++m) {
    check_all<Types>(shape{m, 5, m % 3 == 0 ? 30 : m % 3 == 1 ? 48 : 62}, check);
  }
  check_all<Types>(shape{7, 0, 40}, check);
  check_all<Types>(shape{29, 99, 56}, check);
  // Several pieces of k: of few rows, whose sums wait together, and of many.
  const index_t k = std::is_same_v<typename Types::weight, s8> ? 518 : 141;
  check_all<Types>(shape{50, k, 56}, check);
  check_all<Types>(shape{194, k, 44}, check);
}

template <class Types, class Check>
void check_tails(Check&& check) {
  for (const index_t n : {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 64, 65, 70}) {
    check_all<Types>(shape{13, 10, n}, check);
  }
  for (index_t m = 1; m <= 50; ++m) check_all<Types>(shape{m, 5, m % 2 == 0 ? 1 : 11}, check);
  for (index_t k = 0; k <= 20; ++k) check_all<Types>(shape{7, k, k % 3 == 0 ? 1 : 6}, check);
  for (const index_t k : {63, 64, 65, 255, 256, 257, 511, 513, 1026}) {
    check_all<Types>(shape{7, k, k % 2 == 0 ? 1 : 6}, check);
  }
  check_all<Types>(shape{100, 65, 70}, check);
  // More columns than a tile has, and more steps than a chunk.
  check_all<Types>(shape{100, 259, 17}, check);
  if constexpr (!Types::mixed) check_columns<Types>(check);
}

}  // namespace sparsekit_test
