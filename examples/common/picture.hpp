// Pictures: reads PPM (P6, 8 bits) and, where libpng is there, PNG; writes both. Errors are one
// line.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <sparsekit/io/file.hpp>
#include <string>
#include <string_view>
#include <vector>

#ifdef ENGINE_HAS_PNG
#include <png.h>
#include <zlib.h>
#endif

namespace engine {

namespace sk = sparsekit;
using sk::index_t;

struct picture {
  index_t width = 0, height = 0;
  std::vector<std::uint8_t> rgb;  // rows from the top, three bytes a pixel

  std::uint8_t* pixel(index_t x, index_t y) {
    return rgb.data() + static_cast<std::size_t>(3 * (y * width + x));
  }
};

inline constexpr index_t most_pixels = index_t{1} << 26;

inline bool usable_size(index_t width, index_t height) {
  return width >= 1 && height >= 1 && width <= most_pixels && height <= most_pixels / width;
}

// ---- PPM
// -----------------------------------------------------------------------------------------

/// A number of the header: white space and comments, then digits.
inline bool ppm_number(std::string_view text, std::size_t& at, index_t& out) {
  const std::size_t start = at;
  while (at < text.size() && std::strchr(" \t\r\n#", text[at]) != nullptr && text[at] != '\0') {
    if (text[at] == '#') {
      while (at < text.size() && text[at] != '\n') ++at;
    } else {
      ++at;
    }
  }
  if (at == start) return false;
  out = 0;
  const std::size_t digits = at;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    if (at - digits >= 9) return false;
    out = 10 * out + (text[at] - '0');
  }
  return at != digits;
}

inline std::string parse_ppm(sk::io::byte_view bytes, picture& out) {
  const std::string_view text = sk::io::as_text(bytes);
  std::size_t at = 2;
  index_t most = 0;
  if (!ppm_number(text, at, out.width) || !ppm_number(text, at, out.height) ||
      !ppm_number(text, at, most)) {
    return "malformed PPM header";
  }
  if (most != 255) return "only PPM with 8 bits a colour (maximum 255) is supported";
  if (!usable_size(out.width, out.height)) return "the picture is empty or too large";
  if (at >= text.size() || std::strchr(" \t\r\n", text[at]) == nullptr)
    return "malformed PPM header";
  ++at;
  const std::size_t size = static_cast<std::size_t>(3 * out.width * out.height);
  if (text.size() - at < size) return "truncated PPM";
  out.rgb.resize(size);
  std::memcpy(out.rgb.data(), text.data() + at, size);
  return "";
}

// ---- PNG
// -----------------------------------------------------------------------------------------

#ifdef ENGINE_HAS_PNG
/// Every chunk is whole and has the right checksum, the last is IEND: libpng alone would forgive
/// much.
inline bool png_is_whole(sk::io::byte_view bytes) {
  const auto big_endian = [&](index_t at) {
    std::uint32_t v = 0;
    for (index_t i = 0; i < 4; ++i) v = (v << 8) | std::to_integer<std::uint32_t>(bytes[at + i]);
    return v;
  };
  index_t at = 8;
  while (bytes.size() - at >= 12) {
    const index_t length = big_endian(at);
    if (length > bytes.size() - at - 12) return false;
    const auto* type = reinterpret_cast<const Bytef*>(bytes.data() + at + 4);
    const uLong crc = crc32(0, type, static_cast<uInt>(length + 4));
    if (crc != big_endian(at + 8 + length)) return false;
    if (std::memcmp(type, "IEND", 4) == 0) return true;
    at += length + 12;
  }
  return false;
}

