"""What a twin may be called with. Compiled code checks nothing, so every twin begins with one of these checks:

    def relu_backward(dy, y):           # in twins/numba/activations.py
        check_same_shape(dy, y)
        ...

With a wrong shape a twin would read and write beyond its arrays. A check raises `Unfit` instead, and then the
definition runs (`arrays/dispatch.py`): it raises an error in its own words, or it computes what only it can, such as
float16, shapes that broadcast, or arrays without elements. So a check may refuse more than it has to.

Sizes have an upper bound, so the positions that a twin computes from them fit its integers.
"""

from __future__ import annotations

import itertools
import math
import reprlib
from typing import Any, NoReturn

import numpy as np

from minitorch_cnn.arrays.dispatch import Unfit
from minitorch_cnn.datasets.affine import FILLS
from minitorch_cnn.engine.convolution.geometry import output_size, window_reach
from minitorch_cnn.engine.layers.max_pool2d import place_type
from minitorch_cnn.errors import ShapeError

MOST = 2**31 - 1  # padded pixels of a batch, weights of a kernel, rows of a matrix: a GPU's kernels count in 32 bits
LARGEST = 1e30  # of an optimizer's settings; with larger ones, the order in which numbers are multiplied matters
FARTHEST = 2**20  # pixels: an image's side, and the coefficients of an affine map
HOST = (np.ndarray, np.memmap)  # and no subclass whose operators mean something else
NUMBERS: tuple = (int, float, np.floating)
BYTE, REALS = np.dtype("uint8"), (np.dtype("float32"), np.dtype("float64"))


def check_arrays(*arrays: Any) -> None:
    """Arrays of one library, neither empty nor without axes, aligned in memory."""
    on_host = isinstance(arrays[0], np.ndarray)
    kinds = HOST if on_host else (type(arrays[0]),)
    for array in arrays:
        if type(array) not in kinds or not (array.ndim and array.size) or (on_host and not array.flags.aligned):
            _refuse("arrays of one library that are not empty", *arrays)


def check_reals(*arrays: Any) -> None:
    """Arrays of float32 or float64, in the processor's byte order."""
    check_arrays(*arrays)
    for array in arrays:
        if array.dtype not in REALS:
            _refuse("arrays of float32 or float64", *arrays)


def check_same_shape(*arrays: Any) -> None:
    """Real arrays that are combined element by element."""
    check_reals(*arrays)
    if any(array.shape != arrays[0].shape for array in arrays):
        _refuse("arrays of one shape", *arrays)


def check_channels(x: Any, *vectors: Any, dy: Any = None) -> None:
    """Real x (..., C), for each vector (C,), and a dy like x, if there is one; all of one dtype."""
    if dy is not None:
        check_same_shape(dy, x)
    _check_one_dtype(x, *vectors, *([] if dy is None else [dy]))
    if any(vector.shape != x.shape[-1:] for vector in vectors):
        _refuse("a number for each channel", x, *vectors)


def check_alike(*arrays: Any) -> None:
    """Real arrays of one shape and dtype."""
    check_same_shape(*arrays)
    _check_one_dtype(*arrays)


def check_bends(*bends: Any) -> None:
    """Where the parts of an activation meet, and their slopes: numbers, perhaps infinite."""
    if not all(isinstance(bend, NUMBERS) and type(bend) is not bool and bend == bend for bend in bends):
        _refuse("numbers", *bends)
    if any(isinstance(bend, int) and abs(bend) > MOST for bend in bends):
        _refuse("numbers that arrays may have", *bends)


def check_matrices(a: Any, b: Any) -> None:
    """Real matrices a (M, K) and b (K, N)."""
    check_reals(a, b)
    if not a.ndim == b.ndim == 2 or a.shape[1] != b.shape[0] or max(*a.shape, *b.shape) > MOST:
        _refuse("matrices (M, K) and (K, N)", a, b)


