// Dense products of other libraries, which are loaded by name: gemm of any CBLAS, and oneDNN's
// matmul.
#pragma once

#include <dlfcn.h>

#include <memory>
#include <string>

#include "../common/onednn.hpp"

namespace dense_benchmark {

template <class T>
using gemm = void (*)(int order, int transpose_a, int transpose_b, int m, int n, int k, T alpha,
                      const T* a, int lda, const T* b, int ldb, T beta, T* c, int ldc);
inline constexpr int by_rows = 101, as_it_is = 111, transposed = 112;

struct library {
  std::string name;
  void* handle;
  std::shared_ptr<benchmark_common::onednn> onednn;  ///< null if it is another

  /// A CBLAS's gemm of one type, or null; scipy's OpenBLAS has a prefix of its own.
  template <class T>
  gemm<T> product() const {
    const std::string symbol = sizeof(T) == 4 ? "cblas_sgemm" : "cblas_dgemm";
    void* found = dlsym(handle, symbol.c_str());
    if (found == nullptr) found = dlsym(handle, ("scipy_" + symbol).c_str());
    return reinterpret_cast<gemm<T>>(found);
  }

  /// Null handle, and a line on standard error, if there is no such library or it is too old.
  static library open(const std::string& path) {
    library l{path.substr(path.rfind('/') + 1), dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL), {}};
    l.name = l.name.substr(0, l.name.find('.'));
    if (l.name.substr(0, 3) == "lib") l.name = l.name.substr(3);
    if (l.handle == nullptr) {
      std::fprintf(stderr, "%s\n", dlerror());
    } else if (benchmark_common::onednn::is_it(l.handle)) {
      l.name = "onednn";
      l.onednn = std::make_shared<benchmark_common::onednn>(l.handle);
      if (!l.onednn->works()) {
        std::fprintf(stderr, "%s: %s is not version 3, or gives no CPU engine\n", path.c_str(),
                     l.onednn->text().c_str());
        l.handle = nullptr;
      }
    }
    return l;
  }
};

}  // namespace dense_benchmark
