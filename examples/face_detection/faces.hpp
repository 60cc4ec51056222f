// From a picture to the network's input, and from its raw outputs to faces.
//
// The network (MediaPipe's full-range face detector) looks at 192 x 192 pixels through a grid of 48
// x 48 cells. For each cell it gives the logit of a face, and a box: its centre relative to the
// cell's, its size, and six points of the face, all in pixels of the input.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "../common/picture.hpp"
#include "../common/planar.hpp"

namespace faces {

using engine::index_t;
namespace sk = sparsekit;

/// Bilinear to height x width x 3, values from -1 to 1. The picture is stretched to the input's
/// shape.
inline void prepare(engine::picture& picture, index_t height, index_t width, float* out) {
  for (index_t y = 0; y < height; ++y) {
    const auto v = engine::resize_from(y, height, picture.height, false, true);
    for (index_t x = 0; x < width; ++x) {
      const auto h = engine::resize_from(x, width, picture.width, false, true);
      for (index_t c = 0; c < 3; ++c) {
        const auto row = [&](index_t r) {
          return static_cast<float>(picture.pixel(h.low, r)[c]) * (1 - h.fraction) +
                 static_cast<float>(picture.pixel(h.high, r)[c]) * h.fraction;
        };
        const float value = row(v.low) * (1 - v.fraction) + row(v.high) * v.fraction;
        out[(y * width + x) * 3 + c] = value / 127.5f - 1.f;
      }
    }
  }
}

/// A face in fractions of the picture's width and height.
struct face {
  double score = 0;
  double x = 0, y = 0;  // centre
  double width = 0, height = 0;
};

inline double overlap(const face& a, const face& b) {
  const auto shared = [](double p, double p_size, double q, double q_size) {
    return std::max(
        0.0, std::min(p + p_size / 2, q + q_size / 2) - std::max(p - p_size / 2, q - q_size / 2));
  };
  const double both = shared(a.x, a.width, b.x, b.width) * shared(a.y, a.height, b.y, b.height);
  const double either = a.width * a.height + b.width * b.height - both;
  return either > 0 ? both / either : 0;
}

inline constexpr index_t grid = 48;
inline constexpr index_t numbers_a_box = 16;
inline constexpr double input_size = 192;

/// The faces above `threshold`, best first; of several boxes on one face, the best.
inline std::vector<face> decode(sk::array_view<const float> logits,
                                sk::array_view<const float> boxes, double threshold) {
  std::vector<face> candidates;
  for (index_t cell = 0; cell < grid * grid; ++cell) {
    const double logit = std::clamp(static_cast<double>(logits[cell]), -100.0, 100.0);
    const double score = 1 / (1 + std::exp(-logit));
    if (!(score >= threshold)) continue;
    const float* box = boxes.data() + cell * numbers_a_box;
    const double column = (static_cast<double>(cell % grid) + 0.5) / static_cast<double>(grid);
    const double row = (static_cast<double>(cell / grid) + 0.5) / static_cast<double>(grid);
    candidates.push_back({score, column + static_cast<double>(box[0]) / input_size,
                          row + static_cast<double>(box[1]) / input_size,
                          static_cast<double>(box[2]) / input_size,
                          static_cast<double>(box[3]) / input_size});
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const face& a, const face& b) { return a.score > b.score; });
  std::vector<face> found;
  for (const face& c : candidates) {
    const bool known =
        std::any_of(found.begin(), found.end(), [&](const face& f) { return overlap(f, c) > 0.3; });
    if (!known) found.push_back(c);
  }
  return found;
}

}  // namespace faces
