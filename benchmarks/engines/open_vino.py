"""OpenVINO, forward only; it reads the network that this package exports to ONNX."""

from pathlib import Path

import numpy as np
import openvino

from engines.problem import Problem


class OpenVino:
    """A network compiled for the processor, for the lowest latency and in full float32, with a fixed batch size."""

    version = f"OpenVINO {openvino.__version__.partition('-')[0]}"

    def __init__(self, path, threads):
        self.x = Problem.load(path).x
        core = openvino.Core()
        network = core.read_model(Path(path).with_suffix(".onnx"))
        network.reshape(self.x.shape)
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self.request = core.compile_model(network, "CPU", settings).create_infer_request()

    def results(self):
        """See `engines`."""
        self.run()
        return {"output": np.array(self.request.get_output_tensor().data)}

    def run(self):
        """One forward pass."""
        self.request.infer([self.x], share_inputs=True)
