// What a kernel is given: operands, epilogue, policy and scratch in one struct; and how it hands finished
// sums over: `row_output` for row-major Y, `transposed_output` for column-major Y.
#pragma once

#include "../core/dense_view.hpp"
#include "../epilogue.hpp"
#include "../policy.hpp"
#include "../simd/simd.hpp"
#include "../workspace.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Y = epilogue(A X). HasWorkspace is false where the caller gave none: then kernels that need one are
/// not even compiled.
template <class Policy, class A, class T, class XLayout, class YLayout, class Epilogue,
          bool HasWorkspace = true>
struct call {
  static constexpr bool has_workspace = HasWorkspace;
  using value_type = T;
  using matrix = A;
  using x_layout = XLayout;
  using y_layout = YLayout;

  const Policy& policy;
  const A& a;
  dense_view<const T, XLayout> x;
  dense_view<T, YLayout> y;
  const Epilogue& epilogue;
  scratch_memory scratch;
};

/// One contiguous column in, one out: the calls of SpMV kernels. All others are SpMM.
template <class Call>
SPARSEKIT_INLINE bool is_spmv(const Call& c) {
  return c.x.cols() == 1 && std::is_same_v<typename Call::x_layout, col_major> &&
         std::is_same_v<typename Call::y_layout, col_major>;
}

/// Where a register of results goes. Lanes are consecutive columns of one row (AlongRow), or
/// consecutive rows of one column.
template <class Lanes, class T, class Mask, bool AlongRow>
struct place {
  using lanes = Lanes;
  using value_type = T;

  index_t row;
  index_t column;
  Mask mask;
  const T* y;

  SPARSEKIT_INLINE auto old() const { return Lanes::load(mask, y); }
  SPARSEKIT_INLINE auto per_row(const T* b) const {
    if constexpr (AlongRow) {
      return Lanes::broadcast(b[row]);
    } else {
      return Lanes::load(mask, b + row);
    }
  }
  SPARSEKIT_INLINE auto per_column(const T* b) const {
    if constexpr (AlongRow) {
      return Lanes::load(mask, b + column);
    } else {
      return Lanes::broadcast(b[column]);
    }
  }
};

/// Finished sums into row-major Y.
template <class Lanes, class T, class Epilogue>
struct row_output {
  dense_view<T, row_major> y;
  const Epilogue& epilogue;

  template <class Mask>
  SPARSEKIT_INLINE void put(typename Lanes::reg v, index_t row, index_t column, Mask m) const {
    T* p = y.data() + row * y.ld() + column;
    Lanes::store(m, p, epilogue(v, place<Lanes, T, Mask, true>{row, column, m, p}));
  }
};

/// Finished sums into column-major Y, where the lanes of `put` are rows.
template <class Lanes, class T, class Epilogue>
struct column_output {
  dense_view<T, col_major> y;
  const Epilogue& epilogue;

  template <class Mask>
  SPARSEKIT_INLINE void put(typename Lanes::reg v, index_t row, index_t column, Mask m) const {
    T* p = y.data() + column * y.ld() + row;
    Lanes::store(m, p, epilogue(v, place<Lanes, T, Mask, false>{row, column, m, p}));
  }

  /// A tile of sums, `rows` x `columns` at tile[r * tile_ld + c], transposed into Y at (row, column).
  /// The tile must be readable up to full registers in both directions.
  SPARSEKIT_INLINE void put_tile(const T* tile, index_t tile_ld, index_t rows, index_t columns,
                                 index_t row, index_t column) const {
    constexpr int width = Lanes::width;
    for (index_t r = 0; r < rows; r += width) {
      const auto mask = Lanes::first(rows - r);
      for (index_t c = 0; c < columns; c += width) {
        typename Lanes::reg t[width];
        simd::unroll<width>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
          t[i] = Lanes::load(tile + (r + i) * tile_ld + c);
        });
        Lanes::transpose(t);
        if (rows - r >= width && columns - c >= width) {
          simd::unroll<width>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
            put(t[i], row + r, column + c + i, simd::all_lanes{});
          });
        } else {
          simd::unroll<width>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
            if (c + i < columns) put(t[i], row + r, column + c + i, mask);
          });
        }
      }
    }
  }
};

template <class Lanes, class T, class Epilogue>
SPARSEKIT_INLINE row_output<Lanes, T, Epilogue> output_of(dense_view<T, row_major> y,
                                                          const Epilogue& e) {
  return {y, e};
}
template <class Lanes, class T, class Epilogue>
SPARSEKIT_INLINE column_output<Lanes, T, Epilogue> output_of(dense_view<T, col_major> y,
                                                             const Epilogue& e) {
  return {y, e};
}

}  // namespace kernels
SPARSEKIT_EXEC_END
