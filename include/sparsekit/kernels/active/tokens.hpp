// Y = W X where only some columns of a column-major W take part, the same for a tile of tokens:
// features whose whole row of X is zero. Each column of W is read once for all tokens.
//
// A block of `depth` columns is added to the sums of a tile of Y, a register tile at a time: the
// columns are as many runs of memory then, which hardware prefetches. For more tokens than a
// register tile has, the weights of its rows are laid side by side first, widened: columns that lie
// a power of two apart would push each other out of L1. Without a zero row it is half as fast as
// packed dense weights in cache on Zen 3: laying the weights side by side takes a fifth of the
// time, fetching X and putting Y a sixth; prefetching the next rows brought nothing. Each element
// of Y is one chain of fused multiply-adds over the active features in ascending order, so neither
// the blocks nor the other tokens change its bits.
#pragma once

#include "../dense/gemm.hpp"
#include "columns.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

template <class Arch, class T>
struct gemm_active {
  using sum = sum_of_t<T>;
  using lanes = simd::lanes<Arch, sum>;
  static constexpr int vectors = dense_vectors<Arch>;
  static constexpr int height = dense_height<Arch>(vectors);
  static constexpr index_t group = vectors * lanes::width;
  /// Columns of W in one go.
  static constexpr index_t depth = 32;
  /// Tokens of a tile of Y, and its elements: 24 KB.
  static constexpr index_t most_tokens = 24;
  static constexpr index_t room = 24576 / index_t{sizeof(sum)};

