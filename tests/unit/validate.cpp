// Malformed COO, CSR, CSC, SELL and BSR: each error with its code, place, index, what was found and
// what is allowed. All arrays stand against guard pages, so a read outside them ends the test.
// And sizes that packed forms only claim.
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sparsekit/formats/bsr.hpp"
#include "sparsekit/formats/coo.hpp"
#include "sparsekit/formats/csc.hpp"
#include "sparsekit/formats/csr.hpp"
#include "sparsekit/formats/packed_blocks.hpp"
#include "sparsekit/formats/packed_dense.hpp"
#include "sparsekit/formats/packed_nm.hpp"
#include "sparsekit/formats/quads.hpp"
#include "sparsekit/formats/sell.hpp"
#include "sparsekit/formats/spmv_packed.hpp"
#include "support/allocation_failure.hpp"
#include "support/describe.hpp"
#include "support/guard.hpp"

namespace sk = sparsekit;
using sk::errc;
using sk::index_t;
using sparsekit_test::both_edges;
using sparsekit_test::describe;
using sparsekit_test::edge;
using sparsekit_test::guarded;

namespace {

/// One comparison for all types: doctest's macros are expensive in templates.
void expect(std::string_view found, std::string_view expected, int line = __builtin_LINE()) {
  CAPTURE(line);
  CHECK(std::string(found) == std::string(expected));
}

template <class Index, class Offset>
struct index_types {
  using index = Index;
  using offset = Offset;
};

/// What validation(views of these arrays) finds: the same with guard pages right behind each array
/// and right before it.
template <class F, class... T>
sk::status at_both_edges(F&& validation, const std::vector<T>&... arrays) {
  const auto at = [&](edge e) {
    return [&](guarded<T>&&... g) {
      (g.freeze(), ...);
      return validation(std::as_const(g).view()...);
    }(guarded<T>(arrays, e)...);
  };
  const sk::status left = at(edge::left);
  expect(describe(left), describe(at(edge::right)));
  return left;
}

/// One compressed matrix in guarded arrays; tests spoil one thing at a time.
template <class Index, class Offset>
struct compressed {
  sk::extents shape{4, 5};
  std::vector<Offset> offsets{0, 2, 2, 5, 6};
  std::vector<Index> indices{1, 4, 0, 2, 3, 4};
  std::vector<float> values{1, 2, 3, 4, 5, 6};

  /// Validates it as CSR, or as the CSC of the transpose, at both edges; the results must agree.
  /// Only CSR has options: CSC kernels need sorted columns.
  sk::status check(bool as_csc, sk::validate_options options = {}) const {
    const auto validation = [&](auto o, auto i, auto v) {
      using csc = sk::csc_view<const float, Index, Offset>;
      using csr = sk::csr_view<const float, Index, Offset>;
      return as_csc ? sk::validate(csc{{shape.cols, shape.rows}, o, i, v})
                    : sk::validate(csr{shape, o, i, v}, options);
    };
    return at_both_edges(validation, offsets, indices, values);
  }
  std::string csr(sk::validate_options options = {}) const {
    return describe(check(false, options));
  }
  std::string csc() const { return describe(check(true)); }
};

template <class T>
T as(std::int64_t value) {
  return static_cast<T>(value);
}
template <class T>
std::string text(T value) {
  return sk::any_integer(value).text();
}

}  // namespace

