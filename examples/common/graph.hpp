// Reads a model folder: graph.txt (one operator a line) and weights.safetensors, and checks that
// they fit each other, so that whatever runs the graph can trust every shape.
//
// Shapes are N,H,W,C as TensorFlow Lite has them; N is 1. Errors are one line with file and line
// number.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <sparsekit/io/safetensors.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

namespace sk = sparsekit;
using sk::index_t;

enum class activation { none, relu, relu6 };
enum class op_kind {
  pad,
  convolution,
  depthwise,
  add,
  resize,
  depth_to_space,
  reshape,
  concatenation
};

struct tensor {
  std::string name;
  std::vector<index_t> shape;
  bool constant = false;
  sk::buffer<float> values;       // of a constant with floating-point numbers
  std::vector<index_t> integers;  // of a constant with integers: paddings, shapes

  index_t size() const {
    index_t n = 1;
    for (index_t d : shape) n *= d;
    return n;
  }
};

struct operation {
  op_kind kind = op_kind::add;
  std::vector<int> inputs;  // positions in graph::tensors
  int output = -1;
  activation act = activation::none;
  index_t stride_h = 1, stride_w = 1;
  bool same_padding = false;
  bool align_corners = false, half_pixel = false;
  index_t block = 0;
  index_t axis = 0;
};

struct graph {
  std::vector<tensor> tensors;
  std::vector<operation> operations;
  int input = -1;
  std::vector<int> outputs;
};

/// Zeros that a convolution sees around its input: as many as `same` padding needs, or none.
inline index_t same_padding_before(index_t in, index_t kernel, index_t stride) {
  const index_t out = (in + stride - 1) / stride;
  return std::max<index_t>((out - 1) * stride + kernel - in, 0) / 2;
}

/// Words of a file may hold anything; a terminal should see letters.
inline std::string printable(std::string text) {
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text;
}

