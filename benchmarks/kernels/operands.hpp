// What the kernels multiply: matrices from generators or files, in every format of the kernel
// table.
#pragma once

#include <algorithm>
#include <cstdint>
#include <sparsekit/convert/to_bsr.hpp>
#include <sparsekit/convert/to_nm.hpp>
#include <sparsekit/convert/to_sell.hpp>
#include <sparsekit/convert/to_structured.hpp>
#include <sparsekit/io/matrix_market.hpp>
#include <sparsekit/io/smtx.hpp>
#include <sparsekit/pack/blocks.hpp>
#include <sparsekit/pack/dense.hpp>
#include <sparsekit/pack/bitmask.hpp>
#include <sparsekit/pack/lookup.hpp>
#include <sparsekit/pack/nm.hpp>
#include <sparsekit/pack/pack.hpp>
#include <sparsekit/pack/structured.hpp>
#include <sparsekit/sparsekit.hpp>
#include <string>
#include <vector>

#include "support/generators.hpp"
#include "support/rng.hpp"

namespace kernel_benchmarks {

namespace sk = sparsekit;
using sk::index_t;
using sparsekit_test::rng;

/// The types of X and Y that go with weights of type T.
template <class T>
using x_type = std::conditional_t<std::is_same_v<T, std::int8_t>, std::uint8_t, sk::sum_of_t<T>>;
template <class T>
using y_type = sk::sum_of_t<T>;

/// A generator, or a .smtx or .mtx file.
struct pattern_source {
  sparsekit_test::pattern pattern{};
  index_t rows = 0;
  index_t cols = 0;
  double zeros = 0;
  std::string file;

  std::string name() const {
    if (!file.empty()) return file.substr(file.find_last_of('/') + 1);
    return std::string(sparsekit_test::name_of(pattern)) + "/" + std::to_string(rows) + "x" +
           std::to_string(cols) + "/zeros" + std::to_string(static_cast<int>(zeros * 100 + 0.5));
  }
};

/// One matrix, sparse and written out. `number` makes matrices of one source differ.
template <class T>
struct source {
  sk::csr_matrix<T> csr;
  std::vector<T> dense;

  source(const pattern_source& from, int number) : csr(make(from, number)) {
    dense.assign(static_cast<std::size_t>(csr.rows() * csr.cols()), T{});
    const auto a = csr.view();
    for (index_t r = 0; r < a.rows(); ++r) {
      for (index_t p = a.row_ptr[r]; p < a.row_ptr[r + 1]; ++p) {
        dense[static_cast<std::size_t>(r * a.cols() + a.columns[p])] = a.values[p];
      }
    }
  }
  sk::dense_view<const T> dense_view() const { return {dense.data(), csr.rows(), csr.cols()}; }

