#pragma once
#include "../formats/coo.hpp"
#include "../formats/csc.hpp"
#include "../formats/csr.hpp"
namespace sparsekit { inline namespace v0 {
template <class T, class I, class O> csc_view<T, I, O> transposed(const csr_view<T, I, O>& a) { return {{a.cols(), a.rows()}, a.row_ptr, a.columns, a.values}; }
template <class T, class I, class O> csr_view<T, I, O> transposed(const csc_view<T, I, O>& a) { return {{a.cols(), a.rows()}, a.col_ptr, a.row_indices, a.values}; }
template <class T, class I> coo_view<T, I> transposed(const coo_view<T, I>& a) { return {{a.cols(), a.rows()}, a.columns, a.row_indices, a.values}; }
}}
