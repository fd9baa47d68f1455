"""The network in a .keras or whole-model .h5 file, for the commands: the file may come from anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minitorch_cnn.datasets import preprocessing
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.models import new_top
from minitorch_cnn.models.load_model import OpenShape, load_within_limits

ENDINGS = (".keras", ".h5", ".hdf5")
USUAL = (224, 224, 3)  # the input of a network whose file leaves it open
HOW = "caffe, tf, torch, unit, none or MEAN/DEVIATION"


def is_keras_file(name: str | Path) -> bool:
    """Whether that is the name of a Keras file, by its ending."""
    return str(name).lower().endswith(ENDINGS)


def model_in_file(
    path: str | Path, seed: int | None = None, size: int | None = None, words: str | None = None,
) -> Any:  # fmt: skip
    """The network in a Keras file; it takes photos of `size`, or of 224x224, if the file leaves that open.

    Its preprocessing is the one that `words` stand for, unless it is among its layers already. Raises WeightsError if
    the file cannot be read or does not describe a network, and ArgumentError if the network takes too much memory or
    time for an image, or if it has a preprocessing of its own and gets `words` for another.
    """
    try:
        model = load_within_limits(path, seed=seed)
    except OpenShape:
        model = load_within_limits(path, (size, size, 3) if size else USUAL, seed=seed)
    if words is not None:
        if words != "none" and new_top.has_preprocessing(model):
            raise ArgumentError(f"{path}: its first layers scale pixels already; got --preprocessing {words:.60} too")
        model.preprocessing = preprocessing.from_words(words)
    return model


def require_preprocessing(path: str | Path, model: Any, words: str | None) -> None:
    """Raise ArgumentError if neither the network in the file nor `words` say how photos are preprocessed."""
    if words is None and not new_top.has_preprocessing(model):
        raise ArgumentError(
            f"{path}: it does not say how photos are preprocessed, because Keras's files have no place for that;"
            f" say it as the network was trained: --preprocessing {HOW}"
        )


def class_numbers(model: Any) -> list[str]:
    """Names for the classes of a network that has none: "class 0", "class 1", ..."""
    return [f"class {number}" for number in range(max(2, model.output_shape[0]))]
