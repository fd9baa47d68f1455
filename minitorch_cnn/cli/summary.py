"""`minitorch-cnn summary`: print the shapes, parameters and memory of a network."""

from __future__ import annotations

import argparse

from minitorch_cnn.cli.arguments import positive_integer


def add_summary(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    summary = commands.add_parser(
        "summary",
        help="print the shapes, parameters and memory of a network",
        description="Print the shapes, parameters and memory of a network.",
    )
    summary.add_argument(
        "model",
        metavar="MODEL",
        help="a network of the package, such as cifar10 or resnet50, a run folder, or a .keras or .h5 file",
    )
    summary.add_argument("--batch-size", type=positive_integer, default=32, metavar="N", help="images in a batch (32)")
    summary.set_defaults(run=_summary)


def _summary(options):
    from minitorch_cnn.runs.networks import named_model

    named_model(options.model).summary(options.batch_size)
