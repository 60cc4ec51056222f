// N:M patterns of s8, free and shared by rows: products against plain loops with all operands
// between guard pages, with and without a workspace; extremes, zero points; refusals; bytes from a
// file.
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "support/nm_narrow.hpp"
#include "support/packed_bytes.hpp"

using namespace sparsekit_test;

TEST_CASE_TEMPLATE("N:M of s8 multiplies exactly", Types, types<s8, u8, s32>,
                   types<s8, s8, float>) {
  check_nm<Types, sk::row_major, sk::col_major>();
}

TEST_CASE("every pattern of 2:4 and 4:8, every pair of 2:4, s8") {
  check_nm_patterns<types<s8, u8, s32>, sk::row_major, sk::col_major>();
}

TEST_CASE("2:4 of s8 with more columns than are summed at once, every count of rows that share") {
  for (const index_t v : {1, 2, 4, 8, 16}) {
    for (const index_t k : {1022, 1027, 1030}) {
      rng random(static_cast<std::uint64_t>(k + v));
      const auto a = pattern_of<s8>(37, k, {2, 4, v}, random);
      const auto packed = sk::pack(sk::to_nm(a.view(), {2, 4, v}).value()).value();
      for (const index_t n : {5, 16, 31}) {
        check_product<s8, u8, s32, sk::row_major, sk::row_major>(a, packed, n, true, edge::right,
                                                                 random);
        check_product<s8, s8, s32, sk::col_major, sk::col_major>(a, packed, n, true, edge::left,
                                                                 random);
      }
    }
  }
}

TEST_CASE("slots of a group in another order are refused") {
  const std::vector<std::int32_t> row_ptr{0, 2};
  const std::vector<std::int32_t> columns{1, 3};
  const std::vector<s8> values{5, 7};
  const auto packed =
      sk::pack(
          sk::to_nm(sk::csr_view<const s8>{{1, 4}, row_ptr, columns, values}, {2, 4, 1}).value())
          .value();
  sk::packed_nm_view<const s8> v = packed.view();
  REQUIRE(sk::validate(v));
  std::vector<u8> swapped(v.columns.begin(), v.columns.end());
  std::vector<u8> places(v.places.begin(), v.places.end());
  std::swap(swapped[0], swapped[16]);
  std::swap(places[0], places[4]);
  v.columns = swapped;
  v.places = places;
  const sk::status s = sk::validate(v);
  CHECK(s.code == sk::errc::corrupt);
  CHECK(std::string(s.detail) == "places do not increase");
}

TEST_CASE("extremes of s8 and u8 are exact, sums that could overflow are refused") {
  for (const index_t k : {index_t{4096}, index_t{65794}}) {
    std::vector<std::int32_t> row_ptr{0, static_cast<std::int32_t>(k)};
    std::vector<std::int32_t> columns(at(k));
    for (index_t i = 0; i < k; ++i) columns[at(i)] = static_cast<std::int32_t>(i);
    const std::vector<s8> values(at(k), s8{-128});
    const sk::csr_view<const s8> a{
        {1, k}, {row_ptr.data(), 2}, {columns.data(), k}, {values.data(), k}};
    auto packed = sk::pack(sk::to_nm(a, {4, 4, 1}).value());
    if (k > 5000) {
      REQUIRE(!packed);
      CHECK(packed.error().code == sk::errc::overflow_possible);
      continue;
    }
    const auto w = std::move(packed).value();
    const std::vector<u8> x(at(k * 9), 255);
    sk::workspace ws(w, {.max_columns = 9});
    for (const index_t n : {1, 9}) {
      std::vector<s32> y(at(n));
      sk::multiply(w, sk::dense_view<const u8>(x.data(), k, n),
                   sk::dense_view<s32, sk::col_major>(y.data(), 1, n), ws);
      CHECK(y == std::vector<s32>(at(n), -128 * 255 * 4096));
    }
  }
}

TEST_CASE("damaged packed N:M of s8 is refused or harmless") {
  rng random(8);
  const auto a = pattern_of<s8>(21, 37, {2, 4, 2}, random);
  const auto packed = sk::pack(sk::to_nm(a.view(), {2, 4, 2}).value()).value();
  const auto good = packed.bytes();
  CHECK(sk::packed_nm<s8>::view_of(aligned_copy(good).view()));
  CHECK(sk::packed_nm<f16>::view_of(good).error().code == sk::errc::unsupported);
  for (index_t n = 1; n < good.size(); n += 61) {
    CHECK(!sk::packed_nm<s8>::view_of(aligned_copy({good.data(), n}).view()));
  }
  // Each byte changed, the checksum right: refused, or a matrix that can be multiplied.
  const int refused = count_refused(good, [&](sk::array_view<const std::byte> bytes) {
    sk::packed_nm_view<const s8> v;
    if (!sk::packed_nm<s8>::view_of(bytes).get(v)) return true;
    for (const index_t n : {1, 9}) {
      std::vector<u8> x(at(v.cols() * n), u8{1});
      std::vector<s32> y(at(v.rows() * n));
      sk::workspace ws(v, {.max_columns = n});
      sk::multiply(v, sk::dense_view<const u8>(x.data(), v.cols(), n),
                   sk::dense_view<s32, sk::col_major>(y.data(), v.rows(), n), ws);
    }
    return false;
  });
  CHECK(refused > 200);
}
