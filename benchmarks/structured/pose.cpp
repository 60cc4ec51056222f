// 1x1 convolutions of a pruned network in int8 beside f32, with their real X and Y.
//
// Weights become s8, symmetric, one scale an output channel: max|w| / 127. X becomes u8 with one
// scale and zero point a layer, from the least and the largest number of the given X. Sums of s32
// are dequantised to f32, biased and limited as the layer says, in the kernel's last store. X is
// quantised beforehand, as the layer before would leave it: not timed.
#include <cstdio>
#include <filesystem>
#include <sparsekit/choose.hpp>
#include <sparsekit/io/matrix_market.hpp>
#include <sparsekit/io/npy.hpp>
#include <sparsekit/sparsekit.hpp>

#include "contenders.hpp"

namespace structured_benchmark {
namespace {

namespace fs = std::filesystem;

struct layer {
  std::string name;
  sk::csr_matrix<float> w;
  matrix<float> x, y;
  sk::buffer<float> bias;
  float low, high;  ///< of the activation
};

sk::buffer<float> read_array(const std::string& path, std::vector<index_t>& shape) {
  sk::io::npy_array file;
  sk::buffer<float> values;
  auto s = sk::io::read_npy(path).get(file);
  if (s && file.tensor.fortran_order)
    s = {.code = sk::errc::unsupported, .object = "npy", .detail = "Fortran order"};
  if (s) s = sk::io::read_values<float>(file.tensor).get(values);
  if (!s) throw std::runtime_error(sk::io::describe(path, s));
  shape = file.tensor.shape;
  return values;
}
matrix<float> read_dense(const std::string& path) {
  std::vector<index_t> shape;
  auto values = read_array(path, shape);
  if (shape.size() != 2) throw std::runtime_error(path + ": not a matrix");
  matrix<float> m(shape[0], shape[1]);
  if (values.size() > 0) m.values = std::move(values);
  return m;
}

layer read_layer(const std::string& weights, const std::string& stem) {
  sk::csr_matrix<float> w;
  if (auto s = sk::io::read_matrix_market<float>(weights).get(w); !s) {
    throw std::runtime_error(sk::io::describe(weights, s));
  }
  std::vector<index_t> shape;
  layer l{fs::path(stem).filename().string(),
          std::move(w),
          read_dense(stem + "_X.npy"),
          read_dense(stem + "_Y.npy"),
          read_array(stem + "_b.npy", shape),
          0,
          0};
  if (l.x.rows != l.w.cols() || l.y.rows != l.w.rows() || l.y.cols != l.x.cols ||
      l.bias.size() != l.w.rows() || l.x.cols == 0 || l.w.rows() == 0) {
    throw std::runtime_error(stem + ": W, X, b and Y do not fit each other");
  }
  // The files do not name the activation, but Y shows where it was cut; f32 results are compared.
  const auto [least, most] = std::minmax_element(l.y.values.begin(), l.y.values.end());
  const float infinity = std::numeric_limits<float>::infinity();
  l.low = *least == 0 ? 0 : -infinity;
  l.high = *least == 0 && *most == 6 ? 6 : infinity;
  return l;
}

std::vector<layer> read_layers(const std::string& folder) {
  if (!fs::is_directory(folder)) throw std::runtime_error(folder + ": no such folder");
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string path = entry.path().string();
    if (path.ends_with("_W.mtx") || path.ends_with("_W.mtx.gz")) files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  std::vector<layer> layers;
  for (const std::string& path : files) {
    layers.push_back(read_layer(path, path.substr(0, path.rfind("_W.mtx"))));
  }
  if (layers.empty()) throw std::runtime_error(folder + ": no opNNN_W.mtx[.gz] in it");
  return layers;
}

/// A layer's weights and X as integers: w = q * scale[row], x = (q - zero_point) * x_scale.
struct quantised {
  matrix<std::int8_t> w;
  matrix<std::uint8_t> x;
  std::vector<float> scales;  ///< of the sums: a row's times that of X
  std::int32_t zero_point;

