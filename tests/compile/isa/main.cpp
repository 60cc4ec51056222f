// One program with the library's code for three instruction sets. `main NAME…` runs the named ones and
// compares their results with plain loops; the caller picks a CPU that has no more than these need.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "probe.h"

extern "C" {
PROBE_DECLARE(avx512);
PROBE_DECLARE(avx2);
PROBE_DECLARE(baseline);
}

namespace {

struct probe {
  const char* name;
  const char* expected_isa;
  const char* (*isa)();
  void (*spmv)(const probe_matrix*, const float*, float*);
  void (*spmm)(const probe_matrix*, const float*, float*, int);
  void (*tokens)(const probe_matrix*, const float*, float*, int);
};
#define PROBE_ROW(name, isa)                                                   \
  {#name, isa, probe_##name##_isa, probe_##name##_spmv, probe_##name##_spmm, \
   probe_##name##_tokens}
const probe probes[] = {PROBE_ROW(avx512, "avx512"), PROBE_ROW(avx2, "avx2"),
                        PROBE_ROW(baseline, "scalar")};

constexpr int rows = 37, cols = 53, tokens = 19;

struct csr {
  std::vector<int> row_ptr{0}, columns;
  std::vector<float> values;
};

// Small integers: every sum is exact, so results must be equal to the bit.
csr make_matrix() {
  csr a;
  for (int r = 0; r < rows; ++r) {
    for (int c = r % 3; c < cols; c += 1 + (r * 7 + c) % 5) {
      a.columns.push_back(c);
      a.values.push_back(static_cast<float>((r + 3 * c) % 11 - 5));
    }
    a.row_ptr.push_back(static_cast<int>(a.columns.size()));
  }
  return a;
}

float expected(const csr& a, const std::vector<float>& x, int r, int n, int row_step, int n_step) {
  float sum = 0;
  for (int p = a.row_ptr[r]; p < a.row_ptr[r + 1]; ++p) {
    sum += a.values[p] * x[static_cast<std::size_t>(a.columns[p] * row_step + n * n_step)];
  }
  return sum > 0 ? sum : 0;
}

int count_errors(const probe& p) {
  const csr a = make_matrix();
  const probe_matrix view{rows, cols, a.row_ptr.data(), a.columns.data(), a.values.data()};
  std::vector<float> x(cols * tokens), y(rows * tokens);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 5 % 13) - 6;
  int errors = 0;
  p.spmv(&view, x.data(), y.data());
  for (int r = 0; r < rows; ++r) errors += y[r] != expected(a, x, r, 0, 1, 0);
  p.spmm(&view, x.data(), y.data(), tokens);
  for (int i = 0; i < rows * tokens; ++i) {
    errors += y[i] != expected(a, x, i / tokens, i % tokens, tokens, 1);
  }
  p.tokens(&view, x.data(), y.data(), tokens);
  for (int i = 0; i < rows * tokens; ++i) {
    errors += y[i] != expected(a, x, i % rows, i / rows, 1, cols);
  }
  return errors;
}

}  // namespace

int main(int argc, char** argv) {
  int failures = 0, ran = 0;
  for (int i = 1; i < argc; ++i) {
    for (const probe& p : probes) {
      if (std::strcmp(argv[i], p.name) != 0) continue;
      const int errors = count_errors(p);
      const bool right_isa = std::strcmp(p.isa(), p.expected_isa) == 0;
      std::printf("%s: runs %s, %d wrong results\n", p.name, p.isa(), errors);
      failures += errors != 0 || !right_isa;
      ++ran;
    }
  }
  return failures != 0 || ran != argc - 1 || ran == 0;
}
