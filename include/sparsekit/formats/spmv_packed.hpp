// The packed form for y = A x of ordinary sparse matrices: slices of rows side by side, one cache
// line of values a step, and long rows apart.
//
// A step of a slice gives one entry to each of its `height` rows (lanes), in one of these ways:
//
//   run        lane l has column base + l: neighbouring rows of a grid or band, one load of x
//   list       a column for each lane: anything else
//   partial    some lanes have no entry; a word of bits says which do, the others count for nothing
//   uniform    all entries of the step have the same value, which is stored once: grids with
//              constant coefficients, graphs
//
// A slice holds its steps in a fixed order, in four streams (words, values, columns, order):
//
//   words    base of each full run; base and bits of each partial run; base of each uniform run;
//            base and bits of each uniform partial run; bits of each partial list step
//   values   `height` for each full, then each partial run; one for each uniform, then each uniform
//            partial run; on the next cache line `height` for each list step, or one for a uniform
//            list
//   columns  `height` for each list step, full ones first; of 32 bits or, up to 65536 columns, of 16
//   order    row of each lane, `no_row` beyond the last; absent where rows stay in their order
//
// Sorted by length (sigma windows as in SELL-C-sigma, see formats/sell.hpp), the rows of a slice
// are about equally long. Rows far longer than the others would pad their slices: they are stored
// one by one.
#pragma once

#include <string>

#include "packed_bytes.hpp"

