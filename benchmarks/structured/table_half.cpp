// The table's rows of bf16, with X of bf16, whose dot products need nothing widened, and of f32;
// and of f16.
#include "table.hpp"

namespace structured_benchmark {

void run_table_half(const options& o, std::ofstream& csv) {
  std::vector<pattern> patterns;
  for (const double zeros : {0.5, 0.8}) patterns.push_back(pattern::of({2, 2}, zeros));
  for (const index_t v : {1, 2, 8}) patterns.push_back(pattern::of({2, 4, v}));
  run_type<sk::bfloat16, sk::bfloat16>("bf16", "bf16", patterns, o, csv);
  run_type<sk::bfloat16, float>("bf16", "f32", patterns, o, csv);
  run_type<sk::float16, float>("f16", "f32", patterns, o, csv);
}

}  // namespace structured_benchmark
