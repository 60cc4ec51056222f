// Which of many unsigned keys are the k lowest, found without copying or sorting them.
#pragma once

#include "../core/checked.hpp"
#include "element.hpp"

SPARSEKIT_EXEC_BEGIN
namespace convert {

/// The k lowest keys are all those below `threshold` and `remove_equal` of the `equal` ones that
/// are at it.
template <class Key>
struct lowest {
  Key threshold = 0;
  index_t equal = 0;
  index_t remove_equal = 0;
};

/// Radix selection, highest digit first: each pass counts the digits of the keys that share the
/// digits found so far. `for_each_key(visit)` calls visit(key) for each key, the same keys each
/// time; it is run once for each 11 bits of Key. O(keys); 16 KiB of stack.
template <class Key, class ForEachKey>
lowest<Key> select_lowest(index_t k, const ForEachKey& for_each_key) {
  constexpr int digit_bits = 11;
  constexpr int key_bits = 8 * static_cast<int>(sizeof(Key));
  lowest<Key> found;
  if (k <= 0) return found;

  std::uint64_t prefix = 0;  // the digits found so far
  for (int known = 0; known < key_bits;) {
    const int width = key_bits - known < digit_bits ? key_bits - known : digit_bits;
    const int shift = key_bits - known - width;
    const std::uint64_t digits = std::uint64_t{1} << width;
    index_t count[std::uint64_t{1} << digit_bits] = {};
    for_each_key([&](Key key) {
      const std::uint64_t bits = key;
      const std::uint64_t above = known == 0 ? 0 : bits >> (key_bits - known);
      if (above == prefix) ++count[(bits >> shift) & (digits - 1)];
    });
    std::uint64_t digit = 0;
    while (digit + 1 < digits && count[digit] < k) k -= count[digit++];
    prefix = (prefix << width) | digit;
    found.equal = count[digit];
    known += width;
  }
  found.threshold = static_cast<Key>(prefix);
  found.remove_equal = k;
  return found;
}

}  // namespace convert
SPARSEKIT_EXEC_END
