// A product to compute: a matrix as a list of entries, X, the old Y, biases, and what is right: the sums
// in higher precision, and the sums of magnitudes that bound their errors.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "epilogues.hpp"
#include "sparsekit/formats/nm.hpp"
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
void solve(problem<T>& p);

/// How the numbers of a problem are drawn.
enum class numbers { real, integer };

/// X, old Y, biases and the solution for a matrix whose entries are there.
template <class T>
void complete(problem<T>& p, index_t columns, numbers kind, rng& random);

/// An N:M problem: of the columns that a set of rows uses in a group, the first n.
template <class T>
problem<T> keep_nm(const problem<T>& p, sparsekit::nm_shape g);

}  // namespace sparsekit_test
