// One row with most of the entries, as power-law graphs have it: threads share it, and its sum has
// the same bits with one thread, with several, and whoever runs which piece. For CSR and for packed
// slices.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "sparsekit/adapters/thread_pool.hpp"
#include "sparsekit/multiply.hpp"
#include "sparsekit/pack/spmv.hpp"
#include "support/generators.hpp"

namespace sk = sparsekit;
using sk::index_t;
using namespace sparsekit_test;

namespace {

/// Rows of these lengths over `cols` columns, spread evenly. Integers: sums are exact; else order
/// shows.
template <class T>
csr_arrays<T> rows_of(const std::vector<index_t>& lengths, index_t cols, bool integers) {
  csr_arrays<T> a{static_cast<index_t>(lengths.size()), cols, {0}, {}, {}};
  rng random(3);
  for (const index_t n : lengths) {
    for (index_t i = 0; i < n; ++i) {
      a.columns.push_back(static_cast<std::int32_t>(i * cols / n));
      a.values.push_back(integers ? static_cast<T>(i % 5 - 2) : static_cast<T>(random.normal()));
    }
    a.row_ptr.push_back(static_cast<std::int32_t>(a.columns.size()));
  }
  return a;
}

template <class T>
sk::csr_view<const T> view_of(const csr_arrays<T>& a) {
  return {{a.rows, a.cols}, a.row_ptr, a.columns, a.values};
}

/// Tasks last to first, as two workers would take them in turn.
struct backwards {
  index_t tasks_seen = 0;
  template <class F>
  void operator()(index_t tasks, F&& f) {
    tasks_seen = tasks;
    for (index_t t = tasks - 1; t >= 0; --t) f(t, t % 2);
  }
};

const std::vector<std::vector<index_t>> shapes{
    {0, 3, 200000, 0, 5, 0},              // one long row among short and empty ones
    {300000},                             // nothing else
    {70000, 65535, 65536, 2, 131072, 1},  // around the length from which rows are cut
    {0, 0, 40000, 40000, 40000, 0},       // long, none of them cut
};

/// y = A x by the kernel alone: a packed_matrix would compile all the forms that it may hold.
template <class Policy, class T, class Epilogue>
void multiply_any(const Policy& policy, const sk::spmv_view<const T>& a, const std::vector<T>& x,
                  std::vector<T>& y, const Epilogue& epilogue) {
  const sk::kernels::call<Policy, sk::spmv_view<const T>, T, sk::col_major, sk::col_major, Epilogue>
      call{policy, a, {x.data(), a.cols(), 1}, {y.data(), a.rows(), 1}, epilogue, {}};
  sk::kernels::spmv_packed_slices<sk::native_arch, T>::run(call);
}
template <class Policy, class T, class Epilogue>
void multiply_any(const Policy& policy, const sk::csr_view<const T>& a, const std::vector<T>& x,
                  std::vector<T>& y, const Epilogue& epilogue) {
  sk::multiply(policy, a, x, y, epilogue);
}

template <class T, class Matrix>
void check_bits(const Matrix& a, index_t rows, index_t cols, bool wants_tasks) {
  std::vector<T> x(static_cast<std::size_t>(cols));
  rng random(5);
  for (T& v : x) v = static_cast<T>(random.normal());
  const auto run = [&](const auto& policy) {
    std::vector<T> y(static_cast<std::size_t>(rows), T{1});
    multiply_any(policy, a, x, y, sk::scale(T{2}) | sk::accumulate);
    std::vector<T> over(static_cast<std::size_t>(rows), std::numeric_limits<T>::quiet_NaN());
    multiply_any(policy, a, x, over, sk::identity_epilogue{});
    y.insert(y.end(), over.begin(), over.end());
    return y;
  };
  const auto expected = run(sk::seq);
  const auto same = [&](const std::vector<T>& y) {
    return std::memcmp(y.data(), expected.data(), y.size() * sizeof(T)) == 0;
  };
  backwards reversed;
  CHECK(same(run(sk::par(reversed))));
  if (wants_tasks) CHECK(reversed.tasks_seen > 2);
  for (index_t workers : {1, 2, 4}) {
    sk::thread_pool pool(workers);
    CHECK(same(run(sk::par(pool))));
  }
}

template <class T>
void check_all_bits() {
  for (const auto& lengths : shapes) {
    const auto a = rows_of<T>(lengths, 300000, false);
    // The last shape has no row that is cut; how its few rows are shared is not what is tested
    // here.
    const bool cut = lengths[2 % lengths.size()] > 50000;
    check_bits<T>(view_of(a), a.rows, a.cols, cut);
    const auto packed = sk::pack_spmv(view_of(a)).value();
    check_bits<T>(packed.view(), a.rows, a.cols, cut);
  }
}

}  // namespace

