// Conversions among COO, CSR, CSC and dense: round trips over every pattern, from guarded read-only
// arrays.
#include "sparsekit/convert/conversions.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "sparsekit/convert/from_dense.hpp"
#include "sparsekit/convert/from_view.hpp"
#include "sparsekit/convert/to_bitmask.hpp"
#include "sparsekit/convert/to_bsr.hpp"
#include "sparsekit/convert/to_dense.hpp"
#include "sparsekit/convert/to_nm.hpp"
#include "sparsekit/convert/to_structured.hpp"
#include "sparsekit/convert/transpose.hpp"
#include "support/describe.hpp"
#include "support/matrices.hpp"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace sk = sparsekit;
using sk::errc;
using sk::index_t;
using sparsekit_test::all_patterns;
using sparsekit_test::both_edges;
using sparsekit_test::by_columns;
using sparsekit_test::by_rows;
using sparsekit_test::describe;
using sparsekit_test::edge;
using sparsekit_test::entries_of;
using sparsekit_test::entry_list;
using sparsekit_test::guarded;
using sparsekit_test::guarded_csr;
using sparsekit_test::pattern;
using sparsekit_test::rng;

namespace {

const sk::extents shapes[] = {{0, 0}, {0, 9}, {9, 0}, {1, 1}, {1, 70}, {70, 1}, {33, 47}, {64, 20}};

/// `a` written out by to_dense into NaN-filled guarded memory with an odd leading dimension; gaps
/// must stay as they were. Row-major, without gaps.
template <class Layout, class A>
std::vector<float> dense_of(const A& a, edge e) {
  const index_t rows = a.rows();
  const index_t cols = a.cols();
  const index_t width = Layout::rows_contiguous ? cols : rows;
  const index_t ld = width + 3;
  const sk::dense_view<float, Layout> measure(nullptr, rows, cols, ld);
  guarded<float> memory(measure.span_size(), e);
  constexpr std::uint32_t untouched = 0x7FC00123u;  // a NaN
  memory.fill(std::bit_cast<float>(untouched));
  const sk::dense_view<float, Layout> out(memory.data(), rows, cols, ld);
  REQUIRE(describe(sk::to_dense(a, out)) == "ok");
  std::vector<float> list;
  for (index_t r = 0; r < rows; ++r) {
    for (index_t c = 0; c < cols; ++c) list.push_back(out(r, c));
  }
  for (index_t i = 0; i < memory.size(); ++i) {
    if (i % ld >= width) REQUIRE(std::bit_cast<std::uint32_t>(memory[i]) == untouched);
  }
  CHECK(memory.intact());
  return list;
}

void round_trips(pattern p, sk::extents shape, edge e, rng& random) {
  CAPTURE(std::string(sparsekit_test::name_of(p)));
  CAPTURE(shape.rows);
  CAPTURE(shape.cols);
  CAPTURE(std::string(sparsekit_test::name_of(e)));
  const auto arrays = sparsekit_test::make_csr<float>(p, shape.rows, shape.cols, 0.3, random);
  const guarded_csr held(arrays, e);
  const auto source = held.view();
  const auto entries = entries_of(source);
  REQUIRE(describe(sk::validate(source)) == "ok");

  const auto csc = sk::to_csc(source).value();
  REQUIRE(describe(sk::validate(csc.view())) == "ok");
  CHECK((entries_of(csc.view()) == by_columns(entries)));
  const auto coo = sk::to_coo(csc).value();
  REQUIRE(describe(sk::validate(coo.view())) == "ok");
  CHECK((entries_of(coo.view()) == entries));
  const auto csr = sk::to_csr(coo.view()).value();
  REQUIRE(describe(sk::validate(csr.view())) == "ok");
  CHECK((entries_of(csr.view()) == entries));
  CHECK((entries_of(sk::to_csr(csc).value().view()) == entries));
  CHECK((entries_of(sk::to_coo(csr).value().view()) == entries));

  // The transpose: as a view, as a copy, and of itself.
  const auto flipped = sk::to_csr(sk::transposed(csr)).value();
  CHECK(flipped.shape() == sk::extents(shape.cols, shape.rows));
  auto swapped = by_columns(entries);
  for (auto& [row, col, value] : swapped) std::swap(row, col);
  CHECK((entries_of(flipped.view()) == swapped));
  CHECK((by_rows(entries_of(sk::transposed(coo))) == swapped));
  CHECK((entries_of(sk::transposed(sk::transposed(csr))) == entries));
  CHECK((entries_of(sk::to_csr(sk::transposed(flipped)).value().view()) == entries));

  // Dense in both layouts and back. Values are not zero here, so the pattern survives.
  const auto written = sparsekit_test::expand(arrays);
  CHECK((dense_of<sk::row_major>(source, e) == written));
  CHECK((dense_of<sk::col_major>(source, e) == written));
  CHECK((dense_of<sk::row_major>(csc, e) == written));
  CHECK((dense_of<sk::col_major>(coo, e) == written));
  guarded<float> memory(written, e);
  memory.freeze();
  const sk::dense_view<const float> dense(std::as_const(memory).data(), shape.rows, shape.cols);
  const sk::dense_view<const float, sk::col_major> dense_flipped = sk::transposed(dense);
  using csr_type = sk::csr_matrix<float>;
  using csc_type = sk::csc_matrix<float>;
  using coo_type = sk::coo_matrix<float>;
  CHECK((entries_of(csr_type::from_dense(dense).value().view()) == entries));
  CHECK((entries_of(csc_type::from_dense(dense).value().view()) == by_columns(entries)));
  CHECK((entries_of(coo_type::from_dense(dense).value().view()) == entries));
  CHECK((entries_of(csr_type::from_dense(dense_flipped).value().view()) == swapped));
  CHECK((entries_of(csc_type::from_dense(dense_flipped).value().view()) == by_columns(swapped)));
  CHECK((entries_of(coo_type::from_dense(dense_flipped).value().view()) == swapped));

  // Copies.
  CHECK((entries_of(csr_type::from_view(source).value().view()) == entries));
  CHECK((entries_of(csc_type::from_view(csc.view()).value().view()) == by_columns(entries)));
  CHECK((entries_of(coo_type::from_view(coo.view()).value().view()) == entries));
}

/// The same matrix as `arrays`, its rows shuffled, and every third entry split into two that add
/// up.
sparsekit_test::csr_arrays<float> scramble(const sparsekit_test::csr_arrays<float>& arrays,
                                           rng& random) {
  sparsekit_test::csr_arrays<float> out{arrays.rows, arrays.cols, {0}, {}, {}};
  for (std::size_t r = 0; r < static_cast<std::size_t>(arrays.rows); ++r) {
    std::vector<std::pair<std::int32_t, float>> row;
    for (auto p = static_cast<std::size_t>(arrays.row_ptr[r]);
         p < static_cast<std::size_t>(arrays.row_ptr[r + 1]); ++p) {
      const float v = arrays.values[p];
      if (p % 3 == 0) {
        row.emplace_back(arrays.columns[p], v - 8.f);
        row.emplace_back(arrays.columns[p], 8.f);
      } else {
        row.emplace_back(arrays.columns[p], v);
      }
    }
    for (std::size_t i = row.size(); i > 1; --i) {
      std::swap(row[i - 1], row[static_cast<std::size_t>(random.below(static_cast<index_t>(i)))]);
    }
    for (const auto& [column, value] : row) {
      out.columns.push_back(column);
      out.values.push_back(value);
    }
    out.row_ptr.push_back(static_cast<std::int32_t>(out.columns.size()));
  }
  return out;
}

}  // namespace

