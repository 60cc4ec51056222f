// pack() for N:M patterns:
//
//   auto V = sk::pack<sk::nm<2, 4>>(dense, sk::magnitude_pruning).value();   // prune and pack
//   auto S = sk::pack<sk::nm<2, 4, 8>>(dense, sk::score_pruning(scores)).value();
//   auto P = sk::pack<sk::nm<2, 4>>(csr).value();                            // csr obeys 2:4, or it is an error
//   auto Q = sk::pack(sk::to_nm(csr, {2, 4}).value()).value();               // n, m, v known at run time only
#pragma once

#include "../convert/to_nm.hpp"
#include "../formats/packed_nm.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace packing {

/// One slice: its steps' values (of all slices), columns and places.
template <class T>
void pack_nm_slice(const nm_view<const T>& a, const packed_nm_view<const T>& sizes, index_t slice,
                   T* values, std::uint8_t* columns, std::uint8_t* places, index_t& entries) {
  const index_t n = a.group.n;
  const index_t m = a.group.m;
  const index_t v = a.group.v;
  const index_t block = sizes.block_groups() * m;
  const bool wide = m > 4;
  for (index_t step = 0; step < a.slots(); ++step, columns += nm_slice / v) {
    const index_t begin = step / n * m;
    std::uint64_t word = 0;
    for (index_t i = 0; i < nm_slice; ++i) {
      const index_t row = slice * nm_slice + i;
      // A slot without a place names the first column of its group, which always exists.
      const std::uint8_t stored =
          row / v < a.sets() ? a.places[row / v * a.slots() + step] : nm_no_place;
      const index_t place = stored == nm_no_place ? 0 : stored;
      word |= static_cast<std::uint64_t>(place) << nm_place_shift(wide, i);
      columns[i / v] = static_cast<std::uint8_t>((begin + place) % block);
      const bool entry = row < a.rows() && a.is_entry(row, step);
      values[sizes.value_at(slice, step, i)] =
          entry ? slot_value<T>(a.values[row * a.slots() + step]) : empty_slot_value<T>();
      entries += entry;
    }
    std::memcpy(places, &word, wide ? 8 : 4);
    places += wide ? 8 : 4;
  }
}

template <class T>
result<packed_nm<T>> pack_nm(const nm_view<const T>& a) {
  packed_nm_view<const T> sizes;
  sizes.shape = a.shape;
  sizes.group = a.group;
  const index_t steps = sizes.slices() * sizes.steps();
  index_t slots = 0;
  index_t value_bytes = 0;
  if (!checked_multiply(sizes.slices() * nm_slice, sizes.padded_steps(), slots) ||
      !checked_multiply(slots, index_t{sizeof(T)}, value_bytes)) {
    return status{.code = errc::size_overflow, .object = "packed_nm", .detail = "slots",
                  .got = steps * nm_slice, .allowed = std::numeric_limits<index_t>::max()};
  }
  const index_t lengths[] = {value_bytes, steps * sizes.columns_per_step(),
                             steps * sizes.bytes_per_places(),
                             sizes.slices() * nm_slice * index_t{sizeof(std::int32_t)}};
  packed_header h;
  h.form = packed_form::nm;
  h.type = packed_type_of<T>;
  h.rows = a.rows();
  h.cols = a.cols();
  h.slots = slots;
  h.row_block = static_cast<std::int32_t>(a.group.n);
  h.column_block = static_cast<std::int32_t>(a.group.m);
  h.interleave = static_cast<std::int32_t>(a.group.v);
  if (status s = layout_packed(h, lengths, packed_nm_view<const T>::section_count); !s) return s;
  buffer<std::byte> bytes;
  if (status s = bytes.allocate_zeroed(h.total_bytes); !s) return s;
  T* const values = reinterpret_cast<T*>(bytes.data() + h.sections[0].offset);
  std::uint8_t* const columns =
      reinterpret_cast<std::uint8_t*>(bytes.data() + h.sections[1].offset);
  std::uint8_t* const places =
      reinterpret_cast<std::uint8_t*>(bytes.data() + h.sections[2].offset);
  index_t entries = 0;
  for (index_t slice = 0; slice < sizes.slices(); ++slice) {
    const index_t at = slice * sizes.steps();
    pack_nm_slice(a, sizes, slice, values, columns + at * sizes.columns_per_step(),
                  places + at * sizes.bytes_per_places(), entries);
  }
  if constexpr (packed_nm_view<const T>::has_weight_sums) {
    auto* const sums = reinterpret_cast<std::int32_t*>(bytes.data() + h.sections[3].offset);
    for (index_t r = 0; r < a.rows(); ++r) {
      weight_range range;
      for (index_t step = 0; step < sizes.steps(); ++step) {
        range.add(values[sizes.value_at(r / nm_slice, step, r % nm_slice)]);
      }
      if (!range.fits()) return range.error("packed_nm", r);
      sums[r] = range.sum();
    }
  }
  h.nnz = entries;
  seal_packed(bytes.data(), h);
  return packed_nm<T>(std::move(bytes));
}

template <class F>
struct is_nm_format : std::false_type {};
template <int N, int M, int V>
struct is_nm_format<nm<N, M, V>> : std::true_type {};

}  // namespace packing

/// An N:M matrix that its factory or the caller has checked.
template <class T>
result<packed_nm<std::remove_cv_t<T>>> pack(unchecked_t, const nm_view<T>& a) {
  return packing::pack_nm<std::remove_cv_t<T>>(a.as_const());
}
/// The view is validated first.
template <class T>
result<packed_nm<std::remove_cv_t<T>>> pack(const nm_view<T>& a) {
  if (status s = validate(a); !s) return s;
  return pack(unchecked, a);
}
template <class T>
result<packed_nm<T>> pack(const nm_matrix<T>& a) {
  return pack(unchecked, a.view());
}

/// Dense weights or any sparse matrix, converted by to_nm (see there for what `pruning` may be and for
/// errors) and packed.
template <class Format, class A, class... Pruning>
  requires packing::is_nm_format<Format>::value
auto pack(const A& a, const Pruning&... pruning) {
  auto converted = to_nm(a, Format::shape, pruning...);
  using matrix = std::remove_cvref_t<decltype(std::move(converted).value())>;
  matrix m;
  if (status s = std::move(converted).get(m); !s) {
    return result<packed_nm<typename matrix::value_type>>(s);
  }
  return pack(m);
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
