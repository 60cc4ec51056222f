// The entries of a slice of rows as steps (formats/spmv_packed.hpp tells which there are): found
// once, counted, and written when all slices are counted.
#pragma once

#include <algorithm>

#include "../formats/csr.hpp"
#include "../formats/spmv_packed.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace packing {

/// Turns slices into steps: count() each of them, then rewind(), then write() them in the same
/// order. What count() found is kept in between, 8 bytes a step, but for slices whose rows are all
/// alike, which say it themselves.
template <class T, class Index, class Offset>
class slice_steps {
 public:
  static constexpr index_t height = spmv_view<T>::height;
  /// Longer rows are stored one by one: a slice counts its steps in 16 bits.
  static constexpr index_t longest = 2048;

  explicit slice_steps(const csr_view<const T, Index, Offset>& a) : a_(a) {
    for (index_t i = 0; i < round_up(std::min(window, a.cols() + height), block); ++i)
      lanes_at_[i] = 0;
  }

  /// Of rows rows[0], rows[1], ...; a row < 0 is an empty lane. The slice's starts are the
  /// caller's. Runs are looked for in neighbouring rows only.
  status count(const std::int32_t* rows, bool want_runs, spmv_slice& slice) {
    slice = {};
    open(rows);
    if (entries_ == 0) return {};
    if (!want_runs) {
      const auto [least, most] = std::minmax_element(length_, length_ + height);
      set_lists(slice, *least, *most, one_value());
      return {};
    }
    if (aligned()) {
      count_aligned(slice);
      return {};
    }
    fetch_values();
    step* steps = nullptr;
    const index_t before = steps_.size();
    if (status s = steps_.extend(entries_ + 1, steps); !s) return s;
    const index_t n = merged(steps);
    steps_.shrink(before + n);
    count_merged(steps, n, slice);
    steps[n - 1].bits |= last_step;
    return {};
  }
  /// Adds the entries of such a slice, how many of them would be in runs, and the bytes of these
  /// runs. Counts nothing.
  status look(const std::int32_t* rows, index_t& entries, index_t& in_runs, index_t& run_bytes) {
    open(rows);
    entries += entries_;
    if (entries_ == 0) return {};
    spmv_slice slice;
    if (aligned()) {
      in_runs += entries_;
      count_aligned(slice);
    } else {
      step* steps = nullptr;
      const index_t before = steps_.size();
      if (status s = steps_.extend(entries_ + 1, steps); !s) return s;
      const index_t n = merged(steps);
      for (index_t i = 0; i < n; ++i) {
        in_runs += is_run(steps[i]) ? std::popcount(steps[i].bits) : 0;
      }
      count_merged(steps, n, slice);
      steps_.shrink(before);
    }
    run_bytes += slice.run_lines(height) * height * index_t{sizeof(T)} +
                 4 * (slice.words() - slice.partial_lists);
    return {};
  }
  void rewind() { at_ = 0; }

  /// Writes a slice that was counted, where its starts lead. Values that no entry fills are zero.
  template <class Column>
  void write(const std::int32_t* rows, bool want_runs, const spmv_slice& s, std::int32_t* words,
             T* values, Column* columns) {
    words += s.word;
    values += index_t{s.value} * height;
    columns += index_t{s.column} * height;
    open(rows);
    if (entries_ == 0) return;
    list_writer<Column> list(*this, s, words + s.words() - s.partial_lists,
                             values + s.run_lines(height) * height, columns);
    if (!want_runs) {
      list.write_all();
      return;
    }
    const index_t uniform = index_t{s.uniform} + s.uniform_partial;
    T* const uniform_values = values + (index_t{s.full} + s.partial) * height;
    // Uniform values may leave the rest of their last cache line unused.
    for (index_t i = uniform; i < round_up(uniform, height); ++i) uniform_values[i] = T{0};
    if (adjacent() && (index_t{s.full} + s.uniform) * height == entries_) {
      write_aligned(s, words, values);
      return;
    }
    std::int32_t* word[4] = {words, words + s.full, words + s.full + 2 * s.partial,
                             words + s.full + 2 * s.partial + s.uniform};
    T* value[4] = {values, values + index_t{s.full} * height, uniform_values,
                   uniform_values + s.uniform};
    fetch_values();
    const index_t last = a_.nnz() - 1;
    std::int32_t taken[height] = {};  // entries of each lane in the steps before
    bool more = true;
    while (more) {
      const step& one = steps_[at_++];
      more = (one.bits & last_step) == 0;
      if ((one.bits & in_list) != 0) {
        list.put(one.bits, taken);
      } else {
        const int kind = static_cast<int>(one.bits >> kind_shift) & 3;
        *word[kind]++ = one.base;
        if ((kind & 1) != 0) *word[kind]++ = static_cast<std::int32_t>(one.bits & all_lanes);
        if ((kind & 2) != 0) {
          const index_t l = std::countr_zero(one.bits);
          *value[kind]++ = a_.values[begin_[l] + taken[l]];
        } else {
          for (index_t l = 0; l < height; ++l) {
            // Without a branch, which no processor foresees: any entry's value, or no bit of it.
            bits_of_value v;
            std::memcpy(&v, &a_.values[std::min(begin_[l] + taken[l], last)], sizeof v);
            v &= bits_of_value{0} - (one.bits >> l & 1);
            std::memcpy(&value[kind][l], &v, sizeof v);
          }
          value[kind] += height;
        }
      }
      take(one.bits, taken);
    }
    list.close();
  }

