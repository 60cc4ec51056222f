// What a multiply should take: microseconds from counts and shape, by a few constants an ISA. It need not be
// exact, only rank forms rightly; choose(sk::measure, ...) times them where that is not enough.
//
// Fitted by non-negative least squares to 1,500 timings of generated matrices (10 shapes from 48 x 64 to
// 2048 x 512, 0.1 to 0.98 zeros, 1 to 512 columns) on an AMD EPYC of the Zen 4 generation, one thread,
// g++ 12.2, AVX-512, f32, the register of quads held at an FMA's time (a free fit makes it cheaper and then
// prefers quads for full matrices). Nine of ten predictions are within -38 and +28 %. Other ISAs and f64 scale
// the terms that are counted in registers by the number of registers; they are not fitted.
#pragma once

#include <algorithm>

#include "../formats/lookup.hpp"
#include "../formats/quads.hpp"
#include "../simd/simd.hpp"

namespace sparsekit {
inline namespace v0 {

/// Nanoseconds for each of the counts that a form's time is made of.
struct cost_constants {
  double dense_register;   ///< multiply-add of one register
  double dense_gemv;       ///< one weight, one column
  double dense_output;     ///< one element of Y
  double dense_edge;       ///< one row or column of W
  double dense_call;
  double quads_register;   ///< one slot, one register of columns
  double quads_slot;       ///< one slot, one panel: its index and its value
  double quads_row;        ///< one row, one column block, one register
  double quads_row_panel;  ///< one row, one column block, one panel
  double quads_relay;      ///< one row of X, one register
  double quads_panel;
  double lookup_slot;
  double lookup_x;
  double lookup_y;
  double lookup_call;
};

SPARSEKIT_EXEC_BEGIN_IN_V0

template <class T>
class cost_model {
 public:
  /// The model of this translation unit's ISA.
  static cost_model native() {
    return {{.dense_register = 0.2828, .dense_gemv = 0.0361, .dense_output = 0.1169,
             .dense_edge = 0.9571, .dense_call = 58, .quads_register = 0.28,
             .quads_slot = 0.084, .quads_row = 0.264, .quads_row_panel = 1.4305,
             .quads_relay = 0.8849, .quads_panel = 48, .lookup_slot = 0.0543,
             .lookup_x = 0.1636, .lookup_y = 0.507, .lookup_call = 33.8},
            simd::lanes<native_arch, T>::width};
  }
  cost_model(const cost_constants& constants, index_t width) : c_(constants), width_(width) {}

  /// Microseconds of the packed dense form for n columns.
  double dense(const extents& w, index_t n) const {
    const double m = static_cast<double>(w.rows);
    const double k = static_cast<double>(w.cols);
    if (n == 1) return 1e-3 * (c_.dense_call + c_.dense_gemv * scale() * m * k);
    // Lanes along columns of X, or along rows of W: the kernel that wastes less.
    const double along_columns = m * k * registers(n);
    const double along_rows = registers(w.rows) * k * static_cast<double>(n);
    return 1e-3 * (c_.dense_register * std::min(along_columns, along_rows) +
                   c_.dense_output * scale() * m * static_cast<double>(n) +
                   c_.dense_edge * (m + k) + c_.dense_call);
  }

  /// Microseconds of balanced row quads.
  double quads(const extents& w, index_t slots, index_t column_block, index_t interleave,
               index_t n) const {
    const double m = static_cast<double>(w.rows);
    const double k = static_cast<double>(w.cols);
    const double s = static_cast<double>(slots);
    const double blocks = static_cast<double>(ceil_div(w.cols, std::max<index_t>(column_block, 1)));
    const index_t widest = interleave == 1 ? 4 : 2;
    const double panels = static_cast<double>(ceil_div(ceil_div(n, width_), widest));
    // A few columns run in narrower registers, which cost less than full ones.
    const double r = 4 * n <= width_ ? 0.25 : 2 * n <= width_ ? 0.5 : registers(n);
    return 1e-3 * (c_.quads_register * s * r + c_.quads_slot * s * panels +
                   c_.quads_row * m * blocks * r + c_.quads_row_panel * m * blocks * panels +
                   c_.quads_relay * k * r + c_.quads_panel * panels);
  }

  /// Microseconds of window-lookup steps.
  double lookup(const extents& w, index_t slots, index_t n) const {
    const double columns = static_cast<double>(n);
    return 1e-3 * (c_.lookup_call + c_.lookup_slot * scale() * static_cast<double>(slots) * columns +
                   c_.lookup_x * static_cast<double>(w.cols) * columns +
                   c_.lookup_y * static_cast<double>(w.rows) * columns);
  }

  /// The share of zeros from which quads beat dense for this shape and column count: 1 if never.
  double break_even(const extents& w, index_t n) const {
    const double elements = static_cast<double>(w.rows) * static_cast<double>(w.cols);
    double low = 0;
    double high = 1;
    for (int i = 0; i < 20; ++i) {
      const double zeros = (low + high) / 2;
      const auto slots = static_cast<index_t>((1 - zeros) * elements);
      const double sparse = n <= 3 ? std::min(lookup(w, slots, n), quads(w, slots, 256, 2, n))
                                   : quads(w, slots, 256, 2, n);
      (sparse < dense(w, n) ? high : low) = zeros;
    }
    return high;
  }

 private:
  double registers(index_t n) const { return static_cast<double>(ceil_div(n, width_)); }
  /// Terms fitted per element of 16 lanes.
  double scale() const { return 16.0 / static_cast<double>(width_); }

  cost_constants c_;
  index_t width_;
};

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
