// A status as one line with all its fields, so that a test compares the whole of it.
#pragma once

#include <string>

#include "sparsekit/status.hpp"

namespace sparsekit_test {

/// "code entry E row R got G allowed A | message"; "ok" for success.
inline std::string describe(const sparsekit::status& s) {
  if (s) return "ok";
  return std::string(sparsekit::name_of(s.code)) + " entry " + std::to_string(s.entry) + " row " +
         std::to_string(s.row) + " got " + s.got.text() + " allowed " + s.allowed.text() + " | " +
         s.message();
}

}  // namespace sparsekit_test
