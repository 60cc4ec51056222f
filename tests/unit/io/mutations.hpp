// Damages a small file in every simple way and hands each version over between guard pages, so that
// a reader which looks one byte too far ends the program.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sparsekit/io/file.hpp"
#include "support/guard.hpp"

namespace sparsekit_test {

/// Memory that ends with the bytes it is given.
class guarded_bytes {
 public:
  sparsekit::io::byte_view hold(std::string_view text) {
    memory_.reset(static_cast<index_t>(text.size()), edge::right);
    for (std::size_t i = 0; i < text.size(); ++i) {
      memory_.data()[i] = static_cast<std::byte>(text[i]);
    }
    return {memory_.data(), text.size()};
  }

 private:
  guarded<std::byte> memory_;
};

/// f(view) for the file cut at every byte, with every bit flipped, every byte removed, doubled, and
/// replaced by characters that mean something to a parser. Returns how many versions there were.
template <class F>
int for_each_mutation(std::string_view file, F&& f) {
  guarded_bytes memory;
  int count = 0;
  const auto give = [&](const std::string& damaged) {
    f(memory.hold(damaged));
    ++count;
  };
  for (std::size_t i = 0; i < file.size(); ++i) {
    give(std::string(file.substr(0, i)));
    std::string damaged(file);
    for (int bit = 0; bit < 8; ++bit) {
      damaged[i] = static_cast<char>(file[i] ^ (1 << bit));
      give(damaged);
    }
    for (char c : {'\0', '\xff', '"', '{', '}', '[', '9', '-', ' ', '\n', ','}) {
      damaged[i] = c;
      give(damaged);
    }
    give(std::string(file.substr(0, i)) + std::string(file.substr(i + 1)));
    give(std::string(file.substr(0, i + 1)) + std::string(file.substr(i)));
  }
  return count;
}

}  // namespace sparsekit_test
