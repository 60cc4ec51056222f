// Reader for Matrix Market (.mtx, .mtx.gz): coordinate and array; real, integer, pattern; general,
// symmetric, skew-symmetric.
//
//   %%MatrixMarket matrix coordinate real general
//   % comments
//   rows cols entries
//   row col value          one entry a line, counted from 1
//
// Strict. Entries at one place add up; explicit zeros stay entries; symmetric files hold the lower
// triangle only; integers must look like integers. Complex, hermitian, vector and headerless files
// are refused by name. Comments that other programs give a meaning (GraphBLAS types) have none
// here.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "../convert/from_triplets.hpp"
#include "../formats/csr.hpp"
#include "../formats/symmetric.hpp"
#include "gzip.hpp"
#include "text.hpp"

namespace sparsekit {
inline namespace v0 {
namespace io {
SPARSEKIT_EXEC_BEGIN_IN_V0

struct matrix_market_header {
  enum class field_type { real, integer, pattern };
  enum class symmetry_type { general, symmetric, skew };

  bool coordinate = true;
  field_type field = field_type::real;
  symmetry_type symmetry = symmetry_type::general;
};

/// Whether two words are the same, capitals or not (ASCII).
inline bool same_word(std::string_view a, std::string_view lower_case) {
  if (a.size() != lower_case.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] - 'A' + 'a') : a[i];
    if (c != lower_case[i]) return false;
  }
  return true;
}

template <class T, index_type Index, index_type Offset>
class matrix_market_parser {
 public:
  explicit matrix_market_parser(std::string_view text)
      : lines_(text), text_size_(static_cast<index_t>(text.size())) {}

  result<csr_matrix<T, Index, Offset>> parse() {
    if (status s = header(); !s) return s;
    if (status s = size_line(); !s) return s;
    if (status s = header_.coordinate ? coordinate_entries() : array_entries(); !s) return s;
    std::string_view line;
    if (lines_.next_filled(line)) return bad("more entries than the size line says");
    const buffer<entry> all = entries_.take();
    return csr_matrix<T, Index, Offset>::from_triplets(shape_, all.view());
  }
  /// The lower triangle of a symmetric file.
  result<csr_matrix<T, Index, Offset>> parse_triangle() {
    triangle_only_ = true;
    return parse();
  }

 private:
  using entry = triplet<T, index_t>;
  using field_type = matrix_market_header::field_type;
  using symmetry_type = matrix_market_header::symmetry_type;

  status header() {
    std::string_view line, word;
    if (!lines_.next(line) || line.substr(0, 14) != "%%MatrixMarket" || !next_word(line, word) ||
        word.size() != 14) {
      return {.code = errc::bad_magic, .object = "mtx", .detail = "no %%MatrixMarket header"};
    }
    next_word(line, word);
    if (same_word(word, "vector")) return refuse("vectors");
    if (!same_word(word, "matrix")) return bad("object is not matrix");
    next_word(line, word);
    header_.coordinate = same_word(word, "coordinate");
    if (!header_.coordinate && !same_word(word, "array")) {
      return bad("format is neither coordinate nor array");
    }
    next_word(line, word);
    if (same_word(word, "complex")) return refuse("complex numbers");
    if (same_word(word, "integer")) {
      header_.field = field_type::integer;
    } else if (same_word(word, "pattern")) {
      header_.field = field_type::pattern;
    } else if (!same_word(word, "real")) {
      return bad("field is not real, integer, pattern or complex");
    }
    next_word(line, word);
    if (same_word(word, "hermitian")) return refuse("hermitian matrices");
    if (same_word(word, "symmetric")) {
      header_.symmetry = symmetry_type::symmetric;
    } else if (same_word(word, "skew-symmetric")) {
      header_.symmetry = symmetry_type::skew;
    } else if (!same_word(word, "general")) {
      return bad("symmetry is not general, symmetric, skew-symmetric or hermitian");
    }
    if (next_word(line, word)) return bad("more words than a header has");
    if (triangle_only_ && header_.symmetry != symmetry_type::symmetric) {
      return refuse("a file that does not say symmetric, read as a symmetric matrix");
    }
    if (header_.field == field_type::pattern) {
      if (!header_.coordinate) return bad("an array can't be a pattern");
      if (header_.symmetry == symmetry_type::skew) return bad("a pattern can't be skew-symmetric");
    }
    return {};
  }

