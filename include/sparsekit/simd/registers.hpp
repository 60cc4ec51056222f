// Arrays of registers taken whole: what the tiles of all kernels do to theirs. One function for
// each length, whatever the kernel, where a lambda of `unroll` is compiled anew at each place and
// for each index: kernels whose inner loops were nested lambdas took up to twice as long to
// compile.
#pragma once

#include <utility>

#include "generic.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <class Lanes, class Indices>
struct registers_at;
template <class Lanes, int... I>
struct registers_at<Lanes, std::integer_sequence<int, I...>> {
  using reg = typename Lanes::reg;
  using T = value_of<Lanes>;
  static constexpr int w = Lanes::width;

  static SPARSEKIT_INLINE void zero([[maybe_unused]] reg* r) { ((r[I] = Lanes::zero()), ...); }
  /// From and to memory, side by side.
  static SPARSEKIT_INLINE void load(reg* r, const T* p) { ((r[I] = Lanes::load(p + I * w)), ...); }
  static SPARSEKIT_INLINE void store(T* p, const reg* r) { (Lanes::store(p + I * w, r[I]), ...); }
  /// A register each from rows `ld` apart.
  static SPARSEKIT_INLINE void load_rows(reg* r, const T* p, index_t ld) {
    ((r[I] = Lanes::load(p + I * ld)), ...);
  }
  static SPARSEKIT_INLINE void store_rows(T* p, index_t ld, const reg* r) {
    (Lanes::store(p + I * ld, r[I]), ...);
  }
  /// a[i] += b[i].
  static SPARSEKIT_INLINE void add(reg* a, const reg* b) { ((a[I] = Lanes::add(a[I], b[I])), ...); }
  /// sum[i] += number * x[i].
  static SPARSEKIT_INLINE void add_product(reg* sum, reg number, const reg* x) {
    ((sum[I] = Lanes::fma(number, x[I], sum[I])), ...);
  }
  /// The same with x in memory.
  static SPARSEKIT_INLINE void add_product_with(reg* sum, reg number, const T* x) {
    ((sum[I] = Lanes::fma(number, Lanes::load(x + I * w), sum[I])), ...);
  }
};

/// N registers of Lanes, which stay in registers: every function is inlined.
template <class Lanes, int N>
using registers = registers_at<Lanes, std::make_integer_sequence<int, N>>;

}  // namespace simd
SPARSEKIT_EXEC_END
