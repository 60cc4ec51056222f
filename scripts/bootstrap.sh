#!/usr/bin/env bash
# Installs what sparsekit's programs, tests and benchmarks need on Debian 12 or 13 (as root or with sudo),
# and puts the headers that the build looks for under build/deps. The second run does nothing.
#
#   scripts/bootstrap.sh [--demo] [--aarch64]
#     (no option)  compilers, CMake, Ninja, zlib, libpng, doctest, Google Benchmark, oneTBB and
#                  OpenBLAS (for the tests of adapters), Python and scipy, xsimd
#     --demo       only what scripts/demo.sh needs: no clang, no test or benchmark library
#     --aarch64    also a cross-compiler for AArch64 and qemu's user emulation
#
# Variables: DEB_MIRROR (default: the mirror apt already uses), XSIMD_SUITE (default trixie),
# SPARSEKIT_XSIMD_FROM=debian|pypi (default: debian, then pypi), PYTHON (default python3).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/build/deps
xsimd_suite=${XSIMD_SUITE:-trixie}
pythran_version=0.19.0
pythran_sha256=42ab2039b4eaec01084e92a2721a474e893047ba5ec87b14d45ee077ac883d08

packages=(g++ cmake ninja-build zlib1g-dev libpng-dev python3 python3-venv ca-certificates)
aarch64=no
for option in "$@"; do
  case $option in
    --demo) demo=yes ;;
    --aarch64) aarch64=yes ;;
    *) echo "bootstrap: unknown option $option (known: --demo, --aarch64)" >&2; exit 1 ;;
  esac
done
if [ "${demo:-no}" = no ]; then
  packages+=(clang libclang-rt-dev binutils git pkg-config doctest-dev libbenchmark-dev libtbb-dev libopenblas-dev)
fi
[ $aarch64 = no ] || packages+=(g++-aarch64-linux-gnu qemu-user)

say() { echo "bootstrap: $*"; }
fail() { echo "bootstrap: $*" >&2; exit 1; }

# --- Debian packages ----------------------------------------------------------------------------

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

install_packages() {
  local missing=() package sudo=()
  command -v dpkg-query > /dev/null && command -v apt-get > /dev/null || {
    check_tools_without_apt
    return
  }
  for package in "$@"; do is_installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null ||
      fail "run as root: apt-get install ${missing[*]}"
    sudo=(sudo)
  fi
  say "installing ${missing[*]}"
  # A failed update matters only if the install fails too (a third-party source may be unreachable).
  "${sudo[@]}" apt-get -qq update > "$deps/apt.log" 2>&1 || true
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
    "${missing[@]}" >> "$deps/apt.log" 2>&1 || {
    tail -n 5 "$deps/apt.log" >&2
    fail "apt could not install everything; install by hand: ${missing[*]}"
  }
}

