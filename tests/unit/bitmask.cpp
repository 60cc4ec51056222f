// The bitmask format: products of all value types, one to five columns and many, both layouts, with
// and without a workspace, all operands between guard pages, of packed bytes and of somebody's
// arrays; Inf and NaN; zero points; the same bits everywhere; conversions; what validate refuses;
// transposes.
#include <doctest/doctest.h>

#include <cstring>
#include <sparsekit/convert/to_bitmask.hpp>
#include <sparsekit/convert/to_dense.hpp>
#include <sparsekit/convert/to_sell.hpp>
#include <sparsekit/pack/pack.hpp>

#include "support/every_way.hpp"
#include "support/sparse_narrow.hpp"

using sparsekit_test::at;
using sparsekit_test::bf16;
using sparsekit_test::edge;
using sparsekit_test::f16;
using sparsekit_test::guarded;
using sparsekit_test::index_t;
using sparsekit_test::rng;
using sparsekit_test::s32;
using sparsekit_test::s8;
using sparsekit_test::sparse;
using sparsekit_test::types;
using sparsekit_test::u8;
namespace sk = sparsekit;

namespace {

/// The arrays of a bitmask between guard pages: nothing may be read behind them.
template <class T>
struct bare {
  sk::extents shape;
  guarded<std::int64_t> row_offsets;
  guarded<u8> mask;
  guarded<T> values;
  guarded<s32> weight_sums;

  bare(const sk::bitmask_view<const T>& a, edge e)
      : shape(a.shape),
        row_offsets(a.row_offsets, e),
        mask(a.mask, e),
        values(a.values, e),
        weight_sums(a.weight_sums, e) {
    row_offsets.freeze();
    mask.freeze();
    values.freeze();
    weight_sums.freeze();
  }
  sk::bitmask_view<const T> view() const {
    return {shape, row_offsets.view(), mask.view(), values.view(), weight_sums.view()};
  }
};

template <class Types>
void check_types(index_t m, index_t k, double density) {
  using TW = typename Types::weight;
  using TX = typename Types::x;
  using TY = typename Types::y;
  using R = sk::row_major;
  using C = sk::col_major;
  rng random(static_cast<std::uint64_t>(m * 1000003 + k * 1009));
  const sparse<TW> a(m, k, density, random);
  const auto packed = sk::pack<sk::bitmask>(a.view()).value();
  REQUIRE(sk::validate(packed.view()));
  CHECK(packed.nnz() == a.view().nnz());
  for (const edge e : sparsekit_test::both_edges) {
    const bare<TW> arrays(packed.view(), e);
    REQUIRE(sk::validate(arrays.view()));
    for (const bool ws : {false, true}) {
      for (const index_t n : {1, 2, 3, 4, 5}) {
        if (!sparsekit_test::is_tried(e, ws, n)) continue;
        // So that both layouts meet both edges, with and without a workspace.
        if (sparsekit_test::is_tried(n / 2)) {
          sparsekit_test::check_product<TW, TX, TY, C, C>(a, arrays.view(), n, ws, e, random);
        }
        if (sparsekit_test::is_tried(n / 2, 1)) {
          sparsekit_test::check_product<TW, TX, TY, R, R>(a, arrays.view(), n, ws, e, random);
        }
      }
      // Row by row: one register and more, both layouts at both edges.
      if constexpr (!std::is_integral_v<TW>) {
        sparsekit_test::check_product<TW, TX, TY, R, C>(a, arrays.view(), ws ? 70 : 17, ws, e,
                                                        random);
        sparsekit_test::check_product<TW, TX, TY, C, R>(a, arrays.view(), ws ? 37 : 16, ws, e,
                                                        random);
      }
      sparsekit_test::check_product<TW, TX, TY, C, C>(a, packed.view(), 1, ws, e, random);
    }
  }
}

/// 3 x 11 with entries 1 .. 7; row 1 is empty.
struct small {
  std::vector<std::int64_t> row_offsets{0, 4, 4};
  std::vector<u8> mask{0x81, 0x05, 0, 0, 0x0e, 0};
  std::vector<float> values{1, 2, 3, 4, 5, 6, 7};
  sk::extents shape{3, 11};

