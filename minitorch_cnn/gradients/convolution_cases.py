"""Arguments for the functions of the convolutions, on which a definition is compared with its twins."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minitorch_cnn.engine.convolution.geometry import NO_PADDING
from minitorch_cnn.gradients import window_oracles


def convolution_cases(name: str, rng: np.random.Generator) -> Iterator[tuple]:
    """Windows that are not square, strides with a remainder, one-sided padding, more than one tile of Winograd's."""
    geometries = [
        ((2, 7, 9, 3), (3, 3), 5, (1, 1), ((1, 1), (1, 1))),
        ((1, 6, 5, 2), (3, 2), 3, (2, 1), ((0, 1), (1, 0))),
        ((2, 6, 9, 4), (3, 3), 2, (1, 1), NO_PADDING),
        ((1, 5, 4, 3), (1, 1), 2, (1, 1), NO_PADDING),
    ]
    for shape, window, K, strides, padding in geometries:
        x, kernel = rng.standard_normal(shape), rng.standard_normal((*window, shape[3], K))
        dy = rng.standard_normal(window_oracles.convolution(x, kernel, strides, padding).shape)
        if name == "forward":
            yield x, kernel, strides, padding
            yield x, kernel, strides, padding, rng.standard_normal(K)
        elif name == "backward_input":
            yield dy, kernel, shape, strides, padding
        else:
            yield x, dy, kernel.shape, strides, padding


def depthwise_cases(name: str, rng: np.random.Generator) -> Iterator[tuple]:
    """As `convolution_cases`, with windows that have holes, and several filters for a channel."""
    geometries = [
        ((2, 7, 9, 11), (3, 3), 1, (1, 1), ((1, 1), (1, 1)), (1, 1)),
        ((1, 8, 7, 3), (3, 2), 2, (2, 3), ((0, 1), (1, 0)), (2, 1)),
        ((2, 9, 6, 19), (5, 3), 1, (2, 1), ((2, 1), (0, 2)), (1, 2)),
        ((1, 5, 4, 2), (1, 2), 3, (3, 2), NO_PADDING, (1, 1)),
    ]
    for shape, window, M, strides, padding, dilation in geometries:
        x, kernel = rng.standard_normal(shape), rng.standard_normal((*window, shape[3], M))
        dy = rng.standard_normal(window_oracles.depthwise(x, kernel, strides, padding, dilation).shape)
        if name == "forward":
            yield x, kernel, strides, padding, dilation
            yield x, kernel, strides, padding, dilation, rng.standard_normal(shape[3] * M)
        elif name == "backward_input":
            yield dy, kernel, shape, strides, padding, dilation
        else:
            yield x, dy, kernel.shape, strides, padding, dilation
