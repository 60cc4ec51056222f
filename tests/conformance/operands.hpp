// How the operands of the plain formats are built from a problem, between guard pages; packed forms are in
// operands_packed.hpp.
//
// A new format needs an operand type and a specialisation of `operand_variants`, which lists the types to
// try: `main` with all layouts and policies, `others` with fewer. An operand type has
//   view_type, view()          what the kernel is given
//   options()                  names of the ways to lay a matrix out: the same code, other data
//   Operand(problem, placement, option)
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <type_traits>

#include "entry.hpp"
#include "sparsekit/kernels/select.hpp"
#include "support/plain_product.hpp"

namespace sparsekit_test {

template <class... Operands>
struct operand_list {};
/// A format that is not known here has no operands: its kernels run no case, which fails the test.
template <class Format, class T>
struct operand_variants {
  using main = operand_list<>;
  using others = operand_list<>;
};

/// Of narrow types too, which std::numeric_limits does not know.
template <class T>
T quiet_nan() {
  return static_cast<T>(std::numeric_limits<float>::quiet_NaN());
}

template <class I>
std::string index_name() {
  return (std::is_signed_v<I> ? "i" : "u") + std::to_string(8 * sizeof(I));
}

/// A guarded array that nobody may write to. Nothing at all if it is to be null.
template <class T>
void freeze_copy(guarded<T>& to, const std::vector<T>& from, placement where) {
  to.assign(from, where.at, where.offset);
  to.freeze();
}

template <class T, class I, class O>
struct csr_operand : operand {
  using view_type = sparsekit::csr_view<const T, I, O>;
  static constexpr bool any_order = true;
  static constexpr bool zeros_are_absent = false;
  static constexpr index_t largest_index = static_cast<index_t>(
      std::min<std::uint64_t>(std::numeric_limits<I>::max(), std::uint64_t{1} << 62));
  static std::vector<std::string> options() { return {index_name<I>() + "/" + index_name<O>()}; }

  csr_operand(const problem<T>& p, placement where, int = 0)
      : shape(p.rows, p.cols), null(p.entries.empty() && where.at == edge::left) {
    std::vector<O> offsets(static_cast<std::size_t>(p.rows) + 1, O{0});
    for (const entry<T>& e : p.entries) ++offsets[static_cast<std::size_t>(e.row) + 1];
    std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
    std::vector<O> next = offsets;
    std::vector<I> index(p.entries.size());
    std::vector<T> value(p.entries.size());
    for (const entry<T>& e : p.entries) {
      const auto at = static_cast<std::size_t>(next[static_cast<std::size_t>(e.row)]++);
      index[at] = static_cast<I>(e.column);
      value[at] = e.value;
    }
    freeze_copy(row_ptr, offsets, where);
    freeze_copy(columns, index, where);
    freeze_copy(values, value, where);
  }
  view_type view() const {
    if (null) return {shape, row_ptr.view(), {}, {}};
    return {shape, row_ptr.view(), columns.view(), values.view()};
  }
  bool intact() const override { return row_ptr.intact() && columns.intact() && values.intact(); }

  sparsekit::extents shape;
  bool null;  ///< without entries there need be no arrays
  guarded<O> row_ptr;
  guarded<I> columns;
  guarded<T> values;
};

/// As CSR of the transpose.
template <class T, class I, class O>
struct csc_operand : operand {
  using view_type = sparsekit::csc_view<const T, I, O>;
  static constexpr bool any_order = false;
  static constexpr bool zeros_are_absent = false;
  static constexpr index_t largest_index = csr_operand<T, I, O>::largest_index;
  static std::vector<std::string> options() { return csr_operand<T, I, O>::options(); }

  csc_operand(const problem<T>& p, placement where, int = 0) : transpose(flipped(p), where) {}
  view_type view() const {
    const auto t = transpose.view();
    return {{t.shape.cols, t.shape.rows}, t.row_ptr, t.columns, t.values};
  }
  bool intact() const override { return transpose.intact(); }

  static problem<T> flipped(const problem<T>& p) {
    problem<T> t;
    t.rows = p.cols;
    t.cols = p.rows;
    for (const entry<T>& e : p.entries) t.entries.push_back({e.column, e.row, e.value});
    return t;
  }
  csr_operand<T, I, O> transpose;
};

/// Entries in the problem's order, or shuffled.
template <class T, class I>
struct coo_operand : operand {
  using view_type = sparsekit::coo_view<const T, I>;
  static constexpr bool any_order = true;
  static constexpr bool zeros_are_absent = false;
  static constexpr index_t largest_index = csr_operand<T, I, I>::largest_index;
  static std::vector<std::string> options() {
    return {index_name<I>(), index_name<I>() + " shuffled"};
  }

