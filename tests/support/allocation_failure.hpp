// Makes the k-th allocation fail, counts what is not freed, and notices allocations that could
// throw.
//
// Defines the global operators new and delete: include it in exactly one source file of an
// executable. The library allocates with the aligned nothrow operator new only; that one fails on
// demand.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "sparsekit/status.hpp"

namespace sparsekit_test {

/// Counted between the construction and the destruction of an allocation_watch.
struct allocation_counters {
  bool watching = false;
  std::int64_t calls = 0;     ///< of the aligned nothrow operator new
  std::int64_t fail_at = -1;  ///< the call that fails, from 0; -1: none
  std::int64_t live = 0;      ///< allocations not freed yet
  std::int64_t bytes = 0;     ///< asked for in these calls
  std::int64_t throwing = 0;  ///< allocations by an operator that throws
};
inline allocation_counters counters;

class allocation_watch {
 public:
  explicit allocation_watch(std::int64_t fail_at = -1) {
    counters = {.watching = true, .fail_at = fail_at};
  }
  ~allocation_watch() { counters = {}; }
  allocation_watch(const allocation_watch&) = delete;
  allocation_watch& operator=(const allocation_watch&) = delete;
  /// What has been counted so far.
  allocation_counters now() const { return counters; }
};

/// Runs `operation` (which returns a status and keeps nothing) with the first, the second, ...
/// allocation failing, until it succeeds. Each failure must be reported as out_of_memory and leave
/// nothing behind. Returns how many allocations a run without failure makes.
template <class Operation>
std::int64_t fail_each_allocation(const Operation& operation) {
  for (std::int64_t k = 0;; ++k) {
    allocation_counters after;
    sparsekit::status result;
    {
      allocation_watch watch(k);
      result = operation();
      after = watch.now();
    }
    CAPTURE(k);
    CHECK(after.live == 0);
    CHECK(after.throwing == 0);
    if (after.calls <= k) {
      CHECK(result.code == sparsekit::errc::ok);
      return k;
    }
    // A failed allocation ends the operation: nothing is tried after it.
    CHECK(after.calls == k + 1);
    CHECK(result.code == sparsekit::errc::out_of_memory);
    REQUIRE(k < 1000);
  }
}

inline void* allocate_or_null(std::size_t bytes, std::size_t alignment) {
  if (alignment <= alignof(std::max_align_t)) return std::malloc(bytes == 0 ? 1 : bytes);
  if (bytes > static_cast<std::size_t>(-1) - alignment) return nullptr;
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}
inline void* allocate_or_abort(std::size_t bytes, std::size_t alignment) {
  if (counters.watching) ++counters.throwing;
  void* p = allocate_or_null(bytes, alignment);
  if (p == nullptr) std::abort();
  return p;
}

}  // namespace sparsekit_test

// noinline: g++ 12 warns of mismatched-new-delete where it inlines one operator of a pair, seeing
// `free`.
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment,
                                     const std::nothrow_t&) noexcept {
  auto& c = sparsekit_test::counters;
  if (c.watching && c.calls++ == c.fail_at) return nullptr;
  if (c.watching) c.bytes += static_cast<std::int64_t>(bytes);
  void* p = sparsekit_test::allocate_or_null(bytes, static_cast<std::size_t>(alignment));
  if (c.watching && p != nullptr) ++c.live;
  return p;
}
[[gnu::noinline]] void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept {
  if (p != nullptr && sparsekit_test::counters.watching) --sparsekit_test::counters.live;
  std::free(p);
}

[[gnu::noinline]] void* operator new(std::size_t bytes) {
  return sparsekit_test::allocate_or_abort(bytes, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new[](std::size_t bytes) {
  return sparsekit_test::allocate_or_abort(bytes, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return sparsekit_test::allocate_or_abort(bytes, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return sparsekit_test::allocate_or_null(bytes, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return sparsekit_test::allocate_or_null(bytes, alignof(std::max_align_t));
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
