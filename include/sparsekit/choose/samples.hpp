// Generated matrices to calibrate with: scattered zeros, in rows of like or of unlike length, N:M groups, blocks,
// removed rows and columns, bands.
#pragma once

#include <algorithm>
#include <cmath>

#include "../core/number.hpp"
#include "../formats/bsr.hpp"
#include "../formats/csr.hpp"

namespace sparsekit {
inline namespace v0 {

enum class sample_pattern : std::uint8_t { scattered, groups, blocks, structured, band, uneven };

/// One matrix. `shape_of_pattern`: rows and columns that share their fate (N:M: rows of a set and the length of
/// a group; blocks: its sides).
struct sample {
  sample_pattern pattern = sample_pattern::scattered;
  extents shape{};
  double zeros = 0.5;
  block_shape shared{1, 1};
  std::uint64_t seed = 1;
  // Of removed rows and columns, whose share `zeros` then is:
  double by_rows = 0.5;   ///< how much of the removing rows do: 0, columns alone; 1, rows alone
  double zeros_left = 0;  ///< of zeros scattered in what is left
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace plan {

/// SplitMix64.
struct sample_random {
  std::uint64_t state;
  std::uint64_t bits() {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  index_t below(index_t n) { return static_cast<index_t>(bits() % static_cast<std::uint64_t>(n)); }
};

/// Whether an element is an entry, by a hash of what decides about it: any element can be asked for.
inline bool sample_entry(const sample& g, index_t r, index_t c) {
  const auto chance = [&](index_t i, index_t j) {
    sample_random random{g.seed ^ static_cast<std::uint64_t>(i) * 0x2545f4914f6cdd1du ^
                         static_cast<std::uint64_t>(j) * 0x9e6c63d0876a9a47u};
    random.bits();
    return random.uniform();
  };
  switch (g.pattern) {
    case sample_pattern::scattered: return chance(r, c) >= g.zeros;
    case sample_pattern::blocks: return chance(r / g.shared.rows, c / g.shared.cols) >= g.zeros;
    case sample_pattern::structured: {
      const double rows = 1 - std::pow(1 - g.zeros, g.by_rows);
      const double columns = 1 - std::pow(1 - g.zeros, 1 - g.by_rows);
      return chance(r, -1) >= rows && chance(-1, c) >= columns && chance(r, c) >= g.zeros_left;
    }
    case sample_pattern::groups: {
      // The n places of a group with the highest numbers.
      const index_t m = g.shared.cols;
      const index_t first = c / m * m;
      const double mine = chance(r / g.shared.rows, c);
      index_t higher = 0;
      for (index_t j = first; j < first + m; ++j) {
        higher += j != c && chance(r / g.shared.rows, j) > mine ? 1 : 0;
      }
      return static_cast<double>(higher) + 0.5 < (1 - g.zeros) * static_cast<double>(m);
    }
    case sample_pattern::uneven: {
      // As pruning by magnitude leaves them: few rows with many entries, many with few, columns less so.
      const double row = chance(r, -1);
      const double factor = (0.25 + 3 * row * row * row) * (0.5 + chance(-1, c));
      return chance(r, c) < (1 - g.zeros) * factor;
    }
    case sample_pattern::band: {
      const double width = std::max(3.0, (1 - g.zeros) * static_cast<double>(g.shape.cols));
      const double diagonal = static_cast<double>(r) * static_cast<double>(g.shape.cols) /
                              static_cast<double>(std::max<index_t>(g.shape.rows, 1));
      return std::abs(static_cast<double>(c) - diagonal) < width / 2;
    }
  }
  return false;
}

}  // namespace plan

template <class T>
result<csr_matrix<T, std::int32_t, std::int64_t>> make_sample(const sample& g) {
  buffer<std::int64_t> row_ptr;
  growing_buffer<std::int32_t> columns;
  if (status s = row_ptr.allocate(g.shape.rows + 1); !s) return s;
  row_ptr[0] = 0;
  for (index_t r = 0; r < g.shape.rows; ++r) {
    for (index_t c = 0; c < g.shape.cols; ++c) {
      if (!plan::sample_entry(g, r, c)) continue;
      if (status s = columns.push_back(static_cast<std::int32_t>(c)); !s) return s;
    }
    row_ptr[r + 1] = columns.size();
  }
  plan::sample_random random{g.seed};
  buffer<T> values;
  if (status s = values.allocate(columns.size()); !s) return s;
  for (index_t i = 0; i < values.size(); ++i) {
    if constexpr (std::is_integral_v<T>) {
      values[i] = static_cast<T>(random.below(127) + 1);
    } else {
      values[i] = T(static_cast<sum_of_t<T>>(0.5 + random.uniform()));
    }
  }
  return csr_matrix<T, std::int32_t, std::int64_t>(g.shape, std::move(row_ptr), columns.take(),
                                                   std::move(values));
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
