// The table's rows of s8, with X of u8: sums of s32, compared exactly.
#include "table.hpp"

namespace structured_benchmark {

void run_table_int8(const options& o, std::ofstream& csv) {
  std::vector<pattern> patterns;
  for (const index_t v : {1, 8}) patterns.push_back(pattern::of({2, 4, v}));
  for (const index_t rows : {1, 2}) {
    for (const double zeros : {0.5, 0.75, 0.9}) patterns.push_back(pattern::of({rows, 4}, zeros));
  }
  run_type<std::int8_t, std::uint8_t>("s8", "u8", patterns, o, csv);
}

}  // namespace structured_benchmark
