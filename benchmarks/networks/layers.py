#!/usr/bin/env python3
"""Times every pruned 1x1 convolution of a network: sparsekit dense, packed and through choose() in both
layouts, and LiteRT
(XNNPACK) running the same layer as a model of one operator. All in one process, interleaved, one thread.

usage: cmake --build --preset release --target sparsekit_layers
       layers.py --library build/release/benchmarks/sparsekit_layers.so [--out FILE.csv] [--rounds N] MODEL_FOLDER...

MODEL_FOLDER holds graph.txt and weights.safetensors (tools/convert_tflite.py makes them). The time of an
empty model is subtracted from LiteRT's. Needs numpy, ai-edge-litert, flatbuffers and tflite.
"""
import argparse
import ctypes
import csv
import json
import struct
import sys
import time
from pathlib import Path

try:
    import numpy as np

    import one_op_model
except ImportError as absent:
    sys.exit(f"layers.py: {absent}")

KINDS = ["dense", "pack", "choose"]
LAYOUTS = ["interleaved", "planar", "panels"]
CONTENDERS = [f"{kind}-{layout}" for kind in KINDS for layout in ("planar", "interleaved")]
CONTENDERS += ["dense-panels", "pack-panels"]


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, t in json.loads(data[8:8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = t["data_offsets"]
        dtype = {"F32": np.float32, "F16": np.float16, "I32": np.int32}[t["dtype"]]
        tensors[name] = np.frombuffer(data[8 + length + begin:8 + length + end], dtype).reshape(t["shape"])
    return tensors


def pruned_layers(folder):
    """(name, weights M x K, bias, height, width, activation) of 1x1 convolutions with many zeros."""
    weights = read_safetensors(folder / "weights.safetensors")
    for line in (folder / "graph.txt").read_text().splitlines():
        op, *fields = line.split()
        if op != "CONV_2D":
            continue
        field = dict(f.split("=") for f in fields)
        _, w_name, b_name = field["in"].split(",")
        w = weights[w_name].astype(np.float32)
        if w.shape[1:3] != (1, 1) or np.count_nonzero(w) > 0.6 * w.size:
            continue
        _, height, width, m = map(int, field["shape"].split("x"))
        yield (field["out"], np.ascontiguousarray(w.reshape(m, -1)),
               weights[b_name].astype(np.float32), height, width, field["act"])


class LiteRt:
    def __init__(self, model):
        from ai_edge_litert.interpreter import Interpreter
        self.interpreter = Interpreter(model_content=model, num_threads=1)
        self.interpreter.allocate_tensors()
        self.x = self.interpreter.get_input_details()[0]["index"]
        self.y = self.interpreter.get_output_details()[0]["index"]

    def time(self, repeats):
        invoke = self.interpreter.invoke
        start = time.perf_counter()
        for _ in range(repeats):
            invoke()
        return time.perf_counter() - start


def aligned(shape):
    """An array of floats on a cache line, as engines lay out their tensors (LiteRT too); numpy's are not."""
    size = int(np.prod(shape))
    memory = np.full(size + 16, np.nan, np.float32)
    start = -(memory.ctypes.data // 4) % 16
    return memory[start:start + size].reshape(shape)


class Ours:
    def __init__(self, library, contender, w, bias, act, x, n):
        pointer = lambda a: a.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        kind, layout = contender.split("-")
        planar = layout != "interleaved"
        m, k = w.shape
        self.library, self.planar = library, planar
        self.x = aligned((k, n) if planar else (n, k))
        self.x[:] = x if planar else x.T
        self.y = aligned((m, n) if planar else (n, m))
        self.bias = bias
        self.handle = library.sparsekit_layer(
            KINDS.index(kind), LAYOUTS.index(layout), m, k, n, pointer(w), pointer(bias),
            {"NONE": 0, "RELU": 1, "RELU6": 2}[act], pointer(self.x), pointer(self.y))

    def time(self, repeats):
        return self.library.sparsekit_layer_time(self.handle, repeats)

    def result(self):
        return self.y if self.planar else self.y.T

    def close(self):
        self.library.sparsekit_layer_free(self.handle)


def load(path):
    library = ctypes.CDLL(str(Path(path).resolve()))
    library.sparsekit_layer.restype = ctypes.c_void_p
    floats = ctypes.POINTER(ctypes.c_float)
    library.sparsekit_layer.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long,
                                        ctypes.c_long, floats, floats, ctypes.c_int, floats, floats]
    library.sparsekit_layer_time.restype = ctypes.c_double
    library.sparsekit_layer_time.argtypes = [ctypes.c_void_p, ctypes.c_long]
    library.sparsekit_layer_free.argtypes = [ctypes.c_void_p]
    return library


def measure(library, layer, rounds, empty):
    """Seconds of one run, the least of all rounds, for each contender and LiteRT."""
    name, w, bias, height, width, act = layer
    m, k = w.shape
    n = height * width
    rng = np.random.default_rng(1)
    x = rng.standard_normal((k, n)).astype(np.float32)
    reference = w.astype(np.float64) @ x + bias[:, None]
    if act != "NONE":
        reference = np.clip(reference, 0, 6 if act == "RELU6" else None)

    litert = LiteRt(one_op_model.convolution(w, bias, height, width, act))
    litert.interpreter.set_tensor(litert.x, x.T.reshape(1, height, width, k))
    runners = {c: Ours(library, c, w, bias, act, x, n) for c in CONTENDERS}
    runners["litert"] = litert
    least = {c: float("inf") for c in [*runners, "empty"]}
    repeats = {c: max(1, int(100e-6 / max(r.time(3) / 3, 1e-7))) for c, r in runners.items()}
    for _ in range(rounds):
        for c, r in runners.items():
            r.time(1)
            least[c] = min(least[c], r.time(repeats[c]) / repeats[c])
        least["empty"] = min(least["empty"], empty.time(20) / 20)

    results = {c: r.result() for c, r in runners.items() if c != "litert"}
    results["litert"] = litert.interpreter.get_tensor(litert.y).reshape(n, m).T
    for c, y in results.items():
        error = np.max(np.abs(y - reference)) / max(1.0, np.max(np.abs(reference)))
        if not error < 1e-5:
            sys.exit(f"{name} by {c}: wrong result, relative error {error}")
    for c in CONTENDERS:
        runners[c].close()
    least["litert"] -= least.pop("empty")
    return least


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", required=True)
    parser.add_argument("--out")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("folders", nargs="+", type=Path)
    args = parser.parse_args()
    library = load(args.library)
    empty = LiteRt(one_op_model.empty())
    rows = []
    for folder in args.folders:
        for layer in pruned_layers(folder):
            name, w, _, height, width, act = layer
            t = measure(library, layer, args.rounds, empty)
            rows.append({"network": folder.name, "layer": name, "rows": w.shape[0],
                         "cols": w.shape[1], "pixels": height * width, "act": act,
                         "nnz": np.count_nonzero(w), **{c: f"{s:.4g}" for c, s in t.items()}})
            print(f"{folder.name[:5]} {w.shape[0]:4}x{w.shape[1]:4}x{height * width:5} "
                  + " ".join(f"{c} {t['litert'] / t[c]:.2f}" for c in CONTENDERS)
                  + f"  LiteRT {t['litert'] * 1e6:.1f} us", flush=True)
    for network in dict.fromkeys(r["network"] for r in rows):
        mine = [r for r in rows if r["network"] == network]
        total = lambda f: sum(f(r) for r in mine) * 1e6
        best = lambda *names: total(lambda r: min(float(r[c]) for c in names))
        print(f"{network}: {len(mine)} layers, us: LiteRT {best('litert'):.0f}, dense "
              f"{best(*CONTENDERS[:2]):.0f}, packed {best(*CONTENDERS[2:4]):.0f}, chosen "
              f"{best(*CONTENDERS[4:6]):.0f}; as panels: dense {best('dense-panels'):.0f}, packed "
              f"{best('pack-panels'):.0f}")
    if args.out:
        with open(args.out, "w", newline="") as f:
            writer = csv.DictWriter(f, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    try:
        main()
    except (ImportError, OSError, LookupError, ValueError) as error:  # an absent package, file or tensor
        sys.exit(f"layers.py: {type(error).__name__}: {error}")
