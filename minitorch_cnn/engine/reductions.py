"""Sums over all axes but the channel, the same expression on every backend."""

from minitorch_cnn.arrays import Array, accelerated

STRIPES = 256


@accelerated
def channel_sum(x: Array) -> Array:
    """(K,) sums of x (..., K) over all other axes, in two stages.

    The stripes are summed first and then added up. That is nearly pairwise, so more exact in float32 than one long
    sum; and on a GPU it occupies hundreds of blocks, where one reduction over the leading axes would occupy one.
    """
    flat = x.reshape(-1, x.shape[-1])
    rows = len(flat) // STRIPES
    if rows == 0:
        return flat.sum(axis=0)
    body = flat[: rows * STRIPES].reshape(STRIPES, rows, -1).sum(axis=1).sum(axis=0)
    rest = flat[rows * STRIPES :]
    return body + rest.sum(axis=0) if len(rest) else body
