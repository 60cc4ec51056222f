// What choose() decides by, without a multiply: statistics of patterns, candidates, selection, fits, and the text of
// calibrations.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "sparsekit/choose/samples.hpp"
#include "sparsekit/plan/calibration.hpp"
#include "sparsekit/plan/fit.hpp"
#include "sparsekit/plan/rank.hpp"
#include "sparsekit/plan/selection.hpp"
#include "support/rng.hpp"

namespace sk = sparsekit;
using sk::index_t;

namespace {

using matrix = sk::csr_matrix<float, std::int32_t, std::int64_t>;

sk::pattern_statistics statistics(const matrix& m) {
  sk::pattern_statistics s;
  REQUIRE(sk::count_pattern(m.view(), true, s));
  return s;
}
bool has_entry(const matrix& m, index_t r, index_t c) {
  const auto a = m.view();
  for (index_t p = a.row_ptr[r]; p < a.row_ptr[r + 1]; ++p) {
    if (a.columns[p] == c) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("column counts: different ones, in order, and the bad one is named") {
  constexpr sk::column_counts counts{64, 1, 64, 512};
  static_assert(counts.size() == 3 && counts.least() == 1 && counts.most() == 512 && counts[1] == 64);
  CHECK(sk::column_counts{3, -2, 0}.bad() == -2);
  CHECK(sk::column_counts{}.empty());
  const sk::column_counts many{9, 8, 7, 6, 5, 4, 3, 2, 1, 100};
  CHECK(many.size() == sk::column_counts::most_counts);
  CHECK(many.least() == 1);
  CHECK(many.most() == 100);
}

TEST_CASE("groups and blocks are counted as plain loops count them") {
  sparsekit_test::rng random(4);
  for (int round = 0; round < 12; ++round) {
    sk::sample g;
    g.pattern = static_cast<sk::sample_pattern>(round % 4);
    g.shape = sk::extents(1 + static_cast<index_t>(random.below(70)), 1 + static_cast<index_t>(random.below(150)));
    g.zeros = 0.2 + 0.06 * round;
    g.shared = {index_t{1} << (round % 3), 4};
    g.seed = static_cast<std::uint64_t>(round);
    const matrix m = sk::make_sample<float>(g).value();
    const sk::pattern_statistics s = statistics(m);
    if (m.nnz() == 0) continue;
    REQUIRE(s.counted_groups);
    for (int share = 0; share < sk::pattern_statistics::sharings; ++share) {
      const index_t v = index_t{1} << share;
      for (int level = 0; level < 5; ++level) {
        const index_t width = index_t{1} << level;
        index_t used_groups = 0;
        index_t most = 0;
        for (index_t r = 0; r < g.shape.rows; r += v) {
          for (index_t c = 0; c < g.shape.cols; c += width) {
            index_t used = 0;
            for (index_t j = c; j < std::min(c + width, g.shape.cols); ++j) {
              bool any = false;
              for (index_t i = r; i < std::min(r + v, g.shape.rows); ++i) any = any || has_entry(m, i, j);
              used += any;
            }
            most = std::max(most, used);
            used_groups += used > 0;
          }
        }
        if (level > 0) CHECK(s.most_in_group[share][level - 1] == most);
        CHECK(s.blocks[share][level] == (share >= 2 ? used_groups : 0));
      }
    }
  }
}

TEST_CASE("structure is found and becomes a candidate") {
  const auto list = [](const sk::sample& g) {
    return sk::candidates_of(statistics(sk::make_sample<float>(g).value()), {64}, sk::cost_model<float>::native());
  };
  const sk::candidate_list shared =
      list({sk::sample_pattern::groups, {128, 256}, 0.5, {8, 4}, 3});
  REQUIRE(shared.find(sk::form::nm) != nullptr);
  CHECK(shared.find(sk::form::nm)->choice.group == sk::nm_shape{2, 4, 8});
  CHECK(shared.find(sk::form::nm)->choice.text() == "2:4 shared by 8 rows");
  const sk::candidate_list free = list({sk::sample_pattern::groups, {128, 256}, 0.5, {1, 4}, 3});
  REQUIRE(free.find(sk::form::nm) != nullptr);
  CHECK(free.find(sk::form::nm)->choice.text() == "2:4");
  const sk::candidate_list blocks = list({sk::sample_pattern::blocks, {128, 256}, 0.8, {16, 4}, 3});
  REQUIRE(blocks.find(sk::form::bsr) != nullptr);
  CHECK(blocks.find(sk::form::bsr)->bytes < 128 * 256 * 4 / 2);
  const sk::candidate_list removed = list({sk::sample_pattern::structured, {128, 256}, 0.7, {1, 1}, 3});
  CHECK(removed.find(sk::form::structured) != nullptr);
  // Columns alone, or rows alone, and half of what is left.
  for (const double by_rows : {0.0, 1.0}) {
    const sk::pattern_statistics s =
        statistics(sk::make_sample<float>(
                       {sk::sample_pattern::structured, {256, 256}, 0.5, {1, 1}, 3, by_rows, 0.5})
                       .value());
    CHECK((s.kept_rows == 256) == (by_rows == 0));
    CHECK((s.kept_columns == 256) == (by_rows == 1));
    const double kept = static_cast<double>(std::min(s.kept_rows, s.kept_columns));
    CHECK(kept == doctest::Approx(128).epsilon(0.15));
    CHECK(static_cast<double>(s.nnz) == doctest::Approx(kept * 128).epsilon(0.1));
  }
  const sk::candidate_list full = list({sk::sample_pattern::scattered, {128, 256}, 0, {1, 1}, 3});
  CHECK(full.find(sk::form::structured) == nullptr);
  CHECK(full.find(sk::form::nm) == nullptr);
  CHECK(full.find(sk::form::dense) != nullptr);
  CHECK(full.find(sk::form::lookup) == nullptr);  // 64 columns
  CHECK(full.find(sk::form::bitmask) == nullptr);
}

TEST_CASE("a matrix without entries, rows or columns has statistics and candidates") {
  for (sk::extents shape : {sk::extents(0, 0), sk::extents(5, 0), sk::extents(0, 5), sk::extents(5, 5)}) {
    const matrix m = sk::make_sample<float>({sk::sample_pattern::scattered, shape, 1.5, {1, 1}, 1}).value();
    const auto s = statistics(m);
    CHECK(s.nnz == 0);
    for (const sk::candidate& c : sk::candidates_of(s, {1, 64}, sk::cost_model<float>::native())) {
      CHECK(std::isfinite(c.us[0]));
      CHECK(c.bytes >= 0);
    }
  }
}

TEST_CASE("selection: the fastest set that fits, one form more only if it gains enough") {
  sk::candidate_list list;
  const auto add = [&](sk::form f, index_t bytes, double one, double many) {
    sk::candidate c{{f}, bytes};
    c.us[0] = one;
    c.us[1] = many;
    list.at[list.size++] = c;
  };
  add(sk::form::dense, 1000, 10, 100);
  add(sk::form::quads, 400, 9, 50);
  add(sk::form::lookup, 300, 4, 400);
  add(sk::form::csr, 300, 3.99, 300);
  const sk::form_set all(0xff);
  const auto best = sk::plan::select_forms(list, all, 2, 0);
  CHECK(best.held.size() == 2);
  CHECK(best.of[0] == sk::form::csr);
  CHECK(best.of[1] == sk::form::quads);
  sk::plan::explain_rejections(list, best, 2, 0);
  CHECK(list.find(sk::form::csr)->why == sk::rejection::none);
  CHECK(list.find(sk::form::lookup)->why == sk::rejection::slower);
  const auto tight = sk::plan::select_forms(list, all, 2, 450);
  CHECK(tight.held.size() == 1);
  CHECK(tight.of[0] == sk::form::quads);
  sk::plan::explain_rejections(list, tight, 2, 450);
  CHECK(list.find(sk::form::csr)->why == sk::rejection::too_large);
  CHECK(list.find(sk::form::dense)->why == sk::rejection::too_large);
  CHECK(sk::plan::select_forms(list, all, 2, 299).held.empty());
  sk::form_set few;
  few.add(sk::form::dense);
  CHECK(sk::plan::select_forms(list, few, 2, 0).of[1] == sk::form::dense);
  // 1 % at one count is not worth a form.
  list = {};
  add(sk::form::dense, 1000, 10, 100);
  add(sk::form::quads, 400, 9.9, 200);
  const auto one = sk::plan::select_forms(list, all, 2, 0);
  CHECK(one.held.size() == 1);
  sk::plan::explain_rejections(list, one, 2, 0);
  CHECK(list.find(sk::form::quads)->why == sk::rejection::little_gain);
  // Nor is a prediction of 4 % better than dense, of one form alone; a measurement is, and so is 6 %.
  for (const auto& [us, measured, sparse] :
       {std::tuple{96., false, false}, std::tuple{96., true, true}, std::tuple{94., false, true}}) {
    list = {};
    add(sk::form::dense, 1000, 100, 100);
    add(sk::form::quads, 400, us, us);
    for (sk::candidate& c : list) c.measured = measured;
    CHECK((sk::plan::select_forms(list, all, 1, 0).of[0] == sk::form::quads) == sparse);
  }
}

TEST_CASE("a fit finds the constants that made the times, and keeps the prior without enough of them") {
  const double truth[sk::cost_terms_count] = {0.2, 3, 0, 1.5, 40, 0, 0.01, 2};
  const double prior[sk::cost_terms_count] = {1, 1, 1, 1, 1, 1, 1, 1};
  sparsekit_test::rng random(9);
  sk::cost_fit fit(prior);
  double c[sk::cost_terms_count];
  fit.solve(c);
  CHECK(c[0] == 1);
  for (int i = 0; i < 500; ++i) {
    sk::cost_fit::terms t;
    double ns = 0;
    for (std::size_t j = 0; j < t.size(); ++j) {
      t[j] = static_cast<double>(1 + random.below(1000));
      ns += truth[j] * t[j];
    }
    fit.add(t, ns / 1000);
  }
  fit.solve(c);
  for (int j = 0; j < sk::cost_terms_count; ++j) {
    CHECK(c[j] >= 0);
    CHECK(std::abs(c[j] - truth[j]) < 0.05 + 0.02 * truth[j]);
  }
}

TEST_CASE(
    "ranking moves constants to where the faster form has the lower price, not beyond what timings "
    "say") {
  // Quads take 20 us and 0.8 for each entry, of which their price knows the second part alone;
  // dense takes 100.
  std::vector<sk::cost_sample> samples;
  std::vector<index_t> ends;
  for (int i = 0; i < 1600; ++i) {
    const int entries = 40 + i % 80 * 2;
    samples.push_back({sk::form::dense, 2, {1e5}, 100});
    samples.push_back({sk::form::quads, 2, {1e3 * entries}, 20 + 0.8 * entries});
    // One of few timings, which says nothing.
    if (i < 6) samples.push_back({sk::form::csr, 0, {1e3 * entries}, 20. * entries});
    ends.push_back(static_cast<index_t>(samples.size()));
  }
  const sk::array_view<const sk::cost_sample> all(samples.data(),
                                                  static_cast<index_t>(samples.size()));
  const sk::array_view<const index_t> cases(ends.data(), static_cast<index_t>(ends.size()));
  sk::cost_constants prior{};
  prior.of[static_cast<int>(sk::form::dense)][2][0] = 1;
  prior.of[static_cast<int>(sk::form::quads)][2][0] = 1.5;
  prior.of[static_cast<int>(sk::form::csr)][0][0] = 7;
  const auto loss = [&](const sk::cost_constants& c) {
    double taken = 0;
    for (int entries = 40; entries < 200; entries += 2) {
      const double dense = c.of[static_cast<int>(sk::form::dense)][2][0] * 100;
      const double quads = c.of[static_cast<int>(sk::form::quads)][2][0] * entries;
      const double time = 20 + 0.8 * entries;
      taken += std::log((1.05 * quads < dense ? time : 100) / std::min(time, 100.));
    }
    return taken;
  };
  sk::cost_constants ranked = prior;
  REQUIRE(sk::rank_by_cost_constants(all, cases, ranked));
  CHECK(loss(ranked) < 0.2 * loss(prior));
  CHECK(ranked.of[static_cast<int>(sk::form::csr)][0][0] == 7);
  CHECK(ranked.of[static_cast<int>(sk::form::dense)][2][1] == 0);
  for (const auto& form : ranked.of) {
    for (const auto& regime : form) {
      for (const double c : regime) CHECK(c >= 0);
    }
  }
  sk::cost_constants untouched = prior;
  REQUIRE(sk::rank_by_cost_constants({}, {}, untouched));
  CHECK(untouched.of[static_cast<int>(sk::form::quads)][2][0] == 1.5);
}

TEST_CASE("rows of X a page apart share few lines of a cache: wide rows pay for it") {
  // Half as many columns, which lie in more lines: less than half the time.
  const auto model = sk::cost_model<float>(sk::constants_for<float>(sk::pack_target::avx512),
                                           sk::pack_target::avx512);
  const auto s = model.scattered({512, 4096}, 0.99);
  const sk::form_choice wide{sk::form::wide};
  const auto far = [&](index_t n) {
    return model.terms_of(wide, s, n).count[8] / static_cast<double>(n);
  };
  CHECK(far(1024) > far(512));
  CHECK(far(512) > far(480));
}

TEST_CASE("no form is priced below its share of dense by many columns: full matrices stay dense") {
  sk::pattern_statistics s;
  s.shape = sk::extents(64, 64);
  s.nnz = 64 * 64 * 3 / 4;
  s.quad_slots = s.nnz;
  sk::cost_constants free = sk::default_calibration().f32;
  for (auto& regime : free.of[static_cast<int>(sk::form::quads)]) {
    std::fill(std::begin(regime), std::end(regime), 0.0);
  }
  const sk::cost_model<float> model(free);
  for (const index_t n : {8, 32, 512}) {
    const double dense = model.predict({sk::form::dense}, s, n);
    CHECK(dense > 0);
    CHECK(model.predict({sk::form::quads}, s, n) == doctest::Approx(0.75 * dense));
  }
  CHECK(model.predict({sk::form::quads}, s, 2) == 0);
}

TEST_CASE("calibrations are saved and loaded, and every damage is named") {
  const sk::calibration own = sk::default_calibration();
  const std::string text = sk::save_calibration(own);
  const sk::calibration back = sk::load_calibration(text).value();
  CHECK(back.isa == own.isa);
  CHECK(back.machine == own.machine);
  CHECK(sk::is_native(back));
  for (int f = 0; f < sk::form_count; ++f) {
    CHECK(std::abs(back.f64.of[f][2][0] - own.f64.of[f][2][0]) < 1e-5);
    CHECK(std::abs(back.s8.of[f][1][0] - own.s8.of[f][1][0]) < 1e-5);
  }
  CHECK(sk::save_calibration(back) == text);
  const auto code = [](std::string_view t) { return sk::load_calibration(t).error().code; };
  CHECK(code("") == sk::errc::bad_magic);
  CHECK(code("something else\n") == sk::errc::bad_magic);
  CHECK(code("sparsekit-calibration 4\n" + text.substr(24)) == sk::errc::bad_version);
  // Every single byte, and every length, is covered: by name of the file, version or checksum.
  for (std::size_t i = 0; i < text.size(); i += 7) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    CHECK_FALSE(sk::load_calibration(damaged));
    CHECK_FALSE(sk::load_calibration(text.substr(0, i)));
  }
  // A text that was edited together with its checksum still has to follow the format.
  const auto sealed = [](std::string body) {
    return body + "checksum " + sk::plan::hexadecimal(sk::plan::text_checksum(body)) + "\n";
  };
  const std::string body = text.substr(0, text.rfind("checksum "));
  CHECK(code(sealed(body)) == sk::errc::ok);
  CHECK(code(sealed(body + "f32\n")) == sk::errc::bad_line);
  std::string edited = body;
  edited[edited.find("f32 dense 0 ") + 12] = '-';
  CHECK(code(sealed(edited)) == sk::errc::bad_line);
  edited = body;
  edited.replace(edited.find("f64 quads 1"), 11, "f64 quods 1");
  CHECK(code(sealed(edited)) == sk::errc::bad_line);
  edited = body;
  edited.replace(edited.find("isa ") + 4, std::string(own.isa).size(), "mmx");
  CHECK(code(sealed(edited)) == sk::errc::bad_line);
}

TEST_CASE("a calibration of another machine or ISA is refused, unless the caller lets it pass") {
  sk::calibration c = sk::default_calibration();
  c.machine ^= 1;
  const std::string other = sk::save_calibration(c);
  CHECK(sk::load_calibration(other).error().code == sk::errc::unsupported);
  CHECK(std::string(sk::load_calibration(other).error().detail) == "of another processor");
  CHECK_FALSE(sk::is_native(sk::load_calibration(sk::unchecked, other).value()));
  c = sk::default_calibration();
  c.isa = std::string_view(c.isa) == "avx512" ? "neon" : "avx512";
  const std::string foreign = sk::save_calibration(c);
  CHECK(std::string(sk::load_calibration(foreign).error().detail) == "of another instruction set");
}
