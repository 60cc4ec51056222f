// Element-wise functions for epilogues, on a scalar or on a register: callables that users compose
// see either, and each gives the same bits in both, whatever is compiled around it. So products and
// sums are fused explicitly, and a product that the compiler might fuse with a later sum is
// `rounded` first.
#pragma once

#include <math.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "avx2.hpp"
#include "avx512.hpp"
#include "generic.hpp"
#include "neon.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

/// Element type of a scalar or a register.
template <class V>
struct element_of {
  using type = typename V::value_type;
};
template <>
struct element_of<float> {
  using type = float;
};
template <>
struct element_of<double> {
  using type = double;
};
template <class V>
using element_of_t = typename element_of<V>::type;

/// v, its last operation done and rounded: g++ fuses a product with a sum that follows
/// (-ffp-contract=fast, its default) in some inlined copies of a function and not in others, and
/// -ffast-math reorders sums.
template <class V>
SPARSEKIT_INLINE V rounded(V v) {
#if defined(_MSC_VER) && !defined(__clang__)
#elif SPARSEKIT_HAS_AVX512
#define SPARSEKIT_VECTOR_CONSTRAINT "+v"
#elif defined(__x86_64__)
#define SPARSEKIT_VECTOR_CONSTRAINT "+x"
#elif defined(__aarch64__)
#define SPARSEKIT_VECTOR_CONSTRAINT "+w"
#endif
#ifdef SPARSEKIT_VECTOR_CONSTRAINT
  if constexpr (requires { v.data; }) {
    asm("" : SPARSEKIT_VECTOR_CONSTRAINT(v.data));
  } else if constexpr (!std::is_integral_v<V>) {
    asm("" : SPARSEKIT_VECTOR_CONSTRAINT(v));
  }
#undef SPARSEKIT_VECTOR_CONSTRAINT
#endif
  return v;
}

/// v as loaded, in a register: g++ loads a vector of up to four uses anew in each of them, and where
/// several multiply-adds share one their loads take longer than they do.
template <class V>
SPARSEKIT_INLINE V loaded_once(V v) {
  return rounded(v);
}

/// a + b, a - b and a * b, which a compiler may fuse with what is around them.
template <class V>
SPARSEKIT_INLINE V plus(V a, V b) {
  return a + b;
}
template <class V>
SPARSEKIT_INLINE V minus(V a, V b) {
  return a - b;
}
template <class V>
SPARSEKIT_INLINE V times(V a, V b) {
  return a * b;
}
/// a where left is less than right, elsewhere (NaN, too) b.
template <class V>
SPARSEKIT_INLINE V select_less(V left, V right, V a, V b) {
  if constexpr (std::is_arithmetic_v<V>) {
    return left < right ? a : b;
  } else {
    return select(left < right, a, b);
  }
}
#if SPARSEKIT_HAS_NEON
// neon.hpp says why not by xsimd's operators.
template <class T>
using neon_reg = xsimd::batch<T, xsimd::neon64>;
template <class T>
SPARSEKIT_INLINE neon_reg<T> plus(neon_reg<T> a, neon_reg<T> b) {
  return lanes<arch::neon, T>::add(a, b);
}
template <class T>
SPARSEKIT_INLINE neon_reg<T> minus(neon_reg<T> a, neon_reg<T> b) {
  return lanes<arch::neon, T>::sub(a, b);
}
template <class T>
SPARSEKIT_INLINE neon_reg<T> times(neon_reg<T> a, neon_reg<T> b) {
  return lanes<arch::neon, T>::mul(a, b);
}
template <class T>
SPARSEKIT_INLINE neon_reg<T> select_less(neon_reg<T> left, neon_reg<T> right, neon_reg<T> a,
                                         neon_reg<T> b) {
  return lanes<arch::neon, T>::select_less(left, right, a, b);
}
#endif

/// a * b + c, rounded once.
template <class V>
SPARSEKIT_INLINE V fused(V a, V b, V c) {
  if constexpr (std::is_floating_point_v<V>) {
    return lanes<arch::scalar, V>::fma(a, b, c);
  } else {
    return fma(a, b, c);
  }
}

/// a / b, correctly rounded. xsimd (13.2 at least) divides f32 on AArch64 by Newton steps, g++
/// under -ffast-math on x86 as well, which is not.
template <class V>
SPARSEKIT_INLINE V quotient(V a, V b) {
#if SPARSEKIT_HAS_AVX2 && defined(__FAST_MATH__) && (defined(__GNUC__) || defined(__clang__))
  if constexpr (!std::is_floating_point_v<V> && std::is_same_v<element_of_t<V>, float>) {
    V q = a;
    asm("vdivps {%2, %1, %0|%0, %1, %2}" : "=v"(q.data) : "v"(a.data), "v"(b.data));
    return q;
  }
#endif
  return rounded(a / b);
}
#if SPARSEKIT_HAS_NEON
SPARSEKIT_INLINE neon_reg<float> quotient(neon_reg<float> a, neon_reg<float> b) {
  return vdivq_f32(a, b);
}
#endif

