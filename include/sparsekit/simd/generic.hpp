// The vector operations that kernels are written in, and their scalar form. `lanes<Arch, T>` is the
// vocabulary: one specialisation an ISA (scalar here, the others over xsimd and intrinsics).
//
//   reg, width                      register type; elements in it
//   zero, broadcast, load, store    unaligned; `stream_load` hints nothing yet reads once
//   mask, first(n)                  the first n lanes; load/store with a mask touch no other byte
//   fma(a, b, c) = a * b + c        fused on every ISA, so that sums have the same rounding everywhere
//   gather(p, index)                p[index[0]], p[index[1]], ...; gather_far: where p misses the L2 cache
//   keep(bits, v)                   lane l where bit l is set, otherwise zero
//   transpose(r)                    `width` registers as a square matrix
//   four, load_four, pick<I>        four values loaded at once; one of them in all lanes, by a shuffle that
//                                   stays inside 128 bits and so leaves the load ports alone
//   magnitude_bits, any_not_finite  to notice Inf and NaN by their exponent, immune to -ffast-math
#pragma once

#include <math.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "../core/checked.hpp"
#include "unroll.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <class T>
struct float_bits;
template <>
struct float_bits<float> {
  using type = std::int32_t;
  static constexpr type magnitude = 0x7fffffff;
  static constexpr type infinity = 0x7f800000;
};
template <>
struct float_bits<double> {
  using type = std::int64_t;
  static constexpr type magnitude = 0x7fffffffffffffff;
  static constexpr type infinity = 0x7ff0000000000000;
};

/// False for NaN and infinities; integers are neither. By bits: -ffast-math folds every comparison
/// with NaN away.
template <class T>
SPARSEKIT_INLINE bool is_finite(T x) {
  if constexpr (std::is_integral_v<T>) {
    return true;
  } else {
    using bits = float_bits<T>;
    typename bits::type b;
    std::memcpy(&b, &x, sizeof b);
    return (b & bits::magnitude) < bits::infinity;
  }
}

/// Hides where a value comes from, so that the compiler neither folds its load into a user nor moves it.
template <class V>
SPARSEKIT_INLINE void opaque(V& v) {
#if defined(__GNUC__) || defined(__clang__)
  asm volatile("" : "+r"(v));
#else
  static_cast<void>(v);
#endif
}

/// Nothing moves across it. g++ (12 at least) schedules AArch64 code before it allocates registers: it
/// loads for many steps of a loop at once, more than there are registers, and spills sums for them.
SPARSEKIT_INLINE void no_loads_ahead() {
#if defined(__aarch64__) && defined(__GNUC__) && !defined(__clang__)
  asm volatile("" : :);
#endif
}

template <class T>
SPARSEKIT_INLINE void prefetch(const T* p) {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(static_cast<const void*>(p));
#else
  static_cast<void>(p);
#endif
}

/// As prefetch, into the second cache: what is wanted later than soon. The address may lie beyond
/// the array.
SPARSEKIT_INLINE void prefetch_to_l2(const void* p) {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(p, 0, 2);
#else
  static_cast<void>(p);
#endif
}

/// As prefetch, for memory that will be written: a store by itself asks for its cache line only
/// when its turn comes. The address may lie beyond the array.
SPARSEKIT_INLINE void prefetch_to_write(const void* p) {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(p, 1, 3);
#else
  static_cast<void>(p);
#endif
}

/// As prefetch, at an address that may lie beyond the array.
template <class T>
SPARSEKIT_INLINE void prefetch_ahead(const T* p, index_t bytes) {
  prefetch(reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(p) +
                                         static_cast<std::uintptr_t>(bytes)));
}

/// In place of a mask: every lane. On AMD a masked store costs far more than a plain one under AVX2.
struct all_lanes {};

template <class Arch, class T>
struct lanes;

