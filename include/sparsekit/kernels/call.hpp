// What a kernel is given: operands, epilogue, policy and scratch in one struct; and how it hands finished
// sums over: `row_output` for row-major Y, `transposed_output` for column-major Y.
#pragma once

#include "../core/dense_view.hpp"
#include "../core/number.hpp"
#include "../epilogue.hpp"
#include "../policy.hpp"
#include "../simd/simd.hpp"
#include "../workspace.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Y = epilogue(A X). T is the type of A's values, TX and TY are those of X and Y: other than T only where
/// T is narrow (core/number.hpp), which only the kernels of narrow types see. Two flags keep kernels from being
/// compiled for calls that never take them: HasWorkspace is false where the caller gave none, OneColumn is true
/// where X and Y are known to be one contiguous column each, as vectors are.
template <class Policy, class A, class T, class XLayout, class YLayout, class Epilogue,
          bool HasWorkspace = true, class TX = T, class TY = TX, bool OneColumn = false>
struct call {
  static constexpr bool has_workspace = HasWorkspace;
  static constexpr bool one_column = OneColumn;
  using value_type = T;
  using x_type = TX;
  using y_type = TY;
  using sum_type = sum_of_t<T>;
  using matrix = A;
  using x_layout = XLayout;
  using y_layout = YLayout;
  using epilogue_type = Epilogue;

  const Policy& policy;
  const A& a;
  dense_view<const TX, XLayout> x;
  dense_view<TY, YLayout> y;
  const Epilogue& epilogue;
  scratch_memory scratch;
};

/// One contiguous column in, one out: the calls of SpMV kernels. All others are SpMM.
template <class Call>
SPARSEKIT_INLINE bool is_spmv(const Call& c) {
  return Call::one_column ||
         (c.x.cols() == 1 && std::is_same_v<typename Call::x_layout, col_major> &&
          std::is_same_v<typename Call::y_layout, col_major>);
}

/// What most SpMV kernels say: they take every call with one contiguous column, and need no scratch.
struct spmv_kernel {
  template <class Call>
  static constexpr bool possible = std::is_same_v<typename Call::x_layout, col_major> &&
                                   std::is_same_v<typename Call::y_layout, col_major>;
  template <class Call>
  static bool accepts(const Call& c) {
    return is_spmv(c);
  }
  template <class A>
  static workspace_size requirement(const A&, index_t) {
    return {};
  }
};

/// Where a register of results goes. Lanes are consecutive columns of one row (AlongRow), or
/// consecutive rows of one column. T is the type of Y's elements; what lanes hold at a stage of the epilogue
/// is `value_type`: at first the sum's type, after `dequantize` f32.
template <class Lanes, class T, class Mask, bool AlongRow>
struct place {
  using lanes = Lanes;
  using value_type = simd::value_of<Lanes>;
  using y_type = T;

  index_t row;
  index_t column;
  Mask mask;
  const T* y;
  const std::int32_t* weight_sums = nullptr;  ///< one a row, where weights are s8

  SPARSEKIT_INLINE auto old() const { return simd::load_as<Lanes>(mask, y); }
  template <class U>
  SPARSEKIT_INLINE auto per_row(const U* b) const {
    static_assert(simd::widens<U, value_type>, "an array of the epilogue has another type than sums");
    if constexpr (AlongRow) {
      return simd::broadcast_as<Lanes>(b[row]);
    } else {
      return simd::load_as<Lanes>(mask, b + row);
    }
  }
  template <class U>
  SPARSEKIT_INLINE auto per_column(const U* b) const {
    static_assert(simd::widens<U, value_type>, "an array of the epilogue has another type than sums");
    if constexpr (AlongRow) {
      return simd::load_as<Lanes>(mask, b + column);
    } else {
      return simd::broadcast_as<Lanes>(b[column]);
    }
  }
  /// The same place for lanes of another type.
  template <class V>
  SPARSEKIT_INLINE auto as() const {
    return place<simd::lanes_with<Lanes, V>, T, Mask, AlongRow>{row, column, mask, y, weight_sums};
  }
};

