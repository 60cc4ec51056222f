// The epilogues that the conformance test tries, in three forms: one type that chooses at run time
// (so that each kernel is compiled once, not once for each epilogue), the real chains that users
// write, and a reference in higher precision with a bound for its error.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "sparsekit/epilogue.hpp"

namespace sparsekit_test {

using sparsekit::index_t;

/// Higher precision for references.
template <class T>
using wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;

enum class epilogue_kind {
  identity,
  bias_relu_accumulate,      ///< relu(s + b[row]) + beta * y
  scale_bias_columns_clamp,  ///< min(max(alpha * s + b[column], low), high)
  accumulate_relu,           ///< relu(s + y)
  callable,                  ///< the user's own lambda: -v
  gelu,
  silu,
};
inline constexpr epilogue_kind all_epilogues[] = {epilogue_kind::identity,
                                                  epilogue_kind::bias_relu_accumulate,
                                                  epilogue_kind::scale_bias_columns_clamp,
                                                  epilogue_kind::accumulate_relu,
                                                  epilogue_kind::callable,
                                                  epilogue_kind::gelu,
                                                  epilogue_kind::silu};

inline const char* name_of(epilogue_kind k) {
  switch (k) {
    case epilogue_kind::identity:
      return "identity";
    case epilogue_kind::bias_relu_accumulate:
      return "bias|relu|accumulate";
    case epilogue_kind::scale_bias_columns_clamp:
      return "scale|bias_columns|clamp";
    case epilogue_kind::accumulate_relu:
      return "accumulate|relu";
    case epilogue_kind::callable:
      return "callable";
    case epilogue_kind::gelu:
      return "gelu";
    case epilogue_kind::silu:
      return "silu";
  }
  return "?";
}
inline bool reads_y(epilogue_kind k) {
  return k == epilogue_kind::bias_relu_accumulate || k == epilogue_kind::accumulate_relu;
}
/// Exact on small integers: all but those that compute transcendental functions.
inline bool is_exact(epilogue_kind k) {
  return k != epilogue_kind::gelu && k != epilogue_kind::silu;
}

/// Constants of the chains: exact in binary, so that integer cases stay exact.
template <class T>
struct epilogue_constants {
  static constexpr T alpha = T(-1.5);
  static constexpr T beta = T(0.75);
  static constexpr T low = T(-20.25);
  static constexpr T high = T(30.5);
};

struct negate {
  template <class V>
  V operator()(V v) const {
    return -v;
  }
};

/// f(epilogue) with the chain that users write.
template <class T, class F>
void with_chain(epilogue_kind kind, sparsekit::array_view<const T> bias_rows,
                sparsekit::array_view<const T> bias_columns, F&& f) {
  namespace sk = sparsekit;
  using constant = epilogue_constants<T>;
  switch (kind) {
    case epilogue_kind::identity:
      return f(sk::identity_epilogue{});
    case epilogue_kind::bias_relu_accumulate:
      return f(sk::bias(bias_rows) | sk::relu | sk::accumulate(constant::beta));
    case epilogue_kind::scale_bias_columns_clamp:
      return f(sk::scale(constant::alpha) | sk::bias_columns(bias_columns) |
               sk::clamp(constant::low, constant::high));
    case epilogue_kind::accumulate_relu:
      return f(sk::accumulate | sk::relu);
    case epilogue_kind::callable:
      return f(sk::as_epilogue(negate{}));
    case epilogue_kind::gelu:
      return f(sk::gelu);
    case epilogue_kind::silu:
      return f(sk::silu);
  }
}

/// All of them in one type. Not inlined: a kernel calls it from dozens of unrolled places.
template <class T>
struct any_epilogue : sparsekit::epilogue_base {
  static constexpr bool reads_y = true;  // some kinds do
  epilogue_kind kind = epilogue_kind::identity;
  sparsekit::array_view<const T> bias_rows;
  sparsekit::array_view<const T> bias_columns;

  template <class V, class Place>
  SPARSEKIT_NOINLINE V operator()(V v, const Place& place) const {
    V out = v;
    with_chain<T>(kind, bias_rows, bias_columns,
                  [&](const auto& chain) { out = chain(v, place); });
    return out;
  }
  sparsekit::status check(sparsekit::extents) const { return {}; }
};

/// Of those that do not read y, for kernels that ask (kernels::asks_for_y).
template <class T>
struct epilogue_without_y : any_epilogue<T> {
  static constexpr bool reads_y = false;
};

/// A value and how far a correct result may be from it.
template <class W>
struct bounded {
  W value;
  W error;
};

/// The epilogue in precision W on a sum with a bound. `u` is the unit roundoff of T.
template <class T, class W = wide<T>>
bounded<W> reference_epilogue(epilogue_kind kind, bounded<W> sum, W bias_row, W bias_column, W old) {
  using std::abs;
  using constant = epilogue_constants<T>;
  constexpr W u = std::numeric_limits<T>::epsilon() / W(2);
  const W s = sum.value;
  const W e = sum.error;
  const auto rectified = [](W v) { return v < 0 ? W(0) : v; };
  switch (kind) {
    case epilogue_kind::identity:
      return sum;
    case epilogue_kind::bias_relu_accumulate: {
      const W biased = s + bias_row;
      const W error = e + u * (abs(biased) + e);
      const W value = rectified(biased) + W(constant::beta) * old;
      // One rounding if fused, two if not.
      return {value, error + u * (abs(value) + abs(W(constant::beta) * old) + error)};
    }
    case epilogue_kind::scale_bias_columns_clamp: {
      const W scaled = W(constant::alpha) * s;
      const W error = abs(W(constant::alpha)) * e * (1 + u) + u * abs(scaled);
      const W value = scaled + bias_column;
      const W low = W(constant::low);
      const W high = W(constant::high);
      return {value < low ? low : high < value ? high : value, error + u * (abs(value) + error)};
    }
    case epilogue_kind::accumulate_relu: {
      const W value = s + old;
      return {rectified(value), e + u * (abs(value) + e)};
    }
    case epilogue_kind::callable:
      return {-s, e};
    case epilogue_kind::gelu: {
      // The slope of gelu is at most 1.13. v (1 + erf) / 2 cancels for negative v, so the error is
      // relative to v.
      const W value = s * W(0.5) * (1 + std::erf(s * W(0.707106781186547524400844362104849L)));
      return {value, W(1.13) * e + 4 * u * (abs(s) + e)};
    }
    case epilogue_kind::silu: {
      // The slope is at most 1.1; exp(-v) and the quotient are good to a few units each.
      const W value = s / (1 + std::exp(-s));
      return {value, W(1.1) * e + (abs(s) + 6) * u * abs(value) +
                         std::numeric_limits<T>::min()};
    }
  }
  return sum;
}

}  // namespace sparsekit_test
