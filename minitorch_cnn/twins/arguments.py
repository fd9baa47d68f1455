"""What a twin may be called with. Compiled code checks nothing, so every twin begins with one of these checks:

    def relu_backward(dy, y):           # in twins/numba/activations.py
        check_same_shape(dy, y)
        ...

With a wrong shape a twin would read and write beyond its arrays. A check raises `Unfit` instead, and then the
definition runs (`arrays/dispatch.py`): it raises an error in its own words, or it computes what only it can, such as
float16, shapes that broadcast, or arrays without elements. So a check may refuse more than it has to.

Sizes have an upper bound, so the positions that a twin computes from them fit its integers. The checks of convolutions
and pools are in `window_arguments.py`.
"""

from __future__ import annotations

import itertools
import reprlib
from typing import Any, NoReturn

import numpy as np

from minitorch_cnn.arrays.dispatch import Unfit
from minitorch_cnn.datasets.affine import FILLS

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
            refuse("arrays of one library that are not empty", *arrays)


def check_reals(*arrays: Any) -> None:
    """Arrays of float32 or float64, in the processor's byte order."""
    check_arrays(*arrays)
    for array in arrays:
        if array.dtype not in REALS:
            refuse("arrays of float32 or float64", *arrays)


def check_same_shape(*arrays: Any) -> None:
    """Real arrays that are combined element by element."""
    check_reals(*arrays)
    if any(array.shape != arrays[0].shape for array in arrays):
        refuse("arrays of one shape", *arrays)


def check_channels(x: Any, *vectors: Any, dy: Any = None) -> None:
    """Real x (..., C), for each vector (C,), and a dy like x, if there is one; all of one dtype."""
    if dy is not None:
        check_same_shape(dy, x)
    check_one_dtype(x, *vectors, *([] if dy is None else [dy]))
    if any(vector.shape != x.shape[-1:] for vector in vectors):
        refuse("a number for each channel", x, *vectors)


def check_images(*arrays: Any) -> None:
    """Real images (N, H, W, C), all of one shape."""
    check_same_shape(*arrays)
    if arrays[0].ndim != 4:
        refuse("images (N, H, W, C)", *arrays)


def check_alike(*arrays: Any) -> None:
    """Real arrays of one shape and dtype."""
    check_same_shape(*arrays)
    check_one_dtype(*arrays)


def check_bends(*bends: Any) -> None:
    """Where the parts of an activation meet, and their slopes: numbers, perhaps infinite."""
    if not all(isinstance(bend, NUMBERS) and type(bend) is not bool and bend == bend for bend in bends):
        refuse("numbers", *bends)
    if any(isinstance(bend, int) and abs(bend) > MOST for bend in bends):
        refuse("numbers that arrays may have", *bends)


def check_matrices(a: Any, b: Any) -> None:
    """Real matrices a (M, K) and b (K, N)."""
    check_reals(a, b)
    if not a.ndim == b.ndim == 2 or a.shape[1] != b.shape[0] or max(*a.shape, *b.shape) > MOST:
        refuse("matrices (M, K) and (K, N)", a, b)


def check_drop(x: Any, rate: Any, key: Any, draw: Any, first: Any) -> None:
    """Real x, a rate in [0, 1), a key of two words, the numbers of the draw and of x's first element."""
    check_reals(x)
    if not isinstance(rate, NUMBERS) or not 0 <= rate < 1:
        refuse("a rate in [0, 1)", rate)
    if not (is_pair(key, 0, 2**32 - 1) and is_whole(draw, 0, 2**64 - 1) and is_whole(first, 0, 2**62)):
        refuse("a key of two words and counters from 0", key, draw, first)


def check_scale(x: Any, keep: Any, rate: Any) -> None:
    """Real x, `keep` (bool) of the same shape, and a rate in [0, 1)."""
    check_reals(x)
    check_arrays(x, keep)
    if keep.dtype != bool or keep.shape != x.shape or not isinstance(rate, NUMBERS) or not 0 <= rate < 1:
        refuse("a bool for each number and a rate in [0, 1)", x, keep, rate)


def check_scores(scores: Any, wanted: Any) -> None:
    """Real scores and wanted (N, K)."""
    check_same_shape(scores, wanted)
    if scores.ndim != 2:
        refuse("scores (N, K)", scores)