  sk::bitmask_view<const float> view() const { return {shape, row_offsets, mask, values}; }
  sk::status fault() const { return sk::validate(view()); }
};

}  // namespace

TEST_CASE_TEMPLATE("bitmask products are exact", Types, types<float, float, float>,
                   types<double, double, double>, types<bf16, bf16, float>,
                   types<bf16, float, bf16>, types<f16, f16, f16>, types<s8, u8, s32>,
                   types<s8, s8, s32>, types<s8, u8, float>) {
  check_types<Types>(70, 300, 0.3);
  check_types<Types>(130, 40, 0.5);
  for (const index_t k : {0, 1, 7, 8, 9, 15, 16, 31, 33, 63, 64, 65, 127, 128, 129, 192}) {
    check_types<Types>(9, k, 0.6);
  }
  check_types<Types>(1, 1000, 0.1);
  // Too long for the stack: without a workspace by plain loops.
  check_types<Types>(12, 20000, 0.02);
}

TEST_CASE_TEMPLATE("a column has the same bits wherever it stands and whatever stands beside it", T,
                   float, bf16) {
  const index_t m = 700, k = 900, n = 5;
  rng random(5);
  sparse<T> a(m, k, 0.4, random);
  for (T& v : a.values) v = T(static_cast<float>(random.normal()));
  const auto packed = sk::pack<sk::bitmask>(a.view()).value();
  std::vector<T> x(at(n * k));
  for (index_t i = 0; i < k; ++i) {
    const T v = T(static_cast<float>(random.normal()));
    for (index_t j = 0; j < n; ++j) x[at(j * k + i)] = v;
  }
  std::vector<float> one(at(m));
  std::vector<float> all(at(n * m));
  sk::workspace ws(packed, {.max_columns = n});
  const auto executor = [](index_t tasks, auto&& f) {
    for (index_t t = tasks - 1; t >= 0; --t) f(t, t % 2);
  };
  sk::multiply(packed, sk::dense_view<const T, sk::col_major>(x.data(), k, 1),
               sk::dense_view<float, sk::col_major>(one.data(), m, 1), ws);
  const auto run = [&](const auto& policy, const auto&... scratch) {
    sk::multiply(policy, packed, sk::dense_view<const T, sk::col_major>(x.data(), k, n),
                 sk::dense_view<float, sk::col_major>(all.data(), m, n), scratch...);
  };
  const auto same = [&](index_t j) {
    return std::memcmp(one.data(), all.data() + j * m, at(m) * sizeof(float)) == 0;
  };
  run(sk::par(executor), ws);
  for (index_t j = 0; j < n; ++j) CHECK(same(j));
  run(sk::seq);
  for (index_t j = 0; j < n; ++j) CHECK(same(j));
  x[at(k + 3)] = T(std::numeric_limits<float>::quiet_NaN());
  run(sk::seq, ws);
  CHECK(same(0));
  CHECK(!same(1));
  CHECK(same(2));
}

