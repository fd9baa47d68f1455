"""Exercise 8: a step with momentum that skips frozen layers.

    v = momentum * v - rate * g             the velocity: a decaying sum of the previous steps
    w = w + v

Update in place: the layers hold these very arrays, and `w = w + v` would create a new one that no layer uses. A frozen
parameter keeps its value and its velocity bit by bit, whatever its gradient is; it may also have no gradient at all.

Check it:  minitorch-cnn exercise sgd
"""

import numpy as np


def sgd_step(parameters, gradients, velocity, trainable, rate, momentum):
    """Update the arrays in `parameters` and `velocity` in place and return nothing.

    Arguments: parameters, gradients, velocity {name: array}; trainable {name: bool}; the numbers rate and momentum.
    `gradients` may lack the names of frozen parameters.
    """
    raise NotImplementedError
