// Packed bytes: the one block of memory that a packed form lives in, so that it can be written to a file
// and mapped back. A header names what the bytes are; whoever loads them validates them first.
//
//   offset 0   packed_header, 64 bytes a section after it, then the sections, each on a cache line
//
// All numbers are little-endian, as on every target of this library.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../core/number.hpp"
#include "../core/storage.hpp"

namespace sparsekit {
inline namespace v0 {

static_assert(std::endian::native == std::endian::little, "packed bytes are little-endian");

/// "sparsekt", read as a little-endian number.
inline constexpr std::uint64_t packed_magic = 0x746b657372617073u;
/// Raised whenever the meaning of any packed bytes changes.
inline constexpr std::uint32_t packed_version = 1;
/// Readable bytes beyond the last section: kernels load whole words of indices and values ahead.
inline constexpr index_t packed_slack = 128;
inline constexpr int packed_max_sections = 6;

/// `whole`: sections that are packed bytes themselves, the forms of one packed_matrix; `structured`: two lists and
/// packed bytes of form `nm`.
enum class packed_form : std::uint16_t {
  quads = 1,
  wide = 2,
  nm = 3,
  dense = 4,
  lookup = 5,
  bitmask = 6,
  blocks = 7,
  structured = 8,
  spmv = 16,
  whole = 32,
};
enum class packed_type : std::uint16_t { f32 = 1, f64 = 2, bf16 = 3, f16 = 4, s8 = 5 };

template <class T>
inline constexpr packed_type packed_type_of = packed_type::f32;
template <>
inline constexpr packed_type packed_type_of<double> = packed_type::f64;
template <>
inline constexpr packed_type packed_type_of<bfloat16> = packed_type::bf16;
template <>
inline constexpr packed_type packed_type_of<float16> = packed_type::f16;
template <>
inline constexpr packed_type packed_type_of<std::int8_t> = packed_type::s8;

struct packed_section {
  std::int64_t offset = 0;  ///< from the start of the header, a multiple of 64
  std::int64_t bytes = 0;
};

struct packed_header {
  std::uint64_t magic = packed_magic;
  std::uint32_t version = packed_version;
  packed_form form{};
  packed_type type{};
  std::uint64_t checksum = 0;  ///< of everything from `total_bytes` on
  std::int64_t total_bytes = 0;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t nnz = 0;    ///< entries of the source
  std::int64_t slots = 0;  ///< multiplications a column of X: nnz and the filled slots
  std::int32_t row_block = 0;
  std::int32_t column_block = 0;
  std::int32_t interleave = 0;
  std::int32_t section_count = 0;
  packed_section sections[packed_max_sections]{};
};
static_assert(std::is_trivially_copyable_v<packed_header> && sizeof(packed_header) == 176 &&
              std::has_unique_object_representations_v<packed_header>);

SPARSEKIT_EXEC_BEGIN_IN_V0

/// 64-bit mixing hash, four words of eight bytes at a time: one chain alone would take as long as several
/// products. For damage, not for malice: `validate` does not rely on it.
inline std::uint64_t packed_checksum(const std::byte* data, index_t n) {
  constexpr std::uint64_t multiplier = 0xff51afd7ed558ccdu;
  std::uint64_t h[4] = {0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u, 0x94d049bb133111ebu,
                        0xd1342543de82ef95u};
  const auto mix = [](std::uint64_t state, std::uint64_t w) {
    state ^= w;
    // Keeps it out of vector registers: AVX2 has no product of 64 bits, and g++ 12 at -O3 makes one of
    // smaller ones that takes four times as long.
    asm("" : "+r"(state));
    return std::rotl(state, 29) * multiplier;
  };
  index_t i = 0;
  for (; i + 32 <= n; i += 32) {
    std::uint64_t w[4];
    std::memcpy(w, data + i, 32);
    for (int k = 0; k < 4; ++k) h[k] = mix(h[k], w[k]);
  }
  std::uint64_t last[4] = {};
  if (i < n) std::memcpy(last, data + i, static_cast<std::size_t>(n - i));
  std::uint64_t sum = static_cast<std::uint64_t>(n);
  for (int k = 0; k < 4; ++k) sum = mix(mix(h[k], last[k]), sum);
  sum = (sum ^ (sum >> 32)) * 0xc4ceb9fe1a85ec53u;
  return sum ^ (sum >> 32);
}

/// The checksum that a header should carry.
inline std::uint64_t packed_checksum_of(const std::byte* bytes, index_t total) {
  constexpr index_t from = offsetof(packed_header, total_bytes);
  return packed_checksum(bytes + from, total - from);
}

/// The header with its checksum to the front of bytes that are otherwise complete.
inline void seal_packed(std::byte* bytes, packed_header& header) {
  std::memcpy(bytes, &header, sizeof header);
  header.checksum = packed_checksum_of(bytes, header.total_bytes);
  std::memcpy(bytes, &header, sizeof header);
}

/// Lays out sections of the given lengths behind the header, which it completes except for the checksum.
inline status layout_packed(packed_header& header, const index_t* lengths, int count) {
  constexpr index_t line = static_cast<index_t>(storage_alignment);
  index_t at = round_up(index_t{sizeof(packed_header)}, line);
  header.section_count = count;
  for (int i = 0; i < count; ++i) {
    header.sections[i] = {at, lengths[i]};
    if (!checked_add(at, lengths[i], at) || !checked_add(at, line + packed_slack, at)) {
      return {.code = errc::size_overflow, .object = "packed", .detail = "bytes",
              .got = lengths[i], .allowed = std::numeric_limits<index_t>::max()};
    }
    at = at / line * line;
  }
  header.total_bytes = at + packed_slack;
  return {};
}

/// Header and sections of untrusted bytes: magic, version, form, type, lengths, checksum. What the
/// sections hold is for the form's own validate.
inline status validate_packed_header(array_view<const std::byte> bytes, packed_form form,
                                     packed_type type, packed_header& header) {
  const auto fail = [](errc code, const char* detail, any_integer got, any_integer allowed) {
    return status{.code = code, .object = "packed", .detail = detail, .got = got,
                  .allowed = allowed};
  };
  if (bytes.size() < index_t{sizeof(packed_header)}) {
    return fail(errc::truncated, "header", bytes.size(), sizeof(packed_header));
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != packed_magic) return fail(errc::bad_magic, "magic", header.magic, packed_magic);
  if (header.version != packed_version) {
    return fail(errc::bad_version, "version", header.version, packed_version);
  }
  if (header.form != form) {
    return fail(errc::unsupported, "form", static_cast<int>(header.form), static_cast<int>(form));
  }
  if (header.type != type) {
    return fail(errc::unsupported, "type", static_cast<int>(header.type), static_cast<int>(type));
  }
  if (header.total_bytes != bytes.size()) {
    return fail(errc::truncated, "bytes", bytes.size(), header.total_bytes);
  }
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % storage_alignment != 0) {
    return fail(errc::bad_argument, "address modulo 64",
                reinterpret_cast<std::uintptr_t>(bytes.data()) % storage_alignment, 0);
  }
  if (header.checksum != packed_checksum_of(bytes.data(), bytes.size())) {
    return fail(errc::bad_checksum, "checksum", header.checksum,
                packed_checksum_of(bytes.data(), bytes.size()));
  }
  if (header.rows < 0 || header.cols < 0 || header.nnz < 0 || header.slots < header.nnz) {
    return fail(errc::corrupt, "sizes", header.slots, header.nnz);
  }
  if (header.section_count < 0 || header.section_count > packed_max_sections) {
    return fail(errc::corrupt, "sections", header.section_count, packed_max_sections);
  }
  for (int i = 0; i < header.section_count; ++i) {
    const packed_section& s = header.sections[i];
    index_t end = 0;
    if (s.offset < index_t{sizeof(packed_header)} || s.offset % index_t{storage_alignment} != 0 ||
        s.bytes < 0 || !checked_add(s.offset, s.bytes, end) || !checked_add(end, packed_slack, end) ||
        end > header.total_bytes) {
      return fail(errc::corrupt, "section", s.offset, header.total_bytes);
    }
  }
  return {};
}

template <class U>
array_view<const U> packed_section_as(const std::byte* bytes, const packed_section& s) {
  return {reinterpret_cast<const U*>(bytes + s.offset), s.bytes / index_t{sizeof(U)}};
}

SPARSEKIT_EXEC_END_IN_V0

/// What the owners of all packed forms have in common: the bytes, and the view of them. Move-only. `View`
/// says which form it is: `form`, `object` (its name in errors), `section_count` and `of(bytes, header)`.
template <class View>
class packed_owner {
 public:
  using value_type = typename View::value_type;

