// Matrices with rows and columns removed: found, packed and multiplied in every way; epilogues of
// removed rows; what is no entry stays hidden; malformed lists.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <sparsekit/multiply.hpp>
#include <sparsekit/pack/structured.hpp>
#include <tuple>
#include <vector>

#include "sparsekit/convert/to_dense.hpp"
#include "support/every_way.hpp"
#include "support/packed_bytes.hpp"
#include "support/rng.hpp"
#include "support/sparse_narrow.hpp"

namespace sk = sparsekit;
using sk::index_t;
using sparsekit_test::aligned_copy;
using sparsekit_test::at;
using sparsekit_test::check_product;
using sparsekit_test::count_refused;
using sparsekit_test::dense;
using sparsekit_test::rng;

namespace {

/// Every row and column is kept with these probabilities; of what is left, some are zero.
template <class T>
dense<T> make(index_t rows, index_t cols, double keep_row, double keep_column, rng& random) {
  dense<T> w(rows, cols);
  std::vector<bool> row(at(rows));
  std::vector<bool> column(at(cols));
  for (index_t r = 0; r < rows; ++r) row[at(r)] = random.chance(keep_row);
  for (index_t c = 0; c < cols; ++c) column[at(c)] = random.chance(keep_column);
  for (index_t r = 0; r < rows; ++r) {
    for (index_t c = 0; c < cols; ++c) {
      if (row[at(r)] && column[at(c)]) w(r, c) = static_cast<T>(random.between(-3, 3));
    }
  }
  return w;
}

template <class TW, class TX, class TY, class X, class Y>
struct mix {
  using weight = TW;
  using x = TX;
  using y = TY;
  using x_layout = X;
  using y_layout = Y;
};

/// The same as CSR of a narrow type; zeros may be entries.
template <class T>
sparsekit_test::sparse<T> make_narrow(index_t rows, index_t cols, double keep_row,
                                      double keep_column, rng& random) {
  sparsekit_test::sparse<T> a(rows, cols, 0, random);
  a.row_ptr.assign(1, 0);
  a.columns.clear();
  a.values.clear();
  std::vector<bool> column(at(cols));
  for (index_t c = 0; c < cols; ++c) column[at(c)] = random.chance(keep_column);
  for (index_t r = 0; r < rows; ++r) {
    const bool kept = random.chance(keep_row);
    for (index_t c = 0; c < cols; ++c) {
      if (!kept || !column[at(c)] || random.chance(0.2)) continue;
      a.columns.push_back(static_cast<std::int32_t>(c));
      a.values.push_back(sparsekit_test::number<T>(random));
    }
    a.row_ptr.push_back(static_cast<std::int32_t>(a.columns.size()));
  }
  return a;
}

}  // namespace

TEST_CASE_TEMPLATE("structured matrices of all shapes", T, float, double) {
  rng random(11);
  for (const index_t rows : {1, 15, 17, 70, 300}) {
    for (const index_t cols : {1, 13, 64, 300}) {
      for (const double keep_row : {0.0, 0.3, 1.0}) {
        for (const double keep_column : {0.5, 1.0}) {
          if (!sparsekit_test::is_tried(rows, cols, keep_row * 10, keep_column * 2)) continue;
          const dense<T> w = make<T>(rows, cols, keep_row, keep_column, random);
          const auto s = sk::to_structured(w.view()).value();
          REQUIRE(sk::validate(s.view()));
          dense<T> back(rows, cols, T{99});
          REQUIRE(sk::to_dense(s, back.view()));
          CHECK(back.data == w.data);
          const auto packed = sk::pack(s).value();
          REQUIRE(sk::validate(packed.view()));
          check_product(packed, w, {1, 3, 8, 9, 65});
        }
      }
    }
  }
}

// With Inf or NaN in X, and zero points of s8. A mix of layouts for each type: others are in the
// conformance test.
TEST_CASE_TEMPLATE("structured matrices of narrow types multiply exactly", Types,
                   mix<std::int8_t, std::uint8_t, float, sk::col_major, sk::col_major>,
                   mix<std::int8_t, std::int8_t, std::int32_t, sk::row_major, sk::row_major>,
                   mix<std::int8_t, std::uint8_t, std::int32_t, sk::row_major, sk::row_major>,
                   mix<sk::bfloat16, float, float, sk::row_major, sk::row_major>,
                   mix<sk::bfloat16, sk::bfloat16, float, sk::row_major, sk::row_major>,
                   mix<sk::bfloat16, sk::bfloat16, sk::bfloat16, sk::col_major, sk::col_major>,
                   mix<sk::float16, sk::float16, float, sk::row_major, sk::col_major>) {
  rng random(14);
  index_t turn = 0;
  // Rows beyond a group of 48, columns beyond a chunk; all kept, and no row.
  for (const auto& [rows, cols, keep_row, keep_column] :
       {std::tuple<index_t, index_t, double, double>{130, 70, 0.7, 0.6},
        {60, 40, 0.1, 0.9},
        {48, 33, 1, 0.5},
        {20, 24, 1, 1},
        {70, 9, 0, 1},
        {30, 1500, 0.6, 0.8},
        {61, 37, 1, 1}}) {
    const auto a = make_narrow<typename Types::weight>(rows, cols, keep_row, keep_column, random);
    const auto packed = sk::pack(sk::to_structured(a.view()).value()).value();
    REQUIRE(sk::validate(packed.view()));
    for (const index_t n : {1, 2, 17, 64, 70}) {
      if (cols > 1000 && n > 17 && n != 64) continue;
      const auto edge = sparsekit_test::both_edges[turn++ % 2];
      for (const bool workspace : {false, true}) {
        sparsekit_test::check_product<typename Types::weight, typename Types::x, typename Types::y,
                                      typename Types::x_layout, typename Types::y_layout>(
            a, packed, n, workspace, edge, random);
      }
    }
  }
}

