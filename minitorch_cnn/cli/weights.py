"""`minitorch-cnn weights`: download published weights, or show what a Keras weight file contains."""

from __future__ import annotations

import argparse

from minitorch_cnn.files.printable import printable


def add_weights(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    weights = commands.add_parser(
        "weights",
        help="download published weights, or show what a Keras weight file contains",
        description="Download published weights, or show what a Keras weight file contains.",
    )
    actions = weights.add_subparsers(title="actions", required=True, metavar="ACTION")
    fetch = actions.add_parser(
        "fetch",
        help="download published weights once and check them",
        description="Download weights trained on ImageNet, unless the file exists already, check their MD5, and print"
        " the path.",
    )
    fetch.add_argument("model", metavar="MODEL", help="vgg16, resnet50, mobilenet_v2 or efficientnet_b0")
    fetch.add_argument("--no-top", action="store_true", help="without the top: smaller, for any image size")
    fetch.add_argument("--out", metavar="DIR", help="the folder for the file (default: the cache folder)")
    fetch.add_argument("--quiet", action="store_true", help="print only the path")
    fetch.set_defaults(run=_fetch_weights)
    inspect = actions.add_parser(
        "inspect",
        help="show a weight file's dialect, its layers, and what fits a network",
        description="Show what a Keras weight file contains and, with --model, what goes where; exit code 1 if it does"
        " not fit.",
    )
    inspect.add_argument("file", metavar="FILE", help=".h5, .weights.h5 or .keras")
    inspect.add_argument("--model", metavar="MODEL", help="compare with this network, named as for summary")
    inspect.set_defaults(run=_inspect_weights)


def _fetch_weights(options):
    from minitorch_cnn.models import weight_files

    path = weight_files.fetch(options.model, not options.no_top, options.out, progress=not options.quiet)
    print(printable(path))


def _inspect_weights(options):
    from minitorch_cnn import keras_h5
    from minitorch_cnn.runs.networks import named_model

    report = keras_h5.inspect(options.file, None if options.model is None else named_model(options.model))
    print(report)
    return 1 if report.fits is False else 0
