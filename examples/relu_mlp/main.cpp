// A feed-forward block of a language model, y = V relu(W x + b), one token at a time, with weights
// of f32, bf16, f16 and s8: tokens a second when nothing is skipped, when the pruned weights of W are
// (window-lookup steps or a bitmask, as pack() finds best), when the zeros that ReLU leaves are
// (only the active columns of V are read), and both.
//
//   relu_mlp [MODEL HIDDEN WEIGHT_ZEROS ACTIVATION_ZEROS TOKENS]
//
// Weights are generated: W has WEIGHT_ZEROS percent zeros at random places, V none; the bias is set
// so that about ACTIVATION_ZEROS percent of the hidden activations are zero. Defaults: 4096 11008
// 80 90 20.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sparsekit/sparsekit.hpp>
#include <type_traits>
#include <vector>

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

struct sizes {
  index_t model;
  index_t hidden;
  double weight_zeros;
  double activation_zeros;
  int tokens;
};

/// Weights of type T. Those of s8 are 1 / 254 of a number, as are the s8 that x is then; the hidden
/// activations are u8, of a scale that the largest of a typical token sets.
template <class T>
struct block {
  static constexpr bool quantized = std::is_same_v<T, std::int8_t>;
  /// As the weights: with pairs of bf16 a window of x is looked up once.
  using input = T;
  using activation = std::conditional_t<quantized, std::uint8_t, float>;
  static constexpr float unit = 1.f / 254;

  index_t model = 0;
  index_t hidden = 0;
  sk::packed_dense<T> dense_w;  // hidden x model
  sk::packed_matrix<T> sparse_w;
  sk::packed_dense<T> dense_v;  // model x hidden
  std::vector<T> v_by_column;
  std::vector<float> bias;  // hidden
  float activation_unit = 1;

  static T weight(float v) {
    if constexpr (quantized) {
      return static_cast<T>(std::lround(v / unit));
    } else {
      return T(v);
    }
  }
};

/// W x in f32.
template <class T, class W, class X, class Epilogue>
void first_layer(const W& w, const X& x, std::vector<float>& sums, const Epilogue& epilogue,
                 const sk::workspace& scratch) {
  if constexpr (block<T>::quantized) {
    constexpr float scale = block<T>::unit * block<T>::unit;
    sk::multiply(w, x, sums, sk::dequantize(scale) | epilogue, scratch);
  } else {
    sk::multiply(w, x, sums, epilogue, scratch);
  }
}

template <class T>
std::vector<typename block<T>::input> make_token(index_t model, generator& random) {
  std::vector<typename block<T>::input> x;
  for (index_t i = 0; i < model; ++i) {
    x.push_back(block<T>::weight(random.next()));
  }
  return x;
}

/// The bias that leaves this share of the hidden activations at zero for typical tokens, and their
/// scale.
template <class T>
void set_bias(block<T>& b, double zeros, generator& random) {
  std::vector<float> sums(static_cast<std::size_t>(b.hidden));
  first_layer<T>(b.dense_w, make_token<T>(b.model, random), sums, sk::scale(1.f),
                 sk::workspace(b.dense_w));
  std::sort(sums.begin(), sums.end());
  const float threshold = sums[static_cast<std::size_t>(zeros * static_cast<double>(b.hidden - 1))];
  b.bias.assign(sums.size(), -threshold);
  b.activation_unit = std::max(1e-6f, 1.2f * (sums.back() - threshold) / 255);
}

template <class T>
block<T> make_block(const sizes& s) {
  generator random;
  block<T> b;
  b.model = s.model;
  b.hidden = s.hidden;
  std::vector<T> w(static_cast<std::size_t>(s.model * s.hidden));
  const float threshold = static_cast<float>(s.weight_zeros) - 0.5f;
  for (T& e : w) {
    const float value = random.next();
    e = random.next() < threshold ? T{} : block<T>::weight(value);
  }
  const sk::dense_view<const T> rows(w.data(), s.hidden, s.model);
  b.dense_w = sk::pack_dense(rows).value();
  b.sparse_w = sk::pack(sk::csr_matrix<T>::from_dense(rows).value(), {.columns = {1}}).value();
  b.v_by_column.resize(w.size());
  for (T& e : b.v_by_column) e = block<T>::weight(random.next());
  b.dense_v = sk::pack_dense(
                  sk::dense_view<const T, sk::col_major>(b.v_by_column.data(), s.model, s.hidden))
                  .value();
  set_bias(b, s.activation_zeros, random);
  return b;
}

/// Everything that a token needs, made once.
template <class T>
struct buffers {
  std::vector<float> sums;
  std::vector<typename block<T>::activation> hidden;
  sk::active_set<typename block<T>::activation> active;
  sk::workspace scratch;
  double active_share = 0;