  template <class Call>
  static constexpr bool possible = !Call::one_column && requires(const Call& c) {
    c.a.indices;
  };
  template <class Call>
  static bool accepts(const Call& c) {
    return !is_spmv(c);
  }
  template <class A>
  static workspace_size requirement(const A&, index_t) {
    return {};
  }
  template <class Call>
  static void run(const Call& c) {
    const index_t rows = c.a.rows();
    const index_t tasks = task_count(c.policy, c.a.nnz() * c.x.cols(), ceil_div(rows, 16));
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t r0 = active_cut(rows, task, tasks);
      const index_t r1 = active_cut(rows, task + 1, tasks);
      for (index_t j = 0; j < c.x.cols(); j += most_tokens) {
        const index_t tokens = std::min(most_tokens, c.x.cols() - j);
        const index_t tile_rows = room / round_up(tokens, lanes::width) / group * group;
        for (index_t r = r0; r < r1; r += tile_rows) {
          run_tile_of(c, r, std::min(tile_rows, r1 - r), j, tokens);
        }
      }
    });
  }

 private:
  template <class Call>
  static SPARSEKIT_NOINLINE void run_tile_of(const Call& c, index_t row, index_t rows,
                                             index_t token, index_t tokens) {
    alignas(64) sum sums[room];
    alignas(64) sum factors[depth * most_tokens];
    const index_t ld = round_up(rows, lanes::width);
    for (index_t i = 0; i < tokens * ld; i += lanes::width) lanes::store(sums + i, lanes::zero());
    const index_t count = c.a.indices.size();
    for (index_t i = 0; i < count; i += depth) {
      const T* column[depth];
      const index_t columns = std::min(depth, count - i);
      for (index_t k = 0; k < columns; ++k) column[k] = &c.a.w(row, index_t{c.a.indices[i + k]});
      if (fetch_factors(c, i, columns, token, tokens, factors)) {
        add_columns(column, columns, rows, factors, tokens, sums, ld);
      } else {
        add_columns_exactly(column, columns, rows, factors, tokens, sums, ld);
      }
    }
    put_sums<lanes, roles::rows>(sums, ld, rows, tokens, output_of<lanes>(c.y, c.epilogue), row,
                                 token);
  }

  /// factors[k * most_tokens + j] = x of feature first + k and token j. Returns whether all are
  /// finite.
  template <class Call>
  static bool fetch_factors(const Call& c, index_t first, index_t columns, index_t token,
                            index_t tokens, sum* factors) {
    bool finite = true;
    const auto fetch = [&](index_t k, index_t j) SPARSEKIT_LAMBDA_INLINE {
      const index_t place = c.a.compact ? first + k : index_t{c.a.indices[first + k]};
      const sum x = static_cast<sum>(c.x(place, token + j));
      finite &= simd::is_finite(x);
      factors[k * most_tokens + j] = x;
    };
    if constexpr (Call::x_layout::rows_contiguous) {
      for (index_t k = 0; k < columns; ++k) {
        for (index_t j = 0; j < tokens; ++j) fetch(k, j);
      }
    } else {
      for (index_t j = 0; j < tokens; ++j) {
        for (index_t k = 0; k < columns; ++k) fetch(k, j);
      }
    }
    return finite;
  }

  static SPARSEKIT_NOINLINE void add_columns(const T* const* column, index_t columns, index_t rows,
                                             const sum* factors, index_t tokens, sum* sums,
                                             index_t ld) {
    constexpr index_t w = lanes::width;
    index_t r = 0;
    const auto add = [&](auto v, auto mask) SPARSEKIT_LAMBDA_INLINE {
      if (tokens <= height) {
        const auto weight = [&](index_t k, int i) SPARSEKIT_LAMBDA_INLINE {
          return simd::load_as<lanes>(mask, column[k] + r + i * w);
        };
        simd::unroll<height>([&](auto n) SPARSEKIT_LAMBDA_INLINE {
          if (tokens == n + 1) add_tile<v, n + 1>(weight, columns, factors, sums + r, ld);
        });
      } else {
        alignas(64) sum weights_of_rows[depth * v * w];
        for (index_t k = 0; k < columns; ++k) {
          simd::unroll<v>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
            lanes::store(weights_of_rows + (k * v + i) * w,
                         simd::load_as<lanes>(mask, column[k] + r + i * w));
          });
        }
        const auto weight = [&](index_t k, int i) SPARSEKIT_LAMBDA_INLINE {
          return lanes::load(weights_of_rows + (k * v + i) * w);
        };
        for_tiles<height>(0, tokens, [&](index_t j, auto size) SPARSEKIT_LAMBDA_INLINE {
          add_tile<v, size>(weight, columns, factors + j, sums + j * ld + r, ld);
        });
      }
      r += v * w;
    };
    while (rows - r >= group) add(std::integral_constant<int, vectors>{}, simd::all_lanes{});
    while (rows - r >= w) add(std::integral_constant<int, 1>{}, simd::all_lanes{});
    if (r < rows) add(std::integral_constant<int, 1>{}, lanes::first(rows - r));
  }

  template <int... I>
  static SPARSEKIT_INLINE void add_token(typename lanes::reg* total, typename lanes::reg factor,
                                         const typename lanes::reg* weight,
                                         std::integer_sequence<int, I...>) {
    ((total[I] = simd::add_product<lanes>(factor, weight[I], total[I])), ...);
  }

  /// Sums of Vectors registers of rows times Tokens, through registers; weight(k, i) is register i
  /// of column k.
  template <int Vectors, int Tokens, class Weight>
  static SPARSEKIT_INLINE void add_tile(const Weight& weight, index_t columns, const sum* factors,
                                        sum* sums, index_t ld) {
    using token_sums = simd::registers<lanes, Vectors>;
    typename lanes::reg total[Vectors * Tokens];
    simd::unroll<Tokens>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
      token_sums::load(total + j * Vectors, sums + j * ld);
    });
    for (index_t k = 0; k < columns; ++k, factors += most_tokens) {
      typename lanes::reg vector[Vectors];
      simd::unroll<Vectors>(
          [&](auto i) SPARSEKIT_LAMBDA_INLINE { vector[i] = simd::loaded_once(weight(k, i)); });
      simd::unroll<Tokens>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
        simd::no_loads_ahead();
        add_token(total + j * Vectors, lanes::broadcast(factors[j]), vector,
                  std::make_integer_sequence<int, Vectors>{});
      });
    }
    simd::unroll<Tokens>([&](auto j) SPARSEKIT_LAMBDA_INLINE {
      token_sums::store(sums + j * ld, total + j * Vectors);
    });
  }

  /// The same sums, leaving out zero weights where x is Inf or NaN.
  static SPARSEKIT_NOINLINE void add_columns_exactly(const T* const* column, index_t columns,
                                                     index_t rows, const sum* factors,
                                                     index_t tokens, sum* sums, index_t ld) {
    using one = simd::lanes<arch::scalar, sum>;
    for (index_t j = 0; j < tokens; ++j) {
      for (index_t r = 0; r < rows; ++r) {
        sum total = sums[j * ld + r];
        for (index_t k = 0; k < columns; ++k) {
          const sum weight = static_cast<sum>(column[k][r]);
          total = simd::add_product<one>(visible_sum(weight, factors[k * most_tokens + j]), weight,
                                         total);
        }
        sums[j * ld + r] = total;
      }
    }
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
