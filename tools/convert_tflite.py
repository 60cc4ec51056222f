#!/usr/bin/env python3
"""Converts a TensorFlow Lite network to a model folder: graph.txt and weights.safetensors.

usage: convert_tflite.py MODEL.tflite FOLDER

graph.txt has one operator a line in execution order; weights.safetensors holds the constants under
the tensor names the graph uses (t<number>). Weights that were stored sparse are written dense: the
zeros are the ones the model was released with. Float16 stays float16, so nothing is rounded.

The file is untrusted: every offset is checked, and anything the program does not know exactly (an
operator, an option, a type) is an error that names it. Then nothing is written.
"""
import argparse
import json
import os
import struct
import sys
from pathlib import Path

import numpy as np


class ConversionError(Exception):
    """What is wrong with the model, in one line."""


# ---- FlatBuffers: tables that name their fields by number --------------------------------------

class Table:
    """A FlatBuffers table: `data[pos]` starts with the distance back to its list of field offsets."""

    def __init__(self, data, pos):
        self.data, self.pos = data, pos
        self.vtable = pos - read(data, pos, "<i")
        self.vtable_size = read(data, self.vtable, "<H")
        if self.vtable_size < 4 or self.vtable_size % 2:
            raise ConversionError(f"malformed table at byte {pos}")

    def _field(self, number):
        slot = 4 + 2 * number
        offset = read(self.data, self.vtable + slot, "<H") if slot < self.vtable_size else 0
        return self.pos + offset if offset else None

    def scalar(self, number, fmt, default=0):
        at = self._field(number)
        return default if at is None else read(self.data, at, "<" + fmt)

    def _reference(self, number):
        at = self._field(number)
        return None if at is None else at + read(self.data, at, "<I")

    def table(self, number):
        at = self._reference(number)
        return None if at is None else Table(self.data, at)

    def tables(self, number):
        at = self._reference(number)
        if at is None:
            return []
        count = read(self.data, at, "<I")
        if count > (len(self.data) - at) // 4:
            raise ConversionError(f"vector at byte {at} is longer than the file")
        slots = range(at + 4, at + 4 + 4 * count, 4)
        return [Table(self.data, s + read(self.data, s, "<I")) for s in slots]

    def array(self, number, dtype):
        at = self._reference(number)
        if at is None:
            return np.zeros(0, dtype)
        dtype = np.dtype(dtype).newbyteorder("<")
        count = read(self.data, at, "<I")
        if count > (len(self.data) - at - 4) // dtype.itemsize:
            raise ConversionError(f"vector at byte {at} is longer than the file")
        return np.frombuffer(self.data, dtype, count, at + 4)


def read(data, at, fmt):
    if at < 0 or at + struct.calcsize(fmt) > len(data):
        raise ConversionError(f"offset {at} is outside the file ({len(data)} bytes)")
    return struct.unpack_from(fmt, data, at)[0]


# ---- the model: tensors and their constant values ----------------------------------------------

FLOAT32, FLOAT16, INT32 = 0, 1, 2
NUMPY = {FLOAT32: np.dtype("<f4"), FLOAT16: np.dtype("<f2"), INT32: np.dtype("<i4")}
SAFETENSORS = {np.dtype("<f4"): "F32", np.dtype("<f2"): "F16", np.dtype("<i4"): "I32"}
OPERATORS = {0: "ADD", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 5: "DEPTH_TO_SPACE",
             6: "DEQUANTIZE", 22: "RESHAPE", 23: "RESIZE_BILINEAR", 34: "PAD", 124: "DENSIFY"}
ACTIVATIONS = {0: "NONE", 1: "RELU", 3: "RELU6"}
PADDINGS = {0: "SAME", 1: "VALID"}


