// What multiply and check accept as operands, brought to one form: owners become views, vectors and
// mdspans become dense views, optional arguments are sorted out.
#pragma once

#include <ranges>

#include "convert/transpose.hpp"
#include "epilogue.hpp"
#include "formats/coo.hpp"
#include "formats/csc.hpp"
#include "formats/csr.hpp"
#include "kernels/select.hpp"
#include "workspace.hpp"

namespace sparsekit {
inline namespace v0 {

/// A view that stands for factor * A. A must outlive it.
template <class T, class A>
struct scaled_view {
  T factor;
  const A& base;
};
template <class T, class A>
  requires std::is_arithmetic_v<T>
scaled_view<T, A> scaled(T factor, const A& a) {
  return {factor, a};
}

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace operands {

// ---- the left operand: owners become views, views of mutable values become const ---------------

template <class T, class I, class O>
csr_view<const std::remove_const_t<T>, I, O> matrix(const csr_view<T, I, O>& a) {
  return {a.shape, a.row_ptr, a.columns, {a.values.data(), a.values.size()}};
}
template <class T, class I, class O>
csc_view<const std::remove_const_t<T>, I, O> matrix(const csc_view<T, I, O>& a) {
  return {a.shape, a.col_ptr, a.row_indices, {a.values.data(), a.values.size()}};
}
template <class T, class I>
coo_view<const std::remove_const_t<T>, I> matrix(const coo_view<T, I>& a) {
  return {a.shape, a.row_indices, a.columns, {a.values.data(), a.values.size()}};
}
template <class T, class L>
dense_view<const std::remove_const_t<T>, L> matrix(const dense_view<T, L>& a) {
  return a;
}
template <class View>
  requires requires(const View& a) { typename format_of<decltype(a.as_const())>::type; }
auto matrix(const View& a) {
  return a.as_const();
}
template <class Owner>
  requires requires(const Owner& a) { typename format_of<std::remove_cvref_t<decltype(a.view())>>::type; }
decltype(auto) matrix(const Owner& a) {
  return a.view();
}
template <class T, class A>
auto matrix(const scaled_view<T, A>& a) {
  return matrix(a.base);
}
template <class A>
concept matrix_like = requires(const A& a) { operands::matrix(a); };
template <class A>
using matrix_t = std::remove_cvref_t<decltype(operands::matrix(std::declval<const A&>()))>;
template <class A>
struct is_sparse : std::false_type {};
template <matrix_like A>
struct is_sparse<A>
    : std::bool_constant<!std::is_same_v<typename format_of<matrix_t<A>>::type, format::dense>> {};
/// A matrix in a sparse format or packed form.
template <class A>
concept sparse = is_sparse<std::remove_cvref_t<A>>::value;

/// The factor of a scaled view goes first in the epilogue.
template <class A, class E>
auto with_factor(const A&, const E& e) {
  return e;
}
template <class T, class A, class E>
auto with_factor(const scaled_view<T, A>& a, const E& e) {
  return with_factor(a.base, scale(a.factor) | e);
}

// ---- x and y ------------------------------------------------------------------------------------

template <class X>
concept vector = !matrix_like<std::remove_cvref_t<X>> &&
                 ((std::ranges::contiguous_range<X> && std::ranges::sized_range<X>) ||
                  mdspan_vector<std::remove_cvref_t<X>>);
template <class X>
struct is_dense_view : std::false_type {};
template <class T, class L>
struct is_dense_view<dense_view<T, L>> : std::true_type {};
template <class X>
concept dense = is_dense_view<std::remove_cvref_t<X>>::value ||
                mdspan_matrix<std::remove_cvref_t<X>> || vector<X>;

/// f(view) with a dense_view of the operand. A vector is one contiguous column. An mdspan's layout is
/// known at run time only.
template <class X, class F>
auto with_dense(X&& x, F&& f) {
  using plain = std::remove_cvref_t<X>;
  if constexpr (is_dense_view<plain>::value) {
    return f(x);
  } else if constexpr (mdspan_matrix<plain>) {
    using T = std::remove_pointer_t<decltype(x.data_handle())>;
    const index_t rows = static_cast<index_t>(x.extent(0));
    const index_t cols = static_cast<index_t>(x.extent(1));
    const index_t down = static_cast<index_t>(x.stride(0));
    const index_t right = static_cast<index_t>(x.stride(1));
    if (down == 1 || rows == 1) {
      return f(dense_view<T, col_major>(x.data_handle(), rows, cols, cols == 1 ? rows : right));
    }
    SPARSEKIT_ASSERT(right == 1 && "an mdspan needs stride 1 along rows or columns");
    return with_dense(dense_view<T, row_major>(x.data_handle(), rows, cols, down), f);
  } else if constexpr (mdspan_vector<plain>) {
    using T = std::remove_pointer_t<decltype(x.data_handle())>;
    SPARSEKIT_ASSERT(x.extent(0) <= 1 || x.stride(0) == 1);
    const index_t n = static_cast<index_t>(x.extent(0));
    return f(dense_view<T, col_major>(x.data_handle(), n, 1, n));
  } else {
    using T = std::remove_reference_t<std::ranges::range_reference_t<X>>;
    const index_t n = static_cast<index_t>(std::ranges::size(x));
    return f(dense_view<T, col_major>(std::ranges::data(x), n, 1, n));
  }
}

/// f(x, y, one column): where one of them is row-major and each has one contiguous column, both as col_major, in
/// which kernels take one column, and std::true_type, which spares a program the compile time of all others.
template <class TX, class LX, class TY, class LY, class F>
auto with_columns(dense_view<TX, LX> x, dense_view<TY, LY> y, F&& f) {
  if constexpr (LX::rows_contiguous || LY::rows_contiguous) {
    const bool contiguous =
        (!LX::rows_contiguous || x.ld() == 1) && (!LY::rows_contiguous || y.ld() == 1);
    if (x.cols() == 1 && contiguous) {
      return f(dense_view<TX, col_major>(x.data(), x.rows(), 1),
               dense_view<TY, col_major>(y.data(), y.rows(), 1), std::true_type{});
    }
  }
  return f(x, y, std::false_type{});
}

// ---- optional arguments: [epilogue] [, workspace] ------------------------------------------------

template <class T>
inline constexpr bool is_workspace = std::is_same_v<std::remove_cvref_t<T>, workspace>;

/// An epilogue, and a callable, where the caller has it: kernels copy theirs, which must not allocate or throw.
template <class E>
struct epilogue_reference : epilogue_base {
  static constexpr bool reads_y = E::reads_y;
  static constexpr bool is_short = E::is_short;
  const E* original;
  explicit epilogue_reference(const E& e) : original(&e) {}
  template <class V, class Place>
  SPARSEKIT_INLINE auto operator()(V v, const Place& place) const {
    return (*original)(v, place);
  }
  template <class Place>
  SPARSEKIT_INLINE auto after(const Place& place) const {
    return original->after(place);
  }
  constexpr bool has_zero_point() const { return original->has_zero_point(); }
  template <class TX>
  status check_x() const {
    return original->template check_x<TX>();
  }
  status check(extents y) const { return original->check(y); }
};
template <class F>
struct callable_reference {
  const F* original;
  template <class V>
  SPARSEKIT_INLINE auto operator()(const V& v) const {
    return (*original)(v);
  }
};

inline identity_epilogue epilogue_in() { return {}; }
template <class First, class... Rest>
auto epilogue_in(const First& first, const Rest&...) {
  if constexpr (is_workspace<First>) {
    return identity_epilogue{};
  } else if constexpr (std::is_trivially_copyable_v<First>) {
    return as_epilogue(first);
  } else if constexpr (epilogue<First>) {
    return epilogue_reference<First>(first);
  } else {
    return as_epilogue(callable_reference<First>{&first});
  }
}
template <class... Optional>
inline constexpr bool has_workspace = (is_workspace<Optional> || ...);
inline scratch_memory scratch_in() { return {}; }
template <class First, class... Rest>
scratch_memory scratch_in(const First& first, const Rest&... rest) {
  if constexpr (is_workspace<First>) {
    static_assert(sizeof...(Rest) == 0, "the workspace is the last argument");
    return first.memory();
  } else {
    static_assert(sizeof...(Rest) <= 1, "at most one epilogue and one workspace");
    return scratch_in(rest...);
  }
}

/// The epilogue of the transposed product: rows and columns of a place change roles.
template <class Place>
struct flipped_place {
  using lanes = typename Place::lanes;
  using value_type = typename Place::value_type;
  using y_type = typename Place::y_type;
  static constexpr const std::int32_t* weight_sums = nullptr;  ///< what scatters has none
  Place original;
  SPARSEKIT_INLINE auto old() const { return original.old(); }
  template <class U>
  SPARSEKIT_INLINE auto per_row(const U* b) const {
    return original.per_column(b);
  }
  template <class U>
  SPARSEKIT_INLINE auto per_column(const U* b) const {
    return original.per_row(b);
  }
  /// The same place for lanes of another type.
  template <class V>
  SPARSEKIT_INLINE auto as() const {
    const auto other = original.template as<V>();
    return flipped_place<std::remove_const_t<decltype(other)>>{other};
  }
};
template <class E>
struct flipped_epilogue : epilogue_base {
  static constexpr bool reads_y = E::reads_y;
  static constexpr bool is_short = E::is_short;
  E original;
  explicit flipped_epilogue(const E& e) : original(e) {}
  template <class V, class Place>
  SPARSEKIT_INLINE auto operator()(V v, const Place& place) const {
    return original(v, flipped_place<Place>{place});
  }
  template <class Place>
  SPARSEKIT_INLINE auto after(const Place& place) const {
    return original.after(flipped_place<Place>{place});
  }
  constexpr bool has_zero_point() const { return original.has_zero_point(); }
  template <class TX>
  status check_x() const {
    return original.template check_x<TX>();
  }
  status check(extents y) const { return original.check(extents(y.cols, y.rows)); }
};

/// The operand of the transposed product: a vector is the same either way.
template <class X, class F>
auto with_transposed(X&& x, F&& f) {
  if constexpr (vector<X>) {
    return with_dense(x, f);
  } else {
    return with_dense(x, [&](auto view) { return f(transposed(view)); });
  }
}

}  // namespace operands

/// The scratch memory that the best kernels for this matrix and up to `columns` columns of X want.
template <operands::matrix_like A>
workspace_size workspace_requirement(const A& a, index_t columns) {
  const auto matrix = operands::matrix(a);
  using T = typename std::remove_cvref_t<decltype(matrix)>::value_type;
  return kernels::largest_requirement<native_arch, T>(matrix, columns);
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
