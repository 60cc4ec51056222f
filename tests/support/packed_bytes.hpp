// What the tests of packed forms share: weights to pack, bytes as a mapped file has them, and
// damage that gets past the checksum.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>
#include <sparsekit/formats/csr.hpp>
#include <sparsekit/formats/packed_bytes.hpp>

#include "support/generators.hpp"

namespace sparsekit_test {

template <class T>
sparsekit::csr_view<const T> view_of(const csr_arrays<T>& a) {
  return {{a.rows, a.cols}, a.row_ptr, a.columns, a.values};
}

/// Small integers at scattered places.
template <class T>
csr_arrays<T> weights(sparsekit::index_t rows, sparsekit::index_t cols, double density,
                      std::uint64_t stream) {
  rng random(stream);
  return make_csr<T, std::int32_t, std::int32_t>(pattern::uniform, rows, cols, density, random,
                                                 small_integers{});
}

/// A copy of bytes on a 64-byte boundary, as a mapped file has them.
inline sparsekit::buffer<std::byte> aligned_copy(sparsekit::array_view<const std::byte> bytes) {
  sparsekit::buffer<std::byte> copy;
  REQUIRE(copy.allocate(bytes.size()));
  std::memcpy(copy.data(), bytes.data(), static_cast<std::size_t>(bytes.size()));
  return copy;
}

/// The checksum of packed bytes set right, so that damage reaches the checks behind it. There are `size`
/// bytes, whatever a damaged header says.
inline void seal(std::byte* bytes, sparsekit::index_t size) {
  sparsekit::packed_header h;
  std::memcpy(&h, bytes, sizeof h);
  const bool inside = h.total_bytes >= sparsekit::index_t{sizeof h} && h.total_bytes <= size;
  h.checksum = sparsekit::packed_checksum_of(bytes, inside ? h.total_bytes : size);
  std::memcpy(bytes, &h, sizeof h);
}

/// Changes each byte of good packed bytes in turn, the checksum right behind the header's first words.
/// is_refused(bytes) tells whether they are refused, and uses them if not. How many were.
template <class F>
int count_refused(sparsekit::array_view<const std::byte> good, F&& is_refused) {
  int refused = 0;
  for (sparsekit::index_t i = 0; i < good.size(); ++i) {
    auto bytes = aligned_copy(good);
    bytes[i] ^= std::byte{0x81};
    if (i >= sparsekit::index_t{offsetof(sparsekit::packed_header, rows)}) seal(bytes.data(), bytes.size());
    refused += is_refused(sparsekit::array_view<const std::byte>(bytes.view())) ? 1 : 0;
  }
  return refused;
}

}  // namespace sparsekit_test
