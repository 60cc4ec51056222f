#include "sources.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sparsekit/convert/from_dense.hpp>
#include <sparsekit/io/safetensors.hpp>
#include <sparsekit/io/smtx.hpp>
#include <sstream>

namespace choose_benchmark {
namespace {

/// The value of key=value in a line of graph.txt.
std::string field(const std::string& line, const std::string& key) {
  const std::size_t at = line.find(" " + key + "=");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + key.size() + 2;
  return line.substr(begin, line.find(' ', begin) - begin);
}

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, by);) parts.push_back(part);
  return parts;
}

}  // namespace

std::vector<named_matrix> generated(int count, std::uint64_t seed) {
  std::vector<named_matrix> list;
  sk::plan::sample_random random{seed ^ 0x51ed270b};
  constexpr double levels[] = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99};
  constexpr index_t nm[][2] = {{1, 2}, {2, 4}, {1, 4}, {4, 8}, {2, 8}, {1, 8}, {4, 16}};
  while (static_cast<int>(list.size()) < count) {
    sk::sample g;
    const auto side = [&] { return static_cast<index_t>(16 * std::exp2(8 * random.uniform())); };
    g.shape = sk::extents(side(), side());
    if (g.shape.rows * g.shape.cols > 4096 * 4096 / 2 && random.below(4) != 0) continue;
    g.seed = random.bits();
    g.zeros = levels[random.below(std::size(levels))];
    std::string group = "random";
    const index_t kind = random.below(7);
    if (kind == 0) {
      const auto& pick = nm[random.below(std::size(nm))];
      g.pattern = sk::sample_pattern::groups;
      g.shared = {index_t{1} << random.below(5), pick[1]};
      g.zeros = 1 - static_cast<double>(pick[0]) / static_cast<double>(pick[1]);
      group = "N:M";
    } else if (kind == 1) {
      g.pattern = sk::sample_pattern::blocks;
      g.shared = {index_t{1} << random.below(5), index_t{1} << random.below(5)};
      group = "blocks";
    } else if (kind == 5) {
      g.pattern = sk::sample_pattern::structured;
      g.zeros = std::max(g.zeros, 0.1);
      g.by_rows = 0.5 * static_cast<double>(random.below(3));
      if (random.below(2) == 0) g.zeros_left = levels[random.below(std::size(levels))];
      group = "removed channels";
    } else if (kind == 6) {
      g.pattern = sk::sample_pattern::uneven;
      group = "uneven";
    }
    char name[128];
    const int size =
        std::snprintf(name, sizeof name, "%s-%dx%d-%ldx%ld-%.2f", group.c_str(),
                      static_cast<int>(g.shared.rows), static_cast<int>(g.shared.cols),
                      static_cast<long>(g.shape.rows), static_cast<long>(g.shape.cols), g.zeros);
    if (kind == 5)
      std::snprintf(name + size, sizeof name - static_cast<std::size_t>(size), "-%.1f-%.2f",
                    g.by_rows, g.zeros_left);
    list.push_back({name, group, sk::make_sample<float>(g).value(), {}});
  }
  return list;
}

named_matrix generated_like(const std::string& name) {
  const std::string group = name.substr(0, name.find('-'));
  sk::sample g;
  long r = 0, k = 0, rows = 0, cols = 0;
  const int read = std::sscanf(name.c_str() + group.size(), "-%ldx%ld-%ldx%ld-%lf-%lf-%lf", &r, &k,
                               &rows, &cols, &g.zeros, &g.by_rows, &g.zeros_left);
  if (read < 5) return {name, "", {}, {}};
  g.shape = sk::extents(rows, cols);
  g.shared = {r, k};
  g.pattern = group == "N:M"                ? sk::sample_pattern::groups
              : group == "blocks"           ? sk::sample_pattern::blocks
              : group == "removed channels" ? sk::sample_pattern::structured
              : group == "uneven"           ? sk::sample_pattern::uneven
                                            : sk::sample_pattern::scattered;
  for (const char letter : name) g.seed = g.seed * 31 + static_cast<unsigned char>(letter);
  return {name, group, sk::make_sample<float>(g).value(), {}};
}

std::vector<named_matrix> from_smtx(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".smtx") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<named_matrix> list;
  for (const std::string& path : paths) {
    const auto ones = sk::io::read_smtx<float, std::int32_t, std::int64_t>(path).value();
    // The files hold no values, so that all are read as 1, which slices would store once and for all: weights differ.
    const auto v = ones.view();
    sk::buffer<std::int64_t> row_ptr;
    sk::buffer<std::int32_t> columns;
    sk::buffer<float> values;
    if (!row_ptr.allocate(v.row_ptr.size()) || !columns.allocate(v.nnz()) || !values.allocate(v.nnz())) std::abort();
    std::copy(v.row_ptr.begin(), v.row_ptr.end(), row_ptr.begin());
    std::copy(v.columns.begin(), v.columns.end(), columns.begin());
    sk::plan::sample_random random{static_cast<std::uint64_t>(v.nnz())};
    for (float& value : values) value = static_cast<float>(0.5 + random.uniform());
    csr_f32 a(v.shape, std::move(row_ptr), std::move(columns), std::move(values));
    list.push_back({std::filesystem::path(path).stem().string(), "dlmc", std::move(a), {}});
  }
  return list;
}

std::vector<named_matrix> from_network(const std::string& folder) {
  const auto weights = sk::io::read_safetensors(folder + "/weights.safetensors").value();
  std::ifstream graph(folder + "/graph.txt");
  std::vector<named_matrix> list;
  for (std::string line; std::getline(graph, line);) {
    if (!line.starts_with("CONV_2D ")) continue;
    const auto inputs = split(field(line, "in"), ',');
    const auto out = split(field(line, "shape"), 'x');
    if (inputs.size() < 2 || out.size() != 4) continue;
    const auto* w = sk::io::find(weights, inputs[1]);
    if (w == nullptr || w->shape.size() != 4 || w->shape[1] != 1 || w->shape[2] != 1) continue;
    const auto values = sk::io::read_values<float>(*w).value();
    const sk::dense_view<const float> view(values.data(), w->shape[0], w->shape[3]);
    auto a = csr_f32::from_dense(view).value();
    if (static_cast<double>(a.nnz()) > 0.6 * static_cast<double>(values.size())) continue;
    const index_t n = std::atol(out[1].c_str()) * std::atol(out[2].c_str());
    list.push_back({std::filesystem::path(folder).filename().string() + "-" + field(line, "out"),
                    std::filesystem::path(folder).filename().string(), std::move(a), {n}});
  }
  return list;
}

}  // namespace choose_benchmark
