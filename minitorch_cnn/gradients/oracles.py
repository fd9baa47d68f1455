"""A third opinion on what a definition and its twin compute: the same in plain Python, one number at a time.

Where a definition and its twin disagree, one of them is wrong, and this says which. Nothing here uses `engine/`, so a
change there cannot change it. Convolutions and pools are in `window_oracles.py`.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np


def bent_relu(x, slope, largest, threshold):  # type: ignore[no-untyped-def]
    """x on the slanted part, `largest` above it, slope * (x - threshold) below."""
    return _each(lambda n: slope * (n - threshold) if n < threshold else min(n, largest), x)


def bent_relu_backward(dy, x, slope, largest, threshold):  # type: ignore[no-untyped-def]
    """dy times the slope of the part on which x is."""
    return dy * _each(lambda n: slope if n <= threshold else float(n < largest), x)


def silu(x):  # type: ignore[no-untyped-def]
    """x / (1 + exp(-x))."""
    return _each(lambda n: n / (1 + math.exp(-n)), x)


def silu_backward(dy, x):  # type: ignore[no-untyped-def]
    """dy times the slope (1 + exp(-x) + x exp(-x)) / (1 + exp(-x))^2."""
    return dy * _each(lambda n: (1 + (1 + n) * math.exp(-n)) / (1 + math.exp(-n)) ** 2, x)


def hard_silu(x):  # type: ignore[no-untyped-def]
    """0 below -3, x above 3, x (x + 3) / 6 between."""
    return _each(lambda n: 0.0 if n <= -3 else n if n >= 3 else n * (n + 3) / 6, x)


def hard_silu_backward(dy, x):  # type: ignore[no-untyped-def]
    """dy times the slope there: 0, 1, (2 x + 3) / 6."""
    return dy * _each(lambda n: 0.0 if n <= -3 else 1.0 if n >= 3 else (2 * n + 3) / 6, x)


def gelu(x):  # type: ignore[no-untyped-def]
    """x times the share of the normal distribution below x."""
    return _each(lambda n: n * math.erfc(-n / math.sqrt(2)) / 2, x)


def gelu_backward(dy, x):  # type: ignore[no-untyped-def]
    """dy times that share plus x times the density at x."""
    return dy * _each(lambda n: math.erfc(-n / math.sqrt(2)) / 2 + n * math.exp(-n * n / 2) / math.sqrt(2 * math.pi), x)


def _each(function: Any, x: Any) -> Any:
    return np.array([function(float(n)) for n in x.reshape(-1)]).reshape(x.shape)


def matmul(a, b):  # type: ignore[no-untyped-def]
    """Row times column."""
    return np.array([[math.fsum(x * y for x, y in zip(row, column)) for column in b.T] for row in a])


def relu_backward(dy, y):  # type: ignore[no-untyped-def]
    """dy where y > 0."""
    return np.array([g if v > 0 else 0.0 for g, v in zip(dy.ravel(), y.ravel())]).reshape(dy.shape)


def erf(x):  # type: ignore[no-untyped-def]
    """The C library's."""
    return np.vectorize(math.erf)(x)


def image_mean(x):  # type: ignore[no-untyped-def]
    """One mean for each image and channel."""
    N, H, W, C = x.shape
    return np.array([[math.fsum(image[..., c].ravel()) / (H * W) for c in range(C)] for image in x])


def image_mean_backward(dy, size):  # type: ignore[no-untyped-def]
    """An equal share of each dy for every pixel."""
    H, W = size
    return np.array([[[image / (H * W) for _ in range(W)] for _ in range(H)] for image in dy])


def channel_sum(x):  # type: ignore[no-untyped-def]
    """One sum for each number of the last axis."""
    return np.array([math.fsum(column) for column in x.reshape(-1, x.shape[-1]).T])


def add(x1, x2):  # type: ignore[no-untyped-def]
    """Number by number."""
    return np.array([a + b for a, b in zip(x1.ravel().tolist(), x2.ravel().tolist())]).reshape(x1.shape)


