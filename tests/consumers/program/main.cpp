// A user's program: builds a matrix, multiplies by a vector and by columns, prints what came out.
#include <cstdio>
#include <sparsekit/io/safetensors.hpp>
#include <sparsekit/sparsekit.hpp>
#include <vector>

#include "layer.h"

namespace sk = sparsekit;

int main() {
  const std::vector<sk::triplet<float>> entries = {{0, 0, 2.f}, {0, 2, 3.f}, {1, 1, -1.f}};
  const auto a = sk::csr_matrix<float>::from_triplets({2, 3}, entries).value();
  const std::vector<float> x = {1, 10, 100};
  const std::vector<float> y = apply_layer(a, x);

  std::vector<double> y2 = {1, 1};
  const std::vector<sk::triplet<double>> more = {{0, 0, 2.}, {1, 2, 0.5}};
  const auto b = sk::csr_matrix<double>::from_triplets({2, 3}, more).value();
  sk::multiply(b, std::vector<double>{1, 10, 100}, y2, sk::scale(2.) | sk::accumulate);

  std::vector<float> columns(3 * 5, 1.f), out(2 * 5);
  sk::multiply(a, sk::dense_view(columns.data(), 3, 5), sk::dense_view(out.data(), 2, 5));

  const bool good = y[0] == 302.f && y[1] == 0.f && y2[0] == 5. && y2[1] == 101. &&
                    out[0] == 5.f && out[9] == -1.f;
  std::printf("sparsekit %d.%d.%d: %s\n", SPARSEKIT_VERSION_MAJOR, SPARSEKIT_VERSION_MINOR,
              SPARSEKIT_VERSION_PATCH, good ? "right" : "WRONG");
  return good ? 0 : 1;
}
