// The table's order of types, and its rows of f32: N:M, and blocks as BSR.
#include "table.hpp"

namespace structured_benchmark {

void run_table(const options& o) {
  auto csv = open_csv(o, "type,x_type,rows,cols,columns,weights_from,name,layout,seconds");
  run_table_f32(o, csv);
  run_table_half(o, csv);
  run_table_int8(o, csv);
}

void run_table_f32(const options& o, std::ofstream& csv) {
  std::vector<pattern> patterns;
  for (const sk::nm_shape g :
       {sk::nm_shape{2, 4, 1}, {2, 4, 2}, {2, 4, 8}, {1, 4, 1}, {1, 4, 2}, {1, 4, 8}, {1, 8, 8}}) {
    patterns.push_back(pattern::of(g));
  }
  for (const sk::block_shape b : {sk::block_shape{4, 4}, {8, 4}, {16, 1}}) {
    for (const double zeros : {0.5, 0.75, 0.9}) patterns.push_back(pattern::of(b, zeros));
  }
  run_type<float, float>("f32", "f32", patterns, o, csv);
}

}  // namespace structured_benchmark
