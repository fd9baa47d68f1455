"""Compiling side by side: while this process compiles the forward pass, a second one compiles the rest of the step.

Compiled code is kept on disk, so this happens once on a machine, when a network is trained for the first time. Numba
compiles in one thread, so a second core is of use only to a second process. It compiles what this network will need
after its forward pass, and names each function on its output when it is done; before this process calls one of
them, it waits for that line, and then finds the function on disk.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_cnn.arrays.dispatch import BOTH, what_runs
from minitorch_cnn.engine import layers
from minitorch_cnn.engine.convolution import row_windows, winograd
from minitorch_cnn.parallel.child import command_of
from minitorch_cnn.twins.numba import threads
from minitorch_cnn.twins.stages import ConvPool, ConvReLU, in_stages

FEW = 3  # functions that are not worth a second process
PATIENCE = 60.0  # seconds to wait for one function; then this process compiles all of them
_begun: set[tuple] = set()

Work = tuple  # (name of the function: "convolution.winograd.backward_kernel", sizes...)


class Helper:
    """The second process, and what it has compiled so far."""

    def __init__(self, works: list[Work]) -> None:
        self.open = {work[0] for work in works}
        self.news = threading.Condition()
        command = command_of(__name__, json.dumps(works))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
        self.process = subprocess.Popen(command, env=environment, stdin=nothing, stdout=pipe, stderr=nothing, text=True)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.process.stdout or ():
            with self.news:
                self.open.discard(line.strip())
                self.news.notify_all()
        with self.news:
            self.open.clear()
            self.news.notify_all()
        threads.before_each_twin(None)
        self.process.wait()

    def wait_for(self, name: str) -> None:
        """When the function `name` has been compiled, or will not be."""
        if name not in self.open:
            return
        with self.news:
            if not self.news.wait_for(lambda: name not in self.open, PATIENCE):
                self.open.clear()


def begin(model: Any, optimizer: Any, batch_size: int) -> None:
    """Start the second process if this network's step is about to be compiled, and there is a core for it."""
    works = works_of(model, optimizer, batch_size)
    key = tuple(map(tuple, works))
    if key in _begun:
        return
    _begun.add(key)
    if model.backend != "numpy" or model.dtype != np.float32 or what_runs() != BOTH or _cores() < 2:
        return
    try:
        missing = [work for work in works if not _is_on_disk(work[0])]
    except (ImportError, AttributeError, OSError):  # no Numba, or one that keeps its files in another way
        return
    if len(missing) >= FEW:
        threads.before_each_twin(Helper(missing).wait_for)


def works_of(model: Any, optimizer: Any, batch_size: int) -> list[Work]:
    """What a training step of `model` needs after its forward pass, in the order in which it needs it."""
    works: list[Work] = []
    for node in reversed(in_stages(model.nodes()[model.lowest_trainable() :])):
        works += _works_of(node.layer, batch_size)
    update = {
        "SGD": "sgd_update", "Muon": "sgd_update", "RMSprop": "rmsprop_update", "Adam": "adam_update",
    }.get(type(optimizer).__name__)  # fmt: skip
    works += [(f"optimizers.{update}",)] if update else []
    return list(dict.fromkeys(works))


def _works_of(layer: Any, batch_size: int) -> list[Work]:
    """The functions of a layer's or a stage's backward pass."""
    if isinstance(layer, ConvPool):
        return [("convolution.pooled.backward", layer.conv.filters), *_works_of_convolution(layer.conv, batch_size)]
    if isinstance(layer, ConvReLU):
        return [("convolution.epilogue.bias_relu_backward", layer.conv.filters),
                *_works_of_convolution(layer.conv, batch_size)]  # fmt: skip
    if isinstance(layer, layers.Conv2D):
        return _works_of_convolution(layer, batch_size)
    if isinstance(layer, layers.MaxPool2D):
        return [("layers.max_pool2d.max_pool_backward",)]
    if isinstance(layer, layers.Dropout):
        return [("layers.dropout.scale",)]
    return [("activations.relu_backward",)] if getattr(layer.activation, "name", None) == "relu" else []


def _works_of_convolution(conv: Any, batch_size: int) -> list[Work]:
    (KH, KW), C, K = conv.kernel_size, conv.input_shape[2], conv.filters
    algorithm = conv.algorithm_for(np.broadcast_to(np.float32(0), (batch_size, *conv.input_shape)))
    if algorithm is winograd and winograd.serves(conv.kernel_size, conv.strides):
        return [("convolution.winograd.backward_kernel", C, K), ("convolution.winograd.backward_input",)]
    if algorithm in (row_windows, winograd):
        return [("convolution.row_windows.backward_kernel", KH, KW, C, K)]
    return []


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# What is compiled: a small call of each function, with arrays of the types that a training step has.


