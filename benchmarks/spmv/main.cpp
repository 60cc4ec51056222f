// y = A x of ordinary sparse matrices: sparsekit's CSR, slices (pack) and SELL beside a plain loop,
// Eigen (where the build found it) and MKL (loaded by name), all in turn in one process, results
// compared. Prints CSV, times in seconds.
//
// usage: sparsekit_spmv_benchmark f32|f64 [--mkl LIBRARY.so] [--threads N] MATRIX...
//
// common/matrices.hpp says what a MATRIX may be. `packing` is what pack() takes, in multiplies of
// what it makes. With --threads N sparsekit has a pool of N; Eigen and the loop have one thread,
// MKL what its environment says.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <sparsekit/adapters/thread_pool.hpp>
#include <sparsekit/convert/to_sell.hpp>
#include <sparsekit/sparsekit.hpp>
#include <string>
#include <vector>

#include "../common/matrices.hpp"
#include "../common/turns.hpp"
#include "mkl.hpp"
#if __has_include(<Eigen/SparseCore>)
#include <Eigen/SparseCore>
#endif

namespace {

namespace sk = sparsekit;
using benchmark_common::contender;
using sk::index_t;

template <class T>
void plain_loop(const sk::csr_view<const T>& a, const T* x, T* y) {
  for (index_t r = 0; r < a.rows(); ++r) {
    T sum{0};
    for (index_t p = a.row_ptr[r]; p < a.row_ptr[r + 1]; ++p) sum += a.values[p] * x[a.columns[p]];
    y[r] = sum;
  }
}

/// One matrix; false if a result is wrong.
template <class T, class Policy>
bool measure(const std::string& name, const sk::csr_matrix<T>& csr, const Policy& policy,
             void* mkl) {
  const sk::csr_view<const T> a = csr.view();
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  std::vector<T> x(static_cast<std::size_t>(a.cols()));
  for (T& e : x) e = static_cast<T>(normal(random));
  sk::packed_matrix<T> packed;
  double packing = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 3; ++i) {
    packing = std::min(packing, benchmark_common::seconds(
                                    [&] { packed = sk::pack(csr, {.columns = {1}}).value(); }, 1));
  }
  sk::workspace scratch(packed, {.max_workers = 64});
  const auto in = sk::dense_view<const T, sk::col_major>(x.data(), a.cols(), 1);
  std::vector<T> y(static_cast<std::size_t>(a.rows()));
  const auto out = sk::dense_view<T, sk::col_major>(y.data(), a.rows(), 1);

  std::vector<contender> all;
  all.push_back({"loop", [&] { plain_loop(a, x.data(), y.data()); }});
  all.push_back({"sparsekit-csr", [&] { sk::multiply(policy, csr, in, out); }});
  all.push_back({"sparsekit-pack", [&] { sk::multiply(policy, packed, in, out, scratch); }});
  sk::sell_matrix<T> sell;
  if (sk::to_sell(csr).get(sell)) {
    all.push_back({"sparsekit-sell", [&] { sk::multiply(policy, sell, in, out); }});
  }
#if __has_include(<Eigen/SparseCore>)
  using eigen_vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;
  const Eigen::Map<const Eigen::SparseMatrix<T, Eigen::RowMajor, int>> eigen(
      a.rows(), a.cols(), a.nnz(), a.row_ptr.data(), a.columns.data(), a.values.data());
  all.push_back({"eigen", [&] {
                   Eigen::Map<eigen_vector>(y.data(), a.rows()).noalias() =
                       eigen * Eigen::Map<const eigen_vector>(x.data(), a.cols());
                 }});
#endif
  std::vector<spmv_benchmark::mkl_matrix<T>> handles;
  for (int i = 0; mkl != nullptr && i < 2; ++i) handles.emplace_back(mkl, a, i == 1);
  for (std::size_t i = 0; i < handles.size(); ++i) {
    if (!handles[i].works()) continue;
    all.push_back(
        {i == 0 ? "mkl" : "mkl-optimized", [&, i] { handles[i].multiply(x.data(), y.data()); }});
  }

  bool right = true;
  std::vector<T> expected;
  for (const contender& c : all) {
    std::fill(y.begin(), y.end(), std::numeric_limits<T>::quiet_NaN());
    c.run();
    if (expected.empty()) expected = y;
    double error = 0;
    double largest = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double d = std::abs(static_cast<double>(y[i] - expected[i]));
      error = d < 1e30 ? std::max(error, d) : 1e30;
      largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    }
    if (error > (sizeof(T) == 4 ? 1e-4 : 1e-12) * largest) {
      std::fprintf(stderr, "%s: %s: wrong result, error %g\n", name.c_str(), c.name.c_str(), error);
      right = false;
    }
  }
  benchmark_common::time_in_turn(all, a.nnz() > 1'000'000 ? 15 : 60, false);
  for (const contender& c : all) {
    std::printf("%s,%s,%ld,%ld,%ld,%s,%.4g", sizeof(T) == 4 ? "f32" : "f64", name.c_str(),
                static_cast<long>(a.rows()), static_cast<long>(a.cols()),
                static_cast<long>(a.nnz()), c.name.c_str(), c.least);
    std::printf(c.name == "sparsekit-pack" ? ",%.1f\n" : ",\n", packing / c.least);
  }
  std::fflush(stdout);
  return right;
}

template <class T>
int run(const std::vector<std::string>& names, int threads, void* mkl) {
  bool right = true;
  std::printf("type,matrix,rows,cols,entries,name,seconds,packing\n");
  for (const std::string& name : names) {
    sk::csr_matrix<T> csr;
    if (const sk::status error = benchmark_common::read<T>(name).get(csr); !error) {
      std::fprintf(stderr, "%s: %s\n", name.c_str(), error.message().c_str());
      return 1;
    }
    const std::string label = name.substr(name.rfind('/') + 1);
    if (threads > 1) {
      sk::thread_pool pool(threads);
      right = measure(label, csr, sk::par(pool), mkl) && right;
    } else {
      right = measure(label, csr, sk::seq, mkl) && right;
    }
  }
  return right ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string type = count > 1 ? arguments[1] : "";
  std::vector<std::string> names;
  void* mkl = nullptr;
  long threads = 1;
  for (int i = 2; i < count; ++i) {
    const std::string word = arguments[i];
    if (word == "--mkl" && i + 1 < count) {
      mkl = dlopen(arguments[++i], RTLD_NOW | RTLD_GLOBAL);
      if (mkl == nullptr) {
        std::fprintf(stderr, "%s\n", dlerror());
        return 1;
      }
    } else if (word == "--threads" && i + 1 < count) {
      threads = std::atol(arguments[++i]);
    } else {
      names.push_back(word);
    }
  }
  if ((type != "f32" && type != "f64") || names.empty() || threads < 1 || threads > 64) {
    std::fprintf(stderr, "usage: %s f32|f64 [--mkl LIBRARY.so] [--threads N] MATRIX...\n",
                 arguments[0]);
    return 1;
  }
  return type == "f32" ? run<float>(names, static_cast<int>(threads), mkl)
                       : run<double>(names, static_cast<int>(threads), mkl);
}
