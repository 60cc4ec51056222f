// Weights of f64.
#include "contest.hpp"

void spmm_benchmark::run_f64(const options& o) {
  o.patterns.empty() ? run_table<double>(o) : run_patterns<double>(o);
}