TEST_CASE_TEMPLATE("CSR and CSC: every malformed structure", Types,
                   index_types<std::int32_t, std::int32_t>, index_types<std::int16_t, std::int64_t>,
                   index_types<std::uint16_t, std::uint16_t>,
                   index_types<std::uint32_t, std::uint64_t>,
                   index_types<std::int64_t, std::int16_t>,
                   index_types<std::uint64_t, std::uint32_t>) {
  using Index = typename Types::index;
  using Offset = typename Types::offset;
  compressed<Index, Offset> a;
  expect(a.csr(), "ok");
  expect(a.csc(), "ok");

  SUBCASE("first offset") {
    a.offsets[0] = 1;
    expect(
        a.csr(),
        "bad_first_offset entry -1 row -1 got 1 allowed 0 | csr: row_ptr starts with 1, expected "
        "0");
    expect(
        a.csc(),
        "bad_first_offset entry -1 row -1 got 1 allowed 0 | csc: col_ptr starts with 1, expected "
        "0");
    a.offsets[0] = as<Offset>(-1);
    const std::string found = text(as<Offset>(-1));
    expect(a.csr(), "bad_first_offset entry -1 row -1 got " + found +
                        " allowed 0 | csr: row_ptr starts with " + found + ", expected 0");
  }
  SUBCASE("an offset decreases") {
    a.offsets[2] = 1;
    expect(a.csr(),
           "offsets_decrease entry 2 row -1 got 1 allowed 2 | csr: row_ptr decreases to 1 at entry "
           "2, below 2");
    expect(a.csc(),
           "offsets_decrease entry 2 row -1 got 1 allowed 2 | csc: col_ptr decreases to 1 at entry "
           "2, below 2");
  }
  SUBCASE("an offset jumps far beyond nnz, and back") {
    a.offsets[2] = std::numeric_limits<Offset>::max();
    const std::string found = text(std::numeric_limits<Offset>::max());
    expect(a.csr(), "offsets_decrease entry 3 row -1 got 5 allowed " + found +
                        " | csr: row_ptr decreases to 5 at entry 3, below " + found);
  }
  SUBCASE("an offset is negative, or as an unsigned one huge") {
    a.offsets[1] = as<Offset>(-2);
    const std::string found = text(as<Offset>(-2));
    if (std::is_signed_v<Offset>) {
      expect(a.csr(),
             "offsets_decrease entry 1 row -1 got -2 allowed 0 | csr: row_ptr decreases to -2 at "
             "entry 1, below 0");
    } else {
      expect(a.csr(), "offsets_decrease entry 2 row -1 got 2 allowed " + found +
                          " | csr: row_ptr decreases to 2 at entry 2, below " + found);
    }
  }
  SUBCASE("last offset below nnz") {
    a.offsets[4] = 5;
    expect(
        a.csr(),
        "bad_last_offset entry -1 row -1 got 5 allowed 6 | csr: row_ptr ends with 5, expected 6");
    expect(
        a.csc(),
        "bad_last_offset entry -1 row -1 got 5 allowed 6 | csc: col_ptr ends with 5, expected 6");
  }
  SUBCASE("last offset beyond nnz") {
    a.offsets[4] = std::numeric_limits<Offset>::max();
    const std::string found = text(std::numeric_limits<Offset>::max());
    expect(a.csr(), "bad_last_offset entry -1 row -1 got " + found +
                        " allowed 6 | csr: row_ptr ends with " + found + ", expected 6");
  }
  SUBCASE("one offset too few, one too many, none") {
    a.offsets.pop_back();
    expect(
        a.csr(),
        "length_mismatch entry -1 row -1 got 4 allowed 5 | csr: row_ptr has length 4, expected 5");
    expect(
        a.csc(),
        "length_mismatch entry -1 row -1 got 4 allowed 5 | csc: col_ptr has length 4, expected 5");
    a.offsets = {0, 2, 2, 5, 6, 6};
    expect(
        a.csr(),
        "length_mismatch entry -1 row -1 got 6 allowed 5 | csr: row_ptr has length 6, expected 5");
    a.offsets.clear();
    expect(
        a.csr(),
        "length_mismatch entry -1 row -1 got 0 allowed 5 | csr: row_ptr has length 0, expected 5");
  }
  SUBCASE("values and indices differ in length") {
    a.values.pop_back();
    expect(
        a.csr(),
        "length_mismatch entry -1 row -1 got 5 allowed 6 | csr: values has length 5, expected 6");
    expect(
        a.csc(),
        "length_mismatch entry -1 row -1 got 5 allowed 6 | csc: values has length 5, expected 6");
    a.values = {1, 2, 3, 4, 5, 6, 7};
    expect(
        a.csr(),
        "length_mismatch entry -1 row -1 got 7 allowed 6 | csr: values has length 7, expected 6");
  }
  SUBCASE("an index at the bound") {
    a.indices[4] = 5;
    expect(
        a.csr(),
        "column_out_of_range entry 4 row 2 got 5 allowed 5 | csr: column index 5 at entry 4 (row "
        "2) is not below cols = 5");
    expect(
        a.csc(),
        "row_out_of_range entry 4 row 2 got 5 allowed 5 | csc: row index 5 at entry 4 (column 2) "
        "is not below rows = 5");
  }
  SUBCASE("an index of -1, or the largest unsigned one") {
    a.indices[2] = as<Index>(-1);
    const std::string found = text(as<Index>(-1));
    expect(a.csr(), "column_out_of_range entry 2 row 2 got " + found +
                        " allowed 5 | csr: column index " + found +
                        " at entry 2 (row 2) is not below cols = 5");
    expect(a.csc(), "row_out_of_range entry 2 row 2 got " + found + " allowed 5 | csc: row index " +
                        found + " at entry 2 (column 2) is not below rows = 5");
    a.indices[2] = std::numeric_limits<Index>::max();
    expect(sk::name_of(a.check(false).code), "column_out_of_range");
    expect(sk::name_of(a.check(true).code), "row_out_of_range");
  }
  SUBCASE("unsorted") {
    std::swap(a.indices[3], a.indices[4]);
    expect(
        a.csr(),
        "not_sorted entry 4 row 2 got 2 allowed 3 | csr: columns 2 at entry 4 (row 2) follows 3");
    expect(a.csc(),
           "not_sorted entry 4 row 2 got 2 allowed 3 | csc: row_indices 2 at entry 4 (column 2) "
           "follows 3");
    expect(a.csr({.allow_unsorted = true}), "ok");
  }
  SUBCASE("two entries at one place") {
    a.indices[1] = 1;
    expect(a.csr(),
           "duplicate_entry entry 1 row 0 got 1 allowed 1 | csr: columns 1 at entry 1 (row 0) "
           "occurs twice");
    expect(a.csc(),
           "duplicate_entry entry 1 row 0 got 1 allowed 1 | csc: row_indices 1 at entry 1 (column "
           "0) occurs twice");
    expect(a.csr({.allow_unsorted = true}), "ok");
  }
  SUBCASE("no columns to be in") {
    a.shape.cols = 0;
    expect(
        a.csr(),
        "column_out_of_range entry 0 row 0 got 1 allowed 0 | csr: column index 1 at entry 0 (row "
        "0) is not below cols = 0");
  }
  SUBCASE("negative sizes") {
    a.shape = {-4, 5};
    expect(a.csr(), "negative_size entry -1 row -1 got -4 allowed 0 | csr: rows = -4 is negative");
    expect(a.csc(), "negative_size entry -1 row -1 got -4 allowed 0 | csc: cols = -4 is negative");
    a.shape = {4, -5};
    expect(a.csr(), "negative_size entry -1 row -1 got -5 allowed 0 | csr: cols = -5 is negative");
    expect(a.csc(), "negative_size entry -1 row -1 got -5 allowed 0 | csc: rows = -5 is negative");
  }
  SUBCASE("sizes that no offsets can have") {
    a.shape.rows = std::numeric_limits<index_t>::max();
    expect(a.csr(),
           "size_overflow entry -1 row -1 got 9223372036854775807 allowed 9223372036854775806 | "
           "csr: row_ptr = 9223372036854775807 exceeds 9223372036854775806");
    expect(sk::name_of(a.check(true).code), "size_overflow");
    a.shape.rows = index_t{1} << 32;
    expect(a.csr(),
           "length_mismatch entry -1 row -1 got 5 allowed 4294967297 | csr: row_ptr has length 5, "
           "expected 4294967297");
  }
  SUBCASE("explicit zeros are entries") {
    a.values[1] = 0.f;
    a.values[2] = -0.f;
    expect(a.csr(), "ok");
  }
}

