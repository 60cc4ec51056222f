// A product to compute: a matrix as a list of entries, X, the old Y, biases, and what is right: the sums
// in higher precision, and the sums of magnitudes that bound their errors.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "epilogues.hpp"
#include "support/generators.hpp"

namespace sparsekit_test {

template <class T>
struct entry {
  index_t row;
  index_t column;
  T value;
};

template <class T>
struct problem {
  std::string name;
  index_t rows = 0;
  index_t cols = 0;
  index_t columns = 0;            ///< the most columns of X
  std::vector<entry<T>> entries;  ///< by row, then column, unless `any_order`
  bool any_order = false;         ///< unsorted, with several entries at one place
  bool exact = false;             ///< small integers: results must match to the bit
  bool finite = true;             ///< no NaN or Inf in A or X
  bool explicit_zeros = false;    ///< stored zeros meet values of X that are not finite

  // Column j of X is x[j * cols ...], and so on.
  std::vector<T> x;
  std::vector<T> old_y;
  std::vector<T> bias_rows;
  std::vector<T> bias_columns;
  std::vector<wide<T>> sum;        ///< column j at sum[j * rows ...]
  std::vector<wide<T>> magnitude;  ///< sum of |a| |x|
  std::vector<index_t> terms;      ///< entries of each row

  T x_at(index_t k, index_t j) const { return x[static_cast<std::size_t>(j * cols + k)]; }
  std::size_t at(index_t r, index_t j) const { return static_cast<std::size_t>(j * rows + r); }
};

/// sum, magnitude and terms from entries and x. Compensated (Neumaier), so that long double is good
/// enough for double.
template <class T>
void solve(problem<T>& p) {
  using W = wide<T>;
  const std::size_t size = static_cast<std::size_t>(p.rows * p.columns);
  p.sum.assign(size, W(0));
  p.magnitude.assign(size, W(0));
  p.terms.assign(static_cast<std::size_t>(p.rows), 0);
  std::vector<W> lost(static_cast<std::size_t>(p.rows));
  for (const entry<T>& e : p.entries) ++p.terms[static_cast<std::size_t>(e.row)];
  for (index_t j = 0; j < p.columns; ++j) {
    lost.assign(lost.size(), W(0));
    for (const entry<T>& e : p.entries) {
      const std::size_t i = p.at(e.row, j);
      const W term = W(e.value) * W(p.x_at(e.column, j));
      const W old = p.sum[i];
      p.sum[i] = old + term;
      p.magnitude[i] += std::abs(term);
      if (p.finite) {
        W& c = lost[static_cast<std::size_t>(e.row)];
        c += std::abs(old) >= std::abs(term) ? (old - p.sum[i]) + term : (term - p.sum[i]) + old;
      }
    }
    for (index_t r = 0; r < p.rows; ++r) p.sum[p.at(r, j)] += lost[static_cast<std::size_t>(r)];
  }
}

/// How the numbers of a problem are drawn.
enum class numbers { real, integer };

/// X, old Y, biases and the solution for a matrix whose entries are there.
template <class T>
void complete(problem<T>& p, index_t columns, numbers kind, rng& random) {
  p.columns = columns;
  p.exact = kind == numbers::integer;
  const auto draw = [&](std::vector<T>& out, index_t n) {
    out.resize(static_cast<std::size_t>(n));
    for (T& v : out) {
      v = kind == numbers::integer ? small_integers{}.draw<T>(random)
                                   : normal_values{}.draw<T>(random);
    }
  };
  draw(p.x, p.cols * columns);
  draw(p.old_y, p.rows * columns);
  draw(p.bias_rows, p.rows);
  draw(p.bias_columns, columns);
  solve(p);
}

template <class T>
problem<T> make_problem(std::string name, pattern which, index_t rows, index_t cols, double density,
                        numbers kind, index_t columns) {
  std::uint64_t stream = 1469598103934665603u;
  for (const char c : name) stream = (stream ^ static_cast<unsigned char>(c)) * 1099511628211u;
  rng random(stream);
  problem<T> p;
  p.name = std::move(name);
  p.rows = rows;
  p.cols = cols;
  const auto fill = [&](auto values) {
    const auto a = make_csr<T, std::int64_t, std::int64_t>(which, rows, cols, density, random, values);
    for (index_t r = 0; r < rows; ++r) {
      for (auto i = static_cast<std::size_t>(a.row_ptr[static_cast<std::size_t>(r)]);
           i < static_cast<std::size_t>(a.row_ptr[static_cast<std::size_t>(r) + 1]); ++i) {
        p.entries.push_back({r, a.columns[i], a.values[i]});
      }
    }
  };
  if (kind == numbers::integer) {
    fill(small_integers{});
  } else {
    fill(normal_values{});
  }
  complete(p, columns, kind, random);
  return p;
}

}  // namespace sparsekit_test
