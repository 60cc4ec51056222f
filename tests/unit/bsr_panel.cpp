// The product of BSR with re-laid X: every tile that blocks are cut into, every tail, each operand
// and the scratch memory between guard pages; what NaN and Inf may reach; the same bits wherever a
// column stands.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "sparsekit/convert/to_bsr.hpp"
#include "sparsekit/multiply.hpp"
#include "support/dense_matrix.hpp"
#include "support/generators.hpp"
#include "support/guard.hpp"

namespace sk = sparsekit;
using sk::index_t;
using namespace sparsekit_test;

namespace {

std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

/// Blocks of A, all arrays between guard pages.
template <class T>
struct guarded_bsr {
  sk::bsr_matrix<T> source;
  guarded<std::int32_t> row_ptr, columns;
  guarded<T> values;
  guarded<std::uint64_t> pattern;

  guarded_bsr(const csr_arrays<T>& a, sk::block_shape block, edge e)
      : source(sk::to_bsr(sk::csr_view<const T>{{a.rows, a.cols}, a.row_ptr, a.columns, a.values},
                          block)
                   .value()) {
    const auto v = source.view();
    row_ptr.assign(v.row_ptr, e);
    columns.assign(v.columns, e);
    values.assign(v.values, e);
    pattern.assign(v.pattern, e);
  }
  sk::bsr_view<const T> view() const {
    const auto v = source.view();
    return {v.shape, v.block, row_ptr.view(), columns.view(), values.view(), pattern.view()};
  }
};

/// Y = A X by the kernel, in exactly the scratch memory that it asks for.
template <class T, class X, class Y>
void run(const sk::bsr_view<const T>& a, matrix<T, X>& x, matrix<T, Y>& y, edge e) {
  using kernel = sk::kernels::spmm_bsr_panel<sk::native_arch, T>;
  const sk::identity_epilogue none;
  guarded<std::byte> scratch(kernel::requirement(a, x.const_view().cols()).per_worker, e);
  const sk::kernels::call<sk::sequential_policy, sk::bsr_view<const T>, T, X, Y,
                          sk::identity_epilogue>
      call{sk::seq,
           a,
           x.const_view(),
           y.view(),
           none,
           {.workers = scratch.data(), .worker_bytes = scratch.size(), .worker_count = 1}};
  REQUIRE(kernel::accepts(call));
  kernel::run(call);
  CHECK(scratch.intact());
}

template <class T>
bool same(T a, T b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

constexpr sk::block_shape shapes[] = {{1, 4}, {2, 4}, {4, 4},  {8, 4}, {16, 1}, {16, 16},
                                      {1, 1}, {3, 5}, {7, 12}, {2, 2}, {64, 3}};

template <class T, class X, class Y>
int wrong_products(sk::block_shape block, index_t rows, index_t cols, index_t n, edge e,
                   T special) {
  rng random(static_cast<std::uint64_t>(rows * 31 + cols * 7 + n));
  auto a = make_csr<T, std::int32_t, std::int32_t>(pattern::uniform, rows, cols, 0.3, random,
                                                   small_integers{});
  const guarded_bsr<T> bsr(a, block, e);
  matrix<T, X> x(cols, n, 1, e);
  matrix<T, Y> y(rows, n, 2, e);
  x.fill([&] { return static_cast<T>(random.between(-4, 4)); });
  if (!(special == T{0})) x.view()(cols / 2, n - 1) = special;
  y.data.fill(std::numeric_limits<T>::quiet_NaN());
  run(bsr.view(), x, y, e);
  int wrong = x.data.intact() && y.data.intact() ? 0 : 1;
  std::vector<T> sum(at(n));
  for (index_t r = 0; r < rows; ++r) {
    for (index_t j = 0; j < n; ++j) {
      T s{0};
      for (auto p = at(a.row_ptr[at(r)]); p < at(a.row_ptr[at(r) + 1]); ++p) {
        s += a.values[p] * x.const_view()(a.columns[p], j);
      }
      wrong += same(y.view()(r, j), s) ? 0 : 1;
    }
  }
  return wrong;
}

template <class T, class X, class Y>
void check_layouts() {
  using limits = std::numeric_limits<T>;
  int cases = 0;
  for (const sk::block_shape block : shapes) {
    for (const edge e : both_edges) {
      for (const index_t n : {2, 3, 5, 8, 9, 17, 24, 25, 33, 66}) {
        CAPTURE(block.rows);
        CAPTURE(block.cols);
        CAPTURE(n);
        const index_t rows = 1 + n % 7 * 11;
        CHECK(wrong_products<T, X, Y>(block, rows, 37, n, e, T{0}) == 0);
        CHECK(wrong_products<T, X, Y>(block, rows, 18, n, e, limits::infinity()) == 0);
        CHECK(wrong_products<T, X, Y>(block, 33, 5, n, e, limits::quiet_NaN()) == 0);
        ++cases;
      }
    }
  }
  CHECK(cases == 220);
}

}  // namespace

TEST_CASE("every block shape, f32, X and Y row-major") {
  check_layouts<float, sk::row_major, sk::row_major>();
}
TEST_CASE("every block shape, f32, X row-major, Y column-major") {
  check_layouts<float, sk::row_major, sk::col_major>();
}
TEST_CASE("every block shape, f64, X and Y column-major") {
  check_layouts<double, sk::col_major, sk::col_major>();
}

TEST_CASE("a column has the same bits wherever it stands, and beside NaN") {
  rng random(11);
  const index_t rows = 41;
  const index_t cols = 29;
  const auto a =
      make_csr<float, std::int32_t, std::int32_t>(pattern::uniform, rows, cols, 0.4, random);
  const auto column = make_dense<float>(cols, 1, random);
  for (const sk::block_shape block : shapes) {
    const guarded_bsr<float> bsr(a, block, edge::right);
    std::vector<float> expected;
    int different = 0;
    for (index_t n = 1; n < 60; n += n < 10 ? 1 : 7) {
      for (const bool nan : {false, true}) {
        matrix<float, sk::row_major> x(cols, n, 0, edge::right);
        matrix<float, sk::row_major> y(rows, n, 0, edge::right);
        for (index_t k = 0; k < cols; ++k) {
          for (index_t j = 0; j < n; ++j) x.view()(k, j) = column[at(k)];
        }
        // In the last column, which is looked at when there is none.
        if (nan) x.view()(3, n - 1) = std::numeric_limits<float>::quiet_NaN();
        run(bsr.view(), x, y, edge::right);
        for (index_t j = 0; j < (nan ? n - 1 : n); ++j) {
          std::vector<float> got;
          for (index_t r = 0; r < rows; ++r) got.push_back(y.view()(r, j));
          if (expected.empty()) expected = got;
          different +=
              std::memcmp(got.data(), expected.data(), sizeof(float) * got.size()) == 0 ? 0 : 1;
        }
      }
    }
    CAPTURE(block.rows);
    CAPTURE(block.cols);
    CHECK(different == 0);
  }
}

TEST_CASE("multiply takes the panels where there is a workspace, and empty matrices are written") {
  rng random(4);
  auto a = make_csr<float, std::int32_t, std::int32_t>(pattern::uniform, 9, 11, 0.0, random,
                                                       small_integers{});
  a.row_ptr.assign(10, 0);
  a.columns.clear();
  a.values.clear();
  const guarded_bsr<float> bsr(a, {2, 4}, edge::right);
  matrix<float, sk::row_major> x(11, 5, 0, edge::right);
  matrix<float, sk::row_major> y(9, 5, 0, edge::right);
  x.fill([] { return std::numeric_limits<float>::infinity(); });
  y.data.fill(7);
  sk::workspace ws(bsr.source, {.max_columns = 5});
  sk::multiply(bsr.view(), x.const_view(), y.view(), ws);
  int nonzero = 0;
  for (index_t r = 0; r < 9; ++r) {
    for (index_t j = 0; j < 5; ++j) nonzero += y.view()(r, j) == 0 ? 0 : 1;
  }
  CHECK(nonzero == 0);
}
