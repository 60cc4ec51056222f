// pack(): constant weights once into the form that multiplies fastest, for the column counts to serve.
//
//   auto W = sk::pack(csr, {.columns = {1, 512}}).value();
//   sk::workspace ws(W, {.max_columns = 512});
//   sk::multiply(W, X, Y, sk::bias(b) | sk::relu, ws);
#pragma once

#include <initializer_list>

#include "../formats/packed.hpp"
#include "bitmask.hpp"
#include "lookup.hpp"
#include "quads.hpp"
#include "spmv.hpp"
#include "target.hpp"
#include "wide.hpp"

namespace sparsekit {
inline namespace v0 {

/// The column counts that X will have. Any other count works as well; these are the ones to be fast at.
/// Of more than most_counts the least, the most and the first of the others are kept.
class column_counts {
 public:
  static constexpr int most_counts = 8;

  constexpr column_counts() = default;
  constexpr column_counts(std::initializer_list<index_t> counts)
      : column_counts(counts.begin(), static_cast<index_t>(counts.size())) {}
  constexpr column_counts(const index_t* counts, index_t size) {
    for (index_t i = 0; i < size; ++i) {
      if (counts[i] < 1 && bad_ == 1) bad_ = counts[i];
      insert(counts[i]);
    }
  }
  constexpr index_t least() const { return size_ == 0 ? 0 : at_[0]; }
  constexpr index_t most() const { return size_ == 0 ? 0 : at_[size_ - 1]; }
  constexpr bool empty() const { return size_ == 0; }
  /// Different counts, increasing.
  constexpr int size() const { return size_; }
  constexpr index_t operator[](int i) const { return at_[i]; }
  /// The first count below 1, or 1.
  constexpr index_t bad() const { return bad_; }

 private:
  constexpr void insert(index_t n) {
    int place = 0;
    while (place < size_ && at_[place] < n) ++place;
    if (place < size_ && at_[place] == n) return;
    if (size_ == most_counts) {
      if (place == 0) {
        at_[0] = n;
      } else if (place == size_) {
        at_[size_ - 1] = n;
      }
      return;
    }
    for (int i = size_; i > place; --i) at_[i] = at_[i - 1];
    at_[place] = n;
    ++size_;
  }

  index_t at_[most_counts] = {};
  int size_ = 0;
  index_t bad_ = 1;
};

struct pack_options {
  column_counts columns{64};
  /// f32: for one to three columns, keep only 18 bits of the weights' mantissas: each is off by at most 2^-18 of
  /// itself, a fifth of the bytes is saved. More columns stay exact.
  bool keep_18_bits = false;
  pack_target target = pack_target::native;  ///< native: what this program is compiled for
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// How to cut quads for a matrix of this density and these column counts.
template <class T>
quad_shape choose_quad_shape(const extents& shape, index_t nnz, const column_counts& columns,
                             pack_target target = pack_target::native) {
  // 16 registers hold one quad across two of them; two quads across one load X once an FMA. On Zen 3 one quad
  // is 1.35 times faster for 16 to 128 columns at 50 to 95 % zeros; blocks of 128 columns lose 10 to 20 %.
  if (packing::resolved(target) == pack_target::avx2 &&
      columns.most() * index_t{sizeof(sum_of_t<T>)} >= 64) {
    return {.row_block = 512, .column_block = 256, .interleave = 1};
  }
  const index_t elements = shape.rows * shape.cols;
  // On Emerald Rapids one quad is ahead from 8 % entries on, by a tenth at 10 to 15 %. Others: not timed.
  const double least = packing::resolved(target) == pack_target::avx512 ? 0.08 : 0.15;
  const bool dense_enough = elements > 0 && static_cast<double>(nnz) > least * static_cast<double>(elements);
  const index_t wide = 256 / static_cast<index_t>(sizeof(sum_of_t<T>));
  // One quad across four registers reads each value once for 64 columns; two quads across two registers
  // suit fewer columns and few entries a row.
  if (columns.most() >= wide && dense_enough) {
    return {.row_block = 512, .column_block = 128, .interleave = 1};
  }
  return {.row_block = 512, .column_block = 256, .interleave = 2};
}

/// Whether quads are worth their frame: each group of rows has heads in every 256 columns, entries
/// or not. Weights have many entries a head. A graph of a million nodes would take gigabytes of
/// heads.
inline bool quads_hold(const extents& shape, index_t nnz) {
  const double groups =
      static_cast<double>(ceil_div(shape.rows, 8)) * static_cast<double>(ceil_div(shape.cols, 256));
  return groups <= static_cast<double>(nnz) + 65536;
}

/// Whether wide rows (formats/wide.hpp) serve all of these columns better than balanced quads.
template <class T>
bool prefers_wide(const extents& shape, index_t nnz, const pack_options& options) {
  if (shape.cols > wide_view<T>::max_cols) return false;
  if (nnz == 0) return true;
  return packing::wide_wins<T>(options.target, shape, nnz, options.columns.least()) &&
         packing::wide_wins<T>(options.target, shape, nnz, options.columns.most());
}

/// Whether a matrix is like pruned weights, with entries everywhere: then windows of x are well used.
/// Grids and graphs, with a few entries a row of many, are not. A window holds half as many f64: below
/// 5 % entries slices are ahead (bcsstk16, ex6, fs_183_1 by 1.5-2x; well1033 is behind by 1.6x).
///
/// Where one column is served, slices take it where they are faster. avx2 has windows of two registers, 16 f32 or 8
/// f64. Speed of window-lookup steps over slices on Zen 3, uniform zeros, 512 x 512 and 2048 x 512: f32 at 5 / 10 / 20 /
/// 35 % entries .63 / .83 / 1.08 / 1.4; f64 .26 / .36 / .5 / .62, at 50 % .8 to 1.06. avx512, Emerald Rapids, the same
/// and 2048 x 2048: a step's empty slots cost little time in cache, and bytes beyond it. f32 in L2 at 1 / 2 / 5 % .9 /
/// 1.15 / 1.7, beyond it at 2 / 5 / 10 % .55 to .9 / .8 to .95 / 1; f64 of 512 x 512 at 5 / 10 / 20 % .8 / 1.3 / 1.6, of
/// 2048 x 512 .9 / .8 / .8, beyond L2 .4 to .5 / .7 / .8 to .9.
template <class T>
bool is_weights(const extents& shape, index_t nnz, const pack_options& options) {
  const pack_target target = packing::resolved(options.target);
  double least = sizeof(T) == 8 ? 0.05 : 0.01;
  if (options.columns.least() == 1 && target == pack_target::avx2) {
    least = sizeof(T) == 8 ? 0.5 : 0.17;
  } else if (options.columns.least() == 1 && target == pack_target::avx512) {
    // Windows of f64 are half as long and have more empty slots.
    const bool in_cache = nnz <= (sizeof(T) == 8 ? index_t{60'000} : index_t{200'000});
    least = in_cache ? (sizeof(T) == 8 ? 0.07 : 0.015) : (sizeof(T) == 8 ? 0.25 : 0.06);
  }
  return shape.cols <= lookup_view<T>::max_cols &&
         static_cast<double>(nnz) >
             least * static_cast<double>(shape.rows) * static_cast<double>(shape.cols);
}

/// Whether a bitmask serves one to three columns better than window-lookup steps. From memory it reads fewer
/// bytes where few places are empty; expanding takes as long whatever the number of zeros. AVX2: measured on
/// Zen 3 over dense of the same type, from memory / in cache, bitmask against lookup: bf16 1.27 : .91 at 50 %
/// zeros, 1.41 : 1.33 at 70, 1.6 : 2.0 at 80 / .60 : .52, .60 : .77 at 70; f16 1.64 : 1.28 at 80, 1.9 : 2.8 at
/// 90 / .49 : .49 at 80; f32 as fast at 50 / .43 : .59; s8 .95 : 1.05 at 50 / .37 : .76. AVX-512: from probes,
/// from memory only; in cache neither measured nor chosen. Others have the thresholds of AVX2, not measured.
template <class T>
bool prefers_bitmask(const extents& shape, index_t nnz, pack_target target) {
  const double elements = static_cast<double>(shape.rows) * static_cast<double>(shape.cols);
  const bool from_memory = nnz > (index_t{12} << 20) / index_t{sizeof(T)};
  double least = 2;  // never
  if (packing::resolved(target) == pack_target::avx512) {
    if (from_memory) least = sizeof(T) == 4 ? 0.16 : sizeof(T) == 8 ? 2 : 0.28;
  } else if (std::is_same_v<T, bfloat16>) {
    least = from_memory ? 0.27 : 0.45;
  } else if (std::is_same_v<T, float16>) {
    least = from_memory ? 0.16 : 0.2;
  }
  return static_cast<double>(nnz) >= least * elements;
}

template <execution_policy Policy, class T, class Index, class Offset>
result<packed_matrix<std::remove_const_t<T>>> pack(const Policy& policy, unchecked_t,
                                                   const csr_view<T, Index, Offset>& a,
                                                   const pack_options& options = {}) {
  using value = std::remove_const_t<T>;
  if (options.columns.empty() || options.columns.bad() < 1) {
    return status{.code = errc::bad_argument, .object = "pack",
                  .detail = options.columns.empty() ? "number of column counts" : "columns",
                  .got = options.columns.empty() ? 0 : options.columns.bad(), .allowed = 1};
  }
  const csr_view<const value, Index, Offset> source{
      a.shape, a.row_ptr, a.columns, {a.values.data(), a.values.size()}};
  const lookup_options lookup_way{.keep_18_bits = options.keep_18_bits, .target = options.target};
  quad_matrix<value> quads;
  lookup_matrix<value> lookup;
  spmv_packed<value> spmv;
  wide_matrix<value> wide;
  bitmask_matrix<value> bits;
  bool has_few = false;
  // Window-lookup steps serve more columns than a bitmask does, and than weights that are not exact
  // may.
  const bool masks =
      !options.keep_18_bits && prefers_bitmask<value>(a.shape, a.nnz(), options.target);
  const auto for_few = [&](index_t columns) {
    return masks || options.keep_18_bits
               ? columns <= 3
               : packing::lookup_serves<value>(options.target, a.shape, a.nnz(), columns);
  };
  // Entries too few and far apart for it, as in graphs, are an error only where there is no other form.
  const auto pack_few = [&](bool must) -> status {
    const status s = masks ? convert::bitmask_from(source).get(bits)
                           : pack_lookup(unchecked, source, lookup_way).get(lookup);
    has_few = static_cast<bool>(s);
    const bool too_sparse = s.code == errc::unsupported || s.code == errc::size_overflow;
    return too_sparse && !must ? status{} : s;
  };
  if constexpr (std::is_integral_v<value>) {
    // The forms that s8 has, whatever the count of columns.
    if (status s = pack_few(true); !s) return s;
  } else if constexpr (is_narrow<value>) {
    if (for_few(options.columns.least()) || options.keep_18_bits) {
      if (status s = pack_few(options.keep_18_bits); !s) return s;
    }
    if (!has_few || !for_few(options.columns.most())) {
      if (!quads_hold(a.shape, a.nnz())) {
        return status{.code = errc::unsupported,
                      .object = "pack",
                      .detail =
                          "entries too few and far apart for the forms of 16-bit types: "
                          "multiply the matrix as it is"};
      }
      const quad_shape shape =
          choose_quad_shape<value>(a.shape, a.nnz(), options.columns, options.target);
      if (status s = pack_quads(policy, source, shape).get(quads); !s) return s;
    }
  } else {
    const bool weights = options.keep_18_bits || is_weights<value>(a.shape, a.nnz(), options);
    if (for_few(options.columns.least()) && weights) {
      if (status s = pack_few(options.keep_18_bits); !s) return s;
    }
    const auto pack_slices = [&] { return pack_spmv(unchecked, source).get(spmv); };
    if (!has_few && options.columns.least() == 1) {
      if (status s = pack_slices(); !s) return s;
    }
    // A form for few columns serves any number, if it must, but slowly.
    const bool few = has_few ? for_few(options.columns.most()) : options.columns.most() <= 1;
    if (!few || (!has_few && spmv.bytes().empty())) {
      if (prefers_wide<value>(a.shape, a.nnz(), options)) {
        if (status s = pack_wide(policy, source).get(wide); !s) return s;
      } else if (!has_few && !quads_hold(a.shape, a.nnz())) {
        // Slices take any number of columns, if slowly.
        if (spmv.bytes().empty()) {
          if (status s = pack_slices(); !s) return s;
        }
      } else {
        const quad_shape shape =
            choose_quad_shape<value>(a.shape, a.nnz(), options.columns, options.target);
        if (status s = pack_quads(policy, source, shape).get(quads); !s) return s;
      }
    }
  }
  return packed_matrix<value>(a.shape, a.nnz(), std::move(quads), std::move(lookup),
                              std::move(spmv), std::move(wide), std::move(bits));
}

/// Packs a CSR matrix for multiply. The source is validated first (`sk::unchecked` skips that) and
/// not needed afterwards. Errors: an invalid source, no or a non-positive column count,
/// keep_18_bits of other types than f32; narrow types, or keep_18_bits: errc::unsupported where
/// entries are so few and far apart, as in large graphs, that their forms would take many times the
/// memory of the entries (they are multiplied as CSR); out of memory.
template <execution_policy Policy, class T, class Index, class Offset>
result<packed_matrix<std::remove_const_t<T>>> pack(const Policy& policy,
                                                   const csr_view<T, Index, Offset>& a,
                                                   const pack_options& options = {}) {
  if (status s = validate(a); !s) return s;
  return pack(policy, unchecked, a, options);
}
template <class T, class Index, class Offset>
result<packed_matrix<std::remove_const_t<T>>> pack(const csr_view<T, Index, Offset>& a,
                                                   const pack_options& options = {}) {
  return pack(seq, a, options);
}
/// An owner's structure has been validated.
template <execution_policy Policy, class T, class Index, class Offset>
result<packed_matrix<T>> pack(const Policy& policy, const csr_matrix<T, Index, Offset>& a,
                              const pack_options& options = {}) {
  return pack(policy, unchecked, a.view(), options);
}
template <class T, class Index, class Offset>
result<packed_matrix<T>> pack(const csr_matrix<T, Index, Offset>& a,
                              const pack_options& options = {}) {
  return pack(seq, a, options);
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
