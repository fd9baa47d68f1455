"""Solution 2. In the package: `activations.py`."""

import numpy as np


def relu_forward(x):
    """max(x, 0)."""
    return np.maximum(x, 0)


def relu_backward(dy, y):
    """dy where y > 0, else 0."""
    return dy * (y > 0)