TEST_CASE("round trips over every pattern and shape") {
  rng random(2);
  for (pattern p : all_patterns) {
    for (const sk::extents& shape : shapes) {
      round_trips(p, shape, edge::right, random);
      round_trips(p, shape, edge::left, random);
    }
  }
}

TEST_CASE_TEMPLATE("other widths of indices and offsets", Types,
                   std::pair<std::uint16_t, std::int64_t>, std::pair<std::int64_t, std::uint16_t>) {
  using Index = typename Types::first_type;
  using Offset = typename Types::second_type;
  rng random(3);
  const auto arrays =
      sparsekit_test::make_csr<double, Index, Offset>(pattern::magnitude_like, 33, 47, 0.3, random);
  for (edge e : both_edges) {
    const guarded_csr<double, Index, Offset> held(arrays, e);
    const auto entries = entries_of(held.view());
    REQUIRE(sk::validate(held.view()));
    const auto csc = sk::to_csc(held.view()).value();
    static_assert(std::is_same_v<decltype(csc), const sk::csc_matrix<double, Index, Offset>>);
    CHECK((entries_of(csc.view()) == by_columns(entries)));
    const auto coo = sk::to_coo(csc).value();
    CHECK((entries_of(coo.view()) == entries));
    const auto csr = sk::to_csr<Index, Offset>(coo).value();
    static_assert(std::is_same_v<decltype(csr), const sk::csr_matrix<double, Index, Offset>>);
    CHECK((entries_of(csr.view()) == entries));
  }
}

