// Compile-time configuration: the instruction set the flags allow, and the namespaces of the house.
//
// Two kinds of namespace keep objects with different flags apart in one binary:
//   sparsekit::v0            data whose layout never varies: views, owners, status
//   sparsekit::v0::<tag>     code whose machine code depends on flags: kernels, multiply, conversions
// Both are inline, so users write sparsekit::multiply. <tag> names ISA, features, NDEBUG, exceptions
// and -ffast-math. Without it the linker would keep one of two equally named functions, and a program
// that links an AVX-512 object and an SSE2 one would run whichever came first.
#pragma once

#include "version.hpp"

// ---- instruction set: SPARSEKIT_FORCE_SCALAR turns vectors off --------------------------------

#if !defined(SPARSEKIT_FORCE_SCALAR) && defined(__AVX512F__) && defined(__AVX512BW__) && \
    defined(__AVX512VL__) && defined(__AVX512DQ__) && defined(__FMA__)
#define SPARSEKIT_HAS_AVX512 1
#define SPARSEKIT_HAS_AVX2 1
#elif !defined(SPARSEKIT_FORCE_SCALAR) && defined(__AVX2__) && defined(__FMA__)
#define SPARSEKIT_HAS_AVX2 1
#elif !defined(SPARSEKIT_FORCE_SCALAR) && defined(__ARM_NEON) && defined(__aarch64__)
#define SPARSEKIT_HAS_NEON 1
#endif

#ifndef SPARSEKIT_HAS_AVX512
#define SPARSEKIT_HAS_AVX512 0
#endif
#ifndef SPARSEKIT_HAS_AVX2
#define SPARSEKIT_HAS_AVX2 0
#endif
#ifndef SPARSEKIT_HAS_NEON
#define SPARSEKIT_HAS_NEON 0
#endif

#if SPARSEKIT_HAS_AVX512 && defined(__AVX512VNNI__)
#define SPARSEKIT_HAS_AVX512_VNNI 1
#else
#define SPARSEKIT_HAS_AVX512_VNNI 0
#endif
#if SPARSEKIT_HAS_AVX512 && defined(__AVX512BF16__)
#define SPARSEKIT_HAS_AVX512_BF16 1
#else
#define SPARSEKIT_HAS_AVX512_BF16 0
#endif
// Both, as all that have VBMI have VBMI2 but for one processor (Cannon Lake).
#if SPARSEKIT_HAS_AVX512 && defined(__AVX512VBMI__) && defined(__AVX512VBMI2__)
#define SPARSEKIT_HAS_AVX512_VBMI 1
#else
#define SPARSEKIT_HAS_AVX512_VBMI 0
#endif
// No kernel uses FP16 itself: it tells Intel from Sapphire Rapids on from AMD (up to Zen 5 at least), and the two differ in
// what a gather (simd/avx512.hpp) and a dot product of bf16 (kernels/dense/narrow_product.hpp) cost.
#if SPARSEKIT_HAS_AVX512_VNNI && SPARSEKIT_HAS_AVX512_BF16 && SPARSEKIT_HAS_AVX512_VBMI && defined(__AVX512FP16__)
#define SPARSEKIT_HAS_AVX512_FP16 1
#else
#define SPARSEKIT_HAS_AVX512_FP16 0
#endif
#if SPARSEKIT_HAS_NEON && defined(__ARM_FEATURE_DOTPROD)
#define SPARSEKIT_HAS_NEON_DOTPROD 1
#else
#define SPARSEKIT_HAS_NEON_DOTPROD 0
#endif
#if SPARSEKIT_HAS_NEON && defined(__ARM_FEATURE_MATMUL_INT8)
#define SPARSEKIT_HAS_NEON_I8MM 1
#else
#define SPARSEKIT_HAS_NEON_I8MM 0
#endif
#if SPARSEKIT_HAS_NEON && defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#define SPARSEKIT_HAS_NEON_BF16 1
#else
#define SPARSEKIT_HAS_NEON_BF16 0
#endif
#if SPARSEKIT_HAS_AVX2 && defined(__F16C__)
#define SPARSEKIT_HAS_F16C 1
#else
#define SPARSEKIT_HAS_F16C 0
#endif

