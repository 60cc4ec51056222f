// Solves the Poisson equation on a cube by conjugate gradients: -u'' = f in three dimensions, the
// 7-point Laplacian of N x N x N points, zero at the boundary. f is chosen so that the solution is
// known.
//
//   conjugate_gradient [N [TOLERANCE [SVG]]]      defaults: 64 1e-8 conjugate_gradient.svg
//
// Prints the residuals, draws them, and compares times with Eigen's where Eigen was found when this
// was built. Exit status 1 if the solution is wrong.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <sparsekit/sparsekit.hpp>
#include <string>
#include <vector>

#include "../common/svg.hpp"
#include "../common/timing.hpp"

#ifdef EXAMPLE_HAS_EIGEN
#include <Eigen/IterativeLinearSolvers>
#include <Eigen/SparseCore>
#endif

namespace sk = sparsekit;
using sk::index_t;
using vector = std::vector<double>;

namespace {

sk::csr_matrix<double> laplacian(index_t n) {
  std::vector<sk::triplet<double>> entries;
  const auto point = [&](index_t i, index_t j, index_t k) { return (i * n + j) * n + k; };
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < n; ++j) {
      for (index_t k = 0; k < n; ++k) {
        const index_t row = point(i, j, k);
        const auto neighbour = [&](bool inside, index_t column) {
          if (inside) entries.push_back({row, column, -1.0});
        };
        neighbour(i > 0, row - n * n);
        neighbour(j > 0, row - n);
        neighbour(k > 0, row - 1);
        entries.push_back({row, row, 6.0});
        neighbour(k + 1 < n, row + 1);
        neighbour(j + 1 < n, row + n);
        neighbour(i + 1 < n, row + n * n);
      }
    }
  }
  return sk::csr_matrix<double>::from_triplets({n * n * n, n * n * n}, entries).value();
}

double dot(const vector& a, const vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// Solves A x = b from x = 0. Returns the relative residual after each iteration.
template <class Matrix>
std::vector<double> conjugate_gradient(const Matrix& a, const vector& b, vector& x,
                                       double tolerance, int most) {
  x.assign(b.size(), 0.0);
  vector r = b, p = b, q(b.size());
  const double norm = std::sqrt(dot(b, b));
  double rr = dot(r, r);
  std::vector<double> residuals{1.0};
  while (residuals.back() > tolerance && static_cast<int>(residuals.size()) <= most) {
    sk::multiply(a, p, q);
    const double alpha = rr / dot(p, q);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] += alpha * p[i];
      r[i] -= alpha * q[i];
    }
    const double before = rr;
    rr = dot(r, r);
    for (std::size_t i = 0; i < p.size(); ++i) p[i] = r[i] + rr / before * p[i];
    residuals.push_back(std::sqrt(rr) / norm);
  }
  return residuals;
}

#ifdef EXAMPLE_HAS_EIGEN
template <class Packed>
void compare_with_eigen(const sk::csr_matrix<double>& csr, const Packed& packed, const vector& b,
                        double tolerance, int most) {
  using matrix = Eigen::SparseMatrix<double, Eigen::RowMajor, int>;
  const auto v = csr.view();
  const Eigen::Map<const matrix> map(v.rows(), v.cols(), v.nnz(), v.row_ptr.data(),
                                     v.columns.data(), v.values.data());
  const matrix a = map;
  const Eigen::Map<const Eigen::VectorXd> eb(b.data(), v.rows());
  Eigen::VectorXd ey(v.rows());
  vector y(b.size());
  const auto product = example::times_in_turn(
      20, [&] { sk::multiply(packed, b, y); }, [&] { ey.noalias() = a * eb; });
  std::printf("y = A x: %.0f us, Eigen %.0f us: %.2f times as fast\n", 1e6 * product.first,
              1e6 * product.second, product.second / product.first);
  Eigen::ConjugateGradient<matrix, Eigen::Lower | Eigen::Upper, Eigen::IdentityPreconditioner> cg;
  cg.setTolerance(tolerance);
  cg.setMaxIterations(most);
  cg.compute(a);
  vector x;
  Eigen::VectorXd ex;
  const auto solve = example::times_in_turn(
      2, [&] { conjugate_gradient(packed, b, x, tolerance, most); }, [&] { ex = cg.solve(eb); });
  std::printf("the whole solve: %.1f ms, Eigen's ConjugateGradient %.1f ms in %d iterations\n",
              1e3 * solve.first, 1e3 * solve.second, static_cast<int>(cg.iterations()));
}
#endif

}  // namespace

