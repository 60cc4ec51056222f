// Weights of f32.
#include "contest.hpp"

void spmm_benchmark::run_f32(const options& o) {
  o.patterns.empty() ? run_table<float>(o) : run_patterns<float>(o);
}
