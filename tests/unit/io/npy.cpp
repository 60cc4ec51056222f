// .npy files: what is read and written, and that every malformed header gives its named error.
#include "sparsekit/io/npy.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "mutations.hpp"

namespace {

namespace sk = sparsekit;
using sk::errc;
using sk::index_t;

std::string file(const std::string& header, const std::string& data, int version = 1) {
  std::string out = "\x93NUMPY";
  out += static_cast<char>(version);
  out += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
    out += static_cast<char>(header.size() >> (8 * i));
  return out + header + data;
}
std::string dictionary(const std::string& descr, const std::string& order,
                       const std::string& shape) {
  return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }   \n";
}

sparsekit_test::guarded_bytes memory;
sk::status parse(const std::string& text, sk::io::tensor_view& out) {
  return sk::io::parse_npy(memory.hold(text)).get(out);
}

}  // namespace

TEST_CASE("npy: shapes, orders, versions") {
  const std::string data(24, '\0');
  for (int version : {1, 2, 3}) {
    sk::io::tensor_view t;
    const sk::status s = parse(file(dictionary("'<f4'", "False", "(2, 3)"), data, version), t);
    REQUIRE_MESSAGE(s, s.message());
    CHECK(t.shape == std::vector<index_t>{2, 3});
    CHECK(t.type == sk::io::dtype::f32);
    CHECK(!t.fortran_order);
    CHECK(sk::io::element_count(t) == 6);
  }
  sk::io::tensor_view t;
  REQUIRE(parse(file("{\"shape\":(3,),'fortran_order':True,\"descr\":'<i8'}", data), t));
  CHECK(t.fortran_order);
  CHECK(t.shape == std::vector<index_t>{3});
  REQUIRE(parse(file(dictionary("'<f8'", "False", "()"), std::string(8, '\0')), t));
  CHECK(sk::io::element_count(t) == 1);
  REQUIRE(parse(file(dictionary("'|u1'", "False", "(0, 5)"), ""), t));
  CHECK(sk::io::element_count(t) == 0);
}

TEST_CASE("npy: malformed files give their named error") {
  struct item {
    std::string text;
    errc code;
    const char* message;
  };
  const std::string d4(4, '\0');
  const item items[] = {
      {"", errc::truncated, "file"},
      {"\x93NUMPX\x01\0\0\0\0\0", errc::truncated, ""},
      {std::string("\x93NUMPX\x01\0\0\0\0\0", 12), errc::bad_magic, "not a .npy"},
      {file("", "", 4), errc::bad_version, "version"},
      {std::string("\x93NUMPY\x02\0\xff\xff\xff", 11), errc::truncated, "file"},
      {std::string("\x93NUMPY\x02\0\xff\xff\xff\xff", 12), errc::truncated, "header"},
      {file("", ""), errc::bad_file, "does not start"},
      {file("{}", ""), errc::bad_file, "missing"},
      {file(dictionary("'>f4'", "False", "(1,)"), d4), errc::unsupported, "big-endian"},
      {file(dictionary("'|O'", "False", "(1,)"), d4), errc::unsupported, "pickle"},
      {file(dictionary("[('a', '<f4')]", "False", "(1,)"), d4), errc::unsupported, "structured"},
      {file(dictionary("'<c8'", "False", "(1,)"), d4), errc::unsupported, "element type"},
      {file(dictionary("'|S4'", "False", "(1,)"), d4), errc::unsupported, "element type"},
      {file(dictionary("''", "False", "(1,)"), d4), errc::bad_file, "descr"},
      {file(dictionary("'<f4'", "Maybe", "(1,)"), d4), errc::bad_file, "fortran_order"},
      {file(dictionary("'<f4'", "False", "(1)"), d4), errc::bad_file, "shape"},
      {file(dictionary("'<f4'", "False", "[1]"), d4), errc::bad_file, "shape"},
      {file(dictionary("'<f4'", "False", "(-1,)"), d4), errc::bad_file, "shape"},
      {file(dictionary("'<f4'", "False", "(1e2,)"), d4), errc::bad_file, "shape"},
      {file(dictionary("'<f4'", "False", "(1 1)"), d4), errc::bad_file, "shape"},
      {file(dictionary("'<f4'", "False", "(9223372036854775808,)"), d4), errc::bad_file, "shape"},
      {file(dictionary("'<f4'", "False", "(4294967296, 4294967296)"), d4), errc::size_overflow,
       "shape"},
      {file(dictionary("'<f4'", "False", "(1000000000000,)"), d4), errc::truncated, "data"},
      {file(dictionary("'<f4'", "False", "(2,)"), d4), errc::truncated, "data (4, allowed 8)"},
      {file(dictionary("'<f4'", "False", "(1,)"), d4 + "x"), errc::bad_file, "bytes after"},
      {file(dictionary("'<f4'", "False", "(1,)") + "x", d4), errc::bad_file, "text after"},
      {file("{'descr': '<f4', 'descr': '<f4'}", d4), errc::bad_file, "repeated"},
      {file("{'descr': '<f4', 'more': 1}", d4), errc::bad_file, "unknown"},
      {file("{'descr': '<f4' 'shape': (1,)}", d4), errc::bad_file, "malformed"},
  };
  for (const item& i : items) {
    CAPTURE(i.text);
    sk::io::tensor_view out;
    const sk::status s = parse(i.text, out);
    CHECK_MESSAGE(s.code == i.code, s.message());
    CHECK_MESSAGE(s.message().find(i.message) != std::string::npos, s.message());
    CHECK(s.message().find('\n') == std::string::npos);
  }
}

TEST_CASE("npy: what is written is read back, its data aligned") {
  const std::string path = "npy_test.tmp";
  for (const std::vector<index_t>& shape :
       {std::vector<index_t>{}, {4}, {2, 3}, {1, 2, 3, 4}, {0, 3}}) {
    index_t count = 1;
    for (index_t d : shape) count *= d;
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) - 0.5f;
    REQUIRE(sk::io::write_npy(path, shape, values));
    sk::io::npy_array back;
    const sk::status s = sk::io::read_npy(path).get(back);
    REQUIRE_MESSAGE(s, s.message());
    CHECK(back.tensor.shape == shape);
    CHECK((back.bytes.size() - back.tensor.bytes.size()) % 64 == 0);
    const auto read = sk::io::read_values<float>(back.tensor).value();
    REQUIRE(read.size() == count);
    for (index_t i = 0; i < count; ++i) CHECK(read[i] == values[static_cast<std::size_t>(i)]);
  }
  std::remove(path.c_str());
}

TEST_CASE("npy: no damage to a file makes the reader read outside it") {
  int good = 0, count = 0;
  for (int version : {1, 2}) {
    const std::string text =
        file(dictionary("'<f2'", "False", "(2, 3)"), std::string(12, '\x3c'), version);
    count += sparsekit_test::for_each_mutation(text, [&](sk::io::byte_view bytes) {
      sk::io::tensor_view out;
      if (!sk::io::parse_npy(bytes).get(out)) return;
      ++good;
      sk::buffer<double> values;
      REQUIRE(sk::io::read_values<double>(out).get(values));
    });
  }
  MESSAGE(count, " damaged files, ", good, " of them still valid");
  CHECK(count > 3000);
  CHECK(good < count / 2);
}
