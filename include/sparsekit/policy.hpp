// Execution policies: `seq` runs on the calling thread, `par(executor)` on threads of the caller's. The
// library starts none of its own.
#pragma once

#include <type_traits>
#include <utility>

#include "core/checked.hpp"

namespace sparsekit {
inline namespace v0 {

/// On the calling thread.
struct sequential_policy {};
inline constexpr sequential_policy seq{};

/// On the caller's threads. `executor(tasks, f)` must call f(task, worker) exactly once for every
/// task in [0, tasks), with worker in [0, max_workers) and no two calls of one worker at a time,
/// and return when all are done. f does not throw. Results do not depend on who runs which task. An
/// executor may say max_workers by a member workers(): then sk::check knows workspaces for fewer.
template <class Executor>
struct parallel_policy {
  Executor& executor;
};
template <class Executor>
parallel_policy<Executor> par(Executor& executor) {
  return {executor};
}
template <class Executor>
parallel_policy<const Executor> par(const Executor& executor) {
  return {executor};
}

template <class P>
struct is_policy : std::false_type {};
template <>
struct is_policy<sequential_policy> : std::true_type {};
template <class E>
struct is_policy<parallel_policy<E>> : std::true_type {};
template <class P>
concept execution_policy = is_policy<std::remove_cvref_t<P>>::value;

SPARSEKIT_EXEC_BEGIN_IN_V0

/// How many tasks to cut work into: 1 without threads; otherwise at most `pieces`, none of them
/// smaller than is worth a hand-over (some 8 us, or 64 K multiply-adds of sparse code).
template <class Policy>
index_t task_count(const Policy&, index_t multiply_adds, index_t pieces,
                   index_t worthwhile = index_t{1} << 16) {
  if constexpr (std::is_same_v<Policy, sequential_policy>) {
    return 1;
  } else {
    constexpr index_t most = 64;
    const index_t by_work = multiply_adds / worthwhile;
    index_t n = by_work < pieces ? by_work : pieces;
    n = n < most ? n : most;
    return n < 1 ? 1 : n;
  }
}

/// The same for kernels that do nothing twice, however they are cut: one column, mostly. Once there
/// is enough for a hand-over (which takes .5 us where workers wait awake, 40 us and more where they
/// sleep), tasks are a quarter as large, so that workers end at about the same time. (A GEMV of
/// three tasks was 1.5 times as fast on two threads as on one.)
template <class Policy>
index_t fine_task_count(const Policy& policy, index_t multiply_adds, index_t pieces) {
  constexpr index_t worthwhile = index_t{1} << 16;
  if (multiply_adds < worthwhile) return 1;
  return task_count(policy, multiply_adds, pieces, worthwhile / 4);
}

/// The most workers that will be named, as far as the executor tells; otherwise 1.
template <class Policy>
index_t known_workers(const Policy& policy) {
  if constexpr (requires { static_cast<index_t>(policy.executor.workers()); }) {
    return static_cast<index_t>(policy.executor.workers());
  } else {
    return 1;
  }
}

/// f(task, worker) for every task.
template <class Policy, class F>
void run_tasks(const Policy& policy, index_t tasks, F&& f) {
  if constexpr (std::is_same_v<Policy, sequential_policy>) {
    for (index_t t = 0; t < tasks; ++t) f(t, index_t{0});
  } else if (tasks == 1) {
    f(index_t{0}, index_t{0});
  } else {
    policy.executor(tasks, f);
  }
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
