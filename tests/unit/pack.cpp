// pack() and its packed bytes: options and sources it refuses, allocations that fail, bytes that were saved,
// moved, truncated or damaged, and the same stream on every column count.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "sparsekit/check.hpp"
#include "sparsekit/multiply.hpp"
#include "sparsekit/pack/pack.hpp"
#include "support/allocation_failure.hpp"
#include "support/describe.hpp"
#include "support/packed_bytes.hpp"

namespace sk = sparsekit;
using sk::index_t;
using namespace sparsekit_test;

namespace {

/// Only quads, whatever pack() would choose.
sk::packed_matrix<float> quads_only(const csr_arrays<float>& a) {
  const sk::extents shape(a.rows, a.cols);
  const auto cut = sk::choose_quad_shape<float>(shape, a.nnz(), {16});
  return {shape, a.nnz(), sk::pack_quads(sk::seq, view_of(a), cut).value()};
}

sk::status status_of(sk::array_view<const std::byte> bytes) {
  return sk::quad_matrix<float>::view_of(bytes).error();
}

}  // namespace

TEST_CASE("pack refuses bad column counts and invalid sources by name") {
  const auto a = weights<float>(5, 7, 0.5, 1);
  CHECK(sk::pack(view_of(a), {.columns = {}}).error().code == sk::errc::bad_argument);
  CHECK(sk::pack(view_of(a), {.columns = {0}}).error().code == sk::errc::bad_argument);
  const sk::status negative = sk::pack(view_of(a), {.columns = {16, -3}}).error();
  CHECK(negative.code == sk::errc::bad_argument);
  CHECK(negative.got.text() == "-3");

  auto out_of_range = a;
  out_of_range.columns[0] = 7;
  CHECK(sk::pack(view_of(out_of_range)).error().code == sk::errc::column_out_of_range);
  auto unsorted = weights<float>(1, 8, 1.0, 2);
  std::swap(unsorted.columns[2], unsorted.columns[3]);
  CHECK(sk::pack(view_of(unsorted)).error().code == sk::errc::not_sorted);
}

TEST_CASE("pack survives each allocation that fails") {
  const auto a = weights<float>(40, 300, 0.3, 3);
  for (index_t columns : {1, 64}) {
    const auto allocations = fail_each_allocation([&] {
      sk::packed_matrix<float> w;
      return sk::pack(view_of(a), {.columns = {columns}}).get(w);
    });
    CHECK(allocations > 0);
  }
}

TEST_CASE("a stream validates, and holds every entry once, for every pattern and cut") {
  rng random(4);
  for (pattern p : all_patterns) {
    for (index_t interleave : {1, 2}) {
      for (index_t column_block : {1, 40, 256}) {
        const auto a = make_csr<float, std::int32_t, std::int32_t>(p, 37, 130, 0.4, random,
                                                                   small_integers{});
        CAPTURE(name_of(p));
        CAPTURE(column_block);
        const auto quads = sk::pack_quads(sk::seq, view_of(a),
                                          {.row_block = 20, .column_block = column_block,
                                           .interleave = interleave})
                               .value();
        const auto view = quads.view();
        CHECK(describe(sk::validate(view)) == "ok");
        CHECK(view.nnz() == a.nnz());
        CHECK(view.slots >= a.nnz());
      }
    }
  }
}

TEST_CASE("explicit zeros of both signs stay in the pattern") {
  const std::int32_t row_ptr[] = {0, 2};
  const std::int32_t columns[] = {0, 1};
  const float values[] = {-0.f, 0.f};
  const auto w =
      sk::pack(sk::csr_view<const float>{{1, 3}, row_ptr, columns, values}, {.columns = {8}})
          .value();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {infinity, 1, 1, 1, 1, infinity, 1, 1, infinity, infinity,
                                infinity, infinity};
  std::vector<float> y(4);
  sk::workspace ws(w, {.max_columns = 4});
  sk::multiply(w, sk::dense_view(x.data(), 3, 4), sk::dense_view(y.data(), 1, 4), ws);
  CHECK(std::isnan(y[0]));  // 0 * Inf
  CHECK(std::isnan(y[1]));
  CHECK(y[2] == 0);  // row 2 of x is not in the pattern
  CHECK(y[3] == 0);
}

TEST_CASE("the bits of a column depend neither on its place nor on the number of columns") {
  rng random(5);
  const auto a = make_csr<float>(pattern::magnitude_like, 70, 300, 0.2, random);
  const auto x = make_dense<float>(300, 100, random);
  const auto w = sk::pack(view_of(a), {.columns = {64}}).value();
  sk::workspace ws(w, {.max_columns = 100});
  std::vector<float> all(70 * 100);
  sk::multiply(w, sk::dense_view(x.data(), 300, 100), sk::dense_view(all.data(), 70, 100), ws);
  for (index_t n : {2, 3, 4, 5, 8, 9, 16, 17, 33, 64}) {
    for (index_t first : {0, 1, 7, 36}) {
      CAPTURE(n);
      CAPTURE(first);
      std::vector<float> some(static_cast<std::size_t>(70 * n));
      sk::multiply(w, sk::dense_view(x.data() + first, 300, n, 100),
                   sk::dense_view(some.data(), 70, n), ws);
      int different = 0;
      for (index_t r = 0; r < 70; ++r) {
        different += std::memcmp(&some[static_cast<std::size_t>(r * n)],
                                 &all[static_cast<std::size_t>(r * 100 + first)],
                                 static_cast<std::size_t>(n) * sizeof(float)) != 0;
      }
      CHECK(different == 0);
    }
  }
}

