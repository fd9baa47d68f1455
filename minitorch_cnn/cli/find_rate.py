"""`minitorch-cnn lr-find`: find a learning rate by a short training in which it rises."""

from __future__ import annotations

import argparse

from minitorch_cnn.cli.arguments import (
    add_preprocessing,
    positive,
    positive_integer,
    seed,
    without_image_warnings,
)
from minitorch_cnn.cli.train import DATASET, add_recipe, dataset_or_folder, fine_tune_settings, train_settings
from minitorch_cnn.files.outputs import file_to_write
from minitorch_cnn.files.printable import printable


def add_find_rate(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    find = commands.add_parser(
        "lr-find",
        help="find a learning rate for train, or with --base for fine-tune",
        description="Train for a moment with a learning rate that rises from step to step, and write a page with the"
        " loss over the learning rate and a suggestion. Nothing else is kept.",
    )
    find.add_argument("dataset", nargs="?", type=dataset_or_folder, metavar="NAME|FOLDER", help=DATASET)
    find.add_argument("--data", metavar="DIR", help="the folder or archive with the data, as for train or fine-tune")
    find.add_argument("--base", metavar="BASE", help="find the rate of fine-tune's new top on this network instead")
    find.add_argument("--weights", metavar="FILE", help="the weights of a BASE that is named")
    add_preprocessing(find, "a BASE")
    add_recipe(find)
    find.add_argument("--lowest", type=positive, default=1e-5, metavar="RATE", help="of the first step (1e-5)")
    find.add_argument("--highest", type=positive, default=1.0, metavar="RATE", help="of the last step (1)")
    find.add_argument("--steps", type=positive_integer, default=100, metavar="N", help="at least 10 (100)")
    find.add_argument("--batch-size", type=positive_integer, metavar="N", help="images in a step (as in training)")
    find.add_argument("--size", type=positive_integer, metavar="N", help="images are scaled to NxN (as in training)")
    find.add_argument("--seed", type=seed, metavar="N", help="for initial weights and the order of the images (0)")
    find.add_argument("--page", default="lr-find.html", metavar="FILE", help="the page to write (lr-find.html)")
    find.add_argument("--quiet", action="store_true", help="print only the result")
    find.set_defaults(run=_find_rate)


def _find_rate(options):
    from minitorch_cnn.errors import ArgumentError
    from minitorch_cnn.report.rate_chart import write_rates_page
    from minitorch_cnn.runs import find_rate
    from minitorch_cnn.training.learning_rates import checked_search

    without_image_warnings()
    page_file = file_to_write("--page", options.page, filter(None, [options.base, options.weights]))
    search = {name: getattr(options, name) for name in ("lowest", "highest", "steps")}
    checked_search(*search.values(), owner="--")  # before anything is loaded
    shared = ("data", "size", "batch_size", "seed")
    if options.base is None:
        for name in ("weights", "preprocessing"):
            if getattr(options, name) is not None:
                raise ArgumentError(f"--{name}: expected a --base too, got none")
        settings = train_settings(options, (*shared, "recipe"))
        page = find_rate.for_training(settings, not options.quiet, **search)
    else:
        if options.recipe is not None:
            raise ArgumentError("--recipe: expected it without a --base, got both")
        if options.dataset is not None:
            raise ArgumentError(f"--base: expected the photos with --data, got {options.dataset} too")
        settings = fine_tune_settings(options, (*shared, "weights", "preprocessing", "base"))
        page = find_rate.for_fine_tuning(settings, not options.quiet, **search)
    print(f"page: {printable(write_rates_page(page, page_file))}")
