"""What the twins of convolutions and pools may be called with: windows that fit their images (see `arguments.py`)."""

from __future__ import annotations

import math
from typing import Any

from minitorch_cnn.arrays.dispatch import Unfit
from minitorch_cnn.engine.convolution.geometry import output_size, window_reach
from minitorch_cnn.engine.layers.max_pool2d import place_type
from minitorch_cnn.errors import ShapeError
from minitorch_cnn.twins.arguments import (
    BYTE,
    MOST,
    check_arrays,
    check_one_dtype,
    check_reals,
    is_pair,
    is_whole,
    refuse,
)


def check_forward(
    x: Any, kernel: Any, strides: Any, padding: Any, bias: Any, pool: bool = False, scale: Any = None
) -> tuple[int, int]:  # fmt: skip
    """Real x (N, H, W, C), kernel (KH, KW, C, K) and bias (K,) or None; returns (OH, OW), with `pool` at least 2x2.

    A `scale`, if there is one, is like the bias.
    """
    vectors = [vector for vector in (bias, scale) if vector is not None]
    check_one_dtype(x, kernel, *vectors)
    if any(vector.shape != kernel.shape[3:] for vector in vectors):
        refuse("a number for each filter", kernel, *vectors)
    out = _convolution(x.shape, kernel.shape, strides, padding)
    if pool and min(out) < 2:
        refuse("a result with a window of 2x2", x, kernel)
    return out


def check_backward_input(dy: Any, kernel: Any, input_shape: Any, strides: Any, padding: Any) -> None:
    """Real dy (N, OH, OW, K) and kernel (KH, KW, C, K) of a convolution of x with shape (N, H, W, C)."""
    check_reals(dy, kernel)
    out = _convolution(input_shape, kernel.shape, strides, padding)
    if dy.shape != (input_shape[0], *out, kernel.shape[3]):
        refuse("dy (N, OH, OW, K) of that convolution", dy, kernel, input_shape)


def check_backward_kernel(x: Any, dy: Any, kernel_shape: Any, strides: Any, padding: Any) -> None:
    """Real x (N, H, W, C) and dy (N, OH, OW, K) of a convolution with a kernel of shape (KH, KW, C, K)."""
    check_reals(x, dy)
    out = _convolution(x.shape, kernel_shape, strides, padding)
    if dy.shape != (len(x), *out, kernel_shape[3]):
        refuse("dy (N, OH, OW, K) of that convolution", x, dy, kernel_shape)


def check_depthwise(
    x: Any, kernel: Any, strides: Any, padding: Any, dilation: Any, bias: Any, scale: Any = None
) -> tuple[int, int]:
    """Real x (N, H, W, C), kernel (KH, KW, C, M), bias and scale (C*M,) or None; returns (OH, OW)."""
    vectors = [vector for vector in (bias, scale) if vector is not None]
    check_one_dtype(x, kernel, *vectors)
    if any(vector.shape != (math.prod(kernel.shape[2:]),) for vector in vectors):
        refuse("a bias and a scale for each channel of the result", kernel, *vectors)
    return _depthwise(x.shape, kernel.shape, strides, padding, dilation)


def check_depthwise_input(
    dy: Any, kernel: Any, input_shape: Any, strides: Any, padding: Any, dilation: Any
) -> None:  # fmt: skip
    """Real dy (N, OH, OW, C*M) and kernel (KH, KW, C, M) of a depthwise convolution of x (N, H, W, C)."""
    check_one_dtype(dy, kernel)
    out = _depthwise(input_shape, kernel.shape, strides, padding, dilation)
    if dy.shape != (input_shape[0], *out, math.prod(kernel.shape[2:])):
        refuse("dy (N, OH, OW, C*M) of that convolution", dy, kernel, input_shape)


def check_depthwise_kernel(
    x: Any, dy: Any, kernel_shape: Any, strides: Any, padding: Any, dilation: Any
) -> None:  # fmt: skip
    """Real x (N, H, W, C) and dy (N, OH, OW, C*M) of a depthwise convolution with a kernel (KH, KW, C, M)."""
    check_one_dtype(x, dy)
    out = _depthwise(x.shape, kernel_shape, strides, padding, dilation)
    if dy.shape != (len(x), *out, kernel_shape[2] * kernel_shape[3]):
        refuse("dy (N, OH, OW, C*M) of that convolution", x, dy, kernel_shape)


