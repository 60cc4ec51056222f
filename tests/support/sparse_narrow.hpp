// A sparse matrix of exact numbers, and its product in a packed form checked with X and Y between
// guard pages: exactly, with zero points, and with Inf or NaN in one place of X, which only rows
// with an entry there may see.
#pragma once

#include "support/dense_narrow.hpp"

namespace sparsekit_test {

/// CSR; entries of `number<T>`, of which some are zero and stay entries.
template <class T>
struct sparse {
  index_t rows, cols;
  std::vector<std::int32_t> row_ptr{0};
  std::vector<std::int32_t> columns;
  std::vector<T> values;

  sparse(index_t m, index_t k, double density, rng& random) : rows(m), cols(k) {
    for (index_t r = 0; r < m; ++r) {
      // Rows of very different lengths, some empty.
      const double here = r % 5 == 0 ? 0 : r % 7 == 0 ? 1 : density;
      for (index_t c = 0; c < k; ++c) {
        if (!random.chance(here)) continue;
        columns.push_back(static_cast<std::int32_t>(c));
        values.push_back(number<T>(random));
      }
      row_ptr.push_back(static_cast<std::int32_t>(columns.size()));
    }
  }
  sk::csr_view<const T> view() const {
    return {{rows, cols},
            {row_ptr.data(), rows + 1},
            {columns.data(), static_cast<index_t>(columns.size())},
            {values.data(), static_cast<index_t>(values.size())}};
  }
  /// f(column, value) for the entries of a row.
  template <class F>
  void for_row(index_t r, F&& f) const {
    for (auto i = at(row_ptr[at(r)]); i < at(row_ptr[at(r + 1)]); ++i) {
      f(index_t{columns[i]}, value_of(values[i]));
    }
  }
};

/// ZeroPoint: X of s8 weights has one, where Y is f32; formats that are not packed take none.
template <class TW, class TX, class TY, class X, class Y, bool ZeroPoint = true, class Packed>
void check_product(const sparse<TW>& a, const Packed& packed, index_t n, bool with_workspace,
                   edge e, rng& random) {
  matrix<TX, X> x(a.cols, n, random.below(3), e);
  matrix<TY, Y> y(a.rows, n, random.below(3), e);
  x.fill([&] { return number<TX>(random); });
  const auto run = [&](const auto& epilogue) {
    y.data.fill(made_of<TY>(99));
    sk::workspace ws;
    if (with_workspace) ws = sk::workspace(packed, {.max_columns = n});
    sk::multiply(packed, x.const_view(), y.view(), epilogue, ws);
    CHECK(x.data.intact());
    CHECK(y.data.intact());
  };
  constexpr bool integers = std::is_same_v<TW, s8>;
  const int zero = !integers || !ZeroPoint ? 0 : std::is_signed_v<TX> ? -100 : 201;
  std::vector<double> numbers;
  for (const TW v : a.values) numbers.push_back(value_of(v));
  const double* const weights = numbers.data();
  const std::int32_t* const starts = a.row_ptr.data();
  const std::int32_t* const columns = a.columns.data();
  const auto wrong = [&](index_t skip_column) {
    const double shift = std::is_same_v<TY, float> ? zero : 0;
    std::vector<double> xs(at(a.cols));
    const double* const x_of = xs.data();
    int bad = 0;
    for (index_t c = 0; c < n; ++c) {
      for (index_t k = 0; k < a.cols; ++k) xs[at(k)] = value_of(x.view()(k, c)) - shift;
      for (index_t r = 0; r < a.rows; ++r) {
        // Plain pointers: sanitizers run this unoptimised. Not finite if an entry, zero or not, meets such an X.
        double sum = 0;
        for (std::int32_t i = starts[r]; i < starts[r + 1]; ++i) sum += weights[i] * x_of[columns[i]];
        const double got = value_of(y.view()(r, c));
        if (!std::isfinite(sum)) {
          bad += c != skip_column || std::isfinite(got);
        } else if constexpr (integers && std::is_same_v<TY, float>) {
          bad += got != static_cast<double>(static_cast<float>(sum) * 0.1f);
        } else {
          bad += got != value_of(made_of<TY>(sum));
        }
      }
    }
    return bad;
  };
  CAPTURE(a.rows);
  CAPTURE(a.cols);
  CAPTURE(n);
  CAPTURE(with_workspace);
  if constexpr (integers && std::is_same_v<TY, float>) {
    run(sk::dequantize(0.1f, zero));
    CHECK(wrong(-1) == 0);
  } else {
    run(sk::identity_epilogue{});
    CHECK(wrong(-1) == 0);
    if constexpr (!integers) {
      if (a.cols == 0) return;
      const index_t column = random.below(n);
      x.view()(random.below(a.cols), column) =
          made_of<TX>(random.chance(0.5) ? std::numeric_limits<double>::infinity()
                                         : std::numeric_limits<double>::quiet_NaN());
      run(sk::identity_epilogue{});
      CHECK(wrong(column) == 0);
    }
  }
}

}  // namespace sparsekit_test
