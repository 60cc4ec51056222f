// Entries in any order become CSR or CSC: a stable counting sort by the major index, then, only
// where it is needed, a sort inside each row and the sum of entries at one place. "Major" is the
// compressed dimension (CSR: rows), "minor" the other. Memory depends on the major dimension and
// nnz, never on the minor one, so a matrix with 2^31 columns and three entries is cheap in CSR.
#pragma once

#include <limits>

#include "../core/storage.hpp"
#include "../formats/compressed.hpp"
#include "element.hpp"
#include "entries.hpp"
#include "merge_sort.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace convert {

/// Which dimension is compressed, and what errors call its arrays.
struct by_rows {
  static constexpr compressed_names names{"csr", "row_ptr", "columns", errc::column_out_of_range};
  static constexpr index_t major(index_t row, index_t) { return row; }
  static constexpr index_t minor(index_t, index_t col) { return col; }
};
struct by_columns {
  static constexpr compressed_names names{"csc", "col_ptr", "row_indices", errc::row_out_of_range};
  static constexpr index_t major(index_t, index_t col) { return col; }
  static constexpr index_t minor(index_t row, index_t) { return row; }
};

template <class T, class Index, class Offset>
struct compressed_arrays {
  buffer<Offset> offsets;
  buffer<Index> indices;
  buffer<T> values;
};

/// The status under the name of the matrix that it concerns.
inline status named(status s, const char* object) {
  if (!s) s.object = object;
  return s;
}

inline status check_not_negative(extents shape, const char* object) {
  if (shape.rows >= 0 && shape.cols >= 0) return {};
  const bool rows_bad = shape.rows < 0;
  return {.code = errc::negative_size,
          .object = object,
          .detail = rows_bad ? "rows" : "cols",
          .got = rows_bad ? shape.rows : shape.cols};
}

/// Whether 0 .. size - 1 fit the type Index.
template <class Index>
status check_indices_fit(index_t size, const char* object, const char* dimension) {
  if (size <= 0 || fits<Index>(size - 1)) return {};
  return {.code = errc::size_overflow,
          .object = object,
          .detail = dimension,
          .got = size,
          .allowed = std::uint64_t{std::numeric_limits<std::make_unsigned_t<Index>>::max()} /
                         (std::is_signed_v<Index> ? 2 : 1) +
                     1};
}

/// What a compressed matrix of this shape needs of its types.
template <class Axis, class Index>
status check_compressed_shape(extents shape) {
  const char* object = Axis::names.object;
  if (status s = check_not_negative(shape, object); !s) return s;
  const index_t major = Axis::major(shape.rows, shape.cols);
  if (major == std::numeric_limits<index_t>::max()) {
    return {.code = errc::size_overflow,
            .object = object,
            .detail = Axis::names.offsets,
            .got = major,
            .allowed = major - 1};
  }
  return check_indices_fit<Index>(Axis::minor(shape.rows, shape.cols), object,
                                  Axis::minor(0, 1) == 1 ? "cols" : "rows");
}

template <class Offset>
status check_nnz_fits(index_t nnz, const char* object) {
  if (fits<Offset>(nnz)) return {};
  return {.code = errc::size_overflow,
          .object = object,
          .detail = "nnz",
          .got = nnz,
          .allowed = std::numeric_limits<Offset>::max()};
}

/// Integer values at one place whose sum the type cannot hold.
inline status sum_overflows(const char* object, index_t row) {
  return {.code = errc::overflow_possible,
          .object = object,
          .detail = "sum of the values at one place",
          .row = row};
}

template <class Index>
bool strictly_increasing(const Index* indices, index_t n) {
  for (index_t i = 1; i < n; ++i) {
    if (!(indices[i - 1] < indices[i])) return false;
  }
  return true;
}

/// Sorts each row by index and sums entries at one place, in their order. On entry row r ends at
/// ends[r] and starts where the row before ends; on return the rows have closed ranks. O(nnz log
/// nnz) at worst; one pass over the indices if nothing is out of order.
template <class T, class Index>
status tidy_rows(const char* object, buffer<index_t>& ends, buffer<Index>& indices,
                 buffer<T>& values) {
  struct entry {
    Index index;
    T value;
  };
  index_t longest = 0;
  index_t begin = 0;
  for (const index_t end : ends) {
    if (end - begin > longest && !strictly_increasing(indices.data() + begin, end - begin)) {
      longest = end - begin;
    }
    begin = end;
  }
  if (longest == 0) return {};

  buffer<entry> scratch;
  if (status s = scratch.allocate(2 * longest); !s) return named(s, object);
  index_t kept = 0;
  begin = 0;
  for (index_t r = 0; r < ends.size(); ++r) {
    const index_t count = ends[r] - begin;
    if (strictly_increasing(indices.data() + begin, count)) {
      for (index_t p = begin; p < ends[r]; ++p, ++kept) {
        indices[kept] = indices[p];
        values[kept] = values[p];
      }
    } else {
      for (index_t i = 0; i < count; ++i) scratch[i] = {indices[begin + i], values[begin + i]};
      const entry* sorted =
          merge_sort(scratch.data(), scratch.data() + longest, count,
                     [](const entry& a, const entry& b) { return a.index < b.index; });
      for (index_t i = 0; i < count; ++i) {
        if (i > 0 && sorted[i].index == sorted[i - 1].index) {
          if (!add_element(values[kept - 1], sorted[i].value)) return sum_overflows(object, r);
        } else {
          indices[kept] = sorted[i].index;
          values[kept++] = sorted[i].value;
        }
      }
    }
    begin = ends[r];
    ends[r] = kept;
  }
  indices.shrink(kept);
  values.shrink(kept);
  return {};
}

