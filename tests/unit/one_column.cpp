// One column of X and Y in every form that a caller may have it in: vectors, views in either layout, contiguous
// or not. And what vectors spare a program: no kernel of several columns is compiled for them.
#include <doctest/doctest.h>

#include <cstddef>
#include <sparsekit/sparsekit.hpp>
#include <vector>

#include "support/at.hpp"

namespace sk = sparsekit;
using sk::index_t;
using sparsekit_test::at;

namespace {

constexpr index_t rows = 21;
constexpr index_t cols = 34;
constexpr float untouched = -77;

/// W with a third of its elements, small integers.
std::vector<float> weights() {
  std::vector<float> w(at(rows * cols));
  for (index_t i = 0; i < rows * cols; ++i) w[at(i)] = i % 3 == 0 ? static_cast<float>(i % 13 - 6) : 0.f;
  return w;
}
float x_of(index_t k) { return static_cast<float>(k % 7 - 3); }

/// How many elements of Y are wrong, neighbours of the column included.
template <class Matrix, class LX, class LY>
int wrong(const Matrix& a, const std::vector<float>& w, index_t x_ld, index_t y_ld) {
  std::vector<float> x(at(cols * x_ld), untouched);
  std::vector<float> y(at(rows * y_ld), untouched);
  for (index_t k = 0; k < cols; ++k) x[at(k * x_ld)] = x_of(k);
  sk::multiply(a, sk::dense_view<const float, LX>(x.data(), cols, 1, LX::rows_contiguous ? x_ld : cols),
               sk::dense_view<float, LY>(y.data(), rows, 1, LY::rows_contiguous ? y_ld : rows));
  int differ = 0;
  for (index_t r = 0; r < rows; ++r) {
    float sum = 0;
    for (index_t k = 0; k < cols; ++k) sum += w[at(r * cols + k)] * x_of(k);
    for (index_t j = 0; j < y_ld; ++j) differ += y[at(r * y_ld + j)] != (j == 0 ? sum : untouched);
  }
  return differ;
}

template <class Matrix>
void check_all(const Matrix& a, const std::vector<float>& w) {
  using R = sk::row_major;
  using C = sk::col_major;
  CHECK(wrong<Matrix, C, C>(a, w, 1, 1) == 0);
  for (const index_t x_ld : {1, 3}) {
    CHECK(wrong<Matrix, R, C>(a, w, x_ld, 1) == 0);
    for (const index_t y_ld : {1, 4}) CHECK(wrong<Matrix, R, R>(a, w, x_ld, y_ld) == 0);
  }
  for (const index_t y_ld : {1, 4}) CHECK(wrong<Matrix, C, R>(a, w, 1, y_ld) == 0);

  std::vector<float> x(at(cols));
  for (index_t k = 0; k < cols; ++k) x[at(k)] = x_of(k);
  std::vector<float> y(at(rows)), expected(at(rows));
  sk::multiply(a, x, y);
  sk::multiply(a, sk::dense_view<const float, C>(x.data(), cols, 1), sk::dense_view<float, C>(expected.data(), rows, 1));
  CHECK(y == expected);
}

}  // namespace

TEST_CASE("one column as vectors and as views of either layout, contiguous or not") {
  const std::vector<float> w = weights();
  const sk::dense_view<const float, sk::row_major> dense(w.data(), rows, cols);
  check_all(dense, w);
  std::vector<sk::triplet<float>> entries;
  for (index_t i = 0; i < rows * cols; ++i) {
    if (w[at(i)] != 0) entries.push_back({i / cols, i % cols, w[at(i)]});
  }
  const auto csr = sk::csr_matrix<float>::from_triplets({rows, cols}, entries).value();
  check_all(csr, w);
  check_all(sk::to_csc(csr).value(), w);
}

TEST_CASE("no kernel of several columns is compiled for vectors") {
  using arch = sk::native_arch;
  using several = sk::kernels::call<sk::sequential_policy, sk::packed_view<const float>, float, sk::col_major,
                                    sk::col_major, sk::identity_epilogue>;
  using vectors = sk::kernels::call<sk::sequential_policy, sk::packed_view<const float>, float, sk::col_major,
                                    sk::col_major, sk::identity_epilogue, true, float, float, true>;
  CHECK(sk::kernels::is_possible<sk::kernels::spmm_packed_quads<arch, float>, several>);
  CHECK(sk::kernels::is_possible<sk::kernels::spmm_packed_wide<arch, float>, several>);
  CHECK_FALSE(sk::kernels::is_possible<sk::kernels::spmm_packed_quads<arch, float>, vectors>);
  CHECK_FALSE(sk::kernels::is_possible<sk::kernels::spmm_packed_wide<arch, float>, vectors>);
  CHECK(sk::kernels::is_possible<sk::kernels::gemv_packed_lookup<arch, float>, vectors>);
  CHECK(sk::kernels::is_possible<sk::kernels::spmm_packed_stream<arch, float>, vectors>);
}
