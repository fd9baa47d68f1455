"""What the learner has reached with each exercise: a few pictures, computed by their own functions.

Each function receives the learner's functions by name and returns a `Milestone`; the checking process sends it to the
command, which writes the page.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minitorch_cnn import datasets

DIGIT = 3  # of the test digits
STEP, NONE = (1, 1), ((0, 0), (0, 0))


@dataclass
class Milestone:
    """The contents of a page: what was reached, an explanation, maps {caption: (h, w) or (h, w, C)} and curves."""

    title: str
    words: str
    maps: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=dict)
    axis: str = ""  # what the curves measure, and over what


def of(name: str, functions: dict[str, Callable]) -> dict[str, Any] | None:
    """The milestone of the exercise `name` as a dictionary of plain lists, or None if it has none."""
    if name not in MILESTONES:
        return None
    reached = MILESTONES[name](functions)
    maps = {caption: np.round(np.asarray(array, float), 4).tolist() for caption, array in reached.maps.items()}
    return {**vars(reached), "maps": maps}


def digit() -> np.ndarray:
    """A digit as a batch of one image, (1, 32, 32, 1) float32, from 0 to 1."""
    return datasets.digits().test_images[DIGIT : DIGIT + 1, :, :, :1].astype(np.float32) / 255


def lenet_kernel() -> np.ndarray:
    """Six filters of 5x5, (5, 5, 1, 6), as LeNet's first layer has: edges in four directions, a spot, a blur."""
    row, column = np.mgrid[-2:3, -2:3].astype(np.float32)
    bump = np.exp(-(row**2 + column**2) / 2)
    filters = [row * bump, column * bump, (row + column) * bump, (row - column) * bump,
               (row**2 + column**2 - 2) * bump, bump / 4]  # fmt: skip
    return np.stack(filters, axis=-1)[:, :, None].astype(np.float32)


def _dense(f):
    digits = datasets.digits()
    x = digits.train_images[:320, :, :, 0].reshape(320, -1).astype(np.float32) / 255
    p = np.full((320, 10), 0.1, np.float32)
    dy = (p - np.eye(10, dtype=np.float32)[digits.train_labels[:320]]) / 320
    _, dkernel, _ = f["dense_backward"](dy, x, np.zeros((x.shape[1], 10), np.float32))
    return Milestone(
        "Your dense_backward draws ten digits",
        "This is one step of a network that consists of a single dense layer and starts from zeros: minus its dkernel"
        " from 320 digits, one picture for each class. Already it looks for the strokes of its digit.",
        {"minus dkernel, by class": -dkernel.reshape(32, 32, 10)},
    )


def _relu(f):
    edges = _filtered(digit())[0, :, :, 1:2]
    y = f["relu_forward"](edges)
    return Milestone(
        "Your ReLU keeps what a filter has found",
        "A filter for vertical edges answers with positive numbers on one side of a stroke and with negative ones on"
        " the other. Your ReLU keeps the first, and your backward pass lets the gradient through exactly there.",
        {"the digit": digit()[0], "before": edges, "after your ReLU": y,
         "where dy passes": f["relu_backward"](np.ones_like(y), y)},
    )  # fmt: skip


def _softmax(f):
    scores = np.random.default_rng(0).normal(0, 1, (10, 10))
    _, dscores = f["softmax_cross_entropy"](scores, np.arange(10))
    return Milestone(
        "Your loss pushes the right score up and all others down",
        "Ten images with random scores, a row for each; image 0 shows the class 0, and so on. Your gradient is negative"
        " (dark) only for the right class: the step against it raises that score. Each row adds up to 0.",
        {"scores": scores, "your dscores": dscores},
    )


def _filtered(x, im2col=None):
    """The six feature maps (1, 28, 28, 6) of LeNet's first layer."""
    kernel = lenet_kernel()
    if im2col is None:
        seen = np.lib.stride_tricks.sliding_window_view(x[..., 0], (5, 5), (1, 2))
        return np.einsum("nijpq,pqk->nijk", seen, kernel[:, :, 0])
    return (im2col(x, (5, 5), STEP, NONE) @ kernel.reshape(25, 6)).reshape(1, 28, 28, 6)


def _im2col(f):
    return Milestone(
        "Your im2col computes LeNet's first layer",
        "LeNet (LeCun et al. 1998) begins with six filters of 5x5 on an image of 32x32. Your 784 rows of 25 numbers"
        " times the kernel are its six feature maps of 28x28: one matrix product.",
        {
            "the digit": digit()[0],
            "six filters": lenet_kernel()[:, :, 0],
            "feature maps": _filtered(digit(), f["im2col"])[0],
        },
    )


def _col2im(f):
    counts = f["col2im"](np.ones((784, 25), np.float32), (1, 32, 32, 1), (5, 5), STEP, NONE)
    dy = np.maximum(_filtered(digit()), 0).reshape(784, 6)
    dx = f["col2im"](dy @ lenet_kernel().reshape(25, 6).T, (1, 32, 32, 1), (5, 5), STEP, NONE)
    return Milestone(
        "Your col2im adds up what every window says about a pixel",
        "Columns of ones give the number of windows that contain a pixel: 25 in the middle, 1 in the corners. The"
        " gradient of LeNet's first layer comes back to the image in the same way.",
        {"windows of a pixel": counts[0], "a gradient on its way back": dx[0]},
    )