  explicit buffers(const block<T>& b)
      : sums(static_cast<std::size_t>(b.hidden)),
        hidden(sums.size()),
        active(b.hidden),
        scratch(b.dense_w) {
    if (sk::status s = scratch.add(b.sparse_w); !s) std::abort();
    if (sk::status s = scratch.add(b.dense_v); !s) std::abort();
  }
};

template <class T>
void second_layer(const block<T>& b, bool skip, std::vector<float>& y, buffers<T>& t) {
  const auto run = [&](const auto& epilogue) {
    if (!skip) return sk::multiply(b.dense_v, t.hidden, y, epilogue, t.scratch);
    if (sk::status s = t.active.assign_nonzero(t.hidden); !s) std::abort();
    t.active_share = static_cast<double>(t.active.count()) / static_cast<double>(t.active.size());
    sk::multiply(sk::dense_view<const T, sk::col_major>(b.v_by_column.data(), b.model, b.hidden),
                 t.active, y, epilogue);
  };
  if constexpr (block<T>::quantized) {
    run(sk::dequantize(block<T>::unit * b.activation_unit));
  } else {
    run(sk::identity_epilogue{});
  }
}

template <class T>
void run_token(const block<T>& b, bool skip_weights, bool skip_activations,
               const std::vector<typename block<T>::input>& x, std::vector<float>& y,
               buffers<T>& t) {
  std::vector<float>* out = &t.sums;
  if constexpr (!block<T>::quantized) out = &t.hidden;
  const auto epilogue = sk::bias(b.bias) | sk::relu;
  if (skip_weights) {
    first_layer<T>(b.sparse_w, x, *out, epilogue, t.scratch);
  } else {
    first_layer<T>(b.dense_w, x, *out, epilogue, t.scratch);
  }
  if constexpr (block<T>::quantized) {
    for (std::size_t i = 0; i < t.sums.size(); ++i) {
      const float q = t.sums[i] / b.activation_unit + 0.5f;
      t.hidden[i] = static_cast<std::uint8_t>(q < 255 ? q : 255);
    }
  }
  second_layer(b, skip_activations, y, t);
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

/// Prints the four ways; false if their results differ.
template <class T>
bool run_type(const char* type, const sizes& s) {
  const block<T> b = make_block<T>(s);
  buffers<T> t(b);
  generator random;
  std::vector<std::vector<typename block<T>::input>> inputs;
  for (int i = 0; i < s.tokens; ++i) inputs.push_back(make_token<T>(s.model, random));
  std::printf("%s: %s\n", type, b.sparse_w.reason().c_str());
  std::vector<float> dense_y(static_cast<std::size_t>(s.model));
  std::vector<float> y(dense_y.size());
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
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / s.tokens;
    if (way == 0) dense_seconds = seconds;
    static constexpr const char* names[] = {"dense", "pruned weights skipped", "ReLU zeros skipped",
                                            "both skipped"};
    std::printf("  %-24s %9.1f tokens/s  %5.2f x dense", names[way], 1 / seconds,
                dense_seconds / seconds);
    if (skip_activations) std::printf("  (%.0f %% of h active)", 100 * share / s.tokens);
    if (way != 0) std::printf("  difference %.1e", difference);
    std::printf("\n");
  }
  if (!agree) std::fprintf(stderr, "relu_mlp: results of %s differ\n", type);
  return agree;
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int i, double otherwise) {
    return argc > i ? std::atof(argv[i]) : otherwise;
  };
  const sizes s{static_cast<index_t>(argument(1, 4096)), static_cast<index_t>(argument(2, 11008)),
                argument(3, 80) / 100, argument(4, 90) / 100, static_cast<int>(argument(5, 20))};
  if (s.model < 1 || s.hidden < 1 || s.weight_zeros < 0 || s.weight_zeros > 1 ||
      s.activation_zeros < 0 || s.activation_zeros > 1 || s.tokens < 1) {
    std::fprintf(stderr,
                 "usage: relu_mlp [MODEL HIDDEN WEIGHT_ZEROS%% ACTIVATION_ZEROS%% TOKENS]\n");
    return 2;
  }
  std::printf("%lld -> %lld -> %lld, %.0f %% of W zero, one thread\n",
              static_cast<long long>(s.model), static_cast<long long>(s.hidden),
              static_cast<long long>(s.model), 100 * s.weight_zeros);
  bool agree = run_type<float>("f32", s);
  agree = run_type<sk::bfloat16>("bf16", s) && agree;
  agree = run_type<sk::float16>("f16", s) && agree;
  agree = run_type<std::int8_t>("s8", s) && agree;
  return agree ? 0 : 1;
}
