// What a probe object offers: plain C, so that objects for different instruction sets share nothing else.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

struct probe_matrix {  // CSR, f32
  int rows;
  int cols;
  const int* row_ptr;
  const int* columns;
  const float* values;
};

// One set of functions for each object: PROBE_DECLARE(avx512) declares probe_avx512_isa and so on.
#define PROBE_DECLARE(name)                                                                       \
  const char* probe_##name##_isa(void);                                                           \
  void probe_##name##_spmv(const struct probe_matrix* a, const float* x, float* y);               \
  void probe_##name##_spmm(const struct probe_matrix* a, const float* x, float* y, int columns);  \
  void probe_##name##_tokens(const struct probe_matrix* a, const float* x, float* y, int columns)

#ifdef __cplusplus
}
#endif
