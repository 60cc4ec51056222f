// What the modes of this benchmark share: products that are timed turn and turn about in one
// process, their operands, and how an output is compared.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <memory>
#include <random>
#include <sparsekit/multiply.hpp>
#include <sparsekit/workspace.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../common/turns.hpp"

namespace structured_benchmark {

namespace sk = sparsekit;
using sk::index_t;

struct options {
  std::string pose;  ///< a folder
  std::string hand;  ///< a file
  bool table = false;
  std::string csv;
  int rounds = 100;
};

// The modes. They throw what goes wrong: bad files and wrong results.
void run_pose(const options& o);
void run_hand(const options& o);
void run_table(const options& o);

/// The file for raw rows; without a path, what is written goes nowhere.
inline std::ofstream open_csv(const options& o, const char* header) {
  std::ofstream csv;
  if (o.csv.empty()) return csv;
  csv.open(o.csv);
  if (!csv) throw std::runtime_error(o.csv + ": can't be written");
  csv << header << '\n';
  return csv;
}

using benchmark_common::bytes_of;
using benchmark_common::bytes_view;
using benchmark_common::can_evict;
using benchmark_common::time_in_turn;

/// The arrays that a product reads of its weights.
template <class Weights>
std::vector<bytes_view> arrays_of(const Weights& w) {
  if constexpr (requires { w.bytes().data(); }) {
    return {w.bytes()};
  } else if constexpr (requires { w.view().row_ptr; }) {
    const auto v = w.view();
    return {bytes_of(v.row_ptr), bytes_of(v.columns), bytes_of(v.values)};
  } else {
    return {};
  }
}

/// It owns its weights and its workspace.
struct contender : benchmark_common::contender {
  const char* layout;
};

template <class Layout>
inline constexpr const char* layout_name =
    std::is_same_v<Layout, sk::row_major> ? "features x columns" : "columns x features";

template <class Weights, class TX, class TY, class Layout, class... Epilogue>
contender product(const std::string& name, const std::shared_ptr<const Weights>& w,
                  sk::dense_view<const TX, Layout> x, sk::dense_view<TY, Layout> y,
                  const Epilogue&... epilogue) {
  const auto ws =
      std::make_shared<sk::workspace>(*w, sk::workspace_options{.max_columns = x.cols()});
  const auto run = [=] {
    using sk::multiply;  // a mode may have one of its own
    multiply(*w, x, y, epilogue..., *ws);
  };
  return {{.name = name, .run = run, .weights = arrays_of(*w)}, layout_name<Layout>};
}
template <class Weights>
std::shared_ptr<const Weights> shared(Weights&& w) {
  return std::make_shared<const Weights>(std::move(w));
}

/// The fastest of this name, in whichever layout.
inline double least_of(const std::vector<contender>& all, const std::string& name) {
  double least = std::numeric_limits<double>::infinity();
  for (const contender& c : all) {
    if (c.name == name) least = std::min(least, c.least);
  }
  return least;
}

/// The largest difference of two matrices. What is not a number is infinitely wrong.
template <class A, class LA, class B, class LB>
double largest_difference(const sk::dense_view<A, LA>& a, const sk::dense_view<B, LB>& b) {
  double most = 0;
  for (index_t r = 0; r < a.rows(); ++r) {
    for (index_t c = 0; c < a.cols(); ++c) {
      const double d = std::abs(static_cast<double>(a(r, c)) - static_cast<double>(b(r, c)));
      most = d <= most ? most : d < 1e300 ? d : std::numeric_limits<double>::infinity();
    }
  }
  return most;
}

/// A dense matrix on a cache line.
template <class T, class Layout = sk::row_major>
struct matrix {
  index_t rows, cols;
  sk::buffer<T> values;

  matrix(index_t r, index_t c) : rows(r), cols(c) {
    if (auto s = values.allocate_zeroed(r * c); !s) throw std::runtime_error(s.message());
  }
  sk::dense_view<T, Layout> view() { return {values.data(), rows, cols}; }
  sk::dense_view<const T, Layout> view() const { return {values.data(), rows, cols}; }
  sk::dense_view<const T, Layout> in() const { return view(); }
};

template <class To, class From>
void copy(const From& from, To& to) {
  for (index_t r = 0; r < from.rows; ++r) {
    for (index_t c = 0; c < from.cols; ++c) to.view()(r, c) = from.view()(r, c);
  }
}

/// f32, bf16, f16: normal; s8 and u8: all of the range, but s8 without 0 and -128.
template <class T>
void fill(sk::buffer<T>& values, std::mt19937& random) {
  std::normal_distribution<float> normal;
  for (T& v : values) {
    if constexpr (std::is_same_v<T, std::int8_t>) {
      const int magnitude = 1 + static_cast<int>(random() % 127);
      v = static_cast<T>(random() % 2 == 0 ? magnitude : -magnitude);
    } else if constexpr (std::is_integral_v<T>) {
      v = static_cast<T>(random() % 256);
    } else {
      v = T(normal(random));
    }
  }
}

}  // namespace structured_benchmark