class graph_reader {
 public:
  /// Returns an error in one line, or "".
  std::string read(const std::string& folder, graph& out) {
    graph_ = &out;
    const std::string weights = folder + "/weights.safetensors";
    const std::string text = folder + "/graph.txt";
    sk::io::byte_buffer bytes;
    if (auto s = sk::io::read_file(text).get(bytes); !s) return sk::io::describe(text, s);
    sk::io::safetensors file;
    if (auto s = sk::io::read_safetensors(weights).get(file); !s) {
      return sk::io::describe(weights, s);
    }
    for (const auto& t : file.tensors) {
      const std::string problem = add_constant(t);
      if (!problem.empty()) return weights + ": tensor " + printable(t.name + ": " + problem);
    }
    std::string_view rest = sk::io::as_text(bytes.view());
    for (int number = 1; !rest.empty(); ++number) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      const std::string problem = read_line(line);
      if (!problem.empty())
        return text + ": line " + std::to_string(number) + ": " + printable(problem);
    }
    if (out.input < 0) return text + ": no INPUT";
    if (out.outputs.empty()) return text + ": no OUTPUT";
    for (int t : out.outputs) {
      if (out.tensors[static_cast<std::size_t>(t)].shape.empty()) {
        return text + ": output " + printable(out.tensors[static_cast<std::size_t>(t)].name) +
               " is never computed";
      }
    }
    return "";
  }

 private:
  // Larger than any network this runs; keeps sums of a few sizes far from overflow.
  static constexpr index_t most_elements = index_t{1} << 28;

  std::string add_constant(const sk::io::named_tensor& t) {
    tensor c{
        .name = t.name, .shape = t.tensor.shape, .constant = true, .values = {}, .integers = {}};
    if (sk::io::element_count(t.tensor) == 0) return "is empty";
    if (sk::io::is_integer(t.tensor.type)) {
      sk::buffer<index_t> numbers;
      if (auto s = sk::io::read_values<index_t>(t.tensor).get(numbers); !s) return s.message();
      c.integers.assign(numbers.begin(), numbers.end());
    } else if (auto s = sk::io::read_values<float>(t.tensor).get(c.values); !s) {
      return s.message();
    }
    add_tensor(std::move(c));
    return "";
  }

  int add_tensor(tensor&& t) {
    const int position = static_cast<int>(graph_->tensors.size());
    names_[t.name] = position;
    graph_->tensors.push_back(std::move(t));
    return position;
  }
  int named(std::string_view name) {
    const auto at = names_.find(std::string(name));
    if (at != names_.end()) return at->second;
    return add_tensor({.name = std::string(name), .shape = {}, .values = {}, .integers = {}});
  }
  tensor& at(int position) { return graph_->tensors[static_cast<std::size_t>(position)]; }

  static std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
      const std::size_t end = text.find(separator);
      if (end != 0 || separator != ' ') parts.push_back(text.substr(0, end));
      if (end == std::string_view::npos) break;
      text.remove_prefix(end + 1);
    }
    if (separator == ' ') std::erase(parts, std::string_view{});
    return parts;
  }
  static bool number(std::string_view text, index_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size();
  }
  static bool numbers(std::string_view text, char separator, std::vector<index_t>& out) {
    out.clear();
    for (std::string_view part : split(text, separator)) {
      out.push_back(0);
      if (!number(part, out.back())) return false;
    }
    return true;
  }

  std::string read_line(std::string_view line) {
    const auto words = split(line, ' ');
    if (words.empty() || words[0] == "#") return "";
    if (words[0] == "INPUT") {
      if (words.size() != 2 || graph_->input >= 0) return "one INPUT is supported";
      graph_->input = named(words[1]);
      return at(graph_->input).constant ? "INPUT is a constant" : "";
    }
    if (words[0] == "OUTPUT") {
      for (std::size_t i = 1; i < words.size(); ++i) graph_->outputs.push_back(named(words[i]));
      return "";
    }
    return read_operation(words);
  }

  std::string read_operation(const std::vector<std::string_view>& words) {
    static const std::map<std::string_view, op_kind> kinds = {
        {"PAD", op_kind::pad},
        {"CONV_2D", op_kind::convolution},
        {"DEPTHWISE_CONV_2D", op_kind::depthwise},
        {"ADD", op_kind::add},
        {"RESIZE_BILINEAR", op_kind::resize},
        {"DEPTH_TO_SPACE", op_kind::depth_to_space},
        {"RESHAPE", op_kind::reshape},
        {"CONCATENATION", op_kind::concatenation}};
    const auto kind = kinds.find(words[0]);
    if (kind == kinds.end()) return "unknown operator " + std::string(words[0].substr(0, 40));
    operation op;
    op.kind = kind->second;
    std::vector<index_t> shape;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::string problem = read_option(words[i], op, shape);
      if (!problem.empty()) return problem;
    }
    if (op.output < 0 || op.inputs.empty() || shape.empty()) return "out, in or shape is missing";
    index_t size = 1;
    for (index_t d : shape) {
      if (d < 1 || !sk::checked_multiply(size, d, size) || size > most_elements) {
        return "shape is not usable";
      }
    }
    if (shape[0] != 1) return "batches are not supported";
    // The input's shape is not in the file: its first reader, a padding or convolution, implies it.
    const std::string problem = check(op, shape);
    if (!problem.empty()) return problem;
    tensor& out = at(op.output);
    if (out.constant || !out.shape.empty() || op.output == graph_->input) {
      return out.name + " is computed twice";
    }
    out.shape = shape;
    graph_->operations.push_back(std::move(op));
    return "";
  }

  std::string read_option(std::string_view word, operation& op, std::vector<index_t>& shape) {
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) return "malformed option " + std::string(word);
    const std::string_view key = word.substr(0, equals);
    const std::string_view value = word.substr(equals + 1);
    const std::string malformed = "malformed option " + std::string(word.substr(0, 60));
    index_t flag = 0;
    std::vector<index_t> list;
    if (key == "out") {
      op.output = named(value);
    } else if (key == "in") {
      for (std::string_view name : split(value, ',')) op.inputs.push_back(named(name));
    } else if (key == "shape") {
      if (!numbers(value, 'x', shape)) return malformed;
    } else if (key == "stride") {
      if (!numbers(value, ',', list) || list.size() != 2) return malformed;
      op.stride_h = list[0];
      op.stride_w = list[1];
      if (op.stride_h < 1 || op.stride_h > 16 || op.stride_h != op.stride_w) {
        return "stride is not supported";
      }
    } else if (key == "padding") {
      if (value != "SAME" && value != "VALID") return malformed;
      op.same_padding = value == "SAME";
    } else if (key == "act") {
      if (value != "NONE" && value != "RELU" && value != "RELU6") return malformed;
      op.act = value == "NONE"   ? activation::none
               : value == "RELU" ? activation::relu
                                 : activation::relu6;
    } else if (key == "mult") {
      if (value != "1") return "a depth multiplier other than 1 is not supported";
    } else if (key == "block") {
      if (!number(value, op.block)) return malformed;
    } else if (key == "axis") {
      if (!number(value, op.axis)) return malformed;
    } else if (key == "align_corners" || key == "half_pixel") {
      if (!number(value, flag) || flag < 0 || flag > 1) return malformed;
      (key == "half_pixel" ? op.half_pixel : op.align_corners) = flag == 1;
    } else {
      return malformed;
    }
    return "";
  }

  // ---- shapes ---------------------------------------------------------------------------------

  std::string check(const operation& op, const std::vector<index_t>& shape) {
    for (int t : op.inputs) {
      if (at(t).shape.empty() && t != graph_->input) return at(t).name + " is not computed yet";
    }
    const int first = op.inputs[0];
    if (at(first).constant) return "the first input is a constant";
    if (first == graph_->input && at(first).shape.empty()) {
      const std::string problem = infer_input(op, shape);
      if (!problem.empty()) return problem;
    }
    const std::vector<index_t> expected = output_shape(op, shape);
    return expected == shape ? "" : "shape does not follow from the inputs";
  }

  bool four(int t) { return at(t).shape.size() == 4; }

  std::string infer_input(const operation& op, const std::vector<index_t>& shape) {
    if (op.kind != op_kind::pad || op.inputs.size() != 2 || shape.size() != 4 ||
        at(op.inputs[1]).integers.size() != 8) {
      return "the first operator must pad the input";
    }
    std::vector<index_t> input = shape;
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t side = 0; side < 2; ++side) {
        const index_t pad = at(op.inputs[1]).integers[2 * i + side];
        if (pad < 0 || pad >= input[i]) return "malformed padding";
        input[i] -= pad;
      }
    }
    at(graph_->input).shape = input;
    return "";
  }

  /// What the operator computes from its inputs; empty if they do not fit each other.
  std::vector<index_t> output_shape(const operation& op, const std::vector<index_t>& claimed) {
    const std::vector<index_t> in = at(op.inputs[0]).shape;
    const std::size_t count = op.inputs.size();
    switch (op.kind) {
      case op_kind::pad: {
        if (in.size() != 4 || count != 2 || at(op.inputs[1]).integers.size() != 8) return {};
        std::vector<index_t> out = in;
        for (std::size_t i = 0; i < 8; ++i) {
          const index_t pad = at(op.inputs[1]).integers[i];
          if (pad < 0 || pad > 64 || (pad > 0 && (i < 2 || i > 5))) return {};
          out[i / 2] += pad;
        }
        return out;
      }
      case op_kind::convolution:
      case op_kind::depthwise:
        return convolved(op, in);
      case op_kind::add:
        return count == 2 && !at(op.inputs[1]).constant && at(op.inputs[1]).shape == in
                   ? in
                   : std::vector<index_t>{};
      case op_kind::resize:
        if (in.size() != 4 || claimed.size() != 4 || (op.align_corners && op.half_pixel)) return {};
        return {1, claimed[1], claimed[2], in[3]};
      case op_kind::depth_to_space:
        if (in.size() != 4 || op.block < 1 || op.block > 16 || in[3] % (op.block * op.block) != 0) {
          return {};
        }
        return {1, in[1] * op.block, in[2] * op.block, in[3] / (op.block * op.block)};
      case op_kind::reshape: {
        index_t size = 1;
        for (index_t d : claimed) size *= d;
        return claimed.size() <= 3 && size == at(op.inputs[0]).size() ? claimed
                                                                      : std::vector<index_t>{};
      }
      case op_kind::concatenation: {
        if (op.axis != 1 || in.size() != 3) return {};
        std::vector<index_t> out = {1, 0, in[2]};
        for (int t : op.inputs) {
          if (at(t).constant || at(t).shape.size() != 3 || at(t).shape[2] != in[2]) return {};
          out[1] += at(t).shape[1];
        }
        return out;
      }
    }
    return {};
  }

  std::vector<index_t> convolved(const operation& op, const std::vector<index_t>& in) {
    if (in.size() != 4 || op.inputs.size() < 2 || op.inputs.size() > 3) return {};
    const tensor& w = at(op.inputs[1]);
    const bool depthwise = op.kind == op_kind::depthwise;
    if (w.values.size() == 0 || w.shape.size() != 4) return {};
    const index_t channels = depthwise ? w.shape[3] : w.shape[0];
    if (depthwise ? w.shape[0] != 1 || channels != in[3] : w.shape[3] != in[3]) return {};
    if (w.shape[1] != w.shape[2] || w.shape[1] > 16) return {};
    if (op.inputs.size() == 3) {
      const tensor& bias = at(op.inputs[2]);
      if (bias.values.size() != channels || bias.shape.size() != 1) return {};
    }
    std::vector<index_t> out = {1, 0, 0, channels};
    for (std::size_t i = 1; i <= 2; ++i) {
      if (!op.same_padding && in[i] < w.shape[i]) return {};
      out[i] = op.same_padding ? (in[i] + op.stride_h - 1) / op.stride_h
                               : (in[i] - w.shape[i]) / op.stride_h + 1;
    }
    return out;
  }

  graph* graph_ = nullptr;
  std::map<std::string, int> names_;
};

/// Returns an error in one line, or "".
inline std::string read_graph(const std::string& folder, graph& out) {
  return graph_reader().read(folder, out);
}

}  // namespace engine