def check_forward(
    x: Any, kernel: Any, strides: Any, padding: Any, bias: Any, pool: bool = False, scale: Any = None
) -> tuple[int, int]:  # fmt: skip
    """Real x (N, H, W, C), kernel (KH, KW, C, K) and bias (K,) or None; returns (OH, OW), with `pool` at least 2x2.

    A `scale`, if there is one, is like the bias.
    """
    vectors = [vector for vector in (bias, scale) if vector is not None]
    _check_one_dtype(x, kernel, *vectors)
    if any(vector.shape != kernel.shape[3:] for vector in vectors):
        _refuse("a number for each filter", kernel, *vectors)
    out = _convolution(x.shape, kernel.shape, strides, padding)
    if pool and min(out) < 2:
        _refuse("a result with a window of 2x2", x, kernel)
    return out


def check_backward_input(dy: Any, kernel: Any, input_shape: Any, strides: Any, padding: Any) -> None:
    """Real dy (N, OH, OW, K) and kernel (KH, KW, C, K) of a convolution of x with shape (N, H, W, C)."""
    check_reals(dy, kernel)
    out = _convolution(input_shape, kernel.shape, strides, padding)
    if dy.shape != (input_shape[0], *out, kernel.shape[3]):
        _refuse("dy (N, OH, OW, K) of that convolution", dy, kernel, input_shape)


def check_backward_kernel(x: Any, dy: Any, kernel_shape: Any, strides: Any, padding: Any) -> None:
    """Real x (N, H, W, C) and dy (N, OH, OW, K) of a convolution with a kernel of shape (KH, KW, C, K)."""
    check_reals(x, dy)
    out = _convolution(x.shape, kernel_shape, strides, padding)
    if dy.shape != (len(x), *out, kernel_shape[3]):
        _refuse("dy (N, OH, OW, K) of that convolution", x, dy, kernel_shape)


def check_depthwise(
    x: Any, kernel: Any, strides: Any, padding: Any, dilation: Any, bias: Any, scale: Any = None
) -> tuple[int, int]:
    """Real x (N, H, W, C), kernel (KH, KW, C, M), bias and scale (C*M,) or None; returns (OH, OW)."""
    vectors = [vector for vector in (bias, scale) if vector is not None]
    _check_one_dtype(x, kernel, *vectors)
    if any(vector.shape != (math.prod(kernel.shape[2:]),) for vector in vectors):
        _refuse("a bias and a scale for each channel of the result", kernel, *vectors)
    return _depthwise(x.shape, kernel.shape, strides, padding, dilation)


def check_depthwise_input(
    dy: Any, kernel: Any, input_shape: Any, strides: Any, padding: Any, dilation: Any
) -> None:  # fmt: skip
    """Real dy (N, OH, OW, C*M) and kernel (KH, KW, C, M) of a depthwise convolution of x (N, H, W, C)."""
    _check_one_dtype(dy, kernel)
    out = _depthwise(input_shape, kernel.shape, strides, padding, dilation)
    if dy.shape != (input_shape[0], *out, math.prod(kernel.shape[2:])):
        _refuse("dy (N, OH, OW, C*M) of that convolution", dy, kernel, input_shape)


def check_depthwise_kernel(
    x: Any, dy: Any, kernel_shape: Any, strides: Any, padding: Any, dilation: Any
) -> None:  # fmt: skip
    """Real x (N, H, W, C) and dy (N, OH, OW, C*M) of a depthwise convolution with a kernel (KH, KW, C, M)."""
    _check_one_dtype(x, dy)
    out = _depthwise(x.shape, kernel_shape, strides, padding, dilation)
    if dy.shape != (len(x), *out, kernel_shape[2] * kernel_shape[3]):
        _refuse("dy (N, OH, OW, C*M) of that convolution", x, dy, kernel_shape)


def check_pool(x: Any, window: Any, strides: Any, padding: Any) -> tuple[int, int]:
    """Real x (N, H, W, C); returns (OH, OW)."""
    check_reals(x)
    return _windows(x.shape, window, strides, padding)


def check_image_mean(dy: Any, size: Any) -> None:
    """Real dy (N, C), the gradient of means over images of `size` (H, W)."""
    check_reals(dy)
    if dy.ndim != 2 or not _is_pair(size) or len(dy) * size[0] * size[1] > MOST:
        _refuse(f"dy (N, C), and the size of images of at most {MOST} pixels together", dy, size)