inline std::string parse_png(sk::io::byte_view bytes, picture& out) {
  if (!png_is_whole(bytes)) return "truncated or corrupted PNG";
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  const auto fail = [&]() {
    std::string why = std::string("PNG: ") + image.message;
    png_image_free(&image);
    return why;
  };
  if (png_image_begin_read_from_memory(&image, bytes.data(),
                                       static_cast<std::size_t>(bytes.size())) == 0) {
    return fail();
  }
  out.width = image.width;
  out.height = image.height;
  if (!usable_size(out.width, out.height)) {
    png_image_free(&image);
    return "the picture is empty or too large";
  }
  image.format = PNG_FORMAT_RGB;
  out.rgb.resize(PNG_IMAGE_SIZE(image));
  const png_color black{0, 0, 0};  // behind transparent pixels
  if (png_image_finish_read(&image, &black, out.rgb.data(), 0, nullptr) == 0) return fail();
  return "";
}

inline std::string write_png(const std::string& path, const picture& p) {
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(p.width);
  image.height = static_cast<png_uint_32>(p.height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  std::vector<std::byte> bytes;
  if (png_image_write_get_memory_size(image, size, 0, p.rgb.data(), 0, nullptr) != 0) {
    bytes.resize(size);
    if (png_image_write_to_memory(&image, bytes.data(), &size, 0, p.rgb.data(), 0, nullptr) != 0) {
      const auto s = sk::io::write_file(path, {}, {bytes.data(), static_cast<index_t>(size)});
      return s ? "" : sk::io::describe(path, s);
    }
  }
  return path + ": PNG: " + image.message;
}
#endif

// ---- either
// --------------------------------------------------------------------------------------

/// Returns an error in one line, or "".
inline std::string read_picture(const std::string& path, picture& out) {
  sk::io::byte_buffer bytes;
  if (auto s = sk::io::read_file(path).get(bytes); !s) return sk::io::describe(path, s);
  const std::string_view text = sk::io::as_text(bytes.view());
  std::string problem = "neither a PPM (P6) nor a PNG picture";
  if (text.substr(0, 2) == "P6") {
    problem = parse_ppm(bytes.view(), out);
  } else if (text.substr(0, 8) == "\x89PNG\r\n\x1a\n") {
#ifdef ENGINE_HAS_PNG
    problem = parse_png(bytes.view(), out);
#else
    problem = "PNG is not supported: this program was built without libpng (libpng-dev)";
#endif
  }
  return problem.empty() ? "" : path + ": " + problem;
}

/// PNG if the name says so, else PPM. Returns an error in one line, or "".
inline std::string write_picture(const std::string& path, const picture& p) {
  if (path.size() >= 4 && path.substr(path.size() - 4) == ".png") {
#ifdef ENGINE_HAS_PNG
    return write_png(path, p);
#else
    return path + ": PNG is not supported: this program was built without libpng (libpng-dev)";
#endif
  }
  const std::string head =
      "P6\n" + std::to_string(p.width) + " " + std::to_string(p.height) + "\n255\n";
  const auto s = sk::io::write_file(
      path, head,
      {reinterpret_cast<const std::byte*>(p.rgb.data()), static_cast<index_t>(p.rgb.size())});
  return s ? "" : sk::io::describe(path, s);
}

/// The outline of a box, clipped to the picture.
inline void draw_box(picture& p, double left, double top, double right, double bottom,
                     std::array<std::uint8_t, 3> colour) {
  const auto clip = [](double v, index_t size) {
    return static_cast<index_t>(std::clamp(v, 0.0, static_cast<double>(size - 1)));
  };
  const index_t x0 = clip(left, p.width), x1 = clip(right, p.width);
  const index_t y0 = clip(top, p.height), y1 = clip(bottom, p.height);
  const index_t thick = 1 + std::max(p.width, p.height) / 256;
  for (index_t y = y0; y <= y1; ++y) {
    for (index_t x = x0; x <= x1; ++x) {
      const bool edge = x < x0 + thick || x > x1 - thick || y < y0 + thick || y > y1 - thick;
      if (edge) std::copy(colour.begin(), colour.end(), p.pixel(x, y));
    }
  }
}

}  // namespace engine
