// Reader and writer for numpy's .npy: one array. Versions 1 to 3; little-endian numbers in C or
// Fortran order. Big-endian, object (pickle), string and structured arrays are refused by name.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "tensor.hpp"

namespace sparsekit {
inline namespace v0 {
namespace io {

/// An array and the bytes of the file it points into.
struct npy_array {
  byte_buffer bytes;
  tensor_view tensor;
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// The header is a Python dictionary; this reads exactly what numpy writes, keys in any order.
class npy_header_parser {
 public:
  explicit npy_header_parser(std::string_view text) : text_(text) {}

  status parse(tensor_view& out) {
    unsigned fields = 0;
    if (!take('{')) return fail("header does not start with {");
    while (!take('}')) {
      std::string_view key;
      if (!quoted(key) || !take(':')) return fail("malformed header");
      const unsigned bit = key == "descr"           ? 1u
                           : key == "fortran_order" ? 2u
                           : key == "shape"         ? 4u
                                                    : 0u;
      if (bit == 0 || (fields & bit) != 0) return fail("unknown or repeated key");
      fields |= bit;
      const status s = bit == 1 ? descr(out) : bit == 2 ? order(out) : shape(out);
      if (!s) return s;
      if (!take(',') && peek() != '}') return fail("malformed header");
    }
    if (fields != 7u) return fail("descr, fortran_order or shape missing");
    skip_space();
    if (at_ != text_.size()) return fail("text after the header's end");
    return {};
  }

 private:
  status descr(tensor_view& out) {
    if (peek() == '[') return refuse("structured arrays");
    std::string_view name;
    if (!quoted(name) || name.empty()) return fail("malformed descr");
    if (name[0] == '>') return refuse("big-endian arrays");
    if (name.size() > 1 && name[1] == 'O') return refuse("object arrays (pickle)");
    constexpr std::pair<std::string_view, dtype> known[] = {
        {"|b1", dtype::boolean}, {"|u1", dtype::u8},  {"|i1", dtype::i8},  {"<u2", dtype::u16},
        {"<i2", dtype::i16},     {"<u4", dtype::u32}, {"<i4", dtype::i32}, {"<u8", dtype::u64},
        {"<i8", dtype::i64},     {"<f2", dtype::f16}, {"<f4", dtype::f32}, {"<f8", dtype::f64}};
    for (const auto& [text, type] : known) {
      if (text == name) {
        out.type = type;
        return {};
      }
    }
    return refuse("this element type");
  }
  status order(tensor_view& out) {
    skip_space();
    const std::string_view rest = text_.substr(at_);
    if (rest.substr(0, 4) == "True") {
      out.fortran_order = true;
      at_ += 4;
      return {};
    }
    if (rest.substr(0, 5) != "False") return fail("fortran_order is neither True nor False");
    out.fortran_order = false;
    at_ += 5;
    return {};
  }
  status shape(tensor_view& out) {
    if (!take('(')) return fail("shape is not a tuple");
    bool comma = true;
    while (!take(')')) {
      index_t value = 0;
      if (!comma || out.shape.size() == 64 || !number(value)) return fail("malformed shape");
      out.shape.push_back(value);
      comma = take(',');
    }
    // (5) is a number in Python, (5,) a tuple.
    if (out.shape.size() == 1 && !comma) return fail("malformed shape");
    return {};
  }
  bool number(index_t& value) {
    skip_space();
    const std::size_t begin = at_;
    value = 0;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      if (!checked_multiply(value, 10, value) || !checked_add(value, text_[at_] - '0', value)) {
        return false;
      }
      ++at_;
    }
    return at_ != begin;
  }
  bool quoted(std::string_view& out) {
    skip_space();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) return false;
    const std::size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) return false;
    out = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  status fail(const char* why) const {
    return {.code = errc::bad_file,
            .object = "npy",
            .detail = why,
            .entry = static_cast<std::int64_t>(at_) + 10};
  }
  static status refuse(const char* what) {
    return {.code = errc::unsupported, .object = "npy", .detail = what};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// The array in `bytes`, which it points into.
inline result<tensor_view> parse_npy(byte_view bytes) {
  const auto truncated = [](const char* what, index_t got, index_t allowed) {
    return status{
        .code = errc::truncated, .object = "npy", .detail = what, .got = got, .allowed = allowed};
  };
  if (bytes.size() < 10) return truncated("file", bytes.size(), 10);
  if (as_text(slice(bytes, 0, 6)) != "\x93NUMPY") {
    return status{.code = errc::bad_magic, .object = "npy", .detail = "not a .npy file"};
  }
  const int version = std::to_integer<int>(bytes[6]);
  if (version < 1 || version > 3 || bytes[7] != std::byte{0}) {
    return status{.code = errc::bad_version,
                  .object = "npy",
                  .detail = "version",
                  .got = version,
                  .allowed = 3};
  }
  const index_t start = version == 1 ? 10 : 12;
  if (bytes.size() < start) return truncated("file", bytes.size(), start);
  const index_t length = version == 1
                             ? index_t{load_little_endian<std::uint16_t>(bytes.data() + 8)}
                             : index_t{load_little_endian<std::uint32_t>(bytes.data() + 8)};
  if (length > bytes.size() - start) return truncated("header", bytes.size() - start, length);

  tensor_view out;
  const std::string_view header = as_text(slice(bytes, start, length));
  if (status s = npy_header_parser(header).parse(out); !s) return s;
  index_t size = 0;
  if (!checked_bytes(out.shape, out.type, size)) {
    return status{.code = errc::size_overflow,
                  .object = "npy",
                  .detail = "shape",
                  .got = out.shape.back(),
                  .allowed = std::numeric_limits<index_t>::max()};
  }
  const index_t rest = bytes.size() - start - length;
  if (rest < size) return truncated("data", rest, size);
  if (rest > size) {
    return status{.code = errc::bad_file,
                  .object = "npy",
                  .detail = "bytes after the array's end",
                  .entry = start + length + size};
  }
  out.bytes = slice(bytes, start + length, size);
  return out;
}

inline result<npy_array> read_npy(const std::string& path, read_options options = {}) {
  npy_array out;
  if (status s = read_file(path, options).get(out.bytes); !s) return s;
  if (status s = parse_npy(out.bytes.view()).get(out.tensor); !s) return s;
  return out;
}

/// Writes floats in C order; `values` has as many as the shape says.
inline status write_npy(const std::string& path, const std::vector<index_t>& shape,
                        array_view<const float> values) {
  static_assert(std::endian::native == std::endian::little);
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (index_t d : shape) header += std::to_string(d) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1) header.resize(header.size() - 2);
  header += "), }";
  // The data starts at a multiple of 64: 10 bytes before the header, a line feed at its end.
  header.append(static_cast<std::size_t>(round_up(static_cast<index_t>(header.size()) + 11, 64)) -
                    header.size() - 11,
                ' ');
  header += '\n';
  std::string head = "\x93NUMPY";
  head += '\x01';
  head += '\0';
  head += static_cast<char>(header.size() & 0xff);
  head += static_cast<char>(header.size() >> 8);
  head += header;
  return write_file(
      path, head,
      {reinterpret_cast<const std::byte*>(values.data()), values.size() * index_t{sizeof(float)}});
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace io
}  // namespace v0
}  // namespace sparsekit
