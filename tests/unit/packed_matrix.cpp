// A whole packed_matrix as bytes: saved, read back, also from a file, and multiplied by this
// instruction set and by scalar code, truncated, damaged, the same for any number of threads; and
// wide rows, the form for very sparse weights: every tail, layout and kernel, what is not in the
// pattern, damage.
#include <doctest/doctest.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "sparsekit/adapters/thread_pool.hpp"
#include "sparsekit/convert/from_view.hpp"
#include "sparsekit/multiply.hpp"
#include "sparsekit/pack/pack.hpp"
#include "support/allocation_failure.hpp"
#include "support/describe.hpp"
#include "support/packed_bytes.hpp"

namespace sk = sparsekit;
using sk::index_t;
using namespace sparsekit_test;

namespace {

/// Y = A X by one instruction set's kernels, from a view that may lie in loaded bytes.
template <class Arch, class T, class X = sk::row_major, class Y = sk::row_major>
std::vector<T> product(const sk::packed_view<const T>& a, const std::vector<T>& x, index_t n,
                       bool with_workspace = true) {
  const index_t x_ld = X::rows_contiguous ? n : a.cols();
  const index_t y_ld = Y::rows_contiguous ? n : a.rows();
  std::vector<T> y(static_cast<std::size_t>(a.rows() * n), std::numeric_limits<T>::quiet_NaN());
  const sk::workspace_size need =
      sk::kernels::largest_requirement<Arch, T>(a, with_workspace ? n : 0);
  sk::buffer<std::byte> scratch;
  REQUIRE(scratch.allocate(need.shared + need.per_worker + 256));
  sk::scratch_memory memory;
  if (with_workspace) {
    memory = {.shared = scratch.data(),
              .workers = scratch.data() + sk::round_up(need.shared, 64),
              .shared_bytes = need.shared,
              .worker_bytes = need.per_worker,
              .worker_count = 1};
  }
  const sk::kernels::call<sk::sequential_policy, sk::packed_view<const T>, T, X, Y,
                          sk::identity_epilogue>
      call{sk::seq,
           a,
           sk::dense_view<const T, X>(x.data(), a.cols(), n, x_ld),
           sk::dense_view<T, Y>(y.data(), a.rows(), n, y_ld),
           {},
           memory};
  REQUIRE(sk::kernels::run_selected<Arch>(call));
  return y;
}

/// The same by plain loops; x and the result row-major. Small integers: exact.
template <class T>
std::vector<T> expected(const csr_arrays<T>& a, const std::vector<T>& x, index_t n) {
  std::vector<T> y(static_cast<std::size_t>(a.rows * n));
  for (index_t r = 0; r < a.rows; ++r) {
    for (auto p = a.row_ptr[static_cast<std::size_t>(r)];
         p < a.row_ptr[static_cast<std::size_t>(r) + 1]; ++p) {
      for (index_t j = 0; j < n; ++j) {
        y[static_cast<std::size_t>(r * n + j)] +=
            a.values[static_cast<std::size_t>(p)] *
            x[static_cast<std::size_t>(a.columns[static_cast<std::size_t>(p)] * n + j)];
      }
    }
  }
  return y;
}
template <class T>
std::vector<T> swapped(const std::vector<T>& v, index_t rows, index_t cols) {
  std::vector<T> t(v.size());
  for (index_t r = 0; r < rows; ++r) {
    for (index_t c = 0; c < cols; ++c) {
      t[static_cast<std::size_t>(c * rows + r)] = v[static_cast<std::size_t>(r * cols + c)];
    }
  }
  return t;
}

/// Only wide rows, whatever pack() would choose.
template <class T>
sk::packed_matrix<T> wide_only(const csr_arrays<T>& a) {
  return {{a.rows, a.cols}, a.nnz(), {}, {}, {}, sk::pack_wide(sk::seq, view_of(a)).value()};
}

}  // namespace

