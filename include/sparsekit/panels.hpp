// The panel layout: dense operands in the form that kernels re-lay X into, so that an engine can
// keep activations there between layers.
//
//   const sk::index_t width = sk::panel_width(W);      // the kernel's own
//   sk::buffer<float> memory;                          // of panel_elements(rows, columns, width)
//   sk::dense_view<float, sk::panel_major> X(memory.data(), rows, columns, width);
//   sk::to_panels(x, X);                               // once, from either layout
//   sk::multiply(W, X, Y, sk::bias(b) | sk::relu, ws); // Y: panels of that width, or row-major
//
// Columns are cut into panels of `width`; a panel is rows x width elements without gaps:
//
//   X(k, n) at data[(n / width * rows + k) * width + n % width]
//
// Nothing is strided, so rows do not share cache sets, and kernels read X where it lies (quads on
// AVX2 1.2 and 1.07 times as fast on the layers of two pruned networks). Behind the last column the
// last panel has room that multiply neither reads nor writes. Quads look for Inf and NaN in each
// panel when it is multiplied, by one pass of loads over what then is in L1: the view carries no
// state that could be stale. For W of pack() (with quads or wide rows) and of pack_dense(), f32 and
// f64.
#pragma once

#include "check.hpp"
#include "kernels/dense/packed.hpp"
#include "kernels/spmm/quads.hpp"
#include "kernels/spmm/wide.hpp"
#include "multiply.hpp"

