"""Grad-CAM: where in an image a network saw what it answered (Selvaraju et al. 2017, arXiv:1610.02391).

A late convolution still knows where things are: its feature map A (h, w, C) has a channel for each kind of thing it has
learnt to find. Which of them count for an answer tells the gradient of that answer's score s, averaged over the map:

    weight_c = mean over i, j of ds/dA[i, j, c]
    heat     = relu(sum over c of weight_c A[:, :, c])

The relu keeps what speaks for the answer and drops what speaks against it. All of it takes one forward pass and one
backward pass, which ends at A.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array, is_array, namespace
from minitorch_cnn.engine import passes
from minitorch_cnn.engine.metrics import predicted_classes
from minitorch_cnn.errors import ArgumentError


def grad_cam(model: Any, image: Any, layer: str, output: int | None = None) -> Array:
    """How much each place of an image speaks for an answer.

    `model` a Sequential; `image` (H, W, C), pixels as whole numbers (uint8) or what the preprocessing makes of them;
    `layer` the name of a layer that puts out a feature map (h, w, C), usually the last convolution or pool; `output`
    the class to explain, left out the predicted one. A model with a single output has two classes: 1 is explained by
    its score, 0 by the negative score.

    Returns the heat (H, W) in float32: 1 where the feature map speaks most for the class, 0 where nothing does.

    The score is what goes into the last activation: the gradient of a softmax would mix in the evidence for the other
    classes, and that of a sigmoid vanishes where the network is sure. Nothing in the model changes, so other threads
    may use it at the same time.

    Raises ArgumentError for a layer that is not there or has no feature map, another image shape, and a class that the
    model does not have.
    """
    index = _place_of_map(model, layer)
    if not is_array(image):
        image = np.asarray(image)
    if image.shape != model.input_shape:
        raise ArgumentError(f"grad_cam: expected an image of shape {model.input_shape}, got {image.shape}")
    if len(model.output_shape) != 1:
        raise ArgumentError(f"grad_cam: expected a model that puts out (classes,), got {model.output_shape}")
    classes = max(2, model.output_shape[0])
    if output is not None and output not in range(classes):
        raise ArgumentError(f"grad_cam: output: expected a class from 0 to {classes - 1}, got {output!r}")

    nodes = model.nodes()
    last, place = nodes[-1].layer, nodes[index].output
    needed, watch = passes.need_gradients(nodes[index + 1 :], {place}), _Watch(place)
    x = model.receive(image[None])
    ends = {nodes[-1].output} if last.activation else ()
    scores, steps = passes.forward(nodes, [x], False, needed - {place}, watch, ends)
    reached = passes.backward(steps, _direction(model, scores, output), needed, store=False)
    feature_map, gradient = watch.feature_map, reached[place][0]
    xp = namespace(feature_map)
    weights = gradient.mean(axis=(0, 1))
    heat = xp.maximum(feature_map @ weights, 0)
    largest = heat.max()
    heat = heat / largest if largest > 0 else heat
    return xp.minimum(resize(heat, *image.shape[:2]), 1).astype("float32")


def _place_of_map(model, name):
    """The index of the last node of the layer called `name`, which has to put out a feature map."""
    layer = model.get_layer(name)
    if layer.output_shape is None:
        raise ArgumentError("grad_cam: expected a model that has its shapes; give Sequential an input_shape")
    if len(layer.output_shape) != 3:
        raise ArgumentError(f"{name}: expected a layer that puts out a feature map (h, w, C), got {layer.output_shape}")
    return max(index for index, node in enumerate(model.nodes()) if node.layer is layer)


class _Watch(passes.Observer):
    """Takes the feature map that is value number `number`."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.feature_map: Any = None

    def after_forward(self, node: passes.Node, x: Any, y: Array, kept: Any) -> None:
        if node.output == self.number:
            self.feature_map = y[0]


def _direction(model, scores, output):
    """ds/dscores (1, classes) for the score s that speaks for class `output`: 1 or, for a single output's 0, -1."""
    if output is None:
        activation = model.nodes()[-1].layer.activation
        output = predicted_classes(activation.forward(scores) if activation else scores)[0]
    dscores = namespace(scores).zeros_like(scores)
    if dscores.shape[1] > 1:
        dscores[0, int(output)] = 1
    else:
        dscores[0, 0] = 1 if output == 1 else -1
    return dscores


def resize(heat: Array, height: int, width: int) -> Array:
    """`heat` (h, w) as (height, width), bilinear: rows @ heat @ columns.T; beyond the outer centres it stays flat."""
    xp = namespace(heat)
    rows, columns = (_shares(*sizes, xp, heat.dtype) for sizes in ((height, heat.shape[0]), (width, heat.shape[1])))
    return rows @ heat @ columns.T


def _shares(new, old, xp, dtype):
    """(new, old): row i holds the shares of the old pixels in the new pixel i, by the distance of their centres."""
    centres = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
    return xp.asarray(np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(old))), dtype=dtype)
