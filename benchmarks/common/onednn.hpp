// oneDNN's matrix product, from its library that the user names (libdnnl.so). The few declarations
// of its C interface that are needed, so that the build needs no oneDNN. Version 3, as the peer
// harness sets up (3.12): the interface of version 2, which Debian 12 has, is another.
//
// ONEDNN_MAX_CPU_ISA in the environment limits what it uses: AVX512_CORE_FP16 is all of AVX-512
// (VNNI, BF16) without AMX.
#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sparsekit/core/bfloat16.hpp>
#include <sparsekit/core/storage.hpp>
#include <string>
#include <type_traits>

#include "turns.hpp"

namespace benchmark_common {

/// The library, with a CPU engine.
class onednn {
 public:
  /// Whether what dlopen gave is oneDNN, of whatever version.
  static bool is_it(void* handle) { return dlsym(handle, "dnnl_version") != nullptr; }

  explicit onednn(void* handle) : handle_(handle) {
    const auto* const v = call<const version* (*)()>("dnnl_version")();
    text_ = "oneDNN " + std::to_string(v->major) + '.' + std::to_string(v->minor) + '.' +
            std::to_string(v->patch);
    if (v->major != 3) return;
    constexpr int cpu = 1, in_order = 1;
    if (call<int (*)(void**, int, std::size_t)>("dnnl_engine_create")(&engine_, cpu, 0) != 0 ||
        call<int (*)(void**, void*, unsigned)>("dnnl_stream_create")(&stream_, engine_, in_order)) {
      engine_ = nullptr;
      return;
    }
    text_ += ' ' + isa_name(call<int (*)()>("dnnl_get_effective_cpu_isa")());
  }
  bool works() const { return engine_ != nullptr; }
  /// Version and instruction set.
  const std::string& text() const { return text_; }

  template <class F>
  F call(const char* name) const {
    void* const found = dlsym(handle_, name);
    if (found == nullptr) {
      std::fprintf(stderr, "%s has no %s\n", text_.c_str(), name);
      std::exit(1);
    }
    return reinterpret_cast<F>(found);
  }
  void* engine() const { return engine_; }
  void* stream() const { return stream_; }

 private:
  struct version {
    int major, minor, patch;
  };
  static std::string isa_name(int isa) {
    constexpr struct {
      int isa;
      const char* name;
    } names[] = {
        {0x07, "avx2"},         {0x0f, "avx2_vnni"},        {0x1f, "avx2_vnni_2"},
        {0x27, "avx512_core"},  {0x67, "avx512_core_vnni"}, {0xe7, "avx512_core_bf16"},
        {0x1ef, "avx10_1_512"}, {0xfef, "avx10_1_512_amx"}, {0x1fef, "avx10_1_512_amx_fp16"}};
    for (const auto& n : names) {
      if (n.isa == isa) return n.name;
    }
    return "isa " + std::to_string(isa);
  }

  void* handle_;
  std::string text_;
  void* engine_ = nullptr;  // both live as long as the program
  void* stream_ = nullptr;
};

/// A matrix in the caller's memory.
struct onednn_operand {
  int type;
  void* data;
  std::int64_t sides[2];    ///< rows, cols
  std::int64_t strides[2];  ///< from row to row, from column to column

  template <class T>
  static onednn_operand of(T* data, index_t rows, index_t cols, index_t row_stride,
                           index_t col_stride) {
    using U = std::remove_const_t<T>;
    constexpr int type = std::is_same_v<U, sparsekit::bfloat16> ? 2
                         : std::is_same_v<U, float>             ? 3
                         : std::is_same_v<U, std::int32_t>      ? 4
                         : std::is_same_v<U, std::int8_t>       ? 5
                                                                : 6;
    static_assert(type != 6 || std::is_same_v<U, std::uint8_t>);
    return {type, const_cast<U*>(data), {rows, cols}, {row_stride, col_stride}};
  }
};

/// c = a b, of which one is constant: packed once, into the form that the library likes best.
class onednn_product {
 public:
  enum constant { left, right };

  onednn_product(const onednn& library, constant side, const onednn_operand& a,
                 const onednn_operand& b, const onednn_operand& c)
      : stream_(library.stream()) {
    works_ = make(library, side, a, b, c);
  }
  /// Whether the library has such a product, by more than plain loops.
  bool works() const { return works_; }
  /// The library's name of the code that runs.
  const std::string& kernel() const { return kernel_; }
  bytes_view weights() const { return packed_.view(); }
  void run() const {
    execute_(product_, stream_, 3, arguments_);
    wait_(stream_);
  }

