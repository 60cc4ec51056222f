#!/usr/bin/env bash
# Builds and runs a user's project against sparsekit, from nothing, as that user would.
#   check_consumer.sh installed|subdirectory|engine|pkgconfig SOURCE_DIR WORK_DIR XSIMD_DIR [CMAKE_ARGUMENT…]
set -euo pipefail
kind=$1 source=$2 work=$3 xsimd=$4
shift 4
consumers=$source/tests/consumers

rm -rf "$work"
mkdir -p "$work"

install_library() {
  cmake -G Ninja -S "$source" -B "$work/library" -DCMAKE_INSTALL_PREFIX="$work/prefix" \
    -DCMAKE_INSTALL_LIBDIR=lib -DSPARSEKIT_XSIMD_ROOT="$xsimd" -DSPARSEKIT_BUILD_TESTS=OFF \
    -DSPARSEKIT_BUILD_BENCHMARKS=OFF -DSPARSEKIT_BUILD_EXAMPLES=OFF "$@"
  cmake --install "$work/library"
  # An installed tree can be moved, and must not look back at the source tree.
  mv "$work/prefix" "$work/moved"
  ! grep -rlF "$source" "$work/moved" || { echo "installed files name the source tree"; exit 1; }
}

build_and_run() { # build_and_run PROJECT [CMAKE_ARGUMENT…]
  local project=$1
  shift
  cmake -G Ninja -S "$consumers/$project" -B "$work/build" -DCMAKE_BUILD_TYPE=Release "$@"
  cmake --build "$work/build"
}

case $kind in
  installed)
    install_library "$@"
    build_and_run program "-DCMAKE_PREFIX_PATH=$work/moved;$xsimd" "$@"
    "$work/build/consumer"
    ;;
  subdirectory)
    build_and_run program -DSPARSEKIT_SOURCE_DIR="$source" -DSPARSEKIT_XSIMD_ROOT="$xsimd" "$@"
    "$work/build/consumer"
    ;;
  engine)
    build_and_run engine -DSPARSEKIT_SOURCE_DIR="$source" -DSPARSEKIT_XSIMD_ROOT="$xsimd" "$@"
    "$work/build/engine"
    ;;
  pkgconfig)
    install_library "$@"
    # bootstrap.sh unpacks xsimd's headers alone; a packaged xsimd brings this file.
    printf 'Name: xsimd\nDescription: headers\nVersion: 12.1\nCflags: -isystem %s\n' "$xsimd/include" \
      > "$work/xsimd.pc"
    export PKG_CONFIG_PATH=$work/moved/lib/pkgconfig:$work
    # shellcheck disable=SC2046
    c++ -std=c++20 -O1 $(pkg-config --cflags sparsekit) "$source/examples/quickstart.cpp" -o "$work/quickstart"
    "$work/quickstart"
    test "$(pkg-config --modversion sparsekit)" = "$(sed -n 's/^project.*//; /SPARSEKIT_VERSION_/s/[^0-9]//gp' \
      "$source/include/sparsekit/version.hpp" | paste -sd.)"
    ;;
  *) echo "unknown kind $kind" >&2; exit 1 ;;
esac
