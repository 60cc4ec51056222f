// MKL's sparse products, from its runtime library that the user names (libmkl_rt.so). The few
// declarations that are needed, so that the build needs no MKL.
#pragma once

#include <dlfcn.h>

#include <cstdint>
#include <sparsekit/formats/csr.hpp>

namespace spmv_benchmark {

struct mkl_description {
  int type = 20;  // general
  int mode = 0;
  int diagonal = 0;
};

/// One matrix in MKL's hands. `optimized`: after mkl_sparse_optimize for a thousand products.
template <class T>
class mkl_matrix {
 public:
  mkl_matrix(void* library, const sparsekit::csr_view<const T>& a, bool optimized) {
    const bool f32 = sizeof(T) == 4;
    const auto create = symbol<int (*)(void**, int, int, int, int*, int*, int*, T*)>(
        library, f32 ? "mkl_sparse_s_create_csr" : "mkl_sparse_d_create_csr");
    multiply_ = symbol<product>(library, f32 ? "mkl_sparse_s_mv" : "mkl_sparse_d_mv");
    const auto hint =
        symbol<int (*)(void*, int, mkl_description, int)>(library, "mkl_sparse_set_mv_hint");
    const auto optimize = symbol<int (*)(void*)>(library, "mkl_sparse_optimize");
    if (create == nullptr || multiply_ == nullptr || hint == nullptr || optimize == nullptr) return;
    constexpr int from_zero = 0;
    auto* const rows = const_cast<int*>(a.row_ptr.data());
    if (create(&handle_, from_zero, static_cast<int>(a.rows()), static_cast<int>(a.cols()), rows,
               rows + 1, const_cast<int*>(a.columns.data()),
               const_cast<T*>(a.values.data())) != 0) {
      handle_ = nullptr;
      return;
    }
    if (optimized && (hint(handle_, as_it_is, {}, 1000) != 0 || optimize(handle_) != 0)) {
      handle_ = nullptr;
    }
  }
  bool works() const { return handle_ != nullptr; }
  void multiply(const T* x, T* y) const {
    multiply_(as_it_is, T{1}, handle_, mkl_description{}, x, T{0}, y);
  }

 private:
  using product = int (*)(int, T, void*, mkl_description, const T*, T, T*);
  static constexpr int as_it_is = 10;

  template <class F>
  static F symbol(void* library, const char* name) {
    return reinterpret_cast<F>(dlsym(library, name));
  }

  void* handle_ = nullptr;
  product multiply_ = nullptr;
};

}  // namespace spmv_benchmark
