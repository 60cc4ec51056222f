// PageRank of a generated power-law graph: ranks r = d (links) r + (1 - d) / n, by power iteration.
//
//   pagerank [SCALE [LINKS [SVG]]]      2^SCALE pages; defaults: 18 2000000 pagerank.svg
//
// The matrix of links holds ones only; each page's rank is divided by its number of links before
// the product. So packed steps store one value each. Prints how far the ranks move in an iteration,
// draws it, and compares times with Eigen's where Eigen was found when this was built. Exit status
// 1 if the ranks are wrong.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <sparsekit/sparsekit.hpp>
#include <string>
#include <vector>

#include "../common/svg.hpp"
#include "../common/timing.hpp"

#ifdef EXAMPLE_HAS_EIGEN
#include <Eigen/SparseCore>
#endif

namespace sk = sparsekit;
using sk::index_t;
using vector = std::vector<double>;

namespace {

/// A link goes to a quarter of the matrix with unequal chances, then to a quarter of that, and so
/// on (R-MAT, Chakrabarti, Zhan and Faloutsos, 2004). Row: the page that is linked to; column: the
/// page with the link.
sk::csr_matrix<double> graph(int scale, index_t links) {
  std::uint64_t state = 88172645463325252u;  // xorshift64*
  const auto chance = [&] {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return static_cast<double>(state * 0x2545F4914F6CDD1Du >> 11) * 0x1p-53;
  };
  std::vector<std::uint64_t> places;
  for (index_t i = 0; i < links; ++i) {
    std::uint64_t row = 0;
    std::uint64_t column = 0;
    for (int level = 0; level < scale; ++level) {
      const double c = chance();
      row = 2 * row + (c >= 0.57 && c < 0.76 ? 1u : 0u) + (c >= 0.95 ? 1u : 0u);
      column = 2 * column + (c >= 0.76 ? 1u : 0u);
    }
    places.push_back(row << 32 | column);
  }
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  std::vector<sk::triplet<double>> entries;
  for (const std::uint64_t p : places) {
    entries.push_back({static_cast<index_t>(p >> 32), static_cast<index_t>(p & 0xffffffffu), 1.0});
  }
  const index_t n = index_t{1} << scale;
  return sk::csr_matrix<double>::from_triplets({n, n}, entries).value();
}

constexpr double damping = 0.85;

/// One iteration: next = d (links) (rank / number of links) + what pages without links give to all,
/// and the rest. Returns how far the ranks moved: the sum of |next - rank|.
template <class Product>
double iterate(Product&& product, const vector& inverse_links, vector& rank, vector& share,
               vector& next) {
  const double n = static_cast<double>(rank.size());
  double without_links = 0;
  for (std::size_t i = 0; i < rank.size(); ++i) {
    share[i] = rank[i] * inverse_links[i];
    if (inverse_links[i] == 0) without_links += rank[i];
  }
  std::fill(next.begin(), next.end(), (1 - damping + damping * without_links) / n);
  product(share, next);
  double moved = 0;
  for (std::size_t i = 0; i < rank.size(); ++i) moved += std::fabs(next[i] - rank[i]);
  rank.swap(next);
  return moved;
}

}  // namespace

