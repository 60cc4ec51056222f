// expanded<Arch, T, TX>: the values of a bitmask's row that stand side by side, to the columns
// whose bit is set and zero elsewhere, and their products with x. One file an ISA over the scalar
// form here.
//
//   columns          that a step takes; a divisor of 64
//   x_type           what x is prepared as: wide enough to be multiplied as it lies, or as dot
//                    products take it
//   flips            s8: x_type holds x with the highest bit of each byte flipped (mixed.hpp)
//   at<First>(bits, p)  weights of columns [First, First + columns), First a multiple of columns:
//                    bits are those of 64 columns, p the first value, which moves behind the last
//                    one. Reads up to 64 bytes from p on.
//   add(sum, w, x)   sum + the products with x[0, columns)
//
// An empty place is multiplied by zero, so x must be finite; whoever calls sees to that.
#pragma once

#include <bit>

#include "expand_avx2.hpp"
#include "expand_avx512.hpp"
#include "expand_neon.hpp"
#include "mixed.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

/// Nothing is expanded: the set bits are walked.
template <class T, class TX>
struct expanded<arch::scalar, T, TX> {
  using x_type = std::conditional_t<sizeof(T) == 8, double,
                                    std::conditional_t<std::is_integral_v<T>, std::int32_t, float>>;
  static constexpr int columns = 8;
  static constexpr bool flips = false;
  struct weights {
    unsigned bits;
    const T* values;
  };

  template <int First>
  static SPARSEKIT_INLINE weights at(const std::uint8_t* bits, const T*& p) {
    const weights w{bits[First / 8], p};
    p += std::popcount(w.bits);
    return w;
  }
  static SPARSEKIT_INLINE x_type add(x_type sum, const weights& w, const x_type* x) {
    const T* value = w.values;
    for (unsigned bits = w.bits; bits != 0; bits &= bits - 1, ++value) {
      const x_type factor = x[std::countr_zero(bits)];
      if constexpr (std::is_integral_v<T>) {
        // Unsigned, as sums may pass 2^31 on the way where x is kept flipped elsewhere.
        sum = static_cast<x_type>(static_cast<std::uint32_t>(sum) +
                                  static_cast<std::uint32_t>(int{*value} * factor));
      } else {
        sum = lanes<arch::scalar, x_type>::fma(static_cast<x_type>(*value), factor, sum);
      }
    }
    return sum;
  }
};

}  // namespace simd
SPARSEKIT_EXEC_END