TEST_CASE("rows out of order and entries at one place: sorted and summed") {
  rng random(4);
  for (pattern p : {pattern::uniform, pattern::one_full_row, pattern::empty_rows, pattern::full}) {
    const auto arrays =
        sparsekit_test::make_csr<float>(p, 19, 83, 0.4, random, sparsekit_test::small_integers{});
    const auto messy = scramble(arrays, random);
    const auto expected = entries_of(guarded_csr(arrays, edge::right).view());
    for (edge e : both_edges) {
      CAPTURE(std::string(sparsekit_test::name_of(p)));
      const guarded_csr held(messy, e);
      const auto view = held.view();
      REQUIRE(sk::validate(view).code != errc::ok);
      CHECK((entries_of(sk::to_csr(view).value().view()) == expected));
      CHECK((entries_of(sk::to_csc(view).value().view()) == by_columns(expected)));
      CHECK((entries_of(sk::to_coo(view).value().view()) == expected));
      CHECK((entries_of(sk::to_csr(sk::unchecked, view).value().view()) == expected));
      CHECK((dense_of<sk::row_major>(view, e) == sparsekit_test::expand(arrays)));
      // A CSC view of the transpose is as messy.
      const auto flipped = sk::to_csc(sk::transposed(view)).value();
      CHECK((entries_of(sk::transposed(flipped)) == expected));
      // from_view copies, so it wants what it copies in order; COO has no order, so it sorts.
      CHECK(sk::csr_matrix<float>::from_view(view).error().code == sk::validate(view).code);
      CHECK(sk::csr_matrix<float>::from_view(sk::unchecked, view).value().nnz() == view.nnz());
    }
  }
}

TEST_CASE("conversions validate views, and trust owners and sk::unchecked") {
  const std::int32_t row_ptr[] = {0, 1, 2};
  const std::int32_t columns[] = {0, 7};
  const std::int32_t rows[] = {0, 1};
  const float values[] = {1, 2};
  float memory[6] = {};
  const sk::csr_view<const float> csr{{2, 3}, row_ptr, columns, values};
  const std::string expected =
      "column_out_of_range entry 1 row 1 got 7 allowed 3 | "
      "csr: column index 7 at entry 1 (row 1) is not below cols = 3";
  CHECK(describe(sk::to_csr(csr).error()) == expected);
  CHECK(describe(sk::to_csc(csr).error()) == expected);
  CHECK(describe(sk::to_coo(csr).error()) == expected);
  CHECK(describe(sk::to_dense(csr, sk::dense_view<float>(memory, 2, 3))) == expected);
  CHECK(describe(sk::csr_matrix<float>::from_view(csr).error()) == expected);
  const std::string by_column =
      "row_out_of_range entry 1 row 1 got 7 allowed 3 | "
      "csc: row index 7 at entry 1 (column 1) is not below rows = 3";
  CHECK(describe(sk::to_csr(sk::transposed(csr)).error()) == by_column);
  CHECK(describe(sk::csc_matrix<float>::from_view(sk::transposed(csr)).error()) == by_column);
  const sk::coo_view<const float> coo{{2, 3}, rows, columns, values};
  const std::string of_coo =
      "column_out_of_range entry 1 row -1 got 7 allowed 3 | "
      "coo: column index 7 at entry 1 is not below cols = 3";
  CHECK(describe(sk::to_csr(coo).error()) == of_coo);
  CHECK(describe(sk::coo_matrix<float>::from_view(coo).error()) == of_coo);
}

