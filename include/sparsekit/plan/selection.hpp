// From candidates to what is held: the set of forms that serves the column counts best and fits the memory.
#pragma once

#include <cmath>

#include "candidates.hpp"

namespace sparsekit {
inline namespace v0 {

/// Which forms are held, and which of them serves each of the column counts.
struct selection {
  form_set held;
  form of[column_counts::most_counts] = {};
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace plan {

/// One form more must save this share of the time at one column count, or a part of it at each of several.
inline constexpr double least_gain = 0.03;
/// Predictions err: a sparse form that was not timed must promise this much over dense weights, which nobody who keeps
/// them loses by.
inline constexpr double least_promise = 0.05;

/// What a form counts as at the i-th column count.
inline double asked(const candidate& c, int i) {
  return c.measured || c.choice.kind == form::dense ? c.us[i] : (1 + least_promise) * c.us[i];
}

/// Tries all sets of the forms in `allowed`, of one form a column count at most. An empty set means that none
/// fits.
inline selection select_forms(const candidate_list& list, form_set allowed, int counts,
                              index_t max_bytes) {
  selection best;
  double least = 1e300;
  index_t least_bytes = 0;
  form_set possible_forms;
  for (const candidate& c : list) {
    if (allowed.has(c.choice.kind)) possible_forms.add(c.choice.kind);
  }
  for (std::uint32_t bits = possible_forms.bits(); bits != 0; bits = (bits - 1) & possible_forms.bits()) {
    const form_set set(bits);
    // A form that serves no column count only costs.
    if (set.size() > std::max(counts, 1)) continue;
    bool possible = true;
    index_t bytes = 0;
    int held = 0;
    for (int f = 0; f < form_count; ++f) {
      if (!set.has(static_cast<form>(f))) continue;
      const candidate* c = list.find(static_cast<form>(f));
      possible = possible && c != nullptr && allowed.has(static_cast<form>(f)) &&
                 checked_add(bytes, c->bytes, bytes);
      ++held;
    }
    if (!possible || (max_bytes > 0 && bytes > max_bytes)) continue;
    selection s{set, {}};
    double cost = least_gain * held;
    for (int i = 0; i < counts; ++i) {
      double us = 1e300;
      for (const candidate& c : list) {
        if (!set.has(c.choice.kind) || asked(c, i) >= us) continue;
        us = asked(c, i);
        s.of[i] = c.choice.kind;
      }
      cost += std::log(std::max(us, 1e-6));
    }
    if (cost < least || (cost == least && bytes < least_bytes)) {
      least = cost;
      least_bytes = bytes;
      best = s;
    }
  }
  return best;
}

/// Says of each candidate why it was not taken.
inline void explain_rejections(candidate_list& list, const selection& s, int counts,
                               index_t max_bytes) {
  index_t held = 0;
  for (const candidate& c : list) held += s.held.has(c.choice.kind) ? c.bytes : 0;
  for (candidate& c : list) {
    if (s.held.has(c.choice.kind)) {
      c.why = rejection::none;
      continue;
    }
    bool faster = false;
    for (int i = 0; i < counts; ++i) faster = faster || c.us[i] < list.find(s.of[i])->us[i];
    const bool fits = max_bytes == 0 || (c.bytes <= max_bytes && held <= max_bytes - c.bytes);
    c.why = max_bytes > 0 && c.bytes > max_bytes ? rejection::too_large
            : !faster                            ? rejection::slower
            : fits                               ? rejection::little_gain
                                                 : rejection::too_large;
  }
}

}  // namespace plan
SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