namespace sparsekit {
inline namespace v0 {

/// x beyond this size misses the L2 cache at most accesses, where a gather instruction wins.
inline constexpr index_t spmv_far_bytes = index_t{1} << 20;

struct spmv_slice {
  std::uint32_t word = 0;    ///< first word
  std::uint32_t value = 0;   ///< first value, in cache lines
  std::uint32_t column = 0;  ///< first list step
  std::uint16_t full = 0;
  std::uint16_t partial = 0;
  std::uint16_t uniform = 0;
  std::uint16_t uniform_partial = 0;
  std::uint16_t lists = 0;
  std::uint16_t partial_lists = 0;
  std::uint16_t uniform_list = 0;  ///< 1: all entries of the list have one value
  std::uint16_t unused = 0;

  index_t words() const {
    return full + uniform + 2 * (index_t{partial} + uniform_partial) + partial_lists;
  }
  index_t steps() const {
    return index_t{full} + uniform + partial + uniform_partial + lists + partial_lists;
  }
  index_t list_steps() const { return index_t{lists} + partial_lists; }
  /// Cache lines of values, of which the runs take the first.
  index_t run_lines(index_t height) const {
    return full + partial + ceil_div(index_t{uniform} + uniform_partial, height);
  }
  index_t lines(index_t height) const {
    return run_lines(height) + (list_steps() == 0   ? 0
                                : uniform_list != 0 ? index_t{1}
                                                    : list_steps());
  }
};
static_assert(sizeof(spmv_slice) == 28 && std::has_unique_object_representations_v<spmv_slice>);

/// A row of its own.
struct spmv_row {
  std::int32_t row = 0;
  std::int32_t count = 0;
  std::int64_t column = 0;  ///< its first element in the streams of columns and of values
  std::int64_t value = 0;
};
static_assert(sizeof(spmv_row) == 24 && std::has_unique_object_representations_v<spmv_row>);

template <class T>
struct spmv_view {
  using value_type = std::remove_cv_t<T>;
  /// Rows of a slice: a cache line of values.
  static constexpr index_t height = static_cast<index_t>(storage_alignment / sizeof(value_type));
  static constexpr std::int32_t no_row = -1;

  extents shape{};
  index_t entries = 0;
  array_view<const spmv_slice> slices{};
  array_view<const std::int32_t> words{};
  array_view<const value_type> values{};
  array_view<const std::int32_t> columns{};  ///< or short_columns: the other is empty
  array_view<const std::uint16_t> short_columns{};
  array_view<const std::int32_t> order{};
  array_view<const spmv_row> long_rows{};

  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return entries; }
  spmv_view as_const() const { return *this; }
  /// Matrices with so many columns at most may have numbers of 16 bits.
  static constexpr index_t most_short_columns = 65536;
  bool has_short_columns() const { return !short_columns.empty(); }
  index_t column_count() const {
    return has_short_columns() ? short_columns.size() : columns.size();
  }
  index_t column(index_t p) const {
    return has_short_columns() ? index_t{short_columns[p]} : index_t{columns[p]};
  }
  /// The stream that is there: of std::int32_t or of std::uint16_t.
  template <class Column>
  const Column* column_stream() const {
    if constexpr (std::is_same_v<Column, std::uint16_t>) {
      return short_columns.data();
    } else {
      return columns.data();
    }
  }
  // For packed_owner.
  static constexpr packed_form form = packed_form::spmv;
  static constexpr const char* object = "spmv";
  static constexpr int section_count = 6;
  static spmv_view of(const std::byte* bytes, const packed_header& h) {
    spmv_view view{.shape = extents(h.rows, h.cols),
                   .entries = h.nnz,
                   .slices = packed_section_as<spmv_slice>(bytes, h.sections[0]),
                   .words = packed_section_as<std::int32_t>(bytes, h.sections[1]),
                   .values = packed_section_as<value_type>(bytes, h.sections[2]),
                   .order = packed_section_as<std::int32_t>(bytes, h.sections[4]),
                   .long_rows = packed_section_as<spmv_row>(bytes, h.sections[5])};
    if (h.column_block == column_bytes_short) {
      view.short_columns = packed_section_as<std::uint16_t>(bytes, h.sections[3]);
    } else {
      view.columns = packed_section_as<std::int32_t>(bytes, h.sections[3]);
    }
    return view;
  }
  /// What the header's column_block says: bytes of a column number. Anything else than this: four.
  static constexpr std::int32_t column_bytes_short = 2;
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace spmv_checks {

inline status corrupt(const char* detail, index_t entry, any_integer got, any_integer allowed) {
  return {.code = errc::corrupt,
          .object = "spmv",
          .detail = detail,
          .entry = entry,
          .got = got,
          .allowed = allowed};
}

inline index_t count_bits(std::int32_t word) {
  return std::popcount(static_cast<std::uint32_t>(word));
}

/// The words and columns of one slice, which lie within the streams.
template <class View>
status slice_contents(const View& a, index_t s, index_t lanes, index_t& entries) {
  constexpr index_t height = View::height;
  const spmv_slice& slice = a.slices[s];
  index_t w = slice.word;
  const index_t last_base = a.cols() - height;
  const auto run = [&](bool partial) {
    const std::int32_t base = a.words[w];
    if (base < 0 || base > last_base) return corrupt("run", w, base, last_base);
    ++w;
    if (!partial) {
      entries += height;
      return lanes == height ? status{} : corrupt("lanes of a run", s, height, lanes);
    }
    const auto bits = static_cast<std::uint32_t>(a.words[w]);
    if (bits >> lanes != 0) return corrupt("bits", w, bits, lanes);
    entries += count_bits(a.words[w++]);
    return status{};
  };
  const index_t kinds[] = {slice.full, slice.partial, slice.uniform, slice.uniform_partial};
  for (index_t kind = 0; kind < 4; ++kind) {
    for (index_t i = 0; i < kinds[kind]; ++i) {
      if (status error = run(kind % 2 == 1); !error) return error;
    }
  }
  if (slice.lists > 0 && lanes != height) return corrupt("lanes of a list", s, height, lanes);
  entries += height * slice.lists;
  for (index_t i = 0; i < slice.partial_lists; ++i, ++w) {
    const auto bits = static_cast<std::uint32_t>(a.words[w]);
    if (bits >> lanes != 0) return corrupt("bits", w, bits, lanes);
    entries += count_bits(a.words[w]);
  }
  const index_t first = index_t{slice.column} * height;
  for (index_t p = first; p < first + slice.list_steps() * height; ++p) {
    if (a.column(p) < 0 || a.column(p) >= a.cols()) {
      return corrupt("column", p, a.column(p), a.cols());
    }
  }
  return {};
}

/// Every row of the matrix once, in a lane or as a long row.
template <class View>
status rows_once(const View& a) {
  if (a.order.empty() && a.long_rows.empty()) {
    const bool whole = a.slices.size() == ceil_div(a.rows(), View::height);
    return whole ? status{} : corrupt("slices", -1, a.slices.size(), a.rows());
  }
  // Before memory for all rows: a file of a few bytes may claim 2^31 of them.
  if (a.rows() > a.order.size() + a.long_rows.size()) {
    return corrupt("rows", -1, a.order.size() + a.long_rows.size(), a.rows());
  }
  buffer<std::uint64_t> seen;
  if (status s = seen.allocate_zeroed(ceil_div(a.rows(), 64)); !s) return s;
  index_t count = 0;
  const auto see = [&](index_t row, const char* detail, index_t at) {
    if (row < 0 || row >= a.rows()) return corrupt(detail, at, row, a.rows());
    const std::uint64_t bit = std::uint64_t{1} << (row % 64);
    if ((seen[row / 64] & bit) != 0) return corrupt("row twice", at, row, a.rows());
    seen[row / 64] |= bit;
    ++count;
    return status{};
  };
  for (index_t i = 0; i < a.order.size(); ++i) {
    if (a.order[i] == View::no_row) continue;
    if (i % View::height > 0 && a.order[i - 1] == View::no_row) {
      return corrupt("order", i, a.order[i], View::no_row);
    }
    if (status s = see(a.order[i], "order", i); !s) return s;
  }
  for (index_t i = 0; i < a.long_rows.size(); ++i) {
    if (status s = see(a.long_rows[i].row, "long row", i); !s) return s;
  }
  return count == a.rows() ? status{} : corrupt("rows", -1, count, a.rows());
}

}  // namespace spmv_checks

/// Whether the streams describe a matrix. O(streams); rows / 8 bytes of memory for the time of the
/// call. After it, kernels touch nothing outside the arrays and x and y.
template <class T>
status validate(const spmv_view<T>& a) {
  using view = spmv_view<T>;
  using spmv_checks::corrupt;
  constexpr index_t height = view::height;
  constexpr index_t most = std::numeric_limits<std::int32_t>::max();
  if (a.rows() < 0 || a.cols() < 0 || a.rows() > most || a.cols() > most) {
    return corrupt("shape", -1, a.rows(), most);
  }
  const bool in_order = a.order.empty() && a.long_rows.empty();
  if (!in_order && a.order.size() != a.slices.size() * height) {
    return corrupt("order", -1, a.order.size(), a.slices.size() * height);
  }
  if (!a.columns.empty() && a.has_short_columns()) {
    return corrupt("columns twice", -1, a.columns.size(), 0);
  }
  if (status s = spmv_checks::rows_once(a); !s) return s;
  index_t word = 0;
  index_t line = 0;
  index_t column = 0;
  index_t entries = 0;
  for (index_t s = 0; s < a.slices.size(); ++s) {
    const spmv_slice& slice = a.slices[s];
    if (slice.word != word || slice.value != line || slice.column != column) {
      return corrupt("slice", s, slice.word, word);
    }
    word += slice.words();
    line += slice.lines(height);
    column += slice.list_steps();
    if (word > a.words.size() || line * height > a.values.size() ||
        column * height > a.column_count() || slice.uniform_list > 1) {
      return corrupt("stream", s, word, a.words.size());
    }
    index_t lanes = a.rows() - s * height < height ? a.rows() - s * height : height;
    if (!a.order.empty()) {
      for (lanes = 0; lanes < height && a.order[s * height + lanes] != view::no_row;) ++lanes;
    }
    if (status error = spmv_checks::slice_contents(a, s, lanes, entries); !error) return error;
  }
  for (index_t i = 0; i < a.long_rows.size(); ++i) {
    const spmv_row& r = a.long_rows[i];
    if (r.count < 0 || r.column < 0 || r.column > a.column_count() - r.count || r.value < 0 ||
        r.value > a.values.size() - r.count) {
      return corrupt("long row", i, r.count, a.column_count());
    }
    for (index_t p = r.column; p < r.column + r.count; ++p) {
      if (a.column(p) < 0 || a.column(p) >= a.cols()) {
        return corrupt("column", p, a.column(p), a.cols());
      }
    }
    entries += r.count;
  }
  return entries == a.entries ? status{} : corrupt("nnz", -1, entries, a.entries);
}

SPARSEKIT_EXEC_END_IN_V0

/// The packed form that owns its bytes. Move-only; pack_spmv makes one.
template <class T>
class spmv_packed : public packed_owner<spmv_view<const T>> {
 public:
  using packed_owner<spmv_view<const T>>::packed_owner;

  /// What the packer found and what followed from it, in words. Allocates.
  std::string reason() const { return spmv_reason(this->view()); }

 private:
  static std::string spmv_reason(const spmv_view<const T>& a) {
    index_t runs = 0;
    index_t lists = 0;
    index_t uniform = 0;
    index_t alone = 0;
    for (const spmv_slice& s : a.slices) {
      runs += s.steps() - s.list_steps();
      lists += s.list_steps();
      uniform +=
          index_t{s.uniform} + s.uniform_partial + (s.uniform_list != 0 ? s.list_steps() : 0);
    }
    for (const spmv_row& r : a.long_rows) alone += r.count;
    const index_t steps = runs + lists;
    const auto percent = [](index_t part, index_t all) {
      return std::to_string(all == 0 ? 0 : (200 * part + all) / (2 * all)) + " %";
    };
    const index_t x_bytes = a.cols() * index_t{sizeof(T)};
    const std::string x = std::to_string(ceil_div(x_bytes, 1024)) + " KB";
    if (a.slices.empty() && !a.long_rows.empty()) {
      return "all " + std::to_string(a.long_rows.size()) + " rows are long, and stored alone";
    }
    const bool in_order = a.order.empty();
    std::string text = percent(runs, steps) + " of the steps read neighbouring columns";
    if (in_order && 2 * runs > steps) {
      text += ", so rows keep their order";
    } else if (in_order) {
      text += ", but rows are about equally long and keep their order";
    } else {
      text += ", so rows are sorted by length";
    }
    text += " in slices of " + std::to_string(spmv_view<T>::height) + " (" +
            percent(steps * spmv_view<T>::height - (a.entries - alone), a.entries) + " filling)";
    if (uniform > 0) text += "; " + percent(uniform, steps) + " of the steps hold one value";
    if (lists > 0) {
      text += "; scattered elements of x, whose " + x +
              (x_bytes > spmv_far_bytes ? " caches do not hold" : " stay in cache");
      if (a.has_short_columns()) text += ", by column numbers of two bytes";
    }
    if (!a.long_rows.empty()) {
      text += "; " + percent(alone, a.entries) + " of the entries are in " +
              std::to_string(a.long_rows.size()) + " long rows, stored alone";
    }
    return text;
  }
};

}  // namespace v0
}  // namespace sparsekit
