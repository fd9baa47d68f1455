"""Exercise 11: the backward pass of a batch norm.

    mean, variance       over all axes except the last, so one of each per channel
    xhat = (x - mean) / sqrt(variance + epsilon)            mean 0 and deviation 1 in every channel
    y    = gamma * xhat + beta                              gamma (C,), beta (C,)

The variance is the mean of (x - mean)^2. Because mean and variance are computed from the batch, every x of a channel
changes every y of it. Write M for the number of values of a channel, and collect what reaches xhat first:

    dbeta   (C,)   beta was added to every value of its channel, so ...
    dgamma  (C,)   gamma was multiplied by xhat, so ...
    dxhat          gamma * dy
    dx             through xhat directly, through the variance, and through the mean

If you simplify the three parts of dx, only dy, xhat and means over the channel remain. Two properties help to check it:
adding a number to all x of a channel, or multiplying them by one (if epsilon is small), does not change y.

Check it:  minitorch-cnn exercise batch_norm
"""

import numpy as np


def batch_norm_backward(dy, x, gamma, epsilon):
    """(dx, dgamma, dbeta) for dy and x (N, C) or (N, H, W, C), gamma (C,) and the number epsilon."""
    raise NotImplementedError
