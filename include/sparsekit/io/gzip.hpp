// Unpacks .gz files, if the program is built with zlib (the target sparsekit::io says so when CMake
// found it: SPARSEKIT_HAS_ZLIB=1). Without it, compressed files are refused by name.
#pragma once

#include <algorithm>

#include "file.hpp"

#if defined(SPARSEKIT_HAS_ZLIB) && SPARSEKIT_HAS_ZLIB
#include <zlib.h>
#endif

namespace sparsekit {
inline namespace v0 {
namespace io {

/// What differs by the build's zlib takes the difference as a template parameter.
struct with_zlib {};
struct without_zlib {};

SPARSEKIT_EXEC_BEGIN_IN_V0

inline bool is_gzip(byte_view bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

template <class Zlib>
struct gzip;

template <>
struct gzip<without_zlib> {
  static result<byte_buffer> unpack(byte_view, read_options) {
    return status{.code = errc::unsupported,
                  .object = "gzip",
                  .detail = "compressed files (this program is built without zlib)"};
  }
};

#if defined(SPARSEKIT_HAS_ZLIB) && SPARSEKIT_HAS_ZLIB
using zlib_tag = with_zlib;

template <>
struct gzip<with_zlib> {
  /// All members of the file, one after the other. Memory grows with what is really unpacked, never
  /// with what a header claims, and never beyond options.max_bytes.
  static result<byte_buffer> unpack(byte_view bytes, read_options options) {
    struct stream {
      z_stream z{};
      bool open = false;
      ~stream() {
        if (open) inflateEnd(&z);
      }
    } s;
    const status no_memory{.code = errc::out_of_memory, .object = "gzip"};
    if (inflateInit2(&s.z, 15 + 16) != Z_OK) return no_memory;  // 16: the gzip format only
    s.open = true;

    byte_buffer out;
    index_t filled = 0;
    index_t consumed = 0;
    constexpr index_t most_at_once = index_t{1} << 30;  // zlib counts in unsigned int
    bool inside = true;                                 // of a member
    if (status st = out.allocate(std::min(bytes.size() * 4 + 64, options.max_bytes)); !st)
      return st;
    while (inside || consumed < bytes.size()) {
      if (!inside) {
        if (!is_gzip({bytes.data() + consumed, bytes.size() - consumed})) {
          return status{.code = errc::bad_file,
                        .object = "gzip",
                        .detail = "bytes after the end of the compressed data",
                        .entry = consumed};
        }
        inflateReset(&s.z);
        inside = true;
      }
      if (filled == out.size()) {
        if (filled >= options.max_bytes) {
          return status{.code = errc::size_overflow,
                        .object = "gzip",
                        .detail = "unpacked size",
                        .got = filled + 1,
                        .allowed = options.max_bytes};
        }
        if (status st = out.resize(std::min(filled * 2, options.max_bytes)); !st) return st;
      }
      const index_t give = std::min(bytes.size() - consumed, most_at_once);
      const index_t room = std::min(out.size() - filled, most_at_once);
      // zlib reads this only; its type is const where ZLIB_CONST is defined.
      s.z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data() + consumed));
      s.z.avail_in = static_cast<uInt>(give);
      s.z.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
      s.z.avail_out = static_cast<uInt>(room);
      const int code = inflate(&s.z, Z_NO_FLUSH);
      const index_t taken = give - static_cast<index_t>(s.z.avail_in);
      const index_t written = room - static_cast<index_t>(s.z.avail_out);
      consumed += taken;
      filled += written;
      if (code == Z_STREAM_END) {
        inside = false;
      } else if (code == Z_MEM_ERROR) {
        return no_memory;
      } else if (code != Z_OK && code != Z_BUF_ERROR) {
        return status{.code = errc::bad_checksum,
                      .object = "gzip",
                      .detail = "damaged data",
                      .entry = consumed};
      } else if (taken == 0 && written == 0) {
        return status{.code = errc::truncated,
                      .object = "gzip",
                      .detail = "file",
                      .got = bytes.size(),
                      .allowed = bytes.size() + 1};
      }
    }
    out.shrink(filled);
    return out;
  }
};
#else
using zlib_tag = without_zlib;
#endif

/// A file's contents, unpacked if they are gzip's.
template <class Zlib = zlib_tag>
result<byte_buffer> read_unpacked(const std::string& path, read_options options = {}) {
  byte_buffer bytes;
  if (status s = read_file(path, options).get(bytes); !s) return s;
  if (!is_gzip(bytes.view())) return bytes;
  return gzip<Zlib>::unpack(bytes.view(), options);
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace io
}  // namespace v0
}  // namespace sparsekit
