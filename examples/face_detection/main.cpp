// Finds faces with a pruned network, its zeros skipped, and shows what that saves layer by layer.
//
// face_detection --model DIR -i FILE [-o FILE]: picture in (PPM or PNG), picture with boxes out.
// face_detection --model DIR --input X.npy --dump DIR: raw input tensor in, raw outputs out (.npy).
#include <chrono>
#include <cstdio>
#include <sparsekit/io/npy.hpp>
#include <sparsekit/plan/candidates.hpp>
#include <string>
#include <vector>

#include "../common/network.hpp"
#include "../common/picture.hpp"
#include "faces.hpp"

namespace {

namespace sk = sparsekit;
using engine::index_t;
using engine::weights_kind;

struct options {
  std::string model, picture, output = "face.ppm", input, dump;
};

constexpr const char* usage =
    "usage: face_detection --model DIR (-i PICTURE [-o PICTURE] | --input X.npy) [--dump DIR]\n"
    "  --model DIR    folder with graph.txt and weights.safetensors (tools/convert_tflite.py)\n"
    "  -i FILE        picture, PPM or PNG\n"
    "  -o FILE        where the picture with the boxes goes (default face.ppm)\n"
    "  --input X.npy  the network's input tensor instead of a picture (then none is written)\n"
    "  --dump DIR     write the network's raw outputs there, one .npy each\n";

/// Returns an error in one line, or "".
std::string parse(int argc, char** argv, options& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    std::string* value = name == "--model"   ? &out.model
                         : name == "-i"      ? &out.picture
                         : name == "-o"      ? &out.output
                         : name == "--input" ? &out.input
                         : name == "--dump"  ? &out.dump
                                             : nullptr;
    if (value == nullptr) return "unknown option " + name + " (see --help)";
    if (++i == argc) return name + " needs a value";
    *value = argv[i];
  }
  if (out.model.empty()) return "no --model DIR (see --help)";
  if (out.picture.empty() && out.input.empty()) return "no picture: -i FILE (see --help)";
  return "";
}

/// The network's input from a .npy file of the same shape.
std::string read_input(const std::string& path, const std::vector<index_t>& shape,
                       sk::buffer<float>& out) {
  sk::io::npy_array array;
  if (auto s = sk::io::read_npy(path).get(array); !s) return sk::io::describe(path, s);
  if (array.tensor.shape != shape || array.tensor.fortran_order) {
    std::string wanted;
    for (index_t d : shape) wanted += (wanted.empty() ? "" : " x ") + std::to_string(d);
    return path + ": the network wants " + wanted + " in C order";
  }
  const auto s = sk::io::read_values<float>(array.tensor).get(out);
  return s ? "" : sk::io::describe(path, s);
}

double microseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::micro>(now).count();
}

struct timing {
  double dense = 1e30, sparse = 1e30;
};

/// The shorter of each over `rounds`, taken in turns so that both see the same machine.
template <class Run>
timing time_both(int rounds, Run&& run) {
  timing best;
  for (int round = 0; round < rounds; ++round) {
    for (weights_kind kind : {weights_kind::dense, weights_kind::sparse}) {
      const double start = microseconds();
      run(kind);
      double& time = kind == weights_kind::dense ? best.dense : best.sparse;
      time = std::min(time, microseconds() - start);
    }
  }
  return best;
}

/// What choose() would decide for a layer, by its cost model: the form and its predicted speed-up over dense.
struct decision {
  std::string form;
  double speed_up = 1;
};
decision decide(const engine::layer& l) {
  sk::pattern_statistics s;
  const auto a = l.sparse.view();
  if (!sk::count_pattern(a, l.pixels <= 3, s)) return {"?", 1};
  const auto list = sk::candidates_of(s, {l.pixels}, sk::cost_model<float>::native());
  const sk::candidate* best = list.begin();
  for (const sk::candidate& c : list) best = c.us[0] < best->us[0] ? &c : best;
  const sk::candidate* dense = list.find(sk::form::dense);
  return {best->choice.text(), dense == nullptr ? 1 : dense->us[0] / best->us[0]};
}

