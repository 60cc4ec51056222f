// Patterns of pruned networks (DLMC, arXiv 2006.10901), the smallest files of the data folder, a
// layer without entries among them: packed, and in the form that choose() takes, they multiply
// exactly.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "sparsekit/choose.hpp"
#include "sparsekit/convert/from_view.hpp"
#include "sparsekit/io/smtx.hpp"
#include "sparsekit/multiply.hpp"
#include "sparsekit/pack/pack.hpp"
#include "support/at.hpp"
#include "support/generators.hpp"

using namespace sparsekit_test;

namespace {

namespace sk = sparsekit;
namespace fs = std::filesystem;

constexpr std::size_t most_files = 14;
constexpr index_t column_counts[] = {1, 4, 64};

/// The smallest first.
std::vector<fs::path> smallest_patterns() {
  std::vector<std::pair<std::uintmax_t, fs::path>> found;
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(std::getenv("SPARSEKIT_DATA_DIR")) / "dlmc")) {
    if (entry.path().extension() == ".smtx") found.emplace_back(entry.file_size(), entry.path());
  }
  std::sort(found.begin(), found.end());
  std::vector<fs::path> out;
  for (const auto& [size, path] : found) {
    if (out.size() < most_files) out.push_back(path);
  }
  return out;
}

using matrix = sk::csr_matrix<float, std::int32_t, std::int64_t>;

/// The file's pattern with small integers.
matrix read(const fs::path& path, rng& random) {
  const auto pattern = sk::io::read_smtx<float, std::int32_t, std::int64_t>(path.string()).value();
  const auto p = pattern.view();
  std::vector<float> values(at(p.nnz()));
  for (float& v : values) v = small_integers{}.draw<float>(random);
  return matrix::from_view(sk::csr_view<const float, std::int32_t, std::int64_t>{p.shape, p.row_ptr,
                                                                                 p.columns, values})
      .value();
}

/// How many elements of A X by this form are not what plain loops say. X and Y are row-major.
template <class Form>
int wrong_elements(const matrix& a, const Form& form, index_t n, rng& random) {
  const auto csr = a.view();
  const auto x = make_dense<float>(a.cols(), n, random, small_integers{});
  std::vector<float> y(at(a.rows() * n), std::numeric_limits<float>::quiet_NaN());
  sk::workspace ws(form, {.max_columns = n});
  sk::multiply(form, sk::dense_view<const float>(x.data(), a.cols(), n),
               sk::dense_view<float>(y.data(), a.rows(), n), ws);
  int wrong = 0;
  std::vector<float> right(at(n));
  for (index_t r = 0; r < a.rows(); ++r) {
    std::fill(right.begin(), right.end(), 0.f);
    for (std::int64_t p = csr.row_ptr[r]; p < csr.row_ptr[r + 1]; ++p) {
      const float* const row = x.data() + csr.columns[p] * n;
      for (index_t j = 0; j < n; ++j) right[at(j)] += csr.values[p] * row[j];
    }
    for (index_t j = 0; j < n; ++j) wrong += y[at(r * n + j)] == right[at(j)] ? 0 : 1;
  }
  return wrong;
}

}  // namespace

TEST_CASE("patterns of pruned networks multiply exactly, packed and as choose() takes them") {
  const auto paths = smallest_patterns();
  REQUIRE(paths.size() == most_files);
  rng random(1);
  int empty = 0;
  for (const fs::path& path : paths) {
    const matrix a = read(path, random);
    empty += a.nnz() == 0 ? 1 : 0;
    for (const index_t n : column_counts) {
      CAPTURE(path.string());
      CAPTURE(n);
      CHECK(wrong_elements(a, sk::pack(a, {.columns = {n}}).value(), n, random) == 0);
      CHECK(wrong_elements(a, sk::choose(a, {.columns = {n}}).value(), n, random) == 0);
    }
    const auto whole = sk::pack(a, {.columns = {1, 4, 64}}).value();
    for (const index_t n : column_counts) CHECK(wrong_elements(a, whole, n, random) == 0);
  }
  CHECK(empty >= 1);
}
