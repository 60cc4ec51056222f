// The optional executors: every task once, workers in range and never two tasks at a time on one,
// and products with the bits of the sequential call; workspaces that are too small are named.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <sparsekit/adapters/openmp.hpp>
#include <sparsekit/adapters/tbb.hpp>
#include <sparsekit/adapters/thread_pool.hpp>
#include <sparsekit/sparsekit.hpp>
#include <string_view>
#include <thread>
#include <vector>

#include "support/generators.hpp"

namespace sk = sparsekit;
using sk::index_t;

namespace {

template <class Executor>
void check_tasks(Executor& executor, index_t workers) {
  for (const index_t tasks : {0, 1, 2, 3, 7, 64, 1000}) {
    std::vector<std::atomic<int>> done(static_cast<std::size_t>(tasks));
    std::vector<std::atomic<int>> busy(static_cast<std::size_t>(workers));
    std::atomic<int> faults{0};
    executor(tasks, [&](index_t task, index_t worker) {
      if (task < 0 || task >= tasks || worker < 0 || worker >= workers) {
        ++faults;
        return;
      }
      if (busy[static_cast<std::size_t>(worker)]++ != 0) ++faults;
      ++done[static_cast<std::size_t>(task)];
      if (task % 5 == 0) std::this_thread::yield();
      --busy[static_cast<std::size_t>(worker)];
    });
    CHECK(faults == 0);
    int wrong = 0;
    for (const auto& d : done) wrong += d == 1 ? 0 : 1;
    CHECK(wrong == 0);
  }
}

template <class Executor>
void check_products(Executor& executor, index_t workers) {
  constexpr index_t m = 300;
  constexpr index_t k = 400;
  constexpr index_t n = 70;
  sparsekit_test::rng random(5);
  const auto a = sparsekit_test::make_csr<float, std::int32_t, std::int32_t>(
      sparsekit_test::pattern::uniform, m, k, 0.2, random, sparsekit_test::normal_values{});
  const sk::csr_view<const float> view{{m, k},
                                       {a.row_ptr.data(), m + 1},
                                       {a.columns.data(), a.columns.size()},
                                       {a.values.data(), a.values.size()}};
  std::vector<float> x(k * n);
  for (float& v : x) v = static_cast<float>(random.between(-100, 100)) / 7.f;
  std::vector<float> one(m * n);
  std::vector<float> many(m * n);
  // CSR as it is: of all kernels that use a worker's scratch memory the quickest to compile, four
  // times.
  sk::workspace ws(view, {.max_columns = n, .max_workers = workers});
  const sk::dense_view<const float> xv(x.data(), k, n);
  sk::multiply(view, xv, sk::dense_view(one.data(), m, n), sk::relu, ws);
  for (int i = 0; i < 20; ++i) {
    std::fill(many.begin(), many.end(), 0.f);
    sk::multiply(sk::par(executor), view, xv, sk::dense_view(many.data(), m, n), sk::relu, ws);
    CHECK(std::memcmp(one.data(), many.data(), one.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("thread_pool") {
  for (const index_t workers : {1, 2, 4}) {
    sk::thread_pool pool(workers);
    CHECK(pool.workers() == workers);
    for (int i = 0; i < 10; ++i) check_tasks(pool, workers);
    check_products(pool, workers);
  }
  CHECK(sk::thread_pool().workers() >= 1);
}

TEST_CASE("thread_pool serves calls from several threads one after another") {
  sk::thread_pool pool(3);
  std::atomic<int> total{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      for (int j = 0; j < 200; ++j) pool(10, [&](index_t, index_t) { ++total; });
    });
  }
  for (std::thread& t : callers) t.join();
  CHECK(total == 3 * 200 * 10);
}

TEST_CASE("thread_pool wakes threads that went to sleep, and ends while they sleep") {
  sk::thread_pool pool(4);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    check_tasks(pool, 4);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

TEST_CASE("openmp_executor") {
  sk::openmp_executor threads(3);
  CHECK(threads.workers() == 3);
  check_tasks(threads, 3);
  check_products(threads, 3);
  CHECK(sk::openmp_executor().workers() >= 1);
}

TEST_CASE("a workspace for fewer columns or workers, or a smaller matrix, is named") {
  constexpr index_t m = 4;
  constexpr index_t k = 400;
  constexpr index_t n = 20;
  const std::vector<float> ones(m * k, 1.f);
  const auto a = sk::csr_matrix<float>::from_dense(sk::dense_view(ones.data(), m, k)).value();
  const auto smaller = sk::csr_matrix<float>::from_dense(sk::dense_view(ones.data(), m, 8)).value();
  const std::vector<float> x(k * n);
  std::vector<float> y(m * n);
  const sk::dense_view<const float> xv(x.data(), k, n);
  const sk::dense_view<float> yv(y.data(), m, n);
  const sk::thread_pool pool(3);
  const auto untold = [](index_t, auto&&) {};
  const auto named = [](const sk::status& s, const char* detail) {
    CAPTURE(s.message());
    return s.code == sk::errc::workspace_too_small && std::string_view(s.object) == "workspace" &&
           std::string_view(s.detail) == detail;
  };

  const sk::workspace right(a, {.max_columns = n, .max_workers = 3});
  CHECK(sk::check(a, xv, yv, right));
  CHECK(sk::check(sk::par(pool), a, xv, yv, sk::relu, right));

  const sk::workspace one_worker(a, {.max_columns = n});
  CHECK(sk::check(sk::seq, a, xv, yv, one_worker));
  CHECK(sk::check(sk::par(untold), a, xv, yv, one_worker));  // has no workers()
  const sk::status workers = sk::check(sk::par(pool), a, xv, yv, sk::relu, one_worker);
  CHECK(named(workers, "workers"));
  CHECK(workers.got == sk::any_integer(1));
  CHECK(workers.allowed == sk::any_integer(3));
  CHECK(workers.message() == "workspace: workers is 1, but the call needs 3");
  CHECK(named(sk::check(sk::par(sk::openmp_executor(2)), a, xv, yv, one_worker), "workers"));

  const sk::workspace one_column(a, {.max_columns = 1, .max_workers = 3});
  const sk::status columns = sk::check(sk::par(pool), a, xv, yv, one_column);
  CHECK(named(columns, "bytes a worker"));
  CHECK(columns.got == sk::any_integer(one_column.memory().worker_bytes));
  CHECK(columns.allowed == sk::any_integer(sk::workspace_requirement(a, n).per_worker));

  sk::workspace other(smaller, {.max_columns = n, .max_workers = 3});
  CHECK(named(sk::check(a, xv, yv, other), "bytes a worker"));
  CHECK(named(sk::check(a, xv, yv, sk::workspace()), "bytes a worker"));
  // The matrix on the right: Y^T = A^T X^T adds up in memory that workers share.
  const sk::dense_view<const float, sk::col_major> left(x.data(), n, m);
  std::vector<float> wide(n * k);
  const sk::dense_view<float, sk::col_major> product(wide.data(), n, k);
  CHECK(named(sk::check(left, a, product, other), "shared bytes"));

  REQUIRE(other.add(a, {.max_columns = n}));
  CHECK(sk::check(sk::par(pool), a, xv, yv, other));
}

#if defined(SPARSEKIT_TEST_TBB)
TEST_CASE("tbb_executor") {
  sk::tbb_executor threads(2);
  const index_t workers = threads.workers();
  CHECK(workers >= 1);
  check_tasks(threads, workers);
  check_products(threads, workers);
}
#endif

}  // namespace
