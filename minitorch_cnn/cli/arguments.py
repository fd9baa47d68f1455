"""Command-line arguments that several commands share: numbers within bounds, and networks by name."""

from __future__ import annotations

import argparse
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
}


def named_model(name: str) -> Any:
    """The network that `name` stands for: one of NETWORKS, or the model in a run folder.

    Raises ArgumentError if it is neither.
    """
    from minitorch_cnn import models
    from minitorch_cnn.errors import ArgumentError
    from minitorch_cnn.runs import RunFolder

    if name.replace("_", "-") in NETWORKS:
        function, arguments = NETWORKS[name.replace("_", "-")]
        return getattr(models, function)(**arguments)
    if Path(name).is_dir():
        return RunFolder(name).load_model()[0]
    raise ArgumentError(f"{name}: expected a run folder or one of {', '.join(NETWORKS)}")


def positive_integer(text: str) -> int:
    """`text` as a whole number of at least 1."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return number


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
