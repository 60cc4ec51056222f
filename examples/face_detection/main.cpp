// Finds faces with a pruned network, its zeros skipped where choose() says so, and shows layer by
// layer what that saves and what choose() predicted.
//
// face_detection --model DIR -i FILE [-o FILE]: picture in (PPM or PNG), picture with boxes out.
// face_detection --model DIR --input X.npy --dump DIR: raw input tensor in, raw outputs out (.npy).
#include <array>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <sparsekit/io/npy.hpp>
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
  std::string model, picture, output = "face.ppm", input, dump, table;
};

constexpr const char* usage =
    "usage: face_detection --model DIR (-i PICTURE [-o PICTURE] | --input X.npy) [--dump DIR] "
    "[--table FILE.csv]\n"
    "  --model DIR    folder with graph.txt and weights.safetensors (tools/convert_tflite.py)\n"
    "  -i FILE        picture, PPM or PNG\n"
    "  -o FILE        where the picture with the boxes goes (default face.ppm)\n"
    "  --input X.npy  the network's input tensor instead of a picture (then none is written)\n"
    "  --dump DIR     write the network's raw outputs there, one .npy each\n"
    "  --table FILE.csv  write the table of pruned layers there, with the times of each round\n";

/// Returns an error in one line, or "".
std::string parse(int argc, char** argv, options& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    std::string* value = name == "--model"   ? &out.model
                         : name == "-i"      ? &out.picture
                         : name == "-o"      ? &out.output
                         : name == "--input" ? &out.input
                         : name == "--dump"  ? &out.dump
                         : name == "--table" ? &out.table
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

constexpr weights_kind kinds[] = {weights_kind::chosen, weights_kind::dense,
                                  weights_kind::dense_interleaved};
constexpr std::size_t kind_count = std::size(kinds);

/// Microseconds by kind of weights, of each round.
struct rounds_by_kind {
  std::vector<double> of[kind_count];
  void add(std::size_t kind, double time) { of[kind].push_back(time); }
  double least(std::size_t kind) const {
    return *std::min_element(of[kind].begin(), of[kind].end());
  }
};

/// A pruned layer, and how far what its chosen form gives is off what packed dense weights give.
struct pruned_layer {
  const engine::layer* layer;
  float difference = 0;
  rounds_by_kind times{};

  sk::form form() const { return layer->chosen->form_for(layer->pixels); }
  std::string form_text() const { return layer->chosen->candidates().find(form())->choice.text(); }
};

std::vector<pruned_layer> compare_layers(engine::network& net, const float* input) {
  std::vector<pruned_layer> list;
  net.run(input, [&](const engine::layer& l, const float* x, float* y) {
    // What y holds before matters to layers that add to it.
    std::vector<float> dense(y, y + l.rows * l.pixels);
    engine::multiply(l, weights_kind::chosen, x, y, net.scratch());
    if (!l.pruned()) return;
    engine::multiply(l, weights_kind::dense, x, dense.data(), net.scratch());
    pruned_layer p{&l};
    for (std::size_t i = 0; i < dense.size(); ++i) {
      p.difference = std::max(p.difference, std::abs(dense[i] - y[i]));
    }
    list.push_back(p);
  });
  return list;
}

struct network_times {
  rounds_by_kind pruned, all;  ///< of the pruned layers together, of all operators
};

/// Times each pruned layer where it stands in the network, with its input as the operator before
/// left it, by each kind of weights in turn.
network_times time_network(int rounds, engine::network& net, const float* input,
                           std::vector<pruned_layer>& layers) {
  network_times t;
  std::vector<float> x_interleaved, y_interleaved;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t k = 0; k < kind_count; ++k) {
      double together = 0;
      auto at = layers.begin();
      const auto timed = [&](const engine::layer& l, const float* x, float* y) {
        const double start = microseconds();
        engine::multiply(l, kinds[k], x, y, net.scratch());
        const double time = microseconds() - start;
        at++->times.add(k, time);
        together += time;
      };
      const double start = microseconds();
      net.run(input, [&](const engine::layer& l, const float* x, float* y) {
        if (l.pruned() && kinds[k] != weights_kind::dense_interleaved) return timed(l, x, y);
        if (l.pruned()) {
          x_interleaved.resize(static_cast<std::size_t>(l.cols * l.pixels));
          y_interleaved.resize(static_cast<std::size_t>(l.rows * l.pixels));
          engine::transpose(l.cols, l.pixels, x, x_interleaved.data());
          timed(l, x_interleaved.data(), y_interleaved.data());
        }
        engine::multiply(l, weights_kind::chosen, x, y, net.scratch());
      });
      t.all.add(k, microseconds() - start);  // interleaved, of no use
      t.pruned.add(k, together);
    }
  }
  return t;
}