def check_settings(*settings: Any) -> None:
    """An optimizer's settings: numbers that are neither NaN nor as large that the order of rounding matters."""
    if not all(isinstance(number, NUMBERS) and abs(number) <= LARGEST for number in settings):
        refuse("settings that are numbers", *settings)


def check_number(array: Any, dtype: Any) -> Any:
    """An array of one number of `dtype`, which is returned."""
    if array.size != 1 or array.dtype != dtype:
        refuse(f"one number of {dtype}", array)
    return array


def check_update(w: Any, g: Any, state: tuple, *settings: Any) -> None:
    """Real vectors of one length and dtype, apart in memory; those of `w` and `state` are written to."""
    vectors = w, g, *state
    check_reals(*vectors)
    for vector in vectors:
        if vector.shape != (w.size,) or vector.dtype != w.dtype or not vector.flags.c_contiguous:
            refuse("contiguous vectors of one length and dtype", *vectors)
    if type(w) in HOST and not all(vector.flags.writeable for vector in vectors):
        refuse("vectors that can be written to", *vectors)
    overlap = np.may_share_memory if type(w) in HOST else _overlap
    if any(overlap(*two) for two in itertools.combinations(vectors, 2)):
        refuse("vectors apart in memory", *vectors)
    check_settings(*settings)


def check_move(images: Any, flips: Any, shifts: Any, fill: Any) -> None:
    """Images (N, H, W, C) of bytes or reals, flips (N,) bool and shifts (N, 2) int64."""
    check_arrays(images, flips, shifts)
    if images.ndim != 4 or max(images.shape[1:3]) > FARTHEST or images.dtype not in (BYTE, *REALS):
        refuse("images (N, H, W, C)", images)
    N = len(images)
    if flips.shape != (N,) or flips.dtype != bool or shifts.shape != (N, 2) or shifts.dtype != np.int64:
        refuse("flips (N,) bool and shifts (N, 2) int64", images, flips, shifts)
    _check_fill(fill)


def check_resample(images: Any, matrices: Any, fill: Any) -> None:
    """Images (N, H, W, C) of uint8 or float32 and matrices (N, 2, 3) of float32 that are not far from one."""
    check_arrays(images, matrices)
    if images.ndim != 4 or images.dtype not in (BYTE, REALS[0]):
        refuse("images (N, H, W, C) of uint8 or float32", images)
    if matrices.shape != (len(images), 2, 3) or matrices.dtype != REALS[0] or not (abs(matrices) < FARTHEST).all():
        refuse("matrices (N, 2, 3) of float32", images, matrices)
    _check_fill(fill)


def check_pixels(images: Any, scale: Any, shift: Any) -> None:
    """Images (..., C) of uint8, real scale and shift (C,) of one dtype."""
    check_reals(scale, shift)
    check_arrays(images, scale)
    if images.dtype != BYTE or not images.shape[-1:] == scale.shape == shift.shape or scale.dtype != shift.dtype:
        refuse("images (..., C) of uint8, a scale and a shift for each channel", images, scale, shift)


def check_one_dtype(*arrays: Any) -> None:
    """Real arrays of one dtype."""
    check_reals(*arrays)
    if len({array.dtype for array in arrays}) > 1:
        refuse("arrays of one dtype", *arrays)


def is_pair(value: Any, least: int = 1, most: int = MOST) -> bool:
    """Whether `value` is a pair of ints from `least` to `most`."""
    return type(value) is tuple and len(value) == 2 and all(is_whole(number, least, most) for number in value)


def is_whole(value: Any, least: int, most: int = MOST) -> bool:
    """Whether `value` is an int from `least` to `most`."""
    return type(value) is int and least <= value <= most


def _overlap(a, b):
    """Whether contiguous arrays of a GPU share memory."""
    return a.data.ptr < b.data.ptr + b.nbytes and b.data.ptr < a.data.ptr + a.nbytes


def _check_fill(fill):
    if type(fill) is not str or fill not in FILLS:
        refuse(f"fill one of {', '.join(FILLS)}", fill)


def refuse(expected: str, *given: Any) -> NoReturn:
    """Raise Unfit, which says what was `expected` and what was `given`."""
    got = (f"{one.dtype}{one.shape}" if hasattr(one, "dtype") else reprlib.repr(one) for one in given)
    raise Unfit(f"twin: expected {expected}, got {', '.join(got)}")
