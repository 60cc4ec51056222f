// bf16, f16 and s8.
#include "choices_of.hpp"
#include "crossover.hpp"

namespace choose_benchmark {

template void check_choices<sk::bfloat16>(const options&, const std::vector<named_matrix>&, const sk::calibration*);
template void check_choices<sk::float16>(const options&, const std::vector<named_matrix>&, const sk::calibration*);
template void check_choices<std::int8_t>(const options&, const std::vector<named_matrix>&, const sk::calibration*);
template sk::result<sk::calibration> calibrated<sk::bfloat16>(const options&);
template sk::result<sk::calibration> calibrated<sk::float16>(const options&);
template sk::result<sk::calibration> calibrated<std::int8_t>(const options&);
template void add_crossover<sk::bfloat16>(const options&, const char*, const sk::calibration*, std::FILE*);
template void add_crossover<sk::float16>(const options&, const char*, const sk::calibration*, std::FILE*);
template void add_crossover<std::int8_t>(const options&, const char*, const sk::calibration*, std::FILE*);

}  // namespace choose_benchmark
