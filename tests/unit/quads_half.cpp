// Balanced row quads of bf16 and f16: products against plain loops with all operands between guard
// pages, with and without a workspace, in every cut; Inf and NaN; the same bits at every place;
// what pack() makes; packed bytes.
#include <doctest/doctest.h>

#include <cstring>
#include <sparsekit/pack/pack.hpp>

#include "support/packed_bytes.hpp"
#include "support/sparse_narrow.hpp"

using namespace sparsekit_test;

namespace {

template <class Types>
void check_shape(index_t m, index_t k, double density, sk::quad_shape cut) {
  using TW = typename Types::weight;
  using TX = typename Types::x;
  using TY = typename Types::y;
  using R = sk::row_major;
  using C = sk::col_major;
  rng random(static_cast<std::uint64_t>(m * 1000003 + k * 1009 + cut.interleave));
  const sparse<TW> a(m, k, density, random);
  sk::packed_matrix<TW> packed(a.view().shape, a.view().nnz(),
                               sk::pack_quads(sk::seq, a.view(), cut).value());
  REQUIRE(sk::validate(packed.quads().view()));
  index_t turn = 0;
  for (const index_t n : {1, 2, 4, 7, 8, 9, 15, 16, 17, 33, 64, 65}) {
    if (m > 100 && n > 17) continue;
    const edge e = both_edges[turn++ % 2];
    check_product<TW, TX, TY, R, C>(a, packed, n, true, e, random);
    check_product<TW, TX, TY, C, R>(a, packed, n, true, e, random);
    if (n < 5) check_product<TW, TX, TY, C, R>(a, packed, n, false, e, random);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("quads of half types multiply exactly", Types, types<bf16, float, bf16>,
                   types<f16, f16, f16>) {
  for (const index_t interleave : {1, 2}) {
    check_shape<Types>(37, 45, 0.3, {512, 256, interleave});
    check_shape<Types>(70, 300, 0.15, {16, 64, interleave});
    for (const index_t k : {0, 1, 3, 17}) check_shape<Types>(9, k, 0.5, {512, 128, interleave});
  }
  check_shape<Types>(530, 270, 0.1, {512, 256, 1});
}

namespace {

/// Tasks last to first, as two workers would take them in turn.
struct two_workers {
  index_t workers() const { return 2; }
  template <class F>
  void operator()(index_t tasks, F&& f) const {
    for (index_t t = tasks - 1; t >= 0; --t) f(t, t % 2);
  }
};

}  // namespace

TEST_CASE(
    "a column has the same bits at every place, in every chunk of threads, of either type of X") {
  using T = bf16;
  const index_t m = 300, k = 500, most = 70;
  rng random(5);
  sparse<T> a(m, k, 0.2, random);
  for (T& v : a.values) v = T(static_cast<float>(random.normal()));
  std::vector<T> column(at(k));
  for (T& v : column) v = T(static_cast<float>(random.normal()));
  const two_workers executor;  // for whom one row block becomes narrower panels
  const auto packed = sk::pack(a.view(), {.columns = {most}}).value();
  sk::workspace ws(packed, {.max_columns = most, .max_workers = 2});
  std::vector<float> expected;
  int different = 0;
  for (const index_t n : {2, 8, 9, 31, 70}) {
    std::vector<T> x(at(k * n));
    std::vector<float> wide(at(k * n));
    std::vector<float> y(at(m * n));
    for (index_t i = 0; i < k * n; ++i) {
      x[at(i)] = column[at(i / n)];
      wide[at(i)] = static_cast<float>(x[at(i)]);
    }
    const sk::dense_view<float> out(y.data(), m, n);
    const auto compare = [&] {
      for (index_t j = 0; j < n; ++j) {
        std::vector<float> got;
        for (index_t r = 0; r < m; ++r) got.push_back(y[at(r * n + j)]);
        if (expected.empty()) expected = got;
        different += std::memcmp(got.data(), expected.data(), at(m) * sizeof(float)) == 0 ? 0 : 1;
      }
    };
    sk::multiply(sk::par(executor), packed, sk::dense_view<const T>(x.data(), k, n), out, ws);
    compare();
    sk::multiply(sk::par(executor), packed, sk::dense_view<const float>(wide.data(), k, n), out,
                 ws);
    compare();
  }
  CHECK(different == 0);
}

TEST_CASE("pack() gives quads to many columns of half types, and none to s8") {
  rng random(6);
  const sparse<bf16> a(64, 96, 0.1, random);
  const auto many = sk::pack(a.view(), {.columns = {64}}).value();
  CHECK(many.view().has_quads());
  CHECK(!many.view().has_lookup());
  const auto both = sk::pack(a.view(), {.columns = {1, 64}}).value();
  CHECK(both.view().has_quads());
  CHECK((both.view().has_lookup() || both.view().has_bits()));
  const auto few = sk::pack(a.view(), {.columns = {1, 3}}).value();
  CHECK(!few.view().has_quads());
  const sparse<s8> b(64, 96, 0.1, random);
  CHECK(!sk::pack(b.view(), {.columns = {64}}).value().view().has_quads());
  for (const index_t n : {1, 3, 4, 40}) {
    check_product<bf16, float, bf16, sk::row_major, sk::col_major>(a, both, n, true, edge::right,
                                                                   random);
  }
}

TEST_CASE("packed bytes of quads of half types are saved, and damaged ones refused") {
  rng random(8);
  const sparse<f16> a(21, 30, 0.4, random);
  const auto packed = sk::pack(a.view(), {.columns = {1, 16}}).value();
  const auto saved = packed.save().value();
  const auto loaded = sk::packed_matrix<f16>::from_bytes(saved.view()).value();
  check_product<f16, f16, f16, sk::row_major, sk::col_major>(a, loaded, 9, true, edge::left,
                                                             random);
  CHECK(sk::packed_matrix<bf16>::from_bytes(saved.view()).error().code == sk::errc::unsupported);
  const auto good = packed.quads().bytes();
  const int refused = count_refused(good, [&](sk::array_view<const std::byte> bytes) {
    sk::quad_view<const f16> v;
    if (!sk::quad_matrix<f16>::view_of(bytes).get(v)) return true;
    sk::packed_view<const f16> whole{.shape = v.shape, .entries = v.entries, .quads = v};
    std::vector<f16> x(at(v.cols() * 2), f16(1.f));
    std::vector<f16> y(at(v.rows() * 2));
    sk::workspace ws(whole, {.max_columns = 2});
    sk::multiply(whole, sk::dense_view<const f16>(x.data(), v.cols(), 2),
                 sk::dense_view<f16, sk::col_major>(y.data(), v.rows(), 2), ws);
    return false;
  });
  CHECK(refused > 200);
}
