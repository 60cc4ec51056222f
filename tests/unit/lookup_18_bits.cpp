// Window-lookup steps that keep 18 bits of f32 mantissas: the rounding exactly; products with the
// bits that the exact form has for rounded weights, Inf and NaN included; what is refused; damaged
// bytes.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <sparsekit/multiply.hpp>
#include <sparsekit/pack/pack.hpp>

#include "support/sparse_narrow.hpp"

using namespace sparsekit_test;

namespace {

std::uint32_t bits_of(float v) { return std::bit_cast<std::uint32_t>(v); }
float float_of(std::uint32_t b) { return std::bit_cast<float>(b); }

sparse<float> random_weights(index_t m, index_t k, double density, rng& random) {
  sparse<float> a(m, k, density, random);
  for (float& v : a.values) {
    v = static_cast<float>(random.normal()) *
        std::ldexp(1.f, static_cast<int>(random.between(-30, 30)));
  }
  if (a.values.size() > 4) {
    a.values[0] = 0;
    a.values[1] = -0.f;
    a.values[2] = float_of(0x80000003);  // rounds to -0.0, which must not become an empty slot
    a.values[3] = 3e38f;
  }
  return a;
}

template <class X, class Y>
void check_same(const sparse<float>& a, index_t window, index_t n, bool finite, rng& random) {
  sparse<float> rounded = a;
  for (float& v : rounded.values) v = sk::with_18_bits(v);
  const auto kept =
      sk::pack_lookup(a.view(), {.window_bytes = window, .keep_18_bits = true}).value();
  const auto exact = sk::pack_lookup(rounded.view(), {.window_bytes = window}).value();
  REQUIRE(sk::validate(kept.view()));
  if (exact.view().slots() > 64) CHECK(kept.bytes().size() < exact.bytes().size());
  matrix<float, X> x(a.cols, n, random.below(3), edge::right);
  matrix<float, Y> y(a.rows, n, 0, edge::right);
  matrix<float, Y> z(a.rows, n, 0, edge::left);
  x.fill([&] { return static_cast<float>(random.normal()) * 1e-4f; });
  if (!finite && a.cols > 0) {
    x.view()(random.below(a.cols), 0) = std::numeric_limits<float>::infinity();
    x.view()(random.below(a.cols), n - 1) = std::numeric_limits<float>::quiet_NaN();
  }
  for (const bool with_workspace : {true, false}) {
    sk::workspace ws;
    if (with_workspace) ws = sk::workspace(kept, {.max_columns = n});
    y.data.fill(std::numeric_limits<float>::quiet_NaN());
    z.data.fill(std::numeric_limits<float>::infinity());
    sk::multiply(kept, x.const_view(), y.view(), ws);
    sk::multiply(exact, x.const_view(), z.view(), ws);
    int different = 0;
    int nan = 0;
    for (index_t r = 0; r < a.rows; ++r) {
      for (index_t c = 0; c < n; ++c) {
        const float got = y.view()(r, c);
        const float wanted = z.view()(r, c);
        different += bits_of(got) != bits_of(wanted) && !(std::isnan(got) && std::isnan(wanted));
        nan += std::isnan(got);
      }
    }
    CHECK(different == 0);
    if (finite) CHECK(nan == 0);
    CHECK(x.data.intact());
    CHECK(y.data.intact());
  }
}

}  // namespace

