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
/// Floats of a padded plane that is small: two of them leave room in L1.
inline constexpr index_t small_plane = 2048;

// Functions with tiles of sums must be inlined whole, or the sums live in memory.
#define ENGINE_INLINE inline __attribute__((always_inline))

// Without AVX such a vector is passed differently, which matters between objects only: all this is
// inline.
#pragma GCC diagnostic ignored "-Wpsabi"

typedef float vec __attribute__((vector_size(32), aligned(4), may_alias));

typedef std::int32_t vec_bits __attribute__((vector_size(32), aligned(4), may_alias));

ENGINE_INLINE vec load(const float* p) { return *reinterpret_cast<const vec*>(p); }
ENGINE_INLINE void store(float* p, vec v) { *reinterpret_cast<vec*>(p) = v; }
ENGINE_INLINE vec broadcast(float v) { return vec{v, v, v, v, v, v, v, v}; }
/// The first `count` lanes of v, zero in the others.
ENGINE_INLINE vec keep(vec v, index_t count) {
  const std::int32_t n = static_cast<std::int32_t>(count);
  const vec_bits lane = {0, 1, 2, 3, 4, 5, 6, 7};
  const vec_bits limit = {n, n, n, n, n, n, n, n};
  return reinterpret_cast<vec>(reinterpret_cast<vec_bits>(v) & (lane < limit));
}
/// a0 a2 a4 a6 b0 b2 b4 b6, and a1 a3 a5 a7 b1 b3 b5 b7.
ENGINE_INLINE vec even_lanes(vec a, vec b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}
ENGINE_INLINE vec odd_lanes(vec a, vec b) {
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
}
/// a0 b0 a1 b1 a2 b2 a3 b3, and the upper halves.
ENGINE_INLINE vec zip_low(vec a, vec b) {
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
ENGINE_INLINE vec zip_high(vec a, vec b) {
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

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

/// One convolution's window: where the padded input lies and what comes out. Functions take it by
/// value: behind a reference, each vector they store might change it, and it would be read again
/// every time.
struct window {
  index_t in_h = 0, in_w = 0, out_h = 0, out_w = 0;
  index_t kernel = 1, stride = 1;
  index_t pad_top = 0, pad_left = 0;
  // From these, by `lay_out`:
  index_t rows = 0;   // of the padded input that count
  index_t phase = 0;  // floats of a padded row that belong to one remainder of the stride
  index_t width = 0;  // of a padded row
  index_t plane = 0;  // of a padded plane, with slack

  /// With a stride, the columns of a padded row are split by their remainder, so that neighbours in
  /// the output are neighbours in memory: phase p holds the padded columns p, p + stride, ...
  void lay_out() {
    rows = (out_h - 1) * stride + kernel;
    phase = std::max(out_w, lanes) + (kernel - 1) / stride + lanes;
    width = phase * stride;
    plane = rows * width + slack;
  }
  /// Offset of the window's column v from the output's column, in one padded row.
  index_t tap(index_t v) const { return v % stride * phase + v / stride; }
};

/// Copies rows [begin, end) of the padded plane, as far as the input has them, to their place; the
/// border must be zero already and stays so.
ENGINE_INLINE void pad_rows(window w, const float* in, float* padded, index_t begin, index_t end) {
  const index_t first = std::max<index_t>(begin - w.pad_top, 0);
  const index_t last = std::min({w.in_h, w.rows - w.pad_top, end - w.pad_top});
  const index_t width = std::min(w.in_w, w.width - w.pad_left);
  for (index_t r = first; r < last; ++r) {
    const float* from = in + r * w.in_w;
    float* to = padded + (r + w.pad_top) * w.width;
    if (w.stride == 1) {
      to += w.pad_left;
      if (width < lanes) {
        store(to, keep(load(from), width));
        continue;
      }
      for (index_t x = 0; x + lanes <= width; x += lanes) store(to + x, load(from + x));
      store(to + width - lanes, load(from + width - lanes));
    } else if (w.stride == 2) {
      float* even = to + w.pad_left % 2 * w.phase + w.pad_left / 2;
      float* odd = to + (w.pad_left + 1) % 2 * w.phase + (w.pad_left + 1) / 2;
      for (index_t x = 0; x < width; x += 2 * lanes) {
        const index_t left = width - x;
        const vec a = load(from + x);
        const vec b = load(from + x + lanes);
        store(even + x / 2, keep(even_lanes(a, b), (left + 1) / 2));
        store(odd + x / 2, keep(odd_lanes(a, b), left / 2));
      }
    } else {
      for (index_t x = 0; x < width; ++x) {
        const index_t column = x + w.pad_left;
        to[column % w.stride * w.phase + column / w.stride] = from[x];
      }
    }
  }
}
ENGINE_INLINE void pad_plane(window w, const float* in, float* padded) {
  pad_rows(w, in, padded, 0, w.rows);
}

/// Rows r to r + R of one depthwise output plane. R rows share what they load of the input.
template <int K, int S, int R, activation Act>
ENGINE_INLINE void depthwise_rows(window w, const float* padded, const vec* weights, vec bias,
                                  index_t r, float* out) {
  const float* base = padded + r * S * w.width;
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
        const vec a = load(base + u * w.width + v % S * w.phase + v / S + x);
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

/// One channel from its padded plane. `ahead(rows)` is called before the rows of the padded plane
/// below `rows` are read.
template <int K, int S, activation Act, class Ahead>
ENGINE_INLINE void depthwise_plane(window w, const float* padded, const float* weights, float bias,
                                   float* out, Ahead&& ahead) {
  constexpr int rows = 4;
  vec taps[K * K];
#pragma GCC unroll 32
  for (int i = 0; i < K * K; ++i) taps[i] = broadcast(weights[i]);
  const vec b = broadcast(bias);
  index_t r = 0;
  for (; r + rows <= w.out_h; r += rows) {
    ahead((r + 2 * rows - 1) * S + K);
    depthwise_rows<K, S, rows, Act>(w, padded, taps, b, r, out);
  }
  ahead(w.rows);
  for (; r + 2 <= w.out_h; r += 2) depthwise_rows<K, S, 2, Act>(w, padded, taps, b, r, out);
  for (; r < w.out_h; ++r) depthwise_rows<K, S, 1, Act>(w, padded, taps, b, r, out);
}

/// All channels; weights are channels x K x K. `padded` holds two planes, zeroed.
///
/// A load that spans two stores waits until they have left the store buffer, and every load of a
/// padded row at an odd column does. So rows are padded well before they are read: small planes
/// while the channel before is computed, large ones (which would leave L1 meanwhile) four rows
/// ahead.
template <int K, int S, activation Act>
void depthwise_fixed(window w, index_t channels, const float* in, const float* weights,
                     const float* bias, float* out, float* padded) {
  const index_t in_size = w.in_h * w.in_w;
  const index_t out_size = w.out_h * w.out_w;
  if (w.plane > small_plane) {
    for (index_t c = 0; c < channels; ++c) {
      index_t ready = 0;
      depthwise_plane<K, S, Act>(w, padded, weights + c * K * K, bias[c], out + c * out_size,
                                 [&](index_t rows) {
                                   rows = std::min(rows, w.rows);
                                   if (rows <= ready) return;
                                   pad_rows(w, in + c * in_size, padded, ready, rows);
                                   ready = rows;
                                 });
    }
    return;
  }
  pad_plane(w, in, padded);
  for (index_t c = 0; c < channels; ++c) {
    if (c + 1 < channels) {
      pad_plane(w, in + (c + 1) * in_size, padded + (c + 1) % 2 * w.plane);
    }
    depthwise_plane<K, S, Act>(w, padded + c % 2 * w.plane, weights + c * K * K, bias[c],
                               out + c * out_size, [](index_t) {});
  }
}

/// Any other kernel size or stride.
template <activation Act>
void depthwise_any(window w, index_t channels, const float* in, const float* weights,
                   const float* bias, float* out, float* padded) {
  for (index_t c = 0; c < channels; ++c) {
    pad_plane(w, in + c * w.in_h * w.in_w, padded);
    for (index_t r = 0; r < w.out_h; ++r) {
      for (index_t x = 0; x < w.out_w; x += lanes) {
        vec sum = broadcast(bias[c]);
        for (index_t u = 0; u < w.kernel; ++u) {
          for (index_t v = 0; v < w.kernel; ++v) {
            sum += broadcast(weights[(c * w.kernel + u) * w.kernel + v]) *
                   load(padded + (r * w.stride + u) * w.width + w.tap(v) + x);
          }
        }
        store(out + (c * w.out_h + r) * w.out_w + x, activate<Act>(sum));
      }
    }
  }
}

inline void depthwise(window w, index_t channels, activation act, const float* in,
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
void convolve_block(window w, index_t in_channels, const float* padded, const float* weights,
                    const float* bias, float* out) {
  constexpr int vectors = 2;
  constexpr index_t most_taps = 1024;
  index_t taps[most_taps];
  const index_t count = in_channels * w.kernel * w.kernel;
  for (index_t c = 0, i = 0; c < in_channels; ++c) {
    for (index_t u = 0; u < w.kernel; ++u) {
      for (index_t v = 0; v < w.kernel; ++v) {
        taps[i++] = c * w.plane + u * w.width + w.tap(v);
      }
    }
  }
  for (index_t r = 0; r < w.out_h; ++r) {
    const float* row = padded + r * w.stride * w.width;
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
inline void convolve(window w, index_t in_channels, index_t out_channels, activation act,
                     const float* in, const float* weights, const float* bias, float* out,
                     float* padded) {
  for (index_t c = 0; c < in_channels; ++c) {
    pad_plane(w, in + c * w.in_h * w.in_w, padded + c * w.plane);
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

inline std::vector<resize_source> resize_sources(index_t out, index_t in, bool align,
                                                 bool half_pixel) {
  std::vector<resize_source> all;
  for (index_t k = 0; k < out; ++k) all.push_back(resize_from(k, out, in, align, half_pixel));
  return all;
}

/// Bilinear. `row` has room for an input row, slack before and behind it. `columns` says where each
/// output column reads, `rows` each row.
inline void resize(index_t channels, index_t in_h, index_t in_w,
                   const std::vector<resize_source>& rows,
                   const std::vector<resize_source>& columns, bool doubles, const float* in,
                   float* out, float* row) {
  row += lanes;
  for (index_t c = 0; c < channels; ++c, in += in_h * in_w) {
    for (const resize_source& from : rows) {
      const float* low = in + from.low * in_w;
      const float* high = in + from.high * in_w;
      const vec first = broadcast(1 - from.fraction);
      const vec second = broadcast(from.fraction);
      for (index_t x = 0; x < in_w; x += lanes) {
        store(row + x, load(low + x) * first + load(high + x) * second);
      }
      if (doubles) {  // fractions are 1/4 and 3/4 throughout, beyond the edges the edge repeats
        row[-1] = row[0];
        row[in_w] = row[in_w - 1];
        const vec near = broadcast(0.75f);
        const vec far = broadcast(0.25f);
        for (index_t x = 0; x < in_w; x += lanes) {
          const vec middle = load(row + x) * near;
          const vec even = middle + load(row + x - 1) * far;
          const vec odd = middle + load(row + x + 1) * far;
          store(out + 2 * x, zip_low(even, odd));
          store(out + 2 * x + lanes, zip_high(even, odd));
        }
      } else {
        for (std::size_t x = 0; x < columns.size(); ++x) {
          const resize_source& s = columns[x];
          out[x] = row[s.low] * (1 - s.fraction) + row[s.high] * s.fraction;
        }
      }
      out += columns.size();
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
  if (cols == 3) {  // colours apart: three streams that the compiler can vectorise
    float* __restrict__ red = out;
    float* __restrict__ green = out + rows;
    float* __restrict__ blue = out + 2 * rows;
    for (index_t r = 0; r < rows; ++r) {
      red[r] = in[3 * r];
      green[r] = in[3 * r + 1];
      blue[r] = in[3 * r + 2];
    }
    return;
  }
  constexpr index_t block = 64;  // what is written stays in L1 until its lines are full
  for (index_t start = 0; start < cols; start += block) {
    const index_t end = std::min(start + block, cols);
    for (index_t r = 0; r < rows; ++r) {
      for (index_t c = start; c < end; ++c) out[c * rows + r] = in[r * cols + c];
    }
  }
}

}  // namespace engine
