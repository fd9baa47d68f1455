"""Solution 10; in the package, see `engine/convolution/winograd.py`, with tiles of 4x4 outputs."""

import numpy as np

BT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float32)
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
AT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float32)


def both_sides(matrix, array):
    """matrix @ array @ matrix.T over the first two axes of the array, for every channel."""
    return np.einsum("ip,pq...,jq->ij...", matrix, array, matrix)


def transform_patch(patch):
    """V = BT @ d @ BT.T."""
    return both_sides(BT, patch)


def transform_kernel(kernel):
    """U = G @ g @ G.T."""
    return both_sides(G, kernel)


def winograd_tile(patch, kernel):
    """y = AT @ M @ AT.T, where M is V * U summed over the input channels."""
    V, U = transform_patch(patch), transform_kernel(kernel)
    return both_sides(AT, np.einsum("pqc,pqck->pqk", V, U))
