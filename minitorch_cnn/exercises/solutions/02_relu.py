"""Solution 2; in the package, see `engine/activations.py`."""

import numpy as np


def relu_forward(x):
    """y = max(x, 0), element by element."""
    return np.maximum(x, 0)


def relu_backward(dy, y):
    """dx = dy where y > 0, and 0 elsewhere."""
    return dy * (y > 0)
