// choose(): right results in every form, limits obeyed, refusals by name, reasons that say what was done.
#include "sparsekit/choose.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "sparsekit/choose/calibrate.hpp"
#include "support/generators.hpp"

namespace sk = sparsekit;
using sk::index_t;
using namespace sparsekit_test;

namespace {

std::vector<float> weights(index_t rows, index_t cols, double density, std::uint64_t stream) {
  rng random(stream);
  return expand(make_csr<float, std::int32_t, std::int32_t>(pattern::uniform, rows, cols, density,
                                                            random, small_integers{}));
}

/// Elements of y = w x that are not what plain loops say; integers, so exactly.
int wrong_sums(const std::vector<float>& w, index_t rows, index_t cols, const std::vector<float>& x,
               const std::vector<float>& y, index_t n) {
  int wrong = 0;
  for (index_t r = 0; r < rows; ++r) {
    for (index_t j = 0; j < n; ++j) {
      float sum = 0;
      for (index_t k = 0; k < cols; ++k) {
        sum += w[static_cast<std::size_t>(r * cols + k)] * x[static_cast<std::size_t>(k * n + j)];
      }
      wrong += sum != y[static_cast<std::size_t>(r * n + j)];
    }
  }
  return wrong;
}

template <class Matrix>
int wrong_elements(const Matrix& p, const std::vector<float>& w, index_t n) {
  rng random(77);
  const auto x = make_dense<float>(p.cols(), n, random, small_integers{});
  std::vector<float> y(static_cast<std::size_t>(p.rows() * n), std::numeric_limits<float>::quiet_NaN());
  sk::workspace ws(p, {.max_columns = n});
  sk::multiply(p, sk::dense_view(x.data(), p.cols(), n), sk::dense_view(y.data(), p.rows(), n), ws);
  return wrong_sums(w, p.rows(), p.cols(), x, y, n);
}

}  // namespace

TEST_CASE("weights of any density multiply right, very sparse ones as such") {
  for (double density : {0.02, 0.3, 1.0}) {
    const auto w = weights(96, 200, density, 1);
    for (sk::column_counts counts : {sk::column_counts{1}, sk::column_counts{64},
                                     sk::column_counts{1, 8, 512}, sk::column_counts{8}}) {
      const auto p = sk::choose(sk::dense_view(w.data(), 96, 200), {.columns = counts}).value();
      CAPTURE(p.reason());
      CHECK(p.reason().find("% zeros") != std::string::npos);
      CHECK(p.bytes() > 0);
      if (density == 0.02) CHECK_FALSE(p.has_dense());
      for (index_t n : {1, 3, 8, 17, 64}) {
        CHECK(wrong_elements(p, w, n) == 0);
        CHECK(p.predicted_speedup(n) > 0);
        if (!p.sparse_for(n)) CHECK(p.predicted_speedup(n) == 1);
      }
    }
  }
}

TEST_CASE("every form multiplies right, at any number of columns") {
  // Weights that have all structures at once: 1:4 shared by 16 rows, an empty row and column, blocks.
  auto w = weights(64, 96, 1.0, 5);
  for (std::size_t r = 0; r < 64; ++r) {
    for (std::size_t k = 0; k < 96; ++k) {
      const bool entry = k % 4 == (r / 16 + k / 32) % 4 && r != 20 && k != 40;
      if (!entry) w[r * 96 + k] = 0;
    }
  }
  const auto csr = sk::csr_matrix<float, std::int32_t, std::int64_t>::from_dense(
                       sk::dense_view<const float>(w.data(), 64, 96))
                       .value();
  const auto a = csr.view();
  const sk::form_choice choices[] = {
      {sk::form::dense},      {sk::form::quads},  {sk::form::quads, {}, {}, 1}, {sk::form::lookup},
      {sk::form::slices},     {sk::form::nm, {1, 4, 16}}, {sk::form::nm, {2, 8, 1}},
      {sk::form::structured}, {sk::form::bsr, {1, 1, 1}, {16, 1}},
      {sk::form::bsr, {1, 1, 1}, {4, 4}}, {sk::form::csr}, {sk::form::bitmask}, {sk::form::wide}};
  for (const sk::form_choice& choice : choices) {
    CAPTURE(choice.text());
    sk::packed_forms<float> forms;
    REQUIRE(forms.pack_form(choice, a, [&] { return sk::plan::dense_of(a); }));
    CHECK(forms.bytes() == forms.bytes(choice.kind));
    CHECK(forms.bytes() > 0);
    for (index_t n : {1, 2, 5, 16, 33}) {
      rng random(7);
      const auto x = make_dense<float>(96, n, random, small_integers{});
      std::vector<float> y(static_cast<std::size_t>(64 * n), std::numeric_limits<float>::quiet_NaN());
      sk::workspace ws(forms, {.max_columns = n});
      sk::multiply_by(choice.kind, sk::seq, forms, sk::dense_view(x.data(), 96, n),
                      sk::dense_view(y.data(), 64, n), ws);
      CHECK(wrong_sums(w, 64, 96, x, y, n) == 0);
    }
    forms.drop(choice.kind);
    CHECK(forms.bytes() == 0);
    CHECK(forms.held().empty());
  }
}

