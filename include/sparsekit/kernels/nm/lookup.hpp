// Y = A X for packed N:M matrices, lanes along the rows of a slice: GEMV, and SpMM of few columns. Needs no
// workspace where the columns of X are contiguous.
//
//   for each group:   window[c] = the group's elements of column c of X
//     for each slot:  sum[c] += values of the slice's rows * window[c][places of the rows]
//
// A step reads 16 values and one word of places for all columns, so GEMV runs at the speed of reading
// (1 + 1/16) n/m of the dense weights. Per column and step it costs a permutation and an FMA.
#pragma once

#include "../../simd/group_lookup.hpp"
#include "../relay.hpp"
#include "slice.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Columns of X for a lookup: column c at x + c * ld, contiguous; `readable` elements of the last column.
template <class T>
struct nm_columns {
  const T* x;
  index_t ld;
};

/// Sums of slices [slice, slice + Slices) for `Columns` columns into sum[(column * Slices + slice) * parts].
/// N: slots of a group, 0 if known at run time only.
template <class Arch, class T, bool Wide, int N, int Slices, int Columns>
SPARSEKIT_INLINE void nm_lookup_sums(const packed_nm_view<const T>& a, nm_columns<T> x,
                                     index_t slice, typename simd::lanes<Arch, T>::reg* sum) {
  using lanes = simd::lanes<Arch, T>;
  using lookup = simd::group_lookup<Arch, T, Wide>;
  constexpr int w = lanes::width;
  constexpr int parts = static_cast<int>(nm_slice) / w;
  constexpr index_t word = Wide ? 8 : 4;
  constexpr index_t window_size = lookup::window_size;
  const index_t n = N == 0 ? a.group.n : N;
  const index_t m = a.group.m;
  const index_t steps = a.steps();
  const T* value = a.values.data() + slice * steps * nm_slice;
  const std::uint8_t* places = a.places.data() + slice * steps * word;

  // Windows that reach beyond the column are read from a copy with zeros behind it.
  const index_t whole = a.cols() < window_size ? 0 : (a.cols() - window_size) / m + 1;
  const index_t near_end = whole < a.groups() ? whole : a.groups();
  T tail[Columns][2 * window_size] = {};
  for (int c = 0; c < Columns; ++c) {
    for (index_t k = near_end * m; k < a.cols(); ++k) tail[c][k - near_end * m] = x.x[c * x.ld + k];
  }
  const T* base = x.x;
  index_t ld = x.ld;
  index_t g = 0;
  for (index_t end = near_end; g < a.groups(); end = a.groups()) {
    if (g == near_end) {
      base = &tail[0][0];
      ld = 2 * window_size;
    }
    for (; g < end; ++g, base += m) {
      typename lookup::window window[Columns];
      simd::unroll<Columns>([&](auto c) SPARSEKIT_LAMBDA_INLINE {
        window[c] = lookup::load(base + c * ld);
      });
      for (index_t i = 0; i < n; ++i, value += nm_slice, places += word) {
        simd::unroll<Slices>([&](auto s) SPARSEKIT_LAMBDA_INLINE {
          simd::unroll<parts>([&](auto p) SPARSEKIT_LAMBDA_INLINE {
            const auto v = lanes::load(value + s * steps * nm_slice + p * w);
            const auto pick =
                lookup::places(places + s * steps * word, std::integral_constant<int, p>{});
            simd::unroll<Columns>([&](auto c) SPARSEKIT_LAMBDA_INLINE {
              auto& to = sum[(c * Slices + s) * parts + p];
              to = lanes::fma(v, lookup::pick(window[c], pick), to);
            });
          });
        });
      }
    }
  }
}

