// What choose() would take today, judged by times of another day: no timing, so a change of the
// cost model is judged in a minute on a busy machine. For each row of the benchmark's --csv files
// the matrix is generated anew (by its name: the same pattern with another seed) or read, the model
// decides, and the row says what the candidates took. What was taken then stands beside it.
//
// usage: sparsekit_choose_judge --type f32|f64|bf16|f16|s8 [--dlmc FOLDER] [--leave-out FORM]...
//                               [--calibration FILE] [--fit FILE] [--learn ROWS.csv]... [--csv FILE]
//                               [--losing COUNT] ROWS.csv...
//   --leave-out    a form whose times in these rows are of older kernels: "N:M", "bitmask"
//   --fit FILE     fits the constants to generated matrices as calibrate() does (plan/fit.hpp, plan/rank.hpp), every
//                  second matrix, and saves them as a calibration, with which the judgement then goes on. Groups say
//                  "held out" of the rest.
//   --learn FILE   rows of generated matrices to fit to, all of them, rather than to those that are judged
//   --csv FILE     each case with what each form took and should take, and its counts
//   --losing COUNT lists so many of the cases more than 5 % off, the worst first (20)
//
// A row whose candidate was of another variant (N:M, blocks, quads) than the model would pack now
// says nothing about that form; rows before the column "variant" are taken at their word.
//
//   for t in f32 f64 bf16 s8; do
//     sparsekit_choose_judge --type $t --dlmc ../shared/data/dlmc docs/data/avx512-choose-$t.csv
//   done
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sparsekit/plan/calibration.hpp>
#include <sparsekit/plan/fit.hpp>
#include <sparsekit/plan/rank.hpp>
#include <sparsekit/plan/selection.hpp>
#include <sparsekit/plan/survey.hpp>
#include <sstream>

#include "choices.hpp"

namespace {

using namespace choose_benchmark;

using row = std::map<std::string, std::string>;

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  for (const char c : line) {
    if (c == ',') {
      cells.emplace_back();
    } else {
      cells.back().push_back(c);
    }
  }
  return cells;
}

std::vector<row> rows_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  const auto names = cells_of(line);
  std::vector<row> rows;
  while (std::getline(file, line)) {
    const auto cells = cells_of(line);
    row r;
    for (std::size_t i = 0; i < std::min(names.size(), cells.size()); ++i) r[names[i]] = cells[i];
    rows.push_back(std::move(r));
  }
  if (rows.empty()) {
    std::fprintf(stderr, "%s has no rows\n", path.c_str());
    std::exit(1);
  }
  return rows;
}

struct judge_options {
  std::string type = "f32", dlmc, fit, csv;
  std::set<std::string> left_out;
  std::vector<std::string> learn;
  std::size_t losing = 20;
};

/// How often something was right.
struct score {
  int cases = 0, within_5 = 0, beyond_15 = 0, over_dense = 0;
  double worst = 1, logs = 0;
  void add(double ratio, double dense_ratio) {
    ++cases;
    within_5 += ratio <= 1.05 ? 1 : 0;
    beyond_15 += ratio > 1.15 ? 1 : 0;
    over_dense += dense_ratio > 1.05 ? 1 : 0;
    worst = std::max(worst, ratio);
    logs += std::log(ratio);
  }
};

struct times {
  double us[sk::form_count] = {};
  bool has(sk::form f) const { return us[static_cast<int>(f)] > 0; }
  double of(sk::form f) const { return us[static_cast<int>(f)]; }
};

struct loss {
  std::string name;
  index_t n;
  double zeros;
  sk::form taken, best;
  times took;
  double predicted[sk::form_count];
  double ratio() const { return took.of(taken) / took.of(best); }
};

template <class T>
class judge {
 public:
  judge(const judge_options& o, const sk::cost_constants& constants)
      : o_(o), constants_(constants) {}

