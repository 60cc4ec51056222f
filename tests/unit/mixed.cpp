// simd/mixed.hpp: every operation on each ISA that the build has, against the scalar types' own
// conversions and plain integer loops; conversions over all 65,536 values of bf16 and f16.
#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "sparsekit/simd/simd.hpp"
#include "support/guard.hpp"
#include "support/rng.hpp"

namespace sk = sparsekit;
using sk::index_t;
using sparsekit_test::edge;
using sparsekit_test::guarded;
using sparsekit_test::rng;

// Every ISA that this build can run, the scalar one last.
#if SPARSEKIT_HAS_AVX512
#define ALL_ARCHES sk::arch::avx512, sk::arch::avx2, sk::arch::scalar
#elif SPARSEKIT_HAS_AVX2
#define ALL_ARCHES sk::arch::avx2, sk::arch::scalar
#elif SPARSEKIT_HAS_NEON
#define ALL_ARCHES sk::arch::neon, sk::arch::scalar
#else
#define ALL_ARCHES sk::arch::scalar
#endif

namespace {

template <class Arch>
using mixed = sk::simd::mixed<Arch>;

/// A register in memory.
template <class Arch, class T, class Reg>
std::array<T, mixed<Arch>::width> elements(Reg v) {
  std::array<T, mixed<Arch>::width> out{};
  if constexpr (std::is_same_v<Arch, sk::arch::scalar>) {
    out[0] = std::bit_cast<T>(v);
  } else {
    static_assert(sizeof v == sizeof out);
    std::memcpy(out.data(), &v, sizeof out);
  }
  return out;
}

std::uint32_t bits_of(float f) { return std::bit_cast<std::uint32_t>(f); }

/// All values of a 16-bit type through registers, and every f32 at, beside and between two of them.
template <class Arch, class Half>
void check_conversions() {
  using m = mixed<Arch>;
  constexpr unsigned w = m::width;
  int wrong_widened = 0;
  int wrong_narrowed = 0;
  for (unsigned b = 0; b < 0x10000u; b += w) {
    Half in[w];
    for (unsigned i = 0; i < w; ++i) in[i] = Half::from_bits(static_cast<std::uint16_t>(b + i));
    const auto f = elements<Arch, float>(m::load_f32(in));
    for (unsigned i = 0; i < w; ++i) {
      wrong_widened += bits_of(f[i]) != bits_of(static_cast<float>(in[i]));
    }
    // The value itself, its neighbours in f32, and what lies around the middle to the next value.
    for (int around = 0; around < 8; ++around) {
      float from[w];
      Half out[w];
      for (unsigned i = 0; i < w; ++i) {
        const auto next = Half::from_bits(static_cast<std::uint16_t>(b + i + 1));
        const std::uint32_t low = bits_of(static_cast<float>(in[i]));
        const std::uint32_t middle = low + (bits_of(static_cast<float>(next)) - low) / 2;
        const std::uint32_t at = around < 3 ? low : middle;
        from[i] = std::bit_cast<float>(at + static_cast<std::uint32_t>(around % 4) - 1u);
      }
      m::store(out, m::load_f32(from));
      for (unsigned i = 0; i < w; ++i) wrong_narrowed += out[i].bits != Half(from[i]).bits;
    }
  }
  CHECK(wrong_widened == 0);
  CHECK(wrong_narrowed == 0);
  // Random bits: every exponent, NaN payloads.
  rng random(3);
  int wrong_random = 0;
  for (int n = 0; n < 200000 / static_cast<int>(w); ++n) {
    float from[w];
    Half out[w];
    for (float& x : from) x = std::bit_cast<float>(static_cast<std::uint32_t>(random.next()));
    m::store(out, m::load_f32(from));
    for (unsigned i = 0; i < w; ++i) wrong_random += out[i].bits != Half(from[i]).bits;
  }
  CHECK(wrong_random == 0);
}

/// Masked loads and stores of every length, against a guard page on either side.
template <class Arch, class U>
void check_masked() {
  using m = mixed<Arch>;
  using sum = std::conditional_t<std::is_integral_v<U>, std::int32_t, float>;
  using lanes = sk::simd::lanes<Arch, sum>;
  for (const edge e : sparsekit_test::both_edges) {
    for (index_t n = 0; n <= m::width; ++n) {
      guarded<U> from(n, e);
      guarded<U> to(n, e);
      for (index_t i = 0; i < n; ++i) from[i] = static_cast<U>(static_cast<sum>(100 - i));
      const auto mask = lanes::first(n);
      const auto v = sk::simd::load_as<lanes>(mask, from.data());
      sum lane[m::width];
      lanes::store(lane, v);
      int wrong = 0;
      for (index_t i = 0; i < m::width; ++i) {
        wrong += lane[i] != (i < n ? static_cast<sum>(100 - i) : sum{0});
      }
      sk::simd::store_as<lanes>(mask, to.data(), v);
      wrong += n > 0 &&
               std::memcmp(to.data(), from.data(), sizeof(U) * static_cast<std::size_t>(n)) != 0;
      if (n == m::width) {
        const auto whole = sk::simd::load_as<lanes>(sk::simd::all_lanes{}, from.data());
        to.reset(n, e);
        sk::simd::store_as<lanes>(sk::simd::all_lanes{}, to.data(), whole);
        wrong += std::memcmp(to.data(), from.data(), sizeof(U) * static_cast<std::size_t>(n)) != 0;
      }
      CHECK(wrong == 0);
      CHECK(to.intact());
      CHECK(from.intact());
    }
  }
}

/// Bytes that make saturating or narrow sums go wrong, and random ones.
template <class U>
U byte_at(int n, rng& random) {
  const int extremes[] = {-128, 127, 255, -127, 0, 128, 1, -1};
  return static_cast<U>(n % 3 == 0 ? extremes[random.below(8)]
                                   : static_cast<int>(random.below(256)));
}

template <class Arch, class U>
void check_dot4() {
  using m = mixed<Arch>;
  constexpr int w = m::width;
  using lanes = sk::simd::lanes<Arch, std::int32_t>;
  rng random(7);
  int wrong = 0;
  for (int n = 0; n < 20000; ++n) {
    U x[4 * w];
    U kept[4 * w];
    std::int8_t b[4 * w];
    std::int32_t start[w];
    for (U& v : x) v = n == 0 ? std::numeric_limits<U>::max() : byte_at<U>(n, random);
    for (std::int8_t& v : b) v = n < 2 ? std::int8_t{-128} : byte_at<std::int8_t>(n, random);
    if (n == 1) std::fill(std::begin(x), std::end(x), std::numeric_limits<U>::min());
    for (std::int32_t& v : start) v = static_cast<std::int32_t>(random.next());
    for (int i = 0; i < 4 * w; ++i) {
      kept[i] = m::template flips<U> ? static_cast<U>(x[i] ^ 0x80) : x[i];
    }
    const auto words = m::load_words(x);
    const auto weights = m::load_words(b);
    const auto sum = m::load_s32(start);
    const auto got = elements<Arch, std::int32_t>(
        std::is_signed_v<U> ? m::dot4_signed(sum, words, weights) : m::dot4(sum, words, weights));
    const auto by_kept =
        elements<Arch, std::int32_t>(m::template dot4_kept<U>(sum, m::load_words(kept), weights));
    const auto by_two = elements<Arch, std::int32_t>(
        m::dot2(m::dot2(sum, m::template even_bytes<U>(words),
                        m::template even_bytes<std::int8_t>(weights)),
                m::template odd_bytes<U>(words), m::template odd_bytes<std::int8_t>(weights)));
    for (int i = 0; i < w; ++i) {
      std::uint32_t expected = static_cast<std::uint32_t>(start[i]);
      std::uint32_t row_sum = 0;
      for (int k = 4 * i; k < 4 * i + 4; ++k) {
        expected += static_cast<std::uint32_t>(int{x[k]} * int{b[k]});
        row_sum += static_cast<std::uint32_t>(int{b[k]});
      }
      const auto at = static_cast<std::size_t>(i);
      const auto shift = static_cast<std::uint32_t>(sk::simd::shift_of_kept<Arch, U>());
      wrong += static_cast<std::uint32_t>(got[at]) != expected;
      wrong += static_cast<std::uint32_t>(by_two[at]) != expected;
      wrong += static_cast<std::uint32_t>(by_kept[at]) - shift * row_sum != expected;
    }
    // A masked load of words, and one word in all lanes.
    const auto first = elements<Arch, std::uint32_t>(m::load_words(lanes::first(w / 2), x));
    const auto one = elements<Arch, std::uint32_t>(m::broadcast_word(x + 4 * (w - 1)));
    for (int i = 0; i < w; ++i) {
      std::uint32_t here;
      std::uint32_t last;
      std::memcpy(&here, x + 4 * i, 4);
      std::memcpy(&last, x + 4 * (w - 1), 4);
      wrong += first[static_cast<std::size_t>(i)] != (i < w / 2 ? here : 0u);
      wrong += one[static_cast<std::size_t>(i)] != last;
    }
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE_TEMPLATE("bf16 and f16 in registers convert as the scalar types do", Arch, ALL_ARCHES) {
  check_conversions<Arch, sk::bfloat16>();
  check_conversions<Arch, sk::float16>();
}

TEST_CASE_TEMPLATE("masked widening loads and narrowing stores touch their elements only", Arch,
                   ALL_ARCHES) {
  check_masked<Arch, sk::bfloat16>();
  check_masked<Arch, sk::float16>();
  check_masked<Arch, float>();
  check_masked<Arch, std::int8_t>();
  check_masked<Arch, std::uint8_t>();
  check_masked<Arch, std::int32_t>();
}

TEST_CASE_TEMPLATE("dot products of bytes are exact, extremes and overflowing sums included", Arch,
                   ALL_ARCHES) {
  check_dot4<Arch, std::uint8_t>();
  check_dot4<Arch, std::int8_t>();
}

TEST_CASE_TEMPLATE("dot products of bf16 pairs have the bits of two multiply-adds", Arch,
                   ALL_ARCHES) {
  using m = mixed<Arch>;
  constexpr int w = m::width;
  rng random(11);
  int wrong = 0;
  for (int n = 0; n < 50000; ++n) {
    sk::bfloat16 a[2 * w];
    sk::bfloat16 b[2 * w];
    float start[w];
    // Normal numbers, cancelling sums among them: subnormals are the stated exception.
    const auto number = [&] {
      return sk::bfloat16(
          static_cast<float>(std::ldexp(random.normal(), static_cast<int>(random.below(9)))));
    };
    for (auto& v : a) v = number();
    for (auto& v : b) v = number();
    for (int i = 0; i < w; ++i) {
      start[i] = n % 4 == 0 ? -static_cast<float>(a[2 * i + 1]) * static_cast<float>(b[2 * i + 1])
                            : static_cast<float>(random.normal());
    }
    const auto pa = m::load_words(a);
    const auto pb = m::load_words(b);
    const auto got = elements<Arch, float>(m::dot2(m::load_f32(start), pa, pb));
    const auto even = elements<Arch, float>(m::even(pa));
    const auto odd = elements<Arch, float>(m::odd(pa));
    for (int i = 0; i < w; ++i) {
      const auto f = [](sk::bfloat16 v) { return static_cast<float>(v); };
      const float first = std::fma(f(a[2 * i + 1]), f(b[2 * i + 1]), start[i]);
      const float expected = std::fma(f(a[2 * i]), f(b[2 * i]), first);
      const auto at = static_cast<std::size_t>(i);
      wrong += bits_of(got[at]) != bits_of(expected);
      wrong += bits_of(even[at]) != bits_of(f(a[2 * i]));
      wrong += bits_of(odd[at]) != bits_of(f(a[2 * i + 1]));
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE_TEMPLATE("dot products of bf16 pairs with Inf and NaN", Arch, ALL_ARCHES) {
  using m = mixed<Arch>;
  constexpr int w = m::width;
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto dot = [&](float a0, float a1, float b0, float b1) {
    sk::bfloat16 a[2 * w];
    sk::bfloat16 b[2 * w];
    float zero[w] = {};
    for (int i = 0; i < w; ++i) {
      a[2 * i] = sk::bfloat16(a0);
      a[2 * i + 1] = sk::bfloat16(a1);
      b[2 * i] = sk::bfloat16(b0);
      b[2 * i + 1] = sk::bfloat16(b1);
    }
    return elements<Arch, float>(m::dot2(m::load_f32(zero), m::load_words(a), m::load_words(b)))[0];
  };
  CHECK(dot(inf, 1.f, 1.f, 1.f) == inf);
  CHECK(dot(1.f, inf, 1.f, -1.f) == -inf);
  CHECK(std::isnan(dot(inf, 1.f, 0.f, 1.f)));
  CHECK(std::isnan(dot(1.f, nan, 1.f, 0.f)));
  CHECK(std::isnan(dot(inf, inf, 1.f, -1.f)));
}

TEST_CASE_TEMPLATE("f32 to s32: to nearest, ties to even, and back", Arch, ALL_ARCHES) {
  using m = mixed<Arch>;
  constexpr int w = m::width;
  int wrong = 0;
  for (int n = -2000; n <= 2000; ++n) {
    for (const float rest : {0.f, 0.25f, 0.5f, 0.5000305f, 0.75f}) {
      const float v = static_cast<float>(n) + rest;
      float in[w];
      for (float& x : in) x = v;
      const auto got = m::to_s32(m::load_f32(in));
      const double even = std::nearbyint(static_cast<double>(v));
      wrong += elements<Arch, std::int32_t>(got)[0] != static_cast<int>(even);
      wrong += elements<Arch, float>(m::to_f32(got))[0] != static_cast<float>(even);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE_TEMPLATE("registers of s32 transpose as a square", Arch, ALL_ARCHES) {
  using lanes = sk::simd::lanes<Arch, std::int32_t>;
  constexpr int w = lanes::width;
  std::int32_t in[w * w];
  std::int32_t out[w * w];
  for (int i = 0; i < w * w; ++i) in[i] = i * 7919 - 50000;
  typename lanes::reg r[w];
  for (int i = 0; i < w; ++i) r[i] = lanes::load(in + i * w);
  lanes::transpose(r);
  for (int i = 0; i < w; ++i) lanes::store(out + i * w, r[i]);
  int wrong = 0;
  for (int i = 0; i < w; ++i) {
    for (int j = 0; j < w; ++j) wrong += out[i * w + j] != in[j * w + i];
  }
  CHECK(wrong == 0);
}
