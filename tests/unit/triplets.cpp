// from_triplets: order, duplicates, index types, sizes at their limits, and every error.
#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "sparsekit/convert/from_triplets.hpp"
#include "support/describe.hpp"
#include "support/guard.hpp"
#include "support/matrices.hpp"
#include "support/rng.hpp"

namespace sk = sparsekit;
using sk::errc;
using sk::index_t;
using sparsekit_test::by_columns;
using sparsekit_test::by_rows;
using sparsekit_test::describe;
using sparsekit_test::entries_of;
using sparsekit_test::entry_list;
using sparsekit_test::guarded;
using sparsekit_test::rng;

namespace {

template <class T>
using triplets = std::vector<sk::triplet<T>>;

/// What from_triplets promises, in plain code: sorted by row, then column; sums in the order given.
template <class T>
entry_list<T> expected_entries(const triplets<T>& given) {
  entry_list<T> list;
  for (const auto& t : given) list.emplace_back(t.row, t.col, t.value);
  list = by_rows(std::move(list));
  entry_list<T> summed;
  for (const auto& [row, col, value] : list) {
    if (!summed.empty() && std::get<0>(summed.back()) == row && std::get<1>(summed.back()) == col) {
      T& sum = std::get<2>(summed.back());
      sum = static_cast<T>(sum + value);
    } else {
      summed.emplace_back(row, col, value);
    }
  }
  return summed;
}

template <class T>
triplets<T> random_triplets(index_t rows, index_t cols, index_t count, rng& random) {
  triplets<T> out;
  for (index_t i = 0; i < count; ++i) {
    const index_t row = random.below(rows);
    const index_t col = random.below(cols);
    out.push_back({row, col, static_cast<T>(random.normal() * 1000)});
  }
  return out;
}

}  // namespace

TEST_CASE("triplets in any order, duplicates summed in the order given") {
  // In this order the float sum is 0; in any other it is 1.
  const triplets<float> t{{2, 1, 1e8f}, {0, 3, 5.f}, {2, 0, 7.f},
                          {2, 1, 1.f},  {0, 0, 4.f}, {2, 1, -1e8f}};
  const entry_list<float> expected{{0, 0, 4.f}, {0, 3, 5.f}, {2, 0, 7.f}, {2, 1, 0.f}};

  const auto csr = sk::csr_matrix<float>::from_triplets({4, 4}, t).value();
  CHECK(csr.shape() == sk::extents(4, 4));
  CHECK(csr.nnz() == 4);
  CHECK(sk::validate(csr.view()));
  CHECK((entries_of(csr.view()) == expected));
  const auto csc = sk::csc_matrix<float>::from_triplets({4, 4}, t).value();
  CHECK(sk::validate(csc.view()));
  CHECK((entries_of(csc.view()) == by_columns(expected)));
  const auto coo = sk::coo_matrix<float>::from_triplets({4, 4}, t).value();
  CHECK(sk::validate(coo.view()));
  CHECK((entries_of(coo.view()) == expected));
}

TEST_CASE("random triplets, rows short and long") {
  rng random(1);
  const struct {
    index_t rows, cols, count;
  } sizes[] = {{1, 1, 5},   {1, 40, 15},   {1, 40, 17},     {1, 300, 500}, {7, 3, 100},
               {50, 60, 0}, {50, 60, 900}, {3, 5000, 4000}, {200, 2, 3000}};
  for (const auto& size : sizes) {
    const index_t rows = size.rows;
    const index_t cols = size.cols;
    const index_t count = size.count;
    CAPTURE(rows);
    CAPTURE(cols);
    CAPTURE(count);
    const auto t = random_triplets<float>(rows, cols, count, random);
    const auto expected = expected_entries(t);
    const auto csr = sk::csr_matrix<float>::from_triplets({rows, cols}, t).value();
    REQUIRE(sk::validate(csr.view()));
    CHECK((entries_of(csr.view()) == expected));
    const auto csc = sk::csc_matrix<float>::from_triplets({rows, cols}, t).value();
    REQUIRE(sk::validate(csc.view()));
    CHECK((entries_of(csc.view()) == by_columns(expected)));
    const auto coo = sk::coo_matrix<float>::from_triplets({rows, cols}, t).value();
    CHECK((entries_of(coo.view()) == expected));
  }
}

