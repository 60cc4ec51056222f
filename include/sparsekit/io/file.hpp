// Whole files into memory and back, without exceptions and without half-written files.
//
// sparsekit::io is an optional component: unlike the rest of the library it uses std::string and
// std::vector for names and shapes (whose sizes are bounded by the file), so those may throw
// std::bad_alloc; everything large is allocated without throwing.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

#include "../core/storage.hpp"
#include "../status.hpp"

namespace sparsekit {
inline namespace v0 {
namespace io {

/// Bytes of a file, whole.
using byte_buffer = buffer<std::byte>;
using byte_view = array_view<const std::byte>;

struct read_options {
  /// Files, and what a compressed file unpacks to, beyond this many bytes are refused.
  index_t max_bytes = index_t{1} << 32;
};

SPARSEKIT_EXEC_BEGIN_IN_V0

/// An error in one line, with the file it is about: "model.npy: npy: shape ...".
inline std::string describe(const std::string& path, const status& s) {
  return path + ": " + s.message();
}

/// The bytes as text.
inline std::string_view as_text(byte_view bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(bytes.size())};
}

inline byte_view slice(byte_view bytes, index_t begin, index_t size) {
  return {bytes.data() + begin, size};
}

/// Unsigned little-endian number of sizeof(T) bytes.
template <class T>
T load_little_endian(const std::byte* p) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value |= std::to_integer<std::uint64_t>(p[i]) << (8 * i);
  }
  return static_cast<T>(value);
}

/// The whole file. Errors: file_unreadable, size_overflow (see read_options), out_of_memory.
inline result<byte_buffer> read_file(const std::string& path, read_options options = {}) {
  const auto unreadable = [](const char* why) {
    return status{.code = errc::file_unreadable, .object = "file", .detail = why};
  };
  struct closer {
    std::FILE* file;
    ~closer() {
      if (file != nullptr) std::fclose(file);
    }
  } const input{std::fopen(path.c_str(), "rb")};
  if (input.file == nullptr) {
    return unreadable(errno == ENOENT ? "no such file" : "can't be opened");
  }
  // The size says how much to allocate; pipes and devices have none and are refused here.
  if (std::fseek(input.file, 0, SEEK_END) != 0) return unreadable("can't be read (not a file)");
  const long size = std::ftell(input.file);
  if (size < 0 || size == std::numeric_limits<long>::max()) {
    return unreadable("can't be read (not a file)");
  }
  std::rewind(input.file);
  if (size > options.max_bytes) {
    return status{.code = errc::size_overflow,
                  .object = "file",
                  .detail = "size",
                  .got = size,
                  .allowed = options.max_bytes};
  }
  byte_buffer bytes;
  if (status s = bytes.allocate(size); !s) return s;
  if (size > 0 && std::fread(bytes.data(), 1, static_cast<std::size_t>(size), input.file) !=
                      static_cast<std::size_t>(size)) {
    return unreadable("can't be read");
  }
  return bytes;
}

/// Writes a file whole or not at all: under another name first, then renamed.
inline status write_file(const std::string& path, std::string_view head, byte_view body = {}) {
  const std::string temporary = path + ".part";
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  const status failed{
      .code = errc::file_unreadable, .object = "file", .detail = "can't be written"};
  if (file == nullptr) return failed;
  bool good = std::fwrite(head.data(), 1, head.size(), file) == head.size();
  if (good && !body.empty()) {
    const std::size_t size = static_cast<std::size_t>(body.size());
    good = std::fwrite(body.data(), 1, size, file) == size;
  }
  good = std::fclose(file) == 0 && good;
  if (good && std::rename(temporary.c_str(), path.c_str()) == 0) return {};
  std::remove(temporary.c_str());
  return failed;
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace io
}  // namespace v0
}  // namespace sparsekit