// NaN in v stays NaN: x86's maximum returns its second operand when either is NaN, so the order of
// the operands matters; std::max(low, v) in scalar code would drop it.
template <class V>
SPARSEKIT_INLINE V max_with(V v, V low) {
  if constexpr (std::is_arithmetic_v<V>) {
    return v < low ? low : v;
#if defined(__x86_64__) || defined(_M_X64)
  } else if constexpr (std::is_floating_point_v<element_of_t<V>>) {
    return max(low, v);
#endif
  } else {
    return select_less(v, low, low, v);
  }
}
/// As max_with, but low where v is NaN.
template <class V>
SPARSEKIT_INLINE V number_or_low(V v, V low) {
  return select_less(low, v, v, low);
}
template <class V>
SPARSEKIT_INLINE V min_with(V v, V high) {
  if constexpr (std::is_arithmetic_v<V>) {
    return high < v ? high : v;
#if defined(__x86_64__) || defined(_M_X64)
  } else if constexpr (std::is_floating_point_v<element_of_t<V>>) {
    return min(high, v);
#endif
  } else {
    return select_less(high, v, high, v);
  }
}

namespace math {

/// Horner's scheme; the coefficient of the highest power comes last.
template <class V, class T, int N>
SPARSEKIT_INLINE V polynomial(V x, const T (&c)[N]) {
  V sum(c[N - 1]);
  unroll<N - 1>([&](auto i) SPARSEKIT_LAMBDA_INLINE { sum = fused(sum, x, V(c[N - 2 - i])); });
  return sum;
}

// Coefficients: Chebyshev interpolation of the named function on the named interval, computed with
// 60 digits; the error is relative.
template <class T>
struct constants;
template <>
struct constants<float> {
  static constexpr float round = 0x1.8p23f;  ///< adding it leaves the integer in the lowest bits
  static constexpr int mantissa_bits = 23;
  static constexpr float ln2_high = 0x1.62e4p-1f;
  static constexpr float ln2_low = 0x1.7f7d1cp-20f;
  static constexpr float least = -104.f;  ///< exp is 0 below, infinite above `most`
  static constexpr float most = 89.f;
  /// (exp(r) - 1 - r) / r^2 on [-0.36, 0.36]: 3.1e-10
  static constexpr float exp[] = {0.500000001691f,   0.166666666854f,   0.0416664318573f,
                                  0.00833330725327f, 0.00139371813599f, 0.000198949123365f};
  /// erf(x) / x as a function of x^2 on [0, 1]: 1.4e-9
  static constexpr float erf[] = {1.12837916585f,    -0.376126266667f,  0.112835947152f,
                                  -0.0268542120106f, 0.00518908742343f, -0.000801686428717f,
                                  7.87587506269e-5f};
  static constexpr float erf_is_one = 4.f;
  /// exp(x^2) erfc(x) as a function of (x - 2) / (x + 2) for x on [1, 4]: 1e-9
  static constexpr float erfc[] = {0.255395676252f,     -0.427185847614f,   0.241658211091f,
                                   -0.0789785232725f,   0.0037321413513f,   0.0069948554136f,
                                   -0.000836589973649f, -0.000944159634087f};
};
template <>
struct constants<double> {
  static constexpr double round = 0x1.8p52;
  static constexpr int mantissa_bits = 52;
  static constexpr double ln2_high = 0x1.62e42fefap-1;
  static constexpr double ln2_low = 0x1.cf79abc9e3b3ap-40;
  static constexpr double least = -746.;
  static constexpr double most = 710.;
  /// As above: 3.8e-19, 8.2e-18, and 2e-17 for x on [1, 6].
  static constexpr double exp[] = {0.5,
                                   0.16666666666666672985,
                                   0.041666666666666671179,
                                   0.0083333333333235837498,
                                   0.0013888888888881926351,
                                   0.00019841269883394330142,
                                   0.000024801587331670254509,
                                   2.7557244942221746346e-6,
                                   2.7557266175047446732e-7,
                                   2.5109404672957822402e-8,
                                   2.0917677381805068175e-9};
  static constexpr double erf[] = {
      1.1283791670955125665,     -0.37612638903183540438,     0.11283791670945006266,
      -0.02686617064323777036,   0.0052239776071164227321,    -0.00085483259753896920806,
      0.00012055294904839707917, -0.000014924736907419660338, 1.644742470331736241e-6,
      -1.6208483801871705902e-7, 1.3720064546777685604e-8,    -7.7958988270021422416e-10};
  static constexpr double erf_is_one = 6.;
  static constexpr double erfc[] = {
      0.25539567631050574451,      -0.42718584741395848609,    0.24165819424246584646,
      -0.078978581015706104005,    0.0037328924043978337732,   0.0069974617369715787448,
      -0.00084714325299195004764,  -0.00098197694110386426516, 0.00004355558686575481596,
      0.00017435947400205157559,   0.00002752717555722724734,  -0.000027562209161129353015,
      -0.000013998283772784976905, 1.3058577122278016484e-6,   4.0117496473250669268e-6,
      1.2725676618402280187e-6,    -1.1352571477273626449e-6};
};

/// 2^n for a whole number n in the exponents of normal numbers.
template <class V>
SPARSEKIT_INLINE V power_of_two(V n) {
  using T = element_of_t<V>;
  using I = typename float_bits<T>::type;
  using U = std::make_unsigned_t<I>;
  constexpr int shift = constants<T>::mantissa_bits;
  const V with_bits = rounded(plus(n, V(constants<T>::round)));
  if constexpr (std::is_floating_point_v<V>) {
    constexpr T one = 1;
    U bits, one_bits;
    std::memcpy(&bits, &with_bits, sizeof bits);
    std::memcpy(&one_bits, &one, sizeof one_bits);
    bits = (bits << shift) + one_bits;
    T out;
    std::memcpy(&out, &bits, sizeof out);
    return out;
  } else {
#if SPARSEKIT_HAS_AVX2
    const auto bits = xsimd::bitwise_cast<U>(with_bits);
    return xsimd::bitwise_cast<T>((bits << shift) + xsimd::bitwise_cast<U>(V(T(1))));
#elif SPARSEKIT_HAS_NEON
    // xsimd (13.2 at least) finds a NEON cast in tuples of all casts, which take g++ seconds.
    if constexpr (sizeof(T) == 4) {
      const uint32x4_t bits = vreinterpretq_u32_f32(float32x4_t(with_bits));
      const uint32x4_t one = vreinterpretq_u32_f32(vdupq_n_f32(1));
      return vreinterpretq_f32_u32(vaddq_u32(vshlq_n_u32(bits, shift), one));
    } else {
      const uint64x2_t bits = vreinterpretq_u64_f64(float64x2_t(with_bits));
      const uint64x2_t one = vreinterpretq_u64_f64(vdupq_n_f64(1));
      return vreinterpretq_f64_u64(vaddq_u64(vshlq_n_u64(bits, shift), one));
    }
#endif
  }
}

}  // namespace math