// ---- the tag of the execution namespace -------------------------------------------------------

#if SPARSEKIT_HAS_AVX512
#if SPARSEKIT_HAS_AVX512_FP16
#define SPARSEKIT_TAG_ISA avx512_vnni_bf16_vbmi_fp16
#elif SPARSEKIT_HAS_AVX512_VNNI && SPARSEKIT_HAS_AVX512_BF16 && SPARSEKIT_HAS_AVX512_VBMI
#define SPARSEKIT_TAG_ISA avx512_vnni_bf16_vbmi
#elif SPARSEKIT_HAS_AVX512_VNNI && SPARSEKIT_HAS_AVX512_VBMI
#define SPARSEKIT_TAG_ISA avx512_vnni_vbmi
#elif SPARSEKIT_HAS_AVX512_VNNI && SPARSEKIT_HAS_AVX512_BF16
#define SPARSEKIT_TAG_ISA avx512_vnni_bf16
#elif SPARSEKIT_HAS_AVX512_VBMI && SPARSEKIT_HAS_AVX512_BF16
#define SPARSEKIT_TAG_ISA avx512_bf16_vbmi
#elif SPARSEKIT_HAS_AVX512_VNNI
#define SPARSEKIT_TAG_ISA avx512_vnni
#elif SPARSEKIT_HAS_AVX512_BF16
#define SPARSEKIT_TAG_ISA avx512_bf16
#elif SPARSEKIT_HAS_AVX512_VBMI
#define SPARSEKIT_TAG_ISA avx512_vbmi
#else
#define SPARSEKIT_TAG_ISA avx512
#endif
#elif SPARSEKIT_HAS_AVX2 && SPARSEKIT_HAS_F16C
#define SPARSEKIT_TAG_ISA avx2
#elif SPARSEKIT_HAS_AVX2
#define SPARSEKIT_TAG_ISA avx2_without_f16c
#elif SPARSEKIT_HAS_NEON && SPARSEKIT_HAS_NEON_I8MM && SPARSEKIT_HAS_NEON_BF16
#define SPARSEKIT_TAG_ISA neon_i8mm_bf16
#elif SPARSEKIT_HAS_NEON && SPARSEKIT_HAS_NEON_I8MM
#define SPARSEKIT_TAG_ISA neon_i8mm
#elif SPARSEKIT_HAS_NEON && SPARSEKIT_HAS_NEON_BF16
#define SPARSEKIT_TAG_ISA neon_bf16
#elif SPARSEKIT_HAS_NEON && SPARSEKIT_HAS_NEON_DOTPROD
#define SPARSEKIT_TAG_ISA neon_dotprod
#elif SPARSEKIT_HAS_NEON
#define SPARSEKIT_TAG_ISA neon
// Scalar code is compiled by the same flags as everything else: name the instructions it may use.
#elif defined(__AVX512F__)
#define SPARSEKIT_TAG_ISA scalar_on_avx512
#elif defined(__AVX2__)
#define SPARSEKIT_TAG_ISA scalar_on_avx2
#elif defined(__AVX__)
#define SPARSEKIT_TAG_ISA scalar_on_avx
#else
#define SPARSEKIT_TAG_ISA scalar
#endif

#ifdef NDEBUG
#define SPARSEKIT_TAG_DEBUG _release
#else
#define SPARSEKIT_TAG_DEBUG _debug
#endif
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define SPARSEKIT_HAS_EXCEPTIONS 1
#define SPARSEKIT_TAG_EXCEPTIONS _throws
#else
#define SPARSEKIT_HAS_EXCEPTIONS 0
#define SPARSEKIT_TAG_EXCEPTIONS _nothrow
#endif
#ifdef __FAST_MATH__
#define SPARSEKIT_TAG_MATH _fastmath
#else
#define SPARSEKIT_TAG_MATH
#endif

