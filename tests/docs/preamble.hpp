// The names that fragments of the documentation use without declaring them: a matrix A of rows x cols, vectors x
// and y, dense views X and Y of N columns, a bias b, an engine's arrays ptr, idx, val and its parallel loop.
#pragma once

#include <cstdint>
#include <cstdio>
#include <sparsekit/adapters/thread_pool.hpp>
#include <sparsekit/choose.hpp>
#include <sparsekit/sparsekit.hpp>
#include <vector>

namespace sk = sparsekit;

extern const int rows, cols, N, nnz;
extern const std::vector<sk::triplet<float>> triplets;
extern const sk::csr_matrix<float> A, csr;
extern std::vector<float> x, y, b;
extern const sk::dense_view<const float> X, dense;
extern const sk::dense_view<float> Y;
extern const int *ptr, *idx;
extern const float* val;
extern const double* weights64;

/// An executor in its simplest form: f(task, worker) for each task, here on one thread.
inline constexpr auto engine_parallel_for = [](auto tasks, auto&& f) {
  for (decltype(tasks) t = 0; t < tasks; ++t) f(t, decltype(tasks){0});
};
