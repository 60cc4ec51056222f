// See layer.h.
#include "layer.h"

#include <sparsekit/io/safetensors.hpp>

std::vector<float> apply_layer(const sparsekit::csr_matrix<float>& weights,
                               const std::vector<float>& x) {
  std::vector<float> y(static_cast<std::size_t>(weights.rows()));
  sparsekit::multiply(weights, x, y, sparsekit::relu);
  return y;
}
