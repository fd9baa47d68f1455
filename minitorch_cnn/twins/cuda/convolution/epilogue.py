"""The end of a convolution on a GPU: bias and ReLU in one pass, and the backward pass of both in another."""

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.twins.arguments import check_same_shape
from minitorch_cnn.twins.cuda.kernels import launch, one_type, together
from minitorch_cnn.twins.cuda.reductions import channel_sum, stripe_length


def bias_relu(y: Array, bias: Array | None, relu: bool) -> Array:
    """Add bias (K,), contiguous and of the same dtype, to y (..., K) unless it is None, and apply a ReLU if `relu`.

    Works in place and returns y.
    """
    if bias is not None or relu:
        K = y.shape[-1]
        each, bias_or_any = together(K, y), y if bias is None else bias
        launch("bias_relu", y.size // each, y, bias_or_any, K // each, bias is not None, relu, each=each)
    return y


def bias_relu_backward(dy: Array, y: Array) -> tuple[Array, Array]:
    """(dscores, dbias): dscores = dy where y > 0, else 0; dbias (K,) is its sum over images and pixels."""
    check_same_shape(dy, y)
    dy, y = one_type(dy, y)
    K, xp = dy.shape[-1], namespace(dy)
    rows, each = dy.size // K, together(K, dy, y)
    dscores, length = xp.empty_like(dy), stripe_length(rows, K // each)
    sums = xp.empty((max(1, -(-rows // length)), K), dtype=dy.dtype)
    launch("bias_relu_backward", sums.size // each, dy, y, dscores, sums, rows, length, K // each, each=each)
    return dscores, channel_sum(sums)