TEST_CASE("removed rows and columns are counted, removed rows of y get the bias") {
  dense<float> w(6, 5);
  w(1, 0) = 1;
  w(1, 3) = 2;
  w(4, 3) = 3;
  const auto s = sk::to_structured(w.view()).value();
  CHECK(s.removed_rows() == 4);
  CHECK(s.removed_columns() == 3);
  CHECK(s.view().values.size() == 4);
  CHECK(sk::to_csr(s).value().nnz() == 3);
  const auto packed = sk::pack(s).value();
  const std::vector<float> x{1, 2, 3, 4, 5};
  const std::vector<float> b{10, 20, 30, 40, 50, 60};
  std::vector<float> y(6, std::numeric_limits<float>::quiet_NaN());
  sk::multiply(packed, x, y, sk::bias(b));
  CHECK(y == std::vector<float>{10, 29, 30, 40, 62, 60});
  sk::multiply(packed, x, y, sk::accumulate);
  CHECK(y == std::vector<float>{10, 38, 30, 40, 74, 60});
}

TEST_CASE_TEMPLATE("NaN reaches the rows that have the column", T, float, double) {
  rng random(12);
  const dense<T> w = make<T>(40, 30, 0.7, 0.6, random);
  const auto packed = sk::pack(sk::to_structured(w.view()).value()).value();
  const T nan = std::numeric_limits<T>::quiet_NaN();
  index_t reached = 0;
  for (index_t bad = 0; bad < 30; ++bad) {
    reached += check_product(packed, w, {1, 7, 20}, [&](index_t k, index_t j) {
      return k == bad && j != 1 ? nan : T(k % 4 - j % 3);
    });
  }
  CHECK(reached > 0);
}

TEST_CASE("stored zeros stay entries") {
  const std::vector<int> ptr{0, 1, 1};
  const std::vector<int> columns{2};
  const std::vector<float> values{0.0f};
  const sk::csr_view<const float> csr{{2, 4}, ptr, columns, values};
  const auto s = sk::to_structured(csr).value();
  CHECK(s.removed_rows() == 1);
  CHECK(sk::to_csr(s).value().nnz() == 1);
  const auto packed = sk::pack(s).value();
  std::vector<float> x{1, 1, std::numeric_limits<float>::infinity(), 1};
  std::vector<float> y(2, 5.0f);
  sk::multiply(packed, x, y);
  CHECK(std::isnan(y[0]));
  CHECK(y[1] == 0.0f);
}

TEST_CASE("malformed structured matrices are named") {
  sk::extents shape(4, 5);
  std::vector<int> rows{1, 3};
  std::vector<int> columns{0, 2, 4};
  std::vector<float> values{1, 2, 3, 4, 5, 6};
  std::vector<std::uint64_t> pattern;
  const auto is = [&](sk::errc expected) {
    const sk::structured_view<const float> v{shape, rows, columns, values, pattern};
    const sk::status s = sk::validate(v);
    CHECK_MESSAGE(s.code == expected, s.message());
    CHECK((sk::pack(v).error().code == expected));
  };
  is(sk::errc::ok);
  rows = {3, 1};
  is(sk::errc::not_sorted);
  rows = {3, 3};
  is(sk::errc::duplicate_entry);
  rows = {1, 4};
  is(sk::errc::row_out_of_range);
  rows = {-1, 3};
  is(sk::errc::row_out_of_range);
  rows = {1, 3};
  columns = {0, 2, 5};
  is(sk::errc::column_out_of_range);
  columns = {0, 0, 4};
  is(sk::errc::duplicate_entry);
  columns = {0, 1, 2, 3, 4, 5};
  is(sk::errc::length_mismatch);
  columns = {0, 2, 4};
  values.push_back(1);
  is(sk::errc::length_mismatch);
  values.pop_back();
  pattern = {0b111111};
  is(sk::errc::ok);
  pattern = {0b111110};
  is(sk::errc::bad_pattern);
  pattern = {0b1111111};
  is(sk::errc::bad_pattern);
  pattern = {0, 0};
  is(sk::errc::length_mismatch);
  pattern.clear();
  shape = sk::extents(4, -5);
  is(sk::errc::negative_size);
}

