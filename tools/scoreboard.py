#!/usr/bin/env python3
"""The whole scoreboard of choose() in one run: how often it is right for each type, where sparse begins to pay, and
the pruned layers of networks by what it takes. Builds the two programs, runs them, keeps their raw rows as CSV, and
writes the report.

usage: scoreboard.py [--build DIR] [--dlmc DIR] [--network MODEL_FOLDER]... [--types f32,f64,bf16,f16,s8]
                     [--random COUNT] [--prefix avx512-] [--out DIR] [--quick]

  --build DIR     a configured build folder (default build/release)
  --dlmc DIR      .smtx files, multiplied by 1 to 512 columns
  --network DIR   graph.txt, weights.safetensors and input_*.npy (tools/convert_tflite.py makes the first two)
  --random COUNT  generated matrices: scattered zeros, in rows of unlike length, N:M, blocks, removed channels
  --prefix P      put before the name of each CSV: the figures of one machine beside those of another
  --out DIR       default docs/data: then tools/performance_report.py writes docs/performance.md anew;
                  elsewhere the report is DIR/scoreboard.md
  --quick         small matrices and little time, one to two minutes: shows that all works; the figures are worthless

Hours, else; nothing else should run. Types can be run one by one (--types), with the same prefix; break-evens are
measured when all are.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

import performance_report

TYPES = ("f32", "f64", "bf16", "f16", "s8")


def run(*command):
    print("+", *command, flush=True)
    subprocess.run([str(c) for c in command], check=True)


def machine_facts(build, prefix, quick):
    """Where and how it was measured, as the report says it."""
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    model = re.search(r"model name\s*: (.*)", text)
    cache = (build / "CMakeCache.txt").read_text()
    fact = lambda name: (re.search(rf"^{name}:[A-Z]+=(.*)$", cache, re.M) or ["", ""])[1]
    compiler = subprocess.run([fact("CMAKE_CXX_COMPILER"), "--version"], capture_output=True, text=True)
    flags = f"{fact('CMAKE_CXX_FLAGS')} {fact('CMAKE_CXX_FLAGS_RELEASE')}".strip()
    return {
        "machine": f"{model[1].strip() if model else platform.machine()}, one thread; "
                   f"{(compiler.stdout.splitlines() or ['an unknown compiler'])[0]}, {flags}.",
        "conditions": f"{datetime.date.today()}; the load of the machine was {os.getloadavg()[0]:.1f} when it began. "
                      "Forms in turn, the least time but one of many rounds, at least six."
                      + (" QUICK: these figures are worthless." if quick else ""),
        "where": f" ({prefix.rstrip('-').upper().replace('AVX5', 'AVX-5')})" if prefix else "",
    }


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=root / "build" / "release")
    parser.add_argument("--dlmc", type=pathlib.Path)
    parser.add_argument("--network", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--types", type=lambda text: text.split(","), default=TYPES)
    parser.add_argument("--random", type=int)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--out", type=pathlib.Path, default=root / "docs" / "data")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if unknown := set(args.types) - set(TYPES):
        parser.error(f"--types: {', '.join(sorted(unknown))}: not of {', '.join(TYPES)}")
    for folder in args.network:
        if not list(folder.glob("input_*.npy")):
            parser.error(f"{folder}: no input_*.npy")
    in_docs = args.out.resolve() == (root / "docs" / "data").resolve()
    if args.quick and in_docs:
        parser.error("--quick: its figures are worthless; give another --out")
    args.out.mkdir(parents=True, exist_ok=True)
    facts = machine_facts(args.build, args.prefix, args.quick)

    run("cmake", "--build", args.build, "--target", "sparsekit_choose_benchmark",
        *(["face_detection"] if args.network else []))
    benchmark = args.build / "benchmarks" / "choose" / "sparsekit_choose_benchmark"
    demo = args.build / "examples" / "face_detection" / "face_detection"
    csv = lambda name: args.out / f"{args.prefix}{name}.csv"
    limits = ["--budget", "300", "--most", "4e6"] if args.quick else []
    count = args.random if args.random is not None else 20 if args.quick else 120
    sources = ["--random", count] if count > 0 else []
    sources += ["--dlmc", args.dlmc] if args.dlmc else []
    for folder in args.network:
        sources += ["--network", folder]

    for kind in args.types:
        run(benchmark, "--type", kind, *sources, *limits, "--csv", csv(f"choose-{kind}"))
    if set(args.types) == set(TYPES):  # one file holds them all
        run(benchmark, "--crossover", csv("crossover"), *limits)
    for folder in args.network:
        with tempfile.TemporaryDirectory() as outputs:
            run(demo, "--model", folder, "--input", *sorted(folder.glob("input_*.npy"))[:1], "--dump", outputs,
                "--table", csv(f"layers-{folder.name}"))
    (args.out / f"{args.prefix}choose-machine.json").write_text(json.dumps(facts, indent=2) + "\n")

    if in_docs:
        run(sys.executable, root / "tools" / "performance_report.py")
    else:
        report = args.out / "scoreboard.md"
        report.write_text("\n".join(performance_report.scoreboard(args.out, report, args.prefix)))
        print(f"wrote {report}")


if __name__ == "__main__":
    try:
        main()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"scoreboard.py: {error}")
