"""The engines that `versus.py` compares, one a file. Each runs in a process of its own and looks like this:

    class Engine:
        version                     what it calls itself, with its version
        Engine(path, threads)       the network of the problem stored at `path` (see `problem.py`), with its weights
        results()                   {"output": y, "loss": L, "gradient of conv2d_1/kernel": ..., ...}, dropout off,
                                    all in the layouts of `problem`; the output alone where nothing is trained
        run()                       what is timed: one training step, or one forward pass

An engine's file imports its library at the top: where that fails, the engine is left out. Another engine is another
file and another line of the table.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """Where an engine lives (module:class), what to call it in a chart, and whether it can train."""

    target: str
    library: str
    trains: bool = True


OURS = "minitorch_cnn"
ENGINES = {
    OURS: Entry("engines.minitorch:Minitorch", "minitorch_cnn"),
    "pytorch channels_last": Entry("engines.pytorch:ChannelsLast", "PyTorch"),
    "pytorch contiguous": Entry("engines.pytorch:Contiguous", "PyTorch"),
    "keras": Entry("engines.keras_tensorflow:Keras", "Keras"),
    "onnxruntime": Entry("engines.onnx_runtime:OnnxRuntime", "ONNX Runtime", trains=False),
    "dezero": Entry("engines.dezero_numpy:DeZero", "DeZero"),
    "numpy im2col": Entry("engines.plain_numpy:PlainNumpy", "NumPy"),
}