def _conv2d(f):
    dy = np.maximum(_filtered(digit()), 0) / 784
    dx, dkernel, _ = f["conv2d_backward"](dy, digit(), lenet_kernel(), STEP, NONE)
    return Milestone(
        "Your conv2d_backward trains LeNet's first layer",
        "If the loss grew with everything that the six filters have found, this would be its gradient: for each pixel"
        " of the digit, and for each weight of the filters.",
        {"the digit": digit()[0], "dx": dx[0], "dkernel": dkernel[:, :, 0]},
    )


def _max_pool(f):
    maps = _filtered(digit())[:, :, :, :4]
    winners = f["max_pool_backward"](np.ones((1, 14, 14, 4), np.float32), maps, (2, 2), (2, 2))
    return Milestone(
        "Your max_pool_backward finds the winners",
        "Of each window of 2x2 one pixel gets the gradient. Each channel has winners of its own.",
        {"feature maps": maps[0], "where dy = 1 arrives": winners[0]},
    )


def _sgd(f):
    curves = {}
    for momentum in (0.0, 0.9):
        w, v, losses = {"w": np.array([1.0, 1.0])}, {"w": np.zeros(2)}, []
        for _ in range(60):
            losses.append(float(0.5 * (w["w"] ** 2 * [1.0, 0.02]).sum()))
            f["sgd_step"](w, {"w": w["w"] * [1.0, 0.02]}, v, {"w": True}, 0.5, momentum)
        curves["plain" if not momentum else "momentum 0.9"] = losses
    return Milestone(
        "Your sgd_step rolls down a valley",
        "A bowl that is fifty times as steep in one direction as in the other. Plain steps are short along the valley;"
        " your velocity adds them up.",
        curves=curves, axis="Loss over the steps",
    )  # fmt: skip


def _surgery(f):
    names = ["block1", "block2", "block3", "fc1", "fc2"]
    layers = [{"name": name, "kernel": np.ones((2, 2)), "bias": np.ones(2), "trainable": True} for name in names]
    result = f["transplant"](layers, "block3", [{**layers[0], "name": name} for name in ("dense", "output")])
    lowest = f["lowest_trainable"](result)
    listed = ", ".join(f"{each['name']}{'' if each['trainable'] else ' (frozen)'}" for each in result)
    return Milestone(
        "Your transplant is the recipe of the lecture",
        f"From {', '.join(names)} you made: {listed}. The backward pass stops at layer {lowest + 1} of {len(result)},"
        " so everything below costs only a forward pass.",
    )


def _winograd(f):
    x, kernel = digit()[0], lenet_kernel()[1:4, 1:4]
    found = np.zeros((30, 30, 6), np.float32)
    for i in range(0, 30, 2):
        for j in range(0, 30, 2):
            found[i : i + 2, j : j + 2] = f["winograd_tile"](x[i : i + 4, j : j + 4], kernel)
    return Milestone(
        "Your tiles filter a digit with 16 multiplications instead of 36",
        "225 tiles of 2x2 outputs make feature maps of 30x30. Each tile took 16 multiplications for each filter.",
        {"the digit": x, "feature maps": found},
    )


def _batch_norm(f):
    x = _filtered(digit())
    dy = np.maximum(x, 0)
    dx, _, _ = f["batch_norm_backward"](dy, x, np.ones(6, np.float32), 1e-3)
    return Milestone(
        "Your batch_norm_backward takes out what changes nothing",
        "A shift or a stretch of a whole channel does not change the output of a batch norm. Therefore your dx is dy"
        f" without these two: each channel of it adds up to 0 (here to at most {np.abs(dx.sum((0, 1, 2))).max():.1g}).",
        {"x": x[0], "dy": dy[0], "your dx": dx[0]},
    )


def _residual(f):
    random, blocks = np.random.default_rng(0), 20
    x = random.normal(0, 1, (64, 32))
    kernels = [[random.normal(0, 0.05, (32, 32)) for _ in range(2)] for _ in range(blocks)]
    kept, plain, value = [], [], x
    for first, second in kernels:
        hidden, y = f["residual_forward"](x, first, second)
        kept.append((x, hidden, y))
        inner = np.maximum(value @ first, 0)
        plain.append((inner, np.maximum(inner @ second, 0)))
        x, value = y, plain[-1][1]
    dx = dvalue = np.ones((64, 32))
    curves: dict[str, list[float]] = {"your block": [], "without the shortcut": []}
    for (first, second), (x, hidden, y), (inner, out) in zip(kernels[::-1], kept[::-1], plain[::-1]):
        dx, _, _ = f["residual_backward"](dx, x, hidden, y, first, second)
        dvalue = ((dvalue * (out > 0)) @ second.T * (inner > 0)) @ first.T
        for name, gradient in zip(curves, (dx, dvalue)):
            curves[name].append(float(np.log10(max(np.sqrt((gradient**2).mean()), 1e-30))))
    return Milestone(
        "Your residual block carries a gradient through twenty blocks",
        "From the last block to the first: the size of the gradient as a power of ten. Without the shortcut it shrinks"
        " with each block, and the first blocks have nothing to learn from.",
        curves=curves, axis="Gradient as a power of ten",
    )  # fmt: skip


MILESTONES: dict[str, Callable[[dict[str, Callable]], Milestone]] = {
    "dense": _dense, "relu": _relu, "softmax": _softmax, "im2col": _im2col, "col2im": _col2im, "conv2d": _conv2d,
    "max_pool": _max_pool, "sgd": _sgd, "surgery": _surgery, "winograd": _winograd, "batch_norm": _batch_norm,
    "residual": _residual,
}  # fmt: skip