TEST_CASE("any contiguous range of anything with row, col and value") {
  struct edge_of_graph {
    std::uint16_t row;
    std::uint64_t col;
    double value;
    const char* label;
  };
  const edge_of_graph edges[] = {{1, 2, 0.5, "a"}, {0, 0, 1.5, "b"}};
  const entry_list<double> expected{{0, 0, 1.5}, {1, 2, 0.5}};
  const auto from_array = sk::csr_matrix<double>::from_triplets({2, 3}, edges).value();
  CHECK((entries_of(from_array.view()) == expected));
  const auto from_span =
      sk::csr_matrix<double>::from_triplets({2, 3}, std::span<const edge_of_graph>(edges)).value();
  CHECK((entries_of(from_span.view()) == expected));
  const sk::array_view<const edge_of_graph> view(edges);
  const auto from_view = sk::csr_matrix<double>::from_triplets({2, 3}, view).value();
  CHECK((entries_of(from_view.view()) == expected));
  const auto from_braces =
      sk::csr_matrix<double>::from_triplets({2, 3}, {{1, 2, 0.5}, {0, 0, 1.5}}).value();
  CHECK((entries_of(from_braces.view()) == expected));
  const auto csc =
      sk::csc_matrix<double>::from_triplets({2, 3}, {{1, 2, 0.5}, {0, 0, 1.5}}).value();
  CHECK((entries_of(csc.view()) == expected));
  const auto coo =
      sk::coo_matrix<double>::from_triplets({2, 3}, {{1, 2, 0.5}, {0, 0, 1.5}}).value();
  CHECK((entries_of(coo.view()) == expected));
  // Values convert to the type of the matrix.
  const auto narrower = sk::csr_matrix<float>::from_triplets({2, 3}, edges).value();
  CHECK(narrower.view().values[1] == 0.5f);
}

TEST_CASE("values keep their bits: explicit zeros, -0.0, NaN payloads, infinities, subnormals") {
  const float payload = std::bit_cast<float>(0x7FC12345u);
  const float subnormal = std::bit_cast<float>(0x00000007u);
  const triplets<float> t{{0, 0, 0.f},
                          {0, 1, -0.f},
                          {0, 2, payload},
                          {1, 0, std::numeric_limits<float>::infinity()},
                          {1, 1, subnormal}};
  const auto a = sk::csr_matrix<float>::from_triplets({2, 3}, t).value();
  REQUIRE(a.nnz() == 5);
  for (index_t i = 0; i < 5; ++i) {
    CHECK(std::bit_cast<std::uint32_t>(a.view().values[i]) ==
          std::bit_cast<std::uint32_t>(t[static_cast<std::size_t>(i)].value));
  }
}

TEST_CASE("empty shapes and empty lists") {
  const triplets<float> none;
  for (const sk::extents shape :
       {sk::extents(0, 0), sk::extents(0, 5), sk::extents(5, 0), sk::extents(5, 5)}) {
    const auto csr = sk::csr_matrix<float>::from_triplets(shape, none).value();
    CHECK(csr.shape() == shape);
    CHECK(csr.nnz() == 0);
    CHECK(sk::validate(csr.view()));
    const auto csc = sk::csc_matrix<float>::from_triplets(shape, none).value();
    CHECK(sk::validate(csc.view()));
    const auto coo = sk::coo_matrix<float>::from_triplets(shape, none).value();
    CHECK(sk::validate(coo.view()));
  }
  CHECK(sk::validate(sk::csr_matrix<float>().view()));
  CHECK(sk::validate(sk::csc_matrix<float>().view()));
  CHECK(sk::validate(sk::coo_matrix<float>().view()));
}

