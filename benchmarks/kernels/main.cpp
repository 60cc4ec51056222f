// Which matrices the kernels are timed with. Arguments: files (.smtx, .mtx) and Google Benchmark's
// options, of which --benchmark_filter=REGEX chooses among the thousands of cases; without files,
// generated ones.
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "../common/turns.hpp"
#include "kernels.hpp"

namespace kernel_benchmarks {

double stream_bandwidth() {
  static const double bandwidth = benchmark_common::read_bandwidth();
  return bandwidth;
}

}  // namespace kernel_benchmarks

int main(int argc, char** argv) {
  using namespace kernel_benchmarks;
  using sparsekit_test::pattern;
  benchmark::Initialize(&argc, argv);
  std::vector<pattern_source> sources;
  for (int i = 1; i < argc; ++i) {
    pattern_source s;
    s.file = argv[i];
    if (argv[i][0] == '-' || !std::filesystem::exists(s.file) ||
        !(s.file.ends_with(".smtx") || s.file.ends_with(".mtx") || s.file.ends_with(".mtx.gz"))) {
      std::fprintf(stderr, "%s: not an option and not a .smtx or .mtx file\n", argv[i]);
      return 1;
    }
    const sk::status readable = s.file.ends_with(".smtx")
                                    ? sk::io::read_smtx<float>(s.file).error()
                                    : sk::io::read_matrix_market<float>(s.file).error();
    if (!readable) {
      std::fprintf(stderr, "%s: %s\n", argv[i], readable.message().c_str());
      return 1;
    }
    sources.push_back(s);
  }
  if (sources.empty()) {
    for (const pattern p : {pattern::uniform, pattern::magnitude_like, pattern::banded,
                            pattern::power_law, pattern::blocks}) {
      for (const double zeros : {0.5, 0.7, 0.8, 0.9, 0.95, 0.98}) {
        sources.push_back({p, 512, 512, zeros, {}});
        sources.push_back({p, 2048, 512, zeros, {}});
      }
    }
    for (const double zeros : {0.5, 0.75, 0.875}) {
      sources.push_back({pattern::n_of_m, 512, 512, zeros, {}});
      sources.push_back({pattern::n_of_m, 2048, 512, zeros, {}});
    }
  }
  std::vector<grid_point> grid;
  for (const pattern_source& s : sources) {
    for (const index_t n : {1, 2, 3, 8, 16, 64, 256}) {
      for (const int matrices : {1, 8}) grid.push_back({s, n, matrices});
    }
  }
  add_f32(grid);
  add_f64(grid);
  add_narrow(grid);
  return benchmark::RunSpecifiedBenchmarks() == 0 ? 1 : 0;
}