class Model:
    def __init__(self, data):
        if len(data) < 8 or data[4:8] != b"TFL3":
            raise ConversionError("not a TensorFlow Lite model (no TFL3 mark)")
        root = Table(data, read(data, 0, "<I"))
        version = root.scalar(0, "I")
        if version != 3:
            raise ConversionError(f"schema version {version}, expected 3")
        self.codes = [max(c.scalar(0, "b"), c.scalar(3, "i")) for c in root.tables(1)]
        self.buffers = root.tables(4)
        graphs = root.tables(2)
        if len(graphs) != 1:
            raise ConversionError(f"{len(graphs)} subgraphs, expected 1")
        self.tensors = graphs[0].tables(0)
        self.inputs = [self._checked(t) for t in graphs[0].array(1, "i4")]
        self.outputs = [self._checked(t) for t in graphs[0].array(2, "i4")]
        self.operators = [self._operator(i, o) for i, o in enumerate(graphs[0].tables(3))]

    def _checked(self, tensor):
        if not 0 <= tensor < len(self.tensors):
            raise ConversionError(f"tensor {tensor} of {len(self.tensors)}")
        return int(tensor)

    def _operator(self, number, op):
        code = op.scalar(0, "I")
        if code >= len(self.codes):
            raise ConversionError(f"operator {number} has code {code} of {len(self.codes)}")
        builtin = self.codes[code]
        if builtin not in OPERATORS:
            raise ConversionError(f"operator {number} is builtin {builtin}, which is not supported")
        inputs = [self._checked(t) for t in op.array(1, "i4") if t != -1]
        outputs = [self._checked(t) for t in op.array(2, "i4")]
        if len(outputs) != 1 or not inputs:
            raise ConversionError(f"operator {number} ({OPERATORS[builtin]}): {len(inputs)} inputs, "
                                  f"{len(outputs)} outputs")
        return number, OPERATORS[builtin], inputs, outputs[0], op.table(4)

    def shape(self, tensor):
        shape = [int(d) for d in self.tensors[tensor].array(0, "i4")]
        if any(d < 1 for d in shape):
            raise ConversionError(f"tensor {tensor} has shape {shape}")
        return shape

    def constant(self, tensor):
        """The values of a constant, dense, or None for what an operator computes."""
        table = self.tensors[tensor]
        number = table.scalar(2, "I")
        if number >= len(self.buffers):
            raise ConversionError(f"tensor {tensor} has buffer {number} of {len(self.buffers)}")
        raw = self.buffers[number].array(0, "u1")
        if raw.size == 0:
            return None
        kind = table.scalar(1, "b")
        if kind not in NUMPY:
            raise ConversionError(f"tensor {tensor} has type {kind}; float32, float16, int32 are known")
        if raw.size % NUMPY[kind].itemsize:
            raise ConversionError(f"tensor {tensor} has {raw.size} bytes, not whole numbers")
        values, shape = raw.view(NUMPY[kind]), self.shape(tensor)
        sparsity = table.table(6)
        if sparsity is not None:
            return densify(values, shape, sparsity, tensor)
        if values.size != number_of_elements(shape):
            raise ConversionError(f"tensor {tensor} has {values.size} values for shape {shape}")
        return values.reshape(shape)


def number_of_elements(shape):
    count = 1
    for d in shape:
        count *= d  # Python's integers do not wrap
    return count


