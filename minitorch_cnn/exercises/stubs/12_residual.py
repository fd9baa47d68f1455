"""Exercise 12: a residual block.

    x ----------------------------------------> + -> ReLU -> y
      \\-> @ kernel1 -> ReLU = hidden -> @ kernel2 -/

    hidden = max(x @ kernel1, 0)                x (N, D), kernel1 (D, U), hidden (N, U)
    y      = max(x + hidden @ kernel2, 0)       kernel2 (U, D), y (N, D)

The shortcut adds x to what two layers make of it, so these layers need to learn only what is to be changed. In the
backward pass the gradient takes the shortcut too, which is why networks of many such blocks can be trained.

    dsum      (N, D)   the gradient of x + hidden @ kernel2: what the last ReLU lets through
    dkernel2  (U, D)   and dhidden (N, U), as in exercise 1
    dkernel1  (D, U)   through the ReLU of the hidden layer, then as in exercise 1
    dx        (N, D)   x was used twice, so its gradients ...

Check it:  minitorch-cnn exercise residual
"""

import numpy as np


def residual_forward(x, kernel1, kernel2):
    """(hidden, y) for x (N, D), kernel1 (D, U) and kernel2 (U, D)."""
    raise NotImplementedError


def residual_backward(dy, x, hidden, y, kernel1, kernel2):
    """(dx, dkernel1, dkernel2) for dy (N, D) and the arrays of the forward pass."""
    raise NotImplementedError
