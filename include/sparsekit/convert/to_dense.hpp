// to_dense: a COO, CSR or CSC matrix written out into the caller's dense memory.
#pragma once

#include "compress.hpp"

SPARSEKIT_EXEC_BEGIN

/// Overwrites all of `out`, zeros included; memory between its rows (columns) is left alone.
/// Entries at one place add up, in the order stored. No allocation. For a matrix that the caller
/// vouches for. Errors: a malformed `out`; shapes that differ; sums that overflow an integer type.
template <convert::sparse_matrix A, class T, class Layout>
[[nodiscard]] status to_dense(unchecked_t, const A& a, const dense_view<T, Layout>& out) {
  static_assert(!std::is_const_v<T>, "to_dense writes to its second argument");
  if (status s = validate(out, "dense"); !s) return s;
  if (a.rows() != out.rows() || a.cols() != out.cols()) {
    const bool rows_differ = a.rows() != out.rows();
    return {.code = errc::shape_mismatch,
            .object = "dense",
            .detail = rows_differ ? "rows" : "cols",
            .got = rows_differ ? out.rows() : out.cols(),
            .allowed = rows_differ ? a.rows() : a.cols()};
  }
  const index_t lines = Layout::rows_contiguous ? out.rows() : out.cols();
  const index_t length = Layout::rows_contiguous ? out.cols() : out.rows();
  if (lines == 0 || length == 0) return {};  // data may be null
  for (index_t i = 0; i < lines; ++i) {
    T* line = out.data() + i * out.ld();
    for (index_t j = 0; j < length; ++j) line[j] = T{};
  }
  status error;
  const auto& view = convert::view_of(a);
  using convert::for_each_entry;
  for_each_entry(view, [&](index_t r, index_t c, const auto& v) {
    T& element = out(r, c);
    // Assigning to a zero keeps -0.0, and subnormals where the caller flushes them.
    if (!convert::is_nonzero<T>(element)) {
      element = convert::to_element<T>(v);
    } else if (error && !convert::add_element(element, convert::to_element<T>(v))) {
      error = convert::sum_overflows("dense", r);
    }
  });
  return error;
}

/// The same, with the structure of a view validated first (in O(nnz); unsorted entries are fine).
template <convert::sparse_matrix A, class T, class Layout>
[[nodiscard]] status to_dense(const A& a, const dense_view<T, Layout>& out) {
  if (status s = convert::check_structure(a); !s) return s;
  return to_dense(unchecked, a, out);
}

SPARSEKIT_EXEC_END
