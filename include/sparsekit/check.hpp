// check([policy,] A, x, y [, epilogue] [, workspace]): whether a call of multiply with these
// operands is allowed. O(1): it looks at shapes, strides, lengths and addresses, not at elements;
// `validate` does that. (Weights of s8 that nobody packed, if there are many: check_plain.)
#pragma once

#include "convert/entries.hpp"
#include "formats/weight_range.hpp"
#include "operands.hpp"
#include "policy.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0
namespace operands {

inline status mismatch(const char* object, const char* detail, index_t got, index_t allowed) {
  return {.code = errc::shape_mismatch, .object = object, .detail = detail, .got = got,
          .allowed = allowed};
}

/// Whether two ranges of bytes share one.
template <class X, class Y>
bool overlap(const X& x, const Y& y) {
  const auto address = [](const auto* p) { return reinterpret_cast<std::uintptr_t>(p); };
  const std::uintptr_t x0 = address(x.data());
  const std::uintptr_t y0 = address(y.data());
  const std::uintptr_t x1 = x0 + static_cast<std::uintptr_t>(x.span_size()) * sizeof(*x.data());
  const std::uintptr_t y1 = y0 + static_cast<std::uintptr_t>(y.span_size()) * sizeof(*y.data());
  return x.span_size() > 0 && y.span_size() > 0 && x0 < y1 && y0 < x1;
}

template <class A, class X, class Y, class E>
status check_product(const A& a, const X& x, const Y& y, const E& e) {
  if (status s = validate(x, "x"); !s) return s;
  if (status s = validate(y, "y"); !s) return s;
  if (x.rows() != a.cols()) return mismatch("x", "rows", x.rows(), a.cols());
  if (y.rows() != a.rows()) return mismatch("y", "rows", y.rows(), a.rows());
  if (y.cols() != x.cols()) return mismatch("y", "cols", y.cols(), x.cols());
  if (overlap(x, y)) return {.code = errc::aliased_operands, .object = "y", .detail = "y"};
  if (status s = e.template check_x<typename X::value_type>(); !s) return s;
  return e.check(y.shape());
}

template <class Policy, class A>
status check_workspace(const Policy&, const A&, index_t) {
  return {};
}
template <class Policy, class A, class First, class... Rest>
status check_workspace(const Policy& policy, const A& a, index_t columns, const First& first,
                       const Rest&... rest) {
  if constexpr (is_workspace<First>) {
    const workspace_size need = workspace_requirement(a, columns);
    const index_t workers = known_workers(policy);
    if (first.serves(need, workers)) return {};
    const scratch_memory have = first.memory();
    const auto too_small = [](const char* detail, index_t got, index_t allowed) {
      return status{.code = errc::workspace_too_small,
                    .object = "workspace",
                    .detail = detail,
                    .got = got,
                    .allowed = allowed};
    };
    if (need.shared > have.shared_bytes) {
      return too_small("shared bytes", have.shared_bytes, need.shared);
    }
    if (need.per_worker > have.worker_bytes) {
      return too_small("bytes a worker", have.worker_bytes, need.per_worker);
    }
    return too_small("workers", have.worker_count, workers);
  } else {
    return check_workspace(policy, a, columns, rest...);
  }
}

template <class T, class Layout>
status check_weights(const dense_view<T, Layout>& w) {
  return validate(w, "A");
}
/// Its structure is for validate().
template <class View>
status check_weights(const transposed_view<View>&) {
  return {};
}

/// Zero points are taken off by sums of all weights of a row, which packers make: of active columns
/// and of formats that are multiplied as they are there are none.
template <class E>
status check_zero_points(const char* object, const E& e) {
  if (!e.has_zero_point()) return {};
  return {.code = errc::unsupported, .object = object, .detail = "a zero point of x that is not 0"};
}

/// Packers refuse rows of s8 whose sums could leave 32 bits (formats/weight_range.hpp); these
/// weights nobody packed. O(1): as many products as columns are active, each at its worst.
template <class TW, class TX>
status check_sums(const char* object, index_t active, index_t entry = -1) {
  if constexpr (std::is_same_v<TW, std::int8_t>) {
    constexpr index_t worst = std::is_same_v<TX, std::uint8_t> ? 128 * 255 : 128 * 128;
    constexpr index_t most = std::numeric_limits<std::int32_t>::max();
    if (active > most / worst) {
      return {.code = errc::overflow_possible,
              .object = object,
              .detail = "sum of a row",
              .entry = entry,
              .got = active * worst,
              .allowed = most};
    }
  }
  return {};
}

/// The rows congruent to `first` modulo `step`: names one whose sum could leave 32 bits. Counts
/// rows together, in as many groups as the stack has room for, and looks closer at groups whose
/// sums could. Nearly always one pass is enough.
template <class A>
status check_rows_of(const A& a, index_t first, index_t step) {
  constexpr index_t groups = 128;
  weight_range range[groups];
  using convert::for_each_entry;
  for_each_entry(a, [&](index_t row, index_t, std::int8_t w) SPARSEKIT_LAMBDA_INLINE {
    if (row % step == first) range[row / step % groups].add(w);
  });
  for (index_t g = 0; g < groups; ++g) {
    if (range[g].fits()) continue;
    const index_t row = first + g * step;
    if (step > a.rows() / groups) return range[g].error("A", row);
    if (status s = check_rows_of(a, row, step * groups); !s) return s;
  }
  return {};
}

/// Formats that are multiplied as they are, with weights of s8: nobody has looked at the sums of
/// their rows, nor made those that zero points take. O(1) up to 65793 entries, beyond that O(nnz).
template <class A, class E>
status check_plain(const A& a, const E& e) {
  if constexpr (std::is_same_v<typename A::value_type, std::int8_t> &&
                is_plain<typename format_of<A>::type>) {
    if (status s = check_zero_points("A", e); !s) return s;
    if (!check_sums<std::int8_t, std::uint8_t>("A", a.nnz())) return check_rows_of(a, 0, 1);
  }
  return {};
}

/// One active set for each column of y.
template <class A, class Sets, class Y, class E>
status check_active_sets(const A& w, const Sets& sets, const Y& y, const E& e) {
  using TX = typename std::ranges::range_value_t<Sets>::value_type;
  if (status s = validate(w, "A"); !s) return s;
  if (status s = check_zero_points("active_set", e); !s) return s;
  const array_view<const active_set<TX>> each(sets);
  for (index_t i = 0; i < each.size(); ++i) {
    if (each[i].size() != w.cols()) {
      return {.code = errc::shape_mismatch,
              .object = "active_set",
              .detail = "size",
              .entry = i,
              .got = each[i].size(),
              .allowed = w.cols()};
    }
    if (status s = check_sums<typename A::value_type, TX>("active_set", each[i].count(), i); !s) {
      return s;
    }
  }
  return with_dense(y, [&](auto yv) {
    if (status s = validate(yv, "y"); !s) return s;
    if (yv.rows() != w.rows()) return mismatch("y", "rows", yv.rows(), w.rows());
    if (yv.cols() != each.size()) return mismatch("y", "cols", yv.cols(), each.size());
    for (index_t i = 0; i < each.size(); ++i) {
      if (overlap(dense_view<const TX, col_major>(each[i].view().values.data(), each[i].count(), 1), yv)) {
        return status{.code = errc::aliased_operands, .object = "y", .detail = "y"};
      }
    }
    if (status s = e.template check_x<TX>(); !s) return s;
    return e.check(yv.shape());
  });
}

/// Strides of an mdspan that dense_view can express: 1 in one direction, not negative in the other.
template <class X>
status check_strides(const X& x, const char* object) {
  if constexpr (mdspan_matrix<X>) {
    const bool column = x.stride(0) == 1 || x.extent(0) <= 1;
    const bool row = x.stride(1) == 1 || x.extent(1) <= 1;
    if (column || row) return {};
    return {.code = errc::bad_leading_dimension, .object = object, .detail = "stride",
            .got = static_cast<index_t>(x.stride(1)), .allowed = 1};
  } else if constexpr (mdspan_vector<X>) {
    if (x.extent(0) <= 1 || x.stride(0) == 1) return {};
    return {.code = errc::bad_leading_dimension, .object = object, .detail = "stride",
            .got = static_cast<index_t>(x.stride(0)), .allowed = 1};
  } else {
    return {};
  }
}

/// One list of active columns of A, made from an x of `size` rows.
template <class A, class X, class Y, class... Optional>
status check_active(const char* object, const A& a, index_t size,
                    array_view<const std::uint32_t> indices, bool compact, X x, const Y& y,
                    const Optional&... optional) {
  if (status s = check_strides(y, "y"); !s) return s;
  const auto w = matrix(a);
  if (size != w.cols()) return mismatch(object, "size", size, w.cols());
  const auto scaled_epilogue = with_factor(a, epilogue_in(optional...));
  return with_dense(y, [&](auto yv) {
    if (status s = check_weights(w); !s) return s;
    if (status s = check_zero_points("active_set", scaled_epilogue); !s) return s;
    using TW = typename decltype(w)::value_type;
    if (status s = check_sums<TW, typename X::value_type>(object, indices.size()); !s) return s;
    return check_product(active_view_of(w, indices, compact), x, yv, scaled_epilogue);
  });
}

}  // namespace operands

