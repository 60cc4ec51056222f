// The operators of the examples' network engine against plain loops, for the shapes that their
// vectors, row blocks and padding treat differently; and the engine's reader against damaged
// graphs.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "../../examples/common/planar.hpp"
#include "support/rng.hpp"

namespace {

using namespace engine;

std::vector<float> random_numbers(index_t count, index_t room = slack) {
  static sparsekit_test::rng random(7);
  std::vector<float> out(static_cast<std::size_t>(count + room));
  for (float& v : out) v = static_cast<float>(random.uniform(-1.0, 1.0));
  return out;
}

double activated(double v, activation act) {
  if (act != activation::none) v = std::max(v, 0.0);
  return act == activation::relu6 ? std::min(v, 6.0) : v;
}

/// One output of a convolution of one plane, by the definition.
double convolved(const window& w, const float* in, const float* weights, index_t r, index_t c) {
  double sum = 0;
  for (index_t u = 0; u < w.kernel; ++u) {
    for (index_t v = 0; v < w.kernel; ++v) {
      const index_t y = r * w.stride + u - w.pad_top;
      const index_t x = c * w.stride + v - w.pad_left;
      if (y < 0 || y >= w.in_h || x < 0 || x >= w.in_w) continue;
      sum +=
          static_cast<double>(in[y * w.in_w + x]) * static_cast<double>(weights[u * w.kernel + v]);
    }
  }
  return sum;
}

/// f(window) for sizes around the vector and row-block lengths.
template <class F>
void for_each_window(F&& f) {
  for (index_t kernel : {1, 2, 3, 5, 7}) {
    for (index_t stride : {1, 2, 3}) {
      for (index_t in_w : {1, 2, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 49, 70}) {
        for (index_t in_h : {3, 4, 7, 9}) {
          for (index_t pad : {0, 1, 2}) {
            window w{.in_h = in_h,
                     .in_w = in_w,
                     .kernel = kernel,
                     .stride = stride,
                     .pad_top = pad,
                     .pad_left = pad};
            if (in_h + 2 * pad < kernel || in_w + 2 * pad < kernel || pad > kernel) continue;
            w.out_h = (in_h + 2 * pad - kernel) / stride + 1;
            w.out_w = (in_w + 2 * pad - kernel) / stride + 1;
            w.lay_out();
            f(w);
          }
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("depthwise convolution: kernels, strides, paddings, narrow and large planes") {
  int count = 0;
  const auto try_window = [&](const window& w, activation act) {
    const index_t channels = 3;
    const auto in = random_numbers(channels * w.in_h * w.in_w);
    const auto weights = random_numbers(channels * w.kernel * w.kernel);
    const std::vector<float> bias = {0.5f, -0.25f, 4.f};
    std::vector<float> padded(static_cast<std::size_t>(2 * w.plane + slack));
    std::vector<float> out(static_cast<std::size_t>(channels * w.out_h * w.out_w + slack), NAN);
    depthwise(w, channels, act, in.data(), weights.data(), bias.data(), out.data(), padded.data());
    double worst = 0;
    for (index_t c = 0; c < channels; ++c) {
      for (index_t r = 0; r < w.out_h; ++r) {
        for (index_t x = 0; x < w.out_w; ++x) {
          const double sum = convolved(w, in.data() + c * w.in_h * w.in_w,
                                       weights.data() + c * w.kernel * w.kernel, r, x);
          const double want =
              activated(sum + static_cast<double>(bias[static_cast<std::size_t>(c)]), act);
          const std::size_t at = static_cast<std::size_t>((c * w.out_h + r) * w.out_w + x);
          worst = std::max(worst, std::abs(want - static_cast<double>(out[at])));
          if (std::isnan(out[at])) worst = 1;
        }
      }
    }
    CAPTURE(w.kernel);
    CAPTURE(w.stride);
    CAPTURE(w.in_w);
    CAPTURE(w.in_h);
    CAPTURE(w.pad_left);
    CHECK(worst < 1e-5);
    ++count;
  };
  for_each_window([&](const window& w) { try_window(w, activation::relu); });
  window large{.in_h = 50,
               .in_w = 60,
               .out_h = 50,
               .out_w = 60,
               .kernel = 3,
               .stride = 1,
               .pad_top = 1,
               .pad_left = 1};
  large.lay_out();
  REQUIRE(large.plane > small_plane);
  try_window(large, activation::none);
  try_window(large, activation::relu);
  try_window(large, activation::relu6);
  window halved{.in_h = 100,
                .in_w = 98,
                .out_h = 50,
                .out_w = 49,
                .kernel = 5,
                .stride = 2,
                .pad_top = 2,
                .pad_left = 1};
  halved.lay_out();
  try_window(halved, activation::relu6);
  CHECK(count > 1000);
}

TEST_CASE("dense convolution: blocks of output channels and the rest") {
  int count = 0;
  for_each_window([&](const window& w) {
    if (w.kernel > 3 || w.in_h > 4) return;
    const index_t in_channels = 2, out_channels = 6;
    const index_t area = w.kernel * w.kernel;
    const auto in = random_numbers(in_channels * w.in_h * w.in_w);
    const auto weights = random_numbers(out_channels * in_channels * area);
    const auto bias = random_numbers(out_channels);
    // Blocked as the engine does it: four channels together, then one by one.
    std::vector<float> blocked;
    for (index_t start : {0, 4, 5}) {
      for (index_t t = 0; t < in_channels * area; ++t) {
        for (index_t o = start; o < start + (start == 0 ? convolution_block : 1); ++o) {
          blocked.push_back(weights[static_cast<std::size_t>(o * in_channels * area + t)]);
        }
      }
    }
    std::vector<float> padded(static_cast<std::size_t>(in_channels * w.plane + slack));
    std::vector<float> out(static_cast<std::size_t>(out_channels * w.out_h * w.out_w + slack), NAN);
    convolve(w, in_channels, out_channels, activation::none, in.data(), blocked.data(), bias.data(),
             out.data(), padded.data());
    double worst = 0;
    for (index_t o = 0; o < out_channels; ++o) {
      for (index_t r = 0; r < w.out_h; ++r) {
        for (index_t x = 0; x < w.out_w; ++x) {
          double want = static_cast<double>(bias[static_cast<std::size_t>(o)]);
          for (index_t c = 0; c < in_channels; ++c) {
            want += convolved(w, in.data() + c * w.in_h * w.in_w,
                              weights.data() + (o * in_channels + c) * area, r, x);
          }
          const float got = out[static_cast<std::size_t>((o * w.out_h + r) * w.out_w + x)];
          worst = std::isnan(got) ? 1 : std::max(worst, std::abs(want - static_cast<double>(got)));
        }
      }
    }
    CAPTURE(w.kernel);
    CAPTURE(w.stride);
    CAPTURE(w.in_w);
    CHECK(worst < 1e-5);
    ++count;
  });
  CHECK(count > 200);
}

TEST_CASE("resizing: doubled and any other size, every kind of coordinates") {
  for (index_t in_w : {1, 2, 6, 8, 12, 24}) {
    for (index_t factor : {1, 2, 3}) {
      for (int kind : {0, 1, 2}) {  // plain, align corners, half pixel
        const index_t in_h = 5, channels = 3;
        const index_t out_h = in_h * factor, out_w = in_w * factor;
        const auto in = random_numbers(channels * in_h * in_w);
        std::vector<float> out(static_cast<std::size_t>(channels * out_h * out_w + slack), NAN);
        std::vector<float> row(static_cast<std::size_t>(in_w + 2 * lanes + slack));
        resize(channels, in_h, in_w, resize_sources(out_h, in_h, kind == 1, kind == 2),
               resize_sources(out_w, in_w, kind == 1, kind == 2), kind == 2 && factor == 2,
               in.data(), out.data(), row.data());
        const auto source = [&](index_t k, index_t o, index_t i) {
          const double dk = static_cast<double>(k), di = static_cast<double>(i),
                       dO = static_cast<double>(o);
          double at = dk * di / dO;
          if (kind == 1 && o > 1) at = dk * (di - 1) / (dO - 1);
          if (kind == 2) at = (dk + 0.5) * di / dO - 0.5;
          return std::min(std::max(at, 0.0), di - 1);
        };
        double worst = 0;
        for (index_t c = 0; c < channels; ++c) {
          for (index_t y = 0; y < out_h; ++y) {
            for (index_t x = 0; x < out_w; ++x) {
              const double fy = source(y, out_h, in_h), fx = source(x, out_w, in_w);
              const auto at = [&](double r, double q) {
                const index_t i = std::min(static_cast<index_t>(r), in_h - 1);
                const index_t j = std::min(static_cast<index_t>(q), in_w - 1);
                return static_cast<double>(in[static_cast<std::size_t>((c * in_h + i) * in_w + j)]);
              };
              const double y0 = std::floor(fy), x0 = std::floor(fx);
              const double want =
                  (at(y0, x0) * (1 - (fx - x0)) + at(y0, x0 + 1) * (fx - x0)) * (1 - (fy - y0)) +
                  (at(y0 + 1, x0) * (1 - (fx - x0)) + at(y0 + 1, x0 + 1) * (fx - x0)) * (fy - y0);
              const float got = out[static_cast<std::size_t>((c * out_h + y) * out_w + x)];
              worst =
                  std::isnan(got) ? 1 : std::max(worst, std::abs(want - static_cast<double>(got)));
            }
          }
        }
        CAPTURE(in_w);
        CAPTURE(factor);
        CAPTURE(kind);
        CHECK(worst < 1e-5);
      }
    }
  }
}

TEST_CASE("re-ordering: depth to space, transposition") {
  const index_t h = 3, w = 5, channels = 2, block = 2;
  const auto in = random_numbers(channels * block * block * h * w, 0);
  std::vector<float> out(in.size());
  depth_to_space(channels, h, w, block, in.data(), out.data());
  for (index_t c = 0; c < channels; ++c) {
    for (index_t y = 0; y < h * block; ++y) {
      for (index_t x = 0; x < w * block; ++x) {
        const index_t from = (y % block * block + x % block) * channels + c;
        CHECK(out[static_cast<std::size_t>((c * h * block + y) * w * block + x)] ==
              in[static_cast<std::size_t>((from * h + y / block) * w + x / block)]);
      }
    }
  }
  for (index_t cols : {1, 2, 3, 16, 65, 200}) {
    const auto a = random_numbers(7 * cols, 0);
    std::vector<float> t(a.size());
    transpose(7, cols, a.data(), t.data());
    for (index_t r = 0; r < 7; ++r) {
      for (index_t c = 0; c < cols; ++c) {
        CHECK(t[static_cast<std::size_t>(c * 7 + r)] == a[static_cast<std::size_t>(r * cols + c)]);
      }
    }
  }
}

// ---- the reader ---------------------------------------------------------------------------------

namespace {

/// A folder with a small model, for as long as this lives.
class model_folder {
 public:
  model_folder() {
    std::filesystem::create_directory(name());
    const std::string header = R"({"pad":{"dtype":"I32","shape":[4,2],"data_offsets":[0,32]},)"
                               R"("w":{"dtype":"F32","shape":[2,1,1,3],"data_offsets":[32,56]},)"
                               R"("b":{"dtype":"F32","shape":[2],"data_offsets":[56,64]},)"
                               R"("d":{"dtype":"F32","shape":[1,3,3,2],"data_offsets":[64,136]}})";
    std::string file(8, '\0');
    file[0] = static_cast<char>(header.size() & 0xff);
    file[1] = static_cast<char>(header.size() >> 8);
    std::string data(136, '\0');
    data[8] = data[12] = data[16] = data[20] = 1;
    REQUIRE(sparsekit::io::write_file(name() + "/weights.safetensors", file + header + data));
  }
  ~model_folder() { std::filesystem::remove_all(name()); }
  static std::string name() { return "example_operators_model.tmp"; }

  std::string read(const std::string& text, graph& out) {
    REQUIRE(sparsekit::io::write_file(name() + "/graph.txt", text));
    return read_graph(name(), out);
  }
};

const std::string small_graph =
    "# comment\nINPUT x\nOUTPUT o\n"
    "PAD out=p shape=1x6x6x3 in=x,pad\n"
    "CONV_2D out=c shape=1x6x6x2 in=p,w,b stride=1,1 padding=SAME act=RELU\n"
    "DEPTHWISE_CONV_2D out=e shape=1x4x4x2 in=c,d,b stride=1,1 padding=VALID act=NONE mult=1\n"
    "ADD out=a shape=1x4x4x2 in=e,e act=RELU6\n"
    "RESIZE_BILINEAR out=r shape=1x8x8x2 in=a align_corners=0 half_pixel=1\n"
    "RESHAPE out=f shape=1x64x2 in=r\n"
    "CONCATENATION out=o shape=1x128x2 in=f,f axis=1\n";

}  // namespace

TEST_CASE("graph: a small one reads, its shapes checked") {
  model_folder folder;
  graph g;
  const std::string problem = folder.read(small_graph, g);
  REQUIRE_MESSAGE(problem.empty(), problem);
  CHECK(g.operations.size() == 7);
  CHECK(g.tensors[static_cast<std::size_t>(g.input)].shape == std::vector<index_t>{1, 4, 4, 3});
}

TEST_CASE("graph: errors name file, line and reason") {
  model_folder folder;
  struct item {
    const char* from;
    const char* to;
    const char* message;
  };
  const item items[] = {
      {"INPUT x\n", "", "line"},
      {"OUTPUT o\n", "", "no OUTPUT"},
      {"OUTPUT o\n", "OUTPUT o z\n", "z is never computed"},
      {"INPUT x\n", "INPUT x\nINPUT y\n", "line 3: one INPUT"},
      {"INPUT x\n", "INPUT w\n", "line 2: INPUT is a constant"},
      {"ADD out", "SUB out", "line 7: unknown operator SUB"},
      {"in=e,e", "in=e,q", "line 7: q is not computed yet"},
      {"in=e,e", "in=e,c", "line 7: shape does not follow"},
      {"in=e,e", "in=e", "line 7: shape does not follow"},
      {"in=p,w,b", "in=p,d,b", "line 5: shape does not follow"},
      {"in=p,w,b", "in=p,w,d", "line 5: shape does not follow"},
      {"in=p,w,b", "in=w,w,b", "line 5: the first input is a constant"},
      {"shape=1x6x6x2", "shape=1x6x6x3", "line 5: shape does not follow"},
      {"shape=1x6x6x2", "shape=2x6x6x2", "line 5: batches"},
      {"shape=1x6x6x2", "shape=1x6x6x-2", "line 5: shape is not usable"},
      {"shape=1x6x6x2", "shape=1x99999999999x99999999999x2", "line 5: shape is not usable"},
      {"shape=1x6x6x2", "shape=1xx6x2", "line 5: malformed option shape"},
      {"stride=1,1 padding=SAME", "stride=0,0 padding=SAME", "line 5: stride"},
      {"stride=1,1 padding=SAME", "stride=1,2 padding=SAME", "line 5: stride"},
      {"padding=SAME", "padding=MAYBE", "line 5: malformed option padding"},
      {"act=RELU\n", "act=TANH\n", "line 5: malformed option act"},
      {"mult=1", "mult=2", "line 6: a depth multiplier"},
      {"half_pixel=1", "half_pixel=2", "line 8: malformed option"},
      {"half_pixel=1", "half-pixel", "line 8: malformed option"},
      {"out=e ", "out=c ", "line 6: c is computed twice"},
      {"out=e ", "out=w ", "line 6: w is computed twice"},
      {"out=e ", "", "line 6: out, in or shape is missing"},
      {"shape=1x64x2", "shape=1x63x2", "line 9: shape does not follow"},
      {"axis=1", "axis=2", "line 10: shape does not follow"},
  };
  for (const item& i : items) {
    CAPTURE(i.to);
    std::string text = small_graph;
    const std::size_t at = text.find(i.from);
    REQUIRE(at != std::string::npos);
    text.replace(at, std::string(i.from).size(), i.to);
    graph g;
    const std::string problem = folder.read(text, g);
    CHECK_MESSAGE(problem.find(i.message) != std::string::npos, problem);
    CHECK(problem.find("graph.txt") != std::string::npos);
    CHECK(problem.find('\n') == std::string::npos);
  }
  graph g;
  CHECK(read_graph("no_such_folder", g) == "no_such_folder/graph.txt: file: no such file");
}

TEST_CASE("graph: damage is noticed or harmless") {
  model_folder folder;
  int good = 0, count = 0;
  for (std::size_t i = 0; i < small_graph.size(); ++i) {
    for (int kind = 0; kind < 5; ++kind) {
      std::string text = small_graph;
      if (kind == 0) text.resize(i);
      if (kind == 1) text[i] = static_cast<char>(text[i] ^ 1);
      if (kind == 2) text[i] = static_cast<char>(text[i] ^ 16);
      if (kind == 3) text[i] = '9';
      if (kind == 4) text.erase(i, 1);
      graph g;
      if (folder.read(text, g).empty()) ++good;
      ++count;
    }
  }
  MESSAGE(count, " damaged graphs, ", good, " of them still valid");
  CHECK(good < count / 2);
}
