// An engine with its own tensors and threads: zero copy, one workspace, no allocation while it runs, the
// same bits for one worker and for three, errors without exceptions.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sparsekit/sparsekit.hpp>
#include <vector>

#include "thread_pool.h"

namespace sk = sparsekit;

// ---- counts every allocation of the program -----------------------------------------------------

static std::atomic<long> allocations{0};

static void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* p = nullptr;
  return posix_memalign(&p, alignment < sizeof(void*) ? sizeof(void*) : alignment, size) == 0 ? p
                                                                                                : nullptr;
}
void* operator new(std::size_t n) { return counted(n, 16); }
void* operator new(std::size_t n, std::align_val_t a) { return counted(n, std::size_t(a)); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return counted(n, 16); }
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return counted(n, std::size_t(a));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

// ---- the engine ----------------------------------------------------------------------------------

namespace {

/// The engine's own sparse weights: three arrays in its arena.
struct sparse_weights {
  int rows, cols;
  std::vector<int> ptr, idx;
  std::vector<float> val;

  sk::csr_view<const float> view() const {
    return {{rows, cols}, {ptr.data(), rows + 1}, {idx.data(), idx.size()}, {val.data(), val.size()}};
  }
};

sparse_weights make_weights(int rows, int cols) {
  sparse_weights w{rows, cols, {0}, {}, {}};
  for (int r = 0; r < rows; ++r) {
    for (int c = (r * 13) % 7; c < cols; c += 3 + (r + c) % 9) {
      w.idx.push_back(c);
      w.val.push_back(static_cast<float>((r * 31 + c * 17) % 101 - 50) / 50.f);
    }
    w.ptr.push_back(static_cast<int>(w.idx.size()));
  }
  return w;
}

int failures = 0;
void expect(bool ok, const char* what) {
  std::printf("%-60s %s\n", what, ok ? "yes" : "NO");
  failures += !ok;
}

}  // namespace

int main() {
  const sparse_weights weights = make_weights(256, 384);
  const auto view = weights.view();
  if (const sk::status s = sk::validate(view); !s) {
    std::fprintf(stderr, "%s\n", s.message().c_str());
    return 1;
  }

  constexpr int tokens = 70;
  std::vector<float> x(384 * tokens), bias(256), y1(256 * tokens), y3(256 * tokens), loops(256 * tokens);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 201) / 100.f - 1.f;
  for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = static_cast<float>(i % 5) - 2.f;
  const sk::dense_view<const float> xs(x.data(), 384, tokens);
  const sk::dense_view<float> ys1(y1.data(), 256, tokens);
  const sk::dense_view<float> ys3(y3.data(), 256, tokens);

  thread_pool pool(3);
  auto parallel_for = [&pool](auto tasks, auto&& f) {
    const thread_pool::task_function g = std::ref(f);  // std::function holds a reference in place
    pool.run(tasks, g);
  };
  sk::workspace ws;
  if (const sk::status s =
          sk::workspace::make(view, {.max_columns = tokens, .max_workers = 3}).get(ws);
      !s) {
    std::fprintf(stderr, "%s\n", s.message().c_str());
    return 1;
  }
  const auto epilogue = sk::bias(bias) | sk::relu;
  expect(bool(sk::check(view, xs, ys1, epilogue, ws)), "the operands are accepted");

  const long before = allocations;
  sk::multiply(sk::seq, view, xs, ys1, epilogue, ws);
  sk::multiply(sk::par(parallel_for), view, xs, ys3, epilogue, ws);
  expect(allocations == before, "multiply allocates nothing");
  expect(std::memcmp(y1.data(), y3.data(), y1.size() * sizeof(float)) == 0,
         "one worker and three give the same bits");

  double worst = 0;
  for (int r = 0; r < 256; ++r) {
    for (int n = 0; n < tokens; ++n) {
      double sum = bias[std::size_t(r)];
      for (int p = weights.ptr[std::size_t(r)]; p < weights.ptr[std::size_t(r) + 1]; ++p) {
        sum += double(weights.val[std::size_t(p)]) *
               double(x[std::size_t(weights.idx[std::size_t(p)] * tokens + n)]);
      }
      sum = sum > 0 ? sum : 0;
      const double error = sum - double(y1[std::size_t(r * tokens + n)]);
      worst = error * error > worst * worst ? error : worst;
    }
  }
  expect(worst < 1e-4 && worst > -1e-4, "results agree with plain loops in double within 1e-4");

  sparse_weights broken = make_weights(256, 384);
  broken.idx[17] = 384;
  const sk::status refused = sk::validate(broken.view());
  std::printf("  %s\n", refused.message().c_str());
  expect(!refused && refused.code == sk::errc::column_out_of_range, "a bad index is refused by name");
  sk::csr_matrix<float> copy;
  const sk::status also = sk::csr_matrix<float>::from_view(broken.view()).get(copy);
  expect(!also && copy.rows() == 0, "a factory refuses it too, and leaves the target alone");
  const sk::dense_view<float> wrong(y1.data(), 255, tokens);
  expect(!sk::check(view, xs, wrong), "wrong shapes are refused by check");
  return failures == 0 ? 0 : 1;
}
