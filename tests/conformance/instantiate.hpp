// From rows of the kernel table to entries of the registry. A source file of this folder says which
// format and element type it compiles (CMakeLists.txt generates them), so that builds run in
// parallel.
#pragma once

#include <memory>
#include <string>
#include <type_traits>

#include "entry.hpp"
#include "operands.hpp"
#include "operands_narrow.hpp"
#include "operands_packed.hpp"
#include "operands_scattered.hpp"
#include "sparsekit/kernels/select.hpp"

namespace sparsekit_test {

/// How many roundings a term may go through: all that follow in its sum, for a kernel that adds one
/// by one. Kernels with several accumulators can be held to less.
template <class Kernel>
struct summation {
  static index_t depth(index_t terms) { return terms; }
};
template <class Lanes>
struct gathered_summation {
  /// Two accumulators of full registers, their halving, then what is left one by one.
  static index_t depth(index_t terms) {
    constexpr index_t step = 2 * Lanes::width;
    index_t halvings = 1;
    for (index_t w = Lanes::width; w > 1; w /= 2) ++halvings;
    return terms < step ? terms : terms / step + halvings + terms % step;
  }
};
/// Four running sums, in long rows twice four: fours of entries one after another, then the sums themselves.
template <class Arch, class T>
struct summation<sparsekit::kernels::spmv_csr_row<Arch, T>> {
  static index_t depth(index_t terms) {
    const index_t chain = terms > 12 ? (terms - 1) / 8 + 3 : (terms + 3) / 4;
    return terms < chain + 2 ? terms : chain + 2;
  }
};
template <class Arch, class T>
struct summation<sparsekit::kernels::spmm_csr_columns<Arch, T>>
    : gathered_summation<sparsekit::simd::lanes<Arch, sparsekit::sum_of_t<T>>> {};

/// A kernel bound to an operand type and two layouts.
template <class Kernel, class T, class Operand, class X, class Y, bool Parallel>
struct binding {
  template <class F>
  static auto with_call(const erased_call<T>& e, const F& f) {
    if constexpr (sparsekit::kernels::asks_for_y<Kernel>) {
      if (!reads_y(e.epilogue->kind))
        return with_epilogue(e, epilogue_without_y<T>{*e.epilogue}, f);
    }
    return with_epilogue(e, *e.epilogue, f);
  }
  template <class E, class F>
  static auto with_epilogue(const erased_call<T>& e, const E& epilogue, const F& f) {
    const auto a = static_cast<const Operand&>(*e.a).view();
    const sparsekit::dense_view<const T, X> x(e.x, e.cols, e.columns, e.x_ld);
    const sparsekit::dense_view<T, Y> y(e.y, e.rows, e.columns, e.y_ld);
    if constexpr (Parallel) {
      if (e.executor != nullptr) {
        const auto par = sparsekit::par(*e.executor);
        return f(call_t<std::remove_const_t<decltype(par)>, E>{par, a, x, y, epilogue, e.scratch});
      }
    }
    return f(call_t<sparsekit::sequential_policy, E>{sparsekit::seq, a, x, y, epilogue, e.scratch});
  }
  template <class Policy, class E>
  using call_t =
      sparsekit::kernels::call<Policy, typename Operand::view_type,
                               typename Operand::view_type::value_type, X, Y, E, true, T, T>;

