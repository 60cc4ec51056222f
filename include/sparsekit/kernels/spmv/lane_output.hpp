// Finished sums whose lanes are rows in any order: sorted slices finish rows that do not lie side by side.
#pragma once

#include "../call.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// A register of results, lane l of which belongs to row rows[l] of the one column.
template <class Lanes, class T, class Index, class Mask>
struct scattered_place {
  using lanes = Lanes;
  using value_type = T;

  const Index* rows;
  Mask mask;
  const T* y;

  SPARSEKIT_INLINE auto old() const { return gathered(y); }
  SPARSEKIT_INLINE auto per_row(const T* b) const { return gathered(b); }
  SPARSEKIT_INLINE auto per_column(const T* b) const { return Lanes::broadcast(*b); }

 private:
  SPARSEKIT_INLINE auto gathered(const T* p) const {
    if constexpr (std::is_same_v<Mask, simd::all_lanes>) {
      return Lanes::gather(p, rows);
    } else {
      return Lanes::gather(mask, p, rows);
    }
  }
};

template <class Lanes, class T, class Index, class Mask>
SPARSEKIT_INLINE scattered_place<Lanes, T, Index, Mask> scattered(const Index* rows, Mask mask,
                                                                  const T* y) {
  return {rows, mask, y};
}

/// The first `count` lanes of v into y[rows[0]], y[rows[1]], ...
template <class Lanes, class T, class Index, class Epilogue>
SPARSEKIT_INLINE void put_scattered(typename Lanes::reg v, const Index* rows, index_t count, T* y,
                                    const Epilogue& epilogue) {
  constexpr index_t w = Lanes::width;
  alignas(64) T lane[w];
  if (count >= w) {
    Lanes::store(lane, epilogue(v, scattered<Lanes, T>(rows, simd::all_lanes{}, y)));
    simd::unroll<Lanes::width>([&](auto l) SPARSEKIT_LAMBDA_INLINE {
      y[static_cast<index_t>(rows[l])] = lane[l];
    });
    return;
  }
  Lanes::store(lane, epilogue(v, scattered<Lanes, T>(rows, Lanes::first(count), y)));
  for (index_t l = 0; l < count; ++l) y[static_cast<index_t>(rows[l])] = lane[l];
}

}  // namespace kernels
SPARSEKIT_EXEC_END
