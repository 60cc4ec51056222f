// All patterns of a group of N:M, as bit sets of its places.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace sparsekit_test {

inline std::vector<std::uint32_t> patterns(int n, int m) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t p = 0; p < 1u << m; ++p) {
    if (std::popcount(p) == n) out.push_back(p);
  }
  return out;
}

}  // namespace sparsekit_test