TEST_CASE("to_dense refuses what does not fit") {
  const auto a = sk::to_csr(sk::coo_view<const float>{{2, 3}, {}, {}, {}}).value();
  float memory[12] = {};
  CHECK(describe(sk::to_dense(a, sk::dense_view<float>(memory, 3, 3))) ==
        "shape_mismatch entry -1 row -1 got 3 allowed 2 | dense: rows is 3, expected 2");
  CHECK(describe(sk::to_dense(a, sk::dense_view<float>(memory, 2, 4))) ==
        "shape_mismatch entry -1 row -1 got 4 allowed 3 | dense: cols is 4, expected 3");
  CHECK(describe(sk::to_dense(a, sk::dense_view<float>(memory, 2, 3, 2))) ==
        "bad_leading_dimension entry -1 row -1 got 2 allowed 3 | "
        "dense: leading dimension 2 is below 3");
  CHECK(sk::to_dense(a, sk::dense_view<float>(nullptr, 2, 3)).code == errc::null_array);
}

TEST_CASE("from_dense refuses what is no matrix or does not fit the types") {
  float memory[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  using csr = sk::csr_matrix<float>;
  CHECK(csr::from_dense(sk::dense_view<float>(memory, -1, 3)).error().code == errc::negative_size);
  CHECK(csr::from_dense(sk::dense_view<float>(memory, 2, 3, 1)).error().code ==
        errc::bad_leading_dimension);
  CHECK(csr::from_dense(sk::dense_view<float>(nullptr, 2, 3)).error().code == errc::null_array);
  CHECK(sk::coo_matrix<float>::from_dense(sk::dense_view<float>(nullptr, 2, 3)).error().code ==
        errc::null_array);
  CHECK(csr::from_dense(sk::dense_view<float>(memory, index_t{1} << 40, index_t{1} << 40))
            .error()
            .code == errc::size_overflow);
  // Null data with a leading dimension and nothing to read.
  CHECK(csr::from_dense(sk::dense_view<float>(nullptr, 5, 0, 8)).value().rows() == 5);
  CHECK(sk::csc_matrix<float>::from_dense(sk::dense_view<float, sk::col_major>(nullptr, 0, 5, 8))
            .value()
            .cols() == 5);

  const std::vector<float> ones(40000, 1.f);
  using narrow = sk::csr_matrix<float, std::uint16_t, std::int16_t>;
  CHECK(describe(narrow::from_dense(sk::dense_view<const float>(ones.data(), 200, 200)).error()) ==
        "size_overflow entry -1 row -1 got 40000 allowed 32767 | csr: nnz = 40000 exceeds 32767");
  const std::vector<float> zeros(70000, 0.f);
  CHECK(describe(narrow::from_dense(sk::dense_view<const float>(zeros.data(), 1, 70000)).error()) ==
        "size_overflow entry -1 row -1 got 70000 allowed 65536 | csr: cols = 70000 exceeds 65536");
}

TEST_CASE("other index types on request, checked") {
  const auto a = sk::csr_matrix<float>::from_dense(
                     sk::dense_view<const float>(std::vector<float>(70000, 1.f).data(), 1, 70000))
                     .value();
  const auto wide = sk::to_csr<std::int64_t, std::uint64_t>(a).value();
  static_assert(
      std::is_same_v<decltype(wide), const sk::csr_matrix<float, std::int64_t, std::uint64_t>>);
  CHECK((entries_of(wide.view()) == entries_of(a.view())));
  const auto coo = sk::to_coo<std::uint32_t>(a).value();
  static_assert(std::is_same_v<decltype(coo), const sk::coo_matrix<float, std::uint32_t>>);
  CHECK((entries_of(coo.view()) == entries_of(a.view())));
  CHECK(describe(sk::to_csr<std::uint16_t>(a).error()) ==
        "size_overflow entry -1 row -1 got 70000 allowed 65536 | csr: cols = 70000 exceeds 65536");
  CHECK(describe(sk::to_coo<std::int16_t>(a).error()) ==
        "size_overflow entry -1 row -1 got 70000 allowed 32768 | coo: cols = 70000 exceeds 32768");
  CHECK(describe(sk::to_csc<std::uint16_t, std::uint16_t>(a).error()) ==
        "size_overflow entry -1 row -1 got 70000 allowed 65535 | csc: nnz = 70000 exceeds 65535");
  CHECK(sk::to_csc<std::uint16_t>(a).value().nnz() == 70000);
}

TEST_CASE("zeros, NaN, infinities and subnormals of dense input") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const float tiny = std::numeric_limits<float>::denorm_min();
  const float w[] = {0.f, -0.f, nan, 0.f, inf, -tiny};
  const sk::dense_view<const float> dense(w, 2, 3);
  const auto a = sk::csr_matrix<float>::from_dense(dense).value();
  REQUIRE(a.nnz() == 3);
  CHECK(a.view().columns[0] == 2);
  CHECK(std::bit_cast<std::uint32_t>(a.view().values[0]) == std::bit_cast<std::uint32_t>(nan));
  CHECK(a.view().values[1] == inf);
  CHECK(a.view().values[2] == -tiny);
  const double d[] = {0., -0., std::numeric_limits<double>::denorm_min(), 1., 0., 0.};
  CHECK(sk::csc_matrix<double>::from_dense(sk::dense_view<const double>(d, 2, 3)).value().nnz() ==
        2);
  const std::int8_t i[] = {0, -128, 1, 0, 0, 127};
  CHECK(sk::coo_matrix<std::int8_t>::from_dense(sk::dense_view<const std::int8_t>(i, 2, 3))
            .value()
            .nnz() == 3);
}

