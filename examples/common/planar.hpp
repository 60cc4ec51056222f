// The operators of a convolutional network that sparsekit does not have, on planar activations
// (channels x height x width): depthwise and small dense convolutions, resizing, re-ordering.
//
// They are written with the vector extension of g++ and clang, eight floats at a time, which
// compiles to what the machine has. Each buffer they touch has `slack` floats of room behind its
// end: a row narrower than a vector is read and written whole, in rising order, so what spills over
// is overwritten by the next row.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <sparsekit/core/storage.hpp>

#include "graph.hpp"

namespace engine {

inline constexpr index_t lanes = 8;
inline constexpr index_t slack = 64;

// Functions with tiles of sums must be inlined whole, or the sums live in memory.
#define ENGINE_INLINE inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(32), aligned(4), may_alias));

inline vec load(const float* p) { return *reinterpret_cast<const vec*>(p); }
inline void store(float* p, vec v) { *reinterpret_cast<vec*>(p) = v; }
inline vec broadcast(float v) { return vec{v, v, v, v, v, v, v, v}; }

template <activation Act>
ENGINE_INLINE vec activate(vec v) {
  const vec zero = broadcast(0.f);
  if constexpr (Act == activation::none) return v;
  v = v < zero ? zero : v;
  if constexpr (Act == activation::relu6) {
    const vec six = broadcast(6.f);
    v = v > six ? six : v;
  }
  return v;
}

/// f.template operator()<Act>()
template <class F>
void with_activation(activation act, F&& f) {
  switch (act) {
    case activation::none:
      return f.template operator()<activation::none>();
    case activation::relu:
      return f.template operator()<activation::relu>();
    case activation::relu6:
      return f.template operator()<activation::relu6>();
  }
}

/// One convolution's window: where the padded input lies and what comes out.
struct window {
  index_t in_h = 0, in_w = 0, out_h = 0, out_w = 0;
  index_t kernel = 1, stride = 1;
  index_t pad_top = 0, pad_left = 0;

