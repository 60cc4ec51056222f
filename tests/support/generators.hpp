// Sparse matrices for tests: the patterns that pruned networks, graphs and meshes have, and the
// shapes on which kernels stumble. As plain arrays, so that a test chooses index types and where
// they stand.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "rng.hpp"
#include "sparsekit/core/array_view.hpp"

namespace sparsekit_test {

using sparsekit::index_t;

/// CSR arrays: sorted rows, no duplicates.
template <class T, class Index = std::int32_t, class Offset = std::int32_t>
struct csr_arrays {
  index_t rows = 0;
  index_t cols = 0;
  std::vector<Offset> row_ptr;
  std::vector<Index> columns;
  std::vector<T> values;

  index_t nnz() const { return static_cast<index_t>(columns.size()); }
};

enum class pattern {
  uniform,         ///< each place with the same probability
  magnitude_like,  ///< the largest of Gaussian weights whose rows and columns differ in scale
  banded,          ///< around the diagonal
  power_law,       ///< few long rows, many short ones; few popular columns
  empty_rows,      ///< first, last and every third row empty
  one_full_row,    ///< the only row with entries is full
  full_column,     ///< every row has column cols - 1, some have more
  blocks,          ///< 4 x 4 blocks
  diagonal,        ///< one entry a row, at column row % cols
  full,            ///< every place
  empty,           ///< no entry
  n_of_m,          ///< N:M: as many entries in each group of a row, 2:4, 1:4 or 1:8 by density
};
inline constexpr pattern all_patterns[] = {
    pattern::uniform,    pattern::magnitude_like, pattern::banded,      pattern::power_law,
    pattern::empty_rows, pattern::one_full_row,   pattern::full_column, pattern::blocks,
    pattern::diagonal,   pattern::full,           pattern::empty,       pattern::n_of_m};

inline const char* name_of(pattern p) {
  switch (p) {
    case pattern::uniform:
      return "uniform";
    case pattern::magnitude_like:
      return "magnitude_like";
    case pattern::banded:
      return "banded";
    case pattern::power_law:
      return "power_law";
    case pattern::empty_rows:
      return "empty_rows";
    case pattern::one_full_row:
      return "one_full_row";
    case pattern::full_column:
      return "full_column";
    case pattern::blocks:
      return "blocks";
    case pattern::diagonal:
      return "diagonal";
    case pattern::full:
      return "full";
    case pattern::empty:
      return "empty";
    case pattern::n_of_m:
      return "n_of_m";
  }
  return "?";
}

/// What decides whether place (r, c) has an entry; made once for a matrix.
class pattern_rule {
 public:
  pattern_rule(pattern p, index_t rows, index_t cols, double density, rng& random)
      : pattern_(p), rows_(rows), cols_(cols), density_(density), random_(random) {
    const auto scales = [&](std::vector<double>& out, index_t n, double spread) {
      for (index_t i = 0; i < n; ++i) out.push_back(std::exp(spread * random_.normal()));
    };
    if (p == pattern::magnitude_like) {
      scales(row_scale_, rows, 0.5);
      scales(column_scale_, cols, 0.3);
      find_threshold();
    } else if (p == pattern::power_law) {
      for (index_t r = 0; r < rows; ++r) row_scale_.push_back(pareto());
      for (index_t c = 0; c < cols; ++c) column_scale_.push_back(pareto());
    } else if (p == pattern::n_of_m) {
      while (group_ < 16 && density * static_cast<double>(group_) < 1) group_ *= 2;
      in_group_ = std::max<index_t>(1, std::llround(density * static_cast<double>(group_)));
    }
    full_row_ = rows > 0 ? random_.below(rows) : 0;
  }

  bool operator()(index_t r, index_t c) {
    switch (pattern_) {
      case pattern::uniform:
        return random_.chance(density_);
      case pattern::magnitude_like:
        return weight(r, c) > threshold_;
      case pattern::banded: {
        const double centre = (static_cast<double>(r) + 0.5) * static_cast<double>(cols_) /
                              static_cast<double>(rows_);
        const double half = std::max(1.0, density_ * static_cast<double>(cols_) / 2);
        return std::abs(static_cast<double>(c) + 0.5 - centre) <= half;
      }
      case pattern::power_law:
        return random_.chance(std::min(1.0, density_ * at(row_scale_, r) * at(column_scale_, c)));
      case pattern::empty_rows:
        return r != 0 && r != rows_ - 1 && r % 3 != 0 && random_.chance(density_);
      case pattern::one_full_row:
        return r == full_row_;
      case pattern::full_column:
        return c == cols_ - 1 || random_.chance(density_ / 4);
      case pattern::blocks: {
        if (c == 0 && r % 4 == 0) {
          block_row_.clear();
          for (index_t b = 0; b * 4 < cols_; ++b) block_row_.push_back(random_.chance(density_));
        }
        return block_row_[static_cast<std::size_t>(c / 4)];
      }
      case pattern::diagonal:
        return c == r % cols_;
      case pattern::full:
        return true;
      case pattern::empty:
        return false;
      case pattern::n_of_m: {
        const index_t place = c % group_;
        if (place == 0) wanted_ = in_group_;
        // Every choice of places is as likely.
        const bool entry = random_.below(group_ - place) < wanted_;
        if (entry) --wanted_;
        return entry;
      }
    }
    return false;
  }

