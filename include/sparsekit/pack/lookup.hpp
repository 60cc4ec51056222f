// The packer of window-lookup steps (formats/lookup.hpp tells the form): CSR in, packed bytes out.
//
// Greedy: the base of a step is the smallest column that a row of the slice still waits for, rounded down;
// every row then takes its next entries as long as they lie in the window. Bases never decrease within a
// slice. Empty slots at 50 / 80 / 90 / 95 % zeros: f32 7 / 28 / 56 / 100 % with windows of 128 bytes,
// 3 / 14 / 30 / 58 % with 256. Slices of 16 rows have fewer empty slots at one window size, but at one
// number of loads a slot the wider window of 32 rows has the fewest.
#pragma once

#include <algorithm>

#include "../formats/csr.hpp"
#include "../formats/lookup.hpp"
#include "target.hpp"

namespace sparsekit {
inline namespace v0 {

/// Slots an entry at most, beyond 4 Mi slots. Weights stay far below it; a large graph, of which a
/// step holds an entry or two, would take up to 128.
inline constexpr index_t lookup_max_fill = 16;
inline constexpr index_t lookup_free_slots = index_t{1} << 22;

struct lookup_options {
  /// 64, 128 or 256; 0: by the size of the matrix and the target.
  index_t window_bytes = 0;
  /// f32: keep only 18 bits of the weights' mantissas, see with_18_bits(). The others hold the places, which
  /// take no bytes then. Windows of at most 128 bytes.
  bool keep_18_bits = false;
  pack_target target = pack_target::native;  ///< native: what this program is compiled for
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace packing {

/// The rows of a block, those with most entries first; rows beyond the last have none.
template <class Offset>
void sort_block_rows(array_view<const Offset> row_ptr, index_t first, index_t count,
                     std::uint8_t* order) {
  const index_t rows = row_ptr.size() - 1;
  std::uint64_t key[256];
  for (index_t i = 0; i < count; ++i) {
    const index_t r = first + i;
    const index_t n = r < rows ? static_cast<index_t>(row_ptr[r + 1] - row_ptr[r]) : 0;
    // A row that exists comes before one that does not.
    key[i] = (static_cast<std::uint64_t>(n) + (r < rows ? 1 : 0)) << 8 |
             static_cast<std::uint64_t>(255 - i);
  }
  std::sort(key, key + count, [](std::uint64_t a, std::uint64_t b) { return a > b; });
  for (index_t i = 0; i < count; ++i) {
    order[i] = static_cast<std::uint8_t>(255 - (key[i] & 255));
  }
}

/// What is still to be packed of the rows of one slice.
template <class Offset>
struct lookup_slice {
  index_t next[32];
  index_t end[32];

  lookup_slice(array_view<const Offset> row_ptr, index_t first, const std::uint8_t* order) {
    const index_t rows = row_ptr.size() - 1;
    for (int l = 0; l < 32; ++l) {
      const index_t r = first + order[l];
      next[l] = r < rows ? static_cast<index_t>(row_ptr[r]) : 0;
      end[l] = r < rows ? static_cast<index_t>(row_ptr[r + 1]) : 0;
    }
  }
  template <class Index>
  index_t first_column(array_view<const Index> columns) const {
    index_t first = std::numeric_limits<index_t>::max();
    for (int l = 0; l < 32; ++l) {
      if (next[l] < end[l]) first = std::min(first, static_cast<index_t>(columns[next[l]]));
    }
    return first;
  }
};

/// step(base) and slot(lane * pair + e, entry or -1, place) for everything in one slice.
template <class View, class Slice, class Index, class Step, class Slot>
void for_each_lookup_step(const View& shape, Slice slice, array_view<const Index> columns,
                          Step&& step, Slot&& slot) {
  for (;;) {
    const index_t first = slice.first_column(columns);
    if (first == std::numeric_limits<index_t>::max()) return;
    // A window that ends at the last column serves as well as one beyond it, and needs no copy of x.
    const index_t last = shape.cols() > shape.window() ? shape.cols() - shape.window() : 0;
    const index_t wanted = first / shape.unit();
    const index_t base = std::min(wanted, ceil_div(last, shape.unit()));
    const index_t begin = base * shape.unit();
    step(base);
    for (int l = 0; l < 32; ++l) {
      for (index_t e = 0; e < View::pair; ++e) {
        index_t& p = slice.next[l];
        const bool here = p < slice.end[l] &&
                          static_cast<index_t>(columns[p]) < begin + shape.window();
        const index_t place = here ? static_cast<index_t>(columns[p]) - begin : 0;
        slot(l * View::pair + e, here ? p++ : -1, static_cast<std::uint8_t>(place));
      }
    }
  }
}

/// Weight and place in one word. What rounds to -0.0 becomes 0.0, or it would be taken for an empty slot.
inline float slot_of_18_bits(float exact, bool is_empty, std::uint8_t place) {
  const float kept = is_empty ? exact : slot_value(with_18_bits(exact));
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(kept) | place);
}

template <class T>
index_t default_lookup_window(index_t nnz, pack_target target) {
  // Out of cache every byte counts; in it, every load. AVX2 has no lookup in two registers.
  const bool out_of_cache = nnz > (index_t{12} << 20) / static_cast<index_t>(sizeof(T));
  const bool narrow = resolved(target) == pack_target::avx2;
  // 256 bytes of 16-bit weights are 512 of x, if that is f32: on Emerald Rapids, from memory, at 80 and 90 % zeros
  // 2.3 times as slow as 128 (x of bf16: 1.05 to 1.1 times as fast).
  if (out_of_cache) return narrow || sizeof(T) == 2 ? 128 : 256;
  return narrow ? 64 : 128;
}

}  // namespace packing

/// Packs a validated CSR matrix (rows sorted, no duplicates) of f32, f64, bf16, f16 or s8. Errors:
/// more columns than a base can name, a window that is not 64, 128 or 256 bytes, out of memory; s8:
/// a row whose sums could leave 32 bits; keep_18_bits for other types than f32; errc::unsupported
/// where slots would exceed lookup_max_fill times the entries.
template <class T, class Index, class Offset>
result<lookup_matrix<std::remove_const_t<T>>> pack_lookup(unchecked_t,
                                                          const csr_view<T, Index, Offset>& a,
                                                          const lookup_options& options = {}) {
  using value = std::remove_const_t<T>;
  using view = lookup_view<const value>;
  view v{.shape = a.shape, .entries = a.nnz(), .window_bytes = options.window_bytes,
         .places_in_values = options.keep_18_bits};
  if (v.window_bytes == 0) {
    v.window_bytes = packing::default_lookup_window<value>(a.nnz(), options.target);
    if (v.places_in_values && v.window_bytes == 256) v.window_bytes = 128;
  }
  if (v.places_in_values && !view::can_place_in_values) {
    return status{.code = errc::unsupported, .object = "lookup",
                  .detail = "keep_18_bits of weights that are not f32"};
  }
  if (v.places_in_values && v.window_bytes == 256) {
    return status{.code = errc::bad_argument, .object = "lookup",
                  .detail = "window_bytes with keep_18_bits", .got = 256, .allowed = 128};
  }
  if (v.window_bytes != 64 && v.window_bytes != 128 && v.window_bytes != 256) {
    return status{.code = errc::bad_argument, .object = "lookup", .detail = "window_bytes",
                  .got = v.window_bytes, .allowed = 256};
  }
  if (a.cols() > view::max_cols) {
    return status{.code = errc::size_overflow, .object = "lookup", .detail = "cols",
                  .got = a.cols(), .allowed = view::max_cols};
  }
  buffer<std::uint8_t> order;
  buffer<std::uint32_t> start;
  if (status s = order.allocate(v.slices() * view::slice_rows); !s) return s;
  if (status s = start.allocate(v.slices() + 1); !s) return s;
  for (index_t b = 0; b < v.blocks(); ++b) {
    const index_t at = b * view::block_rows;
    packing::sort_block_rows(a.row_ptr, at, std::min(view::block_rows, order.size() - at),
                             order.data() + at);
  }
  const auto slice_of = [&](index_t s) {
    return packing::lookup_slice<Offset>(a.row_ptr, s / view::block_slices * view::block_rows,
                                         order.data() + s * view::slice_rows);
  };
  const array_view<const Index> columns{a.columns.data(), a.columns.size()};
  const index_t most_slots = lookup_max_fill * a.nnz() + lookup_free_slots;
  index_t steps = 0;
  for (index_t s = 0; s < v.slices(); ++s) {
    start[s] = static_cast<std::uint32_t>(steps);
    packing::for_each_lookup_step(v, slice_of(s), columns, [&](index_t) { ++steps; },
                                  [](index_t, index_t, std::uint8_t) {});
    if (steps > std::numeric_limits<std::uint32_t>::max()) {
      return status{.code = errc::size_overflow, .object = "lookup", .detail = "steps",
                    .got = steps, .allowed = std::numeric_limits<std::uint32_t>::max()};
    }
    if (steps * view::step_slots > most_slots) {
      return status{.code = errc::unsupported,
                    .object = "lookup",
                    .detail = "slots would exceed lookup_max_fill times the entries",
                    .got = steps * view::step_slots,
                    .allowed = most_slots};
    }
  }
  start[v.slices()] = static_cast<std::uint32_t>(steps);

  const index_t slots = steps * view::step_slots;
  packed_header h{.form = packed_form::lookup, .type = packed_type_of<value>, .rows = a.rows(),
                  .cols = a.cols(), .nnz = a.nnz(), .slots = slots,
                  .row_block = static_cast<std::int32_t>(view::block_rows),
                  .column_block = static_cast<std::int32_t>(v.window_bytes),
                  .interleave = v.places_in_values ? view::kept_bits
                                                   : static_cast<std::int32_t>(view::pair)};
  const index_t lengths[] = {start.size() * index_t{sizeof(std::uint32_t)},
                             steps * index_t{sizeof(std::uint16_t)},
                             v.places_in_values ? 0 : slots,
                             slots * index_t{sizeof(value)}, order.size(),
                             order.size() * index_t{sizeof(std::int32_t)}};
  if (status s = layout_packed(h, lengths, view::has_weight_sums ? 6 : 5); !s) return s;
  buffer<std::byte> bytes;
  if (status s = bytes.allocate_zeroed(h.total_bytes); !s) return s;
  const auto section = [&](int i) { return bytes.data() + h.sections[i].offset; };
  std::memcpy(section(0), start.data(), static_cast<std::size_t>(lengths[0]));
  if (order.size() > 0) std::memcpy(section(4), order.data(), static_cast<std::size_t>(lengths[4]));
  if constexpr (view::has_weight_sums) {
    auto* sums = reinterpret_cast<std::int32_t*>(section(5));
    for (index_t r = 0; r < a.rows(); ++r) {
      weight_range range;
      const index_t end = static_cast<index_t>(a.row_ptr[r + 1]);
      for (index_t i = static_cast<index_t>(a.row_ptr[r]); i < end; ++i) range.add(a.values[i]);
      if (!range.fits()) return range.error("lookup", r);
      sums[r] = range.sum();
    }
  }
  auto* bases = reinterpret_cast<std::uint16_t*>(section(1));
  auto* places = reinterpret_cast<std::uint8_t*>(section(2)) - view::step_slots;
  auto* values = reinterpret_cast<value*>(section(3)) - view::step_slots;
  for (index_t s = 0; s < v.slices(); ++s) {
    packing::for_each_lookup_step(
        v, slice_of(s), columns,
        [&](index_t base) {
          *bases++ = static_cast<std::uint16_t>(base);
          places += view::step_slots;
          values += view::step_slots;
        },
        [&](index_t i, index_t entry, std::uint8_t place) {
          const value exact = entry < 0 ? empty_slot_value<value>() : slot_value(a.values[entry]);
          if constexpr (view::can_place_in_values) {
            if (v.places_in_values) {
              values[i] = packing::slot_of_18_bits(exact, entry < 0, place);
              return;
            }
          }
          places[i] = place;
          values[i] = exact;
        });
  }
  seal_packed(bytes.data(), h);
  return lookup_matrix<value>(std::move(bytes));
}

/// The same, the source validated first.
template <class T, class Index, class Offset>
result<lookup_matrix<std::remove_const_t<T>>> pack_lookup(const csr_view<T, Index, Offset>& a,
                                                          const lookup_options& options = {}) {
  if (status s = validate(a); !s) return s;
  return pack_lookup(unchecked, a, options);
}
template <class T, class Index, class Offset>
result<lookup_matrix<T>> pack_lookup(const csr_matrix<T, Index, Offset>& a,
                                     const lookup_options& options = {}) {
  return pack_lookup(unchecked, a.view(), options);
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
