// guarded<T>: an array between pages that nobody may touch. Sanitizers miss most overruns of masked
// loads, gathers and expand-loads; a page fault misses none.
//
//   left:   |PROT_NONE|offset|array ......... canary |PROT_NONE|
//   right:  |PROT_NONE| canary ......... array|offset|PROT_NONE|
//
// With offset 0 the first byte before (left) or behind (right) the array faults. An offset moves
// the array away from the page's edge, to try alignments; the bytes between hold a canary that
// `intact` looks for.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "sparsekit/core/array_view.hpp"

namespace sparsekit_test {

using sparsekit::index_t;

enum class edge { left, right };
inline constexpr edge both_edges[] = {edge::left, edge::right};
inline const char* name_of(edge e) { return e == edge::left ? "left" : "right"; }

/// Pages with guard pages around them. Any failure here ends the test program.
class guarded_pages {
 public:
  guarded_pages() = default;
  explicit guarded_pages(std::size_t bytes) {
    const std::size_t page = page_size();
    bytes_ = (bytes + page - 1) / page * page;
    if (bytes_ == 0) bytes_ = page;
    void* p = ::mmap(nullptr, bytes_ + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) give_up("mmap");
    memory_ = static_cast<std::byte*>(p) + page;
    make_writable(true);
  }
  guarded_pages(guarded_pages&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        writable_(std::exchange(other.writable_, false)) {}
  guarded_pages& operator=(guarded_pages&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
    std::swap(writable_, other.writable_);
    return *this;
  }
  ~guarded_pages() {
    if (memory_ != nullptr) ::munmap(memory_ - page_size(), bytes_ + 2 * page_size());
  }

  std::byte* begin() const { return memory_; }
  std::byte* end() const { return memory_ + bytes_; }
  std::size_t size() const { return bytes_; }
  /// Whether writes are allowed (reads are).
  void make_writable(bool writable) {
    if (writable == writable_) return;
    const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    if (::mprotect(memory_, bytes_, protection) != 0) give_up("mprotect");
    writable_ = writable;
  }
  static std::size_t page_size() {
    static const std::size_t size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
  }

 private:
  [[noreturn]] static void give_up(const char* call) {
    std::perror(call);
    std::abort();
  }

  std::byte* memory_ = nullptr;
  std::size_t bytes_ = 0;
  bool writable_ = false;
};

template <class T>
class guarded {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  guarded() = default;
  /// `size` elements full of canary bytes, `offset` elements away from the edge.
  explicit guarded(index_t size, edge e = edge::right, index_t offset = 0) {
    reset(size, e, offset);
  }
  /// A copy of `contents`.
  template <class Range>
  requires requires(const Range& r) { sparsekit::array_view<const T>(r); }
  explicit guarded(const Range& contents, edge e = edge::right, index_t offset = 0) {
    assign(contents, e, offset);
  }

  /// As a new array, in the same pages if they suffice: cheap enough for a test's innermost loop.
  void reset(index_t size, edge e = edge::right, index_t offset = 0) {
    place(static_cast<std::size_t>(size) * sizeof(T), e,
          static_cast<std::size_t>(offset) * sizeof(T));
    size_ = size;
  }
  /// As reset, but with an offset in bytes, so that the array may be misaligned for T.
  void reset_bytes(index_t size, edge e, std::size_t byte_offset) {
    place(static_cast<std::size_t>(size) * sizeof(T), e, byte_offset);
    size_ = size;
  }
  template <class Range>
  void assign(const Range& contents, edge e = edge::right, index_t offset = 0) {
    const sparsekit::array_view<const T> from(contents);
    reset(from.size(), e, offset);
    if (from.size() > 0) {
      std::memcpy(begin_, from.data(), static_cast<std::size_t>(from.size()) * sizeof(T));
    }
  }
  void fill(const T& value) {
    for (index_t i = 0; i < size_; ++i) data()[i] = value;
  }

  /// From here on a write to the array faults, until it is reset.
  void freeze() { pages_->make_writable(false); }
  /// Whether the bytes around the array are as they were.
  bool intact() const {
    return pages_ == nullptr ||
           (all_canary(pages_->begin(), begin_) &&
            all_canary(begin_ + static_cast<std::size_t>(size_) * sizeof(T), pages_->end()));
  }

  T* data() { return reinterpret_cast<T*>(begin_); }
  const T* data() const { return reinterpret_cast<const T*>(begin_); }
  index_t size() const { return size_; }
  T& operator[](index_t i) { return data()[i]; }
  const T& operator[](index_t i) const { return data()[i]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  sparsekit::array_view<T> view() { return {data(), size_}; }
  sparsekit::array_view<const T> view() const { return {data(), size_}; }

 private:
  static constexpr std::byte canary{0xA5};

  /// Each byte equals the one before it, and the first is a canary: one memcmp.
  static bool all_canary(const std::byte* first, const std::byte* last) {
    if (first == last) return true;
    const auto rest = static_cast<std::size_t>(last - first) - 1;
    return *first == canary && std::memcmp(first, first + 1, rest) == 0;
  }

  void place(std::size_t bytes, edge e, std::size_t offset) {
    std::size_t which = 0;  // of sizes up to a page, 4 pages, 16 pages, …
    for (std::size_t most = guarded_pages::page_size(); most < bytes + offset; most *= 4) ++which;
    if (which >= kept_.size()) kept_.resize(which + 1);
    pages_ = &kept_[which];
    if (pages_->begin() == nullptr || pages_->size() < bytes + offset) {
      *pages_ = guarded_pages(bytes + offset);
    }
    pages_->make_writable(true);
    std::memset(pages_->begin(), static_cast<int>(canary), pages_->size());
    begin_ = e == edge::left ? pages_->begin() + offset : pages_->end() - offset - bytes;
  }

  // Some for each order of size: canaries all over the largest would take a small array most of its
  // time.
  std::vector<guarded_pages> kept_;
  guarded_pages* pages_ = nullptr;
  std::byte* begin_ = nullptr;
  index_t size_ = 0;
};

}  // namespace sparsekit_test
