// openmp_executor: OpenMP's threads as an executor for par(). Needs -fopenmp; without it,
// everything runs on the calling thread.
//
//   sk::openmp_executor threads(4);
//   sk::multiply(sk::par(threads), W, X, Y, ws);      // ws with max_workers = threads.workers()
#pragma once

#include "../core/checked.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

SPARSEKIT_EXEC_BEGIN

/// An executor on the OpenMP runtime's team.
class openmp_executor {
 public:
  /// 0: as many as omp_get_max_threads() says now.
  explicit openmp_executor(int workers = 0) : workers_(workers > 0 ? workers : most()) {}

  index_t workers() const { return workers_; }

  /// f(task, worker) once for each task in [0, tasks).
  template <class F>
  void operator()(index_t tasks, F&& f) const {
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic, 1) num_threads(workers_)
    for (index_t t = 0; t < tasks; ++t) f(t, static_cast<index_t>(omp_get_thread_num()));
#else
    for (index_t t = 0; t < tasks; ++t) f(t, index_t{0});
#endif
  }

 private:
  static int most() {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
  }

  int workers_;
};

SPARSEKIT_EXEC_END
