"""`minitorch-cnn predict`: classify images with a trained network."""

from __future__ import annotations

import argparse
import sys

from minitorch_cnn.cli.arguments import add_preprocessing, positive_integer, without_image_warnings
from minitorch_cnn.files.outputs import file_to_write
from minitorch_cnn.files.printable import printable


def add_predict(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    predict = commands.add_parser(
        "predict",
        help="classify images",
        description="Classify images with a finished run, or with the network in a Keras file. Several images give a"
        " table. Files that cannot be read are named, and then the exit code is 2.",
    )
    predict.add_argument("run_folder", metavar="RUN", help="the folder of a finished run, or a .keras or .h5 file")
    predict.add_argument(
        "images", nargs="+", metavar="IMAGE|FOLDER", help="image files, or folders that are searched for them; images"
        " are scaled to the network's input size",
    )  # fmt: skip
    predict.add_argument("--top", type=positive_integer, default=1, metavar="K", help="name the K best classes (1)")
    predict.add_argument("--flips", action="store_true", help="the mean over each image and its mirror image")
    predict.add_argument("--csv", metavar="FILE", help="write the table to this file too")
    add_preprocessing(predict, "a network")
    predict.set_defaults(run=_predict)


def _predict(options):
    from minitorch_cnn.datasets.images import is_folder
    from minitorch_cnn.errors import DataError
    from minitorch_cnn.runs import predictions
    from minitorch_cnn.runs.answers import gives_probabilities
    from minitorch_cnn.runs.input_images import image_shape

    without_image_warnings()
    if options.csv is not None:
        options.csv = file_to_write("--csv", options.csv, [options.run_folder, *options.images])
    model, names = _network(options)
    image_shape(options.run_folder, model)
    files, lines = predictions.image_files(options.images)
    named, sure = model.output_shape[0] > 1 or gives_probabilities(model), gives_probabilities(model)
    top = min(options.top, len(names) if named else 1)
    table = _Table(files, names, top, named, "probability" if sure else "score")
    short = len(files) == 1 and top == 1 and not is_folder(files[0]) and len(options.images) == 1
    short = short and str(files[0]) == options.images[0]
    code, rows = 0, []
    for line in lines:
        print(f"minitorch-cnn: {line}", file=sys.stderr)
    try:
        for path, answer in predictions.predict_files(options.run_folder, model, files, options.flips):
            if isinstance(answer, DataError):
                code = 2
                print(f"minitorch-cnn: {printable(answer)}", file=sys.stderr)
                continue
            found = predictions.best(answer, names if named else [""], top)
            if not rows and not short:
                print(table.header())
            rows.append(table.cells(path, found))
            print(table.alone(found) if short else table.line(path, found))
    finally:
        if options.csv is not None:
            predictions.write_table(options.csv, table.columns, rows)
    return code


def _network(options):
    """(model, names of its classes) of a run folder or Keras file; ArgumentError unless it names one class."""
    from minitorch_cnn.errors import ArgumentError
    from minitorch_cnn.runs import RunFolder
    from minitorch_cnn.runs.keras_file import class_numbers, is_keras_file, model_in_file, require_preprocessing

    in_file = is_keras_file(options.run_folder)
    if in_file:
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
    return model, class_numbers(model) if in_file else names


class _Table:
    """How a table of predictions is printed, and what a CSV file of it contains."""

    def __init__(self, files, names, top, named, number):
        self.named, self.number, self.top = named, number, top  # one score alone does not say which class
        self.first = max([len("image"), *(len(printable(path)) for path in files)])
        self.second = min(40, max([len("class"), *(len(printable(name)) for name in names)]))
        ranks = [""] if top == 1 else [f"_{rank}" for rank in range(1, top + 1)]
        kinds = ["class", number] if named else [number]
        self.columns = ["image", *(f"{kind}{rank}" for rank in ranks for kind in kinds)]

    def header(self):
        """The line above the table."""
        kinds = [f"{'class':{self.second}}  {self.number:11}" if self.named else self.number] * self.top
        return "  ".join([f"{'image':{self.first}}", *kinds]).rstrip()

    def line(self, path, found):
        """One image and its best classes."""
        cells = [f"{printable(name):{self.second}}  {value:<11.2f}" if self.named else f"{value:.2f}"
                 for name, value in found]  # fmt: skip
        return "  ".join([f"{printable(path):{self.first}}", *cells]).rstrip()

    def alone(self, found):
        """The answer for a single image."""
        ((name, value),) = found
        word = "score " if self.number == "score" else ""
        return f"{printable(name)}, {word}{value:.2f}" if self.named else f"{word}{value:.2f}"

    def cells(self, path, found):
        """The row of a CSV file."""
        values = [[printable(name), f"{value:.6f}"] if self.named else [f"{value:.6f}"] for name, value in found]
        return [printable(path), *(cell for pair in values for cell in pair)]
