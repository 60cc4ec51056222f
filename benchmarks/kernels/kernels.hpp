// Times every kernel of kernels/table.inc, for one value type, beside the library's own packed
// dense code.
//
// A case is a kernel, a pattern of entries, a shape, a number of columns and a layout of X and Y.
// Each iteration runs the kernel and then dense code in both layouts, so that all see the same
// machine; the ratios are between the fastest iterations. `rot8` uses eight matrices in turn. Results of
// every case are first compared with those of the scalar code.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <sparsekit/sparsekit.hpp>
#include <string>
#include <vector>

#include "operands.hpp"

namespace kernel_benchmarks {

/// One benchmark's coordinates, but for the kernel and the layout.
struct grid_point {
  pattern_source source;
  index_t columns;
  int matrices;
};

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
/// Bytes a second that one thread reads from memory: what bounds kernels whose matrix is not in
/// cache.
double stream_bandwidth();

template <class T, class Layout>
struct activations {
  using X = x_type<T>;
  using Y = y_type<T>;
  std::vector<X> x;
  std::vector<Y> y;
  index_t rows, cols, n;
  activations(index_t m, index_t k, index_t columns) : rows(m), cols(k), n(columns) {
    rng random(7);
    if constexpr (std::is_integral_v<X>) {
      for (index_t i = 0; i < k * columns; ++i) x.push_back(static_cast<X>(random.below(256)));
    } else {
      x = sparsekit_test::make_dense<X>(k, columns, random);
    }
    y.assign(static_cast<std::size_t>(m * columns),
             Y{1});  // written, so that no page is the zero page
  }
  sk::dense_view<const X, Layout> in() const { return {x.data(), cols, n}; }
  sk::dense_view<Y, Layout> out() { return {y.data(), rows, n}; }
  /// Results that no product leaves.
  void spoil() {
    const Y none = std::is_integral_v<Y> ? std::numeric_limits<Y>::min()
                                         : std::numeric_limits<Y>::quiet_NaN();
    std::fill(y.begin(), y.end(), none);
  }
};

/// Whether the results of a kernel are those of the scalar code, up to the order of sums, and some are
/// not zero.
template <class Y>
bool agree(const std::vector<Y>& y, const std::vector<Y>& reference) {
  double largest = 0;
  double error = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto want = static_cast<double>(reference[i]);
    const double off = std::abs(static_cast<double>(y[i]) - want);
    if (!(off <= std::numeric_limits<double>::max())) return false;  // NaN: not written
    largest = std::max(largest, std::abs(want));
    error = std::max(error, off);
  }
  const double allowed = std::is_integral_v<Y> ? 0 : sizeof(Y) == 8 ? 1e-12 : 1e-4;
  return largest > 0 && error <= allowed * largest;
}

/// Seconds of one run of f, at least 20 us of runs at a time.
struct timed {
  double least = 1e9;
  long repeats = 1;
  template <class F>
  double once(F&& f) {
    const double start = now();
    for (long i = 0; i < repeats; ++i) f();
    const double each = (now() - start) / static_cast<double>(repeats);
    if (each * static_cast<double>(repeats) < 20e-6) repeats *= 2;
    least = std::min(least, each);
    return each;
  }
};

