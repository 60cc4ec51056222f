// Dense left operands: every mix of layouts, with and without a workspace, every tail, all operands
// between guard pages; what a zero weight hides; epilogues; the same bits at every place in a
// batch.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <sparsekit/multiply.hpp>
#include <sparsekit/pack/dense.hpp>
#include <vector>

#include "conformance/epilogues.hpp"
#include "support/dense_matrix.hpp"
#include "support/rng.hpp"
#include "support/sanitized.hpp"

namespace sk = sparsekit;
using sk::index_t;
using sparsekit_test::any_epilogue;
using sparsekit_test::edge;
using sparsekit_test::epilogue_constants;
using sparsekit_test::epilogue_kind;
using sparsekit_test::guarded;
using sparsekit_test::matrix;
using sparsekit_test::rng;
using sparsekit_test::shape;

namespace {

/// All mixes of layouts for one shape: small integers, so the result must be exact.
template <class T, class W, class X, class Y, bool Packed>
void check_shape(shape s, bool with_workspace, edge e, index_t gap, rng& random) {
  matrix<T, W> w(s.m, s.k, gap, e);
  matrix<T, X> x(s.k, s.n, gap, e);
  matrix<T, Y> y(s.m, s.n, gap, e);
  w.fill([&] { return random.chance(0.3) ? T{0} : static_cast<T>(random.between(-8, 8)); });
  x.fill([&] { return static_cast<T>(random.between(-8, 8)); });
  y.fill([&] { return std::numeric_limits<T>::quiet_NaN(); });
  std::vector<T> bias(static_cast<std::size_t>(s.m));
  for (T& b : bias) b = static_cast<T>(random.between(-100, 100));

  const auto weights = [&] {
    if constexpr (Packed) {
      auto packed = sk::pack_dense(w.const_view()).value();
      CHECK(sk::validate(packed.view()));
      return packed;
    } else {
      return w.const_view();
    }
  }();
  const auto run = [&](const auto& epilogue) {
    if (with_workspace) {
      sk::workspace ws(weights, {.max_columns = s.n});
      sk::multiply(weights, x.const_view(), y.view(), epilogue, ws);
    } else {
      sk::multiply(weights, x.const_view(), y.view(), epilogue);
    }
  };
  const auto wrong = [&](auto&& expected) {
    int n = 0;
    for (index_t r = 0; r < s.m; ++r) {
      for (index_t c = 0; c < s.n; ++c) {
        T sum{0};
        for (index_t k = 0; k < s.k; ++k) sum += w.view()(r, k) * x.view()(k, c);
        n += y.view()(r, c) == expected(sum, r) ? 0 : 1;
      }
    }
    return n;
  };
  CAPTURE(s.m);
  CAPTURE(s.k);
  CAPTURE(s.n);
  CAPTURE(with_workspace);
  // Each epilogue is another kernel to compile: the chains that users write where every layout is
  // row-major, elsewhere one that decides at run time.
  constexpr bool chains = std::is_same_v<W, sk::row_major> && std::is_same_v<X, sk::row_major> &&
                          std::is_same_v<Y, sk::row_major>;
  const auto run_kind = [&](epilogue_kind kind) {
    if constexpr (chains) {
      if (kind == epilogue_kind::identity) return run(sk::scale(T{1}));
      run(sk::bias(bias) | sk::relu | sk::accumulate(epilogue_constants<T>::beta));
    } else {
      any_epilogue<T> epilogue;
      epilogue.kind = kind;
      epilogue.bias_rows = bias;
      run(epilogue);
    }
  };
  run_kind(epilogue_kind::identity);
  CHECK(wrong([](T sum, index_t) { return sum; }) == 0);
  y.fill([] { return T{4}; });
  run_kind(epilogue_kind::bias_relu_accumulate);
  CHECK(wrong([&](T sum, index_t r) {
          const T v = sum + bias[static_cast<std::size_t>(r)];
          return (v > T{0} ? v : T{0}) + 4 * epilogue_constants<T>::beta;
        }) == 0);

  // Inf in X shows in the rows whose weight there is not zero, and nowhere else.
  if (s.k > 0) {
    const index_t k = random.below(s.k);
    const index_t column = random.below(s.n);
    x.view()(k, column) = random.chance(0.5) ? std::numeric_limits<T>::infinity()
                                             : std::numeric_limits<T>::quiet_NaN();
    run_kind(epilogue_kind::identity);
    int bad = 0;
    for (index_t r = 0; r < s.m; ++r) {
      for (index_t c = 0; c < s.n; ++c) {
        T sum{0};
        for (index_t i = 0; i < s.k; ++i) {
          if (c != column || i != k) sum += w.view()(r, i) * x.view()(i, c);
        }
        const bool hit = c == column && w.view()(r, k) != T{0};
        const T got = y.view()(r, c);
        bad += hit ? std::isfinite(got) : got != sum;
      }
    }
    CHECK(bad == 0);
  }
  CHECK(w.data.intact());
  CHECK(x.data.intact());
  CHECK(y.data.intact());
}

template <class T>
void check_all(shape s) {
  rng random(static_cast<std::uint64_t>(s.m * 1000003 + s.k * 1009 + s.n));
  for (const edge e : sparsekit_test::both_edges) {
    for (const bool with_workspace : {false, true}) {
      if (!sparsekit_test::is_tried(e, with_workspace, s.m + s.k + s.n)) continue;
      const index_t gap = random.below(4);
      using R = sk::row_major;
      using C = sk::col_major;
      check_shape<T, R, R, R, false>(s, with_workspace, e, gap, random);
      check_shape<T, C, C, C, false>(s, with_workspace, e, gap, random);
      check_shape<T, R, R, R, true>(s, with_workspace, e, gap, random);
      check_shape<T, R, C, C, true>(s, with_workspace, e, gap, random);
      // The mixes of layouts are the same code for f64, which the conformance test tries.
      if constexpr (std::is_same_v<T, float>) {
        check_shape<T, R, R, C, false>(s, with_workspace, e, gap, random);
        check_shape<T, R, C, R, false>(s, with_workspace, e, gap, random);
        check_shape<T, R, C, C, false>(s, with_workspace, e, gap, random);
        check_shape<T, C, R, R, false>(s, with_workspace, e, gap, random);
        check_shape<T, C, C, R, false>(s, with_workspace, e, gap, random);
        check_shape<T, R, R, C, true>(s, with_workspace, e, gap, random);
        check_shape<T, C, C, R, true>(s, with_workspace, e, gap, random);
      }
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("dense products are exact for every tail", T, float, double) {
  for (const index_t n : {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 33, 47, 49, 64, 65, 100}) {
    check_all<T>({13, 10, n});
  }
  for (index_t m = 1; m <= 40; ++m) check_all<T>({m, 5, m % 2 == 0 ? 1 : 11});
  for (index_t k = 0; k <= 40; ++k) check_all<T>({7, k, k % 3 == 0 ? 1 : 6});
  check_all<T>({100, 65, 130});
}

// Long sums are cut into pieces, whose sums are carried on in memory, and X is copied or re-laid.
TEST_CASE_TEMPLATE("long packed dense products are exact across pieces of k", T, float, double) {
  rng random(7);
  using R = sk::row_major;
  using C = sk::col_major;
  for (const edge e : sparsekit_test::both_edges) {
    for (const shape s : {shape{17, 1030, 9}, {131, 97, 35}, {97, 768, 25}}) {
      check_shape<T, R, R, R, true>(s, true, e, 0, random);
      check_shape<T, R, C, C, true>(s, true, e, 0, random);
    }
  }
  // Several cuts of a copy of X, an Inf in any of them; few rows and many; more than 40 groups.
  for (int i = 0; i < 3; ++i)
    check_shape<T, R, R, R, true>({140, 1100, 70}, true, edge::right, 0, random);
  check_shape<T, R, R, R, true>({35, 2060, 66}, true, edge::left, 1, random);
  check_shape<T, R, R, R, true>({1950, 515, 66}, true, edge::right, 0, random);
  check_shape<T, R, R, R, true>({50, 193, 19}, false, edge::right, 1, random);
  if constexpr (std::is_same_v<T, float>) {
    check_shape<T, R, R, C, true>({50, 520, 19}, true, edge::right, 3, random);
    check_shape<T, C, C, R, true>({50, 513, 30}, true, edge::right, 2, random);
  }
}

// Each sum is one chain of fused multiply-adds in ascending k, wherever it is cut.
TEST_CASE_TEMPLATE("pieces of k do not change a bit", T, float, double) {
  const index_t m = 131, k = 768, n = 75;
  rng random(11);
  matrix<T, sk::row_major> w(m, k, 0, edge::left);
  matrix<T, sk::row_major> x(k, n, 0, edge::left), y(m, n, 0, edge::left);
  matrix<T, sk::col_major> xt(k, n, 0, edge::left), yt(m, n, 0, edge::left);
  w.fill([&] { return static_cast<T>(random.normal()); });
  for (index_t i = 0; i < k; ++i) {
    for (index_t c = 0; c < n; ++c) {
      x.view()(i, c) = xt.view()(i, c) = static_cast<T>(random.normal());
    }
  }
  const auto packed = sk::pack_dense(w.const_view()).value();
  sk::workspace ws(packed, {.max_columns = n});
  // The epilogues that check_shape has compiled for these layouts.
  sk::multiply(packed, x.const_view(), y.view(), sk::scale(T{1}), ws);
  sk::multiply(packed, xt.const_view(), yt.view(), any_epilogue<T>{}, ws);
  int different = 0;
  for (index_t r = 0; r < m; ++r) {
    for (index_t c = 0; c < n; ++c) {
      T sum{0};
      for (index_t i = 0; i < k; ++i) sum = std::fma(w.view()(r, i), x.view()(i, c), sum);
      different += std::memcmp(&sum, &y.view()(r, c), sizeof(T)) != 0;
      different += std::memcmp(&sum, &yt.view()(r, c), sizeof(T)) != 0;
    }
  }
  CHECK(different == 0);
}

TEST_CASE_TEMPLATE("a column has the same bits at every place in a batch", T, float, double) {
  const index_t m = 37, k = 61, n = 77;
  rng random(5);
  std::vector<T> w(static_cast<std::size_t>(m * k));
  std::vector<T> column(static_cast<std::size_t>(k));
  for (T& v : w) v = static_cast<T>(random.normal());
  for (T& v : column) v = static_cast<T>(random.normal());
  const sk::dense_view<const T> wv(w.data(), m, k);
  const auto packed = sk::pack_dense(wv).value();
  // With epilogues that check_shape has compiled for these layouts.
  const auto check_layouts = [&]<class X, class Y>(const auto& weights, X, Y,
                                                   const auto& epilogue) {
    matrix<T, X> x(k, n, 0, edge::left);
    matrix<T, Y> y(m, n, 0, edge::left);
    for (index_t c = 0; c < n; ++c) {
      for (index_t i = 0; i < k; ++i) x.view()(i, c) = column[static_cast<std::size_t>(i)];
    }
    // One column whose Inf sends its tile the other way.
    x.view()(3, 40) = std::numeric_limits<T>::infinity();
    sk::multiply(weights, x.const_view(), y.view(), epilogue);
    int different = 0;
    for (index_t c = 0; c < n; ++c) {
      for (index_t r = 0; r < m; ++r) {
        const T first = y.view()(r, 0);
        const T other = y.view()(r, c);
        different += c != 40 && std::memcmp(&first, &other, sizeof(T)) != 0;
      }
    }
    CHECK(different == 0);
  };
  using R = sk::row_major;
  using C = sk::col_major;
  check_layouts(wv, R{}, R{}, sk::scale(T{1}));
  check_layouts(packed, R{}, R{}, sk::scale(T{1}));
  check_layouts(packed, C{}, C{}, any_epilogue<T>{});
  if constexpr (std::is_same_v<T, float>) {
    check_layouts(wv, C{}, R{}, any_epilogue<T>{});
    check_layouts(wv, C{}, C{}, any_epilogue<T>{});
    check_layouts(packed, C{}, R{}, any_epilogue<T>{});
  }
}

TEST_CASE("packed dense bytes: saved, loaded, and refused when they are not what they claim") {
  const index_t m = 50, k = 7;
  std::vector<float> w(static_cast<std::size_t>(m * k), 2.f);
  w[3] = 0.f;
  const auto packed = sk::pack_dense(sk::dense_view<const float>(w.data(), m, k)).value();
  CHECK(packed.nnz() == m * k - 1);
  const auto bytes = packed.bytes();
  sk::buffer<std::byte> copy;
  REQUIRE(copy.allocate(bytes.size()));
  std::memcpy(copy.data(), bytes.data(), static_cast<std::size_t>(bytes.size()));
  sk::packed_dense_view<const float> loaded;
  CHECK(sk::packed_dense<float>::view_of(copy.view()).get(loaded));
  CHECK(loaded.rows() == m);
  CHECK(loaded.nnz() == m * k - 1);
  CHECK(sk::packed_dense<double>::view_of(copy.view()).error().code == sk::errc::unsupported);
  CHECK(!sk::packed_dense<float>::view_of({copy.data(), copy.size() - 1}));
  CHECK(!sk::packed_dense<float>::view_of({copy.data(), 10}));
  // Whatever byte changes, the bytes are refused.
  int accepted = 0;
  for (index_t i = 0; i < copy.size(); ++i) {
    copy[i] ^= std::byte{0x10};
    accepted += sk::packed_dense<float>::view_of(copy.view()) ? 1 : 0;
    copy[i] ^= std::byte{0x10};
  }
  CHECK(accepted == 0);
  // A weight in a padding row, with a checksum that fits: caught by validate.
  sk::packed_header h;
  std::memcpy(&h, copy.data(), sizeof h);
  const float stray = 1.f;
  std::memcpy(copy.data() + h.sections[0].offset + h.sections[0].bytes - 4, &stray, 4);
  h.checksum = sk::packed_checksum_of(copy.data(), copy.size());
  std::memcpy(copy.data(), &h, sizeof h);
  CHECK(sk::packed_dense<float>::view_of(copy.view()).error().code == sk::errc::corrupt);
  // Sizes that overflow are refused before anything is allocated.
  const index_t huge = std::numeric_limits<index_t>::max() / 8;
  CHECK(!sk::pack_dense(sk::dense_view<const float>(w.data(), huge, 4)));
  CHECK(!sk::pack_dense(sk::dense_view<const float>(w.data(), -1, 4)));
}
