// The foundation: sizes that do not wrap, views, owned memory, statuses and results.
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sparsekit/core/checked.hpp"
#include "sparsekit/core/dense_view.hpp"
#include "sparsekit/core/storage.hpp"
#include "sparsekit/status.hpp"
#include "support/describe.hpp"

namespace sk = sparsekit;
using sk::errc;
using sk::index_t;
using sparsekit_test::describe;

// AddressSanitizer would end the program where operator new is to return null.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

namespace {

constexpr index_t largest = std::numeric_limits<index_t>::max();

/// A type that can only be moved, and counts how many of it are alive.
struct tracked {
  static inline int alive = 0;
  int value = 0;
  explicit tracked(int v) : value(v) { ++alive; }
  tracked(tracked&& other) noexcept : value(std::exchange(other.value, -1)) { ++alive; }
  tracked& operator=(tracked&& other) noexcept {
    value = std::exchange(other.value, -1);
    return *this;
  }
  ~tracked() { --alive; }
};

sk::result<tracked> make(bool good) {
  if (!good) return sk::status{.code = errc::bad_argument, .object = "tracked", .detail = "good"};
  return tracked(7);
}

}  // namespace

TEST_CASE("checked arithmetic reports what does not fit") {
  index_t out = 0;
  CHECK(sk::checked_multiply(0, largest, out));
  CHECK(out == 0);
  CHECK(sk::checked_multiply(largest, 1, out));
  CHECK(out == largest);
  CHECK(sk::checked_multiply(index_t{1} << 31, index_t{1} << 31, out));
  CHECK(out == index_t{1} << 62);
  CHECK_FALSE(sk::checked_multiply(index_t{1} << 32, index_t{1} << 31, out));
  CHECK_FALSE(sk::checked_multiply(index_t{1} << 32, index_t{1} << 32, out));
  CHECK_FALSE(sk::checked_multiply(-1, 1, out));
  CHECK_FALSE(sk::checked_multiply(1, -1, out));
  CHECK(sk::checked_add(largest - 1, 1, out));
  CHECK(out == largest);
  CHECK_FALSE(sk::checked_add(largest, 1, out));
  CHECK_FALSE(sk::checked_add(-1, 1, out));
  CHECK(sk::ceil_div(0, 4) == 0);
  CHECK(sk::ceil_div(5, 4) == 2);
  CHECK(sk::ceil_div(largest, 4) == largest / 4 + 1);
  CHECK(sk::round_up(64, 64) == 64);
  CHECK(sk::round_up(65, 64) == 128);
}

TEST_CASE("fits knows the limits of each index type") {
  CHECK(sk::fits<std::int16_t>(32767));
  CHECK_FALSE(sk::fits<std::int16_t>(32768));
  CHECK(sk::fits<std::int16_t>(-32768));
  CHECK(sk::fits<std::uint16_t>(65535));
  CHECK_FALSE(sk::fits<std::uint16_t>(65536));
  CHECK_FALSE(sk::fits<std::uint16_t>(-1));
  CHECK(sk::fits<std::int32_t>((index_t{1} << 31) - 1));
  CHECK_FALSE(sk::fits<std::int32_t>(index_t{1} << 31));
  CHECK(sk::fits<std::uint32_t>((index_t{1} << 32) - 1));
  CHECK_FALSE(sk::fits<std::uint32_t>(index_t{1} << 32));
  CHECK(sk::fits<std::int64_t>(largest));
  CHECK(sk::fits<std::uint64_t>(largest));
  CHECK_FALSE(sk::fits<std::uint64_t>(-1));
  static_assert(sk::index_type<std::uint16_t> && sk::index_type<long long>);
  static_assert(!sk::index_type<bool> && !sk::index_type<std::int8_t> && !sk::index_type<float>);
}

TEST_CASE("array_view takes what is contiguous and any type of length") {
  std::vector<int> numbers{1, 2, 3};
  const sk::array_view<int> from_vector(numbers);
  CHECK(from_vector.data() == numbers.data());
  CHECK(from_vector.size() == 3);
  from_vector[1] = 5;
  CHECK(numbers[1] == 5);
  const sk::array_view<const int> constant(std::as_const(numbers));
  CHECK(constant.size() == 3);
  const sk::array_view<const int> of_mutable(from_vector);
  CHECK(of_mutable.data() == numbers.data());
  const std::array<double, 2> two{1, 2};
  CHECK(sk::array_view(two).size() == 2);
  CHECK(sk::array_view<const int>(std::span<int>(numbers)).size() == 3);
  CHECK(sk::array_view<int>{numbers.data(), 2u}.size() == 2);
  CHECK(sk::array_view<int>{numbers.data(), short{1}}.size() == 1);
  CHECK(sk::array_view<int>{}.empty());
  CHECK(sk::array_view<int>{numbers.data(), -1}.empty());
  int sum = 0;
  for (int n : constant) sum += n;
  CHECK(sum == 9);
  static_assert(!std::is_constructible_v<sk::array_view<int>, const std::vector<int>&>);
  static_assert(!std::is_constructible_v<sk::array_view<const double>, const std::vector<int>&>);
}

