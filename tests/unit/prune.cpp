// Pruning in place: how much goes, what goes, ties, scores, layouts, and every error.
#include "sparsekit/convert/prune.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "sparsekit/core/number.hpp"
#include "support/describe.hpp"
#include "support/generators.hpp"
#include "support/guard.hpp"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace sk = sparsekit;
using sk::errc;
using sk::index_t;
using sparsekit_test::describe;
using sparsekit_test::edge;
using sparsekit_test::guarded;
using sparsekit_test::rng;

namespace {

using weights = std::vector<float>;  // row-major without gaps

std::size_t at(index_t i) { return static_cast<std::size_t>(i); }
index_t zeros_in(const weights& w) { return std::count(w.begin(), w.end(), 0.f); }

/// Runs `operation` on w held in guarded memory of the given layout with gaps, and returns the
/// outcome.
template <class Layout, class Operation>
weights run_in(const weights& w, index_t rows, index_t cols, edge e, const Operation& operation) {
  const index_t ld = (Layout::rows_contiguous ? cols : rows) + 1;
  const sk::dense_view<float, Layout> measure(nullptr, rows, cols, ld);
  guarded<float> memory(measure.span_size(), e);
  memory.fill(77.f);
  const sk::dense_view<float, Layout> view(memory.data(), rows, cols, ld);
  for (index_t r = 0; r < rows; ++r) {
    for (index_t c = 0; c < cols; ++c) view(r, c) = w[at(r * cols + c)];
  }
  REQUIRE(describe(operation(view)) == "ok");
  weights out;
  for (index_t r = 0; r < rows; ++r) {
    for (index_t c = 0; c < cols; ++c) {
      out.push_back(view(r, c));
      view(r, c) = 77.f;
    }
  }
  REQUIRE(std::all_of(memory.begin(), memory.end(), [](float v) { return v == 77.f; }));
  CHECK(memory.intact());
  return out;
}

/// The same in both layouts and at both edges; the outcomes must be equal.
template <class Operation>
weights pruned(const weights& w, index_t rows, index_t cols, const Operation& operation) {
  const weights a = run_in<sk::row_major>(w, rows, cols, edge::right, operation);
  const weights b = run_in<sk::col_major>(w, rows, cols, edge::left, operation);
  CHECK((a == b));
  return a;
}

/// Zeroes the `remove` weights with the lowest scores among `places`; the first of equal ones stay.
void remove_lowest(weights& w, const std::vector<double>& scores, std::vector<index_t> places,
                   index_t remove) {
  std::stable_sort(places.begin(), places.end(),
                   [&](index_t a, index_t b) { return scores[at(a)] > scores[at(b)]; });
  for (index_t i = 0; i < remove; ++i) {
    w[at(places.back())] = 0.f;
    places.pop_back();
  }
}

std::vector<double> magnitudes(const weights& w) {
  std::vector<double> out;
  for (float v : w) out.push_back(std::abs(static_cast<double>(v)));
  return out;
}
std::vector<index_t> range(index_t begin, index_t end) {
  std::vector<index_t> out(at(end - begin));
  std::iota(out.begin(), out.end(), begin);
  return out;
}

/// Gaussian weights, or few different ones so that ties abound.
weights random_weights(index_t count, bool ties, rng& random) {
  weights w;
  for (index_t i = 0; i < count; ++i) {
    w.push_back(ties ? static_cast<float>(random.between(-2, 2))
                     : static_cast<float>(random.normal()));
  }
  return w;
}

}  // namespace

