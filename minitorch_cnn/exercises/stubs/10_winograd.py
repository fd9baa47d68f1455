"""Exercise 10: a 3x3 convolution with fewer multiplications (Winograd's F(2x2, 3x3), Lavin and Gray 2016).

Four neighbouring outputs of a 3x3 convolution see a 4x4 patch. Directly they take 4 * 9 = 36 multiplications for each
pair of channels; the same numbers come out of 16:

    V = BT @ d @ BT.T               the patch d (4x4), transformed; only additions
    U = G @ g @ G.T                 the kernel g (3x3), transformed once for all patches
    M = V * U                       point by point: 16 multiplications; summed over the channels in
    y = AT @ M @ AT.T               back to 2x2 outputs

The first two axes are rows and columns; channels come behind and every pair is transformed alike. np.einsum with "..."
says that in one line: "ip,pq...,jq->ij..." multiplies from both sides.

Check it:  minitorch-cnn exercise winograd
"""

import numpy as np

BT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float32)
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
AT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float32)


def transform_patch(patch):
    """V (4, 4, C) of a patch (4, 4, C)."""
    raise NotImplementedError


def transform_kernel(kernel):
    """U (4, 4, C, K) of a kernel (3, 3, C, K)."""
    raise NotImplementedError


def winograd_tile(patch, kernel):
    """y (2, 2, K): the 3x3 kernel (3, 3, C, K) laid on the patch (4, 4, C) at its four places."""
    raise NotImplementedError
