// Matrix Market files: what is read, and that every malformed file gives its named error.
#include "sparsekit/io/matrix_market.hpp"

#include <doctest/doctest.h>

#include <clocale>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "mutations.hpp"

namespace {

namespace sk = sparsekit;
using sk::errc;
using sk::index_t;

sparsekit_test::guarded_bytes memory;
template <class T = double, class Index = std::int32_t, class Offset = std::int32_t>
sk::status parse(const std::string& text, sk::csr_matrix<T, Index, Offset>& out) {
  return sk::io::parse_matrix_market<T, Index, Offset>(sk::io::as_text(memory.hold(text))).get(out);
}

/// The matrix row after row, absent entries as 0; as text, so that a failure shows it whole.
std::string dense(const sk::csr_matrix<double>& a) {
  std::vector<double> all(static_cast<std::size_t>(a.rows() * a.cols()));
  const auto v = a.view();
  for (index_t r = 0; r < a.rows(); ++r) {
    for (index_t p = v.row_ptr[r]; p < v.row_ptr[r + 1]; ++p) {
      all[static_cast<std::size_t>(r * a.cols() + v.columns[p])] += v.values[p];
    }
  }
  std::string out;
  for (double x : all) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", x);
    if (!out.empty()) out += ' ';
    out += text;
  }
  return out;
}
std::string read(const std::string& text) {
  sk::csr_matrix<double> a;
  const sk::status s = parse(text, a);
  REQUIRE_MESSAGE(s, s.message());
  REQUIRE(sk::validate(a.view()));
  return dense(a);
}

const std::string general = "%%MatrixMarket matrix coordinate real general\n";
const std::string symmetric = "%%MatrixMarket matrix coordinate real symmetric\n";
const std::string skew = "%%MatrixMarket matrix coordinate real skew-symmetric\n";
const std::string integer = "%%MatrixMarket matrix coordinate integer general\n";
const std::string pattern = "%%MatrixMarket matrix coordinate pattern general\n";
const std::string array = "%%MatrixMarket matrix array real general\n";

}  // namespace

TEST_CASE("matrix market: formats, fields, symmetries") {
  CHECK(read(general + "2 3 2\n2 1 1.5\n1 3 -2\n") == "0 0 -2 1.5 0 0");
  CHECK(read(symmetric + "2 2 2\n1 1 1\n2 1 3\n") == "1 3 3 0");
  CHECK(read(skew + "2 2 1\n2 1 3\n") == "0 -3 3 0");
  CHECK(read(integer + "1 2 1\n1 2 -7\n") == "0 -7");
  CHECK(read(pattern + "2 2 2\n1 2\n2 1\n") == "0 1 1 0");
  CHECK(read("%%MatrixMarket matrix coordinate pattern symmetric\n2 2 2\n1 1\n2 1\n") == "1 1 1 0");
  CHECK(read(array + "2 2\n1\n2\n3\n4\n") == "1 3 2 4");
  CHECK(read("%%MatrixMarket matrix array integer symmetric\n2 2\n1\n2\n3\n") == "1 2 2 3");
  CHECK(read("%%MatrixMarket matrix array real skew-symmetric\n3 3\n1\n2\n3\n") ==
        "0 -1 -2 1 0 -3 2 3 0");
  CHECK(read("%%MatrixMarket MATRIX Coordinate Real GENERAL\r\n%c\r\n\r\n1 1 1\r\n\r\n 1\t1  2 "
             "\r\n") == "2");
  CHECK(read(general + "1 1 1\n1 1 2") == "2");
  CHECK(read(general + "0 0 0\n").empty());
  CHECK(read(general + "0 5 0\n").empty());
  CHECK(read(array + "0 7\n").empty());
  CHECK(read(general + "%" + std::string(1 << 20, 'x') + "\n1 1 1\n1 1" +
             std::string(1 << 20, ' ') + "2\n") == "2");
}

TEST_CASE("matrix market: duplicates add up, explicit zeros stay, a dense zero is no entry") {
  sk::csr_matrix<double> a;
  REQUIRE(parse(general + "2 2 4\n1 1 1\n1 1 2\n2 2 0\n2 1 -0.0\n", a));
  CHECK(a.nnz() == 3);
  CHECK(dense(a) == "3 0 0 0");
  REQUIRE(parse(array + "2 1\n0\n5\n", a));
  CHECK(a.nnz() == 1);
}