TEST_CASE("CSR and CSC: null arrays") {
  const std::int32_t offsets[] = {0, 1, 2};
  const std::int32_t indices[] = {0, 1};
  const float values[] = {1, 2};
  using csr = sk::csr_view<const float>;
  using csc = sk::csc_view<const float>;
  CHECK(sk::validate(csr{{2, 2}, offsets, indices, values}));
  CHECK(describe(sk::validate(
            csr{{2, 2}, {static_cast<const std::int32_t*>(nullptr), 3}, indices, values})) ==
        "null_array entry -1 row -1 got 0 allowed 3 | csr: row_ptr is null, expected length 3");
  CHECK(describe(sk::validate(
            csr{{2, 2}, offsets, {static_cast<const std::int32_t*>(nullptr), 2}, values})) ==
        "null_array entry -1 row -1 got 0 allowed 2 | csr: columns is null, expected length 2");
  CHECK(describe(
            sk::validate(csc{{2, 2}, offsets, indices, {static_cast<const float*>(nullptr), 2}})) ==
        "null_array entry -1 row -1 got 0 allowed 2 | csc: values is null, expected length 2");
  CHECK(
      describe(sk::validate(csr{{2, 2}, offsets, {indices, -2}, values})) ==
      "length_mismatch entry -1 row -1 got -2 allowed 2 | csr: columns has length -2, expected 2");
  // A length beyond 2^63 is negative as a signed one.
  CHECK(sk::validate(csr{{2, 2}, offsets, {indices, std::size_t{1} << 63}, values}).code ==
        errc::length_mismatch);
}

TEST_CASE("CSR and CSC: empty in every way") {
  const std::int32_t zeros[] = {0, 0, 0, 0};
  for (edge e : both_edges) {
    const guarded<std::int32_t> one(sk::array_view<const std::int32_t>(zeros, 1), e);
    const guarded<std::int32_t> four(zeros, e);
    CHECK(sk::validate(sk::csr_view<const float>{{0, 0}, one.view(), {}, {}}));
    CHECK(sk::validate(sk::csr_view<const float>{{0, 7}, one.view(), {}, {}}));
    CHECK(sk::validate(sk::csr_view<const float>{{3, 0}, four.view(), {}, {}}));
    CHECK(sk::validate(sk::csr_view<const float>{{3, 7}, four.view(), {}, {}}));
    CHECK(sk::validate(sk::csc_view<const float>{{7, 0}, one.view(), {}, {}}));
    CHECK(sk::validate(sk::csc_view<const float>{{0, 3}, four.view(), {}, {}}));
  }
  // Even 0 x 0 has one offset.
  CHECK(describe(sk::validate(sk::csr_view<const float>{})) ==
        "length_mismatch entry -1 row -1 got 0 allowed 1 | csr: row_ptr has length 0, expected 1");
  const std::int32_t first_and_only[] = {0, 1};
  const std::int32_t column[] = {0};
  const float value[] = {0.f};
  CHECK(sk::validate(sk::csr_view<const float>{{1, 1}, first_and_only, column, value}));
  // First, last and all but one row empty.
  const std::int32_t middle_row[] = {0, 0, 2, 2};
  const std::int32_t columns[] = {0, 1};
  const float values[] = {1, 2};
  CHECK(sk::validate(sk::csr_view<const float>{{3, 2}, middle_row, columns, values}));
}

TEST_CASE("indices at the limit of their type") {
  const std::int32_t offsets[] = {0, 1};
  const float value[] = {1.f};
  const auto check = [&](auto index, index_t cols) {
    const decltype(index) column[] = {index};
    return describe(sk::validate(
        sk::csr_view<const float, decltype(index)>{{1, cols}, offsets, column, value}));
  };
  CHECK(check(std::int32_t{2147483646}, 2147483647) == "ok");
  CHECK(check(std::int32_t{2147483647}, 2147483647) ==
        "column_out_of_range entry 0 row 0 got 2147483647 allowed 2147483647 | "
        "csr: column index 2147483647 at entry 0 (row 0) is not below cols = 2147483647");
  CHECK(check(std::int32_t{2147483647}, index_t{1} << 31) == "ok");
  CHECK(check(std::uint32_t{4294967295u}, index_t{1} << 32) == "ok");
  CHECK(check(std::uint32_t{4294967295u}, (index_t{1} << 32) - 1) ==
        "column_out_of_range entry 0 row 0 got 4294967295 allowed 4294967295 | "
        "csr: column index 4294967295 at entry 0 (row 0) is not below cols = 4294967295");
  CHECK(check(std::uint32_t{4294967295u}, 2147483647) ==
        "column_out_of_range entry 0 row 0 got 4294967295 allowed 2147483647 | "
        "csr: column index 4294967295 at entry 0 (row 0) is not below cols = 2147483647");
  CHECK(check(std::uint16_t{65535}, 65536) == "ok");
  CHECK(check(std::uint16_t{65535}, 65535).substr(0, 19) == "column_out_of_range");
  CHECK(check(std::int16_t{-1}, 65536).substr(0, 19) == "column_out_of_range");
  CHECK(check(std::uint64_t{18446744073709551615u}, 5) ==
        "column_out_of_range entry 0 row 0 got 18446744073709551615 allowed 5 | "
        "csr: column index 18446744073709551615 at entry 0 (row 0) is not below cols = 5");
  CHECK(check(std::uint64_t{1} << 63, std::numeric_limits<index_t>::max()).substr(0, 19) ==
        "column_out_of_range");
}

