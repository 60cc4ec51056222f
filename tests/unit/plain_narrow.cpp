// Weights of bf16, f16 and s8 in formats that are multiplied as they are: exact products of every
// format with every operand between guard pages, the same bits as of the same numbers in f32
// whoever runs the tasks, and what `check` refuses.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <sparsekit/check.hpp>
#include <sparsekit/convert/conversions.hpp>
#include <sparsekit/convert/from_triplets.hpp>
#include <sparsekit/convert/to_bsr.hpp>
#include <sparsekit/convert/to_sell.hpp>
#include <sparsekit/multiply.hpp>

#include "support/sparse_narrow.hpp"

using namespace sparsekit_test;

namespace {

template <class T>
guarded<std::remove_const_t<T>> frozen(sk::array_view<T> from, edge e) {
  guarded<std::remove_const_t<T>> copy(from, e);
  copy.freeze();
  return copy;
}
template <class T>
sk::array_view<const T> view_of(const guarded<T>& a) {
  return a.view();
}

// Each form makes a matrix of CSR its own, between guard pages, and calls f with the view.

struct as_csr {
  template <class T, class F>
  static void make(const sk::csr_view<const T>& a, edge e, F&& f) {
    const auto row_ptr = frozen(a.row_ptr, e);
    const auto columns = frozen(a.columns, e);
    const auto values = frozen(a.values, e);
    f(sk::csr_view<const T>{a.shape, view_of(row_ptr), view_of(columns), view_of(values)});
  }
};
struct as_csc {
  template <class T, class F>
  static void make(const sk::csr_view<const T>& a, edge e, F&& f) {
    const auto t = sk::to_csr(sk::transposed(a)).value();
    as_csr::make(t.view(), e, [&](const auto& v) { f(sk::transposed(v)); });
  }
};
struct as_coo {
  template <class T, class F>
  static void make(const sk::csr_view<const T>& a, edge e, F&& f) {
    const auto list = sk::to_coo(a).value();
    const auto v = list.view();
    const auto rows = frozen(v.row_indices, e);
    const auto columns = frozen(v.columns, e);
    const auto values = frozen(v.values, e);
    f(sk::coo_view<const T>{a.shape, view_of(rows), view_of(columns), view_of(values)});
  }
};
struct as_sell {
  template <class T, class F>
  static void make(const sk::csr_view<const T>& a, edge e, F&& f) {
    const auto matrix = sk::to_sell(a, {.max_fill = 1000}).value();
    auto v = matrix.view();
    const auto slice_ptr = frozen(v.slice_ptr, e);
    const auto lengths = frozen(v.lengths, e);
    const auto order = frozen(v.row_order, e);
    const auto columns = frozen(v.columns, e);
    const auto values = frozen(v.values, e);
    v.slice_ptr = view_of(slice_ptr);
    v.lengths = view_of(lengths);
    v.row_order = view_of(order);
    v.columns = view_of(columns);
    v.values = view_of(values);
    f(v);
  }
};
struct as_bsr {
  template <class T, class F>
  static void make(const sk::csr_view<const T>& a, edge e, F&& f) {
    const auto matrix = sk::to_bsr(a, {.rows = 7, .cols = 4}).value();
    auto v = matrix.view();
    const auto row_ptr = frozen(v.row_ptr, e);
    const auto columns = frozen(v.columns, e);
    const auto values = frozen(v.values, e);
    v.row_ptr = view_of(row_ptr);
    v.columns = view_of(columns);
    v.values = view_of(values);
    f(v);
  }
};
template <class Base>
struct as_transposed {
  template <class T, class F>
  static void make(const sk::csr_view<const T>& a, edge e, F&& f) {
    const auto t = sk::to_csr(sk::transposed(a)).value();
    Base::make(t.view(), e, [&](const auto& v) { f(sk::transposed(v)); });
  }
};
/// A is symmetric.
struct as_symmetric {
  template <class T, class F>
  static void make(const sk::csr_view<const T>& a, edge e, F&& f) {
    std::vector<sk::triplet<T>> lower;
    for (index_t r = 0; r < a.rows(); ++r) {
      for (std::int32_t p = a.row_ptr[r]; p < a.row_ptr[r + 1]; ++p) {
        if (a.columns[p] <= r) lower.push_back({r, a.columns[p], a.values[p]});
      }
    }
    const auto half = sk::csr_matrix<T>::from_triplets(a.shape, lower).value();
    as_csr::make(half.view(), e, [&](const auto& v) { f(sk::symmetric(v, sk::lower)); });
  }
};

/// `a` with its lower triangle mirrored.
template <class T>
sparse<T> mirrored(const sparse<T>& a) {
  std::vector<sk::triplet<T>> entries;
  for (index_t r = 0; r < a.rows; ++r) {
    for (auto i = at(a.row_ptr[at(r)]); i < at(a.row_ptr[at(r + 1)]); ++i) {
      const index_t c = a.columns[i];
      if (c <= r) entries.push_back({r, c, a.values[i]});
      if (c < r) entries.push_back({c, r, a.values[i]});
    }
  }
  const auto m = sk::csr_matrix<T>::from_triplets({a.rows, a.cols}, entries).value();
  sparse<T> out = a;
  const auto v = m.view();
  out.row_ptr.assign(v.row_ptr.begin(), v.row_ptr.end());
  out.columns.assign(v.columns.begin(), v.columns.end());
  out.values.assign(v.values.begin(), v.values.end());
  return out;
}

/// Vectors x and y, for which only kernels of one column are compiled: y = A x is exact, and NaN in
/// x reaches the rows with an entry there.
template <class TX, class TY, class TW, class Form>
void check_vectors(const sparse<TW>& a, const Form& form, bool with_workspace, edge e,
                   rng& random) {
  guarded<TX> x(a.cols, e);
  guarded<TY> y(a.rows, e);
  for (index_t k = 0; k < a.cols; ++k) x[k] = number<TX>(random);
  if constexpr (!std::is_integral_v<TX>) {
    if (a.cols > 2) x[a.cols / 2] = made_of<TX>(std::numeric_limits<double>::quiet_NaN());
  }
  y.fill(made_of<TY>(99));
  const auto run = [&](const auto& epilogue) {
    sk::workspace ws;
    if (with_workspace) ws = sk::workspace(form, {});
    sk::multiply(form, x, y, epilogue, ws);
  };
  constexpr bool bytes = std::is_same_v<TW, s8> && sizeof(TY) == 1;
  if constexpr (bytes) {
    run(sk::requantize(1.f));
  } else if constexpr (std::is_same_v<TW, s8> && std::is_same_v<TY, float>) {
    run(sk::dequantize(1.f));
  } else {
    run(sk::identity_epilogue{});
  }
  int wrong = 0;
  for (index_t r = 0; r < a.rows; ++r) {
    double sum = 0;
    a.for_row(r, [&](index_t c, double w) { sum += w * value_of(x[c]); });
    if constexpr (bytes) {
      sum = std::clamp(sum, value_of(std::numeric_limits<TY>::min()),
                       value_of(std::numeric_limits<TY>::max()));
    }
    const double got = value_of(y[r]);
    wrong += std::isnan(sum) ? !std::isnan(got) : got != value_of(made_of<TY>(sum));
  }
  CHECK(wrong == 0);
  CHECK(x.intact());
  CHECK(y.intact());
}

/// A product of type mix and layouts, or of vectors, in one format.
template <class Form, class TW, class TX, class TY, class X = void, class Y = void>
struct plain {
  static constexpr bool square = std::is_same_v<Form, as_symmetric>;