TEST_CASE("matrix market: numbers as people write them, in any locale") {
  const bool comma = std::setlocale(LC_NUMERIC, "de_DE.UTF-8") != nullptr;
  MESSAGE(std::string(comma ? "comma locale set" : "no comma locale is installed here"));
  struct item {
    const char* text;
    double value;
  };
  const item items[] = {{".45", .45},       {"+1.5", 1.5},     {"5.", 5},           {"-.5e1", -5},
                        {"1.5D+00", 1.5},   {"1d2", 100},      {"1E-3", 1e-3},      {"0x", NAN},
                        {"1e-310", 1e-310}, {"inf", INFINITY}, {"-Inf", -INFINITY}, {"-0", -0.0}};
  for (const item& i : items) {
    CAPTURE(i.text);
    sk::csr_matrix<double> a;
    const sk::status s = parse(general + "1 1 1\n1 1 " + i.text + "\n", a);
    if (std::isnan(i.value)) {
      CHECK(s.code == errc::bad_line);
      continue;
    }
    REQUIRE_MESSAGE(s, s.message());
    CHECK(a.view().values[0] == i.value);
    CHECK(std::signbit(a.view().values[0]) == std::signbit(i.value));
  }
  sk::csr_matrix<double> a;
  REQUIRE(parse(general + "1 1 1\n1 1 nan\n", a));
  CHECK(std::isnan(a.view().values[0]));
  for (const char* text : {"1,5", "0x10", "1e999", "-1e999", "1e-999", "12abc", "--1", "+-1", "++1",
                           "1e", "1.2.3", "nan(1)", "e5", ".", "+", "infinit", "1 2"}) {
    CAPTURE(text);
    const sk::status s = parse(general + "1 1 1\n1 1 " + text + "\n", a);
    CHECK(s.code == errc::bad_line);
    CHECK(s.entry == 3);
  }
  std::setlocale(LC_NUMERIC, "C");
}

TEST_CASE("matrix market: value types hold what they are given, or say so") {
  sk::csr_matrix<std::int8_t> small;
  CHECK(parse(integer + "1 1 1\n1 1 -128\n", small));
  CHECK(parse(integer + "1 1 1\n1 1 128\n", small).code == errc::bad_line);
  CHECK(parse(general + "1 1 1\n1 1 1.5\n", small).code == errc::bad_line);
  CHECK(parse("%%MatrixMarket matrix coordinate integer skew-symmetric\n2 2 1\n2 1 -128\n", small)
            .code == errc::bad_line);
  sk::csr_matrix<float> single;
  CHECK(parse(general + "1 1 1\n1 1 3e38\n", single));
  CHECK(parse(general + "1 1 1\n1 1 4e38\n", single).code == errc::bad_line);
  sk::csr_matrix<double> d;
  REQUIRE(parse(integer + "1 1 1\n1 1 18446744073709551615\n", d));
  CHECK(d.view().values[0] == 0x1p64);
}

TEST_CASE("matrix market: index types that are too small are an error") {
  sk::csr_matrix<double, std::uint16_t, std::int32_t> a;
  CHECK(parse(general + "2 65536 1\n2 65536 1\n", a));
  CHECK(!parse(general + "2 65538 1\n2 65538 1\n", a));
}

