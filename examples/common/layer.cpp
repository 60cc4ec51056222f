// The 1x1 convolutions of the engine: every call of sparsekit that multiplies.
#include "network.hpp"

namespace engine {

void multiply(const layer& l, weights_kind kind, const float* x, float* y, sk::workspace& scratch) {
  const sk::dense_view<const float> X(x, l.cols, l.pixels);
  const sk::dense_view<float> Y(y, l.rows, l.pixels);
  const auto bias = sk::bias(sk::array_view<const float>(l.bias, l.rows));
  const auto run = [&](const auto& epilogue) {
    if (kind == weights_kind::dense || !l.pruned() || l.how == sparse_form::dense) {
      sk::multiply(sk::seq, l.dense, X, Y, epilogue, scratch);
    } else if (l.how == sparse_form::packed) {
      sk::multiply(sk::seq, *l.fast, X, Y, epilogue, scratch);
    } else {
      sk::multiply(sk::seq, l.sparse, X, Y, epilogue, scratch);
    }
  };
  // All activations are limits: one kernel serves the three, and the program compiles in a third of
  // the time. The comparisons cost nothing beside the sums.
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const auto limits = sk::clamp(l.act == activation::none ? -infinity : 0.f,
                                l.act == activation::relu6 ? 6.f : infinity);
  if (l.accumulates) {
    run(bias | sk::accumulate | limits);
  } else {
    run(bias | limits);
  }
}

}  // namespace engine
