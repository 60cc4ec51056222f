// Operands of the formats that are made from others: SELL, BSR, N:M, and what the packers make. The library's
// own factory builds each; its arrays are then moved between guard pages.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "operands.hpp"
#include "sparsekit/convert/to_bsr.hpp"
#include "sparsekit/convert/to_nm.hpp"
#include "sparsekit/convert/to_sell.hpp"
#include "sparsekit/pack/bitmask.hpp"
#include "sparsekit/pack/dense.hpp"
#include "sparsekit/pack/lookup.hpp"
#include "sparsekit/pack/nm.hpp"
#include "sparsekit/pack/pack.hpp"
#include "sparsekit/pack/quads.hpp"
#include "sparsekit/pack/structured.hpp"
#include "sparsekit/pack/spmv.hpp"
#include "sparsekit/pack/wide.hpp"

namespace sparsekit_test {

/// A view whose arrays, the `Members`, stand between guard pages. Arrays that are sections of packed bytes
/// start on a cache line, and kernels may read some bytes beyond each, whatever is there: `packed_slack`.
template <bool Packed, class View, auto... Members>
class relocated {
 public:
  void assign(const View& from, placement where) {
    view_ = from;
    assign_each(where, std::make_index_sequence<sizeof...(Members)>{});
  }
  const View& view() const { return view_; }
  bool intact() const {
    return std::all_of(std::begin(copies_), std::end(copies_),
                       [](const auto& copy) { return copy.intact(); });
  }

 private:
  template <std::size_t... I>
  void assign_each(placement where, std::index_sequence<I...>) {
    (assign_one(view_.*Members, copies_[I], where), ...);
  }
  template <class E>
  static void assign_one(sparsekit::array_view<E>& array, guarded<std::byte>& copy,
                         placement where) {
    const index_t bytes = array.size() * index_t{sizeof(E)};
    if (bytes == 0) return;  // absent: a matrix without a pattern bitmap, say
    if (Packed) {
      copy.reset(sparsekit::round_up(bytes + sparsekit::packed_slack, 64), where.at);
      copy.fill(std::byte{0xff});
    } else {
      copy.reset(bytes, where.at, where.offset * index_t{sizeof(E)});
    }
    std::memcpy(copy.data(), array.data(), static_cast<std::size_t>(bytes));
    copy.freeze();
    array = sparsekit::array_view<E>(reinterpret_cast<E*>(copy.data()), array.size());
  }

  View view_{};
  guarded<std::byte> copies_[sizeof...(Members)];
};

/// Common to all of them.
template <class T, bool Packed, class View, auto... Members>
struct converted_operand : operand {
  using view_type = View;
  static constexpr bool any_order = false;
  static constexpr bool zeros_are_absent = false;
  static constexpr index_t largest_index = 32767;

  View view() const { return arrays.view(); }
  bool intact() const override { return arrays.intact(); }

