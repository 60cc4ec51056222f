// Promise 4 with epilogues: the bits of a column do not depend on where in the batch it stands. A
// kernel has one loop for full tiles and others for what remains, and a compiler may fuse a product
// with a sum in one of them only, unless the epilogues leave it no choice. Here for a chain that a user
// wrote; the conformance test tries more of our own, with every kernel.
#include <doctest/doctest.h>

#include <cstring>
#include <sparsekit/sparsekit.hpp>
#include <vector>

#include "support/rng.hpp"

namespace sk = sparsekit;

namespace {

constexpr sk::index_t rows = 37;
constexpr sk::index_t cols = 29;
constexpr sk::index_t most_columns = 45;

template <class T>
sk::csr_matrix<T> sparse() {
  sparsekit_test::rng random(3);
  std::vector<sk::triplet<T>> entries;
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) {
      if (random.below(10) < 3) {
        entries.push_back({r, c, static_cast<T>(random.between(-1000, 1000)) / T(301)});
      }
    }
  }
  return sk::csr_matrix<T>::from_triplets({rows, cols}, entries).value();
}

/// Every column of X is the same, and so must be every column of Y, for every number of columns.
template <class T, class Layout, class Epilogue>
int columns_that_differ(const Epilogue& epilogue) {
  const sk::csr_matrix<T> a = sparse<T>();
  sparsekit_test::rng random(5);
  std::vector<T> x_column, y_column;
  for (int i = 0; i < cols; ++i)
    x_column.push_back(static_cast<T>(random.between(-999, 999)) / T(317));
  for (int i = 0; i < rows; ++i)
    y_column.push_back(static_cast<T>(random.between(-999, 999)) / T(311));

  constexpr bool row_major = std::is_same_v<Layout, sk::row_major>;
  std::vector<T> expected;
  int different = 0;
  for (sk::index_t n = 2; n <= most_columns; ++n) {
    std::vector<T> x(static_cast<std::size_t>(cols * n)), y(static_cast<std::size_t>(rows * n));
    const auto at = [n](sk::index_t r, sk::index_t c, sk::index_t height) {
      return static_cast<std::size_t>(row_major ? r * n + c : c * height + r);
    };
    for (sk::index_t c = 0; c < n; ++c) {
      for (sk::index_t r = 0; r < cols; ++r)
        x[at(r, c, cols)] = x_column[static_cast<std::size_t>(r)];
      for (sk::index_t r = 0; r < rows; ++r)
        y[at(r, c, rows)] = y_column[static_cast<std::size_t>(r)];
    }
    sk::multiply(a, sk::dense_view<const T, Layout>(x.data(), cols, n),
                 sk::dense_view<T, Layout>(y.data(), rows, n), epilogue);
    for (sk::index_t c = 0; c < n; ++c) {
      std::vector<T> column;
      for (sk::index_t r = 0; r < rows; ++r) column.push_back(y[at(r, c, rows)]);
      if (expected.empty()) expected = column;
      different +=
          std::memcmp(column.data(), expected.data(), column.size() * sizeof(T)) == 0 ? 0 : 1;
    }
  }
  return different;
}

template <class T>
std::vector<T> biases() {
  std::vector<T> b;
  for (int i = 0; i < rows; ++i) b.push_back(static_cast<T>(i - 11) / T(7));
  return b;
}

TEST_CASE("products and sums of neighbouring stages stay apart") {
  const std::vector<float> b = biases<float>();
  const auto chain = sk::scale(0.3f) | sk::bias(b) | [](auto v) { return v * v; } | sk::accumulate;
  CHECK(columns_that_differ<float, sk::row_major>(chain) == 0);
  CHECK(columns_that_differ<float, sk::col_major>(chain) == 0);
}

TEST_CASE("gelu and silu") {
  CHECK(columns_that_differ<float, sk::row_major>(sk::gelu) == 0);
  CHECK(columns_that_differ<double, sk::row_major>(sk::silu) == 0);
}

}  // namespace
