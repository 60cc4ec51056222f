// What choose() decides by: the statistics of a pattern, of a sample where that is enough. Deciding
// should cost less than packing what is chosen, and the cheapest form, CSR, is packed by copying
// it.
//
// The times of dense, CSR and wide rows follow from the numbers of rows, columns and entries alone.
// What the fastest of them should take is a bound: a form is counted exactly only if a sample does
// not already show that it is slower. N:M groups are exact wherever they could win, since a single
// group that is too full rules a pattern out; so is whether rows and columns can be removed. Quads,
// window lookup, runs and blocks are rated by samples at fixed places.
#pragma once

#include "candidates.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace plan {

/// The least that the forms known so far should take, at each of the column counts.
template <class T>
class price_bound {
 public:
  price_bound(const cost_model<T>& model, const column_counts& columns)
      : model_(model), columns_(columns) {
    for (double& us : least_) us = 1e300;
  }
  template <class Flags = flags_tag>
  void add(const form_choice& f, const pattern_statistics& s) {
    for (int i = 0; i < columns_.size(); ++i)
      least_[i] = std::min(least_[i], model_.predict(f, s, columns_[i]));
  }
  /// Whether a form is not slower than `times` the bound at some column count.
  template <class Flags = flags_tag>
  bool reaches(const form_choice& f, const pattern_statistics& s, double times = 1) const {
    for (int i = 0; i < columns_.size(); ++i) {
      if (model_.predict(f, s, columns_[i]) <= times * least_[i]) return true;
    }
    return false;
  }

 private:
  const cost_model<T>& model_;
  const column_counts& columns_;
  double least_[column_counts::most_counts];
};

/// What samples of blocks say is off by so much.
inline constexpr double sample_margin = 1.1;

template <class T>
bool blocks_reach(const price_bound<T>& bound, const pattern_statistics& s) {
  const double elements = static_cast<double>(s.shape.rows) * static_cast<double>(s.shape.cols);
  bool reach = false;
  block_shapes<T>::each(s, [&](const block_shape& block, index_t used) {
    const double places = static_cast<double>(used * block.rows * block.cols);
    reach = reach || (places <= 0.95 * elements &&  // else dense, with column numbers
                      places <= most_places<T>() * static_cast<double>(s.nnz) &&
                      bound.reaches({form::bsr, {1, 1, 1}, block}, s, sample_margin));
  });
  return reach;
}

/// Groups never have fewer entries than were found so far: so no N:M pattern is faster than now.
template <class T>
bool groups_reach(const price_bound<T>& bound, const pattern_statistics& s) {
  for (int share = 0; share < pattern_statistics::sharings; ++share) {
    for (int level = 0; level < pattern_statistics::groups; ++level) {
      const index_t n = s.most_in_group[share][level];
      const index_t m = index_t{2} << level;
      if (n < m &&
          bound.reaches({form::nm, {std::max<index_t>(n, 1), m, index_t{1} << share}, {1, 1}}, s))
        return true;
    }
  }
  return false;
}

/// Of a pattern whose groups all hold one that is full.
inline pattern_statistics without_groups(pattern_statistics s) {
  for (auto& share : s.most_in_group) {
    for (int level = 0; level < pattern_statistics::groups; ++level) share[level] = 2 << level;
  }
  s.counted_groups = true;
  return s;
}

