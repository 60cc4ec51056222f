// Packed dense weights beside the gemm of CBLAS libraries and oneDNN's matmul, which are loaded by
// name: all in turn in one process, one thread, results compared, those of s8 exactly. Prints CSV.
//
// usage: sparsekit_dense_benchmark f32|f64|bf16|s8 [--memory] [--rounds R] COLUMNS[,COLUMNS...]
//                                  LIBRARY.so...
//
// Every contender multiplies W (512x512, 2048x512, 512x2048, 1536x384) in both layouts of X and Y;
// a CBLAS's weights lie transposed where that suits it better, so that none is read across; oneDNN
// packs them as it likes. With --memory W is 4096x4096 and 11008x4096, and every cache line of the
// weights is flushed before each product. bf16 has X of bf16 and Y of f32; s8 has X of u8 and Y of
// s32, which oneDNN saturates on CPUs without VNNI.
//
// `peak` is what multiply-adds between registers reach (`peak-dots`: dot products), `read` how fast
// a plain loop reads the packed weights. `kernel` is oneDNN's version, its instruction set and the
// code that it chose: see common/onednn.hpp.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <sparsekit/sparsekit.hpp>
#include <string>
#include <vector>

#include "bounds.hpp"
#include "libraries.hpp"

namespace {

namespace sk = sparsekit;
using benchmark_common::bytes_view;
using benchmark_common::onednn_operand;
using benchmark_common::onednn_product;
using dense_benchmark::as_it_is;
using dense_benchmark::by_rows;
using dense_benchmark::library;
using dense_benchmark::transposed;
using sk::index_t;

struct options {
  bool memory = false;
  int rounds = 0;  ///< 0: 40, or 10 from memory
  std::vector<library> libraries;
};

template <class T>
using x_of = std::conditional_t<std::is_same_v<T, std::int8_t>, std::uint8_t, T>;
template <class T>
using y_of = sk::sum_of_t<T>;

struct contender : benchmark_common::contender {
  enum { bound, planar, tokens } layout = bound;  ///< of Y: none, features x tokens, the transpose
  double operations = 0;
  std::string kernel = {};
};

/// One shape and column count.
template <class T>
class dense_case {
 public:
  dense_case(const char* type, index_t m, index_t k, index_t n, const options& o)
      : type_(type), o_(o), m_(m), k_(k), n_(n), operations_(2 * static_cast<double>(m * k * n)) {
    std::mt19937 random(1);
    w_.resize(size(m, k));
    if (!sk::is_narrow<T>) wt_.resize(size(m, k));
    for (auto* a : {&x_, &xt_}) a->resize(size(k, n));
    for (auto* a : {&y_, &yt_}) a->resize(size(m, n));
    for (index_t i = 0; i < m; ++i) {
      for (index_t j = 0; j < k; ++j) {
        w_[size(i, k) + size(j, 1)] = draw<T>(random);
        if (!wt_.empty()) wt_[size(j, m) + size(i, 1)] = w_[size(i, k) + size(j, 1)];
      }
    }
    for (index_t i = 0; i < k; ++i) {
      for (index_t j = 0; j < n; ++j) {
        x_[size(i, n) + size(j, 1)] = xt_[size(j, k) + size(i, 1)] = draw<x_of<T>>(random);
      }
    }
    packed_ = sk::pack_dense(sk::dense_view<const T>(w_.data(), m, k)).value();
    scratch_ = sk::workspace(packed_, {.max_columns = n});
    add_own();
    for (const library& l : o.libraries) {
      if constexpr (!sk::is_narrow<T>) add_cblas(l);
      if constexpr (sizeof(T) < 8) {
        if (l.onednn != nullptr) add_onednn(*l.onednn);
      }
    }
    add_bounds();
  }

  /// Times and prints; false if a library's result is wrong.
  bool run() {
    const bool right = compare();
    benchmark_common::time_in_turn(all_, o_.rounds, o_.memory);
    for (const contender& c : all_) {
      double bytes = 0;
      for (const bytes_view& w : c.weights) bytes += static_cast<double>(w.size());
      std::printf("%s,%ld,%ld,%ld,%s,%s,%s,%.4g,%.1f,%.1f\n", type_, static_cast<long>(m_),
                  static_cast<long>(k_), static_cast<long>(n_), o_.memory ? "memory" : "cache",
                  c.name.c_str(), c.kernel.c_str(), c.least, 1e-9 * c.operations / c.least,
                  1e-9 * bytes / c.least);
    }
    std::fflush(stdout);
    return right;
  }

