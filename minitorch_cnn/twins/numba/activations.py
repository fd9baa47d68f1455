"""The twin of `activations.relu_backward`: mask and product in one pass."""

from numba import prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty_like
from minitorch_cnn.twins.arguments import check_same_shape
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.operands import contiguous

BLOCK = 16384  # elements that a worker takes at a time


def relu_backward(dy: Array, y: Array) -> Array:
    """See `activations.relu_backward`."""
    check_same_shape(dy, y)
    dx = empty_like(dy)
    _relu_backward(contiguous(dy).reshape(-1), contiguous(y).reshape(-1), dx.reshape(-1))
    return dx


@njit(parallel=True)
def _relu_backward(dy, y, dx):
    zero = dx.dtype.type(0)
    for block in prange(-(-dx.size // BLOCK)):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, dx.size))):
            dx[i] = dy[i] if y[i] > zero else zero
