// to_nm: dense weights or any sparse matrix as N:M; pruned on the way if the caller says how.
//
//   auto a = sk::to_nm(csr, {2, 4}).value();                          // csr obeys 2:4, or it is an error
//   auto b = sk::to_nm(dense, {2, 4, 8}, sk::magnitude_pruning).value();
//   auto c = sk::to_csr(b).value();                                   // back
#pragma once

#include "conversions.hpp"
#include "from_dense.hpp"
#include "prune_nm.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace convert {

/// Rows as to_nm reads them: for_each(r, f) calls f(column, value) for each entry of row r that is kept.
template <class View>
struct csr_rows {
  using value_type = typename View::value_type;
  const View& a;
  template <class F>
  void for_each(index_t r, F&& f) const {
    const index_t end = static_cast<index_t>(a.row_ptr[r + 1]);
    for (index_t p = static_cast<index_t>(a.row_ptr[r]); p < end; ++p) {
      f(static_cast<index_t>(a.columns[p]), a.values[p]);
    }
  }
};
template <class U, class Layout>
struct dense_rows {
  using value_type = std::remove_cv_t<U>;
  const dense_view<U, Layout>& w;
  template <class F>
  void for_each(index_t r, F&& f) const {
    for (index_t c = 0; c < w.cols(); ++c) {
      if (is_nonzero<value_type>(w(r, c))) f(c, w(r, c));
    }
  }
};

/// The nonzeros that pruning leaves, found a row at a time; `kept` holds the bit sets of one set of rows.
template <class Measure, class U, class Layout, class S, class ScoreLayout>
struct pruned_rows {
  using value_type = std::remove_cv_t<U>;
  const dense_view<U, Layout>& w;
  const dense_view<S, ScoreLayout>& scores;
  nm_shape g;
  std::uint16_t* kept;
  mutable index_t ranked = -1;

  template <class F>
  void for_each(index_t r, F&& f) const {
    if (r / g.v != ranked) {
      ranked = r / g.v;
      for (index_t begin = 0; begin < w.cols(); begin += g.m) {
        kept[begin / g.m] =
            static_cast<std::uint16_t>(prune::kept_places<Measure>(scores, g, ranked, begin));
      }
    }
    for (index_t c = 0; c < w.cols(); ++c) {
      if ((kept[c / g.m] >> (c % g.m) & 1) != 0 && is_nonzero<value_type>(w(r, c))) f(c, w(r, c));
    }
  }
};

/// The slot in a group that a column has: the number of kept columns before it.
inline index_t slot_of(std::uint16_t places, index_t place) {
  return std::popcount(static_cast<std::uint16_t>(places & ((1u << place) - 1u)));
}

template <class T, class Rows>
result<nm_matrix<T>> nm_from_rows(extents shape, const nm_shape& g, const Rows& source) {
  index_t value_count = 0;
  if (status s = validate_nm_sizes(shape, g, value_count); !s) return s;
  const index_t groups = ceil_div(shape.cols, g.m);
  const index_t slots = groups * g.n;
  buffer<std::uint8_t> places;
  buffer<T> values;
  buffer<std::uint64_t> pattern;
  buffer<std::uint16_t> used;  // by the rows of the set, in each group
  if (status s = places.allocate(ceil_div(shape.rows, g.v) * slots); !s) return named(s, "nm");
  if (status s = values.allocate_zeroed(value_count); !s) return named(s, "nm");
  if (status s = used.allocate(groups); !s) return named(s, "nm");
  bool explicit_zeros = false;
  for (index_t r = 0; r < shape.rows; ++r) {
    source.for_each(r, [&](index_t, const auto& v) {
      explicit_zeros |= !is_nonzero<T>(to_element<T>(v));
    });
  }
  if (status s = pattern.allocate_zeroed(explicit_zeros ? ceil_div(value_count, 64) : 0); !s) {
    return named(s, "nm");
  }
  for (index_t first = 0; first < shape.rows; first += g.v) {
    const index_t last = first + g.v < shape.rows ? first + g.v : shape.rows;
    for (index_t i = 0; i < groups; ++i) used[i] = 0;
    for (index_t r = first; r < last; ++r) {
      source.for_each(r, [&](index_t c, const auto&) {
        used[c / g.m] = static_cast<std::uint16_t>(used[c / g.m] | 1u << (c % g.m));
      });
    }
    for (index_t i = 0; i < groups; ++i) {
      const index_t count = std::popcount(used[i]);
      if (count > g.n) {
        return status{.code = errc::bad_pattern, .object = "nm",
                      .detail = "more entries than n in a group", .entry = i * g.m, .row = first,
                      .got = count, .allowed = g.n};
      }
      index_t slot = i * g.n;
      std::uint8_t* const at = places.data() + first / g.v * slots;
      for (index_t place = 0; place < g.m; ++place) {
        if ((used[i] >> place & 1) != 0) at[slot++] = static_cast<std::uint8_t>(place);
      }
      for (; slot < (i + 1) * g.n; ++slot) at[slot] = nm_no_place;
    }
    for (index_t r = first; r < last; ++r) {
      source.for_each(r, [&](index_t c, const auto& v) {
        const index_t i = c / g.m;
        const index_t at = r * slots + i * g.n + slot_of(used[i], c % g.m);
        values[at] = to_element<T>(v);
        if (explicit_zeros) pattern[at / 64] |= std::uint64_t{1} << (at % 64);
      });
    }
  }
  return nm_matrix<T>(shape, g, std::move(places), std::move(values), std::move(pattern));
}

