"""The gradients of one image: dL/d... of each of its feature maps, of the first kernel, and of the image itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine import passes


@dataclass
class ImageGradients:
    """dL/d... of the first image of a batch, where L is the loss of the whole batch (its mean over the images)."""

    maps: dict[str, np.ndarray] = field(default_factory=dict)  # layer name -> dL/d(its output), (h, w, C)
    image: np.ndarray | None = None  # (H, W, C), of the input as the preprocessing makes it
    layer: str = ""  # the first layer with a kernel, if that sees an image and is trained
    kernel: np.ndarray | None = None  # its kernel (KH, KW, C, K)
    kernel_gradient: np.ndarray | None = None  # dL/dkernel of the whole batch


def image_gradients(model: Any, x: Array, labels: Any, loss: Any) -> ImageGradients:
    """The gradients of a training step of `model` on x (N, H, W, C), also below frozen layers and down to the image.

    The weights stay as they are; `layer.gradients` are those of the step, and layers such as dropout have drawn once.
    """
    watch = _Watch(next((layer for layer in model.layers if "kernel" in layer.parameter_shapes()), None))
    model.loss_and_gradients(x, labels, loss, training=True, observer=watch, input_gradient=True)
    return watch.found


class _Watch(passes.Observer):
    """Takes the gradients that pass by; of a layer that stands at several places, those of the last one."""

    def __init__(self, first: Any) -> None:
        self.first, self.found = first, ImageGradients()

    def before_backward(self, node: passes.Node, dy: Array) -> None:
        if dy.ndim == 4 and node.layer.name not in self.found.maps:
            self.found.maps[node.layer.name] = np.array(dy[0])

    def after_backward(self, node: passes.Node, dy: Array, dx: Any, gradients: dict) -> None:
        if node.layer is self.first and "kernel" in gradients and gradients["kernel"].ndim == 4:
            self.found.layer = node.layer.name
            self.found.kernel = np.array(node.layer.parameters["kernel"])
            self.found.kernel_gradient = np.array(gradients["kernel"])
        for number, gradient in zip(node.inputs, dx if isinstance(dx, list) else [dx]):
            if number == 0 and gradient.ndim == 4:  # the image; its gradients from several readers add up
                before = 0 if self.found.image is None else self.found.image
                self.found.image = before + np.array(gradient[0])