TEST_CASE("long rows: the same bits for every executor, f64") { check_all_bits<double>(); }
TEST_CASE("long rows: the same bits for every executor, f32") { check_all_bits<float>(); }

TEST_CASE("long rows: where all rows are long, tasks share them") {
  const auto a = rows_of<double>(std::vector<index_t>(20, 3000), 300000, false);
  const auto packed = sk::pack_spmv(view_of(a)).value();
  CHECK(packed.view().slices.empty());
  check_bits<double>(packed.view(), a.rows, a.cols, true);
}

TEST_CASE("long rows: exact where sums are, and NaN reaches only rows that have its column") {
  const auto a = rows_of<double>({0, 3, 200000, 0, 5, 0}, 300000, true);
  std::vector<double> x(300000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i % 7) - 3;
  x[1] = std::numeric_limits<double>::infinity();  // column of the long row alone
  std::vector<double> expected(6, 0.0);
  for (std::size_t r = 0; r < 6; ++r) {
    for (auto p = static_cast<std::size_t>(a.row_ptr[r]);
         p < static_cast<std::size_t>(a.row_ptr[r + 1]); ++p) {
      if (a.columns[p] == 1) continue;
      expected[r] += a.values[p] * x[static_cast<std::size_t>(a.columns[p])];
    }
  }
  sk::thread_pool pool(2);
  const auto packed = sk::pack_spmv(view_of(a)).value();
  CHECK(packed.view().long_rows.size() == 1);
  const auto check = [&](auto&& multiply) {
    std::vector<double> y(6, std::numeric_limits<double>::quiet_NaN());
    multiply(y);
    for (std::size_t r = 0; r < 6; ++r) {
      CHECK((r == 2 ? !std::isfinite(y[r]) : y[r] == expected[r]));
    }
  };
  check([&](auto& y) { sk::multiply(view_of(a), x, y); });
  check([&](auto& y) { sk::multiply(sk::par(pool), view_of(a), x, y); });
  check(
      [&](auto& y) { multiply_any(sk::par(pool), packed.view(), x, y, sk::identity_epilogue{}); });
}

TEST_CASE("pieces of long rows: each entry once, no more than fit, found wherever the row stands") {
  rng random(11);
  int cut_rows = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<std::int64_t> row_ptr{0};
    const index_t rows = 1 + random.below(300);
    for (index_t r = 0; r < rows; ++r) {
      const index_t n =
          random.chance(0.1) ? random.below(round % 2 == 0 ? 3000000 : 200000) : random.below(50);
      row_ptr.push_back(row_ptr.back() + n);
    }
    const sk::kernels::row_cut cut(row_ptr.back());
    sk::kernels::row_pieces<double> pieces;
    sk::kernels::find_long_rows(cut, sk::array_view<const std::int64_t>(row_ptr), pieces);
    REQUIRE(pieces.count <= sk::kernels::row_cut::most_pieces);
    index_t i = 0;
    for (index_t r = 0; r < rows; ++r) {
      const index_t n =
          row_ptr[static_cast<std::size_t>(r + 1)] - row_ptr[static_cast<std::size_t>(r)];
      if (!cut.cuts(n)) continue;
      ++cut_rows;
      index_t entry = 0;
      for (; i < pieces.count && pieces.at[i].row == r; ++i) {
        CHECK(pieces.at[i].begin == entry);
        CHECK(pieces.at[i].end - entry >= cut.entries);
        CHECK(pieces.at[i].end - entry < 2 * cut.entries);
        entry = pieces.at[i].end;
      }
      CHECK(entry == n);
    }
    CHECK(i == pieces.count);
  }
  CHECK(cut_rows > 200);
}
