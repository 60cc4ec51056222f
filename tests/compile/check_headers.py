#!/usr/bin/env python3
"""Compiles the headers of sparsekit as a user with strict warnings would.

usage: check_headers.py alone|together --include DIR --xsimd DIR COMPILER FLAG...

alone: each header by itself, included twice. together: all of them in one translation unit, in the order of their
names and in the reverse order; much faster, for further compilers and flags. The headers are ordinary includes here (-I, not -isystem), so their warnings show, and are errors.
xsimd's are system headers. Nothing is linked; only syntax and templates' definitions are checked.
"""
import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("how", choices=["alone", "together"])
    parser.add_argument("--include", required=True)
    parser.add_argument("--xsimd", required=True)
    parser.add_argument("compiler")
    args, flags = parser.parse_known_args()
    include = pathlib.Path(args.include)
    headers = sorted(p.relative_to(include).as_posix() for p in include.rglob("*.hpp"))

    if args.how == "alone":
        units = {header: [header, header] for header in headers}
    else:
        units = {"all headers": headers, "all headers in reverse": headers[::-1]}

    def compile_unit(name):
        command = [args.compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", *WARNINGS, *flags, f"-I{include}",
                   "-isystem", args.xsimd, "-"]
        source = "".join(f"#include <{header}>\n" for header in units[name]) + "int main() { return 0; }\n"
        return name, subprocess.run(command, input=source, capture_output=True, text=True)

    failures = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, done in pool.map(compile_unit, units):
            if done.returncode != 0:
                failures += 1
                print(f"{name}: failed:\n" + "\n".join(done.stderr.splitlines()[:15]))
    print(f"{len(headers)} headers, {len(units)} translation units, {failures} failed: {args.compiler} {' '.join(flags)}")
    return 1 if failures or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
