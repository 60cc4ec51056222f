// pack_blocks(): weights of bf16, f16 or s8 whose zeros come in blocks, once into the order in
// which the block kernels read them.
//
//   auto W = sk::pack_blocks(csr, {2, 4}).value();             // every block that holds an entry
//   auto U = sk::pack_blocks(dense, {2, 4}).value();           // or a nonzero
//   auto V = sk::pack_blocks(sk::to_bsr(csr, {4, 4}).value()).value();
//   sk::workspace ws(W, {.max_columns = 512});
//   sk::multiply(W, X, Y, sk::dequantize(scales, zero_point) | sk::bias(b), ws);
//
// What to prune to: convert/prune_nm.hpp, prune_blocks. Blocks of 2 x 4 (s8) and 2 x 2 (bf16) keep
// nearly all of the speed of blocks of more rows; 1 x 4 and 1 x 2 are bound by loads of X.
#pragma once

#include <algorithm>

#include "../convert/to_bsr.hpp"
#include "../formats/packed_blocks.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace packing {

/// Block columns of a panel that are taken at a time. Panels of lone rows are wider. Of bf16 and
/// f16, whose panels are wider too where they are widened, half as many if more than a third of the
/// blocks are there: what they save by finding X in L1 is more than their sums' way to memory and
/// back (Emerald Rapids, 2 x 2 by 64 and 256 columns: 1.14 times as fast at 50 % zeros, as fast at
/// 80 %, .95 at 90 %).
inline index_t blocks_cut(block_shape block, index_t pair, double share) {
  const index_t units = block.rows == 1 || (pair == 2 && 3 * share > 1) ? 128 : 256;
  const index_t cut = units / (block.cols / pair);
  return cut < 1 ? 1 : cut;
}

/// Calls f(block of a) for the blocks of block row r that lie in columns [first, last), from left
/// to right. `next` moves on.
template <class A, class F>
void blocks_in_cut(const A& a, index_t r, index_t last, index_t& next, F&& f) {
  const index_t end = static_cast<index_t>(a.row_ptr[r + 1]);
  for (; next < end && static_cast<index_t>(a.columns[next]) < last; ++next) f(next);
}

