"""Solution 12; in the package, see `engine/layers/merge.py` and `engine/passes.py`."""

import numpy as np


def residual_forward(x, kernel1, kernel2):
    """hidden = max(x @ kernel1, 0) and y = max(x + hidden @ kernel2, 0)."""
    hidden = np.maximum(x @ kernel1, 0)
    return hidden, np.maximum(x + hidden @ kernel2, 0)


def residual_backward(dy, x, hidden, y, kernel1, kernel2):
    """dsum = dy * (y > 0), dbefore = (dsum @ kernel2.T) * (hidden > 0), and dx = dsum + dbefore @ kernel1.T."""
    dsum = dy * (y > 0)
    dbefore = (dsum @ kernel2.T) * (hidden > 0)
    return dsum + dbefore @ kernel1.T, x.T @ dbefore, hidden.T @ dsum
