"""The twins of `dropout.drop` and `dropout.scale` on a GPU, with the same bits as on the host."""

from typing import Any

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.engine.layers import dropout
from minitorch_cnn.twins.arguments import check_drop, check_number, check_scale
from minitorch_cnn.twins.cuda.kernels import contiguous, launch


def drop(x: Array, rate: float, key: tuple, draw: Any, first: int = 0) -> tuple[Array, Array]:
    """See `dropout.drop`; `draw` may be an array of one number on the device, as in a captured step."""
    if first:  # x is a part of a batch that several processes share
        return dropout.drop.definition(x, rate, key, draw, first)
    on_device = type(draw) is type(x)
    check_drop(x, rate, key, 0 if on_device else draw, first)
    x, xp = contiguous(x), namespace(x)
    y, keep = xp.empty_like(x), xp.empty(x.shape, dtype="bool")
    draw = check_number(draw, "uint64") if on_device else xp.asarray([draw], dtype="uint64")
    launch("drop", -(-x.size // 4), x, y, keep, draw, x.size, dropout.threshold(rate), 1 / (1 - rate), *key)
    return y, keep


def scale(x: Array, keep: Array, rate: float) -> Array:
    """See `dropout.scale`."""
    check_scale(x, keep, rate)
    x, keep = contiguous(x), contiguous(keep)
    y = namespace(x).empty_like(x)
    launch("scale", x.size, x, keep, y, 1 / (1 - rate))
    return y
