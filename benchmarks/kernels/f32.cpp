// The kernels for float.
#include "kernels.hpp"

void kernel_benchmarks::add_f32(const std::vector<grid_point>& grid) {
  add_kernels<float>("f32", grid);
}