def check_pool(x: Any, window: Any, strides: Any, padding: Any) -> tuple[int, int]:
    """Real x (N, H, W, C); returns (OH, OW)."""
    check_reals(x)
    return _windows(x.shape, window, strides, padding)


def check_image_mean(dy: Any, size: Any) -> None:
    """Real dy (N, C), the gradient of means over images of `size` (H, W)."""
    check_reals(dy)
    if dy.ndim != 2 or not is_pair(size) or len(dy) * size[0] * size[1] > MOST:
        refuse(f"dy (N, C), and the size of images of at most {MOST} pixels together", dy, size)


def check_pool_backward(dy: Any, winner: Any, input_shape: Any, window: Any, strides: Any, padding: Any) -> None:
    """Real dy and `winner`, both (N, OH, OW, C), of a pool of x with shape (N, H, W, C)."""
    check_reals(dy)
    check_arrays(dy, winner)
    out = _windows(input_shape, window, strides, padding)
    if not dy.shape == winner.shape == (input_shape[0], *out, input_shape[3]) or winner.dtype != place_type(window):
        refuse("dy and winner (N, OH, OW, C) of that pool", dy, winner, input_shape)


def check_pooled(dy: Any, winner: Any, out: Any) -> None:
    """Real dy and `winner` (uint8), both (N, OH // 2, OW // 2, K), of a map of `out` (OH, OW)."""
    check_reals(dy)
    check_arrays(dy, winner)
    if not is_pair(out) or dy.ndim != 4 or dy.shape[1:3] != (out[0] // 2, out[1] // 2):
        refuse("dy of half the map's height and width", dy, out)
    if winner.shape != dy.shape or winner.dtype != BYTE:
        refuse("the winner (uint8) for each number of dy", dy, winner)


def _convolution(x_shape, kernel_shape, strides, padding):
    """(OH, OW) of x (N, H, W, C) and a kernel (KH, KW, C, K)."""
    if not _is_shape(kernel_shape) or math.prod(kernel_shape) > MOST:
        refuse("a kernel (KH, KW, C, K)", kernel_shape)
    out = _windows(x_shape, kernel_shape[:2], strides, padding)
    if x_shape[3] != kernel_shape[2]:
        refuse("as many channels as the kernel has", x_shape, kernel_shape)
    return out


def _depthwise(x_shape, kernel_shape, strides, padding, dilation):
    """(OH, OW) of x (N, H, W, C) and a kernel (KH, KW, C, M) with holes."""
    if not (_is_shape(kernel_shape) and is_pair(dilation)) or math.prod(kernel_shape) > MOST:
        refuse("a kernel (KH, KW, C, M) and a pair of integers", kernel_shape, dilation)
    out = _windows(x_shape, window_reach(kernel_shape[:2], dilation), strides, padding)
    if x_shape[3] != kernel_shape[2]:
        refuse("as many channels as the kernel has", x_shape, kernel_shape)
    return out


def _windows(x_shape, window, strides, padding):
    """(OH, OW) of windows over x (N, H, W, C)."""
    sides = type(padding) is tuple and len(padding) == 2 and all(is_pair(side, 0) for side in padding)
    if not (_is_shape(x_shape) and is_pair(window) and is_pair(strides) and sides):
        refuse("(N, H, W, C), and pairs of integers", x_shape, window, strides, padding)
    N, H, W, _ = x_shape
    (top, bottom), (left, right) = padding
    if N * (top + H + bottom) * (left + W + right) > MOST:
        refuse(f"at most {MOST} pixels with their padding", x_shape, padding)
    try:
        return output_size((H, W), window, strides, padding)
    except ShapeError as error:
        raise Unfit(str(error)) from None


def _is_shape(value):
    return type(value) is tuple and len(value) == 4 and all(is_whole(size, 1) for size in value)