  /// `learn`: rows to fit to, which are not judged.
  void read(const std::vector<row>& rows, bool learn) {
    if (!o_.dlmc.empty() && smtx_.empty()) smtx_ = from_smtx(o_.dlmc);
    const row* before = nullptr;
    for (const row& r : rows) {
      const auto same = [&](const char* key) { return before->at(key) == r.at(key); };
      if (before == nullptr || !same("matrix") || !same("rows") || !same("cols") ||
          !same("zeros")) {
        if (!load(r)) continue;
      }
      before = &r;
      cases_.push_back({matrices_.size() - 1, r, times_of(r), learn});
    }
  }

  void fit() {
    std::vector<sk::cost_sample> samples;
    std::vector<index_t> ends;
    const sk::cost_model<T> model(constants_);
    for (const one& c : cases_) {
      const matrix& m = matrices_[c.matrix];
      if (m.group == "dlmc" || (o_.learn.empty() ? m.held_out : !c.learn)) continue;
      const index_t n = columns_of(c.r);
      const auto list = sk::candidates_of(m.stats, {n}, model);
      for (sk::candidate k : list) {
        as_timed(c, k);
        const double us = time_of(c, k);
        if (us <= 0) continue;
        const auto t = model.terms_of(k.choice, m.stats, n);
        samples.push_back({model.priced_as(k.choice.kind), t.regime, t.count, us});
      }
      ends.push_back(static_cast<index_t>(samples.size()));
    }
    const sk::array_view<const sk::cost_sample> all(samples.data(),
                                                    static_cast<index_t>(samples.size()));
    const sk::array_view<const index_t> of_cases(ends.data(), static_cast<index_t>(ends.size()));
    sk::cost_constants fitted = constants_;
    if (!sk::fit_cost_constants(all, of_cases, constants_, fitted)) std::abort();
    if (!sk::rank_by_cost_constants(all, of_cases, fitted)) std::abort();
    constants_ = fitted;
    sk::calibration c = sk::default_calibration();
    c.constants<T>() = fitted;
    std::ofstream(o_.fit) << sk::save_calibration(c);
  }

