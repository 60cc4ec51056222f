// Entry point for libFuzzer: packed bytes of every form, damaged and sealed again so that the
// checks behind the checksum are reached. view_of() gives an error or a view; a view that it gave
// is multiplied, with bytes, X and Y in memory that ends where they end, and must stay inside.
//
//   sample  columns  flags  cut  (at, at, how, value, value)…
//
// `sample` says which packed matrix, `columns` and `flags` how to multiply, `cut` how many bytes
// are missing at the end. Each edit writes `value`, shifted, over 1, 2, 4 or 8 bytes: small
// numbers, and sizes that overflow.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sparsekit/multiply.hpp"
#include "sparsekit/pack/blocks.hpp"
#include "sparsekit/pack/dense.hpp"
#include "sparsekit/pack/nm.hpp"
#include "sparsekit/pack/pack.hpp"
#include "sparsekit/pack/structured.hpp"
#include "support/generators.hpp"

namespace {

namespace sk = sparsekit;
using sk::index_t;
using namespace sparsekit_test;
using bytes_view = sk::array_view<const std::byte>;

void require(bool condition) {
  if (!condition) std::abort();
}

/// How to multiply by a view that was accepted.
struct product {
  index_t columns = 1;
  bool with_workspace = false;
  bool finite = true;
};

// Forms that have no kernels alone are multiplied as the one form of a packed matrix.
template <class T>
sk::packed_view<const T> operand(const sk::quad_view<const T>& v) {
  return {.shape = v.shape, .entries = v.entries, .quads = v};
}
template <class T>
sk::packed_view<const T> operand(const sk::lookup_view<const T>& v) {
  return {.shape = v.shape, .entries = v.entries, .lookup = v};
}
template <class T>
sk::packed_view<const T> operand(const sk::spmv_view<const T>& v) {
  return {.shape = v.shape, .entries = v.entries, .spmv = v};
}
template <class T>
sk::packed_view<const T> operand(const sk::wide_view<const T>& v) {
  return {.shape = v.shape, .entries = v.entries, .wide = v};
}
template <class T>
sk::packed_view<const T> operand(const sk::bitmask_view<const T>& v) {
  return {.shape = v.shape, .entries = v.nnz(), .bits = v};
}
template <class View>
const View& operand(const View& v) {
  return v;
}

/// X of u8 for s8, of f32 for 16-bit weights.
template <class T>
using x_type = std::conditional_t<std::is_integral_v<T>, std::uint8_t, sk::sum_of_t<T>>;

template <class View>
void multiply(const View& a, const product& how) {
  using T = typename View::value_type;
  using TX = x_type<T>;
  using TY = sk::sum_of_t<T>;
  constexpr index_t most =
      4096;  // of rows and columns; an accepted matrix without entries may have 2^60
  if (a.rows() > most || a.cols() > most) return;
  const index_t n = how.columns;
  const auto x = std::make_unique<TX[]>(static_cast<std::size_t>(a.cols() * n));
  const auto y = std::make_unique<TY[]>(static_cast<std::size_t>(a.rows() * n));
  for (index_t i = 0; i < a.cols() * n; ++i)
    x[static_cast<std::size_t>(i)] = static_cast<TX>(i % 7);
  if (!how.finite && a.cols() > 0)
    x[static_cast<std::size_t>(a.cols() * n / 2)] = std::numeric_limits<TX>::infinity();
  sk::workspace ws;
  if (how.with_workspace) ws = sk::workspace(a, {.max_columns = n});
  // Column-major: that alone is one kind of call for one column and for many, and half of the code
  // to compile.
  sk::multiply(a, sk::dense_view<const TX, sk::col_major>(x.get(), a.cols(), n),
               sk::dense_view<TY, sk::col_major>(y.get(), a.rows(), n), ws);
}

template <class Packed>
void use(bytes_view bytes, const product& how) {
  decltype(Packed::view_of(bytes).value()) view;
  if (const sk::status s = Packed::view_of(bytes).get(view); !s) {
    require(s.message().find('\n') == std::string::npos);  // errors are one line
    return;
  }
  // Kernels of f16 differ from those of bf16 in one conversion: that saves a tenth of the time to
  // compile.
  if constexpr (!std::is_same_v<typename Packed::value_type, sk::float16>)
    multiply(operand(view), how);
}

/// Good packed bytes, and what reads them.
struct sample {
  sk::buffer<std::byte> bytes;
  void (*use)(bytes_view, const product&) = nullptr;
};

template <class Packed>
void add(std::vector<sample>& to, bytes_view bytes) {
  sample s;
  require(static_cast<bool>(s.bytes.allocate(bytes.size())));
  std::memcpy(s.bytes.data(), bytes.data(), static_cast<std::size_t>(bytes.size()));
  s.use = use<Packed>;
  require(Packed::view_of(s.bytes.view()).has_value());
  to.push_back(std::move(s));
}
template <class Packed>
void add(std::vector<sample>& to, const Packed& packed) {
  if constexpr (requires { packed.save(); }) {
    add<Packed>(to, packed.save().value().view());
  } else {
    add<Packed>(to, packed.bytes());
  }
}

/// Small integers in this pattern.
template <class T>
struct source {
  csr_arrays<float> a;
  std::vector<T> values;

