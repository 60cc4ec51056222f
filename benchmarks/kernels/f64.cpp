// The kernels for double.
#include "kernels.hpp"

void kernel_benchmarks::add_f64(const std::vector<grid_point>& grid) {
  add_kernels<double>("f64", grid);
}