/// What multiply([policy,] A, x, y, ...) would assert: dimensions, leading dimensions, overlap of y
/// with x, the lengths of epilogue arrays, a workspace for fewer workers than an executor with
/// workers() has; and what it would not: a workspace too small for the best kernel (it would use
/// another), and so many active columns of s8 weights that their sum could leave 32 bits, above
/// 65793 with x of u8 and 131071 with s8 (overflow_possible; it would wrap around). Packers refuse
/// rows of s8 whose sum could; of a format that is not packed `check` names the row, which takes a
/// look at all weights where there are more than 65793.
template <execution_policy Policy, class A, class X, class Y, class... Optional>
status check(const Policy& policy, const A& a, const X& x, const Y& y,
             const Optional&... optional) {
  const auto epilogue = operands::epilogue_in(optional...);
  if (status s = operands::check_strides(y, "y"); !s) return s;
  if constexpr (active_sets<X>) {
    return operands::check_active_sets(operands::matrix(a), x, y, operands::with_factor(a, epilogue));
  } else if constexpr (operands::sparse<X>) {
    if (status s = operands::check_strides(a, "x"); !s) return s;
    const operands::flipped_epilogue flipped(operands::with_factor(x, epilogue));
    return operands::with_transposed(a, [&](auto xv) {
      return operands::with_transposed(y, [&](auto yv) {
        const auto matrix = transposed(operands::matrix(x));
        status s = operands::check_product(matrix, xv, yv, flipped);
        if (s) s = operands::check_plain(matrix, flipped);
        return s ? operands::check_workspace(policy, matrix, xv.cols(), optional...) : s;
      });
    });
  } else {
    if (status s = operands::check_strides(x, "x"); !s) return s;
    const auto scaled_epilogue = operands::with_factor(a, epilogue);
    return operands::with_dense(x, [&](auto xv) {
      return operands::with_dense(y, [&](auto yv) {
        const auto matrix = operands::matrix(a);
        status s = operands::check_product(matrix, xv, yv, scaled_epilogue);
        if (s) s = operands::check_plain(matrix, scaled_epilogue);
        return s ? operands::check_workspace(policy, matrix, xv.cols(), optional...) : s;
      });
    });
  }
}
/// With an active set for x.
template <execution_policy Policy, class A, class T, class Y, class... Optional>
status check(const Policy&, const A& a, const active_set<T>& x, const Y& y,
             const Optional&... optional) {
  const array_view<const T> values = x.view().values;
  return operands::check_active("active_set", a, x.size(), x.view().indices, true,
                                dense_view<const T, col_major>(values.data(), values.size(), 1), y,
                                optional...);
}
/// With the active rows of X.
template <execution_policy Policy, class A, class T, class Layout, class Y, class... Optional>
status check(const Policy&, const A& a, const active_rows_view<T, Layout>& x, const Y& y,
             const Optional&... optional) {
  return operands::check_active("active_rows", a, x.size, x.indices, false, x.x, y, optional...);
}
template <class A, class X, class Y, class... Optional>
  requires(!execution_policy<A>)
status check(const A& a, const X& x, const Y& y, const Optional&... optional) {
  return check(seq, a, x, y, optional...);
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