TEST_CASE("buffer is aligned, move-only, and reports what it cannot have") {
  sk::buffer<float> b;
  CHECK(b.data() == nullptr);
  REQUIRE(b.allocate_zeroed(100));
  CHECK(b.size() == 100);
  CHECK(reinterpret_cast<std::uintptr_t>(b.data()) % sk::storage_alignment == 0);
  for (float v : b) CHECK(v == 0.f);
  for (index_t i = 0; i < 100; ++i) b[i] = static_cast<float>(i);

  REQUIRE(b.resize(200));
  CHECK(b.size() == 200);
  for (index_t i = 0; i < 100; ++i) CHECK(b[i] == static_cast<float>(i));
  REQUIRE(b.resize(10));
  CHECK(b[9] == 9.f);
  b.shrink(4);
  CHECK(b.size() == 4);
  b.shrink(40);
  CHECK(b.size() == 4);

  sk::buffer<float> moved(std::move(b));
  CHECK(moved.size() == 4);
  CHECK(b.size() == 0);
  CHECK(b.data() == nullptr);
  b = std::move(moved);
  CHECK(b[3] == 3.f);

  REQUIRE(b.allocate(0));
  CHECK(b.data() == nullptr);
  CHECK(describe(b.allocate(-1)) ==
        "size_overflow entry -1 row -1 got -1 allowed 2305843009213693951 | "
        "buffer: size = -1 exceeds 2305843009213693951");
  CHECK(b.allocate(index_t{1} << 62).code == errc::size_overflow);
  CHECK(describe(b.allocate(index_t{1} << 52)) ==
        "out_of_memory entry -1 row -1 got 18014398509481984 allowed 0 | "
        "buffer: no memory for 18014398509481984 bytes");
  CHECK(b.size() == 0);
}

TEST_CASE("growing_buffer grows, hands its memory over, and can be moved from") {
  sk::growing_buffer<std::int32_t> g;
  REQUIRE(g.reserve(3));
  for (std::int32_t i = 0; i < 1000; ++i) REQUIRE(g.push_back(i));
  CHECK(g.size() == 1000);
  CHECK(g[999] == 999);

  sk::growing_buffer<std::int32_t> other(std::move(g));
  CHECK(g.size() == 0);
  REQUIRE(g.push_back(5));
  CHECK(g[0] == 5);
  CHECK(other.size() == 1000);
  g = std::move(other);
  CHECK(g.size() == 1000);
  REQUIRE(other.push_back(6));
  CHECK(other[other.size() - 1] == 6);

  sk::buffer<std::int32_t> taken = g.take();
  CHECK(taken.size() == 1000);
  CHECK(taken[500] == 500);
  CHECK(g.size() == 0);
  REQUIRE(g.push_back(1));
  g.clear();
  CHECK(g.size() == 0);
}

TEST_CASE("dense_view addresses both layouts with a leading dimension") {
  std::vector<float> memory(64);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i);
  const sk::dense_view<float> rows(memory.data(), 3, 5, 8);
  const sk::dense_view<float, sk::col_major> columns(memory.data(), 3, 5, 8u);
  CHECK(rows(2, 4) == 20.f);
  CHECK(columns(2, 4) == 34.f);
  CHECK(rows.span_size() == 21);
  CHECK(columns.span_size() == 35);
  CHECK(sk::dense_view<float>(memory.data(), 3, 5).ld() == 5);
  CHECK(sk::dense_view<float, sk::col_major>(memory.data(), 3, 5).ld() == 3);
  CHECK(sk::dense_view<float>(memory.data(), 0, 5).span_size() == 0);

  const auto flipped = sk::transposed(rows);
  static_assert(std::is_same_v<decltype(flipped), const sk::dense_view<float, sk::col_major>>);
  CHECK(flipped.rows() == 5);
  CHECK(flipped.cols() == 3);
  CHECK(flipped(4, 2) == rows(2, 4));
  const auto back = sk::transposed(flipped);
  static_assert(std::is_same_v<decltype(back), const sk::dense_view<float>>);
  CHECK(back(2, 4) == rows(2, 4));

  const sk::dense_view<const float> constant = rows;
  CHECK(constant.data() == memory.data());
  static_assert(!std::is_constructible_v<sk::dense_view<float>, sk::dense_view<const float>>);
}