def check_pool_backward(dy: Any, winner: Any, input_shape: Any, window: Any, strides: Any, padding: Any) -> None:
    """Real dy and `winner`, both (N, OH, OW, C), of a pool of x with shape (N, H, W, C)."""
    check_reals(dy)
    check_arrays(dy, winner)
    out = _windows(input_shape, window, strides, padding)
    if not dy.shape == winner.shape == (input_shape[0], *out, input_shape[3]) or winner.dtype != place_type(window):
        _refuse("dy and winner (N, OH, OW, C) of that pool", dy, winner, input_shape)


def check_pooled(dy: Any, winner: Any, out: Any) -> None:
    """Real dy and `winner` (uint8), both (N, OH // 2, OW // 2, K), of a map of `out` (OH, OW)."""
    check_reals(dy)
    check_arrays(dy, winner)
    if not _is_pair(out) or dy.ndim != 4 or dy.shape[1:3] != (out[0] // 2, out[1] // 2):
        _refuse("dy of half the map's height and width", dy, out)
    if winner.shape != dy.shape or winner.dtype != BYTE:
        _refuse("the winner (uint8) for each number of dy", dy, winner)


def check_drop(x: Any, rate: Any, key: Any, draw: Any, first: Any) -> None:
    """Real x, a rate in [0, 1), a key of two words, the numbers of the draw and of x's first element."""
    check_reals(x)
    if not isinstance(rate, NUMBERS) or not 0 <= rate < 1:
        _refuse("a rate in [0, 1)", rate)
    if not (_is_pair(key, 0, 2**32 - 1) and _is_whole(draw, 0, 2**64 - 1) and _is_whole(first, 0, 2**62)):
        _refuse("a key of two words and counters from 0", key, draw, first)


def check_scale(x: Any, keep: Any, rate: Any) -> None:
    """Real x, `keep` (bool) of the same shape, and a rate in [0, 1)."""
    check_reals(x)
    check_arrays(x, keep)
    if keep.dtype != bool or keep.shape != x.shape or not isinstance(rate, NUMBERS) or not 0 <= rate < 1:
        _refuse("a bool for each number and a rate in [0, 1)", x, keep, rate)


def check_scores(scores: Any, wanted: Any) -> None:
    """Real scores and wanted (N, K)."""
    check_same_shape(scores, wanted)
    if scores.ndim != 2:
        _refuse("scores (N, K)", scores)


def check_settings(*settings: Any) -> None:
    """An optimizer's settings: numbers that are neither NaN nor as large that the order of rounding matters."""
    if not all(isinstance(number, NUMBERS) and abs(number) <= LARGEST for number in settings):
        _refuse("settings that are numbers", *settings)


def check_number(array: Any, dtype: Any) -> Any:
    """An array of one number of `dtype`, which is returned."""
    if array.size != 1 or array.dtype != dtype:
        _refuse(f"one number of {dtype}", array)
    return array


def check_update(w: Any, g: Any, state: tuple, *settings: Any) -> None:
    """Real vectors of one length and dtype, apart in memory; those of `w` and `state` are written to."""
    vectors = w, g, *state
    check_reals(*vectors)
    for vector in vectors:
        if vector.shape != (w.size,) or vector.dtype != w.dtype or not vector.flags.c_contiguous:
            _refuse("contiguous vectors of one length and dtype", *vectors)
    if type(w) in HOST and not all(vector.flags.writeable for vector in vectors):
        _refuse("vectors that can be written to", *vectors)
    overlap = np.may_share_memory if type(w) in HOST else _overlap
    if any(overlap(*two) for two in itertools.combinations(vectors, 2)):
        _refuse("vectors apart in memory", *vectors)
    check_settings(*settings)


def check_move(images: Any, flips: Any, shifts: Any, fill: Any) -> None:
    """Images (N, H, W, C) of bytes or reals, flips (N,) bool and shifts (N, 2) int64."""
    check_arrays(images, flips, shifts)
    if images.ndim != 4 or max(images.shape[1:3]) > FARTHEST or images.dtype not in (BYTE, *REALS):
        _refuse("images (N, H, W, C)", images)
    N = len(images)
    if flips.shape != (N,) or flips.dtype != bool or shifts.shape != (N, 2) or shifts.dtype != np.int64:
        _refuse("flips (N,) bool and shifts (N, 2) int64", images, flips, shifts)
    _check_fill(fill)


def check_resample(images: Any, matrices: Any, fill: Any) -> None:
    """Images (N, H, W, C) of uint8 or float32 and matrices (N, 2, 3) of float32 that are not far from one."""
    check_arrays(images, matrices)
    if images.ndim != 4 or images.dtype not in (BYTE, REALS[0]):
        _refuse("images (N, H, W, C) of uint8 or float32", images)
    if matrices.shape != (len(images), 2, 3) or matrices.dtype != REALS[0] or not (abs(matrices) < FARTHEST).all():
        _refuse("matrices (N, 2, 3) of float32", images, matrices)
    _check_fill(fill)


def check_pixels(images: Any, scale: Any, shift: Any) -> None:
    """Images (..., C) of uint8, real scale and shift (C,) of one dtype."""
    check_reals(scale, shift)
    check_arrays(images, scale)
    if images.dtype != BYTE or not images.shape[-1:] == scale.shape == shift.shape or scale.dtype != shift.dtype:
        _refuse("images (..., C) of uint8, a scale and a shift for each channel", images, scale, shift)


def _convolution(x_shape, kernel_shape, strides, padding):
    """(OH, OW) of x (N, H, W, C) and a kernel (KH, KW, C, K)."""
    if not _is_shape(kernel_shape) or math.prod(kernel_shape) > MOST:
        _refuse("a kernel (KH, KW, C, K)", kernel_shape)
    out = _windows(x_shape, kernel_shape[:2], strides, padding)
    if x_shape[3] != kernel_shape[2]:
        _refuse("as many channels as the kernel has", x_shape, kernel_shape)
    return out


def _check_one_dtype(*arrays):
    check_reals(*arrays)
    if len({array.dtype for array in arrays}) > 1:
        _refuse("arrays of one dtype", *arrays)


def _depthwise(x_shape, kernel_shape, strides, padding, dilation):
    """(OH, OW) of x (N, H, W, C) and a kernel (KH, KW, C, M) with holes."""
    if not (_is_shape(kernel_shape) and _is_pair(dilation)) or math.prod(kernel_shape) > MOST:
        _refuse("a kernel (KH, KW, C, M) and a pair of integers", kernel_shape, dilation)
    out = _windows(x_shape, window_reach(kernel_shape[:2], dilation), strides, padding)
    if x_shape[3] != kernel_shape[2]:
        _refuse("as many channels as the kernel has", x_shape, kernel_shape)
    return out


def _windows(x_shape, window, strides, padding):
    """(OH, OW) of windows over x (N, H, W, C)."""
    sides = type(padding) is tuple and len(padding) == 2 and all(_is_pair(side, 0) for side in padding)
    if not (_is_shape(x_shape) and _is_pair(window) and _is_pair(strides) and sides):
        _refuse("(N, H, W, C), and pairs of integers", x_shape, window, strides, padding)
    N, H, W, _ = x_shape
    (top, bottom), (left, right) = padding
    if N * (top + H + bottom) * (left + W + right) > MOST:
        _refuse(f"at most {MOST} pixels with their padding", x_shape, padding)
    try:
        return output_size((H, W), window, strides, padding)
    except ShapeError as error:
        raise Unfit(str(error)) from None


def _is_shape(value):
    return type(value) is tuple and len(value) == 4 and all(_is_whole(size, 1) for size in value)


def _is_pair(value, least=1, most=MOST):
    return type(value) is tuple and len(value) == 2 and all(_is_whole(number, least, most) for number in value)


def _is_whole(value, least, most=MOST):
    return type(value) is int and least <= value <= most


def _overlap(a, b):
    """Whether contiguous arrays of a GPU share memory."""
    return a.data.ptr < b.data.ptr + b.nbytes and b.data.ptr < a.data.ptr + a.nbytes


def _check_fill(fill):
    if type(fill) is not str or fill not in FILLS:
        _refuse(f"fill one of {', '.join(FILLS)}", fill)


def _refuse(expected: str, *given: Any) -> NoReturn:
    got = (f"{one.dtype}{one.shape}" if hasattr(one, "dtype") else reprlib.repr(one) for one in given)
    raise Unfit(f"twin: expected {expected}, got {', '.join(got)}")