  relocated<Packed, View, Members...> arrays;
};

template <class T, class I, class O, class View = sparsekit::sell_view<const T, I, O>>
struct sell_operand : converted_operand<T, false, View, &View::slice_ptr, &View::row_order,
                                        &View::lengths, &View::columns, &View::values> {
  static constexpr struct {
    index_t height, window;
  } cut[] = {{8, 256}, {16, 32}, {1, 1}, {5, 20}, {64, 64}};
  static std::vector<std::string> options() {
    std::vector<std::string> names;
    for (const auto [height, window] : cut) {
      names.push_back(csr_operand<T, I, O>::options()[0] + " C=" + std::to_string(height) +
                      " sigma=" + std::to_string(window));
    }
    return names;
  }
  sell_operand(const problem<T>& p, placement where, int option) {
    const csr_operand<T, I, O> source(p, {});
    const auto m = sparsekit::to_sell<I, O>(source.view(), {.slice_height = cut[option].height,
                                                            .sort_window = cut[option].window,
                                                            .max_fill = 1e9})
                       .value();
    this->arrays.assign(m.view(), where);
  }
};

template <class T, class I, class O, class View = sparsekit::bsr_view<const T, I, O>>
struct bsr_operand
    : converted_operand<T, false, View, &View::row_ptr, &View::columns, &View::values,
                        &View::pattern> {
  static constexpr sparsekit::block_shape blocks[] = {{4, 4}, {16, 1}, {2, 4}, {3, 5}, {16, 16}, {1, 32}};
  static std::vector<std::string> options() {
    std::vector<std::string> names;
    for (const auto b : blocks) {
      names.push_back(csr_operand<T, I, O>::options()[0] + " " + std::to_string(b.rows) + "x" +
                      std::to_string(b.cols));
    }
    return names;
  }
  bsr_operand(const problem<T>& p, placement where, int option) {
    const csr_operand<T, I, O> source(p, {});
    const auto m = sparsekit::to_bsr<I, O>(source.view(), blocks[option]).value();
    this->arrays.assign(m.view(), where);
  }
};

/// Packed bytes, and somebody's arrays, behind which no byte may be read.
template <class T, class View = sparsekit::bitmask_view<const T>>
struct bitmask_operand : operand {
  using view_type = View;
  static constexpr bool any_order = false;
  static constexpr bool zeros_are_absent = false;
  static constexpr index_t largest_index = 1 << 20;
  static std::vector<std::string> options() { return {"packed", "arrays"}; }

  bitmask_operand(const problem<T>& p, placement where, int option) : from_file(option == 1) {
    const csr_operand<T, std::int32_t, std::int32_t> source(p, {});
    const auto b = sparsekit::pack<sparsekit::bitmask>(source.view()).value();
    View v = b.view();
    if (from_file) {
      v.readable_beyond = 0;
      bare.assign(v, where);
    } else {
      packed.assign(v, where);
    }
  }
  view_type view() const { return from_file ? bare.view() : packed.view(); }
  bool intact() const override { return packed.intact() && bare.intact(); }

  bool from_file;
  relocated<true, View, &View::row_offsets, &View::mask, &View::values> packed;
  relocated<false, View, &View::row_offsets, &View::mask, &View::values> bare;
};
template <class T>
struct operand_variants<format::bitmask, T> {
  using main = operand_list<bitmask_operand<T>>;
  using others = operand_list<>;
};

/// The forms of pack(): quads of several shapes, lookup steps, slices; alone and together.
template <class T>
struct packed_forms_operand : operand {
  using view_type = sparsekit::packed_view<const T>;
  using quads = sparsekit::quad_view<const T>;
  using lookup = sparsekit::lookup_view<const T>;
  using slices = sparsekit::spmv_view<const T>;
  using wide = sparsekit::wide_view<const T>;
  using bits = sparsekit::bitmask_view<const T>;
  static constexpr bool any_order = false;
  static constexpr bool zeros_are_absent = false;
  static constexpr index_t largest_index = 1 << 16;
  static constexpr sparsekit::quad_shape shapes[] = {
      {512, 256, 2}, {512, 128, 1}, {64, 32, 2}, {32, 256, 1}};
  static constexpr int shape_count = 4;
  static std::vector<std::string> options() {
    std::vector<std::string> names;
    for (const auto& s : shapes) {
      names.push_back("quads " + std::to_string(s.row_block) + "x" +
                      std::to_string(s.column_block) + " by " + std::to_string(s.interleave));
    }
    names.insert(names.end(), {"quads and lookup", "lookup", "bitmask"});
    if (!sparsekit::is_narrow<T>) {
      names.insert(names.end(), {"slices", "wide rows", "slices of 32-bit columns"});
    }
    return names;
  }
  packed_forms_operand(const problem<T>& p, placement where, int option) {
    namespace sk = sparsekit;
    const csr_operand<T, std::int32_t, std::int32_t> source(p, {});
    packed.shape = {p.rows, p.cols};
    packed.entries = static_cast<index_t>(p.entries.size());
    if (option <= shape_count) {
      const auto q = sk::pack_quads(sk::seq, source.view(), shapes[option % shape_count]).value();
      quad_arrays.assign(q.view(), where);
      packed.quads = quad_arrays.view();
    }
    if (option == shape_count || option == shape_count + 1) {
      const auto l = sk::pack_lookup(source.view(), {}).value();
      lookup_arrays.assign(l.view(), where);
      packed.lookup = lookup_arrays.view();
    }
    if (option == shape_count + 2) {
      const auto b = sk::pack<sk::bitmask>(source.view()).value();
      bit_arrays.assign(b.view(), where);
      packed.bits = bit_arrays.view();
    }
    if constexpr (!sk::is_narrow<T>) {
      if (option == shape_count + 3 || option == shape_count + 5) {
        const auto s =
            sk::pack_spmv(source.view(), {.column_bytes = option == shape_count + 3 ? 2 : 4})
                .value();
        slice_arrays.assign(s.view(), where);
        packed.spmv = slice_arrays.view();
      }
      if (option == shape_count + 4) {
        const auto w = sk::pack_wide(sk::seq, source.view()).value();
        wide_arrays.assign(w.view(), where);
        packed.wide = wide_arrays.view();
      }
    }
  }
  view_type view() const { return packed; }
  bool intact() const override {
    return quad_arrays.intact() && lookup_arrays.intact() && slice_arrays.intact() &&
           wide_arrays.intact() && bit_arrays.intact();
  }