TEST_CASE("owners move; what was moved from is a valid 0 x 0 matrix") {
  const triplets<float> t{{1, 2, 3.f}};
  auto a = sk::csr_matrix<float>::from_triplets({2, 3}, t).value();
  sk::csr_matrix<float> b(std::move(a));
  CHECK(a.shape() == sk::extents(0, 0));
  CHECK(sk::validate(a.view()));
  CHECK(b.nnz() == 1);
  sk::csr_matrix<float> c;
  c = std::move(b);
  CHECK(c.nnz() == 1);
  CHECK(sk::validate(b.view()));
  auto columns = sk::csc_matrix<float>::from_triplets({2, 3}, t).value();
  const sk::csc_matrix<float> d(std::move(columns));
  CHECK(sk::validate(columns.view()));
  auto coordinates = sk::coo_matrix<float>::from_triplets({2, 3}, t).value();
  const sk::coo_matrix<float> e(std::move(coordinates));
  CHECK(coordinates.shape() == sk::extents(0, 0));
  CHECK(c.view().values[0] == 3.f);
  c.values()[0] = 4.f;
  CHECK(c.view().values[0] == 4.f);
}

TEST_CASE("indices out of range name the triplet; nothing outside the list is read") {
  const auto check = [](const triplets<float>& list, auto matrix) {
    using Matrix = decltype(matrix);
    std::string found[2];
    for (auto e : sparsekit_test::both_edges) {
      guarded<sk::triplet<float>> t(list, e);
      t.freeze();
      found[e == sparsekit_test::edge::left ? 0 : 1] =
          describe(Matrix::from_triplets({3, 4}, std::as_const(t).view()).error());
    }
    CHECK(found[0] == found[1]);
    return found[0];
  };
  CHECK(check({{0, 0, 1}, {3, 0, 1}}, sk::csr_matrix<float>()) ==
        "row_out_of_range entry 1 row -1 got 3 allowed 3 | "
        "csr: row index 3 at entry 1 is not below rows = 3");
  CHECK(check({{-1, 0, 1}}, sk::csr_matrix<float>()) ==
        "row_out_of_range entry 0 row -1 got -1 allowed 3 | "
        "csr: row index -1 at entry 0 is not below rows = 3");
  CHECK(check({{0, 0, 1}, {0, 1, 1}, {2, 4, 1}}, sk::csc_matrix<float>()) ==
        "column_out_of_range entry 2 row -1 got 4 allowed 4 | "
        "csc: column index 4 at entry 2 is not below cols = 4");
  CHECK(check({{0, std::numeric_limits<index_t>::min(), 1}}, sk::coo_matrix<float>()) ==
        "column_out_of_range entry 0 row -1 got -9223372036854775808 allowed 4 | "
        "coo: column index -9223372036854775808 at entry 0 is not below cols = 4");
  const std::vector<sk::triplet<float, std::uint32_t>> large{{4294967295u, 0, 1.f}};
  CHECK(describe(sk::csr_matrix<float>::from_triplets({3, 4}, large).error()) ==
        "row_out_of_range entry 0 row -1 got 4294967295 allowed 3 | "
        "csr: row index 4294967295 at entry 0 is not below rows = 3");

  const sk::array_view<const sk::triplet<float>> null{
      static_cast<const sk::triplet<float>*>(nullptr), 2};
  CHECK(describe(sk::csr_matrix<float>::from_triplets({3, 4}, null).error()) ==
        "null_array entry -1 row -1 got 2 allowed 2 | csr: triplets is null, expected length 2");
}

TEST_CASE("sizes that are negative, or that the types cannot hold") {
  const triplets<float> none;
  const auto csr = [&](index_t rows, index_t cols) {
    return describe(sk::csr_matrix<float>::from_triplets({rows, cols}, none).error());
  };
  CHECK(csr(-1, 4) ==
        "negative_size entry -1 row -1 got -1 allowed 0 | csr: rows = -1 is negative");
  CHECK(csr(4, -3) ==
        "negative_size entry -1 row -1 got -3 allowed 0 | csr: cols = -3 is negative");
  CHECK(csr(1, 2147483647) == "ok");
  CHECK(csr(1, index_t{1} << 31) == "ok");  // indices go to 2^31 - 1
  CHECK(csr(1, (index_t{1} << 31) + 1) ==
        "size_overflow entry -1 row -1 got 2147483649 allowed 2147483648 | "
        "csr: cols = 2147483649 exceeds 2147483648");
  CHECK(csr(std::numeric_limits<index_t>::max(), 1) ==
        "size_overflow entry -1 row -1 got 9223372036854775807 allowed 9223372036854775806 | "
        "csr: row_ptr = 9223372036854775807 exceeds 9223372036854775806");
  CHECK(csr(index_t{1} << 62, 1).substr(0, 13) == "size_overflow");

  const auto small = [&](index_t rows, index_t cols) {
    return describe(
        sk::coo_matrix<float, std::uint16_t>::from_triplets({rows, cols}, none).error());
  };
  CHECK(small(65536, 65536) == "ok");
  CHECK(small(65537, 1) ==
        "size_overflow entry -1 row -1 got 65537 allowed 65536 | coo: rows = 65537 exceeds 65536");
  CHECK(small(1, 65537) ==
        "size_overflow entry -1 row -1 got 65537 allowed 65536 | coo: cols = 65537 exceeds 65536");
  CHECK(describe(sk::csc_matrix<float, std::int16_t>::from_triplets({32769, 1}, none).error()) ==
        "size_overflow entry -1 row -1 got 32769 allowed 32768 | csc: rows = 32769 exceeds 32768");
  // The compressed dimension is not indexed: 16-bit indices do not limit it.
  CHECK(sk::csc_matrix<float, std::int16_t>::from_triplets({1, 100000}, none));
}

