"""The twins of the updates in `optimizers`: one pass over the vectors instead of one for every operation."""

import numpy as np
from numba import prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.twins.arguments import check_update
from minitorch_cnn.twins.numba.compiled import njit

BLOCK = 16384  # elements that a worker takes at a time


def sgd_update(w: Array, g: Array, m: Array | None, rate: float, momentum: float, nesterov: bool, decay: float) -> None:
    """See `optimizers.sgd_update`."""
    check_update(w, g, () if m is None else (m,), rate, momentum, nesterov, decay)
    real = w.dtype.type
    m = g[:0] if m is None else m
    _sgd(w, g, m, real(rate), real(momentum), bool(nesterov), real(1 - rate * decay))


def rmsprop_update(w: Array, g: Array, v: Array, rate: float, rho: float, epsilon: float, decay: float) -> None:
    """See `optimizers.rmsprop_update`."""
    check_update(w, g, (v,), rate, rho, epsilon, decay)
    real = w.dtype.type
    _rmsprop(w, g, v, real(rate), real(rho), real(1 - rho), real(epsilon), real(1 - rate * decay))


def adam_update(
    w: Array, g: Array, m: Array, v: Array, rate: float, beta_1: float, beta_2: float, epsilon: float, decay: float,
    corrected_rate: float,
) -> None:  # fmt: skip
    """See `optimizers.adam_update`."""
    check_update(w, g, (m, v), rate, beta_1, beta_2, epsilon, decay, corrected_rate)
    real = w.dtype.type
    _adam(w, g, m, v, real(1 - beta_1), real(1 - beta_2), real(epsilon), real(1 - rate * decay), real(corrected_rate))


@njit(parallel=True)
def _sgd(w, g, m, rate, momentum, nesterov, keep):
    for block in prange((w.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, w.size))):
            pull = rate * g[i]
            if m.size:
                m[i] = momentum * m[i] - pull
                w[i] = keep * w[i] + (momentum * m[i] - pull if nesterov else m[i])
            else:
                w[i] = keep * w[i] - pull


@njit(parallel=True)
def _rmsprop(w, g, v, rate, rho, rest, epsilon, keep):
    for block in prange((w.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, w.size))):
            v[i] = rho * v[i] + rest * g[i] * g[i]
            w[i] = keep * w[i] - rate * g[i] / np.sqrt(v[i] + epsilon)


@njit(parallel=True)
def _adam(w, g, m, v, rest_1, rest_2, epsilon, keep, rate):
    for block in prange((w.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, w.size))):
            m[i] += rest_1 * (g[i] - m[i])
            v[i] += rest_2 * (g[i] * g[i] - v[i])
            w[i] = keep * w[i] - rate * m[i] / (np.sqrt(v[i]) + epsilon)
