// The samples that choose() decides by, against statistics of the whole pattern.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sparsekit/choose/samples.hpp"
#include "sparsekit/plan/selection.hpp"
#include "sparsekit/plan/survey.hpp"

namespace sk = sparsekit;
using sk::index_t;

namespace {

using matrix = sk::csr_matrix<float, std::int32_t, std::int64_t>;

sk::pattern_statistics exact(const matrix& m) {
  sk::pattern_statistics s;
  REQUIRE(sk::count_pattern(m.view(), true, s));
  return s;
}
sk::pattern_statistics survey(const matrix& m, sk::column_counts columns) {
  sk::pattern_statistics s;
  REQUIRE(sk::survey_pattern(m.view(), columns, sk::cost_model<float>::native(),
                             sk::stored_zeros::maybe, s));
  return s;
}
sk::form_choice best_of(const sk::candidate_list& list) {
  const sk::candidate* best = list.begin();
  for (const sk::candidate& c : list) best = c.us[0] < best->us[0] ? &c : best;
  return best->choice;
}

}  // namespace

TEST_CASE("what a survey picks is as good as what the whole pattern says") {
  const auto model = sk::cost_model<float>::native();
  std::uint64_t seed = 1;
  for (const auto pattern :
       {sk::sample_pattern::scattered, sk::sample_pattern::uneven, sk::sample_pattern::groups,
        sk::sample_pattern::blocks, sk::sample_pattern::structured, sk::sample_pattern::band}) {
    for (const double zeros : {0.0, 0.1, 0.5, 0.75, 0.9, 0.98}) {
      for (const sk::extents shape :
           {sk::extents(9, 40), sk::extents(65, 130), sk::extents(200, 520)}) {
        const sk::sample g{pattern, shape, zeros, {4, 4}, ++seed};
        const matrix m = sk::make_sample<float>(g).value();
        const sk::pattern_statistics whole = exact(m);
        for (const index_t n : {1, 2, 8, 100}) {
          CAPTURE(static_cast<int>(pattern));
          CAPTURE(zeros);
          CAPTURE(shape.rows);
          CAPTURE(n);
          const sk::form_choice taken = best_of(sk::candidates_of(survey(m, {n}), {n}, model));
          const sk::form_choice best = best_of(sk::candidates_of(whole, {n}, model));
          CAPTURE(taken.text());
          CAPTURE(best.text());
          CHECK(model.predict(taken, whole, n) <= 1.15 * model.predict(best, whole, n) + 0.2);
        }
      }
    }
  }
}

TEST_CASE("one group too full is found wherever it is, and so is one entry in a removed column") {
  sk::sample g{sk::sample_pattern::groups, {512, 512}, 0.5, {16, 4}, 5};
  const matrix regular = sk::make_sample<float>(g).value();
  const auto list = sk::candidates_of(survey(regular, {64}), {64}, sk::cost_model<float>::native());
  REQUIRE(list.find(sk::form::nm) != nullptr);
  CHECK(list.find(sk::form::nm)->choice.text() == "2:4 shared by 16 rows");
  // The entries of row 333 once more, and one more.
  const auto a = regular.view();
  std::vector<std::int64_t> row_ptr(a.row_ptr.begin(), a.row_ptr.end());
  std::vector<std::int32_t> columns(a.columns.begin(), a.columns.end());
  std::vector<float> values(a.values.begin(), a.values.end());
  std::int32_t missing = 0;
  const auto begin = columns.begin() + row_ptr[333];
  const auto end = columns.begin() + row_ptr[334];
  while (std::find(begin, end, missing) != end) ++missing;
  const auto place = std::lower_bound(begin, end, missing) - columns.begin();
  columns.insert(columns.begin() + place, missing);
  values.insert(values.begin() + place, 1.f);
  for (std::size_t r = 334; r < row_ptr.size(); ++r) ++row_ptr[r];
  const sk::csr_view<const float, std::int32_t, std::int64_t> broken{{512, 512},
                                                                     {row_ptr.data(), 513},
                                                                     {columns.data(), a.nnz() + 1},
                                                                     {values.data(), a.nnz() + 1}};
  sk::pattern_statistics s;
  REQUIRE(
      sk::survey_pattern(broken, {64}, sk::cost_model<float>::native(), sk::stored_zeros::none, s));
  CHECK(s.most_in_group[0][1] > 2);
  CHECK(s.most_in_group[4][1] > 2);

  g = {sk::sample_pattern::structured, {300, 400}, 0.8, {1, 1}, 6};
  const matrix removed = sk::make_sample<float>(g).value();
  CHECK(survey(removed, {64}).kept_columns == exact(removed).kept_columns);
  CHECK(survey(removed, {64}).kept_rows == exact(removed).kept_rows);
}

