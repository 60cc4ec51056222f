// Random N:M patterns of narrow types, and their products in every tail.
#pragma once

#include <sparsekit/pack/nm.hpp>

#include "support/nm_patterns.hpp"
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

/// Whole groups of m columns; group i of row r has the places pattern(r, i).
template <class T, class Pattern>
sparse<T> of_patterns(index_t rows, index_t groups, index_t m, rng& random, Pattern&& pattern) {
  sparse<T> a(0, groups * m, 0, random);
  a.rows = rows;
  for (index_t r = 0; r < rows; ++r) {
    for (index_t c = 0; c < a.cols; ++c) {
      if ((pattern(r, c / m) >> (c % m) & 1) == 0) continue;
      a.columns.push_back(static_cast<std::int32_t>(c));
      a.values.push_back(number<T>(random));
    }
    a.row_ptr.push_back(static_cast<std::int32_t>(a.columns.size()));
  }
  return a;
}

/// Every pattern of 2:4 and 4:8, and every pair of 2:4 patterns in neighbouring rows, free and
/// shared: a row each (pair: two), in the next group the next one. 17 groups bring each to every
/// lane.
template <class Types, class LX, class LY>
void check_nm_patterns() {
  using TW = typename Types::weight;
  constexpr index_t groups = 17;
  rng random(11);
  const auto check = [&](const sparse<TW>& a, sk::nm_shape g) {
    CAPTURE(g.m);
    CAPTURE(g.v);
    const auto packed = sk::pack(sk::to_nm(a.view(), g).value()).value();
    REQUIRE(sk::validate(packed.view()));
    CHECK(packed.nnz() == static_cast<index_t>(a.values.size()));
    for (const index_t n : {1, 17}) {
      check_product<TW, typename Types::x, typename Types::y, LX, LY>(a, packed, n, true,
                                                                      edge::right, random);
    }
  };
  for (const auto& [n, m] : {std::pair{2, 4}, std::pair{4, 8}}) {
    const auto list = patterns(n, m);
    const auto size = static_cast<index_t>(list.size());
    CHECK(size == (m == 4 ? 6 : 70));
    check(of_patterns<TW>(size, groups, m, random,
                          [&](index_t r, index_t i) { return list[at((r + i) % size)]; }),
          {n, m, 1});
  }
  const auto list = patterns(2, 4);
  const auto pairs = of_patterns<TW>(72, groups, 4, random, [&](index_t r, index_t i) {
    const index_t pair = (r / 2 + i) % 36;
    return list[at(r % 2 == 0 ? pair / 6 : pair % 6)];
  });
  check(pairs, {2, 4, 1});
  check(pairs, {4, 4, 2});  // the union of two
  CHECK(sk::to_nm(pairs.view(), {2, 4, 2}).error().code == sk::errc::bad_pattern);
  check(of_patterns<TW>(12, groups, 4, random,
                        [&](index_t r, index_t i) { return list[at((r / 2 + i) % 6)]; }),
        {2, 4, 2});
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
