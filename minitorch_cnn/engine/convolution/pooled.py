"""A convolution with ReLU and the 2x2 max pool behind it in one go: the map between them is never written.

That map is four times as large as what is left of it, and the largest array of most networks: written, read by the
pool, kept for the ReLU's mask, read again on the way back. A window of the pool needs four numbers only, which are
together in the cache (with Winograd even in one tile) when the convolution has computed them.

What the way back needs to know of the map is `winner`, a byte for each window: the place, in reading order, of its
largest number, which alone gets the gradient; or `NOBODY`, where none of the four was above zero and the ReLU cut all.
"""

from minitorch_cnn.arrays import accelerated, library_name, namespace
from minitorch_cnn.engine.convolution import row_windows, winograd
from minitorch_cnn.engine.reductions import channel_sum

NOBODY = 4


def serves(algorithm, x):
    """Whether the module `algorithm` has a twin that pools what it computes, for arrays such as x."""
    return algorithm in (row_windows, winograd) and library_name(namespace(x)) == "numpy"


@accelerated
def forward(x, algorithm, kernel, strides, padding, bias):
    """(y, winner), both (N, OH//2, OW//2, K): pool(relu(convolution + bias)), by the module `algorithm`.

    Of equal numbers the first wins; a NaN wins over everything. An odd last row or column is left out.
    """
    whole = algorithm.forward(x, kernel, strides, padding, bias, relu=True)
    windows = _windows(whole)  # (N, OH//2, OW//2, 4, K)
    y, winner = windows.max(axis=3), windows.argmax(axis=3).astype("uint8")
    winner[y == 0] = NOBODY
    return y, winner


@accelerated
def backward(dy, winner, out):
    """(dscores, dbias): dscores (N, OH, OW, K) for `out` = (OH, OW) has each dy at its window's winner, 0 elsewhere.

    dbias (K,) is its sum over images and pixels.
    """
    xp = namespace(dy)
    N, PH, PW, K = dy.shape
    places = xp.arange(NOBODY, dtype=winner.dtype)[:, None]
    windows = xp.where(winner[:, :, :, None] == places, dy[:, :, :, None], xp.zeros((), dtype=dy.dtype))
    dscores = xp.zeros((N, *out, K), dtype=dy.dtype)
    dscores[:, : 2 * PH, : 2 * PW] = (
        windows.reshape(N, PH, PW, 2, 2, K).transpose(0, 1, 3, 2, 4, 5).reshape(N, 2 * PH, 2 * PW, K)
    )
    return dscores, channel_sum(dscores)


def _windows(y):
    N, OH, OW, K = y.shape
    PH, PW = OH // 2, OW // 2
    even = y[:, : 2 * PH, : 2 * PW].reshape(N, PH, 2, PW, 2, K)
    return even.transpose(0, 1, 3, 2, 4, 5).reshape(N, PH, PW, 4, K)
