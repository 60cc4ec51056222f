// Finished sums whose lanes are rows in any order: sorted slices finish rows that do not lie side by side.
#pragma once

#include "../call.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// A register of results, lane l of which belongs to row rows[l] of the one column. T is the type
/// of Y's elements, as in `place`.
template <class Lanes, class T, class Index, class Mask>
struct scattered_place {
  using lanes = Lanes;
  using value_type = simd::value_of<Lanes>;
  using y_type = T;
  /// One a row, where weights are s8: nobody has made them for these formats.
  static constexpr const std::int32_t* weight_sums = nullptr;

  const Index* rows;
  index_t count;  ///< lanes of the mask
  Mask mask;
  const T* y;

  SPARSEKIT_INLINE auto old() const { return gathered(y); }
  template <class U>
  SPARSEKIT_INLINE auto per_row(const U* b) const {
    return gathered(b);
  }
  template <class U>
  SPARSEKIT_INLINE auto per_column(const U* b) const {
    return simd::broadcast_as<Lanes>(*b);
  }
  /// The same place for lanes of another type.
  template <class V>
  SPARSEKIT_INLINE auto as() const {
    return scattered_place<simd::lanes_with<Lanes, V>, T, Index, Mask>{rows, count, mask, y};
  }

 private:
  template <class U>
  SPARSEKIT_INLINE auto gathered(const U* p) const {
    static_assert(simd::widens<U, value_type>,
                  "an array of the epilogue has another type than sums");
    if constexpr (std::is_same_v<Mask, simd::all_lanes>) {
      return simd::gather_as<Lanes>(p, rows);
    } else {
      return simd::gather_as<Lanes>(mask, count, p, rows);
    }
  }
};

/// The first `count` lanes of v into y[rows[0]], y[rows[1]], ...
template <class Lanes, class T, class Index, class Epilogue>
SPARSEKIT_INLINE void put_scattered(typename Lanes::reg v, const Index* rows, index_t count, T* y,
                                    const Epilogue& epilogue) {
  constexpr index_t w = Lanes::width;
  alignas(64) T lane[w];
  const auto finish_lanes = [&](auto mask) SPARSEKIT_LAMBDA_INLINE {
    const scattered_place<Lanes, T, Index, decltype(mask)> at{rows, count, mask, y};
    using last = typename std::remove_cvref_t<decltype(epilogue.after(at))>::lanes;
    simd::store_as<last>(simd::all_lanes{}, lane, epilogue(v, at));
  };
  if (count >= w) {
    finish_lanes(simd::all_lanes{});
    simd::unroll<Lanes::width>([&](auto l) SPARSEKIT_LAMBDA_INLINE {
      y[static_cast<index_t>(rows[l])] = lane[l];
    });
    return;
  }
  finish_lanes(Lanes::first(count));
  for (index_t l = 0; l < count; ++l) y[static_cast<index_t>(rows[l])] = lane[l];
}

}  // namespace kernels
SPARSEKIT_EXEC_END
