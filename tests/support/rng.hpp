// Random numbers for tests: the same on every compiler and machine, from one seed that is printed
// and can be set (SPARSEKIT_SEED=number, or SPARSEKIT_SEED=random).
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace sparsekit_test {

/// The seed of this run, printed when it is first asked for.
inline std::uint64_t run_seed() {
  static const std::uint64_t seed = [] {
    std::uint64_t value = 20251;
    if (const char* text = std::getenv("SPARSEKIT_SEED"); text != nullptr) {
      value = std::string_view(text) == "random"
                  ? static_cast<std::uint64_t>(
                        std::chrono::steady_clock::now().time_since_epoch().count())
                  : std::strtoull(text, nullptr, 0);
    }
    std::printf("SPARSEKIT_SEED=%llu\n", static_cast<unsigned long long>(value));
    std::fflush(stdout);
    return value;
  }();
  return seed;
}

/// SplitMix64 (Steele, Lea and Flood, 2014). The standard library's distributions differ between
/// implementations, so the few that tests need are here.
class rng {
 public:
  /// Numbers of the run's seed; different `stream`s are independent of each other.
  explicit rng(std::uint64_t stream = 0) : state_(run_seed() ^ (stream * 0xD1342543DE82EF95u)) {
    next();
  }

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  /// 0 .. bound - 1; bound > 0.
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(bound));
  }
  /// low .. high, both included.
  std::int64_t between(std::int64_t low, std::int64_t high) { return low + below(high - low + 1); }
  /// [0, 1)
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  bool chance(double probability) { return unit() < probability; }
  double uniform(double low, double high) { return low + (high - low) * unit(); }
  /// Gaussian, mean 0, deviation 1 (Box and Muller).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - unit()));
    return radius * std::cos(6.283185307179586 * unit());
  }

 private:
  std::uint64_t state_;
};

}  // namespace sparsekit_test