/// The entries of `source`, whose indices are within `shape`, as sorted compressed arrays.
template <class Axis, class T, class Index, class Offset, class Source>
status compress(extents shape, const Source& source, compressed_arrays<T, Index, Offset>& out) {
  constexpr const char* object = Axis::names.object;
  if (status s = check_compressed_shape<Axis, Index>(shape); !s) return s;
  const index_t major = Axis::major(shape.rows, shape.cols);

  buffer<index_t> next;  // where the next entry of a row goes; in the end, where the row ends
  if (status s = next.allocate_zeroed(major); !s) return named(s, object);
  for_each_entry(source,
                 [&](index_t row, index_t col, const auto&) { ++next[Axis::major(row, col)]; });
  index_t start = 0;
  for (index_t& n : next) {
    const index_t count = n;
    n = start;
    start += count;
  }

  if (status s = out.indices.allocate(start); !s) return named(s, object);
  if (status s = out.values.allocate(start); !s) return named(s, object);
  for_each_entry(source, [&](index_t row, index_t col, const auto& value) {
    const index_t p = next[Axis::major(row, col)]++;
    out.indices[p] = static_cast<Index>(Axis::minor(row, col));
    out.values[p] = to_element<T>(value);
  });
  if (status s = tidy_rows(object, next, out.indices, out.values); !s) return s;

  if (status s = check_nnz_fits<Offset>(out.indices.size(), object); !s) return s;
  if (status s = out.offsets.allocate(major + 1); !s) return named(s, object);
  out.offsets[0] = 0;
  for (index_t r = 0; r < major; ++r) out.offsets[r + 1] = static_cast<Offset>(next[r]);
  return {};
}

// ---- COO ----------------------------------------------------------------------------------------

template <class T, class Index>
struct coordinate_arrays {
  buffer<Index> row_indices;
  buffer<Index> columns;
  buffer<T> values;
};

/// The entries of `source` sorted by row, then column, entries at one place summed. Memory does not
/// depend on the shape. O(nnz log nnz) at worst, O(nnz) if they come in order.
template <class T, class Index, class Source>
status coordinates(extents shape, const Source& source, coordinate_arrays<T, Index>& out) {
  struct entry {
    Index row;
    Index col;
    T value;
  };
  constexpr auto before = [](const entry& a, const entry& b) {
    return a.row != b.row ? a.row < b.row : a.col < b.col;
  };
  if (status s = check_not_negative(shape, "coo"); !s) return s;
  if (status s = check_indices_fit<Index>(shape.rows, "coo", "rows"); !s) return s;
  if (status s = check_indices_fit<Index>(shape.cols, "coo", "cols"); !s) return s;

  const index_t most = source.nnz();  // formats with empty places list fewer entries
  if (status s = out.row_indices.allocate(most); !s) return named(s, "coo");
  if (status s = out.columns.allocate(most); !s) return named(s, "coo");
  if (status s = out.values.allocate(most); !s) return named(s, "coo");
  index_t filled = 0;
  bool sorted = true;
  for_each_entry(source, [&](index_t row, index_t col, const auto& value) {
    const index_t p = filled++;
    out.row_indices[p] = static_cast<Index>(row);
    out.columns[p] = static_cast<Index>(col);
    out.values[p] = to_element<T>(value);
    sorted =
        sorted &&
        (p == 0 || out.row_indices[p - 1] < out.row_indices[p] ||
         (out.row_indices[p - 1] == out.row_indices[p] && out.columns[p - 1] < out.columns[p]));
  });
  const index_t nnz = filled;
  out.row_indices.shrink(nnz);
  out.columns.shrink(nnz);
  out.values.shrink(nnz);
  if (sorted) return {};

  buffer<entry> entries;
  if (status s = entries.allocate(2 * nnz); !s) return named(s, "coo");
  for (index_t p = 0; p < nnz; ++p) {
    entries[p] = {out.row_indices[p], out.columns[p], out.values[p]};
  }
  const entry* in_order = merge_sort(entries.data(), entries.data() + nnz, nnz, before);
  index_t kept = 0;
  for (index_t p = 0; p < nnz; ++p) {
    const entry& e = in_order[p];
    if (p > 0 && !before(in_order[p - 1], e)) {
      if (!add_element(out.values[kept - 1], e.value)) {
        return sum_overflows("coo", static_cast<index_t>(e.row));
      }
      continue;
    }
    out.row_indices[kept] = e.row;
    out.columns[kept] = e.col;
    out.values[kept++] = e.value;
  }
  out.row_indices.shrink(kept);
  out.columns.shrink(kept);
  out.values.shrink(kept);
  return {};
}

}  // namespace convert
SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
