// Window-lookup steps: packing and validation, and products with every tail, layout and window, from
// guarded arrays.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "sparsekit/pack/lookup.hpp"
#include "sparsekit/sparsekit.hpp"
#include "support/generators.hpp"
#include "support/guard.hpp"

namespace sk = sparsekit;
using sk::index_t;
using namespace sparsekit_test;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

template <class T>
sk::csr_view<const T> view_of(const csr_arrays<T>& a) {
  return {{a.rows, a.cols}, a.row_ptr, a.columns, a.values};
}

/// Y = A X in plain loops over the entries, X and Y column by column without gaps.
template <class T>
std::vector<T> reference(const csr_arrays<T>& a, const T* x, index_t columns) {
  std::vector<T> y;
  for (index_t n = 0; n < columns; ++n) {
    for (index_t r = 0; r < a.rows; ++r) {
      T sum{0};
      for (auto p = a.row_ptr[static_cast<std::size_t>(r)];
           p < a.row_ptr[static_cast<std::size_t>(r) + 1]; ++p) {
        const auto at = static_cast<std::size_t>(p);
        sum += a.values[at] * x[n * a.cols + a.columns[at]];
      }
      y.push_back(sum);
    }
  }
  return y;
}

template <class T>
bool same(T a, T b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

/// A packed matrix whose arrays stand between guard pages, apart.
template <class T>
struct guarded_lookup {
  guarded<std::uint32_t> slice_start;
  guarded<std::uint16_t> bases;
  guarded<std::uint8_t> places;
  guarded<T> values;
  guarded<std::uint8_t> lane_rows;
  sk::lookup_view<const T> view;

  guarded_lookup(const sk::lookup_matrix<T>& from, edge side)
      : slice_start(from.view().slice_start, side),
        bases(from.view().bases, side),
        places(from.view().places, side),
        values(from.view().values, side),
        lane_rows(from.view().lane_rows, side),
        view(from.view()) {
    view.slice_start = slice_start.view();
    view.bases = bases.view();
    view.places = places.view();
    view.values = values.view();
    view.lane_rows = lane_rows.view();
  }
};

/// Small integers: every order of the sum gives the same bits.
template <class T>
void check_products(const csr_arrays<T>& a, index_t window, edge side, bool with_infinity,
                    rng& random) {
  CAPTURE(a.rows);
  CAPTURE(a.cols);
  CAPTURE(window);
  const auto matrix = sk::pack_lookup(view_of(a), {.window_bytes = window}).value();
  REQUIRE(bool(sk::lookup_matrix<T>::view_of(matrix.bytes())));
  const guarded_lookup<T> arrays(matrix, side);
  const auto& packed = arrays.view;
  for (index_t columns : {1, 2, 3, 4, 5, 6, 7}) {
    guarded<T> x(make_dense<T>(a.cols, columns, random, small_integers{}), side);
    if (with_infinity && x.size() > 0) {
      x[random.below(x.size())] = std::numeric_limits<T>::infinity();
      x[random.below(x.size())] = std::numeric_limits<T>::quiet_NaN();
    }
    const std::vector<T> expected = reference(a, x.data(), columns);
    sk::workspace scratch(packed, {.max_columns = columns});
    for (bool use_scratch : {false, true}) {
      guarded<T> y(a.rows * columns, side);
      y.fill(std::numeric_limits<T>::quiet_NaN());
      const sk::dense_view<const T, sk::col_major> xv(x.data(), a.cols, columns);
      const sk::dense_view<T, sk::col_major> yv(y.data(), a.rows, columns);
      if (use_scratch) {
        sk::multiply(packed, xv, yv, scratch);
      } else {
        sk::multiply(packed, xv, yv);
      }
      index_t wrong = 0;
      for (index_t i = 0; i < y.size(); ++i) {
        wrong += same(y[i], expected[static_cast<std::size_t>(i)]) ? 0 : 1;
      }
      CHECK(wrong == 0);
      CHECK(y.intact());
      // X and Y row by row.
      guarded<T> across(x.size(), side);
      for (index_t k = 0; k < a.cols; ++k) {
        for (index_t n = 0; n < columns; ++n) across[k * columns + n] = x[n * a.cols + k];
      }
      y.fill(std::numeric_limits<T>::quiet_NaN());
      const sk::dense_view<const T> xr(across.data(), a.cols, columns);
      const sk::dense_view<T> yr(y.data(), a.rows, columns);
      if (use_scratch) {
        sk::multiply(packed, xr, yr, scratch);
      } else {
        sk::multiply(packed, xr, yr);
      }
      wrong = 0;
      for (index_t r = 0; r < a.rows; ++r) {
        for (index_t n = 0; n < columns; ++n) {
          wrong += same(yr(r, n), expected[static_cast<std::size_t>(n * a.rows + r)]) ? 0 : 1;
        }
      }
      CHECK(wrong == 0);
      CHECK(y.intact());
    }
  }
}

TEST_CASE_TEMPLATE("every length of x, every window", T, float, double) {
  rng random(1);
  for (index_t cols = 1; cols <= 140; cols += cols < 70 ? 1 : 7) {
    const auto a = make_csr<T>(pattern::uniform, 33 + cols % 5, cols, 0.3, random,
                               small_integers{});
    for (index_t window : {64, 128, 256}) {
      check_products(a, window, cols % 2 == 0 ? edge::left : edge::right, cols % 3 == 0, random);
    }
  }
}

TEST_CASE("every pattern, several blocks of rows") {
  rng random(2);
  for (pattern p : all_patterns) {
    CAPTURE(name_of(p));
    const auto a = make_csr<float>(p, 300, 97, 0.2, random, small_integers{});
    for (index_t window : {64, 128, 256}) {
      check_products(a, window, edge::right, true, random);
    }
  }
}

TEST_CASE("x longer than the stack serves is read in place") {
  rng random(3);
  const auto a = make_csr<float>(pattern::uniform, 40, 9001, 0.05, random, small_integers{});
  for (index_t window : {64, 128, 256}) {
    check_products(a, window, edge::right, false, random);
    check_products(a, window, edge::left, true, random);
  }
}

TEST_CASE("an empty slot never contributes, a stored zero does") {
  // Row 0 has column 0 only; its slots for the other windows are empty.
  csr_arrays<float> a{2, 80, {0, 1, 81}, {0}, {2.f}};
  for (int c = 0; c < 80; ++c) {
    a.columns.push_back(c);
    a.values.push_back(c == 7 ? 0.f : 1.f);
  }
  const auto packed = sk::pack_lookup(view_of(a)).value();
  std::vector<float> x(80, 1.f);
  std::vector<float> y(2, not_a_number);
  x[7] = infinity;
  sk::multiply(packed, x, y);
  CHECK(y[0] == 2.f);
  CHECK(std::isnan(y[1]));
}

TEST_CASE("threads do not change a bit; epilogues see the right rows") {
  rng random(4);
  const auto a = make_csr<float>(pattern::magnitude_like, 1500, 700, 0.2, random);
  const auto packed = sk::pack_lookup(view_of(a)).value();
  const std::vector<float> x = make_dense<float>(700, 1, random);
  std::vector<float> bias(1500);
  for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = static_cast<float>(i);
  std::vector<float> one(1500, not_a_number);
  std::vector<float> two(1500, not_a_number);
  sk::multiply(packed, x, one, sk::bias(bias) | sk::relu);
  const auto backwards = [](index_t tasks, const auto& f) {
    for (index_t t = tasks; t-- > 0;) f(t, index_t{0});
  };
  sk::multiply(sk::par(backwards), packed, x, two, sk::bias(bias) | sk::relu);
  CHECK(one == two);
  const std::vector<float> sums = reference(a, x.data(), 1);
  index_t wrong = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const float wanted = std::max(0.f, sums[i] + bias[i]);
    wrong += std::abs(one[i] - wanted) <= 1e-4f * (1.f + std::abs(wanted)) ? 0 : 1;
  }
  CHECK(wrong == 0);
}

