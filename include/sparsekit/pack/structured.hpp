// pack() for matrices whose rows and columns are removed:
//
//   auto W = sk::pack(sk::to_structured(csr).value()).value();
#pragma once

#include "../convert/to_structured.hpp"
#include "dense.hpp"
#include "nm.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace packing {

inline status copy_kept(array_view<const std::int32_t> from, buffer<std::int32_t>& to) {
  if (status s = to.allocate(from.size()); !s) return s;
  for (index_t i = 0; i < from.size(); ++i) to[i] = from[i];
  return {};
}

/// The smaller matrix of a narrow type: packed dense weights, -0.0 where there is no entry.
template <class T>
result<packed_dense<T>> pack_rest_narrow(const structured_view<const T>& a) {
  buffer<T> weights;
  if (status s = weights.allocate(a.values.size()); !s) return s;
  for (index_t i = 0; i < a.values.size(); ++i) {
    weights[i] = a.is_entry(i) ? slot_value(a.values[i]) : empty_slot_value<T>();
  }
  packed_dense<T> packed;
  const dense_view<const T> w(weights.data(), a.kept_rows.size(), a.kept_columns.size());
  if (status s = pack_dense(w).get(packed); !s) {
    if (s.row >= 0) s.row = a.kept_rows[s.row];  // of the caller's matrix
    return s;
  }
  return packed;
}
template <class T>
result<packed_nm<T>> pack_rest_wide(const structured_view<const T>& a) {
  const extents rest(a.kept_rows.size(), a.kept_columns.size());
  const nm_shape group{1, 1, nm_max_sharing};
  buffer<std::uint8_t> places;
  if (status s = places.allocate_zeroed(ceil_div(rest.rows, group.v) * rest.cols); !s) return s;
  return pack(unchecked, nm_view<const T>{rest, group, places.view(), a.values, a.pattern});
}

}  // namespace packing

/// A structured matrix that its factory or the caller has checked. Errors: out of memory; s8: those
/// of pack_dense().
template <class T>
result<packed_structured<std::remove_cv_t<T>>> pack(unchecked_t, const structured_view<T>& a) {
  using value = std::remove_cv_t<T>;
  buffer<std::int32_t> rows;
  buffer<std::int32_t> columns;
  buffer<std::int32_t> sums;
  if (status s = packing::copy_kept(a.kept_rows, rows); !s) return s;
  if (status s = packing::copy_kept(a.kept_columns, columns); !s) return s;
  structured_rest<value> rest;
  if constexpr (is_narrow<value>) {
    if (status s = packing::pack_rest_narrow(a.as_const()).get(rest); !s) return s;
    if constexpr (packed_structured_view<value>::has_weight_sums) {
      const auto kept_sums = rest.view().weight_sums;
      if (status s = sums.allocate_zeroed(a.rows()); !s) return s;
      for (index_t i = 0; i < rows.size(); ++i) sums[rows[i]] = kept_sums[i];
    }
  } else {
    if (status s = packing::pack_rest_wide(a.as_const()).get(rest); !s) return s;
  }
  return packed_structured<value>(a.shape, std::move(rows), std::move(columns), std::move(rest),
                                  std::move(sums));
}
/// The view is validated first.
template <class T>
result<packed_structured<std::remove_cv_t<T>>> pack(const structured_view<T>& a) {
  if (status s = validate(a); !s) return s;
  return pack(unchecked, a);
}
template <class T>
result<packed_structured<T>> pack(const structured_matrix<T>& a) {
  return pack(unchecked, a.view());
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
