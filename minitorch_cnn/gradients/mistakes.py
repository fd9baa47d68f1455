"""The classic wrong gradients, each computed by a few lines of plain NumPy that contain exactly one mistake.

A programmer who made one of these mistakes has exactly these numbers, so comparing the numbers tells which mistake it
was. Each function receives a `Case` and returns the wrong gradients by name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minitorch_cnn.engine.convolution.geometry import NO_PADDING, crop, pad
from minitorch_cnn.engine.convolution.im2col import col2im, im2col


@dataclass
class Case:
    """One backward pass: the input and output of a layer and dL/dy. Arrays that a layer does not have are None."""

    x: np.ndarray
    y: Any  # the output, an array; None for a mistake that does not need it
    dy: np.ndarray  # if the layer ends in an activation: dL/dscores, the gradient before the activation
    kernel: Any = None  # (KH, KW, C, K) of a convolution, (D, U) of a dense layer, (C,) for the gamma of a batch norm
    strides: tuple = (1, 1)
    padding: tuple = NO_PADDING
    window: tuple = ()
    dactivated: Any = None  # dL/dy of a layer that ends in an activation, an array of the shape of y


Gradients = dict[str, np.ndarray]


@dataclass(frozen=True)
class Mistake:
    """A wrong gradient: the message that names the mistake, and (case) -> {name of the array: the wrong numbers}."""

    words: str
    gradients: Callable[[Case], Gradients]


# Convolution.


def padding_not_cut_off(case: Case) -> Gradients:
    """dx starts at the corner of the padded image instead of the corner of the image."""
    N, H, W, C = case.x.shape
    padded = pad(case.x, case.padding).shape
    return {"input": col2im(_dcolumns(case), padded, case.kernel.shape[:2], case.strides, NO_PADDING)[:, :H, :W]}


def overwriting_col2im(case: Case) -> Gradients:
    """A loop over the positions in the window: every copy of a pixel overwrites the previous one."""
    KH, KW, C, K = case.kernel.shape
    (SH, SW), (OH, OW) = case.strides, case.dy.shape[1:3]
    dcolumns = _dcolumns(case).reshape(len(case.x), OH, OW, KH, KW, C)
    dx = np.zeros_like(pad(case.x, case.padding))
    for p, q in np.ndindex(KH, KW):
        dx[:, p : p + SH * OH : SH, q : q + SW * OW : SW] = dcolumns[:, :, :, p, q]
    return {"input": crop(dx, case.padding)}


def overwriting_windows(case: Case) -> Gradients:
    """A loop over the windows: every window overwrites the previous one, so the last one remains."""
    KH, KW, C, K = case.kernel.shape
    (SH, SW), (N, OH, OW, _) = case.strides, case.dy.shape
    dcolumns = _dcolumns(case).reshape(N, OH, OW, KH, KW, C)
    dx = np.zeros_like(pad(case.x, case.padding))
    for i, j in np.ndindex(OH, OW):
        dx[:, i * SH : i * SH + KH, j * SW : j * SW + KW] = dcolumns[:, i, j]
    return {"input": crop(dx, case.padding)}


def flipped_kernel(case: Case) -> Gradients:
    """The kernel is rotated by 180 degrees in only one of the two passes."""
    return {"input": _input_gradient(case, case.kernel[::-1, ::-1])}


def channels_first_columns(case: Case) -> Gradients:
    """The columns are read as (C, KH, KW), but im2col wrote them as (KH, KW, C)."""
    KH, KW, C, K = case.kernel.shape
    OH, OW = case.dy.shape[1:3]
    dcolumns = _dcolumns(case).reshape(-1, C, KH, KW).transpose(0, 2, 3, 1)
    dkernel = kernel_gradient(case.x, case.dy, case).reshape(C, KH, KW, K).transpose(1, 2, 0, 3)
    shape = (case.x.shape, (KH, KW), case.strides, case.padding)
    return {"input": col2im(dcolumns.reshape(len(case.x) * OH * OW, -1), *shape), "kernel": dkernel}


def exchanged_channels(case: Case) -> Gradients:
    """The kernel gradient has the shape (KH, KW, K, C)."""
    C, K = case.kernel.shape[2:]
    return {"kernel": kernel_gradient(case.x, case.dy, case).transpose(0, 1, 3, 2)} if C == K else {}


def last_image_only(case: Case) -> Gradients:
    """= instead of += in the loop over the images, so only the last image remains."""
    return {"kernel": kernel_gradient(case.x[-1:], case.dy[-1:], case), "bias": case.dy[-1].sum((0, 1))}


def first_image_only(case: Case) -> Gradients:
    """The gradient uses only image 0 of the batch."""
    return {"kernel": kernel_gradient(case.x[:1], case.dy[:1], case), "bias": case.dy[0].sum((0, 1))}


def activation_forgotten(case: Case) -> Gradients:
    """The gradient without the derivative of the activation."""
    return _all_gradients(case, case.dactivated) if case.dactivated is not None else {}


def mask_from_the_wrong_side(case: Case) -> Gradients:
    """A ReLU with the inverted mask: it passes the gradient where y is 0 and blocks it where y > 0."""
    return _all_gradients(case, case.dactivated * (case.y <= 0)) if case.dactivated is not None else {}


# Pools.


def overwriting_pool(case: Case) -> Gradients:
    """If windows overlap, the last one overwrites what a pixel received from the others."""
    dx = np.zeros_like(pad(case.x, case.padding))
    dx[_winners(case)] = case.dy  # if a place occurs twice, the last value stays
    return {"input": crop(dx, case.padding)}


def shared_by_the_window(case: Case) -> Gradients:
    """The gradient of average pooling: every pixel of the window receives an equal share."""
    (KH, KW), (SH, SW), (OH, OW) = case.window, case.strides, case.dy.shape[1:3]
    dx = np.zeros_like(pad(case.x, case.padding))
    for p, q in np.ndindex(KH, KW):
        dx[:, p : p + SH * OH : SH, q : q + SW * OW : SW] += case.dy / (KH * KW)
    return {"input": crop(dx, case.padding)}


def to_the_whole_window(case: Case) -> Gradients:
    """Every pixel of the window receives all of dy, as if each were the maximum."""
    return {"input": shared_by_the_window(case)["input"] * case.window[0] * case.window[1]}


def pool_padding_not_cut_off(case: Case) -> Gradients:
    """dx starts at the corner of the padded image."""
    H, W = case.x.shape[1:3]
    dx = np.zeros_like(pad(case.x, case.padding))
    np.add.at(dx, _winners(case), case.dy)
    return {"input": dx[:, :H, :W]}


# Dense, flatten, activations, batch normalisation, dropout.


def dense_kernel_not_transposed(case: Case) -> Gradients:
    """dx = dy @ kernel, which runs without an error only if the kernel is square."""
    D, units = case.kernel.shape
    return {"input": case.dy @ case.kernel} if units == D else {}


def dense_first_image(case: Case) -> Gradients:
    """The gradient uses only image 0 of the batch."""
    return {"kernel": np.outer(case.x[0], case.dy[0]), "bias": case.dy[0]}


def channels_first_flatten(case: Case) -> Gradients:
    """The row is read as (C, H, W), but the forward pass wrote it as (H, W, C)."""
    N, H, W, C = case.x.shape
    return {"input": case.dy.reshape(N, C, H, W).transpose(0, 2, 3, 1)}


def relu_mask_from_dy(case: Case) -> Gradients:
    """The mask is computed from dy instead of y."""
    return {"input": case.dactivated * (case.dactivated > 0)}


def unchanged(case: Case) -> Gradients:
    """The backward pass returns dy unchanged."""
    return {"input": case.dactivated if case.dactivated is not None else case.dy}


def sigmoid_at_x(case: Case) -> Gradients:
    """The derivative of the sigmoid computed as x (1 - x) instead of y (1 - y)."""
    return {"input": case.dactivated * case.x * (1 - case.x)}


def tanh_at_x(case: Case) -> Gradients:
    """The derivative of tanh computed as 1 - x^2 instead of 1 - y^2."""
    return {"input": case.dactivated * (1 - case.x * case.x)}


def softmax_by_its_diagonal(case: Case) -> Gradients:
    """Only the diagonal y_i (1 - y_i) of the Jacobian, although every probability depends on all scores."""
    return {"input": case.dactivated * case.y * (1 - case.y)}


def constant_statistics(case: Case) -> Gradients:
    """The mean and the variance are treated as constants, although they depend on x."""
    axes = tuple(range(case.x.ndim - 1))
    return {"input": case.dy * case.kernel / np.sqrt(case.x.var(axes) + 1e-3)}


def _dcolumns(case: Case) -> np.ndarray:
    KH, KW, C, K = case.kernel.shape
    return case.dy.reshape(-1, K) @ case.kernel.reshape(KH * KW * C, K).T


def _input_gradient(case: Case, kernel: np.ndarray, dy: np.ndarray | None = None) -> np.ndarray:
    KH, KW, C, K = kernel.shape
    dcolumns = (case.dy if dy is None else dy).reshape(-1, K) @ kernel.reshape(KH * KW * C, K).T
    return col2im(dcolumns, case.x.shape, (KH, KW), case.strides, case.padding)


def kernel_gradient(x: np.ndarray, dy: np.ndarray, case: Case) -> np.ndarray:
    """dL/dkernel (KH, KW, C, K) for x (N, H, W, C) and dy (N, OH, OW, K) with the geometry of the case."""
    KH, KW, C, K = case.kernel.shape
    return (im2col(x, (KH, KW), case.strides, case.padding).T @ dy.reshape(-1, K)).reshape(KH, KW, C, K)


def _all_gradients(case: Case, dscores: np.ndarray) -> Gradients:
    if case.kernel is None:
        return {"input": dscores}
    if case.kernel.ndim == 2:
        return {"input": dscores @ case.kernel.T, "kernel": case.x.T @ dscores, "bias": dscores.sum(0)}
    dx, dkernel = _input_gradient(case, case.kernel, dscores), kernel_gradient(case.x, dscores, case)
    return {"input": dx, "kernel": dkernel, "bias": dscores.sum((0, 1, 2))}


def _winners(case):
    """Indices (n, h, w, c) of each window's maximum in the padded image, each broadcast to (N, OH, OW, C).

    If several numbers are equal, the first one is the maximum.
    """
    (KH, KW), (SH, SW) = case.window, case.strides
    seen = sliding_window_view(pad(case.x, case.padding, -np.inf), (KH, KW), (1, 2))[:, ::SH, ::SW]
    p, q = np.divmod(seen.reshape(*case.dy.shape, KH * KW).argmax(axis=-1), KW)
    n, i, j, c = np.indices(case.dy.shape, sparse=True)
    return n, i * SH + p, j * SW + q, c
