// choose() for weights of bf16, f16 and s8: right results in every form that these types have, structure found for their
// blocks, and decisions that calibrations make.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "sparsekit/choose.hpp"
#include "sparsekit/choose/samples.hpp"
#include "support/rng.hpp"

namespace sk = sparsekit;
using sk::index_t;
using sparsekit_test::rng;

namespace {

template <class T>
using matrix = sk::csr_matrix<T, std::int32_t, std::int64_t>;
template <class T>
using input_of = std::conditional_t<std::is_integral_v<T>, std::uint8_t, float>;

/// Entries of 1 to 4, so that sums of f32 are exact.
template <class T>
matrix<T> small_weights(const sk::sample& g) {
  const matrix<T> m = sk::make_sample<T>(g).value();
  const auto a = m.view();
  sk::buffer<std::int64_t> row_ptr;
  sk::buffer<std::int32_t> columns;
  sk::buffer<T> values;
  REQUIRE(row_ptr.allocate(a.row_ptr.size()));
  REQUIRE(columns.allocate(a.nnz()));
  REQUIRE(values.allocate(a.nnz()));
  std::copy_n(a.row_ptr.data(), a.row_ptr.size(), row_ptr.data());
  std::copy_n(a.columns.data(), a.nnz(), columns.data());
  for (index_t i = 0; i < a.nnz(); ++i) values[i] = static_cast<T>(static_cast<float>(i % 9 < 4 ? 1 + i % 4 : -1 - i % 3));
  return {a.shape, std::move(row_ptr), std::move(columns), std::move(values)};
}

/// Elements of a product with n columns that are not what plain loops say.
template <class T, class Multiply>
int wrong_elements(const matrix<T>& m, index_t n, Multiply&& multiply) {
  const auto a = m.view();
  rng random(7);
  std::vector<input_of<T>> x(static_cast<std::size_t>(a.cols() * n));
  for (auto& v : x) v = static_cast<input_of<T>>(random.below(8));
  std::vector<sk::sum_of_t<T>> y(static_cast<std::size_t>(a.rows() * n), 99);
  multiply(sk::dense_view(x.data(), a.cols(), n), sk::dense_view(y.data(), a.rows(), n));
  int wrong = 0;
  for (index_t r = 0; r < a.rows(); ++r) {
    for (index_t j = 0; j < n; ++j) {
      float sum = 0;
      for (index_t p = a.row_ptr[r]; p < a.row_ptr[r + 1]; ++p) {
        sum += static_cast<float>(a.values[p]) * static_cast<float>(x[static_cast<std::size_t>(a.columns[p] * n + j)]);
      }
      wrong += static_cast<float>(y[static_cast<std::size_t>(r * n + j)]) != sum;
    }
  }
  return wrong;
}
template <class T>
int wrong_elements(const matrix<T>& m, const sk::chosen_matrix<T>& p, index_t n) {
  return wrong_elements(m, n, [&](auto x, auto y) {
    sk::workspace ws(p, {.max_columns = n});
    sk::multiply(p, x, y, ws);
  });
}

// A type takes a quarter of a minute to compile, so not every build has all; together they do.
#if defined(SPARSEKIT_SANITIZED)
#define NARROW_TYPES std::int8_t
#elif defined(SPARSEKIT_EMULATED)
#define NARROW_TYPES sk::float16
#else
#define NARROW_TYPES sk::bfloat16, std::int8_t
#endif

constexpr sk::sample_pattern patterns[] = {sk::sample_pattern::scattered,
                                           sk::sample_pattern::groups, sk::sample_pattern::blocks,
                                           sk::sample_pattern::structured};

}  // namespace

TEST_CASE_TEMPLATE("choices for narrow weights multiply right", T, NARROW_TYPES) {
  for (const sk::sample_pattern pattern : patterns) {
    for (const double zeros : {0.1, 0.75, 0.97}) {
      const matrix<T> m = small_weights<T>({pattern, {50, 132}, zeros, {2, 4}, 3});
      const auto p = sk::choose(m, {.columns = {1, 64}}).value();
      CAPTURE(p.reason());
      CHECK(p.bytes() > 0);
      for (const index_t n : {1, 3, 17, 64}) CHECK(wrong_elements(m, p, n) == 0);
    }
  }
}

TEST_CASE_TEMPLATE("every form of narrow weights multiplies right and is about as large as predicted", T,
                   NARROW_TYPES) {
  const matrix<T> m = small_weights<T>({sk::sample_pattern::groups, {96, 200}, 0.75, {4, 4}, 5});
  const auto a = m.view();
  sk::pattern_statistics stats;
  REQUIRE(sk::count_pattern(a, true, stats));
  const index_t pair = index_t{1} << sk::plan::block_shapes<T>::first_width;
  const sk::form_choice choices[] = {{sk::form::dense},
                                     {sk::form::quads, {}, {}, 1},
                                     {sk::form::quads},
                                     {sk::form::lookup},
                                     {sk::form::nm, {1, 4, 4}},
                                     {sk::form::nm, {2, 8, 1}},
                                     {sk::form::structured},
                                     {sk::form::bsr, {1, 1, 1}, {1, pair}},
                                     {sk::form::bsr, {1, 1, 1}, {4, pair}},
                                     {sk::form::bsr, {1, 1, 1}, {16, 16}},
                                     {sk::form::bitmask}};
  for (const sk::form_choice& choice : choices) {
    if (!sk::forms_of<T>().has(choice.kind)) continue;
    CAPTURE(choice.text());
    sk::packed_forms<T> forms;
    REQUIRE(forms.pack_form(choice, a, [&] { return sk::plan::dense_of(a); }));
    CHECK(forms.bytes() == forms.bytes(choice.kind));
    const double predicted = static_cast<double>(sk::plan::predicted_bytes<T>(choice, stats));
    CHECK(predicted == doctest::Approx(static_cast<double>(forms.bytes())).epsilon(0.1));
    for (const index_t n : {1, 2, 33}) {
      CHECK(wrong_elements(m, n, [&](auto x, auto y) {
              sk::workspace ws(forms, {.max_columns = n});
              sk::multiply_by(choice.kind, sk::seq, forms, x, y, ws);
            }) == 0);
    }
    forms.drop(choice.kind);
    CHECK(forms.held().empty());
    CHECK(forms.bytes() == 0);
  }
  // The others say so.
  for (int f = 0; f < sk::form_count; ++f) {
    const sk::form_choice choice{static_cast<sk::form>(f)};
    if (sk::forms_of<T>().has(choice.kind)) continue;
    sk::packed_forms<T> forms;
    CHECK(forms.pack_form(choice, a, [&] { return sk::plan::dense_of(a); }).code == sk::errc::unsupported);
    CHECK(forms.held().empty());
  }
}