TEST_CASE("measured choices multiply right, say that they were measured, and are remembered") {
  const auto w = weights(64, 128, 0.1, 2);
  sk::choose_cache cache;
  const sk::choose_options options{.columns = {2, 32}, .cache = &cache, .timing = {.budget_us = 100}};
  const sk::dense_view view(w.data(), 64, 128);
  const auto p = sk::choose(sk::measure, view, options).value();
  CHECK(p.reason().find("measured") != std::string::npos);
  CHECK(wrong_elements(p, w, 2) == 0);
  CHECK(wrong_elements(p, w, 32) == 0);
  CHECK(cache.size() == 1);
  CHECK(cache.hits() == 0);
  const auto q = sk::choose(sk::measure, view, options).value();
  CHECK(cache.size() == 1);
  CHECK(cache.hits() == 1);
  CHECK(q.form_for(2) == p.form_for(2));
  CHECK(q.form_for(32) == p.form_for(32));
  CHECK(q.microseconds(q.form_for(32), 32) == p.microseconds(p.form_for(32), 32));
  // Other weights, other key.
  const auto other = weights(64, 128, 0.2, 3);
  CHECK(sk::choose(sk::measure, sk::dense_view(other.data(), 64, 128), options));
  CHECK(cache.size() == 2);
}

TEST_CASE("times measured under a limit of bytes do not decide without it, nor the reverse") {
  const auto w = weights(64, 128, 0.1, 2);
  const sk::dense_view view(w.data(), 64, 128);
  const index_t limit = 16384;  // half of what dense weights take
  for (const bool limit_first : {true, false}) {
    CAPTURE(limit_first);
    sk::choose_cache cache;
    const auto choose = [&](bool limited) {
      const sk::choose_options options{.columns = {32},
                                       .max_bytes = limited ? limit : 0,
                                       .cache = &cache,
                                       .timing = {.budget_us = 100}};
      const auto p = sk::choose(sk::measure, view, options).value();
      CHECK(wrong_elements(p, w, 32) == 0);
      if (limited) CHECK(p.bytes() <= limit);
      CHECK(p.candidates().find(sk::form::dense)->measured != limited);
      CHECK(p.candidates().find(p.form_for(32))->measured);
    };
    for (const bool limited : {limit_first, !limit_first}) choose(limited);
    CHECK(cache.size() == 2);
    CHECK(cache.hits() == 0);
    for (const bool limited : {limit_first, !limit_first}) choose(limited);
    CHECK(cache.size() == 2);
    CHECK(cache.hits() == 2);
  }
}

TEST_CASE("a form that is too large does not keep those that fit from being timed") {
  const auto w = weights(64, 128, 0.1, 2);
  sk::calibration c = sk::default_calibration();
  // Dense for nothing: beside it nothing is near.
  for (auto& regime : c.f32.of[0]) std::fill(std::begin(regime), std::end(regime), 0.0);
  const auto p =
      sk::choose(
          sk::measure, sk::dense_view(w.data(), 64, 128),
          {.columns = {32}, .max_bytes = 16384, .calibration = &c, .timing = {.budget_us = 100}})
          .value();
  CHECK_FALSE(p.has_dense());
  CHECK(p.candidates().find(p.form_for(32))->measured);
}

TEST_CASE("Inf in X reaches only rows whose pattern has its column, dense or sparse") {
  const float infinity = std::numeric_limits<float>::infinity();
  for (double density : {0.02, 0.9}) {
    const auto w = weights(40, 60, density, 3);
    const auto p = sk::choose(sk::dense_view(w.data(), 40, 60), {.columns = {16}}).value();
    std::vector<float> x(60 * 16, 1.f);
    for (std::size_t j = 0; j < 16; ++j) x[7 * 16 + j] = infinity;
    std::vector<float> y(40 * 16);
    sk::workspace ws(p, {.max_columns = 16});
    sk::multiply(p, sk::dense_view(x.data(), 60, 16), sk::dense_view(y.data(), 40, 16), ws);
    for (std::size_t r = 0; r < 40; ++r) {
      const bool reached = w[r * 60 + 7] != 0;
      CHECK((y[r * 16 + 3] - y[r * 16 + 3] == 0) == !reached);
    }
  }
}

