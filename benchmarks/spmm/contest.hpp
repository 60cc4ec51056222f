// Packed matrices and packed dense weights in turn, for one type.
#pragma once

#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <random>
#include <sparsekit/convert/to_dense.hpp>
#include <sparsekit/io/smtx.hpp>
#include <sparsekit/sparsekit.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "../common/turns.hpp"

namespace spmm_benchmark {

namespace sk = sparsekit;
using sk::index_t;

struct options {
  std::vector<index_t> columns{4, 8, 16, 32, 64, 128, 256};
  std::vector<double> zeros{0.5, 0.7, 0.8, 0.9, 0.95, 0.98};
  std::vector<std::string> patterns;  ///< .smtx files; none: the table of zeros
  int rounds = 20;
};

// All cases of a type. They throw what goes wrong: bad files and wrong results.
void run_f32(const options& o);
void run_f64(const options& o);

template <class T>
sk::csr_matrix<T> with_values(const sk::csr_view<const T>& pattern, std::mt19937_64& random) {
  std::uniform_real_distribution<double> size(0.5, 1.5);
  std::vector<T> values;
  for (index_t i = 0; i < pattern.nnz(); ++i) {
    values.push_back(static_cast<T>(random() % 2 == 0 ? size(random) : -size(random)));
  }
  return sk::csr_matrix<T>::from_view(
             sk::csr_view<const T>{pattern.shape, pattern.row_ptr, pattern.columns, values})
      .value();
}

/// As many entries as are asked for; every choice of places is as likely.
template <class T>
sk::csr_matrix<T> uniform(sk::extents shape, index_t entries, std::mt19937_64& random) {
  std::vector<std::int32_t> row_ptr{0};
  std::vector<std::int32_t> columns;
  std::uniform_real_distribution<double> unit;
  index_t places = shape.rows * shape.cols;
  for (index_t r = 0; r < shape.rows; ++r) {
    for (index_t c = 0; c < shape.cols; ++c, --places) {
      if (unit(random) * static_cast<double>(places) >= static_cast<double>(entries)) continue;
      columns.push_back(static_cast<std::int32_t>(c));
      --entries;
    }
    row_ptr.push_back(static_cast<std::int32_t>(columns.size()));
  }
  const std::vector<T> none(columns.size());
  return with_values(sk::csr_view<const T>{shape, row_ptr, columns, none}, random);
}

/// Matrices of one shape that are multiplied by turns, one a product, so that neither caches nor
/// branch predictors know the next one.
template <class Weights>
struct turntable {
  std::vector<Weights> weights;
  sk::workspace scratch;
  std::size_t next = 0;

  void add(Weights&& w, index_t columns) {
    weights.push_back(std::move(w));
    const sk::status s = scratch.add(weights.back(), {.max_columns = columns});
    if (!s) throw std::runtime_error(s.message());
  }
  template <class X, class Y>
  void multiply(const X& x, const Y& y) {
    sk::multiply(weights[next], x, y, scratch);
    next = next + 1 == weights.size() ? 0 : next + 1;
  }
};

/// Some matrices of one shape and column count.
template <class T>
class contest {
 public:
  using matrices = std::vector<sk::csr_matrix<T>>;

  contest(sk::extents shape, index_t n, std::mt19937_64& random) : shape_(shape), n_(n) {
    std::uniform_real_distribution<double> any(-1, 1);
    for (index_t i = 0; i < shape.cols * n; ++i) x_.push_back(static_cast<T>(any(random)));
    for (index_t j = 0; j < n; ++j) {
      for (index_t i = 0; i < shape.cols; ++i) {
        xt_.push_back(x_[static_cast<std::size_t>(i * n + j)]);
      }
    }
    y_.resize(static_cast<std::size_t>(shape.rows * n));
    yt_ = expected_ = y_;
  }

  void add_packed(const std::string& name, const matrices& list) {
    const auto table = std::make_shared<turntable<sk::packed_matrix<T>>>();
    for (const auto& a : list) table->add(sk::pack(a, {.columns = {n_}}).value(), n_);
    add(name, table, list);
  }
  void add_dense(const std::string& name, const matrices& list) {
    const auto table = std::make_shared<turntable<sk::packed_dense<T>>>();
    for (const auto& a : list) {
      std::vector<T> w(static_cast<std::size_t>(shape_.rows * shape_.cols));
      const sk::dense_view<T> view(w.data(), shape_.rows, shape_.cols);
      if (const sk::status s = sk::to_dense(a, view); !s) throw std::runtime_error(s.message());
      table->add(sk::pack_dense(sk::dense_view<const T>(view)).value(), n_);
    }
    add(name, table, list);
  }