 private:
  /// The lanes in the low `bits` have an entry in column base + lane; above them what the step
  /// became.
  struct step {
    std::int32_t base;
    std::uint32_t bits;
  };
  static constexpr std::uint32_t all_lanes = (std::uint32_t{1} << height) - 1;
  static constexpr std::uint32_t last_step = std::uint32_t{1} << 31;
  static constexpr std::uint32_t in_list = std::uint32_t{1} << 30;
  static constexpr int kind_shift = 28;  ///< 1: partial; 2: uniform
  using bits_of_value = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  /// Bases that are sorted at once, and how many of them share a bit that says whether there are
  /// any.
  static constexpr index_t window = 4096;
  static constexpr index_t block = window / 64;
  using lanes = std::conditional_t<(height > 8), std::uint16_t, std::uint8_t>;
  static_assert(height <= 16);

  static bool same(const T& a, const T& b) { return std::memcmp(&a, &b, sizeof(T)) == 0; }
  static void take(std::uint32_t bits, std::int32_t (&taken)[height]) {
    for (index_t l = 0; l < height; ++l) taken[l] += (bits & (1u << l)) != 0 ? 1 : 0;
  }
  /// The rows lie one behind the other: their values arrive while something else is looked at.
  void fetch_values() const {
    const auto* const values = reinterpret_cast<const char*>(a_.values.data() + begin_[0]);
    for (index_t i = 0; i < entries_ * index_t{sizeof(T)}; i += 64) __builtin_prefetch(values + i);
  }
  bool fits_run(index_t base) const { return base >= 0 && base <= a_.cols() - height; }

  void open(const std::int32_t* rows) {
    lanes_ = 0;
    entries_ = 0;
    for (index_t l = 0; l < height; ++l) {
      const bool there = rows[l] >= 0;
      begin_[l] = there ? static_cast<index_t>(a_.row_ptr[rows[l]]) : 0;
      length_[l] = there ? static_cast<index_t>(a_.row_ptr[rows[l] + 1]) - begin_[l] : 0;
      lanes_ += there ? 1 : 0;
      entries_ += length_[l];
    }
  }

  void set_lists(spmv_slice& slice, index_t least, index_t most, bool uniform) const {
    slice.lists = static_cast<std::uint16_t>(least);
    slice.partial_lists = static_cast<std::uint16_t>(most - least);
    slice.uniform_list = uniform ? 1 : 0;
  }
  /// Whether all entries of the slice have the same value.
  bool one_value() const {
    const T* first = nullptr;
    for (index_t l = 0; l < height; ++l) {
      const T* const v = a_.values.data() + begin_[l];
      const index_t n = length_[l];
      if (n == 0) continue;
      first = first == nullptr ? v : first;
      bool equal = same(*first, *v) && same(*first, v[n - 1]);
      for (index_t j = 1; j < n && equal; ++j) equal = same(*first, v[j]);
      if (!equal) return false;
    }
    return true;
  }

