// bfloat16 and float16: all 65,536 values of each to float and back, and rounding at every boundary
// between two of them.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>

#include "sparsekit/core/bfloat16.hpp"
#include "sparsekit/core/float16.hpp"

namespace sk = sparsekit;

namespace {

/// The value that the format's definition gives to finite bits, in exact arithmetic.
double defined_value(unsigned bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int mantissa = static_cast<int>(bits & ((1u << mantissa_bits) - 1u));
  const int exponent = static_cast<int>(bits >> mantissa_bits & ((1u << exponent_bits) - 1u));
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, 1 - bias - mantissa_bits)
                    : std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
  return (bits & 0x8000u) != 0 ? -magnitude : magnitude;
}

template <class Half>
void check_all(int exponent_bits, int mantissa_bits) {
  const unsigned infinity = ((1u << exponent_bits) - 1u) << mantissa_bits;
  int wrong_value = 0;
  int wrong_round_trip = 0;
  int wrong_special = 0;
  for (unsigned b = 0; b < 0x10000u; ++b) {
    const Half h = Half::from_bits(static_cast<std::uint16_t>(b));
    const float f = static_cast<float>(h);
    const auto float_bits = std::bit_cast<std::uint32_t>(f);
    const unsigned magnitude = b & 0x7fffu;
    const bool same_sign = (float_bits >> 31) == (b >> 15);
    if (magnitude > infinity) {
      // NaN: payload and sign stay, only the quiet bit may be set.
      const unsigned quiet = 1u << (mantissa_bits - 1);
      const bool is_nan = (float_bits & 0x7fffffffu) > 0x7f800000u;
      wrong_special += is_nan && same_sign ? 0 : 1;
      wrong_round_trip += Half(f).bits == (b | quiet) ? 0 : 1;
    } else if (magnitude == infinity) {
      wrong_special += (float_bits & 0x7fffffffu) == 0x7f800000u && same_sign ? 0 : 1;
      wrong_round_trip += Half(f).bits == b ? 0 : 1;
    } else {
      const double value = defined_value(b, exponent_bits, mantissa_bits);
      wrong_value += static_cast<double>(f) == value && same_sign ? 0 : 1;
      wrong_round_trip += Half(f).bits == b ? 0 : 1;
    }
  }
  CHECK(wrong_value == 0);
  CHECK(wrong_special == 0);
  CHECK(wrong_round_trip == 0);
}

/// Between neighbours: the middle goes to the even one, a float beside the middle to the nearer one.
template <class Half>
void check_rounding(unsigned largest) {
  int wrong = 0;
  for (unsigned b = 0; b < largest; ++b) {
    const auto value = [](unsigned bits) {
      return static_cast<double>(
          static_cast<float>(Half::from_bits(static_cast<std::uint16_t>(bits))));
    };
    const float middle = static_cast<float>((value(b) + value(b + 1)) / 2);
    const unsigned even = b % 2 == 0 ? b : b + 1;
    const auto bits = std::bit_cast<std::uint32_t>(middle);
    for (std::uint32_t sign : {0u, 1u}) {
      const auto at = [&](std::uint32_t magnitude) {
        return Half(std::bit_cast<float>(magnitude | sign << 31)).bits;
      };
      wrong += at(bits) == (even | sign << 15) ? 0 : 1;
      wrong += at(bits - 1) == (b | sign << 15) ? 0 : 1;
      wrong += at(bits + 1) == ((b + 1) | sign << 15) ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("bfloat16: every value") { check_all<sk::bfloat16>(8, 7); }
TEST_CASE("float16: every value") { check_all<sk::float16>(5, 10); }
TEST_CASE("bfloat16: every boundary") { check_rounding<sk::bfloat16>(0x7f7fu); }
TEST_CASE("float16: every boundary") { check_rounding<sk::float16>(0x7bffu); }

TEST_CASE("what is too large becomes infinity, what is too small zero") {
  CHECK(sk::float16(65519.996f).bits == 0x7bffu);
  CHECK(sk::float16(65520.f).bits == 0x7c00u);
  CHECK(sk::float16(-1e9f).bits == 0xfc00u);
  CHECK(sk::float16(0x1p-25f).bits == 0u);
  CHECK(sk::float16(0x1.000002p-25f).bits == 1u);
  CHECK(sk::float16(-0x1p-40f).bits == 0x8000u);
  CHECK(sk::bfloat16(3.4028235e38f).bits == 0x7f80u);
  CHECK(sk::bfloat16(std::bit_cast<float>(0x7f7f7fffu)).bits == 0x7f7fu);
  CHECK(sk::bfloat16(std::bit_cast<float>(1u)).bits == 0u);
}

}  // namespace
