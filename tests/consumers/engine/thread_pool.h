// The engine's own threads: a fixed pool that runs numbered tasks, with the number of the worker.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

class thread_pool {
 public:
  using task_function = std::function<void(std::int64_t task, std::int64_t worker)>;

  explicit thread_pool(int workers) : workers_(workers) {
    for (int w = 1; w < workers; ++w) threads_.emplace_back([this, w] { work(w); });
  }
  ~thread_pool() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& t : threads_) t.join();
  }

  int workers() const { return workers_; }

  /// Runs f(task, worker) for each task in [0, tasks); the caller is worker 0.
  void run(std::int64_t tasks, const task_function& f) {
    {
      const std::lock_guard lock(mutex_);
      function_ = &f;
      tasks_ = tasks;
      next_ = 0;
      busy_ = static_cast<int>(threads_.size());
      ++generation_;
    }
    wake_.notify_all();
    drain(f, 0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
  }

 private:
  void drain(const task_function& f, std::int64_t worker) {
    for (std::int64_t t = next_++; t < tasks_; t = next_++) f(t, worker);
  }
  void work(std::int64_t worker) {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
      if (stopping_) return;
      seen = generation_;
      lock.unlock();
      drain(*function_, worker);
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  int workers_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const task_function* function_ = nullptr;
  std::atomic<std::int64_t> next_{0};
  std::int64_t tasks_ = 0;
  std::uint64_t generation_ = 0;
  int busy_ = 0;
  bool stopping_ = false;
};