  static void check(index_t m, index_t k, double density, std::initializer_list<index_t> counts) {
    rng random(static_cast<std::uint64_t>(m * 1009 + k));
    sparse<TW> a(m, square ? m : k, density, random);
    if constexpr (square) a = mirrored(a);
    index_t turn = m;
    for (const index_t n : counts) {
      const edge e = both_edges[turn++ % 2];
      Form::make(a.view(), e, [&](const auto& form) {
        for (const bool with_workspace : {false, true}) {
          if constexpr (std::is_void_v<X>) {
            if (n <= 2) check_vectors<TX, TY>(a, form, with_workspace, e, random);
          } else {
            check_product<TW, TX, TY, X, Y, false>(a, form, n, with_workspace, e, random);
          }
        }
      });
    }
  }
  static void run() {
    check(45, 70, 0.4, {1, 2, 3, 8, 15, 16, 17, 33, 65});
    for (const index_t m : {1, 2, 3, 4, 7, 16, 31}) check(m, 9, 0.6, {1, 5});
    check(130, 300, 0.15, {1, 2, 19});
    check(50, 20, 0, {1, 4});
    if (!square) check(6, 0, 0, {1, 3});
  }
};

using R = sk::row_major;
using C = sk::col_major;

/// Bits of y = A x.
struct bits_of {
  std::vector<float> y;

  template <class Policy, class A>
  bits_of(const Policy& policy, const A& a, const std::vector<float>& x) : y(at(a.rows()), -1.f) {
    sk::workspace ws(a, {.max_columns = 1, .max_workers = 2});
    sk::multiply(policy, a, x, y, ws);
  }
  bool operator==(const bits_of& other) const {
    return std::memcmp(y.data(), other.y.data(), y.size() * sizeof(float)) == 0;
  }
};

}  // namespace

