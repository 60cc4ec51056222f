// choose(): right results in every form, limits obeyed, refusals by name, reasons that say what was done.
#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "sparsekit/choose.hpp"
#include "support/generators.hpp"

namespace sk = sparsekit;
using sk::index_t;
using namespace sparsekit_test;

namespace {

std::vector<float> weights(index_t rows, index_t cols, double density, std::uint64_t stream) {
  rng random(stream);
  return expand(make_csr<float, std::int32_t, std::int32_t>(pattern::uniform, rows, cols, density,
                                                            random, small_integers{}));
}

template <class Matrix>
int wrong_elements(const Matrix& p, const std::vector<float>& w, index_t n) {
  rng random(77);
  const index_t rows = p.rows();
  const index_t cols = p.cols();
  const auto x = make_dense<float>(cols, n, random, small_integers{});
  std::vector<float> y(static_cast<std::size_t>(rows * n), std::numeric_limits<float>::quiet_NaN());
  sk::workspace ws(p, {.max_columns = n});
  sk::multiply(p, sk::dense_view(x.data(), cols, n), sk::dense_view(y.data(), rows, n), ws);
  int wrong = 0;
  for (index_t r = 0; r < rows; ++r) {
    for (index_t j = 0; j < n; ++j) {
      float sum = 0;
      for (index_t k = 0; k < cols; ++k) {
        sum += w[static_cast<std::size_t>(r * cols + k)] * x[static_cast<std::size_t>(k * n + j)];
      }
      wrong += sum != y[static_cast<std::size_t>(r * n + j)];
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("very sparse weights run sparse, full ones dense, and both multiply right") {
  for (double density : {0.02, 0.3, 1.0}) {
    const auto w = weights(96, 200, density, 1);
    for (sk::column_counts counts : {sk::column_counts{1}, sk::column_counts{64},
                                     sk::column_counts{1, 512}, sk::column_counts{8}}) {
      const auto p = sk::choose(sk::dense_view(w.data(), 96, 200), {.columns = counts}).value();
      CAPTURE(p.reason());
      CHECK(p.reason().find("% zeros") != std::string::npos);
      CHECK(p.bytes() > 0);
      if (density == 1.0) CHECK_FALSE(p.has_sparse());
      if (density == 0.02) CHECK_FALSE(p.has_dense());
      for (index_t n : {1, 3, 8, 17, 64}) {
        CHECK(wrong_elements(p, w, n) == 0);
        CHECK(p.predicted_speedup(n) > 0);
        if (!p.sparse_for(n)) CHECK(p.predicted_speedup(n) == 1);
      }
    }
  }
}

TEST_CASE("measured choices multiply right and say that they were measured") {
  const auto w = weights(64, 128, 0.1, 2);
  const auto p =
      sk::choose(sk::measure, sk::dense_view(w.data(), 64, 128), {.columns = {2, 32}}).value();
  CHECK(p.reason().find("measured") != std::string::npos);
  CHECK(wrong_elements(p, w, 2) == 0);
  CHECK(wrong_elements(p, w, 32) == 0);
}

TEST_CASE("Inf in X reaches only rows whose pattern has its column, dense or sparse") {
  const float infinity = std::numeric_limits<float>::infinity();
  for (double density : {0.02, 0.9}) {
    const auto w = weights(40, 60, density, 3);
    const auto p = sk::choose(sk::dense_view(w.data(), 40, 60), {.columns = {16}}).value();
    std::vector<float> x(60 * 16, 1.f);
    for (std::size_t j = 0; j < 16; ++j) x[7 * 16 + j] = infinity;
    std::vector<float> y(40 * 16);
    sk::workspace ws(p, {.max_columns = 16});
    sk::multiply(p, sk::dense_view(x.data(), 60, 16), sk::dense_view(y.data(), 40, 16), ws);
    for (std::size_t r = 0; r < 40; ++r) {
      const bool reached = w[r * 60 + 7] != 0;
      CHECK((y[r * 16 + 3] - y[r * 16 + 3] == 0) == !reached);
    }
  }
}

TEST_CASE("limits and bad arguments") {
  const auto w = weights(96, 200, 0.3, 4);
  const sk::dense_view<const float> view(w.data(), 96, 200);
  CHECK(sk::choose(view, {.columns = {}}).error().code == sk::errc::bad_argument);
  CHECK(sk::choose(view, {.columns = {0}}).error().code == sk::errc::bad_argument);
  CHECK(sk::choose(view, {.columns = {8}, .max_bytes = -1}).error().code ==
        sk::errc::bad_argument);
  const sk::status small = sk::choose(view, {.columns = {64}, .max_bytes = 100}).error();
  CHECK(small.code == sk::errc::bad_argument);
  CHECK(std::string(small.detail) == "max_bytes");
  const auto p = sk::choose(view, {.columns = {1, 512}, .max_bytes = 75000}).value();
  CHECK(p.bytes() <= 75000);
  CHECK(wrong_elements(p, w, 5) == 0);
  const sk::dense_view<const float> bad(w.data(), 96, 200, 10);
  CHECK(sk::choose(bad, {.columns = {8}}).error().code == sk::errc::bad_leading_dimension);
}