  void report() {
    const sk::cost_model<T> model(constants_);
    std::map<std::string, score> then, now;
    std::map<std::string, int> confused;
    std::vector<loss> losses;
    int unknown = 0;
    std::FILE* csv = o_.csv.empty() ? nullptr : std::fopen(o_.csv.c_str(), "w");
    if (csv != nullptr)
      std::fprintf(csv, "matrix,number,held_out,n,form,variant,regime,us,predicted,taken,counts\n");
    for (const one& c : cases_) {
      if (c.learn) continue;
      const matrix& m = matrices_[c.matrix];
      const index_t n = columns_of(c.r);
      const sk::column_counts columns{n};
      sk::pattern_statistics sample;
      if (!sk::survey_pattern(m.a.view(), columns, model, sk::stored_zeros::maybe, sample))
        std::abort();
      const auto list = sk::candidates_of(sample, columns, model);
      sk::form_set allowed;
      for (const sk::candidate& k : list) allowed.add(k.choice.kind);
      const sk::form taken = sk::plan::select_forms(list, allowed, 1, 0).of[0];
      const auto whole = sk::candidates_of(m.stats, columns, model);
      if (csv != nullptr) {
        for (sk::candidate k : whole) {
          if (as_timed(c, k)) k.us[0] = model.predict(k.choice, m.stats, n);
          const auto t = model.terms_of(k.choice, m.stats, n);
          std::fprintf(csv, "%s,%zu,%d,%ld,%s,%s,%d,%.3f,%.3f,%d", m.name.c_str(), c.matrix,
                       m.held_out ? 1 : 0, static_cast<long>(n), sk::name_of(k.choice.kind),
                       variant_of(k.choice).c_str(), t.regime, time_of(c, k), k.us[0],
                       k.choice.kind == taken ? 1 : 0);
          for (const double count : t.count) std::fprintf(csv, ",%.6g", count);
          std::fprintf(csv, "\n");
        }
      }
      sk::form best = taken;
      times took = c.took;
      took.us[static_cast<int>(taken)] = time_of(c, *list.find(taken));
      if (!took.has(taken)) {
        ++unknown;
        continue;
      }
      for (int f = 0; f < sk::form_count; ++f) {
        if (took.us[f] > 0 && took.us[f] < took.of(best)) best = static_cast<sk::form>(f);
      }
      if (took.of(best) < 2) continue;
      const auto over_dense = [&](sk::form f) {
        return took.has(sk::form::dense) ? took.of(f) / took.of(sk::form::dense) : 0;
      };
      for (const std::string& group : std::set<std::string>{"all",
                                                            m.group == "dlmc" ? "dlmc"
                                                            : m.held_out ? "generated, held out"
                                                                         : "generated",
                                                            m.group, "N = " + std::to_string(n)}) {
        now[group].add(took.of(taken) / took.of(best), over_dense(taken));
        for (int f = 0; f < sk::form_count; ++f) {
          const sk::form was = static_cast<sk::form>(f);
          if (c.r.at("chosen") == sk::name_of(was) && took.has(was))
            then[group].add(took.of(was) / took.of(best), over_dense(was));
        }
      }
      loss l{m.name, n, m.stats.zeros(), taken, best, took, {}};
      for (const sk::candidate& k : list) l.predicted[static_cast<int>(k.choice.kind)] = k.us[0];
      if (l.ratio() <= 1.05) continue;
      losses.push_back(l);
      ++confused[std::string(sk::name_of(taken)) + " for " + sk::name_of(best)];
    }
    if (csv != nullptr) std::fclose(csv);
    std::printf("%-22s %5s | %17s | %17s | %15s | %13s\n", "cases of 2 us and more", "",
                "within 5%: then", "beyond 15%: then", "5% over dense", "worst");
    for (auto& [group, s] : now) {
      const score& w = then[group];
      const auto share = [](int part, int of) { return 100.0 * part / std::max(of, 1); };
      std::printf(
          "%-22s %5d | %7.1f -> %5.1f%% | %7.1f -> %5.1f%% | %6d -> %4d | %5.2f -> %4.2f | mean "
          "%.4f -> %.4f\n",
          group.c_str(), s.cases, share(w.within_5, w.cases), share(s.within_5, s.cases),
          share(w.beyond_15, w.cases), share(s.beyond_15, s.cases), w.over_dense, s.over_dense,
          w.worst, s.worst, std::exp(w.logs / std::max(1, w.cases)), std::exp(s.logs / s.cases));
    }
    std::printf("taken in a variant whose time no row knows: %d\n", unknown);
    for (const auto& [what, count] : confused) std::printf("  %3d x %s\n", count, what.c_str());
    std::sort(losses.begin(), losses.end(),
              [](const loss& a, const loss& b) { return a.ratio() > b.ratio(); });
    for (std::size_t i = 0; i < std::min(losses.size(), o_.losing); ++i) {
      const loss& l = losses[i];
      const auto say = [&](sk::form f) {
        std::printf(" %s %.1f (said %.1f)", sk::name_of(f), l.took.of(f),
                    l.predicted[static_cast<int>(f)]);
      };
      std::printf("%5.2fx %s %.3f x %ld:", l.ratio(), l.name.c_str(), l.zeros,
                  static_cast<long>(l.n));
      say(l.taken);
      say(l.best);
      if (l.taken != sk::form::dense && l.best != sk::form::dense) say(sk::form::dense);
      std::printf("\n");
    }
  }

 private:
  struct matrix {
    std::string name, group;
    sk::csr_matrix<T, std::int32_t, std::int64_t> a;
    sk::pattern_statistics stats;
    bool held_out;
  };
  struct one {
    std::size_t matrix;
    row r;
    times took;
    bool learn;
  };

  static index_t columns_of(const row& r) { return std::atol(r.at("columns").c_str()); }