template <class T, class Index, class Offset>
result<packed_blocks<T>> pack_blocks(const bsr_view<const T, Index, Offset>& a) {
  using view = packed_blocks_view<const T>;
  static_assert(is_narrow<T>,
                "packed blocks are for bf16, f16 and s8: f32 and f64 multiply BSR as it is");
  view sizes;
  sizes.shape = a.shape;
  sizes.block = a.block;
  if (status s = validate_blocks_sizes<const T>(a.shape, a.block, 1); !s) return s;
  const double all =
      static_cast<double>(a.block_rows()) * static_cast<double>(ceil_div(a.cols(), a.block.cols));
  sizes.cut = blocks_cut(a.block, view::pair, static_cast<double>(a.blocks()) / std::max(1.0, all));
  index_t value_bytes = 0;
  index_t start_bytes = 0;
  if (!checked_multiply(a.nnz(), index_t{sizeof(T)}, value_bytes) ||
      !checked_multiply(sizes.block_rows() * sizes.cuts() + 1, index_t{sizeof(std::int64_t)},
                        start_bytes)) {
    return status{.code = errc::size_overflow,
                  .object = view::object,
                  .detail = "slots",
                  .got = a.nnz(),
                  .allowed = std::numeric_limits<index_t>::max()};
  }
  const index_t lengths[] = {start_bytes, a.blocks(), value_bytes,
                             round_up(a.rows(), a.block.rows) * index_t{sizeof(std::int32_t)}};
  packed_header h;
  h.form = view::form;
  h.type = packed_type_of<T>;
  h.rows = a.rows();
  h.cols = a.cols();
  h.slots = a.nnz();
  h.row_block = static_cast<std::int32_t>(a.block.rows);
  h.column_block = static_cast<std::int32_t>(a.block.cols);
  h.interleave = static_cast<std::int32_t>(sizes.cut);
  if (status s = layout_packed(h, lengths, view::section_count); !s) return s;
  buffer<std::byte> bytes;
  if (status s = bytes.allocate_zeroed(h.total_bytes); !s) return s;
  auto* starts = reinterpret_cast<std::int64_t*>(bytes.data() + h.sections[0].offset);
  auto* columns = reinterpret_cast<std::uint8_t*>(bytes.data() + h.sections[1].offset);
  auto* values = reinterpret_cast<T*>(bytes.data() + h.sections[2].offset);

  index_t at = 0;
  index_t next[view::max_chunk_rows];  // of each block row of a chunk, the block to come
  for (index_t c = 0; c < sizes.chunks(); ++c) {
    const index_t r0 = c * sizes.chunk();
    for (index_t r = 0; r < sizes.chunk_size(c); ++r) {
      next[r] = static_cast<index_t>(a.row_ptr[r0 + r]);
    }
    for (index_t k = 0; k < sizes.cuts(); ++k) {
      for (index_t r = 0; r < sizes.chunk_size(c); ++r) {
        starts[sizes.start(c, k, r)] = at;
        blocks_in_cut(a, r0 + r, (k + 1) * sizes.cut, next[r], [&](index_t b) {
          columns[at] =
              static_cast<std::uint8_t>(static_cast<index_t>(a.columns[b]) - k * sizes.cut);
          for (index_t i = 0; i < a.places(); ++i) {
            const bool entry = bsr_checks::is_entry(a, b, i);
            values[at * a.places() + i] =
                entry ? slot_value<T>(a.values[b * a.places() + i]) : empty_slot_value<T>();
            h.nnz += entry;
          }
          ++at;
        });
      }
    }
  }
  starts[sizes.block_rows() * sizes.cuts()] = at;
  if constexpr (view::has_weight_sums) {
    auto* sums = reinterpret_cast<std::int32_t*>(bytes.data() + h.sections[3].offset);
    for (index_t r = 0; r < a.block_rows(); ++r) {
      weight_range range[max_block_side];
      for (index_t b = static_cast<index_t>(a.row_ptr[r]);
           b < static_cast<index_t>(a.row_ptr[r + 1]); ++b) {
        for (index_t i = 0; i < a.places(); ++i) {
          range[i / a.block.cols].add(a.values[b * a.places() + i]);
        }
      }
      for (index_t i = 0; i < a.block.rows; ++i) {
        const index_t row = r * a.block.rows + i;
        if (!range[i].fits()) return range[i].error(view::object, row);
        sums[row] = range[i].sum();
      }
    }
  }
  seal_packed(bytes.data(), h);
  return packed_blocks<T>(std::move(bytes));
}

}  // namespace packing

/// BSR that its factory or the caller has checked, packed for products. O(places). Errors: a block
/// whose columns are no multiple of a word (two bf16 or f16, four s8), out of memory; s8: a row
/// whose sums could leave 32 bits.
template <class T, class Index, class Offset>
result<packed_blocks<std::remove_cv_t<T>>> pack_blocks(unchecked_t,
                                                       const bsr_view<T, Index, Offset>& a) {
  return packing::pack_blocks<std::remove_cv_t<T>>(a.as_const());
}
/// The view is validated first.
template <class T, class Index, class Offset>
result<packed_blocks<std::remove_cv_t<T>>> pack_blocks(const bsr_view<T, Index, Offset>& a) {
  if (status s = validate(a); !s) return s;
  return pack_blocks(unchecked, a);
}
template <class T, class Index, class Offset>
result<packed_blocks<T>> pack_blocks(const bsr_matrix<T, Index, Offset>& a) {
  return pack_blocks(unchecked, a.view());
}
/// Any sparse matrix, in blocks of this shape: every block that holds an entry. Errors: as to_bsr,
/// too.
template <convert::sparse_matrix A>
auto pack_blocks(const A& a, block_shape block) {
  auto blocks = to_bsr(a, block);
  using matrix = std::remove_cvref_t<decltype(std::move(blocks).value())>;
  matrix m;
  if (status s = std::move(blocks).get(m); !s) {
    return result<packed_blocks<typename matrix::value_type>>(s);
  }
  return pack_blocks(m);
}
/// Dense weights: every block that holds an element that is not zero.
template <class U, class Layout>
result<packed_blocks<std::remove_cv_t<U>>> pack_blocks(const dense_view<U, Layout>& w,
                                                       block_shape block) {
  bsr_matrix<std::remove_cv_t<U>, std::int32_t, std::int64_t> m;
  if (status s = to_bsr<std::int32_t, std::int64_t>(w, block).get(m); !s) return s;
  return pack_blocks(m);
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
