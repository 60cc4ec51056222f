// Operands whose weights are narrower than X, Y and sums: bf16 and f16 with f32. A problem's weights are rounded first
// (`adapt`), so that the reference knows what the kernel is given, and its small integers stay what they are.
// (Weights of s8 have s32 sums: tests/unit, *_int8.cpp.)
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "operands_packed.hpp"
#include "sparsekit/pack/blocks.hpp"

namespace sparsekit_test {

template <class W>
inline const char* weight_name = nullptr;
template <>
inline const char* weight_name<sparsekit::bfloat16> = "bf16";
template <>
inline const char* weight_name<sparsekit::float16> = "f16";

/// v as W: finite if v is, and zero only if v is.
template <class W>
W narrowed(float v) {
  const W w(v);
  const float back(w);
  if (std::isinf(back) && !std::isinf(v)) return W(std::signbit(v) ? -32768.f : 32768.f);
  if (back == 0 && v != 0) return W(std::signbit(v) ? -0x1p-14f : 0x1p-14f);
  return w;
}

/// Solved once for all formats.
template <class W>
const problem<float>& rounded(const problem<float>& p) {
  static std::map<std::string, problem<float>> solved;
  const auto [at, is_new] = solved.try_emplace(p.name, p);
  problem<float>& out = at->second;
  if (is_new) {
    out.name += std::string(" in ") + weight_name<W>;
    for (entry<float>& e : out.entries) e.value = static_cast<float>(narrowed<W>(e.value));
    solve(out);
  }
  return out;
}

/// The matrix of a rounded problem.
template <class W>
problem<W> with_weights(const problem<float>& p) {
  problem<W> out;
  out.name = p.name;
  out.rows = p.rows;
  out.cols = p.cols;
  for (const entry<float>& e : p.entries) out.entries.push_back({e.row, e.column, W(e.value)});
  return out;
}

/// Blocks of whole 32-bit words of weights.
template <class W, class View = sparsekit::packed_blocks_view<const W>>
struct packed_blocks_operand
    : converted_operand<W, true, View, &View::starts, &View::columns, &View::values, &View::weight_sums> {
  static constexpr sparsekit::block_shape blocks[] = {{1, 2}, {2, 2}, {4, 2}, {8, 2}, {3, 4}, {16, 16}};
  static std::vector<std::string> options() {
    std::vector<std::string> names;
    for (const auto b : blocks) names.push_back(std::to_string(b.rows) + "x" + std::to_string(b.cols));
    return names;
  }
  packed_blocks_operand(const problem<W>& p, placement where, int option) {
    const csr_operand<W, std::int32_t, std::int32_t> source(p, {});
    const auto m = sparsekit::pack_blocks(source.view(), blocks[option]).value();
    this->arrays.assign(m.view(), where);
  }
};
template <class W>
struct operand_variants<format::blocks, W> {
  using main = operand_list<packed_blocks_operand<W>>;
  using others = operand_list<>;
};

template <class List>
struct first_operand;
template <class First, class... Rest>
struct first_operand<operand_list<First, Rest...>> {
  using type = First;
};

/// The format's operand of weights W, made of a problem of f32.
template <class W, class Format>
struct narrow_operand : first_operand<typename operand_variants<Format, W>::main>::type {
  using wide_form = typename first_operand<typename operand_variants<Format, float>::main>::type;
  using base = typename first_operand<typename operand_variants<Format, W>::main>::type;

  static problem<float> adapt(const problem<float>& p, int option) {
    if constexpr (requires { wide_form::adapt(p, option); }) {
      return rounded<W>(wide_form::adapt(p, option));
    } else {
      return rounded<W>(p);
    }
  }
  narrow_operand(const problem<float>& p, placement where, int option)
      : base(with_weights<W>(p), where, option) {}
};

}  // namespace sparsekit_test
