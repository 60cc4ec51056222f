// A kernel of the table as data: its name, and functions that build its operand, ask and run it. The
// driver works on these, so it is compiled once for each element type and not once for each kernel.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "problem.hpp"
#include "sparsekit/policy.hpp"
#include "sparsekit/workspace.hpp"
#include "support/guard.hpp"

namespace sparsekit_test {

/// The executor of parallel calls. Its kinds must make no difference.
struct test_executor {
  enum class order { ascending, descending, threads };
  order how = order::ascending;
  index_t workers = 1;

  using task_function = void (*)(const void* f, index_t task, index_t worker);
  void run(index_t tasks, const void* f, task_function call) const;

  template <class F>
  void operator()(index_t tasks, const F& f) const {
    run(tasks, &f, [](const void* function, index_t task, index_t worker) {
      (*static_cast<const F*>(function))(task, worker);
    });
  }
};

/// Where the arrays of an operand stand: at which edge of their pages, how many elements from it.
struct placement {
  edge at = edge::right;
  index_t offset = 0;
};
inline constexpr placement all_placements[] = {{edge::right, 0}, {edge::left, 0}, {edge::right, 1},
                                               {edge::left, 3},  {edge::right, 5}, {edge::left, 16}};

/// A matrix in one format, between guard pages and not writable.
struct operand {
  virtual ~operand() = default;
  virtual bool intact() const = 0;
};

/// A call of any kernel. Layouts are the entry's.
template <class T>
struct erased_call {
  const operand* a = nullptr;
  index_t rows = 0;
  index_t cols = 0;
  index_t columns = 0;
  const T* x = nullptr;
  index_t x_ld = 0;
  T* y = nullptr;
  index_t y_ld = 0;
  const any_epilogue<T>* epilogue = nullptr;
  sparsekit::scratch_memory scratch{};
  const test_executor* executor = nullptr;  ///< null: sequential
};

template <class T>
struct kernel_entry {
  std::string kernel;   ///< as the table names it: spmm-f32-csr-panel-avx512
  std::string variant;  ///< index types and option of the operand
  bool x_row_major = false;
  bool y_row_major = false;
  bool full = true;               ///< tried with everything; others with less
  bool parallel = true;           ///< compiled for par(executor)
  bool any_order = false;         ///< takes unsorted and repeated entries
  bool zeros_are_absent = false;  ///< a stored zero is no entry (dense)
  index_t largest_index = 0;
  int option = 0;                 ///< one of the operand type's ways to lay a matrix out

  /// Formats that hold certain patterns only: what to keep of a problem. Null: everything.
  problem<T> (*adapt)(const problem<T>&, int option) = nullptr;
  std::unique_ptr<operand> (*build)(const problem<T>&, placement, int option) = nullptr;
  bool (*accepts)(const erased_call<T>&) = nullptr;
  void (*run)(const erased_call<T>&) = nullptr;
  sparsekit::workspace_size (*requirement)(const operand&, index_t columns) = nullptr;
  index_t (*depth)(index_t terms) = nullptr;  ///< roundings a term of a sum may go through

  std::string label() const {
    return kernel + " " + variant + " x=" + (x_row_major ? "rows" : "cols") +
           " y=" + (y_row_major ? "rows" : "cols");
  }
};

/// All kernels of one element type: filled by the generated source files.
template <class T>
std::vector<kernel_entry<T>>& registry() {
  static std::vector<kernel_entry<T>> entries;
  return entries;
}

template <class T>
inline const char* type_name = nullptr;
template <>
inline const char* type_name<float> = "f32";
template <>
inline const char* type_name<double> = "f64";

/// The kernels whose tiles are words of four s8 take no other weights; planar ones want lanes.
constexpr bool has_kernel_for_halves(std::string_view tile) {
  using lanes = sparsekit::simd::lanes<sparsekit::native_arch, float>;
  return tile != "words" && tile != "pairs" && (tile != "planar" || lanes::width > 1);
}

}  // namespace sparsekit_test
