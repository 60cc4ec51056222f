// Packed dense weights of s8: X of u8 and s8, Y of s32, f32, u8 and s8, every tail and extreme,
// exact to the bit; zero points, scales; what pack_dense and check refuse.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "support/dense_narrow.hpp"

using namespace sparsekit_test;

namespace {

struct check_int8 {
  template <class TW, class TX, class TY, class X, class Y>
  void operator()(shape s, bool with_workspace, edge e, index_t gap, rng& random) const {
    product_case<TW, TX, TY, X, Y> p(s, with_workspace, e, gap, random);
    CAPTURE(s.m);
    CAPTURE(s.k);
    CAPTURE(s.n);
    CAPTURE(with_workspace);
    const int zero = std::is_signed_v<TX> ? -7 : 131;
    std::vector<float> scales(at(s.m));
    for (float& f : scales) f = static_cast<float>(random.between(1, 1000)) * 0x1.3p-12f;
    std::vector<float> bias(at(s.m));
    for (float& f : bias) f = static_cast<float>(random.normal());
    const auto scaled = [&](double sum, index_t r) {
      return static_cast<float>(sum) * scales[at(r)];
    };
    if constexpr (std::is_same_v<TY, std::int32_t>) {
      p.run(sk::identity_epilogue{});
      CHECK(p.wrong(0, [](double sum, index_t) { return static_cast<std::int32_t>(sum); }) == 0);
      p.y.data.fill(17);
      p.run(sk::relu | sk::accumulate);
      CHECK(p.wrong(0, [](double sum, index_t) {
        return static_cast<std::int32_t>(sum > 0 ? sum : 0) + 17;
      }) == 0);
    } else if constexpr (std::is_same_v<TY, float>) {
      p.run(sk::dequantize(scales, zero) | sk::bias(bias) | sk::relu);
      CHECK(p.wrong(zero, [&](double sum, index_t r) {
        volatile float v = scaled(sum, r);
        v = v + bias[at(r)];
        return v > 0 ? v : 0.f;
      }) == 0);
    } else {
      const int low = std::numeric_limits<TY>::min();
      const auto quantized = [&](float v, int y_zero) {
        const double q = std::nearbyint(static_cast<double>(v)) + y_zero;
        return static_cast<TY>(std::min(std::max(q, double(low)), double(low + 255)));
      };
      p.run(sk::requantize(scales, {.x = zero, .y = low + 100}));
      CHECK(p.wrong(zero, [&](double sum, index_t r) {
        return quantized(scaled(sum, r), low + 100);
      }) == 0);
      p.run(sk::dequantize(0.5f) | sk::requantize(0x1p-9f, {.y = 3}));
      CHECK(p.wrong(0, [&](double sum, index_t) {
        return quantized(static_cast<float>(sum) * 0x1p-10f, 3);
      }) == 0);
    }
    p.check_intact();
  }
};

}  // namespace

TEST_CASE_TEMPLATE("s8 dense products are exact for every tail", Types, types<s8, u8, s32>,
                   types<s8, s8, float>, types<s8, u8, u8, true>, types<s8, s8, s8, true>) {
  check_tails<Types>(check_int8{});
}

TEST_CASE("threads give the same numbers") {
  const index_t m = 500, k = 700, n = 20;
  rng random(9);
  std::vector<s8> w(at(m * k));
  std::vector<u8> x(at(k * n));
  for (s8& v : w) v = static_cast<s8>(random.below(256));
  for (u8& v : x) v = static_cast<u8>(random.below(256));
  const auto packed = sk::pack_dense(sk::dense_view<const s8>(w.data(), m, k)).value();
  const auto executor = [](index_t tasks, auto&& f) {
    for (index_t t = tasks - 1; t >= 0; --t) f(t, t % 3);
  };
  for (const index_t columns : {index_t{1}, n}) {
    std::vector<s32> one(at(m * columns));
    std::vector<s32> many(at(m * columns), -1);
    const sk::dense_view<const u8, sk::col_major> xv(x.data(), k, columns);
    sk::multiply(packed, xv, sk::dense_view<s32, sk::col_major>(one.data(), m, columns));
    sk::workspace ws(packed, {.max_columns = columns, .max_workers = 3});
    sk::multiply(sk::par(executor), packed, xv,
                 sk::dense_view<s32, sk::col_major>(many.data(), m, columns), ws);
    CHECK(one == many);
  }
}

TEST_CASE("threads and all kinds of tiles know their columns") {
  const index_t k = 600, n = 200;
  rng random(11);
  matrix<u8, sk::row_major> x(k, n, 5, edge::right);
  x.fill([&] { return number<u8>(random); });
  std::vector<s32> bias(at(n));
  for (s32& b : bias) b = static_cast<s32>(random.below(1000));
  const auto executor = [](index_t tasks, auto&& f) {
    for (index_t t = tasks - 1; t >= 0; --t) f(t, t % 3);
  };
  for (const index_t m : {index_t{190}, index_t{210}}) {  // few rows, whose sums wait, and many
    matrix<s8, sk::row_major> w(m, k, 0, edge::left);
    matrix<s32, sk::row_major> y(m, n, 3, edge::right);
    w.fill([&] { return number<s8>(random); });
    const auto packed = sk::pack_dense(w.const_view()).value();
    sk::workspace ws(packed, {.max_columns = n, .max_workers = 3});
    for (const index_t columns : {n, index_t{40}}) {
      y.data.fill(-1);
      sk::multiply(sk::par(executor), packed,
                   sk::dense_view<const u8>(x.const_view().data(), k, columns, x.const_view().ld()),
                   sk::dense_view<s32>(y.view().data(), m, columns, y.view().ld()),
                   sk::bias_columns(sk::array_view<const s32>(bias.data(), columns)), ws);
      int wrong = 0;
      for (index_t r = 0; r < m; ++r) {
        for (index_t c = 0; c < columns; ++c) {
          s32 sum = bias[at(c)];
          for (index_t i = 0; i < k; ++i) sum += s32{w.view()(r, i)} * s32{x.view()(i, c)};
          wrong += sum != y.view()(r, c);
        }
      }
      CHECK(wrong == 0);
    }
    CHECK(y.data.intact());
  }
  CHECK(x.data.intact());
}

