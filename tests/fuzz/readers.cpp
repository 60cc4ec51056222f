// Entry points for libFuzzer: each reader of files must give a result or an error on any bytes, and
// what it accepts must be valid. The first byte chooses the reader. (Packed bytes: packed.cpp.)
#include <cstdint>
#include <cstdlib>
#include <string>

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const sk::io::byte_view bytes(reinterpret_cast<const std::byte*>(data + 1), size - 1);
  switch (data[0] % 6) {
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
    default:
      break;
  }
  return 0;
}
