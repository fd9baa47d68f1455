"""`minitorch-cnn predict`: classify images with a trained network."""

from __future__ import annotations

import argparse

from minitorch_cnn.files.printable import printable


def add_predict(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    predict = commands.add_parser("predict", help="classify images", description="Classify images with a finished run.")
    predict.add_argument("run_folder", metavar="RUN", help="the folder of a finished run")
    predict.add_argument("images", nargs="+", metavar="IMAGE", help="image files, scaled to the network's input size")
    predict.set_defaults(run=_predict)


def _predict(options):
    import numpy as np

    from minitorch_cnn.datasets import load_image
    from minitorch_cnn.engine.metrics import class_probabilities
    from minitorch_cnn.runs import RunFolder

    model, names = RunFolder(options.run_folder).load_model()
    height, width = model.input_shape[:2]
    images = np.stack([load_image(path, height, width) for path in options.images])
    for path, probabilities in zip(options.images, class_probabilities(model.predict(images))):
        best = int(probabilities.argmax())
        label = f"{printable(path)}: " if len(options.images) > 1 else ""
        print(f"{label}{printable(names[best])}, {probabilities[best]:.2f}")
