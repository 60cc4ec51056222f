// Times of two ways of doing the same, in turn, so that whatever else the machine does hits both.
#pragma once

#include <algorithm>
#include <chrono>

namespace example {

template <class F>
double seconds_of(F&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct two_times {
  double first = 1e300;
  double second = 1e300;
};

/// The least of `rounds` times of each.
template <class F, class G>
two_times times_in_turn(int rounds, F&& f, G&& g) {
  two_times t;
  for (int i = 0; i < rounds; ++i) {
    t.first = std::min(t.first, seconds_of(f));
    t.second = std::min(t.second, seconds_of(g));
  }
  return t;
}

}  // namespace example
