"""Where a window fits: padding and output size, the same for convolutions and pools.

OH = floor((H + top + bottom - KH) / SH) + 1          (and the same for columns)
"""

import math
from collections.abc import Iterator, Sequence
from numbers import Real
from typing import Any

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.errors import ArgumentError, ShapeError

NO_PADDING = ((0, 0), (0, 0))
# Compiled code multiplies sizes without looking for overflow. Below these, every product fits a 64-bit index.
LARGEST = 2**15  # a window, stride or padding, in pixels
MOST_NUMBERS = 2**40  # an image or a parameter of a layer


def pair(value: Any, name: str, least: int = 1, most: int = LARGEST) -> tuple[int, int]:
    """`3` or `(3, 5)` as the pair (rows, columns) of integers from `least` to `most`; ArgumentError otherwise."""
    values = value if isinstance(value, (tuple, list)) else (value, value)
    numbers = all(isinstance(v, Real) and not isinstance(v, bool) for v in values)
    if len(values) != 2 or not numbers or any(v % 1 or not least <= v <= most for v in values):
        raise ArgumentError(f"{name}: expected an integer from {least} to {most} or a pair of them, got {value!r}")
    return int(values[0]), int(values[1])


def one(value: Any, name: str, most: int = MOST_NUMBERS) -> int:
    """`value` as a single integer from 1 to `most`; ArgumentError otherwise, for a pair as well."""
    if isinstance(value, (tuple, list)):
        raise ArgumentError(f"{name}: expected a single integer, got {value!r}")
    return pair(value, name, most=most)[0]


def check_sizes(name: str, *shapes: tuple) -> None:
    """Check that the arrays of the layer `name`, for one image, are neither empty nor too large; ShapeError if so."""
    for shape in shapes:
        if min(shape, default=1) < 1 or math.prod(shape) > MOST_NUMBERS:
            raise ShapeError(f"{name}: expected from 1 to {MOST_NUMBERS:,} numbers, got an array of shape {shape}")


def check_padding(padding: Any) -> Any:
    """Check `padding` and return it in plain form: "valid", "same", or ((top, bottom), (left, right)).

    An int pads all four sides, a pair (rows, columns) pads symmetrically, a pair of pairs says each side.
    """
    if isinstance(padding, str):
        if padding not in ("valid", "same"):
            raise ArgumentError(f'padding: expected "valid", "same", an integer or a pair, got {padding!r}')
        return padding
    if isinstance(padding, (tuple, list)) and any(isinstance(side, (tuple, list)) for side in padding):
        if len(padding) != 2:
            raise ArgumentError(f"padding: expected ((top, bottom), (left, right)), got {padding!r}")
        return pair(padding[0], "padding", 0), pair(padding[1], "padding", 0)
    rows, columns = pair(padding, "padding", 0)
    return (rows, rows), (columns, columns)


def resolve_padding(padding: Any, size: tuple, window: tuple, strides: tuple) -> tuple:
    """((top, bottom), (left, right)) in pixels for an input of `size` (H, W).

    "same" is TensorFlow's: OH = ceil(H / SH), and where the total is odd the extra pixel goes bottom and right.
    """
    if padding == "valid":
        return NO_PADDING
    if padding == "same":
        sides = []
        for length, reach, step in zip(size, window, strides):
            total = max((-(-length // step) - 1) * step + reach - length, 0)
            sides.append((total // 2, total - total // 2))
        return tuple(sides)
    return padding


def output_size(
    size: tuple, window: tuple, strides: tuple, padding: tuple, name: str = "convolution"
) -> tuple[int, int]:
    """(OH, OW) for an input of `size` (H, W) and resolved `padding`; ShapeError when the window does not fit once."""
    result = []
    for length, reach, step, (before, after) in zip(size, window, strides, padding):
        if length + before + after < reach:
            raise ShapeError(
                f"{name}: a window of {window[0]}x{window[1]} does not fit into an input of {size[0]}x{size[1]}"
                f" with padding {padding}"
            )
        result.append((length + before + after - reach) // step + 1)
    return result[0], result[1]


def pad(x: Array, padding: tuple, value: float = 0) -> Array:
    """`x` (N, H, W, C) with `padding` ((top, bottom), (left, right)) around it; `x` itself where there is none."""
    if padding == NO_PADDING:
        return x
    return namespace(x).pad(x, ((0, 0), *padding, (0, 0)), constant_values=value)


def window_reach(window: Sequence, dilation: Sequence) -> tuple[int, int]:
    """(rows, columns) from the first to the last pixel of a window whose neighbours are `dilation` pixels apart."""
    rows, columns = ((size - 1) * step + 1 for size, step in zip(window, dilation))
    return rows, columns


def crop(x: Array, padding: tuple) -> Array:
    """The inverse of `pad`: cut `padding` off `x` (N, H, W, C)."""
    (top, bottom), (left, right) = padding
    return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]


def dilated_taps(
    padded: Array, window: Sequence, strides: tuple, dilation: tuple, out: tuple
) -> Iterator[tuple[int, int, Array]]:
    """(p, q, tap): for each place of the window what it sees in all windows, a view (N, OH, OW, C) of `padded`."""
    (SH, SW), (DH, DW), (OH, OW) = strides, dilation, out
    for p in range(window[0]):
        for q in range(window[1]):
            rows, columns = slice(p * DH, p * DH + SH * OH, SH), slice(q * DW, q * DW + SW * OW, SW)
            yield p, q, padded[:, rows, columns]
