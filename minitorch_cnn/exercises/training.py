"""Trains a network on the digits with nothing but the learner's functions: the end of the course.

Two convolutions, each with a ReLU and a max pool, and a dense layer. What no exercise asks for is written out here: the
forward pass of the pool and of the dense layer. Like the checks it runs in a process of its own, which the runner
starts with FOLDER RESULT. It writes its results to RESULT line by line as JSON: {"at": function} before each call, one
line for each epoch, and one at the end.
"""

import functools
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn import datasets
from minitorch_cnn.engine.convolution import im2col as package
from minitorch_cnn.exercises import course
from minitorch_cnn.exercises.checking import Wrong, guarded
from minitorch_cnn.exercises.worker import Tell, end_with_parent, function_of, load

NEEDED = ("dense", "relu", "softmax", "im2col", "col2im", "conv2d", "max_pool", "sgd")
PASSED = 0.97  # of the test digits
SIDE, FILTERS, BATCH, EPOCHS, RATE, MOMENTUM = 16, (8, 16), 32, 8, 0.05, 0.9
GENTLE = 2  # the last epochs have a fifth of the rate
TAPS, STEP, PADDING, WINDOW = (3, 3), (1, 1), ((1, 1), (1, 1)), (2, 2)

Arrays = dict[str, np.ndarray]


def functions_of(folder: Path, tell: Tell = lambda fact: None) -> dict[str, Callable]:
    """The learner's functions by name; before a file is imported, `tell` is told which.

    Where conv2d_backward uses the package's im2col and col2im, as its file does at the beginning, it is given those of
    the learner. Raises Wrong if a file cannot be imported or lacks its function.
    """
    found, modules = {}, {}
    for name in NEEDED:
        exercise = course.get(name)
        path = folder / exercise.file_name
        tell({"at": path.name})
        modules[name] = load(path)
        for task in exercise.tasks:
            found[task.function] = function_of(modules[name], task.function, path)
    for name in ("im2col", "col2im"):
        if getattr(modules["conv2d"], name, None) is getattr(package, name):
            setattr(modules["conv2d"], name, found[name])
    return found


def announced(functions: dict[str, Callable], tell: Tell) -> dict[str, Callable]:
    """The same functions; before each call, `tell` is told which, because it may never return."""

    def announce(name: str, function: Callable, *arguments: Any) -> Any:
        tell({"at": name})
        return function(*arguments)

    return {name: functools.partial(announce, name, function) for name, function in functions.items()}


class Network:
    """The digits network made of the learner's `functions`; its weights are drawn from `seed`."""

    def __init__(self, functions: dict[str, Callable], seed: int = 0) -> None:
        self.functions = functions
        random, first, second = np.random.default_rng(seed), *FILTERS
        flat = (SIDE // 4) ** 2 * second
        shapes = {"conv1": (*TAPS, 1, first), "conv2": (*TAPS, first, second), "dense": (flat, 10)}
        self.parameters: Arrays = {}
        for name, shape in shapes.items():
            kernel = random.standard_normal(shape) * math.sqrt(2 / math.prod(shape[:-1]))
            self.parameters[f"{name}/kernel"] = kernel.astype(np.float32)
            self.parameters[f"{name}/bias"] = np.zeros(shape[-1], np.float32)
        self.velocity = {name: np.zeros_like(array) for name, array in self.parameters.items()}
        self.trainable = dict.fromkeys(self.parameters, True)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Arrays]:
        """The scores (N, 10) of images (N, SIDE, SIDE, 1), and what the backward pass needs."""
        kept = {"x": x}
        kept["conv1"] = self._convolution("conv1", x)
        kept["pool1"] = _pooled(kept["conv1"])
        kept["conv2"] = self._convolution("conv2", kept["pool1"])
        kept["pool2"] = _pooled(kept["conv2"])
        kept["flat"] = kept["pool2"].reshape(len(x), -1)
        return kept["flat"] @ self.parameters["dense/kernel"] + self.parameters["dense/bias"], kept

    def backward(self, dscores: np.ndarray, kept: Arrays) -> Arrays:
        """The gradients of all parameters."""
        kernels, gradients = self.parameters, Arrays()
        dx, gradients["dense/kernel"], gradients["dense/bias"] = self.functions["dense_backward"](
            dscores, kept["flat"], kernels["dense/kernel"]
        )
        dx = dx.reshape(kept["pool2"].shape)
        for conv, below in (("conv2", kept["pool1"]), ("conv1", kept["x"])):
            y = kept[conv]
            dy = self.functions["relu_backward"](self.functions["max_pool_backward"](dx, y, WINDOW, WINDOW), y)
            dx, gradients[f"{conv}/kernel"], gradients[f"{conv}/bias"] = self.functions["conv2d_backward"](
                dy, below, kernels[f"{conv}/kernel"], STEP, PADDING
            )
        return gradients

    def step(self, x: np.ndarray, labels: np.ndarray, rate: float) -> float:
        """One step of training; returns the loss."""
        scores, kept = self.forward(x)
        loss, dscores = self.functions["softmax_cross_entropy"](scores, labels)
        gradients = self.backward(dscores, kept)
        self.functions["sgd_step"](self.parameters, gradients, self.velocity, self.trainable, rate, MOMENTUM)
        return float(loss)

    def _convolution(self, name: str, x: np.ndarray) -> np.ndarray:
        kernel = self.parameters[f"{name}/kernel"]
        columns = self.functions["im2col"](x, TAPS, STEP, PADDING)
        y = columns @ kernel.reshape(-1, kernel.shape[3]) + self.parameters[f"{name}/bias"]
        return self.functions["relu_forward"](y.reshape(*x.shape[:3], -1))


