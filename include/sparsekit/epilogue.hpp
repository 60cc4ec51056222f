// Epilogues: what happens to a finished sum before it is stored, fused into the kernel's last store.
//
//   sk::bias(b) | sk::relu | sk::accumulate      relu(A x + b) + y
//   sk::bias(b) | sk::accumulate | sk::relu      relu(A x + b + y)
//
// A stage is called with a register (or scalar) of results and its `place`, which knows the rows and
// columns of the lanes and can read what y held. Any callable that maps a batch to a batch is a stage:
//   sk::relu | [](auto v) { return v * v; }
#pragma once

#include <concepts>
#include <numbers>
#include <type_traits>
#include <utility>

#include "core/array_view.hpp"
#include "simd/simd.hpp"
#include "status.hpp"

namespace sparsekit {
inline namespace v0 {

/// Base of all stages: what operator| and multiply look for.
struct epilogue_base {
  /// Whether the stage needs what y held.
  static constexpr bool reads_y = false;
  /// Whether the stage is a few instructions: kernels may then repeat it for each register of a tile.
  static constexpr bool is_short = false;
  /// Whether the stage takes a zero point of X off, by the sums of rows of weights.
  constexpr bool has_zero_point() const { return false; }
  /// The place that the next stage sees: another one behind a stage that changes what the lanes hold.
  template <class Place>
  SPARSEKIT_INLINE Place after(const Place& place) const {
    return place;
  }
  /// Whether the stage suits X of type TX.
  template <class TX>
  status check_x() const {
    return {};
  }
};
template <class E>
concept epilogue = std::is_base_of_v<epilogue_base, std::remove_cvref_t<E>>;

/// Stores the sum as it is.
struct identity_epilogue : epilogue_base {
  static constexpr bool is_short = true;
  template <class V, class Place>
  SPARSEKIT_INLINE V operator()(V v, const Place&) const {
    return v;
  }
  status check(extents) const { return {}; }
};

/// v * factor.
template <class T>
struct scale_stage : epilogue_base {
  static constexpr bool is_short = true;
  T factor;
  explicit constexpr scale_stage(T f) : factor(f) {}
  template <class V, class Place>
  SPARSEKIT_INLINE V operator()(V v, const Place&) const {
    static_assert(std::is_floating_point_v<typename Place::value_type>,
                  "scale would truncate integer sums: dequantize first");
    return simd::rounded(simd::times(v, V(static_cast<typename Place::value_type>(factor))));
  }
  status check(extents) const { return {}; }
};
template <class T>
  requires std::is_arithmetic_v<T>
constexpr scale_stage<T> scale(T factor) {
  return scale_stage<T>(factor);
}

/// v + beta * y: the only stage that reads y.
template <class T>
struct accumulate_stage : epilogue_base {
  static constexpr bool is_short = true;
  static constexpr bool reads_y = true;
  T beta;
  explicit constexpr accumulate_stage(T b) : beta(b) {}
  template <class V, class Place>
  SPARSEKIT_INLINE V operator()(V v, const Place& place) const {
    using lanes = typename Place::lanes;
    return lanes::fma(V(static_cast<typename Place::value_type>(beta)), place.old(), v);
  }
  status check(extents) const { return {}; }
};
struct accumulate_one : epilogue_base {
  static constexpr bool is_short = true;
  static constexpr bool reads_y = true;
  template <class V, class Place>
  SPARSEKIT_INLINE V operator()(V v, const Place& place) const {
    return simd::plus(v, place.old());
  }
  template <class T>
  constexpr accumulate_stage<T> operator()(T beta) const {
    return accumulate_stage<T>(beta);
  }
  status check(extents) const { return {}; }
};
/// `accumulate` adds y; `accumulate(beta)` adds beta * y.
inline constexpr accumulate_one accumulate{};

/// v + b[row] (per_row) or v + b[column].
template <class T, bool PerRow>
struct bias_stage : epilogue_base {
  static constexpr bool is_short = true;
  array_view<const T> b;
  explicit constexpr bias_stage(array_view<const T> values) : b(values) {}
  template <class V, class Place>
  SPARSEKIT_INLINE V operator()(V v, const Place& place) const {
    if constexpr (PerRow) {
      return simd::plus(v, place.per_row(b.data()));
    } else {
      return simd::plus(v, place.per_column(b.data()));
    }
  }
  status check(extents y) const {
    const index_t expected = PerRow ? y.rows : y.cols;
    if (b.size() == expected) return {};
    return {.code = errc::length_mismatch,
            .object = PerRow ? "bias" : "bias_columns",
            .detail = "values",
            .got = b.size(),
            .allowed = expected};
  }
};
/// Adds b[r] to row r of y: one value a feature. b must outlive the call.
template <std::ranges::contiguous_range R>
auto bias(const R& b) {
  using T = std::ranges::range_value_t<R>;
  return bias_stage<T, true>(array_view<const T>(b));
}
/// Adds b[c] to column c of y: one value a token.
template <std::ranges::contiguous_range R>
auto bias_columns(const R& b) {
  using T = std::ranges::range_value_t<R>;
  return bias_stage<T, false>(array_view<const T>(b));
}

/// max(v, 0); NaN stays NaN.
struct relu_stage : epilogue_base {
  static constexpr bool is_short = true;
  template <class V, class Place>
  SPARSEKIT_INLINE V operator()(V v, const Place&) const {
    return simd::max_with(v, V(typename Place::value_type{0}));
  }
  status check(extents) const { return {}; }
};
inline constexpr relu_stage relu{};

/// min(max(v, low), high); NaN stays NaN. clamp(0, 6) is ReLU6.
template <class T>
struct clamp_stage : epilogue_base {
  static constexpr bool is_short = true;
  T low;
  T high;
  constexpr clamp_stage(T l, T h) : low(l), high(h) {}
  template <class V, class Place>
  SPARSEKIT_INLINE V operator()(V v, const Place&) const {
    using value = typename Place::value_type;
    return simd::min_with(simd::max_with(v, V(static_cast<value>(low))),
                          V(static_cast<value>(high)));
  }
  status check(extents) const {
    if (low <= high) return {};
    return {.code = errc::bad_argument, .object = "clamp", .detail = "low > high"};
  }
};
template <class T>
  requires std::is_arithmetic_v<T>
constexpr clamp_stage<T> clamp(T low, T high) {
  return clamp_stage<T>(low, high);
}

/// v * Phi(v), by the error function (the exact form, not the tanh approximation).
struct gelu_stage : epilogue_base {
  template <class V, class Place>
  SPARSEKIT_INLINE V operator()(V v, const Place&) const {
    using value = typename Place::value_type;
    const V half = simd::rounded(simd::times(V(value(0.5)), v));
    const V root_half = V(static_cast<value>(1.0 / std::numbers::sqrt2));
    return simd::fused(half, simd::error_function(simd::rounded(simd::times(v, root_half))), half);
  }
  status check(extents) const { return {}; }
};
inline constexpr gelu_stage gelu{};

/// v / (1 + exp(-v)), also known as swish.
struct silu_stage : epilogue_base {
  template <class V, class Place>
  SPARSEKIT_INLINE V operator()(V v, const Place&) const {
    const V one = V(typename Place::value_type{1});
    return simd::quotient(v, simd::rounded(simd::plus(one, simd::exponential(-v))));
  }
  status check(extents) const { return {}; }
};
inline constexpr silu_stage silu{};

/// A user's own function from batch to batch. A compiler may fuse a product with a sum inside it, in one loop
/// of a kernel and not in another: where bits matter, fuse by hand (`simd::fused(a, b, c)` is a b + c).
template <class F>
struct callable_stage : epilogue_base {
  F f;
  explicit constexpr callable_stage(F function) : f(std::move(function)) {}
  template <class V, class Place>
  SPARSEKIT_INLINE V operator()(V v, const Place&) const {
    return simd::rounded(f(v));
  }
  status check(extents) const { return {}; }
};

/// First, then second.
template <class First, class Second>
struct chain_stage : epilogue_base {
  static constexpr bool reads_y = First::reads_y || Second::reads_y;
  static constexpr bool is_short = First::is_short && Second::is_short;
  First first;
  Second second;
  constexpr chain_stage(First a, Second b) : first(std::move(a)), second(std::move(b)) {}
  template <class V, class Place>
  SPARSEKIT_INLINE auto operator()(V v, const Place& place) const {
    return second(first(v, place), first.after(place));
  }
  template <class Place>
  SPARSEKIT_INLINE auto after(const Place& place) const {
    return second.after(first.after(place));
  }
  status check(extents y) const {
    if (status s = first.check(y); !s) return s;
    return second.check(y);
  }
  constexpr bool has_zero_point() const { return first.has_zero_point() || second.has_zero_point(); }
  template <class TX>
  status check_x() const {
    if (status s = first.template check_x<TX>(); !s) return s;
    return second.template check_x<TX>();
  }
};

/// An epilogue as it is, anything else as a callable stage.
template <class E>
constexpr auto as_epilogue(E&& e) {
  using plain = std::remove_cvref_t<E>;
  if constexpr (epilogue<plain>) {
    return plain(std::forward<E>(e));
  } else {
    return callable_stage<plain>(std::forward<E>(e));
  }
}
template <class A, class B>
  requires(epilogue<A> || epilogue<B>)
constexpr auto operator|(A&& a, B&& b) {
  auto first = as_epilogue(std::forward<A>(a));
  auto second = as_epilogue(std::forward<B>(b));
  return chain_stage<decltype(first), decltype(second)>(std::move(first), std::move(second));
}

}  // namespace v0
}  // namespace sparsekit