// Types and layouts in turn, so that each kernel meets narrow weights, X and Y without a program
// for each mix.
TEST_CASE_TEMPLATE("rows of narrow weights multiply exactly", Case,
                   plain<as_csr, bf16, float, float, R, R>, plain<as_csr, s8, u8, s32, C, C>,
                   plain<as_csr, f16, f16, f16>, plain<as_csr, s8, u8, s8>,
                   plain<as_sell, f16, f16, float, C, R>, plain<as_sell, bf16, float, bf16>,
                   plain<as_sell, s8, u8, u8>, plain<as_bsr, bf16, float, bf16, R, R>,
                   plain<as_bsr, s8, s8, s32>) {
  Case::run();
}
TEST_CASE_TEMPLATE("scattered narrow weights multiply exactly", Case,
                   plain<as_csc, bf16, bf16, bf16, C, C>, plain<as_csc, s8, u8, float>,
                   plain<as_coo, s8, s8, s32, R, R>, plain<as_coo, f16, float, float>,
                   plain<as_symmetric, bf16, float, bf16>, plain<as_symmetric, s8, u8, s32>,
                   plain<as_transposed<as_sell>, f16, float, float>,
                   plain<as_transposed<as_bsr>, s8, s8, float>) {
  Case::run();
}

TEST_CASE_TEMPLATE("bf16 has the bits of the same numbers in f32, whoever runs the tasks", Form,
                   as_csr, as_csc) {
  rng random(3);
  // One row so long that tasks share it, and entries for all chunks.
  const index_t rows = 20;
  const index_t cols = 70000;
  std::vector<float> x(at(cols));
  for (float& v : x) v = static_cast<float>(random.normal());
  std::vector<float> wide;
  sparse<bf16> a(0, cols, 0, random);
  a.rows = rows;
  for (index_t r = 0; r < rows; ++r) {
    for (index_t c = 0; c < cols; c += r == 7 ? 1 : 1 + random.below(60)) {
      a.columns.push_back(static_cast<std::int32_t>(c));
      a.values.emplace_back(static_cast<float>(random.normal()));
      wide.push_back(static_cast<float>(a.values.back()));
    }
    a.row_ptr.push_back(static_cast<std::int32_t>(a.columns.size()));
  }
  const sk::csr_view<const bf16> narrow = a.view();
  const sk::csr_view<const float> wider{narrow.shape, narrow.row_ptr, narrow.columns,
                                        sk::array_view<const float>(wide)};
  const auto backwards = [](index_t tasks, auto&& f) {
    for (index_t t = tasks - 1; t >= 0; --t) f(t, t % 2);
  };
  Form::make(wider, edge::right, [&](const auto& w) {
    const bits_of expected(sk::seq, w, x);
    Form::make(narrow, edge::right, [&](const auto& n) {
      CHECK(bits_of(sk::seq, n, x) == expected);
      CHECK(bits_of(sk::par(backwards), n, x) == expected);
    });
  });
}

TEST_CASE("narrow weights on the right of the product") {
  rng random(17);
  const sparse<s8> a(40, 30, 0.3, random);
  std::vector<u8> x(at(a.rows));
  for (u8& v : x) v = number<u8>(random);
  std::vector<double> sums(at(a.cols), 0);
  for (index_t r = 0; r < a.rows; ++r) {
    a.for_row(r, [&](index_t c, double w) { sums[at(c)] += w * x[at(r)]; });
  }
  std::vector<float> y(at(a.cols), -1.f);
  REQUIRE(sk::check(x, a.view(), y, sk::dequantize(0.5f)));
  sk::multiply(x, a.view(), y, sk::dequantize(0.5f));
  int wrong = 0;
  for (index_t c = 0; c < a.cols; ++c) wrong += static_cast<double>(y[at(c)]) != sums[at(c)] / 2;
  CHECK(wrong == 0);
}

TEST_CASE("rows of s8 whose sums could leave 32 bits are named, and zero points refused") {
  // Every row has one entry, and row 259 of 300 as many as its sum takes, and one more.
  const std::int32_t most = 66311;  // 66311 * 255 * 127 < 2^31
  std::vector<std::int32_t> rows, columns;
  std::vector<s8> values;
  for (std::int32_t r = 0; r < 300; ++r) {
    for (std::int32_t c = 0; c < (r == 259 ? most + 1 : 1); ++c) {
      rows.push_back(r);
      columns.push_back(c);
      values.push_back(127);
    }
  }
  const sk::coo_view<const s8> coo{{300, most + 1}, rows, columns, values};
  const auto csr = sk::to_csr(coo).value();
  const std::vector<u8> x(at(most + 1), 1);
  std::vector<s32> y(300);
  const sk::status s = sk::check(coo, x, y);
  CHECK(s.code == sk::errc::overflow_possible);
  CHECK(s.row == 259);
  CHECK(sk::check(csr, x, y).row == 259);
  CHECK(sk::check(coo, x, y).message() ==
        "A: overflow_possible: sum of a row (row 259) (2147514120, allowed 2147483647)");
  values[260] = 0;
  CHECK(sk::check(coo, x, y));
  std::vector<float> z(300);
  CHECK(sk::check(csr, x, z, sk::dequantize(0.5f)).code == sk::errc::overflow_possible);
  CHECK(sk::check(coo, x, z, sk::dequantize(0.5f)));
  CHECK(sk::check(coo, x, z, sk::dequantize(0.5f, 3)).code == sk::errc::unsupported);
}
