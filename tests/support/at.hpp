// at(i): a position of this library as one of std::vector.
#pragma once

#include <cstddef>

#include "sparsekit/core/checked.hpp"

namespace sparsekit_test {

inline std::size_t at(sparsekit::index_t i) { return static_cast<std::size_t>(i); }

}  // namespace sparsekit_test
