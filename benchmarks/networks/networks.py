#!/usr/bin/env python3
"""Times whole networks: sparsekit with the zeros of pruned layers skipped, sparsekit with dense weights, and LiteRT
(XNNPACK), interleaved in one process, one thread each, on the input that comes with the model; outputs compared.

usage: networks.py --library network.so [--out FILE.csv] [--rounds N] MODEL_FOLDER...

MODEL_FOLDER holds graph.txt, weights.safetensors (tools/convert_tflite.py makes them), the .tflite file they came
from or the folder's name with .tflite, input_*.npy and expected_*.npy. Needs numpy and ai-edge-litert.
"""
import argparse
import csv
import ctypes
import sys
import time
from pathlib import Path

try:
    import numpy as np
except ImportError as absent:
    sys.exit(f"networks.py: {absent}")

FLOATS = ctypes.POINTER(ctypes.c_float)


def pointer(a):
    return a.ctypes.data_as(FLOATS)


def load(path):
    library = ctypes.CDLL(str(Path(path).resolve()))
    signatures = {
        "sparsekit_network": (ctypes.c_void_p, [ctypes.c_char_p]),
        "sparsekit_network_free": (None, [ctypes.c_void_p]),
        "sparsekit_network_time": (ctypes.c_double, [ctypes.c_void_p, ctypes.c_int, FLOATS, ctypes.c_long]),
        "sparsekit_network_pruned_time": (ctypes.c_double, [ctypes.c_void_p, ctypes.c_int, FLOATS, ctypes.c_long]),
        "sparsekit_network_dense_layers": (ctypes.c_int, [ctypes.c_void_p]),
        "sparsekit_network_output": (ctypes.c_long, [ctypes.c_void_p, FLOATS, ctypes.c_long]),
    }
    for name, (result, arguments) in signatures.items():
        getattr(library, name).restype = result
        getattr(library, name).argtypes = arguments
    return library


def measure(library, folder, rounds):
    from ai_edge_litert.interpreter import Interpreter
    models = sorted(folder.glob("*.tflite"))
    if not models:
        sys.exit(f"{folder}: no .tflite file")
    litert = Interpreter(model_path=str(models[0]), num_threads=1)
    litert.allocate_tensors()
    inputs = sorted(folder.glob("input_*.npy"))
    if not inputs:
        sys.exit(f"{folder}: no input_*.npy")
    x = np.ascontiguousarray(np.load(inputs[0]), np.float32)
    litert.set_tensor(litert.get_input_details()[0]["index"], x.reshape(litert.get_input_details()[0]["shape"]))
    handle = library.sparsekit_network(str(folder).encode())
    if not handle:
        sys.exit(1)

    def litert_time():
        start = time.perf_counter()
        litert.invoke()
        return time.perf_counter() - start

    runners = {"sparse": lambda: library.sparsekit_network_time(handle, 1, pointer(x), 1),
               "dense": lambda: library.sparsekit_network_time(handle, 0, pointer(x), 1),
               "litert": litert_time}
    times = {name: [] for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            run()
            times[name].append(run())
    row = {"network": folder.name}
    for name, values in times.items():
        row[name] = f"{min(values):.4g}"
        row[name + "_median"] = f"{np.median(values):.4g}"
    row["pruned_sparse"] = f"{library.sparsekit_network_pruned_time(handle, 1, pointer(x), rounds):.4g}"
    row["pruned_dense"] = f"{library.sparsekit_network_pruned_time(handle, 0, pointer(x), rounds):.4g}"
    row["pruned_layers_dense"] = library.sparsekit_network_dense_layers(handle)

    worst = 0.0
    for kind in (1, 0):
        library.sparsekit_network_time(handle, kind, pointer(x), 1)
        for path in sorted(folder.glob("expected_*.npy")):
            expected = np.load(path)
            got = np.full(expected.size, np.nan, np.float32)
            if library.sparsekit_network_output(handle, pointer(got), got.size) != got.size:
                sys.exit(f"{folder}: no output of {expected.size} values, as {path.name} has")
            error = np.max(np.abs(got.reshape(expected.shape) - expected)) / max(1.0, np.max(np.abs(expected)))
            if not error < 1e-3:
                sys.exit(f"{folder}: {path.name}: the output differs, relative error {error}")
            worst = max(worst, float(error))
    # LiteRT's as well: a time of something else would be no comparison.
    theirs = [litert.get_tensor(output["index"]).ravel() for output in litert.get_output_details()]
    for path in sorted(folder.glob("expected_*.npy")):
        expected = np.load(path).ravel()
        errors = [np.max(np.abs(y - expected)) for y in theirs if y.size == expected.size]
        if not errors or not min(errors) < 1e-3 * max(1.0, np.max(np.abs(expected))):
            sys.exit(f"{folder}: {path.name}: LiteRT's output differs")
    row["error"] = f"{worst:.1e}"
    library.sparsekit_network_free(handle)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", required=True)
    parser.add_argument("--out")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("folders", nargs="+", type=Path)
    args = parser.parse_args()
    library = load(args.library)
    rows = []
    for folder in args.folders:
        row = measure(library, folder, args.rounds)
        rows.append(row)
        sparse, dense, litert = (float(row[c]) for c in ("sparse", "dense", "litert"))
        print(f"{folder.name}: sparse {sparse * 1e3:.2f} ms, dense {dense * 1e3:.2f} ms ({dense / sparse:.2f}x), LiteRT "
              f"{litert * 1e3:.2f} ms ({litert / sparse:.2f}x); pruned layers {float(row['pruned_sparse']) * 1e3:.2f} of "
              f"{float(row['pruned_dense']) * 1e3:.2f} ms, {row['pruned_layers_dense']} of them dense; "
              f"error {row['error']}")
    if args.out:
        with open(args.out, "w", newline="") as f:
            writer = csv.DictWriter(f, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    try:
        main()
    except (ImportError, OSError, LookupError, ValueError) as error:  # an absent package, file or tensor
        sys.exit(f"networks.py: {type(error).__name__}: {error}")
