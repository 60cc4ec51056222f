// Ordinary sparse matrices by name, for benchmarks:
//
//   a .mtx or .mtx.gz file; lap2d:SIDE (5 points); lap3d:SIDE (27 points);
//   rmat:SCALE:EDGES (Graph500's parameters); long_row:ENTRIES (1000 rows, all but one short)
#pragma once

#include <cstdlib>
#include <random>
#include <sparsekit/io/matrix_market.hpp>
#include <sparsekit/sparsekit.hpp>
#include <string>
#include <vector>

namespace benchmark_common {

namespace sk = sparsekit;
using sk::index_t;

template <class T>
using triplets = std::vector<sk::triplet<T>>;

template <class T>
void add(triplets<T>& to, index_t row, index_t col, double value) {
  to.push_back(
      {static_cast<std::int32_t>(row), static_cast<std::int32_t>(col), static_cast<T>(value)});
}

/// The Laplacian of a square of points, each with its four neighbours.
template <class T>
triplets<T> lap2d(index_t side) {
  triplets<T> a;
  for (index_t i = 0; i < side; ++i) {
    for (index_t j = 0; j < side; ++j) {
      const index_t row = i * side + j;
      add(a, row, row, 4);
      if (i > 0) add(a, row, row - side, -1);
      if (i + 1 < side) add(a, row, row + side, -1);
      if (j > 0) add(a, row, row - 1, -1);
      if (j + 1 < side) add(a, row, row + 1, -1);
    }
  }
  return a;
}
/// That of a cube, each point with all 26.
template <class T>
triplets<T> lap3d(index_t side) {
  triplets<T> a;
  const auto inside = [&](index_t i) { return i >= 0 && i < side; };
  for (index_t p = 0; p < side * side * side; ++p) {
    const index_t at[3] = {p / (side * side), p / side % side, p % side};
    for (index_t d = 0; d < 27; ++d) {
      const index_t q[3] = {at[0] + d / 9 - 1, at[1] + d / 3 % 3 - 1, at[2] + d % 3 - 1};
      if (!inside(q[0]) || !inside(q[1]) || !inside(q[2])) continue;
      add(a, p, (q[0] * side + q[1]) * side + q[2], d == 13 ? 26 : -1);
    }
  }
  return a;
}
/// A power-law graph of 2^scale nodes, edges drawn more than once added up.
template <class T>
triplets<T> rmat(int scale, index_t edges) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> uniform;
  triplets<T> a;
  for (index_t e = 0; e < edges; ++e) {
    index_t row = 0;
    index_t col = 0;
    for (int b = 0; b < scale; ++b) {
      const double u = uniform(random);
      row = 2 * row + (u >= .76 ? 1 : 0);
      col = 2 * col + ((u >= .57 && u < .76) || u >= .95 ? 1 : 0);
    }
    add(a, row, col, uniform(random));
  }
  return a;
}

/// The first of 1000 rows has `entries` entries, the others 8 each.
template <class T>
sk::result<sk::csr_matrix<T>> long_row(index_t entries) {
  triplets<T> a;
  for (index_t c = 0; c < entries; ++c) add(a, 0, c, 1 + 1e-6 * static_cast<double>(c));
  for (index_t r = 1; r < 1000; ++r) {
    for (index_t i = 0; i < 8; ++i)
      add(a, r, (r * 37 + i * (entries / 8)) % entries, static_cast<double>(1 + i));
  }
  return sk::csr_matrix<T>::from_triplets({1000, entries}, a);
}

template <class T>
sk::result<sk::csr_matrix<T>> read(const std::string& name) {
  const auto number = [&](std::size_t from) { return std::atol(name.c_str() + from); };
  const auto square = [](index_t n, const triplets<T>& entries) {
    return sk::csr_matrix<T>::from_triplets({n, n}, entries);
  };
  const index_t side = name.size() > 6 ? number(6) : 0;
  if (name.starts_with("lap2d:") && side > 0 && side < 20'000) {
    return square(side * side, lap2d<T>(side));
  }
  if (name.starts_with("lap3d:") && side > 0 && side < 400) {
    return square(side * side * side, lap3d<T>(side));
  }
  if (name.starts_with("long_row:") && number(9) >= 1000) return long_row<T>(number(9));
  const std::size_t colon = name.rfind(':');
  if (name.starts_with("rmat:") && colon > 5 && number(5) > 0 && number(5) < 30) {
    const int scale = static_cast<int>(number(5));
    return square(index_t{1} << scale, rmat<T>(scale, number(colon + 1)));
  }
  return sk::io::read_matrix_market<T>(name);
}

}  // namespace benchmark_common