def multiply(x1, x2):  # type: ignore[no-untyped-def]
    """Number by number, those of an axis of length 1 repeated."""
    x1, x2 = np.broadcast_arrays(x1, x2)
    return np.array([a * b for a, b in zip(x1.ravel().tolist(), x2.ravel().tolist())]).reshape(x1.shape)


def factors_backward(dy, x):  # type: ignore[no-untyped-def]
    """One sum for each image and channel."""
    N, _, _, C = x.shape
    sums = [[math.fsum((g[..., c] * v[..., c]).ravel()) for c in range(C)] for g, v in zip(dy, x)]
    return np.array(sums).reshape(N, 1, 1, C)


def moments(x):  # type: ignore[no-untyped-def]
    """Means of each column, and of its squared distances from it."""
    columns = x.reshape(-1, x.shape[-1]).T.tolist()
    means = [math.fsum(column) / len(column) for column in columns]
    squares = [math.fsum((v - m) ** 2 for v in column) for column, m in zip(columns, means)]
    return np.array(means), np.array(squares) / len(columns[0])


def normalise(x, mean, scale, shift):  # type: ignore[no-untyped-def]
    """Row by row."""
    rows = x.reshape(-1, x.shape[-1]).tolist()
    return np.array([[(v - m) * a + b for v, m, a, b in zip(row, mean, scale, shift)] for row in rows]).reshape(x.shape)


def sums_backward(dy, x, mean, inverse):  # type: ignore[no-untyped-def]
    """Column by column."""
    both = zip(dy.reshape(-1, dy.shape[-1]).T, x.reshape(-1, x.shape[-1]).T, mean, inverse)
    sums = [(math.fsum(g), math.fsum(d * (v - m) * i for d, v in zip(g, column))) for g, column, m, i in both]
    return np.array([sum_dy for sum_dy, _ in sums]), np.array([sum_dy_n for _, sum_dy_n in sums])


def normalise_backward(dy, x, mean, inverse, scale, mean_dy, mean_dy_n):  # type: ignore[no-untyped-def]
    """Row by row."""
    vectors = list(zip(mean, inverse, scale, mean_dy, mean_dy_n))
    rows = zip(dy.reshape(-1, dy.shape[-1]), x.reshape(-1, x.shape[-1]))
    dx = [[s * (d - a - (v - m) * i * b) for d, v, (m, i, s, a, b) in zip(*row, vectors)] for row in rows]
    return np.array(dx).reshape(x.shape)


def softmax_cross_entropy(scores, wanted):  # type: ignore[no-untyped-def]
    """For each row the mean of -log softmax, weighted by `wanted`; its derivative by the scores, over all rows."""
    losses, gradients = [], []
    for row, share in zip(scores.tolist(), wanted.tolist()):
        total = math.fsum(map(math.exp, row))
        losses.append(-math.fsum(s * (v - math.log(total)) for v, s in zip(row, share)))
        gradients.append([(math.exp(v) / total * math.fsum(share) - s) / len(scores) for v, s in zip(row, share)])
    return np.array(losses), np.array(gradients)


def drop(x, rate, key, draw, first=0):  # type: ignore[no-untyped-def]
    """Number i is kept if its 32 random bits are at least rate * 2^32; what is kept grows by 1 / (1 - rate)."""
    bits = [_philox(first + i, key, draw) for i in range(x.size)]
    keep = np.array([word >= int(rate * 2**32) for word in bits]).reshape(x.shape)
    return np.array([v / (1 - rate) if k else 0.0 for v, k in zip(x.ravel(), keep.ravel())]).reshape(x.shape), keep


def scale(x, keep, rate):  # type: ignore[no-untyped-def]
    """What is kept grows by 1 / (1 - rate)."""
    return np.array([v / (1 - rate) if k else 0.0 for v, k in zip(x.ravel(), keep.ravel())]).reshape(x.shape)