TEST_CASE("prune_fraction removes exactly the rounded share, the smallest first") {
  rng random(1);
  const std::pair<index_t, index_t> shapes[] = {{1, 1}, {1, 17}, {13, 1}, {9, 14}, {40, 33}};
  for (const auto& shape : shapes) {
    const index_t rows = shape.first;
    const index_t cols = shape.second;
    for (const bool ties : {false, true}) {
      for (const double f : {0.0, 0.1, 0.5, 0.7, 0.975, 1.0}) {
        CAPTURE(rows);
        CAPTURE(cols);
        CAPTURE(ties);
        CAPTURE(f);
        const weights w = random_weights(rows * cols, ties, random);
        weights expected = w;
        const auto remove =
            static_cast<index_t>(std::floor(f * static_cast<double>(rows * cols) + 0.5));
        remove_lowest(expected, magnitudes(w), range(0, rows * cols), remove);
        const weights found =
            pruned(w, rows, cols, [&](const auto& v) { return sk::prune_fraction(v, f); });
        CHECK((found == expected));
        if (!ties) CHECK(zeros_in(found) == remove);
      }
    }
  }
  // Halves round up; zeros count.
  const weights three{1.f, 2.f, 3.f};
  CHECK((pruned(three, 1, 3, [](const auto& v) { return sk::prune_fraction(v, 0.5); }) ==
         weights{0, 0, 3}));
  const weights sparse{0.f, -0.f, 3.f, -1.f};
  CHECK((pruned(sparse, 2, 2, [](const auto& v) { return sk::prune_fraction(v, 0.5); }) ==
         weights{0, 0, 3, -1}));
}

TEST_CASE("ties keep what comes first by row, then column, in any layout") {
  const weights ones(6, 1.f);
  CHECK((pruned(ones, 2, 3, [](const auto& v) { return sk::prune_fraction(v, 0.5); }) ==
         weights{1, 1, 1, 0, 0, 0}));
  CHECK((pruned(ones, 2, 3, [](const auto& v) { return sk::prune_rows(v, 0.5); }) ==
         weights{1, 1, 1, 0, 0, 0}));
  CHECK((pruned(ones, 2, 3, [](const auto& v) { return sk::prune_columns(v, 0.34); }) ==
         weights{1, 1, 0, 1, 1, 0}));
  CHECK((pruned(weights(8, -1.f), 1, 8, [](const auto& v) { return sk::prune_nm(v, 2, 4); }) ==
         weights{-1, -1, 0, 0, -1, -1, 0, 0}));
}

TEST_CASE("prune_nm keeps the largest n of each group; the last group may be short") {
  rng random(2);
  const std::pair<index_t, index_t> kinds[] = {{2, 4}, {1, 4}, {4, 8},   {0, 3},
                                               {3, 3}, {1, 1}, {5, 100}, {2, 1000}};
  for (const auto& kind : kinds) {
    const index_t n = kind.first;
    const index_t m = kind.second;
    for (const index_t cols : {index_t{1}, index_t{4}, index_t{7}, index_t{16}, index_t{211}}) {
      for (const bool ties : {false, true}) {
        CAPTURE(n);
        CAPTURE(m);
        CAPTURE(cols);
        const index_t rows = 5;
        const weights w = random_weights(rows * cols, ties, random);
        weights expected = w;
        for (index_t r = 0; r < rows; ++r) {
          for (index_t c = 0; c < cols; c += m) {
            const index_t length = std::min(m, cols - c);
            remove_lowest(expected, magnitudes(w), range(r * cols + c, r * cols + c + length),
                          length - std::min(n, length));
          }
        }
        CHECK((pruned(w, rows, cols, [&](const auto& v) { return sk::prune_nm(v, n, m); }) ==
               expected));
      }
    }
  }
  // An all-zero group stays zero.
  CHECK((pruned({0, 0, 0, 0, 1, 2, 3, 4}, 1, 8, [](const auto& v) {
           return sk::prune_nm(v, 2, 4);
         }) == weights{0, 0, 0, 0, 0, 0, 3, 4}));
}

TEST_CASE("prune_rows and prune_columns remove what has the lowest L1 norm") {
  const weights w{1, -5, 0,   //
                  2, 2,  -1,  //
                  0, 0,  4,   //
                  9, -9, 9};
  CHECK((pruned(w, 4, 3, [](const auto& v) { return sk::prune_rows(v, 0.5); }) ==
         weights{1, -5, 0, 0, 0, 0, 0, 0, 0, 9, -9, 9}));
  CHECK((pruned(w, 4, 3, [](const auto& v) { return sk::prune_columns(v, 0.3); }) ==
         weights{0, -5, 0, 0, 2, -1, 0, 0, 4, 0, -9, 9}));
  CHECK((pruned(w, 4, 3, [](const auto& v) { return sk::prune_rows(v, 0.0); }) == w));
  CHECK(zeros_in(pruned(w, 4, 3, [](const auto& v) { return sk::prune_rows(v, 1.0); })) == 12);
}

