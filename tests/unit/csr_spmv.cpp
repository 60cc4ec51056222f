// y = A x for CSR as it is: rows of every length in every company, between guard pages, for indices
// of 16, 32 and 64 bits. A row's sum has the same bits wherever the row stands and however many
// threads there are, and nothing of the rows behind shows in it.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "sparsekit/adapters/thread_pool.hpp"
#include "sparsekit/multiply.hpp"
#include "support/guard.hpp"
#include "support/rng.hpp"

namespace sk = sparsekit;
using sk::index_t;
using namespace sparsekit_test;

namespace {

constexpr index_t cols = 97;

/// Lengths of rows: alike in groups (all of one length, of one remainder by four), mixed, ending in
/// short rows or empty ones.
std::vector<std::vector<index_t>> all_lengths() {
  std::vector<std::vector<index_t>> all;
  for (index_t n = 0; n <= 30; ++n) {
    all.push_back(std::vector<index_t>(static_cast<std::size_t>(1 + n % 11), n));
    all.push_back({n, n + 4, n, n + 8, n + 4, n, n, n, 0, n});
  }
  rng random(1);
  for (int i = 0; i < 30; ++i) {
    std::vector<index_t> mixed(static_cast<std::size_t>(1 + random.below(200)));
    for (index_t& n : mixed) n = random.below(random.chance(0.1) ? 60 : 7);
    for (index_t tail = random.below(4); tail > 0; --tail) mixed.push_back(0);
    all.push_back(mixed);
  }
  return all;
}

template <class T, class Index, class Offset>
struct matrix {
  std::vector<Offset> row_ptr{0};
  std::vector<Index> columns;
  std::vector<T> values;

  /// The same row for the same length, wherever it stands; its values are integers or not.
  matrix(const std::vector<index_t>& lengths, bool integers) {
    for (const index_t n : lengths) {
      rng random(static_cast<std::uint64_t>(n));
      for (index_t i = 0; i < n; ++i) {
        columns.push_back(static_cast<Index>(1 + i * (cols - 1) / n));  // column 0 stays empty
        values.push_back(integers ? static_cast<T>(random.below(9) - 4)
                                  : static_cast<T>(random.normal()));
      }
      row_ptr.push_back(static_cast<Offset>(columns.size()));
    }
  }
  index_t rows() const { return static_cast<index_t>(row_ptr.size()) - 1; }
};

template <class T, class Index, class Offset>
void check_exact() {
  guarded<Offset> row_ptr;
  guarded<Index> columns;
  guarded<T> values;
  guarded<T> x;
  guarded<T> y;
  for (const auto& lengths : all_lengths()) {
    const matrix<T, Index, Offset> m(lengths, true);
    for (const edge e : both_edges) {
      row_ptr.assign(m.row_ptr, e);
      columns.assign(m.columns, e);
      values.assign(m.values, e);
      x.reset(cols, e);
      for (index_t i = 0; i < cols; ++i) x[i] = static_cast<T>(i % 7 - 3);
      x[0] = std::numeric_limits<T>::quiet_NaN();
      y.reset(m.rows(), e);
      y.fill(std::numeric_limits<T>::quiet_NaN());
      const sk::csr_view<const T, Index, Offset> a{
          {m.rows(), cols}, row_ptr.view(), columns.view(), values.view()};
      sk::multiply(a, x.view(), y.view());
      bool right = true;
      for (index_t r = 0; r < m.rows(); ++r) {
        T sum{0};
        for (auto p = row_ptr[r]; p < row_ptr[r + 1]; ++p) sum += values[p] * x[columns[p]];
        right = right && y[r] == sum;
      }
      CHECK(right);
      CHECK(y.intact());
    }
  }
}

/// The bits of a row of length n among others are those that it has alone.
template <class T>
void check_bits() {
  std::vector<T> x(static_cast<std::size_t>(cols));
  rng random(7);
  for (T& v : x) v = static_cast<T>(random.normal());
  const auto product = [&](const auto& policy, const std::vector<index_t>& lengths) {
    const matrix<T, std::int32_t, std::int32_t> m(lengths, false);
    std::vector<T> y(static_cast<std::size_t>(m.rows()), T{2});
    const sk::csr_view<const T> a{{m.rows(), cols}, m.row_ptr, m.columns, m.values};
    sk::multiply(policy, a, x, y, sk::scale(T{3}) | sk::accumulate);
    return y;
  };
  std::vector<T> alone;
  for (index_t n = 0; n < 60; ++n) alone.push_back(product(sk::seq, {n})[0]);
  for (const auto& lengths : all_lengths()) {
    const auto y = product(sk::seq, lengths);
    bool same = true;
    for (std::size_t r = 0; r < lengths.size(); ++r) {
      same =
          same && std::memcmp(&y[r], &alone[static_cast<std::size_t>(lengths[r])], sizeof(T)) == 0;
    }
    CHECK(same);
  }
  // Enough rows for several tasks, which begin at any multiple of sixteen rows.
  std::vector<index_t> many;
  for (int i = 0; i < 40000; ++i) many.push_back(random.below(random.chance(0.02) ? 59 : 9));
  const auto expected = product(sk::seq, many);
  for (index_t workers : {2, 3}) {
    sk::thread_pool pool(workers);
    const auto y = product(sk::par(pool), many);
    CHECK(std::memcmp(y.data(), expected.data(), y.size() * sizeof(T)) == 0);
  }
}

/// NaN and Inf in values and x reach only their own rows, whatever stands beside.
template <class T>
void check_not_finite() {
  const T odd[] = {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()};
  const std::vector<index_t> lengths{3, 1, 5, 2, 7, 6, 4, 0, 9, 13, 3, 1, 2, 3, 1};
  const matrix<T, std::int32_t, std::int32_t> clean(lengths, true);
  const auto rows = static_cast<std::size_t>(clean.rows());
  const std::vector<T> ones(static_cast<std::size_t>(cols), T{1});
  std::vector<T> expected(rows);
  sk::multiply(
      sk::csr_view<const T>{{clean.rows(), cols}, clean.row_ptr, clean.columns, clean.values}, ones,
      expected);
  for (std::size_t bad = 0; bad < rows; ++bad) {
    if (lengths[bad] == 0) continue;
    for (const T value : odd) {
      auto m = clean;
      m.values[static_cast<std::size_t>(m.row_ptr[bad])] = value;
      std::vector<T> y(rows);
      sk::multiply(sk::csr_view<const T>{{m.rows(), cols}, m.row_ptr, m.columns, m.values}, ones,
                   y);
      for (std::size_t r = 0; r < rows; ++r) {
        CHECK((r == bad ? !std::isfinite(y[r]) : y[r] == expected[r]));
      }
    }
  }
}

}  // namespace

TEST_CASE("csr spmv: rows of every length in every company, f64, 32-bit") {
  check_exact<double, std::int32_t, std::int32_t>();
}
TEST_CASE("csr spmv: rows of every length in every company, f32, 16-bit") {
  check_exact<float, std::uint16_t, std::int64_t>();
}
TEST_CASE("csr spmv: rows of every length in every company, f64, 64-bit") {
  check_exact<double, std::int64_t, std::int64_t>();
}
TEST_CASE("csr spmv: a row has the same bits wherever it stands, for any number of threads") {
  check_bits<double>();
  check_bits<float>();
}
TEST_CASE("csr spmv: NaN and Inf stay in their rows") {
  check_not_finite<double>();
  check_not_finite<float>();
}
