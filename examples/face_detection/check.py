#!/usr/bin/env python3
"""Checks the face_detection program. Standard library only.

usage: check.py PROGRAM synthetic          a small network made up here, against plain Python
       check.py PROGRAM data DATA_DIR      the real networks and picture; skips (77) where they are absent

Both also feed it damaged files: each must give one line that names the file, exit code 1, nothing written.
"""
import array
import json
import math
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

failures = 0
checks = 0


def check(condition, what):
    global failures, checks
    checks += 1
    if not condition:
        failures += 1
        print(f"FAILED: {what}")


def run(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=300)


def refuses(program, folder, named, *arguments):
    """One line on stderr that names the culprit, exit code 1, and no new file."""
    before = sorted(folder.rglob("*"))
    done = run(program, *arguments)
    lines = done.stderr.splitlines()
    check(done.returncode == 1 and len(lines) == 1 and str(named) in lines[0],
          f"{named}: expected one line and exit code 1, got {done.returncode}: {done.stderr[:300]!r}")
    check(sorted(folder.rglob("*")) == before, f"{named}: a file was written")


# ---- files ---------------------------------------------------------------------------------------

def write_npy(path, shape, values):
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    text = text.ljust(117) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()
                     + array.array("f", values).tobytes())


def read_npy(path):
    raw = path.read_bytes()
    length = struct.unpack_from("<H", raw, 8)[0]
    shape = tuple(int(n) for n in re.search(r"\(([^)]*)\)", raw[10:10 + length].decode())[1].split(",") if n.strip())
    values = array.array("f")
    values.frombytes(raw[10 + length:])
    return shape, values


def write_model(folder, graph, tensors):
    header, data = {}, b""
    for name, (kind, shape, values) in tensors.items():
        raw = array.array("f" if kind == "F32" else "i", values).tobytes()
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    (folder / "graph.txt").write_text(graph)


# ---- a small network, and what it computes -------------------------------------------------------

class Image:
    """Height x width x channels in a list."""

    def __init__(self, h, w, c, values=None):
        self.h, self.w, self.c = h, w, c
        self.values = values or [0.0] * (h * w * c)

    def at(self, y, x, k):
        inside = 0 <= y < self.h and 0 <= x < self.w
        return self.values[(y * self.w + x) * self.c + k] if inside else 0.0


def made(h, w, c, f):
    return Image(h, w, c, [f(y, x, k) for y in range(h) for x in range(w) for k in range(c)])


def activate(v, act):
    return v if act == "NONE" else max(v, 0.0) if act == "RELU" else min(max(v, 0.0), 6.0)


def convolve(image, weights, bias, out, kernel, stride, pad, act):
    def one(y, x, o):
        total = bias[o]
        for u in range(kernel):
            for v in range(kernel):
                for k in range(image.c):
                    total += (image.at(y * stride + u - pad, x * stride + v - pad, k)
                              * weights[((o * kernel + u) * kernel + v) * image.c + k])
        return activate(total, act)
    h = (image.h + 2 * pad - kernel) // stride + 1
    w = (image.w + 2 * pad - kernel) // stride + 1
    return made(h, w, out, one)


