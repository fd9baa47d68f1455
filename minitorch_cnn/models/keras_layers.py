"""Keras's layers and ours: the layer of ours that a description in a file stands for.

Every setting in a description is honoured, known to change no prediction, or refused: a setting that was overlooked
would give a network that runs and computes something else. Classes are looked up by name in a table,
`network/keras_kinds.py`; nothing in a file is ever imported or executed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from minitorch_cnn.engine import layers
from minitorch_cnn.engine.values import Value
from minitorch_cnn.errors import ArgumentError, ShapeError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.keras_h5.described import LayerDescription
from minitorch_cnn.keras_h5.given_numbers import GIVEN, numbers_of
from minitorch_cnn.models.keras_activations import activation_name
from minitorch_cnn.models.keras_classes import class_of, quoted
from minitorch_cnn.network.keras_kinds import KINDS, Kind

# What these settings are if they have no effect; any other value is refused where our class has no such argument.
NEUTRAL: dict[str, tuple] = {
    "adjust_pixel_range": (False,),
    "antialias": (False,),
    "axis": (-1,),
    "crop_to_aspect_ratio": (False,),
    "depth_multiplier": (1,),
    "dilation_rate": (1, [1, 1]),
    "groups": (1,),
    "interpolation": ("nearest",),
    "invert": (False,),
    "keepdims": (False,),
    "max_value": (None,),
    "mode": (0,),
    "negative_slope": (0, 0.0),
    "noise_shape": (None,),
    "output_padding": (None,),
    "pad_to_aspect_ratio": (False,),
    "renorm": (False,),
    "rms_scaling": (False,),
    "threshold": (0, 0.0),
    "virtual_batch_size": (None,),
}

# Settings that say how a layer was initialized, trained or stored, but not what it computes.
IGNORED = {
    "adjustment", "autocast", "batch_input_shape", "batch_shape", "cache_enable", "create_scale", "data_format",
    "dtype", "fill_mode", "fill_value", "fused", "init", "init_values", "input_dim", "input_dtype", "input_length",
    "input_shape", "name", "projection_dim", "quantization_config", "renorm_clipping", "renorm_momentum", "seed",
    "shape", "sparse", "synchronized", "trainable", "weights", "dropout_seed", "compute_dtype", "lora_alpha",
    "lora_rank",
}  # fmt: skip
IGNORED_ENDINGS = ("_initializer", "_regularizer", "_constraint")

DTYPES = ("float32", "float64", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")
RANDOM = ("BatchNormalization", "Dropout")  # classes that predict differently when called with training=True


class ScaledSum:
    """`CustomScaleLayer` of Keras's InceptionResNetV2: y = x1 + scale * x2."""

    def __init__(self, scale: float, name: str) -> None:
        self.scaled = layers.Rescaling(scale, name=f"{name}_scale")
        self.sum = layers.Add(name=name)

    def __call__(self, values: Sequence[Value]) -> Value:
        first, second = values
        return self.sum([first, self.scaled(second)])


@dataclass
class Made:
    """A layer of ours for a described one: `connect` is called with the values that it reads.

    `axis` has to be the channels', in Keras's counting (None: it needs no check).
    """

    connect: Callable[[Any], Value]
    axis: Any = None

    def __call__(self, values: list[Value], name: str) -> Value:
        """The Value that the layer makes; ShapeError where it does not fit, or its axis is not the channels'."""
        axes = len(values[0].shape) + 1
        if self.axis is not None and self.axis not in (-1, axes - 1):
            raise ShapeError(f"{name}: expected the last of {axes} axes, the channels, got axis {self.axis}")
        return self.connect(values if len(values) > 1 else values[0])


class HardSigmoidOfKeras2:
    """clip(0.2 x + 0.5, 0, 1), in Keras 3 clip(x / 6 + 0.5, 0, 1): so it is the new one of 1.2 x."""

    def __init__(self, name: str) -> None:
        self.scaled = layers.Rescaling(1.2, name=f"{name}_scale")
        self.activation = layers.Activation("hard_sigmoid", name=name)

    def __call__(self, value: Value) -> Value:
        return self.activation(self.scaled(value))


class DenseAnywhere:
    """A Dense layer. Keras's takes images too, (N, H, W, C), where it is a convolution with a 1x1 kernel."""

    def __init__(self, dense: Any) -> None:
        self.dense = dense
        self.pixels = layers.Conv2D(
            dense.units, 1, activation=dense.activation.name, use_bias=dense.use_bias, name=dense.name,
            trainable=dense.trainable,
        )  # fmt: skip

    def __call__(self, value: Value) -> Value:
        return (self.dense if len(value.shape) == 1 else self.pixels)(value)


