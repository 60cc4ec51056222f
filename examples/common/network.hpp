// Runs a model folder's network: activations as planes (channels x pixels), 1x1 convolutions as W X
// through sparsekit, everything else by planar.hpp. One thread; nothing is allocated while it runs.
//
// Planning does what an engine does anyway: a padding becomes part of the convolution that reads
// it, an addition becomes the epilogue of the convolution before it (relu(W X + b + y), in place),
// and buffers are reused as soon as their contents are dead, which keeps them in cache.
#pragma once

#include <array>
#include <cstdio>
#include <optional>
#include <sparsekit/choose/chosen_matrix.hpp>
#include <sparsekit/sparsekit.hpp>
#include <string>
#include <utility>
#include <vector>

#include "graph.hpp"
#include "planar.hpp"

namespace engine {

/// What a layer multiplies with: the form that sk::choose() took for it, or packed dense weights,
/// zeros and all; those also with X and Y as pixels x features, which no network here has, only to
/// compare.
enum class weights_kind { chosen, dense, dense_interleaved };

/// A 1x1 convolution, act(W X + b) or act(W X + b + y), with X and Y planar.
struct layer {
  std::string name;                                // of its output
  sk::dense_view<const float> weights;             // as the model has them, zeros and all
  std::optional<sk::chosen_matrix<float>> chosen;  // of layers that have zeros
  sk::packed_dense<float> dense;
  const float* bias = nullptr;
  index_t rows = 0, cols = 0, pixels = 0;
  activation act = activation::none;
  bool accumulates = false;

  bool pruned() const { return chosen.has_value(); }
  double zeros() const { return pruned() ? chosen->statistics().zeros() : 0; }
};

// In layer.cpp: their kernels take most of the time that a program like this compiles.
/// Packs the weights of a layer whose other members are set, for its number of pixels.
sk::status pack(layer& l);
/// Runs a layer once.
void multiply(const layer& l, weights_kind kind, const float* x, float* y, sk::workspace& scratch);

class network {
 public:
  /// Returns an error in one line, or "".
  std::string load(const std::string& folder) {
    if (std::string problem = read_graph(folder, graph_); !problem.empty()) return problem;
    const std::string problem = plan();
    return problem.empty() ? "" : folder + "/graph.txt: " + problem;
  }

  const std::vector<index_t>& input_shape() const { return at(graph_.input).shape; }
  const std::vector<layer>& layers() const { return layers_; }
  sk::workspace& scratch() { return scratch_; }

  /// `input` is height x width x channels. multiply_layer(layer, x, y) runs each 1x1 convolution,
  /// whose input is x and whose output y.
  template <class Multiply>
  void run(const float* input, Multiply&& multiply_layer) {
    const auto& shape = input_shape();
    transpose(shape[1] * shape[2], shape[3], input, buffer_of(graph_.input));
    for (const step& s : steps_) run_step(s, multiply_layer);
  }
  void run(const float* input, weights_kind kind) {
    run(input,
        [&](const layer& l, const float* x, float* y) { multiply(l, kind, x, y, scratch_); });
  }

  struct output {
    std::string name;
    std::vector<index_t> shape;
    sk::array_view<const float> values;  // in the order of the shape
  };
  /// Names and shapes after load, values after run.
  std::vector<output> outputs() {
    std::vector<output> all;
    for (int t : graph_.outputs) {
      all.push_back({at(t).name, at(t).shape, {buffer_of(t), at(t).size()}});
    }
    return all;
  }

 private:
  struct step {
    operation op;
    std::size_t layer = 0;  // convolutions of 1x1
    bool pointwise = false;
    window view;                // other convolutions
    sk::buffer<float> weights;  // theirs, in the order the loops want
    const float* bias = nullptr;
    std::vector<resize_source> rows, columns;  // of a resize
  };

  tensor& at(int t) { return graph_.tensors[static_cast<std::size_t>(t)]; }
  const tensor& at(int t) const { return graph_.tensors[static_cast<std::size_t>(t)]; }
  float* buffer_of(int t) {
    return buffers_[static_cast<std::size_t>(slot_[static_cast<std::size_t>(t)])].data();
  }

  // ---- running --------------------------------------------------------------------------------

