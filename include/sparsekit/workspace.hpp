// workspace: all scratch memory that multiply may need, allocated beforehand, so that multiply itself
// never allocates. One workspace serves one call at a time.
#pragma once

#include <cstddef>

#include "core/storage.hpp"

namespace sparsekit {
inline namespace v0 {

struct workspace_options {
  index_t max_columns = 1;  ///< the most columns that X will have
  index_t max_workers = 1;  ///< the most workers that the executor will name
};

/// What one matrix needs: memory that all workers share, and memory for each of them.
struct workspace_size {
  index_t shared = 0;
  index_t per_worker = 0;
};

/// Scratch as kernels see it. Each part starts on a cache line.
struct scratch_memory {
  std::byte* shared = nullptr;
  std::byte* workers = nullptr;
  index_t shared_bytes = 0;
  index_t worker_bytes = 0;
  index_t worker_count = 0;

  template <class T>
  T* shared_as() const {
    return reinterpret_cast<T*>(shared);
  }
  template <class T, class Flags = flags_tag>
  T* worker_as(index_t worker) const {
    SPARSEKIT_ASSERT(worker < worker_count || worker_bytes == 0);
    return reinterpret_cast<T*>(workers + worker * worker_bytes);
  }
};

class workspace {
 public:
  workspace() = default;
  /// For A with X of up to max_columns columns. Throws, or aborts under -fno-exceptions, when there is
  /// no memory; `make` reports it instead.
  template <class Matrix>
  explicit workspace(const Matrix& a, workspace_options options = {})
      : workspace(make(a, options).value()) {}

  template <class Matrix>
  static result<workspace> make(const Matrix& a, workspace_options options = {}) {
    return make_for(workspace_requirement(a, options.max_columns), options);
  }

  /// Grows to serve this matrix as well.
  template <class Matrix>
  [[nodiscard]] status add(const Matrix& a, workspace_options options = {}) {
    const workspace_size need = workspace_requirement(a, options.max_columns);
    if (serves(need, options.max_workers)) return {};
    workspace bigger;
    const workspace_options joint{.max_columns = options.max_columns,
                                  .max_workers = options.max_workers > memory_.worker_count
                                                     ? options.max_workers
                                                     : memory_.worker_count};
    const workspace_size both{
        .shared = need.shared > memory_.shared_bytes ? need.shared : memory_.shared_bytes,
        .per_worker =
            need.per_worker > memory_.worker_bytes ? need.per_worker : memory_.worker_bytes};
    if (status s = make_for(both, joint).get(bigger); !s) return s;
    *this = std::move(bigger);
    return {};
  }

  scratch_memory memory() const { return memory_; }
  index_t bytes() const { return bytes_.size(); }
  bool serves(workspace_size need, index_t workers) const {
    return need.shared <= memory_.shared_bytes && need.per_worker <= memory_.worker_bytes &&
           (need.per_worker == 0 || workers <= memory_.worker_count);
  }

  workspace(workspace&& other) noexcept
      : bytes_(std::move(other.bytes_)), memory_(std::exchange(other.memory_, {})) {}
  workspace& operator=(workspace&& other) noexcept {
    bytes_ = std::move(other.bytes_);
    memory_ = std::exchange(other.memory_, {});
    return *this;
  }

 private:
  static result<workspace> make_for(workspace_size need, workspace_options options) {
    if (options.max_columns < 0 || options.max_workers < 1) {
      const bool columns = options.max_columns < 0;
      return status{.code = errc::bad_argument,
                    .object = "workspace",
                    .detail = columns ? "max_columns" : "max_workers",
                    .got = columns ? options.max_columns : options.max_workers,
                    .allowed = columns ? 0 : 1};
    }
    const index_t line = static_cast<index_t>(storage_alignment);
    workspace w;
    index_t total = 0;
    const index_t shared = round_up(need.shared, line);
    // An odd number of lines between workers keeps their memory from the same cache sets.
    const index_t each = need.per_worker == 0 ? 0 : round_up(need.per_worker, 2 * line) + line;
    if (need.shared < 0 || need.per_worker < 0 ||
        !checked_multiply(each, options.max_workers, total) || !checked_add(total, shared, total)) {
      return status{.code = errc::size_overflow, .object = "workspace", .detail = "bytes",
                    .got = need.per_worker,
                    .allowed = std::numeric_limits<index_t>::max() / options.max_workers};
    }
    if (status s = w.bytes_.allocate(total); !s) return s;
    w.memory_ = {.shared = w.bytes_.data(), .workers = w.bytes_.data() + shared,
                 .shared_bytes = shared, .worker_bytes = each,
                 .worker_count = options.max_workers};
    return w;
  }

  buffer<std::byte> bytes_;
  scratch_memory memory_{};
};

}  // namespace v0
}  // namespace sparsekit
