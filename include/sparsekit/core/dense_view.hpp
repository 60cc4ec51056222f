// dense_view: a dense matrix in memory that somebody else owns, row-major or column-major.
//
// Activations come in two layouts, and X always has the logical shape features x tokens here:
//   row_major  X(k, n) at data[k * ld + n]   features x tokens in memory, as 1x1 convolutions have it
//   col_major  X(k, n) at data[n * ld + k]   tokens x features in memory, as transformers have it
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "../status.hpp"
#include "array_view.hpp"

namespace sparsekit {
inline namespace v0 {

struct row_major {
  static constexpr bool rows_contiguous = true;
};
struct col_major {
  static constexpr bool rows_contiguous = false;
};
/// Panels of some columns each, as kernels re-lay X: panels.hpp.
struct panel_major {};
template <class L>
concept dense_layout =
    std::same_as<L, row_major> || std::same_as<L, col_major> || std::same_as<L, panel_major>;

template <class T, dense_layout Layout = row_major>
class dense_view {
 public:
  using value_type = std::remove_cv_t<T>;
  using element_type = T;
  using layout = Layout;

  constexpr dense_view() = default;
  /// rows x cols elements without gaps.
  template <std::integral R, std::integral C>
  constexpr dense_view(T* data, R rows, C cols)
      : data_(data),
        shape_(rows, cols),
        ld_(Layout::rows_contiguous ? shape_.cols : shape_.rows) {}
  /// With a leading dimension: elements between the starts of two rows (col_major: columns).
  template <std::integral R, std::integral C, std::integral L>
  constexpr dense_view(T* data, R rows, C cols, L ld)
      : data_(data), shape_(rows, cols), ld_(static_cast<index_t>(ld)) {}
  template <class U>
    requires std::convertible_to<U (*)[], T (*)[]>
  constexpr dense_view(const dense_view<U, Layout>& other)  // NOLINT(google-explicit-constructor)
      : data_(other.data()), shape_(other.shape()), ld_(other.ld()) {}

  constexpr T* data() const { return data_; }
  constexpr extents shape() const { return shape_; }
  constexpr index_t rows() const { return shape_.rows; }
  constexpr index_t cols() const { return shape_.cols; }
  constexpr index_t ld() const { return ld_; }
  constexpr T& operator()(index_t r, index_t c) const {
    return data_[Layout::rows_contiguous ? r * ld_ + c : c * ld_ + r];
  }
  /// Elements that the view spans in memory, first to last.
  constexpr index_t span_size() const {
    if (shape_.rows <= 0 || shape_.cols <= 0) return 0;
    return Layout::rows_contiguous ? (shape_.rows - 1) * ld_ + shape_.cols
                                   : (shape_.cols - 1) * ld_ + shape_.rows;
  }

 private:
  T* data_ = nullptr;
  extents shape_{};
  index_t ld_ = 0;
};

/// Whether a dense view describes memory: sizes not negative, ld wide enough, no overflow, not null.
template <class T, class Layout>
status validate(const dense_view<T, Layout>& v, const char* object = "dense_view") {
  if (v.rows() < 0 || v.cols() < 0) {
    return {.code = errc::negative_size,
            .object = object,
            .detail = v.rows() < 0 ? "rows" : "cols",
            .got = v.rows() < 0 ? v.rows() : v.cols()};
  }
  const index_t width = Layout::rows_contiguous ? v.cols() : v.rows();
  const index_t count = Layout::rows_contiguous ? v.rows() : v.cols();
  if (v.ld() < width) {
    return {.code = errc::bad_leading_dimension, .object = object, .got = v.ld(), .allowed = width};
  }
  index_t elements = 0;
  index_t bytes = 0;
  if (!checked_multiply(count, v.ld(), elements) ||
      !checked_multiply(elements, index_t{sizeof(T)}, bytes)) {
    return {.code = errc::size_overflow,
            .object = object,
            .detail = "rows * ld",
            .got = v.ld(),
            .allowed = std::numeric_limits<index_t>::max()};
  }
  if (v.data() == nullptr && width > 0 && count > 0) {
    return {.code = errc::null_array, .object = object, .detail = "data", .allowed = elements};
  }
  return {};
}

/// The same memory read as the transpose: rows and columns swap, and so does the layout.
template <class T>
constexpr dense_view<T, col_major> transposed(const dense_view<T, row_major>& v) {
  return {v.data(), v.cols(), v.rows(), v.ld()};
}
template <class T>
constexpr dense_view<T, row_major> transposed(const dense_view<T, col_major>& v) {
  return {v.data(), v.cols(), v.rows(), v.ld()};
}

/// Anything of two-dimensional std::mdspan's shape (Kokkos' too): a concept, not a dependency.
template <class M>
concept mdspan_matrix = requires(const M& m) {
  { m.extent(0) } -> std::convertible_to<index_t>;
  { m.stride(0) } -> std::convertible_to<index_t>;
  { m.data_handle() } -> std::convertible_to<const volatile void*>;
  requires M::rank() == 2;
};
/// Anything of one-dimensional mdspan's shape; multiply needs stride 1.
template <class M>
concept mdspan_vector = requires(const M& m) {
  { m.extent(0) } -> std::convertible_to<index_t>;
  { m.stride(0) } -> std::convertible_to<index_t>;
  { m.data_handle() } -> std::convertible_to<const volatile void*>;
  requires M::rank() == 1;
};

}  // namespace v0
}  // namespace sparsekit
