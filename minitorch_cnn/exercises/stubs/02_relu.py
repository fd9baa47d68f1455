"""Exercise 2: a ReLU, forwards and backwards.

    y = max(x, 0)                   element by element, any shape

    dy/dx = 1 where x > 0           the unit was on: a change of x is a change of y
            0 where x <= 0          the unit was off: y stays 0

Backward is given y, not x: it tells all there is to know, and a layer need not keep both.

Check it:  minitorch-cnn exercise relu
"""

import numpy as np


def relu_forward(x):
    """y of the shape of x."""
    raise NotImplementedError


def relu_backward(dy, y):
    """dx for dy = dL/dy and the y that forward gave, all of one shape."""
    raise NotImplementedError