  coo_operand(const problem<T>& p, placement where, int option)
      : shape(p.rows, p.cols), null(p.entries.empty() && where.at == edge::left) {
    std::vector<entry<T>> e = p.entries;
    if (option == 1) {
      rng random(77);
      for (std::size_t i = e.size(); i > 1; --i) {
        std::swap(e[i - 1], e[static_cast<std::size_t>(random.below(static_cast<index_t>(i)))]);
      }
    }
    std::vector<I> r;
    std::vector<I> c;
    std::vector<T> v;
    for (const entry<T>& one : e) {
      r.push_back(static_cast<I>(one.row));
      c.push_back(static_cast<I>(one.column));
      v.push_back(one.value);
    }
    freeze_copy(row_indices, r, where);
    freeze_copy(columns, c, where);
    freeze_copy(values, v, where);
  }
  view_type view() const {
    if (null) return {shape, {}, {}, {}};
    return {shape, row_indices.view(), columns.view(), values.view()};
  }
  bool intact() const override {
    return row_indices.intact() && columns.intact() && values.intact();
  }

  sparsekit::extents shape;
  bool null;
  guarded<I> row_indices;
  guarded<I> columns;
  guarded<T> values;
};

/// Leading dimensions that are odd; the gaps hold NaN.
template <class T, class Layout>
struct dense_operand : operand {
  using view_type = sparsekit::dense_view<const T, Layout>;
  static constexpr bool any_order = false;
  static constexpr bool zeros_are_absent = true;
  static constexpr index_t largest_index = std::numeric_limits<index_t>::max();
  static std::vector<std::string> options() {
    return {Layout::rows_contiguous ? "rows" : "cols"};
  }

  dense_operand(const problem<T>& p, placement where, int = 0) : shape(p.rows, p.cols) {
    const index_t width = Layout::rows_contiguous ? p.cols : p.rows;
    ld = where.offset == 0 ? width : width + where.offset;
    const index_t size = view_type(nullptr, p.rows, p.cols, ld).span_size();
    std::vector<T> out(static_cast<std::size_t>(size), quiet_nan<T>());
    const sparsekit::dense_view<T, Layout> v(out.data(), p.rows, p.cols, ld);
    for (index_t r = 0; r < p.rows; ++r) {
      for (index_t c = 0; c < p.cols; ++c) v(r, c) = T{0};
    }
    for (const entry<T>& e : p.entries) v(e.row, e.column) = e.value;
    freeze_copy(values, out, where);
  }
  view_type view() const { return {values.data(), shape.rows, shape.cols, ld}; }
  bool intact() const override { return values.intact(); }

  sparsekit::extents shape;
  index_t ld = 0;
  guarded<T> values;
};

template <class T, class Layout>
struct external_operand : dense_operand<T, Layout> {
  using view_type = sparsekit::external_dense_view<const T, Layout, plain_product<T>>;

  external_operand(const problem<T>& p, placement where, int = 0)
      : dense_operand<T, Layout>(p, where) {
    const auto w = dense_operand<T, Layout>::view();
    for (index_t r = 0; r < w.rows(); ++r) {
      for (index_t c = 0; c < w.cols(); ++c) entries += w(r, c) == T{0} ? 0 : 1;
    }
  }
  view_type view() const { return {dense_operand<T, Layout>::view(), &product, entries}; }

  plain_product<T> product;
  index_t entries = 0;
};

namespace format = sparsekit::format;
template <class T>
struct operand_variants<format::external, T> {
  using main = operand_list<external_operand<T, sparsekit::row_major>>;
  using others = operand_list<external_operand<T, sparsekit::col_major>>;
};
template <class T>
struct operand_variants<format::csr, T> {
  using main = operand_list<csr_operand<T, std::int32_t, std::int32_t>>;
  using others = operand_list<csr_operand<T, std::uint16_t, std::int64_t>,
                              csr_operand<T, std::int16_t, std::int32_t>,
                              csr_operand<T, std::uint32_t, std::int32_t>,
                              csr_operand<T, std::int64_t, std::int64_t>>;
};
template <class T>
struct operand_variants<format::csc, T> {
  using main = operand_list<csc_operand<T, std::int32_t, std::int32_t>>;
  using others = operand_list<csc_operand<T, std::uint16_t, std::int64_t>,
                              csc_operand<T, std::int64_t, std::int64_t>>;
};
template <class T>
struct operand_variants<format::coo, T> {
  using main = operand_list<coo_operand<T, std::int32_t>>;
  using others = operand_list<coo_operand<T, std::uint16_t>, coo_operand<T, std::int64_t>>;
};
template <class T>
struct operand_variants<format::dense, T> {
  using main = operand_list<dense_operand<T, sparsekit::row_major>,
                            dense_operand<T, sparsekit::col_major>>;
  using others = operand_list<>;
};

}  // namespace sparsekit_test
