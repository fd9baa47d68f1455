"""Initial weights. Drawn in float64 on the host, then rounded: the same ones for every dtype and backend."""

import math

import numpy as np


def glorot_uniform(rng: np.random.Generator, shape: tuple) -> np.ndarray:
    """Uniform in +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010): keeps the signal's size both ways.

    The last two axes of `shape` are inputs and outputs; those before them (a kernel's rows and columns) multiply both.
    """
    receptive_field = math.prod(shape[:-2])
    limit = math.sqrt(6 / (receptive_field * (shape[-2] + shape[-1])))
    return rng.uniform(-limit, limit, shape)


def zeros(rng: np.random.Generator, shape: tuple) -> np.ndarray:
    """All zeros: biases, beta, moving means."""
    return np.zeros(shape)


def ones(rng: np.random.Generator, shape: tuple) -> np.ndarray:
    """All ones: gamma, moving variances."""
    return np.ones(shape)
