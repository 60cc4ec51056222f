// pack() for matrices whose rows and columns are removed:
//
//   auto W = sk::pack(sk::to_structured(csr).value()).value();
#pragma once

#include "../convert/to_structured.hpp"
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

}  // namespace packing

/// A structured matrix that its factory or the caller has checked.
template <class T>
result<packed_structured<std::remove_cv_t<T>>> pack(unchecked_t, const structured_view<T>& a) {
  using value = std::remove_cv_t<T>;
  buffer<std::int32_t> rows;
  buffer<std::int32_t> columns;
  buffer<std::uint8_t> places;
  if (status s = packing::copy_kept(a.kept_rows, rows); !s) return s;
  if (status s = packing::copy_kept(a.kept_columns, columns); !s) return s;
  const extents rest(a.kept_rows.size(), a.kept_columns.size());
  const nm_shape group{1, 1, nm_max_sharing};
  if (status s = places.allocate_zeroed(ceil_div(rest.rows, group.v) * rest.cols); !s) return s;
  packed_nm<value> packed;
  if (status s = pack(unchecked, nm_view<const value>{rest, group, places.view(),
                                                      {a.values.data(), a.values.size()},
                                                      a.pattern})
                     .get(packed);
      !s) {
    return s;
  }
  return packed_structured<value>(a.shape, std::move(rows), std::move(columns),
                                  std::move(packed));
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
