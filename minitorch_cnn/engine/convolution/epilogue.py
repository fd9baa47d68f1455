"""The end of every convolution: add the bias, and cut at zero for a ReLU; and the way back through both.

Done here and not in layers of their own, so that a fast algorithm can do it while the numbers are at hand.
"""

from minitorch_cnn.arrays import accelerated, namespace
from minitorch_cnn.engine.activations import relu_backward
from minitorch_cnn.engine.reductions import channel_sum


def bias_relu(y, bias, relu):
    """y (..., K) plus bias (K,), then max(y, 0); in place, since y is the algorithm's own fresh array."""
    if bias is not None:
        y += bias
    if relu:
        namespace(y).maximum(y, 0, out=y)
    return y


@accelerated
def bias_relu_backward(dy, y):
    """(dscores, dbias): dscores = dy where y > 0, else 0; dbias (K,) is its sum over images and pixels."""
    dscores = relu_backward(dy, y)
    return dscores, channel_sum(dscores)