/// N:M groups and blocks: of two pieces of 16 rows first; then row by row, until neither can win.
template <class T, class View>
status survey_groups(const View& a, const price_bound<T>& bound, pattern_statistics& s) {
  constexpr index_t band = group_counter::band;
  const index_t all_words = ceil_div(a.cols(), 64);
  const index_t bands = ceil_div(a.rows(), band);
  group_counter counter;
  const auto scale_blocks = [](pattern_statistics& p, index_t entries) {
    const double scale = static_cast<double>(p.nnz) / static_cast<double>(entries);
    for (auto& height : p.blocks) {
      for (index_t& n : height) n = static_cast<index_t>(scale * static_cast<double>(n) + 0.5);
    }
  };
  // About 100 entries in a piece of a scattered pattern.
  const double density =
      static_cast<double>(s.nnz) / (static_cast<double>(a.rows()) * static_cast<double>(a.cols()));
  const index_t words =
      std::min(all_words, std::clamp<index_t>(static_cast<index_t>(0.1 / density), 2, 16));
  pattern_statistics sample = s;
  if (2 * words * std::min(band, a.rows()) < all_words * a.rows()) {
    if (status e = counter.allocate(words); !e) return e;
    index_t entries = 0;
    for (index_t i = 0; i < 2; ++i) {
      const index_t r0 = bands * (2 * i + 1) / 4 * band;
      entries += counter.fill(a, r0, (all_words - words) * (2 * i + 1) / 4, words);
      counter.count(sample, block_shapes<T>::first_height);
    }
    if (entries > 0) {
      scale_blocks(sample, entries);
      if (!groups_reach(bound, sample) && !blocks_reach(bound, sample)) {
        s = without_groups(sample);
        return {};
      }
    }
  }
  if (status e = counter.allocate(all_words); !e) return e;
  index_t entries = 0;
  for (index_t b = 0; b < bands; ++b) {
    entries += counter.fill(a, b * band, 0, all_words);
    counter.count(s, block_shapes<T>::first_height);
    if (std::has_single_bit(static_cast<std::uint64_t>(b + 1)) && entries > 0 && b + 1 < bands) {
      sample = s;
      scale_blocks(sample, entries);
      if (groups_reach(bound, sample) || blocks_reach(bound, sample)) continue;
      s = without_groups(sample);
      return {};
    }
  }
  s.counted_groups = true;
  return {};
}

/// Columns that hold an entry; all of them, as soon as removing the others could not win.
template <class T, class View>
status survey_columns(const View& a, const price_bound<T>& bound, pattern_statistics& s) {
  buffer<std::uint8_t> used;
  if (status e = used.allocate_zeroed(a.cols()); !e) return e;
  s.kept_columns = 0;
  index_t next_check = 1;
  for (index_t r = 0; r < a.rows() && s.kept_columns < a.cols(); ++r) {
    const index_t end = static_cast<index_t>(a.row_ptr[r + 1]);
    for (index_t p = static_cast<index_t>(a.row_ptr[r]); p < end; ++p) {
      std::uint8_t& u = used[static_cast<index_t>(a.columns[p])];
      s.kept_columns += u == 0 ? 1 : 0;
      u = 1;
    }
    if (r + 1 < next_check) continue;
    next_check = 2 * (r + 1);
    if (!bound.reaches({form::structured}, s)) {
      s.kept_columns = a.cols();
      break;
    }
  }
  return {};
}

/// Slots of quads from up to 64 rows: sorted by length, rows of a block differ from their
/// neighbours by little, and all groups of eight together by half of seven times what the longest
/// and the shortest differ by.
template <class View>
void survey_quads(const View& a, pattern_statistics& s) {
  constexpr index_t row_block = counted_row_block;
  constexpr index_t column_block = counted_column_block;
  constexpr index_t most = 64;
  const index_t column_blocks = counted_column_blocks(a.shape);
  s.quad_slots = a.nnz();
  if (quad_blocks_nearly_empty(a.shape, a.nnz())) return;
  const index_t rows = std::min(row_block, a.rows());
  const index_t seen = std::min(rows, most);
  const index_t first = (a.rows() - rows) / 2;
  const index_t begin = column_blocks / 2 * column_block;
  const index_t end = begin + column_block;
  const auto less = [](auto column, index_t bound) { return static_cast<index_t>(column) < bound; };
  index_t longest = 0;
  index_t shortest = column_block;
  for (index_t i = 0; i < seen; ++i) {
    const index_t r = first + i * rows / seen;
    const auto* const row = a.columns.data() + a.row_ptr[r];
    const auto* const row_end = a.columns.data() + a.row_ptr[r + 1];
    const auto* const from = begin == 0 ? row : std::lower_bound(row, row_end, begin, less);
    const auto* const to = end >= a.cols() ? row_end : std::lower_bound(from, row_end, end, less);
    longest = std::max<index_t>(longest, to - from);
    shortest = std::min<index_t>(shortest, to - from);
  }
  // Of 512 rows the extremes lie a quarter further apart than of 64.
  const double spread = static_cast<double>(longest - shortest) * (rows > seen ? 1.25 : 1);
  const index_t left = (8 - rows % 8) % 8;  // rows that fill up the last group of a block
  const double padded = (3.5 * spread + static_cast<double>(left * shortest)) *
                        static_cast<double>(ceil_div(a.rows(), row_block) * column_blocks);
  s.quad_slots = a.nnz() +
                 static_cast<index_t>(std::min(padded, 8.0 * static_cast<double>(a.nnz()))) +
                 a.nnz() / 40;
}

}  // namespace plan

