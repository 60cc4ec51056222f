// The sentence that says why choose() chose what it did.
#pragma once

#include "chosen_matrix.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace plan {

inline std::string number(double v, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, v);
  return text;
}

/// What regular structure the zeros have: "2:4 shared by 8 rows", "4 x 4 blocks", "12 of 64 rows empty".
inline std::string structure_of(const pattern_statistics& s, const candidate_list& list) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  const index_t no_rows = s.shape.rows - s.kept_rows;
  const index_t no_columns = s.shape.cols - s.kept_columns;
  if (no_rows > 0) {
    add(std::to_string(no_rows) + " of " + std::to_string(s.shape.rows) + " rows empty");
  }
  if (no_columns > 0) {
    add(std::to_string(no_columns) + " of " + std::to_string(s.shape.cols) + " columns empty");
  }
  const double nnz = static_cast<double>(s.nnz);
  const candidate* nm = list.find(form::nm);
  if (nm != nullptr && nm->choice.group.n * 2 <= nm->choice.group.m) {
    const double slots = static_cast<double>(s.shape.rows) * static_cast<double>(s.shape.cols) *
                         static_cast<double>(nm->choice.group.n) /
                         static_cast<double>(nm->choice.group.m);
    if (nnz > 0.7 * slots) add(nm->choice.text());
  }
  const candidate* bsr = list.find(form::bsr);
  if (bsr != nullptr && s.zeros() > 0.1) {
    const block_shape& b = bsr->choice.block;
    const double all = static_cast<double>(ceil_div(s.shape.rows, b.rows)) *
                       static_cast<double>(ceil_div(s.shape.cols, b.cols));
    const double used = static_cast<double>(s.blocks_of(b));
    if (used < 0.95 * all && nnz > 0.8 * used * static_cast<double>(b.rows * b.cols)) {
      add(bsr->choice.text());
    }
  }
  return text.empty() ? "no block structure" : text;
}

template <class T>
std::string reason_of(const chosen_matrix<T>& c, bool timed, bool foreign) {
  const pattern_statistics& s = c.statistics();
  std::string text = number(100 * s.zeros(), 0) + " % zeros, " + structure_of(s, c.candidates());
  for (int i = 0; i < c.columns().size(); ++i) {
    const index_t n = c.columns()[i];
    const form f = c.form_for(n);
    // Against dense; dense itself against the best of the others.
    form other = form::dense;
    if (f == form::dense) {
      double best = 1e300;
      for (const candidate& k : c.candidates()) {
        if (k.choice.kind == f || k.us[i] >= best || k.measured != timed) continue;
        best = k.us[i];
        other = k.choice.kind;
      }
    }
    const candidate* mine = c.candidates().find(f);
    const candidate* theirs = c.candidates().find(other);
    text += "; " + mine->choice.text();
    if (other != f) {
      text += std::string(mine->measured && theirs != nullptr && theirs->measured ? " measured "
                                                                                  : " predicted ") +
              number(c.microseconds(other, n) / c.microseconds(f, n), 2) + "x over " +
              (theirs != nullptr ? theirs->choice.text() : "dense");
    }
    text += " at " + std::to_string(n) + (n == 1 ? " column" : " columns");
  }
  if (!timed && s.nnz > 0) {
    const double even = c.break_even(c.columns().most());
    text += even >= 0.9999 ? "; no break-even" : "; break-even " + number(100 * even, 0) + " %";
  }
  for (const candidate& k : c.candidates()) {
    if (k.why == rejection::too_large) {
      text += "; " + k.choice.text() + " left out to stay within max_bytes";
      break;
    }
  }
  if (s.explicit_zeros) text += "; stored zeros, so no dense form";
  if (c.target() != packing::resolved(pack_target::native))
    text += std::string("; for ") + name_of(c.target());
  if (foreign) text += "; the calibration is of another machine or ISA: default constants";
  return text;
}

}  // namespace plan
SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
