"""The end of a convolution on a GPU: bias and ReLU in one pass, and the backward pass of both in another."""

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.twins.arguments import check_same_shape
from minitorch_cnn.twins.cuda.kernels import launch, one_type
from minitorch_cnn.twins.cuda.reductions import LENGTH, channel_sum


def bias_relu(y: Array, bias: Array | None, relu: bool) -> Array:
    """Add bias (K,), contiguous and of the same dtype, to y (..., K) unless it is None, and apply a ReLU if `relu`.

    Works in place and returns y.
    """
    if bias is not None or relu:
        launch("bias_relu", y.size, y, y if bias is None else bias, y.shape[-1], bias is not None, relu)
    return y


def bias_relu_backward(dy: Array, y: Array) -> tuple[Array, Array]:
    """(dscores, dbias): dscores = dy where y > 0, else 0; dbias (K,) is its sum over images and pixels."""
    check_same_shape(dy, y)
    dy, y = one_type(dy, y)
    K, xp = dy.shape[-1], namespace(dy)
    rows = dy.size // K
    dscores = xp.empty_like(dy)
    sums = xp.empty((max(1, -(-rows // LENGTH)), K), dtype=dy.dtype)
    launch("bias_relu_backward", sums.size, dy, y, dscores, sums, rows, LENGTH, K)
    return dscores, channel_sum(sums)
