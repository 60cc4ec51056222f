// choose(): packs weights in the form that should multiply fastest, sparse or dense, and says why.
//
//   auto P = sk::choose(dense, {.columns = {1, 64}}).value();       // by the cost model
//   auto Q = sk::choose(sk::measure, dense, {.columns = {64}}).value();   // by timing the best few here
//   sk::multiply(P, X, Y, ws);                 // P.reason(), P.predicted_speedup(n), P.bytes(), P.rejected()
//
// Weights are f32, f64, bf16, f16 or s8. Candidates are all packed forms of their type
// (plan/form.hpp); what structure the weights have, N:M groups, blocks, empty rows and columns, is
// found in them. Several forms are kept if that serves the column counts better and max_bytes
// allows it. Deciding looks at samples of the pattern, and at all of it where a form could win that
// needs it (plan/survey.hpp), and packs only what is taken.
#pragma once

#include "choose/cache.hpp"
#include "choose/chosen_matrix.hpp"
#include "choose/reason.hpp"
#include "choose/timing.hpp"
#include "convert/from_dense.hpp"
#include "plan/calibration.hpp"
#include "plan/survey.hpp"

namespace sparsekit {
inline namespace v0 {

struct choose_options {
  column_counts columns{64};
  /// The most bytes that the packed forms may take together; 0: no limit.
  index_t max_bytes = 0;
  /// What to choose for: forms and their cuts suit it, and run everywhere. choose(sk::measure, ...)
  /// needs `native`.
  pack_target target = pack_target::native;
  /// Constants of this machine, from calibrate() or load_calibration(); null, or of another machine
  /// or ISA: the library's own (then reason() says so). With a target that is not this program's
  /// ISA, of any machine of it.
  const sparsekit::v0::calibration* calibration = nullptr;
  /// choose(sk::measure, ...): where times are kept and looked up, and how it measures.
  choose_cache* cache = nullptr;
  timing_options timing{};
};

/// Times the candidates on this machine instead of trusting the model: some milliseconds a column count.
struct measure_t {};
inline constexpr measure_t measure{};

/// The work of choose(), which only it may do to a chosen_matrix.
template <class T>
class chooser {
 public:
  using csr = csr_view<const T, std::int32_t, std::int64_t>;

  template <class Flags = flags_tag>
  static status check(const choose_options& options, form_timer<T> time) {
    const auto bad = [](const char* detail, index_t got, index_t allowed) {
      return status{.code = errc::bad_argument, .object = "choose", .detail = detail, .got = got,
                    .allowed = allowed};
    };
    if (options.max_bytes < 0) return bad("max_bytes", options.max_bytes, 0);
    if (options.columns.empty()) return bad("number of column counts", 0, 1);
    if (options.columns.bad() < 1) return bad("columns", options.columns.bad(), 1);
    if (time != nullptr &&
        packing::resolved(options.target) != packing::resolved(pack_target::native)) {
      return status{
          .code = errc::unsupported, .object = "choose", .detail = "measuring for another target"};
    }
    return {};
  }

  /// `a` is valid; make_dense() gives the packed dense weights. `time`: null for the model alone.
  template <class MakeDense, class Flags = flags_tag>
  static result<chosen_matrix<T>> run(const csr& a, stored_zeros zeros, MakeDense&& make_dense,
                                      const choose_options& options, form_timer<T> time) {
    const bool timed = time != nullptr;
    chosen_matrix<T> c;
    c.columns_ = options.columns;
    c.target_ = packing::resolved(options.target);
    const bool foreign =
        options.calibration != nullptr && !plan::is_for(*options.calibration, c.target_);
    c.constants_ = options.calibration != nullptr && !foreign
                       ? options.calibration->template constants<T>()
                       : constants_for<T>(c.target_);
    const cost_model<T> model(c.constants_, c.target_);
    if (timed) {  // the model's bounds are not trusted
      if (status s =
              count_pattern(a, plan::few_matter<T>(options.columns), c.statistics_, c.target_);
          !s)
        return s;
    } else {
      if (status s = survey_pattern(a, options.columns, model, zeros, c.statistics_); !s) return s;
      // Little memory may leave nothing but dense weights.
      if (options.max_bytes > 0 && zeros == stored_zeros::maybe) c.statistics_.explicit_zeros = plan::stores_zeros(a);
    }
    c.candidates_ = candidates_of(c.statistics_, options.columns, model);
    form_set allowed;
    for (const candidate& k : c.candidates_) allowed.add(k.choice.kind);
    form_set exact;  // forms that are packed, so that their bytes are known
    const auto pack_one = [&](candidate& k) {
      if (exact.has(k.choice.kind)) return status{};
      if (status s = c.forms_.pack_form(k.choice, a, make_dense, c.target_); !s) return s;
      k.bytes = c.forms_.bytes(k.choice.kind);
      exact.add(k.choice.kind);
      return status{};
    };
    if (timed) {
      if (status s = measure_best(c, options, time, pack_one, allowed); !s) return s;
    }
    selection chosen;
    while (true) {
      chosen = plan::select_forms(c.candidates_, allowed, options.columns.size(), options.max_bytes);
      if (chosen.held.empty()) {
        // Sizes are predicted: what the least would be is known when it is packed.
        candidate* least = nullptr;
        for (candidate& k : c.candidates_) {
          allowed.add(k.choice.kind);
          if (least == nullptr || k.bytes < least->bytes) least = &k;
        }
        if (exact.has(least->choice.kind) && least->bytes > options.max_bytes) {
          return status{.code = errc::bad_argument, .object = "choose", .detail = "max_bytes",
                        .got = options.max_bytes, .allowed = least->bytes};
        }
        if (status s = pack_one(*least); !s) return s;
        continue;
      }
      index_t bytes = 0;
      for (candidate& k : c.candidates_) {
        if (!chosen.held.has(k.choice.kind)) continue;
        if (status s = pack_one(k); !s) return s;
        bytes += k.bytes;
      }
      if (options.max_bytes == 0 || bytes <= options.max_bytes) break;
    }
    for (int i = 0; i < form_count; ++i) {
      const form f = static_cast<form>(i);
      if (exact.has(f) && !chosen.held.has(f)) c.forms_.drop(f);
    }
    plan::explain_rejections(c.candidates_, chosen, options.columns.size(), options.max_bytes);
    c.assign(chosen, timed);
    c.reason_ = plan::reason_of(c, timed, foreign);
    return c;
  }

 private:
  /// Packs and times dense and the forms that come near the best at any column count; afterwards only these are
  /// `allowed`.
  template <class Pack, class Flags = flags_tag>
  static status measure_best(chosen_matrix<T>& c, const choose_options& options, form_timer<T> time,
                             Pack&& pack_one, form_set& allowed) {
    constexpr double near = 1.6;
    constexpr int most = 4;
    candidate_list& list = c.candidates_;
    const int counts = options.columns.size();
    const auto fits = [&](const candidate& k) {  // sizes are predicted
      return options.max_bytes == 0 || k.bytes / 5 * 4 <= options.max_bytes;
    };
    // Of each candidate that fits, its time over the best of those, where it comes closest.
    double nearest[form_count];
    for (int k = 0; k < list.size; ++k) {
      nearest[k] = 1e300;
      if (!fits(list.at[k])) continue;
      for (int i = 0; i < counts; ++i) {
        double best = 1e300;
        for (const candidate& other : list) {
          if (fits(other)) best = std::min(best, other.us[i]);
        }
        nearest[k] = std::min(nearest[k], list.at[k].us[i] / best);
      }
    }
    // Dense always: how far the model is off must not decide whether anybody notices.
    form_set timed;
    for (int k = 0; k < list.size; ++k) {
      if (list.at[k].choice.kind == form::dense && nearest[k] < 1e300) timed.add(form::dense);
    }
    while (timed.size() < most) {
      int best = -1;
      for (int k = 0; k < list.size; ++k) {
        if (timed.has(list.at[k].choice.kind) || nearest[k] >= near) continue;
        if (best < 0 || nearest[k] < nearest[best]) best = k;
      }
      if (best < 0) break;
      timed.add(list.at[best].choice.kind);
    }
    if (timed.empty()) return {};  // nothing fits; run() says so
    choose_cache::entry entry;
    entry.key = plan::measure_key<T>(c.statistics_, options.columns, list, timed);
    const choose_cache::entry* known =
        options.cache == nullptr ? nullptr : options.cache->find(entry.key);
    if (known == nullptr) {
      for (candidate& k : list) {
        if (!timed.has(k.choice.kind)) continue;
        if (status s = pack_one(k); !s) return s;
      }
      for (int i = 0; i < counts; ++i) {
        std::array<double, form_count> us{};
        if (status s = time(c.forms_, c.shape(), timed, options.columns[i], options.timing, us); !s)
          return s;
        for (std::size_t f = 0; f < us.size(); ++f) entry.us[f][i] = us[f];
      }
      if (options.cache != nullptr) {
        if (status s = options.cache->put(entry); !s) return s;
      }
      known = &entry;
    }
    allowed = {};
    for (candidate& k : list) {
      const double* us = known->us[static_cast<int>(k.choice.kind)];
      if (us[0] == 0) continue;
      for (int i = 0; i < counts; ++i) k.us[i] = us[i];
      k.measured = true;
      allowed.add(k.choice.kind);
    }
    return {};
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace plan {

template <class U, class Layout>
result<chosen_matrix<std::remove_cv_t<U>>> choose_dense(const dense_view<U, Layout>& w,
                                                        const choose_options& options,
                                                        form_timer<std::remove_cv_t<U>> time) {
  using T = std::remove_cv_t<U>;
  if (status s = validate(w, "w"); !s) return s;
  if (status s = chooser<T>::check(options, time); !s) return s;
  csr_matrix<T, std::int32_t, std::int64_t> csr;
  if (status s = csr_matrix<T, std::int32_t, std::int64_t>::from_dense(w).get(csr); !s) return s;
  return chooser<T>::run(
      csr.view(), stored_zeros::none, [&] { return pack_dense(w); }, options, time);
}

template <class U, class Index, class Offset>
result<chosen_matrix<std::remove_cv_t<U>>> choose_csr(const csr_view<U, Index, Offset>& a,
                                                      const choose_options& options,
                                                      form_timer<std::remove_cv_t<U>> time) {
  using T = std::remove_cv_t<U>;
  if (status s = validate(a); !s) return s;
  if (status s = chooser<T>::check(options, time); !s) return s;
  csr_matrix<T, std::int32_t, std::int64_t> csr;
  if (status s = to_csr<std::int32_t, std::int64_t>(unchecked, a).get(csr); !s) return s;
  const auto view = csr.view();
  return chooser<T>::run(
      view, stored_zeros::maybe, [&] { return dense_of(view); }, options, time);
}

}  // namespace plan

/// By the cost model: of dense weights, whose entries are those that are not zero. Errors: an invalid view, no
/// or a non-positive column count, max_bytes below what the smallest form takes, out of memory.
template <class U, class Layout>
result<chosen_matrix<std::remove_cv_t<U>>> choose(const dense_view<U, Layout>& w,
                                                  const choose_options& options = {}) {
  return plan::choose_dense(w, options, nullptr);
}
/// Of a CSR matrix, explicit zeros included: with such, no form is dense.
template <class U, class Index, class Offset>
result<chosen_matrix<std::remove_cv_t<U>>> choose(const csr_view<U, Index, Offset>& a,
                                                  const choose_options& options = {}) {
  return plan::choose_csr(a, options, nullptr);
}
template <class T, class Index, class Offset>
result<chosen_matrix<T>> choose(const csr_matrix<T, Index, Offset>& a,
                                const choose_options& options = {}) {
  return plan::choose_csr(a.view(), options, nullptr);
}
/// By timing dense and the best few candidates at each column count, in turn, the least of many rounds.
template <class U, class Layout>
result<chosen_matrix<std::remove_cv_t<U>>> choose(measure_t, const dense_view<U, Layout>& w,
                                                  const choose_options& options = {}) {
  return plan::choose_dense(w, options, &time_forms<std::remove_cv_t<U>>);
}
template <class U, class Index, class Offset>
result<chosen_matrix<std::remove_cv_t<U>>> choose(measure_t, const csr_view<U, Index, Offset>& a,
                                                  const choose_options& options = {}) {
  return plan::choose_csr(a, options, &time_forms<std::remove_cv_t<U>>);
}
template <class T, class Index, class Offset>
result<chosen_matrix<T>> choose(measure_t, const csr_matrix<T, Index, Offset>& a,
                                const choose_options& options = {}) {
  return plan::choose_csr(a.view(), options, &time_forms<T>);
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