/// The same for one slice, element by element, where X holds Inf or NaN, which slots that are no entry must
/// not see. Finite columns get the same bits.
template <class T>
SPARSEKIT_NOINLINE void nm_lookup_exact(const packed_nm_view<const T>& a, nm_columns<T> x,
                                        index_t columns, index_t slice, T* sums,
                                        index_t sums_ld) {
  using one = simd::lanes<arch::scalar, T>;
  for (index_t c = 0; c < columns; ++c) {
    for (index_t r = 0; r < nm_slice; ++r) {
      T sum{0};
      for (index_t i = 0; i < a.steps(); ++i) {
        const T value = a.values[(slice * a.steps() + i) * nm_slice + r];
        const T from = x.x[c * x.ld + a.column(slice, i, r)];
        if (is_empty_slot(value) && !simd::is_finite(from)) continue;
        sum = one::fma(value, from, sum);
      }
      sums[c * sums_ld + r] = sum;
    }
  }
}

template <class Arch, class T, bool Wide, int N, int Slices, int Columns, class Output>
SPARSEKIT_INLINE void nm_lookup_tile(const packed_nm_view<const T>& a, nm_columns<T> x,
                                     index_t slice, index_t column, const Output& out) {
  using lanes = simd::lanes<Arch, T>;
  constexpr int parts = static_cast<int>(nm_slice) / lanes::width;
  constexpr int vectors = Slices * parts;
  constexpr index_t ld = Slices * nm_slice;
  const nm_columns<T> from{x.x + column * x.ld, x.ld};
  // Rounded up to full registers, which the transposition of row-major Y reads.
  alignas(64) T tile[(Columns + lanes::width - 1) / lanes::width * lanes::width * ld];
  typename lanes::reg sum[vectors * Columns];
  simd::unroll<vectors * Columns>([&](auto i) SPARSEKIT_LAMBDA_INLINE { sum[i] = lanes::zero(); });
  nm_lookup_sums<Arch, T, Wide, N, Slices, Columns>(a, from, slice, sum);
  simd::unroll<vectors * Columns>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
    lanes::store(tile + i * lanes::width, sum[i]);
  });
  if (!nm_all_finite<lanes, vectors * Columns>(sum)) {
    for (int s = 0; s < Slices; ++s) {
      nm_lookup_exact(a, from, Columns, slice + s, tile + s * nm_slice, ld);
    }
  }
  const index_t left = a.rows() - slice * nm_slice;
  nm_put_columns<lanes>(tile, ld, left < ld ? left : ld, Columns, out, slice * nm_slice, column);
}

/// Registers of sums that several columns have together.
template <class Arch>
inline constexpr int nm_lookup_registers = std::is_same_v<Arch, arch::avx512> ? 8 : 4;

/// Slices at a time for one column, so that enough sums are independent; and columns at a time.
template <class Arch, class T>
struct nm_lookup_limits {
  static constexpr int parts = static_cast<int>(nm_slice) / simd::lanes<Arch, T>::width;
  static constexpr int slices = parts >= 4 ? 1 : 4 / parts;
  static constexpr int columns =
      parts >= nm_lookup_registers<Arch> ? 1 : nm_lookup_registers<Arch> / parts;
};

template <class Arch, class T, bool Wide, int N, bool OneColumn, class Output>
SPARSEKIT_NOINLINE void nm_lookup_slices(const packed_nm_view<const T>& a, nm_columns<T> x,
                                         index_t columns, index_t slice0, index_t slice1,
                                         const Output& out) {
  using limits = nm_lookup_limits<Arch, T>;
  if (OneColumn || columns == 1) {
    nm_for_tiles<limits::slices>(slice0, slice1, [&](index_t s, auto count) SPARSEKIT_LAMBDA_INLINE {
      nm_lookup_tile<Arch, T, Wide, N, count, 1>(a, x, s, 0, out);
    });
    return;
  }
  if constexpr (!OneColumn) {
    for (index_t s = slice0; s < slice1; ++s) {
      nm_for_tiles<limits::columns>(0, columns, [&](index_t j, auto count) SPARSEKIT_LAMBDA_INLINE {
        nm_lookup_tile<Arch, T, Wide, N, 1, count>(a, x, s, j, out);
      });
    }
  }
}

