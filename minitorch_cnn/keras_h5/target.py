"""The model as this package sees it: names, kinds and shapes, handed over by whoever owns the layers.

Nothing here knows how a layer computes. A `Target` lists the layers in order; a weight file is compared with that list,
and arrays come back under the same names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from minitorch_cnn.errors import ArgumentError

# Keras's own order of a layer's weights, and its names for them.
WEIGHT_ORDER = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class TargetLayer:
    """One layer of the model.

    Arguments:
        name: the layer's name, "block1_conv1".
        kind: Keras's class name, "Conv2D", "Dense", "BatchNormalization", "MaxPooling2D", "Flatten", ...
        weights: the shape of each weight by name, in Keras's order (`WEIGHT_ORDER`): a kernel is (KH, KW, C, K) or
            (in, out), all others (K,). Empty for a layer without weights.
        input_shape, output_shape: shapes for one image, without the batch: (H, W, C) or (features,).
        trainable: whether training changes it.
        flatten_shape: for a Dense or BatchNormalization fed by the flattened feature map (H, W, C), that shape; else
            None.
    """

    name: str
    kind: str
    weights: Mapping[str, Shape] = field(default_factory=dict)
    input_shape: Shape | None = None
    output_shape: Shape | None = None
    trainable: bool = True
    flatten_shape: tuple[int, int, int] | None = None

    @property
    def group_name(self) -> str:
        """The kind as newer files spell it: `snake_case("MaxPooling2D")`."""
        return snake_case(self.kind)


@dataclass(frozen=True)
class Target:
    """The whole model: its layers in order, weightless ones included, and the shape of one input image."""

    layers: tuple[TargetLayer, ...]
    input_shape: Shape | None = None
    name: str = "sequential"

    def __post_init__(self):
        object.__setattr__(self, "layers", tuple(self.layers))

    def weighted(self) -> list[TargetLayer]:
        """The layers that have weights."""
        return [layer for layer in self.layers if layer.weights]


def as_target(model) -> Target:
    """A `Target` itself, or that of a model that can tell its own (`model.keras_target()`)."""
    if isinstance(model, Target):
        return model
    if not hasattr(model, "keras_target"):
        raise ArgumentError(f"expected a model or a keras_h5.Target, got {type(model).__name__}")
    return model.keras_target()


def snake_case(class_name: str) -> str:
    """A class name in small letters, a line before each inner capital that starts a word.

    >>> snake_case("MaxPooling2D"), snake_case("Conv2D"), snake_case("BatchNormalization"), snake_case("ReLU")
    ('max_pooling2d', 'conv2d', 'batch_normalization', 're_lu')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", class_name).lower()


def shape_text(shape: Shape | None) -> str:
    """A shape as a person writes it: `3x3x64x128`; `()` is "a single number"."""
    if shape is None:
        return "nothing"
    return "x".join(str(size) for size in shape) if shape else "a single number"
