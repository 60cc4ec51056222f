// Y = A X for packed N:M matrices without a workspace, for X whose rows lie contiguous: one row of A across up
// to four registers of X, read where it lies.
#pragma once

#include "slice.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// One row of a slice times `columns` columns of X at x; the last register is loaded under the mask.
template <class Lanes, int Registers, class T>
SPARSEKIT_INLINE void nm_row_in_place(const packed_nm_view<const T>& a, index_t slice, index_t row,
                                      const T* x, index_t ld, typename Lanes::mask tail,
                                      typename Lanes::reg* sum) {
  simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE { sum[j] = Lanes::zero(); });
  for (index_t i = 0; i < a.steps(); ++i) {
    const auto value = Lanes::broadcast(a.values[(slice * a.steps() + i) * nm_slice + row]);
    const T* from = x + a.column(slice, i, row) * ld;
    simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
      if constexpr (j == Registers - 1) {
        sum[j] = Lanes::fma(value, Lanes::load(tail, from + j * Lanes::width), sum[j]);
      } else {
        sum[j] = Lanes::fma(value, Lanes::load(from + j * Lanes::width), sum[j]);
      }
    });
  }
}

/// The same where X holds Inf or NaN, which slots that are no entry must not see.
template <class T>
SPARSEKIT_NOINLINE void nm_row_exact(const packed_nm_view<const T>& a, index_t slice, index_t row,
                                     const T* x, index_t ld, index_t columns, T* sums) {
  using one = simd::lanes<arch::scalar, T>;
  for (index_t j = 0; j < columns; ++j) {
    T sum{0};
    for (index_t i = 0; i < a.steps(); ++i) {
      const T value = a.values[(slice * a.steps() + i) * nm_slice + row];
      const T from = x[a.column(slice, i, row) * ld + j];
      if (is_empty_slot(value) && !simd::is_finite(from)) continue;
      sum = one::fma(value, from, sum);
    }
    sums[j] = sum;
  }
}

/// All rows of a slice across `columns` columns, into Y.
template <class Lanes, int Registers, class T, class Output>
SPARSEKIT_NOINLINE void nm_slice_in_place(const packed_nm_view<const T>& a, index_t slice,
                                          const T* x, index_t ld, index_t column, index_t columns,
                                          const Output& out) {
  constexpr index_t width = Registers * Lanes::width;
  alignas(64) T sums[nm_slice * width];
  const index_t left = a.rows() - slice * nm_slice;
  const index_t rows = left < nm_slice ? left : nm_slice;
  const auto tail = Lanes::first(columns - (width - Lanes::width));
  for (index_t r = 0; r < rows; ++r) {
    typename Lanes::reg sum[Registers];
    nm_row_in_place<Lanes, Registers>(a, slice, r, x, ld, tail, sum);
    simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
      Lanes::store(sums + r * width + j * Lanes::width, sum[j]);
    });
    if (!nm_all_finite<Lanes, Registers>(sum)) {
      nm_row_exact(a, slice, r, x, ld, columns, sums + r * width);
    }
  }
  if constexpr (std::is_same_v<decltype(out.y), dense_view<T, row_major>>) {
    for (index_t r = 0; r < rows; ++r) {
      simd::unroll<Registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
        const auto v = Lanes::load(sums + r * width + j * Lanes::width);
        const index_t at = column + j * Lanes::width;
        if constexpr (j < Registers - 1) {
          out.put(v, slice * nm_slice + r, at, simd::all_lanes{});
        } else if (columns == width) {
          out.put(v, slice * nm_slice + r, at, simd::all_lanes{});
        } else {
          out.put(v, slice * nm_slice + r, at, tail);
        }
      });
    }
  } else {
    out.put_tile(sums, width, rows, columns, slice * nm_slice, column);
  }
}

template <class Arch, class T>
struct spmm_nm_inplace {
  using lanes = simd::lanes<Arch, T>;
  static constexpr int registers = 4;
  static constexpr index_t width = registers * lanes::width;

  template <class Call>
  static constexpr bool possible = std::is_same_v<typename Call::x_layout, row_major>;
  template <class Call>
  static bool accepts(const Call&) {
    return std::is_same_v<typename Call::x_layout, row_major>;
  }
  template <class A>
  static workspace_size requirement(const A&, index_t) {
    return {};
  }
  template <class Call>
  static void run(const Call& c) {
    const auto& a = c.a;
    const auto out = output_of<lanes>(c.y, c.epilogue);
    const index_t n = c.x.cols();
    const index_t tasks = task_count(c.policy, a.slots() * n, a.slices());
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t slice1 = a.slices() * (task + 1) / tasks;
      for (index_t s = a.slices() * task / tasks; s < slice1; ++s) {
        for (index_t column = 0; column < n; column += width) {
          const index_t columns = n - column < width ? n - column : width;
          const index_t count = ceil_div(columns, lanes::width);
          simd::unroll<registers>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
            if (count == j + 1) {
              nm_slice_in_place<lanes, j + 1>(a, s, c.x.data() + column, c.x.ld(), column, columns,
                                              out);
            }
          });
        }
      }
    });
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
