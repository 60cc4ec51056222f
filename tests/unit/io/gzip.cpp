// Compressed files: several members, damage, bombs, and what happens without zlib.
#include "sparsekit/io/gzip.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <string>

#include "mutations.hpp"
#include "sparsekit/io/matrix_market.hpp"

namespace {

namespace sk = sparsekit;
using sk::errc;

sparsekit_test::guarded_bytes memory;

}  // namespace

TEST_CASE("gzip: without zlib a compressed file is refused by name") {
  const sk::status s = sk::io::gzip<sk::io::without_zlib>::unpack({}, {}).error();
  CHECK(s.code == errc::unsupported);
  CHECK(s.message().find("without zlib") != std::string::npos);
}

#if defined(SPARSEKIT_HAS_ZLIB) && SPARSEKIT_HAS_ZLIB
namespace {

std::string compress(const std::string& text) {
  z_stream z{};
  REQUIRE(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&z, text.size()) + 64, '\0');
  std::string copy = text;
  z.next_in = reinterpret_cast<Bytef*>(copy.data());
  z.avail_in = static_cast<uInt>(copy.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

sk::status unpack(const std::string& packed, std::string& text, sk::io::read_options options = {}) {
  sk::io::byte_buffer bytes;
  const sk::status s =
      sk::io::gzip<sk::io::with_zlib>::unpack(memory.hold(packed), options).get(bytes);
  text = std::string(sk::io::as_text(bytes.view()));
  return s;
}

}  // namespace

TEST_CASE("gzip: one member, several, none of any length") {
  std::string text;
  CHECK(unpack(compress("hello"), text));
  CHECK(text == "hello");
  CHECK(unpack(compress("hello ") + compress("") + compress("world"), text));
  CHECK(text == "hello world");
  CHECK(unpack(compress(""), text));
  CHECK(text.empty());
  const std::string large(1000000, 'x');
  CHECK(unpack(compress(large), text));
  CHECK(text == large);
}

TEST_CASE("gzip: a bomb stops at the limit") {
  std::string text;
  const std::string bomb = compress(std::string(10000000, '\0'));
  CHECK(bomb.size() < 20000);
  const sk::status s = unpack(bomb, text, {.max_bytes = 100000});
  CHECK(s.code == errc::size_overflow);
  CHECK(unpack(bomb, text, {.max_bytes = 10000000}));
  CHECK(text.size() == 10000000);
}

TEST_CASE("gzip: damage is noticed") {
  const std::string text = "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 2 3.25\n";
  const std::string packed = compress(text);
  std::string out;
  CHECK(unpack(packed + "x", out).code == errc::bad_file);
  CHECK(unpack(packed + std::string(10, '\0'), out).code == errc::bad_file);
  std::string wrong = packed;
  wrong[packed.size() - 6] = static_cast<char>(wrong[packed.size() - 6] ^ 1);  // the checksum
  CHECK(unpack(wrong, out).code == errc::bad_checksum);
  for (std::size_t i = 2; i < packed.size(); ++i) {
    CAPTURE(i);
    CHECK(unpack(packed.substr(0, i), out).code == errc::truncated);
  }
  int accepted = 0;
  const int count = sparsekit_test::for_each_mutation(packed, [&](sk::io::byte_view bytes) {
    sk::io::byte_buffer unpacked;
    if (!sk::io::gzip<sk::io::with_zlib>::unpack(bytes, {.max_bytes = 1 << 20}).get(unpacked))
      return;
    ++accepted;  // the header's time and system bytes mean nothing
    CHECK(sk::io::as_text(unpacked.view()) == text);
  });
  MESSAGE(count, " damaged files, ", accepted, " of them unpack to the same text");
  CHECK(count > 1000);
}

TEST_CASE("gzip: a compressed matrix is read like a plain one") {
  const std::string path = "gzip_test.tmp";
  const std::string text = "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 2 3.25\n";
  REQUIRE(sk::io::write_file(path, compress(text)));
  const auto a = sk::io::read_matrix_market(path).value();
  CHECK(a.nnz() == 1);
  CHECK(a.view().values[0] == 3.25);
  std::remove(path.c_str());
}
#endif