TEST_CASE("saved bytes multiply after loading; every truncation and every flipped bit is refused") {
  const auto a = weights<float>(9, 30, 0.4, 6);
  const auto w = quads_only(a);
  const auto saved = aligned_copy(w.quads().bytes());
  const auto loaded = sk::quad_matrix<float>::view_of(saved.view()).value();
  CHECK(loaded.nnz() == a.nnz());

  for (index_t n = 0; n < saved.size(); n += n < 256 ? 1 : 61) {
    const sk::status s = status_of({saved.data(), n});
    CHECK_FALSE(s);
  }
  auto damaged = aligned_copy(saved.view());
  int accepted = 0;
  for (index_t i = 0; i < damaged.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      damaged[i] ^= std::byte{1} << bit;
      accepted += status_of(damaged.view()) ? 1 : 0;
      damaged[i] ^= std::byte{1} << bit;
    }
  }
  CHECK(accepted == 0);
}

TEST_CASE("damage with a valid checksum is refused or harmless") {
  const auto a = weights<float>(21, 50, 0.3, 7);
  const auto w = quads_only(a);
  auto bytes = aligned_copy(w.quads().bytes());
  const std::vector<float> x(50 * 16, 1.f);
  std::vector<float> y(21 * 16);
  sk::workspace ws(w, {.max_columns = 16});
  rng random(8);
  int refused = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    const index_t at = random.below(bytes.size());
    const std::byte old = bytes[at];
    bytes[at] = static_cast<std::byte>(random.next());
    seal(bytes.data(), bytes.size());
    sk::quad_view<const float> view;
    if (const sk::status s = sk::quad_matrix<float>::view_of(bytes.view()).get(view); !s) {
      ++refused;
    } else {
      // Accepted: values or filled slots changed; every read and write must stay inside.
      const sk::packed_view<const float> packed{.shape = view.shape, .entries = view.entries,
                                                .quads = view};
      if (view.rows() == 21 && view.cols() == 50) {
        const sk::kernels::call<sk::sequential_policy, sk::packed_view<const float>, float,
                                sk::row_major, sk::row_major, sk::identity_epilogue>
            call{sk::seq, packed, sk::dense_view<const float>(x.data(), 50, 16),
                 sk::dense_view<float>(y.data(), 21, 16), {}, ws.memory()};
        CHECK(sk::kernels::run_selected<sk::native_arch>(call));
      }
    }
    bytes[at] = old;
  }
  CHECK(refused > 1000);
}

TEST_CASE("bytes of another version, type or form are named") {
  const auto a = weights<float>(3, 5, 0.5, 9);
  const auto w = quads_only(a);
  const auto change = [&](auto&& edit) {
    auto bytes = aligned_copy(w.quads().bytes());
    sk::packed_header h;
    std::memcpy(&h, bytes.data(), sizeof h);
    edit(h);
    std::memcpy(bytes.data(), &h, sizeof h);
    seal(bytes.data(), bytes.size());
    return status_of(bytes.view()).code;
  };
  CHECK(change([](sk::packed_header& h) { h.magic ^= 1; }) == sk::errc::bad_magic);
  CHECK(change([](sk::packed_header& h) { ++h.version; }) == sk::errc::bad_version);
  CHECK(change([](sk::packed_header& h) { h.type = sk::packed_type::f64; }) ==
        sk::errc::unsupported);
  CHECK(change([](sk::packed_header& h) { h.form = sk::packed_form::wide; }) ==
        sk::errc::unsupported);
  CHECK(change([](sk::packed_header& h) { h.rows = index_t{1} << 60; }) == sk::errc::corrupt);
  CHECK(change([](sk::packed_header& h) { h.cols = -1; }) == sk::errc::corrupt);
  CHECK(change([](sk::packed_header& h) { h.sections[3].bytes = index_t{1} << 62; }) ==
        sk::errc::corrupt);
}

