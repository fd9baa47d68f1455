"""ONNX Runtime, forward only; the network is written as an ONNX graph."""

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from engines.channels_first import ChannelsFirst, images, images_back, side
from engines.problem import Problem

OPSET, IR = 17, 8  # versions of ONNX that every Runtime of the last years can read


class OnnxRuntime:
    """A session of the CPU provider with all graph optimizations, for convolutional networks without a top."""

    version = f"ONNX Runtime {onnxruntime.__version__}"

    def __init__(self, path, threads):
        problem = Problem.load(path)
        self.x = {"x": images(problem.x)}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            self._graph(problem).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    @staticmethod
    def _graph(problem):
        turned, nodes, weights, value = ChannelsFirst(problem), [], [], "x"
        for layer in problem.layers:
            name = layer["name"]
            if layer["class"] == "Conv2D":
                arrays = [problem.weights[f"{name}/{parameter}"] for parameter in ("kernel", "bias")]
                weights.append(numpy_helper.from_array(turned.turn(f"{name}/kernel", arrays[0]), f"{name}/kernel"))
                weights.append(numpy_helper.from_array(arrays[1], f"{name}/bias"))
                rows, columns = side(layer)
                pads = [rows, columns, rows, columns]
                nodes.append(helper.make_node("Conv", [value, f"{name}/kernel", f"{name}/bias"], [name], pads=pads))
                value = name
                if layer["activation"] == "relu":
                    nodes.append(helper.make_node("Relu", [name], [f"{name}/relu"]))
                    value = f"{name}/relu"
            elif layer["class"] == "MaxPool2D":
                sizes = {"kernel_shape": layer["pool_size"], "strides": layer["strides"]}
                nodes.append(helper.make_node("MaxPool", [value], [name], **sizes))
                value = name
            else:
                raise ValueError(f"{name}: expected a convolution or a pool, got {layer['class']}")
        H, W, C = problem.x.shape[1:]
        single = onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            nodes,
            "network",
            [helper.make_tensor_value_info("x", single, ["N", C, H, W])],
            [helper.make_tensor_value_info(value, single, None)],
            weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)

    def results(self):
        return {"output": np.ascontiguousarray(images_back(self.session.run(None, self.x)[0]))}

    def run(self):
        self.session.run(None, self.x)