  static bool accepts(const erased_call<T>& e) {
    return with_call(e, [](const auto& c) {
      if constexpr (sparsekit::kernels::is_possible<Kernel, std::remove_cvref_t<decltype(c)>>) {
        return Kernel::accepts(c);
      } else {
        return false;
      }
    });
  }
  static void run(const erased_call<T>& e) {
    with_call(e, [](const auto& c) {
      if constexpr (sparsekit::kernels::is_possible<Kernel, std::remove_cvref_t<decltype(c)>>) {
        Kernel::run(c);
      }
    });
  }
  static sparsekit::workspace_size requirement(const operand& a, index_t columns) {
    return Kernel::requirement(static_cast<const Operand&>(a).view(), columns);
  }
};

/// One function for all kernels and layouts of an operand type: they share what it builds (properties.cpp).
template <class Operand, class T>
std::unique_ptr<operand> build_operand(const problem<T>& p, placement where, int option) {
  return std::make_unique<Operand>(p, where, option);
}

/// An entry for each option of the operand type.
template <class Kernel, class T, class Operand, class X, class Y, bool Full, bool Parallel>
void add_entries(const std::string& name) {
  using bound = binding<Kernel, T, Operand, X, Y, Parallel>;
  const std::vector<std::string> options = Operand::options();
  for (std::size_t i = 0; i < options.size(); ++i) {
    kernel_entry<T> e;
    e.kernel = name;
    e.variant = options[i];
    e.x_row_major = X::rows_contiguous;
    e.y_row_major = Y::rows_contiguous;
    e.full = Full;
    e.parallel = Parallel;
    e.any_order = Operand::any_order;
    e.zeros_are_absent = Operand::zeros_are_absent;
    e.largest_index = Operand::largest_index;
    e.option = static_cast<int>(i);
    if constexpr (requires(const problem<T>& p) { Operand::adapt(p, 0); }) {
      e.adapt = Operand::adapt;
    }
    e.build = build_operand<Operand, T>;
    e.accepts = bound::accepts;
    e.run = bound::run;
    e.requirement = bound::requirement;
    e.depth = summation<Kernel>::depth;
    registry<T>().push_back(std::move(e));
  }
}

/// Layouts of X and Y: all four for the main operand type; for the other index types, which share
/// most of the code, only equal layouts. Calls with threads for equal layouts of the main operand
/// type: tasks are cut before layouts matter. (An instantiation costs seconds of compiling, so each
/// must be worth it.)
template <class Kernel, class T, class Operand, bool Full>
void add_layouts(const std::string& name) {
  using R = sparsekit::row_major;
  using C = sparsekit::col_major;
  add_entries<Kernel, T, Operand, R, R, Full, Full>(name);
  add_entries<Kernel, T, Operand, C, C, Full, Full>(name);
  if constexpr (Full) {
    add_entries<Kernel, T, Operand, R, C, Full, false>(name);
    add_entries<Kernel, T, Operand, C, R, Full, false>(name);
  }
}
template <class Kernel, class T, bool Full, class... Operands>
void add_operands(const std::string& name, operand_list<Operands...>) {
  (add_layouts<Kernel, T, Operands, Full>(name), ...);
}

/// The kernels of a format on the ISA that this build is for; every ISA has a configuration of its
/// own.
template <class T, class Format, bool Main>
void add_format() {
  using arch = sparsekit::native_arch;
  using variants = operand_variants<Format, T>;
  using operands = std::conditional_t<Main, typename variants::main, typename variants::others>;
  const std::string type = type_name<T>;
#define SPARSEKIT_KERNEL(id, operation, fmt, tile)                                \
  if constexpr (std::is_same_v<Format, format::fmt>) {                            \
    add_operands<sparsekit::kernels::id<arch, T>, T, Main>(                       \
        #operation "-" + type + "-" #fmt "-" #tile "-" + arch::name, operands{}); \
  }
#include "sparsekit/kernels/table.inc"
#undef SPARSEKIT_KERNEL
}

/// The kernels of a format with weights W narrower than X, Y and sums, which are f32.
template <class W, class Format>
void add_narrow_format() {
  using arch = sparsekit::native_arch;
  using operand = narrow_operand<W, Format>;
  using R = sparsekit::row_major;
  using C = sparsekit::col_major;
  const std::string type = weight_name<W>;
#define SPARSEKIT_KERNEL(id, operation, fmt, tile)
#define SPARSEKIT_NARROW_KERNEL(id, operation, fmt, tile)                                        \
  if constexpr (std::is_same_v<Format, format::fmt> && has_kernel_for_halves(#tile)) {           \
    const std::string name = #operation "-" + type + "-" #fmt "-" #tile "-" + arch::name;        \
    add_entries<sparsekit::kernels::id<arch, W>, float, operand, R, R, true, true>(name);        \
    add_entries<sparsekit::kernels::id<arch, W>, float, operand, C, C, true, true>(name);        \
  }
#define SPARSEKIT_PLAIN_KERNEL SPARSEKIT_NARROW_KERNEL
#include "sparsekit/kernels/table.inc"
#undef SPARSEKIT_PLAIN_KERNEL
#undef SPARSEKIT_NARROW_KERNEL
#undef SPARSEKIT_KERNEL
}

}  // namespace sparsekit_test
