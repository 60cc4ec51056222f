// See report.hpp.
#include "report.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <unistd.h>

#include "support/rng.hpp"

namespace sparsekit_test {
namespace {

// Read by the signal handler: plain memory, no std::string.
char current_case[512] = "";
constexpr int caught_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};

const char* wanted_case() {
  static const char* const text = std::getenv("SPARSEKIT_CASE");
  return text;
}

void on_crash(int signal) {
  const auto say = [](const char* text) {
    const auto ignored = ::write(STDOUT_FILENO, text, std::strlen(text));
    static_cast<void>(ignored);
  };
  say(signal == SIGSEGV || signal == SIGBUS ? "\nFAILED (memory access outside an operand): "
                                            : "\nFAILED (signal): ");
  say(current_case);
  say("\n");
  std::signal(signal, SIG_DFL);
  ::raise(signal);
}

}  // namespace

bool runs_single_case() { return wanted_case() != nullptr; }

std::int64_t stride() {
  static const std::int64_t value = [] {
    const char* text = std::getenv("SPARSEKIT_STRIDE");
    const std::int64_t n = text == nullptr ? 1 : std::strtoll(text, nullptr, 10);
    return n < 1 ? 1 : n;
  }();
  return value;
}

report::report(std::string name) : name_(std::move(name)) {}
report::~report() { current_case[0] = '\0'; }

bool report::is_due(tally& t) const {
  if (quiet_ && failures_ > 0) return false;
  if (runs_single_case() || t.skip == 0) return true;
  // Counted for each kernel, so that none is left out; cases that it does not accept do not count.
  --t.skip;
  return false;
}

bool report::begin(tally& t, const std::string& details) {
  const std::string line = name_ + " | " + details;
  if (runs_single_case() && line.find(wanted_case()) == std::string::npos) return false;
  std::snprintf(current_case, sizeof current_case, "SPARSEKIT_SEED=%llu SPARSEKIT_CASE='%s'",
                static_cast<unsigned long long>(run_seed()), line.c_str());
  current_ = &t;
  return true;
}

void report::ran(bool proves) {
  ++current_->ran;
  // Of the cases of a mutant even these few catch every fault.
  constexpr std::int64_t longest_of_mutants = 31;
  current_->skip = (quiet_ ? std::min(stride(), longest_of_mutants) : stride()) - 1;
  if (proves) ++current_->proved;
}

void report::fail(const std::string& what) {
  ++failures_;
  ++current_->failed;
  constexpr std::int64_t most_lines = 12;  // of each kernel
  if (quiet_ || current_->failed > most_lines) return;
  std::printf("FAILED %s: %s\n", current_case, what.c_str());
  std::fflush(stdout);
}

std::int64_t report::summary(const std::vector<std::string>& kernels) const {
  std::int64_t wrong = 0;
  if (!quiet_) std::printf("\n%s: cases of each kernel (every %lld-th)\n", name_.c_str(),
              static_cast<long long>(stride()));
  for (const std::string& kernel : kernels) {
    const auto found = tallies_.find(kernel);
    const tally t = found == tallies_.end() ? tally{} : found->second;
    const char* verdict = "";
    if (t.failed > 0) {
      verdict = "  FAILED";
    } else if (t.proved == 0 && !runs_single_case()) {
      verdict = "  FAILED: no case that proves anything ran";
    } else if (t.far > t.close) {
      verdict = "  FAILED: the median error is more than a tenth of the bound";
    }
    if (*verdict != '\0') ++wrong;
    if (quiet_) continue;
    std::printf("  %-36s %7lld ran, %7lld with mostly nonzero output%s\n", kernel.c_str(),
                static_cast<long long>(t.ran), static_cast<long long>(t.proved), verdict);
  }
  std::fflush(stdout);
  return wrong;
}

void install_crash_handler() {
  struct sigaction action {};
  action.sa_handler = on_crash;
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  for (const int signal : caught_signals) ::sigaction(signal, &action, nullptr);
}

void forget_crash_handler() {
  for (const int signal : caught_signals) std::signal(signal, SIG_DFL);
}

signal_stack::signal_stack() : memory_(std::size_t{1} << 16) {
  stack_t stack{};
  stack.ss_sp = memory_.data();
  stack.ss_size = memory_.size();
  ::sigaltstack(&stack, nullptr);
}
signal_stack::~signal_stack() {
  stack_t off{};
  off.ss_flags = SS_DISABLE;
  ::sigaltstack(&off, nullptr);
}

}  // namespace sparsekit_test
