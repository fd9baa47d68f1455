"""Keras's layer classes and ours, for opening files (`models/keras_layers.py`) and writing them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CONVOLUTION = ("kernel_size", "strides", "padding", "activation", "use_bias", "dilation_rate")
POOL = ("pool_size", "strides", "padding")


@dataclass(frozen=True)
class Kind:
    """Our class for one of Keras's: `takes` are the settings that it has under the same name, `renamed` the others.

    `axis` is whether the setting `axis` has to be the channels', which is checked when the input's shape is known.
    """

    ours: str
    takes: tuple[str, ...] = ()
    renamed: dict[str, str] = field(default_factory=dict)
    axis: bool = False


KINDS = {
    "Activation": Kind("Activation", ("activation",)),
    "Add": Kind("Add"),
    "Average": Kind("Average"),
    "AveragePooling2D": Kind("AveragePool2D", POOL),
    "BatchNormalization": Kind("BatchNorm", ("momentum", "epsilon", "center", "scale"), axis=True),
    "Concatenate": Kind("Concatenate", ("axis",)),
    "Conv2D": Kind("Conv2D", ("filters", *CONVOLUTION, "groups")),
    "Conv2DTranspose": Kind("Conv2DTranspose", ("filters", *CONVOLUTION, "output_padding")),
    "Cropping2D": Kind("Cropping2D", ("cropping",)),
    "Dense": Kind("Dense", ("units", "activation", "use_bias")),
    "DepthwiseConv2D": Kind("DepthwiseConv2D", (*CONVOLUTION, "depth_multiplier")),
    "Dropout": Kind("Dropout", ("rate", "noise_shape")),
    "ELU": Kind("ELU", ("alpha",)),
    "Flatten": Kind("Flatten"),
    "GlobalAveragePooling2D": Kind("GlobalAveragePool2D", ("keepdims",)),
    "GlobalMaxPooling2D": Kind("GlobalMaxPool2D", ("keepdims",)),
    "LayerNormalization": Kind("LayerNorm", ("epsilon", "center", "scale"), axis=True),
    "LayerScale": Kind("LayerScale"),
    "LeakyReLU": Kind("LeakyReLU", ("negative_slope",), {"alpha": "negative_slope"}),
    "MaxPooling2D": Kind("MaxPool2D", POOL),
    "Maximum": Kind("Maximum"),
    "Multiply": Kind("Multiply"),
    "Normalization": Kind("Normalization", axis=True),
    "PReLU": Kind("PReLU", ("shared_axes",)),
    "Permute": Kind("Permute", ("dims",)),
    "ReLU": Kind("ReLU", ("max_value", "negative_slope", "threshold")),
    "Rescaling": Kind("Rescaling", ("scale", "offset")),
    "Reshape": Kind("Reshape", ("target_shape",)),
    "Resizing": Kind("Resizing", ("height", "width", "interpolation")),
    "SeparableConv2D": Kind("SeparableConv2D", ("filters", *CONVOLUTION, "depth_multiplier")),
    "Softmax": Kind("Softmax", axis=True),
    "Subtract": Kind("Subtract"),
    "UpSampling2D": Kind("UpSampling2D", ("size", "interpolation")),
    "ZeroPadding2D": Kind("ZeroPad2D", ("padding",)),
}

# Our initializers that take a number: Keras's class, and its settings for that number.
INITIALIZERS: dict[str, tuple[str, Callable[[float], dict[str, float]]]] = {
    "constant": ("Constant", lambda value: {"value": value}),
    "identity": ("Identity", lambda gain: {"gain": gain}),
    "orthogonal": ("Orthogonal", lambda gain: {"gain": gain}),
    "random_normal": ("RandomNormal", lambda deviation: {"mean": 0.0, "stddev": deviation}),
    "random_uniform": ("RandomUniform", lambda limit: {"minval": -limit, "maxval": limit}),
    "truncated_normal": ("TruncatedNormal", lambda deviation: {"mean": 0.0, "stddev": deviation}),
}


def described_initializer(initializer: Any, keras: int, matrix: bool = True) -> Any:
    """An initializer of ours, a name or (name, number), in the words of Keras version 2 or 3.

    Keras's identity fills only matrices. For other kernels its default stands instead: the weights come with the file.
    """
    name, *number = [initializer] if isinstance(initializer, str) else initializer
    if name == "identity" and not matrix:
        return "glorot_uniform"
    if not number and name != "constant":  # for which Keras needs the number
        return name
    class_name, settings = INITIALIZERS[name]
    entry = {"class_name": class_name, "config": settings(float(*number))}
    return entry if keras == 2 else {"module": "keras.initializers", **entry, "registered_name": None}
