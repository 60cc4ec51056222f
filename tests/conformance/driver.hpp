// Runs one case of one kernel with every operand between guard pages, and judges what it left behind.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "entry.hpp"
#include "report.hpp"

namespace sparsekit_test {

/// One case, apart from kernel and problem.
struct case_spec {
  index_t first = 0;  ///< the first column of the problem's X that is used
  index_t n = 1;
  epilogue_kind epilogue = epilogue_kind::identity;
  placement where{};         ///< of x, y, biases; scratch stands at the same edge
  bool with_workspace = true;
  index_t gap = 0;           ///< leading dimensions beyond the least
  index_t short_bytes = 0;   ///< the workspace is this much too small
  const test_executor* executor = nullptr;

  std::string text() const {
    std::string s = "n=" + std::to_string(n) + (first == 0 ? "" : "@" + std::to_string(first)) + " " +
                    name_of(epilogue) + " " + name_of(where.at) + "+" + std::to_string(where.offset) +
                    " gap=" + std::to_string(gap) + (with_workspace ? " ws" : " no-ws");
    if (short_bytes > 0) s += " short by " + std::to_string(short_bytes);
    if (executor != nullptr) {
      s += " workers=" + std::to_string(executor->workers) + " order=" +
           std::to_string(static_cast<int>(executor->how));
    }
    return s;
  }
};

/// The dense operands and scratch of one call.
template <class T>
class call_space {
 public:
  /// Lays the operands out. False if the kernel does not accept the call.
  bool prepare(const kernel_entry<T>& entry, const operand& a, const problem<T>& p,
               const case_spec& spec);
  void run() const { entry_->run(call_); }
  const erased_call<T>& call() const { return call_; }
  T& y(index_t r, index_t j) {
    return y_[entry_->y_row_major ? r * call_.y_ld + j : j * call_.y_ld + r];
  }
  /// Whether nothing around the operands or in the gaps of y changed. Names what did.
  const char* damage() const;

 private:
  const kernel_entry<T>* entry_ = nullptr;
  const operand* a_ = nullptr;
  erased_call<T> call_{};
  any_epilogue<T> epilogue_{};
  guarded<T> x_;
  guarded<T> y_;
  guarded<T> bias_rows_;
  guarded<T> bias_columns_;
  guarded<std::byte> shared_;
  guarded<std::byte> workers_;
};

/// y against the reference: each element within its bound, integers exactly, damage nowhere. Tells the
/// report.
template <class T>
void judge(report& to, const kernel_entry<T>& entry, const problem<T>& p, const case_spec& spec,
           call_space<T>& space);

/// The bits of y, column after column.
template <class T>
std::vector<T> columns_of(call_space<T>& space, const problem<T>& p, index_t n) {
  std::vector<T> out;
  out.reserve(static_cast<std::size_t>(p.rows * n));
  for (index_t j = 0; j < n; ++j) {
    for (index_t r = 0; r < p.rows; ++r) out.push_back(space.y(r, j));
  }
  return out;
}

extern template class call_space<float>;
extern template class call_space<double>;

}  // namespace sparsekit_test
