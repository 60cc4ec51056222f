// f32 and f64.
#include "choices_of.hpp"
#include "crossover.hpp"

namespace choose_benchmark {

template void check_choices<float>(const options&, const std::vector<named_matrix>&, const sk::calibration*);
template void check_choices<double>(const options&, const std::vector<named_matrix>&, const sk::calibration*);
template sk::result<sk::calibration> calibrated<float, double>(const options&);
template sk::result<sk::calibration> calibrated<float>(const options&);
template sk::result<sk::calibration> calibrated<double>(const options&);

template void add_crossover<float>(const options&, const char*, const sk::calibration*, std::FILE*);
template void add_crossover<double>(const options&, const char*, const sk::calibration*, std::FILE*);

}  // namespace choose_benchmark