TEST_CASE("a matrix packed for one column multiplies with any number") {
  for (double density : {0.005, 0.3}) {  // slices, then window-lookup steps
    rng random(10);
    const auto a = make_csr<float, std::int32_t, std::int32_t>(pattern::uniform, 90, 400, density,
                                                               random, small_integers{});
    const auto w = sk::pack(view_of(a), {.columns = {1}}).value();
    CHECK(w.quads().empty());
    CHECK(w.reason().find("zeros") != std::string::npos);
    const auto x = make_dense<float>(400, 13, random, small_integers{});
    std::vector<float> y(90 * 13);
    sk::multiply(w, sk::dense_view(x.data(), 400, 13), sk::dense_view(y.data(), 90, 13));
    const auto dense = expand(a);
    int wrong = 0;
    for (std::size_t r = 0; r < 90; ++r) {
      for (std::size_t j = 0; j < 13; ++j) {
        float sum = 0;
        for (std::size_t k = 0; k < 400; ++k) sum += dense[r * 400 + k] * x[k * 13 + j];
        wrong += sum != y[r * 13 + j];
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE(
    "a large graph is packed into slices for any number of columns: quads would be all frame") {
  // Groups of rows by 256 columns are many more than entries.
  csr_arrays<float> a{40'000, 40'000, {0}, {}, {}};
  for (index_t r = 0; r < a.rows; ++r) {
    a.columns.push_back(static_cast<std::int32_t>(r * 7919 % a.cols));
    a.values.push_back(static_cast<float>(r % 5 + 1));
    a.row_ptr.push_back(static_cast<std::int32_t>(a.columns.size()));
  }
  a.cols = 80'000;  // more than wide rows have
  const auto packed = sk::pack(view_of(a), {.columns = {1, 4}}).value();
  CHECK(packed.quads().bytes().empty());
  CHECK(packed.bytes() < 20 * a.nnz());
  CHECK(packed.reason().find("slowly more") != std::string::npos);
  std::vector<float> x(static_cast<std::size_t>(a.cols * 2));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 9);
  std::vector<float> y(static_cast<std::size_t>(a.rows * 2));
  sk::multiply(packed, sk::dense_view<const float>(x.data(), a.cols, 2),
               sk::dense_view<float>(y.data(), a.rows, 2));
  index_t wrong = 0;
  for (index_t r = 0; r < a.rows; ++r) {
    for (index_t j = 0; j < 2; ++j) {
      const auto at = static_cast<std::size_t>(r);
      const float want = a.values[at] * x[static_cast<std::size_t>(a.columns[at] * 2 + j)];
      wrong += y[static_cast<std::size_t>(r * 2 + j)] == want ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("weights in clusters that no slice of rows shares are slices, not windows of one entry") {
  // Dense enough for weights, but each row of a slice has its own 128 columns.
  csr_arrays<float> a{4096, 4096, {0}, {}, {}};
  for (index_t r = 0; r < a.rows; ++r) {
    for (index_t c = 0; c < 128; ++c) {
      a.columns.push_back(static_cast<std::int32_t>(r % 32 * 128 + c));
      a.values.push_back(1);
    }
    a.row_ptr.push_back(static_cast<std::int32_t>(a.columns.size()));
  }
  const sk::pack_options options{.columns = {1}, .target = sk::pack_target::neon};
  CHECK(sk::pack_lookup(view_of(a), {.target = options.target}).error().code ==
        sk::errc::unsupported);
  const auto packed = sk::pack(view_of(a), options).value();
  CHECK(packed.lookup().bytes().empty());
  CHECK_FALSE(packed.spmv().bytes().empty());
  const std::vector<float> x(4096, 1.f);
  std::vector<float> y(4096);
  sk::multiply(packed, x, y);
  CHECK(y == std::vector<float>(4096, 128.f));
}

TEST_CASE("pack says what it found in the structure, and what followed from it") {
  const auto reason = [](index_t rows, index_t cols, auto&& columns_of) {
    csr_arrays<float> a{rows, cols, {0}, {}, {}};
    for (index_t r = 0; r < rows; ++r) {
      for (const index_t c : columns_of(r)) {
        a.columns.push_back(static_cast<std::int32_t>(c));
        a.values.push_back(static_cast<float>(a.columns.size() % 7));
      }
      a.row_ptr.push_back(static_cast<std::int32_t>(a.columns.size()));
    }
    return sk::pack(view_of(a), {.columns = {1}}).value().reason();
  };
  const auto says = [](const std::string& text, const char* words) {
    return text.find(words) != std::string::npos;
  };
  using list = std::vector<index_t>;
  const auto band = reason(4000, 4000, [](index_t r) {
    return r == 0 || r == 3999 ? list{r} : list{r - 1, r, r + 1};
  });
  INFO(band);
  CHECK(says(band, "neighbouring columns, so rows keep their order"));
  CHECK(!says(band, "long rows"));

  // Columns far apart, one row a hundred times as long as the others; x fits the cache.
  const auto graph = [](index_t cols) {
    return [cols](index_t r) {
      list columns;
      const index_t n = r == 77 ? 1000 : r % 10;
      const index_t step = cols / 1100;
      for (index_t i = 0; i < n; ++i) columns.push_back(i * step + (r * 13 + i * 29) % step);
      return columns;
    };
  };
  const auto near = reason(3000, 100000, graph(100000));
  INFO(near);
  CHECK(says(near, "so rows are sorted by length"));
  CHECK(says(near, "in 1 long rows"));
  CHECK(says(near, "stay in cache"));
  const auto far = reason(3000, 1000000, graph(1000000));
  INFO(far);
  CHECK(says(far, "whose 3907 KB caches do not hold"));
  CHECK(says(reason(300, 300, [](index_t) {
               list all;
               for (index_t c = 0; c < 300; c += 2) all.push_back(c);
               return all;
             }),
             "entries everywhere: window-lookup steps"));
}
