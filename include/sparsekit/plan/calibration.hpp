// A calibration: the constants of the cost model for one machine and ISA, and its text, to be saved
// and loaded.
//
//   sparsekit-calibration 5
//   isa avx2
//   machine 00a20f10...
//   f32 dense 0 173250 0 ...        type, form (words joined by -), regime, constants in 1e-6 ns
//   ...
//   checksum 0123456789abcdef       FNV-1a of everything above
//
// Only integers: a locale cannot turn them into something else.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "../pack/target.hpp"
#include "../simd/machine.hpp"
#include "cost_constants.hpp"

namespace sparsekit {
inline namespace v0 {

/// Made by calibrate() or by load_calibration(); given to choose() in its options. Types that were
/// not measured have the library's own constants.
struct calibration {
  std::string_view isa = "";  ///< of static storage
  std::uint64_t machine = 0;
  cost_constants f32{};
  cost_constants f64{};
  cost_constants bf16{};
  cost_constants f16{};
  cost_constants s8{};

  template <class T>
  const cost_constants& constants() const {
    return of<T>(*this);
  }
  template <class T>
  cost_constants& constants() {
    return of<T>(*this);
  }

 private:
  template <class T, class Self>
  static auto& of(Self& c) {
    if constexpr (std::is_same_v<T, bfloat16>) {
      return c.bf16;
    } else if constexpr (std::is_same_v<T, float16>) {
      return c.f16;
    } else if constexpr (std::is_same_v<T, std::int8_t>) {
      return c.s8;
    } else if constexpr (sizeof(T) == 8) {
      return c.f64;
    } else {
      return c.f32;
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

/// Calls f(name, table) for each type of a calibration, in the order of its text.
template <class Calibration, class F>
void for_each_table(Calibration& c, F&& f) {
  f("f32", c.f32);
  f("f64", c.f64);
  f("bf16", c.bf16);
  f("f16", c.f16);
  f("s8", c.s8);
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

/// The library's own constants for this ISA, as if they had been measured on this processor.
inline calibration default_calibration() {
  return {.isa = native_arch::name,
          .machine = machine_id(),
          .f32 = default_constants<native_arch, float>(),
          .f64 = default_constants<native_arch, double>(),
          .bf16 = default_constants<native_arch, bfloat16>(),
          .f16 = default_constants<native_arch, float16>(),
          .s8 = default_constants<native_arch, std::int8_t>()};
}

/// Whether a calibration is for this ISA and this kind of processor.
inline bool is_native(const calibration& c) {
  return c.isa == native_arch::name && c.machine == machine_id();
}

namespace plan {

/// Whether a calibration says something about a target, `native` resolved: about this machine if
/// that is its ISA.
inline bool is_for(const calibration& c, pack_target target) {
  return target == packing::resolved(pack_target::native) ? is_native(c) : c.isa == name_of(target);
}

}  // namespace plan

/// The text of a calibration.
inline std::string save_calibration(const calibration& c) {
  std::string text = "sparsekit-calibration 5\nisa " + std::string(c.isa) + "\nmachine " +
                     plan::hexadecimal(c.machine) + "\n";
  plan::for_each_table(c, [&](const char* type, const cost_constants& table) {
    for (int f = 0; f < form_count; ++f) {
      for (int regime = 0; regime < cost_regimes; ++regime) {
        text += type;
        text += ' ';  // not + " ": as below
        text += plan::word_of(static_cast<form>(f));
        text += ' ';
        text += std::to_string(regime);
        for (const double v : table.of[f][regime]) {
          text += ' ';  // not " " + …: g++ 12 warns of an overlap in that (PR 105651)
          text += std::to_string(static_cast<std::int64_t>(v * 1e6 + 0.5));
        }
        text += "\n";
      }
    }
  });
  return text + "checksum " + plan::hexadecimal(plan::text_checksum(text)) + "\n";
}

/// A calibration from its text. Errors: no such text (bad_magic), another version (bad_version), cut off
/// (truncated), changed (bad_checksum), a line that breaks the format (bad_line), another ISA or processor than
/// this one (unsupported; `sk::unchecked` lets it pass, and choose() then says that it uses its defaults).
inline result<calibration> load_calibration(unchecked_t, std::string_view text) {
  constexpr const char* object = "calibration";
  constexpr std::string_view magic = "sparsekit-calibration ";
  if (!text.starts_with(magic)) return status{.code = errc::bad_magic, .object = object};
  if (!text.substr(magic.size()).starts_with("5\n")) {
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
  plan::for_each_table(c, [&](const char* type, cost_constants& table) {
    for (int f = 0; f < form_count; ++f) {
      for (int regime = 0; regime < cost_regimes; ++regime) {
        in.expect(type);
        in.separator(' ');
        in.expect(plan::word_of(static_cast<form>(f)));
        in.separator(' ');
        in.number<int>(10, regime, regime);
        for (double& v : table.of[f][regime]) {
          in.separator(' ');
          v = 1e-6 * static_cast<double>(in.number<std::int64_t>(10, 0, std::int64_t{1} << 50));
        }
        if (!in.good) return;
        in.separator('\n');
      }
    }
  });
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
