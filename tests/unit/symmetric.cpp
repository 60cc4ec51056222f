// One triangle of a symmetric matrix: products, conversions, the same bits whoever runs the chunks, malformed
// triangles by name, the reader of symmetric files.
#include <string>

#include "sparsekit/convert/from_triplets.hpp"
#include "sparsekit/convert/to_symmetric.hpp"
#include "sparsekit/io/matrix_market.hpp"
#include "support/scattered.hpp"

using namespace sparsekit_test;

TEST_CASE_TEMPLATE("one triangle of a symmetric matrix, lower or upper", T, double) {
  rng random(13);
  for (const index_t rows : {1, 7, 64, 150}) {
    for (const double density : {0.05, 0.6}) {
      const auto a = make_symmetric<T>(rows, density, random);
      for (const sk::triangle stored : {sk::lower, sk::upper}) {
        const auto half = half_of(a, stored);
        for (const edge e : both_edges) {
          const guarded_csr<T, std::int32_t, std::int32_t> arrays(half, e);
          const auto view = sk::symmetric(arrays.view(), stored);
          REQUIRE(sk::validate(view));
          for (const index_t n : {1, 4, 17}) {
            const auto x = integers<T>(rows, n, random, n == 4 ? rows / 2 : -1);
            check_products<T>(view, x, n, product(a, x, n), e);
            check_products<T>(sk::transposed(view), x, n, product(a, x, n), e);
          }
        }
      }
    }
  }
}

TEST_CASE("a symmetric operand on the right, and scaled") {
  rng random(15);
  const auto a = make_symmetric<float>(30, 0.3, random);
  const auto owner = sk::to_symmetric(view_of(a)).value();
  const auto x = integers<float>(30, 1, random);
  std::vector<float> y(30);
  const auto expected = product(a, x, 1);
  sk::multiply(x, owner, y);
  index_t wrong = 0;
  for (std::size_t i = 0; i < y.size(); ++i) wrong += !same(y[i], expected[i]);
  sk::multiply(sk::scaled(2.0f, owner), x, y);
  for (std::size_t i = 0; i < y.size(); ++i) wrong += !same(y[i], 2 * expected[i]);
  CHECK(wrong == 0);
  const auto sell = sk::to_sell(view_of(a)).value();
  sk::multiply(x, sell, y);
  for (std::size_t i = 0; i < y.size(); ++i) wrong += !same(y[i], expected[i]);
  CHECK(wrong == 0);
}

TEST_CASE("triangles: conversions there and back, both kinds") {
  rng random(16);
  const auto a = make_symmetric<double>(41, 0.2, random);
  for (const sk::triangle stored : {sk::lower, sk::upper}) {
    const auto s = sk::to_symmetric(view_of(a), stored).value();
    CHECK(s.stored() == stored);
    CHECK(sk::validate(s.view()));
    CHECK(s.half().nnz() == half_of(a, stored).nnz());
    CHECK(entries_of(sk::to_csr(s).value().view()) == entries_of(view_of(a)));
    CHECK(by_rows(entries_of(sk::to_csc(s).value().view())) == entries_of(view_of(a)));
    CHECK(entries_of(sk::to_coo(s.view()).value().view()) == entries_of(view_of(a)));
    CHECK(entries_of(sk::to_csr(sk::transposed(s)).value().view()) == entries_of(view_of(a)));
  }
}

TEST_CASE("malformed triangles are refused by name") {
  const auto message = [](sk::extents shape, std::vector<std::int32_t> ptr,
                          std::vector<std::int32_t> columns, sk::triangle stored) {
    const std::vector<double> values(columns.size(), 1.0);
    return sk::validate(sk::symmetric(sk::csr_view<const double>{shape, ptr, columns, values}, stored))
        .message();
  };
  CHECK(message({2, 2}, {0, 1, 3}, {0, 0, 1}, sk::lower) == "ok");
  CHECK(message({2, 2}, {0, 2, 3}, {0, 1, 1}, sk::upper) == "ok");
  CHECK(message({0, 0}, {0}, {}, sk::lower) == "ok");
  CHECK(message({2, 2}, {0, 2, 3}, {0, 1, 1}, sk::lower).find("above the diagonal") !=
        std::string::npos);
  CHECK(message({2, 2}, {0, 1, 3}, {0, 0, 1}, sk::upper).find("below the diagonal") !=
        std::string::npos);
  CHECK(message({2, 3}, {0, 1, 2}, {0, 0}, sk::lower) == "symmetric: cols is 3, expected 2");
  CHECK(message({2, 2}, {0, 1, 3}, {0, 1, 0}, sk::lower).find("follows") != std::string::npos);
  CHECK(message({2, 2}, {0, 1, 2}, {0, 2}, sk::lower) ==
        "symmetric: column index 2 at entry 1 (row 1) is not below cols = 2");
  CHECK(message({2, 2}, {0, 1, 2}, {0, -1}, sk::lower).find("column index -1") !=
        std::string::npos);
  // The factory that takes a triangle over.
  auto whole = sk::csr_matrix<double>::from_triplets({2, 2}, {{0, 1, 1.0}}).value();
  CHECK(sk::symmetric_matrix<double>::make(std::move(whole), sk::lower).error().code ==
        sk::errc::bad_pattern);
}

TEST_CASE("to_symmetric refuses what is not symmetric") {
  const auto refused = [](std::initializer_list<sk::triplet<double>> entries, sk::extents shape) {
    const auto a = sk::csr_matrix<double>::from_triplets(shape, entries).value();
    return sk::to_symmetric(a).error().code;
  };
  CHECK(refused({{0, 1, 1.0}, {1, 0, 1.0}}, {2, 2}) == sk::errc::ok);
  CHECK(refused({{0, 1, 1.0}, {1, 0, 2.0}}, {2, 2}) == sk::errc::bad_pattern);
  CHECK(refused({{0, 1, 1.0}}, {2, 2}) == sk::errc::bad_pattern);
  CHECK(refused({{1, 0, 1.0}}, {2, 2}) == sk::errc::bad_pattern);
  CHECK(refused({{0, 0, 1.0}}, {2, 3}) == sk::errc::shape_mismatch);
}

TEST_CASE("the Matrix Market reader keeps the triangle of a symmetric file") {
  const std::string text =
      "%%MatrixMarket matrix coordinate real symmetric\n3 3 4\n1 1 2\n2 1 -1\n3 2 -1\n3 3 4\n";
  const auto s = sk::io::parse_matrix_market_symmetric<double>(text).value();
  CHECK(s.half().nnz() == 4);
  CHECK(s.stored() == sk::lower);
  CHECK(entries_of(sk::to_csr(s).value().view()) ==
        entries_of(sk::io::parse_matrix_market<double>(text).value().view()));
  const auto general = sk::io::parse_matrix_market_symmetric<double>(
      "%%MatrixMarket matrix coordinate real general\n1 1 1\n1 1 2\n");
  CHECK(general.error().code == sk::errc::unsupported);
  const auto skew = sk::io::parse_matrix_market_symmetric<double>(
      "%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n2 1 2\n");
  CHECK(skew.error().code == sk::errc::unsupported);
}

TEST_CASE("one triangle: the same bits whoever runs the chunks") {
  rng random(17);
  const auto half = half_of(make_csr<float>(pattern::uniform, 1200, 1200, 0.5, random), sk::lower);
  for (const bool ws : {false, true}) {
    check_bits<float>(sk::symmetric(view_of(half), sk::lower), 1, ws, random);
    check_bits<float>(sk::symmetric(view_of(half), sk::lower), 3, ws, random);
  }
}