 private:
  struct argument {
    int which;
    void* memory;
  };

  // Handles of the library stay until the program ends.
  bool make(const onednn& l, constant side, const onednn_operand& a, const onednn_operand& b,
            const onednn_operand& c) {
    const auto memory = l.call<int (*)(void**, const void*, void*, void*)>("dnnl_memory_create");
    const auto primitive = l.call<int (*)(void**, const void*)>("dnnl_primitive_create");
    execute_ = l.call<int (*)(void*, void*, int, const argument*)>("dnnl_primitive_execute");
    wait_ = l.call<int (*)(void*)>("dnnl_stream_wait");
    const onednn_operand& weights = side == left ? a : b;
    void *a_form = nullptr, *b_form = nullptr, *c_form = nullptr, *any_form = nullptr;
    if (!lies(l, a, a_form) || !lies(l, b, b_form) || !lies(l, c, c_form) ||
        !any(l, weights, any_form)) {
      return false;
    }
    void* plan = nullptr;
    using plan_product =
        int (*)(void**, void*, const void*, const void*, const void*, const void*, const void*);
    if (l.call<plan_product>("dnnl_matmul_primitive_desc_create")(
            &plan, l.engine(), side == left ? any_form : a_form, side == left ? b_form : any_form,
            nullptr, c_form, nullptr) != 0) {
      return false;
    }
    constexpr int name_of_code = 8, form_of_a = 129, form_of_b = 131;
    const char* name = "";
    l.call<int (*)(const void*, int, int, void*)>("dnnl_primitive_desc_query")(plan, name_of_code,
                                                                               0, &name);
    kernel_ = name;
    std::replace(kernel_.begin(), kernel_.end(), ',', ';');
    if (kernel_.starts_with("ref")) return false;

    const void* const packed_form = l.call<const void* (*)(const void*, int, int)>(
        "dnnl_primitive_desc_query_md")(plan, side == left ? form_of_a : form_of_b, 0);
    const auto bytes =
        l.call<std::size_t (*)(const void*)>("dnnl_memory_desc_get_size")(packed_form);
    if (!packed_.allocate_zeroed(static_cast<index_t>(bytes))) return false;
    const void* const plain_form = side == left ? a_form : b_form;
    void *plain = nullptr, *packed = nullptr, *packing_plan = nullptr, *packing = nullptr;
    using plan_reorder = int (*)(void**, const void*, void*, const void*, void*, const void*);
    if (memory(&plain, plain_form, l.engine(), weights.data) != 0 ||
        memory(&packed, packed_form, l.engine(), packed_.data()) != 0 ||
        l.call<plan_reorder>("dnnl_reorder_primitive_desc_create")(
            &packing_plan, plain_form, l.engine(), packed_form, l.engine(), nullptr) != 0 ||
        primitive(&packing, packing_plan) != 0) {
      return false;
    }
    constexpr int source = 1, destination = 17, factor = 33;
    const argument pack[] = {{source, plain}, {destination, packed}};
    if (execute_(packing, stream_, 2, pack) != 0 || wait_(stream_) != 0) return false;

    void *x = nullptr, *y = nullptr;
    if (memory(&x, side == left ? b_form : a_form, l.engine(), (side == left ? b : a).data) != 0 ||
        memory(&y, c_form, l.engine(), c.data) != 0 || primitive(&product_, plan) != 0) {
      return false;
    }
    arguments_[0] = {source, side == left ? packed : x};
    arguments_[1] = {factor, side == left ? x : packed};
    arguments_[2] = {destination, y};
    return true;
  }
  /// The form in which an operand lies, and that which the library is free to choose.
  static bool lies(const onednn& l, const onednn_operand& o, void*& form) {
    return l.call<int (*)(void**, int, const std::int64_t*, int, const std::int64_t*)>(
               "dnnl_memory_desc_create_with_strides")(&form, 2, o.sides, o.type, o.strides) == 0;
  }
  static bool any(const onednn& l, const onednn_operand& o, void*& form) {
    constexpr int tag_any = 1;
    return l.call<int (*)(void**, int, const std::int64_t*, int, int)>(
               "dnnl_memory_desc_create_with_tag")(&form, 2, o.sides, o.type, tag_any) == 0;
  }

  bool works_ = false;
  void* stream_;
  void* product_ = nullptr;
  int (*execute_)(void*, void*, int, const argument*) = nullptr;
  int (*wait_)(void*) = nullptr;
  argument arguments_[3] = {};
  std::string kernel_;
  sparsekit::buffer<std::byte> packed_;
};

}  // namespace benchmark_common
