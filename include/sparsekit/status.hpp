// Errors: `status` says what is wrong, where, what was found and what is allowed; `result<T>` is a
// value or a status. Nothing here throws, except `result::value()` where exceptions are on.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "config.hpp"

#if SPARSEKIT_HAS_EXCEPTIONS
#include <stdexcept>
#endif

namespace sparsekit {
inline namespace v0 {

/// What went wrong. One line a code; `status::message()` words it with the numbers.
enum class errc : std::uint8_t {
  ok,
  negative_size,          ///< a dimension below zero
  size_overflow,          ///< a size does not fit the index, offset or size type
  out_of_memory,          ///< an allocation failed
  length_mismatch,        ///< an array is not as long as the shape says
  null_array,             ///< an array of length > 0 with a null pointer
  bad_first_offset,       ///< the first offset is not 0
  offsets_decrease,       ///< an offset is smaller than the one before
  bad_last_offset,        ///< the last offset is not nnz
  row_out_of_range,       ///< a row index < 0 or >= rows
  column_out_of_range,    ///< a column index < 0 or >= cols
  not_sorted,             ///< indices of a row (CSR) or column (CSC) do not increase
  duplicate_entry,        ///< two entries at one place where the format allows one
  shape_mismatch,         ///< operands whose dimensions do not fit each other
  bad_leading_dimension,  ///< a leading dimension smaller than the row (or column) it must hold
  aliased_operands,       ///< the output overlaps an input
  workspace_too_small,    ///< the workspace was made for fewer columns or workers, or another matrix
  bad_argument,           ///< an option outside its range
  not_finite,             ///< NaN or infinity where only finite numbers make sense
  bad_pattern,            ///< entries violate the structure of the format (N:M, popcount, blocks)
  overflow_possible,      ///< integer sums could exceed 32 bits
  bad_magic,              ///< bytes that are not what they claim to be
  bad_version,            ///< bytes of another version of the format
  bad_checksum,           ///< bytes that were damaged
  truncated,              ///< fewer bytes than the header promises
  corrupt,                ///< packed bytes whose contents contradict each other
  file_unreadable,        ///< a file can't be opened or read
  bad_file,               ///< a file whose contents violate its format; `entry` is a byte of it
  bad_line,               ///< a line of a text file that violates its format; `entry` counts from 1
  bad_member,             ///< a tensor or archive member that violates it; `entry` counts from 0
  unsupported,            ///< a valid input that this library refuses, by name
};

/// A number as it was found: keeps the sign, and unsigned values up to 2^64 - 1.
struct any_integer {
  std::uint64_t bits = 0;
  bool negative = false;

  constexpr any_integer() = default;
  template <class I>
    requires std::is_integral_v<I>
  constexpr any_integer(I value)  // NOLINT(google-explicit-constructor): a number is a number
      : bits(static_cast<std::uint64_t>(value)), negative(std::is_signed_v<I> && value < I{0}) {}

  friend constexpr bool operator==(const any_integer&, const any_integer&) = default;

  std::string text() const {
    return negative ? std::to_string(static_cast<std::int64_t>(bits)) : std::to_string(bits);
  }
};

/// Success, or an error with its place. Converts to true when all is well. Trivially copyable; holds
/// no memory: `object` and `detail` point to strings of static storage.
struct status {
  errc code = errc::ok;
  const char* object = "";    ///< what is malformed: "csr", "x", "workspace"
  const char* detail = "";    ///< which part of it, in words: "columns", "row_ptr"
  std::int64_t entry = -1;    ///< position in the array at fault, or -1
  std::int64_t row = -1;      ///< row (CSC: column) at fault, or -1
  any_integer got{};          ///< what was found
  any_integer allowed{};      ///< the bound or the expected value

  explicit constexpr operator bool() const { return code == errc::ok; }
  /// The error in one line, e.g.
  /// "csr: column index 4096 at entry 17 (row 3) is not below cols = 4096". Allocates.
  std::string message() const;

 private:
  /// What message() says behind `object`: %n is the code's name, %w detail, %g and %a the numbers, %e the
  /// entry, %p the place (entry and row) in words. One loop words all codes: built by + a code, the function
  /// was 13 KB of every program.
  const char* wording() const;
};

inline const char* name_of(errc code) {
  switch (code) {
    case errc::ok: return "ok";
    case errc::negative_size: return "negative_size";
    case errc::size_overflow: return "size_overflow";
    case errc::out_of_memory: return "out_of_memory";
    case errc::length_mismatch: return "length_mismatch";
    case errc::null_array: return "null_array";
    case errc::bad_first_offset: return "bad_first_offset";
    case errc::offsets_decrease: return "offsets_decrease";
    case errc::bad_last_offset: return "bad_last_offset";
    case errc::row_out_of_range: return "row_out_of_range";
    case errc::column_out_of_range: return "column_out_of_range";
    case errc::not_sorted: return "not_sorted";
    case errc::duplicate_entry: return "duplicate_entry";
    case errc::shape_mismatch: return "shape_mismatch";
    case errc::bad_leading_dimension: return "bad_leading_dimension";
    case errc::aliased_operands: return "aliased_operands";
    case errc::workspace_too_small: return "workspace_too_small";
    case errc::bad_argument: return "bad_argument";
    case errc::not_finite: return "not_finite";
    case errc::bad_pattern: return "bad_pattern";
    case errc::overflow_possible: return "overflow_possible";
    case errc::bad_magic: return "bad_magic";
    case errc::bad_version: return "bad_version";
    case errc::bad_checksum: return "bad_checksum";
    case errc::truncated: return "truncated";
    case errc::corrupt: return "corrupt";
    case errc::file_unreadable: return "file_unreadable";
    case errc::bad_file: return "bad_file";
    case errc::bad_line: return "bad_line";
    case errc::bad_member: return "bad_member";
    case errc::unsupported: return "unsupported";
  }
  return "unknown";
}

inline const char* status::wording() const {
  const bool numbers = got.bits != 0 || allowed.bits != 0;
  switch (code) {
    case errc::negative_size: return "%w = %g is negative";
    case errc::size_overflow: return "%w = %g exceeds %a";
    case errc::out_of_memory: return "no memory for %g bytes";
    case errc::length_mismatch: return "%w has length %g, expected %a";
    case errc::null_array: return "%w is null, expected length %a";
    case errc::bad_first_offset: return "%w starts with %g, expected 0";
    case errc::offsets_decrease: return "%w decreases to %g%p, below %a";
    case errc::bad_last_offset: return "%w ends with %g, expected %a";
    case errc::row_out_of_range: return "row index %g%p is not below rows = %a";
    case errc::column_out_of_range: return "column index %g%p is not below cols = %a";
    case errc::not_sorted: return "%w %g%p follows %a";
    case errc::duplicate_entry: return "%w %g%p occurs twice";
    case errc::shape_mismatch: return "%w is %g, expected %a";
    case errc::bad_leading_dimension: return "leading dimension %g is below %a";
    case errc::aliased_operands: return "%w overlaps an input";
    case errc::workspace_too_small: return "%w is %g, but the call needs %a";
    case errc::bad_argument:  // not always a matter of integers
      return got == allowed ? "%w%p" : "%w = %g%p, allowed: %a";
    case errc::file_unreadable: return "%w";
    case errc::bad_file:
      if (entry >= 0) return numbers ? "%w at byte %e: %g, allowed %a" : "%w at byte %e";
      return numbers ? "%w: %g, allowed %a" : "%w";
    case errc::bad_line: return numbers ? "line %e: %w: %g, allowed %a" : "line %e: %w";
    case errc::bad_member: return numbers ? "member %e: %w: %g, allowed %a" : "member %e: %w";
    default: break;
  }
  if (detail[0] != '\0') return numbers ? "%n: %w%p (%g, allowed %a)" : "%n: %w%p";
  return numbers ? "%n%p (%g, allowed %a)" : "%n%p";
}

inline std::string status::message() const {
  if (code == errc::ok) return "ok";
  std::string out = object;
  out += ": ";
  const auto add = [&](const char* before, any_integer number, const char* after) {
    out += before;
    out += number.text();
    out += after;
  };
  for (const char* c = wording(); *c != '\0'; ++c) {
    if (*c != '%') {
      out += *c;
      continue;
    }
    switch (*++c) {
      case 'n': out += name_of(code); break;
      case 'w': out += detail; break;
      case 'g': add("", got, ""); break;
      case 'a': add("", allowed, ""); break;
      case 'e': add("", entry, ""); break;
      default:  // 'p'
        if (entry >= 0) add(" at entry ", entry, "");
        if (row >= 0) add(std::string_view(object) == "csc" ? " (column " : " (row ", row, ")");
    }
  }
  return out;
}

#if SPARSEKIT_HAS_EXCEPTIONS
/// What `result<T>::value()` throws.
class error : public std::runtime_error {
 public:
  explicit error(const status& s) : std::runtime_error(s.message()), status_(s) {}
  const sparsekit::status& status() const { return status_; }

 private:
  sparsekit::status status_;
};
#endif

/// A value or the reason why there is none. `.get(out)` never throws; `.value()` throws
/// `sparsekit::error`, or prints the message and aborts under -fno-exceptions.
template <class T>
class [[nodiscard]] result {
 public:
  result(T value) : has_value_(true) {  // NOLINT(google-explicit-constructor)
    ::new (static_cast<void*>(&storage_.value)) T(std::move(value));
  }
  result(const sparsekit::status& s) : status_(s) {}  // NOLINT(google-explicit-constructor)
  result(result&& other) noexcept : status_(other.status_), has_value_(other.has_value_) {
    if (has_value_) ::new (static_cast<void*>(&storage_.value)) T(std::move(other.storage_.value));
  }
  result(const result&) = delete;
  result& operator=(const result&) = delete;
  result& operator=(result&&) = delete;
  ~result() {
    if (has_value_) storage_.value.~T();
  }

  explicit operator bool() const { return has_value_; }
  bool has_value() const { return has_value_; }
  /// The reason, or an ok status.
  const sparsekit::status& error() const { return status_; }

  /// Moves the value into `out`; on failure leaves `out` alone and returns the reason.
  sparsekit::status get(T& out) && {
    if (has_value_) out = std::move(storage_.value);
    return status_;
  }

  // The behaviour depends on the compiler's exception mode, so the symbol must: hence `Mode`.
  template <class Mode = exception_mode>
  T value() && {
    if (!has_value_) fail<Mode>();
    return std::move(storage_.value);
  }

 private:
  template <class Mode>
  [[noreturn]] void fail() const {
#if SPARSEKIT_HAS_EXCEPTIONS
    throw sparsekit::error(status_);
#else
    std::fprintf(stderr, "sparsekit: %s\n", status_.message().c_str());
    std::abort();
#endif
  }

  union storage {
    storage() {}
    ~storage() {}
    T value;
  } storage_;
  sparsekit::status status_{};
  bool has_value_ = false;
};

}  // namespace v0
}  // namespace sparsekit