TEST_CASE("packed structured matrices are saved; damaged bytes are refused or harmless") {
  const std::vector<std::int32_t> rows{1, 3, 4};
  const std::vector<std::int32_t> columns{0, 2, 5};
  const std::vector<float> values{1, 2, 3, 4, 5, 6, 7, 8, 9};
  const sk::structured_view<const float> source{{6, 7}, rows, columns, values, {}};
  using packed_form = sk::packed_structured<float>;
  const packed_form packed = sk::pack(source).value();
  const auto saved = packed.save().value();
  const std::vector<float> x{1, 2, 3, 4, 5, 6, 7};
  const auto product = [&](const auto& a) {
    std::vector<float> y(at(a.rows()), 9.f);
    sk::workspace ws(a, {.max_columns = 1});
    const sk::dense_view<const float, sk::col_major> in(x.data(), a.cols(), 1);
    sk::multiply(a, in, sk::dense_view<float, sk::col_major>(y.data(), a.rows(), 1), ws);
    return y;
  };
  const auto expected = product(packed);
  CHECK(expected == std::vector<float>{0, 25, 0, 55, 85, 0});
  CHECK(product(packed_form::view_of(saved.view()).value()) == expected);
  const packed_form loaded = packed_form::from_bytes(saved.view()).value();
  CHECK(product(loaded) == expected);
  const auto again = loaded.save().value();
  REQUIRE(again.size() == saved.size());
  CHECK(std::memcmp(again.data(), saved.data(), static_cast<std::size_t>(saved.size())) == 0);
  CHECK(sk::packed_structured<double>::view_of(saved.view()).error().code == sk::errc::unsupported);
  CHECK(packed_form::from_bytes(packed_form{}.save().value().view()).value().rows() == 0);
  for (sk::index_t n = 1; n < saved.size(); n += 61) {
    CHECK(!packed_form::view_of(aligned_copy({saved.data(), n}).view()));
  }
  const int refused = count_refused(saved.view(), [&](sk::array_view<const std::byte> bytes) {
    sk::packed_structured_view<const float> v;
    if (!packed_form::view_of(bytes).get(v)) return true;
    if (v.cols() == 7 && v.rows() < 100) product(v);
    return false;
  });
  CHECK(refused > 300);
}

TEST_CASE(
    "packed structured s8: removed rows know no zero point, damaged bytes are refused or "
    "harmless") {
  using s8 = std::int8_t;
  using u8 = std::uint8_t;
  const std::vector<std::int32_t> rows{1, 3, 4};
  const std::vector<std::int32_t> columns{0, 2, 5};
  const std::vector<s8> values{1, 2, 3, 4, 5, 6, -7, 8, 9};
  const sk::structured_view<const s8> source{{6, 7}, rows, columns, values, {}};
  using packed_form = sk::packed_structured<s8>;
  const packed_form packed = sk::pack(source).value();
  const std::vector<u8> x{11, 2, 13, 4, 5, 16, 7};
  const std::vector<float> scales{1, 0.5f, 1, 1, 1, 1};
  const std::vector<float> b{1, 2, 3, 4, 5, 6};
  const auto product = [&](const auto& a) {
    std::vector<u8> y(at(a.rows()), u8{99});
    const sk::dense_view<const u8> in(x.data(), a.cols(), 1);
    const sk::dense_view<u8, sk::col_major> out(y.data(), a.rows(), 1);
    sk::workspace ws(a, {.max_columns = 1});
    sk::multiply(a, in, out,
                 sk::dequantize(scales, 10) | sk::bias(b) | sk::requantize(1.f, {.y = 20}), ws);
    return y;
  };
  // Rows 1, 3, 4 meet 1, 3 and 6, the zero point 10 taken off: 25, 55 and 71.
  const std::vector<u8> expected{21, 34, 23, 79, 96, 26};
  CHECK(product(packed) == expected);
  const auto saved = packed.save().value();
  CHECK(product(packed_form::view_of(saved.view()).value()) == expected);
  CHECK(product(packed_form::from_bytes(saved.view()).value()) == expected);
  CHECK(sk::packed_structured<sk::bfloat16>::view_of(saved.view()).error().code ==
        sk::errc::unsupported);
  const int refused = count_refused(saved.view(), [&](sk::array_view<const std::byte> bytes) {
    sk::packed_structured_view<const s8> v;
    if (!packed_form::view_of(bytes).get(v)) return true;
    if (v.cols() == 7 && v.rows() == 6) product(v);
    return false;
  });
  CHECK(refused > 300);
  // A row whose sums could leave 32 bits is named as the caller numbers it.
  const std::vector<std::int32_t> one{5};
  const index_t k = 65794;
  std::vector<std::int32_t> all(at(k));
  for (index_t i = 0; i < k; ++i) all[at(i)] = static_cast<std::int32_t>(i);
  const std::vector<s8> large(at(k), s8{-128});
  const sk::status s = sk::pack(sk::structured_view<const s8>{{6, k}, one, all, large, {}}).error();
  CHECK(s.code == sk::errc::overflow_possible);
  CHECK(s.row == 5);
}
