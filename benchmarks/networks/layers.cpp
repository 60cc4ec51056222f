// One 1x1 convolution as a C object, for programs that time it beside other libraries: features x
// pixels or pixels x features; packed dense weights, packed sparse ones, or what choose() takes
// after timing them; bias and activation fused.
#include <chrono>
#include <cstdlib>
#include <limits>
#include <sparsekit/choose.hpp>
#include <sparsekit/panels.hpp>
#include <sparsekit/sparsekit.hpp>

namespace {

namespace sk = sparsekit;
using sk::index_t;

struct layer {
  virtual ~layer() = default;
  virtual void run() = 0;
  /// Brings y to where the caller looks for it; not timed.
  virtual void finish() {}
};

enum class weights_kind { dense, packed, chosen };

template <class Weights, class Layout>
struct convolution final : layer {
  Weights w;
  sk::workspace ws;
  sk::array_view<const float> bias;
  float low, high;
  sk::dense_view<const float, Layout> x;
  sk::dense_view<float, Layout> y;

  convolution(Weights&& weights, const float* b, int act, const float* from, float* to, index_t n)
      : w(std::move(weights)),
        ws(w, {.max_columns = n}),
        bias(b, w.rows()),
        low(act == 0 ? -std::numeric_limits<float>::infinity() : 0.f),
        high(act == 2 ? 6.f : std::numeric_limits<float>::infinity()),
        x(from, w.cols(), n),
        y(to, w.rows(), n) {}
  // All activations are limits, so that one kernel serves the three.
  void run() override { sk::multiply(w, x, y, sk::bias(bias) | sk::clamp(low, high), ws); }
};

/// X and Y as panels in memory of its own, as an engine would keep them between layers.
template <class Weights>
struct panel_convolution final : layer {
  using panels = sk::dense_view<float, sk::panel_major>;

  Weights w;
  sk::workspace ws;
  sk::array_view<const float> bias;
  float low, high;
  sk::buffer<float> x_memory, y_memory;
  panels x, y;
  sk::dense_view<float> result;

  panel_convolution(Weights&& weights, const float* b, int act, const float* from, float* to,
                    index_t n)
      : w(std::move(weights)),
        ws(w, {.max_columns = n}),
        bias(b, w.rows()),
        low(act == 0 ? -std::numeric_limits<float>::infinity() : 0.f),
        high(act == 2 ? 6.f : std::numeric_limits<float>::infinity()),
        result(to, w.rows(), n) {
    const index_t width = sk::panel_width(w);
    if (!x_memory.allocate(sk::panel_elements(w.cols(), n, width)) ||
        !y_memory.allocate(sk::panel_elements(w.rows(), n, width))) {
      std::abort();
    }
    x = panels(x_memory.data(), w.cols(), n, width);
    y = panels(y_memory.data(), w.rows(), n, width);
    sk::to_panels(sk::dense_view<const float>(from, w.cols(), n), x);
  }
  void run() override { sk::multiply(w, x, y, sk::bias(bias) | sk::clamp(low, high), ws); }
  void finish() override { sk::from_panels(y, result); }
};

template <class Layout>
layer* make(weights_kind kind, index_t m, index_t k, index_t n, const float* w, const float* bias,
            int act, const float* x, float* y) {
  const sk::dense_view<const float> dense(w, m, k);
  const auto convolve = [&](auto&& weights) -> layer* {
    using type = std::remove_cvref_t<decltype(weights)>;
    return new convolution<type, Layout>(std::move(weights), bias, act, x, y, n);
  };
  switch (kind) {
    case weights_kind::dense:
      return convolve(sk::pack_dense(dense).value());
    case weights_kind::packed:
      return convolve(
          sk::pack(sk::csr_matrix<float>::from_dense(dense).value(), {.columns = {n}}).value());
    case weights_kind::chosen:
      return convolve(sk::choose(sk::measure, dense, {.columns = {n}}).value());
  }
  return nullptr;
}

layer* make_panels(weights_kind kind, index_t m, index_t k, index_t n, const float* w,
                   const float* bias, int act, const float* x, float* y) {
  const sk::dense_view<const float> dense(w, m, k);
  if (kind == weights_kind::dense) {
    using packed = sk::packed_dense<float>;
    return new panel_convolution<packed>(sk::pack_dense(dense).value(), bias, act, x, y, n);
  }
  using packed = sk::packed_matrix<float>;
  return new panel_convolution<packed>(
      sk::pack(sk::csr_matrix<float>::from_dense(dense).value(), {.columns = {n}}).value(), bias,
      act, x, y, n);
}

}  // namespace

extern "C" {

/// kind: 0 packed dense weights, 1 packed sparse ones, 2 what choose() takes. act: 0 none, 1 ReLU,
/// 2 ReLU6. layout: 0 pixels x features, 1 features x pixels, 2 the same, kept as panels inside
/// (not for choose()). Arrays must outlive the layer; w may go.
void* sparsekit_layer(int kind, int layout, long m, long k, long n, const float* w,
                      const float* bias, int act, const float* x, float* y) {
  const auto weights = static_cast<weights_kind>(kind);
  if (layout == 2) return make_panels(weights, m, k, n, w, bias, act, x, y);
  return layout == 1 ? make<sk::row_major>(weights, m, k, n, w, bias, act, x, y)
                     : make<sk::col_major>(weights, m, k, n, w, bias, act, x, y);
}
/// Seconds that `repeats` runs take.
double sparsekit_layer_time(void* handle, long repeats) {
  const auto start = std::chrono::steady_clock::now();
  for (long i = 0; i < repeats; ++i) static_cast<layer*>(handle)->run();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  static_cast<layer*>(handle)->finish();
  return seconds;
}
void sparsekit_layer_free(void* handle) { delete static_cast<layer*>(handle); }
}