TEST_CASE("bitmasks convert from and to the other formats, explicit zeros included") {
  rng random(11);
  sparse<float> a(37, 53, 0.3, random);
  a.values[3] = 0;
  a.values[4] = -0.f;
  const auto b = sk::to_bitmask(a.view()).value();
  const auto csr = sk::to_csr(b).value();
  REQUIRE(csr.nnz() == a.view().nnz());
  for (index_t i = 0; i < csr.nnz(); ++i) {
    CHECK(csr.view().columns[i] == a.columns[at(i)]);
    CHECK(std::memcmp(&csr.view().values[i], &a.values[at(i)], 4) == 0);
  }
  for (index_t r = 0; r <= 37; ++r) CHECK(csr.view().row_ptr[r] == a.row_ptr[at(r)]);
  const auto from_csc = sk::to_bitmask(sk::to_csc(a.view()).value()).value();
  CHECK(from_csc.bytes().size() == b.bytes().size());
  CHECK(std::memcmp(from_csc.bytes().data(), b.bytes().data(), at(b.bytes().size())) == 0);
  CHECK(sk::to_sell(b).value().view().nnz() >= b.nnz());

  std::vector<float> dense(37 * 53, 9.f);
  REQUIRE(sk::to_dense(b, sk::dense_view<float>(dense.data(), 37, 53)));
  const auto d = sk::to_bitmask(sk::dense_view<const float>(dense.data(), 37, 53)).value();
  index_t nonzeros = 0;
  for (const float v : dense) nonzeros += v != 0;
  CHECK(d.nnz() == nonzeros);
  CHECK(d.nnz() < b.nnz());
  sk::for_each_entry(d.view(), [&](index_t r, index_t c, float v) {
    CHECK(v == dense[at(r * 53 + c)]);
    CHECK(v != 0);
  });
  std::vector<float> by_columns(37 * 53);
  const sk::dense_view<float, sk::col_major> turned(by_columns.data(), 37, 53);
  for (index_t i = 0; i < 37 * 53; ++i) turned(i / 53, i % 53) = dense[at(i)];
  const auto e = sk::to_bitmask(turned).value();
  CHECK(std::memcmp(e.bytes().data(), d.bytes().data(), at(d.bytes().size())) == 0);
  std::vector<std::int32_t> unsorted{1, 0};
  CHECK(sk::to_bitmask(
            sk::csr_view<const float>{
                {1, 2}, std::vector<std::int32_t>{0, 2}, unsorted, std::vector<float>{1, 2}})
            .value()
            .view()
            .values[0] == 2);
}

TEST_CASE("arrays of compressed-tensors multiply as they lie") {
  const small a;
  REQUIRE(a.fault());
  std::vector<float> x{1, 10, 100, 1000, 10000, 2, 20, 200, 2000, 3, 30};
  std::vector<float> y(3, 99.f);
  REQUIRE(sk::check(a.view(), x, y));
  sk::multiply(a.view(), x, y);
  CHECK(y == std::vector<float>{1 + 2 * 200 + 3 * 2000 + 4 * 30, 0, 5 * 10 + 6 * 100 + 7 * 1000});
  CHECK(sk::check(a.view(), y, x).code == sk::errc::shape_mismatch);
}

TEST_CASE("what is wrong with a bitmask is named") {
  const auto is = [](const sk::status& s, sk::errc code, const char* detail, index_t row) {
    CAPTURE(s.message());
    return s.code == code && std::strstr(s.detail, detail) != nullptr && s.row == row;
  };
  small a;
  a.mask[1] = 0x0d;
  CHECK(is(a.fault(), sk::errc::bad_pattern, "bits beyond cols", 0));
  a = {};
  a.mask[0] = 0x80;
  CHECK(is(a.fault(), sk::errc::bad_pattern, "row offset", 1));
  a = {};
  a.mask[4] = 0x06;
  CHECK(is(a.fault(), sk::errc::bad_pattern, "number of values", -1));
  a = {};
  a.row_offsets[0] = 1;
  CHECK(is(a.fault(), sk::errc::bad_first_offset, "row_offsets", 0));
  a = {};
  a.row_offsets[2] = -4;
  CHECK(is(a.fault(), sk::errc::bad_pattern, "row offset", 2));
  a = {};
  a.row_offsets.push_back(7);
  CHECK(is(a.fault(), sk::errc::length_mismatch, "row_offsets", -1));
  a = {};
  a.mask.pop_back();
  CHECK(is(a.fault(), sk::errc::length_mismatch, "mask", -1));
  a = {};
  a.values.pop_back();
  CHECK(is(a.fault(), sk::errc::bad_pattern, "number of values", -1));
  a = {};
  a.shape = {-3, 11};
  CHECK(is(a.fault(), sk::errc::negative_size, "rows", -1));
  a.shape = {std::int64_t{1} << 40, std::int64_t{1} << 40};
  CHECK(is(a.fault(), sk::errc::size_overflow, "rows", -1));
  a.shape = {3, std::numeric_limits<index_t>::max()};
  CHECK(is(a.fault(), sk::errc::size_overflow, "cols", -1));
  CHECK(is(sk::validate(sk::bitmask_view<const float>{{1, 8}, {nullptr, 1}, {nullptr, 1}, {}}),
           sk::errc::null_array, "mask", -1));
  CHECK(sk::validate(sk::bitmask_view<const float>{}));
  CHECK(sk::validate(sk::bitmask_view<const float>{{0, 11}, {}, {}, {}}));

  // s8: sums that could leave 32 bits, sums of weights.
  const index_t k = 65794;
  std::vector<s8> row(at(k), s8{-128});
  const sk::dense_view<const s8> w(row.data(), 1, k);
  CHECK(is(sk::to_bitmask(w).error(), sk::errc::overflow_possible, "sum of a row", 0));
  row.back() = 0;
  const auto b = sk::to_bitmask(w).value();
  std::vector<u8> x(at(k), 255);
  std::vector<s32> y(1);
  sk::multiply(b, x, y);
  CHECK(y[0] == -128 * 255 * 65793);
  auto wrong = b.view();
  const s32 sum = -1;
  wrong.weight_sums = {&sum, 1};
  CHECK(is(sk::validate(wrong), sk::errc::bad_pattern, "weight_sums", 0));
  wrong.weight_sums = {};
  CHECK(is(sk::validate(wrong), sk::errc::length_mismatch, "weight_sums", -1));
}

