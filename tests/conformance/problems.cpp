// See problems.hpp.
#include "problems.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace sparsekit_test {

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
problem<T> keep_nm(const problem<T>& p, sparsekit::nm_shape g) {
  problem<T> out = p;
  out.entries.clear();
  const index_t groups = sparsekit::ceil_div(p.cols, g.m);
  std::vector<std::vector<index_t>> kept(
      static_cast<std::size_t>(sparsekit::ceil_div(p.rows, g.v) * groups));
  for (const entry<T>& e : p.entries) {
    std::vector<index_t>& columns =
        kept[static_cast<std::size_t>(e.row / g.v * groups + e.column / g.m)];
    if (std::find(columns.begin(), columns.end(), e.column) == columns.end()) {
      if (static_cast<index_t>(columns.size()) == g.n) continue;
      columns.push_back(e.column);
    }
    out.entries.push_back(e);
  }
  out.name += " as " + std::to_string(g.n) + ":" + std::to_string(g.m) + ":" + std::to_string(g.v);
  solve(out);
  return out;
}

namespace {

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

constexpr index_t medium_rows = sanitized ? 72 : 200;
constexpr index_t vector_rows = sanitized ? 3500 : 5000;

}  // namespace

template <class T>
const std::vector<trial<T>>& trials() {
  static const std::vector<trial<T>> all = make_trials<T>();
  return all;
}
template <class T>
const problem<T>& medium_problem() {
  static const problem<T> p = make_problem<T>("medium", pattern::magnitude_like, medium_rows, 300,
                                              0.3, numbers::real, 70);
  return p;
}
template <class T>
const problem<T>& low_problem() {
  static const problem<T> p =
      make_problem<T>("low", pattern::magnitude_like, 72, 300, 0.3, numbers::real, 70);
  return p;
}
template <class T>
const problem<T>& vector_problem() {
  static const problem<T> p =
      make_problem<T>("vector", pattern::magnitude_like, vector_rows, 120, 0.5, numbers::real, 1);
  return p;
}

template void solve<float>(problem<float>&);
template void solve<double>(problem<double>&);
template void complete<float>(problem<float>&, index_t, numbers, rng&);
template void complete<double>(problem<double>&, index_t, numbers, rng&);
template problem<float> keep_nm<float>(const problem<float>&, sparsekit::nm_shape);
template problem<double> keep_nm<double>(const problem<double>&, sparsekit::nm_shape);
template const std::vector<trial<float>>& trials<float>();
template const std::vector<trial<double>>& trials<double>();
template const problem<float>& medium_problem<float>();
template const problem<double>& medium_problem<double>();
template const problem<float>& low_problem<float>();
template const problem<double>& low_problem<double>();
template const problem<float>& vector_problem<float>();
template const problem<double>& vector_problem<double>();

}  // namespace sparsekit_test
