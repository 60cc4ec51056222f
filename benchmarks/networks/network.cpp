// Whole networks as a C object, which networks.py times beside LiteRT: the engine of the examples,
// its pruned layers by what choose() takes, or by packed dense weights.
#include "../../examples/common/network.hpp"

#include <chrono>
#include <cstdio>
#include <cstring>

namespace {

namespace sk = sparsekit;
using engine::weights_kind;
using watch = std::chrono::steady_clock;

double since(watch::time_point start) {
  return std::chrono::duration<double>(watch::now() - start).count();
}

engine::network& network_of(void* handle) { return *static_cast<engine::network*>(handle); }

weights_kind kind_of(int sparse) {
  return sparse != 0 ? weights_kind::chosen : weights_kind::dense;
}

}  // namespace

extern "C" {

/// The network of a model folder; null, with a line on stderr, if it cannot be loaded.
void* sparsekit_network(const char* folder) {
  auto* net = new engine::network;
  if (const std::string problem = net->load(folder); !problem.empty()) {
    std::fprintf(stderr, "%s\n", problem.c_str());
    delete net;
    return nullptr;
  }
  return net;
}
void sparsekit_network_free(void* handle) { delete static_cast<engine::network*>(handle); }

/// Seconds that `repeats` runs take. input: height x width x channels.
double sparsekit_network_time(void* handle, int sparse, const float* input, long repeats) {
  const auto start = watch::now();
  for (long i = 0; i < repeats; ++i) network_of(handle).run(input, kind_of(sparse));
  return since(start);
}
/// Seconds of its pruned layers together, each the least of `rounds` runs on the input it has
/// there.
double sparsekit_network_pruned_time(void* handle, int sparse, const float* input, long rounds) {
  engine::network& net = network_of(handle);
  double total = 0;
  net.run(input, [&](const engine::layer& l, const float* x, float* out) {
    if (l.pruned()) {
      sk::buffer<float> y;
      if (!y.allocate_zeroed(l.rows * l.pixels + 64)) return;
      double least = 1e9;
      for (long i = 0; i < rounds; ++i) {
        const auto start = watch::now();
        engine::multiply(l, kind_of(sparse), x, y.data(), net.scratch());
        least = std::min(least, since(start));
      }
      total += least;
    }
    engine::multiply(l, kind_of(sparse), x, out, net.scratch());
  });
  return total;
}
/// Pruned layers that choose() has run dense.
int sparsekit_network_dense_layers(void* handle) {
  int n = 0;
  for (const engine::layer& l : network_of(handle).layers()) {
    n += l.pruned() && !l.chosen->sparse_for(l.pixels) ? 1 : 0;
  }
  return n;
}
/// The values of the output of that size after a run; how many they are, 0 if there is none.
long sparsekit_network_output(void* handle, float* values, long size) {
  for (const auto& o : network_of(handle).outputs()) {
    if (o.values.size() != size) continue;
    std::memcpy(values, o.values.data(), sizeof(float) * static_cast<std::size_t>(size));
    return size;
  }
  return 0;
}
}
