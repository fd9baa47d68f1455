"""Command-line arguments that several commands share, such as numbers within bounds."""

from __future__ import annotations

import argparse
import warnings


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