  /// Whether the lanes are rows of one length, one behind the other.
  bool adjacent() const {
    bool is = lanes_ == height;
    for (index_t l = 1; l < height; ++l) is &= begin_[l] == begin_[0] + l * length_[0];
    return is && length_[height - 1] == length_[0];
  }
  /// The common case inside a grid: adjacent rows have the columns of the first, each one further
  /// on, so one comparison of the whole slice with itself tells.
  bool aligned() const {
    if (!adjacent()) return false;
    const index_t n = length_[0];
    const Index* const c = a_.columns.data() + begin_[0];
    if (static_cast<index_t>(c[n]) != static_cast<index_t>(c[0]) + 1) return false;
    if (!fits_run(static_cast<index_t>(c[0])) || !fits_run(static_cast<index_t>(c[n - 1])))
      return false;
    bool other = false;
    for (index_t p = 0; p < (height - 1) * n; ++p) {
      other |= static_cast<std::int32_t>(c[p + n]) - static_cast<std::int32_t>(c[p]) != 1;
    }
    return !other;
  }
  bool aligned_uniform(index_t j) const {
    const T* const v = a_.values.data() + begin_[0] + j;
    for (index_t l = 1; l < height; ++l) {
      if (!same(v[l * length_[0]], v[0])) return false;
    }
    return true;
  }
  void count_aligned(spmv_slice& slice) const {
    const index_t n = length_[0];
    const T* const v = a_.values.data() + begin_[0];
    index_t uniform = n;
    if (std::memcmp(v + n, v, static_cast<std::size_t>((height - 1) * n) * sizeof(T)) != 0) {
      uniform = 0;
      for (index_t j = 0; j < n; ++j) uniform += aligned_uniform(j) ? 1 : 0;
    }
    slice.uniform = static_cast<std::uint16_t>(uniform);
    slice.full = static_cast<std::uint16_t>(n - uniform);
  }
  void write_aligned(const spmv_slice& s, std::int32_t* words, T* values) const {
    const index_t n = length_[0];
    const T* const v = a_.values.data() + begin_[0];
    std::int32_t* uniform_words = words + s.full;
    T* uniform_values = values + index_t{s.full} * height;
    for (index_t j = 0; j < n; ++j) {
      const auto base = static_cast<std::int32_t>(a_.columns[begin_[0] + j]);
      if (s.full == 0 || aligned_uniform(j)) {
        *uniform_words++ = base;
        *uniform_values++ = v[j];
      } else {
        *words++ = base;
        for (index_t l = 0; l < height; ++l) *values++ = v[l * n + j];
      }
    }
  }

  /// The steps of the slice, by increasing base; `to` has room for one more than entries. A window
  /// of bases at a time: each lane marks its entries, then the marks are read in order. Merging the
  /// rows entry by entry takes three times as long, as no processor foresees which lanes are next.
  index_t merged(step* to) {
    const Index* const columns = a_.columns.data();
    index_t next[height];
    index_t end[height];
    for (index_t l = 0; l < height; ++l) {
      next[l] = begin_[l];
      end[l] = begin_[l] + length_[l];
    }
    index_t n = 0;
    for (;;) {
      constexpr index_t none = std::numeric_limits<index_t>::max();
      index_t base = none;
      for (index_t l = 0; l < height; ++l) {
        if (next[l] < end[l]) base = std::min(base, static_cast<index_t>(columns[next[l]]) - l);
      }
      if (base == none) return n;
      std::uint64_t used = 0;
      for (index_t l = 0; l < height; ++l) {
        const auto bit = static_cast<lanes>(1u << l);
        index_t p = next[l];
        for (; p < end[l]; ++p) {
          const index_t i = static_cast<index_t>(columns[p]) - l - base;
          if (i >= window) break;
          lanes_at_[i] = static_cast<lanes>(lanes_at_[i] | bit);
          used |= std::uint64_t{1} << (i / block);
        }
        next[l] = p;
      }
      for (; used != 0; used &= used - 1) {
        const index_t first = std::countr_zero(used) * block;
        constexpr index_t word = 8 / sizeof(lanes);
        for (index_t i = first; i < first + block; i += word) {
          std::uint64_t any;
          std::memcpy(&any, &lanes_at_[i], 8);
          if (any == 0) continue;
          for (index_t k = i; k < i + word; ++k) {
            to[n] = {static_cast<std::int32_t>(base + k), lanes_at_[k]};
            n += lanes_at_[k] != 0 ? 1 : 0;
          }
          std::memset(&lanes_at_[i], 0, 8);
        }
      }
    }
  }

  /// Runs have at least half of the lanes; everything else goes to the list.
  bool is_run(const step& s) const {
    return 2 * std::popcount(s.bits) >= height && fits_run(s.base);
  }