/// e^v within 1.5 units in the last place; exact limits at infinities; NaN stays NaN.
/// v = n ln 2 + r (Cody and Waite's two-part constant), e^r by a polynomial.
template <class V>
SPARSEKIT_INLINE V exponential(V v) {
  using T = element_of_t<V>;
  using c = math::constants<T>;
  const V x = min_with(max_with(v, V(c::least)), V(c::most));
  const V round(c::round);
  const V n = rounded(minus(rounded(fused(x, V(T(1.442695040888963407359924681)), round)), round));
  const V r = fused(n, V(-c::ln2_low), fused(n, V(-c::ln2_high), x));
  const V power =
      rounded(plus(fused(rounded(times(r, r)), math::polynomial(r, c::exp), r), V(T(1))));
  // In two steps: 2^n itself may be too large or too small to be a normal number.
  const V half = rounded(minus(rounded(fused(n, V(T(0.5)), round)), round));
  const V rest = rounded(minus(n, half));
  return rounded(times(rounded(times(power, math::power_of_two(half))), math::power_of_two(rest)));
}

/// The error function, within 1.25 units in the last place of 1; NaN stays NaN. Below 1 by a
/// polynomial in v^2, above it as 1 - exp(-v^2) R with R smooth in (|v| - 2) / (|v| + 2).
template <class V>
SPARSEKIT_INLINE V error_function(V v) {
  using T = element_of_t<V>;
  using c = math::constants<T>;
  const V one(T(1));
  const V zero(T(0));
  const V magnitude = select_less(v, zero, -v, v);
  const V square = rounded(times(v, v));
  const V small = rounded(times(v, math::polynomial(square, c::erf)));
  const V x = min_with(max_with(magnitude, one), V(c::erf_is_one));
  const V two(T(2));
  const V ratio = quotient(rounded(minus(x, two)), rounded(plus(x, two)));
  const V large = fused(-exponential(-square), math::polynomial(ratio, c::erfc), one);
  return select_less(magnitude, one, small, select_less(v, zero, -large, large));
}

}  // namespace simd
SPARSEKIT_EXEC_END
