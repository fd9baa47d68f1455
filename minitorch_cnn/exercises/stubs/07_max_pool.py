"""Exercise 7: who gets the gradient in a max pool.

    y[n, i, j, c] = the largest x[n, i*SH + p, j*SW + q, c] over the window (p, q)

Moving the largest number of a window moves y; moving another does not. So dy[n, i, j, c] goes to the winner of its
window, all of it. Of equal numbers the first in reading order (row by row) wins alone. Windows may overlap: then a
pixel can win in several.

Check it:  minitorch-cnn exercise max_pool
"""

import numpy as np


def max_pool_backward(dy, x, window, strides):
    """dx (N, H, W, C) for dy (N, OH, OW, C) and the x (N, H, W, C) that was pooled.

    window (KH, KW), strides (SH, SW), no padding.
    """
    raise NotImplementedError
