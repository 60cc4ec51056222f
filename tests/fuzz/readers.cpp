// Entry points for libFuzzer: each reader of files, and view_of of packed bytes, must give a result or
// an error on any bytes, and what it accepts must be valid. The first byte chooses the reader.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "sparsekit/formats/packed.hpp"
#include "sparsekit/formats/packed_blocks.hpp"
#include "sparsekit/formats/structured.hpp"
#include "sparsekit/io/gzip.hpp"
#include "sparsekit/io/matrix_market.hpp"
#include "sparsekit/io/npy.hpp"
#include "sparsekit/io/safetensors.hpp"
#include "sparsekit/io/smtx.hpp"

namespace {

namespace sk = sparsekit;

void require(bool condition) {
  if (!condition) std::abort();
}

/// Errors are one line.
bool good(const sk::status& s) {
  if (!s) require(s.message().find('\n') == std::string::npos);
  return static_cast<bool>(s);
}

void read_tensor(const sk::io::tensor_view& t) {
  sk::buffer<double> values;
  require(static_cast<bool>(sk::io::read_values<double>(t).get(values)));
  sk::buffer<std::int16_t> integers;
  good(sk::io::read_values<std::int16_t>(t).get(integers));
}

void fuzz_safetensors(sk::io::byte_view bytes) {
  sk::io::safetensors out;
  if (!good(sk::io::parse_safetensors(bytes).get(out))) return;
  for (const auto& t : out.tensors) read_tensor(t.tensor);
}

void fuzz_npy(sk::io::byte_view bytes) {
  sk::io::tensor_view out;
  if (good(sk::io::parse_npy(bytes).get(out))) read_tensor(out);
}

void fuzz_smtx(sk::io::byte_view bytes) {
  sk::csr_matrix<float, std::uint16_t, std::int64_t> out;
  if (good(sk::io::parse_smtx<float, std::uint16_t, std::int64_t>(sk::io::as_text(bytes))
               .get(out))) {
    require(static_cast<bool>(sk::validate(out.view())));
  }
}

template <class T>
void fuzz_matrix_market(sk::io::byte_view bytes) {
  sk::csr_matrix<T> out;
  // Up to 2^24 rows may be without entries, as they may: zeroing their offsets each time is slow.
  const std::string_view text = sk::io::as_text(bytes);
  std::size_t digits = 0;
  for (char c : text) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits > 5) return;
  }
  if (good(sk::io::parse_matrix_market<T>(text).get(out))) {
    require(static_cast<bool>(sk::validate(out.view())));
  }
}

void fuzz_gzip(sk::io::byte_view bytes) {
  sk::io::byte_buffer out;
  good(sk::io::gzip<sk::io::zlib_tag>::unpack(bytes, {.max_bytes = 1 << 20}).get(out));
}

/// A packed form of its type, the checksum set right so that the checks behind it are reached.
template <class Packed>
void fuzz_packed(sk::io::byte_view bytes) {
  const sk::index_t n = bytes.size();
  sk::buffer<std::byte> copy;
  if (!copy.allocate(n)) return;
  if (n > 0) std::memcpy(copy.data(), bytes.data(), static_cast<std::size_t>(n));
  sk::packed_header h;
  if (n >= sk::index_t{sizeof h}) {
    std::memcpy(&h, copy.data(), sizeof h);
    if (h.total_bytes == n) h.checksum = sk::packed_checksum_of(copy.data(), n);
    std::memcpy(copy.data(), &h, sizeof h);
  }
  auto view = Packed::view_of(copy.view());
  if (good(view.error())) require(static_cast<bool>(sk::validate(std::move(view).value())));
}
/// The form by the header's own words.
void fuzz_packed_forms(sk::io::byte_view bytes) {
  fuzz_packed<sk::packed_nm<std::int8_t>>(bytes);
  fuzz_packed<sk::packed_nm<sk::bfloat16>>(bytes);
  fuzz_packed<sk::packed_blocks<std::int8_t>>(bytes);
  fuzz_packed<sk::quad_matrix<sk::float16>>(bytes);
  fuzz_packed<sk::packed_structured<float>>(bytes);
  fuzz_packed<sk::packed_structured<std::int8_t>>(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const sk::io::byte_view bytes(reinterpret_cast<const std::byte*>(data + 1), size - 1);
  switch (data[0] % 7) {
    case 0:
      fuzz_safetensors(bytes);
      break;
    case 1:
      fuzz_npy(bytes);
      break;
    case 2:
      fuzz_smtx(bytes);
      break;
    case 3:
      fuzz_matrix_market<double>(bytes);
      break;
    case 4:
      fuzz_matrix_market<std::int8_t>(bytes);
      break;
    case 5:
      fuzz_gzip(bytes);
      break;
    case 6:
      fuzz_packed_forms(bytes);
      break;
    default:
      break;
  }
  return 0;
}
