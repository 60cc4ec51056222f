// Which forms a matrix can be packed in, the best variant of each, what it should take and how large it is.
#pragma once

#include "../pack/pack.hpp"
#include "cost_model.hpp"

namespace sparsekit {
inline namespace v0 {

/// Why a candidate was not taken.
enum class rejection : std::uint8_t {
  none,         ///< it was taken
  slower,       ///< another is faster at every column count
  little_gain,  ///< faster at some column count, but not by enough to be sure of it, or to hold one form more
  too_large,    ///< it does not fit max_bytes, alone or beside what was taken
};
inline const char* name_of(rejection r) {
  switch (r) {
    case rejection::none: return "taken";
    case rejection::slower: return "slower";
    case rejection::little_gain: return "gains too little";
    case rejection::too_large: return "does not fit max_bytes";
  }
  return "unknown";
}

/// A form that was considered. `us` are microseconds a multiply, one for each of the column counts.
struct candidate {
  form_choice choice;
  index_t bytes = 0;
  bool measured = false;
  rejection why = rejection::slower;
  double us[column_counts::most_counts] = {};
};

/// At most one candidate a form.
struct candidate_list {
  candidate at[form_count];
  int size = 0;

  candidate* begin() { return at; }
  candidate* end() { return at + size; }
  const candidate* begin() const { return at; }
  const candidate* end() const { return at + size; }
  template <class Flags = flags_tag>
  const candidate* find(form f) const {
    for (const candidate& c : *this) {
      if (c.choice.kind == f) return &c;
    }
    return nullptr;
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace plan {

/// Bytes of the packed form: exact for dense, N:M, blocks, CSR; about right for the others.
template <class T>
index_t predicted_bytes(const form_choice& f, const pattern_statistics& s) {
  const double m = static_cast<double>(s.shape.rows);
  const double k = static_cast<double>(s.shape.cols);
  const double nnz = static_cast<double>(s.nnz);
  const double header = sizeof(packed_header);
  const double sums = std::is_integral_v<T> ? 4 : 0;  // of each row's weights
  const auto dense_bytes = [&](double rows, double columns) {
    using dense = packed_dense_view<const T>;
    const double padded = std::ceil(rows / dense::line) * dense::line;
    const double depth = std::ceil(columns / dense::pair) * dense::pair;
    return header + padded * depth * sizeof(T) + sums * padded;
  };
  double bytes = 0;
  switch (f.kind) {
    case form::dense: bytes = dense_bytes(m, k); break;
    case form::quads:
      bytes = header + static_cast<double>(s.quad_slots) * (sizeof(T) + 0.5) +
              m * std::max(1.0, std::ceil(k / 256)) * 2.5;
      break;
    case form::lookup:
      bytes = header + static_cast<double>(s.lookup_slots) * (sizeof(T) + 1 + 2.0 / 32) + m * 1.2 +
              sums * m;
      break;
    case form::slices:
      bytes = header +
              static_cast<double>(
                  s.list_slots * (index_t{sizeof(T)} + spmv_column_bytes<T>(s.shape.cols, s.nnz))) +
              static_cast<double>(s.run_slots) * sizeof(T) + m * 4;
      break;
    case form::nm:
    case form::structured: {
      const bool nm = f.kind == form::nm;
      if (!nm && is_narrow<T>) {
        const double kept_rows = static_cast<double>(s.kept_rows);
        const double kept_columns = static_cast<double>(s.kept_columns);
        bytes = dense_bytes(kept_rows, kept_columns) + 4 * (kept_rows + kept_columns) + sums * m;
        break;
      }
      const double rows = std::ceil((nm ? m : static_cast<double>(s.kept_rows)) / 16) * 16;
      const double steps = nm ? std::ceil(k / static_cast<double>(f.group.m)) *
                                    static_cast<double>(f.group.n)
                              : static_cast<double>(s.kept_columns);
      const double v = nm ? static_cast<double>(f.group.v) : 16;
      const double together = static_cast<double>(packed_nm_view<const T>::together);
      bytes = header + rows * std::ceil(steps / together) * together * sizeof(T) +
              rows * steps * (1 / v + (f.group.m > 4 ? 0.5 : 0.25)) +
              (nm ? 0.0 : 4.0 * static_cast<double>(s.kept_rows + s.kept_columns)) + sums * rows;
      break;
    }
    case form::bsr: {
      const double blocks = static_cast<double>(s.blocks_of(f.block));
      const double values = blocks * static_cast<double>(f.block.rows * f.block.cols) * sizeof(T);
      const double block_rows = std::ceil(m / static_cast<double>(f.block.rows));
      if constexpr (is_narrow<T>) {  // starts of each cut, a byte a block, sums of rows
        const double cuts = block_shapes<T>::cuts(s, f.block);
        bytes = header + values + blocks + 8 * (block_rows * cuts + 1) + 4 * m;
      } else {
        bytes = values + 4 * blocks + 8 * (block_rows + 1);
      }
      break;
    }
    case form::csr: bytes = nnz * (sizeof(T) + 4) + 8 * (m + 1); break;
    case form::bitmask:
      bytes = header + nnz * sizeof(T) + m * (std::ceil(k / 8) + 8 + sums) + 384;
      break;
    case form::wide:  // eight rows a group, as quads have them
      bytes = header + static_cast<double>(s.quad_slots) * (sizeof(T) + 2) + m * 4.5 + 384;
      break;
  }
  return bytes > 9e18 ? std::numeric_limits<index_t>::max() : static_cast<index_t>(bytes);
}

/// Microseconds for each of the column counts. Returns their geometric mean, by which variants are compared.
template <class T>
double predict_all(const cost_model<T>& model, const pattern_statistics& s,
                   const column_counts& columns, candidate& c) {
  double logs = 0;
  for (int i = 0; i < columns.size(); ++i) {
    c.us[i] = model.predict(c.choice, s, columns[i]);
    logs += std::log(std::max(c.us[i], 1e-6));
  }
  return logs;
}

/// Entries enough for blocks of quads not to be nearly empty.
inline bool quads_fit(const pattern_statistics& s) {
  const double blocks =
      static_cast<double>(s.shape.rows) * std::ceil(static_cast<double>(s.shape.cols) / 256);
  return blocks < 8 * static_cast<double>(s.nnz) + 65536;
}
/// Counts and columns of wide rows have 16 bits; beyond a third of the places rows share too many columns.
template <class T>
bool wide_fits(const pattern_statistics& s) {
  if (!has_form<T, form::wide>) return false;
  const double elements = static_cast<double>(s.shape.rows) * static_cast<double>(s.shape.cols);
  return s.shape.cols < wide_view<const T>::max_cols && 3 * static_cast<double>(s.nnz) < elements &&
         s.nnz < index_t{1} << 31;
}
/// Blocks with more places an entry are not considered. Dot products of narrow types take two or
/// four columns at the price of one: of blocks of so many columns even those with a single entry
/// pay. 1 x 4 blocks of s8 multiply scattered entries, 2 % of 512 x 512, by 512 columns in a sixth
/// of the time of dense weights.
template <class T>
constexpr double most_places() {
  if constexpr (!is_narrow<T>) return 3;
  return std::max<double>(3, packed_blocks_view<const T>::pair);
}
/// Whether forms that serve few columns matter: s8 has no others for scattered zeros.
template <class T>
bool few_matter(const column_counts& columns) {
  return columns.least() <= most_columns_of_few<T> || !has_form<T, form::quads>;
}

}  // namespace plan

/// The candidates for these statistics with what they should take.
template <class T>
candidate_list candidates_of(const pattern_statistics& s, const column_counts& columns,
                             const cost_model<T>& model) {
  candidate_list list;
  const auto add = [&](candidate c) {
    plan::predict_all(model, s, columns, c);
    c.bytes = plan::predicted_bytes<T>(c.choice, s);
    list.at[list.size++] = c;
  };
  const double elements = static_cast<double>(s.shape.rows) * static_cast<double>(s.shape.cols);
  const double csr_bytes = static_cast<double>(s.nnz) * 8 + static_cast<double>(s.shape.rows) * 8;
  // Packed dense weights have no place for a zero that is an entry; and a graph must not be written out.
  if (!s.explicit_zeros && elements * sizeof(T) < 512 * csr_bytes + 1e6) add({{form::dense}});
  if (s.shape.cols > std::numeric_limits<std::int32_t>::max()) return list;
  if (has_form<T, form::quads> && plan::quads_fit(s)) {
    candidate narrow{{form::quads, {}, {}, 2}};
    candidate wide{{form::quads, {}, {}, 1}};
    const double narrow_logs = plan::predict_all(model, s, columns, narrow);
    add(plan::predict_all(model, s, columns, wide) < narrow_logs ? wide : narrow);
  }
  if (columns.most() > 1 && plan::wide_fits<T>(s)) add({{form::wide}});
  const bool few = plan::few_matter<T>(columns);
  if (few && s.lookup_slots > 0) add({{form::lookup}});
  // Below a sixteenth of the places the bits take more bytes than lists of columns, and the time of dense.
  if (few && 16 * static_cast<double>(s.nnz) >= elements) {
    add({{form::bitmask}});
  }
  if (has_form<T, form::slices> && columns.least() == 1 && s.list_slots + s.run_slots > 0)
    add({{form::slices}});
  if (s.kept_rows > 0 && (s.kept_rows < s.shape.rows || s.kept_columns < s.shape.cols)) {
    add({{form::structured}});
  }
  if (s.counted_groups) {
    // The variant that should be fastest over all column counts.
    const auto best_of = [&](auto&& variants) {
      candidate best;
      double least = 1e300;
      variants([&](const form_choice& f) {
        candidate c{f};
        const double logs = plan::predict_all(model, s, columns, c);
        if (logs < least) {
          least = logs;
          best = c;
        }
      });
      if (least < 1e300) add(best);
    };
    best_of([&](auto&& each) {
      // Of equals the one that more rows share: fewer bytes.
      for (int share = pattern_statistics::sharings - 1; share >= 0; --share) {
        for (int level = 0; level < pattern_statistics::groups; ++level) {
          const index_t n = s.most_in_group[share][level];
          const index_t m = index_t{2} << level;
          if (n < m) each({form::nm, {n, m, index_t{1} << share}, {1, 1}});
        }
      }
    });
    best_of([&](auto&& each) {
      plan::block_shapes<T>::each(s, [&](const block_shape& block, index_t used) {
        // One column has a kernel for narrow blocks of one dot product's columns only.
        if (is_narrow<T> && columns.least() == 1 &&
            block.cols > index_t{1} << plan::block_shapes<T>::first_width)
          return;
        const double places = static_cast<double>(used * block.rows * block.cols);
        if (places <= plan::most_places<T>() * static_cast<double>(s.nnz))
          each({form::bsr, {1, 1, 1}, block});
      });
    });
  }
  if constexpr (has_form<T, form::csr>) {
    add({{form::csr}});
  } else if (list.size == 0) {  // what is always possible
    add({{s.lookup_slots > 0         ? form::lookup
          : has_form<T, form::quads> ? form::quads
                                     : form::bitmask}});
  }
  return list;
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
