"""The orthogonal matrix nearest to a given one, from matrix products alone (Newton and Schulz; Jordan 2024).

A gradient of a kernel (kh, kw, C, F), laid out as a matrix of kh kw C rows and F columns, usually has a few singular
values far above the others: a step along it moves the kernel in few directions and leaves the rest as it was. With
U V^T in place of U S V^T, all directions move alike (`optimizers.Muon`). No singular value decomposition is needed:
X X^T X = U S^3 V^T, so a polynomial in X acts on the singular values alone. This one moves each of them towards 1.
"""

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.engine.matmul import matmul

# s -> 3.4445 s - 4.775 s^3 + 2.0315 s^5: small s grow by 3.4445, and none in (0, 1] gets above 1.2 (Jordan 2024).
ONE, THREE, FIVE = 3.4445, -4.7750, 2.0315
TINY = 1e-30  # so that a matrix of zeros stays one


def orthogonal(matrix: Array, steps: int = 5) -> Array:
    """U V^T, roughly, for a `matrix` (M, N) = U S V^T: all singular values become 0.68 to 1.21.

    Those below a six-hundredth of the matrix's norm would need more than five `steps`, and stay smaller.
    """
    if len(matrix) < matrix.shape[1]:
        return orthogonal(matrix.T, steps).T
    x = matrix / (namespace(matrix).sqrt((matrix * matrix).sum()) + TINY)  # now no singular value is above 1
    for _ in range(steps):
        squares = matmul(x.T, x)  # V S^2 V^T
        x = ONE * x + matmul(x, THREE * squares + FIVE * matmul(squares, squares))
    return x
