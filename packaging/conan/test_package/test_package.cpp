// A program of a Conan user: fails if the result is wrong.
#include <cstdio>
#include <sparsekit/sparsekit.hpp>
#include <vector>

int main() {
  const std::vector<sparsekit::triplet<float>> entries = {{0, 0, 2.f}, {1, 2, 3.f}};
  const auto a = sparsekit::csr_matrix<float>::from_triplets({2, 3}, entries).value();
  std::vector<float> y(2);
  sparsekit::multiply(a, std::vector<float>{1, 10, 100}, y);
  std::printf("sparsekit %d.%d.%d: y = %g %g\n", SPARSEKIT_VERSION_MAJOR, SPARSEKIT_VERSION_MINOR,
              SPARSEKIT_VERSION_PATCH, y[0], y[1]);
  return y[0] == 2.f && y[1] == 300.f ? 0 : 1;
}
