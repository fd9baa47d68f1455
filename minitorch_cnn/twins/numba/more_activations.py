"""The twins of `more_activations`: one pass over the arrays, without any between."""

import math

from numba import prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty_like
from minitorch_cnn.twins.arguments import check_alike, check_bends, check_reals
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.exponential import exp
from minitorch_cnn.twins.numba.normal_distribution import below
from minitorch_cnn.twins.numba.operands import contiguous

BLOCK = 16384  # elements that a worker takes at a time


def bent_relu(x: Array, slope: float, largest: float, threshold: float) -> Array:
    """See `more_activations.bent_relu`."""
    check_reals(x)
    check_bends(slope, largest, threshold)
    y = empty_like(x)
    _bent_relu(contiguous(x).reshape(-1), *_bends(x, slope, largest, threshold), y.reshape(-1))
    return y


def bent_relu_backward(dy: Array, x: Array, slope: float, largest: float, threshold: float) -> Array:
    """See `more_activations.bent_relu_backward`."""
    check_alike(dy, x)
    check_bends(slope, largest, threshold)
    dx = empty_like(x)
    bends = _bends(x, slope, largest, threshold)
    _bent_relu_backward(contiguous(dy).reshape(-1), contiguous(x).reshape(-1), *bends, dx.reshape(-1))
    return dx


def silu(x: Array) -> Array:
    """See `more_activations.silu`."""
    return _forward(_silu, x)


def silu_backward(dy: Array, x: Array) -> Array:
    """See `more_activations.silu_backward`."""
    return _backward(_silu_backward, dy, x)


def hard_silu(x: Array) -> Array:
    """See `more_activations.hard_silu`."""
    return _forward(_hard_silu, x)


def hard_silu_backward(dy: Array, x: Array) -> Array:
    """See `more_activations.hard_silu_backward`."""
    return _backward(_hard_silu_backward, dy, x)


def gelu(x: Array) -> Array:
    """See `more_activations.gelu`."""
    return _forward(_gelu, x)


def gelu_backward(dy: Array, x: Array) -> Array:
    """See `more_activations.gelu_backward`."""
    return _backward(_gelu_backward, dy, x)


def erf(x: Array) -> Array:
    """See `more_activations.erf`; the function of the C library."""
    return _forward(_erf, x)


def _forward(function, x):
    """y, which the compiled `function` computes number by number."""
    check_reals(x)
    y = empty_like(x)
    function(contiguous(x).reshape(-1), y.reshape(-1))
    return y


def _backward(function, dy, x):
    """dx, likewise."""
    check_alike(dy, x)
    dx = empty_like(x)
    function(contiguous(dy).reshape(-1), contiguous(x).reshape(-1), dx.reshape(-1))
    return dx


def _bends(x, *bends):
    return [x.dtype.type(bend) for bend in bends]


@njit(parallel=True)
def _bent_relu(x, slope, largest, threshold, y):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, x.size))):
            value = x[i]
            below = slope * (value - threshold) if slope != 0 else slope
            above = largest if value > largest else value
            y[i] = below if value < threshold else above


@njit(parallel=True)
def _bent_relu_backward(dy, x, slope, largest, threshold, dx):
    one, zero = x.dtype.type(1), x.dtype.type(0)
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, x.size))):
            above = one if x[i] < largest else zero
            dx[i] = dy[i] * (above if x[i] > threshold else slope)


@njit(parallel=True)
def _silu(x, y):
    one = x.dtype.type(1)
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, x.size))):
            y[i] = x[i] / (one + exp(-x[i]))


@njit(parallel=True)
def _silu_backward(dy, x, dx):
    one = x.dtype.type(1)
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, x.size))):
            s = one / (one + exp(-x[i]))
            dx[i] = dy[i] * (s + x[i] * s * (one - s))


@njit(parallel=True)
def _hard_silu(x, y):
    zero, half, one, six = x.dtype.type(0), x.dtype.type(0.5), x.dtype.type(1), x.dtype.type(6)
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, x.size))):
            part = x[i] / six + half
            part = zero if part < zero else part  # NaN stays NaN
            y[i] = x[i] * (one if part > one else part)


@njit(parallel=True)
def _hard_silu_backward(dy, x, dx):
    zero, half, one, three = x.dtype.type(0), x.dtype.type(0.5), x.dtype.type(1), x.dtype.type(3)
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, x.size))):
            slope = x[i] / three + half
            slope = zero if x[i] <= -three else slope
            dx[i] = dy[i] * (one if x[i] >= three else slope)


@njit(parallel=True)
def _gelu(x, y):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, x.size))):
            y[i] = x[i] * below(x[i])[0]


@njit(parallel=True)
def _gelu_backward(dy, x, dx):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, x.size))):
            share, density = below(x[i])
            dx[i] = dy[i] * (share + x[i] * density)


@njit(parallel=True)
def _erf(x, y):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, x.size))):
            y[i] = math.erf(x[i])