 private:
  /// Narrow values from those of f32, no entry of s8 zero.
  static sk::csr_matrix<T> make(const pattern_source& from, int number) {
    if constexpr (!sk::is_narrow<T>) {
      return read<T>(from, number);
    } else {
      const auto wide = read<float>(from, number);
      const auto a = wide.view();
      std::vector<T> values;
      for (const float v : a.values) {
        if constexpr (std::is_integral_v<T>) {
          const float scaled = std::clamp(40 * v, -127.f, 127.f);
          values.push_back(static_cast<T>(scaled < 0 ? scaled - 1 : scaled + 1));
        } else {
          values.push_back(T(v));
        }
      }
      return sk::csr_matrix<T>::from_view(
                 sk::csr_view<const T>{a.shape, a.row_ptr, a.columns, values})
          .value();
    }
  }
  template <class V>
  static sk::csr_matrix<V> read(const pattern_source& from, int number) {
    rng random(static_cast<std::uint64_t>(1 + number));
    if (from.file.ends_with(".smtx")) {
      // These files hold no values. Were all the same, some forms would store one and not all.
      const auto ones = sk::io::read_smtx<V>(from.file).value();
      const auto a = ones.view();
      const auto values = sparsekit_test::make_dense<V>(a.nnz(), 1, random);
      return sk::csr_matrix<V>::from_view(
                 sk::csr_view<const V>{a.shape, a.row_ptr, a.columns, values})
          .value();
    }
    if (!from.file.empty()) return sk::io::read_matrix_market<V>(from.file).value();
    const auto a =
        sparsekit_test::make_csr<V>(from.pattern, from.rows, from.cols, 1 - from.zeros, random);
    return sk::csr_matrix<V>::from_view(
               sk::csr_view<const V>{{a.rows, a.cols}, a.row_ptr, a.columns, a.values})
        .value();
  }
};

/// A copy of dense weights.
template <class T>
struct dense_operand {
  index_t rows, cols;
  std::vector<T> values;
  explicit dense_operand(const source<T>& s)
      : rows(s.csr.rows()), cols(s.csr.cols()), values(s.dense) {}
  sk::dense_view<const T> view() const { return {values.data(), rows, cols}; }
};

/// Column-major weights of which every column that x would use is named: one in 1 / density.
template <class T>
struct active_operand {
  index_t rows, cols;
  std::vector<T> values;
  std::vector<std::uint32_t> indices;
  explicit active_operand(const source<T>& s)
      : rows(s.csr.rows()), cols(s.csr.cols()), values(s.dense) {
    double debt = 0;
    const double density =
        static_cast<double>(s.csr.nnz()) / (static_cast<double>(rows) * static_cast<double>(cols));
    for (index_t c = 0; c < cols; ++c) {
      debt += density;
      if (debt < 1) continue;
      debt -= 1;
      indices.push_back(static_cast<std::uint32_t>(c));
    }
  }
  sk::active_columns_view<T> view() const {
    return {.w = {values.data(), rows, cols}, .indices = indices, .compact = false};
  }
};

/// Every column of W active, in the 16 x 1 blocks that hold an entry: zeros in W only.
template <class T>
struct active_blocks_operand {
  sk::bsr_matrix<T> transpose;
  std::vector<std::uint32_t> indices;
  explicit active_blocks_operand(const source<T>& s)
      : transpose(sk::to_bsr<std::int32_t, std::int32_t>(sk::transposed(s.csr), {1, 16}).value()) {
    for (index_t c = 0; c < s.csr.cols(); ++c) indices.push_back(static_cast<std::uint32_t>(c));
  }
  auto view() const {
    return sk::active_blocks_view<decltype(transpose.view())>{transpose.view(), indices, true};
  }
};
template <class T>
auto library_operand(const active_blocks_operand<T>& o) {
  return o.view();
}

/// The lower triangle of the leading square.
template <class T>
sk::symmetric_matrix<T> symmetric_operand(const source<T>& s) {
  const auto a = s.csr.view();
  const index_t n = std::min(a.rows(), a.cols());
  std::vector<sk::triplet<T>> half;
  for (index_t r = 0; r < n; ++r) {
    for (index_t p = a.row_ptr[r]; p < a.row_ptr[r + 1] && a.columns[p] <= r; ++p) {
      half.push_back({static_cast<std::int32_t>(r), a.columns[p], a.values[p]});
    }
  }
  return sk::symmetric_matrix<T>::make(sk::csr_matrix<T>::from_triplets({n, n}, half).value(),
                                       sk::lower)
      .value();
}

/// SELL of the transpose, to be read as its transpose.
template <class T>
struct transposed_operand {
  sk::sell_matrix<T> sell;
  explicit transposed_operand(const source<T>& s)
      : sell(sk::to_sell(sk::to_csr(sk::transposed(s.csr)).value(), {.max_fill = 1000}).value()) {}
  auto view() const { return sk::transposed(sell); }
};

/// pack() and, for kernels of forms that it would not choose here, each form alone.
inline constexpr int packed_ways = 6;
template <class T>
sk::packed_matrix<T> packed_way(const source<T>& s, int way) {
  const sk::extents shape(s.csr.rows(), s.csr.cols());
  const index_t nnz = s.csr.nnz();
  if (way == 1) return {shape, nnz, {}, sk::pack_lookup(s.csr).value()};
  if (way == 2) return {shape, nnz, {}, {}, {}, {}, sk::pack<sk::bitmask>(s.csr).value()};
  if constexpr (!std::is_integral_v<T>) {
    const auto cut = sk::choose_quad_shape<T>(shape, nnz, {64});
    if (way == 3) return {shape, nnz, sk::pack_quads(sk::seq, s.csr.view(), cut).value()};
  }
  if constexpr (!sk::is_narrow<T>) {
    if (way == 4) return {shape, nnz, {}, {}, sk::pack_spmv(s.csr).value()};
    if (way == 5) return {shape, nnz, {}, {}, {}, sk::pack_wide(sk::seq, s.csr.view()).value()};
  }
  return sk::pack(s.csr, {.columns = {1, 64}}).value();
}

template <class Format, class T>
auto make_operand(const source<T>& s, [[maybe_unused]] int way) {
  namespace format = sk::format;
  if constexpr (std::is_same_v<Format, format::csr>) {
    return sk::to_csr(s.csr).value();
  } else if constexpr (std::is_same_v<Format, format::csc>) {
    return sk::to_csc(s.csr).value();
  } else if constexpr (std::is_same_v<Format, format::coo>) {
    return sk::to_coo(s.csr).value();
  } else if constexpr (std::is_same_v<Format, format::sell>) {
    return sk::to_sell(s.csr).value();
  } else if constexpr (std::is_same_v<Format, format::bsr>) {
    return sk::to_bsr(s.csr).value();
  } else if constexpr (std::is_same_v<Format, format::symmetric>) {
    return symmetric_operand(s);
  } else if constexpr (std::is_same_v<Format, format::transposed>) {
    return transposed_operand<T>(s);
  } else if constexpr (std::is_same_v<Format, format::packed>) {
    return packed_way(s, way);
  } else if constexpr (std::is_same_v<Format, format::nm>) {
    // The N:M that the matrix has, or 2:4 by magnitude.
    for (const sk::nm_shape& g : {sk::nm_shape{1, 8}, sk::nm_shape{1, 4}}) {
      sk::nm_matrix<T> groups;
      if (sk::to_nm(s.csr, g).get(groups)) return sk::pack(groups).value();
    }
    return sk::pack<sk::nm<2, 4>>(s.dense_view(), sk::magnitude_pruning).value();
  } else if constexpr (std::is_same_v<Format, format::blocks>) {
    return sk::pack_blocks(s.csr, {2, 4 / index_t{sizeof(T)}}).value();
  } else if constexpr (std::is_same_v<Format, format::structured>) {
    return sk::pack(sk::to_structured(s.csr).value()).value();
  } else if constexpr (std::is_same_v<Format, format::lookup>) {
    return sk::pack_lookup(s.csr).value();
  } else if constexpr (std::is_same_v<Format, format::bitmask>) {
    return sk::pack<sk::bitmask>(s.csr).value();
  } else if constexpr (std::is_same_v<Format, format::packed_dense>) {
    return sk::pack_dense(s.dense_view()).value();
  } else if constexpr (std::is_same_v<Format, format::active>) {
    return active_operand<T>(s);
  } else if constexpr (std::is_same_v<Format, format::active_blocks>) {
    return active_blocks_operand<T>(s);
  } else {
    static_assert(std::is_same_v<Format, format::dense>, "a format that no benchmark makes");
    return dense_operand<T>(s);
  }
}

/// The operand as a workspace takes it: owners of this file by their views.
template <class Owner>
const Owner& library_operand(const Owner& o) {
  return o;
}
template <class T>
auto library_operand(const dense_operand<T>& o) {
  return o.view();
}
template <class T>
auto library_operand(const transposed_operand<T>& o) {
  return o.view();
}
template <class T>
auto library_operand(const active_operand<T>& o) {
  return o.view();
}

/// Entries that count in 2 nnz N.
template <class View>
index_t entries_of(const View& a) {
  if constexpr (requires { a.nnz(); }) {
    return a.nnz();
  } else {
    return a.rows() * a.cols();
  }
}

/// Memory of an operand: what a kernel reads of it.
template <class Owner>
index_t bytes_of(const Owner& o) {
  using view = std::remove_cvref_t<decltype(o.view())>;
  constexpr index_t value = index_t{sizeof(typename view::value_type)};
  if constexpr (requires { o.bytes().size(); }) {
    return o.bytes().size();
  } else if constexpr (requires { index_t{o.bytes()}; }) {
    return o.bytes();
  } else if constexpr (requires { typename view::index; }) {
    return o.view().nnz() * (value + index_t{sizeof(typename view::index)});
  } else {
    return entries_of(o.view()) * value;
  }
}

}  // namespace kernel_benchmarks
