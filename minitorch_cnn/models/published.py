"""What the networks of Keras's applications have in common: their arguments, their tops, and loading their weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from minitorch_cnn.engine import layers
from minitorch_cnn.engine.values import Value
from minitorch_cnn.errors import ArgumentError, ShapeError

SMALLEST = 32  # pixels, which five halvings bring down to one
CLASSES = 1000  # of ImageNet
POOLINGS: dict[str, tuple[type, str]] = {
    "avg": (layers.GlobalAveragePool2D, "avg_pool"),
    "max": (layers.GlobalMaxPool2D, "max_pool"),
}


def check_arguments(
    network: str, include_top: bool, input_shape: tuple[int, ...], classes: int, weights: str | Path | None,
    pooling: str | None = None, channels: int | None = None,
) -> None:  # fmt: skip
    """Check the arguments of the function `network`; the images have `channels`, or any number of them.

    Raises ShapeError for another input shape, and ArgumentError for arguments that contradict each other.
    """
    fits = len(input_shape) == 3 and min(input_shape[:2]) >= SMALLEST and input_shape[2] >= 1
    if not fits or channels not in (None, input_shape[2]):
        raise ShapeError(
            f"{network}: expected input_shape (H, W, {channels or 'C'}) of at least {SMALLEST}x{SMALLEST},"
            f" got {input_shape}"
        )
    if not include_top and classes != CLASSES:
        raise ArgumentError(
            f"{network}: classes: expected none with include_top=False, which has no top; got {classes}"
        )
    if pooling is not None and (include_top or pooling not in POOLINGS):
        allowed = "none with include_top=True, whose top has its own" if include_top else "avg, max or none"
        raise ArgumentError(f"{network}: pooling: expected {allowed}; got {pooling!r}")
    if weights == "imagenet":
        raise ArgumentError(
            f"{network}: expected the path of a weight file; weight_files.fetch('{network}') returns one"
        )


def ending(
    y: Value, include_top: bool, classes: int, pooling: str | None, average: str = "avg_pool",
    dropout: layers.Dropout | None = None,
) -> Value:  # fmt: skip
    """The feature map `y` with the network's top on it, or else with the `pooling`, or as it is.

    The top is the mean of each channel, by the layer called `average`, a `dropout`, and a softmax of `classes`.
    """
    if include_top:
        y = layers.GlobalAveragePool2D(name=average)(y)
        if dropout is not None:
            y = dropout(y)
        return layers.Dense(classes, activation="softmax", name="predictions")(y)
    if pooling is None:
        return y
    kind, name = POOLINGS[pooling]
    return kind(name=average if pooling == "avg" else name)(y)


def with_weights(model: Any, weights: str | Path | None, load: Callable[[Any, Any], object] | None = None) -> Any:
    """The model, with the weights of that file, if there is one, loaded by `load`; WeightsError if it does not fit."""
    if weights is not None:
        if load is None:
            model.load_weights(weights)
        else:
            load(model, weights)
    return model
