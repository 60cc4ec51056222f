// Which kind of processor this is, as a number: to notice that timings come from another one.
#pragma once

#include <cstdint>

#include "../config.hpp"

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
#include <cpuid.h>
#define SPARSEKIT_HAS_CPUID 1
#else
#define SPARSEKIT_HAS_CPUID 0
#endif

namespace sparsekit {
inline namespace v0 {

/// Vendor, family, model and stepping on x86 with g++ or clang; 0, "unknown", elsewhere. Some hundred cycles,
/// more in a virtual machine.
inline std::uint64_t machine_id() {
#if SPARSEKIT_HAS_CPUID
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(0, &a, &b, &c, &d) == 0) return 0;
  const std::uint64_t vendor = (b * 31u + c) * 31u + d;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return 0;
  return vendor << 32 | a;
#else
  return 0;
#endif
}

}  // namespace v0
}  // namespace sparsekit
