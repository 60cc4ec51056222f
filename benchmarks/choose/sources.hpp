// Where the matrices of the benchmark come from: generators, .smtx files, pruned networks.
#pragma once

#include <sparsekit/choose/samples.hpp>
#include <string>
#include <vector>

namespace choose_benchmark {

namespace sk = sparsekit;
using sk::index_t;
using csr_f32 = sk::csr_matrix<float, std::int32_t, std::int64_t>;

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
/// All .smtx files below a folder, with random values.
std::vector<named_matrix> from_smtx(const std::string& folder);
/// The pruned 1x1 convolutions of a network: graph.txt and weights.safetensors in a folder.
std::vector<named_matrix> from_network(const std::string& folder);

}  // namespace choose_benchmark
