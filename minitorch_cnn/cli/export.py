"""`minitorch-cnn export`: write a trained network as files for another tool."""

from __future__ import annotations

import argparse

from minitorch_cnn.files.printable import printable


def add_export(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    export = commands.add_parser(
        "export",
        help="write a trained network for CNN Explainer",
        description="Write a trained network as the three data files of poloclub's CNN Explainer, which go into"
        " public/assets/data/ of a copy of it. It can only draw Tiny VGG (see: minitorch-cnn summary tiny-vgg).",
    )
    export.add_argument("model", metavar="MODEL", help="a run folder, or tiny-vgg with --weights")
    export.add_argument("--weights", metavar="FILE", help="a Keras weight file for the network")
    export.add_argument("--cnn-explainer", metavar="DIR", required=True, help="the folder for the three files")
    export.set_defaults(run=_export)


def _export(options):
    from pathlib import Path

    from minitorch_cnn.errors import ArgumentError
    from minitorch_cnn.lessons import cnn_explainer
    from minitorch_cnn.runs.networks import named_model

    model = named_model(options.model)
    if options.weights is not None:
        model.load_weights(options.weights)
    elif not Path(options.model).is_dir():
        raise ArgumentError(f"export: expected --weights FILE with {options.model}, or a run folder instead of it")
    for path in cnn_explainer.export(model, options.cnn_explainer):
        print(f"{printable(path)}: {path.stat().st_size:,} bytes")
    return 0
