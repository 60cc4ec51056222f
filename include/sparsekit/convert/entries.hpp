// The entries of any sparse matrix as a sequence of (row, column, value): what the conversions
// read.
#pragma once

#include <type_traits>

#include "../formats/coo.hpp"
#include "../formats/csc.hpp"
#include "../formats/csr.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace convert {

// ---- owners and views alike ---------------------------------------------------------------------

template <class T, class I, class O>
const csr_view<T, I, O>& view_of(const csr_view<T, I, O>& a) {
  return a;
}
template <class T, class I, class O>
const csc_view<T, I, O>& view_of(const csc_view<T, I, O>& a) {
  return a;
}
template <class T, class I>
const coo_view<T, I>& view_of(const coo_view<T, I>& a) {
  return a;
}
template <class T, class I, class O>
csr_view<const T, I, O> view_of(const csr_matrix<T, I, O>& a) {
  return a.view();
}
template <class T, class I, class O>
csc_view<const T, I, O> view_of(const csc_matrix<T, I, O>& a) {
  return a.view();
}
template <class T, class I>
coo_view<const T, I> view_of(const coo_matrix<T, I>& a) {
  return a.view();
}

/// Formats of other headers: a view has `as_const`, and a function for_each_entry(view, f) beside
/// it.
template <class A>
requires requires(const A& a) { a.as_const(); }
const A& view_of(const A& a) { return a; }
template <class A>
requires requires(const A& a) { a.view().as_const(); }
auto view_of(const A& a) { return a.view(); }

/// A matrix in a sparse format whose entries can be listed, view or owner.
template <class A>
concept sparse_matrix = requires(const A& a) {
  convert::view_of(a);
};

/// The structure of a view: entries in any order, more than one at a place. Owners are trusted,
/// their factories checked them.
template <class A>
status check_structure(const A& a) {
  if constexpr (requires { a.view(); }) {
    return {};
  } else if constexpr (requires { validate(a, validate_options{}); }) {
    return validate(a, {.allow_unsorted = true});
  } else {
    return validate(a);
  }
}

// ---- the entries, in the order in which they are stored -----------------------------------------

template <class T, class I, class F>
void for_each_entry(const coo_view<T, I>& a, F&& f) {
  for (index_t p = 0; p < a.nnz(); ++p) {
    f(static_cast<index_t>(a.row_indices[p]), static_cast<index_t>(a.columns[p]), a.values[p]);
  }
}
template <class T, class I, class O, class F>
void for_each_entry(const csr_view<T, I, O>& a, F&& f) {
  for (index_t r = 0; r < a.rows(); ++r) {
    const index_t end = static_cast<index_t>(a.row_ptr[r + 1]);
    for (index_t p = static_cast<index_t>(a.row_ptr[r]); p < end; ++p) {
      f(r, static_cast<index_t>(a.columns[p]), a.values[p]);
    }
  }
}
template <class T, class I, class O, class F>
void for_each_entry(const csc_view<T, I, O>& a, F&& f) {
  for (index_t c = 0; c < a.cols(); ++c) {
    const index_t end = static_cast<index_t>(a.col_ptr[c + 1]);
    for (index_t p = static_cast<index_t>(a.col_ptr[c]); p < end; ++p) {
      f(static_cast<index_t>(a.row_indices[p]), c, a.values[p]);
    }
  }
}

/// Triplets as a matrix: elements with members row, col and value.
template <class Triplet>
struct triplet_view {
  array_view<const Triplet> entries;
  index_t nnz() const { return entries.size(); }
};
template <class Triplet, class F>
void for_each_entry(const triplet_view<Triplet>& a, F&& f) {
  for (index_t p = 0; p < a.nnz(); ++p) {
    const Triplet& t = a.entries[p];
    f(static_cast<index_t>(t.row), static_cast<index_t>(t.col), t.value);
  }
}

}  // namespace convert
SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
