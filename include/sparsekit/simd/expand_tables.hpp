// Shuffles that expand: for each byte of a bitmask, where the numbers that stand side by side go.
// An index of 0x80 gives zero, to pshufb by its highest bit, to tbl as out of range.
#pragma once

#include <cstdint>

#include "../config.hpp"

SPARSEKIT_EXEC_BEGIN
namespace simd {

/// For masks of `Bits` bits: element i of each place takes `Size` bytes, of which the number fills
/// the last `Used`: Size 4, Used 2 makes f32 of bf16.
template <int Bits, int Size, int Used = Size>
struct expansion {
  alignas(64) std::uint8_t at[1 << Bits][Bits * Size];

  constexpr expansion() : at{} {
    for (int mask = 0; mask < 1 << Bits; ++mask) {
      int next = 0;
      for (int i = 0; i < Bits; ++i) {
        const bool here = (mask >> i & 1) != 0;
        for (int b = 0; b < Size; ++b) {
          const bool used = here && b >= Size - Used;
          at[mask][i * Size + b] =
              static_cast<std::uint8_t>(used ? next * Used + b - (Size - Used) : 0x80);
        }
        next += here ? 1 : 0;
      }
    }
  }
};
template <int Bits, int Size, int Used = Size>
inline constexpr expansion<Bits, Size, Used> expansion_of{};

/// Bits that are set, where counting them takes longer than a load.
struct bit_counts {
  std::uint8_t of[256];
  constexpr bit_counts() : of{} {
    for (int i = 1; i < 256; ++i) of[i] = static_cast<std::uint8_t>(of[i / 2] + i % 2);
  }
};
inline constexpr bit_counts bits_set{};

}  // namespace simd
SPARSEKIT_EXEC_END
