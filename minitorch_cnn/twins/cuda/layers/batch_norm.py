"""The twins of batch normalisation on a GPU: one pass over the arrays for each function, with a ReLU in the same pass.

Only `moments` reads x twice, first for the mean and then for the squares of the distances from it: the difference of
two large numbers, which one pass would need, loses the digits of a small variance.
"""

import math
from typing import Any

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.twins.arguments import check_channels
from minitorch_cnn.twins.cuda.kernels import contiguous, launch, together
from minitorch_cnn.twins.cuda.reductions import channel_sum, stripe_length


def moments(x: Array) -> tuple[Array, Array]:
    """See `batch_norm.moments`."""
    check_channels(x)
    x = contiguous(x)
    rows, K, each, length, sums = _stripes(x)
    mean = channel_sum(x) / rows
    launch("add_squares", sums.size // each, x, mean, sums, rows, length, K // each, each=each)
    return mean, channel_sum(sums) / rows


def normalise(
    x: Array, mean: Array, scale: Array, shift: Array, *, relu: bool = False, ceiling: float = math.inf
) -> Array:
    """See `batch_norm.normalise`; with `relu`, negative results become 0, and larger ones than `ceiling` that."""
    check_channels(x, mean, scale, shift)
    x, mean, scale, shift = map(contiguous, (x, mean, scale, shift))
    K, y = x.shape[-1], namespace(x).empty_like(x)
    each = together(K, x, y)
    launch("normalise", y.size // each, x, mean, scale, shift, y, K // each, bool(relu), ceiling, each=each)
    return y


def sums_backward(dy: Array, x: Array, mean: Array, inverse: Array) -> tuple[Array, Array]:
    """See `batch_norm.sums_backward`."""
    check_channels(x, mean, inverse, dy=dy)
    return _summed(dy, x, mean, inverse, mean, mean, relu=False)


def relu_sums_backward(
    dy: Array, x: Array, mean: Array, inverse: Array, scale: Array, shift: Array, *, ceiling: float = math.inf
) -> tuple[Array, Array]:  # fmt: skip
    """The same for the dy of a ReLU after y = (x - mean) * scale + shift: it counts only where 0 < y < `ceiling`."""
    check_channels(x, mean, inverse, scale, shift, dy=dy)
    return _summed(dy, x, mean, inverse, scale, shift, relu=True, ceiling=ceiling)


def normalise_backward(
    dy: Array, x: Array, mean: Array, inverse: Array, scale: Array, mean_dy: Array, mean_dy_n: Array, *,
    sums: bool = False,
) -> Any:  # fmt: skip
    """See `batch_norm.normalise_backward`; with `sums` it returns (dx, its sums (C,))."""
    check_channels(x, mean, inverse, scale, mean_dy, mean_dy_n, dy=dy)
    dx, partial = _passed_back(dy, x, mean, inverse, scale, mean_dy, mean_dy_n, mean, relu=False)
    return (dx, channel_sum(partial)) if sums else dx


def relu_normalise_backward(
    dy: Array, x: Array, mean: Array, inverse: Array, scale: Array, mean_dy: Array, mean_dy_n: Array, shift: Array, *,
    ceiling: float = math.inf,
) -> tuple[Array, Array]:  # fmt: skip
    """(dx, its sums (C,)) for the dy of a ReLU after y = (x - mean) * scale + shift, as in `relu_sums_backward`."""
    check_channels(x, mean, inverse, scale, mean_dy, mean_dy_n, shift, dy=dy)
    dx, partial = _passed_back(dy, x, mean, inverse, scale, mean_dy, mean_dy_n, shift, relu=True, ceiling=ceiling)
    return dx, channel_sum(partial)


def _stripes(*arrays):
    """(rows, K, channels of a thread, rows of a stripe, memory for the sums (stripes, K)) for arrays (..., K)."""
    K = arrays[0].shape[-1]
    rows, each = arrays[0].size // K, together(K, *arrays)
    length = stripe_length(rows, K // each)
    return rows, K, each, length, namespace(arrays[0]).empty((-(-rows // length), K), dtype=arrays[0].dtype)


def _summed(dy, x, mean, inverse, scale, shift, relu, ceiling=math.inf):
    dy, x, *vectors = map(contiguous, (dy, x, mean, inverse, scale, shift))
    rows, K, each, length, sums = _stripes(dy, x)
    sums = namespace(x).empty((len(sums), 2 * K), dtype=x.dtype)
    threads = len(sums) * K // each
    launch("sums_backward", threads, dy, x, *vectors, sums, rows, length, K // each, relu, ceiling, each=each)
    sum_dy, sum_dy_n = channel_sum(sums).reshape(2, K)
    return sum_dy, sum_dy_n


def _passed_back(dy, x, mean, inverse, scale, mean_dy, mean_dy_n, shift, relu, ceiling=math.inf):
    vectors = mean, scale, shift, mean_dy, inverse * mean_dy_n
    dy, x, *vectors = map(contiguous, (dy, x, *vectors))
    rows, K, each, length, sums = _stripes(dy, x)
    dx = namespace(x).empty_like(x)
    numbers = rows, length, K // each, relu, ceiling
    launch("normalise_backward", sums.size // each, dy, x, *vectors, dx, sums, *numbers, each=each)
    return dx, sums
