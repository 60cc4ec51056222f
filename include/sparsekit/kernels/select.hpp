// From the table to one kernel: the first row of the operand's format whose kernel accepts the call.
#pragma once

#include "active/blocks.hpp"
#include "active/columns.hpp"
#include "active/tokens.hpp"
#include "blocks/gemv.hpp"
#include "blocks/panel.hpp"
#include "dense/external.hpp"
#include "dense/gemm.hpp"
#include "dense/gemv.hpp"
#include "dense/narrow.hpp"
#include "dense/narrow_columns.hpp"
#include "dense/packed.hpp"
#include "dense/packed_gemv.hpp"
#include "gemv/bitmask.hpp"
#include "gemv/lookup.hpp"
#include "gemv/lookup_narrow.hpp"
#include "nm/bytes.hpp"
#include "nm/gemv_narrow.hpp"
#include "nm/inplace.hpp"
#include "nm/lookup.hpp"
#include "nm/pairs.hpp"
#include "nm/panel.hpp"
#include "packed.hpp"
#include "scatter/blocks.hpp"
#include "scatter/chunks.hpp"
#include "spmm/bitmask.hpp"
#include "spmm/bsr.hpp"
#include "spmm/bsr_panel.hpp"
#include "spmm/csr.hpp"
#include "spmm/quads.hpp"
#include "spmm/quads_stream.hpp"
#include "spmm/sell.hpp"
#include "spmm/slices_walk.hpp"
#include "spmm/wide.hpp"
#include "spmv/bsr.hpp"
#include "spmv/csr.hpp"
#include "spmv/sell.hpp"
#include "structured/narrow.hpp"
#include "structured/structured.hpp"

namespace sparsekit {
inline namespace v0 {

/// Formats as the table names them.
namespace format {
struct coo {};
struct csr {};
struct csc {};
struct dense {};
struct packed_dense {};
struct external {};
struct sell {};
struct bsr {};
struct bitmask {};
struct symmetric {};
struct transposed {};
struct packed {};
struct nm {};
struct blocks {};
struct structured {};
struct lookup {};
struct active {};
struct active_blocks {};
}  // namespace format

template <class A>
struct format_of;
template <class T, class I, class O>
struct format_of<csr_view<T, I, O>> {
  using type = format::csr;
};
template <class T, class I, class O>
struct format_of<csc_view<T, I, O>> {
  using type = format::csc;
};
template <class T, class I>
struct format_of<coo_view<T, I>> {
  using type = format::coo;
};
template <class T>
struct format_of<packed_view<T>> {
  using type = format::packed;
};
template <class T, class I, class O>
struct format_of<sell_view<T, I, O>> {
  using type = format::sell;
};
template <class T, class I, class O>
struct format_of<bsr_view<T, I, O>> {
  using type = format::bsr;
};
template <class T, class I, class O>
struct format_of<symmetric_view<T, I, O>> {
  using type = format::symmetric;
};
template <class View>
struct format_of<transposed_view<View>> {
  using type = format::transposed;
};
template <class T>
struct format_of<bitmask_view<T>> {
  using type = format::bitmask;
};
template <class T>
struct format_of<packed_nm_view<T>> {
  using type = format::nm;
};
template <class T>
struct format_of<packed_blocks_view<T>> {
  using type = format::blocks;
};
template <class T>
struct format_of<packed_structured_view<T>> {
  using type = format::structured;
};
template <class T>
struct format_of<active_columns_view<T>> {
  using type = format::active;
};
template <class T, class TX>
struct format_of<active_batch_view<T, TX>> {
  using type = format::active;
};
template <class Base>
struct format_of<active_blocks_view<Base>> {
  using type = format::active_blocks;
};
template <class T>
struct format_of<lookup_view<T>> {
  using type = format::lookup;
};
template <class T, class L>
struct format_of<dense_view<T, L>> {
  using type = format::dense;
};
template <class T, class L, class G>
struct format_of<external_dense_view<T, L, G>> {
  using type = format::external;
};
template <class T>
struct format_of<packed_dense_view<T>> {
  using type = format::packed_dense;
};

/// Formats that are multiplied as they are, whatever their values: those of the table's
/// SPARSEKIT_PLAIN_KERNEL rows.
#define SPARSEKIT_KERNEL(id, operation, fmt, tile)
#define SPARSEKIT_PLAIN_KERNEL(id, operation, fmt, tile) std::is_same_v<Format, format::fmt> ||
template <class Format>
inline constexpr bool is_plain =
#include "table.inc"
    false;
#undef SPARSEKIT_PLAIN_KERNEL
#undef SPARSEKIT_KERNEL

}  // namespace v0
}  // namespace sparsekit

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Calls f.template operator()<Kernel>() for the kernels of a format and value type in the table's order,
/// until one returns true.
template <class Arch, class T, class Format, class F>
SPARSEKIT_INLINE constexpr bool first_kernel(F&& f) {
  bool done = false;
#define SPARSEKIT_KERNEL(id, operation, fmt, tile)                            \
  if constexpr (!is_narrow<T> && std::is_same_v<Format, format::fmt>) {       \
    if (!done) done = f.template operator()<id<Arch, T>>();                   \
  }
#define SPARSEKIT_NARROW_KERNEL(id, operation, fmt, tile)                     \
  if constexpr (is_narrow<T> && std::is_same_v<Format, format::fmt>) {        \
    if (!done) done = f.template operator()<id<Arch, T>>();                   \
  }
#define SPARSEKIT_PLAIN_KERNEL(id, operation, fmt, tile)    \
  if constexpr (std::is_same_v<Format, format::fmt>) {      \
    if (!done) done = f.template operator()<id<Arch, T>>(); \
  }
#include "table.inc"
#undef SPARSEKIT_PLAIN_KERNEL
#undef SPARSEKIT_KERNEL
#undef SPARSEKIT_NARROW_KERNEL
  return done;
}