  status size_line() {
    std::string_view line;
    do {
      if (!lines_.next_filled(line)) {
        return {.code = errc::truncated, .object = "mtx", .detail = "no size line"};
      }
    } while (line[0] == '%');
    index_t numbers[3] = {};
    const int wanted = header_.coordinate ? 3 : 2;
    for (int i = 0; i < wanted; ++i) {
      std::string_view word;
      if (!next_word(line, word)) return bad("too few numbers in the size line");
      if (!parse_integer(word, numbers[i])) return bad("size is not a 64-bit integer");
      if (numbers[i] < 0) return bad("size is negative", numbers[i]);
    }
    std::string_view word;
    if (next_word(line, word)) return bad("too many numbers in the size line");
    shape_ = {numbers[0], numbers[1]};
    // Rows without entries take no room in the file, but a row offset each in memory.
    if (const index_t most = std::max(index_t{1} << 24, 64 * text_size_); shape_.rows > most) {
      return {.code = errc::size_overflow,
              .object = "mtx",
              .detail = "rows of so small a file",
              .got = shape_.rows,
              .allowed = most};
    }
    if (header_.symmetry != symmetry_type::general && shape_.rows != shape_.cols) {
      return bad("a symmetric matrix that is not square", shape_.rows, shape_.cols);
    }
    index_t places = 0;
    const bool small = checked_multiply(shape_.rows, shape_.cols, places);
    count_ = numbers[2];
    if (!header_.coordinate) {
      if (!small) return bad("more values than the file has bytes", shape_.rows);
      // n (n + 1) / 2 without leaving the range that `places` showed to be safe
      const index_t n = shape_.rows;
      count_ = header_.symmetry == symmetry_type::symmetric
                   ? places - (n % 2 == 0 ? n / 2 * (n - 1) : (n - 1) / 2 * n)
               : header_.symmetry == symmetry_type::skew
                   ? (n % 2 == 0 ? n / 2 * (n - 1) : (n - 1) / 2 * n)
                   : places;
    }
    // The shortest lines are "1 1", "1 1 1" and "1"; only the last may lack its end.
    const index_t shortest = !header_.coordinate ? 2 : header_.field == field_type::pattern ? 4 : 6;
    if (count_ > (lines_.remaining() + 1) / shortest) {
      return {.code = errc::truncated,
              .object = "mtx",
              .detail = "entries that the file has room for",
              .got = (lines_.remaining() + 1) / shortest,
              .allowed = count_};
    }
    const bool mirrored = header_.symmetry != symmetry_type::general && !triangle_only_;
    return entries_.reserve(header_.coordinate && mirrored ? 2 * count_
                            : header_.coordinate           ? count_
                                                           : 0);
  }

  status coordinate_entries() {
    for (index_t i = 0; i < count_; ++i) {
      std::string_view line;
      if (!lines_.next_filled(line)) return missing(i);
      entry e{0, 0, T{1}};
      if (status s = place(line, "row", shape_.rows, e.row); !s) return s;
      if (status s = place(line, "column", shape_.cols, e.col); !s) return s;
      if (header_.field != field_type::pattern) {
        if (status s = value(line, e.value); !s) return s;
      }
      if (status s = add(line, e); !s) return s;
    }
    return {};
  }

  /// Column by column; of symmetric matrices the lower triangle, of skew ones without the diagonal.
  status array_entries() {
    index_t i = 0;
    for (index_t c = 0; c < shape_.cols; ++c) {
      const index_t first = header_.symmetry == symmetry_type::general     ? 0
                            : header_.symmetry == symmetry_type::symmetric ? c
                                                                           : c + 1;
      for (index_t r = first; r < shape_.rows; ++r, ++i) {
        std::string_view line;
        if (!lines_.next_filled(line)) return missing(i);
        entry e{r, c, T{}};
        if (status s = value(line, e.value); !s) return s;
        std::string_view word;
        if (next_word(line, word)) return bad("more than one value in a line");
        if (e.value == T{}) continue;  // a dense matrix's zeros are no entries
        if (status s = add({}, e); !s) return s;
      }
    }
    return {};
  }

  status place(std::string_view& line, const char* which, index_t bound, index_t& out) {
    std::string_view word;
    if (!next_word(line, word)) return bad("too few numbers");
    const bool row = which[0] == 'r';
    if (!parse_integer(word, out))
      return bad(row ? "row is not an integer" : "column is not an integer");
    if (out < 1 || out > bound) {
      return bad(row ? "row is outside the matrix" : "column is outside the matrix", out, bound);
    }
    --out;
    return {};
  }

