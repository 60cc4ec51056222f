// N:M formats: every pattern of 2:4 and 4:8 and every pair of 2:4 patterns through every kernel, what a pattern
// hides from the result, conversions, pruning to shared patterns, and all that can be malformed.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <sparsekit/multiply.hpp>
#include <sparsekit/pack/nm.hpp>
#include <vector>

#include "sparsekit/convert/to_dense.hpp"
#include "support/every_way.hpp"
#include "support/nm_patterns.hpp"
#include "support/rng.hpp"

namespace sk = sparsekit;
using sk::index_t;
using sparsekit_test::at;
using sparsekit_test::check_product;
using sparsekit_test::dense;
using sparsekit_test::in_every_way;
using sparsekit_test::patterns;
using sparsekit_test::rng;

namespace {

template <class T>
T weight(index_t r, index_t c) {
  return static_cast<T>((r * 3 + c * 11) % 9 + 1);
}

}  // namespace

TEST_CASE_TEMPLATE("every pattern of 2:4 and of 4:8 by itself", T, float, double) {
  int tried = 0;
  for (const auto& [n, m] : {std::pair{2, 4}, std::pair{4, 8}}) {
    for (const std::uint32_t p : patterns(n, m)) {
      dense<T> w(18, 5 * m);
      for (index_t r = 0; r < w.rows; ++r) {
        for (index_t c = 0; c < w.cols; ++c) {
          if (p >> (c % m) & 1) w(r, c) = weight<T>(r, c);
        }
      }
      const auto a = sk::to_nm(w.view(), {n, m, 1}).value();
      REQUIRE(sk::validate(a.view()));
      const auto packed = sk::pack(a).value();
      REQUIRE(sk::validate(packed.view()));
      CHECK(packed.nnz() == w.rows * 5 * n);
      check_product(packed, w, {1, 3, 17});
      ++tried;
    }
  }
  CHECK(tried == 6 + 70);
}

TEST_CASE_TEMPLATE("all 36 pairs of 2:4 patterns in neighbouring rows", T, float, double) {
  int tried = 0;
  for (const std::uint32_t p : patterns(2, 4)) {
    for (const std::uint32_t q : patterns(2, 4)) {
      dense<T> w(16, 24);
      for (index_t r = 0; r < w.rows; ++r) {
        for (index_t c = 0; c < w.cols; ++c) {
          if ((r % 2 == 0 ? p : q) >> (c % 4) & 1) w(r, c) = weight<T>(r, c);
        }
      }
      check_product(sk::pack<sk::nm<2, 4>>(w.view()).value(), w, {1, 9, 16});
      // Shared by the pair, their union must fit: 2:4 for six pairs, 4:4 for all.
      if (p == q) check_product(sk::pack<sk::nm<2, 4, 2>>(w.view()).value(), w, {1, 9, 16});
      CHECK((p == q) == sk::to_nm(w.view(), {2, 4, 2}).has_value());
      check_product(sk::pack<sk::nm<4, 4, 2>>(w.view()).value(), w, {1, 9, 16});
      ++tried;
    }
  }
  CHECK(tried == 36);
}

TEST_CASE_TEMPLATE("shapes that are no multiple of anything", T, float, double) {
  rng random(1);
  long turn = 0;
  for (const index_t rows : {1, 7, 16, 35}) {
    for (const index_t cols : {1, 3, 5, 30, 261, 520}) {
      for (const sk::nm_shape g : {sk::nm_shape{2, 4, 1}, {1, 4, 2}, {2, 4, 8}, {1, 8, 16},
                                   {3, 5, 4}, {1, 2, 1}, {2, 8, 1}, {16, 16, 8}, {1, 1, 1}}) {
        // 9 of g, so that each has its turn at every other number of columns: those that few rows
        // leave out, more have.
        if (!sparsekit_test::is_tried(turn++, rows / 10)) continue;
        dense<T> w(rows, cols);
        for (T& v : w.data) v = static_cast<T>(random.between(-4, 4));
        REQUIRE(sk::prune_nm(w.view(), g));
        const auto a = sk::to_nm(w.view(), g).value();
        REQUIRE(sk::validate(a.view()));
        const auto packed = sk::pack(a).value();
        REQUIRE(sk::validate(packed.view()));
        check_product(packed, w, {1, 2, 8, 9, 65});
        // And back.
        dense<T> back(rows, cols, T{99});
        REQUIRE(sk::to_dense(a, back.view()));
        CHECK(back.data == w.data);
      }
    }
  }
}

TEST_CASE("an empty matrix still writes y") {
  for (const index_t cols : {0, 5}) {
    const dense<float> w(20, cols);
    check_product(sk::pack<sk::nm<2, 4>>(w.view()).value(), w, {1, 4, 20});
  }
  const dense<float> none(0, 8);
  CHECK(sk::pack<sk::nm<2, 4>>(none.view()).value().rows() == 0);
}