  void count_merged(step* steps, index_t n, spmv_slice& slice) const {
    std::int32_t taken[height] = {};
    std::int32_t listed[height] = {};
    std::uint16_t kinds[4] = {};
    const T* first_listed = nullptr;
    bool one_value = true;
    for (index_t i = 0; i < n; ++i) {
      const std::uint32_t bits = steps[i].bits;
      const auto value = [&](std::uint32_t left) -> const T& {
        const index_t l = std::countr_zero(left);
        return a_.values[begin_[l] + taken[l]];
      };
      const T& first = value(bits);
      if (is_run(steps[i])) {
        bool uniform = true;
        for (std::uint32_t left = bits & (bits - 1); left != 0 && uniform; left &= left - 1) {
          uniform = same(value(left), first);
        }
        const std::uint32_t kind = (bits != all_lanes ? 1u : 0u) | (uniform ? 2u : 0u);
        ++kinds[kind];
        steps[i].bits |= kind << kind_shift;
      } else {
        if (first_listed == nullptr) first_listed = &first;
        for (std::uint32_t left = bits; left != 0 && one_value; left &= left - 1) {
          one_value = same(value(left), *first_listed);
        }
        take(bits, listed);
        steps[i].bits |= in_list;
      }
      take(bits, taken);
    }
    slice.full = kinds[0];
    slice.partial = kinds[1];
    slice.uniform = kinds[2];
    slice.uniform_partial = kinds[3];
    const auto [least, most] = std::minmax_element(listed, listed + height);
    set_lists(slice, *least, *most, first_listed != nullptr && one_value);
  }

  /// The list of a slice: the j-th entry of each lane that is in no run makes step j.
  template <class Column>
  class list_writer {
   public:
    list_writer(const slice_steps& of, const spmv_slice& s, std::int32_t* words, T* values,
                Column* columns)
        : of_(of),
          full_(s.lists),
          steps_(s.list_steps()),
          uniform_(s.uniform_list != 0),
          words_(words),
          values_(values),
          columns_(columns) {
      if (steps_ == 0) return;
      for (index_t j = 0; j < s.partial_lists; ++j) words_[j] = 0;
      std::fill_n(values_ + (uniform_ ? 0 : full_ * height),
                  uniform_ ? height : s.partial_lists * height, T{0});
    }

    /// The next entry of each of these lanes, of which `taken` are in steps before.
    void put(std::uint32_t bits, const std::int32_t (&taken)[height]) {
      for (std::uint32_t left = bits & all_lanes; left != 0; left &= left - 1) {
        const index_t l = std::countr_zero(left);
        put_one(l, listed_[l]++, of_.begin_[l] + taken[l]);
      }
    }
    /// All entries of the slice.
    void write_all() {
      const T* value[height];
      const Index* column[height];
      for (index_t l = 0; l < height; ++l) {
        value[l] = of_.a_.values.data() + of_.begin_[l];
        column[l] = of_.a_.columns.data() + of_.begin_[l];
      }
      for (index_t j = 0; j < full_; ++j) {
        Column* const to = columns_ + j * height;
        for (index_t l = 0; l < height; ++l) to[l] = static_cast<Column>(column[l][j]);
      }
      for (index_t j = 0; j < full_ && !uniform_; ++j) {
        T* const to = values_ + j * height;
        for (index_t l = 0; l < height; ++l) to[l] = value[l][j];
      }
      if (uniform_ && full_ > 0) values_[0] = value[0][0];
      for (index_t l = 0; l < height; ++l) {
        for (index_t j = full_; j < of_.length_[l]; ++j) put_one(l, j, of_.begin_[l] + j);
      }
      close();
    }
    /// After all entries: lanes without one get a column that is in range, and near.
    void close() {
      for (index_t j = full_; j < steps_; ++j) {
        const auto bits = static_cast<std::uint32_t>(words_[j - full_]);
        Column* const to = columns_ + j * height;
        const Column some = to[std::bit_width(bits) - 1];
        for (index_t l = 0; l < height; ++l) {
          if ((bits & (1u << l)) == 0) to[l] = some;
        }
      }
    }

   private:
    void put_one(index_t l, index_t j, index_t entry) {
      columns_[j * height + l] = static_cast<Column>(of_.a_.columns[entry]);
      values_[uniform_ ? 0 : j * height + l] = of_.a_.values[entry];
      if (j >= full_) words_[j - full_] |= static_cast<std::int32_t>(1u << l);
    }

    const slice_steps& of_;
    index_t full_;
    index_t steps_;
    bool uniform_;
    std::int32_t* words_;
    T* values_;
    Column* columns_;
    index_t listed_[height] = {};
  };

  const csr_view<const T, Index, Offset>& a_;
  index_t begin_[height];
  index_t length_[height];
  index_t lanes_ = 0;
  index_t entries_ = 0;
  growing_buffer<step> steps_;
  index_t at_ = 0;
  lanes lanes_at_[window];  ///< those that have an entry at a base; zeros between uses
};

}  // namespace packing
SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