def densify(values, shape, sparsity, tensor):
    """Writes out a tensor stored as TACO levels: dimensions, then block dimensions, in traversal order."""
    order = [int(v) for v in sparsity.array(0, "i4")]
    blocks = [int(v) for v in sparsity.array(1, "i4")]
    levels = sparsity.tables(2)
    rank = len(shape)
    if sorted(order) != list(range(rank + len(blocks))) or len(levels) != len(order):
        raise ConversionError(f"tensor {tensor}: malformed traversal order")
    if any(not 0 <= b < rank for b in blocks) or len(set(blocks)) != len(blocks):
        raise ConversionError(f"tensor {tensor}: malformed block map")
    if number_of_elements(shape) > 1 << 28:
        raise ConversionError(f"tensor {tensor}: shape {shape} is too large")

    # Level by level, each stored path so far becomes one path a stored child.
    coordinates = np.zeros((1, len(order)), np.int64)
    size = {}
    for level, dim in zip(levels, order):
        paths = len(coordinates)
        if level.scalar(0, "b") == 0:
            extent = level.scalar(1, "i")
            if extent < 1 or paths * extent > number_of_elements(shape):
                raise ConversionError(f"tensor {tensor}: more places than shape {shape} has")
            children, counts = np.tile(np.arange(extent), paths), np.full(paths, extent)
            size[dim] = extent
        else:
            segments, children = index_vector(level, 2, tensor), index_vector(level, 4, tensor)
            counts = np.diff(segments)
            if (len(segments) != paths + 1 or segments[0] != 0 or (counts < 0).any()
                    or segments[-1] != len(children)):
                raise ConversionError(f"tensor {tensor}: malformed segments")
        coordinates = np.repeat(coordinates, counts, axis=0)
        coordinates[:, dim] = children
    if len(coordinates) != values.size:
        raise ConversionError(f"tensor {tensor}: {values.size} values for {len(coordinates)} places")

    place = coordinates[:, :rank].copy()
    for i, dim in enumerate(blocks):
        if rank + i not in size:
            raise ConversionError(f"tensor {tensor}: block dimension {i} is not dense")
        place[:, dim] = place[:, dim] * size[rank + i] + coordinates[:, rank + i]
    if (place < 0).any() or (place >= shape).any():
        raise ConversionError(f"tensor {tensor}: an index is outside shape {shape}")
    flat = np.ravel_multi_index(tuple(place.T), shape)
    if len(np.unique(flat)) != len(flat):
        raise ConversionError(f"tensor {tensor}: two values in one place")
    dense = np.zeros(number_of_elements(shape), values.dtype)
    dense[flat] = values
    return dense.reshape(shape)


def index_vector(level, field, tensor):
    kind, table = level.scalar(field, "B"), level.table(field + 1)
    types = {1: "i4", 2: "u2", 3: "u1"}
    if kind not in types or table is None:
        raise ConversionError(f"tensor {tensor}: unknown index vector type {kind}")
    return table.array(0, types[kind]).astype(np.int64)


# ---- operators to lines of text ----------------------------------------------------------------

def convert(model):
    """Returns the lines of graph.txt and the constants by tensor number."""
    known = {}  # constants, also those that DENSIFY and DEQUANTIZE make of others
    used, lines = {}, []
    computed = set(model.inputs)

    def constant(tensor):
        if tensor not in known:
            known[tensor] = None if tensor in computed else model.constant(tensor)
        return known[tensor]

    lines.append("INPUT " + " ".join(f"t{t}" for t in model.inputs))
    lines.append("OUTPUT " + " ".join(f"t{t}" for t in model.outputs))
    for number, name, inputs, output, options in model.operators:
        where = f"operator {number} ({name})"
        if name in ("DENSIFY", "DEQUANTIZE"):
            value = constant(inputs[0])
            if len(inputs) != 1 or value is None:
                raise ConversionError(f"{where} is supported on constants only")
            if name == "DEQUANTIZE" and value.dtype != NUMPY[FLOAT16]:
                raise ConversionError(f"{where} is supported on float16 only")
            if list(value.shape) != model.shape(output):
                raise ConversionError(f"{where} changes the shape of tensor {inputs[0]}")
            known[output] = value
            continue
        for t in inputs:
            if t in computed:
                continue
            if constant(t) is None:
                raise ConversionError(f"{where} reads tensor {t} before it is computed")
            used[t] = constant(t)
        computed.add(output)
        shape = "x".join(map(str, model.shape(output)))
        extra = describe(name, options, where)
        lines.append(f"{name} out=t{output} shape={shape} in=" + ",".join(f"t{t}" for t in inputs)
                     + "".join(" " + e for e in extra))
    for t in model.outputs:
        if t not in computed:
            raise ConversionError(f"output tensor {t} is never computed")
    return lines, used


