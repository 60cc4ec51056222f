// to_bitmask: dense weights or any sparse matrix as a bitmask; and, by way of for_each_entry, back:
//
//   auto b = sk::to_bitmask(dense).value();       // the elements that are not zero
//   auto c = sk::to_bitmask(csr).value();         // its entries, explicit zeros included
//   auto a = sk::to_csr(c).value();               // the entries of csr
//   sk::to_dense(c, out);
#pragma once

#include "../formats/bitmask.hpp"
#include "conversions.hpp"
#include "from_dense.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace convert {

/// From CSR with sorted rows and without duplicates.
template <class T, class I, class O>
result<bitmask_matrix<T>> bitmask_from(const csr_view<const T, I, O>& a) {
  using view = bitmask_view<const T>;
  const view sizes{.shape = a.shape};
  index_t mask_size = 0;
  index_t value_bytes = 0;
  if (a.cols() > std::numeric_limits<index_t>::max() - 64 ||
      !checked_multiply(a.rows(), sizes.mask_bytes(), mask_size) ||
      !checked_multiply(a.nnz(), index_t{sizeof(T)}, value_bytes)) {
    return status{.code = errc::size_overflow,
                  .object = "bitmask",
                  .detail = "mask",
                  .got = a.cols(),
                  .allowed = std::numeric_limits<index_t>::max()};
  }
  // Rows are at most as many as CSR has offsets in memory: their sizes do not overflow.
  const index_t lengths[] = {a.rows() * 8, mask_size, value_bytes, a.rows() * 4};
  packed_header h;
  h.form = packed_form::bitmask;
  h.type = packed_type_of<T>;
  h.rows = a.rows();
  h.cols = a.cols();
  h.nnz = h.slots = a.nnz();
  if (status s = layout_packed(h, lengths, view::section_count); !s) return s;
  buffer<std::byte> bytes;
  if (status s = bytes.allocate_zeroed(h.total_bytes); !s) return named(s, "bitmask");
  auto* const offsets = reinterpret_cast<std::int64_t*>(bytes.data() + h.sections[0].offset);
  auto* const mask = reinterpret_cast<std::uint8_t*>(bytes.data() + h.sections[1].offset);
  auto* const values = reinterpret_cast<T*>(bytes.data() + h.sections[2].offset);
  for (index_t r = 0; r < a.rows(); ++r) {
    const index_t end = static_cast<index_t>(a.row_ptr[r + 1]);
    offsets[r] = static_cast<std::int64_t>(a.row_ptr[r]);
    std::uint8_t* const row = mask + r * sizes.mask_bytes();
    for (index_t p = static_cast<index_t>(a.row_ptr[r]); p < end; ++p) {
      const index_t c = static_cast<index_t>(a.columns[p]);
      row[c / 8] = static_cast<std::uint8_t>(row[c / 8] | 1u << c % 8);
      values[p] = a.values[p];
    }
    if constexpr (view::has_weight_sums) {
      weight_range range;
      for (index_t p = offsets[r]; p < end; ++p) range.add(values[p]);
      if (!range.fits()) return range.error("bitmask", r);
      const std::int32_t sum = range.sum();
      std::memcpy(bytes.data() + h.sections[3].offset + r * 4, &sum, sizeof sum);
    }
  }
  seal_packed(bytes.data(), h);
  return bitmask_matrix<T>(std::move(bytes));
}

}  // namespace convert

/// The elements that are not zero (NaN is not zero). O(rows cols). Errors: a malformed view, out of
/// memory; s8: a row whose sums could leave 32 bits.
template <class U, class Layout>
result<bitmask_matrix<std::remove_cv_t<U>>> to_bitmask(const dense_view<U, Layout>& w) {
  using T = std::remove_cv_t<U>;
  using csr = csr_matrix<T, std::int32_t, std::int64_t>;
  csr a;
  if (status s = csr::from_dense(w).get(a); !s) return s;
  return convert::bitmask_from(a.view());
}

/// The entries of any sparse matrix; those at one place are summed. O(rows cols / 8 + nnz). Views
/// are validated first, except after sk::unchecked.
template <convert::sparse_matrix A>
auto to_bitmask(unchecked_t, const A& a) {
  using T = typename A::value_type;
  using csr = csr_matrix<T, std::int32_t, std::int64_t>;
  csr sorted;
  if (status s = to_csr<std::int32_t, std::int64_t>(unchecked, a).get(sorted); !s) {
    return result<bitmask_matrix<T>>(s);
  }
  return convert::bitmask_from(sorted.view());
}
template <convert::sparse_matrix A>
auto to_bitmask(const A& a) {
  if (status s = convert::check_structure(a); !s) {
    return result<bitmask_matrix<typename A::value_type>>(s);
  }
  return to_bitmask(unchecked, a);
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
