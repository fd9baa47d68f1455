"""A description of a layer's wrong gradient: the classic mistake behind it, or else how it differs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from minitorch_cnn.arrays import on_host
from minitorch_cnn.engine import activations, layers, passes
from minitorch_cnn.engine.layers import Layer
from minitorch_cnn.gradients import mistakes as m
from minitorch_cnn.gradients.differences import close, difference
from minitorch_cnn.gradients.mistakes import Case, Mistake
from minitorch_cnn.gradients.problem import Problem
from minitorch_cnn.network.joint import joint

ACTIVATION = (
    Mistake(
        "the mask of the ReLU is inverted: dy should pass where y > 0 and be blocked where y is 0",
        m.mask_from_the_wrong_side,
    ),
    Mistake(
        "the derivative of the activation is missing: dy must first be multiplied by it",
        m.activation_forgotten,
    ),
)
CONVOLUTION = (
    Mistake(
        "the padding is not cut off in col2im: the image starts at row `top` and column `left` of the padded image;"
        " return dx[:, top:top+H, left:left+W]",
        m.padding_not_cut_off,
    ),
    Mistake(
        "col2im uses = instead of +=: a pixel lies in several windows, and the gradients from all of them must be"
        " added",
        m.overwriting_col2im,
    ),
    Mistake(
        "each window overwrites the previous one, = instead of +=: a pixel lies in several windows, and the gradients"
        " from all of them must be added",
        m.overwriting_windows,
    ),
    Mistake(
        "the kernel is rotated by 180 degrees in one pass but not in the other: the product for col2im uses the kernel"
        " as it is, and only a convolution of dy uses the rotated kernel",
        m.flipped_kernel,
    ),
    Mistake(
        "the columns are read as (C, KH, KW), but im2col wrote them as (KH, KW, C)",
        m.channels_first_columns,
    ),
    Mistake("input and output channels are exchanged: the shape is (KH, KW, C, K)", m.exchanged_channels),
    Mistake(
        "the gradient of the last image only: sum over the batch (+= in the loop over the images)", m.last_image_only
    ),
    Mistake("the gradient of the first image only: sum over the batch", m.first_image_only),
)
POOL = (
    Mistake(
        "overlapping windows overwrite each other, = instead of +=: a pixel that is the maximum of two windows gets"
        " both gradients",
        m.overwriting_pool,
    ),
    Mistake("the gradient of average pooling: here the maximum of the window gets all of it", m.shared_by_the_window),
    Mistake("every pixel of the window gets the gradient: only the maximum should", m.to_the_whole_window),
    Mistake(
        "the padding is not cut off: the image starts at row `top` and column `left` of the padded image",
        m.pool_padding_not_cut_off,
    ),
)
DENSE = (
    Mistake("dy @ kernel: the backward pass uses the transpose, dy @ kernel.T", m.dense_kernel_not_transposed),
    Mistake("the gradient of the first image only: sum over the batch", m.dense_first_image),
)
RELU = (Mistake("masked by the sign of dy: the mask should be y > 0", m.relu_mask_from_dy),)
SOFTMAX = (
    Mistake(
        "only the diagonal, dy y (1 - y): each score changes all probabilities, so dx = y (dy - sum(dy y))",
        m.softmax_by_its_diagonal,
    ),
)
FLATTEN = (
    Mistake(
        "the row is read as channels, rows, columns (NCHW), but the forward pass wrote it as rows, columns, channels"
        " (NHWC)",
        m.channels_first_flatten,
    ),
)
SIGMOID = (
    Mistake("x (1 - x) instead of y (1 - y): the derivative is written in terms of the output y", m.sigmoid_at_x),
)
TANH = (Mistake("1 - x^2 instead of 1 - y^2: the derivative is written in terms of the output y", m.tanh_at_x),)
BATCH_NORM = (
    Mistake(
        "the mean and the variance are treated as constants, but they depend on every x of the batch",
        m.constant_statistics,
    ),
)
DROPOUT = (
    Mistake("dy unchanged: dropped values get no gradient, kept ones are scaled as in the forward pass", m.unchanged),
)

MISTAKES = {
    "Conv2D": CONVOLUTION + ACTIVATION,
    "MaxPool2D": POOL,
    "Dense": DENSE + ACTIVATION,
    "Flatten": FLATTEN,
    "ReLU": RELU + ACTIVATION,
    "Sigmoid": SIGMOID + ACTIVATION[1:],
    "Tanh": TANH + ACTIVATION[1:],
    "Softmax": SOFTMAX + ACTIVATION[1:],
    "BatchNorm": BATCH_NORM,
    "Dropout": DROPOUT,
}


def recognised(
    mistakes: Iterable[Mistake],
    case: Case,
    name: str,
    got: np.ndarray,
    wanted: np.ndarray,
    known: np.ndarray | None = None,
) -> str | None:
    """The message of the first mistake that gives the numbers `got` for the array `name`, or None.

    A mistake that gives the right numbers `wanted` on this case does not count. `known` is a mask of the elements of
    `wanted` that may be used; by default all of them.
    """
    for mistake in mistakes:
        wrong = mistake.gradients(case).get(name)
        if wrong is not None and close(got, wrong) and not close(wrong, wanted, known=known):
            return mistake.words
    return None


def sample(shape: tuple[int, ...], size: int, rng: np.random.Generator) -> np.ndarray:
    """A random mask of about `size` elements: anywhere, in the first and the last image, and along the border."""
    known = np.zeros(shape, bool)
    for part in (known, known[:1], known[-1:]):
        part.reshape(-1)[rng.choice(part.size, min(size // 5, part.size), replace=False)] = True
    if len(shape) == 4:
        inside = np.zeros(shape, bool)
        inside[:, 1:-1, 1:-1] = True
        border = np.flatnonzero(~inside)
        known.reshape(-1)[rng.choice(border, min(size // 5, border.size), replace=False)] = True
    return known


def symptom(problem: Problem, name: str, got: np.ndarray, wanted: np.ndarray, known: np.ndarray) -> str:
    """A description of the wrong gradient `got` of the array that a gradient check calls `name`.

    `wanted` is the right gradient; the mask `known` says which of its elements are filled in.
    """
    model = problem.model
    layer = model.layers[0] if "/" not in name else model.get_layer(name.rpartition("/")[0])
    kinds = type(layer).__mro__  # a learner's own class is known by the layer that it changes
    kinds = kinds[:1] if kinds[0].__name__ in layers.__all__ else kinds
    kind = next((cls.__name__ for cls in kinds if cls.__name__ in MISTAKES), None)
    words = None
    if kind and np.isfinite(got).all():
        case = _case(problem, layer)
        words = case and recognised(MISTAKES[kind], case, name.rpartition("/")[2], got, wanted, known)
    return words or difference(got, wanted, len(problem.x), known)


class _Watch(passes.Observer):
    """Takes what passes through one layer."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.x: Any = None
        self.y: Any = None
        self.dy: Any = None

    def after_forward(self, node: passes.Node, x: Any, y: Any, kept: Any) -> None:
        if node.layer is self.layer:
            self.x, self.y = np.array(on_host(x)), np.array(on_host(y))

    def before_backward(self, node: passes.Node, dy: Any) -> None:
        if node.layer is self.layer:
            self.dy = np.array(on_host(dy))


def _case(problem: Problem, layer: Layer) -> Case | None:
    """The arrays that pass through one layer forward and backward.

    None if the backward pass does not reach it, or if the mistakes are not written for its options.
    """
    if not getattr(layer, "plain", True) or getattr(layer.activation, "from_scores", False):
        return None
    watch = _Watch(layer)
    problem.walk(watch)
    if watch.dy is None:
        return None
    x, y, dy, dactivated = watch.x, watch.y, watch.dy, None
    from_scores = problem.loss is not None and layer is problem.model.layers[-1] and joint(problem.loss, layer)
    if layer.activation and not from_scores:
        dactivated, dy = dy, activations.get(layer.activation.name).backward(dy, y)
    kernel = layer.parameters.get("kernel", layer.parameters.get("gamma"))
    return Case(
        x, y, dy, None if kernel is None else on_host(kernel), getattr(layer, "strides", (1, 1)),
        getattr(layer, "pixels", m.NO_PADDING), getattr(layer, "pool_size", ()),
        dactivated if layer.activation and layer.activation.name != "linear" else None,
    )  # fmt: skip
