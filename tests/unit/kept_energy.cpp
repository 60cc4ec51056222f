// The report of kept energy, and the order of columns that keeps more of it.
#include <doctest/doctest.h>

#include <limits>
#include <sparsekit/convert/kept_energy.hpp>
#include <sparsekit/core/number.hpp>
#include <vector>

#include "support/rng.hpp"

namespace sk = sparsekit;
using sk::index_t;

namespace {

using matrix = sk::dense_view<float, sk::row_major>;

/// The kept share of all energy after pruning a copy, its columns in the given order.
double kept_share(const matrix& w, sk::nm_shape g, const std::vector<index_t>& order) {
  std::vector<float> original(static_cast<std::size_t>(w.rows() * w.cols()));
  const matrix moved(original.data(), w.rows(), w.cols());
  for (index_t r = 0; r < w.rows(); ++r) {
    for (index_t c = 0; c < w.cols(); ++c) {
      moved(r, c) = w(r, order[static_cast<std::size_t>(c)]);
    }
  }
  std::vector<float> pruned = original;
  const matrix p(pruned.data(), w.rows(), w.cols());
  REQUIRE(sk::prune_nm(p, g));
  std::vector<double> share(static_cast<std::size_t>(w.rows()));
  double all = 0;
  REQUIRE(sk::kept_energy(moved, p, share, all));
  return all;
}

}  // namespace

TEST_CASE("kept energy by row and of all") {
  std::vector<float> w{3, 4, 0, 0, 1, 2, 0, 0, 0};
  std::vector<float> p{0, 4, 0, 0, 1, 2, 0, 0, 0};
  std::vector<double> share(3);
  double all = 0;
  const matrix original(w.data(), 3, 3);
  const matrix pruned(p.data(), 3, 3);
  REQUIRE(sk::kept_energy(original, pruned, share, all));
  CHECK(share == std::vector<double>{16.0 / 25, 1, 1});
  CHECK(all == 21.0 / 30);
  std::vector<double> two(2);
  CHECK(sk::kept_energy(original, pruned, two, all).code == sk::errc::length_mismatch);
  CHECK(sk::kept_energy(original, matrix(p.data(), 3, 2), share, all).code ==
        sk::errc::shape_mismatch);
  w[0] = std::numeric_limits<float>::infinity();
  CHECK(sk::kept_energy(original, pruned, share, all).code == sk::errc::not_finite);
}

TEST_CASE("a permutation of columns keeps more energy") {
  sparsekit_test::rng random(21);
  const index_t rows = 16;
  const index_t cols = 22;  // a short last group
  std::vector<float> values(static_cast<std::size_t>(rows * cols));
  const matrix w(values.data(), rows, cols);
  // Important columns stand together, where a group cannot keep them all.
  for (index_t r = 0; r < rows; ++r) {
    for (index_t c = 0; c < cols; ++c) {
      w(r, c) = static_cast<float>(random.normal() * (c < 11 ? 4 : 1));
    }
  }
  for (const sk::nm_shape g : {sk::nm_shape{2, 4, 1}, {2, 4, 2}, {1, 4, 8}}) {
    std::vector<index_t> identity;
    for (index_t c = 0; c < cols; ++c) identity.push_back(c);
    std::vector<index_t> order(identity.size());
    REQUIRE(sk::permute_columns_for_nm(w, g, order));
    CHECK(kept_share(w, g, order) > kept_share(w, g, identity) + 0.02);
    for (const index_t c : order) REQUIRE((c >= 0 && c < cols));
    std::vector<int> seen(identity.size());
    for (const index_t c : order) ++seen[static_cast<std::size_t>(c)];
    CHECK(seen == std::vector<int>(identity.size(), 1));
  }
  std::vector<index_t> narrow(3);
  CHECK(sk::permute_columns_for_nm(w, {2, 4}, narrow).code == sk::errc::length_mismatch);
  std::vector<index_t> order(static_cast<std::size_t>(cols));
  CHECK(sk::permute_columns_for_nm(w, {5, 4}, order).code == sk::errc::bad_argument);
}

TEST_CASE("columns move into an order in place, in both layouts; a list that is none is named") {
  const std::vector<index_t> order{2, 0, 1};
  std::vector<float> w{1, 2, 3, 99,  //
                       4, 5, 6, 99};
  REQUIRE(sk::permute_columns(matrix(w.data(), 2, 3, 4), order));
  CHECK(w == std::vector<float>{3, 1, 2, 99, 6, 4, 5, 99});
  // Rows of the layer before: rows of a row-major matrix are columns of its transpose.
  std::vector<sk::bfloat16> before;
  for (const float v : {1.f, 2.f, 3.f, 4.f, 5.f, 6.f}) before.emplace_back(v);
  REQUIRE(sk::permute_columns(sk::transposed(sk::dense_view<sk::bfloat16>(before.data(), 3, 2)),
                              order));
  std::vector<float> after;
  for (const sk::bfloat16 v : before) after.push_back(static_cast<float>(v));
  CHECK(after == std::vector<float>{5, 6, 1, 2, 3, 4});

  const std::vector<float> kept = w;
  const auto refused = [&](const std::vector<index_t>& list) {
    const sk::status s = sk::permute_columns(matrix(w.data(), 2, 3, 4), list);
    CHECK(w == kept);
    return s;
  };
  CHECK(refused({0, 1}).code == sk::errc::length_mismatch);
  CHECK(refused({0, 1, 3}).code == sk::errc::column_out_of_range);
  CHECK(refused({0, -1, 1}).code == sk::errc::column_out_of_range);
  CHECK(refused({1, 0, 1}).code == sk::errc::duplicate_entry);
  CHECK(refused({1, 0, 1}).entry == 2);
  CHECK(sk::permute_columns(matrix(w.data(), 2, 3, 2), order).code ==
        sk::errc::bad_leading_dimension);
  CHECK(sk::permute_columns(matrix(nullptr, 2, 0), {}));
}
