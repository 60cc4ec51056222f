// What a multiply should take: microseconds, as a sum of counts (registers of multiply-adds, loads of X, rows,
// bytes beyond a cache) times constants in nanoseconds. It need not be exact, only rank forms rightly;
// choose(sk::measure, ...) times them where that is not enough.
//
// `terms_of` says what is counted, form by form, in three regimes: one column, few columns (up to about a
// register of them), many; quads: few, and many by how they are cut. The constants stand in
// plan/cost_constants.hpp, one table an ISA and type; plan/fit.hpp fits them to a machine.
#pragma once

#include <array>
#include <cmath>

#include "../simd/simd.hpp"
#include "cost_constants.hpp"
#include "pattern.hpp"

namespace sparsekit {
inline namespace v0 {

/// The counts of one multiply, and which constants they go with.
struct cost_terms {
  int regime = 0;
  std::array<double, cost_terms_count> count{};
};

SPARSEKIT_EXEC_BEGIN_IN_V0

template <class T>
class cost_model {
 public:
  static constexpr double width = static_cast<double>(simd::lanes<native_arch, T>::width);

  /// The model of this translation unit's ISA.
  static cost_model native() { return cost_model(default_constants<native_arch, T>()); }
  explicit cost_model(const cost_constants& constants) : c_(constants) {}

  /// Microseconds of one multiply with n columns.
  double predict(const form_choice& f, const pattern_statistics& s, index_t n) const {
    const cost_terms t = terms_of(f, s, n);
    const auto& c = c_.of[static_cast<int>(f.kind)][t.regime];
    double ns = 0;
    for (int i = 0; i < cost_terms_count; ++i) ns += c[i] * t.count[static_cast<std::size_t>(i)];
    return 1e-3 * ns;
  }

  /// The share of scattered zeros from which the sparse form for n columns beats dense: 1 if never.
  double break_even(const extents& shape, index_t n) const {
    const double dense = predict({form::dense}, scattered(shape, 0), n);
    double low = 0;
    double high = 1;
    for (int i = 0; i < 16; ++i) {
      const double zeros = (low + high) / 2;
      const pattern_statistics s = scattered(shape, zeros);
      const double quads =
          n == 1 ? 1e30
                 : std::min(predict({form::quads, {}, {}, 1}, s, n), predict({form::quads}, s, n));
      const double lookup = n <= 3 && s.lookup_slots > 0 ? predict({form::lookup}, s, n) : 1e30;
      const double bits = n <= 3 ? predict({form::bitmask}, s, n) : 1e30;
      (std::min(std::min(quads, lookup), bits) < dense ? high : low) = zeros;
    }
    return high;
  }

  /// What count_pattern finds, on average, in a matrix with zeros anywhere.
  static pattern_statistics scattered(const extents& shape, double zeros) {
    const double elements = static_cast<double>(shape.rows) * static_cast<double>(shape.cols);
    pattern_statistics s;
    s.shape = shape;
    s.kept_rows = shape.rows;
    s.kept_columns = shape.cols;
    const double nnz = (1 - zeros) * elements;
    s.nnz = static_cast<index_t>(nnz);
    s.quad_slots = static_cast<index_t>(1.06 * nnz);
    if (shape.cols <= lookup_view<const T>::max_cols && shape.cols > 0) {
      // The fullest of 32 rows in a window: its mean plus two deviations.
      const double window = std::min<double>(
          static_cast<double>(packing::default_lookup_window<T>(shape, s.nnz)) / sizeof(T),
          static_cast<double>(shape.cols));
      const double mean = window * (1 - zeros);
      const double steps = static_cast<double>(shape.cols) / window *
                           std::min(window, mean + 2 * std::sqrt(mean * zeros));
      s.lookup_slots = static_cast<index_t>(
          steps * static_cast<double>(round_up(shape.rows, index_t{32})));
    }
    return s;
  }

  static cost_terms terms_of(const form_choice& f, const pattern_statistics& s, index_t n) {
    counts v(s, n);
    switch (f.kind) {
      case form::dense: return dense(v);
      case form::quads: return quads(v, f.interleave);
      case form::lookup: return lookup(v);
      case form::slices: return slices(v);
      case form::nm: {
        const double groups = std::ceil(v.k / static_cast<double>(f.group.m));
        return slots16(v, v.m, v.k, groups * static_cast<double>(f.group.n), f.group.v,
                       f.group.m > 4);
      }
      case form::structured:
        return slots16(v, static_cast<double>(s.kept_rows), static_cast<double>(s.kept_columns),
                       static_cast<double>(s.kept_columns), 16, false);
      case form::bsr: return bsr(v, f.block);
      case form::csr: return csr(v);
      case form::bitmask: return bitmask(v);
    }
    return {};
  }

 private:
  /// Bytes of a stream beyond the second and the third cache, which each pass reads again.
  static double beyond_l2(double bytes) { return std::max(0.0, bytes - model_l2_bytes); }
  static double beyond_l3(double bytes) { return std::max(0.0, bytes - model_l3_bytes); }

  /// What all forms count in.
  struct counts {
    const pattern_statistics& s;
    double m, k, nnz;
    double n;          ///< columns of X
    double registers;  ///< that they fill
    counts(const pattern_statistics& stats, index_t columns)
        : s(stats),
          m(static_cast<double>(stats.shape.rows)),
          k(static_cast<double>(stats.shape.cols)),
          nnz(static_cast<double>(stats.nnz)),
          n(static_cast<double>(columns)),
          registers(std::ceil(n / width)) {}
    double panels(double wide) const { return std::ceil(registers / wide); }
    /// The share of a panel of X, up to `wide` registers of columns, that lies beyond a cache of so many bytes:
    /// kernels that do not cut the columns of W read all of it again and again.
    double share_beyond(double cache, double wide) const {
      const double bytes = k * std::min(registers, wide) * width * sizeof(T);
      return bytes <= cache ? 0 : 1 - cache / bytes;
    }
    /// Cache lines of X beyond the second cache.
    double x_beyond_l2() const { return beyond_l2(k * n * sizeof(T)) / 64; }
  };

  static cost_terms dense(const counts& v) {
    constexpr double line = 64.0 / sizeof(T);
    const double padded = std::ceil(v.m / line) * line;
    const double bytes = padded * v.k * sizeof(T);
    if (v.n == 1) {
      return {0, {padded * v.k / width, v.m, v.k, 1, beyond_l2(bytes), beyond_l3(bytes)}};
    }
    if (v.n < 2 * width) {
      const double strips = std::ceil(v.n / 8);
      return {1,
              {padded * v.k / width * v.n, padded * v.k / width * strips, v.k * v.n, v.m * v.n,
               v.m, 1, beyond_l2(bytes), beyond_l3(bytes)}};
    }
    const double panels = v.panels(4);
    // One register left over is bound by loads.
    const bool alone = static_cast<index_t>(v.registers) % 4 == 1;
    const double multiplies = v.m * v.k * v.registers;
    return {2,
            {multiplies, v.m * v.k * panels, alone ? v.m * v.k : 0, v.k * v.registers,
             v.m * v.registers, 1, beyond_l2(bytes) * panels, beyond_l3(bytes) * panels,
             multiplies * v.share_beyond(model_l1_bytes, 4),
             multiplies * v.share_beyond(model_l2_bytes, 4), v.x_beyond_l2()}};
  }

  static cost_terms quads(const counts& v, index_t interleave) {
    const double slots = static_cast<double>(v.s.quad_slots);
    const double blocks = v.m * std::max(1.0, std::ceil(v.k / (interleave == 1 ? 128 : 256)));
    const double density = v.m * v.k > 0 ? v.nnz / (v.m * v.k) : 0;
    // Loads of X: a column that several rows of a quad use is loaded once.
    const double loads = v.m / 4 * v.k * (1 - std::pow(1 - density, 4));
    const double bytes = slots * (sizeof(T) + 0.5);
    const bool few = v.n <= width / 2;
    const double r = few ? 1 : v.registers;
    const double wide = interleave == 1 ? 4 : 2;
    const double panels = few ? 1 : v.panels(wide);
    // Full panels need more registers than some ISAs have.
    const double full = few ? 0 : std::floor(v.registers / wide) * wide;
    return {few ? 0 : interleave == 1 ? 2 : 1,
            {slots * (r - full), loads * (r - full), slots * panels, blocks * r, blocks * panels,
             v.k * r, 1, beyond_l2(bytes) * panels, v.x_beyond_l2(), slots * full, loads * full,
             v.n == 1 ? slots : 0}};  // one column: its own kernel, entry by entry
  }

  static cost_terms lookup(const counts& v) {
    const double slots = static_cast<double>(v.s.lookup_slots);
    const double bytes = slots * (sizeof(T) + 1);
    return {v.n == 1 ? 0 : v.n <= 3 ? 1 : 2,
            {slots / width * v.n, slots / width, v.k * v.n, v.m * v.n, 1, beyond_l2(bytes),
             beyond_l3(bytes)}};
  }

  /// Registers of places are expanded once for a few columns, zeros as well as entries.
  static cost_terms bitmask(const counts& v) {
    const double steps = v.m * std::ceil(v.k / 64) * 64 / width;
    const double passes = std::ceil(v.n / (width < 16 ? 2 : 4));
    const double bytes = v.nnz * sizeof(T) + v.m * v.k / 8;
    return {v.n == 1 ? 0 : v.n <= 3 ? 1 : 2,
            {steps * passes, steps * v.n, v.m * v.n, v.k * v.n, 1, beyond_l2(bytes) * passes,
             beyond_l3(bytes) * passes}};
  }

  static cost_terms slices(const counts& v) {
    const double lists = static_cast<double>(v.s.list_slots);
    const double runs = static_cast<double>(v.s.run_slots);
    const double bytes = lists * (sizeof(T) + 4) + runs * sizeof(T);
    return {v.n == 1 ? 0 : 2,
            {lists * v.n, runs * v.n, v.m * v.n, v.k, 1, beyond_l2(bytes), beyond_l3(bytes)}};
  }

  /// N:M and structured matrices: slices of 16 rows, `steps` slots a row, a column number for each `v` rows.
  static cost_terms slots16(const counts& c, double m, double k, double steps, index_t v,
                            bool wide) {
    const double rows = std::ceil(m / 16) * 16;
    const double slots = rows * steps;
    const double bytes = slots * (sizeof(T) + 0.25 + 1.0 / static_cast<double>(v));
    if (c.n <= 8) {
      return {c.n == 1 ? 0 : 1,
              {slots / width * c.n, slots / width * (wide ? 1 : 0), slots / width,
               k * c.n, m * c.n, 1, beyond_l2(bytes), beyond_l3(bytes)}};
    }
    const double panels = c.panels(4);
    const double loads = slots / static_cast<double>(v);
    return {2,
            {slots * c.registers, loads * c.registers, slots * panels, loads * panels,
             k * c.registers, (m + c.m) / 2 * c.registers, 1, beyond_l2(bytes) * panels,
             c.x_beyond_l2()}};
  }

  static cost_terms bsr(const counts& v, const block_shape& block) {
    const double blocks = static_cast<double>(blocks_of(v.s, block));
    const double places = blocks * static_cast<double>(block.rows * block.cols);
    const double loads = places / 4;
    const double bytes = places * sizeof(T);
    const double quarters = blocks * static_cast<double>(block.rows) / 4;
    if (v.n == 1) {
      return {0, {places, quarters, v.m, 1, beyond_l2(bytes), beyond_l3(bytes)}};
    }
    const double panels = v.panels(2);
    return {v.n <= width ? 1 : 2,
            {places * v.registers, loads * v.registers, places * panels, quarters * panels,
             v.k * v.registers, v.m * v.registers, 1, beyond_l2(bytes) * panels,
             loads * v.registers * v.share_beyond(model_l1_bytes, 2),
             loads * v.registers * v.share_beyond(model_l2_bytes, 2), v.x_beyond_l2()}};
  }

  static cost_terms csr(const counts& v) {
    const double bytes = v.nnz * (sizeof(T) + 4);
    if (v.n == 1) return {0, {v.nnz, v.m, v.k, 1, beyond_l2(bytes), beyond_l3(bytes)}};
    const double panels = v.panels(4);
    return {v.n <= width ? 1 : 2,
            {v.nnz * v.registers, v.nnz * panels, v.m * v.registers, v.m * panels,
             v.k * v.registers, 1, beyond_l2(bytes) * panels,
             v.nnz * v.registers * v.share_beyond(model_l1_bytes, 4),
             v.nnz * v.registers * v.share_beyond(model_l2_bytes, 4), v.x_beyond_l2()}};
  }

 public:
  /// Blocks that hold an entry. Shapes that were not counted (see pattern_statistics) have none.
  static index_t blocks_of(const pattern_statistics& s, const block_shape& block) {
    const int h = block.rows == 4 ? 0 : block.rows == 8 ? 1 : 2;
    return s.blocks[h][std::countr_zero(static_cast<std::uint64_t>(block.cols))];
  }
  const cost_constants& constants() const { return c_; }

 private:
  cost_constants c_;
};

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
