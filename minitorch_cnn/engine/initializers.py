"""Initial weights. Drawn in float64 on the host, then rounded: the same ones for every dtype and backend.

A signal that passes through many layers must neither die out nor explode. A sum of `fan_in` products has a variance of
fan_in times that of one weight, so the weights get a variance of about 1 / fan_in; on the backward pass it is fan_out:

    lecun_*     1 / fan_in                    LeCun et al. 1998
    glorot_*    2 / (fan_in + fan_out)        Glorot and Bengio 2010: a compromise between both passes
    he_*        2 / fan_in                    He et al. 2015: a ReLU lets half of the signal through

A layer takes one by its name, or by its name and its number: `kernel_initializer=("constant", 0.1)`. `whitening`
instead computes a kernel from images (`whitening.py`).
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_cnn.engine.whitening import whitening as whitening
from minitorch_cnn.errors import ArgumentError

CUT = 2.0  # standard deviations: a truncated normal has nothing beyond
CUT_DEVIATION = 0.8796256610342398  # standard deviation of a standard normal that is cut there


def fans(shape: tuple) -> tuple[float, float]:
    """(fan_in, fan_out): how many numbers an output sums up, and how many outputs an input goes to.

    The last two axes of `shape` are inputs and outputs; those before them (a kernel's rows and columns) multiply both.
    """
    receptive_field = math.prod(shape[:-2])
    return receptive_field * shape[-2 if len(shape) > 1 else -1], receptive_field * shape[-1]


def glorot_uniform(rng: np.random.Generator, shape: tuple) -> np.ndarray:
    """Uniform in +-sqrt(6 / (fan_in + fan_out)), whose variance is 2 / (fan_in + fan_out)."""
    return _uniform(rng, shape, 2 / sum(fans(shape)))


def glorot_normal(rng: np.random.Generator, shape: tuple) -> np.ndarray:
    """Truncated normal of variance 2 / (fan_in + fan_out)."""
    return _normal(rng, shape, 2 / sum(fans(shape)))


def he_uniform(rng: np.random.Generator, shape: tuple) -> np.ndarray:
    """Uniform of variance 2 / fan_in."""
    return _uniform(rng, shape, 2 / fans(shape)[0])


def he_normal(rng: np.random.Generator, shape: tuple) -> np.ndarray:
    """Truncated normal of variance 2 / fan_in."""
    return _normal(rng, shape, 2 / fans(shape)[0])


def lecun_uniform(rng: np.random.Generator, shape: tuple) -> np.ndarray:
    """Uniform of variance 1 / fan_in."""
    return _uniform(rng, shape, 1 / fans(shape)[0])


def lecun_normal(rng: np.random.Generator, shape: tuple) -> np.ndarray:
    """Truncated normal of variance 1 / fan_in."""
    return _normal(rng, shape, 1 / fans(shape)[0])


def random_uniform(rng: np.random.Generator, shape: tuple, limit: float = 0.05) -> np.ndarray:
    """Uniform in +-limit."""
    return rng.uniform(-limit, limit, shape)


def random_normal(rng: np.random.Generator, shape: tuple, deviation: float = 0.05) -> np.ndarray:
    """Normal, with standard deviation `deviation`."""
    return deviation * rng.standard_normal(shape)


def truncated_normal(rng: np.random.Generator, shape: tuple, deviation: float = 0.05) -> np.ndarray:
    """`random_normal`, but what lies beyond two deviations is drawn again."""
    values = rng.standard_normal(shape)
    while (beyond := abs(values) > CUT).any():
        values[beyond] = rng.standard_normal(int(beyond.sum()))
    return deviation * values


def orthogonal(rng: np.random.Generator, shape: tuple, gain: float = 1.0) -> np.ndarray:
    """As a matrix (rest, last axis) it has orthonormal columns, or rows if there are fewer (Saxe et al. 2014)."""
    rows, columns = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diagonal(r))  # without this, not every orthogonal matrix would be equally likely
    return gain * (q if rows >= columns else q.T).reshape(shape)


def identity(rng: np.random.Generator, shape: tuple, gain: float = 1.0, groups: int = 1) -> np.ndarray:
    """The unit matrix, for two axes. A convolution's kernel (KH, KW, C, K) has it in the middle of the window:

    its first filters hand on a channel each, and those beyond the C channels are drawn by `lecun_uniform`. Of several
    `groups` each has its own unit matrix; 0 stands for a depthwise kernel, where each channel is a group, so the first
    filter of each channel hands it on. ArgumentError for another number of axes.
    """
    if len(shape) == 2:
        return gain * np.eye(*shape)
    if len(shape) != 4:
        raise ArgumentError(f"identity: expected a matrix or a convolution's kernel to fill, got the shape {shape}")
    kernel, channels = lecun_uniform(rng, shape), shape[2] if groups else 1
    parts = kernel.reshape(*shape[:2], channels, groups or shape[2], -1)  # a view: (KH, KW, C, group, K of the group)
    parts[..., :channels] = 0
    middle = parts[(shape[0] - 1) // 2, (shape[1] - 1) // 2, ..., :channels]
    middle[...] = gain * np.eye(*middle.shape[::2])[:, None]
    return kernel


def constant(rng: np.random.Generator, shape: tuple, value: float = 0.0) -> np.ndarray:
    """The same number everywhere."""
    return np.full(shape, value)


def zeros(rng: np.random.Generator, shape: tuple) -> np.ndarray:
    """All zeros: biases, beta, moving means."""
    return np.zeros(shape)


def ones(rng: np.random.Generator, shape: tuple) -> np.ndarray:
    """All ones: gamma, moving variances."""
    return np.ones(shape)


def _uniform(rng, shape, variance):
    return random_uniform(rng, shape, math.sqrt(3 * variance))


def _normal(rng, shape, variance):
    return truncated_normal(rng, shape, math.sqrt(variance) / CUT_DEVIATION)


def _with_number(rng, shape, function, number):
    return function(rng, shape, number)


WITH_NUMBER: dict[str, Callable] = {
    function.__name__: function
    for function in (random_uniform, random_normal, truncated_normal, orthogonal, identity, constant)
}
INITIALIZERS: dict[str, Callable] = {
    function.__name__: function
    for function in (
        glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, zeros, ones,
        *WITH_NUMBER.values(),
    )
}  # fmt: skip


def get(initializer: Any, owner: str = "initializer", groups: Any = 1) -> Callable:
    """The function (rng, shape) -> array for a name, or for (name, number); ArgumentError for anything else.

    `groups` of the channels are for `identity`, which None refuses: the kernel is that of a transposed convolution.
    """
    name, *number = initializer if isinstance(initializer, (tuple, list)) and initializer else (initializer,)
    known = WITH_NUMBER if number else INITIALIZERS
    fits = not number or (len(number) == 1 and isinstance(number[0], (int, float)))
    if not isinstance(name, str) or name not in known or not fits or (name == "identity" and groups is None):
        names = ", ".join(each for each in known if each != "identity" or groups is not None)
        expected = f"(name, number) with one of {names}" if number else f"one of {names}"
        raise ArgumentError(f"{owner}: initializer: expected {expected}, got {initializer!r}")
    function = functools.partial(identity, groups=groups) if name == "identity" and groups != 1 else known[name]
    return functools.partial(_with_number, function=function, number=float(number[0])) if number else function
