"""The twins of `more_activations` on a GPU: one pass over the arrays, without any between."""

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.twins.arguments import check_alike, check_bends, check_reals
from minitorch_cnn.twins.cuda.kernels import contiguous, launch


def bent_relu(x: Array, slope: float, largest: float, threshold: float) -> Array:
    """See `more_activations.bent_relu`."""
    check_reals(x)
    check_bends(slope, largest, threshold)
    x, y = _in_and_out(x)
    launch("bent_relu", x.size, x, y, slope, largest, threshold)
    return y


def bent_relu_backward(dy: Array, x: Array, slope: float, largest: float, threshold: float) -> Array:
    """See `more_activations.bent_relu_backward`."""
    check_alike(dy, x)
    check_bends(slope, largest, threshold)
    dy, dx = _in_and_out(dy)
    launch("bent_relu_backward", dx.size, dy, contiguous(x), dx, slope, largest, threshold)
    return dx


def silu(x: Array) -> Array:
    """See `more_activations.silu`."""
    check_reals(x)
    x, y = _in_and_out(x)
    launch("silu", x.size, x, y)
    return y


def silu_backward(dy: Array, x: Array) -> Array:
    """See `more_activations.silu_backward`."""
    check_alike(dy, x)
    dy, dx = _in_and_out(dy)
    launch("silu_backward", dx.size, dy, contiguous(x), dx)
    return dx


def gelu(x: Array) -> Array:
    """See `more_activations.gelu`; P by the complementary error function of CUDA's library."""
    check_reals(x)
    x, y = _in_and_out(x)
    launch("gelu", x.size, x, y)
    return y


def gelu_backward(dy: Array, x: Array) -> Array:
    """See `more_activations.gelu_backward`."""
    check_alike(dy, x)
    dy, dx = _in_and_out(dy)
    launch("gelu_backward", dx.size, dy, contiguous(x), dx)
    return dx


def erf(x: Array) -> Array:
    """See `more_activations.erf`; the function of CUDA's library."""
    check_reals(x)
    x, y = _in_and_out(x)
    launch("error_function", x.size, x, y)
    return y


def _in_and_out(x):
    """X as kernels expect it, and memory for a result like it."""
    x = contiguous(x)
    return x, namespace(x).empty_like(x)
