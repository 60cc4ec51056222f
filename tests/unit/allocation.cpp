// Memory: every factory and conversion with its first, second, ... allocation failing reports
// out_of_memory, leaves nothing behind, and never calls an operator new that throws.
#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "sparsekit/active_set.hpp"
#include "sparsekit/convert/conversions.hpp"
#include "sparsekit/convert/from_dense.hpp"
#include "sparsekit/convert/from_triplets.hpp"
#include "sparsekit/convert/from_view.hpp"
#include "sparsekit/convert/kept_energy.hpp"
#include "sparsekit/convert/prune.hpp"
#include "sparsekit/convert/to_bsr.hpp"
#include "sparsekit/convert/to_dense.hpp"
#include "sparsekit/convert/to_sell.hpp"
#include "sparsekit/convert/to_symmetric.hpp"
#include "sparsekit/convert/transpose.hpp"
#include "sparsekit/pack/bitmask.hpp"
#include "sparsekit/pack/dense.hpp"
#include "support/allocation_failure.hpp"

namespace sk = sparsekit;
using sk::index_t;
using sparsekit_test::allocation_watch;
using sparsekit_test::fail_each_allocation;

namespace {

/// Out of order, with entries at one place, so that every sort and sum takes place.
const std::vector<sk::triplet<float>> messy{{2, 1, 1.f}, {0, 3, 2.f}, {2, 0, 3.f},
                                            {2, 1, 4.f}, {0, 0, 5.f}, {1, 2, 6.f}};
const std::int32_t messy_row_ptr[] = {0, 2, 5};
const std::int32_t messy_columns[] = {1, 0, 2, 2, 0};
const float messy_values[] = {1, 2, 3, 4, 5};
const sk::csr_view<const float> messy_csr{{2, 3}, messy_row_ptr, messy_columns, messy_values};

const float dense_values[] = {1, 0, 2, 0, 0, 3, 4, 0, 0, 0, 5, 6};
const sk::dense_view<const float> dense{dense_values, 3, 4};

/// The result's status; what it holds is freed here.
template <class T>
sk::status status_of(sk::result<T>&& r) {
  T out;
  return std::move(r).get(out);
}

}  // namespace

TEST_CASE("from_triplets") {
  const sk::extents shape{3, 4};
  CHECK(fail_each_allocation(
            [&] { return status_of(sk::csr_matrix<float>::from_triplets(shape, messy)); }) == 5);
  CHECK(fail_each_allocation(
            [&] { return status_of(sk::csc_matrix<float>::from_triplets(shape, messy)); }) == 5);
  CHECK(fail_each_allocation(
            [&] { return status_of(sk::coo_matrix<float>::from_triplets(shape, messy)); }) == 4);
}

TEST_CASE("from_dense") {
  CHECK(fail_each_allocation([] { return status_of(sk::csr_matrix<float>::from_dense(dense)); }) ==
        4);
  CHECK(fail_each_allocation([] { return status_of(sk::csc_matrix<float>::from_dense(dense)); }) ==
        4);
  CHECK(fail_each_allocation([] { return status_of(sk::coo_matrix<float>::from_dense(dense)); }) ==
        3);
}

TEST_CASE("from_view") {
  const auto csr = sk::csr_matrix<float>::from_dense(dense).value();
  const auto csc = sk::csc_matrix<float>::from_dense(dense).value();
  const auto coo = sk::coo_matrix<float>::from_dense(dense).value();
  CHECK(fail_each_allocation(
            [&] { return status_of(sk::csr_matrix<float>::from_view(csr.view())); }) == 3);
  CHECK(fail_each_allocation(
            [&] { return status_of(sk::csc_matrix<float>::from_view(csc.view())); }) == 3);
  CHECK(fail_each_allocation(
            [&] { return status_of(sk::coo_matrix<float>::from_view(coo.view())); }) == 3);
}

TEST_CASE("conversions") {
  const auto tidy = sk::csr_matrix<float>::from_dense(dense).value();
  CHECK(fail_each_allocation([] { return status_of(sk::to_csr(messy_csr)); }) == 5);
  CHECK(fail_each_allocation([] { return status_of(sk::to_csc(messy_csr)); }) == 5);
  CHECK(fail_each_allocation([] { return status_of(sk::to_coo(messy_csr)); }) == 4);
  CHECK(fail_each_allocation([&] { return status_of(sk::to_csc(tidy)); }) == 4);
  CHECK(fail_each_allocation([&] { return status_of(sk::to_coo(tidy)); }) == 3);
  CHECK(fail_each_allocation([&] { return status_of(sk::to_csr(sk::transposed(tidy))); }) == 4);
}