 private:
  static std::size_t size(index_t a, index_t b) { return static_cast<std::size_t>(a * b); }
  template <class U>
  static U draw(std::mt19937& random) {
    if constexpr (std::is_integral_v<U>) {
      // s8 without -128, as symmetric quantisation makes it.
      return static_cast<U>(std::is_signed_v<U> ? static_cast<int>(random() % 255) - 127
                                                : static_cast<int>(random() % 256));
    } else {
      return U(static_cast<y_of<U>>(std::normal_distribution<double>()(random)));
    }
  }

  void add(const std::string& name, const std::function<void()>& product, bytes_view weights,
           bool planar, const std::string& kernel = "") {
    all_.push_back({{.name = name, .run = product, .weights = {weights}},
                    planar ? contender::planar : contender::tokens,
                    operations_,
                    kernel});
  }

  void add_own() {
    add(
        "sparsekit",
        [this] {
          sk::multiply(packed_, sk::dense_view<const x_of<T>>(x_.data(), k_, n_),
                       sk::dense_view<y_of<T>>(y_.data(), m_, n_), scratch_);
        },
        packed_.bytes(), true);
    add(
        "sparsekit-xt",
        [this] {
          sk::multiply(packed_, sk::dense_view<const x_of<T>, sk::col_major>(xt_.data(), k_, n_),
                       sk::dense_view<y_of<T>, sk::col_major>(yt_.data(), m_, n_), scratch_);
        },
        packed_.bytes(), false);
  }

  void add_cblas(const library& l) {
    const auto f = l.product<T>();
    if (f == nullptr) return;
    const int m = static_cast<int>(m_), k = static_cast<int>(k_), n = static_cast<int>(n_);
    const bytes_view w = bytes_of(w_), wt = bytes_of(wt_);
    add(
        l.name,
        [=, this] {
          f(by_rows, as_it_is, as_it_is, m, n, k, T{1}, w_.data(), k, x_.data(), n, T{0}, y_.data(),
            n);
        },
        w, true);
    add(
        l.name + "-xt",
        [=, this] {
          f(by_rows, as_it_is, as_it_is, n, m, k, T{1}, xt_.data(), k, wt_.data(), m, T{0},
            yt_.data(), m);
        },
        wt, false);
    add(
        l.name + "-xt-wt",
        [=, this] {
          f(by_rows, as_it_is, transposed, n, m, k, T{1}, xt_.data(), k, w_.data(), k, T{0},
            yt_.data(), m);
        },
        w, false);
  }

  /// Tokens x features: Y^T = X^T W^T, the form of its own users. Features x tokens: Y = W X, for
  /// which it has no code where X is of u8, nor where X and Y are given as transposes.
  void add_onednn(const benchmark_common::onednn& l) {
    const auto add_one = [&](const std::string& name, const std::shared_ptr<onednn_product>& p,
                             bool planar) {
      if (!p->works()) return;
      add(
          name, [p] { p->run(); }, p->weights(), planar, l.text() + ' ' + p->kernel());
    };
    add_one("onednn-xt",
            std::make_shared<onednn_product>(l, onednn_product::right,
                                             onednn_operand::of(xt_.data(), n_, k_, k_, 1),
                                             onednn_operand::of(w_.data(), k_, m_, 1, k_),
                                             onednn_operand::of(yt_.data(), n_, m_, m_, 1)),
            false);
    if (n_ == 1) return;  // both layouts are the same then
    add_one("onednn",
            std::make_shared<onednn_product>(l, onednn_product::left,
                                             onednn_operand::of(w_.data(), m_, k_, k_, 1),
                                             onednn_operand::of(x_.data(), k_, n_, n_, 1),
                                             onednn_operand::of(y_.data(), m_, n_, n_, 1)),
            true);
  }

  void add_bounds() {
    if (o_.memory) {
      const bytes_view w = packed_.bytes();
      all_.push_back({{.name = "read", .run = [w] { dense_benchmark::read(w); }, .weights = {w}}});
      return;
    }
    using multiply_adds = dense_benchmark::peak<T, x_of<T>, false>;
    all_.push_back({{.name = "peak", .run = multiply_adds::run}});
    all_.back().operations = multiply_adds::operations;
    if constexpr (std::is_same_v<T, sk::bfloat16>) {
      using dots = dense_benchmark::peak<T, x_of<T>, true>;
      all_.push_back({{.name = "peak-dots", .run = dots::run}});
      all_.back().operations = dots::operations;
    }
  }

