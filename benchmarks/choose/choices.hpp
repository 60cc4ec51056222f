// What the benchmark does for one type of weights. Types are compiled apart (wide.cpp, narrow.cpp): each brings every
// form, a minute of compiling.
#pragma once

#include <cstdio>
#include <sparsekit/plan/calibration.hpp>
#include <sparsekit/plan/form.hpp>
#include <sparsekit/status.hpp>
#include <string>
#include <vector>

#include "sources.hpp"

namespace choose_benchmark {

struct options {
  int random = 0;
  std::string dlmc;
  std::vector<std::string> networks;
  std::vector<index_t> columns = {1, 2, 8, 32, 100, 512};  ///< of X, unless the matrix has its own
  std::string type;
  std::uint64_t seed = 7;
  double budget = 4000;
  double most_work = 1e300;  ///< rows times columns of W times columns of X: more is left out
  double calibrate = 0;
  int part = 0, parts = 1;
  std::string calibration;
  std::string csv;
  std::string crossover;
};

/// Calls f(T*) for the type of this name. Returns whether there is one.
template <class F>
bool with_type(const std::string& name, F&& f) {
  if (name == "f32") {
    f(static_cast<float*>(nullptr));
  } else if (name == "f64") {
    f(static_cast<double*>(nullptr));
  } else if (name == "bf16") {
    f(static_cast<sk::bfloat16*>(nullptr));
  } else if (name == "f16") {
    f(static_cast<sk::float16*>(nullptr));
  } else if (name == "s8") {
    f(static_cast<std::int8_t*>(nullptr));
  } else {
    return false;
  }
  return true;
}

/// Which variant of its form was timed, as rows say it: "1:4 shared by 2 rows", "cut 1" of quads;
/// else nothing.
inline std::string variant_of(const sk::form_choice& c) {
  if (c.kind == sk::form::quads) return "cut " + std::to_string(c.interleave);
  return c.kind == sk::form::nm || c.kind == sk::form::bsr ? c.text() : "";
}

/// Packs and times all candidates of each matrix, and reports how far what choose() takes is off. `c` may be null.
template <class T>
void check_choices(const options& o, const std::vector<named_matrix>& matrices, const sk::calibration* c);

/// Where sparse begins to pay for weights of type T, as lines of CSV (crossover.hpp).
template <class T>
void add_crossover(const options& o, const char* type, const sk::calibration* c, std::FILE* out);

/// A calibration with these types measured.
template <class... Types>
sk::result<sk::calibration> calibrated(const options& o);

}  // namespace choose_benchmark
