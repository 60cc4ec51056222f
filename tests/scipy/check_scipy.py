#!/usr/bin/env python3
"""Compares y = A x with scipy's, for every Matrix Market file of a folder, each format and type.

usage: check_scipy.py PRODUCTS DATA_FOLDER

PRODUCTS is the program of products.cpp. Exit status 77 (skipped) where there is no data or no scipy. The bound is
that of an n-term sum in any order: |y - ref| <= gamma_(n + 1) sum |a| |x|, u = 2^-53 or 2^-24, one more for the
rounding of the entries that scipy read as f64; ref is scipy's product in long double. scipy's own product of the
type must obey it as well, so the two agree within twice the bound.
"""
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77
FORMS = ("csr", "pack", "coo", "csc", "sell", "bsr", "transposed")


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2]) / "suitesparse"
    try:
        import numpy
        import scipy.io
        import scipy.sparse
    except ImportError:
        print("skipped: no scipy")
        return SKIPPED
    files = sorted([*folder.glob("*.mtx"), *folder.glob("*.mtx.gz")])
    if not files:
        print(f"skipped: no Matrix Market files in {folder}")
        return SKIPPED
    wrong, cases, ratios = [], 0, {"f64": [], "f32": []}
    for file in files:
        if scipy.io.mminfo(file)[4] == "complex":
            print(f"{file.name}: complex, left out")
            continue
        a = scipy.sparse.csr_matrix(scipy.io.mmread(file).tocsr(), dtype=numpy.float64)
        i = numpy.arange(a.shape[1], dtype=numpy.int64)
        x = ((7919 * i + 13) % 2003 - 1001) / 1024.0
        with tempfile.TemporaryDirectory() as out:
            done = subprocess.run([program, str(file), out], capture_output=True, text=True)
            if "built without zlib" in done.stderr:
                print(f"{file.name}: left out, no zlib")
                continue
            if done.returncode != 0:
                wrong.append(f"{file.name}: {done.stderr.strip()} (status {done.returncode})")
                continue
            for name, dtype, u in (("f64", numpy.float64, 2.0**-53), ("f32", numpy.float32, 2.0**-24)):
                typed = a.astype(dtype)
                wide = typed.astype(numpy.longdouble)
                reference = wide @ x.astype(numpy.longdouble)
                terms = numpy.diff(typed.indptr) + 1
                bound = terms * u / (1 - terms * u) * (abs(wide) @ abs(x).astype(numpy.longdouble))
                bound += terms * numpy.finfo(dtype).smallest_subnormal
                theirs = typed @ x.astype(dtype)
                if not (abs(theirs - reference) <= bound).all():
                    wrong.append(f"{file.name} {name}: scipy's own product is beyond the bound")
                for form in FORMS:
                    y = numpy.fromfile(f"{out}/{name}-{form}", dtype)
                    cases += 1
                    if y.shape != reference.shape:
                        wrong.append(f"{file.name} {name} {form}: {y.shape} instead of {reference.shape}")
                        continue
                    error = abs(y - reference)
                    beyond = numpy.flatnonzero(~(error <= bound))
                    if beyond.size:
                        r = beyond[0]
                        wrong.append(f"{file.name} {name} {form}: row {r}: {y[r]!r}, scipy {theirs[r]!r}, "
                                     f"error {error[r]:.2e} > {bound[r]:.2e} ({beyond.size} rows)")
                    ratios[name].append(error[bound > 0] / bound[bound > 0])
    for name, all_ratios in ratios.items():
        if not all_ratios:
            continue
        median = numpy.median(numpy.concatenate(all_ratios))
        print(f"{name}: median of error over bound {float(median):.3f}")
        if not median < 0.1:
            wrong.append(f"{name}: errors are suspiciously near the bound")
    print(f"{len(files)} files, {cases} products compared")
    if cases == 0:
        wrong.append("nothing was compared")
    print("\n".join(wrong[:40]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