def make_layer(described: LayerDescription, name: str, keras: int | None = 3) -> Made:
    """Our layer, not built, called `name`, for a file of Keras version `keras`.

    ArgumentError says what in the description has no counterpart here.
    """
    class_name, settings = class_of(described)
    numbers = [call.number for call in described.calls if call.number is not None]
    if numbers:
        return Made(_with_number(class_name, described, name))
    if class_name == "CustomScaleLayer" and isinstance(settings.get("scale"), (int, float)):
        return Made(ScaledSum(settings["scale"], name))
    if class_name not in KINDS:
        raise ArgumentError(quoted(described))
    if keras is not None and keras < 3 and activation_name(settings.get("activation")) == "hard_sigmoid":
        if class_name != "Activation":
            raise ArgumentError("activation hard_sigmoid of Keras 2 inside a layer")
        return Made(HardSigmoidOfKeras2(name))
    kind = KINDS[class_name]
    if not hasattr(layers, kind.ours):
        raise ArgumentError(f"layer {class_name}")
    ours = getattr(layers, kind.ours)
    if class_name == "Normalization" and settings.get("mean") is not None:  # weights, which `keras_h5` reads
        for key in GIVEN[class_name]:
            if numbers_of(settings.get(key)) is None:
                raise ArgumentError(f"{key}={printable(settings.get(key))[:40]}")
        settings = {key: value for key, value in settings.items() if key not in GIVEN[class_name]}
    arguments = _arguments(ours, kind, settings)
    layer = ours(**arguments, name=name)
    layer.trainable = settings.get("trainable", True) is not False
    if class_name == "Dense":
        return Made(DenseAnywhere(layer))
    return Made(layer, _axis(settings.get("axis", -1)) if kind.axis else None)


def _with_number(class_name: str, described: LayerDescription, name: str) -> Any:
    """An operation of x and a number c, as a Rescaling."""
    call, *others = described.calls
    c = call.number
    if others or c is None or len(call.inputs) != 1:
        raise ArgumentError(f"a call with a number of {class_name}")
    sign = -1.0 if call.number_first else 1.0
    if class_name == "Add":
        return layers.Rescaling(1.0, c, name=name)
    if class_name == "Multiply":
        return layers.Rescaling(c, name=name)
    if class_name == "Subtract":
        return layers.Rescaling(sign, -sign * c, name=name)
    if class_name == "Divide" and c and not call.number_first:
        return layers.Rescaling(1 / c, name=name)
    raise ArgumentError(f"a call with a number of {class_name}")


def obstacles_in_calls(described: LayerDescription) -> list[str]:
    """The arguments of the layer's calls that would have to change what it computes, and have no counterpart here."""
    inside = described.network.flat() if described.network is not None else [("", described)]
    matters = any(layer.class_name in RANDOM for _, layer in inside)
    found = dict.fromkeys(argument for call in described.calls for argument in call.arguments)
    if described.settings.get("function") == "nn.gelu":  # where it says which activation it is
        found.pop("approximate", None)
    return [f"a call with {printable(each)[:40]}" for each in found if matters or each != "training"]


def _arguments(ours: Any, kind: Kind, settings: dict[str, Any]) -> dict[str, Any]:
    """The arguments of our class; ArgumentError names a setting that it cannot honour."""
    known = inspect.signature(ours).parameters
    arguments = {}
    for key, value in settings.items():
        if key == "data_format" and value in ("channels_first", "th"):
            raise ArgumentError("channels_first: only channels_last is supported")
        if key == "dtype":
            _check_dtype(value)
        if key == "axis" and kind.axis:
            continue
        name = kind.renamed.get(key, key)
        if name in kind.takes and name in known:
            arguments[name] = activation_name(value) if name == "activation" else _plain(value)
        elif key in NEUTRAL and any(value == each and type(value) is type(each) for each in NEUTRAL[key]):
            continue
        elif key not in IGNORED and not key.endswith(IGNORED_ENDINGS) and value is not None:
            raise ArgumentError(f"{printable(key)[:40]}={printable(value)[:40]}")
    return arguments


def _check_dtype(value: Any) -> None:
    """Check a precision: float16 and mixed ones are computed in float32; quantized ones are refused."""
    if isinstance(value, dict):
        config = value.get("config")
        value = config.get("name") if isinstance(config, dict) else value.get("class_name")
    if value is not None and value not in DTYPES:
        raise ArgumentError(f"dtype {printable(value)[:40]}")


def _axis(value: Any) -> Any:
    """An axis that may be written as a list of one; none at all, which Keras writes as null or [], is []."""
    if isinstance(value, list) and len(value) == 1:
        return value[0]
    return [] if value is None else value


def _plain(value: Any) -> Any:
    """A setting as an argument: lists as tuples; arrays that Keras wrote as dicts as lists."""
    if isinstance(value, dict) and isinstance(value.get("config"), dict) and "value" in value["config"]:
        value = value["config"]["value"]
    return tuple(_plain(each) for each in value) if isinstance(value, list) else value
