// Packed dense weights beside the gemm of CBLAS libraries, which are loaded by name: all in turn in
// one process, one thread, results compared. Prints CSV.
//
// usage: sparsekit_dense_benchmark f32|f64 COLUMNS[,COLUMNS...] LIBRARY.so...
//
// Every contender multiplies W (512x512, 2048x512, 512x2048, 1536x384) in both layouts of X and Y;
// the libraries' weights lie transposed where that suits them better, so that none is read across.
#include <dlfcn.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <sparsekit/sparsekit.hpp>
#include <string>
#include <vector>

#include "../common/turns.hpp"

namespace {

namespace sk = sparsekit;
using sk::index_t;

template <class T>
using gemm = void (*)(int order, int transpose_a, int transpose_b, int m, int n, int k, T alpha,
                      const T* a, int lda, const T* b, int ldb, T beta, T* c, int ldc);
constexpr int by_rows = 101, as_it_is = 111, transposed = 112;

struct library {
  std::string name;
  void* handle;
  /// Its gemm of one type; scipy's OpenBLAS has a prefix of its own.
  template <class T>
  gemm<T> product() const {
    const std::string symbol = sizeof(T) == 4 ? "cblas_sgemm" : "cblas_dgemm";
    void* found = dlsym(handle, symbol.c_str());
    if (found == nullptr) found = dlsym(handle, ("scipy_" + symbol).c_str());
    return reinterpret_cast<gemm<T>>(found);
  }
};

template <class T>
struct contender : benchmark_common::contender {
  const std::vector<T>* result;
  bool planar;  ///< features x tokens; else tokens x features
};

/// One shape and column count; false if a library's result is wrong.
template <class T>
bool measure(index_t m, index_t k, index_t n, const std::vector<library>& libraries) {
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  const auto size = [](index_t a, index_t b) { return static_cast<std::size_t>(a * b); };
  std::vector<T> w(size(m, k)), wt(size(k, m)), x(size(k, n)), xt(size(n, k));
  std::vector<T> y(size(m, n)), yt(size(n, m));
  for (index_t i = 0; i < m; ++i) {
    for (index_t j = 0; j < k; ++j) {
      w[size(i, k) + size(j, 1)] = wt[size(j, m) + size(i, 1)] = static_cast<T>(normal(random));
    }
  }
  for (index_t i = 0; i < k; ++i) {
    for (index_t j = 0; j < n; ++j) {
      x[size(i, n) + size(j, 1)] = xt[size(j, k) + size(i, 1)] = static_cast<T>(normal(random));
    }
  }
  const auto packed = sk::pack_dense(sk::dense_view<const T>(w.data(), m, k)).value();
  sk::workspace scratch(packed, {.max_columns = n});
  std::vector<contender<T>> all;
  all.push_back({{"sparsekit",
                  [&] {
                    sk::multiply(packed, sk::dense_view<const T>(x.data(), k, n),
                                 sk::dense_view<T>(y.data(), m, n), scratch);
                  }},
                 &y,
                 true});
  all.push_back({{"sparsekit-xt",
                  [&] {
                    sk::multiply(packed, sk::dense_view<const T, sk::col_major>(xt.data(), k, n),
                                 sk::dense_view<T, sk::col_major>(yt.data(), m, n), scratch);
                  }},
                 &yt,
                 false});
  const int im = static_cast<int>(m), ik = static_cast<int>(k), in = static_cast<int>(n);
  for (const library& l : libraries) {
    const gemm<T> f = l.product<T>();
    if (f == nullptr) continue;
    all.push_back({{l.name,
                    [&, f] {
                      f(by_rows, as_it_is, as_it_is, im, in, ik, T{1}, w.data(), ik, x.data(), in,
                        T{0}, y.data(), in);
                    }},
                   &y,
                   true});
    all.push_back({{l.name + "-xt",
                    [&, f] {
                      f(by_rows, as_it_is, as_it_is, in, im, ik, T{1}, xt.data(), ik, wt.data(), im,
                        T{0}, yt.data(), im);
                    }},
                   &yt,
                   false});
    all.push_back({{l.name + "-xt-wt",
                    [&, f] {
                      f(by_rows, as_it_is, transposed, in, im, ik, T{1}, xt.data(), ik, w.data(),
                        ik, T{0}, yt.data(), im);
                    }},
                   &yt,
                   false});
  }
  bool right = true;
  std::vector<T> expected;
  for (contender<T>& c : all) {
    std::fill(y.begin(), y.end(), std::numeric_limits<T>::quiet_NaN());
    std::fill(yt.begin(), yt.end(), std::numeric_limits<T>::quiet_NaN());
    c.run();
    if (expected.empty()) expected = y;  // the tests compare ours with a reference
    double error = 0;
    for (index_t i = 0; i < m; ++i) {
      for (index_t j = 0; j < n; ++j) {
        const std::size_t at = c.planar ? size(i, n) + size(j, 1) : size(j, m) + size(i, 1);
        const double d = static_cast<double>((*c.result)[at] - expected[size(i, n) + size(j, 1)]);
        error = std::abs(d) < 1e30 ? std::max(error, std::abs(d)) : 1e30;
      }
    }
    if (error > (sizeof(T) == 4 ? 1e-3 : 1e-11) * static_cast<double>(k)) {
      std::fprintf(stderr, "%s: wrong result, error %g\n", c.name.c_str(), error);
      right = false;
    }
  }
  benchmark_common::time_in_turn(all, 40, false);
  for (const contender<T>& c : all) {
    std::printf("%s,%ld,%ld,%ld,%s,%.4g,%.1f\n", sizeof(T) == 4 ? "f32" : "f64",
                static_cast<long>(m), static_cast<long>(k), static_cast<long>(n), c.name.c_str(),
                c.least, 2e-9 * static_cast<double>(m * k * n) / c.least);
  }
  std::fflush(stdout);
  return right;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string type = count > 2 ? arguments[1] : "";
  if (type != "f32" && type != "f64") {
    std::fprintf(stderr, "usage: %s f32|f64 COLUMNS[,COLUMNS...] LIBRARY.so...\n", arguments[0]);
    return 1;
  }
  std::vector<library> libraries;
  for (int i = 3; i < count; ++i) {
    void* handle = dlopen(arguments[i], RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      std::fprintf(stderr, "%s\n", dlerror());
      return 1;
    }
    std::string name = arguments[i];
    name = name.substr(name.rfind('/') + 1);
    name = name.substr(0, name.find('.'));
    libraries.push_back({name.substr(0, 3) == "lib" ? name.substr(3) : name, handle});
  }
  std::printf("type,rows,cols,columns,name,seconds,gflops\n");
  bool right = true;
  for (const char* n = arguments[2]; n != nullptr; n = std::strchr(n, ',')) {
    n += *n == ',' ? 1 : 0;
    const index_t columns = std::atol(n);
    if (columns < 1) {
      std::fprintf(stderr, "%s: no column count\n", n);
      return 1;
    }
    constexpr index_t shapes[][2] = {{512, 512}, {2048, 512}, {512, 2048}, {1536, 384}};
    for (const auto& s : shapes) {
      right = (type == "f32" ? measure<float>(s[0], s[1], columns, libraries)
                             : measure<double>(s[0], s[1], columns, libraries)) &&
              right;
    }
  }
  return right ? 0 : 1;
}
