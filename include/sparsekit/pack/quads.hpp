// The packer of balanced row quads (formats/quads.hpp tells the form): CSR in, packed bytes out.
//
// A block takes two passes. The first finds the pattern of every column of every quad and counts them;
// the 0.4 quantile of the counts over the block's quads becomes the trip count. (Lower quantiles split
// more columns into smaller patterns, higher ones fill more slots; 0.3 to 0.5 are within 2 %.) The second
// brings each quad to these counts and writes the stream.
#pragma once

#include <algorithm>

#include "../formats/csr.hpp"
#include "../formats/quads.hpp"
#include "../policy.hpp"

namespace sparsekit {
inline namespace v0 {

/// How the stream is cut; from pack() by the column counts to serve.
struct quad_shape {
  index_t row_block = 512;
  index_t column_block = 256;
  index_t interleave = 2;
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace packing {

/// A short list of columns of a block.
struct column_list {
  std::uint8_t column[256];
  int size = 0;

  void push(std::uint8_t c) { column[size++] = c; }
  std::uint8_t pop() { return column[--size]; }
};

/// A column in the stream and the rows that really have an entry there.
struct quad_slot {
  std::uint8_t column;
  std::uint8_t rows;
};
struct slot_list {
  quad_slot slot[256];
  int size = 0;

  void push(std::uint8_t column, int rows) {
    slot[size++] = {column, static_cast<std::uint8_t>(rows)};
  }
};

/// One quad on its way from columns by pattern to the balanced stream.
template <class T>
struct quad_builder {
  column_list by_pattern[16];
  slot_list quad;
  slot_list triple[4];
  slot_list pair[6];
  std::uint16_t row[4];
  T value[4][256];

  column_list& single(int r) { return by_pattern[1 << r]; }

  void clear() {
    for (column_list& l : by_pattern) l.size = 0;
    quad.size = 0;
    for (slot_list& l : triple) l.size = 0;
    for (slot_list& l : pair) l.size = 0;
  }

  /// The row of a pattern that has the most single columns left, or -1.
  int fullest_single(int rows) {
    int best = -1;
    int most = 0;
    for (int r = 0; r < 4; ++r) {
      if ((rows >> r & 1) && single(r).size > most) most = single(best = r).size;
    }
    return best;
  }
  /// Among patterns inside `rows`, the list that exceeds its trip count the most; -1 if none does.
  template <std::size_t N>
  int fullest_inside(const int (&patterns)[N], int rows, int trips) {
    int best = -1;
    int most = trips;
    for (int p : patterns) {
      if ((p & rows) == p && by_pattern[p].size > most) most = by_pattern[best = p].size;
    }
    return best;
  }
  /// Among patterns inside `rows`, the list that lacks the most; -1 if none does.
  template <std::size_t N>
  int emptiest_inside(const int (&patterns)[N], int rows, int trips) {
    int best = -1;
    int least = trips;
    for (int p : patterns) {
      if ((p & rows) == p && by_pattern[p].size < least) least = by_pattern[best = p].size;
    }
    return best;
  }

  void balance(int t4, int t3, int t2) {
    split_quads(t4, t3, t2);
    move_all(by_pattern[15], quad, 15);
    while (quad.size < t4) fill(quad, 15, t3, t2);
    for (int t = 0; t < 4; ++t) split_triple(quad_triples[t], t3, t2);
    for (int t = 0; t < 4; ++t) {
      move_all(by_pattern[quad_triples[t]], triple[t], quad_triples[t]);
      while (triple[t].size < t3) fill(triple[t], quad_triples[t], -1, t2);
    }
    for (int p : quad_pairs) {
      while (by_pattern[p].size > t2) split_pair(p);
    }
    for (int d = 0; d < 6; ++d) {
      move_all(by_pattern[quad_pairs[d]], pair[d], quad_pairs[d]);
      while (pair[d].size < t2) fill(pair[d], quad_pairs[d], -1, -1);
    }
  }

 private:
  void move_all(column_list& from, slot_list& to, int rows) {
    for (int i = 0; i < from.size; ++i) to.push(from.column[i], rows);
    from.size = 0;
  }
  /// Too many columns of four rows: a triple and a single where triples lack, else two pairs.
  void split_quads(int t4, int t3, int t2) {
    while (by_pattern[15].size > t4) {
      const std::uint8_t c = by_pattern[15].pop();
      int part = emptiest_inside(quad_triples, 15, t3);
      if (part < 0) {
        part = emptiest_inside(quad_pairs, 15, t2);
        if (part < 0) part = quad_pairs[0];
      }
      by_pattern[part].push(c);
      by_pattern[15 ^ part].push(c);
    }
  }
  void split_triple(int rows, int t3, int t2) {
    while (by_pattern[rows].size > t3) {
      const std::uint8_t c = by_pattern[rows].pop();
      int part = emptiest_inside(quad_pairs, rows, t2);
      if (part < 0) part = rows & (rows - 1);
      by_pattern[part].push(c);
      by_pattern[rows ^ part].push(c);
    }
  }
  void split_pair(int rows) {
    const std::uint8_t c = by_pattern[rows].pop();
    for (int r = 0; r < 4; ++r) {
      if (rows >> r & 1) single(r).push(c);
    }
  }
  /// Too few: a column of a smaller pattern that has too many, the missing rows filled. Trip counts
  /// below zero say that patterns of that size are not to be taken.
  void fill(slot_list& to, int rows, int t3, int t2) {
    int from = t3 < 0 ? -1 : fullest_inside(quad_triples, rows, t3);
    if (from < 0 && t2 >= 0) from = fullest_inside(quad_pairs, rows, t2);
    if (from < 0) {
      const int r = fullest_single(rows);
      if (r >= 0) from = 1 << r;
    }
    if (from < 0) {
      to.push(0, 0);
    } else {
      to.push(by_pattern[from].pop(), from);
    }
  }
};

/// The stream of one row block.
template <class T>
struct quad_part {
  growing_buffer<quad_block> blocks;
  growing_buffer<std::uint16_t> heads;
  growing_buffer<std::uint8_t> columns;
  growing_buffer<T> values;
};

template <class T, class Index, class Offset>
class quad_packer {
 public:
  quad_packer(const csr_view<const T, Index, Offset>& a, quad_shape shape) : a_(a), shape_(shape) {}

  /// Packs rows [r0, r0 + rows) into `out`.
  status pack(index_t r0, index_t rows, quad_part<T>& out) {
    if (status s = scratch_.allocate(1); !s) return s;
    scratch& w = scratch_[0];
    for (index_t r = 0; r < rows; ++r) w.cursor[r] = static_cast<index_t>(a_.row_ptr[r0 + r]);
    index_t k0 = 0;
    do {  // at least once: rows without columns have a block as well
      if (status s = pack_block(w, r0, rows, k0, out); !s) return s;
      k0 += shape_.column_block;
    } while (k0 < a_.cols());
    return {};
  }

 private:
  static constexpr index_t max_rows = quad_view<T>::max_row_block;
  static constexpr index_t max_quads = max_rows / 4 + 2;

  struct scratch {
    index_t cursor[max_rows];
    index_t begin[max_rows];
    std::int32_t count[max_rows];
    std::int32_t order[max_rows + 8];
    std::int32_t bucket[258];
    std::uint8_t pattern[max_quads][256];
    std::int32_t quads_of[3][max_quads];
    quad_builder<T> builder[2];
  };

  status pack_block(scratch& w, index_t r0, index_t rows, index_t k0, quad_part<T>& out) {
    const index_t k1 = std::min(a_.cols(), k0 + shape_.column_block);
    sort_rows(w, r0, rows, k1);
    const int per_group = static_cast<int>(4 * shape_.interleave);
    const index_t groups = ceil_div(rows, per_group);
    const index_t quads = groups * shape_.interleave;
    for (index_t i = rows; i < quads * 4; ++i) w.order[i] = -1;
    for (index_t q = 0; q < quads; ++q) find_patterns(w, q, k0, k1);
    quad_block block;
    block.groups = static_cast<std::int32_t>(groups);
    block.t4 = quantile(w.quads_of[0], quads);
    block.t3 = quantile(w.quads_of[1], quads);
    block.t2 = quantile(w.quads_of[2], quads);
    block.head = out.heads.size();
    block.column = out.columns.size();
    block.value = out.values.size();
    if (status s = out.blocks.push_back(block); !s) return s;
    for (index_t g = 0; g < groups; ++g) {
      if (status s = pack_group(w, block, g, k0, out); !s) return s;
    }
    return {};
  }

  /// Rows by falling number of entries in the column block: a counting sort, stable.
  void sort_rows(scratch& w, index_t r0, index_t rows, index_t k1) {
    std::fill(std::begin(w.bucket), std::end(w.bucket), 0);
    for (index_t r = 0; r < rows; ++r) {
      const index_t end = static_cast<index_t>(a_.row_ptr[r0 + r + 1]);
      index_t p = w.cursor[r];
      w.begin[r] = p;
      while (p < end && static_cast<index_t>(a_.columns[p]) < k1) ++p;
      w.cursor[r] = p;
      w.count[r] = static_cast<std::int32_t>(p - w.begin[r]);
      ++w.bucket[256 - w.count[r] + 1];
    }
    for (int i = 1; i < 258; ++i) w.bucket[i] += w.bucket[i - 1];
    for (index_t r = 0; r < rows; ++r) {
      w.order[w.bucket[256 - w.count[r]]++] = static_cast<std::int32_t>(r);
    }
  }

  void find_patterns(scratch& w, index_t q, index_t k0, index_t k1) {
    std::uint8_t* pattern = w.pattern[q];
    std::fill(pattern, pattern + 256, std::uint8_t{0});
    for (int r = 0; r < 4; ++r) {
      const std::int32_t row = w.order[4 * q + r];
      if (row < 0) continue;
      const Index* column = a_.columns.data() + w.begin[row];
      for (std::int32_t i = 0; i < w.count[row]; ++i) {
        std::uint8_t& p = pattern[static_cast<index_t>(column[i]) - k0];
        p = static_cast<std::uint8_t>(p | 1 << r);
      }
    }
    std::int32_t histogram[16] = {};
    for (index_t k = 0; k < k1 - k0; ++k) ++histogram[pattern[k]];
    std::int32_t threes = 0;
    std::int32_t twos = 0;
    for (int p : quad_triples) threes += histogram[p];
    for (int p : quad_pairs) twos += histogram[p];
    w.quads_of[0][q] = histogram[15];
    w.quads_of[1][q] = threes / 4;
    w.quads_of[2][q] = twos / 6;
  }

  static std::uint16_t quantile(std::int32_t* counts, index_t n) {
    std::int32_t* at = counts + n * 2 / 5;
    std::nth_element(counts, at, counts + n);
    return static_cast<std::uint16_t>(*at);
  }

  void load_quad(scratch& w, quad_builder<T>& b, index_t q, index_t k0) {
    b.clear();
    for (int r = 0; r < 4; ++r) {
      const std::int32_t row = w.order[4 * q + r];
      b.row[r] = row < 0 ? quad_view<T>::no_row : static_cast<std::uint16_t>(row);
      if (row < 0) continue;
      for (index_t p = w.begin[row]; p < w.begin[row] + w.count[row]; ++p) {
        // -0.0 means "filled"; as a source value it acts like 0.0.
        b.value[r][static_cast<index_t>(a_.columns[p]) - k0] = slot_value<T>(a_.values[p]);
      }
    }
    const index_t width = std::min(a_.cols(), k0 + shape_.column_block) - k0;
    const std::uint8_t* pattern = w.pattern[q];
    for (index_t k = 0; k < width; ++k) {
      b.by_pattern[pattern[k]].push(static_cast<std::uint8_t>(k));
    }
    b.by_pattern[0].size = 0;
  }

  status pack_group(scratch& w, const quad_block& block, index_t g, index_t k0, quad_part<T>& out) {
    const int n = static_cast<int>(shape_.interleave);
    int singles = 0;
    for (int z = 0; z < n; ++z) {
      quad_builder<T>& b = w.builder[z];
      load_quad(w, b, g * n + z, k0);
      b.balance(block.t4, block.t3, block.t2);
      for (int r = 0; r < 4; ++r) singles = std::max(singles, b.single(r).size);
      for (int r = 0; r < 4; ++r) {
        if (status s = out.heads.push_back(b.row[r]); !s) return s;
      }
    }
    if (status s = out.heads.push_back(static_cast<std::uint16_t>(singles)); !s) return s;
    const index_t columns = quad_group_columns(block, n, singles);
    const index_t values = quad_group_values(block, n, singles);
    std::uint8_t* c = nullptr;
    T* v = nullptr;
    if (status s = out.columns.extend(columns, c); !s) return s;
    if (status s = out.values.extend(values, v); !s) return s;
    const auto emit = [&](quad_builder<T>& b, int rows, quad_slot slot) {
      *c++ = slot.column;
      for (int r = 0; r < 4; ++r) {
        if ((rows >> r & 1) == 0) continue;
        *v++ = slot.rows >> r & 1 ? b.value[r][slot.column] : empty_slot_value<T>();
      }
    };
    for (int i = 0; i < block.t4; ++i) {
      for (int z = 0; z < n; ++z) emit(w.builder[z], 15, w.builder[z].quad.slot[i]);
    }
    for (int i = 0; i < block.t3; ++i) {
      for (int z = 0; z < n; ++z) {
        for (int t = 0; t < 4; ++t) {
          emit(w.builder[z], quad_triples[t], w.builder[z].triple[t].slot[i]);
        }
      }
    }
    for (int i = 0; i < block.t2; ++i) {
      for (int z = 0; z < n; ++z) {
        for (int d = 0; d < 6; ++d) emit(w.builder[z], quad_pairs[d], w.builder[z].pair[d].slot[i]);
      }
    }
    for (int i = 0; i < singles; ++i) {
      for (int z = 0; z < n; ++z) {
        for (int r = 0; r < 4; ++r) {
          const column_list& l = w.builder[z].single(r);
          const bool present = i < l.size;
          // A filled step reads the row's last column again: it is in cache.
          const std::uint8_t column = l.size == 0 ? std::uint8_t{0}
                                                  : l.column[present ? i : l.size - 1];
          emit(w.builder[z], 1 << r,
               {column, static_cast<std::uint8_t>(present ? 1 << r : 0)});
        }
      }
    }
    return {};
  }

  csr_view<const T, Index, Offset> a_;
  quad_shape shape_;
  buffer<scratch> scratch_;
};

}  // namespace packing

/// Packs a valid CSR matrix. Row blocks are packed independently, on `policy`'s threads.
/// Time: some ten multiplies with 64 columns; memory: 4.7 to 6 bytes a nonzero for float, 2.6 to 3.4
/// for bf16 and f16.
template <class Policy, class T, class Index, class Offset>
result<quad_matrix<T>> pack_quads(const Policy& policy, const csr_view<const T, Index, Offset>& a,
                                  quad_shape shape) {
  using part = packing::quad_part<T>;
  struct task_result {
    part* where;
    status error;
  };
  const index_t parts = ceil_div(a.rows(), shape.row_block);
  // Parts hold buffers, so they are built in raw memory by hand.
  buffer<std::byte> memory;
  if (status s = memory.allocate(parts * index_t{sizeof(part)}); !s) return s;
  struct part_array {
    part* data;
    index_t size;
    ~part_array() {
      for (index_t i = 0; i < size; ++i) data[i].~part();
    }
  } list{reinterpret_cast<part*>(memory.data()), parts};
  for (index_t i = 0; i < parts; ++i) ::new (static_cast<void*>(list.data + i)) part();
  buffer<status> errors;
  if (status s = errors.allocate(parts); !s) return s;
  run_tasks(policy, parts, [&](index_t i, index_t) {
    packing::quad_packer<T, Index, Offset> packer(a, shape);
    const index_t r0 = i * shape.row_block;
    errors[i] = packer.pack(r0, std::min(a.rows() - r0, shape.row_block), list.data[i]);
  });
  index_t sizes[4] = {0, 0, 0, 0};
  for (index_t i = 0; i < parts; ++i) {
    if (!errors[i]) return errors[i];
    const part& p = list.data[i];
    sizes[0] += p.blocks.size() * index_t{sizeof(quad_block)};
    sizes[1] += p.heads.size() * index_t{sizeof(std::uint16_t)};
    sizes[2] += p.columns.size();
    sizes[3] += p.values.size() * index_t{sizeof(T)};
  }
  packed_header h;
  h.form = packed_form::quads;
  h.type = packed_type_of<T>;
  h.rows = a.rows();
  h.cols = a.cols();
  h.nnz = a.nnz();
  h.slots = sizes[3] / index_t{sizeof(T)};
  h.row_block = static_cast<std::int32_t>(shape.row_block);
  h.column_block = static_cast<std::int32_t>(shape.column_block);
  h.interleave = static_cast<std::int32_t>(shape.interleave);
  if (status s = layout_packed(h, sizes, 4); !s) return s;
  buffer<std::byte> bytes;
  if (status s = bytes.allocate_zeroed(h.total_bytes); !s) return s;
  std::byte* at[4];
  for (int i = 0; i < 4; ++i) at[i] = bytes.data() + h.sections[i].offset;
  index_t head = 0;
  index_t column = 0;
  index_t value = 0;
  const auto append = [&](int section, const void* data, index_t n) {
    if (n > 0) std::memcpy(at[section], data, static_cast<std::size_t>(n));
    at[section] += n;
  };
  for (index_t i = 0; i < parts; ++i) {
    part& p = list.data[i];
    for (index_t b = 0; b < p.blocks.size(); ++b) {
      quad_block block = p.blocks[b];
      block.head += head;
      block.column += column;
      block.value += value;
      append(0, &block, sizeof block);
    }
    append(1, p.heads.data(), p.heads.size() * index_t{sizeof(std::uint16_t)});
    append(2, p.columns.data(), p.columns.size());
    append(3, p.values.data(), p.values.size() * index_t{sizeof(T)});
    head += p.heads.size();
    column += p.columns.size();
    value += p.values.size();
  }
  seal_packed(bytes.data(), h);
  return quad_matrix<T>(std::move(bytes));
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
