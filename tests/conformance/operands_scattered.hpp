// Operands of the formats whose products scatter: one triangle of a symmetric matrix, transposes of SELL and
// BSR.
#pragma once

#include <algorithm>

#include "conformance/operands.hpp"
#include "sparsekit/convert/to_bsr.hpp"
#include "sparsekit/convert/to_sell.hpp"

namespace sparsekit_test {

/// The problem's leading square, its lower triangle mirrored.
template <class T>
problem<T> mirrored(const problem<T>& p) {
  problem<T> out = p;
  out.rows = out.cols = std::min(p.rows, p.cols);
  out.entries.clear();
  for (const entry<T>& e : p.entries) {
    if (e.row >= out.rows || e.column > e.row) continue;
    out.entries.push_back(e);
    if (e.column != e.row) out.entries.push_back({e.column, e.row, e.value});
  }
  std::stable_sort(out.entries.begin(), out.entries.end(), [](const entry<T>& a, const entry<T>& b) {
    return a.row != b.row ? a.row < b.row : a.column < b.column;
  });
  out.name += " mirrored";
  if (p.rows == p.cols) {
    solve(out);
  } else {
    rng random(static_cast<std::uint64_t>(p.rows * 1000 + p.cols));
    out.finite = true;
    complete(out, p.columns, p.exact ? numbers::integer : numbers::real, random);
  }
  return out;
}

template <class T, class I, class O>
struct symmetric_operand : operand {
  using view_type = sparsekit::symmetric_view<const T, I, O>;
  static constexpr bool any_order = false;
  static constexpr bool zeros_are_absent = false;
  static constexpr index_t largest_index = csr_operand<T, I, O>::largest_index;
  static std::vector<std::string> options() {
    return {"lower " + index_name<I>(), "upper " + index_name<I>()};
  }
  static problem<T> adapt(const problem<T>& p, int) { return mirrored(p); }

  symmetric_operand(const problem<T>& p, placement where, int option)
      : stored(option == 0 ? sparsekit::lower : sparsekit::upper), half(kept(p, stored), where) {}
  view_type view() const { return sparsekit::symmetric(half.view(), stored); }
  bool intact() const override { return half.intact(); }

  static problem<T> kept(const problem<T>& p, sparsekit::triangle stored) {
    problem<T> out;
    out.rows = p.rows;
    out.cols = p.cols;
    for (const entry<T>& e : p.entries) {
      if (stored == sparsekit::lower ? e.column <= e.row : e.column >= e.row) {
        out.entries.push_back(e);
      }
    }
    return out;
  }
  sparsekit::triangle stored;
  csr_operand<T, I, O> half;
};

/// A transpose of the conversion of the transpose.
template <class T, class Matrix>
struct transposed_operand : operand {
  using view_type = decltype(sparsekit::transposed(std::declval<const Matrix&>()));
  static constexpr bool any_order = false;
  static constexpr bool zeros_are_absent = false;
  static constexpr index_t largest_index = csr_operand<T, std::int32_t, std::int32_t>::largest_index;
  static std::vector<std::string> options() { return {"transposed"}; }

  transposed_operand(const problem<T>& p, placement where, int) {
    const csr_operand<T, std::int32_t, std::int32_t> source(csc_operand<T, std::int32_t, std::int32_t>::flipped(p), where);
    if constexpr (std::is_same_v<Matrix, sparsekit::sell_matrix<T>>) {
      matrix = sparsekit::to_sell(source.view(), {.max_fill = 1e9}).value();
    } else {
      matrix = sparsekit::to_bsr(source.view(), {.rows = 2, .cols = 3}).value();
    }
  }
  view_type view() const { return sparsekit::transposed(matrix); }
  bool intact() const override { return true; }

  Matrix matrix;
};

template <class T>
struct operand_variants<format::symmetric, T> {
  using main = operand_list<symmetric_operand<T, std::int32_t, std::int32_t>>;
  using others = operand_list<symmetric_operand<T, std::uint16_t, std::int64_t>>;
};
template <class T>
struct operand_variants<format::transposed, T> {
  using main = operand_list<transposed_operand<T, sparsekit::sell_matrix<T>>>;
  using others = operand_list<transposed_operand<T, sparsekit::bsr_matrix<T>>>;
};

}  // namespace sparsekit_test
