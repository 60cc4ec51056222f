// What a second thread brings: each product by seq and by par(thread_pool) in turn in one process,
// least of many rounds, bits compared. Prints CSV, times in seconds.
//
// usage: sparsekit_threads_benchmark [--threads N] [--rounds R] spmv MATRIX... | layers
//
// spmv: y = A x of f64 by the caller's CSR and packed. common/matrices.hpp says what a MATRIX may
// be. layers: what a hand-over to the pool costs, then SpMM and GEMV of weights with zeros (pack)
// and without (dense), all of them in cache.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <sparsekit/adapters/thread_pool.hpp>
#include <sparsekit/sparsekit.hpp>
#include <string>
#include <thread>
#include <vector>

#include "../common/matrices.hpp"
#include "../common/turns.hpp"

namespace {

namespace sk = sparsekit;
using benchmark_common::contender;
using sk::index_t;

int threads = 2;
int rounds = 60;
bool right = true;
constexpr int task_us = 50;

/// One product by seq and by par(pool), which must leave the same bytes in y[0] and y[1].
struct cell {
  std::string name;  ///< the first columns of its line
  contender one;
  contender many;
};

/// Times of all cells in turn, again and again, so that what else the host does meanwhile slows no
/// cell in all its rounds.
void time_cells(std::vector<cell>& cells) {
  constexpr int at_once = 3;
  for (int round = 0; round < rounds; round += at_once) {
    for (cell& c : cells) {
      std::vector<contender> both = {c.one, c.many};
      benchmark_common::time_in_turn(both, at_once, false);
      c.one.least = both[0].least;
      c.many.least = both[1].least;
    }
  }
}

template <class T>
sk::buffer<T> made(index_t n) {
  sk::buffer<T> b;
  if (!b.allocate_zeroed(n)) std::abort();
  return b;
}

/// What a product reads and writes.
template <class Weights, class TX, class TY>
struct operands {
  Weights weights;
  sk::workspace workspace;
  std::shared_ptr<const sk::buffer<TX>> x;
  sk::buffer<TY> y[2];
};

/// X and Y of n columns are row-major, as features x tokens.
template <class TY, class TX, class Weights>
cell product(std::string name, Weights weights, index_t m, index_t k, index_t n,
             const std::shared_ptr<const sk::buffer<TX>>& x, sk::thread_pool& pool) {
  auto w = std::make_shared<operands<Weights, TX, TY>>(operands<Weights, TX, TY>{
      std::move(weights), sk::workspace{}, x, {made<TY>(m * n), made<TY>(m * n)}});
  w->workspace = sk::workspace(w->weights, {.max_columns = n, .max_workers = pool.workers()});
  const auto multiply = [=](const auto& policy, int i) {
    if (n == 1) {
      sk::multiply(policy, w->weights, sk::dense_view<const TX, sk::col_major>(x->data(), k, 1),
                   sk::dense_view<TY, sk::col_major>(w->y[i].data(), m, 1), w->workspace);
    } else if constexpr (!std::is_integral_v<TX> && std::is_same_v<TX, TY>) {
      sk::multiply(policy, w->weights, sk::dense_view<const TX>(x->data(), k, n),
                   sk::dense_view<TY>(w->y[i].data(), m, n), w->workspace);
    }
  };
  cell c{std::move(name), {"one", [=] { multiply(sk::seq, 0); }}, {"many", [=, &pool] {
                                                                     multiply(sk::par(pool), 1);
                                                                   }}};
  c.one.run();
  c.many.run();
  if (std::memcmp(w->y[0].data(), w->y[1].data(), static_cast<std::size_t>(m * n) * sizeof(TY)) !=
      0) {
    std::fprintf(stderr, "%s: threads change bits\n", c.name.c_str());
    right = false;
  }
  return c;
}

void spmv(const std::vector<std::string>& names, sk::thread_pool& pool) {
  std::vector<cell> cells;  // two a matrix: CSR, packed
  std::vector<double> setup;
  for (const std::string& name : names) {
    auto csr = benchmark_common::read<double>(name).value();
    const auto a = csr.view();
    auto x = std::make_shared<sk::buffer<double>>(made<double>(a.cols()));
    std::mt19937 random(1);
    std::normal_distribution<double> normal;
    for (double& e : *x) e = normal(random);
    sk::packed_matrix<double> packed;
    setup.push_back(std::numeric_limits<double>::infinity());
    for (int i = 0; i < 3; ++i) {
      setup.back() = std::min(
          setup.back(),
          benchmark_common::seconds([&] { packed = sk::pack(csr, {.columns = {1}}).value(); }, 1));
    }
    std::string label = name.substr(name.rfind('/') + 1);
    std::replace(label.begin(), label.end(), ':', '_');
    for (const index_t count : {a.rows(), a.nnz()}) label.append(",").append(std::to_string(count));
    const std::shared_ptr<const sk::buffer<double>> in = x;
    const index_t rows = a.rows();
    const index_t cols = a.cols();
    cells.push_back(product<double>(label, std::move(csr), rows, cols, 1, in, pool));
    cells.push_back(product<double>(label, std::move(packed), rows, cols, 1, in, pool));
  }
  time_cells(cells);
  std::printf(
      "matrix,rows,nnz,csr_one_thread,csr_two_threads,pack_one_thread,pack_two_threads,"
      "pack_setup\n");
  for (std::size_t i = 0; i < cells.size(); i += 2) {
    std::printf("%s,%.4e,%.4e,%.4e,%.4e,%.4e\n", cells[i].name.c_str(), cells[i].one.least,
                cells[i].many.least, cells[i + 1].one.least, cells[i + 1].many.least, setup[i / 2]);
  }
}

template <class T>
sk::buffer<T> numbers(index_t n, double zeros, unsigned seed) {
  auto b = made<T>(n);
  std::minstd_rand random(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  for (T& e : b) {
    const float v = uniform(random);
    if (uniform(random) < zeros) continue;
    if constexpr (std::is_integral_v<T>) {
      e = static_cast<T>(1 + std::lround(90 * v));
    } else {
      e = T(0.1f + 0.9f * v);
    }
  }
  return b;
}

std::string label(const char* what, const char* type, index_t m, index_t k, index_t n,
                  double zeros) {
  char text[100];
  std::snprintf(text, sizeof text, "%s,%s,%ld,%ld,%ld,%.2f", what, type, static_cast<long>(m),
                static_cast<long>(k), static_cast<long>(n), zeros);
  return text;
}

template <class T>
void layer(const char* type, index_t m, index_t k, index_t n, sk::thread_pool& pool,
           std::vector<cell>& cells) {
  using TX = std::conditional_t<std::is_same_v<T, std::int8_t>, std::uint8_t,
                                std::conditional_t<std::is_same_v<T, double>, double, float>>;
  using TY = sk::sum_of_t<T>;
  const auto x = std::make_shared<const sk::buffer<TX>>(numbers<TX>(k * n, 0, 2));
  for (const double zeros : {0.0, 0.5, 0.8, 0.9}) {
    const auto w = numbers<T>(m * k, zeros, 1);
    const sk::dense_view<const T> dense(w.data(), m, k);
    if (zeros == 0) {
      cells.push_back(product<TY>(label("dense", type, m, k, n, zeros),
                                  sk::pack_dense(dense).value(), m, k, n, x, pool));
    } else {
      const auto csr = sk::csr_matrix<T>::from_dense(dense).value();
      cells.push_back(product<TY>(label("pack", type, m, k, n, zeros),
                                  sk::pack(csr, {.columns = {n}}).value(), m, k, n, x, pool));
    }
  }
}

/// A job of two tasks: 50 us of spinning each, so that the worker gets one of them, and that time
/// taken off. What is left is what a hand-over costs. `sleep`: the pool's workers are asleep before
/// it.
double hand_over(sk::thread_pool& pool, bool sleep) {
  const auto spin = [](index_t, index_t) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(task_us);
    while (std::chrono::steady_clock::now() < end) {
    }
  };
  double least = std::numeric_limits<double>::infinity();
  for (int round = 0; round < 10 * rounds; ++round) {
    if (sleep) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    least = std::min(least, benchmark_common::seconds([&] { pool(2, spin); }, sleep ? 1 : 20) /
                                (sleep ? 1 : 20));
  }
  return least - 1e-6 * task_us;
}

int usage(const char* program) {
  std::fprintf(stderr, "usage: %s [--threads N] [--rounds R] spmv MATRIX... | layers\n", program);
  return 1;
}

}  // namespace

