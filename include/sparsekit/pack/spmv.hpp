// pack_spmv(): CSR into slices for y = A x (formats/spmv_packed.hpp). Looks at the structure first:
// where neighbouring rows have neighbouring columns, rows stay in their order and steps read runs
// of x; elsewhere rows are sorted by length, so that slices have little padding.
#pragma once

#include <algorithm>

#include "../formats/csr.hpp"
#include "../formats/spmv_packed.hpp"
#include "slices.hpp"

namespace sparsekit {
inline namespace v0 {

struct spmv_options {
  /// Rows are sorted by length inside windows of so many, where they are sorted: 0 chooses.
  index_t sort_window = 0;
  /// Of a column number: 2 or 4; 0: 2 where that is enough for all columns and the streams leave
  /// the cache.
  index_t column_bytes = 0;
};

/// Streams of more bytes come from beyond the L2 cache, where bytes count: on Emerald Rapids two
/// bytes a column number make slices 1.15 to 1.2 times as fast there, and cost up to 8 % in cache.
inline constexpr index_t spmv_cache_bytes = index_t{768} << 10;
template <class T>
constexpr bool spmv_leaves_cache(index_t nnz) {
  return nnz > spmv_cache_bytes / (index_t{sizeof(T)} + 4);
}
/// Bytes of a column number, unless options say.
template <class T>
constexpr index_t spmv_column_bytes(index_t cols, index_t nnz) {
  return cols <= spmv_view<T>::most_short_columns && spmv_leaves_cache<T>(nnz) ? 2 : 4;
}

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace packing {

/// What the packer decided about a matrix.
struct spmv_plan {
  bool runs = false;     ///< rows keep their order and steps are runs
  bool sorted = false;   ///< rows are sorted by length
  index_t window = 0;    ///< in windows of so many rows
  index_t long_row = 0;  ///< rows with more entries are stored one by one
};

/// The rows of slice s where rows keep their order.
template <index_t Height>
void slice_rows(index_t s, index_t rows, std::int32_t (&to)[Height]) {
  for (index_t l = 0; l < Height; ++l) {
    const index_t r = s * Height + l;
    to[l] = r < rows ? static_cast<std::int32_t>(r) : -1;
  }
}

/// Looks at some 8 to 64 slices, evenly spread: costs little, whatever the size of the matrix.
/// Error: out of memory.
template <class T, class Index, class Offset>
status plan_spmv(const csr_view<const T, Index, Offset>& a, const spmv_options& options,
                 index_t column_bytes, slice_steps<T, Index, Offset>& steps, spmv_plan& plan) {
  constexpr index_t height = spmv_view<T>::height;
  const auto length = [&](index_t r) {
    return static_cast<index_t>(a.row_ptr[r + 1]) - static_cast<index_t>(a.row_ptr[r]);
  };
  const index_t slices = a.rows() / height;
  const index_t stride = std::max<index_t>(1, slices / std::clamp<index_t>(slices / 4, 8, 64));
  index_t entries = 0;
  index_t in_runs = 0;
  index_t run_bytes = 0;
  index_t longest = 0;
  for (index_t s = 0; s < slices; s += stride) {
    std::int32_t rows[height];
    slice_rows(s, a.rows(), rows);
    bool too_long = false;
    for (index_t l = 0; l < height; ++l) {
      too_long |= length(rows[l]) > slice_steps<T, Index, Offset>::longest;
    }
    if (too_long) continue;
    if (status error = steps.look(rows, entries, in_runs, run_bytes); !error) return error;
  }
  plan.long_row = slice_steps<T, Index, Offset>::longest;
  // Runs cost a third of a list step: worth it where most entries are in one; beyond the cache,
  // where they take fewer bytes than lists, lanes without an entry included.
  plan.runs = 10 * in_runs >= 6 * entries && entries > 0;
  const index_t entry_bytes = index_t{sizeof(T)} + column_bytes;
  if (spmv_leaves_cache<T>(a.nnz()) && run_bytes > in_runs * entry_bytes) plan.runs = false;
  if (plan.runs) return {};
  index_t slots = 0;
  for (index_t s = 0; s < ceil_div(a.rows(), height); ++s) {
    index_t most = 0;
    for (index_t r = s * height; r < std::min(a.rows(), (s + 1) * height); ++r) {
      most = std::max(most, length(r));
    }
    slots += most * height;
    longest = std::max(longest, most);
  }
  // Alone, a row of 64 is as fast as in a slice, and pads nothing.
  plan.long_row = std::max<index_t>(64, 4 * ceil_div(a.nnz(), std::max<index_t>(a.rows(), 1)));
  plan.long_row = std::min(plan.long_row, slice_steps<T, Index, Offset>::longest);
  plan.sorted = 20 * slots > 21 * a.nnz() || longest > plan.long_row;
  plan.window = options.sort_window > 0 ? options.sort_window : 1024;
  return {};
}

/// Rows of every lane, and the long rows, in the order in which they are stored.
template <class T, class Index, class Offset>
status spmv_row_order(const csr_view<const T, Index, Offset>& a, const spmv_plan& plan,
                      buffer<std::int32_t>& order, growing_buffer<std::int32_t>& long_rows) {
  constexpr index_t height = spmv_view<T>::height;
  const auto length = [&](index_t r) {
    return static_cast<index_t>(a.row_ptr[r + 1]) - static_cast<index_t>(a.row_ptr[r]);
  };
  if (status s = order.allocate(round_up(a.rows(), height)); !s) return s;
  index_t kept = 0;
  for (index_t r = 0; r < a.rows(); ++r) {
    if (length(r) <= plan.long_row) {
      order[kept++] = static_cast<std::int32_t>(r);
    } else if (status s = long_rows.push_back(static_cast<std::int32_t>(r)); !s) {
      return s;
    }
  }
  for (index_t i = kept; i < order.size(); ++i) order[i] = spmv_view<T>::no_row;
  order.shrink(round_up(kept, height));
  if (!plan.sorted) return {};
  // A counting sort a window: lengths are bounded, and rows of one length keep their order.
  buffer<std::int32_t> scratch;
  buffer<index_t> starts;
  if (status s = scratch.allocate(std::min(plan.window, kept)); !s) return s;
  if (status s = starts.allocate(plan.long_row + 2); !s) return s;
  for (index_t begin = 0; begin < kept; begin += plan.window) {
    const index_t count = std::min(plan.window, kept - begin);
    std::fill(starts.begin(), starts.end(), index_t{0});
    for (index_t i = 0; i < count; ++i) {
      scratch[i] = order[begin + i];
      ++starts[plan.long_row - length(scratch[i]) + 1];
    }
    for (index_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
    for (index_t i = 0; i < count; ++i) {
      order[begin + starts[plan.long_row - length(scratch[i])]++] = scratch[i];
    }
  }
  return {};
}

}  // namespace packing

/// For y = A x. The values are copied: pack again when they change. O(nnz); needs
/// sorted rows without duplicates. Errors: as validate(csr); more than 2^31 - 1 rows or columns;
/// column_bytes that are none of the above, or too few; out of memory.
template <class U, class Index, class Offset>
result<spmv_packed<std::remove_const_t<U>>> pack_spmv(unchecked_t,
                                                      const csr_view<U, Index, Offset>& source,
                                                      const spmv_options& options = {}) {
  using T = std::remove_const_t<U>;
  using view = spmv_view<T>;
  constexpr index_t height = view::height;
  constexpr index_t most = std::numeric_limits<std::int32_t>::max();
  const csr_view<const T, Index, Offset> a{
      source.shape, source.row_ptr, source.columns, {source.values.data(), source.values.size()}};
  if (a.rows() > most || a.cols() > most) {
    return status{.code = errc::size_overflow,
                  .object = "spmv",
                  .detail = a.rows() > most ? "rows" : "cols",
                  .got = std::max(a.rows(), a.cols()),
                  .allowed = most};
  }
  const index_t column_bytes =
      options.column_bytes != 0 ? options.column_bytes : spmv_column_bytes<T>(a.cols(), a.nnz());
  if (column_bytes != 4 && (column_bytes != 2 || a.cols() > view::most_short_columns)) {
    return status{.code = errc::bad_argument,
                  .object = "spmv",
                  .detail = "column_bytes",
                  .got = column_bytes,
                  .allowed = 4};
  }
  packing::slice_steps<T, Index, Offset> steps(a);
  packing::spmv_plan plan;
  if (status s = packing::plan_spmv(a, options, column_bytes, steps, plan); !s) return s;
  buffer<std::int32_t> order;
  growing_buffer<std::int32_t> alone;
  if (status s = packing::spmv_row_order(a, plan, order, alone); !s) return s;

  // Count, lay out, write: memory is touched once.
  const index_t count = order.size() / height;
  buffer<spmv_slice> slices;
  if (status s = slices.allocate(count); !s) return s;
  index_t word = 0;
  index_t line = 0;
  index_t column = 0;
  index_t slots = 0;
  for (index_t s = 0; s < count; ++s) {
    spmv_slice slice;
    if (status error = steps.count(order.data() + s * height, plan.runs, slice); !error)
      return error;
    slice.word = static_cast<std::uint32_t>(word);
    slice.value = static_cast<std::uint32_t>(line);
    slice.column = static_cast<std::uint32_t>(column);
    slices[s] = slice;
    word += slice.words();
    line += slice.lines(height);
    column += slice.list_steps();
    slots += slice.steps() * height;
    constexpr index_t fits = std::numeric_limits<std::uint32_t>::max();
    if (word > fits || line > fits || column > fits) {
      return status{.code = errc::size_overflow,
                    .object = "spmv",
                    .detail = "stream",
                    .got = std::max({word, line, column}),
                    .allowed = fits};
    }
  }
  index_t long_entries = 0;
  for (index_t i = 0; i < alone.size(); ++i) {
    long_entries +=
        static_cast<index_t>(a.row_ptr[alone[i] + 1]) - static_cast<index_t>(a.row_ptr[alone[i]]);
  }
  const bool identity = !plan.sorted && alone.size() == 0;
  packed_header h;
  h.form = packed_form::spmv;
  h.type = packed_type_of<T>;
  h.rows = a.rows();
  h.cols = a.cols();
  h.nnz = a.nnz();
  h.slots = slots + long_entries;
  h.row_block = static_cast<std::int32_t>(height);
  h.column_block = static_cast<std::int32_t>(column_bytes);
  const index_t lengths[6] = {count * index_t{sizeof(spmv_slice)},
                              word * 4,
                              (line * height + long_entries) * index_t{sizeof(T)},
                              (column * height + long_entries) * column_bytes,
                              identity ? 0 : order.size() * 4,
                              alone.size() * index_t{sizeof(spmv_row)}};
  if (status s = layout_packed(h, lengths, 6); !s) return s;
  buffer<std::byte> bytes;
  if (status s = bytes.allocate(h.total_bytes); !s) return s;
  // Before and between the sections: nothing uninitialised goes into the bytes.
  std::memset(bytes.data(), 0, static_cast<std::size_t>(h.sections[0].offset));
  for (int i = 0; i < 6; ++i) {
    const index_t end = h.sections[i].offset + h.sections[i].bytes;
    const index_t next = i == 5 ? h.total_bytes : h.sections[i + 1].offset;
    std::memset(bytes.data() + end, 0, static_cast<std::size_t>(next - end));
  }
  const auto section = [&](int i) { return bytes.data() + h.sections[i].offset; };
  auto* const words = reinterpret_cast<std::int32_t*>(section(1));
  T* const values = reinterpret_cast<T*>(section(2));
  if (count > 0) std::memcpy(section(0), slices.data(), static_cast<std::size_t>(lengths[0]));
  if (!identity && order.size() > 0) {
    std::memcpy(section(4), order.data(), static_cast<std::size_t>(lengths[4]));
  }
  auto* const rows = reinterpret_cast<spmv_row*>(section(5));
  const auto write = [&]<class Column>(Column* columns) {
    steps.rewind();
    for (index_t s = 0; s < count; ++s) {
      steps.write(order.data() + s * height, plan.runs, slices[s], words, values, columns);
    }
    index_t to = 0;
    for (index_t i = 0; i < alone.size(); ++i) {
      const index_t begin = static_cast<index_t>(a.row_ptr[alone[i]]);
      const index_t n = static_cast<index_t>(a.row_ptr[alone[i] + 1]) - begin;
      rows[i] = {alone[i], static_cast<std::int32_t>(n), column * height + to, line * height + to};
      for (index_t p = 0; p < n; ++p, ++to) {
        columns[column * height + to] = static_cast<Column>(a.columns[begin + p]);
        values[line * height + to] = a.values[begin + p];
      }
    }
  };
  if (column_bytes == 2) {
    write(reinterpret_cast<std::uint16_t*>(section(3)));
  } else {
    write(reinterpret_cast<std::int32_t*>(section(3)));
  }
  seal_packed(bytes.data(), h);
  return spmv_packed<T>(std::move(bytes));
}
template <class U, class Index, class Offset>
result<spmv_packed<std::remove_const_t<U>>> pack_spmv(const csr_view<U, Index, Offset>& a,
                                                      const spmv_options& options = {}) {
  if (status s = validate(a); !s) return s;
  return pack_spmv(unchecked, a, options);
}
template <class T, class Index, class Offset>
result<spmv_packed<T>> pack_spmv(const csr_matrix<T, Index, Offset>& a,
                                 const spmv_options& options = {}) {
  return pack_spmv(unchecked, a.view(), options);
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
