// Epilogue stages of integer products: from s32 sums to f32, and to u8 or s8.
//
//   sk::dequantize(scales, zero_point) | sk::bias(b) | sk::relu          Y is f32
//   sk::dequantize(scales) | sk::relu | sk::requantize(1 / step, {.y = 3})   Y is u8 or s8
//   sk::requantize(scales, {.x = 128, .y = -5})                          from s32 at once
//
// Scales are one number, or one a row of y (output channel). The zero point of the activations is
// taken off by the sums of each row's weights, which are made when the weights are packed. All
// results are exact to the bit on every ISA: each operation is rounded once, to nearest.
#pragma once

#include <cstdint>
#include <ranges>

#include "epilogue.hpp"

namespace sparsekit {
inline namespace v0 {

/// The numbers that stand for zero in X and in Y.
struct zero_points {
  std::int32_t x = 0;
  std::int32_t y = 0;
};

/// One scale a row.
struct row_scales {
  array_view<const float> values;
  template <class Place>
  SPARSEKIT_INLINE auto at(const Place& place) const {
    return place.per_row(values.data());
  }
  status check(const char* object, extents y) const {
    if (values.size() != y.rows) {
      return {.code = errc::length_mismatch,
              .object = object,
              .detail = "scales",
              .got = values.size(),
              .allowed = y.rows};
    }
    for (index_t r = 0; r < values.size(); ++r) {
      if (!simd::is_finite(values[r])) {
        return {.code = errc::not_finite, .object = object, .detail = "scales", .entry = r};
      }
    }
    return {};
  }
};
/// One scale for all.
struct one_scale {
  float value;
  template <class Place>
  SPARSEKIT_INLINE auto at(const Place&) const {
    return Place::lanes::broadcast(value);
  }
  status check(const char* object, extents) const {
    if (simd::is_finite(value)) return {};
    return {.code = errc::not_finite, .object = object, .detail = "scale", .entry = 0};
  }
};

/// Whether a zero point is a number of type U.
template <class U>
status check_zero_point(const char* object, std::int32_t zero_point) {
  constexpr int low = std::is_same_v<U, std::int8_t> ? -128 : 0;
  if (zero_point >= low && zero_point <= low + 255) return {};
  return {.code = errc::bad_argument,
          .object = object,
          .detail = "zero point",
          .got = zero_point,
          .allowed = zero_point < low ? low : low + 255};
}

/// (sum - zero_point * sum of the row's weights) * scale, in f32.
template <class Scale>
struct dequantize_stage : epilogue_base {
  Scale scale;
  std::int32_t zero_point;
  constexpr dequantize_stage(Scale s, std::int32_t z) : scale(s), zero_point(z) {}

  template <class V, class Place>
  SPARSEKIT_INLINE auto operator()(V v, const Place& place) const {
    static_assert(std::is_same_v<typename Place::value_type, std::int32_t>,
                  "dequantize is for integer sums");
    const auto next = after(place);
    using floats = typename decltype(next)::lanes;
    using ints = typename Place::lanes;
    typename ints::reg sum = v;
    if (zero_point != 0) {
      sum =
          ints::sub(sum, ints::mul(ints::broadcast(zero_point), place.per_row(place.weight_sums)));
    }
    const typename floats::reg f = simd::mixed<simd::arch_of<ints>>::to_f32(sum);
    return simd::rounded(floats::mul(f, scale.at(next)));
  }
  template <class Place>
  SPARSEKIT_INLINE auto after(const Place& place) const {
    return place.template as<float>();
  }
  status check(extents y) const { return scale.check("dequantize", y); }
  constexpr bool has_zero_point() const { return zero_point != 0; }
  template <class TX>
  status check_x() const {
    return check_zero_point<TX>("dequantize", zero_point);
  }
};

/// Scales: a range of f32, one a row of y, finite; it must outlive the call. The zero point is one
/// of X's type.
template <std::ranges::contiguous_range R>
auto dequantize(const R& scales, std::int32_t zero_point = 0) {
  return dequantize_stage<row_scales>({array_view<const float>(scales)}, zero_point);
}
constexpr auto dequantize(float scale, std::int32_t zero_point = 0) {
  return dequantize_stage<one_scale>({scale}, zero_point);
}

/// saturate(round(v * scale) + y's zero point), of f32 or, X's zero point taken off, of s32 sums.
/// Rounds to nearest, ties to even; NaN becomes the lowest number. Y is u8 or s8.
template <class Scale>
struct requantize_stage : epilogue_base {
  Scale scale;
  zero_points zero;
  constexpr requantize_stage(Scale s, zero_points z) : scale(s), zero(z) {}

  template <class V, class Place>
  SPARSEKIT_INLINE auto operator()(V v, const Place& place) const {
    using Y = typename Place::y_type;
    static_assert(std::is_same_v<Y, std::uint8_t> || std::is_same_v<Y, std::int8_t>,
                  "requantize is for y of u8 or s8");
    using ints = typename decltype(after(place))::lanes;
    using floats = simd::lanes_with<ints, float>;
    using mixed = simd::mixed<simd::arch_of<ints>>;
    typename floats::reg f;
    if constexpr (std::is_same_v<typename Place::value_type, std::int32_t>) {
      f = dequantize_stage<Scale>(scale, zero.x)(v, place);
    } else {
      f = simd::rounded(floats::mul(v, scale.at(place)));
    }
    // Cut to the range first: it fits s32 then, and cutting before rounding is the same as after.
    constexpr std::int32_t low = std::is_signed_v<Y> ? -128 : 0;
    f = simd::number_or_low(f, floats::broadcast(static_cast<float>(low - zero.y)));
    f = simd::min_with(f, floats::broadcast(static_cast<float>(low + 255 - zero.y)));
    const typename ints::reg whole = mixed::to_s32(f);
    return ints::add(whole, ints::broadcast(zero.y));
  }
  template <class Place>
  SPARSEKIT_INLINE auto after(const Place& place) const {
    return place.template as<std::int32_t>();
  }
  status check(extents y) const {
    // Beyond the numbers of s8 and u8 together, or what they may be is told by Y's type.
    if (zero.y < -128 || zero.y > 255) {
      return {.code = errc::bad_argument,
              .object = "requantize",
              .detail = "zero point of y",
              .got = zero.y,
              .allowed = zero.y < 0 ? -128 : 255};
    }
    return scale.check("requantize", y);
  }
  constexpr bool has_zero_point() const { return zero.x != 0; }
  template <class TX>
  status check_x() const {
    return zero.x == 0 ? status{} : check_zero_point<TX>("requantize", zero.x);
  }
};

template <std::ranges::contiguous_range R>
auto requantize(const R& scales, zero_points zero = {}) {
  return requantize_stage<row_scales>({array_view<const float>(scales)}, zero);
}
constexpr auto requantize(float scale, zero_points zero = {}) {
  return requantize_stage<one_scale>({scale}, zero);
}

}  // namespace v0
}  // namespace sparsekit
