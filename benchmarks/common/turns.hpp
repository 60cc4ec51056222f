// What benchmarks share that compare products: all in turn in one process, the least of many
// rounds, weights in cache or flushed from it; and what memory gives.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <limits>
#include <sparsekit/core/array_view.hpp>
#include <string>
#include <vector>

namespace benchmark_common {

using sparsekit::index_t;
using bytes_view = sparsekit::array_view<const std::byte>;

template <class T>
bytes_view bytes_of(sparsekit::array_view<T> a) {
  return {reinterpret_cast<const std::byte*>(a.data()), a.size() * index_t{sizeof(T)}};
}

#if defined(__x86_64__) || defined(__aarch64__)
inline constexpr bool can_evict = true;
/// Out of all caches, a line at a time: the last one may be larger than any set of copies.
inline void evict(bytes_view bytes) {
  for (index_t i = 0; i < bytes.size(); i += 64) {
#if defined(__x86_64__)
    __builtin_ia32_clflush(bytes.data() + i);
#else
    asm volatile("dc civac, %0" : : "r"(bytes.data() + i) : "memory");
#endif
  }
#if defined(__x86_64__)
  __builtin_ia32_mfence();
#else
  asm volatile("dsb sy" : : : "memory");
#endif
}
#else
inline constexpr bool can_evict = false;
inline void evict(bytes_view) {}
#endif

/// One way to multiply. X and Y are the caller's.
struct contender {
  std::string name;
  std::function<void()> run;
  std::vector<bytes_view> weights = {};                    ///< what `run` reads of them
  double least = std::numeric_limits<double>::infinity();  ///< seconds
  long repeats = 1;
};

inline double seconds(const std::function<void()>& run, long repeats) {
  const auto start = std::chrono::steady_clock::now();
  for (long i = 0; i < repeats; ++i) run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Each in turn, the least of `rounds`. Hot: once untimed, then as often as 100 us take. Flushed:
/// the weights come from memory, once a round.
template <class Contender>
void time_in_turn(std::vector<Contender>& all, int rounds, bool flushed) {
  for (Contender& c : all) {
    const double once = seconds(c.run, 2) / 2;
    c.repeats = flushed || once > 100e-6 ? 1 : static_cast<long>(100e-6 / once) + 1;
  }
  for (int round = 0; round < rounds; ++round) {
    for (Contender& c : all) {
      if (flushed) {
        for (const bytes_view& a : c.weights) evict(a);
      } else {
        c.run();
      }
      c.least = std::min(c.least, seconds(c.run, c.repeats) / static_cast<double>(c.repeats));
    }
  }
}

/// Bytes a second that one thread reads from memory: what bounds products whose weights are there.
inline double read_bandwidth() {
  const std::vector<double> data(std::size_t{32} << 20, 1.0);  // 256 MiB
  double least = std::numeric_limits<double>::infinity();
  volatile double kept = 0;  // or nothing need be read
  for (int i = 0; i < 5; ++i) {
    least = std::min(least, seconds(
                                [&] {
                                  double s[8] = {};
                                  for (std::size_t j = 0; j < data.size(); j += 8) {
                                    for (std::size_t l = 0; l < 8; ++l) s[l] += data[j + l];
                                  }
                                  for (const double v : s) kept = kept + v;
                                },
                                1));
  }
  return static_cast<double>(data.size() * sizeof(double)) / least;
}

}  // namespace benchmark_common
