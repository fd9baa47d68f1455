"""Solution 1; in the package, see `engine/layers/dense.py`."""


def dense_backward(dy, x, kernel):
    """dx = dy @ kernel.T, dkernel = x.T @ dy, and dbias is the sum of dy over the images."""
    return dy @ kernel.T, x.T @ dy, dy.sum(axis=0)
