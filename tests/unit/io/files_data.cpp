// The files of the data folder: the documented result or error for each, and sizes as its table has
// them.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "sparsekit/io/matrix_market.hpp"
#include "sparsekit/io/npy.hpp"
#include "sparsekit/io/safetensors.hpp"
#include "sparsekit/io/smtx.hpp"

namespace {

namespace sk = sparsekit;
namespace fs = std::filesystem;
using sk::errc;
using sk::index_t;

fs::path data() { return std::getenv("SPARSEKIT_DATA_DIR"); }

std::vector<fs::path> files(const fs::path& folder, const std::string& ending) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().string().ends_with(ending)) found.push_back(entry.path());
  }
  return found;
}

/// The first `count` cells of a line of comma-separated values (quotes enclose commas).
std::vector<std::string> cells(const std::string& line, std::size_t count) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      if (out.size() == count) break;
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

struct size_and_entries {
  std::string rows, cols, nnz;
  friend bool operator==(const size_and_entries&, const size_and_entries&) = default;
};
std::map<std::string, size_and_entries> manifest() {
  std::map<std::string, size_and_entries> table;
  std::ifstream in(data() / "manifest.csv");
  std::string line;
  while (std::getline(in, line)) {
    const auto c = cells(line, 5);  // file, kind, rows, cols, nnz
    if (c.size() == 5) table[c[0]] = {c[2], c[3], c[4]};
  }
  return table;
}

template <class Matrix>
size_and_entries size_of(const Matrix& a) {
  return {std::to_string(a.rows()), std::to_string(a.cols()), std::to_string(a.nnz())};
}

}  // namespace

TEST_CASE("every file for Matrix Market parsers has its documented outcome") {
  struct outcome {
    errc code;
    index_t nnz;          // of a good file
    const char* message;  // of a bad one
  };
  const std::map<std::string, outcome> expected = {
      {"LFAT5.mtx", {errc::ok, 46, ""}},
      {"LFAT5_hypersparse.mtx", {errc::ok, 46, ""}},
      {"LFAT5_two.mtx", {errc::ok, 92, ""}},
      {"comments_cover.mtx", {errc::ok, 12, ""}},
      {"comments_west0067.mtx", {errc::ok, 295, ""}},
      {"complex.mtx", {errc::unsupported, 0, "complex"}},
      {"cover.mtx", {errc::ok, 12, ""}},
      {"cover_structure.mtx", {errc::ok, 12, ""}},
      {"empty.mtx", {errc::ok, 0, ""}},
      {"full.mtx", {errc::ok, 9, ""}},
      {"full_noheader.mtx", {errc::bad_magic, 0, "header"}},
      {"full_symmetric.mtx", {errc::ok, 16, ""}},
      {"mangled1.mtx", {errc::bad_line, 0, "line 1: object"}},
      {"mangled2.mtx", {errc::bad_line, 0, "line 1: format"}},
      {"mangled4.mtx", {errc::bad_line, 0, "line 1: symmetry"}},
      {"mangled5.mtx", {errc::unsupported, 0, "hermitian"}},
      {"mangled6.mtx", {errc::unsupported, 0, "hermitian"}},
      {"mangled8.mtx", {errc::bad_line, 0, "line 4: too few"}},
      {"mangled9.mtx", {errc::bad_line, 0, "line 4: a symmetric"}},
      {"mangled10.mtx", {errc::truncated, 0, "entries"}},
      {"mangled11.mtx", {errc::bad_line, 0, "line 5: column"}},
      {"mangled13.mtx", {errc::bad_line, 0, "line 7: column is outside"}},
      {"mangled14.mtx", {errc::ok, 2, ""}},  // duplicates add up
      {"mangled15.mtx", {errc::bad_line, 0, "line 5: more than one"}},
      {"mangled_bool.mtx", {errc::ok, 12, ""}},  // only its GraphBLAS type is wrong, as below
      {"mangled_format.mtx", {errc::bad_line, 0, "line 1: an array"}},
      {"mangled_int32.mtx", {errc::ok, 12, ""}},
      {"mangled_int8.mtx", {errc::ok, 12, ""}},
      {"mangled_skew.mtx", {errc::ok, 20, ""}},
      {"mangled_uint16.mtx", {errc::ok, 12, ""}},
      {"mangled_uint32.mtx", {errc::ok, 12, ""}},
      {"mangled_uint8.mtx", {errc::ok, 12, ""}},
      {"matrix_bool.mtx", {errc::ok, 12, ""}},
      {"matrix_fp32.mtx", {errc::bad_line, 0, "line 7: value is not an integer"}},  // inf
      {"matrix_fp32_structure.mtx", {errc::ok, 12, ""}},
      {"matrix_fp64.mtx", {errc::bad_line, 0, "line 7: value is not an integer"}},
      {"matrix_int16.mtx", {errc::ok, 12, ""}},
      {"matrix_int32.mtx", {errc::ok, 12, ""}},
      {"matrix_int8.mtx", {errc::ok, 12, ""}},
      {"matrix_uint32.mtx", {errc::ok, 12, ""}},
      {"matrix_uint64.mtx", {errc::ok, 12, ""}},
      {"matrix_uint8.mtx", {errc::ok, 12, ""}},
      {"sample.mtx", {errc::ok, 12, ""}},
      {"skew_fp32.mtx", {errc::ok, 20, ""}},
      {"skew_fp64.mtx", {errc::ok, 20, ""}},
      {"skew_int32.mtx", {errc::ok, 20, ""}},
      {"skew_int64.mtx", {errc::ok, 20, ""}},
      {"skew_int8.mtx", {errc::ok, 20, ""}},
      {"structure.mtx", {errc::ok, 12, ""}},
      {"west0067_noheader.mtx", {errc::bad_magic, 0, "header"}},
      {"LICENSE.LAGraph.txt", {errc::bad_magic, 0, "header"}}};
  std::size_t seen = 0;
  for (const auto& entry : fs::directory_iterator(data() / "mtx_parser")) {
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    const auto want = expected.find(name);
    REQUIRE(want != expected.end());
    ++seen;
    sk::csr_matrix<double> a;
    const sk::status s = sk::io::read_matrix_market(entry.path().string()).get(a);
    CHECK_MESSAGE(s.code == want->second.code, s.message());
    CHECK_MESSAGE(s.message().find(want->second.message) != std::string::npos, s.message());
    if (s) {
      CHECK(a.nnz() == want->second.nnz);
      CHECK(sk::validate(a.view()));
    }
  }
  CHECK(seen == expected.size());
}

