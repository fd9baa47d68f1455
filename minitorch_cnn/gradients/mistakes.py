"""The classic wrong gradients, each as the few lines that compute it.

Whoever made one of these mistakes has exactly the numbers that its lines give, so comparing tells which it was. They
are written for being recognised: plain NumPy, one wrong thing each. What a mistake needs is a `Case`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minitorch_cnn.engine.convolution.geometry import NO_PADDING, crop, pad
from minitorch_cnn.engine.convolution.im2col import col2im, im2col


@dataclass
class Case:
    """One backward pass: what a layer had forwards and the dL/dy it was given; what a layer lacks is left out."""

    x: np.ndarray
    y: np.ndarray
    dy: np.ndarray  # behind the activation of a layer that ends in one: dL/dscores
    kernel: np.ndarray | None = None
    strides: tuple = (1, 1)
    padding: tuple = NO_PADDING
    window: tuple = ()
    dactivated: np.ndarray | None = None  # dL/dy before the activation was taken off


@dataclass(frozen=True)
class Mistake:
    """A wrong gradient: what to tell who made it, and {name of the array: the wrong numbers} for a case."""

    words: str
    gradients: Callable


# Convolution.


def padding_not_cut_off(case):
    """dx begins at the corner of the padded image instead of the image."""
    N, H, W, C = case.x.shape
    padded = pad(case.x, case.padding).shape
    return {"input": col2im(_dcolumns(case), padded, case.kernel.shape[:2], case.strides, NO_PADDING)[:, :H, :W]}


def overwriting_col2im(case):
    """Every copy of a pixel overwrites the one before; += adds them up."""
    KH, KW, C, K = case.kernel.shape
    (SH, SW), (OH, OW) = case.strides, case.dy.shape[1:3]
    dcolumns = _dcolumns(case).reshape(len(case.x), OH, OW, KH, KW, C)
    dx = np.zeros_like(pad(case.x, case.padding))
    for p, q in np.ndindex(KH, KW):
        dx[:, p : p + SH * OH : SH, q : q + SW * OW : SW] = dcolumns[:, :, :, p, q]
    return {"input": crop(dx, case.padding)}


def overwriting_windows(case):
    """The same with a loop over the windows: the last window wins."""
    KH, KW, C, K = case.kernel.shape
    (SH, SW), (N, OH, OW, _) = case.strides, case.dy.shape
    dcolumns = _dcolumns(case).reshape(N, OH, OW, KH, KW, C)
    dx = np.zeros_like(pad(case.x, case.padding))
    for i, j in np.ndindex(OH, OW):
        dx[:, i * SH : i * SH + KH, j * SW : j * SW + KW] = dcolumns[:, i, j]
    return {"input": crop(dx, case.padding)}


def flipped_kernel(case):
    """The kernel turned by 180 degrees on one of the two ways."""
    return {"input": _input_gradient(case, case.kernel[::-1, ::-1])}


def channels_first_columns(case):
    """The columns taken for (C, KH, KW), where im2col laid them out as (KH, KW, C)."""
    KH, KW, C, K = case.kernel.shape
    OH, OW = case.dy.shape[1:3]
    dcolumns = _dcolumns(case).reshape(-1, C, KH, KW).transpose(0, 2, 3, 1)
    dkernel = _kernel_gradient(case.x, case.dy, case).reshape(C, KH, KW, K).transpose(1, 2, 0, 3)
    shape = (case.x.shape, (KH, KW), case.strides, case.padding)
    return {"input": col2im(dcolumns.reshape(len(case.x) * OH * OW, -1), *shape), "kernel": dkernel}


def exchanged_channels(case):
    """The kernel's gradient as (KH, KW, K, C)."""
    C, K = case.kernel.shape[2:]
    return {"kernel": _kernel_gradient(case.x, case.dy, case).transpose(0, 1, 3, 2)} if C == K else {}


def last_image_only(case):
    """= in the loop over the images."""
    return {"kernel": _kernel_gradient(case.x[-1:], case.dy[-1:], case), "bias": case.dy[-1].sum((0, 1))}


def first_image_only(case):
    """Only image 0 of the batch."""
    return {"kernel": _kernel_gradient(case.x[:1], case.dy[:1], case), "bias": case.dy[0].sum((0, 1))}


def activation_forgotten(case):
    """The gradient as if the layer ended before its activation."""
    return _all_gradients(case, case.dactivated) if case.dactivated is not None else {}


def mask_from_the_wrong_side(case):
    """A ReLU that lets through where it should block, and blocks where it should let through."""
    return _all_gradients(case, case.dactivated * (case.y <= 0)) if case.dactivated is not None else {}


# Pools.


