// The tiles that check_isa.py looks into: balanced quads and packed dense weights, in both layouts,
// called as kernels so that nothing else is compiled.
#include <sparsekit/kernels/dense/packed.hpp>
#include <sparsekit/kernels/spmm/quads.hpp>

namespace sk = sparsekit;
namespace kernels = sk::kernels;
using sk::native_arch;

namespace {

template <template <class, class> class Kernel, class View, class T, class Layout>
void run(const View& a, const T* x, T* y, sk::index_t n, const T* bias, sk::scratch_memory scratch) {
  const auto epilogue = sk::bias(sk::array_view<const T>(bias, a.rows())) | sk::relu;
  using call = kernels::call<sk::sequential_policy, View, T, Layout, Layout,
                             std::remove_const_t<decltype(epilogue)>>;
  Kernel<native_arch, T>::run(call{sk::seq,
                                   a,
                                   sk::dense_view<const T, Layout>(x, a.cols(), n),
                                   sk::dense_view<T, Layout>(y, a.rows(), n),
                                   epilogue,
                                   scratch});
}

}  // namespace

#define TILE(name, kernel, view, T, layout)                                                    \
  void name(const sk::view<const T>& a, const T* x, T* y, sk::index_t n, const T* bias,        \
            sk::scratch_memory scratch) {                                                      \
    run<kernels::kernel, sk::view<const T>, T, sk::layout>(a, x, y, n, bias, scratch);         \
  }
TILE(quads_planar, spmm_packed_quads, packed_view, float, row_major)
TILE(dense_planar, gemm_packed_dense_columns, packed_dense_view, float, row_major)
TILE(dense_tokens, gemm_packed_dense_rows, packed_dense_view, float, col_major)