/// A register of sums through the epilogue to its place in Y.
template <class Lanes, class T, class Mask, bool AlongRow, class Epilogue>
SPARSEKIT_INLINE void finish(typename Lanes::reg v, const place<Lanes, T, Mask, AlongRow>& at,
                             const Epilogue& epilogue, T* y) {
  using last = typename std::remove_cvref_t<decltype(epilogue.after(at))>::lanes;
  simd::store_as<last>(at.mask, y, epilogue(v, at));
}

/// Finished sums into row-major Y.
template <class Lanes, class T, class Epilogue>
struct row_output {
  dense_view<T, row_major> y;
  const Epilogue& epilogue;
  const std::int32_t* weight_sums = nullptr;

  template <class Mask>
  SPARSEKIT_INLINE void put(typename Lanes::reg v, index_t row, index_t column, Mask m) const {
    T* p = y.data() + row * y.ld() + column;
    finish(v, place<Lanes, T, Mask, true>{row, column, m, p, weight_sums}, epilogue, p);
  }

  /// Full registers of one row from `column` on. The epilogue runs for all of them before the first is stored: a store
  /// might change what it reads, so each put by itself would have to fetch the bias and all pointers again.
  template <int Count>
  SPARSEKIT_INLINE void put_run(const typename Lanes::reg* v, index_t row, index_t column) const {
    T* const p = y.data() + row * y.ld() + column;
    const auto at = [&](index_t j) {
      return place<Lanes, T, simd::all_lanes, true>{row, column + j * Lanes::width, {},
                                                    p + j * Lanes::width, weight_sums};
    };
    if constexpr (Count > 0) {
      using last = typename std::remove_cvref_t<decltype(epilogue.after(at(0)))>::lanes;
      decltype(epilogue(v[0], at(0))) done[Count];
      simd::unroll<Count>([&](auto j) SPARSEKIT_LAMBDA_INLINE { done[j] = epilogue(v[j], at(j)); });
      simd::unroll<Count>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
        simd::store_as<last>(simd::all_lanes{}, p + j * Lanes::width, done[j]);
      });
    }
  }
  /// The same, of which the last is partly filled, `tail`, unless `full`.
  template <int Count, class Mask>
  SPARSEKIT_INLINE void put_run(const typename Lanes::reg* v, index_t row, index_t column, bool full,
                                Mask tail) const {
    if (full) return put_run<Count>(v, row, column);
    put_run<Count - 1>(v, row, column);
    put(v[Count - 1], row, column + (Count - 1) * Lanes::width, tail);
  }
};

/// Finished sums into column-major Y, where the lanes of `put` are rows.
template <class Lanes, class T, class Epilogue>
struct column_output {
  dense_view<T, col_major> y;
  const Epilogue& epilogue;
  const std::int32_t* weight_sums = nullptr;

  template <class Mask>
  SPARSEKIT_INLINE void put(typename Lanes::reg v, index_t row, index_t column, Mask m) const {
    T* p = y.data() + column * y.ld() + row;
    finish(v, place<Lanes, T, Mask, false>{row, column, m, p, weight_sums}, epilogue, p);
  }