/// Prints a line a pruned layer, and totals: what choose() took, what it predicted and what was
/// measured, over dense weights in the layout of the network; of all layers together also over
/// dense weights in their better layout.
void print_table(const std::vector<pruned_layer>& layers, const network_times& t) {
  std::printf("%-8s %-18s %7s %9s %9s %9s %9s %11s  %s\n", "layer", "rows x cols x px", "zeros",
              "dense us", "chosen us", "predicted", "measured", "difference", "choose() takes");
  double zeros = 0, size = 0, chosen_us = 0, dense_us = 0, better = 0;
  float worst = 0;
  for (const pruned_layer& p : layers) {
    const engine::layer& l = *p.layer;
    const double chosen = p.times.least(0), dense = p.times.least(1);
    const std::string shape =
        std::to_string(l.rows) + " x " + std::to_string(l.cols) + " x " + std::to_string(l.pixels);
    std::printf("%-8s %-18s %6.1f%% %9.1f %9.1f %8.2fx %8.2fx %11.1e  %s\n", l.name.c_str(),
                shape.c_str(), 100 * l.zeros(), dense, chosen,
                l.chosen->predicted_speedup(l.pixels), dense / chosen,
                static_cast<double>(p.difference), p.form_text().c_str());
    chosen_us += l.chosen->microseconds(p.form(), l.pixels);
    dense_us += l.chosen->microseconds(sk::form::dense, l.pixels);
    const double elements = static_cast<double>(l.rows * l.cols);
    zeros += l.zeros() * elements;
    size += elements;
    better += std::min(dense, p.times.least(2));
    worst = std::max(worst, p.difference);
  }
  const double chosen = t.pruned.least(0), dense = t.pruned.least(1);
  std::printf("%-8s %-18s %6.1f%% %9.1f %9.1f %8.2fx %8.2fx %11.1e\n", "total", "in network order",
              100 * zeros / size, dense, chosen, dense_us / chosen_us, dense / chosen,
              static_cast<double>(worst));
  std::printf("%-8s %-18s %7s %9.1f %9.1f %9s %8.2fx\n", "", "dense's best layout", "", better,
              chosen, "", better / chosen);
  std::printf("%-8s %-18s %7s %9.1f %9.1f %9s %8.2fx\n", "network", "all operators", "",
              t.all.least(1), t.all.least(0), "", t.all.least(1) / t.all.least(0));
}

/// The same as CSV, with the times of all rounds in one field, blanks between them.
bool write_table(const std::string& path, const std::vector<pruned_layer>& layers) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return false;
  std::fputs("layer,rows,cols,pixels,zeros,form,predicted,chosen us,dense us,dense interleaved us",
             file);
  for (const pruned_layer& p : layers) {
    const engine::layer& l = *p.layer;
    std::fprintf(file, "\n%s,%ld,%ld,%ld,%.4f,%s,%.4f", l.name.c_str(), static_cast<long>(l.rows),
                 static_cast<long>(l.cols), static_cast<long>(l.pixels), l.zeros(),
                 p.form_text().c_str(), l.chosen->predicted_speedup(l.pixels));
    for (const auto& rounds : p.times.of) {
      for (std::size_t i = 0; i < rounds.size(); ++i) {
        std::fprintf(file, "%c%.2f", i == 0 ? ',' : ' ', rounds[i]);
      }
    }
  }
  std::fputs("\n", file);
  return std::fclose(file) == 0;
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

  std::vector<pruned_layer> layers = compare_layers(net, input.data());
  if (!layers.empty()) print_table(layers, time_network(40, net, input.data(), layers));
  if (!o.table.empty() && !write_table(o.table, layers))
    return fail(o.table + ": cannot be written");
  net.run(input.data(), weights_kind::chosen);
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