def describe(name, options, where):
    """The options of an operator as key=value; refuses those that the graph's readers do not have."""
    def scalar(field, fmt, default=0):
        return options.scalar(field, fmt, default) if options is not None else default

    def choice(table, field, what):
        value = scalar(field, "b")
        if value not in table:
            raise ConversionError(f"{where} has {what} {value}, which is not supported")
        return table[value]

    if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        shift = 0 if name == "CONV_2D" else 1
        if scalar(4 + shift, "i", 1) != 1 or scalar(5 + shift, "i", 1) != 1:
            raise ConversionError(f"{where} is dilated, which is not supported")
        stride = scalar(2, "i"), scalar(1, "i")
        if min(stride) < 1:
            raise ConversionError(f"{where} has stride {stride}")
        text = [f"stride={stride[0]},{stride[1]}", "padding=" + choice(PADDINGS, 0, "padding"),
                "act=" + choice(ACTIVATIONS, 3 + shift, "activation")]
        return text + [f"mult={scalar(3, 'i')}"] if shift else text
    if name == "ADD":
        return ["act=" + choice(ACTIVATIONS, 0, "activation")]
    if name == "CONCATENATION":
        if scalar(1, "b") != 0:
            raise ConversionError(f"{where} has an activation, which is not supported")
        return [f"axis={scalar(0, 'i')}"]
    if name == "RESIZE_BILINEAR":
        return [f"align_corners={scalar(2, 'B')}", f"half_pixel={scalar(3, 'B')}"]
    if name == "DEPTH_TO_SPACE":
        return [f"block={scalar(0, 'i')}"]
    return []  # PAD and RESHAPE say everything in their inputs and shape


# ---- writing -----------------------------------------------------------------------------------

GRAPH_HEAD = ("# one operator a line, in execution order; NHWC; weights in weights.safetensors under the "
              "same names (CONV_2D: O,H,W,I; DEPTHWISE: 1,H,W,C)")


def safetensors_bytes(constants, source):
    header = {"__metadata__": {"source": source, "note": "zeros are the zeros of the released model"}}
    at, parts = 0, []
    for t in sorted(constants):
        value = np.ascontiguousarray(constants[t])
        header[f"t{t}"] = {"dtype": SAFETENSORS[value.dtype], "shape": list(value.shape),
                           "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
        parts.append(value.tobytes())
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data starts at a multiple of 8
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


def write_folder(folder, files):
    """All files or none: writes under other names first, then renames."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = {name: folder / f".{name}.{os.getpid()}" for name in files}
    try:
        for name, content in files.items():
            temporary[name].write_bytes(content)
        for name in files:
            os.replace(temporary[name], folder / name)
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)


def main():
    parser = argparse.ArgumentParser(description="Converts a .tflite network to a model folder.")
    parser.add_argument("model", type=Path, help="the .tflite file")
    parser.add_argument("folder", type=Path, help="where graph.txt and weights.safetensors go")
    arguments = parser.parse_args()
    try:
        model = Model(arguments.model.read_bytes())
        lines, constants = convert(model)
        graph = "\n".join([GRAPH_HEAD, *lines]) + "\n"
        write_folder(arguments.folder, {
            "weights.safetensors": safetensors_bytes(constants, arguments.model.name),
            "graph.txt": graph.encode()})
    except (ConversionError, OSError) as problem:
        sys.exit(f"convert_tflite: {arguments.model}: {problem}")
    zeros = sum(int(np.count_nonzero(v == 0)) for v in constants.values() if v.ndim == 4)
    size = sum(v.size for v in constants.values() if v.ndim == 4)
    print(f"{arguments.folder}: {len(lines) - 2} operators, {len(constants)} constants, "
          f"{100 * zeros / max(size, 1):.1f} % of the convolution weights are zero")


if __name__ == "__main__":
    main()
