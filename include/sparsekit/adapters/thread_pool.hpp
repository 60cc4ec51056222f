// thread_pool: a few std::threads as an executor for par(), for programs that have no threads of
// their own.
//
//   sk::thread_pool pool(4);
//   sk::workspace ws(W, {.max_columns = 512, .max_workers = pool.workers()});
//   sk::multiply(sk::par(pool), W, X, Y, ws);
//
// The calling thread works too. Between calls the others spin for some microseconds, as the next
// product often follows at once, and then sleep.
//
// Each worker begins with a share of the tasks of its own, the same one in every call, and then
// helps the others: repeated products find their part of the matrix in the worker's own cache.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <type_traits>

#include "../core/checked.hpp"
#include "../status.hpp"

SPARSEKIT_EXEC_BEGIN

/// An executor with threads of its own. Calls from several threads run one after another; a task
/// must not call the pool that runs it.
class thread_pool {
 public:
  /// `workers` includes the calling thread; 0: as many as the machine has hardware threads. Threads
  /// that the system refuses are done without: workers() tells.
  explicit thread_pool(index_t workers = 0) {
    if (workers < 1) workers = static_cast<index_t>(std::thread::hardware_concurrency());
    if (workers < 1) workers = 1;
    threads_.reset(new (std::nothrow) std::thread[static_cast<std::size_t>(workers - 1)]);
    shares_.reset(new (std::nothrow) share[static_cast<std::size_t>(workers)]);
    if (threads_ == nullptr || shares_ == nullptr) return;
    while (workers_ < workers && start(workers_)) ++workers_;
  }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;
  ~thread_pool() {
    stop_.store(true, std::memory_order_relaxed);
    call_round_.fetch_add(1, std::memory_order_release);
    call_round_.notify_all();
    for (index_t i = 0; i + 1 < workers_; ++i) threads_[static_cast<std::size_t>(i)].join();
  }

  index_t workers() const { return workers_; }

  /// f(task, worker) once for each task in [0, tasks). Returns when all are done. f must not throw.
  template <class F>
  void operator()(index_t tasks, F&& f) {
    const std::lock_guard<std::mutex> one_call(calls_);
    if (workers_ == 1 || tasks <= 1 || tasks > most_tasks) {
      for (index_t t = 0; t < tasks; ++t) f(t, index_t{0});
      return;
    }
    using plain = std::remove_reference_t<F>;
    call_ = [](void* data, index_t task, index_t worker) {
      (*static_cast<plain*>(data))(task, worker);
    };
    data_ = const_cast<void*>(static_cast<const void*>(std::addressof(f)));
    tasks_ = tasks;
    unfinished_.store(tasks, std::memory_order_relaxed);
    const std::uint32_t round = call_round_.load(std::memory_order_relaxed) + 1;
    for (index_t w = 0; w < workers_; ++w) {
      const auto left = static_cast<std::uint64_t>(first_task(w + 1) - first_task(w));
      shares_[static_cast<std::size_t>(w)].ticket.store(round * one_round + left,
                                                        std::memory_order_release);
    }
    call_round_.store(round, std::memory_order_release);
    call_round_.notify_all();
    work(0);
    for (int i = 0; i < spins && unfinished_.load(std::memory_order_acquire) != 0; ++i) pause();
    for (index_t left; (left = unfinished_.load(std::memory_order_acquire)) != 0;)
      unfinished_.wait(left);
  }

 private:
  // A ticket is a round and the number of tasks of a share that nobody has taken. They change
  // together, so a thread that wakes late cannot take a task of a round that is over: the fields
  // that describe the tasks are those of the round as long as one of its tasks is unfinished.
  struct alignas(64) share {
    std::atomic<std::uint64_t> ticket{0};
  };
  static constexpr std::uint64_t one_round = std::uint64_t{1} << 32;
  static constexpr index_t most_tasks = (index_t{1} << 32) - 1;
  static constexpr int spins = 4000;  // some 20 to 250 us

  bool start(index_t worker) {
#if SPARSEKIT_HAS_EXCEPTIONS
    try {
#endif
      threads_[static_cast<std::size_t>(worker - 1)] =
          std::thread([this, worker] { serve(worker); });
      return true;
#if SPARSEKIT_HAS_EXCEPTIONS
    } catch (...) {  // std::system_error: the system has no more threads
      return false;
    }
#endif
  }

  void serve(index_t worker) {
    std::uint32_t seen = 0;
    while (true) {
      std::uint32_t now = call_round_.load(std::memory_order_acquire);
      for (int i = 0; i < spins && now == seen; ++i) {
        pause();
        now = call_round_.load(std::memory_order_acquire);
      }
      while (now == seen) {
        call_round_.wait(now, std::memory_order_acquire);
        now = call_round_.load(std::memory_order_acquire);
      }
      if (stop_.load(std::memory_order_relaxed)) return;
      seen = now;
      work(worker);
    }
  }

  /// The worker's own share, then what is left of the others'.
  void work(index_t worker) {
    index_t done = 0;
    for (index_t i = 0; i < workers_; ++i) {
      const index_t of = worker + i < workers_ ? worker + i : worker + i - workers_;
      std::atomic<std::uint64_t>& ticket = shares_[static_cast<std::size_t>(of)].ticket;
      std::uint64_t now = ticket.load(std::memory_order_acquire);
      while (now % one_round != 0) {
        if (!ticket.compare_exchange_weak(now, now - 1, std::memory_order_acq_rel)) continue;
        call_(data_, first_task(of + 1) - static_cast<index_t>(now % one_round), worker);
        ++done;
        now = ticket.load(std::memory_order_acquire);
      }
    }
    if (done > 0 && unfinished_.fetch_sub(done, std::memory_order_acq_rel) == done)
      unfinished_.notify_one();
  }
  index_t first_task(index_t worker) const {
    return tasks_ / workers_ * worker + tasks_ % workers_ * worker / workers_;
  }

  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  index_t workers_ = 1;
  std::unique_ptr<std::thread[]> threads_;
  std::unique_ptr<share[]> shares_;
  std::mutex calls_;
  void (*call_)(void*, index_t, index_t) = nullptr;
  void* data_ = nullptr;
  index_t tasks_ = 0;
  std::atomic<bool> stop_{false};
  // Of 32 bits, which futex knows: wider ones wait through a table of the standard library.
  alignas(64) std::atomic<std::uint32_t> call_round_{0};
  alignas(64) std::atomic<index_t> unfinished_{0};
};

SPARSEKIT_EXEC_END
