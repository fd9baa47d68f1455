"""The third opinion on convolutions and pools: window by window, one product at a time (see `oracles.py`)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np


def convolution(x, kernel, strides, padding, bias=None):  # type: ignore[no-untyped-def]
    """y[n, i, j, k] = bias[k] + sum over p, q, c of x[n, i*SH + p - top, j*SW + q - left, c] * kernel[p, q, c, k]."""
    y = np.zeros((len(x), *_size(x.shape, kernel.shape, strides, padding), kernel.shape[3]))
    for out, pixel, weight in _products(x.shape, kernel.shape, strides, padding):
        y[out] += x[pixel] * kernel[weight]
    return y if bias is None else y + bias


def convolution_input(dy, kernel, input_shape, strides, padding):  # type: ignore[no-untyped-def]
    """Each product x * kernel above sends dy * kernel to its x."""
    dx = np.zeros(input_shape)
    for out, pixel, weight in _products(input_shape, kernel.shape, strides, padding):
        dx[pixel] += dy[out] * kernel[weight]
    return dx


def convolution_kernel(x, dy, kernel_shape, strides, padding):  # type: ignore[no-untyped-def]
    """Each product x * kernel above sends dy * x to its kernel."""
    dkernel = np.zeros(kernel_shape)
    for out, pixel, weight in _products(x.shape, kernel_shape, strides, padding):
        dkernel[weight] += dy[out] * x[pixel]
    return dkernel


def depthwise(x, kernel, strides, padding, dilation, bias=None):  # type: ignore[no-untyped-def]
    """y[n, i, j, c*M + m] = bias + sum over p, q of x[n, i*SH + p*DH - top, j*SW + q*DW - left, c] * w[p, q, c, m]."""
    N, M = len(x), kernel.shape[3]
    y = np.zeros((N, *_size(x.shape, reach(kernel.shape, dilation), strides, padding), x.shape[3] * M))
    for out, pixel, weight in _depthwise_products(x.shape, kernel.shape, strides, padding, dilation):
        y[out] += x[pixel] * kernel[weight]
    return y if bias is None else y + bias


def depthwise_input(dy, kernel, input_shape, strides, padding, dilation):  # type: ignore[no-untyped-def]
    """Each product x * kernel above sends dy * kernel to its x."""
    dx = np.zeros(input_shape)
    for out, pixel, weight in _depthwise_products(input_shape, kernel.shape, strides, padding, dilation):
        dx[pixel] += dy[out] * kernel[weight]
    return dx


def depthwise_kernel(x, dy, kernel_shape, strides, padding, dilation):  # type: ignore[no-untyped-def]
    """Each product x * kernel above sends dy * x to its kernel."""
    dkernel = np.zeros(kernel_shape)
    for out, pixel, weight in _depthwise_products(x.shape, kernel_shape, strides, padding, dilation):
        dkernel[weight] += dy[out] * x[pixel]
    return dkernel


def reach(kernel: tuple, dilation: tuple) -> tuple:
    """The rows and columns from the first to the last pixel of a window with holes."""
    return tuple((n - 1) * d + 1 for n, d in zip(kernel[:2], dilation))


def _depthwise_products(shape: tuple, kernel: tuple, strides: tuple, padding: tuple, dilation: tuple) -> Any:
    (N, H, W, C), (KH, KW, _, M), ((top, _), (left, _)) = shape, kernel, padding
    OH, OW = _size(shape, reach(kernel, dilation), strides, padding)
    for n, i, j, p, q, c, m in itertools.product(*map(range, (N, OH, OW, KH, KW, C, M))):
        h, w = i * strides[0] + p * dilation[0] - top, j * strides[1] + q * dilation[1] - left
        if 0 <= h < H and 0 <= w < W:
            yield (n, i, j, c * M + m), (n, h, w, c), (p, q, c, m)


def _size(shape: tuple, window: tuple, strides: tuple, padding: tuple) -> tuple:
    return tuple((n + sum(p) - w) // s + 1 for n, w, s, p in zip(shape[1:3], window, strides, padding))


def _products(shape: tuple, kernel: tuple, strides: tuple, padding: tuple) -> Any:
    """(index in y, index in x, index in the kernel) of every product whose x is not padding."""
    (N, H, W, C), (KH, KW, _, K), ((top, _), (left, _)) = shape, kernel, padding
    OH, OW = _size(shape, kernel, strides, padding)
    for n, i, j, k, p, q, c in itertools.product(*map(range, (N, OH, OW, K, KH, KW, C))):
        h, w = i * strides[0] + p - top, j * strides[1] + q - left
        if 0 <= h < H and 0 <= w < W:
            yield (n, i, j, k), (n, h, w, c), (p, q, c, k)


def _pooled(shape: tuple, window: tuple, strides: tuple, padding: tuple) -> Any:
    """(index in y, [(place, index in x)]) of every window."""
    (N, H, W, C), ((top, _), (left, _)) = shape, padding
    for n, i, j, c in itertools.product(range(N), *map(range, _size(shape, window, strides, padding)), range(C)):
        places = []
        for place, (p, q) in enumerate(itertools.product(*map(range, window))):
            h, w = i * strides[0] + p - top, j * strides[1] + q - left
            if 0 <= h < H and 0 <= w < W:
                places.append((place, (n, h, w, c)))
        yield (n, i, j, c), places


def max_pool(x, window, strides, padding):  # type: ignore[no-untyped-def]
    """The largest number of each window, and its place; the first of equal ones."""
    out = (len(x), *_size(x.shape, window, strides, padding), x.shape[3])
    y, winner = np.zeros(out), np.zeros(out)
    for index, places in _pooled(x.shape, window, strides, padding):
        winner[index], best = max(places, key=lambda place: x[place[1]])
        y[index] = x[best]
    return y, winner


def max_pool_backward(dy, winner, input_shape, window, strides, padding):  # type: ignore[no-untyped-def]
    """Each dy goes to the winner of its window."""
    dx = np.zeros(input_shape)
    for index, places in _pooled(input_shape, window, strides, padding):
        for place, pixel in places:
            dx[pixel] += dy[index] if winner[index] == place else 0
    return dx
