"""The layers that Keras needs around one of ours to compute the same, because it has no such setting.

======================================  ========================================================================
ours                                    in the file
======================================  ========================================================================
a convolution with padding in pixels    ZeroPadding2D, then the convolution without padding
a transposed one with such padding      the convolution without padding, then Cropping2D: padding crops the output
an activation `gelu_tanh`               the layer without activation, then the operation Gelu
======================================  ========================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LAYERS, OPERATIONS = "keras.layers", "keras.src.ops.nn"


@dataclass
class Described:
    """A layer of the file: `calls` are the values that it reads each time, as numbers of values."""

    class_name: str
    settings: dict[str, Any]
    calls: list[tuple[int, ...]] = field(default_factory=list)
    module: str = LAYERS  # where Keras 3 has the class

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.settings["name"]


def with_steps_around(layer: Any, own: Described, names: Mapping[str, str]) -> list[tuple[Described, tuple]]:
    """[(layer of the file, shape of its result without N)] in the order of computation; `own` stands for our `layer`.

    `names` are those that the file's layers have already, by ours.
    """
    padding, shape = pixel_padding(layer), layer.output_shape
    before, after = list[tuple[Described, tuple]](), list[tuple[Described, tuple]]()
    if padding and is_transposed(layer):
        rows, columns = _crop(layer)
        after.append((_around("Cropping2D", f"{own.name}_crop", names, cropping=(rows, columns)), shape))
        shape = (shape[0] + sum(rows), shape[1] + sum(columns), shape[2])
    elif padding:
        (H, W, C), (rows, columns) = layer.input_shape, padding
        around = _around("ZeroPadding2D", f"{own.name}_pad", names, padding=padding)
        before.append((around, (H + sum(rows), W + sum(columns), C)))
    if ends_in_gelu_tanh(layer) and own.module == LAYERS:
        after.insert(0, (gelu_tanh(free_name(f"{own.name}_gelu", names)), shape))
    return [*before, (own, shape), *after]


def pixel_padding(layer: Any) -> Any:
    """The padding in pixels of a convolution, ((top, bottom), (left, right)); None if Keras can say it itself."""
    padding = getattr(layer, "padding", None)
    return padding if hasattr(layer, "use_bias") and isinstance(padding, tuple) else None


def is_transposed(layer: Any) -> bool:
    """Whether the layer is a transposed convolution."""
    return type(layer).__name__ == "Conv2DTranspose"


def ends_in_gelu_tanh(layer: Any) -> bool:
    """Whether the layer ends in an activation that Keras has no name for, only an operation."""
    return getattr(layer.activation, "name", None) == "gelu_tanh"


def gelu_tanh(name: str) -> Described:
    """The operation that is our activation `gelu_tanh`."""
    return Described("Gelu", {"name": name, "approximate": True}, module=OPERATIONS)


def added_without_padding(layer: Any) -> tuple[int, int]:
    """The `output_padding` of a transposed convolution whose padding in pixels is left to a Cropping2D.

    Both act at the bottom and on the right, so only what the cropping would not take away again is added.
    """
    more = layer.output_padding or (0, 0)
    (_, bottom), (_, right) = layer.padding
    return max(more[0] - bottom, 0), max(more[1] - right, 0)


def _crop(layer: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    more = layer.output_padding or (0, 0)
    (top, bottom), (left, right) = layer.padding
    return (top, max(bottom - more[0], 0)), (left, max(right - more[1], 0))


def _around(class_name: str, name: str, names: Mapping[str, str], **settings: Any) -> Described:
    return Described(class_name, {"name": free_name(name, names), "dtype": "float32", **settings})


def free_name(name: str, names: Mapping[str, str]) -> str:
    """A name that no layer of the file has; `names` as `keras_names` returns them."""
    taken = set(names.values())
    while name in taken:
        name += "_"
    return name