#if defined(__SSE2__)
TEST_CASE("subnormal weights survive where the caller flushes them to zero") {
  const float tiny = std::numeric_limits<float>::denorm_min();
  const float w[] = {0.f, tiny, -tiny, 0.f};
  float back[4] = {1, 1, 1, 1};
  const unsigned int before = _mm_getcsr();
  _mm_setcsr(before | 0x8040u);  // flush to zero, denormals are zero
  const auto a = sk::csr_matrix<float>::from_dense(sk::dense_view<const float>(w, 2, 2)).value();
  const sk::status s = sk::to_dense(a, sk::dense_view<float>(back, 2, 2));
  _mm_setcsr(before);
  REQUIRE(s);
  CHECK(a.nnz() == 2);
  for (int k = 0; k < 4; ++k) {
    CHECK(std::bit_cast<std::uint32_t>(back[k]) == std::bit_cast<std::uint32_t>(w[k]));
  }
}
#endif

TEST_CASE("explicit zeros stay entries through every conversion") {
  const std::int32_t rows[] = {1, 0, 1};
  const std::int32_t columns[] = {1, 0, 0};
  const float values[] = {0.f, -0.f, 0.f};
  const sk::coo_view<const float> coo{{2, 2}, rows, columns, values};
  const auto csr = sk::to_csr(coo).value();
  CHECK(csr.nnz() == 3);
  const auto csc = sk::to_csc(csr).value();
  CHECK(csc.nnz() == 3);
  CHECK(sk::to_coo(csc).value().nnz() == 3);
  CHECK(std::bit_cast<std::uint32_t>(csr.view().values[0]) == 0x80000000u);
}