TEST_CASE("a CSR matrix that stores zeros is never dense, and its zeros meet Inf") {
  // Full, so that dense would win; entry (1, 2) is a stored zero.
  std::vector<float> w(32 * 32, 2.f);
  auto csr = sk::csr_matrix<float>::from_dense(sk::dense_view<const float>(w.data(), 32, 32)).value();
  std::vector<float> values(csr.view().values.begin(), csr.view().values.end());
  const sk::csr_view<const float> full{{32, 32}, csr.view().row_ptr, csr.view().columns, {values.data(), 1024}};
  CHECK(sk::choose(full, {.columns = {16}}).value().has_dense());
  values[32 + 2] = 0;
  const auto p = sk::choose(full, {.columns = {16}}).value();
  CAPTURE(p.reason());
  CHECK_FALSE(p.has_dense());
  CHECK(p.reason().find("stored zeros") != std::string::npos);
  CHECK(p.rejected().find("dense") == std::string::npos);
  std::vector<float> x(32 * 16, 1.f);
  x[2 * 16] = std::numeric_limits<float>::infinity();
  std::vector<float> y(32 * 16);
  sk::workspace ws(p, {.max_columns = 16});
  sk::multiply(p, sk::dense_view<const float>(x.data(), 32, 16), sk::dense_view<float>(y.data(), 32, 16), ws);
  CHECK(y[16] != y[16]);
  CHECK(y[17] == 62);
  // An invalid view is refused.
  const std::vector<std::int32_t> bad(33, 7);
  const sk::csr_view<const float> broken{{32, 32}, {bad.data(), 33}, full.columns, full.values};
  CHECK_FALSE(sk::choose(broken, {.columns = {16}}));
}

TEST_CASE("a calibration decides; one of another machine does not, and reason() says so") {
  const auto w = weights(96, 96, 0.1, 6);
  const sk::dense_view view(w.data(), 96, 96);
  sk::calibration c{.isa = sk::native_arch::name, .machine = sk::machine_id()};
  // Dense for nothing, everything else at a nanosecond a count.
  for (int f = 1; f < sk::form_count; ++f) {
    for (auto& regime : c.f32.of[f]) std::fill(std::begin(regime), std::end(regime), 1.0);
  }
  const auto cheap = sk::choose(view, {.columns = {64}, .calibration = &c}).value();
  CHECK(cheap.has_dense());
  CHECK(cheap.reason().find("default constants") == std::string::npos);
  c.machine ^= 1;
  const auto foreign = sk::choose(view, {.columns = {64}, .calibration = &c}).value();
  CHECK(foreign.reason().find("default constants") != std::string::npos);
  CHECK(foreign.form_for(64) == sk::choose(view, {.columns = {64}}).value().form_for(64));
}

TEST_CASE("calibrate() measures the named types; what it finds is saved, loaded and used") {
  // One case or a few: too few timings for more than the scale of a form's constants.
  const sk::calibration here =
      sk::calibrate<float>({.seconds = 0.02, .most_elements = 2048, .sample_us = 50}).value();
  CHECK(sk::is_native(here));
  const sk::calibration defaults = sk::default_calibration();
  int changed = 0;
  for (int f = 0; f < sk::form_count; ++f) {
    for (int regime = 0; regime < sk::cost_regimes; ++regime) {
      for (int i = 0; i < sk::cost_terms_count; ++i) {
        const double v = here.f32.of[f][regime][i];
        CHECK((v >= 0 && v < 1e9));
        changed += v != defaults.f32.of[f][regime][i];
        CHECK(here.f64.of[f][regime][i] == defaults.f64.of[f][regime][i]);
      }
    }
  }
  CHECK(changed > 0);
  const std::string text = sk::save_calibration(here);
  const sk::calibration loaded = sk::load_calibration(text).value();
  CHECK(sk::save_calibration(loaded) == text);
  const auto w = weights(96, 96, 0.1, 6);
  const sk::dense_view view(w.data(), 96, 96);
  const auto p = sk::choose(view, {.columns = {64}, .calibration = &loaded}).value();
  CHECK(p.reason().find("default constants") == std::string::npos);
  const sk::cost_model<float> model(loaded.f32);
  for (const sk::candidate& c : p.candidates()) {
    CHECK(c.us[0] == doctest::Approx(model.predict(c.choice, p.statistics(), 64)));
  }
  CHECK(wrong_elements(p, w, 64) == 0);
}

