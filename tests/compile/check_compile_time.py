#!/usr/bin/env python3
"""Checks that a program that uses sparsekit.hpp compiles within a limit, in CPU seconds of the compiler.

usage: check_compile_time.py LIMIT_SECONDS COMPILER ARGUMENT...

CPU time, not wall time, and the best of three runs: other work on the machine must not decide this.
"""
import resource
import subprocess
import sys


def cpu_seconds_of(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def main():
    limit, command = float(sys.argv[1]), sys.argv[2:]
    best = float("inf")
    for _ in range(3):
        best = min(best, cpu_seconds_of(command))
        if best < limit:
            break
    print(f"{best:.2f} s of CPU time, limit {limit:g} s: {' '.join(command)}")
    return 0 if best < limit else 1


if __name__ == "__main__":
    sys.exit(main())