namespace sparsekit {
inline namespace v0 {

/// Panels in somebody else's memory.
template <class T>
class dense_view<T, panel_major> {
 public:
  using value_type = std::remove_cv_t<T>;
  using element_type = T;
  using layout = panel_major;

  constexpr dense_view() = default;
  template <std::integral R, std::integral C, std::integral W>
  constexpr dense_view(T* data, R rows, C cols, W width)
      : data_(data), shape_(rows, cols), width_(static_cast<index_t>(width)) {}
  template <class U>
  requires std::convertible_to<U (*)[], T (*)[]>
  constexpr dense_view(
      const dense_view<U, panel_major>& other)  // NOLINT(google-explicit-constructor)
      : data_(other.data()), shape_(other.shape()), width_(other.width()) {}

  constexpr T* data() const { return data_; }
  constexpr extents shape() const { return shape_; }
  constexpr index_t rows() const { return shape_.rows; }
  constexpr index_t cols() const { return shape_.cols; }
  constexpr index_t width() const { return width_; }
  constexpr index_t panels() const { return ceil_div(shape_.cols, width_); }
  constexpr T& operator()(index_t r, index_t c) const {
    return data_[(c / width_ * shape_.rows + r) * width_ + c % width_];
  }
  /// Columns [p * width, ...) as a row-major view.
  constexpr dense_view<T, row_major> panel(index_t p) const {
    const index_t left = shape_.cols - p * width_;
    return {data_ + p * shape_.rows * width_, shape_.rows, left < width_ ? left : width_, width_};
  }
  constexpr index_t span_size() const {
    return shape_.rows <= 0 || shape_.cols <= 0 ? 0 : panels() * shape_.rows * width_;
  }

 private:
  T* data_ = nullptr;
  extents shape_{};
  index_t width_ = 1;
};

/// Elements of memory that rows x cols take as panels.
constexpr index_t panel_elements(index_t rows, index_t cols, index_t width) {
  return ceil_div(cols, width) * width * rows;
}

/// Whether a panel view describes memory: sizes not negative, width at least 1, no overflow, not
/// null.
template <class T>
status validate(const dense_view<T, panel_major>& v, const char* object = "dense_view") {
  if (v.rows() < 0 || v.cols() < 0) {
    return {.code = errc::negative_size,
            .object = object,
            .detail = v.rows() < 0 ? "rows" : "cols",
            .got = v.rows() < 0 ? v.rows() : v.cols()};
  }
  if (v.width() < 1) {
    return {.code = errc::bad_argument,
            .object = object,
            .detail = "width",
            .got = v.width(),
            .allowed = 1};
  }
  index_t columns = 0;
  index_t elements = 0;
  index_t bytes = 0;
  if (!checked_add(v.cols(), v.width() - 1, columns) ||
      !checked_multiply(columns, v.rows(), elements) ||
      !checked_multiply(elements, index_t{sizeof(T)}, bytes)) {
    return {.code = errc::size_overflow,
            .object = object,
            .detail = "rows * columns of whole panels",
            .got = v.cols(),
            .allowed = std::numeric_limits<index_t>::max()};
  }
  if (v.data() == nullptr && v.rows() > 0 && v.cols() > 0) {
    return {.code = errc::null_array, .object = object, .detail = "data", .allowed = v.span_size()};
  }
  return {};
}

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace operands {

template <class T>
index_t panel_width_of(const packed_view<T>& a) {
  if (a.has_wide()) return kernels::spmm_packed_wide<native_arch, std::remove_cv_t<T>>::width;
  const index_t most = kernels::quad_registers<native_arch>(a.has_quads() ? a.quads.interleave : 1);
  return most * simd::lanes<native_arch, std::remove_cv_t<T>>::width;
}
template <class T>
index_t panel_width_of(const packed_dense_view<T>&) {
  return kernels::gemm_packed_dense_columns<native_arch, std::remove_cv_t<T>>::width;
}
/// The kernels that multiply panels: whether they can for this matrix, and one panel.
template <class A>
struct panel_kernel;
template <class T>
struct panel_kernel<packed_view<T>> {
  static bool suits(const packed_view<T>& a) { return a.has_quads() || a.has_wide(); }
  template <class Call>
  static void run(const Call& c) {
    if (c.a.has_wide()) {
      kernels::spmm_packed_wide<native_arch, std::remove_cv_t<T>>::run(c);
    } else {
      kernels::spmm_packed_quads<native_arch, std::remove_cv_t<T>>::run(c);
    }
  }
};
template <class T>
struct panel_kernel<packed_dense_view<T>> {
  static bool suits(const packed_dense_view<T>&) { return true; }
  template <class Call>
  static void run(const Call& c) {
    kernels::gemm_packed_dense_columns<native_arch, std::remove_cv_t<T>>::run(c);
  }
};
template <class A>
concept panel_matrix = matrix_like<A> && !is_narrow<typename matrix_t<A>::value_type> &&
                       requires(const matrix_t<A>& a) {
  panel_width_of(a);
};
template <class LX, class LY>
concept panel_layouts = (std::same_as<LX, panel_major> &&
                         (std::same_as<LY, panel_major> || std::same_as<LY, row_major>)) ||
                        (std::same_as<LX, row_major> && std::same_as<LY, panel_major>);

/// A place in a panel seen as one in all of Y.
template <class Place>
struct panel_place {
  using lanes = typename Place::lanes;
  using value_type = typename Place::value_type;
  Place original;
  index_t column0;
  SPARSEKIT_INLINE auto old() const { return original.old(); }
  template <class U>
  SPARSEKIT_INLINE auto per_row(const U* b) const {
    return original.per_row(b);
  }
  template <class U>
  SPARSEKIT_INLINE auto per_column(const U* b) const {
    return original.per_column(b + column0);
  }
};
template <class E>
struct panel_epilogue : epilogue_base {
  static constexpr bool reads_y = E::reads_y;
  static constexpr bool is_short = E::is_short;
  const E* original;
  index_t column0;
  panel_epilogue(const E& e, index_t column) : original(&e), column0(column) {}
  template <class V, class Place>
  SPARSEKIT_INLINE auto operator()(V v, const Place& place) const {
    return (*original)(v, panel_place<Place>{place, column0});
  }
  template <class Place>
  SPARSEKIT_INLINE auto after(const Place& place) const {
    return place;
  }
  status check(extents) const { return {}; }
};

/// Columns of panel p of an operand in either layout.
template <class T>
dense_view<T, row_major> columns_of_panel(const dense_view<T, panel_major>& v, index_t p, index_t) {
  return v.panel(p);
}
template <class T>
dense_view<T, row_major> columns_of_panel(const dense_view<T, row_major>& v, index_t p,
                                          index_t width) {
  const index_t left = v.cols() - p * width;
  return {v.data() + p * width, v.rows(), left < width ? left : width, v.ld()};
}
template <class X, class Y>
index_t width_of(const X& x, const Y& y) {
  if constexpr (std::is_same_v<typename X::layout, panel_major>) {
    return x.width();
  } else {
    return y.width();
  }
}

}  // namespace operands

/// The width of panels that W's kernel reads where they lie; it re-lays others.
template <operands::panel_matrix A>
index_t panel_width(const A& a) {
  return operands::panel_width_of(operands::matrix(a));
}

/// Y = epilogue(A X) with X, Y or both as panels, of one width if both are; the other is row-major.
/// Needs a workspace for A. par() deals out panels. Errors: sk::check.
template <execution_policy Policy, operands::panel_matrix A, class TX, class LX, class TY, class LY,
          class... Optional>
requires operands::panel_layouts<LX, LY>
void multiply(const Policy& policy, const A& a, dense_view<TX, LX> x, dense_view<TY, LY> y,
              const Optional&... optional) {
  static_assert(operands::has_workspace<Optional...>, "products of panels need a workspace");
  const auto w = operands::matrix(a);
  using view = std::remove_cvref_t<decltype(w)>;
  using T = typename view::value_type;
  static_assert(std::is_same_v<std::remove_const_t<TX>, T> && std::is_same_v<TY, T>,
                "A, X and Y need one element type");
  using kernel = operands::panel_kernel<view>;
  const auto epilogue = operands::epilogue_in(optional...);
  using shifted = operands::panel_epilogue<std::remove_const_t<decltype(epilogue)>>;
  const scratch_memory scratch = operands::scratch_in(optional...);
  SPARSEKIT_ASSERT(w.rows() == y.rows() && w.cols() == x.rows() && x.cols() == y.cols());
  SPARSEKIT_ASSERT(kernel::suits(w));
  SPARSEKIT_ASSERT(operands::check_workspace(policy, w, y.cols(), optional...));
  if (y.rows() == 0 || y.cols() == 0) return;
  const index_t width = operands::width_of(x, y);
  run_tasks(policy, ceil_div(y.cols(), width), [&](index_t p, index_t worker) {
    const shifted e(epilogue, p * width);
    scratch_memory own = scratch;
    own.workers = scratch.worker_as<std::byte>(worker);
    own.worker_count = 1;
    kernel::run(kernels::call<sequential_policy, view, T, row_major, row_major, shifted>{
        seq, w, operands::columns_of_panel(dense_view<const T, LX>(x), p, width),
        operands::columns_of_panel(y, p, width), e, own});
  });
}

/// What multiply with panels would assert, as sk::check of other operands; also: panels of two
/// widths, and W that has neither quads nor wide rows (unsupported).
template <execution_policy Policy, operands::panel_matrix A, class TX, class LX, class TY, class LY,
          class... Optional>
requires operands::panel_layouts<LX, LY>
status check(const Policy& policy, const A& a, const dense_view<TX, LX>& x,
             const dense_view<TY, LY>& y, const Optional&... optional) {
  const auto w = operands::matrix(a);
  using view = std::remove_cvref_t<decltype(w)>;
  if (!operands::panel_kernel<view>::suits(w)) {
    return {.code = errc::unsupported,
            .object = "packed",
            .detail = "panels without quads or wide rows"};
  }
  if (status s = operands::check_product(w, x, y, operands::epilogue_in(optional...)); !s) return s;
  if constexpr (std::is_same_v<LX, LY>) {
    if (x.width() != y.width()) {
      return operands::mismatch("y", "width", y.width(), x.width());
    }
  }
  return operands::check_workspace(policy, w, x.cols(), optional...);
}

/// x into panels; to_panels(x, X) of the same shape. What lies behind the last column becomes zero.
template <class T, class U, class Layout>
requires std::same_as<std::remove_const_t<T>, U>
void to_panels(const dense_view<T, Layout>& x, const dense_view<U, panel_major>& to) {
  using lanes = simd::lanes<native_arch, U>;
  SPARSEKIT_ASSERT(x.rows() == to.rows() && x.cols() == to.cols());
  if (x.rows() == 0 || x.cols() == 0) return;
  const index_t width = to.width();
  for (index_t p = 0; p < to.panels(); ++p) {
    const auto panel = to.panel(p);
    if (width % lanes::width == 0) {
      static_cast<void>(kernels::relay_panel<lanes, U>(dense_view<const U, Layout>(x), p * width,
                                                       panel.cols(), width, panel.data()));
      continue;
    }
    for (index_t r = 0; r < x.rows(); ++r) {
      for (index_t j = 0; j < width; ++j) {
        panel.data()[r * width + j] = j < panel.cols() ? x(r, p * width + j) : U{0};
      }
    }
  }
}

/// Panels back into a view of the same shape in either layout.
template <class T, class U, class Layout>
requires std::same_as<std::remove_const_t<T>, U>
void from_panels(const dense_view<T, panel_major>& x, const dense_view<U, Layout>& to) {
  SPARSEKIT_ASSERT(x.rows() == to.rows() && x.cols() == to.cols());
  for (index_t p = 0; p < (x.rows() == 0 ? 0 : x.panels()); ++p) {
    const auto panel = x.panel(p);
    for (index_t r = 0; r < x.rows(); ++r) {
      for (index_t j = 0; j < panel.cols(); ++j) to(r, p * x.width() + j) = panel(r, j);
    }
  }
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