  template <class Multiply>
  void run_step(const step& s, Multiply&& multiply_layer) {
    const operation& op = s.op;
    const float* in = buffer_of(op.inputs[0]);
    float* out = buffer_of(op.output);
    const auto& from = at(op.inputs[0]).shape;
    const auto& to = at(op.output).shape;
    switch (op.kind) {
      case op_kind::pad:
        break;  // part of the convolutions that read it
      case op_kind::convolution:
        if (s.pointwise) {
          multiply_layer(layers_[s.layer], in, out);
          break;
        }
        clear_padded(s.view, from[3]);
        convolve(s.view, from[3], to[3], op.act, in, s.weights.data(), s.bias, out, padded_.data());
        break;
      case op_kind::depthwise:
        clear_padded(s.view, 2);
        depthwise(s.view, to[3], op.act, in, s.weights.data(), s.bias, out, padded_.data());
        break;
      case op_kind::add:
        add(at(op.output).size(), op.act, in, buffer_of(op.inputs[1]), out);
        break;
      case op_kind::resize:
        resize(from[3], from[1], from[2], s.rows, s.columns, op.half_pixel && to[2] == 2 * from[2],
               in, out, padded_.data());
        break;
      case op_kind::depth_to_space:
        depth_to_space(to[3], from[1], from[2], op.block, in, out);
        break;
      case op_kind::reshape:
        if (from.size() == 4) {
          transpose(from[3], from[1] * from[2], in, out);
        } else {
          std::copy(in, in + at(op.output).size(), out);
        }
        break;
      case op_kind::concatenation:
        for (int t : op.inputs) {
          const float* part = buffer_of(t);
          out = std::copy(part, part + at(t).size(), out);
        }
        break;
    }
  }

  void clear_padded(const window& w, index_t planes) {
    std::fill(padded_.data(), padded_.data() + planes * w.plane, 0.f);
  }

  // ---- planning -------------------------------------------------------------------------------

  /// Positions of the first and last operation that touch each tensor, paddings seen through.
  struct uses {
    std::vector<int> last, count;
  };

  std::string plan() {
    const std::size_t tensors = graph_.tensors.size();
    slot_.assign(tensors, -1);
    padding_of_.assign(tensors, -1);
    for (std::size_t i = 0; i < graph_.operations.size(); ++i) {
      const operation& op = graph_.operations[i];
      if (op.kind == op_kind::pad)
        padding_of_[static_cast<std::size_t>(op.output)] = static_cast<int>(i);
    }
    const uses u = count_uses();
    for (int t : graph_.outputs) {
      if (at(t).shape.size() == 4)
        return "output " + at(t).name + " is not reshaped, which is not supported";
    }
    slot_[static_cast<std::size_t>(graph_.input)] = take_buffer(at(graph_.input).size());
    for (std::size_t i = 0; i < graph_.operations.size(); ++i) {
      operation op = graph_.operations[i];
      if (op.kind != op_kind::pad) {
        if (std::string problem = plan_step(op, i, u); !problem.empty()) return problem;
      }
      release_dead(i, u);
    }
    for (auto& b : sizes_) {
      sk::buffer<float> memory;
      if (auto s = memory.allocate_zeroed(b.size + slack); !s) return s.message();
      buffers_.push_back(std::move(memory));
    }
    if (auto s = padded_.allocate_zeroed(padded_size_ + slack); !s) return s.message();
    return plan_scratch();
  }

  std::string plan_scratch() {
    for (const layer& l : layers_) {
      const sk::workspace_options options{.max_columns = l.pixels};
      if (auto s = scratch_.add(l.dense, options); !s) return s.message();
      if (!l.pruned()) continue;
      if (auto s = scratch_.add(*l.chosen, options); !s) return s.message();
    }
    return "";
  }

  /// The tensor whose buffer an operation reads: a padding's input in place of the padded tensor.
  int source(int t) const {
    const int pad = padding_of_[static_cast<std::size_t>(t)];
    return pad < 0 ? t : graph_.operations[static_cast<std::size_t>(pad)].inputs[0];
  }

  uses count_uses() const {
    uses u{std::vector<int>(graph_.tensors.size(), -1), std::vector<int>(graph_.tensors.size(), 0)};
    for (std::size_t i = 0; i < graph_.operations.size(); ++i) {
      const operation& op = graph_.operations[i];
      if (op.kind == op_kind::pad) continue;
      for (int t : op.inputs) {
        const std::size_t from = static_cast<std::size_t>(source(t));
        u.last[from] = static_cast<int>(i);
        ++u.count[from];
      }
    }
    for (int t : graph_.outputs) {
      u.last[static_cast<std::size_t>(t)] = static_cast<int>(graph_.operations.size());
      ++u.count[static_cast<std::size_t>(t)];
    }
    return u;
  }