TEST_CASE("rows of s8 whose sums could leave 32 bits are refused, by name") {
  // 65793 * 128 * 255 is the last that fits.
  const index_t k = 65794;
  std::vector<s8> w(at(2 * k), 1);
  std::fill(w.begin() + k, w.end(), s8{-128});
  const auto refused = sk::pack_dense(sk::dense_view<const s8>(w.data(), 2, k));
  REQUIRE(!refused);
  CHECK(refused.error().code == sk::errc::overflow_possible);
  CHECK(refused.error().row == 1);
  MESSAGE(refused.error().message());
  const auto packed = sk::pack_dense(sk::dense_view<const s8>(w.data(), 2, k - 1, k)).value();
  // The most extreme sums, exact: all of u8 and all of s8.
  std::vector<u8> x(at(k), 255);
  std::vector<s32> y(2);
  x.resize(at(k - 1));
  sk::multiply(packed, x, y);
  CHECK(y[0] == 65793 * 255);
  CHECK(y[1] == -255 * 128 * 65793);
  std::vector<s8> low(at(k - 1), -128);
  sk::multiply(packed, low, y);
  CHECK(y[0] == -128 * 65793);
  CHECK(y[1] == 128 * 128 * 65793);
}

TEST_CASE("check names wrong scales, zero points and types") {
  std::vector<s8> w(12, 1);
  const auto packed = sk::pack_dense(sk::dense_view<const s8>(w.data(), 3, 4)).value();
  std::vector<u8> x(4);
  std::vector<s8> xs(4);
  std::vector<float> y(3);
  std::vector<s8> ys(3);
  std::vector<float> scales(3, 1.f);
  CHECK(sk::check(packed, x, y, sk::dequantize(scales, 255)));
  CHECK(sk::check(packed, x, y, sk::dequantize(scales, 256)).code == sk::errc::bad_argument);
  CHECK(sk::check(packed, x, y, sk::dequantize(scales, -1)).code == sk::errc::bad_argument);
  CHECK(sk::check(packed, xs, y, sk::dequantize(scales, -128)));
  CHECK(sk::check(packed, xs, y, sk::dequantize(1.f, 128) | sk::relu).code ==
        sk::errc::bad_argument);
  CHECK(sk::check(packed, x, ys, sk::requantize(scales, {.x = 300})).code ==
        sk::errc::bad_argument);
  CHECK(sk::check(packed, x, ys, sk::requantize(scales, {.y = -200})).code ==
        sk::errc::bad_argument);
  scales.resize(2);
  CHECK(sk::check(packed, x, y, sk::dequantize(scales)).code == sk::errc::length_mismatch);
  CHECK(sk::check(packed, x, ys, sk::requantize(scales)).code == sk::errc::length_mismatch);
  scales = {1.f, std::numeric_limits<float>::quiet_NaN(), 1.f};
  const auto bad = sk::check(packed, x, y, sk::dequantize(scales));
  CHECK(bad.code == sk::errc::not_finite);
  CHECK(bad.entry == 1);
  CHECK(sk::check(packed, x, ys, sk::requantize(std::numeric_limits<float>::infinity())).code ==
        sk::errc::not_finite);
}

TEST_CASE_TEMPLATE("packed bytes of narrow types: loaded, and refused when damaged", T, bf16, f16,
                   s8) {
  const index_t m = 50, k = 7;
  std::vector<T> w(at(m * k), made_of<T>(2));
  w[3] = made_of<T>(0);
  const auto packed = sk::pack_dense(sk::dense_view<const T>(w.data(), m, k)).value();
  CHECK(packed.nnz() == m * k - 1);
  sk::buffer<std::byte> copy;
  REQUIRE(copy.allocate(packed.bytes().size()));
  std::memcpy(copy.data(), packed.bytes().data(), at(copy.size()));
  CHECK(sk::packed_dense<T>::view_of(copy.view()));
  CHECK(sk::packed_dense<float>::view_of(copy.view()).error().code == sk::errc::unsupported);
  // Padding that is not zero, or a sum that is not the weights', under a checksum that fits.
  sk::packed_header h;
  std::memcpy(&h, copy.data(), sizeof h);
  const auto with_byte = [&](index_t place) {
    copy[place] ^= std::byte{0x11};
    h.checksum = sk::packed_checksum_of(copy.data(), copy.size());
    std::memcpy(copy.data(), &h, sizeof h);
    const auto result = sk::packed_dense<T>::view_of(copy.view());
    copy[place] ^= std::byte{0x11};
    return result ? sk::errc::ok : result.error().code;
  };
  CHECK(with_byte(h.sections[0].offset + h.sections[0].bytes - 1) == sk::errc::corrupt);
  if constexpr (std::is_same_v<T, s8>) {
    CHECK(with_byte(h.sections[1].offset + 4 * 13) == sk::errc::corrupt);
    CHECK(with_byte(h.sections[0].offset + 3 + 48 * 4) == sk::errc::corrupt);  // column 7 of 7
  }
}