TEST_CASE("N:M, BSR, bitmask and structured convert into each other, explicit zeros included") {
  // 2:4 with a short last group; row 2 and column 5 are empty.
  const std::int32_t rows[] = {0, 0, 0, 0, 1, 1, 3, 3, 4, 4, 4};
  const std::int32_t columns[] = {1, 3, 4, 9, 0, 8, 2, 7, 6, 7, 9};
  const float values[] = {1.f, 0.f, 2.f, 3.f, -0.f, 4.f, 5.f, 6.f, 0.f, 7.f, -0.f};
  const auto csr = sk::to_csr(sk::coo_view<const float>{{5, 10}, rows, columns, values}).value();
  // Bit by bit: -0.0 is not 0.0 here.
  const auto bits_of = [](const auto& a) {
    std::vector<std::tuple<index_t, index_t, std::uint32_t>> list;
    for (const auto& [row, col, value] : entries_of(sk::to_csr(a).value().view())) {
      list.emplace_back(row, col, std::bit_cast<std::uint32_t>(value));
    }
    return list;
  };
  const auto expected = bits_of(csr);
  REQUIRE(expected.size() == 11);
  int tried = 0;
  const auto into_each = [&](const auto& a, const auto& then) {
    const auto next = [&](const auto& b) {
      CHECK(describe(sk::validate(b.view())) == "ok");
      CHECK(b.shape() == csr.shape());
      CHECK((bits_of(b) == expected));
      then(b);
      ++tried;
    };
    next(sk::to_nm(a, {2, 4, 1}).value());
    next(sk::to_bsr(a, {2, 3}).value());
    next(sk::to_bitmask(a).value());
    next(sk::to_structured(a).value());
  };
  into_each(csr, [&](const auto& a) { into_each(a, [](const auto&) {}); });
  CHECK(tried == 4 + 16);
}

TEST_CASE("to_bsr of dense weights takes the blocks of their nonzeros") {
  const float w[] = {0, 0, 1, 0, 0,  //
                     0, 0, 0, 2, 0,  //
                     3, 0, 0, 0, -0.f};
  const sk::dense_view<const float> dense(w, 3, 5);
  const auto csr = sk::csr_matrix<float>::from_dense(dense).value();
  const auto a = sk::to_bsr(dense, {2, 2}).value();
  REQUIRE(describe(sk::validate(a.view())) == "ok");
  CHECK(a.blocks() == 2);
  CHECK((entries_of(sk::to_csr(a).value().view()) == entries_of(csr.view())));
  const auto flipped =
      sk::to_bsr<std::int64_t, std::uint32_t>(sk::transposed(dense), {1, 4}).value();
  static_assert(
      std::is_same_v<decltype(flipped), const sk::bsr_matrix<float, std::int64_t, std::uint32_t>>);
  CHECK((entries_of(sk::to_csr(flipped).value().view()) ==
         entries_of(sk::to_csr(sk::transposed(csr)).value().view())));
  CHECK(sk::to_bsr(dense, {0, 2}).error().code == errc::bad_argument);
  CHECK(sk::to_bsr(sk::dense_view<const float>(nullptr, 3, 5)).error().code == errc::null_array);
}

TEST_CASE("from_view of COO sorts and sums") {
  const std::int32_t rows[] = {1, 0, 1, 1};
  const std::int32_t columns[] = {1, 0, 0, 1};
  const double values[] = {1, 2, 3, 4};
  const sk::coo_view<const double> view{{2, 2}, rows, columns, values};
  const entry_list<double> expected{{0, 0, 2.}, {1, 0, 3.}, {1, 1, 5.}};
  CHECK((entries_of(sk::coo_matrix<double>::from_view(view).value().view()) == expected));
  CHECK((entries_of(sk::coo_matrix<double>::from_view(sk::unchecked, view).value().view()) ==
         expected));
}
