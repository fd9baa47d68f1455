"""ONNX Runtime, forward only; it reads the network that this package exports to ONNX."""

from pathlib import Path

import onnxruntime

from engines.problem import Problem


class OnnxRuntime:
    """A session of the CPU provider with all graph optimizations."""

    version = f"ONNX Runtime {onnxruntime.__version__}"

    def __init__(self, path, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(Path(path).with_suffix(".onnx")), options, providers=["CPUExecutionProvider"]
        )
        self.x = {self.session.get_inputs()[0].name: Problem.load(path).x}

    def results(self):
        """See `engines`."""
        return {"output": self.session.run(None, self.x)[0]}

    def run(self):
        """One forward pass."""
        self.session.run(None, self.x)
