#!/usr/bin/env python3
"""Compiles each header of sparsekit alone, twice included, as a user with strict warnings would.

usage: check_headers.py --include DIR --xsimd DIR COMPILER FLAG...

The headers are ordinary includes here (-I, not -isystem), so their warnings show, and are errors.
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
    parser.add_argument("--include", required=True)
    parser.add_argument("--xsimd", required=True)
    parser.add_argument("compiler")
    args, flags = parser.parse_known_args()
    include = pathlib.Path(args.include)
    headers = sorted(p.relative_to(include).as_posix() for p in include.rglob("*.hpp"))

    def compile_alone(header):
        command = [args.compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", *WARNINGS, *flags, f"-I{include}",
                   "-isystem", args.xsimd, "-"]
        source = f"#include <{header}>\n#include <{header}>\nint main() {{ return 0; }}\n"
        return header, subprocess.run(command, input=source, capture_output=True, text=True)

    failures = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, done in pool.map(compile_alone, headers):
            if done.returncode != 0:
                failures += 1
                print(f"{header} does not compile alone:\n" + "\n".join(done.stderr.splitlines()[:15]))
    print(f"{len(headers)} headers compiled alone by {args.compiler} {' '.join(flags)}, {failures} failed")
    return 1 if failures or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