/// What a kernel's `possible<Call>`, where it has one, says at compile time: whether there are calls of
/// this type that it accepts. One that is impossible is not compiled.
template <class Kernel, class Call>
inline constexpr bool is_possible = !requires { requires !Kernel::template possible<Call>; };

/// Whether there is any kernel for calls of this type.
template <class Arch, class Call>
inline constexpr bool has_kernel =
    !is_narrow<typename Call::value_type> ||
    first_kernel<Arch, typename Call::value_type,
                 typename format_of<typename Call::matrix>::type>([]<class Kernel>() {
      return is_possible<Kernel, Call>;
    });

/// Kernels with `asks_for_y` run other code where the epilogue reads y (epilogue_base::reads_y): both are to be
/// tested.
template <class Kernel>
inline constexpr bool asks_for_y = requires { requires Kernel::asks_for_y; };

/// Runs the kernel that fits. False if none does.
template <class Arch, class Call>
bool run_selected(const Call& c) {
  using T = typename Call::value_type;
  using F = typename format_of<typename Call::matrix>::type;
  return first_kernel<Arch, T, F>([&]<class Kernel>() {
    if constexpr (is_possible<Kernel, Call>) {
      if (!Kernel::accepts(c)) return false;
      Kernel::run(c);
      return true;
    } else {
      return false;
    }
  });
}

/// The most that any kernel of the format wants.
template <class Arch, class T, class A>
workspace_size largest_requirement(const A& a, index_t columns) {
  workspace_size most{};
  first_kernel<Arch, T, typename format_of<A>::type>([&]<class Kernel>() {
    const workspace_size need = Kernel::requirement(a, columns);
    most.shared = need.shared > most.shared ? need.shared : most.shared;
    most.per_worker = need.per_worker > most.per_worker ? need.per_worker : most.per_worker;
    return false;
  });
  return most;
}

}  // namespace kernels
SPARSEKIT_EXEC_END
