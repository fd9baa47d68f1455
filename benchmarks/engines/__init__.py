"""The engines that `versus.py` compares, one per file. Each runs in a process of its own and has this form:

    class Engine:
        version                     the library's name and version
        Engine(path, threads)       the network of the problem stored at `path` (see `problem.py`), with its weights
        results()                   {"output": y, "loss": L, "gradient of conv2d_1/kernel": ..., ...} without dropout
                                    and with the moving averages of batch norm, all in the layouts of `problem`; also
                                    the "loss in training" if there is no dropout; only the output if nothing is trained
        run()                       what is timed: one training step or one forward pass; on a GPU, `GPU_STEPS` of
                                    them, ending when the GPU has finished
        peak_bytes()                on a GPU only: the memory taken there

An engine's file imports its library at the top; if that fails, the engine is left out. To add an engine, add a file and
a line of the table below.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """An engine's class (module:class), its name in charts, whether it can train, and its array library.

    `chains_only`: it was written for networks of convolutions, max pools and dense layers alone.
    """

    target: str
    library: str
    trains: bool = True
    backend: str = "numpy"
    chains_only: bool = False

    def cannot(self, training, chain):
        """Why this engine cannot run a training step or a forward pass of a network that is such a chain or not."""
        if training and not self.trains:
            return "it does not train"
        if self.chains_only and not chain:
            return "here it runs chains of convolutions, max pools and dense layers only"
        return None

    @property
    def steps(self):
        """The number of steps in one call of `run`."""
        return 1 if self.backend == "numpy" else GPU_STEPS


GPU_STEPS = 20
OURS = {"numpy": "minitorch_cnn", "cupy": "minitorch_cnn cupy graph"}
ENGINES = {
    "minitorch_cnn": Entry("engines.minitorch:Minitorch", "minitorch_cnn"),
    "pytorch channels_last": Entry("engines.pytorch:ChannelsLast", "PyTorch"),
    "pytorch contiguous": Entry("engines.pytorch:Contiguous", "PyTorch"),
    "pytorch compiled": Entry("engines.pytorch_compiled:Compiled", "PyTorch"),
    "keras": Entry("engines.keras_tensorflow:Keras", "Keras"),
    "onnxruntime": Entry("engines.onnx_runtime:OnnxRuntime", "ONNX Runtime", trains=False),
    "openvino": Entry("engines.open_vino:OpenVino", "OpenVINO", trains=False),
    "dezero": Entry("engines.dezero_numpy:DeZero", "DeZero", chains_only=True),
    "numpy im2col": Entry("engines.plain_numpy:PlainNumpy", "NumPy", chains_only=True),
    "minitorch_cnn cupy graph": Entry("engines.minitorch_cuda:CupyGraph", "minitorch_cnn", backend="cupy"),
    "minitorch_cnn cupy": Entry("engines.minitorch_cuda:Cupy", "minitorch_cnn", backend="cupy"),
    "pytorch cuda": Entry("engines.pytorch_cuda:Eager", "PyTorch", backend="cupy"),
    "pytorch cuda graph": Entry("engines.pytorch_cuda:Graph", "PyTorch with CUDA graphs", backend="cupy"),
}
