// triplet: one entry of a matrix, as from_triplets takes it.
#pragma once

#include <initializer_list>

#include "../core/checked.hpp"

namespace sparsekit {
inline namespace v0 {

template <class T, index_type Index = std::int64_t>
struct triplet {
  Index row;
  Index col;
  T value;
};

}  // namespace v0
}  // namespace sparsekit
