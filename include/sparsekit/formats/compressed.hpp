// Validation shared by the compressed formats: CSR compresses rows, CSC columns; "major" is the
// compressed dimension and "minor" the one that is indexed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "../core/array_view.hpp"
#include "../status.hpp"

namespace sparsekit {
inline namespace v0 {

/// Passed to factories: the caller vouches for the structure, so it is not checked.
struct unchecked_t {};
inline constexpr unchecked_t unchecked{};

struct validate_options {
  /// Accept entries of a row (CSC: column) in any order, and more than one at a place: kernels that
  /// read the arrays as they are add them up, though scattering ones (CSC) search sorted columns
  /// and look at every entry of unsorted ones once a block of rows. pack() needs them sorted.
  bool allow_unsorted = false;
};

/// The names that errors use for a compressed format.
struct compressed_names {
  const char* object;
  const char* offsets;
  const char* indices;
  errc index_out_of_range;
};

SPARSEKIT_EXEC_BEGIN_IN_V0

template <class Index>
constexpr bool index_in_range(Index i, index_t bound) {
  if constexpr (std::is_signed_v<Index>) {
    return i >= 0 && static_cast<index_t>(i) < bound;
  } else {
    return static_cast<std::uint64_t>(i) < static_cast<std::uint64_t>(bound);
  }
}

/// Whether all indices are in range and increase within each line, offsets being valid: what
/// validate finds most often, without a branch an entry. Where indices fall, or stay, is counted in
/// all entries and at the starts of lines, where they may.
template <class Offset, class Index>
bool indices_valid(index_t minor, array_view<const Offset> offsets,
                   array_view<const Index> indices) {
  using bits = std::make_unsigned_t<Index>;
  constexpr auto all = static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
  if (indices.size() == 0) return true;
  if (minor == 0) return false;
  const bits last = static_cast<bits>(std::min(all, static_cast<std::uint64_t>(minor - 1)));
  const Index* const i = indices.data();
  const index_t major = offsets.size() - 1;
  constexpr index_t lines = 512;  // whose entries are in cache when their starts are looked at
  constexpr index_t entries = 4096;
  for (index_t r = 0; r < major; r += lines) {
    const index_t end = std::min(major, r + lines);
    const index_t begin = static_cast<index_t>(offsets[r]);
    const index_t stop = static_cast<index_t>(offsets[end]);
    index_t falls = 0;
    for (index_t from = begin; from < stop; from += entries) {
      const index_t to = std::min(stop, from + entries);
      bits most = static_cast<bits>(i[from]);  // a negative index is a great one
      std::uint32_t some = 0;
      for (index_t p = from + (from == 0 ? 1 : 0); p < to; ++p) {
        most = std::max(most, static_cast<bits>(i[p]));
        some += i[p - 1] < i[p] ? 0u : 1u;
      }
      if (most > last) return false;
      falls += some;
    }
    for (index_t line = r; line < end; ++line) {
      const index_t p = static_cast<index_t>(offsets[line]);
      const bool start = p > 0 && p < static_cast<index_t>(offsets[line + 1]);
      falls -= start && !(i[p - 1] < i[p]) ? 1 : 0;
    }
    if (falls != 0) return false;
  }
  return true;
}

/// O(major + nnz). Reads nothing outside the arrays, whatever they hold.
template <class Offset, class Index>
status validate_compressed(const compressed_names& names, index_t major, index_t minor,
                           array_view<const Offset> offsets, array_view<const Index> indices,
                           index_t value_count, const void* values, validate_options options) {
  const char* object = names.object;
  if (major < 0 || minor < 0) {
    const bool major_bad = major < 0;
    return {.code = errc::negative_size,
            .object = object,
            .detail = major_bad == (names.index_out_of_range == errc::column_out_of_range)
                          ? "rows"
                          : "cols",
            .got = major_bad ? major : minor};
  }
  index_t offset_count = 0;
  if (!checked_add(major, 1, offset_count)) {
    return {.code = errc::size_overflow, .object = object, .detail = names.offsets, .got = major,
            .allowed = std::numeric_limits<index_t>::max() - 1};
  }
  if (offsets.size() != offset_count) {
    return {.code = errc::length_mismatch, .object = object, .detail = names.offsets,
            .got = offsets.size(), .allowed = offset_count};
  }
  if (offsets.data() == nullptr) {
    return {.code = errc::null_array, .object = object, .detail = names.offsets,
            .allowed = offset_count};
  }
  const index_t nnz = indices.size();
  if (nnz < 0) {
    return {.code = errc::length_mismatch, .object = object, .detail = names.indices, .got = nnz,
            .allowed = value_count};
  }
  if (value_count != nnz) {
    return {.code = errc::length_mismatch, .object = object, .detail = "values",
            .got = value_count, .allowed = nnz};
  }
  if (nnz > 0 && (indices.data() == nullptr || values == nullptr)) {
    return {.code = errc::null_array, .object = object,
            .detail = indices.data() == nullptr ? names.indices : "values", .allowed = nnz};
  }
  if (offsets[0] != 0) {
    return {.code = errc::bad_first_offset, .object = object, .detail = names.offsets,
            .got = offsets[0]};
  }
  for (index_t r = 0; r < major; ++r) {
    if (offsets[r + 1] < offsets[r]) {
      return {.code = errc::offsets_decrease, .object = object, .detail = names.offsets,
              .entry = r + 1, .got = offsets[r + 1], .allowed = offsets[r]};
    }
  }
  // Offsets increase from 0, so a last one equal to nnz bounds all of them.
  if (static_cast<std::uint64_t>(offsets[major]) != static_cast<std::uint64_t>(nnz)) {
    return {.code = errc::bad_last_offset, .object = object, .detail = names.offsets,
            .got = offsets[major], .allowed = nnz};
  }
  if (!options.allow_unsorted && indices_valid(minor, offsets, indices)) return {};
  for (index_t r = 0; r < major; ++r) {
    const index_t begin = static_cast<index_t>(offsets[r]);
    const index_t end = static_cast<index_t>(offsets[r + 1]);
    for (index_t p = begin; p < end; ++p) {
      if (!index_in_range(indices[p], minor)) {
        return {.code = names.index_out_of_range, .object = object, .detail = names.indices,
                .entry = p, .row = r, .got = indices[p], .allowed = minor};
      }
      if (options.allow_unsorted || p == begin || indices[p - 1] < indices[p]) continue;
      return {.code = indices[p - 1] == indices[p] ? errc::duplicate_entry : errc::not_sorted,
              .object = object, .detail = names.indices, .entry = p, .row = r,
              .got = indices[p], .allowed = indices[p - 1]};
    }
  }
  return {};
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
