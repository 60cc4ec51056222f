// Y = A X for a packed_matrix that was packed for one column only (formats/spmv_packed.hpp) and meets more,
// or a strided one: slot by slot, a few columns at a time. Correct, not fast: pack for more columns instead.
#pragma once

#include "../../formats/packed.hpp"
#include "../call.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// f(lane, column, value) for the entries of a slice, steps in order.
template <class T, class F>
SPARSEKIT_INLINE void for_each_slice_entry(const spmv_view<const T>& a, const spmv_slice& slice,
                                           F&& f) {
  constexpr index_t height = spmv_view<const T>::height;
  const std::int32_t* word = a.words.data() + slice.word;
  const T* value = a.values.data() + slice.value * height;
  const auto run = [&](bool uniform, bool partial) {
    const index_t base = *word++;
    const std::uint32_t bits = partial ? static_cast<std::uint32_t>(*word++) : ~std::uint32_t{0};
    for (index_t l = 0; l < height; ++l) {
      if (bits >> l & 1) f(l, base + l, uniform ? *value : value[l]);
    }
    value += uniform ? 1 : height;
  };
  for (int i = 0; i < slice.full; ++i) run(false, false);
  for (int i = 0; i < slice.partial; ++i) run(false, true);
  for (int i = 0; i < slice.uniform; ++i) run(true, false);
  for (int i = 0; i < slice.uniform_partial; ++i) run(true, true);
  if (slice.list_steps() == 0) return;
  value = a.values.data() + (slice.value + slice.run_lines(height)) * height;
  index_t column = index_t{slice.column} * height;
  for (index_t i = 0; i < slice.list_steps(); ++i) {
    const std::uint32_t bits =
        i < slice.lists ? ~std::uint32_t{0} : static_cast<std::uint32_t>(*word++);
    for (index_t l = 0; l < height; ++l) {
      if (bits >> l & 1) f(l, a.column(column + l), slice.uniform_list != 0 ? *value : value[l]);
    }
    column += height;
    if (slice.uniform_list == 0) value += height;
  }
}

template <class Arch, class T>
struct spmm_packed_slices {
  using one = simd::lanes<arch::scalar, T>;
  static constexpr index_t width = 8;

  template <class Call>
  static bool accepts(const Call& c) {
    return c.a.has_spmv() && !c.a.has_quads() && !c.a.has_wide();
  }
  template <class A>
  static workspace_size requirement(const A&, index_t) {
    return {};
  }
  template <class Call>
  static void run(const Call& c) {
    const spmv_view<const T>& a = c.a.spmv;
    constexpr index_t height = spmv_view<const T>::height;
    const auto out = output_of<one>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    for (index_t column = 0; column < n; column += width) {
      const index_t columns = n - column < width ? n - column : width;
      const auto add = [&](T* sum, index_t k, T value) SPARSEKIT_LAMBDA_INLINE {
        for (index_t j = 0; j < columns; ++j) sum[j] = one::fma(value, c.x(k, column + j), sum[j]);
      };
      const auto put = [&](const T* sum, index_t row) SPARSEKIT_LAMBDA_INLINE {
        for (index_t j = 0; j < columns; ++j) out.put(sum[j], row, column + j, simd::all_lanes{});
      };
      run_tasks(c.policy, 1, [&](index_t, index_t) {
        for (index_t s = 0; s < a.slices.size(); ++s) {
          T sums[height][width] = {};
          for_each_slice_entry(a, a.slices[s], [&](index_t lane, index_t k, T value) {
            add(sums[lane], k, value);
          });
          for (index_t l = 0; l < height; ++l) {
            const index_t row = a.order.empty() ? s * height + l : index_t{a.order[s * height + l]};
            if (row >= 0 && row < a.rows()) put(sums[l], row);
          }
        }
        for (const spmv_row& r : a.long_rows) {
          T sum[width] = {};
          for (index_t p = 0; p < r.count; ++p) {
            add(sum, a.column(r.column + p), a.values[r.value + p]);
          }
          put(sum, r.row);
        }
      });
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