TEST_CASE("dense_view: what is no matrix is refused") {
  float memory[64] = {};
  using rows = sk::dense_view<float>;
  using columns = sk::dense_view<float, sk::col_major>;
  CHECK(sk::validate(rows(memory, 3, 5, 8)));
  CHECK(sk::validate(rows(memory, 3, 5, 7)));
  CHECK(sk::validate(rows(nullptr, 0, 5)));
  CHECK(sk::validate(rows(nullptr, 5, 0)));
  CHECK(sk::validate(columns(nullptr, 0, 0)));
  CHECK(describe(sk::validate(rows(memory, -1, 5), "x")) ==
        "negative_size entry -1 row -1 got -1 allowed 0 | x: rows = -1 is negative");
  CHECK(describe(sk::validate(columns(memory, 4, -2), "x")) ==
        "negative_size entry -1 row -1 got -2 allowed 0 | x: cols = -2 is negative");
  CHECK(
      describe(sk::validate(rows(memory, 3, 5, 4), "x")) ==
      "bad_leading_dimension entry -1 row -1 got 4 allowed 5 | x: leading dimension 4 is below 5");
  CHECK(
      describe(sk::validate(columns(memory, 5, 3, 4), "x")) ==
      "bad_leading_dimension entry -1 row -1 got 4 allowed 5 | x: leading dimension 4 is below 5");
  CHECK(describe(sk::validate(rows(memory, 3, 5, -8), "x")) ==
        "bad_leading_dimension entry -1 row -1 got -8 allowed 5 | "
        "x: leading dimension -8 is below 5");
  CHECK(describe(sk::validate(rows(nullptr, 3, 5), "x")) ==
        "null_array entry -1 row -1 got 0 allowed 15 | x: data is null, expected length 15");

  // Size arithmetic alone: nothing here is read. 2^31 and 2^32 elements are fine, 2^63 bytes are
  // not.
  CHECK(sk::validate(rows(memory, index_t{1} << 31, 1)));
  CHECK(sk::validate(rows(memory, index_t{1} << 16, index_t{1} << 16)));
  CHECK(sk::validate(columns(memory, index_t{1} << 30, index_t{1} << 30)));
  CHECK(sk::validate(rows(memory, index_t{1} << 31, index_t{1} << 31)).code == errc::size_overflow);
  CHECK(sk::validate(rows(memory, index_t{1} << 32, index_t{1} << 32)).code == errc::size_overflow);
  CHECK(sk::validate(columns(memory, 2, 4, largest)).code == errc::size_overflow);
}

TEST_CASE("any_integer keeps signs and large unsigned values") {
  CHECK(sk::any_integer(-1).text() == "-1");
  CHECK(sk::any_integer(std::numeric_limits<std::int64_t>::min()).text() == "-9223372036854775808");
  CHECK(sk::any_integer(std::numeric_limits<std::uint64_t>::max()).text() ==
        "18446744073709551615");
  CHECK(sk::any_integer(std::int16_t{-7}).text() == "-7");
  CHECK(sk::any_integer(std::uint32_t{4294967295u}).text() == "4294967295");
  CHECK(sk::any_integer(std::uint64_t{18446744073709551615u}) != sk::any_integer(-1));
}

TEST_CASE("status: each code has a name and a message of its own") {
  CHECK(sk::status{});
  CHECK(sk::status{}.message() == "ok");
  std::vector<std::string> names;
  for (int code = 1; code <= static_cast<int>(errc::unsupported); ++code) {
    const sk::status s{.code = static_cast<errc>(code),
                       .object = "thing",
                       .detail = "part",
                       .entry = 17,
                       .row = 3,
                       .got = 5,
                       .allowed = 4};
    CHECK_FALSE(s);
    const std::string name = sk::name_of(s.code);
    CHECK(name != "unknown");
    for (const std::string& other : names) CHECK(other != name);
    names.push_back(name);
    const std::string message = s.message();
    CAPTURE(message);
    CHECK(message.substr(0, 7) == "thing: ");
    CHECK(message.size() > 10);
    CHECK(message.find('\n') == std::string::npos);
  }
  const sk::status documented{.code = errc::column_out_of_range,
                              .object = "csr",
                              .detail = "columns",
                              .entry = 17,
                              .row = 3,
                              .got = 4096,
                              .allowed = 4096};
  CHECK(documented.message() ==
        "csr: column index 4096 at entry 17 (row 3) is not below cols = 4096");
  const sk::status of_column{.code = errc::row_out_of_range,
                             .object = "csc",
                             .detail = "row_indices",
                             .entry = 17,
                             .row = 3,
                             .got = -1,
                             .allowed = 8};
  CHECK(of_column.message() == "csc: row index -1 at entry 17 (column 3) is not below rows = 8");
}

TEST_CASE("result holds a value or a reason, and destroys what it holds") {
  REQUIRE(tracked::alive == 0);
  {
    sk::result<tracked> good = make(true);
    CHECK(good);
    CHECK(good.has_value());
    CHECK(good.error());
    sk::result<tracked> moved(std::move(good));
    tracked out(0);
    CHECK(std::move(moved).get(out));
    CHECK(out.value == 7);
    CHECK(make(true).value().value == 7);

    sk::result<tracked> bad = make(false);
    CHECK_FALSE(bad);
    CHECK(bad.error().code == errc::bad_argument);
    tracked kept(3);
    const sk::status s = std::move(bad).get(kept);
    CHECK(s.code == errc::bad_argument);
    CHECK(kept.value == 3);
  }
  CHECK(tracked::alive == 0);
}

#if SPARSEKIT_HAS_EXCEPTIONS
TEST_CASE("result::value throws sparsekit::error with the status") {
  try {
    const tracked t = make(false).value();
    FAIL("nothing was thrown");
  } catch (const sk::error& e) {
    CHECK(e.status().code == errc::bad_argument);
    CHECK(std::string(e.what()) == "tracked: good");
  }
  CHECK(tracked::alive == 0);
}
#endif
