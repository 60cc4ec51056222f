// The kernels for weights narrower than their sums: bf16 and f16 with X of f32, s8 with X of u8.
// `over_dense` is over packed dense weights of the same type.
#include "kernels.hpp"

void kernel_benchmarks::add_narrow(const std::vector<grid_point>& grid) {
  add_kernels<sk::bfloat16>("bf16", grid);
  add_kernels<sk::float16>("f16", grid);
  add_kernels<std::int8_t>("s8", grid);
}
