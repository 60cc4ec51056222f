// A feed-forward block of a language model, y = V relu(W x + b), one token at a time: tokens a second when
// nothing is skipped, when the pruned weights of W are (window-lookup steps), when the zeros that ReLU
// leaves are (only the active columns of V are read), and both.
//
//   relu_mlp [MODEL HIDDEN WEIGHT_ZEROS ACTIVATION_ZEROS TOKENS]
//
// Weights are generated: W has WEIGHT_ZEROS percent zeros at random places, V none; the bias is set so that
// about ACTIVATION_ZEROS percent of the hidden activations are zero. Defaults: 4096 11008 80 90 20.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sparsekit/sparsekit.hpp>
#include <vector>

#include "sparsekit/pack/lookup.hpp"

namespace sk = sparsekit;
using sk::index_t;

namespace {

/// xorshift64*: quick and the same everywhere.
class generator {
 public:
  /// -0.5 .. 0.5
  float next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<float>(state_ * 0x2545F4914F6CDD1Du >> 40) * 0x1p-24f - 0.5f;
  }

 private:
  std::uint64_t state_ = 88172645463325252u;
};

struct block {
  index_t model;
  index_t hidden;
  std::vector<float> w;            // hidden x model, row by row
  std::vector<float> v;            // model x hidden, row by row
  std::vector<float> v_by_column;  // the same, column by column
  std::vector<float> bias;         // hidden
  sk::lookup_matrix<float> packed_w;
};

sk::dense_view<const float> dense_w(const block& b) { return {b.w.data(), b.hidden, b.model}; }

/// The bias that leaves this share of the hidden activations at zero for typical tokens.
void set_bias(block& b, double zeros, generator& random) {
  std::vector<float> x(static_cast<std::size_t>(b.model));
  for (float& e : x) e = random.next();
  std::vector<float> sums(static_cast<std::size_t>(b.hidden));
  sk::multiply(dense_w(b), x, sums);
  std::sort(sums.begin(), sums.end());
  const auto at = static_cast<std::size_t>(zeros * static_cast<double>(b.hidden - 1));
  b.bias.assign(sums.size(), -sums[at]);
}

block make_block(index_t model, index_t hidden, double weight_zeros, double activation_zeros) {
  generator random;
  block b{model, hidden, {}, {}, {}, {}, {}};
  b.w.resize(static_cast<std::size_t>(model * hidden));
  b.v.resize(b.w.size());
  b.v_by_column.resize(b.w.size());
  const float threshold = static_cast<float>(weight_zeros) - 0.5f;
  for (float& e : b.w) {
    const float value = random.next();
    e = random.next() < threshold ? 0.f : value;
  }
  for (float& e : b.v) e = random.next();
  const sk::dense_view<float, sk::col_major> columns(b.v_by_column.data(), model, hidden);
  for (index_t r = 0; r < model; ++r) {
    for (index_t c = 0; c < hidden; ++c) {
      columns(r, c) = b.v[static_cast<std::size_t>(r * hidden + c)];
    }
  }
  b.packed_w = sk::pack_lookup(sk::csr_matrix<float>::from_dense(dense_w(b)).value()).value();
  set_bias(b, activation_zeros, random);
  return b;
}

/// Everything that a token needs, made once.
struct buffers {
  std::vector<float> hidden;
  sk::active_set<float> active;
  sk::workspace scratch;
  double active_share = 0;
};

void run_token(const block& b, bool skip_weights, bool skip_activations,
               const std::vector<float>& x, std::vector<float>& y, buffers& t) {
  if (skip_weights) {
    sk::multiply(b.packed_w, x, t.hidden, sk::bias(b.bias) | sk::relu, t.scratch);
  } else {
    sk::multiply(dense_w(b), x, t.hidden, sk::bias(b.bias) | sk::relu);
  }
  if (skip_activations) {
    t.active.assign_nonzero(t.hidden);
    t.active_share =
        static_cast<double>(t.active.count()) / static_cast<double>(t.active.size());
    sk::multiply(sk::dense_view<const float, sk::col_major>(b.v_by_column.data(), b.model, b.hidden),
                 t.active, y);
  } else {
    sk::multiply(sk::dense_view<const float>(b.v.data(), b.model, b.hidden), t.hidden, y);
  }
}

double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += std::pow(static_cast<double>(a[i]), 2);
  }
  return std::sqrt(difference / std::max(norm, 1e-300));
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int i, double otherwise) {
    return argc > i ? std::atof(argv[i]) : otherwise;
  };
  const index_t model = static_cast<index_t>(argument(1, 4096));
  const index_t hidden = static_cast<index_t>(argument(2, 11008));
  const double weight_zeros = argument(3, 80) / 100;
  const double activation_zeros = argument(4, 90) / 100;
  const int tokens = static_cast<int>(argument(5, 20));
  if (model < 1 || hidden < 1 || weight_zeros < 0 || weight_zeros > 1 || activation_zeros < 0 ||
      activation_zeros > 1 || tokens < 1) {
    std::fprintf(stderr,
                 "usage: relu_mlp [MODEL HIDDEN WEIGHT_ZEROS%% ACTIVATION_ZEROS%% TOKENS]\n");
    return 2;
  }
  const block b = make_block(model, hidden, weight_zeros, activation_zeros);
  buffers t{std::vector<float>(static_cast<std::size_t>(hidden)), sk::active_set<float>(hidden),
            sk::workspace(b.packed_w), 0};
  generator random;
  std::vector<std::vector<float>> inputs(static_cast<std::size_t>(tokens));
  for (auto& x : inputs) {
    for (index_t i = 0; i < model; ++i) x.push_back(random.next());
  }

  std::printf("%lld -> %lld -> %lld, f32, %.0f %% of W zero, one thread\n",
              static_cast<long long>(model), static_cast<long long>(hidden),
              static_cast<long long>(model), 100 * weight_zeros);
  std::vector<float> dense_y(static_cast<std::size_t>(model));
  std::vector<float> y(static_cast<std::size_t>(model));
  double dense_seconds = 0;
  bool agree = true;
  for (int way = 0; way < 4; ++way) {
    const bool skip_weights = (way & 1) != 0;
    const bool skip_activations = (way & 2) != 0;
    run_token(b, skip_weights, skip_activations, inputs[0], way == 0 ? dense_y : y, t);
    const double difference = way == 0 ? 0 : relative_difference(dense_y, y);
    agree = agree && difference < 1e-4;
    const auto start = std::chrono::steady_clock::now();
    double share = 0;
    for (const auto& x : inputs) {
      run_token(b, skip_weights, skip_activations, x, y, t);
      share += t.active_share;
    }
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / tokens;
    if (way == 0) dense_seconds = seconds;
    static constexpr const char* names[] = {"dense", "pruned weights skipped",
                                            "ReLU zeros skipped", "both skipped"};
    std::printf("%-24s %9.1f tokens/s  %5.2f x dense", names[way], 1 / seconds,
                dense_seconds / seconds);
    if (skip_activations) std::printf("  (%.0f %% of h active)", 100 * share / tokens);
    if (way != 0) std::printf("  difference %.1e", difference);
    std::printf("\n");
  }
  if (!agree) std::fprintf(stderr, "relu_mlp: results differ\n");
  return agree ? 0 : 1;
}
