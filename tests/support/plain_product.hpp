// The product of dense weights as an external library might compute it.
#pragma once

#include <cmath>
#include <sparsekit/formats/external_dense.hpp>

namespace sparsekit_test {

/// A library of three loops, for kernels that call one.
template <class T>
struct plain_product {
  void operator()(const sparsekit::external_product<T>& p) const {
    const auto at = [](sparsekit::index_t i, sparsekit::index_t j, sparsekit::index_t ld,
                       bool row_major) { return row_major ? i * ld + j : i + j * ld; };
    for (sparsekit::index_t i = 0; i < p.rows; ++i) {
      for (sparsekit::index_t j = 0; j < p.columns; ++j) {
        T sum{0};
        for (sparsekit::index_t k = 0; k < p.depth; ++k) {
          sum = std::fma(p.w[at(i, k, p.w_ld, p.w_row_major)], p.x[at(k, j, p.x_ld, p.x_row_major)],
                         sum);
        }
        p.y[at(i, j, p.y_ld, p.y_row_major)] = sum;
      }
    }
  }
};

}  // namespace sparsekit_test
