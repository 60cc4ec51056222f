// What the x86 ISAs share: the operations that xsimd has as they are, and element-wise gathers.
#pragma once

#include "generic.hpp"

#if SPARSEKIT_HAS_AVX2

// g++ 12 warns of the undefined registers inside its own AVX-512 intrinsics (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ <= 13
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ <= 13
#pragma GCC diagnostic pop
#endif

#include <xsimd/xsimd.hpp>

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <class T, class XsimdArch>
struct xsimd_lanes {
  using reg = xsimd::batch<T, XsimdArch>;

  static SPARSEKIT_INLINE reg zero() { return reg(T{0}); }
  static SPARSEKIT_INLINE reg broadcast(T x) { return reg(x); }
  static SPARSEKIT_INLINE reg load(const T* p) { return reg::load_unaligned(p); }
  static SPARSEKIT_INLINE void store(T* p, reg v) { v.store_unaligned(p); }
  static SPARSEKIT_INLINE reg load(all_lanes, const T* p) { return load(p); }
  static SPARSEKIT_INLINE void store(all_lanes, T* p, reg v) { store(p, v); }
  static SPARSEKIT_INLINE reg fma(reg a, reg b, reg c) { return xsimd::fma(a, b, c); }
  static SPARSEKIT_INLINE reg add(reg a, reg b) { return a + b; }
  static SPARSEKIT_INLINE reg mul(reg a, reg b) { return a * b; }
  static SPARSEKIT_INLINE reg sub(reg a, reg b) { return a - b; }
  static SPARSEKIT_INLINE T reduce_add(reg v) { return xsimd::reduce_add(v); }
};

// On AMD's cores a load and an insert an element beat vgather twofold while x is in the L1 cache; beyond
// it they are even (Zen 4). Two 32-bit indices come by one load, which is another 25 % faster.
template <class Index>
SPARSEKIT_INLINE void load4(const Index* index, index_t (&at)[4]) {
  if constexpr (sizeof(Index) == 4) {
    std::uint64_t pair[2];
    std::memcpy(pair, index, sizeof pair);
    at[0] = static_cast<index_t>(static_cast<std::uint32_t>(pair[0]));
    at[1] = static_cast<index_t>(pair[0] >> 32);
    at[2] = static_cast<index_t>(static_cast<std::uint32_t>(pair[1]));
    at[3] = static_cast<index_t>(pair[1] >> 32);
  } else {
    unroll<4>([&](auto i) SPARSEKIT_LAMBDA_INLINE { at[i] = static_cast<index_t>(index[i]); });
  }
}
template <class Index>
SPARSEKIT_INLINE __m128 gather4(const float* p, const Index* index) {
  index_t at[4];
  load4(index, at);
  return _mm_setr_ps(p[at[0]], p[at[1]], p[at[2]], p[at[3]]);
}
template <class Index>
SPARSEKIT_INLINE __m256d gather4(const double* p, const Index* index) {
  index_t at[4];
  load4(index, at);
  const __m128d low = _mm_loadh_pd(_mm_load_sd(p + at[0]), p + at[1]);
  const __m128d high = _mm_loadh_pd(_mm_load_sd(p + at[2]), p + at[3]);
  return _mm256_setr_m128d(low, high);
}

}  // namespace simd
SPARSEKIT_EXEC_END

#endif