/// What a lanes<Arch, T> is of.
template <class Lanes>
struct parts_of_lanes;
template <class Arch, class T>
struct parts_of_lanes<lanes<Arch, T>> {
  using arch = Arch;
  using value_type = T;
  template <class U>
  using with = lanes<Arch, U>;
};
template <class Lanes>
using arch_of = typename parts_of_lanes<Lanes>::arch;
template <class Lanes>
using value_of = typename parts_of_lanes<Lanes>::value_type;
/// Registers of the same ISA, with elements of type U.
template <class Lanes, class U>
using lanes_with = typename parts_of_lanes<Lanes>::template with<U>;

/// Whether gather_far is another thing than gather; where not, kernels need one loop only.
template <class Arch>
inline constexpr bool gather_far_differs =
    std::is_same_v<Arch, arch::avx2> || (std::is_same_v<Arch, arch::avx512> && !SPARSEKIT_HAS_AVX512_FP16);

/// Numbers narrower than their sums: mixed.hpp.
template <class Arch>
struct mixed;

template <class T>
struct lanes<arch::scalar, T> {
  using reg = T;
  using mask = bool;
  using magnitude_reg = std::make_signed_t<
      std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>>;
  static constexpr int width = 1;

  static SPARSEKIT_INLINE reg zero() { return T{0}; }
  static SPARSEKIT_INLINE reg broadcast(T x) { return x; }
  static SPARSEKIT_INLINE reg load(const T* p) { return *p; }
  static SPARSEKIT_INLINE void store(T* p, reg v) { *p = v; }
  static SPARSEKIT_INLINE reg load(all_lanes, const T* p) { return *p; }
  static SPARSEKIT_INLINE void store(all_lanes, T* p, reg v) { *p = v; }
  static SPARSEKIT_INLINE mask first(index_t n) { return n > 0; }
  static SPARSEKIT_INLINE reg load(mask m, const T* p) { return m ? *p : T{0}; }
  static SPARSEKIT_INLINE void store(mask m, T* p, reg v) {
    if (m) *p = v;
  }
  // Exact on every target: one instruction with FMA hardware, otherwise a libm call. C's functions:
  // std::fma(float, ...) is inline, and at -O0 the linker would merge those of different flags.
  static SPARSEKIT_INLINE reg fma(reg a, reg b, reg c) {
    if constexpr (std::is_same_v<T, float>) {
      return ::fmaf(a, b, c);
    } else {
      return ::fma(a, b, c);
    }
  }
  static SPARSEKIT_INLINE reg add(reg a, reg b) { return a + b; }
  static SPARSEKIT_INLINE reg mul(reg a, reg b) { return a * b; }
  static SPARSEKIT_INLINE reg sub(reg a, reg b) { return a - b; }
  static SPARSEKIT_INLINE T reduce_add(reg v) { return v; }
  template <class Index>
  static SPARSEKIT_INLINE reg gather(const T* p, const Index* index) {
    return p[static_cast<index_t>(*index)];
  }
  template <class Index>
  static SPARSEKIT_INLINE reg gather(mask m, const T* p, const Index* index) {
    return m ? p[static_cast<index_t>(*index)] : T{0};
  }
  template <class Index>
  static SPARSEKIT_INLINE reg gather_far(const T* p, const Index* index) {
    return gather(p, index);
  }
  static SPARSEKIT_INLINE reg keep(unsigned bits, reg v) { return (bits & 1) != 0 ? v : T{0}; }
  static SPARSEKIT_INLINE void transpose(reg*) {}

  using four = const T*;
  static SPARSEKIT_INLINE four load_four(const T* p) { return p; }
  template <int I>
  static SPARSEKIT_INLINE reg pick(four q) {
    return q[I];
  }

  static SPARSEKIT_INLINE magnitude_reg no_magnitude() { return 0; }
  static SPARSEKIT_INLINE magnitude_reg max_magnitude(magnitude_reg m, reg v) {
    magnitude_reg b;
    std::memcpy(&b, &v, sizeof b);
    b &= float_bits<T>::magnitude;
    return b > m ? b : m;
  }
  static SPARSEKIT_INLINE bool any_not_finite(magnitude_reg m) {
    return m >= float_bits<T>::infinity;
  }
};

}  // namespace simd
SPARSEKIT_EXEC_END
