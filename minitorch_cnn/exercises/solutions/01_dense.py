"""Solution 1. In the package: `layers/dense.py`."""


def dense_backward(dy, x, kernel):
    """dx = dy @ kernel.T, dkernel = x.T @ dy, dbias = the sum of dy over the images."""
    return dy @ kernel.T, x.T @ dy, dy.sum(axis=0)
