// The tiles that check_isa.py looks into: balanced quads and packed dense weights, in both layouts,
// called as kernels so that nothing else is compiled; then tiles alone, whose kernels would take
// longer to compile: quads of f64 with sums that wait for column-major Y, wide rows, and packed
// dense weights of s8 and bf16.
#include <sparsekit/kernels/dense/narrow.hpp>
#include <sparsekit/kernels/dense/narrow_columns_tile.hpp>
#include <sparsekit/kernels/dense/packed.hpp>
#include <sparsekit/kernels/spmm/quads.hpp>
#include <sparsekit/kernels/spmm/wide.hpp>

namespace sk = sparsekit;
namespace kernels = sk::kernels;
using sk::index_t;
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
TILE(dense_turned, gemm_packed_dense_rows, packed_dense_view, float, row_major)

#define QUADS(name, quads)                                                                         \
  void name(const sk::quad_view<const double>& a, index_t block, const double* panel, bool finite, \
            double* waiting, index_t columns) {                                                    \
    constexpr int registers = kernels::quad_registers<native_arch>(quads);                         \
    using lanes = sk::simd::lanes<native_arch, double>;                                            \
    kernels::run_row_block<lanes, registers, quads>(a, block, panel, finite, waiting, 0, columns,  \
                                                    kernels::sums_wait{});                         \
  }
QUADS(quads_waiting, 1)
QUADS(quad_pairs_waiting, 2)

#define WIDE(name, registers, x_from)                                                            \
  void name(const sk::wide_view<const float>& a, index_t groups, const float* x, index_t stride, \
            index_t columns, sk::dense_view<float> y) {                                          \
    using lanes = sk::simd::lanes<native_arch, float>;                                           \
    const sk::identity_epilogue none;                                                            \
    kernels::run_wide_groups<lanes, registers, kernels::wide_x::x_from>(                         \
        a, 0, groups, x, stride, columns, static_cast<float*>(nullptr), 0, 0,                    \
        kernels::output_of<lanes>(y, none));                                                     \
  }
WIDE(wide_8, 8, in_place)
WIDE(wide_4, 4, in_place)
WIDE(wide_2, 2, in_place)
WIDE(wide_1, 1, in_place)
WIDE(wide_tail, 1, in_place_masked)
WIDE(wide_panel_2, 2, panel)
WIDE(wide_panel_1, 1, panel)

#define NARROW(name, T, X)                                                    \
  void name(const T* w, index_t step, const std::uint32_t* x, index_t steps,  \
            sk::sum_of_t<T>* sums) {                                          \
    using groups = kernels::narrow_groups<native_arch, T, X, true>;           \
    kernels::add_narrow<groups::product, groups::vectors, groups::tokens, 1>( \
        w, step, x, steps, true, sums, sk::packed_dense_view<T>::group);      \
  }
NARROW(dense_s8, std::int8_t, std::uint8_t)
NARROW(dense_bf16, sk::bfloat16, sk::bfloat16)

#define COLUMNS(name, T, X, vectors)                                                               \
  void name(const kernels::narrow_columns_operands& o, const sk::sum_of_t<T>* begin,               \
            sk::sum_of_t<T>* sums) {                                                               \
    using words = kernels::narrow_columns<native_arch, T, X>;                                      \
    kernels::add_narrow_columns<words::tile_product, vectors, words::height(vectors)>(o, 1, begin, \
                                                                                      sums);       \
  }
#define NARROW_COLUMNS(name, T, X)                                                \
  COLUMNS(name, T, X, (kernels::narrow_columns<native_arch, T, X>::most_vectors)) \
  COLUMNS(name##_few, T, X, (kernels::narrow_columns<native_arch, T, X>::least_vectors))
NARROW_COLUMNS(columns_s8, std::int8_t, std::uint8_t)
NARROW_COLUMNS(columns_bf16, sk::bfloat16, sk::bfloat16)
NARROW_COLUMNS(columns_f32, sk::bfloat16, float)
