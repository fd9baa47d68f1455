"""`minitorch-cnn predict`: classify images with a trained network."""

from __future__ import annotations

import argparse

from minitorch_cnn.cli.arguments import add_preprocessing, without_image_warnings
from minitorch_cnn.files.printable import printable


def add_predict(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    predict = commands.add_parser(
        "predict",
        help="classify images",
        description="Classify images with a finished run, or with the network in a Keras file.",
    )
    predict.add_argument("run_folder", metavar="RUN", help="the folder of a finished run, or a .keras or .h5 file")
    predict.add_argument("images", nargs="+", metavar="IMAGE", help="image files, scaled to the network's input size")
    add_preprocessing(predict, "a network")
    predict.set_defaults(run=_predict)


def _predict(options):
    from minitorch_cnn.engine.metrics import class_probabilities
    from minitorch_cnn.errors import ArgumentError
    from minitorch_cnn.network.cost import images_at_once
    from minitorch_cnn.runs import RunFolder
    from minitorch_cnn.runs.answers import gives_probabilities
    from minitorch_cnn.runs.input_images import input_images
    from minitorch_cnn.runs.keras_file import class_numbers, is_keras_file, model_in_file, require_preprocessing

    without_image_warnings()
    if is_keras_file(options.run_folder):
        model = model_in_file(options.run_folder, words=options.preprocessing)
        require_preprocessing(options.run_folder, model, options.preprocessing)
    elif options.preprocessing is not None:
        raise ArgumentError(f"--preprocessing: {options.run_folder} has its own, got {options.preprocessing:.60} too")
    else:
        model, names = RunFolder(options.run_folder).load_model()
    if model.outputs > 1 or len(model.output_shape) != 1:
        raise ArgumentError(
            f"{options.run_folder}: its output is {tuple(model.output_shape)}, expected (classes,) to name a class"
        )
    if is_keras_file(options.run_folder):
        names = class_numbers(model)
    images = input_images(options.run_folder, model, options.images)
    at_once = min(128, max(1, images_at_once(model)))
    prediction = model.predict(images, batch_size=at_once)
    sure = gives_probabilities(model)
    for path, answer in zip(options.images, class_probabilities(prediction) if sure else prediction):
        label = f"{printable(path)}: " if len(options.images) > 1 else ""
        best = int(answer.argmax())
        named = f"{printable(names[best])}, " if len(answer) > 1 else ""  # one score alone does not say which class
        print(f"{label}{named}{'' if sure else 'score '}{answer[best]:.2f}")
