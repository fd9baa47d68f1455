"""What the engine's tests share: arrays to compute with, and references that share no code with the engine."""

import itertools
from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def normal(shape, seed=0, dtype="float64"):
    """Normally distributed numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def distinct(shape, seed=0, dtype="float64"):
    """Numbers with gaps between them and around zero: no ties for a pool, no kink for a ReLU."""
    size = int(np.prod(shape))
    return ((np.random.default_rng(seed).permutation(size) - size // 2 + 0.5) / 8).reshape(shape).astype(dtype)


def relative_error(got, wanted):
    """The largest difference, in units of the largest number."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape
    return float(np.abs(got - wanted).max(initial=0) / max(np.abs(wanted).max(initial=0), 1e-30))


def windows(x, window, strides, padding, fill=0.0):
    """(N, OH, OW, C, KH, KW): every window of x (N, H, W, C), padded with `fill`."""
    padded = np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=fill)
    return sliding_window_view(padded, window, axis=(1, 2))[:, :: strides[0], :: strides[1]]


def convolution(x, kernel, strides, padding):
    """y (N, OH, OW, K), by NumPy's own windows and one einsum."""
    return np.einsum("nijcpq,pqck->nijk", windows(x, kernel.shape[:2], strides, padding), kernel)


def transposed(linear, shape, dy):
    """J.T @ dy for a linear function with the matrix J, which is found by calling it with one 1 at a time."""
    dx = np.zeros(shape)
    for index in np.ndindex(*shape):
        one = np.zeros(shape)
        one[index] = 1
        dx[index] = (linear(one) * dy).sum()
    return dx


def max_pool(x, window, strides, padding):
    """(y, places): the largest of each window and where it is, as a set of (n, h, w, c); the first of equal ones."""
    seen = windows(x, window, strides, padding, -np.inf)
    y = seen.max(axis=(4, 5))
    places = {}
    for n, i, j, c in np.ndindex(y.shape):
        flat = int(seen[n, i, j, c].reshape(-1).argmax())
        h = i * strides[0] - padding[0][0] + flat // window[1]
        w = j * strides[1] - padding[1][0] + flat % window[1]
        places[n, i, j, c] = (n, h, w, c)
    return y, places


def average_pool(x, window, strides, padding):
    """The mean over what of each window lies on the image; 0 where nothing does."""
    seen = windows(x, window, strides, padding, np.nan)
    y = np.zeros(seen.shape[:4])
    for place in np.ndindex(y.shape):
        inside = seen[place][~np.isnan(seen[place])]
        y[place] = inside.mean() if inside.size else 0
    return y


def slopes(function, array, step=1e-6):
    """The central differences of a function of `array`, which is changed in place and put back."""
    result = np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        before = array[index]
        array[index] = before + step
        high = function()
        array[index] = before - step
        low = function()
        array[index] = before
        result[index] = (high - low) / (2 * step)
    return result


def arrays_in(thing):
    """Every NumPy array and scalar within nested dictionaries, lists and tuples."""
    if isinstance(thing, (np.ndarray, np.generic)):
        yield thing
    elif isinstance(thing, Mapping):
        yield from itertools.chain.from_iterable(map(arrays_in, thing.values()))
    elif isinstance(thing, (list, tuple)):
        yield from itertools.chain.from_iterable(map(arrays_in, thing))


def one_line(error, *fragments):
    """Whether the message of an exception is a single line that says all of `fragments`."""
    message = str(error.value)
    return "\n" not in message and all(fragment in message for fragment in fragments)