  index_t rows() const { return (out_h - 1) * stride + kernel; }  // of the padded input that count
  /// With a stride, columns are split by their remainder, so that neighbours in the output are
  /// neighbours in memory: phase p holds the padded columns p, p + stride, ...
  index_t phase_width() const { return std::max(out_w, lanes) + (kernel - 1) / stride + lanes; }
  index_t row_width() const { return phase_width() * stride; }
  index_t plane_size() const { return rows() * row_width() + slack; }
  /// Offset of the window's column v from the output's column, in one padded row.
  index_t tap(index_t v) const { return v % stride * phase_width() + v / stride; }
};

/// Copies a plane into the middle of a padded one, whose border must be zero and stays so.
inline void pad_plane(const window& w, const float* in, float* padded) {
  const index_t last = std::min(w.in_h, w.rows() - w.pad_top);
  for (index_t r = 0; r < last; ++r) {
    const float* from = in + r * w.in_w;
    float* to = padded + (r + w.pad_top) * w.row_width();
    const index_t width = std::min(w.in_w, w.phase_width() * w.stride - w.pad_left);
    if (w.stride == 1) {
      to += w.pad_left;
      if (width >= lanes) {
        for (index_t x = 0; x + lanes <= width; x += lanes) store(to + x, load(from + x));
        store(to + width - lanes, load(from + width - lanes));
      } else {
        for (index_t x = 0; x < width; ++x) to[x] = from[x];
      }
    } else if (w.stride == 2) {
      float* first = to + w.pad_left % 2 * w.phase_width() + w.pad_left / 2;
      float* second = to + (w.pad_left + 1) % 2 * w.phase_width() + (w.pad_left + 1) / 2;
      const index_t pairs = width / 2;
      for (index_t x = 0; x < pairs; ++x) {
        first[x] = from[2 * x];
        second[x] = from[2 * x + 1];
      }
      if (width % 2 != 0) first[pairs] = from[width - 1];
    } else {
      for (index_t x = 0; x < width; ++x) {
        const index_t column = x + w.pad_left;
        to[column % w.stride * w.phase_width() + column / w.stride] = from[x];
      }
    }
  }
}

/// Rows r to r + R of one depthwise output plane. R rows share what they load of the input.
template <int K, int S, int R, activation Act>
ENGINE_INLINE void depthwise_rows(const window& w, const float* padded, const vec* weights,
                                  vec bias, index_t r, float* out) {
  const index_t width = w.row_width();
  const index_t phase = w.phase_width();
  const float* base = padded + r * S * width;
  for (index_t step = 0; step < w.out_w; step += lanes) {
    // The last vector of a row starts early rather than ending late, where the row is wide enough.
    const index_t x = std::max<index_t>(std::min(step, w.out_w - lanes), 0);
    vec sum[R];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) sum[i] = bias;
#pragma GCC unroll 16
    for (int u = 0; u < (R - 1) * S + K; ++u) {
#pragma GCC unroll 8
      for (int v = 0; v < K; ++v) {
        const vec a = load(base + u * width + v % S * phase + v / S + x);
#pragma GCC unroll 8
        for (int i = 0; i < R; ++i) {
          if (u - i * S >= 0 && u - i * S < K) sum[i] += weights[(u - i * S) * K + v] * a;
        }
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) store(out + (r + i) * w.out_w + x, activate<Act>(sum[i]));
  }
}

/// All channels; weights are channels x K x K. `padded` holds one plane, zeroed.
template <int K, int S, activation Act>
void depthwise_fixed(const window& w, index_t channels, const float* in, const float* weights,
                     const float* bias, float* out, float* padded) {
  constexpr int rows = 4;
  for (index_t c = 0; c < channels; ++c) {
    pad_plane(w, in + c * w.in_h * w.in_w, padded);
    vec taps[K * K];
#pragma GCC unroll 32
    for (int i = 0; i < K * K; ++i) taps[i] = broadcast(weights[c * K * K + i]);
    const vec b = broadcast(bias[c]);
    float* plane = out + c * w.out_h * w.out_w;
    index_t r = 0;
    for (; r + rows <= w.out_h; r += rows)
      depthwise_rows<K, S, rows, Act>(w, padded, taps, b, r, plane);
    for (; r + 2 <= w.out_h; r += 2) depthwise_rows<K, S, 2, Act>(w, padded, taps, b, r, plane);
    for (; r < w.out_h; ++r) depthwise_rows<K, S, 1, Act>(w, padded, taps, b, r, plane);
  }
}

/// Any other kernel size or stride.
template <activation Act>
void depthwise_any(const window& w, index_t channels, const float* in, const float* weights,
                   const float* bias, float* out, float* padded) {
  for (index_t c = 0; c < channels; ++c) {
    pad_plane(w, in + c * w.in_h * w.in_w, padded);
    for (index_t r = 0; r < w.out_h; ++r) {
      for (index_t x = 0; x < w.out_w; x += lanes) {
        vec sum = broadcast(bias[c]);
        for (index_t u = 0; u < w.kernel; ++u) {
          for (index_t v = 0; v < w.kernel; ++v) {
            sum += broadcast(weights[(c * w.kernel + u) * w.kernel + v]) *
                   load(padded + (r * w.stride + u) * w.row_width() + w.tap(v) + x);
          }
        }
        store(out + (c * w.out_h + r) * w.out_w + x, activate<Act>(sum));
      }
    }
  }
}

inline void depthwise(const window& w, index_t channels, activation act, const float* in,
                      const float* weights, const float* bias, float* out, float* padded) {
  with_activation(act, [&]<activation Act>() {
    if (w.kernel == 3 && w.stride == 1) {
      depthwise_fixed<3, 1, Act>(w, channels, in, weights, bias, out, padded);
    } else if (w.kernel == 3 && w.stride == 2) {
      depthwise_fixed<3, 2, Act>(w, channels, in, weights, bias, out, padded);
    } else if (w.kernel == 5 && w.stride == 1) {
      depthwise_fixed<5, 1, Act>(w, channels, in, weights, bias, out, padded);
    } else if (w.kernel == 5 && w.stride == 2) {
      depthwise_fixed<5, 2, Act>(w, channels, in, weights, bias, out, padded);
    } else {
      depthwise_any<Act>(w, channels, in, weights, bias, out, padded);
    }
  });
}

/// B output channels of a dense convolution. Weights are taps x B, a tap being (channel, row,
/// column).
template <int B, activation Act>
void convolve_block(const window& w, index_t in_channels, const float* padded, const float* weights,
                    const float* bias, float* out) {
  constexpr int vectors = 2;
  constexpr index_t most_taps = 1024;
  index_t taps[most_taps];
  const index_t count = in_channels * w.kernel * w.kernel;
  for (index_t c = 0, i = 0; c < in_channels; ++c) {
    for (index_t u = 0; u < w.kernel; ++u) {
      for (index_t v = 0; v < w.kernel; ++v) {
        taps[i++] = c * w.plane_size() + u * w.row_width() + w.tap(v);
      }
    }
  }
  for (index_t r = 0; r < w.out_h; ++r) {
    const float* row = padded + r * w.stride * w.row_width();
    for (index_t step = 0; step < w.out_w; step += vectors * lanes) {
      index_t x[vectors];
      for (int j = 0; j < vectors; ++j) {
        x[j] = std::max<index_t>(std::min(step + j * lanes, w.out_w - lanes), 0);
      }
      vec sum[B][vectors];
#pragma GCC unroll 8
      for (int i = 0; i < B; ++i) {
        sum[i][0] = broadcast(bias[i]);
        sum[i][1] = sum[i][0];
      }
      for (index_t t = 0; t < count; ++t) {
        const vec a0 = load(row + taps[t] + x[0]);
        const vec a1 = load(row + taps[t] + x[1]);
#pragma GCC unroll 8
        for (int i = 0; i < B; ++i) {
          const vec weight = broadcast(weights[t * B + i]);
          sum[i][0] += weight * a0;
          sum[i][1] += weight * a1;
        }
      }
#pragma GCC unroll 8
      for (int i = 0; i < B; ++i) {
        float* to = out + (i * w.out_h + r) * w.out_w;
        if (w.out_w >= lanes) {
          store(to + x[0], activate<Act>(sum[i][0]));
          store(to + x[1], activate<Act>(sum[i][1]));
        } else {  // the next plane's first row was written before
          const vec v = activate<Act>(sum[i][0]);
          std::memcpy(to, &v, static_cast<std::size_t>(w.out_w) * sizeof(float));
        }
      }
    }
  }
}

inline constexpr index_t convolution_block = 4;

/// A dense convolution whose weights were put in blocks of four output channels by the caller; for
/// the few layers that are not 1x1. `padded` holds in_channels planes, zeroed.
inline void convolve(const window& w, index_t in_channels, index_t out_channels, activation act,
                     const float* in, const float* weights, const float* bias, float* out,
                     float* padded) {
  for (index_t c = 0; c < in_channels; ++c) {
    pad_plane(w, in + c * w.in_h * w.in_w, padded + c * w.plane_size());
  }
  const index_t taps = in_channels * w.kernel * w.kernel;
  with_activation(act, [&]<activation Act>() {
    index_t o = 0;
    for (; o + convolution_block <= out_channels; o += convolution_block) {
      convolve_block<convolution_block, Act>(w, in_channels, padded, weights + o * taps, bias + o,
                                             out + o * w.out_h * w.out_w);
    }
    for (; o < out_channels; ++o) {
      convolve_block<1, Act>(w, in_channels, padded, weights + o * taps, bias + o,
                             out + o * w.out_h * w.out_w);
    }
  });
}

/// y = act(a + b); y may be a or b.
inline void add(index_t count, activation act, const float* a, const float* b, float* y) {
  with_activation(act, [&]<activation Act>() {
    for (index_t i = 0; i < count; i += lanes) {
      store(y + i, activate<Act>(load(a + i) + load(b + i)));
    }
  });
}

/// Where an output row or column of a resize reads: between two inputs, at a fraction.
struct resize_source {
  index_t low, high;
  float fraction;
};
inline resize_source resize_from(index_t k, index_t out, index_t in, bool align, bool half_pixel) {
  double at = static_cast<double>(k) * static_cast<double>(in) / static_cast<double>(out);
  if (align && out > 1) {
    at = static_cast<double>(k) * static_cast<double>(in - 1) / static_cast<double>(out - 1);
  } else if (half_pixel) {
    at = (static_cast<double>(k) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
  }
  at = std::max(at, 0.0);
  const index_t low = std::min(static_cast<index_t>(at), in - 1);
  return {low, std::min(low + 1, in - 1), static_cast<float>(at - static_cast<double>(low))};
}

/// Bilinear. `row` has room for an input row and slack.
inline void resize(index_t channels, index_t in_h, index_t in_w, index_t out_h, index_t out_w,
                   bool align, bool half_pixel, const float* in, float* out, float* row) {
  const bool doubles = half_pixel && out_w == 2 * in_w;
  for (index_t r = 0; r < out_h; ++r) {
    const resize_source from = resize_from(r, out_h, in_h, align, half_pixel);
    for (index_t c = 0; c < channels; ++c) {
      const float* low = in + (c * in_h + from.low) * in_w;
      const float* high = in + (c * in_h + from.high) * in_w;
      float* to = out + (c * out_h + r) * out_w;
      for (index_t x = 0; x < in_w; ++x) {
        row[x] = low[x] * (1 - from.fraction) + high[x] * from.fraction;
      }
      if (doubles) {  // fractions are 1/4 and 3/4 throughout
        to[0] = row[0];
        to[out_w - 1] = row[in_w - 1];
        for (index_t x = 0; x + 1 < in_w; ++x) {
          to[2 * x + 1] = row[x] * 0.75f + row[x + 1] * 0.25f;
          to[2 * x + 2] = row[x] * 0.25f + row[x + 1] * 0.75f;
        }
        continue;
      }
      for (index_t x = 0; x < out_w; ++x) {
        const resize_source s = resize_from(x, out_w, in_w, align, half_pixel);
        to[x] = row[s.low] * (1 - s.fraction) + row[s.high] * s.fraction;
      }
    }
  }
}

/// Channel (i * block + j) * out_channels + c at (y, x) goes to channel c at (y * block + i, x *
/// block + j).
inline void depth_to_space(index_t out_channels, index_t in_h, index_t in_w, index_t block,
                           const float* in, float* out) {
  for (index_t c = 0; c < out_channels; ++c) {
    for (index_t i = 0; i < block; ++i) {
      for (index_t j = 0; j < block; ++j) {
        const float* from = in + ((i * block + j) * out_channels + c) * in_h * in_w;
        for (index_t y = 0; y < in_h; ++y) {
          float* to = out + ((c * in_h + y) * block + i) * in_w * block + j;
          for (index_t x = 0; x < in_w; ++x) to[x * block] = from[y * in_w + x];
        }
      }
    }
  }
}

/// rows x cols to cols x rows: planar to pixel after pixel, or back.
inline void transpose(index_t rows, index_t cols, const float* in, float* out) {
  for (index_t c = 0; c < cols; ++c) {
    for (index_t r = 0; r < rows; ++r) out[c * rows + r] = in[r * cols + c];
  }
}

}  // namespace engine
