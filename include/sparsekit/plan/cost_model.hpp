// What a multiply should take: microseconds, as a sum of counts (registers of multiply-adds, loads of X, rows,
// bytes beyond a cache) times constants in nanoseconds. It need not be exact, only rank forms rightly;
// choose(sk::measure, ...) times them where that is not enough.
//
// `terms_of` says what is counted, form by form, in three regimes: one column, few columns (up to about a
// register of them), many; quads: few, and many by how they are cut. The constants stand in
// plan/cost_constants.hpp, one table an ISA and type; plan/fit.hpp fits them to a machine.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "../kernels/nm/panel.hpp"
#include "../kernels/spmm/csr.hpp"
#include "../kernels/spmm/wide.hpp"
#include "../pack/spmv.hpp"
#include "cost_machine.hpp"
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
  /// The model of this translation unit's ISA.
  static cost_model native() { return cost_model(default_constants<native_arch, T>()); }
  explicit cost_model(const cost_constants& constants, pack_target target = pack_target::native)
      : c_(constants),
        machine_(cost_machine::of(target)),
        width_(machine_.width<T>()),
        borrowed_(!machine_.measured &&
                  std::memcmp(&constants, &constants_for<T>(target), sizeof constants) == 0) {}

  /// Microseconds of one multiply with n columns.
  double predict(const form_choice& f, const pattern_statistics& s, index_t n) const {
    const cost_terms t = terms_of(f, s, n);
    const auto& c = c_.of[static_cast<int>(priced_as(f.kind))][t.regime];
    double ns = 0;
    for (int i = 0; i < cost_terms_count; ++i) ns += c[i] * t.count[static_cast<std::size_t>(i)];
    // No form multiplies faster than dense: it gains by multiplying less. Of 37000 timings by 8
    // columns and more on Emerald Rapids, all types, 99 in 100 say so; by fewer, where bytes count,
    // bitmask and window lookup are faster. Constants of another ISA err by more than what tells
    // forms apart near break-even.
    const double least = borrowed_ ? 1.1 : n >= 8 ? 1 : 0;
    if (least > 0 && f.kind != form::dense) {
      const double elements = static_cast<double>(s.shape.rows) * static_cast<double>(s.shape.cols);
      const double left = elements > 0 ? static_cast<double>(s.nnz) / elements : 0;
      return std::max(1e-3 * ns, least * left * predict({form::dense}, s, n));
    }
    return 1e-3 * ns;
  }

  /// The form whose constants price this one: narrow types without some rows and columns are packed
  /// dense weights, multiplied by the same kernels.
  static constexpr form priced_as(form f) {
    return is_narrow<T> && f == form::structured ? form::dense : f;
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
          n == 1 || !has_form<T, form::quads>
              ? 1e30
              : std::min(predict({form::quads, {}, {}, 1}, s, n), predict({form::quads}, s, n));
      const double rows =
          n == 1 || !has_form<T, form::wide> || shape.cols >= wide_view<const T>::max_cols
              ? 1e30
              : predict({form::wide}, s, n);
      const bool few = n <= most_columns_of_few<T> || !has_form<T, form::quads>;
      const double lookup = few && s.lookup_slots > 0 ? predict({form::lookup}, s, n) : 1e30;
      const double bits = few ? predict({form::bitmask}, s, n) : 1e30;
      (std::min(std::min(quads, rows), std::min(lookup, bits)) < dense ? high : low) = zeros;
    }
    return high;
  }

  /// What count_pattern finds, on average, in a matrix with zeros anywhere.
  pattern_statistics scattered(const extents& shape, double zeros) const {
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
          static_cast<double>(packing::default_lookup_window<T>(s.nnz, target())) / sizeof(T),
          static_cast<double>(shape.cols));
      const double mean = window * (1 - zeros);
      const double steps = static_cast<double>(shape.cols) / window *
                           std::min(window, mean + 2 * std::sqrt(mean * zeros));
      s.lookup_slots = static_cast<index_t>(
          steps * static_cast<double>(round_up(shape.rows, index_t{32})));
    }
    return s;
  }

  cost_terms terms_of(const form_choice& f, const pattern_statistics& s, index_t n) const {
    const counts v(s, n, width_);
    switch (f.kind) {
      case form::dense: return dense(v);
      case form::quads: return quads(v, f.interleave);
      case form::lookup: return lookup(v);
      case form::slices: return slices(v);
      case form::nm: {
        const double groups = std::ceil(v.k / static_cast<double>(f.group.m));
        return slots16(v, v.m, v.k, groups * static_cast<double>(f.group.n), f.group);
      }
      case form::structured:
        if constexpr (is_narrow<T>) return dense_rest(v);
        return slots16(v, static_cast<double>(s.kept_rows), static_cast<double>(s.kept_columns),
                       static_cast<double>(s.kept_columns), {1, 1, 16});
      case form::bsr: return bsr(v, f.block);
      case form::csr: return csr(v);
      case form::bitmask: return bitmask(v);
      case form::wide:
        if constexpr (has_form<T, form::wide>) return wide(v);
    }
    return {};
  }

 private:
  /// Of an element of X beside narrow weights: bytes, or f32.
  static constexpr double x_bytes = std::is_integral_v<T> ? 1 : sizeof(sum_of_t<T>);

  /// Bytes of a stream beyond the second and the third cache, which each pass reads again.
  static double beyond(double cache, double bytes) { return std::max(0.0, bytes - cache); }
  double beyond_l2(double bytes) const { return beyond(machine_.l2, bytes); }
  double beyond_l3(double bytes) const { return beyond(machine_.l3, bytes); }

  /// What all forms count in.
  struct counts {
    const pattern_statistics& s;
    double m, k, nnz;
    double n;          ///< columns of X
    double width;      ///< of a register
    double registers;  ///< that they fill
    counts(const pattern_statistics& stats, index_t columns, double lanes)
        : s(stats),
          m(static_cast<double>(stats.shape.rows)),
          k(static_cast<double>(stats.shape.cols)),
          nnz(static_cast<double>(stats.nnz)),
          n(static_cast<double>(columns)),
          width(lanes),
          registers(std::ceil(n / width)) {}
    double panels(double wide) const { return std::ceil(registers / wide); }
    /// The share of a panel of X, up to `wide` registers of columns, that lies beyond a cache of so many bytes:
    /// kernels that do not cut the columns of W read all of it again and again.
    double share_beyond(double cache, double wide) const {
      const double bytes = k * std::min(registers, wide) * width * x_bytes;
      return bytes <= cache ? 0 : 1 - cache / bytes;
    }
    /// How often the end of a row comes as a surprise: the lengths of few rows are remembered by the predictor of
    /// branches, those of many are not.
    double surprise() const { return nnz / (nnz + 4096); }
  };

  /// Cache lines of X and of Y beyond the second cache.
  double x_beyond_l2(const counts& v) const { return beyond_l2(v.k * v.n * x_bytes) / 64; }
  double y_beyond_l2(const counts& v) const {
    return beyond_l2(v.m * v.n * sizeof(sum_of_t<T>)) / 64;
  }

  cost_terms dense(const counts& v) const {
    constexpr double line = static_cast<double>(packed_dense_view<const T>::line);
    const double wide = machine_.dense_registers;
    const double padded = std::ceil(v.m / line) * line;
    const double bytes = padded * v.k * sizeof(T);
    if (v.n == 1) {
      return {0,
              {padded * v.k / width_, v.m, v.k, 1, beyond_l2(bytes), beyond_l3(bytes),
               std::ceil(v.m / (3 * line)), beyond(machine_.l1, bytes),
               beyond(machine_.l2 / 2, bytes)}};
    }
    if (v.n < 2 * width_ && !is_narrow<T>) {  // narrow types have one kernel for all counts
      const double strips = std::ceil(v.n / machine_.dense_tokens);
      return {1,
              {padded * v.k / width_ * v.n, padded * v.k / width_ * strips, v.k * v.n, v.m * v.n,
               v.m, 1, beyond_l2(bytes), beyond_l3(bytes), beyond(machine_.l1, bytes),
               beyond(machine_.l2 / 2, bytes)}};
    }
    const double panels = v.panels(wide);
    // One register left over is bound by loads.
    const bool alone = static_cast<index_t>(v.registers) % static_cast<index_t>(wide) == 1;
    // Few rows read X where it lies, whose lines then share few sets of the cache.
    const bool in_place = v.m < 128 && v.registers > wide;
    const double multiplies = v.m * v.k * v.registers;
    return {
        v.n <= width_ ? 1 : 2,
        {multiplies, v.m * v.k * panels, alone ? v.m * v.k : 0, v.k * v.registers,
         v.m * v.registers, 1, beyond_l2(bytes) * panels, beyond_l3(bytes) * panels,
         multiplies * v.share_beyond(machine_.l1, wide),
         multiplies * v.share_beyond(machine_.l2, wide), x_beyond_l2(v), y_beyond_l2(v),
         in_place ? multiplies : 0, std::ceil(v.m / 6) * panels,
         panels == 1 ? v.m * v.k : 0}};  // where there are more, a group of weights serves several
  }

  /// Packed dense weights of what is left. Rows of X come together before they are re-laid, which
  /// one column counts as if they were re-laid twice; all rows of Y are put, one by one.
  cost_terms dense_rest(counts v) const {
    const double rows_of_y = v.m;
    v.m = static_cast<double>(v.s.kept_rows);
    v.k = static_cast<double>(v.s.kept_columns);
    cost_terms t = dense(v);
    if (v.n == 1) {
      t.count[1] = rows_of_y;
      t.count[2] *= 2;
    } else {
      t.count[4] = rows_of_y * v.registers;
      t.count[15] = ((v.s.kept_columns < v.s.shape.cols ? v.k : 0) +
                     (v.s.kept_rows < v.s.shape.rows ? rows_of_y : 0)) *
                    v.registers;
    }
    return t;
  }

  cost_terms quads(const counts& v, index_t interleave) const {
    const double slots = static_cast<double>(v.s.quad_slots);
    const double column_blocks =
        std::max(1.0, std::ceil(v.k / static_cast<double>(machine_.quad_column_block(interleave))));
    const double blocks = v.m * column_blocks;
    const double density = v.m * v.k > 0 ? v.nnz / (v.m * v.k) : 0;
    // Loads of X: a column that several rows of a quad use is loaded once. Neighbours that share a pattern have
    // as many entries each and so stay together.
    double loads = v.m / 4 * v.k * (1 - std::pow(1 - density, 4));
    if (v.s.counted_groups) loads = std::min(loads, static_cast<double>(v.s.blocks_of({4, 1})));
    const double bytes = slots * (sizeof(T) + 0.5);
    const double groups = std::ceil(v.m / (interleave == 1 ? 4 : 8)) * column_blocks;
    if (v.n <= width_ / 2) {
      // One column has its own kernel, entry by entry.
      const double one = v.n == 1 ? 1 : 0;
      const double more = 1 - one;
      return {0,
              {slots * more, loads * more, slots * one, blocks * more, blocks * one, v.k * more, 1,
               beyond_l2(bytes), v.k * one, v.m * v.n, groups * v.surprise(), v.n > 2 ? slots : 0,
               interleave == 1 ? v.m * more : 0, beyond_l3(bytes), beyond(machine_.l1, bytes),
               beyond(machine_.l2 / 2, bytes)}};
    }
    const double r = v.registers;
    const double wide = machine_.quad_registers[interleave == 1 ? 0 : 1];
    const double panels = v.panels(wide);
    const double full = std::floor(r / wide) * wide;  // registers in full panels
    return {interleave == 1 ? 2 : 1,
            {slots * (r - full), loads * (r - full), slots * panels, blocks * r, blocks * panels,
             v.k * r, 1, beyond_l2(bytes) * panels, x_beyond_l2(v), slots * full, loads * full,
             y_beyond_l2(v), groups * panels * v.surprise()}};
  }

  cost_terms lookup(const counts& v) const {
    const double slots = static_cast<double>(v.s.lookup_slots);
    const double bytes = slots * (sizeof(T) + 1);
    // Of narrow types so many columns at a time; f32 and f64 have other forms for more.
    const double at_once =
        static_cast<double>(machine_.lookup_columns[is_narrow<T>               ? 0
                                                    : std::is_same_v<T, float> ? 1
                                                                               : 2]);
    const double passes = is_narrow<T> ? std::ceil(v.n / at_once) : 1;
    // They take single columns of X and put single columns of Y, each element of which has a cache line of its own if
    // rows are long; X beyond L2 comes again and again.
    const auto apart = [&](double elements, double row_bytes) {
      const double lines = is_narrow<T> && row_bytes >= 64 ? 64 * elements : 0;
      return lines <= machine_.l1 ? 0 : elements * v.n * (1 - machine_.l1 / lines);
    };
    const bool shared_sets =
        is_narrow<T> && static_cast<index_t>(v.n) % 256 == 0;  // rows of Y 1 KB apart
    const double x_bytes_all = v.k * v.n * x_bytes;
    const double again = is_narrow<T> && x_bytes_all > machine_.l2 ? 1 - machine_.l2 / x_bytes_all : 0;
    // s8 has no other form for four and more: those are many.
    const double few = has_form<T, form::quads> ? std::max(at_once, 3.0) : 3;
    return {v.n == 1     ? 0
            : v.n <= few ? 1
                         : 2,
            {slots / width_ * v.n, slots / width_ * passes, v.k * v.n, v.m * v.n, 1,
             beyond_l2(bytes) * passes, beyond_l3(bytes) * passes, apart(v.k, v.n * x_bytes),
             apart(v.m, v.n * 4), v.k * passes * again, shared_sets ? v.m * v.n : 0,
             beyond(machine_.l1, bytes) * passes, beyond(machine_.l2 / 2, bytes) * passes}};
  }

  /// Registers of places are expanded once for a few columns, zeros as well as entries.
  cost_terms bitmask(const counts& v) const {
    const double steps = v.m * std::ceil(v.k / 64) * 64 / width_;
    const double passes = std::ceil(v.n / (width_ < 16 ? 2 : 4));
    const double bytes = v.nnz * sizeof(T) + v.m * v.k / 8;
    return {v.n == 1   ? 0
            : v.n <= 3 ? 1
                       : 2,
            {steps * passes, steps * v.n, v.m * v.n, v.k * v.n, 1, beyond_l2(bytes) * passes,
             beyond_l3(bytes) * passes, beyond(machine_.l1, bytes) * passes,
             beyond(machine_.l2 / 2, bytes) * passes, v.nnz * passes}};
  }

  cost_terms slices(const counts& v) const {
    const double lists = static_cast<double>(v.s.list_slots);
    const double runs = static_cast<double>(v.s.run_slots);
    const double column = static_cast<double>(spmv_column_bytes<T>(v.s.shape.cols, v.s.nnz));
    const double bytes = lists * (sizeof(T) + column) + runs * sizeof(T);
    return {v.n == 1 ? 0 : 2,
            {lists * v.n, runs * v.n, v.m * v.n, v.k, 1, beyond_l2(bytes), beyond_l3(bytes),
             beyond(machine_.l1, bytes), beyond(machine_.l2 / 2, bytes)}};
  }

  /// N:M and structured matrices of f32 and f64: slices of 16 rows, `steps` slots a row of the `m`
  /// kept ones, a column number for each of `v` rows. A structured matrix is one of groups of one
  /// column.
  cost_terms slots16(const counts& c, double m, double k, double steps, const nm_shape& g) const {
    const double rows = std::ceil(m / 16) * 16;
    const double slots = rows * steps;
    const double share = static_cast<double>(g.v);
    const double bytes = slots * (sizeof(T) + 0.25 + 1.0 / share);
    if (c.n <= (is_narrow<T> ? 1 : 8)) {
      const bool wide = g.m > 4;
      const double windows = rows / 16 * std::ceil(k / static_cast<double>(g.m));
      // So many columns at a time: what is done for all of them is done once for each such pass.
      const double together =
          std::max(1.0, machine_.nm_lookup_registers / (static_cast<double>(nm_slice) / width_));
      const double passes = std::ceil(c.n / together);
      return {c.n == 1 ? 0 : 1,
              {slots / width_ * c.n, wide ? slots / width_ * passes : 0, slots / width_ * passes,
               k * c.n, m * c.n, 1, beyond_l2(bytes), beyond_l3(bytes), c.m * c.n,
               wide ? slots / width_ * c.n : 0, windows * c.n, windows * passes,
               g.m > 8 ? slots / width_ * passes : 0, beyond(machine_.l1, bytes),
               beyond(machine_.l2 / 2, bytes)}};
    }
    const double panels = c.panels(kernels::nm_panel_registers);
    // Columns are dealt evenly: so many registers has the widest panel, so many panels have three, whose tiles
    // have few sums.
    const double widest = std::ceil(c.registers / panels);
    const double narrow = std::floor(c.registers / panels);
    const double wider = c.registers - narrow * panels;
    const double threes = narrow == 3 ? panels - wider : narrow == 2 ? wider : 0;
    const double tile = machine_.nm_rows[static_cast<int>(widest) - 1];
    // 2:4 of s8 goes by pairs of rows of X, which lie ready (kernels/nm/pairs.hpp): a load and half
    // a shuffle each, where other patterns take four loads and three merges for a word.
    const bool pairs = std::is_integral_v<T> && g.n == 2 && g.m == 4 &&
                       (target() == pack_target::avx512 || target() == pack_target::neon);
    const double loads = slots / std::min(share, tile) * (pairs ? 0.4 : 1);
    // Between cuts of the columns, sums wait in L2.
    const double block = static_cast<double>(256 / g.m * g.m);
    const double cut = block / std::ceil(block * widest * width_ * sizeof(T) /
                                         static_cast<double>(kernels::nm_cut_bytes(g)));
    const double cuts = std::max(1.0, std::ceil(k / cut));
    return {
        is_narrow<T> && c.n <= width_ ? 1 : 2,
        {slots * c.registers, loads * c.registers, slots * panels, loads * panels, k * c.registers,
         (m + c.m) / 2 * c.registers, 1, beyond_l2(bytes) * panels, x_beyond_l2(c), y_beyond_l2(c),
         rows * cuts * c.registers, rows / tile * cuts * panels, c.registers == 1 ? slots : 0,
         loads * c.registers * c.share_beyond(machine_.l1, kernels::nm_panel_registers),
         slots * threes}};
  }

  cost_terms bsr(const counts& v, const block_shape& block) const {
    const double wide = machine_.block_registers;
    const double blocks = static_cast<double>(v.s.blocks_of(block));
    const double places = blocks * static_cast<double>(block.rows * block.cols);
    // Rows that share a load of X. Sums of narrow types go to memory after each cut of the columns.
    const double loads = places / static_cast<double>(is_narrow<T> ? block.rows : 4);
    const double cuts = is_narrow<T> ? plan::block_shapes<T>::cuts(v.s, block) : 0;
    const double bytes = places * sizeof(T);
    const double quarters = blocks * static_cast<double>(block.rows) / 4;
    if (v.n == 1) {
      const double block_rows = std::ceil(v.m / static_cast<double>(block.rows));
      return {
          0,
          {places, quarters, v.m, 1, beyond_l2(bytes), beyond_l3(bytes), blocks, block_rows,
           block_rows * v.surprise(), beyond(machine_.l1, bytes), beyond(machine_.l2 / 2, bytes)}};
    }
    const double panels = v.panels(wide);
    return {v.n <= width_ ? 1 : 2,
            {places * v.registers, loads * v.registers, places * panels, quarters * panels,
             v.k * v.registers, v.m * v.registers, 1, beyond_l2(bytes) * panels,
             loads * v.registers * v.share_beyond(machine_.l1, wide),
             loads * v.registers * v.share_beyond(machine_.l2, wide), x_beyond_l2(v),
             y_beyond_l2(v), v.m / 4 * panels, blocks * static_cast<double>(block.rows) * panels,
             v.m * v.registers * cuts}};
  }

  cost_terms csr(const counts& v) const {
    const double bytes = v.nnz * (sizeof(T) + 4);
    if (v.n == 1) {
      return {0,
              {v.nnz, v.m, v.k, 1, beyond_l2(bytes), beyond_l3(bytes), v.m * v.surprise(),
               beyond(machine_.l1, bytes), beyond(machine_.l2 / 2, bytes)}};
    }
    constexpr int registers = kernels::csr_tile::registers;
    return rows_alone(v, bytes, registers, v.panels(registers), true, 1);
  }

  cost_terms wide(const counts& v) const {
    constexpr int most = kernels::wide_registers;
    const double bytes = v.nnz * (sizeof(T) + 2);
    if (v.n == 1) return {0, {v.nnz, v.m, 1}};
    // Tiles of 8, 4, 2 and 1 registers.
    const index_t rest = static_cast<index_t>(v.registers) % most;
    const double tiles =
        std::floor(v.registers / most) + std::popcount(static_cast<std::uint64_t>(rest));
    // X is mostly read where it lies, but re-laid where its rows share sets of L1 or, if they are used often, where its
    // registers straddle cache lines. Rows a multiple of 512 bytes apart share half of the sets.
    const index_t stride = static_cast<index_t>(v.n) * index_t{sizeof(T)};
    const bool straddles = stride % static_cast<index_t>(width_ * sizeof(T)) != 0 &&
                           v.nnz >= static_cast<double>(kernels::wide_least_uses) * v.k;
    const bool avx512 = target() == pack_target::avx512;
    const bool relays = (v.n > most * width_ &&
                         kernels::wide_rows_share_sets(avx512, stride, v.s.nnz, v.s.shape.cols)) ||
                        straddles;
    // Where rows lie a multiple of a large power of two apart, as many of them share the lines of a
    // page at one place, and the sets of a cache that hold those lines: so much smaller it is.
    const double apart = static_cast<double>(std::gcd(stride, index_t{4096}));
    const double tile = std::min(v.registers, double{most}) * width_ * sizeof(T);
    const double crowd = relays ? 1 : std::max(1.0, apart / tile);
    return rows_alone(v, bytes, most, tiles, relays, crowd);
  }
  /// A row of entries after the other, each with a load of X for each register, in tiles of up to `most` registers.
  cost_terms rows_alone(const counts& v, double bytes, double most, double tiles, bool relays,
                        double crowd) const {
    const bool masked = !relays && static_cast<index_t>(v.n) % static_cast<index_t>(width_) != 0;
    // Measured: the denser W, the more a load of X from beyond L1 costs. Perhaps W's stream crowds X out of that cache.
    const double density = v.nnz / std::max(1.0, v.m * v.k);
    // Rows of X, or of its panel, on more pages than the first TLB knows.
    const double span = v.k * (relays ? std::min(v.registers, most) * width_ : v.n) * sizeof(T);
    const double far = span <= machine_.pages ? 0 : 1 - machine_.pages / span;
    return {v.n <= width_ ? 1 : 2,
            {v.nnz * v.registers, v.nnz * tiles, v.m * v.registers, v.m * tiles,
             relays ? v.k * v.registers : 0, 1, beyond_l2(bytes) * v.panels(most),
             v.nnz * v.registers * v.share_beyond(machine_.l1 / crowd, most),
             v.nnz * v.registers * v.share_beyond(machine_.l2 / crowd, most), x_beyond_l2(v),
             y_beyond_l2(v), v.m * tiles * v.surprise(), masked ? v.nnz : 0, v.n < width_ ? v.m : 0,
             v.nnz * tiles * far,
             density * v.nnz * v.registers * v.share_beyond(machine_.l1 / crowd, most)}};
  }

 public:
  const cost_constants& constants() const { return c_; }
  pack_target target() const { return machine_.target; }
  const cost_machine& machine() const { return machine_; }

 private:
  cost_constants c_;
  cost_machine machine_;
  double width_;   ///< elements in a register
  bool borrowed_;  ///< the constants are of another ISA
};

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
