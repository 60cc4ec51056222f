// Matrices whose entries do not come row by row: COO, CSC, transposes of CSR, SELL and BSR. Products against
// plain loops with every operand between guard pages, and the same bits whoever runs the chunks.
#include "support/sanitized.hpp"
#include "support/scattered.hpp"

using namespace sparsekit_test;

TEST_CASE_TEMPLATE("scattered forms equal plain loops, between guard pages", T, float) {
  rng random(11);
  const struct {
    pattern p;
    index_t rows, cols;
    double density;
  } cases[] = {{pattern::uniform, 37, 29, 0.3},     {pattern::power_law, 130, 66, 0.2},
               {pattern::one_full_row, 65, 100, 1}, {pattern::full_column, 71, 13, 0.3},
               {pattern::empty, 5, 7, 0},           {pattern::full, 1, 1, 1},
               {pattern::full, 48, 90, 1},          {pattern::empty_rows, 100, 64, 0.1}};
  for (const auto& k : cases) {
    const auto a = make_csr<T>(k.p, k.rows, k.cols, k.density, random, small_integers{});
    for (const edge e : both_edges) {
      for (const index_t n : {1, 2, 5, 16, 19}) {
        const auto x = integers<T>(k.cols, n, random, n == 5 ? k.cols / 2 : -1);
        const auto expected = product(a, x, n);
        each_form(a, e, [&](const char* name, const auto& form) {
          CAPTURE(name);
          CAPTURE(name_of(k.p));
          CAPTURE(n);
          check_products<T>(form, x, n, expected, e);
        });
      }
    }
  }
}

TEST_CASE("scattered forms with indices of 16 bits, and f64 with 64") {
  rng random(12);
  const auto narrow = make_csr<float, std::uint16_t, std::int64_t>(pattern::uniform, 90, 51, 0.4,
                                                                   random, small_integers{});
  const auto wide = make_csr<double, std::int64_t, std::int64_t>(pattern::uniform, 90, 51, 0.4,
                                                                random, small_integers{});
  for (const index_t n : {1, 3}) {
    const auto run = [&](const auto& a) {
      using T = typename decltype(view_of(a))::value_type;
      const auto x = integers<T>(51, n, random);
      const auto expected = product(a, x, n);
      each_form(a, edge::right, [&](const char* name, const auto& form) {
        CAPTURE(name);
        check_products<T>(form, x, n, expected, edge::right);
      });
    };
    run(narrow);
    run(wide);
  }
}

TEST_CASE_TEMPLATE("the same bits whoever runs the chunks", T, float) {
  rng random(14);
  // Enough entries for several tasks and all chunks.
  const auto a = make_csr<T>(pattern::power_law, 1500, 1500, 0.25, random);
  REQUIRE(a.nnz() > 300000);
  for (const bool ws : {false, true}) {
    for (const index_t n : {1, 3}) {
      if (!is_tried(ws, n / 2)) continue;
      CAPTURE(n);
      CAPTURE(ws);
      each_form(a, edge::right, [&](const char* name, const auto& form) {
        CAPTURE(name);
        check_bits<T>(form, n, ws, random);
      });
    }
  }
}