def overwriting_pool(case):
    """Where windows overlap, the last one overwrites what a pixel got from the others."""
    dx = np.zeros_like(pad(case.x, case.padding))
    dx[_winners(case)] = case.dy  # of equal places the last one stays
    return {"input": crop(dx, case.padding)}


def shared_by_the_window(case):
    """Average pooling's gradient: every pixel of the window gets its share."""
    (KH, KW), (SH, SW), (OH, OW) = case.window, case.strides, case.dy.shape[1:3]
    dx = np.zeros_like(pad(case.x, case.padding))
    for p, q in np.ndindex(KH, KW):
        dx[:, p : p + SH * OH : SH, q : q + SW * OW : SW] += case.dy / (KH * KW)
    return {"input": crop(dx, case.padding)}


def to_the_whole_window(case):
    """Every pixel of the window gets all of dy, as if each of them were the largest."""
    return {"input": shared_by_the_window(case)["input"] * case.window[0] * case.window[1]}


def pool_padding_not_cut_off(case):
    """dx begins at the corner of the padded image."""
    H, W = case.x.shape[1:3]
    dx = np.zeros_like(pad(case.x, case.padding))
    np.add.at(dx, _winners(case), case.dy)
    return {"input": dx[:, :H, :W]}


# Dense, flatten, activations, batch normalisation, dropout.


def dense_kernel_not_transposed(case):
    """dx = dy @ kernel: only a square kernel lets it pass."""
    D, units = case.kernel.shape
    return {"input": case.dy @ case.kernel} if units == D else {}


def dense_first_image(case):
    """Only image 0 of the batch."""
    return {"kernel": np.outer(case.x[0], case.dy[0]), "bias": case.dy[0]}


def channels_first_flatten(case):
    """The row read as (C, H, W), where forwards it was written as (H, W, C)."""
    N, H, W, C = case.x.shape
    return {"input": case.dy.reshape(N, C, H, W).transpose(0, 2, 3, 1)}


def relu_mask_from_dy(case):
    """A mask of dy where it should be one of y."""
    return {"input": case.dactivated * (case.dactivated > 0)}


def unchanged(case):
    """dx = dy."""
    return {"input": case.dactivated if case.dactivated is not None else case.dy}


def derivative_at_the_result(case):
    """The derivative's formula in y, fed with x: x (1 - x), or 1 - x^2."""
    return {"input": case.dactivated * case.x * (1 - case.x)}


def tanh_at_x(case):
    """1 - x^2 where 1 - y^2 belongs."""
    return {"input": case.dactivated * (1 - case.x * case.x)}


def softmax_by_its_diagonal(case):
    """y_i (1 - y_i) alone: every probability depends on all the scores."""
    return {"input": case.dactivated * case.y * (1 - case.y)}


def constant_statistics(case):
    """Mean and variance taken for constants: they are made of x themselves."""
    axes = tuple(range(case.x.ndim - 1))
    return {"input": case.dy * case.kernel / np.sqrt(case.x.var(axes) + 1e-3)}


def _dcolumns(case):
    KH, KW, C, K = case.kernel.shape
    return case.dy.reshape(-1, K) @ case.kernel.reshape(KH * KW * C, K).T


def _input_gradient(case, kernel, dy=None):
    KH, KW, C, K = kernel.shape
    dcolumns = (case.dy if dy is None else dy).reshape(-1, K) @ kernel.reshape(KH * KW * C, K).T
    return col2im(dcolumns, case.x.shape, (KH, KW), case.strides, case.padding)


def _kernel_gradient(x, dy, case):
    KH, KW, C, K = case.kernel.shape
    return (im2col(x, (KH, KW), case.strides, case.padding).T @ dy.reshape(-1, K)).reshape(KH, KW, C, K)


def _all_gradients(case, dscores):
    if case.kernel is None:
        return {"input": dscores}
    if case.kernel.ndim == 2:
        return {"input": dscores @ case.kernel.T, "kernel": case.x.T @ dscores, "bias": dscores.sum(0)}
    dx, dkernel = _input_gradient(case, case.kernel, dscores), _kernel_gradient(case.x, dscores, case)
    return {"input": dx, "kernel": dkernel, "bias": dscores.sum((0, 1, 2))}


def _winners(case):
    """Places (n, h, w, c), each an array (N, OH, OW, C), of every window's largest number in the padded image.

    Of equal numbers it is the first.
    """
    (KH, KW), (SH, SW) = case.window, case.strides
    seen = sliding_window_view(pad(case.x, case.padding, -np.inf), (KH, KW), (1, 2))[:, ::SH, ::SW]
    p, q = np.divmod(seen.reshape(*case.dy.shape, KH * KW).argmax(axis=-1), KW)
    n, i, j, c = np.indices(case.dy.shape, sparse=True)
    return n, i * SH + p, j * SW + q, c