TEST_CASE("one bad index among many: at the edges of lines and of blocks of entries") {
  // 1500 rows of ten entries, 5 apart: 0 5 ... 45; each starts below the end of the last.
  constexpr int length = 10;
  std::vector<std::int32_t> offsets{0};
  std::vector<std::int32_t> columns;
  for (int r = 0; r < 1500; ++r) {
    for (int j = 0; j < length; ++j) columns.push_back(5 * j);
    offsets.push_back(static_cast<std::int32_t>(columns.size()));
  }
  const std::vector<float> values(columns.size(), 1.f);
  const auto check = [&] {
    return sk::validate(sk::csr_view<const float>{{1500, 46}, offsets, columns, values});
  };
  CHECK(check());
  const int last = static_cast<int>(columns.size()) - 1;
  for (int p : {0, 1, 9, 10, 4095, 4096, 4097, 5119, 5120, 5121, 8191, 9216, 10239, 10240, last - 1,
                last}) {
    CAPTURE(p);
    const auto bad = [&](std::int32_t value, errc expected, int entry) {
      std::int32_t& at = columns[static_cast<std::size_t>(p)];
      const std::int32_t good = std::exchange(at, value);
      const sk::status s = check();
      CHECK(s.code == expected);
      CHECK(s.entry == entry);
      CHECK(s.row == entry / length);
      at = good;
    };
    bad(-1, errc::column_out_of_range, p);
    bad(46, errc::column_out_of_range, p);
    const bool starts = p % length == 0;
    const std::int32_t good = columns[static_cast<std::size_t>(p)];
    if (!starts) bad(good - 5, errc::duplicate_entry, p);
    if (!starts && good > 5) bad(good - 6, errc::not_sorted, p);
    if (starts) bad(6, errc::not_sorted, p + 1);
  }
  CHECK(check());
}

namespace {

template <class Index>
struct coordinates {
  sk::extents shape{4, 5};
  std::vector<Index> rows{3, 0, 0, 2};
  std::vector<Index> columns{4, 1, 1, 0};
  std::vector<float> values{1, 2, 3, 0};

  std::string check() const {
    const auto validation = [&](auto r, auto c, auto v) {
      return sk::validate(sk::coo_view<const float, Index>{shape, r, c, v});
    };
    return describe(at_both_edges(validation, rows, columns, values));
  }
};

}  // namespace

TEST_CASE_TEMPLATE("COO: every malformed structure", Index, std::int16_t, std::uint16_t,
                   std::int32_t, std::uint32_t, std::int64_t, std::uint64_t) {
  coordinates<Index> a;
  expect(a.check(), "ok");  // unsorted, with a duplicate and an explicit zero

  SUBCASE("row index") {
    a.rows[2] = 4;
    expect(a.check(),
           "row_out_of_range entry 2 row -1 got 4 allowed 4 | coo: row index 4 at entry 2 is not "
           "below rows = 4");
    a.rows[2] = as<Index>(-1);
    const std::string found = text(as<Index>(-1));
    expect(a.check(), "row_out_of_range entry 2 row -1 got " + found +
                          " allowed 4 | coo: row index " + found +
                          " at entry 2 is not below rows = 4");
  }
  SUBCASE("column index") {
    a.columns[3] = 5;
    expect(a.check(),
           "column_out_of_range entry 3 row -1 got 5 allowed 5 | coo: column index 5 at entry 3 is "
           "not below cols = 5");
    a.columns[3] = as<Index>(-1);
    const std::string found = text(as<Index>(-1));
    expect(a.check(), "column_out_of_range entry 3 row -1 got " + found +
                          " allowed 5 | coo: column index " + found +
                          " at entry 3 is not below cols = 5");
  }
  SUBCASE("lengths") {
    a.rows.pop_back();
    expect(a.check(),
           "length_mismatch entry -1 row -1 got 3 allowed 4 | coo: row_indices has length 3, "
           "expected 4");
    a.rows.push_back(0);
    a.values.push_back(1);
    expect(
        a.check(),
        "length_mismatch entry -1 row -1 got 5 allowed 4 | coo: values has length 5, expected 4");
    a.values.pop_back();
    a.columns.pop_back();
    expect(a.check(),
           "length_mismatch entry -1 row -1 got 4 allowed 3 | coo: row_indices has length 4, "
           "expected 3");
  }
  SUBCASE("negative sizes") {
    a.shape = {-1, 5};
    expect(a.check(),
           "negative_size entry -1 row -1 got -1 allowed 0 | coo: rows = -1 is negative");
    a.shape = {4, -1};
    expect(a.check(),
           "negative_size entry -1 row -1 got -1 allowed 0 | coo: cols = -1 is negative");
  }
  SUBCASE("empty shapes hold no entries") {
    a.shape = {0, 5};
    expect(a.check(),
           "row_out_of_range entry 0 row -1 got 3 allowed 0 | coo: row index 3 at entry 0 is not "
           "below rows = 0");
    a.rows.clear();
    a.columns.clear();
    a.values.clear();
    expect(a.check(), "ok");
    a.shape = {0, 0};
    expect(a.check(), "ok");
  }
}

TEST_CASE("COO: null arrays, negative length") {
  const std::int32_t index[] = {0, 1};
  const float value[] = {1, 2};
  const std::int32_t* no_index = nullptr;
  const float* no_value = nullptr;
  using coo = sk::coo_view<const float>;
  CHECK(sk::validate(coo{{3, 3}, {no_index, 0}, {no_index, 0}, {no_value, 0}}));
  CHECK(describe(sk::validate(coo{{3, 3}, {no_index, 2}, index, value})) ==
        "null_array entry -1 row -1 got 0 allowed 2 | coo: row_indices is null, expected length 2");
  CHECK(describe(sk::validate(coo{{3, 3}, index, {no_index, 2}, value})) ==
        "null_array entry -1 row -1 got 0 allowed 2 | coo: columns is null, expected length 2");
  CHECK(describe(sk::validate(coo{{3, 3}, index, index, {no_value, 2}})) ==
        "null_array entry -1 row -1 got 0 allowed 2 | coo: values is null, expected length 2");
  CHECK(
      describe(sk::validate(coo{{3, 3}, index, {index, -1}, value})) ==
      "length_mismatch entry -1 row -1 got -1 allowed 2 | coo: columns has length -1, expected 2");
}

