"""Exercise 7: which pixels get the gradient of a max pool.

    y[n, i, j, c] = the largest x[n, i*SH + p, j*SW + q, c] over the window (p, q)

A small change of the largest number in a window changes y by the same amount; a change of any other number does not.
Therefore the largest number gets all of dy[n, i, j, c]. If several numbers are equal, only the first in reading order
(row by row) gets it. If windows overlap, a pixel can be the largest in several of them.

Check it:  minitorch-cnn exercise max_pool
"""

import numpy as np


def max_pool_backward(dy, x, window, strides):
    """Dx (N, H, W, C) for dy (N, OH, OW, C) and the input x (N, H, W, C) of the pool.

    Arguments: window (KH, KW), strides (SH, SW); there is no padding.
    """
    raise NotImplementedError