TEST_CASE("more entries than offsets can count") {
  triplets<float> t;
  for (index_t i = 0; i < 40000; ++i) t.push_back({i % 200, i / 200, 1.f});
  using narrow = sk::csr_matrix<float, std::int16_t, std::int16_t>;
  CHECK(describe(narrow::from_triplets({200, 200}, t).error()) ==
        "size_overflow entry -1 row -1 got 40000 allowed 32767 | csr: nnz = 40000 exceeds 32767");
  // What counts is the number after summing.
  for (auto& triplet : t) triplet.col %= 100;
  const auto summed = narrow::from_triplets({200, 200}, t).value();
  CHECK(summed.nnz() == 20000);
  CHECK(summed.view().values[19999] == 2.f);
  // Offsets may be wider than indices.
  const auto wide =
      sk::csr_matrix<float, std::uint16_t, std::int64_t>::from_triplets({200, 200}, t).value();
  CHECK(wide.nnz() == 20000);
}

TEST_CASE("hypersparse shapes cost memory by their entries only") {
  constexpr index_t huge = 2147483647;
  const triplets<float> t{{2, huge - 1, 1.f}, {0, 5, 2.f}, {2, 0, 3.f}};
  const auto csr = sk::csr_matrix<float>::from_triplets({3, huge}, t).value();
  CHECK(csr.cols() == huge);
  CHECK(
      (entries_of(csr.view()) == entry_list<float>{{0, 5, 2.f}, {2, 0, 3.f}, {2, huge - 1, 1.f}}));
  const triplets<float> tall{{huge - 1, 2, 1.f}, {5, 0, 2.f}};
  const auto csc = sk::csc_matrix<float>::from_triplets({huge, 3}, tall).value();
  CHECK((entries_of(csc.view()) == entry_list<float>{{5, 0, 2.f}, {huge - 1, 2, 1.f}}));
  const triplets<float> both{{huge - 1, huge - 1, 1.f}, {5, 0, 2.f}};
  const auto coo = sk::coo_matrix<float>::from_triplets({huge, huge}, both).value();
  CHECK((entries_of(coo.view()) == entry_list<float>{{5, 0, 2.f}, {huge - 1, huge - 1, 1.f}}));
}

TEST_CASE("integer values whose sum overflows are an error, not a wrong number") {
  using csr = sk::csr_matrix<std::int8_t>;
  const std::vector<sk::triplet<std::int8_t>> fits{{1, 0, 100}, {1, 0, 27}, {0, 0, -128}};
  const auto a = csr::from_triplets({2, 1}, fits).value();
  CHECK(a.view().values[1] == 127);
  const std::vector<sk::triplet<std::int8_t>> over{{1, 0, 100}, {1, 0, 28}};
  CHECK(csr::from_triplets({2, 1}, over).error().code == errc::overflow_possible);
  CHECK(csr::from_triplets({2, 1}, over).error().row == 1);
  const std::vector<sk::triplet<std::int8_t>> under{{1, 0, -100}, {1, 0, -29}};
  CHECK(sk::coo_matrix<std::int8_t>::from_triplets({2, 1}, under).error().message() ==
        "coo: overflow_possible: sum of the values at one place (row 1)");
}
