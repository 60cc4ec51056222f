// What dense products can reach at most on this machine: multiply-adds between registers, and a
// read of the weights.
#pragma once

#include <cstdint>
#include <sparsekit/kernels/dense/narrow_product.hpp>
#include <sparsekit/simd/registers.hpp>

#include "../common/turns.hpp"

namespace dense_benchmark {

namespace sk = sparsekit;
using sk::index_t;

/// 4096 steps of 12 sums that wait for none of each other: enough for two units of five cycles.
/// Each is fenced off, or g++ 12 copies registers of integers to and fro.
template <class Reg, class Add>
[[gnu::noinline]] Reg sums_of_steps(Reg start, const Add& add) {
  Reg sums[12];
  for (Reg& s : sums) s = start;
  for (int step = 0; step < 4096; ++step) {
    sk::simd::unroll<12>(
        [&](auto i) SPARSEKIT_LAMBDA_INLINE { sums[i] = sk::simd::rounded(Reg(add(sums[i]))); });
  }
  for (int i = 1; i < 12; ++i) sums[0] = sums[0] + sums[i];
  return sums[0];
}

/// The multiplications and additions of one run of `peak`, by dot products where `Dots`: those of
/// bf16 may be slower than multiply-adds of f32.
template <class T, class TX, bool Dots>
struct peak {
  using lanes = sk::simd::lanes<sk::native_arch, sk::sum_of_t<T>>;
  using product = sk::kernels::narrow_product<sk::native_arch, T, TX, !Dots>;
  static constexpr int products_of_lane() {
    if constexpr (sk::is_narrow<T>) {
      return product::raw ? product::pair : 1;
    } else {
      return 1;
    }
  }
  static constexpr double operations = 2.0 * 4096 * 12 * lanes::width * products_of_lane();

  static void run() {
    static const auto weights = numbers<T>();
    static const auto x = numbers<TX>();
    if constexpr (!sk::is_narrow<T>) {
      const auto w = lanes::load(weights.data());
      keep(sums_of_steps(w, [&](auto s) SPARSEKIT_LAMBDA_INLINE { return lanes::fma(w, w, s); }));
    } else {
      const auto w = product::template weights<0>(weights.data());
      std::uint32_t words[16] = {};
      product::relay_column(x.data(), 1, product::pair, 1, 1, words);
      const auto number = product::number(words);
      keep(sums_of_steps(lanes::zero(), [&](auto s) SPARSEKIT_LAMBDA_INLINE {
        return product::add(s, w, number);
      }));
    }
  }

 private:
  template <class U>
  static std::vector<U> numbers() {
    return std::vector<U>(256, U(1));
  }
  template <class Reg>
  static void keep(Reg sums) {
    alignas(64) sk::sum_of_t<T> all[64];
    lanes::store(all, sums);
    volatile sk::sum_of_t<T> kept = all[0];
    static_cast<void>(kept);
  }
};

/// Reads all of it, as fast as a plain loop does.
inline void read(benchmark_common::bytes_view bytes) {
  const auto* const words = reinterpret_cast<const std::uint64_t*>(bytes.data());
  std::uint64_t sums[16] = {};
  for (index_t i = 0; i + 16 <= bytes.size() / 8; i += 16) {
    for (index_t l = 0; l < 16; ++l) sums[l] += words[i + l];
  }
  volatile std::uint64_t kept = 0;
  for (const std::uint64_t s : sums) kept = kept + s;
}

}  // namespace dense_benchmark