TEST_CASE("a matrix of scores decides instead of the magnitude") {
  rng random(3);
  const index_t rows = 11;
  const index_t cols = 22;
  for (const bool ties : {false, true}) {
    const weights w = random_weights(rows * cols, false, random);
    std::vector<double> scores;  // signed; rows x cols without gaps
    for (index_t i = 0; i < rows * cols; ++i) {
      scores.push_back(ties ? static_cast<double>(random.between(-1, 1)) : random.normal());
    }
    const sk::dense_view<const double> view(scores.data(), rows, cols);
    std::vector<double> flipped(scores.size());  // the same in the other layout
    const sk::dense_view<double, sk::col_major> other(flipped.data(), rows, cols);
    for (index_t r = 0; r < rows; ++r) {
      for (index_t c = 0; c < cols; ++c) other(r, c) = view(r, c);
    }
    weights expected = w;
    remove_lowest(expected, scores, range(0, rows * cols), 169);  // round(0.7 * 242)
    CHECK((pruned(w, rows, cols, [&](const auto& v) { return sk::prune_fraction(v, 0.7, view); }) ==
           expected));
    CHECK((pruned(w, rows, cols,
                  [&](const auto& v) { return sk::prune_fraction(v, 0.7, other); }) == expected));

    expected = w;
    for (index_t r = 0; r < rows; ++r) {
      for (index_t c = 0; c < cols; c += 4) {
        const index_t length = std::min(index_t{4}, cols - c);
        remove_lowest(expected, scores, range(r * cols + c, r * cols + c + length),
                      length - std::min(index_t{2}, length));
      }
    }
    CHECK((pruned(w, rows, cols, [&](const auto& v) { return sk::prune_nm(v, 2, 4, view); }) ==
           expected));
    CHECK((pruned(w, rows, cols, [&](const auto& v) { return sk::prune_nm(v, 2, 4, other); }) ==
           expected));

    std::vector<double> sums(at(rows), 0.0);
    for (index_t i = 0; i < rows * cols; ++i) sums[at(i / cols)] += scores[at(i)];
    weights keep(at(rows), 1.f);
    remove_lowest(keep, sums, range(0, rows), 6);  // round(0.5 * 11)
    expected = w;
    for (index_t i = 0; i < rows * cols; ++i) {
      if (keep[at(i / cols)] == 0.f) expected[at(i)] = 0.f;
    }
    CHECK((pruned(w, rows, cols, [&](const auto& v) { return sk::prune_rows(v, 0.5, view); }) ==
           expected));
    CHECK((pruned(w, rows, cols, [&](const auto& v) { return sk::prune_rows(v, 0.5, other); }) ==
           expected));
  }
  // -0.0 and 0.0 rank alike: the first stays.
  const float signed_zeros[] = {-0.f, 0.f};
  CHECK((pruned({1, 2}, 1, 2, [&](const auto& v) {
           return sk::prune_fraction(v, 0.5, sk::dense_view<const float>(signed_zeros, 1, 2));
         }) == weights{1, 0}));
  // A sum of columns; weights that are not finite do not matter here.
  const float s[] = {-3.f, 0.f, -0.f, 1.f, 0.f, 0.f};
  const weights w{std::numeric_limits<float>::infinity(), 1, 2, 3, 4, 5};
  CHECK((pruned(w, 2, 3, [&](const auto& v) {
           return sk::prune_columns(v, 0.67, sk::dense_view<const float>(s, 2, 3));
         }) == weights{0, 1, 0, 0, 4, 0}));
}

