// Packed dense weights of bf16 and f16: mixes of types and layouts, every tail, with and without a
// workspace, all operands between guard pages; Inf and NaN; the same bits at every place in a
// batch.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "support/dense_narrow.hpp"

using namespace sparsekit_test;

namespace {

struct check_half {
  template <class TW, class TX, class TY, class X, class Y>
  void operator()(shape s, bool with_workspace, edge e, index_t gap, rng& random) const {
    product_case<TW, TX, TY, X, Y> p(s, with_workspace, e, gap, random);
    CAPTURE(s.m);
    CAPTURE(s.k);
    CAPTURE(s.n);
    CAPTURE(with_workspace);
    p.run(sk::identity_epilogue{});
    CHECK(p.wrong(0, [](double sum, index_t) { return made_of<TY>(sum); }) == 0);
    p.y.data.fill(made_of<TY>(3));
    p.run(sk::relu | sk::accumulate(2.f));
    CHECK(p.wrong(0, [](double sum, index_t) { return made_of<TY>((sum > 0 ? sum : 0) + 6); }) ==
          0);
    // Inf in X shows in the rows whose weight there is not zero, and nowhere else.
    if (s.k > 0) {
      const index_t k = random.below(s.k);
      const index_t column = random.below(s.n);
      const TX before = p.x.view()(k, column);
      p.x.view()(k, column) =
          made_of<TX>(random.chance(0.5) ? std::numeric_limits<double>::infinity()
                                         : std::numeric_limits<double>::quiet_NaN());
      p.run(sk::identity_epilogue{});
      p.x.view()(k, column) = before;
      const std::vector<double> sums = p.product(0);
      int bad = 0;
      for (index_t r = 0; r < s.m; ++r) {
        for (index_t c = 0; c < s.n; ++c) {
          const double weight = value_of(p.w.view()(r, k));
          const double got = value_of(p.y.view()(r, c));
          if (c != column) {
            bad += got != value_of(made_of<TY>(sums[at(r * p.s.n + c)]));
          } else if (weight != 0) {
            bad += std::isfinite(got);
          } else {
            bad += got != value_of(made_of<TY>(sums[at(r * p.s.n + c)]));
          }
        }
      }
      CHECK(bad == 0);
    }
    p.check_intact();
  }
};

}  // namespace

TEST_CASE_TEMPLATE("bf16 and f16 dense products are exact for every tail", Types,
                   types<bf16, bf16, float>, types<bf16, float, bf16>, types<f16, f16, f16, true>,
                   types<f16, float, float, true>) {
  check_tails<Types>(check_half{});
}

TEST_CASE("f16 dense products of many row-major columns are exact") {
  check_columns<types<f16, f16, float>>(check_half{});
}

TEST_CASE_TEMPLATE("a column has the same bits at every place in a batch", T, bf16, f16) {
  const index_t m = 133, k = 301, n = 76;  // the last of which may go by other tiles
  rng random(5);
  std::vector<T> w(at(m * k));
  std::vector<T> column(at(k));
  for (T& v : w) v = T(static_cast<float>(random.normal()));
  for (T& v : column) v = T(static_cast<float>(random.normal()));
  const auto packed = sk::pack_dense(sk::dense_view<const T>(w.data(), m, k)).value();
  sk::workspace scratch(packed, {.max_columns = n});
  const auto check_layouts = [&]<class X, class Y>(X, Y, auto example) {
    using TX = decltype(example);
    matrix<TX, X> x(k, n, 0, edge::left);
    matrix<float, Y> y(m, n, 0, edge::left);
    for (index_t c = 0; c < n; ++c) {
      for (index_t i = 0; i < k; ++i) x.view()(i, c) = made_of<TX>(value_of(column[at(i)]));
    }
    x.view()(3, 40) = made_of<TX>(std::numeric_limits<double>::infinity());
    sk::multiply(packed, x.const_view(), y.view());
    // With a workspace, and few columns: the same.
    matrix<float, Y> many(m, n, 0, edge::left);
    matrix<float, Y> three(m, 3, 0, edge::left);
    sk::multiply(packed, x.const_view(), many.view(), scratch);
    sk::multiply(packed,
                 sk::dense_view<const TX, X>(x.const_view().data(), k, 3, x.const_view().ld()),
                 three.view(), scratch);
    int different = 0;
    double largest = 0;
    for (index_t r = 0; r < m; ++r) {
      double sum = 0;
      double magnitude = 0;
      for (index_t i = 0; i < k; ++i) {
        const double p = value_of(w[at(r * k + i)]) * value_of(column[at(i)]);
        sum += p;
        magnitude += std::fabs(p);
      }
      largest = std::max(largest, std::fabs(static_cast<double>(y.view()(r, 0)) - sum) / magnitude);
      for (index_t c = 0; c < n; ++c) {
        const float first = y.view()(r, 0);
        const float other = y.view()(r, c);
        different += c != 40 && std::memcmp(&first, &other, sizeof first) != 0;
        different += c != 40 && std::memcmp(&first, &many.view()(r, c), sizeof first) != 0;
        different += c < 3 && std::memcmp(&first, &three.view()(r, c), sizeof first) != 0;
      }
    }
    CHECK(different == 0);
    CHECK(largest < static_cast<double>(k) * 0x1p-24);
  };
  check_layouts(sk::row_major{}, sk::row_major{}, T{});
  check_layouts(sk::col_major{}, sk::col_major{}, T{});
  check_layouts(sk::row_major{}, sk::col_major{}, float{});
}
