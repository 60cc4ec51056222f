#!/usr/bin/env python3
"""Checks that files which must state the version themselves agree with include/sparsekit/version.hpp.

usage: check_versions.py ROOT
"""
import json
import pathlib
import re
import sys


def main():
    root = pathlib.Path(sys.argv[1])
    header = (root / "include/sparsekit/version.hpp").read_text()
    version = ".".join(re.findall(r"define SPARSEKIT_VERSION_\w+ (\d+)", header))
    stated = {
        "packaging/vcpkg/sparsekit/vcpkg.json":
            json.loads((root / "packaging/vcpkg/sparsekit/vcpkg.json").read_text())["version"],
        "CHANGELOG.md": re.search(r"^## (\d+\.\d+\.\d+)", (root / "CHANGELOG.md").read_text(), re.M)[1],
    }
    wrong = {path: found for path, found in stated.items() if found != version}
    print(f"version.hpp: {version}" + "".join(f"\n{path}: {found}" for path, found in wrong.items()))
    return 1 if wrong or version.count(".") != 2 else 0


if __name__ == "__main__":
    sys.exit(main())