int main(int count, char** arguments) {
  int i = 1;
  for (; i + 1 < count; i += 2) {
    if (std::strcmp(arguments[i], "--threads") == 0) {
      threads = std::atoi(arguments[i + 1]);
    } else if (std::strcmp(arguments[i], "--rounds") == 0) {
      rounds = std::atoi(arguments[i + 1]);
    } else {
      break;
    }
  }
  const std::string mode = i < count ? arguments[i] : "";
  if (threads < 2 || threads > 64 || rounds < 1) return usage(arguments[0]);
  sk::thread_pool pool(threads);
  if (mode == "spmv" && i + 1 < count) {
    spmv({arguments + i + 1, arguments + count}, pool);
  } else if (mode == "layers" && i + 1 == count) {
    std::printf("what,type,rows,cols,columns,zeros,one_thread,two_threads\n");
    std::printf("hand-over,,,,,,,%.2e\n", hand_over(pool, false));
    std::printf("hand-over to a worker asleep,,,,,,,%.2e\n", hand_over(pool, true));
    std::vector<cell> cells;
    for (const index_t m : {512, 2048}) {
      for (const index_t n : {8, 64, 256}) {
        layer<float>("f32", m, 512, n, pool, cells);
        layer<double>("f64", m, 512, n, pool, cells);
      }
    }
    layer<float>("f32", 2048, 512, 1, pool, cells);
    layer<sk::bfloat16>("bf16", 2048, 512, 1, pool, cells);
    layer<std::int8_t>("s8", 2048, 512, 1, pool, cells);
    time_cells(cells);
    for (const cell& c : cells) {
      std::printf("%s,%.4e,%.4e\n", c.name.c_str(), c.one.least, c.many.least);
    }
  } else {
    return usage(arguments[0]);
  }
  return right ? 0 : 1;
}
