// The templates of choices.hpp, for the sources that instantiate them.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sparsekit/choose.hpp>
#include <sparsekit/choose/calibrate.hpp>

#include "choices.hpp"
#include "rounds.hpp"

namespace choose_benchmark {
namespace {

struct outcome {
  std::string name;
  std::string group;
  index_t rows, cols, n;
  double zeros;
  sk::form chosen, fastest;
  double chosen_us, fastest_us, dense_us;
  double decide_us, pack_us;   ///< looking at the pattern and predicting; packing what was chosen
  interval off, over_dense{};  ///< of chosen over fastest, and over dense
  double ratio() const { return chosen_us / fastest_us; }
};

template <class T>
void run(const options& o, const named_matrix& m, const sk::cost_model<T>& model, std::FILE* csv,
         std::vector<outcome>& out) {
  const auto matrix = typed<T>(m.matrix);
  const auto a = matrix.view();
  sk::pattern_statistics stats;
  if (auto s = sk::count_pattern(a, true, stats); !s) std::abort();
  const auto least_of = [](auto&& f) {
    double least = 1e300;
    for (int i = 0; i < 3; ++i) {
      const double begin = sk::plan::thread_microseconds();
      f();
      least = std::min(least, sk::plan::thread_microseconds() - begin);
    }
    return least;
  };
  for (const index_t n : m.columns.empty() ? o.columns : m.columns) {
    if (static_cast<double>(a.rows()) * static_cast<double>(a.cols()) * static_cast<double>(n) >
        o.most_work)
      continue;
    const sk::column_counts columns{n};
    sk::candidate_list considered;
    sk::form chosen{};
    const double decide_us = least_of([&] {
      sk::pattern_statistics sample;
      if (auto s = sk::survey_pattern(a, columns, model, sk::stored_zeros::maybe, sample); !s) std::abort();
      considered = sk::candidates_of(sample, columns, model);
      sk::form_set allowed;
      for (const sk::candidate& c : considered) allowed.add(c.choice.kind);
      chosen = sk::plan::select_forms(considered, allowed, 1, 0).of[0];
    });
    const auto dense = [&] { return sk::plan::dense_of(a); };
    const auto pack = [&](sk::packed_forms<T>& into, const sk::candidate& c) {
      if (auto s = into.pack_form(c.choice, a, dense); !s) {
        std::fprintf(stderr, "%s: %s\n", m.name.c_str(), s.message().c_str());
        std::exit(1);
      }
    };
    const double pack_us = least_of([&] {
      sk::packed_forms<T> alone;
      pack(alone, *considered.find(chosen));
    });
    sk::candidate_list list = sk::candidates_of(stats, columns, model);
    sk::packed_forms<T> forms;
    sk::form_set all;
    for (sk::candidate& c : list) {
      if (c.choice.kind == chosen) c = *considered.find(chosen);
      pack(forms, c);
      all.add(c.choice.kind);
    }
    form_rounds rounds;
    outcome r{m.name, m.group, a.rows(), a.cols(), n,         stats.zeros(), chosen,
              chosen, 0,       0,        0,        decide_us, pack_us,       {}};
    for (int attempt = 0; attempt < 2; ++attempt) {
      rounds = time_with_rounds(forms, a.shape, all, n, o.budget * (attempt == 0 ? 1 : 4), o.seed);
      r.chosen_us = r.fastest_us = rounds.time(chosen);
      r.fastest = chosen;
      for (const sk::candidate& c : list) {
        const double t = rounds.time(c.choice.kind);
        if (t < r.fastest_us) {
          r.fastest_us = t;
          r.fastest = c.choice.kind;
        }
      }
      r.off = rounds.ratio(chosen, r.fastest);
      if (rounds.has(sk::form::dense)) {
        r.dense_us = rounds.time(sk::form::dense);
        r.over_dense = rounds.ratio(chosen, sk::form::dense);
      }
      if (r.ratio() <= 1.05) break;
    }
    out.push_back(r);
    if (csv != nullptr) {
      std::fprintf(csv, "%s,%s,%ld,%ld,%.4f,%ld,%s,%s,%.4f,%.2f,%.2f,%zu,%.4f,%.4f,%.4f,%.4f",
                   m.group.c_str(), m.name.c_str(), static_cast<long>(r.rows),
                   static_cast<long>(r.cols), r.zeros, static_cast<long>(n), sk::name_of(r.chosen),
                   sk::name_of(r.fastest), r.ratio(), r.decide_us, r.pack_us,
                   rounds.of(chosen).size(), r.off.low, r.off.high, r.over_dense.low,
                   r.over_dense.high);
      for (int f = 0; f < sk::form_count; ++f) {
        const sk::candidate* c = list.find(static_cast<sk::form>(f));
        if (c == nullptr) {
          std::fprintf(csv, ",,,,");
        } else {
          const sk::form k = c->choice.kind;
          std::fprintf(csv, ",%.3f,%.3f,%.3f,%s", rounds.time(k), rounds.median(k), c->us[0],
                       variant_of(c->choice).c_str());
        }
      }
      std::fprintf(csv, "\n");
      std::fflush(csv);
    }
  }
}

inline void report(std::vector<outcome>& all) {
  std::map<std::string, std::vector<double>> groups;
  std::vector<const outcome*> losing;
  for (const outcome& r : all) {
    if (r.fastest_us < 2) continue;
    groups[r.group].push_back(r.ratio());
    groups["N = " + std::to_string(r.n)].push_back(r.ratio());
    groups["all"].push_back(r.ratio());
    if (r.ratio() > 1.05) losing.push_back(&r);
  }
  std::printf("%-28s %6s %10s %10s %8s\n", "cases of 2 us and more", "cases", "within 5%", "within 15%", "worst");
  for (const auto& [name, ratios] : groups) {
    // clang 14 captures no structured binding as it is.
    const auto within = [&ratios = ratios](double limit) {
      return 100.0 * static_cast<double>(std::count_if(ratios.begin(), ratios.end(), [&](double r) { return r <= limit; })) /
             static_cast<double>(ratios.size());
    };
    std::printf("%-28s %6zu %9.1f%% %9.1f%% %7.2fx\n", name.c_str(), ratios.size(), within(1.05), within(1.15),
                *std::max_element(ratios.begin(), ratios.end()));
  }
  double total_dense = 0, total_chosen = 0, total_best = 0, decide = 0, pack = 0;
  int cheaper = 0;
  int counted = 0, slower = 0;
  double slowest = 1;
  for (const outcome& r : all) {
    if (r.fastest_us >= 2) {
      ++counted;
      decide += r.decide_us;
      pack += r.pack_us;
      cheaper += r.decide_us < r.pack_us ? 1 : 0;
      if (r.dense_us > 0) {
        slower += r.chosen_us > 1.05 * r.dense_us ? 1 : 0;
        slowest = std::max(slowest, r.chosen_us / r.dense_us);
      }
    }
    total_dense += r.dense_us;
    total_chosen += r.chosen_us;
    total_best += r.fastest_us;
  }
  std::printf("all together: chosen %.2fx over dense, fastest %.2fx\n", total_dense / total_chosen,
              total_dense / total_best);
  std::printf("deciding took %.2f of the time of packing what was chosen; less than it in %.1f %% of cases\n",
              decide / pack, 100.0 * cheaper / std::max(counted, 1));
  std::printf("more than 5 %% slower than dense: %d cases; at worst %.2fx\n", slower, slowest);
  std::sort(losing.begin(), losing.end(), [](auto* a, auto* b) { return a->ratio() > b->ratio(); });
  std::printf("\nlosing cases: %zu\n", losing.size());
  for (const outcome* r : losing) {
    std::printf("%5.2fx  %s x %ld: %s %.1f us, %s %.1f us, dense %.1f us\n", r->ratio(), r->name.c_str(),
                static_cast<long>(r->n), sk::name_of(r->chosen), r->chosen_us, sk::name_of(r->fastest),
                r->fastest_us, r->dense_us);
  }
}

}  // namespace

template <class T>
void check_choices(const options& o, const std::vector<named_matrix>& matrices, const sk::calibration* c) {
  const auto model = c == nullptr ? sk::cost_model<T>::native() : sk::cost_model<T>(c->constants<T>());
  std::FILE* csv = o.csv.empty() ? nullptr : std::fopen(o.csv.c_str(), "w");
  if (csv != nullptr) {
    std::fprintf(csv,
                 "group,matrix,rows,cols,zeros,columns,chosen,fastest,ratio,decide_us,pack_us,"
                 "rounds,ratio_low,ratio_high,"
                 "over_dense_low,over_dense_high");
    for (int f = 0; f < sk::form_count; ++f) {
      const char* name = sk::name_of(static_cast<sk::form>(f));
      std::fprintf(csv, ",%s us,%s median,%s predicted,%s variant", name, name, name, name);
    }
    std::fprintf(csv, "\n");
  }
  std::vector<outcome> out;
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    if (static_cast<int>(i) % o.parts == o.part) run(o, matrices[i], model, csv, out);
  }
  if (csv != nullptr) std::fclose(csv);
  report(out);
}

template <class... Types>
sk::result<sk::calibration> calibrated(const options& o) {
  return sk::calibrate<Types...>({.seconds = o.calibrate, .seed = o.seed, .most_elements = 1 << 24});
}

}  // namespace choose_benchmark
