// The verb: multiply([policy,] A, x, y [, epilogue] [, workspace]).
//
//   y = A x            x, y: vectors, or dense views in either layout (then Y = A X)
//   multiply(X, A, Y)  with the sparse operand on the right: Y = X A, by way of Y^T = A^T X^T
//
// The sparse operand comes first because a layer's weights stay while activations come and go. y is
// overwritten and never read, unless the epilogue says accumulate. Nothing is allocated or thrown.
// Wrong shapes are an assertion in debug builds; sk::check reports them in all builds.
#pragma once

#include "operands.hpp"
#include "policy.hpp"
#include "quantize.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace operands {

/// Vectors: x and y are vectors, one contiguous column each.
template <bool HasWorkspace, bool Vectors, class Policy, class A, class TX, class LX, class TY, class LY, class E>
void run(const Policy& policy, const A& a, dense_view<TX, LX> xv, dense_view<TY, LY> yv, const E& e,
         scratch_memory scratch) {
  using T = typename A::value_type;
  using XT = std::remove_const_t<TX>;
  static_assert(!std::is_const_v<TY>, "y must not be const");
  static_assert(types_go_together<T, XT, TY>(),
                "A, x and y need one element type; core/number.hpp tells which narrow types mix");
  SPARSEKIT_ASSERT(a.rows() == yv.rows() && a.cols() == xv.rows() && xv.cols() == yv.cols());
  if constexpr (is_narrow<T> && is_plain<typename format_of<A>::type>) {
    SPARSEKIT_ASSERT(!e.has_zero_point() && "a zero point of x needs packed weights");
  }
  if (yv.rows() == 0 || yv.cols() == 0) return;
  with_columns(xv, yv, [&](auto x, auto y, auto one_column) {
    using X = typename decltype(x)::layout;
    using Y = typename decltype(y)::layout;
    using call = kernels::call<Policy, A, T, X, Y, E, HasWorkspace, XT, TY, Vectors || one_column>;
    static_assert(
        kernels::has_kernel<native_arch, call>,
        "weights of bf16, f16 and s8 have no kernel in this form: dense ones are packed "
        "(pack_dense), and of a packed "
        "matrix there is no transpose (for Y = X A, and for transposed(A), pack the transpose)");
    [[maybe_unused]] const bool found =
        kernels::run_selected<native_arch>(call{policy, a, x, y, e, scratch});
    SPARSEKIT_ASSERT(found);
  });
}

}  // namespace operands

/// Y = epilogue(A X), or Y = epilogue(X A) when only the second operand is sparse. See the head of
/// this file. With an active_set for X, A is a column-major dense view (or the transpose of BSR
/// with 1 x 16 blocks), of which only the columns in the set are read; with a range of sets, a
/// column of Y for each; with active_rows::of(X), the same columns for all of Y. Elements are all
/// f32 or all f64; or A is bf16, f16 or s8, and X and Y are what types_go_together
/// (core/number.hpp) says. Cost: 2 nnz N operations; X and Y are read and written once.
template <execution_policy Policy, class A, class X, class Y, class... Optional>
void multiply(const Policy& policy, const A& a, X&& x, Y&& y, const Optional&... optional) {
  const auto epilogue = operands::epilogue_in(optional...);
  const scratch_memory scratch = operands::scratch_in(optional...);
  constexpr bool has_workspace = operands::has_workspace<Optional...>;
  if constexpr (is_active_set<std::remove_cvref_t<X>>) {
    // Only the columns of A that x names: their elements of x stand side by side.
    const auto w = operands::matrix(a);
    SPARSEKIT_ASSERT(x.size() == w.cols());
    const auto active = x.view();
    const auto columns = active_view_of(w, active.indices, true);
    const auto scaled_epilogue = operands::with_factor(a, epilogue);
    operands::with_dense(active.values, [&](auto xv) {
      operands::with_dense(y, [&](auto yv) {
        operands::run<has_workspace, operands::vector<Y>>(policy, columns, xv, yv, scaled_epilogue, scratch);
      });
    });
  } else if constexpr (is_active_rows<std::remove_cvref_t<X>>) {
    const auto w = operands::matrix(a);
    SPARSEKIT_ASSERT(x.size == w.cols());
    const auto columns = active_view_of(w, x.indices, false);
    const auto scaled_epilogue = operands::with_factor(a, epilogue);
    operands::with_dense(y, [&](auto yv) {
      operands::run<has_workspace, false>(policy, columns, x.x, yv, scaled_epilogue, scratch);
    });
  } else if constexpr (active_sets<X>) {
    const auto w = operands::matrix(a);
    using TX = typename std::remove_cvref_t<std::ranges::range_value_t<X>>::value_type;
    const active_batch_view<typename decltype(w)::value_type, TX> columns{w, x};
    const dense_view<const TX, col_major> no_x(nullptr, w.cols(), columns.sets.size(), w.cols());
    const auto scaled_epilogue = operands::with_factor(a, epilogue);
    operands::with_dense(y, [&](auto yv) {
      operands::run<has_workspace, false>(policy, columns, no_x, yv, scaled_epilogue, scratch);
    });
  } else if constexpr (operands::sparse<X>) {
    static_assert(!operands::sparse<A>, "a product of two sparse matrices is not provided");
    const operands::flipped_epilogue flipped(operands::with_factor(x, epilogue));
    constexpr bool both_vectors = operands::vector<A> && operands::vector<Y>;
    operands::with_transposed(a, [&](auto xv) {
      operands::with_transposed(y, [&](auto yv) {
        operands::run<has_workspace, both_vectors>(policy, transposed(operands::matrix(x)), xv, yv,
                                                   flipped, scratch);
      });
    });
  } else {
    static_assert(operands::matrix_like<A>, "the first operand is no matrix of this library");
    constexpr bool both_vectors = operands::vector<X> && operands::vector<Y>;
    const auto scaled_epilogue = operands::with_factor(a, epilogue);
    operands::with_dense(x, [&](auto xv) {
      operands::with_dense(y, [&](auto yv) {
        operands::run<has_workspace, both_vectors>(policy, operands::matrix(a), xv, yv,
                                                   scaled_epilogue, scratch);
      });
    });
  }
}
template <class A, class X, class Y, class... Optional>
  requires(!execution_policy<A>)
void multiply(const A& a, X&& x, Y&& y, const Optional&... optional) {
  multiply(seq, a, x, y, optional...);
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
