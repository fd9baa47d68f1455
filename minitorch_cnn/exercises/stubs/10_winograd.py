"""Exercise 10: a 3x3 convolution with fewer multiplications (Winograd's F(2x2, 3x3), Lavin and Gray 2016).

Four neighbouring outputs of a 3x3 convolution depend on a 4x4 patch. Computed directly, they take 4 * 9 = 36
multiplications for each pair of input and output channels. Winograd's algorithm gets the same numbers with 16:

    V = BT @ d @ BT.T               the patch d (4x4), transformed with additions only
    U = G @ g @ G.T                 the kernel g (3x3), transformed once for all patches
    M = V * U                       element by element: 16 multiplications; summed over the input channels
    y = AT @ M @ AT.T               transformed back to the 2x2 outputs

The first two axes are rows and columns. The channels are the last axes, and each is transformed in the same way. One
np.einsum with "..." multiplies from both sides: "ip,pq...,jq->ij...".

Check it:  minitorch-cnn exercise winograd
"""

import numpy as np

BT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float32)
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
AT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float32)


def transform_patch(patch):
    """V (4, 4, C) for a patch (4, 4, C)."""
    raise NotImplementedError


def transform_kernel(kernel):
    """U (4, 4, C, K) for a kernel (3, 3, C, K)."""
    raise NotImplementedError


def winograd_tile(patch, kernel):
    """Y (2, 2, K): the kernel (3, 3, C, K) applied at the four positions of the patch (4, 4, C)."""
    raise NotImplementedError
