// Owners and views of this library as plain lists, and the same matrix in guarded arrays.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "generators.hpp"
#include "guard.hpp"
#include "sparsekit/formats/coo.hpp"
#include "sparsekit/formats/csc.hpp"
#include "sparsekit/formats/csr.hpp"

namespace sparsekit_test {

/// The entries of a matrix in the order in which they are stored: (row, column, value).
template <class T>
using entry_list = std::vector<std::tuple<index_t, index_t, T>>;

template <class T, class I, class O>
entry_list<std::remove_const_t<T>> entries_of(const sparsekit::csr_view<T, I, O>& a) {
  entry_list<std::remove_const_t<T>> out;
  for (index_t r = 0; r < a.rows(); ++r) {
    for (auto p = static_cast<index_t>(a.row_ptr[r]); p < static_cast<index_t>(a.row_ptr[r + 1]);
         ++p) {
      out.emplace_back(r, static_cast<index_t>(a.columns[p]), a.values[p]);
    }
  }
  return out;
}
template <class T, class I, class O>
entry_list<std::remove_const_t<T>> entries_of(const sparsekit::csc_view<T, I, O>& a) {
  const sparsekit::csr_view<T, I, O> flipped{
      {a.cols(), a.rows()}, a.col_ptr, a.row_indices, a.values};
  auto out = entries_of(flipped);
  for (auto& [row, col, value] : out) std::swap(row, col);
  return out;
}
template <class T, class I>
entry_list<std::remove_const_t<T>> entries_of(const sparsekit::coo_view<T, I>& a) {
  entry_list<std::remove_const_t<T>> out;
  for (index_t p = 0; p < a.nnz(); ++p) {
    out.emplace_back(static_cast<index_t>(a.row_indices[p]), static_cast<index_t>(a.columns[p]),
                     a.values[p]);
  }
  return out;
}

/// The same entries by rows, or by columns.
template <class T>
entry_list<T> by_rows(entry_list<T> list) {
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
    return std::pair(std::get<0>(a), std::get<1>(a)) < std::pair(std::get<0>(b), std::get<1>(b));
  });
  return list;
}
template <class T>
entry_list<T> by_columns(entry_list<T> list) {
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
    return std::pair(std::get<1>(a), std::get<0>(a)) < std::pair(std::get<1>(b), std::get<0>(b));
  });
  return list;
}

/// CSR arrays between guard pages, read-only.
template <class T, class Index, class Offset>
class guarded_csr {
 public:
  guarded_csr(const csr_arrays<T, Index, Offset>& a, edge e, index_t offset = 0)
      : shape_(a.rows, a.cols),
        row_ptr_(a.row_ptr, e, offset),
        columns_(a.columns, e, offset),
        values_(a.values, e, offset) {
    row_ptr_.freeze();
    columns_.freeze();
    values_.freeze();
  }
  sparsekit::csr_view<const T, Index, Offset> view() const {
    return {shape_, row_ptr_.view(), columns_.view(), values_.view()};
  }

 private:
  sparsekit::extents shape_;
  guarded<Offset> row_ptr_;
  guarded<Index> columns_;
  guarded<T> values_;
};

}  // namespace sparsekit_test
