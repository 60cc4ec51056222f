// The test tools themselves: guard pages fault, canaries notice, generators do what they say.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "sparsekit/formats/csr.hpp"
#include "support/generators.hpp"
#include "support/guard.hpp"
#include "support/matrices.hpp"

using sparsekit::index_t;
using sparsekit_test::both_edges;
using sparsekit_test::edge;
using sparsekit_test::guarded;

namespace {

/// Whether `access`, in a process of its own, ends in a memory fault.
template <class Access>
bool faults(const Access& access) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::signal(SIGSEGV, SIG_DFL);  // neither doctest's handler nor a sanitizer's
    ::signal(SIGBUS, SIG_DFL);
    access();
    ::_exit(0);
  }
  int state = 0;
  REQUIRE(::waitpid(child, &state, 0) == child);
  return WIFSIGNALED(state) && (WTERMSIG(state) == SIGSEGV || WTERMSIG(state) == SIGBUS);
}

volatile float sink;

}  // namespace

TEST_CASE("one element beyond a guarded array faults") {
  for (const index_t size : {index_t{0}, index_t{1}, index_t{5}, index_t{1024}, index_t{5000}}) {
    CAPTURE(size);
    const guarded<float> right(size, edge::right);
    const guarded<float> left(size, edge::left);
    CHECK(faults([&] { sink = *(right.data() + size); }));
    CHECK(faults([&] { sink = *(left.data() - 1); }));
    if (size > 0) {
      CHECK_FALSE(faults([&] { sink = right[0] + right[size - 1]; }));
      CHECK_FALSE(faults([&] { sink = left[0] + left[size - 1]; }));
    }
  }
}

TEST_CASE("an offset moves the array, and canaries watch the gap") {
  for (edge e : both_edges) {
    for (index_t offset = 0; offset < 20; ++offset) {
      guarded<float> a(7, e, offset);
      a.fill(1.f);
      CHECK(a.intact());
      const auto address = reinterpret_cast<std::uintptr_t>(a.data());
      const auto bytes = static_cast<std::uintptr_t>(4 * (e == edge::left ? offset : -offset - 7));
      CHECK((address - bytes) % sparsekit_test::guarded_pages::page_size() == 0);
      if (offset > 0) {
        a.data()[e == edge::left ? -1 : 7] = 0.f;
        CHECK_FALSE(a.intact());
      }
    }
  }
  guarded<double> odd;
  odd.reset_bytes(3, edge::right, 3);
  const double value = 5;
  std::memcpy(static_cast<void*>(odd.data()), &value, sizeof value);
  CHECK(odd.intact());
  CHECK(reinterpret_cast<std::uintptr_t>(odd.data()) % 8 == 5);
}

TEST_CASE("a frozen array faults when written, and thaws when reset") {
  guarded<int> a(std::vector<int>{1, 2, 3});
  a.freeze();
  CHECK(a[1] == 2);
  CHECK(faults([&] { a[1] = 5; }));
  a.reset(2, edge::left);
  a[1] = 5;
  CHECK(a[1] == 5);
  a.assign(std::vector<int>(100000, 7));
  CHECK(a.size() == 100000);
  CHECK(a[99999] == 7);
}

TEST_CASE("each pattern is a valid matrix with entries where it says") {
  sparsekit_test::rng random(5);
  for (const auto p : sparsekit_test::all_patterns) {
    CAPTURE(std::string(sparsekit_test::name_of(p)));
    const auto a = sparsekit_test::make_csr<float>(p, 40, 60, 0.2, random);
    const sparsekit_test::guarded_csr held(a, edge::right);
    CHECK(sparsekit::validate(held.view()));
    const bool empty = p == sparsekit_test::pattern::empty;
    CHECK((a.nnz() == 0) == empty);
    CHECK((a.nnz() == 40 * 60) == (p == sparsekit_test::pattern::full));
    if (p == sparsekit_test::pattern::uniform || p == sparsekit_test::pattern::magnitude_like) {
      CHECK(a.nnz() > 40 * 60 / 10);
      CHECK(a.nnz() < 40 * 60 * 3 / 10);
    }
    for (const index_t rows : {0, 1}) {
      const auto none = sparsekit_test::make_csr<float>(p, rows, 0, 0.2, random);
      CHECK(none.nnz() == 0);
    }
  }
  const auto one =
      sparsekit_test::make_csr<float>(sparsekit_test::pattern::one_full_row, 9, 5, 0.2, random);
  CHECK(one.nnz() == 5);
  for (const index_t m : {4, 8}) {
    const auto groups = sparsekit_test::make_csr<float>(sparsekit_test::pattern::n_of_m, 9, 64,
                                                        1.0 / static_cast<double>(m), random);
    REQUIRE(groups.nnz() == 9 * 64 / m);
    for (index_t p = 0; p < groups.nnz(); ++p) {
      CHECK(groups.columns[static_cast<std::size_t>(p)] / m == p % (64 / m));
    }
  }
  const auto half =
      sparsekit_test::make_csr<float>(sparsekit_test::pattern::n_of_m, 9, 64, 0.5, random);
  REQUIRE(half.nnz() == 9 * 32);
  for (index_t p = 0; p < half.nnz(); ++p) {
    CHECK(half.columns[static_cast<std::size_t>(p)] / 4 == p / 2 % 16);
  }
}

TEST_CASE("random streams repeat and differ from each other") {
  sparsekit_test::rng a(1);
  sparsekit_test::rng b(1);
  sparsekit_test::rng c(2);
  int equal = 0;
  for (int i = 0; i < 100; ++i) {
    const auto x = a.next();
    CHECK(x == b.next());
    equal += x == c.next() ? 1 : 0;
    const double u = a.unit();
    b.unit();
    c.unit();
    CHECK(u >= 0.0);
    CHECK(u < 1.0);
  }
  CHECK(equal == 0);
}
