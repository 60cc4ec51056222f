// Anomaly scores on a small device: a sparse autoencoder with 16-bit indices in less than 64 KiB,
// stack and all, and no allocation once it is loaded.
//
//   anomaly [STEPS]      training steps, default 20000
//
// Trains and prunes the model (a device would read it from its flash), then scores windows of a
// generated sensor on a thread whose stack is painted, with allocations counted. Exit status 1 if
// an anomaly is missed, more than 1 % of the normal windows raise an alarm, memory exceeds 64 KiB,
// or anything is allocated.
#include <pthread.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "detector.hpp"
#include "training.hpp"

namespace {
std::atomic<long> allocations{0};

void* counted(void* p) {
  ++allocations;
  if (p == nullptr) std::abort();
  return p;
}
// Apart: where g++ 12 inlines one of a pair of new and delete only, it warns that they do not match.
[[gnu::noinline]] void release(void* p) { std::free(p); }
}  // namespace

// Every operator new ends in one of these two.
void* operator new(std::size_t bytes) { return counted(std::malloc(bytes)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  const auto a = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(a, (bytes + a - 1) / a * a));
}
void operator delete(void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release(p); }

namespace {

using example::detector;
constexpr int kinds = 4;
constexpr const char* kind_names[kinds] = {"spike", "stuck", "too fast", "whine"};
constexpr std::size_t stack_bytes = std::size_t{1} << 20;
constexpr unsigned char paint = 0xA5;

/// What the device does: windows in, scores out. Runs on the painted stack.
struct job {
  detector* device;
  const float* windows;
  float* scores;
  long count;
  long allocations = 0;
  const unsigned char* stack = nullptr;  ///< where the thread stood when it began
};

void* run(void* argument) {
  job& j = *static_cast<job*>(argument);
  j.stack = static_cast<const unsigned char*>(__builtin_frame_address(0));
  const long before = allocations;
  for (long i = 0; i < j.count; ++i) {
    j.scores[i] = j.device->score(j.windows + i * detector::window);
  }
  j.allocations = allocations - before;
  return nullptr;
}

/// Bytes of stack that run() used, or -1.
long run_on_painted_stack(job& j) {
  void* memory = std::aligned_alloc(4096, stack_bytes);
  if (memory == nullptr) return -1;
  std::memset(memory, paint, stack_bytes);
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  long used = -1;
  if (pthread_attr_setstack(&attributes, memory, stack_bytes) == 0 &&
      pthread_create(&thread, &attributes, run, &j) == 0) {
    pthread_join(thread, nullptr);
    const auto* lowest = static_cast<const unsigned char*>(memory);
    while (*lowest == paint) ++lowest;
    used = j.stack - lowest;
  }
  pthread_attr_destroy(&attributes);
  std::free(memory);
  return used;
}

}  // namespace

int main(int argc, char** argv) {
  const int steps = argc > 1 ? std::atoi(argv[1]) : 20000;
  if (steps < 20) {
    std::fprintf(stderr, "usage: anomaly [STEPS, at least 20]\n");
    return 1;
  }
  example::sensor sensor;
  const example::model model = example::train(sensor, steps);
  static detector device;  // as on a device: no heap
  if (const auto s = device.load(model.encoder.data(), model.code_bias.data(), model.decoder.data(),
                                 model.out_bias.data());
      !s) {
    std::fprintf(stderr, "anomaly: the model does not fit the device\n");
    return 1;
  }
  std::printf("autoencoder %d - %d - %d, %lld of %d weights\n", static_cast<int>(detector::window),
              static_cast<int>(detector::hidden), static_cast<int>(detector::window),
              static_cast<long long>(device.entries()),
              static_cast<int>(2 * detector::window * detector::hidden));

  // The limit is set on normal windows; other ones, and anomalies, follow.
  constexpr long per_kind = 1000;
  std::vector<float> windows;
  const auto add = [&](const std::vector<float>& w) {
    windows.insert(windows.end(), w.begin(), w.end());
  };
  for (long i = 0; i < 2 * per_kind; ++i) add(sensor.normal());
  for (int kind = 0; kind < kinds; ++kind) {
    for (long i = 0; i < per_kind; ++i) add(sensor.anomaly(kind));
  }
  std::vector<float> scores(static_cast<std::size_t>((2 + kinds) * per_kind));
  job j{&device, windows.data(), scores.data(), static_cast<long>(scores.size())};
  const long at_set_up = allocations;
  const long stack = run_on_painted_stack(j);

  const auto from = [&](long group) { return scores.begin() + group * per_kind; };
  const float limit = 1.3f * *std::max_element(from(0), from(1));
  const auto alarms = [&](long group) {
    return std::count_if(from(group), from(group + 1), [&](float s) { return s > limit; });
  };
  bool right = alarms(1) * 100 <= per_kind;
  std::printf("alarm above %.4f; normal windows that raise one: %ld of %ld\n",
              static_cast<double>(limit), static_cast<long>(alarms(1)), per_kind);
  for (int kind = 0; kind < kinds; ++kind) {
    const long found = alarms(2 + kind);
    std::printf("%-9s found %ld of %ld, scores from %.4f\n", kind_names[kind], found, per_kind,
                static_cast<double>(*std::min_element(from(2 + kind), from(3 + kind))));
    right = right && found == per_kind;
  }
  const long total = static_cast<long>(sizeof device) + stack +
                     static_cast<long>(sizeof(float)) * detector::window;
  std::printf(
      "memory: %ld bytes of model and scratch, %ld of stack, a window: %ld in all; "
      "%ld allocations while scoring (%ld before)\n",
      static_cast<long>(sizeof device), stack, total, j.allocations, at_set_up);
  const bool small = stack > 0 && total < 65536 && j.allocations == 0 && at_set_up > 0;
  if (!right) std::fprintf(stderr, "anomaly: anomalies missed, or false alarms\n");
  if (!small) std::fprintf(stderr, "anomaly: more than 64 KiB, or allocations while scoring\n");
  return right && small ? 0 : 1;
}