  bool load(const row& r) {
    const std::string& name = r.at("matrix");
    if (r.at("group") != "dlmc") {
      named_matrix m = generated_like(name);
      if (m.group.empty()) return false;
      // Of a matrix with few entries, or few rows left, another seed makes another matrix.
      const double places =
          static_cast<double>(m.matrix.rows()) * static_cast<double>(m.matrix.cols());
      const double entries = (1 - std::atof(r.at("zeros").c_str())) * places;
      if (std::abs(static_cast<double>(m.matrix.nnz()) - entries) > 0.2 * entries + 1e-4 * places)
        return false;
      add(m);
      return true;
    }
    for (const named_matrix& m : smtx_) {
      const auto& shape = m.matrix.shape();
      char zeros[16];
      std::snprintf(zeros, sizeof zeros, "%.4f",
                    1 - static_cast<double>(m.matrix.view().nnz()) /
                            (static_cast<double>(shape.rows) * static_cast<double>(shape.cols)));
      if (m.name == name && std::to_string(shape.rows) == r.at("rows") &&
          std::to_string(shape.cols) == r.at("cols") && r.at("zeros") == zeros) {
        add(m);
        return true;
      }
    }
    return false;
  }
  void add(const named_matrix& m) {
    matrix x{m.name, m.group, typed<T>(m.matrix), {}, false};
    unsigned hash = 0;
    for (const char c : m.name) hash = hash * 31 + static_cast<unsigned char>(c);
    x.held_out = (hash >> 3) % 2 != 0;
    if (!sk::count_pattern(x.a.view(), true, x.stats)) std::abort();
    matrices_.push_back(std::move(x));
  }
  times times_of(const row& r) const {
    times t;
    for (int f = 0; f < sk::form_count; ++f) {
      const std::string name = sk::name_of(static_cast<sk::form>(f));
      const auto cell = r.find(name + " us");
      if (cell != r.end() && !o_.left_out.contains(name)) t.us[f] = std::atof(cell->second.c_str());
    }
    return t;
  }
  /// Of quads both cuts have constants: what was timed is what is compared.
  static bool as_timed(const one& c, sk::candidate& k) {
    const auto variant = c.r.find("quads variant");
    if (k.choice.kind != sk::form::quads || variant == c.r.end() || variant->second.size() != 5)
      return false;
    k.choice.interleave = variant->second.back() - '0';
    return true;
  }
  /// What the row says about this variant of a form; 0: nothing.
  double time_of(const one& c, const sk::candidate& k) const {
    const auto variant = c.r.find(std::string(sk::name_of(k.choice.kind)) + " variant");
    if (variant != c.r.end() && !variant->second.empty() && variant->second != variant_of(k.choice))
      return 0;
    return c.took.of(k.choice.kind);
  }

  const judge_options& o_;
  sk::cost_constants constants_;
  std::vector<named_matrix> smtx_;
  std::vector<matrix> matrices_;
  std::vector<one> cases_;
};

template <class T>
void run(const judge_options& o, const std::vector<std::string>& files, const sk::calibration& c) {
  judge<T> j(o, c.constants<T>());
  for (const std::string& file : o.learn) j.read(rows_of(file), true);
  for (const std::string& file : files) j.read(rows_of(file), false);
  if (!o.fit.empty()) j.fit();
  j.report();
}

}  // namespace

int main(int argc, char** argv) {
  judge_options o;
  std::vector<std::string> files;
  sk::calibration c = sk::default_calibration();
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) {
      files.push_back(word);
      continue;
    }
    if (i + 1 == argc) {
      std::fprintf(stderr, "%s needs a value\n", word.c_str());
      return 1;
    }
    const std::string value = argv[++i];
    if (word == "--type") {
      o.type = value;
    } else if (word == "--dlmc") {
      o.dlmc = value;
    } else if (word == "--leave-out") {
      o.left_out.insert(value);
    } else if (word == "--fit") {
      o.fit = value;
    } else if (word == "--csv") {
      o.csv = value;
    } else if (word == "--learn") {
      o.learn.push_back(value);
    } else if (word == "--losing") {
      o.losing = static_cast<std::size_t>(std::atol(value.c_str()));
    } else if (word == "--calibration") {
      std::stringstream text;
      text << std::ifstream(value).rdbuf();
      if (auto s = sk::load_calibration(text.str()).get(c); !s) {
        std::fprintf(stderr, "%s: %s\n", value.c_str(), s.message().c_str());
        return 1;
      }
    } else {
      std::fprintf(stderr, "%s is not an option\n", word.c_str());
      return 1;
    }
  }
  if (!with_type(o.type, [&]<class T>(T*) { run<T>(o, files, c); })) {
    std::fprintf(stderr, "--type: %s is not f32, f64, bf16, f16 or s8\n", o.type.c_str());
    return 1;
  }
}
