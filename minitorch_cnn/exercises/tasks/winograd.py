"""transform_patch(patch) -> V; transform_kernel(kernel) -> U; winograd_tile(patch, kernel) -> y. F(2x2, 3x3)."""

import numpy as np

from minitorch_cnn.exercises.exercise import Mistake, Task, numbers, whole_numbers

BT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
AT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
TRANSPOSE = "multiply by the matrix on the left and by its transpose on the right: M @ d @ M.T, for rows and columns"


def _both_sides(left, array, right):
    """left @ array @ right over the first two axes of the array, for every channel."""
    return np.einsum("ip,pq...,qj->ij...", left, array, right)


def _direct(patch, kernel):
    """The four outputs by the definition, with 36 multiplications per pair of channels."""
    y = np.zeros((2, 2, kernel.shape[3]))
    for i, j in np.ndindex(2, 2):
        y[i, j] = np.tensordot(patch[i : i + 3, j : j + 3], kernel, 3)
    return y


def _tile(patch, kernel, product=np.multiply):
    V, U = _both_sides(BT, patch, BT.T), _both_sides(G, kernel, G.T)
    return {"y": _both_sides(AT, product(V[..., None], U).sum(axis=2), AT.T)}


def _matrix_product(patch, kernel):
    V, U = _both_sides(BT, patch, BT.T), _both_sides(G, kernel, G.T)
    return {"y": _both_sides(AT, np.einsum("pqc,qrck->prk", V, U), AT.T)}


def _case(C, K, seed):
    return {"patch": numbers(seed, 4, 4, C), "kernel": numbers(seed + 1, 3, 3, C, K)}


TASKS = (
    Task(
        "transform_patch",
        ("V",),
        lambda: [{"patch": numbers(seed, 4, 4, C)} for seed, C in ((0, 1), (1, 4))],
        lambda patch: {"V": _both_sides(BT, patch, BT.T)},
        (
            Mistake(TRANSPOSE, lambda patch: {"V": _both_sides(BT, patch, BT)}),
            Mistake("the left factor is B^T, which is BT itself, and the right one its transpose: BT @ d @ BT.T",
                    lambda patch: {"V": _both_sides(BT.T, patch, BT)}),
            Mistake("only the rows are transformed: transform the columns too, BT @ d @ BT.T",
                    lambda patch: {"V": np.einsum("ip,pq...->iq...", BT, patch)}),
            Mistake("only the columns are transformed: transform the rows too, BT @ d @ BT.T",
                    lambda patch: {"V": np.einsum("pq...,qj->pj...", patch, BT.T)}),
        ),
        lambda: {"patch": numbers(0, 4, 4, 4096)},
        look="transform a patch with a single 1 in its first row: which numbers of V should be different from 0?",
        small=lambda: [{"patch": whole_numbers(4, 4, 1)}],
    ),
    Task(
        "transform_kernel",
        ("U",),
        lambda: [{"kernel": numbers(seed, 3, 3, C, K)} for seed, C, K in ((0, 1, 1), (1, 2, 3), (2, 4, 1))],
        lambda kernel: {"U": _both_sides(G, kernel, G.T)},
        (
            Mistake("the kernel is rotated by 180 degrees: convolution in deep learning does not flip it",
                    lambda kernel: {"U": _both_sides(G, kernel[::-1, ::-1], G.T)}),
            Mistake("rows and columns are exchanged: the first axis of the kernel is its rows",
                    lambda kernel: {"U": _both_sides(G, kernel.swapaxes(0, 1), G.T)}),
        ),
        lambda: {"kernel": numbers(0, 3, 3, 64, 64)},
        look="transform a kernel with a single 1 in its corner: where should U be different from 0?",
        small=lambda: [{"kernel": whole_numbers(3, 3, 1, 1)}],
    ),
    Task(
        "winograd_tile",
        ("y",),
        lambda: [_case(1, 1, 0), _case(3, 2, 4), _case(4, 5, 6)],
        lambda patch, kernel: {"y": _direct(patch, kernel)},
        (
            Mistake("V and U are multiplied as matrices: multiply element by element, V * U",
                    _matrix_product),
            Mistake("the kernel is rotated by 180 degrees: convolution in deep learning does not flip it",
                    lambda patch, kernel: _tile(patch, kernel[::-1, ::-1])),
            Mistake("the mean over the channels: take their sum",
                    lambda patch, kernel: {"y": _direct(patch, kernel) / patch.shape[2]}),
            Mistake("the outputs are transposed: the first axis is the rows",
                    lambda patch, kernel: {"y": _direct(patch, kernel).swapaxes(0, 1)}),
        ),
        lambda: _case(64, 64, 0),
        look="compute the four outputs directly, each as a sum of nine products, and compare them with yours",
        small=lambda: [{"patch": whole_numbers(4, 4, C), "kernel": whole_numbers(3, 3, C, 1)} for C in (1, 2)],
    ),
)  # fmt: skip