TEST_CASE("every matrix of the table reads with its rows, columns and entries") {
  const auto table = manifest();
  int matrices = 0;
  for (const auto& row : table) {
    const std::string& name = row.first;
    const size_and_entries& size = row.second;
    CAPTURE(name);
    const std::string path = (data() / name).string();
    sk::csr_matrix<double> a;
#if !SPARSEKIT_HAS_ZLIB
    if (name.ends_with(".gz")) {  // a cross build has no zlib: then such files are refused by name
      CHECK(sk::io::read_matrix_market(path).get(a).code == errc::unsupported);
      continue;
    }
#endif
    if (name.ends_with(".smtx")) {
      const sk::status s = sk::io::read_smtx<double>(path).get(a);
      REQUIRE_MESSAGE(s, s.message());
    } else if (name.ends_with(".mtx") || name.ends_with(".mtx.gz")) {
      const sk::status s = sk::io::read_matrix_market(path).get(a);
      if (name.find("dwg961b") != std::string::npos) {
        CHECK(s.code == errc::unsupported);
        continue;
      }
      REQUIRE_MESSAGE(s, s.message());
    } else {
      continue;
    }
    ++matrices;
    CHECK(sk::validate(a.view()));
    CHECK(size_of(a) == size);
  }
  MESSAGE(matrices, " matrices");
  CHECK(matrices > 70);
}

TEST_CASE("every .npy and .safetensors file of the folder reads whole") {
  int arrays = 0, tensors = 0;
  for (const fs::path& path : files(data(), ".npy")) {
    CAPTURE(path.string());
    sk::io::npy_array a;
    const sk::status s = sk::io::read_npy(path.string()).get(a);
    REQUIRE_MESSAGE(s, s.message());
    CHECK(sk::io::read_values<float>(a.tensor));
    ++arrays;
  }
  for (const fs::path& path : files(data(), ".safetensors")) {
    CAPTURE(path.string());
    sk::io::safetensors f;
    const sk::status s = sk::io::read_safetensors(path.string()).get(f);
    REQUIRE_MESSAGE(s, s.message());
    for (const auto& t : f.tensors) CHECK(sk::io::read_values<float>(t.tensor));
    tensors += static_cast<int>(f.tensors.size());
  }
  MESSAGE(arrays, " arrays, ", tensors, " tensors");
  CHECK(arrays > 40);
  CHECK(tensors == 338);
}