/// Runs the network with a stop at every pruned layer, where both kinds of weights are timed on the
/// same input and their results compared. Prints a line a layer and the total.
void print_table(engine::network& net, const float* input) {
  constexpr int rounds = 40;
  std::printf("%-8s %-18s %7s %10s %10s %9s %12s  %s\n", "layer", "rows x cols x px", "zeros",
              "dense us", "sparse us", "speed-up", "difference", "choose() predicts");
  timing total{0, 0};
  double zeros = 0, size = 0;
  float worst = 0;
  net.run(input, weights_kind::sparse, [&](const engine::layer& l, const float* x, const float* y) {
    if (!l.pruned()) return;
    // What y holds before matters to layers that add to it: each run starts from a copy.
    const std::size_t count = static_cast<std::size_t>(l.rows * l.pixels);
    const std::vector<float> before(y, y + count);
    std::vector<float> dense = before, sparse = before, scratch = before;
    engine::multiply(l, weights_kind::dense, x, dense.data(), net.scratch());
    engine::multiply(l, weights_kind::sparse, x, sparse.data(), net.scratch());
    float difference = 0;
    for (std::size_t i = 0; i < count; ++i) {
      difference = std::max(difference, std::abs(dense[i] - sparse[i]));
    }
    const timing t = time_both(rounds, [&](weights_kind kind) {
      engine::multiply(l, kind, x, scratch.data(), net.scratch());
    });
    const std::string shape =
        std::to_string(l.rows) + " x " + std::to_string(l.cols) + " x " + std::to_string(l.pixels);
    const decision d = decide(l);
    std::printf("%-8s %-18s %6.1f%% %10.1f %10.1f %8.2fx %12.1e  %s %.2fx\n", l.name.c_str(),
                shape.c_str(), 100 * l.zeros(), t.dense, t.sparse, t.dense / t.sparse,
                static_cast<double>(difference), d.form.c_str(), d.speed_up);
    total.dense += t.dense;
    total.sparse += t.sparse;
    const double elements = static_cast<double>(l.rows * l.cols);
    zeros += l.zeros() * elements;
    size += elements;
    worst = std::max(worst, difference);
  });
  if (size == 0) return;
  std::printf("%-8s %-18s %6.1f%% %10.1f %10.1f %8.2fx %12.1e\n", "total", "pruned layers",
              100 * zeros / size, total.dense, total.sparse, total.dense / total.sparse,
              static_cast<double>(worst));
  const timing whole = time_both(rounds, [&](weights_kind kind) { net.run(input, kind); });
  std::printf("%-8s %-18s %7s %10.1f %10.1f %8.2fx\n", "network", "all operators", "", whole.dense,
              whole.sparse, whole.dense / whole.sparse);
}

const engine::network::output* find_output(const std::vector<engine::network::output>& outputs,
                                           index_t width) {
  for (const auto& o : outputs) {
    if (o.shape == std::vector<index_t>{1, faces::grid * faces::grid, width}) return &o;
  }
  return nullptr;
}

int fail(const std::string& problem) {
  std::fprintf(stderr, "face_detection: %s\n", problem.c_str());
  return 1;
}

int run(const options& o) {
  engine::network net;
  if (std::string problem = net.load(o.model); !problem.empty()) return fail(problem);
  const auto& shape = net.input_shape();
  if (shape[3] != 3) return fail(o.model + ": not a network for colour pictures");

  engine::picture picture;
  sk::buffer<float> input;
  if (!o.input.empty()) {
    if (std::string problem = read_input(o.input, shape, input); !problem.empty()) {
      return fail(problem);
    }
  } else {
    if (std::string problem = engine::read_picture(o.picture, picture); !problem.empty()) {
      return fail(problem);
    }
    if (auto s = input.allocate(shape[1] * shape[2] * 3); !s) return fail(s.message());
    faces::prepare(picture, shape[1], shape[2], input.data());
  }

  const auto outputs = net.outputs();
  const auto* logits = find_output(outputs, 1);
  const auto* boxes = find_output(outputs, faces::numbers_a_box);
  const bool detects = logits != nullptr && boxes != nullptr;
  if (!detects && o.dump.empty()) return fail(o.model + ": not the face detection network");

  print_table(net, input.data());
  net.run(input.data(), weights_kind::sparse);
  if (detects) {
    // Without a picture, boxes are told in pixels of the network's input.
    const double width = static_cast<double>(o.input.empty() ? picture.width : shape[2]);
    const double height = static_cast<double>(o.input.empty() ? picture.height : shape[1]);
    const auto found = faces::decode(logits->values, boxes->values, 0.5);
    if (found.empty()) std::printf("no face found\n");
    for (const faces::face& f : found) {
      const double w = f.width * width, h = f.height * height;
      const double x = f.x * width, y = f.y * height;
      std::printf("face: score %.3f, centre (%.1f, %.1f), box %.1f x %.1f\n", f.score, x, y, w, h);
      if (o.input.empty()) {
        engine::draw_box(picture, x - w / 2, y - h / 2, x + w / 2, y + h / 2, {0, 255, 0});
      }
    }
  }

  for (const auto& out : outputs) {
    if (o.dump.empty()) break;
    const std::string path = o.dump + "/" + out.name + ".npy";
    if (auto s = sk::io::write_npy(path, out.shape, out.values); !s) {
      return fail(sk::io::describe(path, s));
    }
    std::printf("wrote %s\n", path.c_str());
  }
  if (o.input.empty() && detects) {
    if (std::string problem = engine::write_picture(o.output, picture); !problem.empty()) {
      return fail(problem);
    }
    std::printf("wrote %s\n", o.output.c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && (std::string(argv[1]) == "--help" || std::string(argv[1]) == "-h")) {
    std::fputs(usage, stdout);
    return 0;
  }
  options o;
  if (std::string problem = parse(argc, argv, o); !problem.empty()) return fail(problem);
  return run(o);
}