int main(int argc, char** argv) {
  const index_t n = argc > 1 ? std::atoi(argv[1]) : 64;
  const double tolerance = argc > 2 ? std::atof(argv[2]) : 1e-8;
  const std::string svg = argc > 3 ? argv[3] : "conjugate_gradient.svg";
  if (n < 2 || n > 400 || !(tolerance > 1e-14)) {
    std::fprintf(stderr, "usage: conjugate_gradient [N from 2 to 400 [TOLERANCE [SVG]]]\n");
    return 1;
  }
  const auto csr = laplacian(n);
  auto packed = sk::pack(csr, {.columns = {1}}).value();
  std::printf("%lld unknowns, %lld entries\n%s\n", static_cast<long long>(csr.rows()),
              static_cast<long long>(csr.nnz()), packed.reason().c_str());

  // The known solution: a smooth bump. b = A u.
  vector u(static_cast<std::size_t>(csr.rows())), b(u.size()), x;
  for (std::size_t i = 0; i < u.size(); ++i) {
    const auto wave = [&](std::size_t place) {
      return std::sin(3.14159265358979 * static_cast<double>(place + 1) /
                      static_cast<double>(n + 1));
    };
    const auto side = static_cast<std::size_t>(n);
    u[i] = wave(i % side) * wave(i / side % side) + wave(i / side / side) +
           0.1 * std::sin(7.0 * static_cast<double>(i));
  }
  sk::multiply(csr, u, b);

  const int most = static_cast<int>(20 * n);
  std::vector<double> residuals;
  const double seconds =
      example::seconds_of([&] { residuals = conjugate_gradient(packed, b, x, tolerance, most); });
  for (std::size_t i = 0; i < residuals.size();
       i += std::max<std::size_t>(1, residuals.size() / 10)) {
    std::printf("iteration %4zu  residual %.2e\n", i, residuals[i]);
  }
  const std::size_t iterations = residuals.size() - 1;
  std::printf("iteration %4zu  residual %.2e  (%.1f ms)\n", iterations, residuals.back(),
              1e3 * seconds);
#ifdef EXAMPLE_HAS_EIGEN
  compare_with_eigen(csr, packed, b, tolerance, most);
#else
  std::printf("Eigen was not found when this was built: no comparison\n");
#endif
  if (!example::write_svg(svg, "Conjugate gradients, Poisson equation: |b - A x| / |b|",
                          {{std::to_string(n) + "^3 points", residuals}})) {
    std::fprintf(stderr, "conjugate_gradient: cannot write %s\n", svg.c_str());
    return 1;
  }
  // The residual as it is, by the unpacked matrix, and the distance from the known solution.
  vector r = b;
  sk::multiply(csr, x, r, sk::scale(-1.0) | sk::accumulate);
  double error = 0;
  for (std::size_t i = 0; i < u.size(); ++i) error = std::max(error, std::fabs(x[i] - u[i]));
  const double residual = std::sqrt(dot(r, r) / dot(b, b));
  // The condition number of this matrix is about (2 N / pi)^2.
  const double allowed = 10 * tolerance * static_cast<double>(n * n);
  std::printf("true residual %.2e, largest error %.2e\n", residual, error);
  if (!(residual <= 2 * tolerance) || !(error <= allowed)) {
    std::fprintf(stderr, "conjugate_gradient: residual above %.1e or error above %.1e\n",
                 2 * tolerance, allowed);
    return 1;
  }
  return 0;
}
