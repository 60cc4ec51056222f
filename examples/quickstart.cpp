// The program of the README: a sparse matrix times a vector, and times a batch of columns.
#include <cstdio>
#include <sparsekit/sparsekit.hpp>
#include <vector>
namespace sk = sparsekit;

int main() {
  std::vector<sk::triplet<float>> entries = {{0, 0, 1.f}, {0, 3, 2.f}, {2, 1, -4.f}};
  auto A = sk::csr_matrix<float>::from_triplets({3, 4}, entries).value();
  std::vector<float> x = {1, 2, 3, 4}, y(3);
  sk::multiply(A, x, y);  // y = A x
  std::vector<float> X(4 * 64, 0.5f), Y(3 * 64);  // 64 columns at once, fused with ReLU
  sk::multiply(A, sk::dense_view(X.data(), 4, 64), sk::dense_view(Y.data(), 3, 64), sk::relu);
  std::printf("y = %g %g %g, Y(0, 0) = %g\n", y[0], y[1], y[2], Y[0]);
}
