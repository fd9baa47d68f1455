"""Command-line arguments that several commands share: numbers within bounds, and networks by name."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

# Name of a network on the command line: (function of `models`, its arguments).
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "cifar10": ("cifar10", {}),
    "cats-vs-dogs": ("cats_vs_dogs", {}),
    "vgg16": ("vgg16", {}),
    "vgg16-no-top": ("vgg16", {"include_top": False}),
    "transfer-net": ("transfer_net", {}),
    "tiny-vgg": ("tiny_vgg", {}),
    "resnet50": ("resnet50", {}),
    "mobilenet-v2": ("mobilenet_v2", {}),
    "efficientnet-b0": ("efficientnet_b0", {}),
}


def named_model(name: str) -> Any:
    """The network that `name` stands for: one of NETWORKS, or the model in a run folder or in a Keras file.

    Raises ArgumentError if it is neither, and CheckpointError or WeightsError if it cannot be read.
    """
    from minitorch_cnn import models
    from minitorch_cnn.errors import ArgumentError
    from minitorch_cnn.runs import RunFolder
    from minitorch_cnn.runs.keras_file import is_keras_file, model_in_file

    if name.replace("_", "-") in NETWORKS:
        function, arguments = NETWORKS[name.replace("_", "-")]
        return getattr(models, function)(**arguments)
    if Path(name).is_dir():
        return RunFolder(name).load_model()[0]
    if is_keras_file(name):
        return model_in_file(name)
    raise ArgumentError(f"{name}: expected a run folder, a .keras or .h5 file, or one of {', '.join(NETWORKS)}")


def positive_integer(text: str) -> int:
    """`text` as a whole number of at least 1."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return number


def whole(text: str) -> int:
    """`text` as a whole number of at least 0."""
    return seed(text)


def seed(text: str) -> int:
    """`text` as a whole number of at least 0."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


def positive(text: str) -> float:
    """`text` as a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def add_definitions(parser: argparse.ArgumentParser) -> None:
    """Add the option --definitions, with which no twin runs."""
    parser.add_argument(
        "--definitions", action="store_true", help="run the definitions of engine/ alone, without their fast twins"
    )


def without_image_warnings() -> None:
    """Keep Pillow from printing a line for every odd detail of an image file; what matters ends in an error."""
    warnings.filterwarnings("ignore", module=r"PIL\.")


def add_preprocessing(parser: argparse.ArgumentParser, whose: str) -> None:
    """Add the option --preprocessing for the network in a Keras file, which `whose` calls by its argument."""
    parser.add_argument(
        "--preprocessing", metavar="HOW", help=f"of photos, for {whose} in a file that does not begin with it: caffe,"
        " tf, torch, unit, none, or MEAN/DEVIATION as in 127/128",
    )  # fmt: skip
