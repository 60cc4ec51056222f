// Views whose entries stand in any order, some places more than once, as validate(…,
// {.allow_unsorted}) accepts them: every kernel that reads the arrays as they are adds them up.
// Small integers make the sums exact in any order. The matrices have more rows than kernels that
// scatter keep sums for.
#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "sparsekit/multiply.hpp"
#include "support/guard.hpp"
#include "support/rng.hpp"

namespace sk = sparsekit;
using sk::index_t;
using namespace sparsekit_test;

namespace {

struct entry {
  index_t major, minor;
  int value;
};

/// `each` entries for every major index, minor indices in random order, with repetitions.
template <class T>
struct compressed {
  index_t majors, minors;
  std::vector<entry> entries;
  std::vector<std::int32_t> offsets{0}, indices;
  std::vector<T> values;

  compressed(index_t major_count, index_t minor_count, index_t each, bool sorted)
      : majors(major_count), minors(minor_count) {
    rng random(7);
    for (index_t i = 0; i < majors; ++i) {
      for (index_t e = 0; e < each; ++e) {
        const index_t minor =
            e % 7 == 6 && !sorted ? entries.back().minor
            : sorted              ? e * minors / each
                     : static_cast<index_t>(random.next() % static_cast<std::uint64_t>(minors));
        entries.push_back({i, minor, static_cast<int>(random.next() % 7) - 3});
        indices.push_back(static_cast<std::int32_t>(minor));
        values.push_back(static_cast<T>(entries.back().value));
      }
      offsets.push_back(static_cast<std::int32_t>(indices.size()));
    }
  }
};

int x_at(index_t row, index_t column) { return static_cast<int>((row * 5 + column * 3) % 11) - 5; }

/// A X for entries of A (row, column, value), rows x n, by plain loops.
template <class Rows>
std::vector<int> expected(const std::vector<entry>& entries, index_t rows, index_t n,
                          Rows rows_of) {
  std::vector<int> y(static_cast<std::size_t>(rows * n), 0);
  for (const entry& e : entries) {
    const auto [row, column] = rows_of(e);
    for (index_t j = 0; j < n; ++j) {
      y[static_cast<std::size_t>(row * n + j)] += e.value * x_at(column, j);
    }
  }
  return y;
}

/// Y = A X by multiply, operands between guard pages, against `want` (rows x n).
template <class Layout, class T, class A>
void check_product(const A& a, index_t n, const std::vector<int>& want) {
  const bool by_rows = std::is_same_v<Layout, sk::row_major>;
  const auto at = [&](index_t rows, index_t r, index_t j) {
    return by_rows ? r * n + j : j * rows + r;
  };
  for (edge e : both_edges) {
    guarded<T> x(a.cols() * n, e), y(a.rows() * n, e);
    for (index_t r = 0; r < a.cols(); ++r) {
      for (index_t j = 0; j < n; ++j) x.data()[at(a.cols(), r, j)] = static_cast<T>(x_at(r, j));
    }
    x.freeze();
    y.fill(std::numeric_limits<T>::quiet_NaN());
    const sk::dense_view<const T, Layout> xs(x.data(), a.cols(), n);
    const sk::dense_view<T, Layout> ys(y.data(), a.rows(), n);
    sk::multiply(a, xs, ys);
    index_t wrong = 0;
    for (index_t r = 0; r < a.rows(); ++r) {
      for (index_t j = 0; j < n; ++j) {
        wrong += y.data()[at(a.rows(), r, j)] !=
                 static_cast<T>(want[static_cast<std::size_t>(r * n + j)]);
      }
    }
    CAPTURE(n);
    CAPTURE(name_of(e));
    CHECK(wrong == 0);
  }
}

template <class T, class A, class Rows>
void check_products(const A& a, const std::vector<entry>& entries, Rows rows_of) {
  for (index_t n : {1, 2, 19}) {
    const auto want = expected(entries, a.rows(), n, rows_of);
    check_product<sk::row_major, T>(a, n, want);
    check_product<sk::col_major, T>(a, n, want);
  }
}

constexpr auto as_stored = [](const entry& e) { return std::pair(e.major, e.minor); };
constexpr auto flipped = [](const entry& e) { return std::pair(e.minor, e.major); };

}  // namespace

TEST_CASE_TEMPLATE("CSR with entries in any order", T, float, double) {
  const compressed<T> m(37, 9001, 200, false);
  const sk::csr_view<const T> a{{m.majors, m.minors}, m.offsets, m.indices, m.values};
  REQUIRE(!sk::validate(a));
  REQUIRE(sk::validate(a, {.allow_unsorted = true}));
  check_products<T>(a, m.entries, as_stored);
  check_products<T>(sk::transposed(a), m.entries, flipped);
}

TEST_CASE_TEMPLATE("CSC with entries in any order, and in order", T, float, double) {
  for (bool sorted : {false, true}) {
    CAPTURE(sorted);
    const compressed<T> m(37, 9001, 200, sorted);
    const sk::csc_view<const T> a{{m.minors, m.majors}, m.offsets, m.indices, m.values};
    REQUIRE(sk::validate(a, {.allow_unsorted = true}));
    check_products<T>(a, m.entries, flipped);
    check_products<T>(sk::transposed(a), m.entries, as_stored);
  }
}

TEST_CASE("one column out of order behind many in order") {
  compressed<float> m(5000, 4500, 3, true);
  const std::size_t last = m.entries.size() - 1;
  std::swap(m.entries[last].minor, m.entries[last - 2].minor);
  std::swap(m.indices[last], m.indices[last - 2]);
  const sk::csc_view<const float> a{{m.minors, m.majors}, m.offsets, m.indices, m.values};
  REQUIRE(!sk::validate(a));
  check_products<float>(a, m.entries, flipped);
}

TEST_CASE("COO with entries in any order") {
  const compressed<float> m(9001, 37, 3, false);
  std::vector<std::int32_t> rows;
  for (const entry& e : m.entries) rows.push_back(static_cast<std::int32_t>(e.major));
  std::vector<std::int32_t> order_rows, order_columns;
  std::vector<float> order_values;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t p = i * 10007 % rows.size();
    order_rows.push_back(rows[p]);
    order_columns.push_back(m.indices[p]);
    order_values.push_back(m.values[p]);
  }
  const sk::coo_view<const float> a{{m.majors, m.minors}, order_rows, order_columns, order_values};
  check_products<float>(a, m.entries, as_stored);
}

TEST_CASE("sparse on the right, entries in any order") {
  const compressed<float> m(37, 9001, 200, false);
  const sk::csr_view<const float> a{{m.majors, m.minors}, m.offsets, m.indices, m.values};
  const index_t n = 3;
  const auto want = expected(m.entries, a.cols(), n, flipped);  // of the transposed product
  guarded<float> x(n * a.rows()), y(n * a.cols());
  for (index_t j = 0; j < n; ++j) {
    for (index_t r = 0; r < a.rows(); ++r)
      x.data()[j * a.rows() + r] = static_cast<float>(x_at(r, j));
  }
  const sk::dense_view<const float, sk::row_major> xs(x.data(), n, a.rows());
  const sk::dense_view<float, sk::row_major> ys(y.data(), n, a.cols());
  sk::multiply(xs, a, ys);
  index_t wrong = 0;
  for (index_t j = 0; j < n; ++j) {
    for (index_t c = 0; c < a.cols(); ++c) {
      wrong += y.data()[j * a.cols() + c] !=
               static_cast<float>(want[static_cast<std::size_t>(c * n + j)]);
    }
  }
  CHECK(wrong == 0);
}