TEST_CASE_TEMPLATE("wide rows multiply exactly, in all layouts, with and without workspace", T,
                   float, double) {
  rng random(1);
  for (double density : {0.0, 0.02, 0.3}) {
    for (index_t rows : {1, 7, 8, 61, 530}) {
      const auto a = weights<T>(rows, 90, density, 2);
      const auto w = wide_only(a);
      CAPTURE(rows);
      CHECK(describe(sk::validate(w.view().wide)) == "ok");
      for (index_t n : {2, 3, 4, 8, 15, 16, 20, 32, 33, 64, 129}) {
        CAPTURE(n);
        const auto x = make_dense<T>(90, n, random, small_integers{});
        const auto xt = swapped(x, 90, n);
        const auto y = expected(a, x, n);
        using native = sk::native_arch;
        using sk::col_major;
        using sk::row_major;
        for (bool workspace : {true, false}) {
          CHECK(product<native, T>(w.view(), x, n, workspace) == y);
          if constexpr (std::is_same_v<T, float>) {  // all layouts once: compile time
            CHECK(swapped(product<native, T, row_major, col_major>(w.view(), x, n, workspace), n,
                          rows) == y);
            CHECK(product<native, T, col_major, row_major>(w.view(), xt, n, workspace) == y);
            CHECK(swapped(product<native, T, col_major, col_major>(w.view(), xt, n, workspace), n,
                          rows) == y);
          }
        }
      }
    }
  }
}

TEST_CASE("wide rows: Y beyond the second cache, and with a row on each page") {
  rng random(7);
  const auto a = weights<float>(530, 90, 0.3, 8);
  const auto w = wide_only(a);
  for (index_t n : {768, 1280}) {
    const auto x = make_dense<float>(90, n, random, small_integers{});
    CHECK(product<sk::native_arch, float>(w.view(), x, n) == expected(a, x, n));
  }
}

TEST_CASE("wide rows: X that is not finite reaches only rows that have its column") {
  rng random(3);
  const auto a = weights<float>(70, 50, 0.1, 4);
  const auto w = wide_only(a);
  for (index_t n : {3, 8, 40}) {
    auto x = make_dense<float>(50, n, random, small_integers{});
    for (index_t j = 0; j < n; ++j) {
      x[static_cast<std::size_t>(11 * n + j)] = std::numeric_limits<float>::quiet_NaN();
    }
    const auto y = product<sk::native_arch, float>(w.view(), x, n);
    int wrong = 0;
    int reached = 0;
    for (index_t r = 0; r < 70; ++r) {
      bool has = false;
      for (auto p = a.row_ptr[static_cast<std::size_t>(r)];
           p < a.row_ptr[static_cast<std::size_t>(r) + 1]; ++p) {
        has = has || a.columns[static_cast<std::size_t>(p)] == 11;
      }
      reached += has ? 1 : 0;
      for (index_t j = 0; j < n; ++j) {
        wrong += std::isnan(y[static_cast<std::size_t>(r * n + j)]) != has;
      }
    }
    CHECK(wrong == 0);
    CHECK(reached > 0);
  }
}

TEST_CASE("wide rows: a column has the same bits in every width") {
  rng random(5);
  const auto a = make_csr<float>(pattern::magnitude_like, 70, 300, 0.05, random);
  const auto w = sk::packed_matrix<float>{
      {70, 300}, a.nnz(), {}, {}, {}, sk::pack_wide(sk::seq, view_of(a)).value()};
  const auto x = make_dense<float>(300, 100, random);
  const auto all = product<sk::native_arch, float>(w.view(), x, 100);
  for (index_t n : {2, 4, 7, 8, 9, 31, 32, 64}) {
    std::vector<float> part(static_cast<std::size_t>(300 * n));
    for (index_t k = 0; k < 300; ++k) {
      std::memcpy(&part[static_cast<std::size_t>(k * n)], &x[static_cast<std::size_t>(k * 100 + 5)],
                  static_cast<std::size_t>(n) * sizeof(float));
    }
    const auto some = product<sk::native_arch, float>(w.view(), part, n);
    int different = 0;
    for (index_t r = 0; r < 70; ++r) {
      different += std::memcmp(&some[static_cast<std::size_t>(r * n)],
                               &all[static_cast<std::size_t>(r * 100 + 5)],
                               static_cast<std::size_t>(n) * sizeof(float)) != 0;
    }
    CHECK(different == 0);
  }
}

TEST_CASE("wide rows: limits and failing allocations") {
  const auto a = weights<float>(40, 300, 0.02, 6);
  CHECK(fail_each_allocation([&] {
          sk::wide_matrix<float> w;
          return sk::pack_wide(sk::seq, view_of(a)).get(w);
        }) > 0);
  const std::int32_t row_ptr[] = {0, 0};
  const sk::csr_view<const float> broad{{1, 65537}, row_ptr, {}, {}};
  CHECK(sk::pack_wide(sk::seq, broad).error().code == sk::errc::size_overflow);
  CHECK(sk::pack(broad, {.columns = {64}}).value().wide().empty());  // quads instead
}