namespace {

/// Five rows in slices of two lanes; in slots of padding stands what would be an error elsewhere.
template <class Index, class Offset>
struct slices {
  sk::extents shape{5, 6};
  index_t height = 2;
  index_t entries = 8;
  std::vector<Offset> slice_ptr{0, 6, 8, 12};
  std::vector<Offset> row_order{1, 0, 2, 3, 4};
  std::vector<Offset> lengths{3, 2, 1, 0, 2};
  std::vector<Index> columns{0, 1, 2, 5, 4, 77, 3, 77, 1, 77, 5, 77};
  std::vector<float> values{1, 2, 3, 4, 5, 0, 6, 0, 7, 0, 8, 0};

  std::string check() const {
    const auto validation = [&](auto s, auto o, auto l, auto c, auto v) {
      using sell = sk::sell_view<const float, Index, Offset>;
      return sk::validate(sell{shape, height, entries, s, o, l, c, v});
    };
    return describe(at_both_edges(validation, slice_ptr, row_order, lengths, columns, values));
  }
};

}  // namespace

TEST_CASE_TEMPLATE("SELL: every malformed structure", Types,
                   index_types<std::int32_t, std::int32_t>,
                   index_types<std::uint16_t, std::uint64_t>) {
  using Index = typename Types::index;
  using Offset = typename Types::offset;
  slices<Index, Offset> a;
  expect(a.check(), "ok");

  SUBCASE("first offset") {
    a.slice_ptr[0] = 1;
    expect(a.check(),
           "bad_first_offset entry -1 row -1 got 1 allowed 0 | sell: slice_ptr starts with 1, "
           "expected 0");
    a.slice_ptr[0] = as<Offset>(-1);
    const std::string found = text(as<Offset>(-1));
    expect(a.check(), "bad_first_offset entry -1 row -1 got " + found +
                          " allowed 0 | sell: slice_ptr starts with " + found + ", expected 0");
  }
  SUBCASE("an offset decreases, jumps far beyond, is negative") {
    a.slice_ptr[2] = 5;
    expect(a.check(),
           "offsets_decrease entry 2 row -1 got 5 allowed 6 | sell: slice_ptr decreases to 5 at "
           "entry 2, below 6");
    a.slice_ptr[2] = std::numeric_limits<Offset>::max();
    const std::string most = text(std::numeric_limits<Offset>::max());
    expect(a.check(), "offsets_decrease entry 3 row -1 got 12 allowed " + most +
                          " | sell: slice_ptr decreases to 12 at entry 3, below " + most);
    a.slice_ptr[2] = as<Offset>(-2);
    expect(a.check().substr(0, 16), "offsets_decrease");
  }
  SUBCASE("last offset") {
    a.slice_ptr[3] = 10;
    expect(a.check(),
           "bad_last_offset entry -1 row -1 got 10 allowed 12 | sell: slice_ptr ends with 10, "
           "expected 12");
    a.slice_ptr[3] = std::numeric_limits<Offset>::max();
    const std::string most = text(std::numeric_limits<Offset>::max());
    expect(a.check(), "bad_last_offset entry -1 row -1 got " + most +
                          " allowed 12 | sell: slice_ptr ends with " + most + ", expected 12");
  }
  SUBCASE("a slice that is no number of steps") {
    a.slice_ptr[1] = 7;
    expect(a.check(),
           "bad_pattern entry 0 row -1 got 7 allowed 6 | sell: bad_pattern: slots of a slice at "
           "entry 0 (7, allowed 6)");
  }
  SUBCASE("lengths of lanes") {
    a.lengths[0] = 2;  // not all of the slice's width
    expect(a.check(),
           "bad_pattern entry 0 row 1 got 2 allowed 3 | sell: bad_pattern: lengths at entry 0 "
           "(row 1) (2, allowed 3)");
    a.lengths[0] = 4;
    expect(a.check().substr(0, 44), "bad_pattern entry 0 row 1 got 4 allowed 3 | ");
    a.lengths[0] = 3;
    a.lengths[3] = 2;  // longer than the lane before
    expect(a.check().substr(0, 44), "bad_pattern entry 3 row 3 got 2 allowed 1 | ");
    a.lengths[3] = as<Offset>(-1);
    const std::string found = text(as<Offset>(-1));
    expect(a.check(), "bad_pattern entry 3 row 3 got " + found +
                          " allowed 1 | sell: bad_pattern: lengths at entry 3 (row 3) (" + found +
                          ", allowed 1)");
    a.lengths[3] = 0;
    a.lengths[4] = 0;
    expect(a.check().substr(0, 44), "bad_pattern entry 4 row 4 got 0 allowed 2 | ");
  }
  SUBCASE("a row that is no row, or stands in two lanes") {
    a.row_order[4] = 5;
    expect(a.check(),
           "row_out_of_range entry 4 row -1 got 5 allowed 5 | sell: row index 5 at entry 4 is not "
           "below rows = 5");
    a.row_order[4] = as<Offset>(-1);
    const std::string found = text(as<Offset>(-1));
    expect(a.check(), "row_out_of_range entry 4 row -1 got " + found +
                          " allowed 5 | sell: row index " + found +
                          " at entry 4 is not below rows = 5");
    a.row_order[4] = 0;
    expect(a.check(),
           "duplicate_entry entry 4 row -1 got 0 allowed 0 | sell: row_order 0 at entry 4 occurs "
           "twice");
  }
  SUBCASE("columns of a lane") {
    a.columns[3] = 6;
    expect(a.check(),
           "column_out_of_range entry 3 row 0 got 6 allowed 6 | sell: column index 6 at entry 3 "
           "(row 0) is not below cols = 6");
    a.columns[3] = as<Index>(-1);
    const std::string found = text(as<Index>(-1));
    expect(a.check(), "column_out_of_range entry 3 row 0 got " + found +
                          " allowed 6 | sell: column index " + found +
                          " at entry 3 (row 0) is not below cols = 6");
    a.columns[3] = 1;
    expect(a.check(),
           "duplicate_entry entry 3 row 0 got 1 allowed 1 | sell: columns 1 at entry 3 (row 0) "
           "occurs twice");
    a.columns[3] = 0;
    expect(a.check(),
           "not_sorted entry 3 row 0 got 0 allowed 1 | sell: columns 0 at entry 3 (row 0) follows "
           "1");
  }
  SUBCASE("lengths of arrays") {
    const slices<Index, Offset> good = a;
    const auto refused = [&](const char* name, int got, int expected) {
      const std::string numbers =
          " got " + std::to_string(got) + " allowed " + std::to_string(expected);
      expect(a.check(), "length_mismatch entry -1 row -1" + numbers + " | sell: " + name +
                            " has length " + std::to_string(got) + ", expected " +
                            std::to_string(expected));
      a = good;
    };
    a.slice_ptr.pop_back();
    refused("slice_ptr", 3, 4);
    a.slice_ptr.push_back(12);
    refused("slice_ptr", 5, 4);
    a.slice_ptr.clear();
    refused("slice_ptr", 0, 4);
    a.row_order.pop_back();
    refused("row_order", 4, 5);
    a.lengths.push_back(0);
    refused("lengths", 6, 5);
    a.values.pop_back();
    refused("values", 11, 12);
    a.values.push_back(0);
    refused("values", 13, 12);
    a.entries = 7;
    refused("entries", 7, 8);
    a.entries = -8;
    refused("entries", -8, 8);
    a.columns.pop_back();
    a.values.pop_back();
    expect(a.check().substr(0, 15), "bad_last_offset");
  }
  SUBCASE("sizes") {
    a.shape = {-5, 6};
    expect(a.check(),
           "negative_size entry -1 row -1 got -5 allowed 0 | sell: rows = -5 is negative");
    a.shape = {5, -6};
    expect(a.check(),
           "negative_size entry -1 row -1 got -6 allowed 0 | sell: cols = -6 is negative");
    a.shape = {5, 0};
    expect(a.check().substr(0, 34), "column_out_of_range entry 0 row 1 ");
    a.shape = {std::numeric_limits<index_t>::max(), 6};
    expect(a.check(),
           "size_overflow entry -1 row -1 got 9223372036854775807 allowed 9223372036854775743 | "
           "sell: rows = 9223372036854775807 exceeds 9223372036854775743");
    a.shape = {index_t{1} << 32, 6};
    expect(a.check(),
           "length_mismatch entry -1 row -1 got 4 allowed 2147483649 | sell: slice_ptr has length "
           "4, expected 2147483649");
    a.shape = {5, std::numeric_limits<index_t>::max()};
    expect(a.check(), "ok");
    for (const index_t height : {index_t{0}, index_t{-2}, sk::max_slice_height + 1}) {
      a.height = height;
      expect(a.check().substr(0, 12), "bad_argument");
    }
  }
  SUBCASE("explicit zeros are entries") {
    a.values[1] = 0.f;
    a.values[2] = -0.f;
    expect(a.check(), "ok");
  }
}

