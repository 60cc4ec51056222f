// What pack_spmv() makes of matrices whose slices are hard to find runs in: lanes that are no
// neighbours, columns far apart, rows that begin alike. Products are compared with plain loops,
// bytes with those of another packing.
#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <vector>

#include "sparsekit/multiply.hpp"
#include "sparsekit/pack/spmv.hpp"
#include "support/describe.hpp"
#include "support/generators.hpp"
#include "support/packed_bytes.hpp"

namespace sk = sparsekit;
using sk::index_t;
using namespace sparsekit_test;

namespace {

/// Row r has column r + d for each d that is in range, but where `hole(r, i)`. Values are small
/// integers; `equal`: all entries of a diagonal have one.
template <class T, class F>
csr_arrays<T> diagonals(index_t rows, index_t cols, const std::vector<index_t>& offsets, bool equal,
                        F&& hole) {
  csr_arrays<T> a{rows, cols, {0}, {}, {}};
  for (index_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      const index_t c = r + offsets[i];
      if (c < 0 || c >= cols || hole(r, static_cast<index_t>(i))) continue;
      a.columns.push_back(static_cast<std::int32_t>(c));
      a.values.push_back(static_cast<T>((static_cast<index_t>(i) + (equal ? 0 : r)) % 7 - 3));
    }
    a.row_ptr.push_back(static_cast<std::int32_t>(a.columns.size()));
  }
  return a;
}

template <class T>
void check_product(const csr_arrays<T>& a, const sk::spmv_view<const T>& packed) {
  CHECK(describe(sk::validate(packed)) == "ok");
  std::vector<T> x(static_cast<std::size_t>(a.cols));
  for (std::size_t c = 0; c < x.size(); ++c) x[c] = static_cast<T>(c % 11) - T{5};
  std::vector<T> y(static_cast<std::size_t>(a.rows), std::numeric_limits<T>::quiet_NaN());
  const sk::identity_epilogue none;
  const sk::kernels::call<sk::sequential_policy, sk::spmv_view<const T>, T, sk::col_major,
                          sk::col_major, sk::identity_epilogue>
      call{sk::seq, packed, {x.data(), a.cols, 1}, {y.data(), a.rows, 1}, none, {}};
  sk::kernels::spmv_packed_slices<sk::native_arch, T>::run(call);
  index_t wrong = 0;
  for (index_t r = 0; r < a.rows; ++r) {
    T sum{0};
    for (auto p = a.row_ptr[static_cast<std::size_t>(r)];
         p < a.row_ptr[static_cast<std::size_t>(r + 1)]; ++p) {
      const auto at = static_cast<std::size_t>(p);
      sum += a.values[at] * x[static_cast<std::size_t>(a.columns[at])];
    }
    wrong += y[static_cast<std::size_t>(r)] == sum ? 0 : 1;
  }
  CHECK(wrong == 0);
}

/// The bases of each kind of run increase: no window of them was read before another.
template <class T>
bool bases_increase(const sk::spmv_view<const T>& a) {
  for (const sk::spmv_slice& s : a.slices) {
    index_t at = s.word;
    const index_t kinds[] = {s.full, s.partial, s.uniform, s.uniform_partial};
    for (int kind = 0; kind < 4; ++kind) {
      std::int64_t last = -1;
      for (index_t i = 0; i < kinds[kind]; ++i, at += 1 + kind % 2) {
        if (a.words[at] <= last) return false;
        last = a.words[at];
      }
    }
  }
  return true;
}

template <class T>
void check_far_columns() {
  const auto none = [](index_t, index_t) { return false; };
  // Holes in some lanes, in most lanes (too few are left for a run), and in whole slices.
  const auto holes = [](index_t r, index_t i) {
    return (r * 7 + i * 5) % 9 == 0 || (i == 3 && r % 16 > 2);
  };
  const std::vector<index_t> offsets = {0, 1, 63, 64, 4095, 4096, 4097, 9000, 20000};
  for (bool equal : {false, true}) {
    for (int with_holes = 0; with_holes < 2; ++with_holes) {
      const auto a = with_holes == 0 ? diagonals<T>(203, 20100, offsets, equal, none)
                                     : diagonals<T>(203, 20100, offsets, equal, holes);
      const auto packed = sk::pack_spmv(view_of(a)).value();
      const auto view = packed.view();
      CHECK(view.order.empty());
      CHECK(bases_increase(view));
      index_t uniform = 0;
      index_t lists = 0;
      for (const sk::spmv_slice& s : view.slices) {
        uniform += index_t{s.uniform} + s.uniform_partial;
        lists += s.list_steps();
      }
      CHECK((uniform > 0) == equal);
      CHECK(lists > 0);  // in the last slice, which is not full
      check_product(a, view);
    }
  }
}

}  // namespace