TEST_CASE("saved bytes of a bitmask are checked whole") {
  rng random(3);
  const sparse<float> a(20, 70, 0.5, random);
  const auto b = sk::pack<sk::bitmask>(a.view()).value();
  sk::buffer<std::byte> copy;
  REQUIRE(copy.allocate(b.bytes().size()));
  const auto restore = [&] { std::memcpy(copy.data(), b.bytes().data(), at(copy.size())); };
  restore();
  CHECK(sk::bitmask_matrix<float>::view_of(copy.view()));
  CHECK(sk::bitmask_matrix<double>::view_of(copy.view()).error().code == sk::errc::unsupported);
  sk::packed_header h;
  std::memcpy(&h, copy.data(), sizeof h);
  for (int section = 0; section < 2; ++section) {
    restore();
    std::memcpy(&h, copy.data(), sizeof h);
    copy[h.sections[section].offset + 8] ^= std::byte{1};
    CHECK(sk::bitmask_matrix<float>::view_of(copy.view()).error().code == sk::errc::bad_checksum);
    sk::seal_packed(copy.data(), h);
    CHECK(sk::bitmask_matrix<float>::view_of(copy.view()).error().code == sk::errc::bad_pattern);
  }
}

TEST_CASE("pack() makes a bitmask where it is faster, alone in what it saves") {
  rng random(31);
  const sparse<bf16> a(100, 300, 0.6, random);
  const sparse<bf16> sparser(100, 300, 0.2, random);
  const auto packed =
      sk::pack(a.view(), {.columns = {1}, .target = sk::pack_target::avx2}).value();
  CHECK(packed.reason().find("bitmask") != std::string::npos);
  CHECK(packed.lookup().empty());
  CHECK(sk::pack(sparser.view(), {.columns = {1}, .target = sk::pack_target::avx2})
            .value()
            .bits()
            .empty());
  for (const index_t n : {1, 3, 9}) {
    sparsekit_test::check_product<bf16, bf16, float, sk::col_major, sk::col_major>(
        a, packed, n, true, edge::right, random);
  }
  const auto saved = packed.save().value();
  CHECK(sk::packed_matrix<bf16>::view_of(saved.view()).value().bits.nnz() == packed.nnz());
  const auto loaded = sk::packed_matrix<bf16>::from_bytes(saved.view()).value();
  CHECK(loaded.bits().bytes().size() == packed.bits().bytes().size());
}

TEST_CASE_TEMPLATE("transposed bitmasks, and bitmasks on the right", T, float, double) {
  rng random(8);
  const sparse<T> a(45, 37, 0.4, random);
  const auto b = sk::pack<sk::bitmask>(a.view()).value();
  sparsekit_test::dense<T> turned(37, 45);
  for (index_t r = 0; r < 45; ++r) {
    a.for_row(r, [&](index_t c, double v) { turned(c, r) = static_cast<T>(v); });
  }
  sparsekit_test::check_product<T>(sk::transposed(b), turned, {1, 2, 17});
  CHECK(sk::transposed(sk::transposed(b)).nnz() == b.nnz());
}