TEST_CASE("SELL: null arrays, negative lengths, nothing at all") {
  using sell = sk::sell_view<const float>;
  const std::int32_t ptr[] = {0, 8};
  const std::int32_t order[] = {0};
  const std::int32_t length[] = {1};
  const std::int32_t columns[8] = {};
  const float values[8] = {};
  const std::int32_t* const none = nullptr;
  const float* const no_value = nullptr;
  const sell good{{1, 1}, 8, 1, ptr, order, length, columns, values};
  CHECK(sk::validate(good));
  const auto check = [&](auto&& spoil) {
    sell a = good;
    spoil(a);
    return describe(sk::validate(a));
  };
  const auto null = [](const std::string& name, const std::string& size) {
    return "null_array entry -1 row -1 got 0 allowed " + size + " | sell: " + name +
           " is null, expected length " + size;
  };
  CHECK(check([&](sell& a) { a.slice_ptr = {none, 2}; }) == null("slice_ptr", "2"));
  CHECK(check([&](sell& a) { a.row_order = {none, 1}; }) == null("row_order", "1"));
  CHECK(check([&](sell& a) { a.lengths = {none, 1}; }) == null("lengths", "1"));
  CHECK(check([&](sell& a) { a.columns = {none, 8}; }) == null("columns", "8"));
  CHECK(check([&](sell& a) { a.values = {no_value, 8}; }) == null("values", "8"));
  CHECK(check([&](sell& a) { a.columns = {columns, -8}; }).substr(0, 15) == "length_mismatch");
  CHECK(check([&](sell& a) { a.values = {values, -8}; }).substr(0, 15) == "length_mismatch");
  const std::int32_t zeros[] = {0, 0, 0};
  CHECK(sk::validate(sell{{0, 0}, 8, 0, {zeros, 1}, {}, {}, {}, {}}));
  CHECK(sk::validate(sell{{0, 7}, 8, 0, {zeros, 1}, {}, {}, {}, {}}));
  const std::int32_t rows[] = {1, 0, 2};
  CHECK(sk::validate(sell{{3, 0}, 8, 0, {zeros, 2}, rows, zeros, {}, {}}));
  CHECK(sk::validate(sell{{3, 7}, 2, 0, zeros, rows, zeros, {none, 0}, {no_value, 0}}));
  CHECK(sk::validate(sell{}).code == errc::length_mismatch);
}