// Sums with many steps, odd and even, whose order shows in their bits.
TEST_CASE_TEMPLATE("a column has the same bits alone, among others, and beside one with a NaN", T, float, double) {
  rng random(5);
  for (index_t cols : {1, 31, 64, 65, 300, 997}) {
    CAPTURE(cols);
    const auto a = make_csr<T>(pattern::magnitude_like, 70, cols, 0.4, random);
    for (index_t window : {64, 128, 256}) {
      CAPTURE(window);
      const auto packed = sk::pack_lookup(view_of(a), {.window_bytes = window}).value();
      const std::vector<T> x = make_dense<T>(cols, 1, random);
      std::vector<T> alone(70);
      sk::multiply(packed, x, alone);
      for (index_t columns = 1; columns <= 5; ++columns) {
        for (bool beside_nan : {false, true}) {
          std::vector<T> many;
          for (index_t n = 0; n < columns; ++n) many.insert(many.end(), x.begin(), x.end());
          if (beside_nan) many[0] = std::numeric_limits<T>::quiet_NaN();
          std::vector<T> y(static_cast<std::size_t>(70 * columns));
          sk::workspace scratch(packed, {.max_columns = columns});
          sk::multiply(packed, sk::dense_view<const T, sk::col_major>(many.data(), cols, columns),
                       sk::dense_view<T, sk::col_major>(y.data(), 70, columns), scratch);
          index_t differ = 0;
          for (index_t n = beside_nan ? 1 : 0; n < columns; ++n) {
            differ += std::memcmp(y.data() + n * 70, alone.data(), 70 * sizeof(T)) == 0 ? 0 : 1;
          }
          CHECK(differ == 0);
        }
      }
    }
  }
}

