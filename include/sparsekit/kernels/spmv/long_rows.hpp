// Rows with very many entries, as power-law graphs have them, are cut into pieces that threads
// share. Where a row is cut depends on the matrix alone, and its sum is always that of its pieces,
// added in their order: the same bits with one thread as with many.
#pragma once

#include "../../formats/csr.hpp"
#include "../call.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// How the rows of a matrix with so many entries are cut: there are at most most_pieces of them,
/// none smaller than is worth a hand-over.
struct row_cut {
  static constexpr index_t most_pieces = 64;
  static constexpr index_t least_entries = index_t{1} << 15;

  index_t entries;  ///< of a piece, at least

  explicit row_cut(index_t nnz)
      : entries(ceil_div(nnz, most_pieces) > least_entries ? ceil_div(nnz, most_pieces)
                                                           : least_entries) {}
  bool cuts(index_t length) const { return length >= 2 * entries; }
  index_t pieces(index_t length) const { return length / entries; }
  /// Entries of a row before piece i.
  index_t begin(index_t length, index_t i) const {
    const index_t n = pieces(length);
    return length / n * i + length % n * i / n;
  }
};

/// All pieces of a matrix, which tasks sum in any order: pieces() lists them, join() adds them up.
template <class T>
struct row_pieces {
  struct piece {
    index_t row;
    index_t begin;  ///< entries of the row before it
    index_t end;
  };

  index_t count = 0;
  piece at[row_cut::most_pieces];
  T sum[row_cut::most_pieces];

  void add(const row_cut& cut, index_t row, index_t length) {
    const index_t n = cut.pieces(length);
    for (index_t i = 0; i < n; ++i) {
      at[count++] = {row, cut.begin(length, i), cut.begin(length, i + 1)};
    }
  }
  /// f(row, sum) for each row.
  template <class F>
  void join(F&& f) const {
    for (index_t i = 0; i < count;) {
      const index_t row = at[i].row;
      T all = sum[i];
      for (++i; i < count && at[i].row == row; ++i) all = all + sum[i];
      f(row, all);
    }
  }
};

/// dot(begin, end) of a row, piece by piece, on one thread. Not inlined: it is the rare case.
template <class T, class F>
SPARSEKIT_NOINLINE T sum_of_pieces(const row_cut& cut, index_t length, F&& dot) {
  T all = dot(index_t{0}, cut.begin(length, 1));
  for (index_t i = 1; i < cut.pieces(length); ++i) {
    all = all + dot(cut.begin(length, i), cut.begin(length, i + 1));
  }
  return all;
}

/// The rows of CSR that are cut. Each of them spans a multiple of the pieces' size, so that a few
/// binary searches find all of them.
template <class T, class Offset>
void find_long_rows(const row_cut& cut, array_view<const Offset> row_ptr, row_pieces<T>& to) {
  const index_t rows = row_ptr.size() - 1;
  const auto start = [&](index_t r) { return static_cast<index_t>(row_ptr[r]); };
  index_t last = -1;
  for (index_t entry = cut.entries; entry < start(rows); entry += cut.entries) {
    index_t low = last < 0 ? 0 : last;  // the row that holds this entry: start(low) <= entry
    index_t high = rows;
    while (high - low > 1) {
      const index_t middle = low + (high - low) / 2;
      (start(middle) <= entry ? low : high) = middle;
    }
    const index_t length = start(low + 1) - start(low);
    if (low != last && cut.cuts(length)) to.add(cut, low, length);
    last = low;
  }
}

}  // namespace kernels
SPARSEKIT_EXEC_END