namespace {

/// 5 x 7 in blocks of 2 x 3: the last block row has one row, the last block column one column.
template <class Index, class Offset>
struct blocks {
  sk::extents shape{5, 7};
  sk::block_shape block{2, 3};
  std::vector<Offset> row_ptr{0, 2, 2, 4};
  std::vector<Index> columns{0, 2, 1, 2};
  std::vector<float> values{1, 2,  3,  4, 5, 6, 7,  0, 0, 8, 0, 0,
                            9, 10, 11, 0, 0, 0, 12, 0, 0, 0, 0, 0};
  std::vector<std::uint64_t> pattern;

  std::string check() const {
    const auto validation = [&](auto r, auto c, auto v, auto p) {
      using bsr = sk::bsr_view<const float, Index, Offset>;
      return sk::validate(bsr{shape, block, r, c, v, p});
    };
    return describe(at_both_edges(validation, row_ptr, columns, values, pattern));
  }
};

}  // namespace

TEST_CASE_TEMPLATE("BSR: every malformed structure", Types, index_types<std::int32_t, std::int32_t>,
                   index_types<std::uint16_t, std::uint64_t>) {
  using Index = typename Types::index;
  using Offset = typename Types::offset;
  blocks<Index, Offset> a;
  expect(a.check(), "ok");
  const std::vector<std::uint64_t> bits{0x3f, 0x09, 0x07, 0x01};

  SUBCASE("offsets") {
    a.row_ptr[0] = 1;
    expect(a.check(),
           "bad_first_offset entry -1 row -1 got 1 allowed 0 | bsr: row_ptr starts with 1, "
           "expected 0");
    a.row_ptr = {0, 2, 1, 4};
    expect(a.check(),
           "offsets_decrease entry 2 row -1 got 1 allowed 2 | bsr: row_ptr decreases to 1 at "
           "entry 2, below 2");
    a.row_ptr = {0, 2, 2, 3};
    expect(a.check(),
           "bad_last_offset entry -1 row -1 got 3 allowed 4 | bsr: row_ptr ends with 3, expected "
           "4");
    a.row_ptr[3] = std::numeric_limits<Offset>::max();
    const std::string most = text(std::numeric_limits<Offset>::max());
    expect(a.check(), "bad_last_offset entry -1 row -1 got " + most +
                          " allowed 4 | bsr: row_ptr ends with " + most + ", expected 4");
    a.row_ptr = {0, 2, 4};
    expect(a.check(),
           "length_mismatch entry -1 row -1 got 3 allowed 4 | bsr: row_ptr has length 3, expected "
           "4");
    a.row_ptr = {0, 2, 2, 4, 4};
    expect(a.check(),
           "length_mismatch entry -1 row -1 got 5 allowed 4 | bsr: row_ptr has length 5, expected "
           "4");
  }
  SUBCASE("block columns") {
    a.columns[1] = 3;
    expect(a.check(),
           "column_out_of_range entry 1 row 0 got 3 allowed 3 | bsr: column index 3 at entry 1 "
           "(row 0) is not below cols = 3");
    a.columns[1] = as<Index>(-1);
    const std::string found = text(as<Index>(-1));
    expect(a.check(), "column_out_of_range entry 1 row 0 got " + found +
                          " allowed 3 | bsr: column index " + found +
                          " at entry 1 (row 0) is not below cols = 3");
    a.columns[1] = 0;
    expect(a.check(),
           "duplicate_entry entry 1 row 0 got 0 allowed 0 | bsr: columns 0 at entry 1 (row 0) "
           "occurs twice");
    a.columns = {2, 0, 1, 2};
    expect(a.check(),
           "not_sorted entry 1 row 0 got 0 allowed 2 | bsr: columns 0 at entry 1 (row 0) follows "
           "2");
  }
  SUBCASE("lengths of arrays") {
    a.values.pop_back();
    expect(a.check(),
           "length_mismatch entry -1 row -1 got 23 allowed 24 | bsr: values has length 23, "
           "expected 24");
    a.values.push_back(0);
    a.pattern = {0x3f, 0x09, 0x07};
    expect(a.check(),
           "length_mismatch entry -1 row -1 got 3 allowed 4 | bsr: pattern has length 3, expected "
           "4");
  }
  SUBCASE("places outside the matrix") {
    a.values[15] = 1;  // row 5, column 3
    expect(a.check(),
           "bad_pattern entry 15 row 2 got 0 allowed 0 | bsr: bad_pattern: place outside the "
           "matrix at entry 15 (row 2)");
    a.values[15] = -0.f;
    a.values[7] = std::numeric_limits<float>::quiet_NaN();  // row 0, column 7
    expect(a.check(),
           "bad_pattern entry 7 row 0 got 0 allowed 0 | bsr: bad_pattern: place outside the "
           "matrix at entry 7 (row 0)");
  }
  SUBCASE("pattern bits") {
    a.pattern = bits;
    expect(a.check(), "ok");
    a.values[4] = 0;  // an explicit zero
    expect(a.check(), "ok");
    a.pattern[0] = 0x1f;
    expect(a.check(),
           "bad_pattern entry 5 row 0 got 0 allowed 0 | bsr: bad_pattern: value outside the "
           "pattern at entry 5 (row 0)");
    a.pattern = bits;
    a.pattern[3] = 0x03;  // column 7
    expect(a.check(),
           "bad_pattern entry 19 row 2 got 0 allowed 0 | bsr: bad_pattern: place outside the "
           "matrix at entry 19 (row 2)");
    for (const int bit : {6, 63}) {
      a.pattern = bits;
      a.pattern[1] |= std::uint64_t{1} << bit;
      expect(a.check(),
             "bad_pattern entry 1 row 0 got 0 allowed 0 | bsr: bad_pattern: pattern bits beyond "
             "the block at entry 1 (row 0)");
    }
  }
  SUBCASE("sizes") {
    a.shape = {-5, 7};
    expect(a.check(),
           "negative_size entry -1 row -1 got -5 allowed 0 | bsr: rows = -5 is negative");
    a.shape = {5, -7};
    expect(a.check(),
           "negative_size entry -1 row -1 got -7 allowed 0 | bsr: cols = -7 is negative");
    a.shape = {5, 0};
    expect(a.check().substr(0, 34), "column_out_of_range entry 0 row 0 ");
    a.shape = {std::numeric_limits<index_t>::max(), 7};
    expect(a.check(),
           "size_overflow entry -1 row -1 got 9223372036854775807 allowed 9223372036854775743 | "
           "bsr: rows = 9223372036854775807 exceeds 9223372036854775743");
    a.shape = {5, std::numeric_limits<index_t>::max()};
    expect(a.check().substr(0, 13), "size_overflow");
    a.shape = {index_t{1} << 32, 7};
    expect(a.check(),
           "length_mismatch entry -1 row -1 got 4 allowed 2147483649 | bsr: row_ptr has length 4, "
           "expected 2147483649");
    a.shape = {5, 7};
    for (const sk::block_shape side : {sk::block_shape{0, 3}, {2, -3}, {65, 3}, {2, 65}}) {
      a.block = side;
      expect(a.check().substr(0, 12), "bad_argument");
    }
  }
}

