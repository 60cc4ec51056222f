// tbb_executor: oneTBB's threads as an executor for par(). Needs oneTBB; without its headers this
// one is empty.
//
//   sk::tbb_executor threads(4);
//   sk::multiply(sk::par(threads), W, X, Y, ws);      // ws with max_workers = threads.workers()
#pragma once

#include "../core/checked.hpp"

#if __has_include(<tbb/task_arena.h>)
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

SPARSEKIT_EXEC_BEGIN

/// An executor on an arena of oneTBB, whose slots are the workers.
class tbb_executor {
 public:
  /// 0: as many as oneTBB would use by itself.
  explicit tbb_executor(int workers = 0)
      : arena_(workers > 0 ? workers : tbb::task_arena::automatic) {
    arena_.initialize();
  }

  index_t workers() const { return arena_.max_concurrency(); }

  /// f(task, worker) once for each task in [0, tasks).
  template <class F>
  void operator()(index_t tasks, F&& f) {
    arena_.execute([&] {
      tbb::parallel_for(
          index_t{0}, tasks,
          [&](index_t t) {
            f(t, static_cast<index_t>(tbb::this_task_arena::current_thread_index()));
          },
          tbb::simple_partitioner{});
    });
  }

 private:
  tbb::task_arena arena_;
};

SPARSEKIT_EXEC_END
#endif