TEST_CASE("wide rows: the same bits wherever X lies in memory") {
  rng random(15);
  const auto a = weights<float>(61, 90, 0.3, 16);
  const auto w = wide_only(a);
  sk::workspace ws(w, {.max_columns = 64});
  const auto x = make_dense<float>(90, 64, random);
  // On a line of the cache X is read where it lies; elsewhere it is re-laid, as its rows are used often.
  sk::buffer<float> memory;
  REQUIRE(memory.allocate(90 * 64 + 4));
  std::vector<float> first;
  for (index_t offset : {0, 1, 4}) {
    CAPTURE(offset);
    std::copy(x.begin(), x.end(), memory.data() + offset);
    std::vector<float> y(61 * 64);
    sk::multiply(w, sk::dense_view<const float>(memory.data() + offset, 90, 64),
                 sk::dense_view<float>(y.data(), 61, 64), ws);
    if (first.empty()) first = y;
    CHECK(std::memcmp(y.data(), first.data(), y.size() * sizeof(float)) == 0);
    std::vector<float> narrow(61 * 61);
    sk::multiply(w, sk::dense_view<const float>(memory.data() + offset, 90, 61, 64),
                 sk::dense_view<float>(narrow.data(), 61, 61), ws);
    int different = 0;
    for (std::size_t r = 0; r < 61; ++r) {
      different += std::memcmp(&narrow[r * 61], &first[r * 64], 61 * sizeof(float)) != 0;
    }
    CHECK(different == 0);
  }
}

TEST_CASE(
    "pack() takes wide rows where rows are short or almost everything is zero, quads elsewhere") {
  const auto sparse = weights<float>(300, 400, 0.01, 7);
  const auto dense = weights<float>(300, 400, 0.4, 8);
  for (auto target : {sk::pack_target::avx2, sk::pack_target::avx512, sk::pack_target::native}) {
    const auto w = sk::pack(view_of(sparse), {.columns = {128}, .target = target}).value();
    CHECK_FALSE(w.wide().empty());
    CHECK(w.quads().empty());
    CHECK(w.reason().find("wide rows") != std::string::npos);
    const auto q = sk::pack(view_of(dense), {.columns = {128}, .target = target}).value();
    CHECK(q.wide().empty());
    CHECK_FALSE(q.quads().empty());
  }
  const auto is_wide = [](const csr_arrays<float>& a, sk::column_counts columns,
                          sk::pack_target target) {
    return !sk::pack(view_of(a), {.columns = columns, .target = target}).value().wide().empty();
  };
  // AVX2 also takes short rows, for a full panel of columns, and rows of X that are used a few
  // times.
  const auto layer = weights<float>(48, 64, 0.3, 10);
  CHECK(is_wide(layer, {2304}, sk::pack_target::avx2));
  CHECK_FALSE(is_wide(layer, {8}, sk::pack_target::avx2));
  CHECK_FALSE(is_wide(layer, {8, 2304}, sk::pack_target::avx2));
  CHECK_FALSE(is_wide(layer, {2304}, sk::pack_target::avx512));
  const auto flat = weights<float>(16, 3000, 0.05, 11);
  CHECK(is_wide(flat, {16}, sk::pack_target::avx2));
  CHECK_FALSE(is_wide(flat, {16}, sk::pack_target::neon));
  // Windows for one column: two registers of AVX-512, as small as possible where there is no lookup
  // in two registers, whoever packs.
  const auto window = [&](sk::pack_target target) {
    return sk::pack(view_of(dense), {.columns = {1, 64}, .target = target})
        .value()
        .view()
        .lookup.window_bytes;
  };
  CHECK(window(sk::pack_target::avx2) == 64);
  CHECK(window(sk::pack_target::avx512) == 128);
  // Few columns and many: one form each.
  const auto both = sk::pack(view_of(sparse), {.columns = {1, 128}}).value();
  rng random(9);
  for (index_t n : {1, 2, 3, 4, 5, 6, 7, 70}) {
    const auto x = make_dense<float>(400, n, random, small_integers{});
    CHECK(product<sk::native_arch, float>(both.view(), x, n) == expected(sparse, x, n));
  }
}

