"""Conan 2 recipe of sparsekit: header-only, needs xsimd; option `with_io` adds the file formats."""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load
from conan.tools.layout import basic_layout

required_conan_version = ">=2.0"


class SparsekitConan(ConanFile):
    name = "sparsekit"
    description = "Sparse linear algebra that makes zeros pay off on ordinary CPUs"
    license = "BSD-3-Clause"
    topics = ("sparse", "linear-algebra", "simd", "inference", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"with_io": [True, False]}
    default_options = {"with_io": False}
    no_copy_source = True

    @property
    def _root(self):
        """The source tree that this recipe lies in."""
        return os.path.join(self.recipe_folder, os.pardir, os.pardir)

    def set_version(self):
        header = load(self, os.path.join(self._root, "include", "sparsekit", "version.hpp"))
        self.version = ".".join(re.findall(r"define SPARSEKIT_VERSION_\w+ (\d+)", header))

    def export_sources(self):
        copy(self, "LICENSE", self._root, self.export_sources_folder)
        copy(self, "include/*", self._root, self.export_sources_folder)

    def layout(self):
        basic_layout(self, src_folder=".")

    def requirements(self):
        self.requires("xsimd/[>=12.1]", transitive_headers=True)
        if self.options.with_io:
            self.requires("zlib/[>=1.2.11 <2]", transitive_headers=True)

    def package_id(self):
        self.info.clear()

    def validate(self):
        check_min_cppstd(self, 20)

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "*", os.path.join(self.source_folder, "include"), os.path.join(self.package_folder, "include"))

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "sparsekit")
        core = self.cpp_info.components["core"]
        core.set_property("cmake_target_name", "sparsekit::sparsekit")
        core.set_property("pkg_config_name", "sparsekit")
        core.requires = ["xsimd::xsimd"]
        core.bindirs = core.libdirs = []
        if self.options.with_io:
            io = self.cpp_info.components["io"]
            io.set_property("cmake_target_name", "sparsekit::io")
            io.requires = ["core", "zlib::zlib"]
            io.defines = ["SPARSEKIT_HAS_ZLIB=1"]
            io.bindirs = io.libdirs = []
