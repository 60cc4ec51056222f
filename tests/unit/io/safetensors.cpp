// safetensors files: what is read, and that every malformed header gives its named error.
#include "sparsekit/io/safetensors.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "mutations.hpp"

namespace {

namespace sk = sparsekit;
using sk::errc;
using sk::index_t;

std::string file(const std::string& header, const std::string& data,
                 std::uint64_t length = UINT64_MAX) {
  if (length == UINT64_MAX) length = header.size();
  std::string out(8, '\0');
  for (int i = 0; i < 8; ++i)
    out[static_cast<std::size_t>(i)] = static_cast<char>(length >> (8 * i));
  return out + header + data;
}

sk::status parse(const std::string& text, sk::io::safetensors& out) {
  static sparsekit_test::guarded_bytes memory;
  return sk::io::parse_safetensors(memory.hold(text)).get(out);
}
sk::status parse(const std::string& text) {
  sk::io::safetensors out;
  return parse(text, out);
}

const std::string two_tensors = R"({"__metadata__":{"source":"caf\u00e9 \ud83d\ude00"},)"
                                R"("b":{"dtype":"F16","shape":[2,2],"data_offsets":[4,12]},)"
                                R"( "a" : {"shape":[],"dtype":"F32","data_offsets":[0,4]} }  )";
const std::string two_tensors_data("\0\0\xc0\x3f\0\x3c\0\xc0\xff\x7b\x01\0", 12);

}  // namespace

TEST_CASE("safetensors: tensors, metadata, values") {
  sk::io::safetensors f;
  const std::string text = file(two_tensors, two_tensors_data);
  const sk::status s = parse(text, f);
  REQUIRE_MESSAGE(s, s.message());
  REQUIRE(f.tensors.size() == 2);
  CHECK(f.tensors[0].name == "b");
  REQUIRE(f.metadata.size() == 1);
  CHECK(f.metadata[0].second == "caf\xc3\xa9 \xf0\x9f\x98\x80");
  const sk::io::tensor_view* b = sk::io::find(f, "b");
  REQUIRE(b != nullptr);
  CHECK(sk::io::find(f, "c") == nullptr);
  CHECK(b->shape == std::vector<index_t>{2, 2});
  const auto values = sk::io::read_values<float>(*b).value();
  REQUIRE(values.size() == 4);
  CHECK(values[0] == 1.f);
  CHECK(values[1] == -2.f);
  CHECK(values[2] == 65504.f);
  CHECK(values[3] == 0x1p-24f);
  const auto a = sk::io::read_values<double>(*sk::io::find(f, "a")).value();
  REQUIRE(a.size() == 1);
  CHECK(a[0] == 1.5);
  sk::buffer<int> integers;
  CHECK(sk::io::read_values<int>(*b).get(integers).code == errc::unsupported);
}