TEST_CASE("window lookup serves as many columns as pay on the target, quads the others") {
  const auto packed = [](auto value, double density, sk::column_counts columns,
                         sk::pack_target target, bool keep_18_bits = false) {
    const auto a = weights<decltype(value)>(96, 400, density, 21);
    return sk::pack(view_of(a),
                    {.columns = columns, .keep_18_bits = keep_18_bits, .target = target})
        .value();
  };
  constexpr auto avx512 = sk::pack_target::avx512;
  for (const index_t n : {4, 6}) {
    const auto few = packed(1.f, 0.2, {n}, avx512);
    CHECK(few.view().has_lookup());
    CHECK(!few.view().has_quads());
    CHECK(!packed(1.f, 0.2, {n}, sk::pack_target::avx2).view().has_lookup());
    CHECK(!packed(1.0, 0.2, {n}, avx512).view().has_lookup());
    // Few entries: putting sums would take longer than the products.
    CHECK(!packed(1.f, 0.02, {n}, avx512).view().has_lookup());
  }
  CHECK(!packed(1.f, 0.05, {6}, avx512).view().has_lookup());
  CHECK(!packed(1.f, 0.2, {7}, avx512).view().has_lookup());
  const auto both = packed(1.f, 0.2, {4, 7}, avx512);
  CHECK((both.view().has_lookup() && both.view().has_quads()));
  // Weights of 18 bits are for up to three columns: four are exact.
  CHECK(packed(1.f, 0.2, {4}, avx512, true).view().has_quads());
}

TEST_CASE_TEMPLATE("a whole matrix: saved, read back, multiplied by every instruction set", T,
                   float, double) {
  rng random(10);
  for (double density : {0.005, 0.1, 0.5}) {
    const auto a = weights<T>(90, 400, density, 11);
    for (const sk::column_counts& columns : {sk::column_counts{1}, {1, 64}, {64}, {4}, {3, 512}}) {
      const auto w = sk::pack(view_of(a), {.columns = columns}).value();
      const auto saved = w.save().value();
      const auto view = sk::packed_matrix<T>::view_of(saved.view()).value();
      const auto owner = sk::packed_matrix<T>::from_bytes(saved.view()).value();
      CHECK(view.nnz() == a.nnz());
      CHECK(owner.bytes() == w.bytes());
      CHECK(owner.reason() == w.reason());
      const auto again = owner.save().value();
      REQUIRE(again.size() == saved.size());
      CHECK(std::memcmp(again.data(), saved.data(), static_cast<std::size_t>(saved.size())) == 0);
      for (index_t n : {1, 2, 5, 40}) {
        CAPTURE(n);
        const auto x = make_dense<T>(400, n, random, small_integers{});
        const auto y = expected(a, x, n);
        CHECK(product<sk::native_arch, T>(view, x, n) == y);
        CHECK(product<sk::arch::scalar, T>(view, x, n) == y);
        CHECK(product<sk::native_arch, T>(owner.view(), x, n) == y);
      }
    }
  }
}

TEST_CASE("a matrix that moves takes its view along and leaves none behind") {
  rng random(4);
  const auto a = make_csr<double, std::int32_t, std::int32_t>(pattern::banded, 40, 40, 0.1, random,
                                                              small_integers{});
  const sk::csr_view<const double> source{{a.rows, a.cols}, a.row_ptr, a.columns, a.values};
  auto first = sk::pack(source, {.columns = {1, 8}}).value();
  const auto before = first.view();
  CHECK((before.has_spmv() || before.has_lookup()));
  auto second = std::move(first);
  CHECK(second.view().quads.values.data() == before.quads.values.data());
  sk::packed_matrix<double> third;
  third = std::move(second);
  CHECK(third.view().spmv.words.data() == before.spmv.words.data());
  CHECK(third.view().nnz() == a.nnz());
  for (const auto* empty : {&first, &second}) {
    const auto v = empty->view();
    CHECK_FALSE((v.has_spmv() || v.has_lookup() || v.has_quads() || v.has_wide() || v.has_bits()));
    CHECK(v.spmv.values.empty());
  }
}

