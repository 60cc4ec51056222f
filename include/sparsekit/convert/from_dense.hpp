// from_dense: a COO, CSR or CSC matrix of the elements of a dense one that are not zero.
#pragma once

#include "compress.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace convert {

/// Calls f(r, c, v) for each nonzero of w, in the order of memory.
template <class U, class Layout, class F>
void for_each_nonzero(const dense_view<U, Layout>& w, F&& f) {
  const index_t lines = Layout::rows_contiguous ? w.rows() : w.cols();
  const index_t length = Layout::rows_contiguous ? w.cols() : w.rows();
  if (length == 0) return;  // data may be null
  for (index_t i = 0; i < lines; ++i) {
    const U* line = w.data() + i * w.ld();
    for (index_t j = 0; j < length; ++j) {
      if (!is_nonzero<std::remove_cv_t<U>>(line[j])) continue;
      if constexpr (Layout::rows_contiguous) {
        f(i, j, line[j]);
      } else {
        f(j, i, line[j]);
      }
    }
  }
}

/// Both layouts are read in the order of memory, twice: count, then fill. Each row receives its
/// columns in increasing order either way.
template <class Axis, class Matrix, class U, class Layout>
result<Matrix> compressed_from_dense(const dense_view<U, Layout>& w) {
  using Index = typename Matrix::index;
  using Offset = typename Matrix::offset;
  constexpr const char* object = Axis::names.object;
  if (status s = validate(w, "dense"); !s) return s;
  if (status s = check_compressed_shape<Axis, Index>(w.shape()); !s) return s;
  const index_t major = Axis::major(w.rows(), w.cols());

  buffer<index_t> next;  // where the next entry of a row goes
  if (status s = next.allocate_zeroed(major); !s) return named(s, object);
  for_each_nonzero(w, [&](index_t r, index_t c, const U&) { ++next[Axis::major(r, c)]; });

  buffer<Offset> offsets;
  if (status s = offsets.allocate(major + 1); !s) return named(s, object);
  index_t nnz = 0;
  for (index_t i = 0; i < major; ++i) {
    const index_t count = next[i];
    offsets[i] = static_cast<Offset>(nnz);
    next[i] = nnz;
    nnz += count;
  }
  if (status s = check_nnz_fits<Offset>(nnz, object); !s) return s;
  offsets[major] = static_cast<Offset>(nnz);

  buffer<Index> indices;
  buffer<typename Matrix::value_type> values;
  if (status s = indices.allocate(nnz); !s) return named(s, object);
  if (status s = values.allocate(nnz); !s) return named(s, object);
  for_each_nonzero(w, [&](index_t r, index_t c, const U& v) {
    const index_t p = next[Axis::major(r, c)]++;
    indices[p] = static_cast<Index>(Axis::minor(r, c));
    values[p] = to_element<typename Matrix::value_type>(v);
  });
  return Matrix(w.shape(), std::move(offsets), std::move(indices), std::move(values));
}

/// The nonzeros of a dense matrix as a source of entries.
template <class U, class Layout>
struct nonzeros {
  dense_view<U, Layout> w;
  index_t count;
  index_t nnz() const { return count; }
};
template <class U, class Layout, class F>
void for_each_entry(const nonzeros<U, Layout>& a, F&& f) {
  for_each_nonzero(a.w, f);
}

}  // namespace convert
SPARSEKIT_EXEC_END_IN_V0

template <class T, index_type Index, index_type Offset>
template <class U, class Layout, class Flags>
result<csr_matrix<T, Index, Offset>> csr_matrix<T, Index, Offset>::from_dense(
    const dense_view<U, Layout>& w) {
  return convert::compressed_from_dense<convert::by_rows, csr_matrix>(w);
}

template <class T, index_type Index, index_type Offset>
template <class U, class Layout, class Flags>
result<csc_matrix<T, Index, Offset>> csc_matrix<T, Index, Offset>::from_dense(
    const dense_view<U, Layout>& w) {
  return convert::compressed_from_dense<convert::by_columns, csc_matrix>(w);
}

template <class T, index_type Index>
template <class U, class Layout, class Flags>
result<coo_matrix<T, Index>> coo_matrix<T, Index>::from_dense(const dense_view<U, Layout>& w) {
  if (status s = validate(w, "dense"); !s) return s;
  convert::nonzeros<U, Layout> source{w, 0};
  convert::for_each_nonzero(w, [&](index_t, index_t, const U&) { ++source.count; });
  convert::coordinate_arrays<T, Index> out;
  if (status s = convert::coordinates(w.shape(), source, out); !s) return s;
  return coo_matrix(w.shape(), std::move(out.row_indices), std::move(out.columns),
                    std::move(out.values));
}

}  // namespace v0
}  // namespace sparsekit