TEST_CASE("BSR: null arrays, lengths that no memory has, nothing at all") {
  using bsr = sk::bsr_view<const float>;
  const std::int32_t ptr[] = {0, 1};
  const std::int32_t column[] = {0};
  const float values[] = {1, 2, 3, 4};
  const std::uint64_t bits[] = {0xf};
  const std::int32_t* const none = nullptr;
  const bsr good{{2, 2}, {2, 2}, ptr, column, values, bits};
  CHECK(sk::validate(good));
  const auto check = [&](auto&& spoil) {
    bsr a = good;
    spoil(a);
    return describe(sk::validate(a));
  };
  const auto null = [](const std::string& name, const std::string& size) {
    return "null_array entry -1 row -1 got 0 allowed " + size + " | bsr: " + name +
           " is null, expected length " + size;
  };
  CHECK(check([&](bsr& a) { a.row_ptr = {none, 2}; }) == null("row_ptr", "2"));
  CHECK(check([&](bsr& a) { a.columns = {none, 1}; }) == null("columns", "1"));
  CHECK(check([](bsr& a) {
          a.values = {static_cast<const float*>(nullptr), 4};
        }).substr(0, 10) == "null_array");
  CHECK(check([](bsr& a) {
          a.pattern = {static_cast<const std::uint64_t*>(nullptr), 1};
        }) == null("pattern", "1"));
  CHECK(check([&](bsr& a) { a.columns = {column, -1}; }).substr(0, 15) == "length_mismatch");
  CHECK(check([&](bsr& a) { a.values = {values, -4}; }).substr(0, 15) == "length_mismatch");
  CHECK(check([&](bsr& a) { a.pattern = {bits, -1}; }).substr(0, 15) == "length_mismatch");
  CHECK(check([&](bsr& a) {
          a.columns = {column, index_t{1} << 62};
        }) ==
        "size_overflow entry -1 row -1 got 4611686018427387904 allowed 2305843009213693951 | "
        "bsr: columns = 4611686018427387904 exceeds 2305843009213693951");
  const std::int32_t zeros[] = {0, 0, 0};
  CHECK(sk::validate(bsr{{0, 0}, {2, 2}, {zeros, 1}, {}, {}, {}}));
  CHECK(sk::validate(bsr{{0, 7}, {2, 2}, {zeros, 1}, {}, {}, {}}));
  CHECK(sk::validate(bsr{{3, 0}, {2, 2}, zeros, {}, {}, {}}));
  CHECK(sk::validate(bsr{{3, 7}, {2, 2}, zeros, {none, 0}, {}, {}}));
  CHECK(sk::validate(bsr{}).code == errc::length_mismatch);
}

// A header of packed bytes may claim any shape. One that no array contradicts is valid, but nobody
// may count to 2^60.
TEST_CASE("rows that packed forms only claim cost no time and no memory") {
  constexpr index_t many = index_t{1} << 60;
  CHECK(sk::validate(sk::packed_dense_view<const float>{.shape = {many, 0}}));
  CHECK(sk::validate(sk::packed_nm_view<const float>{.shape = {many, 0}, .group = {2, 4, 1}}));
  const std::int64_t starts[] = {0};
  CHECK(sk::validate(sk::packed_blocks_view<const sk::bfloat16>{
      .shape = {many, 0}, .block = {2, 2}, .cut = 4, .starts = starts}));
  CHECK(sk::validate(sk::packed_dense_view<const std::int8_t>{.shape = {many, 0}}).code ==
        errc::corrupt);

  constexpr index_t largest = std::numeric_limits<index_t>::max();
  expect(describe(sk::validate(sk::quad_view<const float>{
             .shape = {largest, 9}, .row_block = 512, .column_block = 256, .interleave = 2})),
         "corrupt entry -1 row -1 got 0 allowed 18014398509481984 | quads: corrupt: blocks (0, "
         "allowed 18014398509481984)");

  const sk::spmv_row row{};
  const sk::spmv_view<const float> spmv{.shape = {std::numeric_limits<std::int32_t>::max(), 9},
                                        .long_rows = {&row, 1}};
  sparsekit_test::allocation_watch watch;
  CHECK(sk::validate(spmv).code == errc::corrupt);
  CHECK(watch.now().bytes == 0);
}
