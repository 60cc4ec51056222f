// Packed blocks of bf16 and f16: every shape and tail, panels and plain loops, all operands between
// guard pages; Inf and NaN; the same bits at every place.
#include <doctest/doctest.h>

#include <cstring>

#include "support/blocks_narrow.hpp"
#include "support/packed_bytes.hpp"

using namespace sparsekit_test;

TEST_CASE_TEMPLATE("blocks of half types multiply exactly", Types, types<bf16, bf16, float>,
                   types<f16, f16, f16, true>) {
  check_blocks<Types>();
}

TEST_CASE("one column of f32 with blocks of bf16; a column too long for the stack") {
  rng random(12);
  for (const index_t rows : {1, 2, 4, 8, 16}) {
    for (const index_t k : {1, 37, 300, 4200}) {
      const sparse<bf16> a(19, k, 0.3, random);
      const auto packed = sk::pack_blocks(a.view(), {rows, 2}).value();
      for (const bool ws : {false, true}) {
        check_product<bf16, float, float, sk::col_major, sk::row_major>(a, packed, 1, ws,
                                                                        edge::right, random);
      }
    }
  }
}

TEST_CASE(
    "a column has the same bits at every place, in every chunk of threads, of either type of X") {
  const index_t m = 300, k = 500, most = 70;
  rng random(5);
  sparse<bf16> a(m, k, 0.2, random);
  for (bf16& v : a.values) v = bf16(static_cast<float>(random.normal()));
  std::vector<bf16> column(at(k));
  for (bf16& v : column) v = bf16(static_cast<float>(random.normal()));
  const auto executor = [](index_t tasks, auto&& f) {
    for (index_t t = tasks - 1; t >= 0; --t) f(t, t % 2);
  };
  for (const sk::block_shape block :
       {sk::block_shape{1, 2}, sk::block_shape{2, 2}, sk::block_shape{4, 2}}) {
    const auto packed = sk::pack_blocks(a.view(), block).value();
    sk::workspace ws(packed, {.max_columns = most, .max_workers = 2});
    std::vector<float> expected;
    int different = 0;
    for (const index_t n : {2, 8, 9, 31, 65, 70}) {
      std::vector<bf16> x(at(k * n));
      std::vector<float> wide(at(k * n));
      std::vector<float> y(at(m * n));
      for (index_t i = 0; i < k; ++i) {
        for (index_t j = 0; j < n; ++j) {
          x[at(i * n + j)] = column[at(i)];
          wide[at(i * n + j)] = static_cast<float>(column[at(i)]);
        }
      }
      const auto compare = [&] {
        for (index_t j = 0; j < n; ++j) {
          std::vector<float> got;
          for (index_t r = 0; r < m; ++r) got.push_back(y[at(r * n + j)]);
          if (expected.empty()) expected = got;
          different += std::memcmp(got.data(), expected.data(), at(m) * sizeof(float)) == 0 ? 0 : 1;
        }
      };
      sk::multiply(sk::par(executor), packed, sk::dense_view<const bf16>(x.data(), k, n),
                   sk::dense_view<float>(y.data(), m, n), ws);
      compare();
      sk::multiply(packed, sk::dense_view<const float>(wide.data(), k, n),
                   sk::dense_view<float>(y.data(), m, n), ws);
      compare();
    }
    CHECK(different == 0);
  }
}
