// See problems.hpp.
#include "problems.hpp"

#include <limits>
#include <stdexcept>

namespace sparsekit_test {
namespace {

constexpr index_t most_columns = 130;

/// Row r has r entries: every remainder of every unrolled loop over entries.
template <class T>
problem<T> staircase(index_t rows, numbers kind, index_t columns) {
  const std::string name = "staircase of " + std::to_string(rows);
  problem<T> p = make_problem<T>(name, pattern::empty, rows, rows, 0, kind, columns);
  rng random(11);
  for (index_t r = 0; r < rows; ++r) {
    for (index_t k = 0; k < r; ++k) {
      // Spread over the columns, in order.
      const index_t column = k * rows / r;
      p.entries.push_back({r, column,
                           kind == numbers::integer ? small_integers{}.draw<T>(random)
                                                    : normal_values{}.draw<T>(random)});
    }
  }
  solve(p);
  return p;
}

/// Entries of each row in any order, some places twice.
template <class T>
problem<T> unsorted() {
  problem<T> p = make_problem<T>("unsorted", pattern::uniform, 30, 40, 0.3, numbers::real, 70);
  rng random(12);
  const std::size_t n = p.entries.size();
  for (std::size_t i = 0; i < n; i += 5) p.entries.push_back(p.entries[i]);
  for (std::size_t i = p.entries.size(); i > 1; --i) {
    std::swap(p.entries[i - 1],
              p.entries[static_cast<std::size_t>(random.below(static_cast<index_t>(i)))]);
  }
  p.any_order = true;
  solve(p);
  return p;
}

/// Every value of A times a, every value of X times x.
template <class T>
problem<T> scaled_numbers(std::string name, T a, T x) {
  problem<T> p = make_problem<T>(std::move(name), pattern::uniform, 30, 41, 0.3, numbers::real, 70);
  for (entry<T>& e : p.entries) e.value *= a;
  for (T& v : p.x) v *= x;
  solve(p);
  return p;
}

/// Stored zeros of both signs, -0.0 and subnormals in X.
template <class T>
problem<T> zeros_and_signs() {
  problem<T> p =
      make_problem<T>("signed zeros", pattern::uniform, 30, 41, 0.4, numbers::real, 70);
  for (std::size_t i = 0; i < p.entries.size(); i += 3) {
    p.entries[i].value = i % 2 == 0 ? T(0) : -T(0);
  }
  for (std::size_t i = 0; i < p.x.size(); i += 4) {
    p.x[i] = i % 8 == 0 ? -T(0) : std::numeric_limits<T>::denorm_min() * T(3);
  }
  solve(p);
  return p;
}

/// NaN or Inf in X at some features, for two columns of three. Rows that do not store those features
/// must not see them.
template <class T>
problem<T> not_finite_x(std::string name, T bad, bool explicit_zeros) {
  problem<T> p = make_problem<T>(std::move(name), pattern::uniform, 45, 52, 0.08, numbers::real,
                                 most_columns);
  if (explicit_zeros) {
    for (std::size_t i = 0; i < p.entries.size(); i += 2) p.entries[i].value = T(0);
    p.explicit_zeros = true;
  }
  for (index_t j = 0; j < p.columns; ++j) {
    if (j % 3 == 2) continue;
    for (const index_t k : {index_t{0}, index_t{7}, index_t{51}}) {
      p.x[static_cast<std::size_t>(j * p.cols + k)] = k == 7 && j % 2 == 0 ? -bad : bad;
    }
  }
  p.finite = false;
  solve(p);
  return p;
}

template <class T>
problem<T> not_finite_a() {
  problem<T> p =
      make_problem<T>("nan and inf in A", pattern::uniform, 45, 52, 0.3, numbers::real, 70);
  p.entries[3].value = std::numeric_limits<T>::quiet_NaN();
  p.entries[p.entries.size() / 2].value = std::numeric_limits<T>::infinity();
  p.entries.back().value = -std::numeric_limits<T>::infinity();
  p.finite = false;
  solve(p);
  return p;
}

template <class T>
std::vector<trial<T>> make_trials() {
  constexpr auto real = numbers::real;
  constexpr auto integer = numbers::integer;
  constexpr T tiny = sizeof(T) == 4 ? T(0x1p-70) : T(0x1p-530);
  constexpr T huge = sizeof(T) == 4 ? T(0x1p58) : T(0x1p500);
  constexpr T inf = std::numeric_limits<T>::infinity();
  std::vector<trial<T>> out;
  const auto add = [&](problem<T>&& p) -> trial<T>& {
    // Adapted problems are kept by name.
    for (const trial<T>& t : out) {
      if (t.p.name == p.name) throw std::logic_error("two problems are named " + p.name);
    }
    out.push_back({std::move(p)});
    return out.back();
  };
  const auto add_pattern = [&](pattern which, index_t rows, index_t cols, double density,
                               numbers kind, index_t columns) -> trial<T>& {
    const std::string name = std::string(name_of(which)) + (kind == integer ? " integers " : " ") +
                             std::to_string(rows) + "x" + std::to_string(cols);
    return add(make_problem<T>(name, which, rows, cols, density, kind, columns));
  };
  add_pattern(pattern::uniform, 37, 53, 0.3, real, most_columns).depth =
      depth_of_test::all_widths_and_epilogues;
  add_pattern(pattern::uniform, 40, 64, 0.4, integer, most_columns).depth =
      depth_of_test::all_widths_and_epilogues;
  add_pattern(pattern::magnitude_like, 64, 96, 0.3, real, most_columns);
  add_pattern(pattern::magnitude_like, 65, 33, 0.3, integer, most_columns);
  add_pattern(pattern::banded, 50, 50, 0.2, integer, most_columns);
  add_pattern(pattern::power_law, 100, 120, 0.05, real, most_columns);
  add_pattern(pattern::blocks, 32, 64, 0.3, integer, most_columns);
  add_pattern(pattern::full_column, 33, 40, 0.2, real, most_columns);
  add_pattern(pattern::diagonal, 17, 17, 0, real, most_columns);
  add_pattern(pattern::diagonal, 70, 9, 0, integer, most_columns);
  add_pattern(pattern::full, 20, 33, 1, integer, most_columns);
  add_pattern(pattern::full, 1, 1, 1, integer, most_columns);
  add_pattern(pattern::full, 1, 40, 1, real, most_columns);
  add_pattern(pattern::full, 40, 1, 1, integer, most_columns);
  add_pattern(pattern::full, 2, 5000, 1, integer, 20);
  add_pattern(pattern::one_full_row, 21, 67, 1, real, most_columns);
  add_pattern(pattern::empty_rows, 31, 45, 0.4, integer, most_columns);
  add_pattern(pattern::empty, 9, 13, 0, real, most_columns);
  add_pattern(pattern::empty, 0, 5, 0, real, most_columns);
  add_pattern(pattern::empty, 7, 0, 0, real, most_columns);
  add_pattern(pattern::empty, 0, 0, 0, real, most_columns);
  add_pattern(pattern::uniform, 200, 300, 0.1, integer, 70);
  add_pattern(pattern::uniform, 5000, 24, 0.2, integer, 3);
  add(staircase<T>(140, integer, 20));
  add(staircase<T>(90, real, 36));
  add(unsorted<T>());
  add(zeros_and_signs<T>());
  add(scaled_numbers<T>("subnormal results", tiny, tiny)).transcendental = false;
  add(scaled_numbers<T>("subnormal weights", tiny * tiny * T(4), T(1))).transcendental = false;
  add(scaled_numbers<T>("huge", huge, huge)).transcendental = false;
  add(not_finite_x<T>("nan in X", std::numeric_limits<T>::quiet_NaN(), false)).transcendental =
      false;
  add(not_finite_x<T>("inf in X", inf, false)).transcendental = false;
  add(not_finite_x<T>("nan in X meets stored zeros", std::numeric_limits<T>::quiet_NaN(), true))
      .transcendental = false;
  add(not_finite_x<T>("inf in X meets stored zeros", inf, true)).transcendental = false;
  add(not_finite_a<T>()).transcendental = false;
  return out;
}

}  // namespace

template <class T>
const std::vector<trial<T>>& trials() {
  static const std::vector<trial<T>> all = make_trials<T>();
  return all;
}
template <class T>
const problem<T>& medium_problem() {
  static const problem<T> p = make_problem<T>("medium", pattern::magnitude_like, 200, 300, 0.3,
                                              numbers::real, 70);
  return p;
}
template <class T>
const problem<T>& vector_problem() {
  static const problem<T> p =
      make_problem<T>("vector", pattern::magnitude_like, 5000, 120, 0.5, numbers::real, 1);
  return p;
}

template const std::vector<trial<float>>& trials<float>();
template const std::vector<trial<double>>& trials<double>();
template const problem<float>& medium_problem<float>();
template const problem<double>& medium_problem<double>();
template const problem<float>& vector_problem<float>();
template const problem<double>& vector_problem<double>();

}  // namespace sparsekit_test