  std::string plan_step(operation& op, std::size_t i, const uses& u) {
    const bool convolves = op.kind == op_kind::convolution || op.kind == op_kind::depthwise;
    step s;
    const int first = op.inputs[0];
    for (int& t : op.inputs) {
      if (t != source(t) && !(convolves && t == first && !op.same_padding)) {
        return at(op.output).name + ": padding before this operator is not supported";
      }
      if (source(t) != t && padding_of_[static_cast<std::size_t>(source(t))] >= 0) {
        return at(op.output).name + ": padding of a padding is not supported";
      }
    }
    if (convolves) {
      s.view = window_of(op, first);
      op.inputs[0] = source(first);
    }
    if (op.kind == op_kind::add && fused_.size() > i && fused_[i])
      return "";  // done by its convolution
    s.op = op;
    if (op.kind == op_kind::convolution && s.view.kernel == 1 && s.view.stride == 1 &&
        s.view.in_h == s.view.out_h && s.view.in_w == s.view.out_w && s.view.pad_top == 0 &&
        s.view.pad_left == 0) {
      return plan_layer(std::move(s), i, u);
    }
    if (convolves) {
      if (auto status = reorder_weights(s); !status) return status.message();
    }
    if (op.kind == op_kind::convolution) {
      const index_t taps = at(op.inputs[1]).size() / at(op.inputs[1]).shape[0];
      if (taps > 1024) return at(op.output).name + ": this convolution is too large";
      padded_size_ = std::max(padded_size_, at(op.inputs[0]).shape[3] * s.view.plane);
    } else if (op.kind == op_kind::depthwise) {
      padded_size_ = std::max(padded_size_, 2 * s.view.plane);
    } else if (op.kind == op_kind::resize) {
      const auto& from = at(op.inputs[0]).shape;
      const auto& to = at(op.output).shape;
      s.rows = resize_sources(to[1], from[1], op.align_corners, op.half_pixel);
      s.columns = resize_sources(to[2], from[2], op.align_corners, op.half_pixel);
      padded_size_ = std::max(padded_size_, from[2] + 2 * lanes);
    }
    slot_[static_cast<std::size_t>(op.output)] = take_buffer(at(op.output).size());
    steps_.push_back(std::move(s));
    return "";
  }

  window window_of(const operation& op, int input) {
    const tensor& in = at(source(input));
    const tensor& weights = at(op.inputs[1]);
    const auto& out = at(op.output).shape;
    window w{.in_h = in.shape[1],
             .in_w = in.shape[2],
             .out_h = out[1],
             .out_w = out[2],
             .kernel = weights.shape[1],
             .stride = op.stride_h};
    const int pad = padding_of_[static_cast<std::size_t>(input)];
    if (pad >= 0) {
      const auto& amounts = at(graph_.operations[static_cast<std::size_t>(pad)].inputs[1]).integers;
      w.pad_top = amounts[2];
      w.pad_left = amounts[4];
    } else if (op.same_padding) {
      w.pad_top = same_padding_before(w.in_h, w.kernel, w.stride);
      w.pad_left = same_padding_before(w.in_w, w.kernel, w.stride);
    }
    w.lay_out();
    return w;
  }

  std::string plan_layer(step&& s, std::size_t i, const uses& u) {
    const operation& op = s.op;
    layer l;
    const tensor& weights = at(op.inputs[1]);
    l.rows = weights.shape[0];
    l.cols = weights.shape[3];
    l.pixels = s.view.out_h * s.view.out_w;
    l.act = op.act;
    const auto bias = bias_of(op, l.rows, l.bias);
    if (!bias) return bias.message();
    l.weights = {weights.values.data(), l.rows, l.cols};
    if (auto status = pack(l); !status) return status.message();
    const int addition = addition_after(op, i, u);
    if (addition >= 0) {
      // The other summand's buffer becomes the output's: the epilogue adds to what it holds.
      const operation& add = graph_.operations[static_cast<std::size_t>(addition)];
      const int other = add.inputs[0] == op.output ? add.inputs[1] : add.inputs[0];
      l.accumulates = true;
      l.act = add.act;
      fused_.resize(graph_.operations.size(), false);
      fused_[static_cast<std::size_t>(addition)] = true;
      int& slot = slot_[static_cast<std::size_t>(other)];
      slot_[static_cast<std::size_t>(op.output)] = slot_[static_cast<std::size_t>(add.output)] =
          slot;
      moved_.push_back(other);
      moved_.push_back(op.output);
      l.name = at(add.output).name;
    } else {
      slot_[static_cast<std::size_t>(op.output)] = take_buffer(at(op.output).size());
      l.name = at(op.output).name;
    }
    s.pointwise = true;
    s.layer = layers_.size();
    layers_.push_back(std::move(l));
    steps_.push_back(std::move(s));
    return "";
  }

