// Y = W X by packed matrices (pack) and by packed dense weights of the same type, all in turn in
// one process, one thread, the least of many rounds, each in both layouts of X and Y (-xt: tokens x
// features), results compared with those of CSR. Prints CSV, times in seconds.
//
// usage: sparsekit_spmm_benchmark f32|f64 [--columns N[,N...]] [--zeros Z[,Z...]] [--rounds R]
//                                 [PATTERN.smtx...]
//
// Without files: 50 to 98 % uniformly random zeros in four shapes, by 4 to 256 columns, one matrix
// and eight in turn. With files: their patterns (as of the Deep Learning Matrix Collection), with
// random values, beside a uniformly random pattern of the same shape and number of entries.
#include <cstdlib>
#include <cstring>
#include <exception>

#include "contest.hpp"

namespace {

/// Numbers with commas between; empty if one is not in (low, high).
std::vector<double> numbers(const char* text, double low, double high) {
  std::vector<double> list;
  for (; text != nullptr; text = std::strchr(text, ',')) {
    text += *text == ',' ? 1 : 0;
    list.push_back(std::atof(text));
    if (!(list.back() > low && list.back() < high)) return {};
  }
  return list;
}

}  // namespace

int main(int count, char** arguments) {
  spmm_benchmark::options o;
  const std::string type = count > 1 ? arguments[1] : "";
  bool understood = type == "f32" || type == "f64";
  for (int i = 2; i < count && understood; ++i) {
    const std::string word = arguments[i];
    const char* const value = i + 1 < count ? arguments[i + 1] : "";
    if (word == "--columns") {
      o.columns.clear();
      for (const double n : numbers(value, 0.5, 1e6)) o.columns.push_back(std::lround(n));
      understood = !o.columns.empty();
      ++i;
    } else if (word == "--zeros") {
      o.zeros = numbers(value, -1e-9, 1);
      understood = !o.zeros.empty();
      ++i;
    } else if (word == "--rounds") {
      o.rounds = std::atoi(value);
      understood = o.rounds > 0;
      ++i;
    } else {
      understood = word.ends_with(".smtx");
      o.patterns.push_back(word);
    }
  }
  if (!understood) {
    std::fprintf(stderr,
                 "usage: %s f32|f64 [--columns N[,N...]] [--zeros Z[,Z...]] [--rounds R] "
                 "[PATTERN.smtx...]\n",
                 arguments[0]);
    return 1;
  }
  std::printf("type,matrix,rows,cols,entries,columns,matrices,name,seconds\n");
  try {
    type == "f32" ? spmm_benchmark::run_f32(o) : spmm_benchmark::run_f64(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