TEST_CASE("other element types: double, int8") {
  double d[] = {1e-300, -2e300, 3.0, std::numeric_limits<double>::denorm_min()};
  REQUIRE(sk::prune_fraction(sk::dense_view<double>(d, 2, 2), 0.5));
  CHECK(d[0] == 0.0);
  CHECK(d[1] == -2e300);
  CHECK(d[2] == 3.0);
  CHECK(d[3] == 0.0);
  std::int8_t i[] = {-128, 127, 5, -6};
  REQUIRE(sk::prune_nm(sk::dense_view<std::int8_t>(i, 1, 4), 1, 2));
  CHECK(i[0] == -128);
  CHECK(i[1] == 0);
  CHECK(i[2] == 0);
  CHECK(i[3] == -6);
  const std::int8_t scores[] = {-128, 127, 0, -1};
  REQUIRE(sk::prune_fraction(sk::dense_view<double>(d, 1, 4), 0.25,
                             sk::dense_view<const std::int8_t>(scores, 1, 4)));
  CHECK(d[2] == 3.0);
  CHECK(d[1] == -2e300);
}

TEST_CASE_TEMPLATE("bf16 and f16: as weights and as scores", T, sk::bfloat16, sk::float16) {
  const auto narrow = [](std::initializer_list<float> list) {
    std::vector<T> out;
    for (const float v : list) out.emplace_back(v);
    return out;
  };
  const auto wide = [](const std::vector<T>& list) {
    weights out;
    for (const T v : list) out.push_back(static_cast<float>(v));
    return out;
  };
  const std::vector<T> original =
      narrow({1, -5, 0, 2, 2, -1});  // L1 norms: rows 6, 5; columns 3, 7, 1
  std::vector<T> w;
  const auto after = [&](const auto& operation) {
    w = original;
    REQUIRE(describe(operation(sk::dense_view<T>(w.data(), 2, 3))) == "ok");
    return wide(w);
  };
  CHECK((after([](const auto& v) { return sk::prune_fraction(v, 0.5); }) ==
         weights{0, -5, 0, 2, 2, 0}));
  CHECK((after([](const auto& v) { return sk::prune_nm(v, 1, 3); }) == weights{0, -5, 0, 2, 0, 0}));
  CHECK(
      (after([](const auto& v) { return sk::prune_rows(v, 0.5); }) == weights{1, -5, 0, 0, 0, 0}));
  CHECK((after([](const auto& v) { return sk::prune_columns(v, 0.5); }) ==
         weights{0, -5, 0, 0, 2, 0}));
  std::vector<T> scores = narrow({-1, -5, 0, 2, 2, -1});  // sums: rows -6, 3; columns 1, -3, -1
  const sk::dense_view<const T> by(scores.data(), 2, 3);
  CHECK((after([&](const auto& v) { return sk::prune_fraction(v, 0.5, by); }) ==
         weights{0, 0, 0, 2, 2, 0}));
  CHECK((after([&](const auto& v) { return sk::prune_rows(v, 0.5, by); }) ==
         weights{0, 0, 0, 2, 2, -1}));
  CHECK((after([&](const auto& v) { return sk::prune_columns(v, 0.5, by); }) ==
         weights{1, 0, 0, 2, 0, 0}));
  scores[4] = T(std::numeric_limits<float>::infinity());
  w = original;
  const sk::dense_view<T> view(w.data(), 2, 3);
  for (const sk::status& s : {sk::prune_rows(view, 0.5, by), sk::prune_columns(view, 0.5, by)}) {
    CHECK(s.code == errc::not_finite);
  }
  CHECK(wide(w) == wide(original));
}

