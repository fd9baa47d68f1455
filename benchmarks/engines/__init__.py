"""The engines that `versus.py` compares, one a file. Each runs in a process of its own and looks like this:

    class Engine:
        version                     what it calls itself, with its version
        Engine(path, threads)       the network of the problem stored at `path` (see `problem.py`), with its weights
        results()                   {"output": y, "loss": L, "gradient of conv2d_1/kernel": ..., ...}, dropout off,
                                    all in the layouts of `problem`; the output alone where nothing is trained
        run()                       what is timed: one training step, or one forward pass; on a GPU `GPU_STEPS` of
                                    them, and then it is waited for
        peak_bytes()                on a GPU only: the memory held there

An engine's file imports its library at the top: where that fails, the engine is left out. Another engine is another
file and another line of the table.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """Where an engine lives (module:class), what to call it in a chart, whether it can train, and where it computes."""

    target: str
    library: str
    trains: bool = True
    backend: str = "numpy"

    @property
    def steps(self):
        """How many steps a call of `run` takes."""
        return 1 if self.backend == "numpy" else GPU_STEPS


GPU_STEPS = 20
OURS = {"numpy": "minitorch_cnn", "cupy": "minitorch_cnn cupy graph"}
ENGINES = {
    "minitorch_cnn": Entry("engines.minitorch:Minitorch", "minitorch_cnn"),
    "pytorch channels_last": Entry("engines.pytorch:ChannelsLast", "PyTorch"),
    "pytorch contiguous": Entry("engines.pytorch:Contiguous", "PyTorch"),
    "keras": Entry("engines.keras_tensorflow:Keras", "Keras"),
    "onnxruntime": Entry("engines.onnx_runtime:OnnxRuntime", "ONNX Runtime", trains=False),
    "dezero": Entry("engines.dezero_numpy:DeZero", "DeZero"),
    "numpy im2col": Entry("engines.plain_numpy:PlainNumpy", "NumPy"),
    "minitorch_cnn cupy graph": Entry("engines.minitorch_cuda:CupyGraph", "minitorch_cnn", backend="cupy"),
    "minitorch_cnn cupy": Entry("engines.minitorch_cuda:Cupy", "minitorch_cnn", backend="cupy"),
    "pytorch cuda": Entry("engines.pytorch_cuda:Eager", "PyTorch", backend="cupy"),
    "pytorch cuda graph": Entry("engines.pytorch_cuda:Graph", "PyTorch with CUDA graphs", backend="cupy"),
}
