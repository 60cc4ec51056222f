// Window-lookup steps of bf16, f16 and s8: every window, one to four columns, both layouts, with
// and without a workspace, all operands between guard pages; Inf and NaN; extremes of s8, zero
// points; refusals; pack().
#include <doctest/doctest.h>

#include <cstring>
#include <sparsekit/pack/pack.hpp>

#include "support/sparse_narrow.hpp"

using namespace sparsekit_test;

namespace {

template <class Types>
void check_types(index_t m, index_t k, double density, index_t window) {
  using TW = typename Types::weight;
  using TX = typename Types::x;
  using TY = typename Types::y;
  using R = sk::row_major;
  using C = sk::col_major;
  rng random(static_cast<std::uint64_t>(m * 1000003 + k * 1009 + window));
  const sparse<TW> a(m, k, density, random);
  const auto packed = sk::pack_lookup(a.view(), {.window_bytes = window}).value();
  REQUIRE(sk::validate(packed.view()));
  for (const edge e : both_edges) {
    for (const bool ws : {false, true}) {
      for (const index_t n : {1, 2, 3, 4, 5}) {
        if (!is_tried(e, ws, n)) continue;
        // So that both layouts meet both edges, with and without a workspace.
        if (is_tried(n / 2)) check_product<TW, TX, TY, C, C>(a, packed, n, ws, e, random);
        if (is_tried(n / 2, 1)) check_product<TW, TX, TY, R, R>(a, packed, n, ws, e, random);
      }
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("narrow window-lookup products are exact", Types, types<bf16, bf16, float>,
                   types<bf16, float, bf16>, types<f16, f16, f16>, types<f16, float, float>,
                   types<s8, u8, s32>, types<s8, s8, s32>, types<s8, u8, float>) {
  for (const index_t window : {64, 128, 256}) {
    check_types<Types>(70, 300, 0.2, window);
    check_types<Types>(33, 40, 0.5, window);
    check_types<Types>(300, 17, 0.3, window);
    for (const index_t k : {0, 1, 31, 63, 64, 65, 127, 128, 129, 255, 257}) {
      check_types<Types>(9, k, 0.4, window);
    }
    check_types<Types>(1, 1000, 0.1, window);
  }
  // Too long for the stack: without a workspace by plain loops.
  check_types<Types>(20, 20000, 0.01, 128);
}

TEST_CASE_TEMPLATE("a column has the same bits at every place and in every chunk of threads", T,
                   bf16, f16) {
  const index_t m = 700, k = 900;
  rng random(5);
  sparse<T> a(m, k, 0.1, random);  // so few that pack() takes no bitmask
  for (T& v : a.values) v = T(static_cast<float>(random.normal()));
  std::vector<float> column(at(k));
  for (float& v : column) v = static_cast<float>(T(static_cast<float>(random.normal())));
  const auto packed = sk::pack(a.view(), {.columns = {1}}).value();
  CHECK(packed.reason().find("window") != std::string::npos);
  std::vector<T> x(at(3 * k));
  for (index_t n = 0; n < 3; ++n) {
    for (index_t i = 0; i < k; ++i) x[at(n * k + i)] = T(column[at(i)]);
  }
  std::vector<float> wide(column);
  std::vector<float> one(at(m));
  std::vector<float> of_wide(at(m));
  std::vector<float> three(at(3 * m));
  const auto executor = [](index_t tasks, auto&& f) {
    for (index_t t = tasks - 1; t >= 0; --t) f(t, t % 2);
  };
  sk::multiply(packed, sk::dense_view<const T, sk::col_major>(x.data(), k, 1),
               sk::dense_view<float, sk::col_major>(one.data(), m, 1));
  sk::multiply(packed, wide, of_wide);
  sk::multiply(sk::par(executor), packed, sk::dense_view<const T, sk::col_major>(x.data(), k, 3),
               sk::dense_view<float, sk::col_major>(three.data(), m, 3));
  // f32 x that is bf16 (or f16) gives the same bits, too: the order of the sums is one.
  CHECK(std::memcmp(one.data(), of_wide.data(), at(m) * sizeof(float)) == 0);
  for (index_t n = 0; n < 3; ++n) {
    CHECK(std::memcmp(one.data(), three.data() + n * m, at(m) * sizeof(float)) == 0);
  }
}

TEST_CASE("rows of s8 whose sums could leave 32 bits are refused, sums of weights are checked") {
  const index_t k = 65794;
  std::vector<std::int32_t> row_ptr{0, static_cast<std::int32_t>(k)};
  std::vector<std::int32_t> columns(at(k));
  for (index_t i = 0; i < k; ++i) columns[at(i)] = static_cast<std::int32_t>(i);
  std::vector<s8> values(at(k), s8{-128});
  sk::csr_view<const s8> a{{1, k}, {row_ptr.data(), 2}, {columns.data(), k}, {values.data(), k}};
  const auto refused = sk::pack(a);
  REQUIRE(!refused);
  CHECK(refused.error().code == sk::errc::overflow_possible);
  CHECK(refused.error().row == 0);
  values.back() = 0;
  const auto packed = sk::pack(a).value();
  std::vector<u8> x(at(k), 255);
  std::vector<s32> y(1);
  sk::workspace ws(packed);
  sk::multiply(packed, x, y, ws);
  CHECK(y[0] == -128 * 255 * 65793);
  sk::multiply(packed, x, y);
  CHECK(y[0] == -128 * 255 * 65793);

  sk::buffer<std::byte> copy;
  const auto bytes = packed.lookup().bytes();
  REQUIRE(copy.allocate(bytes.size()));
  std::memcpy(copy.data(), bytes.data(), at(copy.size()));
  CHECK(sk::lookup_matrix<s8>::view_of(copy.view()));
  CHECK(sk::lookup_matrix<float>::view_of(copy.view()).error().code == sk::errc::unsupported);
  sk::packed_header h;
  std::memcpy(&h, copy.data(), sizeof h);
  copy[h.sections[5].offset] ^= std::byte{1};
  h.checksum = sk::packed_checksum_of(copy.data(), copy.size());
  std::memcpy(copy.data(), &h, sizeof h);
  CHECK(sk::lookup_matrix<s8>::view_of(copy.view()).error().code == sk::errc::corrupt);
}

TEST_CASE_TEMPLATE(
    "entries as few and far apart as a large graph's are refused by name, not stored", T, bf16, f16,
    s8) {
  constexpr index_t n = 120'000;
  std::vector<std::int32_t> row_ptr{0};
  std::vector<std::int32_t> columns;
  for (index_t r = 0; r < n; ++r) {
    const index_t first = r * 7919 % (n - 50'000);
    columns.push_back(static_cast<std::int32_t>(first));
    columns.push_back(static_cast<std::int32_t>(first + 50'000));
    row_ptr.push_back(static_cast<std::int32_t>(columns.size()));
  }
  const std::vector<T> values(columns.size(), T(1));
  const index_t nnz = static_cast<index_t>(columns.size());
  const sk::csr_view<const T> a{
      {n, n}, {row_ptr.data(), n + 1}, {columns.data(), nnz}, {values.data(), nnz}};
  const sk::status refused = sk::pack_lookup(sk::unchecked, a).error();
  CHECK(refused.code == sk::errc::unsupported);
  CHECK(sk::pack(a, {.columns = {1}}).error().code == sk::errc::unsupported);
}