TEST_CASE("the bytes for one target are the same whoever writes them") {
  // The sums were written by AVX2; every configuration of the tests, scalar and AArch64 included,
  // repeats them.
  const auto a = weights<float>(100, 300, 0.2, 12);
  const auto sum = [&](sk::column_counts columns, sk::pack_target target) {
    const auto bytes =
        sk::pack(view_of(a), {.columns = columns, .target = target}).value().save().value();
    return sk::packed_checksum(bytes.data(), bytes.size());
  };
  CHECK(sum({64}, sk::pack_target::avx2) == 0x70f10ef061f546aeu);
  CHECK(sum({8}, sk::pack_target::avx512) == 0x991e6413a5b8b745u);
  CHECK(sum({4}, sk::pack_target::avx512) == 0x818868f6ddf1344eu);
  const auto wide = sk::pack_wide(sk::seq, view_of(a)).value();
  CHECK(sk::packed_checksum(wide.bytes().data(), wide.bytes().size()) == 0x92eab294486c0e22u);
}

TEST_CASE("the bytes are the same for any number of threads that pack") {
  const auto many = weights<float>(1300, 300, 0.3, 14);
  const auto few = weights<float>(1300, 300, 0.01, 15);
  for (const auto* a : {&many, &few}) {
    const auto owner = sk::csr_matrix<float>::from_view(view_of(*a)).value();
    const sk::pack_options options{.columns = {16}, .target = sk::pack_target::avx2};
    const auto w = sk::pack(owner, options).value();
    CHECK(w.view().has_quads() == (a == &many));
    CHECK(w.view().has_wide() == (a == &few));
    const auto alone = w.save().value();
    for (const index_t workers : {1, 2, 4}) {
      sk::thread_pool pool(workers);
      const auto bytes = sk::pack(sk::par(pool), owner, options).value().save().value();
      REQUIRE(bytes.size() == alone.size());
      CHECK(std::memcmp(bytes.data(), alone.data(), static_cast<std::size_t>(bytes.size())) == 0);
    }
  }
}

TEST_CASE(
    "a whole matrix: written to a file, mapped and multiplied; at no multiple of 64 refused") {
  const auto a = weights<float>(40, 200, 0.3, 16);
  const auto w = sk::pack(view_of(a), {.columns = {1, 16}}).value();
  const auto saved = w.save().value();
  const auto size = static_cast<std::size_t>(saved.size());
  std::FILE* const file = std::tmpfile();
  REQUIRE(file != nullptr);
  REQUIRE(std::fwrite(saved.data(), 1, size, file) == size);
  REQUIRE(std::fflush(file) == 0);
  void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, ::fileno(file), 0);
  REQUIRE(mapped != MAP_FAILED);
  const sk::array_view<const std::byte> bytes(static_cast<const std::byte*>(mapped), saved.size());
  const auto view = sk::packed_matrix<float>::view_of(bytes).value();
  rng random(17);
  for (const index_t n : {1, 16}) {
    const auto x = make_dense<float>(200, n, random, small_integers{});
    CHECK(product<sk::native_arch, float>(view, x, n) == expected(a, x, n));
  }

  sk::buffer<std::byte> room;
  REQUIRE(room.allocate(saved.size() + 64));
  for (const index_t askew : {1, 8, 32, 63}) {
    const sk::array_view<const std::byte> moved(room.data() + askew, saved.size());
    std::memcpy(room.data() + askew, bytes.data(), size);
    const sk::status whole = sk::packed_matrix<float>::view_of(moved).error();
    CHECK(whole.code == sk::errc::bad_argument);
    CHECK(whole.message() ==
          "packed: address modulo 64 = " + std::to_string(askew) + ", allowed: 0");
    CHECK(sk::packed_matrix<float>::from_bytes(moved).error().code == sk::errc::bad_argument);
    const auto quads = w.quads().bytes();
    std::memcpy(room.data() + askew, quads.data(), static_cast<std::size_t>(quads.size()));
    CHECK(sk::quad_matrix<float>::view_of({moved.data(), quads.size()}).error().code ==
          sk::errc::bad_argument);
  }
  CHECK(::munmap(mapped, size) == 0);
  CHECK(std::fclose(file) == 0);
}