 private:
  static double at(const std::vector<double>& v, index_t i) {
    return v[static_cast<std::size_t>(i)];
  }
  double pareto() { return 0.5 / std::sqrt(1.0 - random_.unit()); }  // mean 1
  double weight(index_t r, index_t c) {
    return std::abs(random_.normal()) * at(row_scale_, r) * at(column_scale_, c);
  }
  /// The (1 - density) quantile of a sample of weights.
  void find_threshold() {
    if (rows_ == 0 || cols_ == 0) return;
    std::vector<double> sample;
    for (int i = 0; i < 2000; ++i) {
      const index_t r = random_.below(rows_);
      sample.push_back(weight(r, random_.below(cols_)));
    }
    std::sort(sample.begin(), sample.end());
    const double position = (1.0 - density_) * static_cast<double>(sample.size());
    threshold_ = position < static_cast<double>(sample.size())
                     ? sample[static_cast<std::size_t>(position)]
                     : sample.back();
  }

  pattern pattern_;
  index_t rows_;
  index_t cols_;
  double density_;
  rng& random_;
  std::vector<double> row_scale_;
  std::vector<double> column_scale_;
  std::vector<bool> block_row_;
  double threshold_ = 0;
  index_t full_row_ = 0;
  index_t group_ = 4;
  index_t in_group_ = 0;
  index_t wanted_ = 0;  ///< of the group under way
};

/// How values are drawn.
struct normal_values {  ///< Gaussian
  template <class T>
  T draw(rng& random) const {
    return static_cast<T>(random.normal());
  }
};
struct small_integers {  ///< -3 .. 3 without 0: sums are exact in float
  template <class T>
  T draw(rng& random) const {
    const std::int64_t magnitude = random.between(1, 3);
    return static_cast<T>(random.chance(0.5) ? magnitude : -magnitude);
  }
};

/// A matrix of a pattern. `density` is the share of places with an entry, where the pattern leaves
/// a choice.
template <class T, class Index = std::int32_t, class Offset = std::int32_t,
          class Values = normal_values>
csr_arrays<T, Index, Offset> make_csr(pattern p, index_t rows, index_t cols, double density,
                                      rng& random, Values values = {}) {
  csr_arrays<T, Index, Offset> a{rows, cols, {}, {}, {}};
  pattern_rule has_entry(p, rows, cols, density, random);
  a.row_ptr.push_back(0);
  for (index_t r = 0; r < rows; ++r) {
    for (index_t c = 0; c < cols; ++c) {
      if (!has_entry(r, c)) continue;
      a.columns.push_back(static_cast<Index>(c));
      a.values.push_back(values.template draw<T>(random));
    }
    a.row_ptr.push_back(static_cast<Offset>(a.columns.size()));
  }
  return a;
}

/// Dense values, rows x cols in row-major order without gaps.
template <class T, class Values = normal_values>
std::vector<T> make_dense(index_t rows, index_t cols, rng& random, Values values = {}) {
  std::vector<T> out(static_cast<std::size_t>(rows * cols));
  for (T& v : out) v = values.template draw<T>(random);
  return out;
}

/// The matrix written out, row-major without gaps; entries at one place add up.
template <class T, class Index, class Offset>
std::vector<T> expand(const csr_arrays<T, Index, Offset>& a) {
  std::vector<T> out(static_cast<std::size_t>(a.rows * a.cols), T{0});
  for (index_t r = 0; r < a.rows; ++r) {
    const auto row = static_cast<std::size_t>(r);
    for (auto p = static_cast<std::size_t>(a.row_ptr[row]);
         p < static_cast<std::size_t>(a.row_ptr[row + 1]); ++p) {
      out[row * static_cast<std::size_t>(a.cols) + static_cast<std::size_t>(a.columns[p])] +=
          a.values[p];
    }
  }
  return out;
}

}  // namespace sparsekit_test
