// A multiplication allocates nothing and throws nothing: so it must not copy what a caller's epilogue holds, which
// may be a table in a std::vector.
#include <doctest/doctest.h>

#include <cstddef>
#include <sparsekit/sparsekit.hpp>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/at.hpp"

namespace sk = sparsekit;
using sk::index_t;
using sparsekit_test::at;

namespace {

int copies = 0;

/// Doubles what it gets, by way of a table.
struct by_table {
  std::vector<float> table{0.f, 2.f};

  by_table() = default;
  by_table(const by_table& other) : table(other.table) { ++copies; }
  by_table(by_table&&) = default;
  by_table& operator=(const by_table&) = delete;
  by_table& operator=(by_table&&) = delete;
  ~by_table() = default;

  template <class V>
  V operator()(V v) const {
    return v * table[1];
  }
};

constexpr index_t rows = 40;
constexpr index_t cols = 24;
constexpr index_t columns = 37;

/// Elements of Y that are not twice the product plus `more`.
template <class Matrix, class Layout, class Epilogue>
int wrong(const Matrix& a, const std::vector<float>& w, const Epilogue& epilogue, float more) {
  std::vector<float> xs(at(cols * columns)), ys(at(rows * columns));
  const sk::dense_view<float, Layout> x(xs.data(), cols, columns);
  const sk::dense_view<float, Layout> y(ys.data(), rows, columns);
  for (index_t k = 0; k < cols; ++k) {
    for (index_t j = 0; j < columns; ++j) x(k, j) = static_cast<float>((k + 3 * j) % 5 - 2);
  }
  sk::workspace ws(a, {.max_columns = columns});
  sk::multiply(a, x, y, epilogue, ws);
  int differ = 0;
  for (index_t r = 0; r < rows; ++r) {
    for (index_t j = 0; j < columns; ++j) {
      float sum = 0;
      for (index_t k = 0; k < cols; ++k) sum += w[at(r * cols + k)] * x(k, j);
      differ += y(r, j) != 2 * sum + more;
    }
  }
  return differ;
}

template <class Matrix>
void check_copies(const Matrix& a, const std::vector<float>& w) {
  const std::vector<float> ones(at(rows), 1.f);
  const by_table table;
  const auto chain = by_table() | sk::bias(ones);
  copies = 0;
  // Each a set of kernels to compile: one layout for each epilogue.
  CHECK(wrong<Matrix, sk::row_major>(a, w, table, 0.f) == 0);
  CHECK(wrong<Matrix, sk::col_major>(a, w, chain, 1.f) == 0);
  CHECK(copies == 0);
}

}  // namespace

TEST_CASE("a call copies nothing of an epilogue that is not trivial to copy") {
  std::vector<float> w(at(rows * cols));
  for (index_t i = 0; i < rows * cols; ++i) w[at(i)] = i % 4 < 2 ? static_cast<float>(i % 9 - 4) : 0.f;
  const sk::dense_view<const float> dense(w.data(), rows, cols);
  check_copies(sk::pack<sk::nm<2, 4>>(dense).value(), w);
  check_copies(sk::pack_dense(dense).value(), w);
  check_copies(dense, w);
}

TEST_CASE("our own epilogues are trivial to copy, and kernels do so") {
  using floats = sk::array_view<const float>;
  CHECK(std::is_trivially_copyable_v<decltype(sk::bias(floats()) | sk::relu | sk::accumulate(0.5f))>);
  CHECK(std::is_trivially_copyable_v<decltype(sk::scale(2.f) | sk::bias_columns(floats()) | sk::gelu)>);
  CHECK(std::is_trivially_copyable_v<decltype(sk::clamp(0.f, 6.f) | sk::silu | sk::as_epilogue([](auto v) { return v; }))>);
}
