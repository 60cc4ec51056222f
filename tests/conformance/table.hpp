// The names of all kernels of the table for the instruction sets compiled in: what the conformance test must
// have tried. From the table alone, so that a format that nobody instantiates is missed.
#pragma once

#include <string>
#include <vector>

#include "entry.hpp"

namespace sparsekit_test {

inline std::vector<std::string> compiled_isas() {
  return {
#if SPARSEKIT_HAS_NEON
      "neon",
#endif
#if SPARSEKIT_HAS_AVX512
      "avx512",
#endif
#if SPARSEKIT_HAS_AVX2
      "avx2",
#endif
      "scalar"};
}

/// `everywhere`: for all instruction sets; otherwise for the one that this build is for.
template <class T>
std::vector<std::string> table_names(bool everywhere) {
  std::vector<std::string> names;
  for (const std::string& isa : compiled_isas()) {
    if (!everywhere && isa != sparsekit::native_arch::name) continue;
#define SPARSEKIT_KERNEL(id, operation, format, tile) \
  names.push_back(std::string(#operation "-") + type_name<T> + "-" #format "-" #tile "-" + isa);
#include "sparsekit/kernels/table.inc"
#undef SPARSEKIT_KERNEL
  }
  return names;
}

/// Fills registry<T>: defined by the generated source files, one for each format.
template <class T>
void register_all();

}  // namespace sparsekit_test