  relocated<true, quads, &quads::blocks, &quads::heads, &quads::columns, &quads::values>
      quad_arrays;
  relocated<true, lookup, &lookup::slice_start, &lookup::bases, &lookup::places, &lookup::values,
            &lookup::lane_rows>
      lookup_arrays;
  relocated<true, slices, &slices::slices, &slices::words, &slices::values, &slices::columns,
            &slices::short_columns, &slices::order, &slices::long_rows>
      slice_arrays;
  relocated<true, wide, &wide::starts, &wide::row_in_block, &wide::counts, &wide::columns,
            &wide::values>
      wide_arrays;
  relocated<true, bits, &bits::row_offsets, &bits::mask, &bits::values> bit_arrays;
  view_type packed;
};

template <class T, class View = sparsekit::packed_nm_view<const T>>
struct nm_operand : converted_operand<T, true, View, &View::values, &View::columns, &View::places> {
  static constexpr sparsekit::nm_shape groups[] = {{2, 4, 1}, {1, 4, 1},  {4, 8, 1}, {2, 4, 4},
                                                   {3, 7, 2}, {2, 16, 8}, {1, 2, 16}};
  static std::vector<std::string> options() {
    std::vector<std::string> names;
    for (const auto& g : groups) {
      names.push_back(std::to_string(g.n) + ":" + std::to_string(g.m) + ":" + std::to_string(g.v));
    }
    return names;
  }
  static problem<T> adapt(const problem<T>& p, int option) { return keep_nm(p, groups[option]); }
  nm_operand(const problem<T>& p, placement where, int option) {
    const csr_operand<T, std::int32_t, std::int32_t> source(p, {});
    const auto m =
        sparsekit::pack(sparsekit::to_nm(source.view(), groups[option]).value()).value();
    this->arrays.assign(m.view(), where);
  }
};

/// What is left where rows and columns are removed, by its view.
template <class View>
struct relocated_rest {
  using type = relocated<true, View, &View::values, &View::columns>;
};
template <class T>
struct relocated_rest<sparsekit::packed_dense_view<T>> {
  using view = sparsekit::packed_dense_view<T>;
  using type = relocated<true, view, &view::values>;
};

/// Removed rows and columns: the problem's empty ones.
template <class T>
struct structured_operand : operand {
  using view_type = sparsekit::packed_structured_view<const T>;
  using lists = sparsekit::structured_view<const T>;
  static constexpr bool any_order = false;
  static constexpr bool zeros_are_absent = false;
  static constexpr index_t largest_index = 32767;
  static std::vector<std::string> options() { return {"rows and columns"}; }

