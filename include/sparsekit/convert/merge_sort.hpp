// A stable sort in the caller's scratch memory. std::stable_sort allocates, and its instances would
// be shared between objects compiled for different instruction sets.
#pragma once

#include "../core/checked.hpp"

SPARSEKIT_EXEC_BEGIN
namespace convert {

/// Sorts `n` trivially copyable elements; `scratch` holds n as well. Returns where the result
/// stands: `data` or `scratch`. O(n log n); elements that compare equal keep their order.
template <class E, class Less>
E* merge_sort(E* data, E* scratch, index_t n, Less less) {
  constexpr index_t run = 16;  // insertion sort is faster up to about here
  for (index_t begin = 0; begin < n; begin += run) {
    const index_t end = n - begin < run ? n : begin + run;
    for (index_t i = begin + 1; i < end; ++i) {
      const E moving = data[i];
      index_t to = i;
      for (; to > begin && less(moving, data[to - 1]); --to) data[to] = data[to - 1];
      data[to] = moving;
    }
  }
  for (index_t width = run; width < n; width *= 2) {
    for (index_t begin = 0; begin < n; begin += 2 * width) {
      const index_t middle = n - begin < width ? n : begin + width;
      const index_t end = n - begin < 2 * width ? n : begin + 2 * width;
      index_t left = begin;
      index_t right = middle;
      for (index_t to = begin; to < end; ++to) {
        const bool take_left = left < middle && (right == end || !less(data[right], data[left]));
        scratch[to] = data[take_left ? left++ : right++];
      }
    }
    E* const merged = scratch;
    scratch = data;
    data = merged;
  }
  return data;
}

}  // namespace convert
SPARSEKIT_EXEC_END
