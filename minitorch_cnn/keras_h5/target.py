"""The model as this package sees it: the names, classes and shapes of its layers.

Nothing here knows how a layer computes. A `Target` lists the layers in order; a weight file is compared with that list,
and the arrays are returned under the same names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from minitorch_cnn.errors import ArgumentError

# Keras's own order of a layer's weights, and its names for them.
KERNEL_AND_BIAS = ("kernel", "bias")
BATCH_NORMALIZATION = ("gamma", "beta", "moving_mean", "moving_variance")
WEIGHT_ORDER = (
    "kernel", "depthwise_kernel", "pointwise_kernel", "bias", *BATCH_NORMALIZATION, "alpha", "mean", "variance",
)  # fmt: skip

Shape = tuple[int, ...]


@dataclass(frozen=True)
class TargetLayer:
    """One layer of the model.

    Arguments: `name`, the layer's name ("block1_conv1"); `kind`, Keras's class name ("Conv2D", "Dense",
    "BatchNormalization", "MaxPooling2D", "Flatten", ...); `weights`, the shape of each weight by name in Keras's order
    (`WEIGHT_ORDER`), (KH, KW, C, K) or (in, out) for a kernel and (K,) for all others; `input_shape` and
    `output_shape`, for one image, (H, W, C) or (features,); `trainable`, whether training changes the layer;
    `flatten_shape`, the shape (H, W, C) of the flattened feature map that a Dense or BatchNormalization receives, None
    for all other layers; `path`, its name in a file that describes this model, after the names of the models around it,
    None if the model was not made from such a file; `settings`, Keras's words for what the layer computes.
    """

    name: str
    kind: str
    weights: Mapping[str, Shape] = field(default_factory=dict)
    input_shape: Shape | None = None
    output_shape: Shape | None = None
    trainable: bool = True
    flatten_shape: tuple[int, int, int] | None = None
    path: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def group_name(self) -> str:
        """The kind as newer files spell it, in snake case: "max_pooling2d"."""
        return snake_case(self.kind)

    @property
    def is_one_by_one(self) -> bool:
        """Whether this is a convolution with a 1x1 kernel, which is what a Dense layer does to the pixels of images."""
        return self.kind == "Conv2D" and tuple(self.weights.get("kernel", ()))[:2] == (1, 1)


@dataclass(frozen=True)
class Target:
    """The whole model: its layers in order, including those without weights, and the shape of one input image."""

    layers: tuple[TargetLayer, ...]
    input_shape: Shape | None = None
    name: str = "sequential"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))

    def weighted(self) -> list[TargetLayer]:
        """The layers that have weights."""
        return [layer for layer in self.layers if layer.weights]


class HasTarget(Protocol):
    """A model that can describe itself as a `Target`."""

    def keras_target(self) -> Target:
        """The model's description."""
        ...


def as_target(model: object) -> Target:
    """A `Target` unchanged, or the `model.keras_target()` of a model; raises ArgumentError for others."""
    if isinstance(model, Target):
        return model
    if not hasattr(model, "keras_target"):
        raise ArgumentError(f"expected a model or a keras_h5.Target, got {type(model).__name__}")
    return model.keras_target()


def snake_case(class_name: str) -> str:
    """A class name in snake case, as Keras computes it for the groups of its files.

    >>> snake_case("MaxPooling2D"), snake_case("Conv2D"), snake_case("BatchNormalization"), snake_case("ReLU")
    ('max_pooling2d', 'conv2d', 'batch_normalization', 're_lu')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", class_name).lower()


def shape_text(shape: Shape | None) -> str:
    """A shape in the form `3x3x64x128`; `()` is "a single number"."""
    if shape is None:
        return "nothing"
    return "x".join(str(size) for size in shape) if shape else "a single number"
