"""The ideas of a layer in ONNX Runtime: graphs of ONNX operators, weights inside, on its CPU provider in float32."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import scipy.sparse
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pennyweight.core.errors import UserError
from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.ideas.layer import BLOCKS, DENSITIES, Layer
from pennyweight.lottery.holding.ideas.runnable import Runnable

_OPSET, _IR = 20, 10

# An operator, its inputs, its outputs, its attributes.
Node = tuple[str, Sequence[str], Sequence[str], Mapping[str, Any]]


def session(model: bytes, stack: Stack) -> onnxruntime.InferenceSession:
    """A session on the stack's threads."""
    if (stack.device, stack.precision) != ("cpu", "fp32"):
        raise UserError(f"stack {stack}", expected="onnxruntime on the cpu in fp32", hint="try cpu/onnxruntime/fp32")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = stack.threads, 1
    options.log_severity_level = 4  # what fails is raised, and told once
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def prepare(layer: Layer, idea: str, stack: Stack) -> Runnable:
    """An idea as a graph with its weights, ready to be called."""
    if idea in DENSITIES:
        return _sparse(layer, idea, stack)
    nodes, weights, statement = _spelt(layer, idea)
    ready = session(_model(layer, nodes, weights), stack)
    x = layer.x
    return Runnable(call=lambda: ready.run(None, {"x": x}), arrays=list, statement=statement)


def _model(layer: Layer, nodes: Sequence[Node], weights: Mapping[str, NDArray[Any]], *more: Any) -> bytes:
    graph = helper.make_graph(
        [helper.make_node(name, ins, outs, **settings) for name, ins, outs, settings in nodes],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, layer.x.shape), *more],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=_IR).SerializeToString())


def _sparse(layer: Layer, idea: str, stack: Stack) -> Runnable:
    """Its one sparse product takes the matrix as an input: as a weight it would be unpacked into a dense one."""
    shape = (layer.width, layer.width)
    matrix = onnx.ValueInfoProto(name="w")
    matrix.type.sparse_tensor_type.elem_type = TensorProto.FLOAT
    for extent in shape:
        matrix.type.sparse_tensor_type.shape.dim.add().dim_value = extent
    nodes: list[Node] = [
        ("Transpose", ["x"], ["a"], {"perm": [1, 0]}),
        ("SparseToDenseMatMul", ["w", "a"], ["b"], {"domain": "com.microsoft"}),
        ("Transpose", ["b"], ["y"], {"perm": [1, 0]}),
    ]
    ready = session(_model(layer, nodes, {}, matrix), stack)
    csr = scipy.sparse.csr_array(layer.sparse(idea).T)
    stored = onnxruntime.SparseTensor.sparse_csr_from_numpy(
        np.array(shape, np.int64), csr.data, csr.indices.astype(np.int64), csr.indptr.astype(np.int64),
        onnxruntime.OrtDevice.make("cpu", 0),
    )  # fmt: skip
    feeds = {
        "x": onnxruntime.OrtValue.ortvalue_from_numpy(layer.x),
        "w": onnxruntime.OrtValue.ort_value_from_sparse_tensor(stored),
    }
    return Runnable(
        call=lambda: ready.run_with_ort_values(["y"], feeds),
        arrays=lambda out: [out[0].numpy()],
        statement="SparseToDenseMatMul(csr(w.T), x.T).T",
    )


def _spelt(layer: Layer, idea: str) -> tuple[list[Node], dict[str, NDArray[Any]], str]:
    """An idea as nodes from x to y, the weights that they use, and how it is written."""
    if idea == "block diagonal":
        nodes: list[Node] = [
            ("Reshape", ["x", "apart"], ["a"], {}),
            ("Transpose", ["a"], ["b"], {"perm": [1, 0, 2]}),
            ("MatMul", ["b", "w"], ["c"], {}),
            ("Transpose", ["c"], ["d"], {"perm": [1, 0, 2]}),
            ("Reshape", ["d", "whole"], ["y"], {}),
        ]
        shapes = {"apart": np.array([layer.rows, BLOCKS, -1]), "whole": np.array(layer.x.shape)}
        return nodes, {"w": layer.blocks, **shapes}, "MatMul(x in blocks, w)"
    if idea == "low rank":
        nodes = [("MatMul", ["x", "u"], ["a"], {}), ("MatMul", ["a", "v"], ["y"], {})]
        return nodes, dict(zip("uv", layer.thin, strict=True)), "MatMul(MatMul(x, u), v)"
    if idea == "circulant":
        return _circulant(layer)
    if idea == "bf16":
        nodes = [
            ("Cast", ["x"], ["a"], {"to": TensorProto.BFLOAT16}),
            ("Cast", ["w"], ["b"], {"to": TensorProto.BFLOAT16}),
            ("MatMul", ["a", "b"], ["c"], {}),
            ("Cast", ["c"], ["y"], {"to": TensorProto.FLOAT}),
        ]
        return nodes, {"w": layer.dense}, "MatMul in bfloat16"
    if idea == "dense":
        return [("MatMul", ["x", "w"], ["y"], {})], {"w": layer.dense}, "MatMul(x, w)"
    scales = np.abs(layer.dense).max(axis=0) / 127
    nodes = [
        ("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"], {}),
        ("MatMulInteger", ["q", "w", "zero"], ["sums"], {}),
        ("Cast", ["sums"], ["wide"], {"to": TensorProto.FLOAT}),
        ("Mul", ["scale", "scales"], ["both"], {}),
        ("Mul", ["wide", "both"], ["y"], {}),
    ]
    weights = {"w": np.round(layer.dense / scales).astype(np.int8), "scales": scales}
    return nodes, weights, "MatMulInteger(DynamicQuantizeLinear(x), w) * scales"


def _circulant(layer: Layer) -> tuple[list[Node], dict[str, NDArray[Any]], str]:
    """ONNX's inverse transform makes no real numbers out of half a spectrum, so whole ones are taken."""
    spectrum = np.fft.fft(layer.circulant.astype(np.float64))
    real, imaginary = (part.astype(np.float32)[None, :, None] for part in (spectrum.real, spectrum.imag))
    split = {"axis": 2, "num_outputs": 2}
    nodes: list[Node] = [
        ("Unsqueeze", ["x", "last"], ["x3"], {}),
        ("DFT", ["x3", "", "axis"], ["f"], {"onesided": 0}),
        ("Split", ["f"], ["fr", "fi"], split),
        ("Mul", ["fr", "cr"], ["rr"], {}), ("Mul", ["fi", "ci"], ["ii"], {}), ("Sub", ["rr", "ii"], ["gr"], {}),
        ("Mul", ["fr", "ci"], ["ri"], {}), ("Mul", ["fi", "cr"], ["ir"], {}), ("Add", ["ri", "ir"], ["gi"], {}),
        ("Concat", ["gr", "gi"], ["g"], {"axis": 2}),
        ("DFT", ["g", "", "axis"], ["z"], {"inverse": 1}),
        ("Split", ["z"], ["zr", "zi"], split),
        ("Squeeze", ["zr", "last"], ["y"], {}),
    ]  # fmt: skip
    weights = {"last": np.array([-1]), "axis": np.array(1), "cr": real, "ci": imaginary}
    return nodes, weights, "DFT(DFT(x) * c, inverse=1)"
