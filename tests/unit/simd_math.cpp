// exp and erf of epilogues: their errors, limits and special values, and the same bits for a scalar
// and for each lane of a register.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <sparsekit/simd/simd.hpp>
#include <type_traits>
#include <vector>

#include "support/rng.hpp"

namespace sk = sparsekit;
namespace simd = sparsekit::simd;

namespace {

template <class T>
using wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;

/// v over the interesting range, densely near zero, and the special values.
template <class T>
std::vector<T> arguments(T most) {
  sparsekit_test::rng random(9);
  std::vector<T> out;
  for (int i = 0; i < 60000; ++i) {
    const T u = static_cast<T>(random.between(-1000000, 1000000)) / T(1000000);
    out.push_back(u * most);
    out.push_back(u);
    out.push_back(std::ldexp(u, -static_cast<int>(random.below(60))));
  }
  const T special[] = {T(0),
                       T(-0.0),
                       T(1),
                       T(-1),
                       std::nextafter(T(1), T(0)),
                       T(2),
                       T(4),
                       T(6),
                       std::numeric_limits<T>::min(),
                       std::numeric_limits<T>::denorm_min(),
                       std::numeric_limits<T>::max(),
                       -std::numeric_limits<T>::max()};
  out.insert(out.end(), std::begin(special), std::end(special));
  return out;
}

template <class T, class F, class R>
double worst_units(const std::vector<T>& at, F&& f, R&& right, bool relative) {
  double worst = 0;
  for (const T v : at) {
    const wide<T> r = right(wide<T>(v));
    const T got = f(v);
    if (std::abs(r) > wide<T>(std::numeric_limits<T>::max())) {
      if (!std::isinf(got)) worst = 1e9;
      continue;
    }
    // One unit in the last place of the result, or of 1.
    const wide<T> floor = relative ? wide<T>(std::numeric_limits<T>::min()) : wide<T>(1);
    const wide<T> unit = std::max(std::abs(r), floor) * std::numeric_limits<T>::epsilon();
    worst = std::max(worst, static_cast<double>(std::abs(wide<T>(got) - r) / unit));
  }
  return worst;
}

template <class T>
void check_errors() {
  const T range = std::is_same_v<T, float> ? T(110) : T(760);
  const double exp_error = worst_units<T>(
      arguments<T>(range), [](T v) { return simd::exponential(v); },
      [](wide<T> v) { return std::exp(v); }, true);
  const double erf_error = worst_units<T>(
      arguments<T>(T(7)), [](T v) { return simd::error_function(v); },
      [](wide<T> v) { return std::erf(v); }, false);
  MESSAGE("exp: ", exp_error, " units, erf: ", erf_error, " units of 1");
  CHECK(exp_error <= 1.5);
  CHECK(erf_error <= 1.25);
}

TEST_CASE("errors of exp and erf") {
  check_errors<float>();
  check_errors<double>();
}

template <class T>
void check_special() {
  constexpr T inf = std::numeric_limits<T>::infinity();
  const T nan = std::numeric_limits<T>::quiet_NaN();
  CHECK(simd::exponential(inf) == inf);
  CHECK(simd::exponential(-inf) == T(0));
  CHECK(simd::exponential(T(0)) == T(1));
  CHECK(std::isnan(simd::exponential(nan)));
  CHECK(simd::error_function(inf) == T(1));
  CHECK(simd::error_function(-inf) == T(-1));
  CHECK(simd::error_function(T(0)) == T(0));
  CHECK(std::signbit(simd::error_function(T(-0.0))));
  CHECK(std::isnan(simd::error_function(nan)));
}

TEST_CASE("limits and NaN") {
  check_special<float>();
  check_special<double>();
}

template <class Arch, class T>
void check_lanes() {
  using lanes = simd::lanes<Arch, T>;
  constexpr int width = lanes::width;
  const T range = std::is_same_v<T, float> ? T(110) : T(760);
  std::vector<T> in = arguments<T>(range);
  in.resize(in.size() / width * width);
  in[3] = std::numeric_limits<T>::infinity();
  in[4] = -std::numeric_limits<T>::infinity();
  in[5] = std::numeric_limits<T>::quiet_NaN();
  int different = 0;
  for (std::size_t i = 0; i < in.size(); i += width) {
    T exps[width];
    T erfs[width];
    const typename lanes::reg v = lanes::load(in.data() + i);
    lanes::store(exps, simd::exponential(v));
    lanes::store(erfs, simd::error_function(v));
    for (int l = 0; l < width; ++l) {
      const T e = simd::exponential(in[i + static_cast<std::size_t>(l)]);
      const T f = simd::error_function(in[i + static_cast<std::size_t>(l)]);
      const auto same = [](const T& a, const T& b) {
        return std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b));
      };
      different += same(e, exps[l]) && same(f, erfs[l]) ? 0 : 1;
    }
  }
  CHECK(different == 0);
}

TEST_CASE("a register has the bits of its scalars") {
  check_lanes<sk::native_arch, float>();
  check_lanes<sk::native_arch, double>();
#if SPARSEKIT_HAS_AVX2
  check_lanes<sk::arch::avx2, float>();
  check_lanes<sk::arch::avx2, double>();
#endif
#if SPARSEKIT_HAS_AVX512
  check_lanes<sk::arch::avx512_half, float>();
  check_lanes<sk::arch::avx512_quarter, double>();
#endif
}

}  // namespace
