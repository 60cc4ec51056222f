// Two faults that check_isa.py must find: a sum that lives on the stack, and a function that the linker may
// merge with another object's although its code needs AVX.
#include <immintrin.h>

inline __attribute__((noinline)) __m256 merged(__m256 a) { return _mm256_add_ps(a, a); }

extern "C" void sum_on_stack(const float* p, long n, float* out) {
  volatile __m256 sum = _mm256_setzero_ps();
  for (long i = 0; i < n; ++i) {
    sum = _mm256_fmadd_ps(_mm256_loadu_ps(p + 8 * i), _mm256_set1_ps(p[i]), sum);
  }
  _mm256_storeu_ps(out, merged(sum));
}
