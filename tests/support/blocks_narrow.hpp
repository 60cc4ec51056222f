// Products of packed blocks of narrow types in every tail, for the tests of half and 8-bit types.
#pragma once

#include <sparsekit/pack/blocks.hpp>

#include "support/sparse_narrow.hpp"

namespace sparsekit_test {

template <class Types>
void check_types(sk::block_shape block, index_t m, index_t k, double density) {
  using TW = typename Types::weight;
  using TX = typename Types::x;
  using TY = typename Types::y;
  using R = sk::row_major;
  using C = sk::col_major;
  rng random(static_cast<std::uint64_t>(m * 1000003 + k * 1009 + block.rows));
  const sparse<TW> a(m, k, density, random);
  const auto packed = sk::pack_blocks(a.view(), block).value();
  REQUIRE(sk::validate(packed.view()));
  CAPTURE(block.rows);
  CAPTURE(block.cols);
  index_t turn = 0;
  for (const index_t n : {1, 2, 4, 7, 8, 9, 16, 17, 33, 64, 65, 128}) {
    if (!is_tried(turn++, m, k)) continue;
    const edge e = both_edges[turn / 2 % 2];
    if constexpr (Types::mixed) {
      check_product<TW, TX, TY, R, C>(a, packed, n, true, e, random);
      check_product<TW, TX, TY, C, R>(a, packed, n, true, e, random);
    } else {
      check_product<TW, TX, TY, R, R>(a, packed, n, true, e, random);
      check_product<TW, TX, TY, C, C>(a, packed, n, true, e, random);
      if (n < 5) check_product<TW, TX, TY, R, R>(a, packed, n, false, e, random);
    }
  }
}

/// Every shape of blocks.
template <class Types>
void check_blocks() {
  const index_t pair = 4 / index_t{sizeof(typename Types::weight)};
  for (const sk::block_shape block :
       {sk::block_shape{1, pair}, sk::block_shape{2, pair}, sk::block_shape{4, pair},
        sk::block_shape{8, pair}, sk::block_shape{3, 2 * pair}, sk::block_shape{16, 16}}) {
    check_types<Types>(block, 37, 45, 0.3);
    for (const index_t k : {0, 1, 3, 4, 31, 65}) check_types<Types>(block, 9, k, 0.4);
  }
  // Several chunks of rows and cuts of columns.
  check_types<Types>({1, pair}, 300, 290 * pair + 1, 0.02);
  check_types<Types>({4, pair}, 261, 270 * pair + 1, 0.02);
}

}  // namespace sparsekit_test