TEST_CASE("what cannot be packed is refused by name") {
  rng random(5);
  const auto a = make_csr<float>(pattern::uniform, 4, 9, 0.5, random);
  CHECK(sk::pack_lookup(view_of(a), {.window_bytes = 100}).error().code == sk::errc::bad_argument);
  const std::vector<int> offsets{0, 0};
  const sk::csr_view<const float> wide{{1, sk::lookup_view<float>::max_cols + 1}, offsets, {}, {}};
  CHECK(sk::pack_lookup(wide).error().code == sk::errc::size_overflow);
  auto unsorted = a;
  unsorted.columns[0] = 9;
  CHECK(sk::pack_lookup(view_of(unsorted)).error().code == sk::errc::column_out_of_range);
}

TEST_CASE("damaged packed bytes are found, and what validate passes stays inside its arrays") {
  rng random(6);
  const auto a = make_csr<float>(pattern::uniform, 40, 70, 0.3, random);
  const auto packed = sk::pack_lookup(view_of(a)).value();
  const auto good = packed.bytes();
  sk::buffer<std::byte> bytes;
  REQUIRE(bool(bytes.allocate(good.size())));
  const auto restore = [&] {
    std::memcpy(bytes.data(), good.data(), static_cast<std::size_t>(good.size()));
  };
  index_t missed = 0;
  for (index_t i = 0; i < good.size(); i += 13) {
    restore();
    bytes[i] ^= std::byte{1};
    missed += sk::lookup_matrix<float>::view_of(bytes.view()) ? 1 : 0;
  }
  CHECK(missed == 0);
  CHECK(!sk::lookup_matrix<float>::view_of({good.data(), good.size() - 1}));

  // Behind a right checksum: each array wrong in turn.
  auto v = packed.view();
  std::vector<std::uint16_t> bases(v.bases.begin(), v.bases.end());
  std::vector<std::uint8_t> places(v.places.begin(), v.places.end());
  std::vector<std::uint8_t> lanes(v.lane_rows.begin(), v.lane_rows.end());
  std::vector<std::uint32_t> starts(v.slice_start.begin(), v.slice_start.end());
  v.bases = bases;
  v.places = places;
  v.lane_rows = lanes;
  v.slice_start = starts;
  REQUIRE(bool(sk::validate(v)));
  bases[0] = 65535;
  CHECK(sk::validate(v).code == sk::errc::corrupt);
  bases[0] = 0;
  places[5] = 255;
  CHECK(std::string(sk::validate(v).detail) == "place");
  places[5] = packed.view().places[5];
  std::swap(starts[0], starts[1]);
  CHECK(std::string(sk::validate(v).detail) == "slice_start");
  std::swap(starts[0], starts[1]);
  lanes[0] = lanes[1];
  CHECK(!sk::validate(v));
}

}  // namespace
