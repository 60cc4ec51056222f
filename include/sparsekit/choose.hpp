// choose(): packs weights in the form that should multiply fastest, sparse or dense, and says why.
//
//   auto P = sk::choose(dense, {.columns = {1, 64}}).value();       // by the cost model
//   auto Q = sk::choose(sk::measure, dense, {.columns = {64}}).value();   // by timing the candidates here
//   sk::multiply(P, X, Y, ws);                 // P.reason(), P.predicted_speedup(n), P.bytes()
//
// Candidates: packed dense weights, and what pack() makes of the nonzeros (balanced row quads, and
// window-lookup steps for one to three columns). Both may be kept, if that serves the column counts
// better and max_bytes allows it.
#pragma once

#include <chrono>
#include <string>

#include "convert/from_dense.hpp"
#include "multiply.hpp"
#include "pack/dense.hpp"
#include "pack/pack.hpp"
#include "plan/cost_model.hpp"

namespace sparsekit {
inline namespace v0 {

struct choose_options {
  column_counts columns{64};
  /// The most bytes that the packed forms may take together; 0: no limit.
  index_t max_bytes = 0;
};

/// Times the candidates on this machine instead of trusting the model: some milliseconds a column count.
struct measure_t {};
inline constexpr measure_t measure{};

/// Weights in one or two packed forms. Move-only.
template <class T>
class chosen_matrix {
 public:
  using value_type = T;

  chosen_matrix() = default;
  extents shape() const { return shape_; }
  index_t rows() const { return shape_.rows; }
  index_t cols() const { return shape_.cols; }
  index_t nnz() const { return nnz_; }
  index_t bytes() const {
    return (has_dense_ ? dense_.bytes().size() : 0) + (has_sparse_ ? sparse_.bytes() : 0);
  }
  bool has_dense() const { return has_dense_; }
  bool has_sparse() const { return has_sparse_; }
  /// Whether n columns run on the sparse form.
  bool sparse_for(index_t n) const {
    if (!has_dense_) return true;
    if (!has_sparse_) return false;
    return n <= few_ ? sparse_few_ : sparse_many_;
  }
  const packed_dense<T>& dense() const { return dense_; }
  const packed_matrix<T>& sparse() const { return sparse_; }

  /// How much faster than the packed dense form n columns should be: 1 where they run on it.
  template <class Flags = flags_tag>
  double predicted_speedup(index_t n) const {
    if (!sparse_for(n)) return 1;
    return predicted_dense(n) / predicted_sparse(n);
  }
  /// Why, in a sentence. Allocates.
  const std::string& reason() const { return reason_; }

  /// Microseconds by the model; choose() takes the smaller.
  template <class Flags = flags_tag>
  double predicted_dense(index_t n) const {
    return cost_model<T>::native().dense(shape_, n);
  }
  template <class Flags = flags_tag>
  double predicted_sparse(index_t n) const {
    const auto model = cost_model<T>::native();
    const auto view = sparse_.view();
    const quad_view<const T>& q = view.quads;
    if (n <= 3 && view.has_lookup()) return model.lookup(shape_, view.lookup.slots(), n);
    if (view.has_quads()) return model.quads(shape_, q.slots, q.column_block, q.interleave, n);
    return model.quads(shape_, nnz_ + nnz_ / 20, 256, 2, n);
  }

 private:
  template <class U>
  friend class chooser;

  extents shape_{};
  index_t nnz_ = 0;
  bool has_dense_ = false;
  bool has_sparse_ = false;
  bool sparse_few_ = true;   ///< at most `few_` columns
  bool sparse_many_ = true;  ///< more
  index_t few_ = 0;
  packed_dense<T> dense_;
  packed_matrix<T> sparse_;
  std::string reason_;
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// Scratch for whichever form a call runs on.
template <class T>
workspace_size workspace_requirement(const chosen_matrix<T>& a, index_t columns) {
  workspace_size most{};
  const auto take = [&](workspace_size s) {
    most.shared = std::max(most.shared, s.shared);
    most.per_worker = std::max(most.per_worker, s.per_worker);
  };
  if (a.has_dense()) take(workspace_requirement(a.dense(), columns));
  if (a.has_sparse()) take(workspace_requirement(a.sparse(), columns));
  return most;
}

namespace operands {
template <class X>
index_t columns_of(const X& x) {
  return with_dense(x, [](auto v) { return v.cols(); });
}
}  // namespace operands

template <execution_policy Policy, class T, class X, class Y, class... Optional>
void multiply(const Policy& policy, const chosen_matrix<T>& a, X&& x, Y&& y,
              const Optional&... optional) {
  if (a.sparse_for(operands::columns_of(x))) {
    multiply(policy, a.sparse(), x, y, optional...);
  } else {
    multiply(policy, a.dense(), x, y, optional...);
  }
}
template <class T, class X, class Y, class... Optional>
void multiply(const chosen_matrix<T>& a, X&& x, Y&& y, const Optional&... optional) {
  multiply(seq, a, x, y, optional...);
}

SPARSEKIT_EXEC_END_IN_V0

/// The work of choose(), which only it may do to a chosen_matrix.
template <class T>
class chooser {
 public:
  template <class U, class Layout, class Flags = flags_tag>
  static result<chosen_matrix<T>> run(const dense_view<U, Layout>& w, const choose_options& options,
                                      bool timed) {
    if (status s = validate(w, "w"); !s) return s;
    if (options.columns.empty() || options.columns.bad() < 1 || options.max_bytes < 0) {
      const bool none = options.columns.empty();
      const bool bytes = options.max_bytes < 0;
      return status{.code = errc::bad_argument, .object = "choose",
                    .detail = bytes  ? "max_bytes"
                              : none ? "number of column counts"
                                     : "columns",
                    .got = bytes  ? options.max_bytes
                           : none ? 0
                                  : options.columns.bad(),
                    .allowed = bytes ? 0 : 1};
    }
    chosen_matrix<T> c;
    c.shape_ = w.shape();
    csr_matrix<T, std::int32_t, std::int64_t> csr;
    if (status s = csr_matrix<T, std::int32_t, std::int64_t>::from_dense(w).get(csr); !s) return s;
    c.nnz_ = csr.nnz();
    if (status s = pack_dense(w).get(c.dense_); !s) return s;
    if (status s = pack(seq, unchecked, csr.view(), {.columns = options.columns}).get(c.sparse_);
        !s) {
      return s;
    }
    c.has_dense_ = c.has_sparse_ = true;
    const index_t few = options.columns.least();
    const index_t many = options.columns.most();
    double dense[2] = {c.predicted_dense(few), c.predicted_dense(many)};
    double sparse[2] = {c.predicted_sparse(few), c.predicted_sparse(many)};
    if (timed) {
      const index_t counts[2] = {few, many};
      for (int i = 0; i < (few == many ? 1 : 2); ++i) {
        if (status s = time_both(c, counts[i], dense[i], sparse[i]); !s) return s;
      }
      if (few == many) {
        dense[1] = dense[0];
        sparse[1] = sparse[0];
      }
    }
    c.sparse_few_ = sparse[0] < dense[0];
    c.sparse_many_ = sparse[1] < dense[1];
    // Between the least and the most columns, the ratio changes slowly: split at their geometric mean.
    c.few_ = few;
    while (c.few_ * c.few_ < few * many) ++c.few_;
    bool kept_small = false;
    if (c.sparse_few_ != c.sparse_many_ && options.max_bytes > 0 &&
        c.dense_.bytes().size() + c.sparse_.bytes() > options.max_bytes) {
      // One form for all: the one that loses the smaller factor where it is not the best.
      const double keep_sparse = std::max(sparse[0] / dense[0], sparse[1] / dense[1]);
      const double keep_dense = std::max(dense[0] / sparse[0], dense[1] / sparse[1]);
      c.sparse_few_ = c.sparse_many_ = keep_sparse < keep_dense;
      kept_small = true;
    }
    const bool use_sparse = c.sparse_few_ || c.sparse_many_;
    const bool use_dense = !c.sparse_few_ || !c.sparse_many_;
    c.has_dense_ = use_dense;
    c.has_sparse_ = use_sparse;
    if (options.max_bytes > 0 && c.bytes() > options.max_bytes) {
      // The better form does not fit: the other one, if that does.
      const index_t other = use_sparse ? c.dense_.bytes().size() : c.sparse_.bytes();
      if (other > options.max_bytes) {
        return status{.code = errc::bad_argument, .object = "choose", .detail = "max_bytes",
                      .got = options.max_bytes, .allowed = std::min(other, c.bytes())};
      }
      std::swap(c.has_dense_, c.has_sparse_);
      c.sparse_few_ = c.sparse_many_ = c.has_sparse_;
      kept_small = true;
    }
    c.reason_ = explain(c, few, many, dense, sparse, timed, kept_small);
    if (!c.has_dense_) c.dense_ = {};
    if (!c.has_sparse_) c.sparse_ = {};
    return c;
  }

 private:
  template <class Flags = flags_tag>
  static status time_both(const chosen_matrix<T>& c, index_t n, double& dense, double& sparse) {
    buffer<T> x;
    buffer<T> y;
    index_t x_size = 0;
    index_t y_size = 0;
    if (!checked_multiply(c.cols(), n, x_size) || !checked_multiply(c.rows(), n, y_size)) {
      return {.code = errc::size_overflow, .object = "choose", .detail = "columns", .got = n,
              .allowed = std::numeric_limits<index_t>::max() / std::max<index_t>(c.cols(), 1)};
    }
    if (status s = x.allocate(x_size); !s) return s;
    if (status s = y.allocate(y_size); !s) return s;
    for (index_t i = 0; i < x.size(); ++i) x[i] = T(1) + T(i % 7);
    workspace ws;
    if (status s = workspace::make(c, {.max_columns = n}).get(ws); !s) return s;
    const dense_view<const T> xv(x.data(), c.cols(), n);
    const dense_view<T> yv(y.data(), c.rows(), n);
    const auto run_dense = [&] { multiply(c.dense(), xv, yv, ws); };
    const auto run_sparse = [&] { multiply(c.sparse(), xv, yv, ws); };
    using clock = std::chrono::steady_clock;
    const auto time = [&](auto&& f, index_t calls) {
      const auto begin = clock::now();
      for (index_t i = 0; i < calls; ++i) f();
      const std::chrono::duration<double, std::micro> spent = clock::now() - begin;
      return spent.count() / static_cast<double>(calls);
    };
    // Turn and turn about, so that both see the same clock and caches; the least of nine rounds.
    run_dense();
    run_sparse();
    const double guess = std::max(time(run_dense, 1), time(run_sparse, 1));
    const index_t calls = guess > 100 ? 1 : static_cast<index_t>(100 / std::max(guess, 0.1)) + 1;
    dense = sparse = 1e30;
    for (int round = 0; round < 9; ++round) {
      dense = std::min(dense, time(run_dense, calls));
      sparse = std::min(sparse, time(run_sparse, calls));
    }
    return {};
  }

  static std::string number(double v, int digits) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*f", digits, v);
    return text;
  }
  template <class Flags = flags_tag>
  static std::string explain(const chosen_matrix<T>& c, index_t few, index_t many,
                             const double* dense, const double* sparse, bool timed,
                             bool kept_small) {
    const double elements = static_cast<double>(c.rows()) * static_cast<double>(c.cols());
    const double zeros = elements == 0 ? 0 : 1 - static_cast<double>(c.nnz()) / elements;
    std::string text = number(100 * zeros, 0) + " % zeros";
    const index_t counts[2] = {few, many};
    for (int i = 0; i < (few == many ? 1 : 2); ++i) {
      const bool s = i == 0 ? c.sparse_few_ : c.sparse_many_;
      const char* form = s ? (counts[i] <= 3 ? "window lookup" : "quads") : "dense";
      text += "; " + std::to_string(counts[i]) + (counts[i] == 1 ? " column: " : " columns: ") +
              form + (timed ? ", measured " : ", predicted ") +
              number(s ? dense[i] / sparse[i] : sparse[i] / dense[i], 2) + "x over " +
              (s ? "dense" : "sparse");
    }
    if (!timed && elements > 0) {
      const double even = cost_model<T>::native().break_even(c.shape_, many);
      text += even >= 1 ? "; no break-even" : "; break-even " + number(100 * even, 0) + " %";
    }
    if (kept_small) text += "; one form only, to stay within max_bytes";
    return text;
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// By the cost model. Errors: an invalid view, no or a non-positive column count, max_bytes below what
/// the smallest form takes, out of memory.
template <class U, class Layout>
result<chosen_matrix<std::remove_cv_t<U>>> choose(const dense_view<U, Layout>& w,
                                                  const choose_options& options = {}) {
  return chooser<std::remove_cv_t<U>>::run(w, options, false);
}
/// By timing the candidates for the least and the most columns.
template <class U, class Layout>
result<chosen_matrix<std::remove_cv_t<U>>> choose(measure_t, const dense_view<U, Layout>& w,
                                                  const choose_options& options = {}) {
  return chooser<std::remove_cv_t<U>>::run(w, options, true);
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
