#!/usr/bin/env bash
# Builds and runs all tests on Debian 12 or 13, doing its own set-up (as root or with sudo); on two cores within
# 45 minutes (38 to 47 on one core of an Intel Xeon of the Emerald Rapids generation as two, where AVX2 is one more build
# beside AVX-512). Ends with the number of tests, and fails below the floors of tests/floors.txt.
#
#   scripts/test.sh [CONFIGURATION…]     configurations are presets of CMakePresets.json
#
# Default: release (this machine's CPU), asan (scalar, sanitizers), avx2 (by clang), aarch64 (under qemu). The release
# configuration also checks what users' builds, compilers and the documentation's code blocks see.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
configurations=("$@")
[ $# -gt 0 ] || configurations=(release asan avx2 aarch64)

jobs=$(nproc)
results=build/test-results
rm -rf "$results"
mkdir -p "$results"

options=()
[[ " ${configurations[*]} " != *" aarch64 "* ]] || options+=(--aarch64)
scripts/bootstrap.sh "${options[@]}" || { echo "0 passed, 1 failed"; exit 1; }

# Runs one step quietly; shows the end of its output if it fails.
step() {
  local log=$1
  shift
  "$@" > "$log" 2>&1 || { tail -n 40 "$log"; return 1; }
}

run_configuration() {
  local name=$1 start=$SECONDS
  local options=()
  # g++ takes a third less time for -O1, which keeps vector code, since that is made of intrinsics, and an eighth less
  # where it looks less far for what stores may change (as for AArch64: CMakePresets.json). Tests that compare
  # bits (tests/unit/CMakeLists.txt) are optimised by -O2; scripts/demo.sh builds an example as users do.
  [ "$name" != release ] || options=("-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG -fno-ipa-modref --param=sccvn-max-alias-queries-per-access=50" -DSPARSEKIT_CONFORMANCE=ON)
  # Beside AVX-512, for which g++ optimises: clang takes half the time without, and vector code is made of intrinsics.
  # The conformance test is optimised all the same.
  [ "$name" != avx2 ] || options=(-DCMAKE_CXX_COMPILER=clang++ "-DCMAKE_CXX_FLAGS_RELEASE=-O0 -DNDEBUG")
  if [ "$name" = avx2 ] && ! grep -qw avx2 /proc/cpuinfo; then
    echo "skipped: this CPU has no AVX2" > "$results/$name.skipped"
    return
  fi
  if [ "$name" = avx2 ] && [ $release_is_avx2 = yes ]; then
    echo "skipped: release is the same build on this CPU, and has run its tests" > "$results/$name.skipped"
    return
  fi
  rm -f "build/$name/CMakeCache.txt"
  echo "== $name: building"
  if ! step "$results/$name-configure.log" cmake --preset "$name" "${options[@]}" ||
    ! step "$results/$name-build.log" nice -n 5 cmake --build --preset "$name" -j "$jobs"; then
    echo "the build failed" > "$results/$name.broken"
    return
  fi
  echo "== $name: built in $((SECONDS - start)) s, testing"
  ctest --preset "$name" --show-only=json-v1 > "$results/$name.json"
  # ctest's exit code is not needed: the report below reads each result.
  ctest --preset "$name" -j "$jobs" --output-junit "$PWD/$results/$name.xml" \
    --test-output-size-passed 10000000 --test-output-size-failed 10000000 \
    > "$results/$name-ctest.log" 2>&1 || true
  echo "== $name: done after $((SECONDS - start)) s"
}

# On a CPU with AVX2 and without AVX-512, release and avx2 are the same code: one build of it is enough.
release_is_avx2=no
if [[ " ${configurations[*]} " == *" release "* && " ${configurations[*]} " == *" avx2 "* ]] &&
  grep -qw avx2 /proc/cpuinfo && ! grep -qw avx512f /proc/cpuinfo; then
  release_is_avx2=yes
fi

for name in "${configurations[@]}"; do run_configuration "$name"; done
exec python3 scripts/report_tests.py "$results" tests/floors.txt "${configurations[@]}"
