// A sparse autoencoder for a small device: says how badly a window of sensor samples fits what was
// normal. Everything it owns is in one object of fixed size; weights have 16-bit indices. score()
// allocates nothing.
//
//   code = relu(E x + b)        E: hidden x window, mostly zeros, CSR
//   out  = D code + c           D: window x hidden
//   score = |x - out|^2 / window
#pragma once

#include <array>
#include <cstdint>
#include <sparsekit/sparsekit.hpp>

namespace example {

namespace sk = sparsekit;
using sk::index_t;

/// CSR arrays of fixed size: so many rows and at most so many entries.
template <index_t Rows, index_t MaxEntries>
struct small_csr {
  using index = std::uint16_t;
  static_assert(MaxEntries < 65536, "offsets have 16 bits");

  std::array<index, static_cast<std::size_t>(Rows + 1)> row_ptr{};
  std::array<index, static_cast<std::size_t>(MaxEntries)> columns{};
  std::array<float, static_cast<std::size_t>(MaxEntries)> values{};

  sk::csr_view<const float, index, index> view(index_t cols) const {
    const index_t entries = row_ptr.back();
    return {{Rows, cols},
            {row_ptr.data(), Rows + 1},
            {columns.data(), entries},
            {values.data(), entries}};
  }
  /// The entries of a dense rows x cols matrix that are not zero. An error if they are too many.
  sk::status assign(const float* dense, index_t cols) {
    index_t entry = 0;
    for (index_t r = 0; r < Rows; ++r) {
      for (index_t c = 0; c < cols; ++c) {
        if (dense[r * cols + c] == 0) continue;
        if (entry == MaxEntries) {
          return {.code = sk::errc::size_overflow,
                  .object = "small_csr",
                  .detail = "entries",
                  .got = entry + 1,
                  .allowed = MaxEntries};
        }
        columns[static_cast<std::size_t>(entry)] = static_cast<index>(c);
        values[static_cast<std::size_t>(entry++)] = dense[r * cols + c];
      }
      row_ptr[static_cast<std::size_t>(r + 1)] = static_cast<index>(entry);
    }
    return sk::validate(view(cols));
  }
};

class detector {
 public:
  static constexpr index_t window = 128;
  static constexpr index_t hidden = 48;
  static constexpr index_t max_entries = window * hidden / 4;  // 75 % zeros

  /// Checked once, when the model is loaded.
  sk::status load(const float* encoder, const float* code_bias, const float* decoder,
                  const float* out_bias) {
    std::copy_n(code_bias, hidden, code_bias_.begin());
    std::copy_n(out_bias, window, out_bias_.begin());
    if (sk::status s = encoder_.assign(encoder, window); !s) return s;
    return decoder_.assign(decoder, hidden);
  }

  /// `samples`: window of them. Allocates nothing.
  float score(const float* samples) {
    const sk::array_view<const float> x(samples, window);
    const sk::array_view<float> code(code_.data(), hidden);
    const sk::array_view<float> out(out_.data(), window);
    sk::multiply(encoder_.view(window), x, code,
                 sk::bias(sk::array_view<const float>(code_bias_.data(), hidden)) | sk::relu);
    sk::multiply(decoder_.view(hidden), sk::array_view<const float>(code_.data(), hidden), out,
                 sk::bias(sk::array_view<const float>(out_bias_.data(), window)));
    float sum = 0;
    for (std::size_t i = 0; i < out_.size(); ++i) {
      const float d = samples[i] - out_[i];
      sum += d * d;
    }
    return sum / static_cast<float>(window);
  }
  index_t entries() const { return encoder_.row_ptr.back() + decoder_.row_ptr.back(); }

 private:
  small_csr<hidden, max_entries> encoder_;
  small_csr<window, max_entries> decoder_;
  std::array<float, static_cast<std::size_t>(hidden)> code_bias_{};
  std::array<float, static_cast<std::size_t>(window)> out_bias_{};
  std::array<float, static_cast<std::size_t>(hidden)> code_{};
  std::array<float, static_cast<std::size_t>(window)> out_{};
};

}  // namespace example