  status value(std::string_view& line, T& out) {
    std::string_view word;
    if (!next_word(line, word)) return bad("too few numbers");
    if (header_.field == field_type::integer &&
        word.find_first_not_of("+-0123456789") != std::string_view::npos) {
      return bad("value is not an integer");
    }
    switch (parse_value(word, out)) {
      case parsed::good:
        return {};
      case parsed::out_of_range:
        return bad("value is outside the range of its type");
      case parsed::malformed:
        break;
    }
    return bad("value is not a number");
  }

  /// One entry, and its mirror image. `rest` is what follows it in its line.
  status add(std::string_view rest, const entry& e) {
    std::string_view word;
    if (next_word(rest, word)) return bad("too many numbers");
    if (header_.symmetry == symmetry_type::general) return entries_.push_back(e);
    if (e.row < e.col) return bad("entry above the diagonal of a symmetric matrix");
    const bool skew = header_.symmetry == symmetry_type::skew;
    if (skew && e.row == e.col) return bad("entry on the diagonal of a skew-symmetric matrix");
    if (status s = entries_.push_back(e); !s || e.row == e.col || triangle_only_) return s;
    entry mirrored{e.col, e.row, e.value};
    if (skew) {
      if constexpr (std::is_unsigned_v<T>) return bad("a negative value in an unsigned type");
      if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
        if (e.value == std::numeric_limits<T>::min())
          return bad("value is outside the range of its type");
      }
      mirrored.value = static_cast<T>(-e.value);
    }
    return entries_.push_back(mirrored);
  }

  status bad(const char* why, index_t got = 0, index_t allowed = 0) const {
    return {.code = errc::bad_line,
            .object = "mtx",
            .detail = why,
            .entry = lines_.number(),
            .got = got,
            .allowed = allowed};
  }
  status missing(index_t found) const {
    return {.code = errc::truncated,
            .object = "mtx",
            .detail = "entries",
            .got = found,
            .allowed = count_};
  }
  static status refuse(const char* what) {
    return {.code = errc::unsupported, .object = "mtx", .detail = what};
  }

  line_reader lines_;
  index_t text_size_;
  bool triangle_only_ = false;
  matrix_market_header header_;
  extents shape_{};
  index_t count_ = 0;
  growing_buffer<entry> entries_;
};

/// From the text of a file.
template <class T = double, index_type Index = std::int32_t, index_type Offset = std::int32_t>
result<csr_matrix<T, Index, Offset>> parse_matrix_market(std::string_view text) {
  return matrix_market_parser<T, Index, Offset>(text).parse();
}

/// From a file, which may be compressed. Errors: what `errc` says of files, and sizes that Index or
/// Offset can't hold.
template <class T = double, index_type Index = std::int32_t, index_type Offset = std::int32_t,
          class Zlib = zlib_tag>
result<csr_matrix<T, Index, Offset>> read_matrix_market(const std::string& path,
                                                        read_options options = {}) {
  byte_buffer bytes;
  if (status s = read_unpacked<Zlib>(path, options).get(bytes); !s) return s;
  return parse_matrix_market<T, Index, Offset>(as_text(bytes.view()));
}

/// A file whose header says symmetric, as the triangle that it holds: half the memory of the whole.
template <class T = double, index_type Index = std::int32_t, index_type Offset = std::int32_t>
result<symmetric_matrix<T, Index, Offset>> parse_matrix_market_symmetric(std::string_view text) {
  csr_matrix<T, Index, Offset> half;
  if (status s = matrix_market_parser<T, Index, Offset>(text).parse_triangle().get(half); !s) {
    return s;
  }
  return symmetric_matrix<T, Index, Offset>(std::move(half), triangle::lower);
}
template <class T = double, index_type Index = std::int32_t, index_type Offset = std::int32_t,
          class Zlib = zlib_tag>
result<symmetric_matrix<T, Index, Offset>> read_matrix_market_symmetric(
    const std::string& path, read_options options = {}) {
  byte_buffer bytes;
  if (status s = read_unpacked<Zlib>(path, options).get(bytes); !s) return s;
  return parse_matrix_market_symmetric<T, Index, Offset>(as_text(bytes.view()));
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace io
}  // namespace v0
}  // namespace sparsekit