  packed_owner() = default;
  explicit packed_owner(buffer<std::byte>&& bytes) : bytes_(std::move(bytes)) {}

  bool empty() const { return bytes_.size() == 0; }
  /// The packed bytes: to be saved, and given to `view_of` after loading.
  array_view<const std::byte> bytes() const { return bytes_.view(); }
  View view() const {
    if (empty()) return {};
    packed_header h;
    std::memcpy(&h, bytes_.data(), sizeof h);
    return View::of(bytes_.data(), h);
  }
  extents shape() const { return view().shape; }
  index_t rows() const { return view().rows(); }
  index_t cols() const { return view().cols(); }
  index_t nnz() const { return view().nnz(); }

  /// Bytes that somebody loaded or mapped, on a 64-byte boundary: checked, and used where they lie.
  template <class Flags = flags_tag>
  static result<View> view_of(array_view<const std::byte> bytes) {
    packed_header h;
    if (status s = validate_packed_header(bytes, View::form, packed_type_of<value_type>, h); !s) {
      return s;
    }
    if (h.section_count != View::section_count) {
      return status{.code = errc::corrupt, .object = View::object, .detail = "sections",
                    .got = h.section_count, .allowed = View::section_count};
    }
    const View view = View::of(bytes.data(), h);
    if (status s = validate(view); !s) return s;
    return view;
  }

 private:
  buffer<std::byte> bytes_;
};

}  // namespace v0
}  // namespace sparsekit
