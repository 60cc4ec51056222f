// The main function of every doctest program; a test that needs data which is absent skips itself.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

int main(int argc, char** argv) {
  const char* data = std::getenv("SPARSEKIT_DATA_DIR");
  if (std::getenv("SPARSEKIT_TEST_NEEDS_DATA") != nullptr &&
      (data == nullptr || !std::filesystem::is_directory(data))) {
    std::printf("skipped: no test data (SPARSEKIT_DATA_DIR names no folder)\n");
    return 77;  // ctest's SKIP_RETURN_CODE
  }
  doctest::Context context(argc, argv);
  return context.run();
}
