// Every kernel of the table against the reference, and against the library's promises.
//
// SPARSEKIT_CASE='part of a case line' runs those cases only, SPARSEKIT_SEED=n draws other numbers,
// SPARSEKIT_STRIDE=n runs every n-th case.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <utility>
#include <vector>

#include "properties.hpp"
#include "table.hpp"

namespace sparsekit_test {
namespace {

/// Entries that build the same operands one after another, otherwise in their order.
template <class T>
void group_by_operand(entries<T>& all) {
  std::vector<decltype(kernel_entry<T>::build)> seen;
  const auto group_of = [&](const kernel_entry<T>& e) {
    const auto found = std::find(seen.begin(), seen.end(), e.build);
    if (found != seen.end()) return found - seen.begin();
    seen.push_back(e.build);
    return static_cast<std::ptrdiff_t>(seen.size()) - 1;
  };
  for (const kernel_entry<T>& e : all) group_of(e);
  std::stable_sort(all.begin(), all.end(), [&](const auto& a, const auto& b) {
    return std::pair(group_of(a), a.option) < std::pair(group_of(b), b.option);
  });
}

template <class T>
const entries<T>& all_kernels() {
  static const bool once = [] {
    install_crash_handler();
    static const signal_stack stack;
    register_all<T>();
    group_by_operand(registry<T>());
    return true;
  }();
  static_cast<void>(once);
  return registry<T>();
}

/// `check` of every kernel for both element types; fails if one of them failed or was not tried.
template <class Check>
void of_every_kernel(const char* property, const Check& check) {
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    report r(std::string(property) + " " + type_name<T>);
    check(r, all_kernels<T>());
    CHECK(r.summary(table_names<T>()) == 0);
    CHECK(r.failures() == 0);
  };
  run(float{});
  run(double{});
}

TEST_CASE("every kernel computes the product and touches nothing else") {
  std::printf("kernels for %s\n", sparsekit::native_arch::name);
  of_every_kernel("products", [](report& r, const auto& kernels) {
    check_products(r, kernels, false);
  });
}

TEST_CASE("the bits of a column do not depend on its place in the batch") {
  of_every_kernel("batch positions", [](report& r, const auto& kernels) {
    check_batch_positions(r, kernels);
  });
}

TEST_CASE("the bits do not depend on the workers") {
  of_every_kernel("workers", [](report& r, const auto& kernels) { check_workers(r, kernels); });
}

TEST_CASE("the caller's floating-point controls are obeyed and kept") {
  of_every_kernel("float controls", [](report& r, const auto& kernels) {
    check_float_environment(r, kernels);
  });
}

TEST_CASE("two threads multiply by one matrix") {
  of_every_kernel("two threads", [](report& r, const auto& kernels) {
    check_two_threads(r, kernels);
  });
}

TEST_CASE("a stack of 64 KiB is enough") {
  of_every_kernel("small stack", [](report& r, const auto& kernels) {
    const std::size_t most = check_small_stack(r, kernels);
    std::printf("at most %zu bytes of stack, the thread's own included\n", most);
  });
}

}  // namespace
}  // namespace sparsekit_test