TEST_CASE("to_sell, to_bsr, to_symmetric") {
  // Of views, which are sorted into CSR first, and of dense weights.
  const float zero[] = {1, 0, 2, 3, 4};
  const sk::csr_view<const float> with_zero{{2, 3}, messy_row_ptr, messy_columns, zero};
  CHECK(fail_each_allocation([] { return status_of(sk::to_sell(messy_csr)); }) == 11);
  CHECK(fail_each_allocation([] { return status_of(sk::to_bsr(messy_csr, {2, 2})); }) == 8);
  CHECK(fail_each_allocation([&] { return status_of(sk::to_bsr(with_zero, {2, 2})); }) == 9);
  CHECK(fail_each_allocation([] { return status_of(sk::to_bsr(dense, {2, 2})); }) == 7);
  const float mirrored[] = {1, 2, 0, 2, 0, 3, 0, 3, 4};
  const auto symmetric =
      sk::csr_matrix<float>::from_dense(sk::dense_view<const float>(mirrored, 3, 3)).value();
  CHECK(fail_each_allocation([&] { return status_of(sk::to_symmetric(symmetric)); }) == 11);
}

TEST_CASE("active_set, bitmask, packed dense weights") {
  CHECK(fail_each_allocation([] { return status_of(sk::active_set<float>::make(100)); }) == 2);
  CHECK(fail_each_allocation([] { return status_of(sk::pack<sk::bitmask>(dense)); }) == 5);
  CHECK(fail_each_allocation([] { return status_of(sk::pack<sk::bitmask>(messy_csr)); }) == 6);
  CHECK(fail_each_allocation([] { return status_of(sk::pack_dense(dense)); }) == 1);
}

TEST_CASE("a failed factory leaves the target alone") {
  auto kept = sk::csr_matrix<float>::from_dense(dense).value();
  allocation_watch watch(1);
  const sk::status s = sk::to_csr(messy_csr).get(kept);
  CHECK(s.code == sk::errc::out_of_memory);
  CHECK(kept.nnz() == 6);
  CHECK(kept.cols() == 4);
}

TEST_CASE("the message names the matrix that did not fit") {
  sk::status s;
  {
    allocation_watch watch(0);
    s = status_of(sk::to_csc(messy_csr));
  }
  CHECK(s.message() == "csc: no memory for 64 bytes");
}

TEST_CASE("to_dense and prune_fraction allocate nothing; the other pruners little") {
  float memory[12] = {};
  const sk::dense_view<float> out(memory, 3, 4);
  const auto a = sk::csr_matrix<float>::from_dense(dense).value();
  CHECK(fail_each_allocation([&] { return sk::to_dense(a, out); }) == 0);
  CHECK(fail_each_allocation([&] { return sk::prune_fraction(out, 0.1); }) == 0);
  CHECK(fail_each_allocation([&] { return sk::prune_nm(out, 2, 4); }) == 1);
  CHECK(fail_each_allocation([&] { return sk::prune_rows(out, 0.1); }) == 1);
  CHECK(fail_each_allocation([&] { return sk::prune_columns(out, 0.1); }) == 1);
  CHECK(fail_each_allocation([&] { return sk::prune_blocks(out, {2, 2}, 0.1); }) == 1);
  const std::vector<index_t> order{3, 2, 1, 0};
  CHECK(fail_each_allocation([&] { return sk::permute_columns(out, order); }) == 2);
}

TEST_CASE("growing_buffer: a failed growth keeps what is there") {
  sk::growing_buffer<int> g;
  for (int i = 0; i < 64; ++i) REQUIRE(g.push_back(i));
  sk::status s;
  {
    allocation_watch watch(0);
    s = g.push_back(64);
  }
  CHECK(s.code == sk::errc::out_of_memory);
  CHECK(g.size() == 64);
  CHECK(g[63] == 63);
  REQUIRE(g.push_back(64));
  CHECK(g[64] == 64);
}

TEST_CASE("a hypersparse matrix costs memory by its entries, not by its columns") {
  constexpr index_t huge = 2147483647;
  const std::vector<sk::triplet<float>> t{{2, huge - 1, 1.f}, {0, 5, 2.f}, {2, 0, 3.f}};
  const std::vector<sk::triplet<float>> wide{{huge - 1, huge - 1, 1.f}, {0, 5, 2.f}, {2, 0, 3.f}};
  std::int64_t bytes = 0;
  {
    allocation_watch watch;
    if (sk::csr_matrix<float>::from_triplets({3, huge}, t)) bytes = watch.now().bytes;
  }
  CHECK(bytes > 0);
  CHECK(bytes < 4096);
  bytes = 0;
  {
    allocation_watch watch;
    if (sk::coo_matrix<float>::from_triplets({huge, huge}, wide)) bytes = watch.now().bytes;
  }
  CHECK(bytes > 0);
  CHECK(bytes < 4096);
}