def _images(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def _winograd_backward_kernel(C: int, K: int) -> None:
    from minitorch_cnn.twins.numba.convolution import winograd as twin

    twin.backward_kernel(_images(1, 6, 6, C), _images(1, 4, 4, K), (3, 3, C, K), (1, 1), ((0, 0), (0, 0)))


def _rows_backward_kernel(KH: int, KW: int, C: int, K: int) -> None:
    from minitorch_cnn.twins.numba.convolution import row_windows as twin

    x, dy = _images(1, KH, KW, C), _images(1, 1, 1, K)
    twin.backward_kernel(x, dy, (KH, KW, C, K), (1, 1), ((0, 0), (0, 0)))


def _turn() -> None:
    from minitorch_cnn.twins.numba.convolution.row_windows import turn

    turn(_images(3, 3, 2, 2))


def _pooled_backward(K: int) -> None:
    from minitorch_cnn.twins.numba.convolution import pooled

    pooled.backward(_images(1, 1, 1, K), np.zeros((1, 1, 1, K), np.uint8), (2, 2))


def _bias_relu_backward(K: int) -> None:
    from minitorch_cnn.twins.numba.convolution import epilogue

    epilogue.bias_relu_backward(_images(1, 1, 1, K), _images(1, 1, 1, K))


def _max_pool_backward() -> None:
    from minitorch_cnn.twins.numba.layers import max_pool2d

    winner = np.zeros((1, 1, 1, 1), np.uint8)
    max_pool2d.max_pool_backward(_images(1, 1, 1, 1), winner, (1, 2, 2, 1), (2, 2), (2, 2), ((0, 0), (0, 0)))


def _scale() -> None:
    from minitorch_cnn.twins.numba.layers import dropout

    dropout.scale(_images(4), np.ones(4, bool), 0.5)


def _relu_backward() -> None:
    from minitorch_cnn.twins.numba import activations

    activations.relu_backward(_images(2, 2), _images(2, 2))


def _update(name: str, slots: int, *settings: Any) -> Callable[[], None]:
    def work() -> None:
        from minitorch_cnn.twins.numba import optimizers

        getattr(optimizers, name)(*(_images(4) for _ in range(2 + slots)), *settings)

    return work


# name: (the small call, "module function", one that it compiles)
COMPILED: dict[str, tuple[Callable, str]] = {
    "convolution.winograd.backward_kernel": (_winograd_backward_kernel, "convolution.winograd_sums _points_to_kernel"),
    "convolution.winograd.backward_input": (_turn, "convolution.row_windows _turn"),
    "convolution.row_windows.backward_kernel": (_rows_backward_kernel, "convolution.row_windows _backward_kernel"),
    "convolution.pooled.backward": (_pooled_backward, "convolution.pooled _backward"),
    "convolution.epilogue.bias_relu_backward": (_bias_relu_backward, "convolution.epilogue _bias_relu_backward"),
    "layers.max_pool2d.max_pool_backward": (_max_pool_backward, "layers.max_pool2d _max_pool_backward"),
    "layers.dropout.scale": (_scale, "layers.dropout _scale"),
    "activations.relu_backward": (_relu_backward, "activations _relu_backward"),
    "optimizers.sgd_update": (_update("sgd_update", 1, 0.1, 0.9, True, 0.0), "optimizers _sgd"),
    "optimizers.rmsprop_update": (_update("rmsprop_update", 1, 0.1, 0.9, 1e-7, 0.0), "optimizers _rmsprop"),
    "optimizers.adam_update": (_update("adam_update", 2, 0.1, 0.9, 0.999, 1e-7, 0.0, 0.1), "optimizers _adam"),
}


def _is_on_disk(name: str) -> bool:
    """Whether a compiled version of the function is kept, for the source as it is now and the machine's features."""
    module, function = COMPILED[name][1].split()
    dispatcher = getattr(importlib.import_module(f"{__package__}.{module}"), function)
    target = dispatcher.targetctx.codegen().magic_tuple()
    return any(key[1] == target for key in dispatcher._cache._cache_file._load_index())


def main(works: list[list]) -> None:
    """Compile one function after the other, and print the name of each that is done for good."""
    for number, (name, *sizes) in enumerate(works):
        COMPILED[name][0](*sizes)
        if name not in {work[0] for work in works[number + 1 :]}:
            print(name, flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