def _philox(number: int, key: tuple, draw: int) -> int:
    """Word `number` of Philox4x32-10, block by block (Salmon et al. 2011, table 2)."""
    low = 0xFFFFFFFF
    block, word = divmod(number, 4)
    c, k = [block & low, block >> 32, draw & low, draw >> 32], list(key)
    for _ in range(10):
        a, b = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(b >> 32) ^ c[1] ^ k[0], b & low, (a >> 32) ^ c[3] ^ k[1], a & low]
        k = [(k[0] + 0x9E3779B9) & low, (k[1] + 0xBB67AE85) & low]
    return c[word]


def sgd_update(w, g, m, rate, momentum, nesterov, decay):  # type: ignore[no-untyped-def]
    """Weight by weight: decay, velocity, step."""
    for i, (old, slope) in enumerate(zip(w.tolist(), g.tolist())):
        velocity = -rate * slope if m is None else momentum * float(m[i]) - rate * slope
        if m is not None:
            m[i] = velocity
        step = momentum * velocity - rate * slope if nesterov and m is not None else velocity
        w[i] = old - rate * decay * old + step


def rmsprop_update(w, g, v, rate, rho, epsilon, decay):  # type: ignore[no-untyped-def]
    """Weight by weight: mean square, decay, step."""
    for i, (old, slope, square) in enumerate(zip(w.tolist(), g.tolist(), v.tolist())):
        v[i] = rho * square + (1 - rho) * slope**2
        w[i] = old - rate * decay * old - rate * slope / math.sqrt(float(v[i]) + epsilon)


def adam_update(w, g, m, v, rate, beta_1, beta_2, epsilon, decay, corrected_rate):  # type: ignore[no-untyped-def]
    """Weight by weight: both means, decay, step."""
    for i, (old, slope, mean, square) in enumerate(zip(w.tolist(), g.tolist(), m.tolist(), v.tolist())):
        m[i], v[i] = beta_1 * mean + (1 - beta_1) * slope, beta_2 * square + (1 - beta_2) * slope**2
        w[i] = old - rate * decay * old - corrected_rate * float(m[i]) / (math.sqrt(float(v[i])) + epsilon)


def standardize(images, scale, shift):  # type: ignore[no-untyped-def]
    """Pixel by pixel, channel by channel."""
    flat = images.reshape(-1, images.shape[-1]).tolist()
    return np.array([[v * a + b for v, a, b in zip(row, scale, shift)] for row in flat]).reshape(images.shape)


def _inside(index: int, size: int, fill: str) -> int | None:
    """The pixel that answers for `index`, None for black."""
    if 0 <= index < size:
        return index
    if fill == "zero":
        return None
    if fill == "nearest" or size == 1:
        return min(max(index, 0), size - 1)
    while not 0 <= index < size:
        index = -index if index < 0 else 2 * (size - 1) - index
    return index


def move(images, flips, shifts, fill):  # type: ignore[no-untyped-def]
    """Each pixel of the result from where it came: unshifted, then unflipped."""
    N, H, W, C = images.shape
    result = np.zeros(images.shape)
    for n, i, j in itertools.product(range(N), range(H), range(W)):
        column = j - int(shifts[n, 1])
        row, column = _inside(i - int(shifts[n, 0]), H, fill), _inside(W - 1 - column if flips[n] else column, W, fill)
        if row is not None and column is not None:
            result[n, i, j] = images[n, row, column]
    return result


def resample(images, matrices, fill):  # type: ignore[no-untyped-def]
    """Each pixel of the result from four pixels around the place that the map sends it to."""
    N, H, W, C = images.shape
    result = np.zeros(images.shape)
    for n, i, j in itertools.product(range(N), range(H), range(W)):
        place = matrices[n] @ [i - (H - 1) / 2, j - (W - 1) / 2, 1]
        y, x = place[0] + (H - 1) / 2, place[1] + (W - 1) / 2
        for row, column in itertools.product((math.floor(y), math.floor(y) + 1), (math.floor(x), math.floor(x) + 1)):
            weight = (1 - abs(y - row)) * (1 - abs(x - column))
            pixel = _inside(row, H, fill), _inside(column, W, fill)
            if None not in pixel:
                result[n, i, j] += weight * images[n][pixel]
    return np.floor(result + 0.5) if images.dtype == np.uint8 else result
