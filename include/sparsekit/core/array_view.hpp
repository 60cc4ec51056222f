// array_view: a pointer and a length. Like std::span, but a length of any integer type can be passed in
// braces without a narrowing error, as engines hold theirs in int.
#pragma once

#include <concepts>
#include <cstddef>
#include <ranges>
#include <type_traits>

#include "checked.hpp"

namespace sparsekit {
inline namespace v0 {

template <class T>
class array_view {
 public:
  using value_type = std::remove_cv_t<T>;

  constexpr array_view() = default;
  template <std::integral I>
  constexpr array_view(T* data, I size) : data_(data), size_(static_cast<index_t>(size)) {}
  /// Anything contiguous and sized: std::vector, std::array, std::span, another array_view.
  template <std::ranges::contiguous_range R>
    requires std::ranges::sized_range<R> &&
             std::convertible_to<std::remove_reference_t<std::ranges::range_reference_t<R>> (*)[],
                                 T (*)[]> &&
             (!std::same_as<std::remove_cvref_t<R>, array_view>)
  constexpr array_view(R&& range)  // NOLINT(google-explicit-constructor): as std::span
      : data_(std::ranges::data(range)), size_(static_cast<index_t>(std::ranges::size(range))) {}

  constexpr T* data() const { return data_; }
  constexpr index_t size() const { return size_; }
  constexpr bool empty() const { return size_ <= 0; }
  constexpr T& operator[](index_t i) const { return data_[i]; }
  constexpr T* begin() const { return data_; }
  constexpr T* end() const { return data_ + size_; }

 private:
  T* data_ = nullptr;
  index_t size_ = 0;
};

template <std::ranges::contiguous_range R>
array_view(R&&) -> array_view<std::remove_reference_t<std::ranges::range_reference_t<R>>>;

/// Rows and columns of a matrix.
struct extents {
  index_t rows = 0;
  index_t cols = 0;

  constexpr extents() = default;
  template <std::integral R, std::integral C>
  constexpr extents(R r, C c) : rows(static_cast<index_t>(r)), cols(static_cast<index_t>(c)) {}
  friend constexpr bool operator==(const extents&, const extents&) = default;
};

}  // namespace v0
}  // namespace sparsekit
