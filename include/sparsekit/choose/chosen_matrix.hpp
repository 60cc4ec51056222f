// chosen_matrix: what choose() makes of weights; and its multiply.
#pragma once

#include <string>

#include "../plan/selection.hpp"
#include "packed_forms.hpp"

namespace sparsekit {
inline namespace v0 {

/// Weights in one or several packed forms, each for some column counts. Move-only.
template <class T>
class chosen_matrix {
 public:
  using value_type = T;

  chosen_matrix() = default;
  extents shape() const { return statistics_.shape; }
  index_t rows() const { return shape().rows; }
  index_t cols() const { return shape().cols; }
  index_t nnz() const { return statistics_.nnz; }
  /// Memory of the forms that are held.
  index_t bytes() const { return forms_.bytes(); }
  const packed_forms<T>& forms() const { return forms_; }
  bool has_dense() const { return forms_.held().has(form::dense); }
  bool has_sparse() const { return !has_dense() || forms_.held().size() > 1; }

  /// The form that n columns run on.
  template <class Flags = flags_tag>
  form form_for(index_t n) const {
    int i = 0;
    while (i + 1 < columns_.size() && n > last_[i]) ++i;
    return of_[i];
  }
  template <class Flags = flags_tag>
  bool sparse_for(index_t n) const { return form_for(n) != form::dense; }

  /// How much faster than packed dense weights n columns should be, or were, if they were timed: 1 where they
  /// run on them.
  template <class Flags = flags_tag>
  double predicted_speedup(index_t n) const {
    return microseconds(form::dense, n) / microseconds(form_for(n), n);
  }
  /// What a form should take at n columns, or took, if it was timed there. A form that is no candidate (see
  /// candidates()) is predicted all the same, if it is dense, and takes forever otherwise.
  template <class Flags = flags_tag>
  double microseconds(form f, index_t n) const {
    const candidate* c = candidates_.find(f);
    const cost_model<T> model(constants_, target_);
    if (c == nullptr) return f == form::dense ? model.predict({form::dense}, statistics_, n) : 1e300;
    for (int i = 0; i < columns_.size(); ++i) {
      if (columns_[i] == n) return c->us[i];
    }
    return model.predict(c->choice, statistics_, n);
  }
  /// The share of scattered zeros from which sparse should beat dense for this shape and n columns: 1 if never.
  template <class Flags = flags_tag>
  double break_even(index_t n) const {
    return cost_model<T>(constants_, target_).break_even(shape(), n);
  }
  /// Why, in a sentence.
  const std::string& reason() const { return reason_; }
  /// All forms that were considered, taken or not, with their microseconds at columns() and why not.
  const candidate_list& candidates() const { return candidates_; }
  /// Those that were not taken, by name, prediction and why: "dense 31.2 us (slower); CSR ...". Allocates.
  template <class Flags = flags_tag>
  std::string rejected() const {
    std::string text;
    for (const candidate& c : candidates_) {
      if (c.why == rejection::none) continue;
      if (!text.empty()) text += "; ";
      text += c.choice.text();
      for (int i = 0; i < columns_.size(); ++i) {
        char number[48];
        std::snprintf(number, sizeof number, "%s%.3g", i == 0 ? " " : ", ", c.us[i]);
        text += number;
      }
      text += std::string(" us (") + name_of(c.why) + ")";
    }
    return text;
  }
  const column_counts& columns() const { return columns_; }
  /// What it was chosen and cut for; every ISA multiplies it.
  pack_target target() const { return target_; }
  const pattern_statistics& statistics() const { return statistics_; }

 private:
  template <class U>
  friend class chooser;

  /// Between two column counts, forms change where the model says so; by measurement, half-way as ratios go.
  template <class Flags = flags_tag>
  void assign(const selection& s, bool timed) {
    for (int i = 0; i < columns_.size(); ++i) of_[i] = s.of[i];
    for (int i = 0; i + 1 < columns_.size(); ++i) {
      const index_t first = columns_[i];
      const index_t next = columns_[i + 1];
      last_[i] = first;
      if (of_[i] == of_[i + 1]) continue;
      index_t n = first;
      if (timed) {
        n = static_cast<index_t>(std::sqrt(static_cast<double>(first) * static_cast<double>(next)));
      } else {
        while (n + 1 < next && microseconds(of_[i], n + 1) <= microseconds(of_[i + 1], n + 1)) {
          n = std::min(next - 1, n + 1 + n / 8);
        }
      }
      last_[i] = std::max(first, std::min(n, next - 1));
    }
  }

  pattern_statistics statistics_;
  column_counts columns_;
  form of_[column_counts::most_counts] = {};        ///< for each of the column counts
  index_t last_[column_counts::most_counts] = {};   ///< the most columns that run on it
  pack_target target_ = pack_target::native;
  cost_constants constants_{};
  candidate_list candidates_;
  packed_forms<T> forms_;
  std::string reason_;
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// Scratch for whichever form a call runs on.
template <class T>
workspace_size workspace_requirement(const chosen_matrix<T>& a, index_t columns) {
  return workspace_requirement(a.forms(), columns);
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
  multiply_by(a.form_for(operands::columns_of(x)), policy, a.forms(), x, y, optional...);
}
template <class T, class X, class Y, class... Optional>
void multiply(const chosen_matrix<T>& a, X&& x, Y&& y, const Optional&... optional) {
  multiply(seq, a, x, y, optional...);
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
