// How often choose() is right: for many matrices and column counts, all candidates are packed and
// timed, turn and turn about, and what choose() takes by its model is compared with the fastest.
// The candidates are those of the whole pattern; choose() itself decides by samples of it.
// tools/scoreboard.py runs all of this.
//
// usage: sparsekit_choose_benchmark [--random COUNT] [--dlmc FOLDER] [--network FOLDER]...
//                                   [--type f32|f64|bf16|f16|s8] [--seed S] [--budget MICROSECONDS]
//                                   [--calibration FILE] [--csv FILE]
//                                   [--part I/N]: each N-th matrix only, from the I-th: in pieces
//                                   [--most WORK]: nothing of more multiply-adds, counting zeros
//                                   [--columns A,B,...]: of X, rather than 1, 2, 8, 32, 100, 512
//        sparsekit_choose_benchmark --crossover FILE.csv [--type TYPE] [--budget MICROSECONDS]
//                                   [--calibration FILE] [--most WORK]
//        sparsekit_choose_benchmark --calibrate SECONDS [--type T] [--seed S]
//                                   prints a calibration of this machine: f32 and f64, or type T
//
// A case where choose() is more than 5 % off is measured again, with four times the budget; the
// better of both ratios would flatter, so the second counts.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "choices.hpp"

using namespace choose_benchmark;

int main(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const char* value = i + 1 < argc ? argv[++i] : nullptr;
    if (value == nullptr) {
      std::fprintf(stderr, "%s needs a value\n", word.c_str());
      return 1;
    }
    if (word == "--random") {
      o.random = std::atoi(value);
    } else if (word == "--dlmc") {
      o.dlmc = value;
    } else if (word == "--network") {
      o.networks.push_back(value);
    } else if (word == "--type") {
      o.type = value;
      if (!with_type(o.type, [](auto*) {})) {
        std::fprintf(stderr, "--type: %s is not f32, f64, bf16, f16 or s8\n", value);
        return 1;
      }
    } else if (word == "--seed") {
      o.seed = std::strtoull(value, nullptr, 10);
    } else if (word == "--budget") {
      o.budget = std::atof(value);
    } else if (word == "--most") {
      o.most_work = std::atof(value);
    } else if (word == "--calibrate") {
      o.calibrate = std::atof(value);
    } else if (word == "--calibration") {
      o.calibration = value;
    } else if (word == "--part") {
      if (std::sscanf(value, "%d/%d", &o.part, &o.parts) != 2 || o.parts < 1) {
        std::fprintf(stderr, "--part: %s is not I/N\n", value);
        return 1;
      }
    } else if (word == "--columns") {
      o.columns.clear();
      std::istringstream counts(value);
      for (std::string n; std::getline(counts, n, ',');) {
        o.columns.push_back(std::atol(n.c_str()));
        if (o.columns.back() < 1) {
          std::fprintf(stderr, "--columns: %s is not a list of positive numbers\n", value);
          return 1;
        }
      }
    } else if (word == "--crossover") {
      o.crossover = value;
    } else if (word == "--csv") {
      o.csv = value;
    } else {
      std::fprintf(stderr, "%s is not an option\n", word.c_str());
      return 1;
    }
  }
  if (o.calibrate > 0) {
    const auto print = [](sk::result<sk::calibration> c) {
      std::fputs(sk::save_calibration(std::move(c).value()).c_str(), stdout);
    };
    if (o.type.empty()) {
      print(calibrated<float, double>(o));
    } else {
      with_type(o.type, [&]<class T>(T*) { print(calibrated<T>(o)); });
    }
    return 0;
  }
  sk::calibration loaded;
  if (!o.calibration.empty()) {
    std::ifstream file(o.calibration);
    std::stringstream text;
    text << file.rdbuf();
    if (auto s = sk::load_calibration(text.str()).get(loaded); !s) {
      std::fprintf(stderr, "%s: %s\n", o.calibration.c_str(), s.message().c_str());
      return 1;
    }
  }
  const sk::calibration* c = o.calibration.empty() ? nullptr : &loaded;
  if (!o.crossover.empty()) {
    std::FILE* out = std::fopen(o.crossover.c_str(), "w");
    if (out == nullptr) {
      std::fprintf(stderr, "%s cannot be written\n", o.crossover.c_str());
      return 1;
    }
    std::fprintf(out,
                 "type,rows,cols,columns,zeros,form,dense_us,sparse_us,measured,predicted,rounds,"
                 "measured_low,measured_high\n");
    for (const char* type : {"f32", "f64", "bf16", "f16", "s8"}) {
      if (!o.type.empty() && o.type != type) continue;
      with_type(type, [&]<class T>(T*) { add_crossover<T>(o, type, c, out); });
    }
    std::fclose(out);
    return 0;
  }
  std::vector<named_matrix> matrices;
  const auto take = [&](std::vector<named_matrix>&& more) {
    for (named_matrix& m : more) matrices.push_back(std::move(m));
  };
  if (o.random > 0) take(generated(o.random, o.seed));
  if (!o.dlmc.empty()) take(from_smtx(o.dlmc));
  for (const std::string& folder : o.networks) take(from_network(folder));
  if (matrices.empty()) {
    std::fprintf(stderr, "no matrices: give --random, --dlmc or --network\n");
    return 1;
  }
  with_type(o.type.empty() ? "f32" : o.type,
            [&]<class T>(T*) { check_choices<T>(o, matrices, c); });
}
