"""Builds TensorFlow Lite models of one operator: a 1x1 convolution with its bias and activation, or none."""
import flatbuffers
import numpy as np
import tflite

ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU6": 3}


def _vector(builder, offsets):
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _tensor(builder, name, shape, buffer):
    label = builder.CreateString(name)
    dims = builder.CreateNumpyVector(np.asarray(shape, np.int32))
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, dims)
    tflite.TensorAddType(builder, tflite.TensorType.FLOAT32)
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddName(builder, label)
    return tflite.TensorEnd(builder)


def _model(tensors, constants, opcode, operator):
    """tensors: (name, shape, constant index or None); the first is the input, the last the output."""
    b = flatbuffers.Builder(1 << 16)
    buffers = []
    for data in [None] + constants:
        content = None if data is None else b.CreateNumpyVector(
            np.frombuffer(np.ascontiguousarray(data, np.float32).tobytes(), np.uint8))
        tflite.BufferStart(b)
        if content is not None:
            tflite.BufferAddData(b, content)
        buffers.append(tflite.BufferEnd(b))
    made = [_tensor(b, name, shape, 0 if index is None else index + 1)
            for name, shape, index in tensors]
    last = len(tensors) - 1
    op = operator(b, list(range(last)), last)
    tensor_vector, op_vector = _vector(b, made), _vector(b, [op])
    inputs = b.CreateNumpyVector(np.array([0], np.int32))
    outputs = b.CreateNumpyVector(np.array([last], np.int32))
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, tensor_vector)
    tflite.SubGraphAddInputs(b, inputs)
    tflite.SubGraphAddOutputs(b, outputs)
    tflite.SubGraphAddOperators(b, op_vector)
    subgraphs = _vector(b, [tflite.SubGraphEnd(b)])
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, opcode)
    tflite.OperatorCodeAddBuiltinCode(b, opcode)
    tflite.OperatorCodeAddVersion(b, 1)
    codes = _vector(b, [tflite.OperatorCodeEnd(b)])
    buffer_vector = _vector(b, buffers)
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddOperatorCodes(b, codes)
    tflite.ModelAddSubgraphs(b, subgraphs)
    tflite.ModelAddBuffers(b, buffer_vector)
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def _operator(builder, inputs, output, options_type, options):
    ins = builder.CreateNumpyVector(np.array(inputs, np.int32))
    outs = builder.CreateNumpyVector(np.array([output], np.int32))
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, 0)
    tflite.OperatorAddInputs(builder, ins)
    tflite.OperatorAddOutputs(builder, outs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(builder, options_type)
        tflite.OperatorAddBuiltinOptions(builder, options)
    return tflite.OperatorEnd(builder)


def convolution(weights, bias, height, width, activation):
    """1x1 convolution of a height x width image: weights features x channels, as in NHWC models."""
    m, k = weights.shape

    def operator(b, inputs, output):
        tflite.Conv2DOptionsStart(b)
        tflite.Conv2DOptionsAddPadding(b, tflite.Padding.VALID)
        tflite.Conv2DOptionsAddStrideW(b, 1)
        tflite.Conv2DOptionsAddStrideH(b, 1)
        tflite.Conv2DOptionsAddDilationWFactor(b, 1)
        tflite.Conv2DOptionsAddDilationHFactor(b, 1)
        tflite.Conv2DOptionsAddFusedActivationFunction(b, ACTIVATIONS[activation])
        return _operator(b, inputs, output, tflite.BuiltinOptions.Conv2DOptions,
                         tflite.Conv2DOptionsEnd(b))

    return _model([("x", (1, height, width, k), None), ("w", (m, 1, 1, k), 0), ("b", (m,), 1),
                   ("y", (1, height, width, m), None)],
                  [weights, bias], tflite.BuiltinOperator.CONV_2D, operator)


def empty():
    """The least that an interpreter can be asked to do: max(x, 0) of one number."""
    def operator(b, inputs, output):
        return _operator(b, inputs, output, 0, None)

    return _model([("x", (1, 1, 1, 1), None), ("y", (1, 1, 1, 1), None)], [],
                  tflite.BuiltinOperator.RELU, operator)