TEST_CASE("safetensors: every element type converts exactly") {
  struct item {
    const char* type;
    std::string bytes;
    double value;
  };
  const item items[] = {{"BOOL", {"\x01", 1}, 1},
                        {"U8", {"\xff", 1}, 255},
                        {"I8", {"\xff", 1}, -1},
                        {"U16", {"\xfe\xff", 2}, 65534},
                        {"I16", {"\xfe\xff", 2}, -2},
                        {"U32", {"\xff\xff\xff\xff", 4}, 4294967295.0},
                        {"I32", {"\0\0\0\x80", 4}, -2147483648.0},
                        {"U64", {"\0\0\0\0\0\0\0\x80", 8}, 0x1p63},
                        {"I64", {"\0\0\0\0\0\0\0\x80", 8}, -0x1p63},
                        {"F16", {"\0\x80", 2}, -0.0},
                        {"BF16", {"\x80\x3f", 2}, 1},
                        {"F32", {"\0\0\x20\x40", 4}, 2.5},
                        {"F64", {"\0\0\0\0\0\0\x04\x40", 8}, 2.5}};
  for (const item& i : items) {
    CAPTURE(i.type);
    sk::io::safetensors f;
    const std::string text =
        file(std::string(R"({"x":{"dtype":")") + i.type + R"(","shape":[1],"data_offsets":[0,)" +
                 std::to_string(i.bytes.size()) + "]}}",
             i.bytes);
    const sk::status s = parse(text, f);
    REQUIRE_MESSAGE(s, s.message());
    const auto values = sk::io::read_values<double>(f.tensors[0].tensor).value();
    CHECK(values[0] == i.value);
    CHECK(std::signbit(values[0]) == std::signbit(i.value));
    sk::buffer<std::int8_t> small;
    const bool is_float = i.type[0] == 'F' || i.type[1] == 'F';
    const bool fits = !is_float && i.value >= -128 && i.value <= 127;
    CHECK(static_cast<bool>(sk::io::read_values<std::int8_t>(f.tensors[0].tensor).get(small)) ==
          fits);
  }
}

TEST_CASE("safetensors: half precision converts exactly, all 65536") {
  for (std::uint32_t h = 0; h < 65536; ++h) {
    const float f = sk::io::float_from_half(static_cast<std::uint16_t>(h));
    const int exponent = static_cast<int>((h >> 10) & 31);
    const int mantissa = static_cast<int>(h & 1023);
    const double magnitude = exponent == 0    ? std::ldexp(mantissa, -24)
                             : exponent == 31 ? (mantissa == 0 ? INFINITY : NAN)
                                              : std::ldexp(1024 + mantissa, exponent - 25);
    if (std::isnan(magnitude)) {
      CHECK(std::isnan(f));
    } else {
      CHECK(static_cast<double>(std::abs(f)) == magnitude);
    }
    CHECK(std::signbit(f) == (h >= 0x8000));
  }
}

TEST_CASE("safetensors: malformed files give their named error") {
  struct item {
    std::string text;
    errc code;
    const char* message;  // a part of it
  };
  const auto tensor = [](const std::string& fields) { return "{\"x\":{" + fields + "}}"; };
  const std::string d4("\0\0\0\0", 4);
  const item items[] = {
      {"", errc::truncated, "file"},
      {"1234567", errc::truncated, "file"},
      {file("", "", UINT64_MAX - 1), errc::truncated, "header"},
      {file("{}", "", 3), errc::truncated, "header (2, allowed 3)"},
      {file("{}", "", 1000000000000), errc::truncated, "header"},
      {file("", ""), errc::bad_magic, "{"},
      {file(" {}", ""), errc::bad_magic, "{"},
      {file("\xef\xbb\xbf{}", ""), errc::bad_magic, "{"},
      {file("[]", ""), errc::bad_magic, "{"},
      {file("{", ""), errc::bad_file, "key expected"},
      {file("{}x", ""), errc::bad_file, "text after"},
      {file("{,}", ""), errc::bad_file, "key expected"},
      {file("{\"x\"}", ""), errc::bad_file, "colon expected"},
      {file("{\"x\":1}", ""), errc::bad_file, "object expected"},
      {file("{\"x\":null}", ""), errc::bad_file, "object expected"},
      {file("{\"x\":{}}", ""), errc::bad_file, "missing"},
      {file("{}", "1"), errc::bad_file, "bytes after the last tensor"},
      {file("{\"__metadata__\":{\"a\":1}}", ""), errc::bad_file, "not a string"},
      {file("{\"__metadata__\":{},\"__metadata__\":{}}", ""), errc::bad_file, "__metadata__ twice"},
      {file("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", ""), errc::bad_file, "of one name"},
      {file(tensor(R"("dtype":"F32","shape":[1])"), d4), errc::bad_file, "missing"},
      {file(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1)"), d4), errc::bad_file,
       "unknown key"},
      {file(tensor(R"("dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4])"), d4),
       errc::bad_file, "key twice"},
      {file(tensor(R"("dtype":4,"shape":[1],"data_offsets":[0,4])"), d4), errc::bad_file,
       "not a string"},
      {file(tensor(R"("dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4])"), d4), errc::bad_member,
       "unknown dtype"},
      {file(tensor(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), d4), errc::bad_file,
       "not an integer"},
      {file(tensor(R"("dtype":"F32","shape":[1e20],"data_offsets":[0,4])"), d4), errc::bad_file,
       "not an integer"},
      {file(tensor(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"), d4), errc::bad_file,
       "not an integer"},
      {file(tensor(R"("dtype":"F32","shape":[01],"data_offsets":[0,4])"), d4), errc::bad_file,
       "not an integer"},
      {file(tensor(R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4])"), d4),
       errc::bad_file, "not an integer"},
      {file(tensor(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4])"), d4),
       errc::bad_member, "too large"},
      {file(tensor(R"("dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4])"), d4),
       errc::bad_member, "too large"},
      {file(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), d4), errc::bad_member,
       "contradict"},
      {file(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), d4), errc::bad_member,
       "reversed"},
      {file(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"), d4), errc::bad_member,
       "outside the file"},
      {file(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0])"), d4), errc::bad_file, "two"},
      {file(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0,4,4])"), d4), errc::bad_file,
       "too long"},
      {file(tensor(R"("dtype":"U8","shape":[3],"data_offsets":[1,4])"), d4), errc::bad_member,
       "hole"},
      {file(R"({"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
            R"("y":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
            d4),
       errc::bad_member, "member 1: data overlaps"},
      {file(R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
            R"("x":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
            d4),
       errc::bad_file, "of one name"},
      {file("{\"\xff\":{}}", ""), errc::bad_file, "key expected"},
      {file("{\"\xc0\x80\":{}}", ""), errc::bad_file, "key expected"},
      {file("{\"\xed\xa0\x80\":{}}", ""), errc::bad_file, "key expected"},
      {file("{\"\\ud800\":{}}", ""), errc::bad_file, "key expected"},
      {file("{\"\\x\":{}}", ""), errc::bad_file, "key expected"},
      {file("{\"a\nb\":{}}", ""), errc::bad_file, "key expected"},
  };
  for (const item& i : items) {
    CAPTURE(i.text);
    const sk::status s = parse(i.text);
    CHECK_MESSAGE(s.code == i.code, s.message());
    CHECK_MESSAGE(s.message().find(i.message) != std::string::npos, s.message());
    CHECK(s.message().find('\n') == std::string::npos);
  }
}

TEST_CASE("safetensors: empty tensors and an empty file are fine") {
  CHECK(parse(file("{}", "")));
  CHECK(parse(file(R"({"x":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]}})", "")));
}

TEST_CASE("safetensors: no damage to a file makes the reader read outside it") {
  int good = 0;
  const std::string text = file(two_tensors, two_tensors_data);
  const int count = sparsekit_test::for_each_mutation(text, [&](sk::io::byte_view bytes) {
    sk::io::safetensors out;
    if (!sk::io::parse_safetensors(bytes).get(out)) return;
    ++good;
    for (const auto& t : out.tensors) {  // what is accepted must be readable
      sk::buffer<double> values;
      REQUIRE(sk::io::read_values<double>(t.tensor).get(values));
    }
  });
  MESSAGE(count, " damaged files, ", good, " of them still valid");
  CHECK(count > 4000);
  CHECK(good < count / 2);
}

TEST_CASE("files: what can't be read is an error that names it") {
  sk::io::safetensors out;
  const sk::status absent = sk::io::read_safetensors("/nonexistent/model.safetensors").get(out);
  CHECK(absent.code == errc::file_unreadable);
  CHECK(sk::io::describe("/nonexistent/model.safetensors", absent) ==
        "/nonexistent/model.safetensors: file: no such file");
  CHECK(sk::io::read_safetensors("/").get(out).code == errc::file_unreadable);
  CHECK(sk::io::write_file("/nonexistent/x", "text").code == errc::file_unreadable);
  const std::string path = "safetensors_test.tmp";
  REQUIRE(sk::io::write_file(path, file("{}", "")));
  CHECK(sk::io::read_safetensors(path).get(out));
  CHECK(sk::io::read_safetensors(path, {.max_bytes = 9}).get(out).code == errc::size_overflow);
  std::remove(path.c_str());
}