TEST_CASE("matrix market: malformed files give their named error") {
  struct item {
    std::string text;
    errc code;
    const char* message;
  };
  const item items[] = {
      {"", errc::bad_magic, "no %%MatrixMarket"},
      {"\n", errc::bad_magic, "no %%MatrixMarket"},
      {"1 1 1\n1 1 1\n", errc::bad_magic, "no %%MatrixMarket"},
      {"\xef\xbb\xbf" + general + "1 1 0\n", errc::bad_magic, "no %%MatrixMarket"},
      {"%%MatrixMarkets matrix coordinate real general\n", errc::bad_magic, "no %%MatrixMarket"},
      {"%%MatrixMarket\n", errc::bad_line, "object"},
      {"%%MatrixMarket vector coordinate real general\n", errc::unsupported, "vectors"},
      {"%%MatrixMarket matrix\n", errc::bad_line, "coordinate nor array"},
      {"%%MatrixMarket matrix coordinate complex general\n1 1 1\n1 1 1 1\n", errc::unsupported,
       "complex"},
      {"%%MatrixMarket matrix coordinate real hermitian\n", errc::unsupported, "hermitian"},
      {"%%MatrixMarket matrix coordinate quaternion general\n", errc::bad_line, "field"},
      {"%%MatrixMarket matrix coordinate real\n", errc::bad_line, "symmetry"},
      {"%%MatrixMarket matrix coordinate real general x\n", errc::bad_line, "more words"},
      {"%%MatrixMarket matrix array pattern general\n", errc::bad_line, "array can't"},
      {"%%MatrixMarket matrix coordinate pattern skew-symmetric\n", errc::bad_line,
       "pattern can't"},
      {general, errc::truncated, "no size line"},
      {general + "% 1 1 1\n", errc::truncated, "no size line"},
      {general + "1 1\n", errc::bad_line, "too few"},
      {general + "1 1 1 1\n1 1 1\n", errc::bad_line, "too many"},
      {general + "1 1 x\n", errc::bad_line, "not a 64-bit integer"},
      {general + "1 1 1.0\n", errc::bad_line, "not a 64-bit integer"},
      {general + "99999999999999999999 1 1\n", errc::bad_line, "not a 64-bit integer"},
      {general + "1 -1 1\n", errc::bad_line, "negative"},
      {general + "1 1 -1\n", errc::bad_line, "negative"},
      {general + "1000000 1000000 1000000000000\n1 1 1\n", errc::truncated, "room"},
      {general + "9 9 9223372036854775807\n1 1 1\n", errc::truncated, "room"},
      {array + "1000000 1000000\n1\n", errc::truncated, "room"},
      {array + "1000000 9223372036854775807\n1\n", errc::bad_line, "more values"},
      {general + "2000000000 1 0\n", errc::size_overflow, "rows of so small a file"},
      {general + "1000000000000 1 0\n", errc::size_overflow, "rows of so small a file"},
      {symmetric + "2 3 0\n", errc::bad_line, "not square"},
      {general + "2 2 2\n1 1 1\n% comment\n2 2 2\n", errc::bad_line, "row is not an integer"},
      {general + "2 2 2\n1 1 1\n\n\n\n\n\n\n", errc::truncated, "entries (1, allowed 2)"},
      {general + "2 2 1\n1 1 1\n2 2 2\n", errc::bad_line, "more entries"},
      {general + "2 2 1\n0 1 1\n", errc::bad_line, "row is outside the matrix: 0, allowed 2"},
      {general + "2 2 1\n3 1 1\n", errc::bad_line, "row is outside"},
      {general + "2 2 1\n1 3 1\n", errc::bad_line, "column is outside"},
      {general + "2 2 1\n-1 1 1\n", errc::bad_line, "row is outside"},
      {general + "2 2 1\n1.0 1 1\n", errc::bad_line, "row is not"},
      {general + "2 2 1\n1 4294967297 1\n", errc::bad_line, "column is outside"},
      {general + "2 2 1\n1 1    \n\n\n", errc::bad_line, "too few"},
      {general + "2 2 1\n1 1 1 1\n", errc::bad_line, "too many"},
      {pattern + "2 2 1\n1 1 1\n", errc::bad_line, "too many"},
      {integer + "2 2 1\n1 1 1.0\n", errc::bad_line, "not an integer"},
      {integer + "2 2 1\n1 1 inf\n", errc::bad_line, "not an integer"},
      {symmetric + "2 2 1\n1 2 1\n", errc::bad_line, "above the diagonal"},
      {skew + "2 2 1\n1 1 1\n", errc::bad_line, "on the diagonal"},
      {array + "1 1\n1 2\n", errc::bad_line, "more than one value"},
      {array + "1 1\n1\n2\n", errc::bad_line, "more entries"},
      {general + "1 1 1\n1 1 1" + std::string(1, '\0') + "\n", errc::bad_line, "not a number"},
      {general + "1 1 1\n1 1 " + std::string(1 << 20, '1') + "\n", errc::bad_line, "range"},
  };
  for (const item& i : items) {
    CAPTURE(i.text.substr(0, 200));
    sk::csr_matrix<double> a;
    const sk::status s = parse(i.text, a);
    CHECK_MESSAGE(s.code == i.code, s.message());
    CHECK_MESSAGE(s.message().find(i.message) != std::string::npos, s.message());
    CHECK(s.message().find('\n') == std::string::npos);
  }
}

TEST_CASE("matrix market: no damage to a file makes the reader read outside it") {
  int good = 0, count = 0;
  for (const std::string& text :
       {general + "3 2 2\n1 1 1.5\n3 2 -2e1\n", symmetric + "3 3 2\n2 1 1\n3 3 2\n",
        array + "2 2\n1\n2.5\n0\n4\n"}) {
    count += sparsekit_test::for_each_mutation(text, [&](sk::io::byte_view bytes) {
      sk::csr_matrix<double> a;
      if (!sk::io::parse_matrix_market(sk::io::as_text(bytes)).get(a)) return;
      ++good;
      REQUIRE(sk::validate(a.view()));
    });
  }
  MESSAGE(count, " damaged files, ", good, " of them still valid");
  CHECK(count > 3000);
  CHECK(good < count / 2);
}
