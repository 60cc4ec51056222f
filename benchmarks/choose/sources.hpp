// Where the matrices of the benchmark come from: generators, .smtx files, pruned networks.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <sparsekit/choose/samples.hpp>
#include <string>
#include <vector>

namespace choose_benchmark {

namespace sk = sparsekit;
using sk::index_t;
using csr_f32 = sk::csr_matrix<float, std::int32_t, std::int64_t>;

/// The same pattern with weights of another type.
template <class T>
sk::csr_matrix<T, std::int32_t, std::int64_t> typed(const csr_f32& a) {
  const auto v = a.view();
  sk::buffer<std::int64_t> row_ptr;
  sk::buffer<std::int32_t> columns;
  sk::buffer<T> values;
  if (!row_ptr.allocate(v.row_ptr.size()) || !columns.allocate(v.nnz()) ||
      !values.allocate(v.nnz()))
    std::abort();
  std::copy_n(v.row_ptr.data(), v.row_ptr.size(), row_ptr.data());
  std::copy_n(v.columns.data(), v.nnz(), columns.data());
  for (index_t i = 0; i < v.nnz(); ++i) {
    if constexpr (std::is_integral_v<T>) {  // no weight may become zero
      values[i] = static_cast<T>(v.values[i] < 0 ? -1 - i % 127 : 1 + i % 127);
    } else {
      values[i] = static_cast<T>(v.values[i]);
    }
  }
  return {v.shape, std::move(row_ptr), std::move(columns), std::move(values)};
}

/// A matrix and what it is multiplied with.
struct named_matrix {
  std::string name;
  std::string group;  ///< random, N:M, blocks, removed channels, dlmc, a network: reported apart
  csr_f32 matrix;
  std::vector<index_t> columns;  ///< empty: the benchmark's own
};

/// Random shapes and zeros, a seventh each in N:M groups, blocks, rows of unlike length, and by
/// removed rows and columns with what is left full or scattered. Not the matrices that calibrate()
/// sees: other seeds, other levels.
std::vector<named_matrix> generated(int count, std::uint64_t seed);
/// A matrix like the one of that name, by its pattern, shape and zeros: another seed, for rows of a
/// generator of another day. Without rows if the name is none of generated().
named_matrix generated_like(const std::string& name);
/// All .smtx files below a folder, with random values.
std::vector<named_matrix> from_smtx(const std::string& folder);
/// The pruned 1x1 convolutions of a network: graph.txt and weights.safetensors in a folder.
std::vector<named_matrix> from_network(const std::string& folder);

}  // namespace choose_benchmark
