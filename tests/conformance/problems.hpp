// The problems that every kernel must solve: patterns of real matrices, shapes on which kernels stumble,
// and numbers that are not ordinary.
#pragma once

#include <vector>

#include "problem.hpp"
#include "support/sanitized.hpp"

namespace sparsekit_test {

/// How thoroughly a problem is tried.
enum class depth_of_test { all_widths_and_epilogues, some };

template <class T>
struct trial {
  problem<T> p;
  depth_of_test depth = depth_of_test::some;
  bool transcendental = true;  ///< numbers on which gelu and silu make sense
};

/// Built once. The first two are tried with every width and epilogue.
template <class T>
const std::vector<trial<T>>& trials();

/// 200 x 300 (fewer rows under sanitizers), 70 columns: work for several tasks, more than one block of
/// everything.
template <class T>
const problem<T>& medium_problem();
/// 72 x 300, 70 columns: where many calls of each kernel multiply by one matrix.
template <class T>
const problem<T>& low_problem();
/// One column, and enough entries for several tasks.
template <class T>
const problem<T>& vector_problem();

}  // namespace sparsekit_test
