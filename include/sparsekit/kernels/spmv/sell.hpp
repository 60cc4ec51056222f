// y = A x for SELL-C-sigma A: a register of lanes works on as many rows, each lane an FMA chain of its own.
#pragma once

#include "../../formats/sell.hpp"
#include "csr.hpp"
#include "lane_output.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Sums of `count` neighbouring lanes of a slice, of which the first has slots first, first + height, ...
/// Lengths fall from lane to lane: first all lanes have entries, then fewer and fewer, the first ones.
template <class Lanes, class T, class Index, class Offset, class TX>
SPARSEKIT_INLINE typename Lanes::reg sell_sums(const sell_view<const T, Index, Offset>& a,
                                               index_t first, const Offset* lengths, index_t count,
                                               const TX* x) {
  const index_t height = a.slice_height;
  const index_t longest = static_cast<index_t>(lengths[0]);
  if (longest == 0) return Lanes::zero();  // maybe there are no arrays to point into
  const T* values = a.values.data() + first;
  const Index* columns = a.columns.data() + first;
  const index_t full = count < Lanes::width ? 0 : static_cast<index_t>(lengths[count - 1]);
  auto sum = Lanes::zero();
  index_t j = 0;
  for (; j < full; ++j, values += height, columns += height) {
    sum = simd::add_product<Lanes>(simd::load_as<Lanes>(simd::all_lanes{}, values),
                                   simd::gather_as<Lanes>(x, columns), sum);
  }
  for (index_t live = count; j < longest; ++j, values += height, columns += height) {
    while (static_cast<index_t>(lengths[live - 1]) <= j) --live;
    const auto mask = Lanes::first(live);
    sum = simd::add_product<Lanes>(simd::load_as<Lanes>(mask, values),
                                   simd::gather_as<Lanes>(mask, live, x, columns), sum);
  }
  return sum;
}

/// Calls f(first slot, first lane, lanes) for every register of lanes of slices [s0, s1).
template <index_t Width, class A, class F>
SPARSEKIT_INLINE void for_sell_registers(const A& a, index_t s0, index_t s1, F&& f) {
  for (index_t s = s0; s < s1; ++s) {
    const index_t lane = s * a.slice_height;
    const index_t slot = static_cast<index_t>(a.slice_ptr[s]);
    const index_t lanes = a.rows() - lane < a.slice_height ? a.rows() - lane : a.slice_height;
    for (index_t l = 0; l < lanes; l += Width) {
      f(slot + l, lane + l, lanes - l < Width ? lanes - l : Width);
    }
  }
}

template <class Arch, class T>
struct spmv_sell : spmv_kernel {
  using lanes = simd::lanes<Arch, sum_of_t<T>>;

  template <class Call>
  static void run(const Call& c) {
    const auto& a = c.a;
    const index_t tasks =
        fine_task_count(c.policy, spmv_work(a.slots() + a.rows()), ceil_div(a.slices(), 16));
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      for_sell_registers<lanes::width>(
          a, balanced_row(a.slice_ptr, task, tasks), balanced_row(a.slice_ptr, task + 1, tasks),
          [&](index_t slot, index_t lane, index_t count) SPARSEKIT_LAMBDA_INLINE {
            const auto sum =
                sell_sums<lanes>(a, slot, a.lengths.data() + lane, count, c.x.data());
            put_scattered<lanes>(sum, a.row_order.data() + lane, count, c.y.data(), c.epilogue);
          });
    });
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