  explicit quantised(const layer& l)
      : w(l.w.rows(), l.w.cols()), x(l.x.rows, l.x.cols), scales(), zero_point(0) {
    const auto [first, last] = std::minmax_element(l.x.values.begin(), l.x.values.end());
    const float least = std::min(*first, 0.f), most = std::max(*last, 0.f);  // zero is exact
    const float x_scale = most > least ? (most - least) / 255 : 1;
    zero_point = static_cast<std::int32_t>(std::lround(-least / x_scale));
    for (index_t i = 0; i < l.x.values.size(); ++i) {
      const long q = std::lround(l.x.values[i] / x_scale) + zero_point;
      x.values[i] = static_cast<std::uint8_t>(std::clamp(q, 0L, 255L));
    }
    const auto a = l.w.view();
    for (index_t r = 0; r < a.rows(); ++r) {
      float largest = 0;
      for (index_t p = a.row_ptr[r]; p < a.row_ptr[r + 1]; ++p) {
        largest = std::max(largest, std::abs(a.values[p]));
      }
      const float scale = largest > 0 ? largest / 127 : 1;
      for (index_t p = a.row_ptr[r]; p < a.row_ptr[r + 1]; ++p) {
        w.view()(r, a.columns[p]) = static_cast<std::int8_t>(std::lround(a.values[p] / scale));
      }
      scales.push_back(scale * x_scale);
    }
  }
};

/// What the epilogue should make of integer sums, by plain loops.
matrix<float> plain_result(const quantised& q, const layer& l) {
  matrix<float> y(q.w.rows, q.x.cols);
  for (index_t r = 0; r < q.w.rows; ++r) {
    for (index_t j = 0; j < q.x.cols; ++j) {
      std::int32_t sum = 0;
      for (index_t k = 0; k < q.w.cols; ++k) {
        sum += q.w.view()(r, k) * (q.x.view()(k, j) - q.zero_point);
      }
      const double v = static_cast<double>(sum) * q.scales[static_cast<std::size_t>(r)] + l.bias[r];
      y.view()(r, j) = std::clamp(static_cast<float>(v), l.low, l.high);
    }
  }
  return y;
}

/// Norm of the difference over norm of Y; largest difference over Y's range.
struct error {
  double relative, largest;
};
error error_of(const matrix<float>& y, const matrix<float>& given) {
  double difference = 0, norm = 0;
  for (index_t i = 0; i < given.values.size(); ++i) {
    const double want = given.values[i], d = y.values[i] - want;
    difference += d * d;
    norm += want * want;
  }
  const auto [least, most] = std::minmax_element(given.values.begin(), given.values.end());
  const double range = static_cast<double>(*most) - static_cast<double>(*least);
  return {std::sqrt(difference / std::max(norm, 1e-300)),
          largest_difference(y.in(), given.in()) / std::max(range, 1e-300)};
}

/// One of the forms that choose() considers, taken or not.
struct considered {
  sk::packed_forms<std::int8_t> forms{};
  sk::form kind;
};
template <class X, class Y, class Epilogue>
void multiply(const considered& w, const X& x, const Y& y, const Epilogue& e, sk::workspace& ws) {
  sk::multiply_by(w.kind, sk::seq, w.forms, x, y, e, ws);
}
sk::workspace_size workspace_requirement(const considered& w, index_t columns) {
  return sk::workspace_requirement(w.forms, columns);
}

/// What is timed: "s8 sparse" is the fastest of the sparse forms, which choose() may have left.
constexpr const char* names[] = {"f32 dense", "f32 pack", "s8 dense", "s8 choose", "s8 sparse"};

/// Times of one layer in the order of `names`, in seconds.
std::vector<double> time_layer(const layer& l, int rounds, std::ofstream& csv) {
  const index_t m = l.w.rows(), k = l.w.cols(), n = l.x.cols;
  const quantised q(l);
  matrix<float, sk::col_major> xt(k, n), yt(m, n);
  matrix<std::uint8_t, sk::col_major> qxt(k, n);
  matrix<float> y(m, n), w(m, k);
  copy(l.x, xt);
  copy(q.x, qxt);
  const auto a = l.w.view();
  for (index_t r = 0; r < m; ++r) {
    for (index_t p = a.row_ptr[r]; p < a.row_ptr[r + 1]; ++p)
      w.view()(r, a.columns[p]) = a.values[p];
  }
  const matrix<float> exact = plain_result(q, l);
  const auto [least, most] = std::minmax_element(l.y.values.begin(), l.y.values.end());
  const double range = static_cast<double>(*most) - static_cast<double>(*least);

  std::vector<contender> all;
  std::vector<error> errors;
  std::vector<std::string> forms;
  const auto add = [&](const char* name, const std::string& form, const auto& weights,
                       const auto& x, const auto& x_t, const matrix<float>& expected,
                       const auto& epilogue) {
    const auto check = [&](const auto& result) {
      all.back().run();
      const double d = largest_difference(result.in(), expected.in()) / range;
      if (d <= 1e-5) return;
      throw std::runtime_error(l.name + ", " + name + ", " + all.back().layout +
                               ": wrong result, off by " + std::to_string(d) + " of its range");
    };
    all.push_back(product(name, weights, x.in(), y.view(), epilogue));
    check(y);
    errors.insert(errors.end(), 2, error_of(y, l.y));
    forms.insert(forms.end(), 2, form);
    all.push_back(product(name, weights, x_t.in(), yt.view(), epilogue));
    check(yt);
  };
  const auto f32 = sk::bias(l.bias) | sk::clamp(l.low, l.high);
  const auto s8 = sk::dequantize(q.scales, q.zero_point) | f32;
  add(names[0], "dense", shared(sk::pack_dense(w.in()).value()), l.x, xt, l.y, f32);
  add(names[1], "pack", shared(sk::pack(l.w, {.columns = {n}}).value()), l.x, xt, l.y, f32);
  add(names[2], "dense", shared(sk::pack_dense(q.w.in()).value()), q.x, qxt, exact, s8);
  const auto chosen = shared(sk::choose(q.w.in(), {.columns = {n}}).value());
  add(names[3], sk::name_of(chosen->form_for(n)), chosen, q.x, qxt, exact, s8);
  const auto csr =
      sk::csr_matrix<std::int8_t, std::int32_t, std::int64_t>::from_dense(q.w.in()).value();
  for (const sk::candidate& c : chosen->candidates()) {
    if (c.choice.kind == sk::form::dense) continue;
    considered one{{}, c.choice.kind};
    const auto dense = [&] { return sk::pack_dense(q.w.in()); };
    if (auto s = one.forms.pack_form(c.choice, csr.view(), dense); !s) {
      throw std::runtime_error(s.message());
    }
    add(names[4], c.choice.text(), shared(std::move(one)), q.x, qxt, exact, s8);
  }
  time_in_turn(all, rounds, false);

  std::vector<double> times;
  for (const char* name : names) times.push_back(least_of(all, name));
  const double zeros = 1 - static_cast<double>(l.w.nnz()) / static_cast<double>(m * k);
  std::string sparse = "none";
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == names[4] && all[i].least == times[4]) sparse = forms[i];
  }
  std::printf(
      "%s: %ld x %ld by %ld, %.0f %% zeros: f32 dense %.1f us, pack %.1f us; s8 dense %.1f us, "
      "choose %.1f us (%s), sparse %.1f us (%s); choose %.2fx over f32 pack, %.2fx over s8 "
      "dense; error %.4f of the norm, at most %.4f of the range\n",
      l.name.c_str(), static_cast<long>(m), static_cast<long>(k), static_cast<long>(n), 100 * zeros,
      1e6 * times[0], 1e6 * times[1], 1e6 * times[2], 1e6 * times[3],
      sk::name_of(chosen->form_for(n)), 1e6 * times[4], sparse.c_str(), times[1] / times[3],
      times[2] / times[3], errors.back().relative, errors.back().largest);
  std::fflush(stdout);
  for (std::size_t i = 0; i < all.size(); ++i) {
    csv << l.name << ',' << m << ',' << k << ',' << n << ',' << zeros << ',' << all[i].name << ','
        << all[i].layout << ',' << forms[i] << ',' << all[i].least << ',' << errors[i].relative
        << ',' << errors[i].largest << '\n';
  }
  csv.flush();
  return times;
}

}  // namespace

void run_pose(const options& o) {
  const std::vector<layer> layers = read_layers(o.pose);
  auto csv = open_csv(
      o, "layer,rows,cols,columns,zeros,name,layout,form,seconds,error_of_norm,error_of_range");
  double sums[std::size(names)] = {}, logarithms[std::size(names)] = {};
  for (const layer& l : layers) {
    const auto times = time_layer(l, o.rounds, csv);
    for (std::size_t i = 0; i < std::size(names); ++i) {
      sums[i] += times[i];
      logarithms[i] += std::log(times[i] / times[3]);
    }
  }
  std::printf("all %zu layers:", layers.size());
  for (std::size_t i = 0; i < std::size(names); ++i)
    std::printf(" %s %.1f us,", names[i], 1e6 * sums[i]);
  const auto mean = [&](int i) {
    return std::exp(logarithms[i] / static_cast<double>(layers.size()));
  };
  std::printf(" s8 choose %.2fx over f32 pack (geometric mean %.2f), %.2fx over s8 dense (%.2f)\n",
              sums[1] / sums[3], mean(1), sums[2] / sums[3], mean(2));
}

}  // namespace structured_benchmark
