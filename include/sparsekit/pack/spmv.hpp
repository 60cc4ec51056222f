// pack_spmv(): CSR into slices for y = A x (formats/spmv_packed.hpp). Looks at the structure first: where
// neighbouring rows have neighbouring columns, rows stay in their order and steps read runs of x; elsewhere
// rows are sorted by length, so that slices have little padding.
#pragma once

#include <algorithm>

#include "../formats/csr.hpp"
#include "../formats/spmv_packed.hpp"

namespace sparsekit {
inline namespace v0 {

struct spmv_options {
  /// Rows are sorted by length inside windows of so many, where they are sorted: 0 chooses.
  index_t sort_window = 0;
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace packing {

/// The entries of `height` rows of CSR as steps: first runs, then what is left, lane by lane. One object
/// serves all slices; `load` fills it.
template <class T, class Index, class Offset>
class slice_steps {
 public:
  static constexpr index_t height = spmv_view<T>::height;
  /// Longer rows are stored one by one, which also bounds the memory of this object.
  static constexpr index_t longest = 2048;

  explicit slice_steps(const csr_view<const T, Index, Offset>& a) : a_(a) {}
  status allocate() {
    if (status s = rest_.allocate(height * longest); !s) return s;
    return runs_.allocate(2 * longest);
  }

  struct run {
    std::int32_t base;
    std::uint32_t bits;
    bool uniform;
    std::uint16_t at[height];  ///< entry within the row, where the bit is set and rows are not aligned
  };

  /// Rows rows[0], rows[1], ...; a row < 0 is an empty lane.
  void load(const std::int32_t* rows, bool want_runs) {
    lanes_ = 0;
    run_count_ = 0;
    aligned_ = false;
    lists_only_ = !want_runs;
    for (index_t l = 0; l < height; ++l) {
      const bool there = rows[l] >= 0;
      next_[l] = there ? static_cast<index_t>(a_.row_ptr[rows[l]]) : 0;
      end_[l] = there ? static_cast<index_t>(a_.row_ptr[rows[l] + 1]) : 0;
      lanes_ += there ? 1 : 0;
      begin_[l] = next_[l];
      rest_count_[l] = want_runs ? 0 : end_[l] - next_[l];
    }
    if (want_runs) {
      aligned_ = aligned_runs();
      if (!aligned_) merged_runs();
    }
    list_steps_ = *std::max_element(rest_count_, rest_count_ + height);
    full_lists_ = *std::min_element(rest_count_, rest_count_ + height);
    uniform_list_ = list_steps_ > 0;
    const T* first = nullptr;
    for (index_t l = 0; l < height && uniform_list_; ++l) {
      for (index_t j = 0; j < rest_count_[l] && uniform_list_; ++j) {
        const T* v = &a_.values[rest_entry(l, j)];
        first = first == nullptr ? v : first;
        uniform_list_ = same(*first, *v);
      }
    }
  }

  /// The slice's counts; its starts are the caller's.
  spmv_slice counts() const {
    spmv_slice s;
    for (index_t i = 0; i < run_count_; ++i) {
      const bool full = runs_[i].bits == all_lanes;
      ++(runs_[i].uniform ? (full ? s.uniform : s.uniform_partial) : (full ? s.full : s.partial));
    }
    s.lists = static_cast<std::uint16_t>(full_lists_);
    s.partial_lists = static_cast<std::uint16_t>(list_steps_ - full_lists_);
    s.uniform_list = uniform_list_ ? 1 : 0;
    return s;
  }
  index_t run_entries() const {
    index_t n = 0;
    for (index_t i = 0; i < run_count_; ++i) n += std::popcount(runs_[i].bits);
    return n;
  }

  /// Writes the slice where its pointers lead. Values that no entry fills are zero.
  void write(const spmv_slice& s, std::int32_t* words, T* values, std::int32_t* columns) const {
    words += s.word;
    values += index_t{s.value} * height;
    columns += index_t{s.column} * height;
    T* const list_values = values + s.run_lines(height) * height;
    for (int kind = 0; kind < 4; ++kind) {
      for (index_t i = 0; i < run_count_; ++i) {
        const run& r = runs_[i];
        if ((r.bits != all_lanes) != (kind % 2 == 1) || r.uniform != (kind >= 2)) continue;
        *words++ = r.base;
        if (kind % 2 == 1) *words++ = static_cast<std::int32_t>(r.bits);
        if (r.uniform) {
          *values++ = a_.values[run_entry(i, std::countr_zero(r.bits))];
        } else {
          for (index_t l = 0; l < height; ++l) {
            *values++ = (r.bits >> l & 1) != 0 ? a_.values[run_entry(i, l)] : T{0};
          }
        }
      }
    }
    write_list(words, list_values, columns);
  }

 private:
  static constexpr std::uint32_t all_lanes = (std::uint32_t{1} << height) - 1;

  static bool same(const T& a, const T& b) { return std::memcmp(&a, &b, sizeof(T)) == 0; }
  /// The entry of the source that lane l has in run i, and as its j-th of the rest.
  index_t run_entry(index_t i, index_t l) const {
    return begin_[l] + (aligned_ ? i : index_t{runs_[i].at[l]});
  }
  index_t rest_entry(index_t l, index_t j) const {
    return lists_only_ ? begin_[l] + j : rest_[l * longest + j];
  }
  void rest(index_t lane, index_t entry) { rest_[lane * longest + rest_count_[lane]++] = entry; }
  bool fits_run(index_t base) const { return base >= 0 && base <= a_.cols() - height; }

  /// The common case inside a grid: all rows have the columns of the first, each one further on. True,
  /// and the runs are there.
  bool aligned_runs() {
    const index_t count = end_[0] - next_[0];
    if (lanes_ != height || count == 0) return false;
    const Index* first = a_.columns.data() + next_[0];
    if (!fits_run(static_cast<index_t>(first[0])) || !fits_run(static_cast<index_t>(first[count - 1]))) {
      return false;
    }
    for (index_t l = 1; l < height; ++l) {
      if (end_[l] - next_[l] != count) return false;
      const Index* c = a_.columns.data() + next_[l];
      bool aligned = true;
      for (index_t j = 0; j < count; ++j) {
        aligned &= static_cast<index_t>(c[j]) == static_cast<index_t>(first[j]) + l;
      }
      if (!aligned) return false;
    }
    for (index_t j = 0; j < count; ++j) {
      run& r = runs_[run_count_++];
      r.base = static_cast<std::int32_t>(first[j]);
      r.bits = all_lanes;
      r.uniform = true;
      for (index_t l = 1; l < height && r.uniform; ++l) {
        r.uniform = same(a_.values[next_[l] + j], a_.values[next_[0] + j]);
      }
    }
    return true;
  }

  /// Runs with at least half of the lanes; everything else is the rest.
  void merged_runs() {
    // 32 bits and whole loops over the lanes: compilers make vectors of them, and packing twice as fast.
    constexpr std::int32_t none = std::numeric_limits<std::int32_t>::max();
    std::int32_t at[height];  // the base of the run that the lane's next entry would be in
    const Index* const columns = a_.columns.data();
    const auto look = [&](index_t l) {
      at[l] = next_[l] < end_[l]
                  ? static_cast<std::int32_t>(columns[next_[l]]) - static_cast<std::int32_t>(l)
                  : none;
    };
    for (index_t l = 0; l < height; ++l) look(l);
    for (;;) {
      std::int32_t base = at[0];
      for (index_t l = 1; l < height; ++l) base = at[l] < base ? at[l] : base;
      if (base == none) return;
      std::uint32_t bits = 0;
      for (index_t l = 0; l < height; ++l) bits |= at[l] == base ? std::uint32_t{1} << l : 0u;
      const bool pays = 2 * std::popcount(bits) >= height && fits_run(base);
      run* const r = pays ? &runs_[run_count_++] : nullptr;
      if (pays) {
        r->base = base;
        r->bits = bits;
        r->uniform = true;
      }
      const index_t first = next_[std::countr_zero(bits)];
      for (std::uint32_t left = bits; left != 0; left &= left - 1) {
        const index_t l = std::countr_zero(left);
        if (pays) {
          r->at[l] = static_cast<std::uint16_t>(next_[l] - begin_[l]);
          r->uniform &= same(a_.values[next_[l]], a_.values[first]);
        } else {
          rest(l, next_[l]);
        }
        ++next_[l];
        look(l);
      }
    }
  }

  void write_list(std::int32_t* words, T* values, std::int32_t* columns) const {
    for (index_t j = 0; j < list_steps_; ++j) {
      std::uint32_t bits = 0;
      index_t some = -1;  // an entry that lends its column to lanes without one: in range, and near
      for (index_t l = 0; l < height; ++l) {
        if (j >= rest_count_[l]) continue;
        bits |= 1u << l;
        some = rest_entry(l, j);
      }
      for (index_t l = 0; l < height; ++l) {
        const index_t p = (bits >> l & 1) != 0 ? rest_entry(l, j) : some;
        columns[j * height + l] = static_cast<std::int32_t>(a_.columns[p]);
        if (uniform_list_) {
          values[0] = a_.values[p];
        } else {
          values[j * height + l] = (bits >> l & 1) != 0 ? a_.values[p] : T{0};
        }
      }
      if (j >= full_lists_) *words++ = static_cast<std::int32_t>(bits);
    }
  }

  const csr_view<const T, Index, Offset>& a_;
  index_t begin_[height];
  index_t next_[height];
  index_t end_[height];
  index_t lanes_ = 0;
  bool aligned_ = false;     ///< run i takes entry i of every row
  bool lists_only_ = false;  ///< all entries are the rest
  buffer<run> runs_;
  index_t run_count_ = 0;
  buffer<index_t> rest_;
  index_t rest_count_[height];
  index_t list_steps_ = 0;
  index_t full_lists_ = 0;
  bool uniform_list_ = false;
};

/// What the packer decided about a matrix.
struct spmv_plan {
  bool runs = false;        ///< rows keep their order and steps are runs
  bool sorted = false;      ///< rows are sorted by length
  index_t window = 0;       ///< in windows of so many rows
  index_t long_row = 0;     ///< rows with more entries are stored one by one
};

/// Looks at some 64 slices, evenly spread: costs little, whatever the size of the matrix.
template <class T, class Index, class Offset>
spmv_plan plan_spmv(const csr_view<const T, Index, Offset>& a, const spmv_options& options,
                    slice_steps<T, Index, Offset>& steps) {
  constexpr index_t height = spmv_view<T>::height;
  const auto length = [&](index_t r) {
    return static_cast<index_t>(a.row_ptr[r + 1]) - static_cast<index_t>(a.row_ptr[r]);
  };
  const index_t slices = a.rows() / height;
  const index_t stride = slices <= 64 ? 1 : slices / 64;
  index_t entries = 0;
  index_t in_runs = 0;
  index_t longest = 0;
  for (index_t s = 0; s < slices; s += stride) {
    std::int32_t rows[height];
    bool too_long = false;
    for (index_t l = 0; l < height; ++l) {
      rows[l] = static_cast<std::int32_t>(s * height + l);
      too_long |= length(rows[l]) > slice_steps<T, Index, Offset>::longest;
    }
    if (too_long) continue;
    steps.load(rows, true);
    in_runs += steps.run_entries();
    for (index_t l = 0; l < height; ++l) entries += length(rows[l]);
  }
  spmv_plan plan;
  plan.long_row = slice_steps<T, Index, Offset>::longest;
  // Runs cost a third of a list step: worth it where most entries are in one.
  plan.runs = 10 * in_runs >= 6 * entries && entries > 0;
  if (plan.runs) return plan;
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
  return plan;
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
/// sorted rows without duplicates. Errors: as validate(csr); more than 2^31 - 1 rows or columns; out of
/// memory.
template <class U, class Index, class Offset>
result<spmv_packed<std::remove_const_t<U>>> pack_spmv(unchecked_t,
                                                      const csr_view<U, Index, Offset>& source,
                                                      const spmv_options& options = {}) {
  using T = std::remove_const_t<U>;
  using view = spmv_view<T>;
  constexpr index_t height = view::height;
  constexpr index_t most = std::numeric_limits<std::int32_t>::max();
  const csr_view<const T, Index, Offset> a{source.shape, source.row_ptr, source.columns,
                                           {source.values.data(), source.values.size()}};
  if (a.rows() > most || a.cols() > most) {
    return status{.code = errc::size_overflow, .object = "spmv",
                  .detail = a.rows() > most ? "rows" : "cols",
                  .got = std::max(a.rows(), a.cols()), .allowed = most};
  }
  packing::slice_steps<T, Index, Offset> steps(a);
  if (status s = steps.allocate(); !s) return s;
  const packing::spmv_plan plan = packing::plan_spmv(a, options, steps);
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
    steps.load(order.data() + s * height, plan.runs);
    spmv_slice slice = steps.counts();
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
      return status{.code = errc::size_overflow, .object = "spmv", .detail = "stream",
                    .got = std::max({word, line, column}), .allowed = fits};
    }
  }
  index_t long_entries = 0;
  for (index_t i = 0; i < alone.size(); ++i) {
    long_entries += static_cast<index_t>(a.row_ptr[alone[i] + 1]) -
                    static_cast<index_t>(a.row_ptr[alone[i]]);
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
  const index_t lengths[6] = {count * index_t{sizeof(spmv_slice)},
                              word * 4,
                              (line * height + long_entries) * index_t{sizeof(T)},
                              (column * height + long_entries) * 4,
                              identity ? 0 : order.size() * 4,
                              alone.size() * index_t{sizeof(spmv_row)}};
  if (status s = layout_packed(h, lengths, 6); !s) return s;
  buffer<std::byte> bytes;
  if (status s = bytes.allocate(h.total_bytes); !s) return s;
  std::memset(bytes.data(), 0, sizeof h);
  for (int i = 0; i < 6; ++i) {  // between the sections: nothing uninitialised goes into the checksum
    const index_t end = h.sections[i].offset + h.sections[i].bytes;
    const index_t next = i == 5 ? h.total_bytes : h.sections[i + 1].offset;
    std::memset(bytes.data() + end, 0, static_cast<std::size_t>(next - end));
  }
  const auto section = [&](int i) { return bytes.data() + h.sections[i].offset; };
  auto* const words = reinterpret_cast<std::int32_t*>(section(1));
  T* const values = reinterpret_cast<T*>(section(2));
  auto* const columns = reinterpret_cast<std::int32_t*>(section(3));
  if (count > 0) std::memcpy(section(0), slices.data(), static_cast<std::size_t>(lengths[0]));
  if (!identity && order.size() > 0) {
    std::memcpy(section(4), order.data(), static_cast<std::size_t>(lengths[4]));
  }
  for (index_t s = 0; s < count; ++s) {
    const index_t uniform = index_t{slices[s].uniform} + slices[s].uniform_partial;
    // Uniform values may leave the rest of their last cache line unused.
    for (index_t i = uniform; i < round_up(uniform, height); ++i) {
      values[(index_t{slices[s].value} + slices[s].full + slices[s].partial) * height + i] = T{0};
    }
    if (slices[s].uniform_list != 0) {
      std::fill_n(values + (index_t{slices[s].value} + slices[s].run_lines(height)) * height, height,
                  T{0});
    }
    steps.load(order.data() + s * height, plan.runs);
    steps.write(slices[s], words, values, columns);
  }
  auto* const rows = reinterpret_cast<spmv_row*>(section(5));
  index_t to = 0;
  for (index_t i = 0; i < alone.size(); ++i) {
    const index_t begin = static_cast<index_t>(a.row_ptr[alone[i]]);
    const index_t n = static_cast<index_t>(a.row_ptr[alone[i] + 1]) - begin;
    rows[i] = {alone[i], static_cast<std::int32_t>(n), column * height + to, line * height + to};
    for (index_t p = 0; p < n; ++p, ++to) {
      columns[column * height + to] = static_cast<std::int32_t>(a.columns[begin + p]);
      values[line * height + to] = a.values[begin + p];
    }
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