  /// The addition right after a convolution that it can do itself, or -1: nobody else wants the
  /// convolution's own result, nor the other summand afterwards.
  int addition_after(const operation& op, std::size_t i, const uses& u) const {
    const std::size_t next = i + 1;
    if (next >= graph_.operations.size() || op.act != activation::none) return -1;
    const operation& add = graph_.operations[next];
    if (add.kind != op_kind::add || add.inputs[0] == add.inputs[1]) return -1;
    if (add.inputs[0] != op.output && add.inputs[1] != op.output) return -1;
    const int other = add.inputs[0] == op.output ? add.inputs[1] : add.inputs[0];
    if (source(other) != other || other == source(op.inputs[0])) return -1;
    if (u.count[static_cast<std::size_t>(op.output)] != 1) return -1;
    return u.last[static_cast<std::size_t>(other)] == static_cast<int>(next)
               ? static_cast<int>(next)
               : -1;
  }

  /// Depthwise: channels x taps. Dense: blocks of output channels, each taps x block.
  sk::status reorder_weights(step& s) {
    const tensor& w = at(s.op.inputs[1]);
    const bool is_depthwise = s.op.kind == op_kind::depthwise;
    const index_t outputs = is_depthwise ? w.shape[3] : w.shape[0];
    const index_t area = w.shape[1] * w.shape[2];
    if (auto status = bias_of(s.op, outputs, s.bias); !status) return status;
    if (auto status = s.weights.allocate(w.size()); !status) return status;
    if (is_depthwise) {
      transpose(area, outputs, w.values.data(), s.weights.data());
      return {};
    }
    const index_t channels = w.shape[3];
    const index_t taps = channels * area;
    for (index_t o = 0; o < outputs; ++o) {
      const bool blocked = o / convolution_block * convolution_block + convolution_block <= outputs;
      const index_t width = blocked ? convolution_block : 1;
      const index_t start = o / width * width;
      for (index_t t = 0; t < taps; ++t) {
        const index_t channel = t / area;
        s.weights[start * taps + t * width + (o - start)] =
            w.values[(o * area + t % area) * channels + channel];
      }
    }
    return {};
  }

  sk::status bias_of(const operation& op, index_t count, const float*& out) {
    if (op.inputs.size() == 3) {
      out = at(op.inputs[2]).values.data();
      return {};
    }
    sk::buffer<float> zeros;
    if (auto s = zeros.allocate_zeroed(count); !s) return s;
    out = zeros.data();
    zeros_.push_back(std::move(zeros));
    return {};
  }

  // ---- buffers --------------------------------------------------------------------------------

  int take_buffer(index_t size) {
    int best = -1;
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      if (!sizes_[i].free) continue;
      // The one that wastes least, or grows least.
      const auto cost = [&](std::size_t b) { return std::abs(sizes_[b].size - size); };
      if (best < 0 || cost(i) < cost(static_cast<std::size_t>(best))) best = static_cast<int>(i);
    }
    if (best < 0) {
      best = static_cast<int>(sizes_.size());
      sizes_.push_back({});
    }
    auto& b = sizes_[static_cast<std::size_t>(best)];
    b.size = std::max(b.size, size);
    b.free = false;
    return best;
  }

  void release_dead(std::size_t i, const uses& u) {
    for (std::size_t t = 0; t < slot_.size(); ++t) {
      if (slot_[t] < 0 || u.last[t] != static_cast<int>(i)) continue;
      if (std::find(moved_.begin(), moved_.end(), static_cast<int>(t)) != moved_.end()) continue;
      sizes_[static_cast<std::size_t>(slot_[t])].free = true;
    }
  }

  struct planned_buffer {
    index_t size = 0;
    bool free = false;
  };

  graph graph_;
  std::vector<step> steps_;
  std::vector<layer> layers_;
  std::vector<int> slot_;        // of each tensor, its buffer
  std::vector<int> padding_of_;  // of each tensor, the padding that makes it, or -1
  std::vector<bool> fused_;      // operations that a convolution does
  std::vector<int> moved_;       // tensors whose buffer another one took over
  std::vector<planned_buffer> sizes_;
  std::vector<sk::buffer<float>> buffers_;
  std::vector<sk::buffer<float>> zeros_;
  sk::buffer<float> padded_;
  index_t padded_size_ = 0;
  sk::workspace scratch_;
};

}  // namespace engine
