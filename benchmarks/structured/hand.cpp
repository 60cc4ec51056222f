// Layers from which channel pruning removed columns: as structured, unstructured and dense.
#include <cstdio>
#include <sparsekit/convert/to_structured.hpp>
#include <sparsekit/io/safetensors.hpp>
#include <sparsekit/pack/dense.hpp>
#include <sparsekit/pack/pack.hpp>
#include <sparsekit/pack/structured.hpp>
#include <sparsekit/sparsekit.hpp>

#include "contenders.hpp"

namespace structured_benchmark {
namespace {

void time_layer(const std::string& layer, const matrix<float>& w, index_t n, int rounds,
                std::ofstream& csv) {
  std::mt19937 random(7);
  matrix<float> x(w.cols, n), y(w.rows, n), expected(w.rows, n);
  matrix<float, sk::col_major> xt(w.cols, n), yt(w.rows, n);
  fill(x.values, random);
  copy(x, xt);
  const auto csr = sk::csr_matrix<float>::from_dense(w.in()).value();
  const auto found = sk::to_structured(csr).value();

  std::vector<contender> all;
  const auto check = [&](const auto& result) {
    all.back().run();
    if (all.size() == 1) std::copy(y.values.begin(), y.values.end(), expected.values.begin());
    const double d = largest_difference(result.in(), expected.in());
    if (d <= 1e-5 * static_cast<double>(w.cols)) return;
    throw std::runtime_error(layer + ", " + all.back().name + ", " + all.back().layout +
                             ": wrong result, off by " + std::to_string(d));
  };
  const auto add = [&](const char* name, const auto& weights) {
    all.push_back(product(name, weights, x.in(), y.view()));
    check(y);
    all.push_back(product(name, weights, xt.in(), yt.view()));
    check(yt);
  };
  add("dense", shared(sk::pack_dense(w.in()).value()));
  add("pack", shared(sk::pack(csr, {.columns = {n}}).value()));
  add("structured", shared(sk::pack(found).value()));
  time_in_turn(all, rounds, false);

  const double dense = least_of(all, "dense"), pack = least_of(all, "pack");
  const double structured = least_of(all, "structured");
  std::printf(
      "%s by %4ld: dense %7.1f us, pack %7.1f us, structured %7.1f us: %.2fx over dense, "
      "%.2fx over pack\n",
      layer.c_str(), static_cast<long>(n), 1e6 * dense, 1e6 * pack, 1e6 * structured,
      dense / structured, pack / structured);
  std::fflush(stdout);
  for (const contender& c : all) {
    csv << layer << ',' << w.rows << ',' << w.cols << ',' << found.removed_rows() << ','
        << found.removed_columns() << ',' << csr.nnz() << ',' << n << ',' << c.name << ','
        << c.layout << ',' << c.least << '\n';
  }
  csv.flush();
}

}  // namespace

void run_hand(const options& o) {
  sk::io::safetensors file;
  if (auto s = sk::io::read_safetensors(o.hand).get(file); !s) {
    const char* hint =
        o.hand.ends_with(".npz") ? "; convert it by tools/convert_channel_pruned.py" : "";
    throw std::runtime_error(sk::io::describe(o.hand, s) + hint);
  }
  if (file.tensors.empty()) throw std::runtime_error(o.hand + ": no layers in it");
  auto csv =
      open_csv(o, "layer,rows,cols,removed_rows,removed_cols,nnz,columns,name,layout,seconds");
  for (const auto& [name, tensor] : file.tensors) {
    if (tensor.shape.size() != 2) throw std::runtime_error(o.hand + ": " + name + " is no matrix");
    matrix<float> w(tensor.shape[0], tensor.shape[1]);
    w.values = sk::io::read_values<float>(tensor).value();
    const auto found = sk::to_structured(w.in()).value();
    std::printf("%s: %ld x %ld, %ld empty columns and %ld empty rows found\n", name.c_str(),
                static_cast<long>(w.rows), static_cast<long>(w.cols),
                static_cast<long>(found.removed_columns()),
                static_cast<long>(found.removed_rows()));
    for (const index_t n : {1, 49, 196, 784}) time_layer(name, w, n, o.rounds, csv);
  }
}

}  // namespace structured_benchmark
