// to_sell: any of COO, CSR and CSC as SELL-C-sigma; and its entries, so that SELL converts back.
//
//   auto s = sk::to_sell(csr, {.slice_height = 8, .sort_window = 256}).value();
//   auto a = sk::to_csr(s).value();
#pragma once

#include "../formats/sell.hpp"
#include "conversions.hpp"

namespace sparsekit {
inline namespace v0 {

struct sell_options {
  index_t slice_height = 8;   ///< C: a multiple of the vector width is fastest
  /// sigma: rows are sorted by length inside windows of so many rows; any number from `rows` on
  /// sorts all of them
  index_t sort_window = 256;
  /// The most slots an entry. One long row among short ones pads all lanes of its slice: beyond
  /// this bound the matrix is better kept as CSR or packed, and to_sell refuses it before it
  /// allocates slots.
  double max_fill = 4.0;
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace convert {

/// Rows ordered by falling length inside each window, stable: a counting sort needs no comparison
/// and keeps neighbours, whose columns are alike, together.
template <class Offset, class RowLength>
status order_by_length(index_t rows, index_t window, RowLength&& length, buffer<Offset>& order) {
  struct keyed {
    index_t length;
    index_t row;
  };
  buffer<keyed> scratch;
  const index_t span = window < rows ? window : rows;
  if (status s = scratch.allocate(2 * span); !s) return s;
  for (index_t begin = 0; begin < rows; begin += span) {
    const index_t count = rows - begin < span ? rows - begin : span;
    for (index_t i = 0; i < count; ++i) scratch[i] = {length(begin + i), begin + i};
    const keyed* sorted =
        merge_sort(scratch.data(), scratch.data() + span, count,
                   [](const keyed& a, const keyed& b) { return a.length > b.length; });
    for (index_t i = 0; i < count; ++i) order[begin + i] = static_cast<Offset>(sorted[i].row);
  }
  return {};
}

inline status check_sell_options(const sell_options& o) {
  const bool height_bad = o.slice_height < 1 || o.slice_height > max_slice_height;
  if (!height_bad && o.sort_window >= 1 && o.max_fill >= 1.0) return {};
  return {.code = errc::bad_argument,
          .object = "sell",
          .detail = height_bad          ? "slice_height"
                    : o.sort_window < 1 ? "sort_window"
                                        : "max_fill",
          .got = height_bad ? o.slice_height : o.sort_window,
          .allowed = height_bad ? max_slice_height : 1};
}

/// A sorted, valid CSR view as SELL.
template <class Matrix, class T, class Index, class Offset>
result<Matrix> sell_from_csr(const csr_view<T, Index, Offset>& a, const sell_options& options) {
  using value = typename Matrix::value_type;
  if (status s = check_sell_options(options); !s) return s;
  const index_t rows = a.rows();
  const index_t height = options.slice_height;
  if (!fits<Offset>(rows)) {
    return status{.code = errc::size_overflow,
                  .object = "sell",
                  .detail = "rows",
                  .got = rows,
                  .allowed = std::numeric_limits<Offset>::max()};
  }
  const auto length = [&](index_t r) {
    return static_cast<index_t>(a.row_ptr[r + 1]) - static_cast<index_t>(a.row_ptr[r]);
  };
  // Lanes of a slice have falling lengths, so that the live ones are always the first: hence at
  // least one slice a window, and whole slices.
  const index_t all = round_up(rows, height);
  const index_t window = options.sort_window < all ? round_up(options.sort_window, height) : all;
  const index_t slices = ceil_div(rows, height);
  buffer<Offset> slice_ptr;
  buffer<Offset> order;
  buffer<Offset> lengths;
  if (status s = slice_ptr.allocate(slices + 1); !s) return named(s, "sell");
  if (status s = order.allocate(rows); !s) return named(s, "sell");
  if (status s = lengths.allocate(rows); !s) return named(s, "sell");
  if (status s = order_by_length(rows, window, length, order); !s) return named(s, "sell");

  index_t slots = 0;
  for (index_t s = 0; s < slices; ++s) {
    slice_ptr[s] = static_cast<Offset>(slots);
    index_t wide = 0;
    if (!checked_multiply(length(static_cast<index_t>(order[s * height])), height, wide) ||
        !checked_add(slots, wide, slots) || !fits<Offset>(slots)) {
      return status{.code = errc::size_overflow,
                    .object = "sell",
                    .detail = "slots",
                    .got = slots,
                    .allowed = std::numeric_limits<Offset>::max()};
    }
  }
  slice_ptr[slices] = static_cast<Offset>(slots);
  // The last slice's missing rows are no fault of the matrix: a slice of slack.
  const double bound = options.max_fill * static_cast<double>(a.nnz()) +
                       static_cast<double>(slots - (slices > 0 ? slice_ptr[slices - 1] : 0));
  if (static_cast<double>(slots) > bound) {
    return status{.code = errc::unsupported,
                  .object = "sell",
                  .detail = "slots would exceed max_fill times the entries",
                  .got = slots,
                  .allowed = static_cast<index_t>(bound)};
  }

  buffer<Index> columns;
  buffer<value> values;
  if (status s = columns.allocate_zeroed(slots); !s) return named(s, "sell");
  if (status s = values.allocate_zeroed(slots); !s) return named(s, "sell");
  for (index_t i = 0; i < rows; ++i) {
    const index_t row = static_cast<index_t>(order[i]);
    const index_t begin = static_cast<index_t>(a.row_ptr[row]);
    const index_t slot = static_cast<index_t>(slice_ptr[i / height]) + i % height;
    lengths[i] = static_cast<Offset>(length(row));
    for (index_t j = 0; j < length(row); ++j) {
      columns[slot + j * height] = a.columns[begin + j];
      values[slot + j * height] = a.values[begin + j];
    }
  }
  return Matrix(a.shape, height, a.nnz(), std::move(slice_ptr), std::move(order),
                std::move(lengths), std::move(columns), std::move(values));
}

template <class A, class Index, class Offset>
using sell_for = sell_matrix<typename A::value_type, type_or<Index, typename A::index>,
                             type_or<Offset, typename offset_type<A>::type>>;

}  // namespace convert

/// As SELL-C-sigma. O(nnz + rows log sigma), beyond the sort that unsorted input needs. Errors: as
/// to_csr; options out of range; errc::unsupported where padding exceeds options.max_fill.
template <class Index = void, class Offset = void, convert::sparse_matrix A>
result<convert::sell_for<A, Index, Offset>> to_sell(unchecked_t, const A& a,
                                                    const sell_options& options = {}) {
  using Matrix = convert::sell_for<A, Index, Offset>;
  csr_matrix<typename Matrix::value_type, typename Matrix::index, typename Matrix::offset> sorted;
  if (status s = to_csr<typename Matrix::index, typename Matrix::offset>(unchecked, a).get(sorted);
      !s) {
    return convert::named(s, "sell");
  }
  return convert::sell_from_csr<Matrix>(sorted.view(), options);
}
template <class Index = void, class Offset = void, convert::sparse_matrix A>
result<convert::sell_for<A, Index, Offset>> to_sell(const A& a, const sell_options& options = {}) {
  if (status s = convert::check_structure(a); !s) return s;
  return to_sell<Index, Offset>(unchecked, a, options);
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
