#!/usr/bin/env python3
"""Converts a .npz of CSR layers (opNNN.data, .indices, .indptr, .shape) to one safetensors file of dense weights.

usage: convert_channel_pruned.py IN.npz OUT.safetensors

Each layer becomes a float32 tensor opNNN of rows x columns, zeros included, so that sk::to_structured can find
the rows and columns that channel pruning removed. Prints what it finds, for comparison.
"""
import json
import struct
import sys

import numpy as np


def dense_of(archive, name):
    rows, cols = (int(n) for n in archive[name + ".shape"])
    indptr, indices = archive[name + ".indptr"], archive[name + ".indices"]
    if indptr.shape != (rows + 1,) or indptr[-1] != len(indices) or (len(indices) and indices.max() >= cols):
        raise SystemExit(f"{name}: no CSR matrix of {rows} x {cols}")
    out = np.zeros((rows, cols), np.float32)
    out[np.repeat(np.arange(rows), np.diff(indptr)), indices] = archive[name + ".data"]
    return out


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            out.write(value.astype("<f4").tobytes())


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    archive = np.load(sys.argv[1], allow_pickle=False)
    names = sorted(n.removesuffix(".data") for n in archive.files if n.endswith(".data"))
    tensors = {name: dense_of(archive, name) for name in names}
    for name, w in tensors.items():
        print(f"{name}: {w.shape[0]} x {w.shape[1]}, {int((~w.any(0)).sum())} empty columns, "
              f"{int((~w.any(1)).sum())} empty rows, {np.count_nonzero(w) / w.size:.1%} nonzero")
    write_safetensors(sys.argv[2], tensors)


if __name__ == "__main__":
    main()
