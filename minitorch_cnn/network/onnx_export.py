"""Writes a model as an ONNX file, which other programs run.

ONNX stores images as (N, C, H, W). So the graph begins by moving the channels forward, and every feature map keeps them
there until a layer needs them at the end again (Flatten, because the weights behind it expect that order). Its input
and its outputs have our order, (N, H, W, C).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.arguments import check_path
from minitorch_cnn.arrays import on_host
from minitorch_cnn.datasets.preprocessing import Caffe, Standardize, Unit
from minitorch_cnn.errors import ArgumentError, require
from minitorch_cnn.files.replacing import named_place, replacing
from minitorch_cnn.network.onnx_layers import WRITERS

OPSET, IR_VERSION = 17, 8
FORWARD, BACK = (0, 3, 1, 2), (0, 2, 3, 1)  # (N, H, W, C) to (N, C, H, W), and back


class OnnxExport:
    """The part of a `Model` that writes ONNX files."""

    def export_onnx(self: Any, path: str | Path, pixels: bool | None = None) -> None:
        """Write the model to `path`, for predictions: dropout is left out, batch norm uses its moving averages.

        With `pixels` (left out: if the model has a preprocessing) the input is uint8 images, and the preprocessing is
        part of the file; otherwise it is float32 numbers. Raises MissingPackage without the package onnx,
        ArgumentError, which lists them, for layers that have no counterpart, and CheckpointError if the file cannot be
        written.
        """
        place = named_place(os.fsdecode(check_path(path, "export_onnx")))
        onnx = require("onnx", "exporting to ONNX")
        graph = Graph(onnx, self, self.preprocessing is not None if pixels is None else pixels)
        with replacing(place) as file:
            file.write(graph.model().SerializeToString())


class Graph:
    """The ONNX graph of a model; the functions in `onnx_layers.py` add their nodes to it."""

    def __init__(self, onnx: Any, model: Any, pixels: bool) -> None:
        self.onnx, self.source, self.pixels = onnx, model, pixels
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.known: dict[tuple[str, str], str] = {}  # (layer, parameter): its name in the file
        unknown = sorted({type(node.layer).__name__ for node in model.nodes()} - WRITERS.keys())
        if unknown:
            raise ArgumentError(f"ONNX: no counterpart for the layers {', '.join(unknown)}")

    def add(self, kind: str, *inputs: str, name: str, **attributes: Any) -> str:
        """Add a node with one output, and return that."""
        output = f"{name}:{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        """A constant of the file, and its name there."""
        array = np.ascontiguousarray(on_host(values), dtype)
        self.constants.append(self.onnx.numpy_helper.from_array(array, f"{name}:{len(self.constants)}"))
        return self.constants[-1].name

    def weight(self, layer: Any, name: str, turned: Callable[[np.ndarray], np.ndarray] = lambda array: array) -> str:
        """A parameter of a layer as `turned` makes it; a layer that stands at several places is stored once."""
        key = layer.name, name
        if key not in self.known:
            self.known[key] = self.constant(f"{layer.name}/{name}", turned(on_host(layer.parameters[name])))
        return self.known[key]

    def forward(self, value: str, name: str) -> str:
        """(N, H, W, C) as (N, C, H, W)."""
        return self.add("Transpose", value, name=name, perm=FORWARD)

    def back(self, value: str, name: str) -> str:
        """(N, C, H, W) as (N, H, W, C)."""
        return self.add("Transpose", value, name=name, perm=BACK)

    def model(self) -> Any:
        """The whole file."""
        helper, types = self.onnx.helper, self.onnx.TensorProto
        source = self.source
        shapes = [source.input_shape] if source.inputs == 1 else source.input_shape
        kind = types.UINT8 if self.pixels else types.FLOAT
        inputs, values = [], {}
        for number, shape in enumerate(shapes):
            name = "input" if len(shapes) == 1 else f"input_{number + 1}"
            inputs.append(helper.make_tensor_value_info(name, kind, ["N", *shape]))
            value = preprocessed(self, name) if self.pixels else name
            values[number] = self.forward(value, name) if len(shape) == 3 else value
        for node in source.nodes():
            values[node.output] = WRITERS[type(node.layer).__name__](
                self, node.layer, *(values[number] for number in node.inputs)
            )
        outputs = []
        for place, (number, layer) in enumerate(zip(source.ends, source.last_layers())):
            value, shape = values[number], layer.output_shape
            value = self.back(value, layer.name) if len(shape) == 3 else value
            name = "output" if source.outputs == 1 else f"output_{place + 1}"
            self.nodes.append(helper.make_node("Identity", [value], [name]))
            outputs.append(helper.make_tensor_value_info(name, types.FLOAT, ["N", *shape]))
        graph = helper.make_graph(self.nodes, "minitorch_cnn", inputs, outputs, self.constants)
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="minitorch_cnn")


def preprocessed(graph: Graph, value: str) -> str:
    """Pixels (N, H, W, C) of uint8 as the model's preprocessing makes them."""
    kind = graph.source.preprocessing
    value = graph.add("Cast", value, name="pixels", to=graph.onnx.TensorProto.FLOAT)
    if isinstance(kind, Standardize):
        scale = graph.constant("scale", [1 / each for each in kind.std])
        shift = graph.constant("shift", [-mean / std for mean, std in zip(kind.mean, kind.std)])
        return graph.add("Add", graph.add("Mul", value, scale, name="scaled"), shift, name="standardized")
    if isinstance(kind, Unit):
        return graph.add("Div", value, graph.constant("most", 255), name="unit")
    if isinstance(kind, Caffe):
        order = graph.constant("order", [2, 1, 0], np.int64)
        value = graph.add("Gather", value, order, name="bgr", axis=3)
        return graph.add("Sub", value, graph.constant("mean", kind.MEAN_BGR), name="centred")
    if kind is None:
        return value
    raise ArgumentError(f"ONNX: no counterpart for the preprocessing {type(kind).__name__}; export with pixels=False")
