// The table of patterns for one type of weights and of X. Types are compiled apart (table_*.cpp).
#pragma once

#include <cstdio>
#include <sparsekit/convert/prune_nm.hpp>
#include <sparsekit/convert/to_bsr.hpp>
#include <sparsekit/convert/to_nm.hpp>
#include <sparsekit/pack/blocks.hpp>
#include <sparsekit/pack/dense.hpp>
#include <sparsekit/pack/nm.hpp>
#include <sparsekit/sparsekit.hpp>

#include "contenders.hpp"

namespace structured_benchmark {

void run_table_f32(const options& o, std::ofstream& csv);
void run_table_half(const options& o, std::ofstream& csv);
void run_table_int8(const options& o, std::ofstream& csv);

/// N:M with a pattern that g.v rows share, or blocks of which a share is zero.
struct pattern {
  sk::nm_shape nm{};
  sk::block_shape block{1, 1};
  double zeros;

  static pattern of(sk::nm_shape g) {
    return {.nm = g, .zeros = 1 - static_cast<double>(g.n) / static_cast<double>(g.m)};
  }
  static pattern of(sk::block_shape b, double zeros) { return {.block = b, .zeros = zeros}; }
  bool is_blocks() const { return block.rows > 1 || block.cols > 1; }
  std::string name() const {
    const auto text = [](index_t i) { return std::to_string(i); };
    if (is_blocks()) {
      const int percent = static_cast<int>(100 * zeros + 0.5);
      return text(block.rows) + "x" + text(block.cols) + " at " + text(percent) + " %";
    }
    const std::string groups = text(nm.n) + ":" + text(nm.m);
    return nm.v == 1 ? groups + " free" : groups + " shared by " + text(nm.v);
  }
};

/// One type of weights and of X at one shape and column count.
template <class T, class TX>
class table_case {
 public:
  table_case(index_t rows, index_t cols, index_t n)
      : w_(rows, cols), x_(cols, n), xt_(cols, n), y_(rows, n), yt_(rows, n), expected_(rows, n) {
    std::mt19937 random(7);
    fill(w_.values, random);
    fill(x_.values, random);
    copy(x_, xt_);
    // Dense weights are timed unpruned: their values do not matter.
    add("dense", shared(sk::pack_dense(w_.in()).value()));
  }

  void add(const pattern& p) {
    matrix<T> pruned(w_.rows, w_.cols);
    copy(w_, pruned);
    const auto prune = p.is_blocks() ? sk::prune_blocks(pruned.view(), p.block, p.zeros)
                                     : sk::prune_nm(pruned.view(), p.nm);
    if (!prune) throw std::runtime_error(prune.message());
    {
      const auto dense = sk::pack_dense(pruned.in()).value();
      sk::workspace ws(dense, {.max_columns = x_.cols});
      sk::multiply(dense, x_.in(), expected_.view(), ws);
    }
    if (!p.is_blocks()) {
      add(p.name(), shared(sk::pack(sk::to_nm(pruned.in(), p.nm).value()).value()));
    } else {
      const auto csr = sk::csr_matrix<T>::from_dense(pruned.in()).value();
      if constexpr (sk::is_narrow<T>) {
        add(p.name(), shared(sk::pack_blocks(csr, p.block).value()));
      } else {
        add(p.name(), shared(sk::to_bsr(csr, p.block).value()));
      }
    }
  }

  /// Prints speed-ups over dense, each in its better layout.
  void time(const char* type, const char* x_type, const std::vector<pattern>& patterns, int rounds,
            bool flushed, std::ofstream& csv) {
    time_in_turn(all_, rounds, flushed);
    const double dense = least_of(all_, "dense");
    const long n = static_cast<long>(x_.cols);
    std::printf("%s, X of %s, %ld x %ld by %ld, %s: dense %.1f us\n", type, x_type,
                static_cast<long>(w_.rows), static_cast<long>(w_.cols), n,
                flushed ? "from memory" : "in cache", 1e6 * dense);
    for (const pattern& p : patterns) {
      const double t = least_of(all_, p.name());
      std::printf("  %-18s %9.1f us  %5.2fx\n", p.name().c_str(), 1e6 * t, dense / t);
    }
    std::fflush(stdout);
    for (const contender& c : all_) {
      csv << type << ',' << x_type << ',' << w_.rows << ',' << w_.cols << ',' << n << ','
          << (flushed ? "memory" : "cache") << ',' << c.name << ',' << c.layout << ',' << c.least
          << '\n';
    }
    csv.flush();
  }

 private:
  using sum = sk::sum_of_t<T>;

  template <class Weights>
  void add(const std::string& name, const std::shared_ptr<const Weights>& w) {
    all_.push_back(product(name, w, x_.in(), y_.view()));
    check(name, y_);
    if (x_.cols == 1) return;  // both layouts are the same then
    all_.push_back(product(name, w, xt_.in(), yt_.view()));
    check(name, yt_);
  }
  /// Runs the last contender, whose Y is `y`, and compares: exactly for integers.
  template <class Y>
  void check(const std::string& name, Y& y) {
    for (sum& v : y.values) v = static_cast<sum>(99);
    all_.back().run();
    if (name == "dense") return;  // the tests compare it with plain loops
    const double allowed = std::is_integral_v<sum> ? 0 : 1e-5 * static_cast<double>(w_.cols);
    const double d = largest_difference(y.in(), expected_.in());
    if (d <= allowed) return;
    throw std::runtime_error(name + ", " + std::to_string(x_.cols) + " columns, " +
                             all_.back().layout + ": wrong result, off by " + std::to_string(d));
  }

  matrix<T> w_;
  matrix<TX> x_;
  matrix<TX, sk::col_major> xt_;
  matrix<sum> y_;
  matrix<sum, sk::col_major> yt_;
  matrix<sum> expected_;
  std::vector<contender> all_;
};

/// All column counts of the table.
template <class T, class TX>
void run_type(const char* type, const char* x_type, const std::vector<pattern>& patterns,
              const options& o, std::ofstream& csv) {
  for (const index_t n : {1, 16, 64, 256}) {
    const bool flushed = n == 1;
    if (flushed && !can_evict) {
      std::printf("%s by 1: left out, no way to empty the caches here\n", type);
      continue;
    }
    const index_t side = flushed ? 4096 : 512;
    table_case<T, TX> t(side, side, n);
    for (const pattern& p : patterns) t.add(p);
    t.time(type, x_type, patterns, o.rounds, flushed, csv);
  }
}

}  // namespace structured_benchmark
