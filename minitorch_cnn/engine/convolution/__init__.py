"""The convolution algorithms, one a file, each with the same three functions.

    forward(x, kernel, strides, padding, bias=None) -> y
    backward_input(dy, kernel, input_shape, strides, padding) -> dx
    backward_kernel(x, dy, kernel_shape, strides, padding) -> dkernel

Read them in this order: `naive` is the definition, `im2col` makes it one matrix product, `row_windows` does without the
columns, `winograd` with a quarter of the multiplications. A new algorithm is a new module in the table below; no layer
changes.
"""

from collections.abc import Sequence
from types import ModuleType

from minitorch_cnn.arrays import Array, library_name, namespace
from minitorch_cnn.engine.convolution import im2col, naive, row_windows, winograd
from minitorch_cnn.errors import ArgumentError

ALGORITHMS = {"naive": naive, "im2col": im2col, "row_windows": row_windows, "winograd": winograd}
WINOGRAD_CHANNELS = 16  # at least so many in and out, or the additions cost more than the multiplications saved
WINOGRAD_TILES = 16  # at least so many, or bringing the 36 transformed kernels costs more than using them
WIDE = 192  # channels in and out, with which Winograd is faster with any number of tiles
ALIGNED = 4  # on a GPU: tensor cores want rows that begin at multiples of so many float32 numbers


def algorithms() -> list[str]:
    """The names that `Conv2D(algorithm=...)` accepts besides "auto"."""
    return list(ALGORITHMS)


def overlap(window: Sequence, strides: tuple) -> bool:
    """Whether neighbouring windows overlap at stride 1; then a GPU is faster without columns of their copies."""
    return tuple(strides) == (1, 1) and max(window) > 1


def check_name(name: str) -> None:
    """Check that `name` is "auto" or the name of an algorithm; ArgumentError otherwise."""
    if not isinstance(name, str) or (name != "auto" and name not in ALGORITHMS):
        raise ArgumentError(f"algorithm: expected 'auto' or one of {', '.join(ALGORITHMS)}, got {name!r}")


def choose(name: str, x: Array, kernel_shape: tuple, strides: tuple, out: tuple) -> ModuleType:
    """The module that computes a convolution of x (N, H, W, C) with a kernel (KH, KW, C, K) to `out` (OH, OW).

    It is the one called `name`; for "auto" the fastest as a rule. `benchmarks/conv_algorithms.py` measures the rule.
    """
    check_name(name)
    if name != "auto":
        return ALGORITHMS[name]
    *window, C, K = kernel_shape
    if library_name(namespace(x)) != "numpy":
        return row_windows if overlap(window, strides) and C % ALIGNED == 0 and K % ALIGNED == 0 else im2col
    TH, TW = winograd.tile_count(out)
    enough = (min(C, K) >= WINOGRAD_CHANNELS and len(x) * TH * TW >= WINOGRAD_TILES) or min(C, K) >= WIDE
    return winograd if enough and winograd.serves(window, strides) else row_windows