TEST_CASE("calibrate() refuses no time and matrices too small to make, by name") {
  for (const double seconds : {0.0, -2.5, std::numeric_limits<double>::quiet_NaN(),
                               -std::numeric_limits<double>::infinity()}) {
    const sk::status s = sk::calibrate<float>({.seconds = seconds}).error();
    CHECK(s.code == sk::errc::bad_argument);
    CHECK(std::string(s.detail) == "seconds");
  }
  const sk::status s = sk::calibrate<float>({.most_elements = 255}).error();
  CHECK(s.code == sk::errc::bad_argument);
  CHECK(std::string(s.detail) == "most_elements");
  CHECK(s.got == sk::any_integer(255));
  CHECK(s.allowed == sk::any_integer(256));
}

TEST_CASE("a target decides how forms are cut; the result multiplies here all the same") {
  const auto w = weights(96, 300, 0.2, 8);
  const sk::dense_view view(w.data(), 96, 300);
  const sk::pack_target here = sk::packing::resolved(sk::pack_target::native);
  for (const sk::pack_target target : {sk::pack_target::scalar, sk::pack_target::avx2,
                                       sk::pack_target::avx512, sk::pack_target::neon}) {
    CAPTURE(sk::name_of(target));
    const sk::choose_options options{.columns = {1, 64}, .target = target};
    const auto p = sk::choose(view, options).value();
    CHECK(p.target() == target);
    const bool named =
        p.reason().find(std::string("; for ") + sk::name_of(target)) != std::string::npos;
    CHECK(named == (target != here));
    CHECK(wrong_elements(p, w, 1) == 0);
    CHECK(wrong_elements(p, w, 64) == 0);
    const sk::cost_machine machine = sk::cost_machine::of(target);
    if (p.forms().held().has(sk::form::lookup)) {
      const auto bytes = p.forms().packed(sk::form::lookup).view().lookup.window_bytes;
      CHECK(bytes == (target == sk::pack_target::avx2 ? 64 : 128));
    }
    if (p.forms().held().has(sk::form::quads)) {
      const auto quads = p.forms().packed(sk::form::quads).view().quads;
      CHECK(quads.column_block == machine.quad_column_block(quads.interleave));
    }
    // What is measured here says nothing about another ISA.
    if (target != here) {
      CHECK(sk::choose(sk::measure, view, options).error().code == sk::errc::unsupported);
      // A calibration of that ISA does, whatever the machine; one of this does not.
      sk::calibration c = sk::default_calibration();
      CHECK(sk::choose(view, {.columns = {64}, .target = target, .calibration = &c})
                .value()
                .reason()
                .find("default constants") != std::string::npos);
      c.isa = sk::name_of(target);
      c.machine ^= 1;
      for (auto& regime : c.f32.of[0]) std::fill(std::begin(regime), std::end(regime), 0.0);
      const auto dense =
          sk::choose(view, {.columns = {64}, .target = target, .calibration = &c}).value();
      CHECK(dense.has_dense());
      CHECK(dense.reason().find("default constants") == std::string::npos);
    }
  }
  CHECK(sk::choose(view, {.columns = {64}}).value().target() == here);
}

TEST_CASE("limits and bad arguments") {
  const auto w = weights(96, 200, 0.3, 4);
  const sk::dense_view<const float> view(w.data(), 96, 200);
  CHECK(sk::choose(view, {.columns = {}}).error().code == sk::errc::bad_argument);
  CHECK(sk::choose(view, {.columns = {0}}).error().code == sk::errc::bad_argument);
  CHECK(sk::choose(view, {.columns = {8}, .max_bytes = -1}).error().code ==
        sk::errc::bad_argument);
  const sk::status small = sk::choose(view, {.columns = {1, 512}, .max_bytes = 100}).error();
  CHECK(small.code == sk::errc::bad_argument);
  CHECK(std::string(small.detail) == "max_bytes");
  const sk::dense_view<const float> bad(w.data(), 96, 200, 10);
  CHECK(sk::choose(bad, {.columns = {8}}).error().code == sk::errc::bad_leading_dimension);
  // From the least that works upwards: never more than allowed, always right; less is refused.
  const auto free = sk::choose(view, {.columns = {1, 512}}).value();
  const index_t least = static_cast<index_t>(small.allowed.bits);
  CHECK(least > 100);
  int accepted = 0;
  for (index_t bytes = least / 2; bytes < 2 * free.bytes(); bytes += least / 8) {
    CAPTURE(bytes);
    sk::chosen_matrix<float> p;
    const sk::status s = sk::choose(view, {.columns = {1, 512}, .max_bytes = bytes}).get(p);
    if (bytes < least) CHECK_FALSE(s);
    if (!s) continue;
    ++accepted;
    CHECK(p.bytes() <= bytes);
    CHECK(wrong_elements(p, w, 5) == 0);
  }
  CHECK(accepted > 3);
  const auto tight = sk::choose(view, {.columns = {1, 512}, .max_bytes = least}).value();
  CHECK(tight.bytes() <= least);
  CHECK(tight.rejected().find("max_bytes") != std::string::npos);
}
