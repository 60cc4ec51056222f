// The part of JSON that file headers are made of: strings, non-negative integers, punctuation.
//
// Not a general parser. The headers read here have a fixed grammar, so their readers ask for what
// must come next; that finds duplicate keys, which trees of values lose, and gives sparsekit::io's
// users no dependency. Everything is checked: escapes, UTF-8, control characters, the range of
// numbers.
#pragma once

#include <string>
#include <string_view>

#include "../core/checked.hpp"

namespace sparsekit {
inline namespace v0 {
namespace io {
SPARSEKIT_EXEC_BEGIN_IN_V0

class json_scanner {
 public:
  explicit json_scanner(std::string_view text) : text_(text) {}

  /// Bytes consumed so far: where an error is.
  index_t position() const { return static_cast<index_t>(at_); }
  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }
  /// The next character that is not white space, or NUL at the end.
  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  /// A string, its escapes resolved, as UTF-8.
  bool string(std::string& out) {
    out.clear();
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const unsigned char c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c < 0x20) return false;
      if (c == '\\') {
        if (!escape(out)) return false;
      } else if (!utf8(out)) {
        return false;
      }
    }
    return false;
  }

  /// An integer from 0 to 2^63 - 1, without sign, fraction, exponent or leading zeros.
  bool integer(index_t& out) {
    skip_space();
    const std::size_t begin = at_;
    out = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      if (at_ == begin + 1 && text_[begin] == '0') return false;
      if (!checked_multiply(out, 10, out) || !checked_add(out, text_[at_] - '0', out)) return false;
    }
    if (at_ == begin) return false;
    const char next = at_ < text_.size() ? text_[at_] : ' ';
    return next != '.' && next != 'e' && next != 'E';
  }

 private:
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  bool escape(std::string& out) {
    constexpr std::string_view names = "\"\\/bfnrt";
    constexpr std::string_view values = "\"\\/\b\f\n\r\t";
    ++at_;
    if (at_ >= text_.size()) return false;
    const char c = text_[at_++];
    if (const std::size_t i = names.find(c); i != std::string_view::npos) {
      out += values[i];
      return true;
    }
    std::uint32_t code = 0;
    if (c != 'u' || !hex4(code)) return false;
    if (code >= 0xdc00 && code < 0xe000) return false;
    if (code >= 0xd800 && code < 0xdc00) {  // the first half of a pair
      std::uint32_t low = 0;
      if (text_.substr(at_, 2) != "\\u") return false;
      at_ += 2;
      if (!hex4(low) || low < 0xdc00 || low >= 0xe000) return false;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    append_utf8(code, out);
    return true;
  }

  bool hex4(std::uint32_t& code) {
    code = 0;
    if (text_.size() - at_ < 4) return false;
    for (int i = 0; i < 4; ++i) {
      const char c = text_[at_++];
      std::uint32_t digit = 0;
      if (c >= '0' && c <= '9') {
        digit = static_cast<std::uint32_t>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        digit = static_cast<std::uint32_t>(c - 'a') + 10;
      } else if (c >= 'A' && c <= 'F') {
        digit = static_cast<std::uint32_t>(c - 'A') + 10;
      } else {
        return false;
      }
      code = code * 16 + digit;
    }
    return true;
  }

  static void append_utf8(std::uint32_t code, std::string& out) {
    if (code < 0x80) {
      out += static_cast<char>(code);
      return;
    }
    const int extra = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    constexpr unsigned lead[] = {0, 0xc0, 0xe0, 0xf0};
    out += static_cast<char>(lead[extra] | (code >> (6 * extra)));
    for (int i = extra - 1; i >= 0; --i) {
      out += static_cast<char>(0x80u | ((code >> (6 * i)) & 0x3fu));
    }
  }

  /// Copies one character; refuses what is not UTF-8: overlong forms, surrogates, beyond U+10FFFF.
  bool utf8(std::string& out) {
    const auto byte = [this](std::size_t i) {
      return i < text_.size() ? static_cast<unsigned char>(text_[i]) : 0u;
    };
    const unsigned lead = byte(at_);
    const std::size_t extra = lead < 0x80   ? 0
                              : lead < 0xc2 ? 4
                              : lead < 0xe0 ? 1
                              : lead < 0xf0 ? 2
                                            : 3;
    if (extra == 4 || lead > 0xf4) return false;
    for (std::size_t i = 1; i <= extra; ++i) {
      if ((byte(at_ + i) & 0xc0u) != 0x80u) return false;
    }
    const unsigned next = byte(at_ + 1);
    if ((lead == 0xe0 && next < 0xa0) || (lead == 0xed && next >= 0xa0) ||
        (lead == 0xf0 && next < 0x90) || (lead == 0xf4 && next >= 0x90)) {
      return false;
    }
    out.append(text_.substr(at_, extra + 1));
    at_ += extra + 1;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

SPARSEKIT_EXEC_END_IN_V0
}  // namespace io
}  // namespace v0
}  // namespace sparsekit
