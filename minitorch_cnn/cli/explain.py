"""`minitorch-cnn explain`: follow one training step, on the terminal and as a page."""

from __future__ import annotations

import argparse
import shlex

from minitorch_cnn.cli.arguments import add_definitions, add_preprocessing, positive, without_image_warnings
from minitorch_cnn.files.outputs import file_to_write
from minitorch_cnn.files.printable import printable, word


def add_explain(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    explain = commands.add_parser(
        "explain",
        help="follow one training step, layer by layer",
        description="Trace one forward and backward pass and one update: shapes, multiplications, bytes, time, the"
        " distributions of activations and gradients, the share of inactive ReLUs, and the size of each update.",
    )
    explain.add_argument("model", nargs="?", default="digits", metavar="MODEL",
                         help="digits (the default), or a network, a run folder or a file as for summary")  # fmt: skip
    explain.add_argument("images", nargs="*", metavar="IMAGE", help="image files (default: digits of the package)")
    explain.add_argument("--weights", metavar="FILE", help="a Keras weight file for the network")
    add_preprocessing(explain, "a network")
    explain.add_argument("--label", metavar="CLASS", help="the class of the images (default: the network's prediction)")
    explain.add_argument("--rate", type=positive, metavar="RATE", help="the learning rate of the step")
    explain.add_argument(
        "--page", metavar="FILE", help="also write it as a page, with feature maps and their gradients"
    )
    add_definitions(explain)
    explain.set_defaults(run=_explain)


def _explain(options):
    from minitorch_cnn.lessons.trace_text import trace_text
    from minitorch_cnn.runs.explain import explain, label_words

    without_image_warnings()
    read = [options.model, *options.images, *filter(None, [options.weights])]
    page_file = file_to_write("--page", options.page, read) if options.page else None
    subject, step = explain(
        options.model, options.images, options.weights, options.label, options.rate, options.preprocessing,
        gradients=page_file is not None,
    )  # fmt: skip
    print(trace_text(step))
    for words in subject.notes:
        print(f"* {printable(words)}")
    if page_file:
        from minitorch_cnn.datasets.preprocessing import Caffe
        from minitorch_cnn.report import StepPage, write_step_page

        network = f"the {subject.title.removeprefix('The ')}" if subject.title.startswith("The ") else subject.title
        page = StepPage(
            f"One step of {network}", step, _in_words(step), subject.images, label_words(subject),
            subject.class_names, [("Run it again", _explained_by(options))], subject.notes,
            bgr=isinstance(subject.model.preprocessing, Caffe),
        )  # fmt: skip
        print(f"page: {printable(write_step_page(page, page_file))}")
    return 0


def _in_words(step):
    images = f"{step.images} images" if step.images > 1 else "One image"
    kind = step.optimizer.partition("(")[0] + (" with Nesterov momentum" if "nesterov=True" in step.optimizer else "")
    return f"{images}, one forward and backward pass, and one update by {kind} at a learning rate of {step.rate:g}"


def _explained_by(options):
    words = ["minitorch-cnn explain", *map(word, [options.model, *options.images])]
    for name in ("weights", "preprocessing", "label", "rate", "page"):
        if (value := getattr(options, name)) is not None:
            words.append(f"--{name}={shlex.quote(value)}" if name == "label" else f"--{name} {word(value)}")
    return printable(" ".join(words))