TEST_CASE_TEMPLATE("NaN and Inf in X reach exactly the rows that have the column", T, float,
                   double) {
  rng random(2);
  const index_t rows = 33;
  const index_t cols = 22;
  for (const sk::nm_shape g : {sk::nm_shape{2, 4, 1}, {2, 4, 2}, {4, 8, 8}, {1, 4, 16}}) {
    // Groups are short, and rows leave out columns that they share: empty slots of all kinds.
    dense<T> w(rows, cols);
    for (T& v : w.data) v = static_cast<T>(random.between(1, 4));
    REQUIRE(sk::prune_nm(w.view(), g));
    for (T& v : w.data) v = random.chance(0.4) ? T{0} : v;
    const auto packed = sk::pack(sk::to_nm(w.view(), g).value()).value();
    index_t reached = 0;
    for (index_t bad = 0; bad < cols; ++bad) {
      for (const T value :
           {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()}) {
        reached += check_product(packed, w, {1, 5, 19}, [&](index_t k, index_t j) {
          return k == bad && j % 2 == 0 ? value : T(k % 5 + j % 3);
        });
      }
    }
    CHECK(reached > 0);
  }
}

TEST_CASE_TEMPLATE("a column has the same bits alone, in any batch and beside NaN", T, float,
                   double) {
  rng random(3);
  dense<T> w(40, 300);
  for (T& v : w.data) v = static_cast<T>(random.normal());
  const auto packed = sk::pack<sk::nm<2, 4, 2>>(w.view(), sk::magnitude_pruning).value();
  std::vector<T> x(300);
  for (T& v : x) v = static_cast<T>(random.normal());
  std::vector<T> alone(40);
  sk::multiply(packed, x, alone);
  index_t wrong = 0;
  for (const bool poisoned : {false, true}) {
    in_every_way<T>(
        packed,
        [&](index_t k, index_t j) {
          if (poisoned && j > 0 && k % 50 == 1) return std::numeric_limits<T>::quiet_NaN();
          return x[at(k)];
        },
        {1, 2, 7, 8, 9, 33, 64, 130}, [&](const auto&, const auto& y, index_t n) {
          for (index_t r = 0; r < 40; ++r) {
            wrong += !(y(r, 0) == alone[at(r)]);
            for (index_t j = 1; !poisoned && j < n; ++j) wrong += !(y(r, j) == alone[at(r)]);
          }
        });
  }
  CHECK(wrong == 0);
}

TEST_CASE("stored zeros are entries, and conversions keep them") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<int> ptr{0, 2, 3};
  const std::vector<int> columns{1, 2, 6};
  const std::vector<float> values{0.0f, 3.0f, -0.0f};
  const sk::csr_view<const float> csr{{2, 8}, ptr, columns, values};
  const auto a = sk::to_nm(csr, {2, 4}).value();
  REQUIRE(sk::validate(a.view()));
  const auto back = sk::to_csr(a).value();
  CHECK(back.nnz() == 3);
  const auto packed = sk::pack(a).value();
  CHECK(packed.nnz() == 3);
  REQUIRE(sk::validate(packed.view()));
  std::vector<float> x(8, 1.0f);
  std::vector<float> y(2);
  x[1] = nan;
  sk::multiply(packed, x, y);
  CHECK(std::isnan(y[0]));
  CHECK(y[1] == 0.0f);
  x[1] = 1;
  x[5] = nan;  // nobody's column
  sk::multiply(packed, x, y);
  CHECK(y[0] == 3.0f);
  CHECK(y[1] == 0.0f);
  x[6] = nan;
  sk::multiply(packed, x, y);
  CHECK(std::isnan(y[1]));
  // COO lists the entries only, not the empty slots.
  CHECK(sk::to_coo(a).value().nnz() == 3);
}

