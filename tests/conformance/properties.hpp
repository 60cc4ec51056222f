// What is checked of every kernel, each as one function over a list of kernels: the table's, the public
// multiply's, or the mutants that must be caught.
#pragma once

#include <vector>

#include "driver.hpp"
#include "support/sanitized.hpp"

namespace sparsekit_test {

template <class T>
using entries = std::vector<kernel_entry<T>>;

/// Sanitizers make frames several times as large.
inline constexpr std::size_t small_stack_bytes = std::size_t{sanitized ? 512 : 64} << 10;

/// Results within their bounds on every problem, width, epilogue, layout, alignment; nothing written,
/// allocated or left changed that should not be. `empty_too`: also products without rows or columns,
/// which multiply answers before it asks a kernel.
template <class T>
void check_products(report& to, const entries<T>& kernels, bool empty_too);

/// The bits of a column depend neither on its neighbours, their number, its position, alignment, the
/// layouts of X and Y.
template <class T>
void check_batch_positions(report& to, const entries<T>& kernels);

/// The same bits from 1, 2, 3 and 4 workers and without, in any order of the tasks.
template <class T>
void check_workers(report& to, const entries<T>& kernels);

/// Every rounding mode and flush-to-zero of the caller is obeyed and left as it was.
template <class T>
void check_float_environment(report& to, const entries<T>& kernels);

/// Two threads multiply by one matrix at once.
template <class T>
void check_two_threads(report& to, const entries<T>& kernels);

/// A thread with a stack of `small_stack_bytes`. Returns the most bytes that any call used.
template <class T>
std::size_t check_small_stack(report& to, const entries<T>& kernels);

}  // namespace sparsekit_test
