// SELL-C-sigma, BSR and the packed slices of SpMV: products against plain loops with every operand between
// guard pages, conversions there and back, what NaN and Inf may reach, malformed input by name.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "sparsekit/check.hpp"
#include "sparsekit/convert/to_bsr.hpp"
#include "sparsekit/convert/to_sell.hpp"
#include "sparsekit/multiply.hpp"
#include "sparsekit/pack/spmv.hpp"
#include "support/describe.hpp"
#include "support/generators.hpp"
#include "support/guard.hpp"

namespace sk = sparsekit;
using sk::index_t;
using namespace sparsekit_test;

namespace {

template <class T>
using view_type = sk::csr_view<const T>;
template <class T>
view_type<T> view_of(const csr_arrays<T>& a) {
  return {{a.rows, a.cols}, a.row_ptr, a.columns, a.values};
}

/// Row r of A times x, entries only; small integers make it exact in any order.
template <class T>
std::vector<T> product(const csr_arrays<T>& a, sk::array_view<const T> x) {
  std::vector<T> y(static_cast<std::size_t>(a.rows), T{0});
  for (std::size_t r = 0; r < y.size(); ++r) {
    for (auto p = static_cast<std::size_t>(a.row_ptr[r]);
         p < static_cast<std::size_t>(a.row_ptr[r + 1]); ++p) {
      y[r] += a.values[p] * x[a.columns[p]];
    }
  }
  return y;
}

template <class T>
bool same(T a, T b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

/// y = A x by the packed kernel, whatever pack() would choose.
template <class T>
void multiply_packed(const sk::spmv_view<const T>& a, sk::array_view<const T> x,
                     sk::array_view<T> y) {
  const sk::identity_epilogue none;
  const sk::kernels::call<sk::sequential_policy, sk::spmv_view<const T>, T, sk::col_major,
                          sk::col_major, sk::identity_epilogue>
      call{sk::seq, a, {x.data(), x.size(), 1}, {y.data(), y.size(), 1}, none, {}};
  sk::kernels::spmv_packed_slices<sk::native_arch, T>::run(call);
}

/// The five-point operator of a grid, values by rule: a band whose rows shift.
csr_arrays<double> grid(index_t n, bool constant) {
  csr_arrays<double> a{n * n, n * n, {0}, {}, {}};
  for (index_t i = 0; i < n * n; ++i) {
    const auto put = [&](bool there, index_t c, double v) {
      if (!there) return;
      a.columns.push_back(static_cast<std::int32_t>(c));
      a.values.push_back(constant ? v : static_cast<double>((i + c) % 5 - 2));
    };
    put(i >= n, i - n, -1);
    put(i % n > 0, i - 1, -1);
    put(true, i, 4);
    put(i % n < n - 1, i + 1, -1);
    put(i + n < n * n, i + n, -1);
    a.row_ptr.push_back(static_cast<std::int32_t>(a.columns.size()));
  }
  return a;
}

/// Every form of `a` times x, operands between guard pages; NaN in y must not survive.
template <class T>
int check_products(const csr_arrays<T>& a, const std::vector<T>& x_values, const char* name) {
  int wrong = 0;
  const auto expected = product(a, sk::array_view<const T>(x_values));
  const auto sell = sk::to_sell(view_of(a), {.slice_height = 8, .sort_window = 32, .max_fill = 64}).value();
  const auto odd = sk::to_sell(view_of(a), {.slice_height = 5, .sort_window = 5, .max_fill = 64}).value();
  const auto bsr = sk::to_bsr(view_of(a), {3, 2}).value();
  const auto big = sk::to_bsr(view_of(a), {5, 9}).value();
  const auto packed = sk::pack_spmv(view_of(a)).value();
  CHECK_MESSAGE(describe(sk::validate(sell.view())) == "ok", name);
  CHECK_MESSAGE(describe(sk::validate(bsr.view())) == "ok", name);
  CHECK_MESSAGE(describe(sk::validate(big.view())) == "ok", name);
  CHECK_MESSAGE(describe(sk::validate(packed.view())) == "ok", name);
  for (edge e : both_edges) {
    guarded<T> x(x_values, e);
    x.freeze();
    guarded<T> y;
    const auto compare = [&](const char* form, auto&& run) {
      y.reset(a.rows, e);
      y.fill(std::numeric_limits<T>::quiet_NaN());
      run();
      bool right = y.intact();
      for (index_t r = 0; r < a.rows; ++r) {
        right = right && same(y[r], expected[static_cast<std::size_t>(r)]);
      }
      CHECK_MESSAGE(right, name << " " << form);
      wrong += right ? 0 : 1;
    };
    compare("sell", [&] { sk::multiply(sell, x, y); });
    compare("sell of 5", [&] { sk::multiply(odd, x, y); });
    compare("bsr 3x2", [&] { sk::multiply(bsr, x, y); });
    compare("bsr 5x9", [&] { sk::multiply(big, x, y); });
    compare("packed", [&] { multiply_packed<T>(packed.view(), {x.data(), x.size()}, y.view()); });
  }
  return wrong;
}

template <class T>
void check_all_patterns() {
  int cases = 0;
  for (pattern p : all_patterns) {
    for (const auto& [rows, cols] : {std::pair<index_t, index_t>{1, 1}, {7, 5}, {8, 8}, {33, 20},
                                     {64, 130}, {101, 97}}) {
      rng random(static_cast<std::uint64_t>(31 * rows + cols));
      const auto a = make_csr<T, std::int32_t, std::int32_t>(p, rows, cols, 0.2, random,
                                                             small_integers{});
      auto x = make_dense<T>(cols, 1, random, small_integers{});
      CHECK(check_products(a, x, name_of(p)) == 0);
      // Only rows with an entry in the column may see it.
      x[static_cast<std::size_t>(cols / 2)] = std::numeric_limits<T>::infinity();
      CHECK(check_products(a, x, name_of(p)) == 0);
      x[static_cast<std::size_t>(cols - 1)] = std::numeric_limits<T>::quiet_NaN();
      CHECK(check_products(a, x, name_of(p)) == 0);
      ++cases;
    }
  }
  CHECK(cases == 72);
}

}  // namespace

TEST_CASE("SELL, BSR and packed slices multiply every pattern, f64") { check_all_patterns<double>(); }
TEST_CASE("SELL, BSR and packed slices multiply every pattern, f32") { check_all_patterns<float>(); }

TEST_CASE("grids become runs, constant ones with a value a step") {
  for (bool constant : {true, false}) {
    const auto a = grid(19, constant);
    const auto packed = sk::pack_spmv(view_of(a)).value();
    const auto view = packed.view();
    CHECK(view.order.empty());
    index_t uniform = 0;
    index_t runs = 0;
    index_t lists = 0;
    for (const sk::spmv_slice& s : view.slices) {
      uniform += s.uniform + s.uniform_partial;
      runs += s.steps() - s.list_steps();
      lists += s.list_steps();
    }
    CHECK(runs > 9 * lists);
    CHECK((uniform > runs / 2) == constant);
    std::vector<double> x;
    for (index_t i = 0; i < a.cols; ++i) x.push_back(static_cast<double>(i % 7 - 3));
    CHECK(check_products(a, x, "grid") == 0);
    x[100] = std::numeric_limits<double>::infinity();
    CHECK(check_products(a, x, "grid with Inf") == 0);
  }
}

TEST_CASE("long rows stand apart and empty rows are written") {
  csr_arrays<double> a{200, 3000, {0}, {}, {}};
  for (index_t r = 0; r < a.rows; ++r) {
    const index_t step = r == 3 ? 1 : r % 2 == 0 ? 911 : a.cols;
    for (index_t c = r % 13; c < a.cols && step < a.cols; c += step) {
      a.columns.push_back(static_cast<std::int32_t>(c));
      a.values.push_back(static_cast<double>(c % 5 - 2));
    }
    a.row_ptr.push_back(static_cast<std::int32_t>(a.columns.size()));
  }
  const auto packed = sk::pack_spmv(view_of(a)).value();
  CHECK(packed.view().long_rows.size() == 1);
  CHECK(packed.reason().find("long rows") != std::string::npos);
  const std::vector<double> x(3000, 1.0);
  CHECK(check_products(a, x, "long row") == 0);
}

TEST_CASE("SELL and BSR convert back to the entries they came from, explicit zeros included") {
  rng random(5);
  auto a = make_csr<float, std::int32_t, std::int32_t>(pattern::uniform, 37, 29, 0.3, random,
                                                       small_integers{});
  a.values[3] = 0.0f;
  a.values[17] = -0.0f;
  const auto equals = [&](const sk::csr_matrix<float>& b) {
    const auto v = b.view();
    return v.nnz() == a.nnz() &&
           std::memcmp(v.columns.data(), a.columns.data(), a.columns.size() * 4) == 0 &&
           std::memcmp(v.values.data(), a.values.data(), a.values.size() * 4) == 0;
  };
  CHECK(equals(sk::to_csr(sk::to_sell(view_of(a)).value()).value()));
  CHECK(equals(sk::to_csr(sk::to_bsr(view_of(a), {4, 4}).value()).value()));
  // All rows in one window, however the caller says that.
  const auto sorted = sk::to_sell(view_of(a), {.sort_window = 37}).value();
  const auto all =
      sk::to_sell(view_of(a), {.sort_window = std::numeric_limits<index_t>::max()}).value();
  CHECK(equals(sk::to_csr(all).value()));
  CHECK(all.fill() == sorted.fill());
  // The explicit zeros are entries: Inf in their columns reaches their rows as NaN.
  std::vector<float> x(29, 1.0f);
  x[static_cast<std::size_t>(a.columns[3])] = std::numeric_limits<float>::infinity();
  CHECK(check_products(a, x, "explicit zero") == 0);
}

TEST_CASE("products of several columns, every mix of layouts, with and without a workspace") {
  rng random(9);
  const auto a = make_csr<double, std::int32_t, std::int32_t>(pattern::uniform, 41, 35, 0.3, random,
                                                              small_integers{});
  const auto sell = sk::to_sell(view_of(a)).value();
  const auto bsr = sk::to_bsr(view_of(a), {3, 2}).value();
  for (index_t n : {2, 5, 16, 40}) {
    const auto x = make_dense<double>(35, n, random, small_integers{});
    std::vector<double> expected(static_cast<std::size_t>(41 * n));
    const auto run = [&]<class LX, class LY>(LX, LY) {
      const sk::dense_view<const double, LX> xv(x.data(), 35, n);
      std::vector<double> got(expected.size());
      const sk::dense_view<double, LY> want_view(expected.data(), 41, n);
      const sk::dense_view<double, LY> got_view(got.data(), 41, n);
      for (index_t j = 0; j < n; ++j) {
        std::vector<double> column;
        for (index_t k = 0; k < 35; ++k) column.push_back(xv(k, j));
        const auto y = product(a, sk::array_view<const double>(column));
        for (index_t r = 0; r < 41; ++r) want_view(r, j) = y[static_cast<std::size_t>(r)];
      }
      const auto check = [&](const auto& matrix) {
        sk::workspace ws(matrix, {.max_columns = n});
        std::fill(got.begin(), got.end(), std::nan(""));
        sk::multiply(matrix, xv, got_view, ws);
        CHECK(got == expected);
        std::fill(got.begin(), got.end(), std::nan(""));
        sk::multiply(matrix, xv, got_view);
        CHECK(got == expected);
      };
      check(sell);
      check(bsr);
    };
    run(sk::row_major{}, sk::row_major{});
    run(sk::col_major{}, sk::col_major{});
  }
}

TEST_CASE("malformed SELL, BSR and packed slices are named") {
  rng random(3);
  const auto a = make_csr<double, std::int32_t, std::int32_t>(pattern::uniform, 20, 30, 0.2, random,
                                                              small_integers{});
  const auto sell = sk::to_sell(view_of(a)).value();
  auto v = sell.view();
  std::vector<std::int32_t> columns(v.columns.begin(), v.columns.end());
  v.columns = columns;
  columns[0] = 30;
  CHECK(sk::validate(v).code == sk::errc::column_out_of_range);
  columns[0] = -1;
  CHECK(sk::validate(v).code == sk::errc::column_out_of_range);
  v = sell.view();
  std::vector<std::int32_t> order(v.row_order.begin(), v.row_order.end());
  v.row_order = order;
  order[1] = order[0];
  CHECK(sk::validate(v).code == sk::errc::duplicate_entry);
  order[1] = 20;
  CHECK(sk::validate(v).code == sk::errc::row_out_of_range);
  v = sell.view();
  std::vector<std::int32_t> lengths(v.lengths.begin(), v.lengths.end());
  v.lengths = lengths;
  lengths[2] = 1000;
  CHECK(sk::validate(v).code == sk::errc::bad_pattern);
  v = sell.view();
  v.slice_height = 0;
  CHECK(sk::validate(v).code == sk::errc::bad_argument);
  v = sell.view();
  v.entries += 1;
  CHECK(sk::validate(v).code == sk::errc::length_mismatch);
  v.row_order = {v.row_order.data(), v.row_order.size() - 1};
  CHECK(sk::validate(v).code == sk::errc::length_mismatch);
  CHECK(sk::to_sell(view_of(a), {.slice_height = 65}).error().code == sk::errc::bad_argument);

  rng other(4);
  const auto spiky = make_csr<double, std::int32_t, std::int32_t>(pattern::one_full_row, 64, 500,
                                                                  0.5, other, small_integers{});
  CHECK(sk::to_sell(view_of(spiky)).error().code == sk::errc::unsupported);

  const auto bsr = sk::to_bsr(view_of(a), {3, 4}).value();
  auto b = bsr.view();
  b.block.rows = 65;
  CHECK(sk::validate(b).code == sk::errc::bad_argument);
  b = bsr.view();
  b.values = {b.values.data(), b.values.size() - 1};
  CHECK(sk::validate(b).code == sk::errc::length_mismatch);
  b = bsr.view();
  std::vector<double> values(b.values.begin(), b.values.end());
  b.values = values;
  // 20 rows in blocks of 3: the last block row has one row beyond the matrix.
  values[static_cast<std::size_t>(12 * b.row_ptr[6] + 8)] = 1.0;
  CHECK(sk::validate(b).code == sk::errc::bad_pattern);

  const auto packed = sk::pack_spmv(view_of(a), {.column_bytes = 2}).value();
  auto p = packed.view();
  std::vector<std::uint16_t> short_list(p.short_columns.begin(), p.short_columns.end());
  p.short_columns = short_list;
  CHECK(sk::validate(p));
  short_list[0] = 30;
  CHECK(sk::validate(p).code == sk::errc::corrupt);
  const auto four_bytes = sk::pack_spmv(view_of(a), {.column_bytes = 4}).value();
  p = four_bytes.view();
  std::vector<std::int32_t> list(p.columns.begin(), p.columns.end());
  p.columns = list;
  CHECK(sk::validate(p));
  list[0] = 30;
  CHECK(sk::validate(p).code == sk::errc::corrupt);
  list[0] = -1;
  CHECK(sk::validate(p).code == sk::errc::corrupt);
  p = packed.view();
  p.columns = list;  // both
  CHECK(sk::validate(p).code == sk::errc::corrupt);
  p = packed.view();
  std::vector<sk::spmv_slice> slices(p.slices.begin(), p.slices.end());
  p.slices = slices;
  slices[1].value += 1;
  CHECK(sk::validate(p).code == sk::errc::corrupt);
  slices[1].value -= 1;
  slices[0].lists = 60000;
  CHECK(sk::validate(p).code == sk::errc::corrupt);

  // Saved bytes come back; damaged ones are refused.
  sk::buffer<std::byte> bytes;
  REQUIRE(bytes.allocate(packed.bytes().size()));
  std::memcpy(bytes.data(), packed.bytes().data(), static_cast<std::size_t>(bytes.size()));
  CHECK(sk::spmv_packed<double>::view_of(bytes.view()).has_value());
  CHECK(sk::spmv_packed<float>::view_of(bytes.view()).error().code == sk::errc::unsupported);
  bytes[bytes.size() / 2] ^= std::byte{1};
  CHECK(sk::spmv_packed<double>::view_of(bytes.view()).error().code == sk::errc::bad_checksum);
}

TEST_CASE("matrices without rows, columns or entries") {
  for (const auto& [rows, cols] : {std::pair<index_t, index_t>{0, 0}, {0, 5}, {5, 0}, {5, 5}}) {
    csr_arrays<float> a{rows, cols, std::vector<std::int32_t>(static_cast<std::size_t>(rows + 1)), {}, {}};
    const std::vector<float> x(static_cast<std::size_t>(cols), std::numeric_limits<float>::quiet_NaN());
    CHECK(check_products(a, x, "empty") == 0);
  }
}