TEST_CASE("errors leave the weights alone") {
  weights w{1, 2, 3, 4, 5, 6};
  const weights before = w;
  const sk::dense_view<float> view(w.data(), 2, 3);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto refused = [&](const sk::status& s) {
    CHECK((w == before));
    return describe(s);
  };
  const std::string fraction =
      "bad_argument entry -1 row -1 got 0 allowed 0 | prune: fraction is not within [0, 1]";
  CHECK(refused(sk::prune_fraction(view, 1.0001)) == fraction);
  CHECK(refused(sk::prune_fraction(view, -0.0001)) == fraction);
  CHECK(refused(sk::prune_fraction(view, static_cast<double>(nan))) == fraction);
  CHECK(refused(sk::prune_rows(view, std::numeric_limits<double>::infinity())) == fraction);
  CHECK(refused(sk::prune_columns(view, -1)) == fraction);
  CHECK(refused(sk::prune_nm(view, 5, 4)) ==
        "bad_argument entry -1 row -1 got 5 allowed 4 | prune: n = 5, allowed: 4");
  CHECK(refused(sk::prune_nm(view, -1, 4)) ==
        "bad_argument entry -1 row -1 got -1 allowed 0 | prune: n = -1, allowed: 0");
  CHECK(refused(sk::prune_nm(view, 0, 0)) ==
        "bad_argument entry -1 row -1 got 0 allowed 1 | prune: m = 0, allowed: 1");

  float scores[8] = {1, 2, 3, 99, 4, nan, 6, 99};  // 2 x 3, leading dimension 4
  const sk::dense_view<const float> with_nan(scores, 2, 3, 4);
  const std::string not_finite =
      "not_finite entry 5 row 1 got 0 allowed 0 | scores: not_finite at entry 5 (row 1)";
  CHECK(refused(sk::prune_fraction(view, 0.5, with_nan)) == not_finite);
  CHECK(refused(sk::prune_nm(view, 1, 2, with_nan)) == not_finite);
  CHECK(refused(sk::prune_rows(view, 0.5, with_nan)) == not_finite);
  scores[5] = -std::numeric_limits<float>::infinity();
  CHECK(refused(sk::prune_columns(view, 0.5, with_nan)).substr(0, 10) == "not_finite");
  scores[5] = 5;
  const sk::dense_view<const float> narrow(scores, 2, 2, 4);
  CHECK(refused(sk::prune_fraction(view, 0.5, narrow)) ==
        "shape_mismatch entry -1 row -1 got 2 allowed 3 | scores: cols is 2, expected 3");
  const sk::dense_view<const float> short_one(scores, 1, 3, 4);
  CHECK(refused(sk::prune_nm(view, 1, 2, short_one)) ==
        "shape_mismatch entry -1 row -1 got 1 allowed 2 | scores: rows is 1, expected 2");
  CHECK(refused(sk::prune_rows(view, 0.5, sk::dense_view<const float>(scores, 2, 3, 2)))
            .substr(0, 21) == "bad_leading_dimension");
  CHECK(refused(sk::prune_fraction(sk::dense_view<float>(nullptr, 2, 3), 0.5)).substr(0, 10) ==
        "null_array");

  w[4] = nan;
  CHECK(describe(sk::prune_fraction(view, 0.5)) ==
        "not_finite entry 4 row 1 got 0 allowed 0 | weights: not_finite at entry 4 (row 1)");
  CHECK(w[0] == 1.f);
}

TEST_CASE("nothing to prune") {
  const sk::dense_view<float> none(nullptr, 0, 5);
  CHECK(sk::prune_fraction(none, 0.5));
  CHECK(sk::prune_nm(none, 2, 4));
  CHECK(sk::prune_rows(none, 1.0));
  CHECK(sk::prune_columns(none, 1.0));
  const sk::dense_view<float, sk::col_major> no_columns(nullptr, 5, 0, 8);
  CHECK(sk::prune_fraction(no_columns, 1.0));
  CHECK(sk::prune_nm(no_columns, 2, 4));
  CHECK(sk::prune_rows(no_columns, 1.0));
}

#if defined(__SSE2__)
TEST_CASE("subnormal weights are ranked where the caller flushes them to zero") {
  const float tiny = std::numeric_limits<float>::denorm_min();
  float w[] = {tiny, -3 * tiny, 2 * tiny, 4 * tiny};
  const unsigned int before = _mm_getcsr();
  _mm_setcsr(before | 0x8040u);
  const sk::status s = sk::prune_fraction(sk::dense_view<float>(w, 1, 4), 0.5);
  _mm_setcsr(before);
  REQUIRE(s);
  CHECK(w[0] == 0.f);
  CHECK(w[1] == -3 * tiny);
  CHECK(w[2] == 0.f);
  CHECK(w[3] == 4 * tiny);
}
#endif