int main(int argc, char** argv) {
  const int scale = argc > 1 ? std::atoi(argv[1]) : 18;
  const index_t links = argc > 2 ? std::atoll(argv[2]) : 2000000;
  const std::string svg = argc > 3 ? argv[3] : "pagerank.svg";
  if (scale < 2 || scale > 26 || links < 1) {
    std::fprintf(stderr, "usage: pagerank [SCALE from 2 to 26 [LINKS [SVG]]]\n");
    return 1;
  }
  const auto csr = graph(scale, links);
  const auto view = csr.view();
  const auto packed = sk::pack(csr, {.columns = {1}}).value();
  std::printf("%lld pages, %lld links\n%s\n", static_cast<long long>(csr.rows()),
              static_cast<long long>(csr.nnz()), packed.reason().c_str());

  const auto pages = static_cast<std::size_t>(csr.rows());
  vector inverse_links(pages, 0.0);
  for (const std::int32_t c : view.columns) inverse_links[static_cast<std::size_t>(c)] += 1;
  for (double& l : inverse_links) l = l > 0 ? 1 / l : 0;
  vector rank(pages, 1 / static_cast<double>(pages)), share(pages), next(pages);
  const auto with_packed = [&](const vector& x, vector& y) {
    sk::multiply(packed, x, y, sk::scale(damping) | sk::accumulate);
  };
  std::vector<double> moved;
  const double seconds = example::seconds_of([&] {
    do {
      moved.push_back(iterate(with_packed, inverse_links, rank, share, next));
    } while (moved.back() > 1e-12 && moved.size() < 300);
  });
  for (std::size_t i = 0; i < moved.size(); i += std::max<std::size_t>(1, moved.size() / 10)) {
    std::printf("iteration %3zu  ranks moved by %.2e\n", i + 1, moved[i]);
  }
  std::printf("iteration %3zu  ranks moved by %.2e  (%.1f ms)\n", moved.size(), moved.back(),
              1e3 * seconds);
  std::vector<std::size_t> order(pages);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::partial_sort(order.begin(), order.begin() + 4, order.end(),
                    [&](std::size_t a, std::size_t b) { return rank[a] > rank[b]; });
  for (int i = 0; i < 4; ++i) {
    const std::size_t page = order[static_cast<std::size_t>(i)];
    std::printf("page %zu: rank %.5f, %lld links to it\n", page, rank[page],
                static_cast<long long>(view.row_ptr[static_cast<index_t>(page) + 1] -
                                       view.row_ptr[static_cast<index_t>(page)]));
  }

#ifdef EXAMPLE_HAS_EIGEN
  {
    using matrix = Eigen::SparseMatrix<double, Eigen::RowMajor, int>;
    const matrix a =
        Eigen::Map<const matrix>(view.rows(), view.cols(), view.nnz(), view.row_ptr.data(),
                                 view.columns.data(), view.values.data());
    const Eigen::Map<const Eigen::VectorXd> x(share.data(), view.cols());
    Eigen::VectorXd y(view.rows());
    const auto t = example::times_in_turn(
        10, [&] { sk::multiply(packed, share, next); }, [&] { y.noalias() = a * x; });
    std::printf("y = A x: %.0f us, Eigen %.0f us: %.2f times as fast\n", 1e6 * t.first,
                1e6 * t.second, t.second / t.first);
  }
#else
  std::printf("Eigen was not found when this was built: no comparison\n");
#endif
  if (!example::write_svg(svg, "PageRank: how far the ranks move in an iteration",
                          {{std::to_string(pages) + " pages", moved}})) {
    std::fprintf(stderr, "pagerank: cannot write %s\n", svg.c_str());
    return 1;
  }
  // Ranks are shares of the whole, and a further step by plain loops must leave them where they
  // are.
  const double sum = std::accumulate(rank.begin(), rank.end(), 0.0);
  const auto with_loops = [&](const vector& x, vector& y) {
    for (index_t r = 0; r < view.rows(); ++r) {
      for (index_t p = view.row_ptr[r]; p < view.row_ptr[r + 1]; ++p) {
        y[static_cast<std::size_t>(r)] +=
            damping * view.values[p] * x[static_cast<std::size_t>(view.columns[p])];
      }
    }
  };
  const double residual = iterate(with_loops, inverse_links, rank, share, next);
  std::printf("sum of ranks 1 %+.1e; a step by plain loops moves them by %.1e\n", sum - 1,
              residual);
  if (!(std::fabs(sum - 1) < 1e-9) || !(residual < 1e-11)) {
    std::fprintf(stderr, "pagerank: the ranks are wrong\n");
    return 1;
  }
  return 0;
}
