// The names of all kernels of the table for the ISA that this build is for: what the conformance test must
// have tried. From the table alone, so that a format that nobody instantiates is missed.
#pragma once

#include <string>
#include <vector>

#include "entry.hpp"

namespace sparsekit_test {

template <class T>
std::vector<std::string> table_names() {
  std::vector<std::string> names;
  const std::string isa = sparsekit::native_arch::name;
#define SPARSEKIT_KERNEL(id, operation, format, tile) \
  names.push_back(std::string(#operation "-") + type_name<T> + "-" #format "-" #tile "-" + isa);
#include "sparsekit/kernels/table.inc"
#undef SPARSEKIT_KERNEL
  if constexpr (std::is_same_v<T, float>) {
    for (const std::string type : {"bf16", "f16"}) {
#define SPARSEKIT_KERNEL(id, operation, format, tile)
#define SPARSEKIT_NARROW_KERNEL(id, operation, format, tile) \
  if (has_kernel_for_halves(#tile)) names.push_back(#operation "-" + type + "-" #format "-" #tile "-" + isa);
#ifdef SPARSEKIT_CONFORMANCE_PLAIN
#define SPARSEKIT_PLAIN_KERNEL SPARSEKIT_NARROW_KERNEL
#endif
#include "sparsekit/kernels/table.inc"
#undef SPARSEKIT_PLAIN_KERNEL
#undef SPARSEKIT_NARROW_KERNEL
#undef SPARSEKIT_KERNEL
    }
  }
  return names;
}

/// Fills registry<T>: defined by the generated source files, one for each format.
template <class T>
void register_all();

}  // namespace sparsekit_test
