// What packing balanced quads costs, as CSV on stdout: its time in multiplies with 64 columns,
// alone and on two threads; bytes a nonzero; and what noticing Inf and NaN while X is re-laid
// (promise 1) costs of a multiply.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <sparsekit/adapters/thread_pool.hpp>
#include <sparsekit/multiply.hpp>
#include <sparsekit/pack/pack.hpp>
#include <vector>

namespace {

namespace sk = sparsekit;
using lanes = sk::simd::lanes<sk::native_arch, float>;

template <class F>
double least(int rounds, F&& f) {
  double best = 1e9;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

/// kernels::relay_panel without the look at what it moves.
[[gnu::noinline]] void move_only(const float* x, sk::index_t rows, sk::index_t ld,
                                 sk::index_t width, float* panel) {
  for (sk::index_t k = 0; k < rows; ++k) {
    for (sk::index_t j = 0; j < width; j += lanes::width) {
      lanes::store(panel + k * width + j, lanes::load(x + k * ld + j));
    }
  }
}
[[gnu::noinline]] bool move_and_look(sk::dense_view<const float> x, sk::index_t width,
                                     float* panel) {
  return sk::kernels::relay_panel<lanes, float>(x, 0, width, width, panel);
}

}  // namespace

int main() {
  constexpr sk::index_t m = 2048, k = 512, n = 64;
  std::printf(
      "zeros,nnz,pack_us,pack_two_threads_us,multiply_us,bytes_per_nonzero,move_us,move_and_look_"
      "us\n");
  sk::thread_pool pool(2);
  for (const double zeros : {0.5, 0.7, 0.8, 0.9, 0.95}) {
    std::mt19937 random(7);
    std::vector<float> w(m * k), x(k * n), y(m * n), panel(k * n);
    std::uniform_real_distribution<double> uniform(0, 1);
    for (float& v : w)
      v = uniform(random) < zeros ? 0.f : static_cast<float>(uniform(random) + 0.1);
    for (float& v : x) v = static_cast<float>(uniform(random));
    const auto a =
        sk::csr_matrix<float>::from_dense(sk::dense_view<const float>(w.data(), m, k)).value();
    const auto view = a.view();
    const auto packed = sk::pack(view, {.columns = {n}}).value();
    const auto quads = packed.view().quads;
    const sk::quad_shape cut{quads.row_block, quads.column_block, quads.interleave};
    sk::quad_matrix<float> q;
    const auto pack = [&](const auto& policy) {
      if (!sk::pack_quads(policy, view, cut).get(q)) std::exit(1);
    };
    const double alone = least(15, [&] { pack(sk::seq); });
    const double both = least(15, [&] { pack(sk::par(pool)); });
    sk::workspace ws(packed, {.max_columns = n});
    const sk::dense_view<const float> X(x.data(), k, n);
    const double multiply =
        least(200, [&] { sk::multiply(packed, X, sk::dense_view<float>(y.data(), m, n), ws); });
    // Panels as wide as the kernel's, all of X: n / width of them.
    const sk::index_t width =
        sk::kernels::quad_registers<sk::native_arch>(cut.interleave) * lanes::width;
    const double panels = static_cast<double>(n) / static_cast<double>(width);
    const double move = least(2000, [&] { move_only(x.data(), k, n, width, panel.data()); });
    const double look = least(2000, [&] {
      if (!move_and_look(X, width, panel.data())) std::exit(1);
    });
    std::printf("%.2f,%lld,%.1f,%.1f,%.2f,%.2f,%.3f,%.3f\n", zeros, static_cast<long long>(a.nnz()),
                1e6 * alone, 1e6 * both, 1e6 * multiply,
                static_cast<double>(q.bytes().size()) / static_cast<double>(a.nnz()),
                1e6 * panels * move, 1e6 * panels * look);
  }
}
