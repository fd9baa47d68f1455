"""The twin of `reductions.channel_sum`: in each stage, a thread adds up a stripe of rows of one channel."""

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.twins.arguments import check_reals
from minitorch_cnn.twins.cuda.kernels import contiguous, launch, together

LENGTHS = 64, 8  # rows of a stripe: at most and at least so many
THREADS = 1 << 17  # that are wanted at once, so that enough loads are on their way


def channel_sum(x: Array) -> Array:
    """See `reductions.channel_sum`."""
    check_reals(x)
    K = x.shape[-1]
    sums = contiguous(x).reshape(-1, K)
    while True:
        rows, each = len(sums), together(K, sums)
        length = stripe_length(rows, K // each)
        x, sums = sums, namespace(sums).empty((max(1, -(-rows // length)), K), dtype=sums.dtype)
        launch("sum_rows", sums.size // each, x, sums, rows, length, K // each, each=each)
        if len(sums) == 1:
            return sums.reshape(K)


def stripe_length(rows: int, threads: int) -> int:
    """How many of the rows a thread adds up, if each of them has so many `threads`: the fewer, the more are busy."""
    length, least = LENGTHS
    while length > least and rows * threads < length * THREADS:
        length //= 2
    return length