#define SPARSEKIT_CONCAT4_(a, b, c, d) a##b##c##d
#define SPARSEKIT_CONCAT4(a, b, c, d) SPARSEKIT_CONCAT4_(a, b, c, d)
#define SPARSEKIT_EXEC_TAG                                                             \
  SPARSEKIT_CONCAT4(SPARSEKIT_TAG_ISA, SPARSEKIT_TAG_DEBUG, SPARSEKIT_TAG_EXCEPTIONS, \
                    SPARSEKIT_TAG_MATH)

#define SPARSEKIT_EXEC_BEGIN  \
  namespace sparsekit {       \
  inline namespace v0 {       \
  inline namespace SPARSEKIT_EXEC_TAG {
#define SPARSEKIT_EXEC_END \
  }                        \
  }                        \
  }

// The same from inside namespace sparsekit::v0.
#define SPARSEKIT_EXEC_BEGIN_IN_V0 inline namespace SPARSEKIT_EXEC_TAG {
#define SPARSEKIT_EXEC_END_IN_V0 }

// ---- compilers --------------------------------------------------------------------------------

#if defined(_MSC_VER) && !defined(__clang__)
#define SPARSEKIT_INLINE __forceinline
#define SPARSEKIT_LAMBDA_INLINE
#define SPARSEKIT_NOINLINE __declspec(noinline)
#define SPARSEKIT_RESTRICT __restrict
#else
// Hot helpers must be inlined whole: a tile of accumulators passed by reference to a function that
// is not inlined lives in memory (3.5x slower with g++ 12). Not under AddressSanitizer: its checks, and
// UBSan's beside them, are inlined too then, and compile three times as long.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SPARSEKIT_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(SPARSEKIT_SANITIZED)
#define SPARSEKIT_SANITIZED
#endif
#if defined(SPARSEKIT_SANITIZED)
#define SPARSEKIT_INLINE inline
#define SPARSEKIT_LAMBDA_INLINE
#else
#define SPARSEKIT_INLINE inline __attribute__((always_inline))
#define SPARSEKIT_LAMBDA_INLINE __attribute__((always_inline))
#endif
#define SPARSEKIT_NOINLINE __attribute__((noinline))
#define SPARSEKIT_RESTRICT __restrict__
#endif

// ---- preconditions ----------------------------------------------------------------------------

// Wrong shapes are the caller's bug: an assertion in debug builds. sk::check reports them in all.
#include <cassert>
#define SPARSEKIT_ASSERT(condition) assert(condition)

namespace sparsekit {
inline namespace v0 {

/// Instruction sets as types: kernels are templates on one of these. All four always exist as names;
/// `native_arch` is the best that the compiler flags allow.
namespace arch {
struct scalar {
  static constexpr const char* name = "scalar";
};
struct avx2 {
  static constexpr const char* name = "avx2";
};
struct avx512 {
  static constexpr const char* name = "avx512";
};
struct neon {
  static constexpr const char* name = "neon";
};
}  // namespace arch

/// Whether exceptions are on, as a type: what differs by it takes it as a template parameter.
struct with_exceptions {};
struct without_exceptions {};

inline namespace SPARSEKIT_EXEC_TAG {
#if SPARSEKIT_HAS_AVX512
using native_arch = arch::avx512;
#elif SPARSEKIT_HAS_AVX2
using native_arch = arch::avx2;
#elif SPARSEKIT_HAS_NEON
using native_arch = arch::neon;
#else
using native_arch = arch::scalar;
#endif
#if SPARSEKIT_HAS_EXCEPTIONS
using exception_mode = with_exceptions;
#else
using exception_mode = without_exceptions;
#endif
/// A type of this translation unit's flags. Templates that live in v0 but contain loops take it as a
/// defaulted parameter, which makes their symbols differ where their machine code does.
struct flags_tag {};
}  // namespace SPARSEKIT_EXEC_TAG

}  // namespace v0
}  // namespace sparsekit