TEST_CASE("runs far apart, with holes, f64") { check_far_columns<double>(); }
TEST_CASE("runs far apart, with holes, f32") { check_far_columns<float>(); }

TEST_CASE("a long row amid a band: the lanes of a slice are no neighbours, and are equally long") {
  for (bool equal : {false, true}) {
    auto a = diagonals<double>(400, 2600, {0, 1, 5}, equal, [](index_t, index_t) { return false; });
    // Row 100 becomes longer than any slice holds.
    std::vector<std::int32_t> columns(2500);
    for (std::size_t i = 0; i < columns.size(); ++i) columns[i] = static_cast<std::int32_t>(i);
    const auto at = a.row_ptr[100];
    a.columns.erase(a.columns.begin() + at, a.columns.begin() + at + 3);
    a.columns.insert(a.columns.begin() + at, columns.begin(), columns.end());
    a.values.insert(a.values.begin() + at, columns.size() - 3, 2.0);
    for (std::size_t r = 101; r < a.row_ptr.size(); ++r) a.row_ptr[r] += 2500 - 3;
    const auto packed = sk::pack_spmv(view_of(a)).value();
    CHECK(packed.view().long_rows.size() == 1);
    CHECK(packed.view().order.size() == 400);
    check_product(a, packed.view());
  }
}

TEST_CASE("rows that are all long make no slice, and their bytes load again") {
  csr_arrays<double> a{3, 5000, {0}, {}, {}};
  for (index_t r = 0; r < a.rows; ++r) {
    for (std::int32_t c = 0; c < 2500; ++c) {
      a.columns.push_back(2 * c);
      a.values.push_back(static_cast<double>(c % 7 - r));
    }
    a.row_ptr.push_back(static_cast<std::int32_t>(a.columns.size()));
  }
  const auto packed = sk::pack_spmv(view_of(a)).value();
  CHECK(packed.view().slices.empty());
  CHECK(packed.view().long_rows.size() == 3);
  CHECK(packed.reason() == "all 3 rows are long, and stored alone");
  check_product(a, sk::spmv_packed<double>::view_of(packed.bytes()).value());
}

TEST_CASE("numbers of columns take two bytes where they fit, four where not, with the same bits") {
  // Rows of very unlike length, entries to the last column; long rows too.
  for (const index_t cols : {index_t{65536}, index_t{65537}}) {
    csr_arrays<double> a{300, cols, {0}, {}, {}};
    for (index_t r = 0; r < a.rows; ++r) {
      const index_t n = r == 7 ? 3000 : r % 13;
      for (index_t i = 0; i < n; ++i) {
        a.columns.push_back(
            static_cast<std::int32_t>(cols - 1 - (n - 1 - i) * ((r * 37) % 19 + 1)));
        a.values.push_back(1.0 / static_cast<double>(r + i + 1));
      }
      a.row_ptr.push_back(static_cast<std::int32_t>(a.columns.size()));
    }
    const bool fits = cols == 65536;
    const auto packed = sk::pack_spmv(view_of(a), {.column_bytes = fits ? 2 : 4}).value();
    const auto four = sk::pack_spmv(view_of(a), {.column_bytes = 4}).value();
    CHECK(packed.view().has_short_columns() == fits);
    CHECK_FALSE(four.view().has_short_columns());
    CHECK(packed.view().long_rows.size() == 1);
    CHECK((packed.bytes().size() < four.bytes().size()) == fits);
    CHECK(describe(sk::validate(packed.view())) == "ok");
    std::vector<double> x(static_cast<std::size_t>(cols));
    for (std::size_t c = 0; c < x.size(); ++c) x[c] = 1.0 / static_cast<double>(c + 3);
    std::vector<double> y[2];
    for (int i = 0; i < 2; ++i) {
      y[i].assign(300, std::numeric_limits<double>::quiet_NaN());
      const sk::identity_epilogue none;
      const sk::kernels::call<sk::sequential_policy, sk::spmv_view<const double>, double,
                              sk::col_major, sk::col_major, sk::identity_epilogue>
          call{sk::seq,
               i == 0 ? packed.view() : four.view(),
               {x.data(), cols, 1},
               {y[i].data(), 300, 1},
               none,
               {}};
      sk::kernels::spmv_packed_slices<sk::native_arch, double>::run(call);
    }
    CHECK(y[0] == y[1]);
    // Saved bytes know their width.
    sk::buffer<std::byte> bytes;
    REQUIRE(bytes.allocate(packed.bytes().size()));
    std::memcpy(bytes.data(), packed.bytes().data(), static_cast<std::size_t>(bytes.size()));
    CHECK(sk::spmv_packed<double>::view_of(bytes.view()).value().has_short_columns() == fits);
    CHECK(sk::pack_spmv(view_of(a), {.column_bytes = 2}).has_value() == fits);
    CHECK(sk::pack_spmv(view_of(a), {.column_bytes = 3}).error().code == sk::errc::bad_argument);
  }
}

