// Reader for .safetensors, the format most pruned networks are published in (dense, full of zeros).
//
//   u64 N, little-endian | N bytes of JSON | data
//   {"name": {"dtype": "F16", "shape": [8, 32], "data_offsets": [begin, end]},
//    "__metadata__": {...}}
//
// Strict, because files come from strangers: the tensors must tile the data exactly, without
// overlap, hole or rest; sizes are checked against the file before anything is allocated.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json.hpp"
#include "tensor.hpp"

namespace sparsekit {
inline namespace v0 {
namespace io {

struct named_tensor {
  std::string name;
  tensor_view tensor;
};

/// What a file holds, in the order of its header.
struct safetensors {
  byte_buffer bytes;  ///< the file, if read_safetensors read it
  std::vector<named_tensor> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;
};

SPARSEKIT_EXEC_BEGIN_IN_V0

inline bool parse_dtype(std::string_view name, dtype& out) {
  constexpr std::pair<std::string_view, dtype> known[] = {
      {"BOOL", dtype::boolean}, {"U8", dtype::u8},   {"I8", dtype::i8},     {"U16", dtype::u16},
      {"I16", dtype::i16},      {"U32", dtype::u32}, {"I32", dtype::i32},   {"U64", dtype::u64},
      {"I64", dtype::i64},      {"F16", dtype::f16}, {"BF16", dtype::bf16}, {"F32", dtype::f32},
      {"F64", dtype::f64}};
  for (const auto& [text, type] : known) {
    if (text == name) {
      out = type;
      return true;
    }
  }
  return false;
}

/// Reads the header's grammar, in which every key may stand once, in any order.
class safetensors_header {
 public:
  explicit safetensors_header(std::string_view text) : json_(text) {}

  /// Appends to `out` what the header describes; the tensors' bytes lie in `data`.
  status parse(byte_view data, safetensors& out) {
    data_ = data;
    out_ = &out;
    bool seen_metadata = false;
    const status s = members([&](const std::string& name) {
      if (name != "__metadata__") return tensor(name);
      if (std::exchange(seen_metadata, true)) return malformed("__metadata__ twice");
      return members([&](const std::string& key) {
        std::string value;
        if (!json_.string(value)) return malformed("metadata is not a string");
        out_->metadata.emplace_back(key, std::move(value));
        return status{};
      });
    });
    if (!s) return s;
    if (!json_.at_end()) return malformed("text after the header's object");
    if (!unique_keys())
      return {.code = errc::bad_file,
              .object = "safetensors",
              .detail = "two tensors, or two metadata keys, of one name"};
    return tiles();
  }

 private:
  /// An object: calls value(key) before each value.
  template <class Value>
  status members(Value&& value) {
    if (!json_.take('{')) return malformed("object expected");
    if (json_.take('}')) return {};
    do {
      std::string key;
      if (!json_.string(key)) return malformed("key expected");
      if (!json_.take(':')) return malformed("colon expected");
      if (status s = value(key); !s) return s;
    } while (json_.take(','));
    return json_.take('}') ? status{} : malformed("comma or } expected");
  }

  status tensor(const std::string& name) {
    tensor_view t;
    std::vector<index_t> offsets;
    unsigned fields = 0;
    const status s = members([&](const std::string& key) {
      const unsigned bit = key == "dtype"          ? 1u
                           : key == "shape"        ? 2u
                           : key == "data_offsets" ? 4u
                                                   : 0u;
      if (bit == 0) return malformed("unknown key");
      if ((fields & bit) != 0) return malformed("key twice");
      fields |= bit;
      if (bit == 2) return integers(t.shape, 64);
      if (bit == 4) return integers(offsets, 2);
      std::string type;
      if (!json_.string(type)) return malformed("dtype is not a string");
      return parse_dtype(type, t.type) ? status{} : bad_tensor("unknown dtype");
    });
    if (!s) return s;
    if (fields != 7u) return malformed("dtype, shape or data_offsets missing");
    if (offsets.size() != 2) return malformed("data_offsets are not two numbers");
    const auto [begin, end] = std::pair(offsets[0], offsets[1]);
    if (begin > end) return bad_tensor("data_offsets are reversed", begin, end);
    if (end > data_.size()) return bad_tensor("data ends outside the file", end, data_.size());
    index_t size = 0;
    if (!checked_bytes(t.shape, t.type, size)) return bad_tensor("shape is too large");
    if (size != end - begin)
      return bad_tensor("data_offsets contradict the shape", end - begin, size);
    t.bytes = slice(data_, begin, size);
    out_->tensors.push_back({name, std::move(t)});
    return {};
  }

  status integers(std::vector<index_t>& out, std::size_t most) {
    if (!json_.take('[')) return malformed("list expected");
    if (json_.take(']')) return {};
    do {
      index_t value = 0;
      if (!json_.integer(value)) return malformed("not an integer from 0 to 2^63 - 1");
      if (out.size() == most) return malformed("list too long");
      out.push_back(value);
    } while (json_.take(','));
    return json_.take(']') ? status{} : malformed("comma or ] expected");
  }

  bool unique_keys() const {
    std::vector<std::string_view> names, keys;
    for (const named_tensor& t : out_->tensors) names.push_back(t.name);
    for (const auto& [key, value] : out_->metadata) keys.push_back(key);
    std::sort(names.begin(), names.end());
    std::sort(keys.begin(), keys.end());
    return std::adjacent_find(names.begin(), names.end()) == names.end() &&
           std::adjacent_find(keys.begin(), keys.end()) == keys.end();
  }

  /// The tensors' bytes, sorted, must follow each other from the data's first byte to its last.
  status tiles() const {
    struct piece {
      index_t begin;
      index_t end;
      std::int64_t number;
    };
    std::vector<piece> pieces;
    for (const named_tensor& t : out_->tensors) {
      const index_t begin = t.tensor.bytes.data() - data_.data();
      pieces.push_back(
          {begin, begin + t.tensor.bytes.size(), static_cast<std::int64_t>(pieces.size())});
    }
    std::sort(pieces.begin(), pieces.end(), [](const piece& a, const piece& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    index_t at = 0;
    for (const piece& p : pieces) {
      if (p.begin != at) {
        return {.code = errc::bad_member,
                .object = "safetensors",
                .detail = p.begin < at ? "data overlaps another tensor's" : "hole before the data",
                .entry = p.number,
                .got = p.begin,
                .allowed = at};
      }
      at = p.end;
    }
    if (at == data_.size()) return {};
    return {.code = errc::bad_file,
            .object = "safetensors",
            .detail = "bytes after the last tensor",
            .got = data_.size(),
            .allowed = at};
  }

  status malformed(const char* why) const {
    return {.code = errc::bad_file,
            .object = "safetensors",
            .detail = why,
            .entry = 8 + json_.position()};
  }
  status bad_tensor(const char* why, index_t got = 0, index_t allowed = 0) const {
    return {.code = errc::bad_member,
            .object = "safetensors",
            .detail = why,
            .entry = static_cast<std::int64_t>(out_->tensors.size()),
            .got = got,
            .allowed = allowed};
  }

  json_scanner json_;
  byte_view data_;
  safetensors* out_ = nullptr;
};

/// The tensors of a file in memory (read, or mapped), into which they point: it must outlive them.
/// Time and memory grow with the header: the values are not looked at.
inline result<safetensors> parse_safetensors(byte_view bytes) {
  const index_t size = bytes.size();
  if (size < 8) {
    return status{.code = errc::truncated,
                  .object = "safetensors",
                  .detail = "file",
                  .got = size,
                  .allowed = 8};
  }
  const std::uint64_t claimed = load_little_endian<std::uint64_t>(bytes.data());
  if (claimed > static_cast<std::uint64_t>(size - 8)) {
    return status{.code = errc::truncated,
                  .object = "safetensors",
                  .detail = "header",
                  .got = size - 8,
                  .allowed = claimed};
  }
  const index_t header_size = static_cast<index_t>(claimed);
  const byte_view header = slice(bytes, 8, header_size);
  const byte_view data = slice(bytes, 8 + header_size, size - 8 - header_size);
  if (header_size == 0 || header[0] != std::byte{'{'}) {
    return status{.code = errc::bad_magic,
                  .object = "safetensors",
                  .detail = "the header does not start with {"};
  }
  safetensors out;
  if (status s = safetensors_header(as_text(header)).parse(data, out); !s) return s;
  return out;
}

inline result<safetensors> read_safetensors(const std::string& path, read_options options = {}) {
  byte_buffer bytes;
  if (status s = read_file(path, options).get(bytes); !s) return s;
  safetensors out;
  if (status s = parse_safetensors(bytes.view()).get(out); !s) return s;
  out.bytes = std::move(bytes);  // the memory stays where it is
  return out;
}

/// The tensor of that name, or null.
inline const tensor_view* find(const safetensors& file, std::string_view name) {
  for (const named_tensor& t : file.tensors) {
    if (t.name == name) return &t.tensor;
  }
  return nullptr;
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace io
}  // namespace v0
}  // namespace sparsekit