TEST_CASE("slots of quads and of window lookup are those of the whole pattern, about") {
  for (const double zeros : {0.3, 0.7, 0.9}) {
    for (const auto pattern : {sk::sample_pattern::scattered, sk::sample_pattern::uneven}) {
      const matrix m = sk::make_sample<float>({pattern, {1100, 700}, zeros, {1, 1}, 8}).value();
      const auto about = [](index_t a, index_t b) {
        return std::abs(static_cast<double>(a) - static_cast<double>(b)) <
               0.25 * static_cast<double>(b);
      };
      sk::pattern_statistics s = survey(m, {1});
      CAPTURE(zeros);
      CAPTURE(static_cast<int>(pattern));
      CHECK(about(s.quad_slots, exact(m).quad_slots));
      if (zeros > 0.5) CHECK(s.list_slots == exact(m).list_slots);
      // The survey counts them only where they could win, which depends on the ISA.
      if (s.lookup_slots == 0) REQUIRE(sk::plan::count_lookup<float>(m.view(), sk::pack_target::native, s, 2));
      CAPTURE(exact(m).lookup_slots);
      CHECK(about(s.lookup_slots, exact(m).lookup_slots));
    }
  }
}

TEST_CASE(
    "slices of window lookup are sampled at all places of their blocks, whose rows are sorted by "
    "length") {
  // Of each 256 rows 32 are full and the others have one entry: of slices at one place of each
  // block one would hear of the full rows alone, or of the others.
  std::vector<std::int64_t> row_ptr(1, 0);
  std::vector<std::int32_t> columns;
  for (std::int32_t r = 0; r < 2048; ++r) {
    if (r % 8 == 3) {
      for (std::int32_t c = 0; c < 300; ++c) columns.push_back(c);
    } else {
      columns.push_back(r * 37 % 300);
    }
    row_ptr.push_back(static_cast<std::int64_t>(columns.size()));
  }
  const std::vector<float> values(columns.size(), 2.f);
  const auto size = static_cast<index_t>(columns.size());
  const sk::csr_view<const float, std::int32_t, std::int64_t> a{
      {2048, 300}, {row_ptr.data(), 2049}, {columns.data(), size}, {values.data(), size}};
  sk::pattern_statistics sampled, whole;
  sampled.shape = whole.shape = a.shape;
  sampled.nnz = whole.nnz = size;
  REQUIRE(sk::plan::count_lookup<float>(a, sk::pack_target::native, sampled, 8));
  REQUIRE(sk::plan::count_lookup<float>(a, sk::pack_target::native, whole, 64));
  CHECK(static_cast<double>(sampled.lookup_slots) ==
        doctest::Approx(static_cast<double>(whole.lookup_slots)).epsilon(0.2));
}

TEST_CASE("blocks of s8 as wide as a dot product are considered even if each has a single entry") {
  const auto m =
      sk::make_sample<std::int8_t>({sk::sample_pattern::scattered, {512, 512}, 0.98, {1, 1}, 12})
          .value();
  const sk::cost_model<std::int8_t> model(sk::constants_for<std::int8_t>(sk::pack_target::avx512),
                                          sk::pack_target::avx512);
  sk::pattern_statistics s;
  REQUIRE(sk::survey_pattern(m.view(), {512}, model, sk::stored_zeros::none, s));
  const sk::candidate_list list = sk::candidates_of(s, {512}, model);
  REQUIRE(list.find(sk::form::bsr) != nullptr);
  CHECK(list.find(sk::form::bsr)->choice.block.cols == 4);
  CHECK(3 * list.find(sk::form::bsr)->us[0] < list.find(sk::form::dense)->us[0]);
}

TEST_CASE("entries in few rows only: samples that meet none of them say nothing") {
  std::vector<std::int64_t> row_ptr(4097, 0);
  std::vector<std::int32_t> columns;
  for (std::size_t r = 0; r < 4096; ++r) {
    if (r / 32 == 3) {
      for (std::int32_t c = 0; c < 256; ++c) columns.push_back(2 * c);
    }
    row_ptr[r + 1] = static_cast<std::int64_t>(columns.size());
  }
  const std::vector<float> values(columns.size(), 2.f);
  const auto size = static_cast<index_t>(columns.size());
  const sk::csr_view<const float, std::int32_t, std::int64_t> a{
      {4096, 512}, {row_ptr.data(), 4097}, {columns.data(), size}, {values.data(), size}};
  sk::pattern_statistics s;
  s.shape = a.shape;
  s.nnz = a.nnz();
  REQUIRE(sk::plan::count_lookup<float>(a, sk::pack_target::native, s, 2));
  CHECK(s.lookup_slots >= size);
  REQUIRE(sk::survey_pattern(a, {1}, sk::cost_model<float>::native(), sk::stored_zeros::none, s));
  CHECK((s.lookup_slots == 0 || s.lookup_slots >= size));
  CHECK(s.kept_rows == 32);
}

TEST_CASE("stored zeros are found wherever dense weights could be taken") {
  const matrix full =
      sk::make_sample<float>({sk::sample_pattern::scattered, {64, 64}, 0, {1, 1}, 9}).value();
  const auto a = full.view();
  std::vector<float> values(a.values.begin(), a.values.end());
  for (const std::size_t place : {std::size_t{0}, std::size_t{2000}, values.size() - 1}) {
    std::vector<float> with_zero = values;
    with_zero[place] = 0;
    const sk::csr_view<const float, std::int32_t, std::int64_t> v{
        a.shape, a.row_ptr, a.columns, {with_zero.data(), a.nnz()}};
    sk::pattern_statistics s;
    REQUIRE(
        sk::survey_pattern(v, {64}, sk::cost_model<float>::native(), sk::stored_zeros::maybe, s));
    CHECK(s.explicit_zeros);
  }
  CHECK_FALSE(survey(full, {64}).explicit_zeros);
}