TEST_CASE("beyond the cache columns take two bytes, and runs with many empty lanes become lists") {
  // Pairs of rows that alternate between two columns each: runs of which half of the lanes are
  // empty.
  const auto every_other = [](index_t rows) {
    return diagonals<double>(rows, rows + 40, {0, 3, 7, 12, 20, 31}, false,
                             [](index_t r, index_t i) { return (r + i) % 2 != 0; });
  };
  const auto runs_of = [](const sk::spmv_packed<double>& packed) {
    index_t runs = 0;
    for (const sk::spmv_slice& s : packed.view().slices) runs += s.steps() - s.list_steps();
    return runs;
  };
  const auto small = every_other(2000);
  CHECK(small.nnz() < sk::spmv_cache_bytes / 12);
  const auto in_cache = sk::pack_spmv(view_of(small)).value();
  CHECK_FALSE(in_cache.view().has_short_columns());
  CHECK(runs_of(in_cache) > 0);
  const auto large = every_other(30000);
  CHECK(large.nnz() > sk::spmv_cache_bytes / 12);
  const auto beyond = sk::pack_spmv(view_of(large)).value();
  CHECK(beyond.view().has_short_columns());
  CHECK(runs_of(beyond) == 0);
  check_product(large, beyond.view());
  // A run of one value takes few bytes, however many lanes are empty.
  const auto even = diagonals<double>(30000, 30040, {0, 3, 7, 12, 20, 31}, true,
                                      [](index_t r, index_t i) { return (r + i) % 2 != 0; });
  const auto uniform = sk::pack_spmv(view_of(even)).value();
  CHECK(runs_of(uniform) > 0);
  check_product(even, uniform.view());
  // Full runs take fewer bytes than any list.
  const auto band = diagonals<double>(30000, 30040, {0, 1, 2, 12, 31}, false,
                                      [](index_t, index_t) { return false; });
  CHECK(runs_of(sk::pack_spmv(view_of(band)).value()) > 0);
}

TEST_CASE("rows of 64-bit indices pack into the same bytes") {
  const auto a = diagonals<double>(90, 9000, {0, 1, 2, 5000, 8500}, false,
                                   [](index_t r, index_t i) { return (r + i) % 6 == 0; });
  const std::vector<std::int64_t> row_ptr(a.row_ptr.begin(), a.row_ptr.end());
  const std::vector<std::int64_t> columns(a.columns.begin(), a.columns.end());
  const sk::csr_view<const double, std::int64_t, std::int64_t> wide{
      {a.rows, a.cols}, row_ptr, columns, a.values};
  const auto one = sk::pack_spmv(view_of(a)).value();
  const auto other = sk::pack_spmv(wide).value();
  REQUIRE(one.bytes().size() == other.bytes().size());
  CHECK(std::memcmp(one.bytes().data(), other.bytes().data(),
                    static_cast<std::size_t>(one.bytes().size())) == 0);
}

TEST_CASE("nothing that memory held before gets into the bytes") {
  const auto a = diagonals<double>(90, 300, {0, 1, 2, 70, 200}, true,
                                   [](index_t r, index_t i) { return (r * 5 + i * 3) % 11 == 0; });
  std::vector<std::byte> first;
  for (int dirt : {0x00, 0x5a, 0xff}) {
    for (std::size_t size = 256; size <= 65536; size *= 2) {
      const std::vector<std::byte> garbage(size, static_cast<std::byte>(dirt));
      CHECK(garbage.back() == static_cast<std::byte>(dirt));
    }
    const auto packed = sk::pack_spmv(view_of(a)).value();
    const auto bytes = packed.bytes();
    sk::packed_header h;
    std::memcpy(&h, bytes.data(), sizeof h);
    for (index_t i = sizeof h; i < h.sections[0].offset; ++i) CHECK(bytes[i] == std::byte{0});
    if (first.empty()) first.assign(bytes.begin(), bytes.end());
    REQUIRE(first.size() == static_cast<std::size_t>(bytes.size()));
    CHECK(std::memcmp(first.data(), bytes.data(), first.size()) == 0);
  }
}