template <class Measure, class U, class Layout, class S, class ScoreLayout>
result<nm_matrix<std::remove_cv_t<U>>> nm_pruned(const dense_view<U, Layout>& w, const nm_shape& g,
                                                 const dense_view<S, ScoreLayout>& scores) {
  if (status s = validate(g); !s) return s;
  const dense_view<std::remove_cv_t<U>, Layout> plain(const_cast<std::remove_cv_t<U>*>(w.data()),
                                                      w.rows(), w.cols(), w.ld());
  if (status s = prune::check_operands(plain, scores, Measure::name); !s) return s;
  buffer<std::uint16_t> kept;
  if (status s = kept.allocate(ceil_div(w.cols(), g.m)); !s) return named(s, "nm");
  const pruned_rows<Measure, U, Layout, S, ScoreLayout> rows{w, scores, g, kept.data()};
  return nm_from_rows<std::remove_cv_t<U>>(w.shape(), g, rows);
}

}  // namespace convert

/// As N:M. Every entry is kept, explicit zeros included; a group with more than g.n entries (in any of the
/// g.v rows that share a pattern) is errc::bad_pattern. O(nnz + rows * slots). The last group is shorter
/// where g.m does not divide cols.
template <convert::sparse_matrix A>
result<nm_matrix<typename A::value_type>> to_nm(unchecked_t, const A& a, const nm_shape& g) {
  using T = typename A::value_type;
  if (status s = validate(g); !s) return s;
  csr_matrix<T, std::int64_t, std::int64_t> sorted;
  if (status s = to_csr<std::int64_t, std::int64_t>(unchecked, a).get(sorted); !s) {
    return convert::named(s, "nm");
  }
  const auto view = sorted.view();
  return convert::nm_from_rows<T>(view.shape, g, convert::csr_rows<decltype(view)>{view});
}
template <convert::sparse_matrix A>
result<nm_matrix<typename A::value_type>> to_nm(const A& a, const nm_shape& g) {
  if (status s = convert::check_structure(a); !s) return s;
  return to_nm(unchecked, a, g);
}
/// The nonzeros of w, which obey N:M.
template <class U, class Layout>
result<nm_matrix<std::remove_cv_t<U>>> to_nm(const dense_view<U, Layout>& w, const nm_shape& g) {
  if (status s = validate(w, "dense"); !s) return s;
  return convert::nm_from_rows<std::remove_cv_t<U>>(w.shape(), g,
                                                    convert::dense_rows<U, Layout>{w});
}
/// w pruned as prune_nm would; w itself stays as it is.
template <class U, class Layout>
result<nm_matrix<std::remove_cv_t<U>>> to_nm(const dense_view<U, Layout>& w, const nm_shape& g,
                                             magnitude_pruning_t) {
  return convert::nm_pruned<prune::energy_of_weight>(w, g, w);
}
template <class U, class Layout, class S, class ScoreLayout>
result<nm_matrix<std::remove_cv_t<U>>> to_nm(const dense_view<U, Layout>& w, const nm_shape& g,
                                             const score_pruning<S, ScoreLayout>& by) {
  return convert::nm_pruned<prune::score_itself>(w, g, by.scores);
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
