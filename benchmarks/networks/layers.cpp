// One 1x1 convolution as a C object, for programs that time it beside other libraries: features x
// pixels or pixels x features, packed dense or packed sparse weights, bias and activation fused.
#include <chrono>
#include <sparsekit/sparsekit.hpp>

namespace {

namespace sk = sparsekit;
using sk::index_t;

struct layer {
  virtual ~layer() = default;
  virtual void run() = 0;
};

enum activation { none, relu, relu6 };

template <class Weights, class Layout>
struct convolution final : layer {
  Weights w;
  sk::workspace ws;
  sk::array_view<const float> bias;
  activation act;
  sk::dense_view<const float, Layout> x;
  sk::dense_view<float, Layout> y;

  convolution(Weights&& weights, const float* b, activation a, const float* from, float* to,
              index_t n)
      : w(std::move(weights)),
        ws(w, {.max_columns = n}),
        bias(b, w.rows()),
        act(a),
        x(from, w.cols(), n),
        y(to, w.rows(), n) {}
  void run() override {
    switch (act) {
      case none:
        return sk::multiply(w, x, y, sk::bias(bias), ws);
      case relu:
        return sk::multiply(w, x, y, sk::bias(bias) | sk::relu, ws);
      case relu6:
        return sk::multiply(w, x, y, sk::bias(bias) | sk::clamp(0.f, 6.f), ws);
    }
  }
};

template <class Layout>
layer* make(bool sparse, index_t m, index_t k, index_t n, const float* w, const float* bias,
            activation act, const float* x, float* y) {
  const sk::dense_view<const float> dense(w, m, k);
  if (!sparse) {
    return new convolution<sk::packed_dense<float>, Layout>(sk::pack_dense(dense).value(), bias,
                                                            act, x, y, n);
  }
  const auto csr = sk::csr_matrix<float>::from_dense(dense).value();
  return new convolution<sk::packed_matrix<float>, Layout>(sk::pack(csr, {.columns = {n}}).value(),
                                                           bias, act, x, y, n);
}

}  // namespace

extern "C" {

/// activation: 0 none, 1 ReLU, 2 ReLU6. planar: features x pixels, else pixels x features. Arrays
/// must outlive the layer; w may go.
void* sparsekit_layer(int sparse, int planar, long m, long k, long n, const float* w,
                      const float* bias, int act, const float* x, float* y) {
  const auto a = static_cast<activation>(act);
  return planar != 0 ? make<sk::row_major>(sparse != 0, m, k, n, w, bias, a, x, y)
                     : make<sk::col_major>(sparse != 0, m, k, n, w, bias, a, x, y);
}
/// Seconds that `repeats` runs take.
double sparsekit_layer_time(void* handle, long repeats) {
  const auto start = std::chrono::steady_clock::now();
  for (long i = 0; i < repeats; ++i) static_cast<layer*>(handle)->run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}
void sparsekit_layer_free(void* handle) { delete static_cast<layer*>(handle); }
}