  structured_operand(const problem<T>& p, placement where, int) {
    const csr_operand<T, std::int32_t, std::int32_t> source(p, {});
    const auto m = sparsekit::to_structured(source.view()).value();
    const auto packed = sparsekit::pack(m).value();
    kept.assign(m.view(), where);
    rest.assign(packed.view().rest, where);
  }
  view_type view() const {
    view_type v;
    v.shape = kept.view().shape;
    v.kept_rows = kept.view().kept_rows;
    v.kept_columns = kept.view().kept_columns;
    v.rest = rest.view();
    return v;
  }
  bool intact() const override { return kept.intact() && rest.intact(); }

  relocated<false, lists, &lists::kept_rows, &lists::kept_columns> kept;
  typename relocated_rest<sparsekit::structured_rest_view<T>>::type rest;
};

template <class T, class View = sparsekit::lookup_view<const T>>
struct lookup_operand : converted_operand<T, true, View, &View::slice_start, &View::bases,
                                          &View::places, &View::values, &View::lane_rows> {
  static constexpr index_t windows[] = {128, 64, 256};
  static std::vector<std::string> options() { return {"window 128", "window 64", "window 256"}; }
  lookup_operand(const problem<T>& p, placement where, int option) {
    const csr_operand<T, std::int32_t, std::int32_t> source(p, {});
    const auto m =
        sparsekit::pack_lookup(source.view(), {.window_bytes = windows[option]}).value();
    this->arrays.assign(m.view(), where);
  }
};

/// Columns of a dense matrix that are active. Those that are not hold NaN.
template <class T>
struct active_operand : operand {
  using view_type = sparsekit::active_columns_view<T>;
  static constexpr bool any_order = false;
  static constexpr bool zeros_are_absent = true;
  static constexpr index_t largest_index = 1 << 20;
  static std::vector<std::string> options() { return {"x in full", "x compact"}; }

  static bool is_active(index_t column) { return column % 5 != 1 && column % 7 != 3; }
  static problem<T> adapt(const problem<T>& p, int option) {
    problem<T> out = p;
    if (option == 1) return out;
    std::erase_if(out.entries, [](const entry<T>& e) { return !is_active(e.column); });
    out.name += " of active columns";
    solve(out);
    return out;
  }
  active_operand(const problem<T>& p, placement where, int option) : compact(option == 1) {
    std::vector<std::uint32_t> active;
    for (index_t c = 0; c < p.cols; ++c) {
      if (compact || is_active(c)) active.push_back(static_cast<std::uint32_t>(compact ? 2 * c : c));
    }
    shape = {p.rows, compact ? 2 * p.cols : p.cols};
    ld = p.rows + where.offset;
    std::vector<T> w(static_cast<std::size_t>(
                         view_type{{nullptr, shape.rows, shape.cols, ld}, {}, false}.w.span_size()),
                     quiet_nan<T>());
    for (const std::uint32_t c : active) {
      for (index_t r = 0; r < p.rows; ++r) w[static_cast<std::size_t>(index_t{c} * ld + r)] = T{0};
    }
    for (const entry<T>& e : p.entries) {
      w[static_cast<std::size_t>((compact ? 2 * e.column : e.column) * ld + e.row)] = e.value;
    }
    freeze_copy(weights, w, where);
    freeze_copy(indices, active, where);
  }
  view_type view() const {
    return {{weights.data(), shape.rows, shape.cols, ld}, indices.view(), compact};
  }
  bool intact() const override { return weights.intact() && indices.intact(); }

