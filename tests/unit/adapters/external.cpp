// Dense weights multiplied by somebody else's library: by plain loops, and by a CBLAS where the
// build has found one. Every mix of layouts, epilogues that read Y with and without a workspace,
// what zero weights hide.
#include <doctest/doctest.h>

#if defined(SPARSEKIT_TEST_CBLAS)
#include <cblas.h>
#endif

#include <cmath>
#include <limits>
#include <sparsekit/adapters/cblas.hpp>
#include <sparsekit/sparsekit.hpp>
#include <string>
#include <vector>

#include "support/dense_matrix.hpp"
#include "support/plain_product.hpp"
#include "support/rng.hpp"

namespace sk = sparsekit;
using sk::index_t;
using sparsekit_test::edge;
using sparsekit_test::matrix;
using sparsekit_test::rng;

namespace {

int products = 0;  // how often a library was asked

/// Any external library: one type, so that the kernels are compiled once.
template <class T>
struct any_gemm {
  void (*function)(const sk::external_product<T>&);
  void operator()(const sk::external_product<T>& p) const {
    ++products;
    function(p);
  }
};

/// An external library of three loops.
template <class T>
void plain_gemm(const sk::external_product<T>& p) {
  sparsekit_test::plain_product<T>{}(p);
}

template <class T, class W, class X, class Y>
void check_shape(index_t m, index_t k, index_t n, any_gemm<T> gemm, rng& random) {
  CAPTURE(m);
  CAPTURE(k);
  CAPTURE(n);
  matrix<T, W> w(m, k, 3, edge::right);
  matrix<T, X> x(k, n, 1, edge::right);
  matrix<T, Y> y(m, n, 2, edge::right);
  w.fill([&] { return random.chance(0.3) ? T{0} : static_cast<T>(random.between(-8, 8)); });
  x.fill([&] { return static_cast<T>(random.between(-8, 8)); });
  std::vector<T> bias(static_cast<std::size_t>(m));
  for (T& b : bias) b = static_cast<T>(random.between(-100, 100));
  const auto a = sk::make_external_dense(w.const_view(), gemm).value();
  sk::workspace ws(a, {.max_columns = n});

  const auto wrong = [&](auto&& expected) {
    int count = 0;
    for (index_t r = 0; r < m; ++r) {
      for (index_t c = 0; c < n; ++c) {
        T sum{0};
        for (index_t i = 0; i < k; ++i) {
          if (w.view()(r, i) != T{0}) sum += w.view()(r, i) * x.view()(i, c);
        }
        const T right = expected(sum, r);
        const T got = y.view()(r, c);
        count += got == right || (std::isnan(got) && std::isnan(right)) ? 0 : 1;
      }
    }
    return count;
  };
  const auto nan = [] { return std::numeric_limits<T>::quiet_NaN(); };
  const auto plain = [](T sum, index_t) { return sum; };
  y.fill(nan);
  sk::multiply(a, x.const_view(), y.view());
  CHECK(wrong(plain) == 0);
  y.fill(nan);
  sk::multiply(a, x.const_view(), y.view(), sk::bias(bias) | sk::relu);
  CHECK(wrong([&](T sum, index_t r) {
          const T v = sum + bias[static_cast<std::size_t>(r)];
          return v > T{0} ? v : T{0};
        }) == 0);
  for (const bool with_workspace : {false, true}) {
    y.fill([] { return T{3}; });
    const auto epilogue = sk::bias(bias) | sk::accumulate(T{2}) | sk::relu;
    CHECK(sk::check(a, x.const_view(), y.view(), epilogue, ws));
    if (with_workspace) {
      sk::multiply(a, x.const_view(), y.view(), epilogue, ws);
    } else {
      sk::multiply(a, x.const_view(), y.view(), epilogue);
    }
    CHECK(wrong([&](T sum, index_t r) {
            const T v = sum + bias[static_cast<std::size_t>(r)] + T{6};
            return v > T{0} ? v : T{0};
          }) == 0);
  }
  // On the right: Y^T = X^T W^T.
  y.fill(nan);
  sk::multiply(sk::transposed(x.const_view()), sk::transposed(a.view()), sk::transposed(y.view()));
  CHECK(wrong(plain) == 0);
  // Inf in X shows in the rows whose weight there is not zero, and nowhere else.
  x.view()(random.below(k), random.below(n)) = std::numeric_limits<T>::infinity();
  sk::multiply(a, x.const_view(), y.view());
  CHECK(wrong(plain) == 0);
}

using R = sk::row_major;
using C = sk::col_major;

void check_all(any_gemm<float> gemm) {
  rng random(3);
  for (const index_t n : {1, 5, 16, 70, 131}) {
    check_shape<float, R, R, R>(33, 20, n, gemm, random);
    check_shape<float, C, C, R>(17, 40, n, gemm, random);
  }
}
void check_all(any_gemm<double> gemm) {
  rng random(4);
  for (const index_t n : {1, 5, 70}) check_shape<double, C, R, C>(33, 20, n, gemm, random);
}

TEST_CASE("a product by plain loops") {
  products = 0;
  check_all(any_gemm<float>{plain_gemm});
  check_all(any_gemm<double>{plain_gemm});
  CHECK(products > 40);
}

TEST_CASE("weights without columns, and views that are none") {
  std::vector<float> y = {1, 2, 3};
  const std::vector<float> none;
  const auto a = sk::make_external_dense(sk::dense_view<const float>(none.data(), 3, 0),
                                         any_gemm<float>{plain_gemm})
                     .value();
  sk::multiply(a, none, y);
  CHECK(y == std::vector<float>(3, 0.f));
  const float w[6] = {};
  CHECK(
      sk::make_external_dense(sk::dense_view<const float>(w, 2, 3, 2), any_gemm<float>{plain_gemm})
          .error()
          .code == sk::errc::bad_leading_dimension);
}

#if defined(SPARSEKIT_TEST_CBLAS)
TEST_CASE("a product by CBLAS") {
  check_all(any_gemm<float>{
      [](const sk::external_product<float>& p) { sk::cblas_gemm{cblas_sgemm}(p); }});
  check_all(any_gemm<double>{
      [](const sk::external_product<double>& p) { sk::cblas_gemm{cblas_dgemm}(p); }});
}
#endif

}  // namespace
