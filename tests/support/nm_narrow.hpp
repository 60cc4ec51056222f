// Random N:M patterns of narrow types, and their products in every tail.
#pragma once

#include <sparsekit/pack/nm.hpp>

#include "support/sparse_narrow.hpp"

namespace sparsekit_test {

/// Rows v at a time with the same n of every m columns; some groups short, some rows empty.
template <class T>
sparse<T> pattern_of(index_t rows, index_t cols, sk::nm_shape g, rng& random) {
  sparse<T> a(rows, cols, 0, random);
  a.row_ptr.assign(1, 0);
  a.columns.clear();
  a.values.clear();
  std::vector<std::int32_t> kept;
  for (index_t r = 0; r < rows; ++r) {
    if (r % g.v == 0) {
      kept.clear();
      for (index_t k = 0; k < cols; k += g.m) {
        index_t left = random.below(g.n + 1);
        for (index_t c = k; c < cols && c < k + g.m && left > 0; ++c) {
          if (random.chance(0.4)) continue;
          kept.push_back(static_cast<std::int32_t>(c));
          --left;
        }
      }
    }
    for (const std::int32_t c : kept) {
      a.columns.push_back(c);
      a.values.push_back(number<T>(random));
    }
    a.row_ptr.push_back(static_cast<std::int32_t>(a.columns.size()));
  }
  return a;
}

/// Every way to share columns, groups that are no multiple of a word, more than one block of
/// columns.
template <class Types, class LX, class LY>
void check_nm() {
  using TW = typename Types::weight;
  using TX = typename Types::x;
  using TY = typename Types::y;
  for (const sk::nm_shape g :
       {sk::nm_shape{2, 4, 1}, sk::nm_shape{1, 4, 2}, sk::nm_shape{4, 8, 4}, sk::nm_shape{2, 4, 8},
        sk::nm_shape{1, 8, 16}, sk::nm_shape{2, 3, 1}}) {
    for (const auto& [rows, cols] :
         {std::pair<index_t, index_t>{37, 45}, {16, 4}, {5, 3}, {3, 0}, {300, 530}}) {
      rng random(static_cast<std::uint64_t>(rows * 31 + cols + g.v));
      const auto a = pattern_of<TW>(rows, cols, g, random);
      const auto packed = sk::pack(sk::to_nm(a.view(), g).value()).value();
      REQUIRE(sk::validate(packed.view()));
      REQUIRE(sk::packed_nm<TW>::view_of(packed.bytes()));
      index_t turn = 0;
      for (const index_t n : {1, 2, 3, 4, 7, 8, 17, 33, 70}) {
        if (rows == 300 && n > 17) continue;
        const edge e = both_edges[turn / 2 % 2];
        if (!is_tried(turn++, g.v / 2, rows)) continue;
        if (n < 8) check_product<TW, TX, TY, LX, LY>(a, packed, n, false, e, random);
        check_product<TW, TX, TY, LX, LY>(a, packed, n, true, e, random);
        check_product<TW, TX, TY, LY, LX>(a, packed, n, true, e, random);
      }
    }
  }
}

}  // namespace sparsekit_test