TEST_CASE("a whole matrix: every truncation and every flipped bit is refused, versions are named") {
  const auto a = weights<float>(9, 30, 0.2, 13);
  const auto w =
      sk::pack(view_of(a), {.columns = {1, 16}, .target = sk::pack_target::avx512}).value();
  const auto saved = w.save().value();
  const auto code = [](sk::array_view<const std::byte> b) {
    return sk::packed_matrix<float>::view_of(b).error().code;
  };
  CHECK(code({}) == sk::errc::truncated);
  int accepted = 0;
  for (index_t n = 0; n < saved.size(); n += n < 256 ? 1 : 61) {
    const sk::errc c = code({saved.data(), n});
    accepted += c == sk::errc::ok;
    if (n >= index_t{sizeof(sk::packed_header)}) CHECK(c == sk::errc::truncated);
  }
  auto damaged = aligned_copy(saved.view());
  for (index_t i = 0; i < damaged.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      damaged[i] ^= std::byte{1} << bit;
      accepted += code(damaged.view()) == sk::errc::ok;
      damaged[i] ^= std::byte{1} << bit;
    }
  }
  CHECK(accepted == 0);
  const auto change = [&](auto&& edit) {
    auto bytes = aligned_copy(saved.view());
    sk::packed_header h;
    std::memcpy(&h, bytes.data(), sizeof h);
    edit(h);
    std::memcpy(bytes.data(), &h, sizeof h);
    h.checksum = sk::packed_checksum_of(bytes.data(), bytes.size());
    std::memcpy(bytes.data(), &h, sizeof h);
    return code(bytes.view());
  };
  CHECK(change([](sk::packed_header& h) { h.magic ^= 1; }) == sk::errc::bad_magic);
  CHECK(change([](sk::packed_header& h) { ++h.version; }) == sk::errc::bad_version);
  CHECK(change([](sk::packed_header& h) { h.type = sk::packed_type::f64; }) ==
        sk::errc::unsupported);
  CHECK(change([](sk::packed_header& h) { h.form = sk::packed_form::quads; }) ==
        sk::errc::unsupported);
  CHECK(change([](sk::packed_header& h) { ++h.rows; }) == sk::errc::corrupt);
  CHECK(change([](sk::packed_header& h) {
          h.nnz = 0;
          h.slots = 0;
        }) == sk::errc::corrupt);
  CHECK(change([](sk::packed_header& h) { h.section_count = 3; }) == sk::errc::corrupt);
  CHECK(change([](sk::packed_header& h) {
          for (auto& s : h.sections) s.bytes = 0;
        }) == sk::errc::corrupt);
  CHECK(change([](sk::packed_header& h) { h.sections[0].offset += 64; }) != sk::errc::ok);
  // The bytes of one form are not those of a matrix, and a matrix's are no form.
  CHECK(code(w.lookup().bytes()) == sk::errc::unsupported);
  CHECK(sk::quad_matrix<float>::view_of(saved.view()).error().code == sk::errc::unsupported);
}

TEST_CASE("damage behind valid checksums is refused or harmless") {
  const auto a = weights<float>(21, 50, 0.05, 14);
  rng random(15);
  const std::vector<float> x(50 * 16, 1.f);
  for (bool wide : {true, false}) {
    const auto w =
        wide ? wide_only(a)
             : sk::pack(view_of(weights<float>(21, 50, 0.3, 16)), {.columns = {16}}).value();
    auto bytes = aligned_copy(w.save().value().view());
    sk::packed_header outer;
    std::memcpy(&outer, bytes.data(), sizeof outer);
    const sk::packed_section form = outer.sections[wide ? 3 : 0];
    REQUIRE(form.bytes > 0);
    int refused = 0;
    for (int trial = 0; trial < 4000; ++trial) {
      // Anywhere in the form behind its magic, the lengths that seal() goes by left alone.
      const index_t at = form.offset + 32 + random.below(form.bytes - 32);
      const std::byte old = bytes[at];
      bytes[at] = static_cast<std::byte>(random.next());
      seal(bytes.data() + form.offset, form.bytes);
      seal(bytes.data(), bytes.size());
      sk::packed_view<const float> view;
      if (!sk::packed_matrix<float>::view_of(bytes.view()).get(view)) {
        ++refused;
      } else if (view.rows() == 21 && view.cols() == 50) {
        CHECK(product<sk::native_arch, float>(view, x, 16).size() == 21 * 16);
        CHECK(product<sk::native_arch, float>(view, x, 16, false).size() == 21 * 16);
      }
      bytes[at] = old;
    }
    CHECK(refused > 200);
  }
}

TEST_CASE("reading a matrix survives each allocation that fails") {
  const auto a = weights<float>(40, 300, 0.1, 17);
  const auto w = sk::pack(view_of(a), {.columns = {1, 64}}).value();
  CHECK(fail_each_allocation([&] {
          sk::buffer<std::byte> saved;
          if (sk::status s = w.save().get(saved); !s) return s;
          sk::packed_matrix<float> back;
          return sk::packed_matrix<float>::from_bytes(saved.view()).get(back);
        }) > 0);
}
