// Re-laying X: a panel of some columns as rows x width elements without gaps, zero beyond the last column,
// so that kernels read full aligned registers whatever the layout, leading dimension and tail of X; bf16 and
// f16 as f32.
#pragma once

#include <cstdint>

#include "../core/dense_view.hpp"
#include "../simd/mixed.hpp"
#include "../simd/simd.hpp"

SPARSEKIT_EXEC_BEGIN
namespace kernels {

/// Whether n elements in a row are all finite.
template <class Lanes, class T>
SPARSEKIT_INLINE bool all_finite(const T* x, index_t n) {
  auto a = Lanes::no_magnitude();
  auto b = Lanes::no_magnitude();
  index_t i = 0;
  for (; i + 2 * Lanes::width <= n; i += 2 * Lanes::width) {
    a = Lanes::max_magnitude(a, Lanes::load(x + i));
    b = Lanes::max_magnitude(b, Lanes::load(x + i + Lanes::width));
  }
  for (; i < n; i += Lanes::width) {
    a = Lanes::max_magnitude(a, Lanes::load(Lanes::first(n - i), x + i));
  }
  return !Lanes::any_not_finite(a) && !Lanes::any_not_finite(b);
}

/// Notes Inf and NaN in what passes; integers have none.
template <class Lanes, bool Floats = std::is_floating_point_v<simd::value_of<Lanes>>>
struct finite_watch {
  decltype(Lanes::no_magnitude()) magnitude = Lanes::no_magnitude();
  SPARSEKIT_INLINE void see(typename Lanes::reg v) {
    magnitude = Lanes::max_magnitude(magnitude, v);
  }
  SPARSEKIT_INLINE bool finite() const { return !Lanes::any_not_finite(magnitude); }
};
template <class Lanes>
struct finite_watch<Lanes, false> {
  SPARSEKIT_INLINE void see(typename Lanes::reg) {}
  SPARSEKIT_INLINE bool finite() const { return true; }
};

/// Whether columns [column, column + columns) of x are all finite.
template <class Lanes, class T, class Layout>
SPARSEKIT_INLINE bool all_finite(dense_view<const T, Layout> x, index_t column, index_t columns) {
  const index_t across = Layout::rows_contiguous ? x.rows() : columns;
  const index_t along = Layout::rows_contiguous ? columns : x.rows();
  const T* const begin = x.data() + (Layout::rows_contiguous ? column : column * x.ld());
  if (along == x.ld()) return all_finite<Lanes>(begin, across * along);
  auto magnitude = Lanes::no_magnitude();
  const index_t full = along / Lanes::width * Lanes::width;
  const auto tail = Lanes::first(along - full);
  for (index_t i = 0; i < across; ++i) {
    const T* line = begin + i * x.ld();
    for (index_t j = 0; j < full; j += Lanes::width) {
      magnitude = Lanes::max_magnitude(magnitude, Lanes::load(line + j));
    }
    if (full < along) magnitude = Lanes::max_magnitude(magnitude, Lanes::load(tail, line + full));
  }
  return !Lanes::any_not_finite(magnitude);
}

/// Whether columns [column, column + columns) of x are such a panel already, to be read where they
/// lie: with no register across cache lines, which costs more than a copy (512 x 512, 75 % zeros,
/// by 64 columns of f32 in a std::vector: half as much again).
template <class T, class Layout>
SPARSEKIT_INLINE bool is_panel(dense_view<const T, Layout> x, index_t columns, index_t width) {
  constexpr std::uintptr_t line = 64;
  const auto row_bytes = static_cast<std::uintptr_t>(width) * sizeof(T);
  return Layout::rows_contiguous && columns == width && x.ld() == width &&
         reinterpret_cast<std::uintptr_t>(x.data()) % (row_bytes < line ? row_bytes : line) == 0;
}

/// Columns [column, column + columns) of row-major x into panel[k * width + j], width >= columns a
/// multiple of the register. Returns whether every value is finite.
template <class Lanes, class T, class TX>
SPARSEKIT_INLINE bool relay_panel(dense_view<const TX, row_major> x, index_t column,
                                  index_t columns, index_t width, T* panel) {
  finite_watch<Lanes> watch;
  const index_t full = columns / Lanes::width * Lanes::width;
  const auto tail = Lanes::first(columns - full);
  for (index_t k = 0; k < x.rows(); ++k) {
    const TX* source = x.data() + k * x.ld() + column;
    T* target = panel + k * width;
    for (index_t j = 0; j < full; j += Lanes::width) {
      const auto v = typename Lanes::reg(simd::load_as<Lanes>(simd::all_lanes{}, source + j));
      watch.see(v);
      Lanes::store(target + j, v);
    }
    if (full < columns) {
      const auto v = typename Lanes::reg(simd::load_as<Lanes>(tail, source + full));
      watch.see(v);
      Lanes::store(target + full, v);
    }
    for (index_t j = round_up(columns, Lanes::width); j < width; j += Lanes::width) {
      Lanes::store(target + j, Lanes::zero());
    }
  }
  return watch.finite();
}

/// The same from column-major x: square tiles are transposed in registers.
template <class Lanes, class T, class TX>
SPARSEKIT_INLINE bool relay_panel(dense_view<const TX, col_major> x, index_t column,
                                  index_t columns, index_t width, T* panel) {
  constexpr int w = Lanes::width;
  finite_watch<Lanes> watch;
  for (index_t j = 0; j < width; j += w) {
    const index_t present = columns - j;
    const TX* source = x.data() + (column + j) * x.ld();
    for (index_t k = 0; k < x.rows(); k += w) {
      typename Lanes::reg t[w];
      if (x.rows() - k >= w && present >= w) {
        simd::unroll<w>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
          t[i] = simd::load_as<Lanes>(simd::all_lanes{}, source + i * x.ld() + k);
        });
      } else {
        const auto mask = Lanes::first(x.rows() - k);
        simd::unroll<w>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
          t[i] = i < present ? typename Lanes::reg(simd::load_as<Lanes>(mask, source + i * x.ld() + k))
                             : Lanes::zero();
        });
      }
      simd::unroll<w>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
        watch.see(t[i]);
      });
      Lanes::transpose(t);
      T* target = panel + k * width + j;
      if (x.rows() - k >= w) {
        simd::registers<Lanes, w>::store_rows(target, width, t);
      } else {
        simd::unroll<w>([&](auto i) SPARSEKIT_LAMBDA_INLINE {
          if (k + i < x.rows()) Lanes::store(target + i * width, t[i]);
        });
      }
    }
  }
  return watch.finite();
}

}  // namespace kernels
SPARSEKIT_EXEC_END