  /// Full registers of one column from `row` on; the epilogue runs before the first store, as in
  /// row_output.
  template <int Count>
  SPARSEKIT_INLINE void put_run(const typename Lanes::reg* v, index_t row, index_t column) const {
    T* const p = y.data() + column * y.ld() + row;
    const auto at = [&](index_t i) {
      return place<Lanes, T, simd::all_lanes, false>{
          row + i * Lanes::width, column, {}, p + i * Lanes::width, weight_sums};
    };
    if constexpr (Count > 0) {
      using last = typename std::remove_cvref_t<decltype(epilogue.after(at(0)))>::lanes;
      decltype(epilogue(v[0], at(0))) done[Count];
      simd::unroll<Count>([&](auto i) SPARSEKIT_LAMBDA_INLINE { done[i] = epilogue(v[i], at(i)); });
      simd::unroll<Count>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
        simd::store_as<last>(simd::all_lanes{}, p + i * Lanes::width, done[i]);
      });
    }
  }
  /// The same, of which the last is partly filled, `tail`, unless `full`.
  template <int Count, class Mask>
  SPARSEKIT_INLINE void put_run(const typename Lanes::reg* v, index_t row, index_t column,
                                bool full, Mask tail) const {
    if (full) return put_run<Count>(v, row, column);
    put_run<Count - 1>(v, row, column);
    put(v[Count - 1], row + (Count - 1) * Lanes::width, column, tail);
  }

  /// A tile of sums, `rows` x `columns` at tile[r * tile_ld + c], transposed into Y at (row, column).
  /// The tile must be readable up to full registers in both directions. One function for all kernels: transposing
  /// is long, and their tiles are large.
  SPARSEKIT_NOINLINE void put_tile(const simd::value_of<Lanes>* tile, index_t tile_ld, index_t rows, index_t columns,
                                   index_t row, index_t column) const {
    // Behind references, each store might change them, and they would be read again.
    const Epilogue own_epilogue = epilogue;
    const column_output own{y, own_epilogue, weight_sums};
    constexpr int width = Lanes::width;
    // A cache line of the tile down all its rows, then the next: so many columns of Y are written at a time. All of them
    // at once lie on more pages than the TLB of stores knows (Emerald Rapids: 64 and 128 columns of 98 % zeros took
    // 1.1 to 1.3 times as long).
    constexpr index_t per_line = index_t{64 / sizeof(simd::value_of<Lanes>)};
    constexpr index_t line = width < per_line ? per_line : index_t{width};
    for (index_t c0 = 0; c0 < columns; c0 += line) {
      const index_t c1 = columns - c0 < line ? columns : c0 + line;
      for (index_t r = 0; r < rows; r += width) {
        const auto mask = Lanes::first(rows - r);
        for (index_t c = c0; c < c1; c += width) {
          typename Lanes::reg t[width];
          simd::registers<Lanes, width>::load_rows(t, tile + r * tile_ld + c, tile_ld);
          Lanes::transpose(t);
          if (rows - r >= width && columns - c >= width) {
            own.put_square(t, row + r, column + c);
          } else {
            simd::unroll<width>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
              if (c + i < columns) own.put(t[i], row + r, column + c + i, mask);
            });
          }
        }
      }
    }
  }

 private:
  /// One register each for as many columns; the epilogue runs before the first store, as in row_output.
  SPARSEKIT_INLINE void put_square(const typename Lanes::reg (&t)[Lanes::width], index_t row, index_t column) const {
    constexpr int width = Lanes::width;
    const index_t ld = y.ld();
    T* const p = y.data() + column * ld + row;
    const auto at = [&](index_t i) {
      return place<Lanes, T, simd::all_lanes, false>{row, column + i, {}, p + i * ld, weight_sums};
    };
    using last = typename std::remove_cvref_t<decltype(epilogue.after(at(0)))>::lanes;
    decltype(epilogue(t[0], at(0))) done[width];
    simd::unroll<width>([&](auto i) SPARSEKIT_LAMBDA_INLINE { done[i] = epilogue(t[i], at(i)); });
    simd::unroll<width>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
      simd::store_as<last>(simd::all_lanes{}, p + i * ld, done[i]);
    });
  }
};

/// In place of an output: the caller puts the sums into Y once they are all there. A kernel that takes it is
/// compiled once for all epilogues.
struct sums_wait {};

template <class Lanes, class T, class Epilogue>
SPARSEKIT_INLINE row_output<Lanes, T, Epilogue> output_of(
    dense_view<T, row_major> y, const Epilogue& e, const std::int32_t* weight_sums = nullptr) {
  return {y, e, weight_sums};
}
template <class Lanes, class T, class Epilogue>
SPARSEKIT_INLINE column_output<Lanes, T, Epilogue> output_of(
    dense_view<T, col_major> y, const Epilogue& e, const std::int32_t* weight_sums = nullptr) {
  return {y, e, weight_sums};
}

}  // namespace kernels
SPARSEKIT_EXEC_END
