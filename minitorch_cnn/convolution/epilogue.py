"""What every algorithm does with its result before letting go of it: add the bias, and cut at zero for a ReLU.

Done here and not in a layer of its own, so that a fast algorithm can do it while the numbers are still in the cache.
"""

from minitorch_cnn.backend import namespace


def bias_relu(y, bias, relu):
    """y (..., K) plus bias (K,), then max(y, 0); in place, since y is the algorithm's own fresh array."""
    if bias is not None:
        y += bias
    if relu:
        namespace(y).maximum(y, 0, out=y)
    return y
