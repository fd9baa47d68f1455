"""Exercise 2: a ReLU, forward and backward.

    y = max(x, 0)                   element by element, for any shape

    dy/dx = 1 where x > 0           the unit is on: a change of x changes y by the same amount
            0 where x <= 0          the unit is off: y stays 0

The backward pass receives y instead of x. That is enough, because y > 0 exactly where x > 0, and so a layer need not
keep both.

Check it:  minitorch-cnn exercise relu
"""

import numpy as np


def relu_forward(x):
    """Y, an array with the shape of x."""
    raise NotImplementedError


def relu_backward(dy, y):
    """Dx for dy = dL/dy and the output y of the forward pass, all of the same shape."""
    raise NotImplementedError
