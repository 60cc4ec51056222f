// A calibration: the constants of the cost model for one machine and ISA, and its text, to be saved and loaded.
//
//   sparsekit-calibration 3
//   isa avx2
//   machine 00a20f10...
//   f32 dense 0 173250 0 ...        form (words joined by -), regime, constants in 1e-6 ns
//   ...
//   checksum 0123456789abcdef       FNV-1a of everything above
//
// Only integers: a locale cannot turn them into something else.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "../simd/machine.hpp"
#include "cost_constants.hpp"

namespace sparsekit {
inline namespace v0 {

/// Made by calibrate() or by load_calibration(); given to choose() in its options.
struct calibration {
  std::string_view isa = "";  ///< of static storage
  std::uint64_t machine = 0;
  cost_constants f32{};
  cost_constants f64{};

  template <class T>
  const cost_constants& constants() const {
    if constexpr (sizeof(T) == 8) {
      return f64;
    } else {
      return f32;
    }
  }
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace plan {

inline std::uint64_t text_checksum(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return h;
}

inline std::string hexadecimal(std::uint64_t v) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(v));
  return digits;
}

inline std::string word_of(form f) {
  std::string word = name_of(f);
  for (char& c : word) c = c == ' ' ? '-' : c;
  return word;
}

/// Reads words and numbers off a text; once wrong, stays wrong.
struct text_reader {
  std::string_view rest;
  std::int64_t line = 1;
  bool good = true;

  std::string_view word() {
    const std::size_t end = rest.find_first_of(" \n");
    if (end == 0 || end == std::string_view::npos) {
      good = false;
      return {};
    }
    const std::string_view w = rest.substr(0, end);
    rest.remove_prefix(end);
    return w;
  }
  void separator(char c) {
    good = good && !rest.empty() && rest.front() == c;
    if (!good) return;
    rest.remove_prefix(1);
    line += c == '\n';
  }
  void expect(std::string_view w) { good = good && word() == w; }
  template <class I>
  I number(int base, I least, I most) {
    I value{};
    const std::string_view w = word();
    const auto [end, error] = std::from_chars(w.data(), w.data() + w.size(), value, base);
    good = good && error == std::errc{} && end == w.data() + w.size() && value >= least && value <= most;
    return value;
  }
};

}  // namespace plan

/// Whether a calibration is for this ISA and this kind of processor.
inline bool is_native(const calibration& c) {
  return c.isa == native_arch::name && c.machine == machine_id();
}

/// The text of a calibration.
inline std::string save_calibration(const calibration& c) {
  std::string text = "sparsekit-calibration 3\nisa " + std::string(c.isa) + "\nmachine " +
                     plan::hexadecimal(c.machine) + "\n";
  for (const cost_constants* table : {&c.f32, &c.f64}) {
    for (int f = 0; f < form_count; ++f) {
      for (int regime = 0; regime < cost_regimes; ++regime) {
        text += (table == &c.f32 ? "f32 " : "f64 ") + plan::word_of(static_cast<form>(f)) + " " +
                std::to_string(regime);
        for (const double v : table->of[f][regime]) {
          text += ' ';  // not " " + …: g++ 12 warns of an overlap in that (PR 105651)
          text += std::to_string(static_cast<std::int64_t>(v * 1e6 + 0.5));
        }
        text += "\n";
      }
    }
  }
  return text + "checksum " + plan::hexadecimal(plan::text_checksum(text)) + "\n";
}

/// A calibration from its text. Errors: no such text (bad_magic), another version (bad_version), cut off
/// (truncated), changed (bad_checksum), a line that breaks the format (bad_line), another ISA or processor than
/// this one (unsupported; `sk::unchecked` lets it pass, and choose() then says that it uses its defaults).
inline result<calibration> load_calibration(unchecked_t, std::string_view text) {
  constexpr const char* object = "calibration";
  constexpr std::string_view magic = "sparsekit-calibration ";
  if (!text.starts_with(magic)) return status{.code = errc::bad_magic, .object = object};
  if (!text.substr(magic.size()).starts_with("3\n")) {
    return status{.code = errc::bad_version, .object = object, .detail = "version"};
  }
  const std::size_t end = text.rfind("checksum ");
  if (end == std::string_view::npos || text.size() < end + 26) {
    return status{.code = errc::truncated, .object = object,
                  .got = static_cast<std::int64_t>(text.size())};
  }
  if (text.substr(end) != "checksum " + plan::hexadecimal(plan::text_checksum(text.substr(0, end))) + "\n") {
    return status{.code = errc::bad_checksum, .object = object};
  }
  plan::text_reader in{text.substr(0, end)};
  calibration c;
  in.rest.remove_prefix(magic.size() + 1);
  in.separator('\n');
  in.expect("isa");
  in.separator(' ');
  const std::string_view isa = in.word();
  for (const char* name : {arch::scalar::name, arch::avx2::name, arch::avx512::name, arch::neon::name}) {
    if (isa == name) c.isa = name;
  }
  in.good = in.good && !c.isa.empty();
  in.separator('\n');
  in.expect("machine");
  in.separator(' ');
  c.machine = in.number<std::uint64_t>(16, 0, ~std::uint64_t{0});
  in.separator('\n');
  for (cost_constants* table : {&c.f32, &c.f64}) {
    for (int f = 0; f < form_count; ++f) {
      for (int regime = 0; regime < cost_regimes; ++regime) {
        in.expect(table == &c.f32 ? "f32" : "f64");
        in.separator(' ');
        in.expect(plan::word_of(static_cast<form>(f)));
        in.separator(' ');
        in.number<int>(10, regime, regime);
        for (double& v : table->of[f][regime]) {
          in.separator(' ');
          v = 1e-6 * static_cast<double>(in.number<std::int64_t>(10, 0, std::int64_t{1} << 50));
        }
        if (!in.good) break;
        in.separator('\n');
      }
    }
  }
  if (!in.good || !in.rest.empty()) {
    return status{.code = errc::bad_line, .object = object, .detail = "malformed", .entry = in.line};
  }
  return c;
}
inline result<calibration> load_calibration(std::string_view text) {
  result<calibration> c = load_calibration(unchecked, text);
  if (!c) return c;
  calibration value = std::move(c).value();
  if (!is_native(value)) {
    return status{.code = errc::unsupported, .object = "calibration",
                  .detail = value.isa == native_arch::name ? "of another processor"
                                                           : "of another instruction set"};
  }
  return value;
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