/// Whether entries can be zeros: those of dense weights cannot.
enum class stored_zeros : std::uint8_t { none, maybe };

/// The statistics of a valid, sorted CSR matrix that tell its forms apart at these column counts.
/// Kept columns, N:M groups and blocks that cannot win may be those of no structure; zeros may be
/// stored without being found if dense weights cannot be the fastest form.
template <class T, class Index, class Offset>
status survey_pattern(const csr_view<const T, Index, Offset>& a, const column_counts& columns,
                      const cost_model<T>& model, stored_zeros zeros, pattern_statistics& s) {
  s = {};
  s.shape = a.shape;
  s.nnz = a.nnz();
  s.kept_rows = plan::count_rows(a);
  s.kept_columns = a.cols();
  plan::price_bound<T> bound(model, columns);
  if constexpr (has_form<T, form::csr>) bound.add({form::csr}, s);
  // CSR is always possible: if dense is slower at every column count, by more than CSR must promise, it is not taken.
  if (zeros == stored_zeros::maybe && bound.reaches({form::dense}, s, 1.1)) {
    s.explicit_zeros = plan::stores_zeros(a);
  }
  if (!s.explicit_zeros) bound.add({form::dense}, s);
  if (columns.least() > 1 && plan::wide_fits<T>(s)) bound.add({form::wide}, s);
  if constexpr (has_form<T, form::quads>) {
    plan::survey_quads(a, s);
    if (plan::quads_fit(s)) {
      bound.add({form::quads, {}, {}, 1}, s);
      bound.add({form::quads, {}, {}, 2}, s);
    }
  }
  if (plan::few_matter<T>(columns)) {
    if (columns.least() == 1 && has_form<T, form::slices>) {
      if (status e = plan::count_slices<T>(a, s, 16, 32); !e) return e;
      // Where a glance finds runs, and not by chance, how many there are is counted.
      if (s.run_slots > 0 && s.zeros() > 0.4) {
        if (status e = plan::count_slices<T>(a, s); !e) return e;
      }
      if (s.list_slots + s.run_slots > 0) bound.add({form::slices}, s);  // else no candidate
    }
    // Rows of scattered entries need about so many steps, few patterns much less.
    // Empty rows need none: sorted by length, they have slices of their own.
    pattern_statistics kept = s;
    kept.shape = extents(s.kept_rows, a.cols());
    s.lookup_slots =
        std::max(s.nnz, model.scattered(kept.shape, kept.zeros()).lookup_slots / 4 * 3);
    const bool possible = a.cols() <= lookup_view<const T>::max_cols &&
                          (bound.reaches({form::lookup}, s) ||
                           !has_form<T, form::csr>);  // narrow types may have nothing else
    s.lookup_slots = 0;
    if (possible) {
      const double slice =
          32 * static_cast<double>(s.nnz) / static_cast<double>(std::max<index_t>(1, a.rows()));
      const index_t slices =
          std::clamp<index_t>(static_cast<index_t>(8192 / std::max(slice, 1.0)), 2, 8);
      if (status e = plan::count_lookup<T>(a, model.target(), s, slices); !e) return e;
    }
  }
  if (s.kept_rows > 0) {
    if (status e = plan::survey_columns(a, bound, s); !e) return e;
  }
  if (plan::groups_matter(s)) {
    if (status e = plan::survey_groups(a, bound, s); !e) return e;
  }
  return {};
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