TEST_CASE("pruning: ties, zeros, the energy of shared patterns, scores") {
  dense<float> w(2, 6);
  w.data = {1, -1, 1, 1, 5, 4, 0, 0, 0, 2, 0, 0};
  const auto free_pattern = sk::to_nm(w.view(), {2, 4}, sk::magnitude_pruning).value();
  dense<float> out(2, 6);
  REQUIRE(sk::to_dense(free_pattern, out.view()));
  CHECK(out.data == std::vector<float>{1, -1, 0, 0, 5, 4, 0, 0, 0, 2, 0, 0});

  // Columns 0 and 3 have the most energy of both rows: 1 + 0 and 1 + 4.
  dense<float> shared = w;
  REQUIRE(sk::prune_nm(shared.view(), {2, 4, 2}));
  CHECK(shared.data == std::vector<float>{1, 0, 0, 1, 5, 4, 0, 0, 0, 2, 0, 0});
  const auto packed = sk::pack<sk::nm<2, 4, 2>>(w.view(), sk::magnitude_pruning).value();
  CHECK(packed.nnz() == 5);

  dense<double> scores(2, 6);
  scores.data = {0, 0, 9, 1, 0, 0, 0, 9, 0, 1, 0, 0};
  const sk::score_pruning by(scores.view());
  const auto scored = sk::to_nm(w.view(), {1, 4, 2}, by).value();
  REQUIRE(sk::to_dense(scored, out.view()));
  CHECK(out.data == std::vector<float>{0, -1, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0});

  const auto code = [](const auto& r) { return r.error().code; };
  scores(0, 3) = std::numeric_limits<double>::infinity();
  CHECK(code(sk::to_nm(w.view(), {1, 4}, sk::score_pruning(scores.view()))) ==
        sk::errc::not_finite);
  const dense<float> narrow(2, 5);
  CHECK(code(sk::to_nm(w.view(), {1, 4}, sk::score_pruning(narrow.view()))) ==
        sk::errc::shape_mismatch);
  w(1, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK(code(sk::to_nm(w.view(), {2, 4}, sk::magnitude_pruning)) == sk::errc::not_finite);
}

TEST_CASE("pruning to blocks") {
  dense<float> w(4, 6);
  for (index_t r = 0; r < 4; ++r) {
    for (index_t c = 0; c < 6; ++c) w(r, c) = static_cast<float>(r / 2 * 3 + c / 2 + 1);
  }
  REQUIRE(sk::prune_blocks(w.view(), {2, 2}, 0.5));
  for (index_t r = 0; r < 4; ++r) {
    for (index_t c = 0; c < 6; ++c) CHECK((w(r, c) == 0.0f) == (r < 2));
  }
  // By scores. Blocks at the edges have fewer places: sums of 12, 6, 4 and 2.
  dense<double> scores(4, 6, 1.0);
  dense<float> full(4, 6, 1.0f);
  REQUIRE(sk::prune_blocks(full.view(), {3, 4}, 0.5, scores.view()));
  for (index_t r = 0; r < 4; ++r) {
    for (index_t c = 0; c < 6; ++c) CHECK((full(r, c) == 0.0f) == (r == 3));
  }
  // Signed: the last block's sum passes all others, the first one's falls behind them.
  scores(3, 5) = 20;
  scores(0, 0) = -20;
  full = dense<float>(4, 6, 1.0f);
  REQUIRE(sk::prune_blocks(full.view(), {3, 4}, 0.5, scores.view()));
  for (index_t r = 0; r < 4; ++r) {
    for (index_t c = 0; c < 6; ++c) CHECK((full(r, c) == 0.0f) == (c < 4));
  }
  const dense<float> before = full;
  scores(1, 5) = std::numeric_limits<double>::quiet_NaN();
  const sk::status s = sk::prune_blocks(full.view(), {3, 4}, 0.5, scores.view());
  CHECK(s.code == sk::errc::not_finite);
  CHECK(s.row == 1);
  CHECK(full.data == before.data);
  CHECK(sk::prune_blocks(w.view(), {0, 2}, 0.5).code == sk::errc::bad_argument);
  CHECK(sk::prune_blocks(w.view(), {2, 2}, 1.5).code == sk::errc::bad_argument);
  CHECK(sk::prune_blocks(w.view(), {2, 2}, 0.5, dense<float>(4, 5).view()).code ==
        sk::errc::shape_mismatch);
}

TEST_CASE("malformed N:M matrices are named") {
  const dense<float> w(4, 8, 1.0f);
  const auto code = [](const auto& r) { return r.error().code; };
  const auto with = [&](index_t n, index_t m, index_t v) {
    return code(sk::to_nm(w.view(), sk::nm_shape{n, m, v}));
  };
  CHECK(with(5, 4, 1) == sk::errc::bad_argument);
  CHECK(with(0, 4, 1) == sk::errc::bad_argument);
  CHECK(with(2, 0, 1) == sk::errc::bad_argument);
  CHECK(with(2, -4, 1) == sk::errc::bad_argument);
  CHECK(with(2, 17, 1) == sk::errc::bad_argument);
  CHECK(with(4, 4, 0) == sk::errc::bad_argument);
  CHECK(with(4, 4, 3) == sk::errc::bad_argument);
  CHECK(with(4, 4, 32) == sk::errc::bad_argument);
  CHECK(with(2, 4, 1) == sk::errc::bad_pattern);
  CHECK(with(4, 4, 1) == sk::errc::ok);
  const auto refused = sk::to_nm(w.view(), {2, 4});
  CHECK(refused.error().got.text() == "4");
  CHECK(refused.error().allowed.text() == "2");

  // Two rows of 2:4 with a last group of one column.
  std::vector<std::uint8_t> places{0, 3, 0, 255, 1, 2, 0, 255};
  std::vector<float> values{1, 2, 3, 0, 4, 5, 6, 0};
  std::vector<std::uint64_t> pattern;
  sk::extents shape(2, 5);
  const auto view = [&] {
    return sk::nm_view<const float>{shape, {2, 4, 1}, places, values, pattern};
  };
  const auto is = [&](sk::errc expected) {
    const sk::status s = sk::validate(view());
    CHECK_MESSAGE(s.code == expected, s.message());
  };
  is(sk::errc::ok);
  places[1] = 4;
  is(sk::errc::bad_pattern);  // outside the group
  places[1] = 0;
  is(sk::errc::bad_pattern);  // twice
  places[0] = 3, places[1] = 1;
  is(sk::errc::bad_pattern);  // not increasing
  places[0] = 255, places[1] = 1;
  is(sk::errc::bad_pattern);  // after an empty slot
  places[0] = 0, places[1] = 3, places[3] = 1;
  is(sk::errc::bad_pattern);  // outside the matrix
  places[3] = 255, values[3] = 1;
  is(sk::errc::bad_pattern);  // a value without a place
  values[3] = 0, values[1] = 0;
  is(sk::errc::ok);
  pattern = {0b01110111};
  is(sk::errc::ok);
  pattern = {0b01111111};
  is(sk::errc::bad_pattern);  // an entry without a place
  pattern = {0b01110110};
  is(sk::errc::bad_pattern);  // a value that is no entry
  pattern = {0b1001110111};
  is(sk::errc::bad_pattern);  // bits beyond
  pattern = {0, 0};
  is(sk::errc::length_mismatch);
  pattern.clear();
  values.push_back(0);
  is(sk::errc::length_mismatch);
  values.pop_back();
  places.pop_back();
  is(sk::errc::length_mismatch);
  shape = sk::extents(-1, 5);
  is(sk::errc::negative_size);
  shape = sk::extents(std::numeric_limits<index_t>::max() / 4, index_t{1} << 30);
  is(sk::errc::size_overflow);
  shape = sk::extents(1, index_t{1} << 40);
  is(sk::errc::size_overflow);
  shape = sk::extents(2, 5);
  CHECK(sk::validate(sk::nm_view<const float>{shape, {2, 4, 1}, {static_cast<std::uint8_t*>(nullptr), 8},
                                              values, pattern})
            .code == sk::errc::null_array);
}

TEST_CASE("packed bytes: read where they lie, damage is noticed") {
  rng random(4);
  dense<float> w(20, 37);
  for (float& v : w.data) v = static_cast<float>(random.normal());
  const auto packed = sk::pack<sk::nm<2, 4, 2>>(w.view(), sk::magnitude_pruning).value();
  sk::buffer<std::byte> bytes;
  REQUIRE(bytes.allocate(packed.bytes().size()));
  const auto reset = [&] {
    std::memcpy(bytes.data(), packed.bytes().data(), at(bytes.size()));
  };
  const auto load = [&] { return sk::packed_nm<float>::view_of(bytes.view()); };
  reset();
  REQUIRE(load().has_value());
  CHECK(load().value().nnz() == packed.nnz());
  CHECK(sk::packed_nm<double>::view_of(bytes.view()).error().code == sk::errc::unsupported);
  int accepted = 0;
  for (index_t i = 0; i < bytes.size(); ++i) {
    reset();
    bytes[i] ^= std::byte{0x10};
    accepted += load().has_value();
  }
  CHECK(accepted == 0);
  // With a checksum that fits, contents that contradict each other are still refused.
  const auto refused = [&](index_t section, index_t offset, std::byte flip) {
    reset();
    sk::packed_header h;
    std::memcpy(&h, bytes.data(), sizeof h);
    bytes[h.sections[section].offset + offset] ^= flip;
    h.checksum = sk::packed_checksum_of(bytes.data(), bytes.size());
    std::memcpy(bytes.data(), &h, sizeof h);
    return load().error().code == sk::errc::corrupt;
  };
  CHECK(refused(1, 0, std::byte{4}));     // a column in another group
  CHECK(refused(1, 0, std::byte{0x80}));  // a column beyond the matrix
  CHECK(refused(2, 0, std::byte{1}));     // a place that contradicts the column
  CHECK(refused(0, 15 * 4 + 16 * 4 * (20 * 1) + 3, std::byte{0x80}));  // a value in a padding row
}
