"""Exercise 8: a step with momentum that leaves frozen layers alone.

    v = momentum * v - rate * g             the velocity: a fading memory of the steps before
    w = w + v

In place: the layers hold these very arrays, and `w = w + v` would make new ones that no layer knows. A frozen parameter
keeps its number and its velocity bit by bit, whatever its gradient is; it may also have none.

Check it:  minitorch-cnn exercise sgd
"""

import numpy as np


def sgd_step(parameters, gradients, velocity, trainable, rate, momentum):
    """Change the arrays of `parameters` and `velocity` in place; returns nothing.

    parameters, gradients, velocity: {name: array}; trainable: {name: True or False}; rate and momentum are numbers.
    `gradients` may lack the names that are frozen.
    """
    raise NotImplementedError
