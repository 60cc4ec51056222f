// N:M patterns of bf16 and f16, free and shared by rows: products against plain loops with all
// operands between guard pages, with and without a workspace; Inf and NaN.
#include <doctest/doctest.h>

#include "support/nm_narrow.hpp"

using namespace sparsekit_test;

TEST_CASE_TEMPLATE("N:M of half types multiplies exactly", Types, types<bf16, float, bf16>,
                   types<f16, f16, f16>) {
  check_nm<Types, sk::row_major, sk::col_major>();
}

TEST_CASE_TEMPLATE("every pattern of 2:4 and 4:8, every pair of 2:4, half types", Types,
                   types<bf16, float, bf16>, types<f16, f16, f16>) {
  check_nm_patterns<Types, sk::row_major, sk::col_major>();
}

TEST_CASE("one column of half types has the same bits by lookup and by plain loops") {
  const index_t m = 133, k = 5000;  // too long for the stack
  rng random(4);
  sparse<bf16> a = pattern_of<bf16>(m, k, {2, 4, 1}, random);
  for (bf16& v : a.values) v = bf16(static_cast<float>(random.normal()));
  const auto packed = sk::pack(sk::to_nm(a.view(), {2, 4, 1}).value()).value();
  std::vector<float> x(at(k));
  for (float& v : x) v = static_cast<float>(random.normal());
  std::vector<bf16> fast(at(m));
  std::vector<bf16> plain(at(m));
  sk::workspace ws(packed, {.max_columns = 1});
  const sk::dense_view<const float> in(x.data(), k, 1);
  sk::multiply(packed, in, sk::dense_view<bf16, sk::col_major>(fast.data(), m, 1), ws);
  sk::multiply(packed, in, sk::dense_view<bf16, sk::col_major>(plain.data(), m, 1));
  CHECK(std::memcmp(fast.data(), plain.data(), at(m) * sizeof(bf16)) == 0);
}
