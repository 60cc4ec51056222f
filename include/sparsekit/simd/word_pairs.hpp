// word_pairs<Arch>: words of four bytes taken apart into pairs of bytes, and two pairs joined into
// a word, lane by lane.
//
//   of_two<A, B>(u, v)        bytes A and B of the words of two registers, as 16-bit lanes for `join`
//   of_one<A, B, High>(u)     bytes A and B of the words of one, in one half of each word, zero in the other
//   join(p, q, x)             x[0], x[1]: the words whose halves are the pairs p and q, in the lanes of u and v
//   merge(p, q)               the words of of_one<.., false> and of_one<.., true>
//   row([n,] p)               the first n, or all, of as many bytes of a row as two registers have words; the others zero
//   flipped(a)                with the highest bit of each byte flipped
//   of_rows(a, b)             of_two<A, B> of the words whose bytes A and B are two such rows
#pragma once

#include "mixed.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

template <class Arch>
struct word_pairs {
  static constexpr bool available = false;
};

/// Two numbers of two bits, at `shift` of the lower half of `bits` and of the upper one: low + 4 *
/// high.
SPARSEKIT_INLINE std::uint64_t two_bits_of_halves(std::uint64_t bits, int shift) {
#if SPARSEKIT_HAS_AVX512 && defined(__BMI2__) && defined(__x86_64__)
  return _pext_u64(bits, std::uint64_t{0x0000000300000003} << shift);
#else
  return (bits >> shift & 3) | (bits >> (shift + 30) & 12);
#endif
}

#if SPARSEKIT_HAS_AVX512

template <>
struct word_pairs<arch::avx512> {
  static constexpr bool available = true;
  using words = __m512i;

  template <int A, int B>
  static SPARSEKIT_INLINE words of_two(words u, words v) {
    return _mm512_mask_shuffle_epi8(_mm512_shuffle_epi8(u, order<A, B>()), 0xff00ff00ff00ff00, v,
                                    order<A, B>());
  }
  template <int A, int B, bool High>
  static SPARSEKIT_INLINE words of_one(words u) {
    constexpr int pair = A | B << 8;
    constexpr int word = High ? pair << 16 | 0x8080 : pair | static_cast<int>(0x80800000);
    constexpr int next = High ? 0x04040000 : 0x0404;
    return _mm512_shuffle_epi8(
        u, _mm512_set4_epi32(word + 3 * next, word + 2 * next, word + next, word));
  }
  static SPARSEKIT_INLINE void join(words p, words q, words* x) {
    x[0] = _mm512_unpacklo_epi16(p, q);
    x[1] = _mm512_unpackhi_epi16(p, q);
  }
  static SPARSEKIT_INLINE words merge(words p, words q) { return _mm512_or_si512(p, q); }
  static SPARSEKIT_INLINE words row(const void* p) {
    return placed(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
  }
  static SPARSEKIT_INLINE words row(index_t n, const void* p) {
    return placed(_mm256_maskz_loadu_epi8(static_cast<__mmask32>((1ull << n) - 1), p));
  }
  static SPARSEKIT_INLINE words of_rows(words a, words b) { return _mm512_unpacklo_epi8(a, b); }
  static SPARSEKIT_INLINE words flipped(words a) {
    return _mm512_xor_si512(a, _mm512_set1_epi8(-128));
  }

 private:
  /// The bytes of four words, side by side in both halves of 128 bits.
  template <int A, int B>
  static SPARSEKIT_INLINE words order() {
    constexpr long long pair = A | B << 8;
    return _mm512_set1_epi64(pair * 0x0001000100010001ll + 0x0c0c080804040000ll);
  }
  /// Four bytes of the first half and four of the second into each 128 bits.
  static SPARSEKIT_INLINE words placed(__m256i bytes) {
    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 0, 4, 1, 5, 1, 5, 2, 6, 2, 6, 3, 7, 3, 7),
        _mm512_castsi256_si512(bytes));
  }
};

#endif

#if SPARSEKIT_HAS_NEON

template <>
struct word_pairs<arch::neon> {
  static constexpr bool available = true;
  using words = uint32x4_t;

  template <int A, int B>
  static SPARSEKIT_INLINE words of_two(words u, words v) {
    constexpr std::uint8_t places[16] = {A,      B,      4 + A,  4 + B,  8 + A,  8 + B,
                                         12 + A, 12 + B, 16 + A, 16 + B, 20 + A, 20 + B,
                                         24 + A, 24 + B, 28 + A, 28 + B};
    const uint8x16x2_t both = {{vreinterpretq_u8_u32(u), vreinterpretq_u8_u32(v)}};
    return vreinterpretq_u32_u8(vqtbl2q_u8(both, vld1q_u8(places)));
  }
  template <int A, int B, bool High>
  static SPARSEKIT_INLINE words of_one(words u) {
    // A place beyond the table gives zero.
    constexpr std::uint32_t pair = A | B << 8;
    constexpr std::uint32_t word = High ? pair << 16 | 0xf0f0u : pair | 0xf0f00000u;
    constexpr std::uint32_t next = High ? 0x04040000u : 0x0404u;
    constexpr std::uint32_t places[4] = {word, word + next, word + 2 * next, word + 3 * next};
    return vreinterpretq_u32_u8(
        vqtbl1q_u8(vreinterpretq_u8_u32(u), vreinterpretq_u8_u32(vld1q_u32(places))));
  }
  static SPARSEKIT_INLINE void join(words p, words q, words* x) {
    const uint16x8_t a = vreinterpretq_u16_u32(p), b = vreinterpretq_u16_u32(q);
    x[0] = vreinterpretq_u32_u16(vzip1q_u16(a, b));
    x[1] = vreinterpretq_u32_u16(vzip2q_u16(a, b));
  }
  static SPARSEKIT_INLINE words merge(words p, words q) { return vorrq_u32(p, q); }
  static SPARSEKIT_INLINE words row(const void* p) { return row(8, p); }
  static SPARSEKIT_INLINE words row(index_t n, const void* p) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, p, static_cast<std::size_t>(n));
    return vreinterpretq_u32_u64(vdupq_n_u64(bytes));
  }
  static SPARSEKIT_INLINE words flipped(words a) { return veorq_u32(a, vdupq_n_u32(0x80808080u)); }
  static SPARSEKIT_INLINE words of_rows(words a, words b) {
    return vreinterpretq_u32_u8(vzip1q_u8(vreinterpretq_u8_u32(a), vreinterpretq_u8_u32(b)));
  }
};

#endif

}  // namespace simd
SPARSEKIT_EXEC_END
