#!/usr/bin/env bash
# Creates and tests the Conan package, with Conan from PyPI and a local index that holds a stand-in recipe for
# xsimd made from its headers. Exits with 77 (skipped) where PyPI can't be reached.
#   check_conan.sh SOURCE_DIR WORK_DIR XSIMD_DIR
set -euo pipefail
source=$1 work=$2 xsimd=$3
python=${PYTHON:-python3}

mkdir -p "$work"
if ! [ -x "$work/venv/bin/conan" ]; then
  "$python" -m venv --clear "$work/venv"
  "$work/venv/bin/python" -m pip install -q --disable-pip-version-check 'conan==2.34.0' > "$work/pip.log" 2>&1 || {
    echo "skipped: Conan can't be installed from PyPI: $(tail -n 1 "$work/pip.log")"
    exit 77
  }
fi

version_of() { sed -n "s/^#define XSIMD_VERSION_$1 *//p" "$xsimd/include/xsimd/config/xsimd_config.hpp"; }
xsimd_version=$(version_of MAJOR).$(version_of MINOR).$(version_of PATCH)

# The index: config.yml names the version, and the recipe packages a copy of the headers.
index=$work/index/recipes/xsimd
rm -rf "$work/index" "$work/home"
mkdir -p "$index/all"
printf 'versions:\n  "%s":\n    folder: all\n' "$xsimd_version" > "$index/config.yml"
cp -r "$xsimd/include" "$index/all/include"
cat > "$index/all/conanfile.py" << 'RECIPE'
import os
from conan import ConanFile
from conan.tools.files import copy


class XsimdStandIn(ConanFile):
    name = "xsimd"
    package_type = "header-library"
    exports_sources = "include/*"
    no_copy_source = True

    def package(self):
        copy(self, "*", os.path.join(self.source_folder, "include"), os.path.join(self.package_folder, "include"))

    def package_id(self):
        self.info.clear()

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "xsimd")
        self.cpp_info.set_property("cmake_target_name", "xsimd")
RECIPE

export CONAN_HOME=$work/home
conan() { "$work/venv/bin/conan" "$@"; }
conan profile detect
conan remote remove '*'
conan remote add local "$work/index" --type local-recipes-index
# Conan writes beside the test package: a copy keeps the source tree as it is.
rm -rf "$work/source"
mkdir -p "$work/source"
cp -r "$source/LICENSE" "$source/include" "$source/packaging" "$work/source/"
conan create "$work/source/packaging/conan" -s compiler.cppstd=20 --build=missing \
  -c tools.cmake.cmaketoolchain:generator=Ninja -tf test_package
