// Reader for .smtx, the format of the Deep Learning Matrix Collection: the pattern of a pruned
// layer.
//
//   rows, cols, nnz        commas or blanks
//   row offsets            rows + 1 numbers, from 0 to nnz
//   columns                nnz numbers, counted from 0, rising within a row
#pragma once

#include <string>
#include <string_view>

#include "../formats/csr.hpp"
#include "gzip.hpp"
#include "text.hpp"

namespace sparsekit {
inline namespace v0 {
namespace io {
SPARSEKIT_EXEC_BEGIN_IN_V0

/// Exactly out.size() integers in a line, each of which fits I.
template <class I>
status parse_list(std::string_view line, std::int64_t number, const char* name, buffer<I>& out) {
  std::string_view word;
  for (index_t i = 0; i < out.size(); ++i) {
    if (!next_word(line, word)) {
      return {.code = errc::truncated,
              .object = "smtx",
              .detail = name,
              .got = i,
              .allowed = out.size()};
    }
    if (!parse_integer(word, out[i])) {
      return {.code = errc::bad_line,
              .object = "smtx",
              .detail = "not an integer of the index type",
              .entry = number,
              .got = i};
    }
  }
  if (!next_word(line, word)) return {};
  return {.code = errc::bad_line,
          .object = "smtx",
          .detail = "more numbers than the first line says",
          .entry = number};
}

/// From the text of a file. The format has no values: each entry gets `value`; matrix.values() can
/// be written to.
template <class T = float, index_type Index = std::int32_t, index_type Offset = std::int32_t>
result<csr_matrix<T, Index, Offset>> parse_smtx(std::string_view text, T value = T{1}) {
  const auto bad = [](std::int64_t line, const char* why) {
    return status{.code = errc::bad_line, .object = "smtx", .detail = why, .entry = line};
  };
  line_reader lines(text);
  std::string_view line, word;
  if (!lines.next(line))
    return status{.code = errc::truncated, .object = "smtx", .detail = "empty file"};
  index_t sizes[3] = {};
  for (index_t& size : sizes) {
    if (!next_word(line, word, ',') || !parse_integer(word, size) || size < 0) {
      return bad(1, "not three sizes: rows, cols, nnz");
    }
  }
  if (next_word(line, word, ',')) return bad(1, "not three sizes: rows, cols, nnz");
  const index_t rows = sizes[0];
  const index_t nnz = sizes[2];

  // A number and its separator take two bytes; the last one needs no separator.
  const index_t room = (lines.remaining() + 1) / 2;
  if (rows >= room || nnz > room) {
    return status{.code = errc::truncated,
                  .object = "smtx",
                  .detail = "numbers that the file has room for",
                  .got = room,
                  .allowed = rows >= room ? rows : nnz};
  }
  buffer<Offset> row_ptr;
  buffer<Index> columns;
  buffer<T> values;
  if (status s = row_ptr.allocate(rows + 1); !s) return s;
  if (status s = columns.allocate(nnz); !s) return s;
  if (status s = values.allocate(nnz); !s) return s;
  if (!lines.next(line)) return bad(1, "no row offsets after this line");
  if (status s = parse_list(line, 2, "row offsets", row_ptr); !s) return s;
  line = {};
  if (!lines.next(line) && nnz > 0) return bad(2, "no columns after this line");
  if (status s = parse_list(line, 3, "columns", columns); !s) return s;
  if (lines.next_filled(line)) return bad(lines.number(), "text after the columns");
  for (T& v : values) v = value;

  csr_matrix<T, Index, Offset> out({rows, sizes[1]}, std::move(row_ptr), std::move(columns),
                                   std::move(values));
  if (status s = validate(out.view()); !s) return s;
  return out;
}

template <class T = float, index_type Index = std::int32_t, index_type Offset = std::int32_t,
          class Zlib = zlib_tag>
result<csr_matrix<T, Index, Offset>> read_smtx(const std::string& path, T value = T{1},
                                               read_options options = {}) {
  byte_buffer bytes;
  if (status s = read_unpacked<Zlib>(path, options).get(bytes); !s) return s;
  return parse_smtx<T, Index, Offset>(as_text(bytes.view()), value);
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace io
}  // namespace v0
}  // namespace sparsekit