def depthwise(image, weights, bias, kernel, stride, pad, act):
    def one(y, x, k):
        total = bias[k]
        for u in range(kernel):
            for v in range(kernel):
                total += (image.at(y * stride + u - pad, x * stride + v - pad, k)
                          * weights[(u * kernel + v) * image.c + k])
        return activate(total, act)
    return made((image.h + 2 * pad - kernel) // stride + 1, (image.w + 2 * pad - kernel) // stride + 1, image.c, one)


def doubled(image):
    def source(k, size):
        at = max((k + 0.5) / 2 - 0.5, 0.0)
        low = int(at)
        return low, min(low + 1, size - 1), at - low

    def one(y, x, k):
        a, b, f = source(y, image.h)
        p, q, g = source(x, image.w)
        top = image.at(a, p, k) * (1 - g) + image.at(a, q, k) * g
        return top * (1 - f) + (image.at(b, p, k) * (1 - g) + image.at(b, q, k) * g) * f
    return made(image.h * 2, image.w * 2, image.c, one)


def spread(image):
    c = image.c // 4
    return made(image.h * 2, image.w * 2, c,
                lambda y, x, k: image.at(y // 2, x // 2, ((y % 2) * 2 + x % 2) * c + k))


def added(a, b, act):
    return Image(a.h, a.w, a.c, [activate(p + q, act) for p, q in zip(a.values, b.values)])


GRAPH = """# made up by check.py: every operator, the additions that a convolution can and can't take over
INPUT x
OUTPUT all
PAD out=p1 shape=1x14x14x3 in=x,pad
CONV_2D out=a shape=1x6x6x8 in=p1,w0,b0 stride=2,2 padding=VALID act=RELU
PAD out=p2 shape=1x8x8x8 in=a,pad
DEPTHWISE_CONV_2D out=d shape=1x6x6x8 in=p2,w1,b8 stride=1,1 padding=VALID act=NONE mult=1
CONV_2D out=e shape=1x6x6x8 in=d,w2,b8 stride=1,1 padding=VALID act=NONE
ADD out=f shape=1x6x6x8 in=a,e act=RELU
CONV_2D out=g shape=1x6x6x8 in=f,w3,b8 stride=1,1 padding=SAME act=NONE
ADD out=h shape=1x6x6x8 in=g,f act=NONE
DEPTHWISE_CONV_2D out=i shape=1x3x3x8 in=h,w4,b8 stride=2,2 padding=SAME act=RELU6 mult=1
RESIZE_BILINEAR out=j shape=1x6x6x8 in=i align_corners=0 half_pixel=1
ADD out=k shape=1x6x6x8 in=j,f act=RELU6
DEPTH_TO_SPACE out=l shape=1x12x12x2 in=k block=2
RESHAPE out=m shape=1x144x2 in=l,pad
CONV_2D out=n shape=1x6x6x2 in=k,w5 stride=1,1 padding=VALID act=NONE
RESHAPE out=o shape=1x36x2 in=n,pad
CONCATENATION out=all shape=1x180x2 in=m,o axis=1
"""


def make_network(folder):
    random.seed(3)

    def numbers(count, zeros=0.0):
        values = array.array("f", [0.0 if random.random() < zeros else random.uniform(-1, 1) for _ in range(count)])
        return list(values)

    w = {"w0": numbers(8 * 9 * 3), "b0": numbers(8), "w1": numbers(9 * 8), "b8": numbers(8),
         "w2": numbers(64, 0.7), "w3": numbers(64, 0.7), "w4": numbers(9 * 8), "w5": numbers(16)}
    shapes = {"w0": [8, 3, 3, 3], "b0": [8], "w1": [1, 3, 3, 8], "b8": [8], "w2": [8, 1, 1, 8],
              "w3": [8, 1, 1, 8], "w4": [1, 3, 3, 8], "w5": [2, 1, 1, 8]}
    tensors = {"pad": ("I32", [4, 2], [0, 0, 1, 1, 1, 1, 0, 0])}
    tensors.update({n: ("F32", shapes[n], v) for n, v in w.items()})
    write_model(folder, GRAPH, tensors)

    x = Image(12, 12, 3, numbers(12 * 12 * 3))
    a = convolve(x, w["w0"], w["b0"], 8, 3, 2, 1, "RELU")
    d = depthwise(a, w["w1"], w["b8"], 3, 1, 1, "NONE")
    f = added(a, convolve(d, w["w2"], w["b8"], 8, 1, 1, 0, "NONE"), "RELU")
    h = added(convolve(f, w["w3"], w["b8"], 8, 1, 1, 0, "NONE"), f, "NONE")
    # SAME padding of 6 to 3 with a 3 x 3 window and stride 2 is one row below, none above
    i = depthwise(Image(h.h + 1, h.w + 1, 8, made(7, 7, 8, h.at).values), w["w4"], w["b8"], 3, 2, 0, "RELU6")
    k = added(doubled(i), f, "RELU6")
    n = convolve(k, w["w5"], [0.0, 0.0], 2, 1, 1, 0, "NONE")
    return x, spread(k).values + n.values


def check_synthetic(program, folder):
    model, data, dump = folder / "model", folder / "x.npy", folder / "dump"
    dump.mkdir()
    x, expected = make_network(model)
    write_npy(data, (1, 12, 12, 3), x.values)
    table = folder / "table.csv"
    done = run(program, "--model", model, "--input", data, "--dump", dump, "--table", table)
    check(done.returncode == 0, f"synthetic: exit code {done.returncode}: {done.stderr}")
    rows = [line.split(",") for line in table.read_text().splitlines()]
    check([r[0] for r in rows] == ["layer", "f", "g"], "synthetic: the layers in the table are not the pruned ones")
    check(all(len(r) == 10 and len({len(t.split()) for t in r[7:]}) == 1 for r in rows[1:]),
          "synthetic: rounds in the table differ in number")
    table.unlink()
    check("total" in done.stdout and "f  " in done.stdout, "synthetic: no table")
    shape, values = read_npy(dump / "all.npy")
    check(shape == (1, 180, 2), f"synthetic: shape {shape}")
    worst = max((abs(p - q) for p, q in zip(values, expected)), default=math.inf)
    check(len(values) == len(expected) and worst < 2e-5, f"synthetic: largest difference {worst}")
    (dump / "all.npy").unlink()

    arguments = ["--input", data, "--dump", dump]
    check_damaged_model(program, folder, model, arguments, range(0, 2000, 97))
    write_npy(folder / "small.npy", (1, 12, 12, 2), [0.0] * 288)
    refuses(program, folder, "small.npy", "--model", model, "--input", folder / "small.npy", "--dump", dump)
    refuses(program, folder, "absent.npy", "--model", model, "--input", folder / "absent.npy", "--dump", dump)
    refuses(program, folder, "absent", "--model", folder / "absent", *arguments)
    refuses(program, folder, "--frob", "--frob", "1")
    refuses(program, folder, "--model", "--model")
    check(run(program, "--help").returncode == 0, "--help")


def check_damaged_model(program, folder, model, arguments, cuts):
    """Cut and damaged weights, cut and wrong graphs."""
    damaged = folder / "damaged"
    damaged.mkdir()
    weights, graph = (model / "weights.safetensors").read_bytes(), (model / "graph.txt").read_bytes()

    def put(new_weights, new_graph):
        (damaged / "weights.safetensors").write_bytes(new_weights)
        (damaged / "graph.txt").write_bytes(new_graph)

    for cut in [*cuts, len(weights) - 1]:
        put(weights[:min(cut, len(weights) - 1)], graph)
        refuses(program, folder, "weights.safetensors", "--model", damaged, *arguments)
    put(weights + b"x", graph)
    refuses(program, folder, "weights.safetensors", "--model", damaged, *arguments)
    put(weights[:40] + b"\xff" + weights[41:], graph)
    refuses(program, folder, "weights.safetensors", "--model", damaged, *arguments)
    lines = graph.splitlines(keepends=True)
    for bad in [b"", b"\xff\xfe\x00", b"".join(lines[:-1]), graph.replace(b"\nCONV_2D", b"\nCONV_4D", 1),
                graph.replace(b"in=", b"in=nothing,", 1), graph.replace(b"stride=2,2", b"stride=1,1", 1),
                graph.replace(b"RELU", b"TANH", 1), lines[0] + graph[len(graph) // 2:]]:
        put(weights, bad)
        refuses(program, folder, "graph.txt", "--model", damaged, *arguments)
    for file in damaged.iterdir():
        file.unlink()
    damaged.rmdir()


# ---- the real thing --------------------------------------------------------------------------------

def found_faces(text):
    return [tuple(map(float, m)) for m in re.findall(
        r"^face: score ([\d.]+), centre \(([\d.-]+), ([\d.-]+)\), box ([\d.]+) x ([\d.]+)$", text, re.M)]


def check_data(program, folder, data):
    model, astronaut = data / "models/blazeface_full_range_sparse", data / "models/astronaut_512.ppm"
    out = folder / "face.ppm"
    done = run(program, "--model", model, "-i", astronaut, "-o", out)
    check(done.returncode == 0, f"astronaut: exit code {done.returncode}: {done.stderr}")
    faces = found_faces(done.stdout)
    check(len(faces) == 1, f"astronaut: {len(faces)} faces")
    score, x, y = faces[0][:3] if faces else (0, 0, 0)
    check(abs(score - 0.907) <= 0.01, f"astronaut: score {score}")
    check(math.hypot(x - 225, y - 119) <= 2, f"astronaut: centre {x}, {y}")
    check(len(re.findall(r"^t\d+ ", done.stdout, re.M)) == 46, "astronaut: not 46 pruned layers in the table")
    check(re.search(r"^total .*^network ", done.stdout, re.M | re.S) is not None, "astronaut: no totals")
    picture, original = out.read_bytes(), astronaut.read_bytes()
    check(len(picture) == len(original), "astronaut: the written picture has another size")
    changed = sum(a != b for a, b in zip(picture, original))
    check(500 < changed < 20000, f"astronaut: {changed} bytes differ in the written picture")

    dump = folder / "dump"
    dump.mkdir()
    done = run(program, "--model", model, "--input", model / "input_astronaut.npy", "--dump", dump)
    check(done.returncode == 0, f"raw input: {done.stderr}")
    for name, expected in (("t576", "Identity"), ("t562", "Identity_1")):
        shape, values = read_npy(dump / f"{name}.npy")
        wanted_shape, wanted = read_npy(model / f"expected_{expected}.npy")
        worst = max(abs(a - b) for a, b in zip(values, wanted))
        check(shape == wanted_shape and worst <= 5e-4, f"{name}: shape {shape}, largest difference {worst}")
        print(f"{name}: largest difference {worst:.1e}")

    pose = data / "models/pose_detection"
    done = run(program, "--model", pose, "--input", pose / "input_astronaut.npy", "--dump", dump)
    check(done.returncode == 0, f"pose: {done.stderr}")
    for name, expected in (("t441", "Identity"), ("t429", "Identity_1")):
        wanted = read_npy(pose / f"expected_{expected}.npy")[1]
        values = read_npy(dump / f"{name}.npy")[1]
        worst = max(abs(a - b) for a, b in zip(values, wanted)) / max(map(abs, wanted))
        check(worst <= 5e-6, f"pose {name}: largest difference {worst} of the largest value")
    refuses(program, folder, pose, "--model", pose, "-i", astronaut, "-o", folder / "pose.ppm")

    check_damaged_model(program, folder, model, ["-i", astronaut, "-o", folder / "no.ppm"], [0, 7, 8, 100, 5000, 500000])
    for name, content in (("cut.ppm", original[:5000]), ("empty.ppm", b""), ("head.ppm", original[:9]),
                          ("text.ppm", b"hello"), ("deep.ppm", original.replace(b"255", b"65535", 1)),
                          ("huge.ppm", b"P6\n999999999 999999999\n255\n"), ("zero.ppm", b"P6\n0 4\n255\n"),
                          ("cut.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")):
        (folder / name).write_bytes(content)
        refuses(program, folder, name, "--model", model, "-i", folder / name, "-o", folder / "no.ppm")
    refuses(program, folder, "no/such/face.ppm", "--model", model, "-i", astronaut, "-o", folder / "no/such/face.ppm")


def main():
    program, kind = sys.argv[1], sys.argv[2]
    if kind == "data" and not (pathlib.Path(sys.argv[3]) / "models").is_dir():
        print(f"skipped: no models in {sys.argv[3]}")
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        if kind == "data":
            check_data(program, pathlib.Path(scratch), pathlib.Path(sys.argv[3]))
        else:
            check_synthetic(program, pathlib.Path(scratch))
    print(f"{checks} checks, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
