// One object of an engine that is compiled once for each instruction set: PROBE names its functions.
#include "probe.h"

#include <sparsekit/sparsekit.hpp>

namespace sk = sparsekit;

#define PROBE_JOIN_(a, b, c) a##b##c
#define PROBE_JOIN(a, b, c) PROBE_JOIN_(a, b, c)
#define PROBE_FUNCTION(what) PROBE_JOIN(probe_, PROBE, _##what)

namespace {

sk::csr_view<const float> view_of(const probe_matrix* a) {
  const int nnz = a->row_ptr[a->rows];
  return {{a->rows, a->cols}, {a->row_ptr, a->rows + 1}, {a->columns, nnz}, {a->values, nnz}};
}

}  // namespace

extern "C" {

PROBE_DECLARE(PROBE);

const char* PROBE_FUNCTION(isa)(void) { return sk::native_arch::name; }

void PROBE_FUNCTION(spmv)(const probe_matrix* a, const float* x, float* y) {
  sk::multiply(view_of(a), sk::array_view<const float>(x, a->cols),
               sk::array_view<float>(y, a->rows), sk::relu);
}

// Features x tokens, as 1x1 convolutions have it.
void PROBE_FUNCTION(spmm)(const probe_matrix* a, const float* x, float* y, int columns) {
  sk::multiply(view_of(a), sk::dense_view<const float>(x, a->cols, columns),
               sk::dense_view<float>(y, a->rows, columns), sk::relu);
}

// Tokens x features, as transformers have it.
void PROBE_FUNCTION(tokens)(const probe_matrix* a, const float* x, float* y, int columns) {
  sk::multiply(view_of(a), sk::dense_view<const float, sk::col_major>(x, a->cols, columns),
               sk::dense_view<float, sk::col_major>(y, a->rows, columns), sk::relu);
}

}  // extern "C"
