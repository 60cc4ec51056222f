// The forms inside a packed_matrix that have kernels of their own: a call on the whole becomes a call on
// the part.
#pragma once

#include "../formats/packed.hpp"
#include "gemv/bitmask.hpp"
#include "gemv/lookup.hpp"
#include "gemv/lookup_narrow.hpp"
#include "spmv/packed.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

template <class Call, class Part>
auto part_call(const Call& c, const Part& part) {
  using T = typename Call::value_type;
  return call<std::remove_cvref_t<decltype(c.policy)>, Part, T, typename Call::x_layout,
              typename Call::y_layout, std::remove_cvref_t<decltype(c.epilogue)>, Call::has_workspace,
              typename Call::x_type, typename Call::y_type, Call::one_column>{
      c.policy, part, c.x, c.y, c.epilogue, c.scratch};
}

/// Few columns; any number when the matrix was packed for nothing else.
template <class Arch, class T>
struct gemv_packed_lookup {
  using part = std::conditional_t<is_narrow<T>, gemv_lookup_narrow<Arch, T>, gemv_lookup<Arch, T>>;

  /// More than three columns have exact weights.
  template <class A>
  static bool serves(const A& a, index_t columns) {
    return lookup_serves(a.lookup.places_in_values ? 3 : part::group, a.shape, a.entries, columns);
  }
  template <class Call>
  static bool accepts(const Call& c) {
    return c.a.has_lookup() && (serves(c.a, c.x.cols()) || !(c.a.has_quads() || c.a.has_wide()));
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    return a.has_lookup() ? part::requirement(a.lookup, columns) : workspace_size{};
  }
  template <class Call>
  static void run(const Call& c) {
    part::run(part_call(c, c.a.lookup));
  }
};

/// The same for a bitmask.
template <class Arch, class T>
struct gemv_packed_bits {
  using part = gemv_bitmask<Arch, T>;

  template <class Call>
  static bool accepts(const Call& c) {
    return c.a.has_bits() && (c.x.cols() <= 3 || !(c.a.has_quads() || c.a.has_wide()));
  }
  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    return a.has_bits() ? part::requirement(a.bits, columns) : workspace_size{};
  }
  template <class Call>
  static void run(const Call& c) {
    part::run(part_call(c, c.a.bits));
  }
};

template <class Arch, class T>
struct spmv_packed_part {
  using part = spmv_packed_slices<Arch, T>;

  template <class Call>
  static constexpr bool possible = std::is_same_v<typename Call::x_layout, col_major> &&
                                   std::is_same_v<typename Call::y_layout, col_major>;
  template <class Call>
  static bool accepts(const Call& c) {
    return c.a.has_spmv() && part::accepts(part_call(c, c.a.spmv));
  }
  template <class A>
  static workspace_size requirement(const A&, index_t) {
    return {};
  }
  template <class Call>
  static void run(const Call& c) {
    part::run(part_call(c, c.a.spmv));
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