  bool compact;
  sparsekit::extents shape;
  index_t ld = 0;
  guarded<T> weights;
  guarded<std::uint32_t> indices;
};

template <class T, class View = sparsekit::packed_dense_view<const T>>
struct packed_dense_operand : converted_operand<T, true, View, &View::values> {
  static constexpr bool zeros_are_absent = true;
  static std::vector<std::string> options() { return {"packed"}; }
  packed_dense_operand(const problem<T>& p, placement where, int) {
    const dense_operand<T, sparsekit::row_major> source(p, {});
    const auto m = sparsekit::pack_dense(source.view()).value();
    this->arrays.assign(m.view(), where);
  }
};

template <class T>
struct operand_variants<format::sell, T> {
  using main = operand_list<sell_operand<T, std::int32_t, std::int32_t>>;
  using others = operand_list<sell_operand<T, std::uint16_t, std::int64_t>>;
};
template <class T>
struct operand_variants<format::bsr, T> {
  using main = operand_list<bsr_operand<T, std::int32_t, std::int32_t>>;
  using others = operand_list<bsr_operand<T, std::uint16_t, std::int64_t>>;
};
template <class T>
struct operand_variants<format::packed, T> {
  using main = operand_list<packed_forms_operand<T>>;
  using others = operand_list<>;
};
template <class T>
struct operand_variants<format::nm, T> {
  using main = operand_list<nm_operand<T>>;
  using others = operand_list<>;
};
template <class T>
struct operand_variants<format::structured, T> {
  using main = operand_list<structured_operand<T>>;
  using others = operand_list<>;
};
template <class T>
struct operand_variants<format::lookup, T> {
  using main = operand_list<lookup_operand<T>>;
  using others = operand_list<>;
};
/// W in blocks of 16 x 1, or of another shape, given as BSR of its transpose; every column is active.
template <class T, class Base = sparsekit::bsr_view<const T, std::int32_t, std::int32_t>>
struct active_blocks_operand : operand {
  using view_type = sparsekit::active_blocks_view<Base>;
  static constexpr bool any_order = false;
  static constexpr bool zeros_are_absent = false;
  static constexpr index_t largest_index = 32767;
  static std::vector<std::string> options() { return {"16x1", "8x2"}; }

  active_blocks_operand(const problem<T>& p, placement where, int option) {
    const csr_operand<T, std::int32_t, std::int32_t> source(
        csc_operand<T, std::int32_t, std::int32_t>::flipped(by_column(p)), {});
    const sparsekit::block_shape shape =
        option == 0 ? sparsekit::block_shape{1, 16} : sparsekit::block_shape{2, 8};
    arrays.assign(sparsekit::to_bsr<std::int32_t, std::int32_t>(source.view(), shape).value().view(),
                  where);
    std::vector<std::uint32_t> all(static_cast<std::size_t>(p.cols));
    std::iota(all.begin(), all.end(), 0u);
    freeze_copy(indices, all, where);
  }
  static problem<T> by_column(const problem<T>& p) {
    problem<T> sorted;
    sorted.rows = p.rows;
    sorted.cols = p.cols;
    sorted.entries = p.entries;
    std::stable_sort(sorted.entries.begin(), sorted.entries.end(),
                     [](const entry<T>& a, const entry<T>& b) { return a.column < b.column; });
    return sorted;
  }
  view_type view() const { return {arrays.view(), indices.view(), true}; }
  bool intact() const override { return arrays.intact() && indices.intact(); }

  relocated<false, Base, &Base::row_ptr, &Base::columns, &Base::values, &Base::pattern> arrays;
  guarded<std::uint32_t> indices;
};
template <class T>
struct operand_variants<format::active_blocks, T> {
  using main = operand_list<active_blocks_operand<T>>;
  using others = operand_list<>;
};
template <class T>
struct operand_variants<format::active, T> {
  using main = operand_list<active_operand<T>>;
  using others = operand_list<>;
};
template <class T>
struct operand_variants<format::packed_dense, T> {
  using main = operand_list<packed_dense_operand<T>>;
  using others = operand_list<>;
};

}  // namespace sparsekit_test