TEST_CASE("18 bits: to nearest, ties to even, never more than 2^-18 off") {
  index_t wrong = 0;
  for (std::uint32_t exponent = 0; exponent < 255; ++exponent) {
    for (std::uint32_t low = 0; low < 256; ++low) {
      for (const std::uint32_t high : {0x000000u, 0x2aaa00u, 0x7fff00u}) {
        const float v = float_of(exponent << 23 | high | low);
        const float kept = sk::with_18_bits(v);
        // Neighbours with 18 bits, as f64: exact.
        const std::uint32_t down = bits_of(v) & ~31u;
        const double below = float_of(down);
        const bool last = down == 0x7f7fffe0u;
        const double above = last ? 1e300 : static_cast<double>(float_of(down + 32));
        const double value = v;
        const bool even = (down >> 5 & 1) == 0;
        const double wanted = value - below < above - value   ? below
                              : value - below > above - value ? above
                              : even                          ? below
                                                              : above;
        wrong += static_cast<double>(kept) != wanted;
        wrong += std::abs(static_cast<double>(kept) - value) >
                 std::ldexp(exponent == 0 ? 1.0 : value, exponent == 0 ? -145
                                                         : last        ? -18
                                                                       : -19);
        wrong += bits_of(sk::with_18_bits(-v)) != (bits_of(kept) | 0x80000000u);
      }
    }
  }
  CHECK(wrong == 0);
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(sk::with_18_bits(infinity) == infinity);
  CHECK(sk::with_18_bits(-infinity) == -infinity);
  CHECK(std::isnan(sk::with_18_bits(float_of(0x7f800001))));
  CHECK(std::isnan(sk::with_18_bits(float_of(0xffffffff))));
  CHECK(sk::with_18_bits(std::numeric_limits<float>::max()) == float_of(0x7f7fffe0));
  CHECK(bits_of(sk::with_18_bits(-0.f)) == 0x80000000u);
}

TEST_CASE("products of 18 bits are those of the exact form with rounded weights, to the bit") {
  rng random(17);
  for (const index_t window : {64, 128}) {
    for (const auto& [m, k] : {std::pair<index_t, index_t>{300, 200},
                               {33, 31},
                               {9, 1},
                               {40, 0},
                               {1, 1000},
                               {20, 6000}}) {
      const sparse<float> a = random_weights(m, k, 0.3, random);
      for (const index_t n : {1, 2, 3, 4, 6}) {
        check_same<sk::col_major, sk::col_major>(a, window, n, true, random);
        check_same<sk::row_major, sk::row_major>(a, window, n, true, random);
        check_same<sk::col_major, sk::col_major>(a, window, n, false, random);
      }
    }
  }
}

TEST_CASE("keep_18_bits is opt-in, named in the reason, and for f32 only") {
  rng random(23);
  const sparse<float> a = random_weights(64, 512, 0.3, random);
  const auto exact = sk::pack(a.view(), {.columns = {1}}).value();
  const auto kept = sk::pack(a.view(), {.columns = {1}, .keep_18_bits = true}).value();
  CHECK(!exact.lookup().view().places_in_values);
  CHECK(kept.lookup().view().places_in_values);
  CHECK(exact.reason().find("18 bits") == std::string::npos);
  CHECK(kept.reason().find("18 bits") != std::string::npos);

  const sparse<double> d(5, 9, 0.5, random);
  const sparse<s8> i(5, 9, 0.5, random);
  CHECK(sk::pack(d.view(), {.columns = {1}, .keep_18_bits = true}).error().code ==
        sk::errc::unsupported);
  CHECK(sk::pack(i.view(), {.columns = {1}, .keep_18_bits = true}).error().code ==
        sk::errc::unsupported);
  CHECK(sk::pack_lookup(a.view(), {.window_bytes = 256, .keep_18_bits = true}).error().code ==
        sk::errc::bad_argument);
}

TEST_CASE("bytes that keep 18 bits are checked as all packed bytes are") {
  rng random(29);
  const sparse<float> a = random_weights(40, 100, 0.4, random);
  const auto kept = sk::pack_lookup(a.view(), {.window_bytes = 64, .keep_18_bits = true}).value();
  sk::buffer<std::byte> copy;
  REQUIRE(copy.allocate(kept.bytes().size()));
  const auto with = [&](auto&& change) {
    std::memcpy(copy.data(), kept.bytes().data(), at(copy.size()));
    sk::packed_header h;
    std::memcpy(&h, copy.data(), sizeof h);
    change(h);
    sk::seal_packed(copy.data(), h);
    return sk::lookup_matrix<float>::view_of(copy.view()).error().code;
  };
  CHECK(with([](auto&) {}) == sk::errc::ok);
  CHECK(with([&](auto& h) { copy[h.sections[3].offset] |= std::byte{16}; }) == sk::errc::corrupt);
  CHECK(with([](auto& h) { h.interleave = 1; }) == sk::errc::corrupt);
  CHECK(with([](auto& h) { h.column_block = 256; }) == sk::errc::corrupt);
}