  /// Whether all results are those of the first, which the tests compare with a reference.
  bool compare() {
    using Y = y_of<T>;
    constexpr Y none =
        std::is_integral_v<Y> ? std::numeric_limits<Y>::min() : std::numeric_limits<Y>::quiet_NaN();
    const double allowed = std::is_integral_v<Y> ? 0
                           : sizeof(Y) == 4      ? 1e-5 * static_cast<double>(k_)
                                                 : 1e-13 * static_cast<double>(k_);
    bool right = true;
    std::vector<Y> expected;
    for (contender& c : all_) {
      if (c.layout == contender::bound) continue;
      std::fill(y_.begin(), y_.end(), none);
      std::fill(yt_.begin(), yt_.end(), none);
      c.run();
      if (expected.empty()) expected = y_;
      double error = 0;
      for (index_t i = 0; i < m_; ++i) {
        for (index_t j = 0; j < n_; ++j) {
          const bool planar = c.layout == contender::planar;
          const double got = static_cast<double>(planar ? y_[size(i, n_) + size(j, 1)]
                                                        : yt_[size(j, m_) + size(i, 1)]);
          const double d = std::abs(got - static_cast<double>(expected[size(i, n_) + size(j, 1)]));
          error = d < 1e30 ? std::max(error, d) : 1e30;
        }
      }
      if (error > allowed) {
        std::fprintf(stderr, "%s: wrong result, error %g\n", c.name.c_str(), error);
        right = false;
      }
    }
    return right;
  }
  template <class U>
  static bytes_view bytes_of(const std::vector<U>& v) {
    return benchmark_common::bytes_of(
        sk::array_view<const U>(v.data(), static_cast<index_t>(v.size())));
  }

  const char* type_;
  const options& o_;
  index_t m_, k_, n_;
  double operations_;
  std::vector<T> w_, wt_;  ///< wt_: the transpose, for a CBLAS only
  std::vector<x_of<T>> x_, xt_;
  std::vector<y_of<T>> y_, yt_;
  sk::packed_dense<T> packed_;
  sk::workspace scratch_;
  std::vector<contender> all_;
};

template <class T>
bool measure(const char* type, index_t columns, const options& o) {
  struct shape {
    index_t m, k;
  };
  const std::vector<shape> shapes =
      o.memory ? std::vector<shape>{{4096, 4096}, {11008, 4096}}
               : std::vector<shape>{{512, 512}, {2048, 512}, {512, 2048}, {1536, 384}};
  bool right = true;
  for (const shape& s : shapes) right = dense_case<T>(type, s.m, s.k, columns, o).run() && right;
  return right;
}

int usage(const char* program) {
  std::fprintf(stderr,
               "usage: %s f32|f64|bf16|s8 [--memory] [--rounds R] COLUMNS[,COLUMNS...] "
               "LIBRARY.so...\n",
               program);
  return 1;
}

}  // namespace

int main(int count, char** arguments) {
  options o;
  int at = 2;
  for (; at < count && arguments[at][0] == '-'; ++at) {
    const std::string word = arguments[at];
    if (word == "--memory") {
      o.memory = true;
    } else if (word == "--rounds" && at + 1 < count) {
      o.rounds = std::atoi(arguments[++at]);
    } else {
      return usage(arguments[0]);
    }
  }
  if (o.rounds == 0) o.rounds = o.memory ? 10 : 40;
  if (at >= count || o.rounds < 0) return usage(arguments[0]);
  const std::string type = arguments[1];
  const char* const counts = arguments[at];
  for (++at; at < count; ++at) {
    o.libraries.push_back(library::open(arguments[at]));
    if (o.libraries.back().handle == nullptr) return 1;
  }
  if (o.memory && !benchmark_common::can_evict) {
    std::fprintf(stderr, "--memory: there is no way to empty the caches here\n");
    return 1;
  }
  std::printf("type,rows,cols,columns,from,name,kernel,seconds,gflops,gb_s\n");
  bool right = true;
  for (const char* n = counts; n != nullptr; n = std::strchr(n, ',')) {
    n += *n == ',' ? 1 : 0;
    const index_t columns = std::atol(n);
    if (columns < 1) {
      std::fprintf(stderr, "%s: no column count\n", n);
      return 1;
    }
    if (type == "f32") {
      right = measure<float>("f32", columns, o) && right;
    } else if (type == "f64") {
      right = measure<double>("f64", columns, o) && right;
    } else if (type == "bf16") {
      right = measure<sk::bfloat16>("bf16", columns, o) && right;
    } else if (type == "s8") {
      right = measure<std::int8_t>("s8", columns, o) && right;
    } else {
      return usage(arguments[0]);
    }
  }
  return right ? 0 : 1;
}
