// pack_dense(): dense weights once into the order in which the dense kernels read them.
//
//   auto W = sk::pack_dense(sk::dense_view<const float>(w, rows, cols)).value();
//   sk::workspace ws(W, {.max_columns = 512});
//   sk::multiply(W, X, Y, sk::bias(b) | sk::relu, ws);
#pragma once

#include "../core/dense_view.hpp"
#include "../formats/packed_dense.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0

/// Dense weights, packed. O(rows * cols); the same for every column count. All weights are
/// multiplied; as everywhere, one that is zero is no entry of the pattern (Inf in X does not pass
/// it). bf16, f16 and s8 too. Errors: an invalid view, out of memory; s8: a row whose sums could leave 32
/// bits (weights of one sign beyond 8,421,504 together: never up to 65,793 columns).
template <class U, class Layout>
result<packed_dense<std::remove_cv_t<U>>> pack_dense(const dense_view<U, Layout>& w) {
  using T = std::remove_cv_t<U>;
  using view = packed_dense_view<const T>;
  if (status s = validate(w, "w"); !s) return s;
  packed_dense_view<const T> sizes;
  sizes.shape = w.shape();
  index_t padded = 0;
  index_t length = 0;
  if (!checked_add(w.rows(), view::line - 1, padded) ||
      w.cols() > std::numeric_limits<index_t>::max() - view::pair ||
      !checked_multiply(padded / view::line * view::line, sizes.depth(), length) ||
      !checked_multiply(length, index_t{sizeof(T)}, length)) {
    return status{.code = errc::size_overflow,
                  .object = "packed_dense",
                  .detail = "rows",
                  .got = w.rows(),
                  .allowed = std::numeric_limits<index_t>::max() / index_t{64}};
  }
  packed_header h;
  h.form = packed_form::dense;
  h.type = packed_type_of<T>;
  h.rows = w.rows();
  h.cols = w.cols();
  h.slots = length / index_t{sizeof(T)};
  h.row_block = static_cast<std::int32_t>(view::group);
  const index_t lengths[] = {length,
                             padded / view::line * view::line * index_t{sizeof(std::int32_t)}};
  if (status s = layout_packed(h, lengths, view::has_weight_sums ? 2 : 1); !s) return s;
  buffer<std::byte> bytes;
  if (status s = bytes.allocate_zeroed(h.total_bytes); !s) return s;
  T* out = reinterpret_cast<T*>(bytes.data() + h.sections[0].offset);
  for (index_t g = 0; g < sizes.groups(); ++g) {
    const index_t step = sizes.step(g);
    const index_t r0 = g * view::group;
    const index_t rows = w.rows() - r0 < view::group ? w.rows() - r0 : view::group;
    // Blocks of columns that stay in L1 while each row of the source is read along its memory.
    constexpr index_t block = 64;
    for (index_t k0 = 0; k0 < w.cols(); k0 += block) {
      const index_t k1 = w.cols() - k0 < block ? w.cols() : k0 + block;
      for (index_t r = 0; r < rows; ++r) {
        for (index_t k = k0; k < k1; ++k) {
          const T v = w(r0 + r, k);
          out[(k / view::pair * step + r) * view::pair + k % view::pair] = v;
          h.nnz += is_nonzero_element(v) ? 1 : 0;
        }
      }
    }
    if constexpr (view::has_weight_sums) {
      auto* sums = reinterpret_cast<std::int32_t*>(bytes.data() + h.sections[1].offset);
      for (index_t r = 0; r < rows; ++r) {
        weight_range range;
        for (index_t k = 0; k < w.cols(); ++k) range.add(w(r0 + r, k));
        if (!range.fits()) return range.error("packed_dense", r0 + r);
        sums[r0 + r] = range.sum();
      }
    }
    out += step * sizes.depth();
  }
  seal_packed(bytes.data(), h);
  return packed_dense<T>(std::move(bytes));
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