template <class Kernel, class Format, class T, class Layout>
void run_case(benchmark::State& state, const grid_point& at) {
  using owner = decltype(make_operand<Format, T>(std::declval<const source<T>&>(), 0));
  std::vector<owner> operands;
  std::vector<sk::packed_dense<T>> dense;
  const source<T> first_source(at.source, 0);
  operands.push_back(make_operand<Format, T>(first_source, 0));
  const index_t m = operands[0].view().rows();
  const index_t k = operands[0].view().cols();
  const index_t n = at.columns;
  activations<T, Layout> io(m, k, n);
  sk::workspace ws;
  const auto has_memory = [&] {
    return static_cast<bool>(ws.add(library_operand(operands.back()), {.max_columns = n}));
  };
  if (!has_memory()) return state.SkipWithError("no memory");

  const sk::identity_epilogue epilogue{};
  const auto call = [&](const auto& a) {
    using matrix = std::remove_cvref_t<decltype(a)>;
    return sk::kernels::call<sk::sequential_policy, matrix, T, Layout, Layout,
                             sk::identity_epilogue, true, x_type<T>, y_type<T>>{sk::seq,  a,        io.in(),
                                                    io.out(), epilogue, ws.memory()};
  };
  using call_type = decltype(call(operands[0].view()));
  if constexpr (!sk::kernels::is_possible<Kernel, call_type>) {
    return state.SkipWithError("not for these layouts");
  } else {
    int way = 0;
    const int ways = std::is_same_v<Format, sk::format::packed> ? packed_ways : 1;
    while (!Kernel::accepts(call(operands[0].view()))) {
      if (++way == ways) return state.SkipWithError("not for this call");
      operands[0] = make_operand<Format, T>(first_source, way);
      if (!has_memory()) return state.SkipWithError("no memory");
    }
    dense.push_back(sk::pack_dense(first_source.dense_view()).value());
    for (int i = 1; i < at.matrices; ++i) {
      const source<T> s(at.source, i);
      operands.push_back(make_operand<Format, T>(s, way));
      dense.push_back(sk::pack_dense(s.dense_view()).value());
      if (!has_memory()) return state.SkipWithError("no memory");
    }
    for (const owner& o : operands) {
      const auto a = o.view();
      io.spoil();
      Kernel::run(call(a));
      const auto y = io.y;
      io.spoil();
      sk::kernels::run_selected<sk::arch::scalar>(call(a));
      if (!agree(y, io.y)) return state.SkipWithError("WRONG RESULT");
    }
    const auto first = operands[0].view();
    activations<T, sk::row_major> row_io(dense[0].rows(), dense[0].cols(), n);
    activations<T, sk::col_major> col_io(dense[0].rows(), dense[0].cols(), n);
    sk::workspace dense_ws(dense[0], {.max_columns = n});
    timed own, dense_row, dense_col;
    std::size_t turn = 0;
    const auto next = [&] { return turn = (turn + 1) % operands.size(); };
    for (auto _ : state) {
      state.SetIterationTime(own.once([&] {
        const auto a = operands[next()].view();
        Kernel::run(call(a));
      }));
      dense_row.once([&] { sk::multiply(dense[next()], row_io.in(), row_io.out(), dense_ws); });
      dense_col.once([&] { sk::multiply(dense[next()], col_io.in(), col_io.out(), dense_ws); });
      benchmark::ClobberMemory();
    }
    const double nnz = static_cast<double>(entries_of(first));
    const double best_dense = std::min(dense_row.least, dense_col.least);
    const double speedup = best_dense / own.least;
    const double bytes = static_cast<double>(bytes_of(operands[0]));
    state.counters["GFLOPs"] = 2e-9 * nnz * static_cast<double>(n) / own.least;
    state.counters["over_dense"] = speedup;
    state.counters["efficiency"] =
        speedup * nnz /
        (static_cast<double>(dense[0].rows()) * static_cast<double>(dense[0].cols()));
    state.counters["bytes_per_nnz"] = bytes / nnz;
    state.counters["of_stream"] = bytes / own.least / stream_bandwidth();
  }
}

template <class Kernel, class Format, class T, class Layout>
void add_case(const std::string& kernel, const grid_point& at, const char* layout) {
  const std::string name = kernel + "/" + at.source.name() + "/n" + std::to_string(at.columns) +
                           "/" + layout + "/" + (at.matrices == 1 ? "hot" : "rot8");
  benchmark::RegisterBenchmark(
      name.c_str(),
      [at](benchmark::State& state) { run_case<Kernel, Format, T, Layout>(state, at); })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

/// One row of the table at one point of the grid. A product of somebody else's is not timed.
template <class Kernel, class Format, class T>
void add_row(const std::string& name, const grid_point& at) {
  if constexpr (!std::is_same_v<Format, sk::format::external>) {
    if (at.columns > 1) add_case<Kernel, Format, T, sk::row_major>(name, at, "features_by_tokens");
    add_case<Kernel, Format, T, sk::col_major>(name, at, "tokens_by_features");
  }
}

#define SPARSEKIT_BENCHMARK_ROW(id, operation, format_name, tile)                 \
  add_row<sk::kernels::id<sk::native_arch, T>, sk::format::format_name, T>(       \
      std::string(#operation "-") + type + "-" #format_name "-" #tile "-" + sk::native_arch::name, \
      at);

/// Every row of the table for these weights, at every point of the grid.
template <class T>
void add_kernels(const char* type, const std::vector<grid_point>& grid) {
  for (const grid_point& at : grid) {
    if constexpr (sk::is_narrow<T>) {
#define SPARSEKIT_KERNEL(id, operation, format_name, tile)
#define SPARSEKIT_NARROW_KERNEL SPARSEKIT_BENCHMARK_ROW
#define SPARSEKIT_PLAIN_KERNEL SPARSEKIT_BENCHMARK_ROW
#include <sparsekit/kernels/table.inc>
#undef SPARSEKIT_KERNEL
#undef SPARSEKIT_NARROW_KERNEL
#undef SPARSEKIT_PLAIN_KERNEL
    } else {
#define SPARSEKIT_KERNEL SPARSEKIT_BENCHMARK_ROW
#include <sparsekit/kernels/table.inc>
#undef SPARSEKIT_KERNEL
    }
  }
}

void add_f32(const std::vector<grid_point>& grid);
void add_f64(const std::vector<grid_point>& grid);
void add_narrow(const std::vector<grid_point>& grid);

}  // namespace kernel_benchmarks
