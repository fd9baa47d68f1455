"""Solution 11; in the package, see `engine/layers/batch_norm.py`."""

import numpy as np


def batch_norm_backward(dy, x, gamma, epsilon):
    """dx = gamma / deviation * (dy - mean(dy) - xhat * mean(dy * xhat)), dgamma = sum(dy * xhat), dbeta = sum(dy)."""
    axes = tuple(range(x.ndim - 1))
    deviation = np.sqrt(x.var(axis=axes) + epsilon)
    xhat = (x - x.mean(axis=axes)) / deviation
    dbeta, dgamma = dy.sum(axis=axes), (dy * xhat).sum(axis=axes)
    M = x.size // x.shape[-1]
    return gamma / deviation * (dy - dbeta / M - xhat * dgamma / M), dgamma, dbeta
