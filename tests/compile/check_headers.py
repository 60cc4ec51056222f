#!/usr/bin/env python3
"""Compiles the headers of sparsekit as a user with strict warnings would.

usage: check_headers.py alone|together --include DIR --xsimd DIR COMPILER FLAG...

alone: each header by itself, included twice. Those outside simd/ are the same for every instruction set and compiled
without vectors: in a third of the time, and what they get by way of xsimd only is missed.
together: all of them in one translation unit, in the order of their names and in the reverse order; much faster, for
further compilers and flags.
The headers are ordinary includes here (-I, not -isystem), so their warnings show, and are errors. xsimd's are system
headers. Nothing is linked; only syntax and templates' definitions are checked.
"""
import argparse
import pathlib
import re
import subprocess
import sys

# Preprocessor lines that make a header another one for another instruction set.
DEPENDS_ON_ISA = re.compile(r"^\s*#\s*(?:el)?if.*(?:__AVX|__SSE|__ARM|__aarch64|_ISA_|FORCE_SCALAR)", re.MULTILINE)
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

    scalar = set()
    if args.how == "alone":
        units = {header: [header, header] for header in headers}
        scalar = {h for h in headers if "/simd/" not in h and not DEPENDS_ON_ISA.search((include / h).read_text())}
    else:
        units = {"all headers": headers, "all headers in reverse": headers[::-1]}

    def compile_unit(name):
        command = [args.compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", *WARNINGS, *flags, f"-I{include}",
                   "-isystem", args.xsimd, *(["-DSPARSEKIT_FORCE_SCALAR"] if name in scalar else []), "-"]
        source = "".join(f"#include <{header}>\n" for header in units[name]) + "int main() { return 0; }\n"
        return subprocess.run(command, input=source, capture_output=True, text=True)

    failures = 0
    for name in units:
        done = compile_unit(name)
        if done.returncode != 0:
            failures += 1
            print(f"{name}: failed:\n" + "\n".join(done.stderr.splitlines()[:15]))
    print(f"{len(headers)} headers, {len(units)} translation units, {failures} failed: {args.compiler} {' '.join(flags)}")
    return 1 if failures or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
