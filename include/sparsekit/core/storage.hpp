// buffer: owned, 64-byte aligned, uninitialised memory for trivial types. Allocation never throws: it
// reports failure, so that factories can return errc::out_of_memory with and without exceptions.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "../status.hpp"
#include "array_view.hpp"

namespace sparsekit {
inline namespace v0 {

/// Alignment of everything the library allocates: a cache line, and the widest vector.
inline constexpr std::size_t storage_alignment = 64;

template <class T>
class buffer {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  buffer() = default;
  buffer(buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  buffer& operator=(buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  buffer(const buffer&) = delete;
  buffer& operator=(const buffer&) = delete;
  ~buffer() { release(); }

  /// Replaces the contents by `size` uninitialised elements. Rounded up to whole cache lines.
  [[nodiscard]] status allocate(index_t size) {
    release();
    if (size == 0) return {};
    index_t bytes = 0;
    if (!checked_multiply(size, index_t{sizeof(T)}, bytes) ||
        bytes > std::numeric_limits<std::ptrdiff_t>::max() - 64) {
      return {.code = errc::size_overflow,
              .object = "buffer",
              .detail = "size",
              .got = size,
              .allowed = std::numeric_limits<std::ptrdiff_t>::max() / index_t{sizeof(T)}};
    }
    bytes = round_up(bytes, index_t{storage_alignment});
    void* p = ::operator new(static_cast<std::size_t>(bytes), std::align_val_t{storage_alignment},
                             std::nothrow);
    if (p == nullptr) return {.code = errc::out_of_memory, .object = "buffer", .got = bytes};
    data_ = static_cast<T*>(p);
    size_ = size;
    return {};
  }
  /// As allocate, with every element zero.
  [[nodiscard]] status allocate_zeroed(index_t size) {
    status s = allocate(size);
    if (s && size > 0) std::memset(static_cast<void*>(data_), 0, static_cast<std::size_t>(size) * sizeof(T));
    return s;
  }
  /// Keeps the first min(size, size()) elements; the rest is uninitialised.
  [[nodiscard]] status resize(index_t size) {
    buffer other;
    if (status s = other.allocate(size); !s) return s;
    const index_t kept = size < size_ ? size : size_;
    if (kept > 0) std::memcpy(other.data_, data_, static_cast<std::size_t>(kept) * sizeof(T));
    *this = std::move(other);
    return {};
  }
  void shrink(index_t size) {  ///< Forgets elements beyond `size`; the memory stays.
    if (size < size_) size_ = size;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  index_t size() const { return size_; }
  T& operator[](index_t i) { return data_[i]; }
  const T& operator[](index_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  array_view<T> view() { return {data_, size_}; }
  array_view<const T> view() const { return {data_, size_}; }

 private:
  void release() {
    if (data_ != nullptr) {
      ::operator delete(static_cast<void*>(data_), std::align_val_t{storage_alignment},
                        std::nothrow);
    }
    data_ = nullptr;
    size_ = 0;
  }

  T* data_ = nullptr;
  index_t size_ = 0;
};

/// A buffer that grows at its end, for packers that do not know their size in advance.
template <class T>
class growing_buffer {
 public:
  growing_buffer() = default;
  growing_buffer(growing_buffer&& other) noexcept
      : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
  growing_buffer& operator=(growing_buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  [[nodiscard]] status reserve(index_t capacity) {
    return capacity <= data_.size() ? status{} : data_.resize(capacity);
  }
  [[nodiscard]] status push_back(const T& value) {
    if (size_ == data_.size()) {
      if (status s = data_.resize(size_ < 32 ? 64 : size_ * 2); !s) return s;
    }
    data_[size_++] = value;
    return {};
  }
  /// Adds `count` uninitialised elements and points `first` at them, until the next growth.
  [[nodiscard]] status extend(index_t count, T*& first) {
    if (size_ + count > data_.size()) {
      const index_t doubled = data_.size() * 2;
      const index_t needed = size_ + count;
      if (status s = data_.resize(doubled > needed ? doubled : needed + 64); !s) return s;
    }
    first = data_.data() + size_;
    size_ += count;
    return {};
  }
  T* data() { return data_.data(); }
  const T* data() const { return data_.data(); }
  index_t size() const { return size_; }
  T& operator[](index_t i) { return data_[i]; }
  const T& operator[](index_t i) const { return data_[i]; }
  void clear() { size_ = 0; }
  void shrink(index_t size) { size_ = size < size_ ? size : size_; }  ///< Forgets elements beyond `size`.
  /// Hands the memory over, its length set to what was filled.
  buffer<T> take() {
    data_.shrink(std::exchange(size_, 0));
    return std::move(data_);
  }

 private:
  buffer<T> data_;
  index_t size_ = 0;
};

}  // namespace v0
}  // namespace sparsekit
