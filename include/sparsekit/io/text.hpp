// Lines and numbers of text files, strictly: independent of the locale, and "1,5", "0x10" or
// "12abc" are not numbers.
#pragma once

#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>
#include <system_error>
#include <type_traits>

#include "file.hpp"

namespace sparsekit {
inline namespace v0 {
namespace io {
SPARSEKIT_EXEC_BEGIN_IN_V0

/// Gives a text line after line; ends may be LF or CR LF, and the last one may be missing.
class line_reader {
 public:
  explicit line_reader(std::string_view text) : rest_(text) {}

  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const std::size_t end = rest_.find('\n');
    line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    ++number_;
    return true;
  }
  /// The next line that is not blank.
  bool next_filled(std::string_view& line) {
    while (next(line)) {
      if (line.find_first_not_of(" \t") != std::string_view::npos) return true;
    }
    return false;
  }
  std::int64_t number() const { return number_; }  ///< of the last line, counted from 1
  index_t remaining() const { return static_cast<index_t>(rest_.size()); }

 private:
  std::string_view rest_;
  std::int64_t number_ = 0;
};

/// Takes the next word off a line; false at its end. `extra` separates words as blanks and tabs do.
inline bool next_word(std::string_view& line, std::string_view& word, char extra = ' ') {
  const auto separates = [extra](char c) { return c == ' ' || c == '\t' || c == extra; };
  std::size_t begin = 0;
  while (begin < line.size() && separates(line[begin])) ++begin;
  std::size_t end = begin;
  while (end < line.size() && !separates(line[end])) ++end;
  word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return !word.empty();
}

/// An integer that fits I, perhaps with a sign, and nothing else.
template <class I>
bool parse_integer(std::string_view word, I& out) {
  if (word.size() > 1 && word[0] == '+' && word[1] != '-') word.remove_prefix(1);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  return error == std::errc{} && end == word.data() + word.size();
}

enum class parsed { good, malformed, out_of_range };

/// A number: "+1.5", ".45", "5.", "1e-3", Fortran's "1.5D+00", "inf", "nan". Beyond double's range
/// it is an error, not infinity.
inline parsed parse_double(std::string_view word, double& out) {
  if (word.size() > 1 && word[0] == '+' && word[1] != '-' && word[1] != '+') word.remove_prefix(1);
  char copy[64];
  const bool letters = word.find_first_of("nN") != std::string_view::npos;  // inf, nan
  const std::size_t exponent = letters ? std::string_view::npos : word.find_first_of("dD");
  if (exponent != std::string_view::npos) {
    if (word.size() > sizeof copy) return parsed::malformed;
    word.copy(copy, word.size());
    copy[exponent] = 'e';
    word = {copy, word.size()};
  }
  if (word.find('(') != std::string_view::npos) return parsed::malformed;  // nan(payload)
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  if (end != word.data() + word.size()) return parsed::malformed;
  if (error == std::errc::result_out_of_range) return parsed::out_of_range;
  return error == std::errc{} ? parsed::good : parsed::malformed;
}

/// A value of a matrix: integers exactly, floating-point numbers rounded to nearest.
template <class T>
parsed parse_value(std::string_view word, T& out) {
  if constexpr (std::is_integral_v<T>) {
    if (parse_integer(word, out)) return parsed::good;
    double number = 0;
    const parsed how = parse_double(word, number);
    return how == parsed::good && std::trunc(number) == number ? parsed::out_of_range
           : how == parsed::good                               ? parsed::malformed
                                                               : how;
  } else {
    double number = 0;
    if (const parsed how = parse_double(word, number); how != parsed::good) return how;
    if (std::isfinite(number) &&
        std::abs(number) > static_cast<double>(std::numeric_limits<T>::max())) {
      return parsed::out_of_range;
    }
    out = static_cast<T>(number);
    return parsed::good;
  }
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace io
}  // namespace v0
}  // namespace sparsekit
