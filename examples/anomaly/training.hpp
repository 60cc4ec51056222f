// Trains the autoencoder of detector.hpp, on whatever machine has the memory: gradient descent on
// windows of a generated sensor, the smallest weights set to zero step by step, the others trained
// on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "detector.hpp"

namespace example {

/// A motor: its rotation, twice that with a phase of its own, and noise. Windows start anywhere.
class sensor {
 public:
  static constexpr index_t window = detector::window;

  std::vector<float> normal() { return signal(1.0f, 0.0f); }
  /// kind 0: a spike; 1: the signal stuck for a third of the window; 2: 1.6 times as fast; 3: a
  /// bearing that whines.
  std::vector<float> anomaly(int kind) {
    std::vector<float> s = signal(kind == 2 ? 1.6f : 1.0f, kind == 3 ? 0.7f : 0.0f);
    const auto at = static_cast<std::size_t>(unit() * 0.6f * window);
    if (kind == 0) s[at] += 5.0f;
    if (kind == 1)
      std::fill_n(s.begin() + static_cast<std::ptrdiff_t>(at), window / 3, s[at] + 1.5f);
    return s;
  }
  float unit() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<float>(state_ * 0x2545F4914F6CDD1Du >> 40) * 0x1p-24f;
  }

 private:
  std::vector<float> signal(float speed, float whine) {
    std::vector<float> s;
    const float phase = 6.2831853f * unit(), other = 6.2831853f * unit();
    for (index_t i = 0; i < window; ++i) {
      const float t = 6.2831853f * speed * static_cast<float>(i) / 32.0f;
      const float noise = 0.1f * (unit() + unit() - 1.0f);
      s.push_back(std::sin(t + phase) + 0.5f * std::sin(2 * t + other) + whine * std::sin(11 * t) +
                  noise);
    }
    return s;
  }
  std::uint64_t state_ = 88172645463325252u;
};

struct model {
  std::vector<float> encoder, code_bias, decoder, out_bias;  ///< hidden x window, window x hidden
};

/// All but `keep` weights of w, the smallest, become zero and stay so.
inline void prune(std::vector<float>& w, std::size_t keep) {
  std::vector<float> sizes;
  for (const float v : w) sizes.push_back(std::fabs(v));
  std::nth_element(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(keep), sizes.end(),
                   std::greater<>());
  const float limit = sizes[keep];
  for (float& v : w) v = std::fabs(v) > limit ? v : 0.0f;
}

inline model train(sensor& s, int steps) {
  constexpr auto window = static_cast<std::size_t>(detector::window);
  constexpr auto hidden = static_cast<std::size_t>(detector::hidden);
  model m{std::vector<float>(hidden * window), std::vector<float>(hidden, 0.0f),
          std::vector<float>(window * hidden), std::vector<float>(window, 0.0f)};
  for (float& v : m.encoder) v = 0.3f * (s.unit() - 0.5f);
  for (float& v : m.decoder) v = 0.3f * (s.unit() - 0.5f);
  std::vector<float> code(hidden), error(window), back(hidden);
  for (int step = 0; step < steps; ++step) {
    const float rate = 0.004f * (step < steps / 2 ? 1.0f
                                                  : 2.0f - 2.0f * static_cast<float>(step) /
                                                               static_cast<float>(steps));
    const std::vector<float> x = s.normal();
    for (std::size_t h = 0; h < hidden; ++h) {
      float sum = m.code_bias[h];
      for (std::size_t i = 0; i < window; ++i) sum += m.encoder[h * window + i] * x[i];
      code[h] = std::max(sum, 0.0f);
    }
    std::fill(back.begin(), back.end(), 0.0f);
    for (std::size_t i = 0; i < window; ++i) {
      float out = m.out_bias[i];
      for (std::size_t h = 0; h < hidden; ++h) out += m.decoder[i * hidden + h] * code[h];
      error[i] = out - x[i];
      m.out_bias[i] -= rate * error[i];
      for (std::size_t h = 0; h < hidden; ++h) {
        float& w = m.decoder[i * hidden + h];
        back[h] += error[i] * w;
        if (w != 0) w -= rate * error[i] * code[h];
      }
    }
    for (std::size_t h = 0; h < hidden; ++h) {
      if (code[h] == 0) continue;
      m.code_bias[h] -= rate * back[h];
      for (std::size_t i = 0; i < window; ++i) {
        float& w = m.encoder[h * window + i];
        if (w != 0) w -= rate * back[h] * x[i];
      }
    }
    // From a fifth of the way to three fifths, eight times: from all weights to a quarter of them.
    const int every = steps / 20;
    if (step % every == 0 && step >= 4 * every && step < 12 * every) {
      const double left = std::pow(0.25, (step / every - 3) / 8.0);
      const auto keep = static_cast<std::size_t>(left * static_cast<double>(window * hidden));
      prune(m.encoder, keep);
      prune(m.decoder, keep);
    }
  }
  return m;
}

}  // namespace example