template <class Arch, class T>
struct nm_lookup {
  using lanes = simd::lanes<Arch, T>;

  template <class Call>
  static void run_columns(const Call& c, nm_columns<T> x) {
    const auto& a = c.a;
    const index_t tasks = fine_task_count(c.policy, a.slots() * c.x.cols(), a.slices());
    run_tasks(c.policy, tasks, [&](index_t task, index_t) {
      const index_t slice0 = a.slices() * task / tasks;
      const index_t slice1 = a.slices() * (task + 1) / tasks;
      const auto out = output_of<lanes>(c.y, c.epilogue);
      constexpr bool one = Call::one_column;
      const index_t columns = c.x.cols();
      if (a.group.m > 4) {
        nm_lookup_slices<Arch, T, true, 0, one>(a, x, columns, slice0, slice1, out);
      } else if (a.group.n == 2) {
        nm_lookup_slices<Arch, T, false, 2, one>(a, x, columns, slice0, slice1, out);
      } else {
        nm_lookup_slices<Arch, T, false, 0, one>(a, x, columns, slice0, slice1, out);
      }
    });
  }
};

template <class Arch, class T>
struct gemv_nm_lookup : spmv_kernel {
  template <class Call>
  static void run(const Call& c) {
    nm_lookup<Arch, T>::run_columns(c, nm_columns<T>{c.x.data(), c.x.ld()});
  }
};

/// Few columns, in any layout: rows of X are re-laid into columns first.
template <class Arch, class T>
struct spmm_nm_few {
  using lanes = simd::lanes<Arch, T>;
  /// From here on a panel is faster (kernels/nm/panel.hpp): a register of columns is more than half full.
  static constexpr index_t most_columns = 8;

  template <class A>
  static workspace_size requirement(const A& a, index_t columns) {
    const index_t n = columns < most_columns ? columns : most_columns;
    return {.shared = n * round_up(a.cols(), 64) * index_t{sizeof(T)}, .per_worker = 0};
  }
  template <class Call>
  static constexpr bool possible =
      !Call::one_column &&
      (Call::has_workspace || std::is_same_v<typename Call::x_layout, col_major>);
  template <class Call>
  static bool accepts(const Call& c) {
    return !is_spmv(c) && c.x.cols() <= most_columns &&
           (std::is_same_v<typename Call::x_layout, col_major> ||
            c.scratch.shared_bytes >= requirement(c.a, c.x.cols()).shared);
  }
  template <class Call>
  static void run(const Call& c) {
    if constexpr (std::is_same_v<typename Call::x_layout, col_major>) {
      nm_lookup<Arch, T>::run_columns(c, nm_columns<T>{c.x.data(), c.x.ld()});
    } else {
      T* const columns = c.scratch.template shared_as<T>();
      const index_t ld = round_up(c.a.cols(), 64);
      relay_panel<lanes, T>(transposed(c.x), 0, c.a.cols(), ld, columns);
      nm_lookup<Arch, T>::run_columns(c, nm_columns<T>{columns, ld});
    }
  }
};

/// Any number of columns that lie contiguous, where there is no workspace.
template <class Arch, class T>
struct spmm_nm_lookup {
  template <class Call>
  static constexpr bool possible =
      !Call::one_column && std::is_same_v<typename Call::x_layout, col_major>;
  template <class Call>
  static bool accepts(const Call& c) {
    return !is_spmv(c) && std::is_same_v<typename Call::x_layout, col_major>;
  }
  template <class A>
  static workspace_size requirement(const A&, index_t) {
    return {};
  }
  template <class Call>
  static void run(const Call& c) {
    nm_lookup<Arch, T>::run_columns(c, nm_columns<T>{c.x.data(), c.x.ld()});
  }
};

}  // namespace kernels
SPARSEKIT_EXEC_END
