// The caller's floating-point controls: rounding mode, flush to zero, exception masks. Sticky
// exception flags are left out: arithmetic raises them.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#else
#error "no floating-point controls for this architecture"
#endif

namespace sparsekit_test {

#if defined(__x86_64__)
inline std::uint64_t float_controls() {
  std::uint16_t x87 = 0;
  asm volatile("fnstcw %0" : "=m"(x87));
  return (std::uint64_t{x87} << 32) | (_mm_getcsr() & ~0x3fu);
}
/// Subnormal results become zero, and subnormal inputs count as zero.
inline void set_flush_to_zero(bool on) {
  constexpr unsigned ftz_daz = 0x8040;
  _mm_setcsr(on ? _mm_getcsr() | ftz_daz : _mm_getcsr() & ~ftz_daz);
}
#else
inline std::uint64_t float_controls() {
  std::uint64_t fpcr;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  return fpcr;
}
inline void set_flush_to_zero(bool on) {
  constexpr std::uint64_t fz = std::uint64_t{1} << 24;
  const std::uint64_t fpcr = on ? float_controls() | fz : float_controls() & ~fz;
  asm volatile("msr fpcr, %0" : : "r"(fpcr));
}
#endif

}  // namespace sparsekit_test