  void time(const std::string& matrix, index_t entries, std::size_t count, int rounds) {
    benchmark_common::time_in_turn(all_, rounds, false);
    for (const auto& c : all_) {
      std::printf("%s,%s,%ld,%ld,%ld,%ld,%zu,%s,%.4g\n", sizeof(T) == 4 ? "f32" : "f64",
                  matrix.c_str(), static_cast<long>(shape_.rows), static_cast<long>(shape_.cols),
                  static_cast<long>(entries), static_cast<long>(n_), count, c.name.c_str(),
                  c.least);
    }
    std::fflush(stdout);
  }

 private:
  template <class Weights>
  void add(const std::string& name, const std::shared_ptr<turntable<Weights>>& table,
           const matrices& list) {
    const sk::dense_view<const T> x(x_.data(), shape_.cols, n_);
    const sk::dense_view<T> y(y_.data(), shape_.rows, n_);
    all_.push_back({name, [=] { table->multiply(x, y); }});
    check(list, y);
    if (n_ == 1) return;  // both layouts are the same then
    const sk::dense_view<const T, sk::col_major> xt(xt_.data(), shape_.cols, n_);
    const sk::dense_view<T, sk::col_major> yt(yt_.data(), shape_.rows, n_);
    all_.push_back({name + "-xt", [=] { table->multiply(xt, yt); }});
    check(list, yt);
  }

  /// Runs the last contender once for each matrix, and compares with the product of its CSR.
  template <class View>
  void check(const matrices& list, const View& y) {
    const sk::dense_view<T> expected(expected_.data(), shape_.rows, n_);
    for (const auto& a : list) {
      sk::multiply(a, sk::dense_view<const T>(x_.data(), shape_.cols, n_), expected);
      for (auto* v : {&y_, &yt_})
        std::fill(v->begin(), v->end(), std::numeric_limits<T>::quiet_NaN());
      all_.back().run();
      double largest = 0;
      double error = 0;
      for (index_t r = 0; r < shape_.rows; ++r) {
        for (index_t c = 0; c < n_; ++c) {
          const double d = std::abs(static_cast<double>(y(r, c) - expected(r, c)));
          error = d <= error ? error : d < 1e30 ? d : 1e30;
          largest = std::max(largest, std::abs(static_cast<double>(expected(r, c))));
        }
      }
      if (error > (sizeof(T) == 4 ? 1e-4 : 1e-12) * largest || largest == 0) {
        throw std::runtime_error(all_.back().name + ": wrong result, error " +
                                 std::to_string(error));
      }
    }
  }

  sk::extents shape_;
  index_t n_;
  std::vector<T> x_, xt_, y_, yt_, expected_;
  std::vector<benchmark_common::contender> all_;
};

/// Uniformly random zeros over dense weights, one matrix and eight in turn.
template <class T>
void run_table(const options& o) {
  const sk::extents shapes[] = {{512, 512}, {2048, 512}, {512, 2048}, {1536, 384}};
  for (const sk::extents& shape : shapes) {
    for (const double zeros : o.zeros) {
      const auto entries = static_cast<index_t>(
          std::lround((1 - zeros) * static_cast<double>(shape.rows * shape.cols)));
      for (const std::size_t count : {1, 8}) {
        std::mt19937_64 random(7);
        typename contest<T>::matrices list;
        while (list.size() < count) list.push_back(uniform<T>(shape, entries, random));
        for (const index_t n : o.columns) {
          contest<T> c(shape, n, random);
          c.add_dense("dense", list);
          c.add_packed("pack", list);
          c.time("uniform", entries, count, o.rounds);
        }
      }
    }
  }
}

/// Patterns of files beside uniformly random ones of the same shape and number of entries.
template <class T>
void run_patterns(const options& o) {
  for (const std::string& path : o.patterns) {
    sk::csr_matrix<T> ones;
    if (const sk::status s = sk::io::read_smtx<T>(path).get(ones); !s) {
      throw std::runtime_error(path + ": " + s.message());
    }
    if (ones.nnz() == 0) {
      std::fprintf(stderr, "%s has no entry: left out\n", path.c_str());
      continue;
    }
    std::mt19937_64 random(7);
    typename contest<T>::matrices file, any;
    file.push_back(with_values(ones.view(), random));
    const sk::extents shape(ones.rows(), ones.cols());
    any.push_back(uniform<T>(shape, ones.nnz(), random));
    for (const index_t n : o.columns) {
      contest<T> c(shape, n, random);
      c.add_dense("dense", file);
      c.add_packed("pack", file);
      c.add_packed("uniform", any);
      // The collection's names: model/method/zeros/layer.smtx.
      std::size_t begin = path.size();
      for (int i = 0; i < 4 && begin != 0 && begin != std::string::npos; ++i) {
        begin = path.rfind('/', begin - 1);
      }
      c.time(begin == std::string::npos ? path : path.substr(begin + 1), ones.nnz(), 1, o.rounds);
    }
  }
}

}  // namespace spmm_benchmark
