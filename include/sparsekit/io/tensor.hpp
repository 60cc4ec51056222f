// A tensor as files hold it: element type, shape and raw little-endian bytes, and its values as the
// numbers of a program.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "file.hpp"

namespace sparsekit {
inline namespace v0 {
namespace io {

enum class dtype : std::uint8_t {
  boolean,
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  u64,
  i64,
  f16,
  bf16,
  f32,
  f64
};

/// Points into the file that was read; the bytes need not be aligned.
struct tensor_view {
  dtype type = dtype::f32;
  std::vector<index_t> shape;  ///< empty: one number
  bool fortran_order = false;  ///< the first index runs fastest, instead of the last
  byte_view bytes;
};

SPARSEKIT_EXEC_BEGIN_IN_V0

constexpr index_t size_of(dtype type) {
  switch (type) {
    case dtype::boolean:
    case dtype::u8:
    case dtype::i8:
      return 1;
    case dtype::u16:
    case dtype::i16:
    case dtype::f16:
    case dtype::bf16:
      return 2;
    case dtype::u32:
    case dtype::i32:
    case dtype::f32:
      return 4;
    case dtype::u64:
    case dtype::i64:
    case dtype::f64:
      return 8;
  }
  return 0;
}

constexpr bool is_integer(dtype type) { return type <= dtype::i64; }

/// Bytes of a tensor; false where they do not fit 63 bits.
inline bool checked_bytes(const std::vector<index_t>& shape, dtype type, index_t& out) {
  index_t bytes = size_of(type);
  bool empty = false;
  for (index_t d : shape) {
    if (d == 0) {
      empty = true;
    } else if (!checked_multiply(bytes, d, bytes)) {
      return false;
    }
  }
  out = empty ? 0 : bytes;
  return true;
}

inline index_t element_count(const tensor_view& t) { return t.bytes.size() / size_of(t.type); }

/// IEEE binary16 to binary32: exact, NaN payloads included.
inline float float_from_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
  }
  const std::uint32_t biased = exponent == 31 ? 255u : exponent + 112u;
  return std::bit_cast<float>(sign | (biased << 23) | (mantissa << 13));
}

/// Calls f(number) for every element in the order of the file, as the type the file has (halves and
/// bfloat16 as float). Stops when f returns false.
template <class F>
bool for_each_value(const tensor_view& t, F&& f) {
  const auto run = [&]<class Raw, class Convert>(Raw, Convert convert) {
    const std::byte* p = t.bytes.data();
    const index_t count = element_count(t);
    for (index_t i = 0; i < count; ++i, p += sizeof(Raw)) {
      if (!f(convert(load_little_endian<Raw>(p)))) return false;
    }
    return true;
  };
  const auto cast = [&]<class Raw, class Value>(Raw raw, Value) {
    return run(raw, [](Raw v) { return std::bit_cast<Value>(v); });
  };
  switch (t.type) {
    case dtype::boolean:
    case dtype::u8:
      return cast(std::uint8_t{}, std::uint8_t{});
    case dtype::i8:
      return cast(std::uint8_t{}, std::int8_t{});
    case dtype::u16:
      return cast(std::uint16_t{}, std::uint16_t{});
    case dtype::i16:
      return cast(std::uint16_t{}, std::int16_t{});
    case dtype::u32:
      return cast(std::uint32_t{}, std::uint32_t{});
    case dtype::i32:
      return cast(std::uint32_t{}, std::int32_t{});
    case dtype::u64:
      return cast(std::uint64_t{}, std::uint64_t{});
    case dtype::i64:
      return cast(std::uint64_t{}, std::int64_t{});
    case dtype::f16:
      return run(std::uint16_t{}, [](std::uint16_t v) { return float_from_half(v); });
    case dtype::bf16:
      return run(std::uint16_t{}, [](std::uint16_t v) {
        return std::bit_cast<float>(static_cast<std::uint32_t>(v) << 16);
      });
    case dtype::f32:
      return cast(std::uint32_t{}, float{});
    case dtype::f64:
      return cast(std::uint64_t{}, double{});
  }
  return false;
}

/// Whether an integer of one type is representable in another.
template <class To, class From>
constexpr bool integer_fits(From value) {
  if constexpr (std::is_signed_v<From>) {
    if (value < 0) {
      return std::is_signed_v<To> && static_cast<std::int64_t>(value) >=
                                         static_cast<std::int64_t>(std::numeric_limits<To>::min());
    }
  }
  return static_cast<std::uint64_t>(value) <=
         static_cast<std::uint64_t>(std::numeric_limits<To>::max());
}

/// The values as numbers of type T, in the order of the file. To a floating type everything
/// converts, rounded to nearest where T is narrower; to an integer type only integers that fit.
template <class T>
result<buffer<T>> read_values(const tensor_view& t) {
  static_assert(std::is_arithmetic_v<T>);
  if (std::is_integral_v<T> && !is_integer(t.type)) {
    return status{.code = errc::unsupported,
                  .object = "tensor",
                  .detail = "holds floating-point numbers, and integers are wanted"};
  }
  buffer<T> out;
  if (status s = out.allocate(element_count(t)); !s) return s;
  index_t filled = 0;
  status problem{};
  const bool all = for_each_value(t, [&](auto value) {
    using From = decltype(value);
    if constexpr (std::is_integral_v<T>) {
      if constexpr (std::is_integral_v<From>) {
        if (!integer_fits<T>(value)) {
          problem = {.code = errc::size_overflow,
                     .object = "tensor",
                     .detail = "value",
                     .entry = filled,
                     .got = value,
                     .allowed = std::numeric_limits<T>::max()};
          return false;
        }
        out[filled++] = static_cast<T>(value);
      }
    } else {
      out[filled++] = static_cast<T>(value);
    }
    return true;
  });
  if (!all) return problem;
  return out;
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace io
}  // namespace v0
}  // namespace sparsekit
