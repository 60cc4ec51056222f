// Products of narrow types by one instruction set with other extensions than the configuration's:
// packed dense weights, blocks and window lookups, each between guard pages and exact to the bit.
// Few shapes and types: what changes is how words are multiplied, and tests/unit tries every tail.
#include <doctest/doctest.h>

#include "sparsekit/pack/blocks.hpp"
#include "sparsekit/pack/lookup.hpp"
#include "support/sparse_narrow.hpp"

using namespace sparsekit_test;

namespace {

using C = sk::col_major;  // alone: one kind of call for one column and for many

template <class TW, class TX>
void check_all_forms() {
  using TY = sk::sum_of_t<TW>;
  rng random(1);
  for (const index_t k : {1, 7, 64, 131}) {
    for (const index_t n : {1, 2, 5, 16, 33, 70}) {
      const edge e = both_edges[n % 2];
      CAPTURE(k);
      CAPTURE(n);
      product_case<TW, TX, TY, C, C> dense({50, k, n}, true, e, 1, random);
      dense.run(sk::identity_epilogue{});
      CHECK(dense.wrong(0, [](double sum, index_t) { return made_of<TY>(sum); }) == 0);
      dense.check_intact();

      const sparse<TW> a(50, k, 0.3, random);
      const auto blocks = sk::pack_blocks(a.view(), {2, 4}).value();
      check_product<TW, TX, TY, C, C>(a, blocks, n, true, e, random);
      if (n > 3) continue;
      const auto lookup = sk::pack_lookup(a.view()).value();
      check_product<TW, TX, TY, C, C>(a, lookup, n, true, e, random);
    }
  }
}

}  // namespace

TEST_CASE("s8 by u8") { check_all_forms<s8, u8>(); }
TEST_CASE("bf16 by bf16") { check_all_forms<bf16, bf16>(); }
