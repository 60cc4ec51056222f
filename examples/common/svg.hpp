// Residuals of an iteration as a picture: iterations to the right, the logarithm upward.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace example {

struct curve {
  std::string name;
  std::vector<double> values;  ///< one an iteration; those that are not positive are left out
};

/// False if the file cannot be written or there is nothing to draw.
inline bool write_svg(const std::string& path, const std::string& title,
                      const std::vector<curve>& curves) {
  constexpr double width = 640, height = 400, left = 64, right = 150, top = 36, bottom = 44;
  constexpr const char* colours[] = {"#1b6ca8", "#c8553d", "#588157", "#6d597a"};
  double low = 1e300, high = -1e300;
  std::size_t longest = 0;
  for (const curve& c : curves) {
    longest = std::max(longest, c.values.size());
    for (const double v : c.values) {
      if (v <= 0) continue;
      low = std::min(low, std::floor(std::log10(v)));
      high = std::max(high, std::ceil(std::log10(v)));
    }
  }
  if (low > high) return false;
  if (low == high) high += 1;
  const double steps = static_cast<double>(std::max<std::size_t>(longest, 2) - 1);
  const auto x = [&](double i) { return left + i / steps * (width - left - right); };
  const auto y = [&](double exponent) {
    return height - bottom - (exponent - low) / (high - low) * (height - top - bottom);
  };
  std::FILE* f = std::fopen(path.c_str(), "w");
  if (f == nullptr) return false;
  std::fprintf(f,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
               "font-family=\"sans-serif\" font-size=\"12\">\n"
               "<rect width=\"%.0f\" height=\"%.0f\" fill=\"white\"/>\n"
               "<text x=\"%.0f\" y=\"20\" font-size=\"14\">%s</text>\n",
               width, height, width, height, left, title.c_str());
  const double stride = std::max(1.0, std::ceil((high - low) / 8));
  for (double e = low; e <= high; e += stride) {
    std::fprintf(f,
                 "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>"
                 "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">1e%.0f</text>\n",
                 left, width - right, y(e), y(e), left - 8, y(e) + 4, e);
  }
  for (int i = 0; i <= 4; ++i) {
    std::fprintf(f, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%.0f</text>\n",
                 x(steps * i / 4), height - 22, steps * i / 4);
  }
  std::fprintf(f, "<text x=\"%.0f\" y=\"%.0f\">iteration</text>\n", left, height - 6);
  for (std::size_t k = 0; k < curves.size(); ++k) {
    const char* colour = colours[k % 4];
    std::fprintf(f, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (std::size_t i = 0; i < curves[k].values.size(); ++i) {
      if (curves[k].values[i] <= 0) continue;
      std::fprintf(f, "%.1f,%.1f ", x(static_cast<double>(i)), y(std::log10(curves[k].values[i])));
    }
    std::fprintf(f, "\"/>\n<text x=\"%.0f\" y=\"%.0f\" fill=\"%s\">%s</text>\n", width - right + 8,
                 top + 16 * static_cast<double>(k + 1), colour, curves[k].name.c_str());
  }
  std::fprintf(f, "</svg>\n");
  return std::fclose(f) == 0;
}

}  // namespace example