check_tools_without_apt() {
  local tool missing=()
  for tool in c++ cmake ninja "${PYTHON:-python3}"; do
    command -v "$tool" > /dev/null || missing+=("$tool")
  done
  [ ${#missing[@]} -eq 0 ] || fail "no apt here; install by hand: ${missing[*]} (and zlib, libpng, doctest, benchmark)"
}

# Header-only libraries: a copy of them lets cross-compiled programs find them too, which must not search
# /usr/include.
copy_headers() {
  local name=$1 to=$deps/$1/include
  [ -d "/usr/include/$name" ] || return 0
  diff -rq "/usr/include/$name" "$to/$name" > /dev/null 2>&1 && return
  rm -rf "$to"
  mkdir -p "$to"
  cp -r "/usr/include/$name" "$to/"
}

# --- xsimd --------------------------------------------------------------------------------------

# Prints major.minor of the headers below $1 and succeeds if that is 12.1 or newer.
xsimd_is_new_enough() {
  local config=$1/xsimd/config/xsimd_config.hpp major minor
  [ -f "$config" ] || return 1
  major=$(awk '/define XSIMD_VERSION_MAJOR/ { print $3 }' "$config")
  minor=$(awk '/define XSIMD_VERSION_MINOR/ { print $3 }' "$config")
  echo "$major.$minor"
  [ "$major" -gt 12 ] || { [ "$major" -eq 12 ] && [ "$minor" -ge 1 ]; }
}

# Moves the headers of a freshly unpacked tree into place in one step, so that nobody sees half of them.
put_xsimd_in_place() {
  local include=$1 source=$2 version
  version=$(xsimd_is_new_enough "$include") || { say "xsimd ${version:-?} from $source is too old"; return 1; }
  rm -rf "$deps/xsimd.new" "$deps/xsimd.old"
  mkdir -p "$deps/xsimd.new/include"
  cp -r "$include/xsimd" "$deps/xsimd.new/include/"
  [ ! -d "$deps/xsimd" ] || mv "$deps/xsimd" "$deps/xsimd.old"
  mv "$deps/xsimd.new" "$deps/xsimd"
  rm -rf "$deps/xsimd.old"
  say "xsimd $version from $source in build/deps/xsimd"
}

# A private apt state (lists, cache, status, sources) below build/deps: the newer release's package is
# downloaded and unpacked, and the system's own sources and package lists stay as they are.
xsimd_from_debian() {
  local apt=$deps/apt mirror
  command -v apt-get > /dev/null && command -v dpkg-deb > /dev/null || return 1
  mirror=${DEB_MIRROR:-$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(CODENAME)' \
    'Created-By: Packages' | awk '$2 == "Debian" && $3 !~ /security/ { print $1; exit }')}
  [ -n "$mirror" ] || { say "apt knows no Debian mirror (set DEB_MIRROR)"; return 1; }
  rm -rf "$apt"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/debs"
  : > "$apt/status"
  echo "deb $mirror $xsimd_suite main" > "$apt/sources.list"
  cat > "$apt/apt.conf" << CONF
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt/cache";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "$apt/no-parts";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
APT::Sandbox::User "root";
APT::Architectures { "$(dpkg --print-architecture)"; };
CONF
  (
    export APT_CONFIG=$apt/apt.conf
    apt-get -qq update && cd "$apt/debs" && apt-get -qq download libxsimd-dev
  ) > "$deps/xsimd-apt.log" 2>&1 || { say "Debian $xsimd_suite: $(tail -n 1 "$deps/xsimd-apt.log")"; return 1; }
  dpkg-deb -x "$apt"/debs/libxsimd-dev_*.deb "$apt/unpacked"
  put_xsimd_in_place "$apt/unpacked/usr/include" "Debian $xsimd_suite" || return 1
  rm -rf "$apt"
}

# The Python compiler pythran bundles xsimd's headers; its wheel is checked against a recorded hash.
xsimd_from_pypi() {
  local python=${PYTHON:-python3} dir=$deps/pypi
  rm -rf "$dir" && mkdir -p "$dir"
  echo "pythran==$pythran_version --hash=sha256:$pythran_sha256" > "$dir/requirements.txt"
  {
    "$python" -m venv "$dir/venv" &&
      "$dir/venv/bin/python" -m pip -q --disable-pip-version-check download --no-deps \
        --only-binary :all: --require-hashes -r "$dir/requirements.txt" -d "$dir"
  } > "$deps/xsimd-pypi.log" 2>&1 || { say "PyPI: $(tail -n 1 "$deps/xsimd-pypi.log")"; return 1; }
  "$python" -m zipfile -e "$dir"/pythran-*.whl "$dir/unpacked"
  put_xsimd_in_place "$dir/unpacked/pythran" "PyPI's pythran $pythran_version" || return 1
  rm -rf "$dir"
}

get_xsimd() {
  xsimd_is_new_enough "$deps/xsimd/include" > /dev/null && return
  case ${SPARSEKIT_XSIMD_FROM:-any} in
    debian) xsimd_from_debian ;;
    pypi) xsimd_from_pypi ;;
    *) xsimd_from_debian || xsimd_from_pypi ;;
  esac || fail "no xsimd >= 12.1: install libxsimd-dev of Debian 13 or newer, or unpack xsimd so that \
build/deps/xsimd/include/xsimd/xsimd.hpp exists"
}

# scipy, in a virtual environment of its own, is the reference of tests/scipy, which is skipped without it.
get_scipy() {
  local python=$deps/python/bin/python3
  "$python" -c 'import scipy' > /dev/null 2>&1 && return
  {
    "${PYTHON:-python3}" -m venv --clear "$deps/python" &&
      "$python" -m pip -q --disable-pip-version-check install --only-binary :all: 'scipy>=1.10'
  } > "$deps/scipy.log" 2>&1 || say "no scipy, so tests/scipy is skipped: $(tail -n 1 "$deps/scipy.log")"
}

mkdir -p "$deps"
exec 9> "$deps/.lock" # two runs at once would unpack over each other
flock 9 2> /dev/null || true
install_packages "${packages[@]}"
copy_headers doctest
get_xsimd
[ "${demo:-no}" = yes ] || get_scipy
