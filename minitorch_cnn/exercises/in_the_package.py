"""The computation of each exercise done by the package itself, for comparison with the learner's time.

Each function takes the arguments of the exercise's large case and returns a function without arguments, which returns
the results in the exercise's order. There is no entry for im2col because the fast convolutions of the package never
write out all columns. The forward pass runs in advance, so only the backward pass is timed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_cnn.engine import activations, layers, optimizers
from minitorch_cnn.engine.losses import CrossEntropy
from minitorch_cnn.network.sequential import Sequential

Call = Callable[[], Any]


def dense_backward(dy: np.ndarray, x: np.ndarray, kernel: np.ndarray) -> Call:
    """The backward pass of `layers.Dense`."""
    return _backward(layers.Dense(kernel.shape[1]), dy, x, {"kernel": kernel})


def relu_forward(x: np.ndarray) -> Call:
    """The forward pass of the ReLU activation."""
    return lambda: activations.get("relu").forward(x)


def relu_backward(dy: np.ndarray, y: np.ndarray) -> Call:
    """The backward pass of the ReLU activation."""
    return lambda: activations.get("relu").backward(dy, y)


def softmax_cross_entropy(scores: np.ndarray, labels: np.ndarray) -> Call:
    """`losses.CrossEntropy` computed from the scores."""
    return lambda: CrossEntropy().from_scores(scores, labels)


def conv2d_backward(dy: np.ndarray, x: np.ndarray, kernel: np.ndarray, strides: tuple, padding: tuple) -> Call:
    """The backward pass of `layers.Conv2D` with the algorithm that it chooses for this shape."""
    return _backward(layers.Conv2D(kernel.shape[3], kernel.shape[:2], strides, padding), dy, x, {"kernel": kernel})


def max_pool_backward(dy: np.ndarray, x: np.ndarray, window: tuple, strides: tuple) -> Call:
    """The backward pass of `layers.MaxPool2D`."""
    return _backward(layers.MaxPool2D(window, strides), dy, x)


def batch_norm_backward(dy: np.ndarray, x: np.ndarray, gamma: np.ndarray, epsilon: float) -> Call:
    """The backward pass of `layers.BatchNorm`."""
    layer = layers.BatchNorm(epsilon=epsilon)
    return _backward(layer, dy, x, {"gamma": gamma})


def sgd_step(parameters: dict, gradients: dict, velocity: dict, trainable: dict, rate: float, momentum: float) -> Call:
    """`optimizers.sgd_update` on every trainable array; the optimizer itself updates all arrays in one call."""
    flat = [
        (array.reshape(-1), gradients[name].reshape(-1), velocity[name].reshape(-1))
        for name, array in parameters.items()
        if trainable[name]
    ]

    def step() -> None:
        for w, g, m in flat:
            optimizers.sgd_update(w, g, m, rate, momentum, False, 0.0)

    return step


PACKAGE: dict[str, Callable[..., Call]] = {
    each.__name__: each
    for each in (dense_backward, relu_forward, relu_backward, softmax_cross_entropy, conv2d_backward,
                 max_pool_backward, batch_norm_backward, sgd_step)
}  # fmt: skip


def _backward(layer: layers.Layer, dy: np.ndarray, x: np.ndarray, parameters: dict | None = None) -> Call:
    Sequential([layer], x.shape[1:], seed=0, dtype=x.dtype.name)
    layer.parameters.update(parameters or {})
    layer.forward(x, training=True)

    def backward():
        dx = layer.backward(dy)
        names = ("kernel", "gamma", "bias", "beta")
        return (dx, *(layer.gradients[name] for name in names if name in layer.gradients))

    return backward
