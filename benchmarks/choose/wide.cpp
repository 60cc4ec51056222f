// f32 and f64.
#include "choices_of.hpp"
#include "crossover.hpp"

namespace choose_benchmark {

template void check_choices<float>(const options&, const std::vector<named_matrix>&, const sk::calibration*);
template void check_choices<double>(const options&, const std::vector<named_matrix>&, const sk::calibration*);
template sk::result<sk::calibration> calibrated<float, double>(const options&);
template sk::result<sk::calibration> calibrated<float>(const options&);
template sk::result<sk::calibration> calibrated<double>(const options&);

bool write_crossover(const options& o, const sk::calibration* c) {
  std::FILE* out = std::fopen(o.crossover.c_str(), "w");
  if (out == nullptr) return false;
  measure_crossover(c, o.budget, out);
  std::fclose(out);
  return true;
}

}  // namespace choose_benchmark
