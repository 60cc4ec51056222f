// The 1x1 convolutions of the engine: every call of sparsekit that packs or multiplies.
#include <algorithm>
#include <limits>
#include <sparsekit/choose.hpp>

#include "network.hpp"

namespace engine {

sk::status pack(layer& l) {
  if (sk::status s = sk::pack_dense(l.weights).get(l.dense); !s) return s;
  const auto* const end = l.weights.data() + l.rows * l.cols;
  if (std::find(l.weights.data(), end, 0.f) == end) return {};
  auto chosen = sk::choose(l.weights, {.columns = {l.pixels}});
  if (!chosen) return chosen.error();
  l.chosen = std::move(chosen).value();
  return {};
}

void multiply(const layer& l, weights_kind kind, const float* x, float* y, sk::workspace& scratch) {
  const auto run = [&](const auto& epilogue) {
    const auto by = [&]<class Layout>(const auto& weights, Layout) {
      sk::multiply(sk::seq, weights, sk::dense_view<const float, Layout>(x, l.cols, l.pixels),
                   sk::dense_view<float, Layout>(y, l.rows, l.pixels), epilogue, scratch);
    };
    if (kind == weights_kind::dense_interleaved) {
      by(l.dense, sk::col_major{});
    } else if (kind == weights_kind::chosen && l.pruned()) {
      by(*l.chosen, sk::row_major{});
    } else {
      by(l.dense, sk::row_major{});
    }
  };
  // All activations are limits: one kernel serves the three, and the program compiles in a third of
  // the time. The comparisons cost nothing beside the sums. (One epilogue that adds y or not, as
  // the layer asks, saves a fifth of it more, and costs dense weights a fifth of their speed.)
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const auto bias = sk::bias(sk::array_view<const float>(l.bias, l.rows));
  const auto limits = sk::clamp(l.act == activation::none ? -infinity : 0.f,
                                l.act == activation::relu6 ? 6.f : infinity);
  if (l.accumulates) {
    run(bias | sk::accumulate | limits);
  } else {
    run(bias | limits);
  }
}

}  // namespace engine
