// active_set: the entries of an activation vector that count, found at run time. A layer behind a
// ReLU reads only the columns of W that it names.
//
//   sk::active_set<float> active(n);                 // room for n elements, reused for every token
//   active.assign_nonzero(h);                        // or a predicate, a threshold, a mask, a list
//   sk::multiply(sk::dense_view<const float, sk::col_major>(w, m, n), active, y);
//
// Weights and elements may be of the narrow types that go together (core/number.hpp), zero points
// apart. For several columns of x give a range of sets, one a column. Where W has zeros in 16 x 1
// blocks, both are skipped:
//
//   auto blocks = sk::to_bsr(sk::transposed(csr), {1, 16}).value();   // rows are columns of W
//   sk::multiply(sk::transposed(blocks), active, y);
//
// A tile of tokens shares one set: a feature that is zero for all of them is skipped.
//
//   sk::active_rows features(n);
//   features.assign_nonzero(X);                      // X: n x tokens, in either layout
//   sk::multiply(W, features.of(X), Y);
//
// An element that is not in the set never contributes, whatever its column of W holds.
#pragma once

#include "core/dense_view.hpp"
#include "core/storage.hpp"
#include "formats/element_bits.hpp"
#include "formats/transposed.hpp"
#include "simd/search.hpp"

namespace sparsekit {
inline namespace v0 {

/// Active elements of a vector of `size` elements: positions, increasing, and their values.
template <class T>
struct active_view {
  using value_type = std::remove_cv_t<T>;
  index_t size = 0;
  array_view<const std::uint32_t> indices{};
  array_view<const value_type> values{};
};

template <class T>
class active_set {
 public:
  using value_type = T;

  active_set() = default;
  /// Room for vectors of up to `capacity` elements. Throws, or aborts under -fno-exceptions, when
  /// there is no memory; `make` reports it instead.
  explicit active_set(index_t capacity) : active_set(make(capacity).value()) {}
  template <class Flags = flags_tag>
  static result<active_set> make(index_t capacity) {
    active_set s;
    if (capacity < 0 || capacity > max_capacity) {
      return status{.code = errc::bad_argument,
                    .object = "active_set",
                    .detail = "capacity",
                    .got = capacity,
                    .allowed = max_capacity};
    }
    // A search stores whole registers, of which the last lanes do not count.
    if (status e = s.indices_.allocate(capacity + slack); !e) return e;
    if (status e = s.values_.allocate(capacity + slack); !e) return e;
    s.capacity_ = capacity;
    return s;
  }

  /// The elements for which predicate(x[i]) holds. O(size). An error leaves the set empty.
  template <std::ranges::contiguous_range X, class Predicate, class Flags = flags_tag>
  status assign(const X& x, Predicate predicate) {
    const array_view<const T> v(x);
    if (status s = start(v.size()); !s) return s;
    index_t n = 0;
    for (index_t i = 0; i < v.size(); ++i) {
      indices_[n] = static_cast<std::uint32_t>(i);
      values_[n] = v[i];
      n += predicate(v[i]) ? 1 : 0;
    }
    count_ = n;
    return {};
  }
  /// x[i] != 0; NaN is active.
  template <std::ranges::contiguous_range X, class Flags = flags_tag>
  status assign_nonzero(const X& x) {
    using search = simd::search<native_arch, T>;
    if constexpr (search::available) {
      const array_view<const T> v(x);
      if (status s = start(v.size()); !s) return s;
      count_ = search::nonzero(v.data(), v.size(), indices_.data(), values_.data());
      return {};
    }
    return assign(x, [](T v) { return is_nonzero_element(v); });
  }
  /// x[i] > threshold; NaN is active.
  template <std::ranges::contiguous_range X, class Flags = flags_tag>
  status assign_above(const X& x, T threshold) {
    using search = simd::search<native_arch, T>;
    if constexpr (search::available) {
      const array_view<const T> v(x);
      if (status s = start(v.size()); !s) return s;
      count_ = search::above(threshold, v.data(), v.size(), indices_.data(), values_.data());
      return {};
    }
    return assign(x, [threshold](T v) { return !(ordered(v) <= ordered(threshold)); });
  }
  /// Bit i % 8 of mask[i / 8] says whether x[i] is active. Errors: a mask of another length, bits
  /// beyond the last element.
  template <std::ranges::contiguous_range X, class Flags = flags_tag>
  status assign_mask(const X& x, array_view<const std::uint8_t> mask) {
    const array_view<const T> v(x);
    if (status s = start(v.size()); !s) return s;
    if (mask.size() != ceil_div(v.size(), 8)) {
      return {.code = errc::length_mismatch,
              .object = "active_set",
              .detail = "mask",
              .got = mask.size(),
              .allowed = ceil_div(v.size(), 8)};
    }
    if (v.size() % 8 != 0 && mask[mask.size() - 1] >> v.size() % 8 != 0) {
      return {.code = errc::bad_pattern,
              .object = "active_set",
              .detail = "mask has bits beyond the last element",
              .entry = mask.size() - 1,
              .got = mask[mask.size() - 1],
              .allowed = (1 << v.size() % 8) - 1};
    }
    index_t n = 0;
    for (index_t i = 0; i < v.size(); ++i) {
      indices_[n] = static_cast<std::uint32_t>(i);
      values_[n] = v[i];
      n += mask[i / 8] >> i % 8 & 1;
    }
    count_ = n;
    return {};
  }
  /// The elements at these positions, which must increase.
  template <std::ranges::contiguous_range X, std::ranges::contiguous_range I,
            class Flags = flags_tag>
  status assign_indices(const X& x, const I& indices) {
    const array_view<const T> v(x);
    if (status s = start(v.size()); !s) return s;
    index_t n = 0;
    for (const auto i : indices) {
      const index_t at = static_cast<index_t>(i);
      if (at < 0 || at >= v.size()) {
        return {.code = errc::column_out_of_range,
                .object = "active_set",
                .detail = "indices",
                .entry = n,
                .got = at,
                .allowed = v.size()};
      }
      if (n > 0 && at <= static_cast<index_t>(indices_[n - 1])) {
        return {.code = at == static_cast<index_t>(indices_[n - 1]) ? errc::duplicate_entry
                                                                    : errc::not_sorted,
                .object = "active_set",
                .detail = "indices",
                .entry = n,
                .got = at,
                .allowed = indices_[n - 1]};
      }
      indices_[n] = static_cast<std::uint32_t>(at);
      values_[n] = v[at];
      ++n;
    }
    count_ = n;
    return {};
  }

  active_view<const T> view() const {
    return {size_, {indices_.data(), count_}, {values_.data(), count_}};
  }
  index_t capacity() const { return capacity_; }
  index_t size() const { return size_; }    ///< elements of the vector
  index_t count() const { return count_; }  ///< active ones among them

 private:
  static constexpr index_t slack = 64;
  static constexpr index_t max_capacity = std::numeric_limits<std::uint32_t>::max() - slack;

  static auto ordered(T v) {
    if constexpr (std::is_arithmetic_v<T>) {
      return v;
    } else {
      return static_cast<float>(v);
    }
  }
  status start(index_t size) {
    size_ = size;
    count_ = 0;
    if (size <= capacity_) return {};
    size_ = 0;
    return {.code = errc::length_mismatch,
            .object = "active_set",
            .detail = "x",
            .got = size,
            .allowed = capacity_};
  }

  buffer<std::uint32_t> indices_;
  buffer<T> values_;
  index_t capacity_ = 0;
  index_t size_ = 0;
  index_t count_ = 0;
};

/// X with the list of its rows that take part in a product: as the right operand.
template <class T, class Layout>
struct active_rows_view {
  dense_view<const T, Layout> x{};
  index_t size = 0;  ///< rows of the X that the list was made from
  array_view<const std::uint32_t> indices{};
};

/// Rows of X (features) of which some column (token) needs the values.
class active_rows {
 public:
  active_rows() = default;
  /// Room for up to `capacity` rows. Throws, or aborts under -fno-exceptions, when there is no
  /// memory; `make` reports it instead.
  explicit active_rows(index_t capacity) : active_rows(make(capacity).value()) {}
  static result<active_rows> make(index_t capacity) {
    active_rows s;
    if (capacity < 0 || capacity > max_capacity) {
      return status{.code = errc::bad_argument,
                    .object = "active_rows",
                    .detail = "capacity",
                    .got = capacity,
                    .allowed = max_capacity};
    }
    if (status e = s.indices_.allocate(capacity); !e) return e;
    s.capacity_ = capacity;
    return s;
  }

  /// The rows with an element for which predicate(x) holds. Reads X once. An error leaves the list
  /// empty.
  template <class T, class Layout, class Predicate, class Flags = flags_tag>
  status assign(dense_view<T, Layout> x, Predicate predicate) {
    size_ = 0;
    count_ = 0;
    if (x.rows() > capacity_) {
      return {.code = errc::length_mismatch,
              .object = "active_rows",
              .detail = "x",
              .got = x.rows(),
              .allowed = capacity_};
    }
    size_ = x.rows();
    // A block of rows at a time: in column-major X each column's part of it is read in one run.
    constexpr index_t block = 512;
    bool needed[block];
    for (index_t first = 0; first < x.rows(); first += block) {
      const index_t rows = x.rows() - first < block ? x.rows() - first : block;
      for (index_t i = 0; i < rows; ++i) needed[i] = false;
      if constexpr (Layout::rows_contiguous) {
        for (index_t i = 0; i < rows; ++i) {
          for (index_t j = 0; j < x.cols() && !needed[i]; ++j)
            needed[i] = predicate(x(first + i, j));
        }
      } else {
        for (index_t j = 0; j < x.cols(); ++j) {
          for (index_t i = 0; i < rows; ++i) needed[i] |= predicate(x(first + i, j));
        }
      }
      for (index_t i = 0; i < rows; ++i) {
        indices_[count_] = static_cast<std::uint32_t>(first + i);
        count_ += needed[i] ? 1 : 0;
      }
    }
    return {};
  }
  /// The rows that are not all zero; NaN is not.
  template <class T, class Layout, class Flags = flags_tag>
  status assign_nonzero(dense_view<T, Layout> x) {
    return assign(x, [](std::remove_cv_t<T> v) { return is_nonzero_element(v); });
  }

  /// X as the right operand of a product that reads these rows only. X is the one that the rows
  /// were found in, or one of as many rows.
  template <class T, class Layout>
  active_rows_view<std::remove_cv_t<T>, Layout> of(dense_view<T, Layout> x) const {
    return {x, size_, indices()};
  }
  array_view<const std::uint32_t> indices() const { return {indices_.data(), count_}; }
  index_t capacity() const { return capacity_; }
  index_t size() const { return size_; }    ///< rows of X
  index_t count() const { return count_; }  ///< active ones among them

 private:
  static constexpr index_t max_capacity = std::numeric_limits<std::uint32_t>::max();

  buffer<std::uint32_t> indices_;
  index_t capacity_ = 0;
  index_t size_ = 0;
  index_t count_ = 0;
};

/// Some columns of a column-major dense matrix, as the left operand of a product: the columns that
/// an active set names. x is either the whole vector or, if `compact`, its active elements.
template <class T>
struct active_columns_view {
  using value_type = std::remove_cv_t<T>;
  dense_view<const value_type, col_major> w{};
  array_view<const std::uint32_t> indices{};
  bool compact = false;

  index_t rows() const { return w.rows(); }
  index_t cols() const { return compact ? indices.size() : w.cols(); }
  index_t nnz() const { return w.rows() * indices.size(); }
  active_columns_view as_const() const { return *this; }
};

/// The same with an active set for each column of x.
template <class T, class TX>
struct active_batch_view {
  using value_type = std::remove_cv_t<T>;
  dense_view<const value_type, col_major> w{};
  array_view<const active_set<TX>> sets{};

  index_t rows() const { return w.rows(); }
  index_t cols() const { return w.cols(); }
  index_t nnz() const {
    index_t most = 0;
    for (const active_set<TX>& s : sets) most = s.count() > most ? s.count() : most;
    return w.rows() * most;
  }
  active_batch_view as_const() const { return *this; }
};

/// W in 16 x 1 blocks, given as its transpose: a row of `base`, whose blocks are 1 x 16, is a
/// column of W. Fast for this block only; any other is walked element by element.
template <class Base>
struct active_blocks_view {
  using value_type = typename Base::value_type;
  Base base{};  ///< a bsr_view
  array_view<const std::uint32_t> indices{};
  bool compact = false;

  index_t rows() const { return base.cols(); }
  index_t cols() const { return compact ? indices.size() : base.rows(); }
  index_t nnz() const { return base.nnz() / (base.rows() > 0 ? base.rows() : 1) * indices.size(); }
  active_blocks_view as_const() const { return *this; }
};

/// The view that multiplies active elements with weights W: a column-major dense view, or the
/// transpose of BSR.
template <class T>
auto active_view_of(const dense_view<T, col_major>& w, array_view<const std::uint32_t> indices,
                    bool compact) {
  return active_columns_view<std::remove_cv_t<T>>{w, indices, compact};
}
template <class T, class I, class O>
auto active_view_of(const transposed_view<bsr_view<T, I, O>>& w,
                    array_view<const std::uint32_t> indices, bool compact) {
  return active_blocks_view<bsr_view<T, I, O>>{w.base, indices, compact};
}

template <class T>
inline constexpr bool is_active_rows = false;
template <class T, class Layout>
inline constexpr bool is_active_rows<active_rows_view<T, Layout>> = true;

template <class T>
inline constexpr bool is_active_set = false;
template <class T>
inline constexpr bool is_active_set<active_set<T>> = true;
/// A range of active sets, one a column of x.
template <class R>
concept active_sets = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
    is_active_set<std::remove_cvref_t<std::ranges::range_reference_t<R>>>;

}  // namespace v0
}  // namespace sparsekit
