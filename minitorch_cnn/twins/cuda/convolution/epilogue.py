"""The end of a convolution on a GPU: bias and ReLU in one pass, and the backward pass of both in another."""

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.twins.cuda.kernels import launch, one_type
from minitorch_cnn.twins.cuda.reductions import LENGTH, channel_sum


def bias_relu(y: Array, bias: Array | None, relu: bool) -> Array:
    """Add bias (K,) to y (..., K) unless it is None, and apply a ReLU if `relu`; in place. Returns y."""
    if bias is not None or relu:
        bias_or_any = y if bias is None else bias.astype(y.dtype, copy=False)
        launch("bias_relu", y.size, y, bias_or_any, y.shape[-1], bias is not None, relu)
    return y


def bias_relu_backward(dy: Array, y: Array) -> tuple[Array, Array]:
    """(dscores, dbias): dscores = dy where y > 0, else 0; dbias (K,) is its sum over images and pixels."""
    dy, y = one_type(dy, y)
    K, xp = dy.shape[-1], namespace(dy)
    rows = dy.size // K
    dscores = xp.empty_like(dy)
    sums = xp.empty((max(1, -(-rows // LENGTH)), K), dtype=dy.dtype)
    launch("bias_relu_backward", sums.size, dy, y, dscores, sums, rows, LENGTH, K)
    return dscores, channel_sum(sums)