  source(pattern p, index_t rows, index_t cols, double density) {
    rng random(1);
    a = make_csr<float>(p, rows, cols, density, random, small_integers{});
    for (const float v : a.values) values.push_back(static_cast<T>(v));
  }
  sk::csr_view<const T> view() const { return {{a.rows, a.cols}, a.row_ptr, a.columns, values}; }
};

/// Without entries the sizes of arrays say little about those of the matrix.
template <class T>
void add_empty(std::vector<sample>& to) {
  const source<T> nothing(pattern::empty, 9, 0, 0);
  const auto csr = nothing.view();
  const sk::dense_view<const T> w(nullptr, 9, 0);
  if constexpr (sk::is_narrow<T>) {
    add(to, sk::pack_blocks(csr, {2, 4}).value());
  } else {
    add(to, sk::pack_wide(sk::seq, csr).value());
    add(to, sk::pack_spmv(csr).value());
  }
  if constexpr (!std::is_integral_v<T>) add(to, sk::pack_quads(sk::seq, csr, {}).value());
  add(to, sk::pack_lookup(csr).value());
  add(to, sk::to_bitmask(csr).value());
  add(to, sk::pack_dense(w).value());
  add(to, sk::pack<sk::nm<2, 4>>(w, sk::magnitude_pruning).value());
  add(to, sk::pack(sk::to_structured(csr).value()).value());
}

template <class T>
void add_all(std::vector<sample>& to) {
  const source<T> scattered(pattern::uniform, 21, 37, 0.25);
  const auto csr = scattered.view();
  add(to, sk::pack_lookup(csr).value());
  add(to, sk::to_bitmask(csr).value());
  add(to, sk::pack(csr, {.columns = {1, 64}}).value());
  if constexpr (!std::is_integral_v<T>) {
    add(to, sk::pack_quads(sk::seq, csr, {.row_block = 16, .column_block = 32, .interleave = 1})
                .value());
    add(to, sk::pack_quads(sk::seq, csr, {}).value());
  }
  if constexpr (sk::is_narrow<T>) {
    add(to, sk::pack_blocks(csr, {2, 4}).value());
  } else {
    add(to, sk::pack_wide(sk::seq, csr).value());
    add(to, sk::pack_spmv(csr).value());
    add(to, sk::pack_spmv(source<T>(pattern::banded, 40, 40, 0.1).view()).value());
    add(to, sk::pack_spmv(source<T>(pattern::power_law, 90, 60, 0.05).view()).value());
  }
  if constexpr (std::is_same_v<T, float>) {
    add(to, sk::pack_lookup(csr, {.window_bytes = 128, .keep_18_bits = true}).value());
  }
  // The others differ from those of another type in the kernels that read values, not in the
  // checks.
  if constexpr (!std::is_same_v<T, double> && !std::is_same_v<T, sk::float16>) {
    std::vector<T> dense(21 * 37);
    for (std::size_t i = 0; i < dense.size(); ++i) dense[i] = static_cast<T>(i % 5);
    const sk::dense_view<const T> w(dense.data(), 21, 37);
    add(to, sk::pack_dense(w).value());
    add(to, sk::pack<sk::nm<2, 4>>(w, sk::magnitude_pruning).value());
    add(to, sk::pack<sk::nm<2, 8, 4>>(w, sk::magnitude_pruning).value());
    add(to, sk::pack(sk::to_structured(source<T>(pattern::empty_rows, 21, 37, 0.1).view()).value())
                .value());
    add_empty<T>(to);
  }
}

std::vector<sample> make_samples() {
  std::vector<sample> all;
  add_all<float>(all);
  add_all<double>(all);
  add_all<sk::bfloat16>(all);
  add_all<sk::float16>(all);
  add_all<std::int8_t>(all);
  return all;
}

/// The checksum of these bytes set right, and before it those of packed bytes in their sections.
void seal(std::byte* bytes, index_t size) {
  sk::packed_header h;
  std::memcpy(&h, bytes, sizeof h);
  if (h.form == sk::packed_form::whole || h.form == sk::packed_form::structured) {
    for (const sk::packed_section& s : h.sections) {
      if (s.offset < index_t{sizeof h} || s.offset > size || s.bytes < index_t{sizeof h} ||
          s.bytes > size - s.offset) {
        continue;
      }
      std::uint64_t magic;
      std::memcpy(&magic, bytes + s.offset, sizeof magic);
      if (magic == sk::packed_magic) seal(bytes + s.offset, s.bytes);
    }
  }
  h.checksum = sk::packed_checksum_of(bytes, size);
  std::memcpy(bytes, &h, sizeof h);
}

void apply(const std::uint8_t* edit, std::byte* bytes, index_t size) {
  std::uint16_t at;
  std::int16_t value;
  std::memcpy(&at, edit, sizeof at);
  std::memcpy(&value, edit + 3, sizeof value);
  const auto shifted = static_cast<std::uint64_t>(std::int64_t{value}) << (edit[2] >> 2);
  std::memcpy(bytes + at % (size - 7), &shifted, std::size_t{1} << (edit[2] & 3));
}

struct aligned_delete {
  void operator()(std::byte* p) const {
    ::operator delete (p, std::align_val_t{sk::storage_alignment});
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<sample> samples = make_samples();
  constexpr std::size_t head = 4;
  constexpr std::size_t edit = 5;
  if (size < head) return 0;
  const sample& s = samples[data[0] % samples.size()];
  constexpr index_t columns[] = {1, 1, 2, 3, 5, 17};
  const product how{.columns = columns[data[1] % std::size(columns)],
                    .with_workspace = (data[2] & 1) != 0,
                    .finite = (data[2] & 2) == 0};
  const index_t n = s.bytes.size() - data[3];
  // No rounding up: what is read beyond the end shows.
  const std::unique_ptr<std::byte, aligned_delete> bytes(static_cast<std::byte*>(
      ::operator new (static_cast<std::size_t>(n), std::align_val_t{sk::storage_alignment})));
  std::memcpy(bytes.get(), s.bytes.data(), static_cast<std::size_t>(n));
  if (data[3] != 0)
    std::memcpy(bytes.get() + offsetof(sk::packed_header, total_bytes), &n, sizeof n);
  for (std::size_t i = head; i + edit <= size; i += edit) apply(data + i, bytes.get(), n);
  seal(bytes.get(), n);
  s.use({bytes.get(), n}, how);
  return 0;
}
