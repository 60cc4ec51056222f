// Packed blocks of s8: every shape and tail, panels and plain loops, all operands between guard
// pages; extremes, zero points; refusals; bytes from a file.
#include <doctest/doctest.h>

#include <cstring>

#include "support/blocks_narrow.hpp"
#include "support/packed_bytes.hpp"

using namespace sparsekit_test;

TEST_CASE_TEMPLATE("blocks of s8 multiply exactly", Types, types<s8, u8, s32>,
                   types<s8, s8, float, true>) {
  check_blocks<Types>();
}

TEST_CASE("extremes of s8 and u8 are exact") {
  const index_t k = 4096;
  std::vector<std::int32_t> row_ptr{0, static_cast<std::int32_t>(k)};
  std::vector<std::int32_t> columns(at(k));
  for (index_t i = 0; i < k; ++i) columns[at(i)] = static_cast<std::int32_t>(i);
  const std::vector<s8> values(at(k), s8{-128});
  const sk::csr_view<const s8> a{
      {1, k}, {row_ptr.data(), 2}, {columns.data(), k}, {values.data(), k}};
  const auto packed = sk::pack_blocks(a, {1, 4}).value();
  const std::vector<u8> x(at(k * 2), 255);
  const std::vector<s8> negative(at(k * 2), s8{-128});
  std::vector<s32> y(2);
  sk::workspace ws(packed, {.max_columns = 2});
  const sk::dense_view<s32> out(y.data(), 1, 2);
  sk::multiply(packed, sk::dense_view<const u8>(x.data(), k, 2), out, ws);
  CHECK(y == std::vector<s32>(2, -128 * 255 * 4096));
  sk::multiply(packed, sk::dense_view<const s8>(negative.data(), k, 2), out, ws);
  CHECK(y == std::vector<s32>(2, 128 * 128 * 4096));
}

TEST_CASE("dense weights are packed as their nonzeros are") {
  std::vector<s8> w(10 * 26);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = i % 7 == 0 ? static_cast<s8>(i % 5 - 2) : s8{0};
  const sk::dense_view<const s8> dense(w.data(), 10, 26);
  const auto csr = sk::csr_matrix<s8>::from_dense(dense).value();
  const auto expected = sk::pack_blocks(csr, {2, 4}).value();
  const auto packed = sk::pack_blocks(dense, {2, 4}).value();
  REQUIRE(packed.bytes().size() == expected.bytes().size());
  CHECK(std::memcmp(packed.bytes().data(), expected.bytes().data(), at(packed.bytes().size())) ==
        0);
  const sk::dense_view<const s8> null(nullptr, 10, 26);
  CHECK(sk::pack_blocks(null, {2, 4}).error().code == sk::errc::null_array);
  CHECK(sk::pack_blocks(dense, {2, 3}).error().code == sk::errc::bad_argument);
}

TEST_CASE("what packed blocks refuse") {
  rng random(3);
  const sparse<s8> a(10, 24, 0.5, random);
  CHECK(sk::pack_blocks(a.view(), {2, 3}).error().code == sk::errc::bad_argument);
  CHECK(sk::pack_blocks(a.view(), {0, 4}).error().code == sk::errc::bad_argument);
  const sparse<bf16> b(10, 24, 0.5, random);
  CHECK(sk::pack_blocks(b.view(), {2, 1}).error().code == sk::errc::bad_argument);
  const index_t k = 65794;
  std::vector<std::int32_t> row_ptr{0, static_cast<std::int32_t>(k)};
  std::vector<std::int32_t> columns(at(k));
  for (index_t i = 0; i < k; ++i) columns[at(i)] = static_cast<std::int32_t>(i);
  const std::vector<s8> values(at(k), s8{-128});
  const sk::csr_view<const s8> large{
      {1, k}, {row_ptr.data(), 2}, {columns.data(), k}, {values.data(), k}};
  const auto refused = sk::pack_blocks(large, {1, 4});
  REQUIRE(!refused);
  CHECK(refused.error().code == sk::errc::overflow_possible);
}

TEST_CASE("damaged packed blocks are refused or harmless") {
  using T = s8;
  const index_t pair = 4 / index_t{sizeof(T)};
  rng random(8);
  const sparse<T> a(21, 7 * pair, 0.4, random);
  const auto packed = sk::pack_blocks(a.view(), {2, pair}).value();
  const auto good = packed.bytes();
  CHECK(sk::packed_blocks<T>::view_of(aligned_copy(good).view()));
  CHECK(sk::packed_blocks<f16>::view_of(good).error().code == sk::errc::unsupported);
  for (index_t n = 1; n < good.size(); n += 61) {
    CHECK(!sk::packed_blocks<T>::view_of(aligned_copy({good.data(), n}).view()));
  }
  // Each byte changed, the checksum right: refused, or a matrix that can be multiplied.
  const int refused = count_refused(good, [&](sk::array_view<const std::byte> bytes) {
    sk::packed_blocks_view<const T> v;
    if (!sk::packed_blocks<T>::view_of(bytes).get(v)) return true;
    std::vector<T> x(at(v.cols() * 2), T{});
    std::vector<sk::sum_of_t<T>> y(at(v.rows() * 2));
    sk::workspace ws(v, {.max_columns = 2});
    sk::multiply(v, sk::dense_view<const T>(x.data(), v.cols(), 2),
                 sk::dense_view<sk::sum_of_t<T>>(y.data(), v.rows(), 2), ws);
    return false;
  });
  CHECK(refused > 200);
}
