// What ran and what failed: a count for each kernel, a line for each failure that runs that case again, and
// the same line when a guard page stops the program.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sparsekit_test {

/// What happened to one kernel under one property.
struct tally {
  std::int64_t ran = 0;
  std::int64_t proved = 0;         ///< of these, cases whose output is not mostly zero
  std::int64_t failed = 0;
  std::int64_t close = 0;          ///< outputs with an error below a tenth of the bound
  std::int64_t far = 0;            ///< and the others
  std::int64_t skip = 0;           ///< cases to leave out before the next one
};

/// Collects one test's results. `name` is the test's, part of each case's line.
class report {
 public:
  explicit report(std::string name);
  ~report();
  report(const report&) = delete;
  report& operator=(const report&) = delete;

  /// Whether to run this case: all, or those that SPARSEKIT_CASE names, or every SPARSEKIT_STRIDE-th.
  /// `details()` is its text: most cases of a strided run need none.
  template <class Details>
  bool wants(const std::string& kernel, const Details& details) {
    tally& t = tallies_[kernel];
    return is_due(t) && begin(t, details());
  }
  void ran(bool proves = true);
  void fail(const std::string& what);
  void error_ratio(bool below_a_tenth) { ++(below_a_tenth ? current_->close : current_->far); }

  /// Mutants: the first failure is enough, and nothing is printed.
  void expect_failures() { quiet_ = true; }
  std::int64_t failures() const { return failures_; }

  /// Prints the counts of all `kernels`; returns how many of them are wrong: they failed, ran no case
  /// that proves anything, or are more inaccurate than rounding explains.
  std::int64_t summary(const std::vector<std::string>& kernels) const;

 private:
  bool is_due(tally& t) const;
  bool begin(tally& t, const std::string& details);

  std::string name_;
  std::map<std::string, tally> tallies_;
  tally* current_ = nullptr;
  std::int64_t failures_ = 0;
  bool quiet_ = false;
};

/// Whether SPARSEKIT_CASE restricts the run to some cases.
bool runs_single_case();
/// SPARSEKIT_STRIDE: every how many-th case runs (slow machines: emulators). 1 by default.
std::int64_t stride();

/// Prints the current case when the program receives SIGSEGV, SIGBUS, SIGFPE or SIGILL.
void install_crash_handler();
/// Back to the default: the program dies without a word.
void forget_crash_handler();
/// This thread's signals get a stack of their own, so that an overflow of its stack is reported too.
class signal_stack {
 public:
  signal_stack();
  ~signal_stack();
  signal_stack(const signal_stack&) = delete;
  signal_stack& operator=(const signal_stack&) = delete;

 private:
  std::vector<char> memory_;
};
}  // namespace sparsekit_test
