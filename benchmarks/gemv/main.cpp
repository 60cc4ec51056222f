// One to three columns of X: weights with zeros (pack) and zeros of x (active_set) over packed
// dense weights of the same type, all in turn in one process, one thread, the least of many rounds,
// results compared. Prints CSV.
//
// usage: sparsekit_gemv_benchmark [--rounds R]
//
// "memory": every cache line of the weights is flushed before each product; "cache": it follows
// another one of its own. `gb_s` is the weights' bytes over the time; the last line is what a plain
// sum of 256 MB reads.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <sparsekit/active_set.hpp>
#include <sparsekit/sparsekit.hpp>
#include <string>
#include <vector>

#include "../common/turns.hpp"

namespace {

namespace sk = sparsekit;
using benchmark_common::bytes_view;
using benchmark_common::contender;
using sk::index_t;

int rounds = 30;
bool right = true;

template <class T>
using x_of = std::conditional_t<std::is_same_v<T, std::int8_t>, std::uint8_t, float>;
template <class T>
using y_of = sk::sum_of_t<T>;

template <class T>
T from(double v) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(std::lround(100 * v));
  } else {
    return T(static_cast<float>(v));
  }
}

template <class T>
sk::buffer<T> zeros_and_numbers(index_t n, double zeros, unsigned seed) {
  sk::buffer<T> b;
  if (!b.allocate(n)) std::abort();
  std::minstd_rand random(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  for (T& e : b) e = uniform(random) < zeros ? T{} : from<T>(0.1 + 0.9 * uniform(random));
  return b;
}

void print(const char* what, const std::string& type, index_t m, index_t k, index_t n, bool memory,
           double zeros, const std::vector<contender>& all) {
  for (const contender& c : all) {
    double bytes = 0;
    for (const bytes_view w : c.weights) bytes += static_cast<double>(w.size());
    std::printf("%s,%s,%ld,%ld,%ld,%s,%.2f,%s,%.4g,%.2f,%.1f\n", what, type.c_str(),
                static_cast<long>(m), static_cast<long>(k), static_cast<long>(n),
                memory ? "memory" : "cache", zeros, c.name.c_str(), c.least, all[0].least / c.least,
                1e-9 * bytes / c.least);
  }
  std::fflush(stdout);
}

template <class Y>
void compare(const char* what, const sk::buffer<Y>& expected, const sk::buffer<Y>& y,
             double allowed) {
  double error = 0;
  double largest = 0;
  for (index_t i = 0; i < y.size(); ++i) {
    const double d = std::abs(static_cast<double>(y[i]) - static_cast<double>(expected[i]));
    error = d < 1e30 ? std::max(error, d) : 1e30;
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  }
  if (error > allowed * largest || largest == 0) {
    std::fprintf(stderr, "%s: wrong result, error %g of %g\n", what, error, largest);
    right = false;
  }
}

template <class T>
std::vector<bytes_view> arrays_of(const sk::packed_matrix<T>& w) {
  return {w.quads().bytes(), w.lookup().bytes(), w.spmv().bytes(), w.wide().bytes(),
          w.bits().bytes()};
}

/// Zeros in the weights.
template <class T>
void weights(const std::string& type, index_t m, index_t k, index_t n, bool memory,
             bool keep_18_bits = false) {
  for (const double zeros : {0.5, 0.7, 0.8, 0.9, 0.95}) {
    const auto w = zeros_and_numbers<T>(m * k, zeros, 1);
    const auto x = zeros_and_numbers<x_of<T>>(k * n, 0, 2);
    sk::buffer<y_of<T>> y[2];
    for (auto& b : y) {
      if (!b.allocate_zeroed(m * n)) std::abort();
    }
    const sk::dense_view<const T> dense(w.data(), m, k);
    const auto d = sk::pack_dense(dense).value();
    const auto s = sk::pack(sk::csr_matrix<T>::from_dense(dense).value(),
                            {.columns = {n}, .keep_18_bits = keep_18_bits})
                       .value();
    sk::workspace ws(d, {.max_columns = n});
    if (!ws.add(s, {.max_columns = n})) std::abort();
    const sk::dense_view<const x_of<T>, sk::col_major> in(x.data(), k, n);
    const auto out = [&](int i) {
      return sk::dense_view<y_of<T>, sk::col_major>(y[i].data(), m, n);
    };
    std::vector<contender> all;
    all.push_back({"dense", [&] { sk::multiply(d, in, out(0), ws); }, {d.bytes()}});
    all.push_back({"pack", [&] { sk::multiply(s, in, out(1), ws); }, arrays_of(s)});
    for (const contender& c : all) c.run();
    compare(type.c_str(), y[0], y[1], std::is_integral_v<y_of<T>> ? 0 : keep_18_bits ? 1e-4 : 1e-5);
    benchmark_common::time_in_turn(all, rounds, memory);
    print("weights", type, m, k, n, memory, zeros, all);
  }
}

/// Zeros in x.
template <class T>
void active(const std::string& type, index_t m, index_t k, bool memory) {
  const auto w = zeros_and_numbers<T>(m * k, 0, 1);  // column by column
  const sk::dense_view<const T, sk::col_major> columns(w.data(), m, k);
  const auto d = sk::pack_dense(columns).value();
  sk::workspace ws(d);
  for (const double zeros : {0.0, 0.5, 0.8, 0.9}) {
    const auto x = zeros_and_numbers<x_of<T>>(k, zeros, 2);
    sk::buffer<y_of<T>> y[2];
    for (auto& b : y) {
      if (!b.allocate_zeroed(m)) std::abort();
    }
    sk::active_set<x_of<T>> set(k);
    std::vector<contender> all;
    all.push_back({"dense", [&] { sk::multiply(d, x.view(), y[0].view(), ws); }, {d.bytes()}});
    all.push_back({"active",
                   [&] {
                     if (!set.assign_nonzero(x.view())) std::abort();
                     sk::multiply(columns, set, y[1].view());
                   },
                   {benchmark_common::bytes_of(w.view())}});
    for (const contender& c : all) c.run();
    compare(type.c_str(), y[0], y[1], std::is_integral_v<y_of<T>> ? 0 : 1e-5);
    benchmark_common::time_in_turn(all, rounds, memory);
    print("x", type, m, k, 1, memory, zeros, all);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 3 && std::string(arguments[1]) == "--rounds") rounds = std::atoi(arguments[2]);
  if ((count != 1 && count != 3) || rounds < 1 ||
      (count == 3 && std::string(arguments[1]) != "--rounds")) {
    std::fprintf(stderr, "usage: %s [--rounds R]\n", arguments[0]);
    return 1;
  }
  std::printf("zeros_in,type,rows,cols,columns,from,zeros,name,seconds,over_dense,gb_s\n");
  weights<float>("f32", 11008, 4096, 1, true);
  weights<float>("f32 18 bits", 11008, 4096, 1, true, true);
  weights<sk::bfloat16>("bf16", 11008, 4096, 1, true);
  weights<sk::float16>("f16", 11008, 4096, 1, true);
  weights<std::int8_t>("s8", 11008, 4096, 1, true);
  for (const index_t m : {512, 2048}) {
    weights<float>("f32", m, 512, 1, false);
    weights<sk::bfloat16>("bf16", m, 512, 1, false);
    weights<sk::float16>("f16", m, 512, 1, false);
    weights<std::int8_t>("s8", m, 512, 1, false);
  }
  for (const index_t n : {2, 3, 4}) weights<float>("f32", 512, 512, n, false);
  active<float>("f32", 4096, 8192, true);
  active<sk::bfloat16>("bf16", 4096, 8192, true);
  active<std::int8_t>("s8", 4096, 8192, true);
  active<float>("f32", 512, 512, false);
  active<sk::bfloat16>("bf16", 512, 512, false);
  active<std::int8_t>("s8", 512, 512, false);
  std::printf("read,f64,,,,memory,0,sum,,,%.1f\n", 1e-9 * benchmark_common::read_bandwidth());
  return right ? 0 : 1;
}
