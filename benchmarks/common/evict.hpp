// Weights out of all caches, for products that find them in memory.
#pragma once

#include <cstddef>
#include <sparsekit/core/array_view.hpp>

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

}  // namespace benchmark_common
