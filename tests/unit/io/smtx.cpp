// .smtx files: what is read, and that every malformed file gives its named error.
#include "sparsekit/io/smtx.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "mutations.hpp"

namespace {

namespace sk = sparsekit;
using sk::errc;

sparsekit_test::guarded_bytes memory;
template <class Index = std::int32_t, class Offset = std::int32_t>
sk::status parse(const std::string& text, sk::csr_matrix<float, Index, Offset>& out) {
  return sk::io::parse_smtx<float, Index, Offset>(sk::io::as_text(memory.hold(text)), 2.f).get(out);
}

}  // namespace

TEST_CASE("smtx: commas or blanks, both kinds of line ends, missing last end, no entries") {
  for (const char* text :
       {"2, 3, 3\n0 2 3\n0 2 1\n", "2 3 3\n0 2 3\n0 2 1", "2,3,3\r\n0\t2 3\r\n0 2 1\r\n\r\n"}) {
    CAPTURE(text);
    sk::csr_matrix<float> a;
    const sk::status s = parse(text, a);
    REQUIRE_MESSAGE(s, s.message());
    CHECK(a.rows() == 2);
    CHECK(a.cols() == 3);
    REQUIRE(a.nnz() == 3);
    CHECK(a.view().columns[1] == 2);
    CHECK(a.view().values[2] == 2.f);
  }
  sk::csr_matrix<float> a;
  CHECK(parse("2, 3, 0\n0 0 0\n\n", a));
  CHECK(parse("2, 3, 0\n0 0 0", a));
  CHECK(parse("0, 0, 0\n0\n", a));
}

TEST_CASE("smtx: malformed files give their named error") {
  struct item {
    const char* text;
    errc code;
    const char* message;
  };
  const item items[] = {
      {"", errc::truncated, "empty"},
      {"\n", errc::bad_line, "line 1: not three"},
      {"2, 3\n0 0 0\n\n", errc::bad_line, "not three"},
      {"2, 3, 0, 1\n0 0 0\n\n", errc::bad_line, "not three"},
      {"2, -3, 0\n0 0 0\n\n", errc::bad_line, "not three"},
      {"2, 3.0, 0\n0 0 0\n\n", errc::bad_line, "not three"},
      {"\xef\xbb\xbf"
       "2, 3, 0\n0 0 0\n\n",
       errc::bad_line, "not three"},
      {"1000000000000, 3, 0\n0 0 0\n\n", errc::truncated, "room"},
      {"9223372036854775807, 3, 0\n0 0 0\n\n", errc::truncated, "room"},
      {"2, 3, 1000000000000\n0 0 0\n\n", errc::truncated, "room"},
      {"0, 0, 0", errc::truncated, "room"},
      {"2, 3, 1\n0 1\n0 0 0\n", errc::truncated, "row offsets (2, allowed 3)"},
      {"2, 3, 1\n0 1 1 1\n0\n", errc::bad_line, "line 2: more numbers"},
      {"2, 3, 1\n0 x 1\n0 0 0\n", errc::bad_line, "line 2: not an integer"},
      {"2, 3, 1\n0 1,1\n0 0 0\n", errc::bad_line, "line 2: not an integer"},
      {"2, 3, 1\n0 1 99999999999\n0\n", errc::bad_line, "line 2: not an integer of the index type"},
      {"2, 3, 1\n0 1 1", errc::bad_line, "line 2: no columns"},
      {"2, 3, 2\n0 1 2\n0\n\n\n", errc::truncated, "columns (1, allowed 2)"},
      {"2, 3, 1\n0 1 1\n0 1\n", errc::bad_line, "line 3: more numbers"},
      {"2, 3, 1\n0 1 1\n0\n1\n", errc::bad_line, "line 4: text after"},
      {"2, 3, 1\n1 1 1\n0\n", errc::bad_first_offset, "starts with 1"},
      {"2, 3, 1\n0 2 1\n0\n", errc::offsets_decrease, "decreases"},
      {"2, 3, 1\n0 0 2\n0\n", errc::bad_last_offset, "ends with 2"},
      {"2, 3, 1\n0 0 0\n0\n", errc::bad_last_offset, "ends with 0"},
      {"2, 3, 1\n0 1 1\n3\n", errc::column_out_of_range, "column index 3"},
      {"2, 3, 1\n0 1 1\n-1\n", errc::column_out_of_range, "column index -1"},
      {"2, 3, 2\n0 2 2\n1 0\n", errc::not_sorted, "follows"},
      {"2, 3, 2\n0 2 2\n1 1\n", errc::duplicate_entry, "twice"},
  };
  for (const item& i : items) {
    CAPTURE(i.text);
    sk::csr_matrix<float> a;
    const sk::status s = parse(i.text, a);
    CHECK_MESSAGE(s.code == i.code, s.message());
    CHECK_MESSAGE(s.message().find(i.message) != std::string::npos, s.message());
    CHECK(s.message().find('\n') == std::string::npos);
  }
}

TEST_CASE("smtx: index types that are too small are an error") {
  sk::csr_matrix<float, std::uint16_t, std::int32_t> a;
  CHECK(parse("1, 65537, 1\n0 1\n65535\n", a));
  CHECK(parse("1, 65537, 1\n0 1\n65536\n", a).code == errc::bad_line);
  CHECK(parse("1, 65537, 1\n0 1\n-1\n", a).code == errc::bad_line);
}

TEST_CASE("smtx: no damage to a file makes the reader read outside it") {
  int good = 0;
  const std::string text = "4, 5, 6\n0 2 2 5 6\n0 3 1 2 4 0\n";
  const int count = sparsekit_test::for_each_mutation(text, [&](sk::io::byte_view bytes) {
    sk::csr_matrix<float> a;
    if (!sk::io::parse_smtx(sk::io::as_text(bytes)).get(a)) return;
    ++good;
    REQUIRE(sk::validate(a.view()));
  });
  MESSAGE(count, " damaged files, ", good, " of them still valid");
  CHECK(count > 600);
  CHECK(good < count / 2);
}
