// choose_cache: measured times, so that matrices that look alike (layers of one network) are timed
// once. It is memory of one process: times are neither saved nor loaded (what outlives a process is
// a calibration).
#pragma once

#include "../plan/candidates.hpp"

namespace sparsekit {
inline namespace v0 {

/// The caller's memory of what choose(sk::measure, ...) found. Keyed by 64 bits of a hash of shape,
/// pattern statistics, column counts, type, ISA, the candidates and those of them that were timed.
/// One thread at a time.
class choose_cache {
 public:
  struct entry {
    std::uint64_t key = 0;
    double us[form_count][column_counts::most_counts] = {};  ///< 0: not timed
  };

  /// Entries made so far, and how often one was found instead of timing.
  index_t size() const { return entries_.size(); }
  index_t hits() const { return hits_; }

  template <class Flags = flags_tag>
  const entry* find(std::uint64_t key) {
    for (index_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].key == key) {
        ++hits_;
        return &entries_[i];
      }
    }
    return nullptr;
  }
  [[nodiscard]] status put(const entry& e) { return entries_.push_back(e); }

 private:
  growing_buffer<entry> entries_;
  index_t hits_ = 0;
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace plan {

struct hash_state {
  std::uint64_t h = 0xcbf29ce484222325u;
  void add(std::uint64_t v) {
    h = (h ^ v) * 0x100000001b3u;
    h ^= h >> 29;
  }
  void add(index_t v) { add(static_cast<std::uint64_t>(v)); }
};

/// `timed` is part of it: a limit of bytes or another calibration leaves other forms to be timed,
/// and an entry that lacks one would rule it out.
template <class T>
std::uint64_t measure_key(const pattern_statistics& s, const column_counts& columns,
                          const candidate_list& list, form_set timed) {
  hash_state h;
  for (const char* c = native_arch::name; *c != 0; ++c) h.add(static_cast<std::uint64_t>(*c));
  h.add(static_cast<std::uint64_t>(packed_type_of<T>));
  for (const index_t v : {s.shape.rows, s.shape.cols, s.nnz, s.kept_rows, s.kept_columns,
                          s.quad_slots, s.lookup_slots, s.list_slots, s.run_slots}) {
    h.add(v);
  }
  for (int i = 0; i < columns.size(); ++i) h.add(columns[i]);
  h.add(std::uint64_t{timed.bits()});
  for (const candidate& c : list) {
    h.add(static_cast<std::uint64_t>(c.choice.kind));
    for (const index_t v :
         {c.choice.group.n, c.choice.group.m, c.choice.group.v, c.choice.block.rows,
          c.choice.block.cols, c.choice.interleave, c.bytes}) {
      h.add(v);
    }
  }
  return h.h;
}

}  // namespace plan
SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