def _pooled(x: np.ndarray) -> np.ndarray:
    N, H, W, C = x.shape
    return x.reshape(N, H // 2, 2, W // 2, 2, C).max(axis=(2, 4))


def images_of(pictures: np.ndarray) -> np.ndarray:
    """The digits (N, 32, 32, 3) as float32 (N, SIDE, SIDE, 1) from 0 to 1, so that loops have less to do."""
    grey = pictures[..., :1].astype(np.float32) / 255
    by = grey.shape[1] // SIDE
    return grey.reshape(len(grey), SIDE, by, SIDE, by, 1).mean(axis=(2, 4))


def train(functions: dict[str, Callable], tell: Tell, epochs: int = EPOCHS, most: int | None = None) -> None:
    """Train and report each epoch, the accuracy on the test digits, and at the end what the page shows.

    `most` limits the number of training images. Raises Wrong if a function fails or the loss is not finite.
    """
    digits = datasets.digits()
    x, labels = images_of(digits.train_images[:most]), digits.train_labels[:most]
    network, random = Network(functions), np.random.default_rng(0)
    with guarded("exercise train", None):
        for epoch in range(epochs):
            started, losses = time.perf_counter(), []
            rate = RATE if epoch < epochs - GENTLE or epochs <= GENTLE else RATE / 5
            order = random.permutation(len(x))
            for first in range(0, len(x), BATCH):
                rows = order[first : first + BATCH]
                losses.append(network.step(x[rows], labels[rows], rate))
                if not math.isfinite(losses[-1]):
                    raise Wrong(f"exercise train: the loss is {losses[-1]} in epoch {epoch + 1}")
                if epoch == 0 and first == BATCH:  # the second step: the first one may compile or import something
                    steps = epochs * math.ceil(len(x) / BATCH)
                    tell({"expected": (time.perf_counter() - started) / 2 * steps})
            right = _predicted(network, images_of(digits.test_images)) == digits.test_labels
            seconds = time.perf_counter() - started
            tell({"epoch": epoch + 1, "loss": float(np.mean(losses)), "accuracy": float(right.mean()),
                  "seconds": seconds})  # fmt: skip
        scores, kept = network.forward(images_of(digits.test_images[:1]))
    wrong = np.flatnonzero(~right)
    tell({
        "done": True, "right": int(right.sum()), "images": len(right), "digit": int(scores.argmax()),
        "mistakes": wrong[:16].tolist(), "maps": {name: np.round(kept[name][0], 4).tolist() for name in
                                                  ("x", "conv1", "conv2")},
    })  # fmt: skip


def _predicted(network: Network, x: np.ndarray) -> np.ndarray:
    return np.concatenate([network.forward(x[i : i + BATCH])[0].argmax(axis=1) for i in range(0, len(x), BATCH)])


def main(folder: str, result: str) -> None:
    """Train with the functions in `folder` and append the results to the file `result`."""
    end_with_parent()
    with open(result, "a", encoding="utf-8") as facts:

        def tell(fact: dict[str, Any]) -> None:
            print(json.dumps(fact), file=facts, flush=True)

        tell({"begun": True})
        try:
            train(announced(functions_of(Path(folder), tell), tell), tell)
        except Wrong as wrong:
            tell({"wrong": [wrong.words]})
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