TEST_CASE_TEMPLATE("blocks of narrow weights are found from one row on", T, sk::bfloat16, sk::float16, std::int8_t) {
  const index_t pair = index_t{1} << sk::plan::block_shapes<T>::first_width;
  for (const index_t rows : {1, 2, 4, 16}) {
    const matrix<T> m = small_weights<T>({sk::sample_pattern::blocks, {64, 128}, 0.8, {rows, pair}, 3});
    sk::pattern_statistics stats;
    REQUIRE(sk::count_pattern(m.view(), false, stats));
    CHECK(stats.blocks_of({rows, pair}) * rows * pair == m.nnz());
    const auto list = sk::candidates_of(stats, {64}, sk::cost_model<T>::native());
    REQUIRE(list.find(sk::form::bsr) != nullptr);
    CHECK(list.find(sk::form::bsr)->choice.block.cols >= pair);
  }
}

TEST_CASE_TEMPLATE(
    "narrow weights without some rows and columns are priced as the dense ones that are left", T,
    NARROW_TYPES) {
  const matrix<T> m = small_weights<T>({sk::sample_pattern::structured, {512, 512}, 0.75, {1, 1}, 3});
  const sk::cost_model<T> model = sk::cost_model<T>::native();
  sk::pattern_statistics stats;
  REQUIRE(sk::survey_pattern(m.view(), {1, 64}, model, sk::stored_zeros::none, stats));
  CHECK(stats.kept_columns < 400);
  for (const index_t n : {1, 64}) {
    const double left = model.predict({sk::form::structured}, stats, n);
    CHECK(left < 0.6 * model.predict({sk::form::dense}, stats, n));
    CHECK(left > 0.1 * model.predict({sk::form::dense}, stats, n));
  }
  const auto p = sk::choose(m, {.columns = {64}}).value();
  CHECK(p.reason().find("rows and columns removed") != std::string::npos);
}

TEST_CASE("narrow weights: a calibration decides, timing too; stored zeros leave no dense form") {
  using T = std::int8_t;
  const matrix<T> m = small_weights<T>({sk::sample_pattern::scattered, {64, 96}, 0.3, {1, 1}, 3});
  sk::calibration c = sk::default_calibration();
  // Dense for nothing.
  for (auto& regime : c.s8.of[0]) std::fill(std::begin(regime), std::end(regime), 0.0);
  const auto dense = sk::choose(m, {.columns = {1, 64}, .calibration = &c}).value();
  CHECK(dense.has_dense());
  CHECK_FALSE(dense.has_sparse());
  CHECK(wrong_elements(m, dense, 9) == 0);
  const auto timed = sk::choose(sk::measure, m, {.columns = {1, 32}, .timing = {.budget_us = 100}}).value();
  CHECK(timed.reason().find("measured") != std::string::npos);
  CHECK(wrong_elements(m, timed, 32) == 0);
  const auto a = m.view();
  std::vector<T> values(a.values.begin(), a.values.end());
  values[3] = 0;
  const sk::csr_view<const T, std::int32_t, std::int64_t> stored{
      a.shape, a.row_ptr, a.columns, {values.data(), a.nnz()}};
  const auto sparse = sk::choose(stored, {.columns = {1, 64}, .calibration = &c}).value();
  CHECK_FALSE(sparse.has_dense());
  CHECK(sparse.reason().find("stored zeros") != std::string::npos);
  // Sums that 32 bits cannot hold are refused, whatever the form.
  const std::vector<T> high(std::size_t{70'000}, 127);
  CHECK(sk::choose(sk::dense_view<const T>(high.data(), 1, 70'000), {.columns = {64}}).error().code ==
        sk::errc::overflow_possible);
}

TEST_CASE("narrow weights without entries, rows or columns have a form") {
  for (const sk::extents shape : {sk::extents(0, 0), sk::extents(5, 0), sk::extents(0, 5), sk::extents(5, 5)}) {
    const matrix<std::int8_t> m = small_weights<std::int8_t>({sk::sample_pattern::scattered, shape, 1.5, {1, 1}, 1});
    const auto p = sk::choose(m, {.columns = {1, 8}}).value();
    CHECK(wrong_elements(m, p, 1) == 0);
    CHECK(wrong_elements(m, p, 8) == 0);
  }
}
