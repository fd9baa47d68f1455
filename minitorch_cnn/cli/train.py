"""`minitorch-cnn train` and `minitorch-cnn fine-tune`: start a run folder, or resume the training in one."""

from __future__ import annotations

import argparse

from minitorch_cnn.arrays import BACKENDS
from minitorch_cnn.cli.arguments import (
    add_definitions,
    add_preprocessing,
    positive,
    positive_integer,
    seed,
    whole,
    without_image_warnings,
)
from minitorch_cnn.models.recipes import RECIPES


def add_train(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    train = commands.add_parser(
        "train",
        help="train a network of the slides; writes a run folder with a report",
        description="Train the slides' network on a data set. Writes a run folder with settings, history, checkpoint,"
        " the trained model, and a report.html to open in a browser. Ctrl-C saves; --resume continues exactly.",
    )
    train.add_argument("dataset", nargs="?", choices=list(RECIPES), help="default: the digits of the package")
    train.add_argument("--data", metavar="DIR", help="the folder or archive with the data (default: downloaded once)")
    train.add_argument("--epochs", type=positive_integer, metavar="N", help="passes over the training images")
    train.add_argument("--batch-size", type=positive_integer, metavar="N", help="images in a training step")
    train.add_argument("--learning-rate", type=positive, metavar="RATE", help="highest rate of the one-cycle schedule")
    train.add_argument("--seed", type=seed, metavar="N", help="for initial weights, order, augmentation, dropout (0)")
    train.add_argument("--backend", choices=BACKENDS, help="numpy (the processor) or cupy (an NVIDIA GPU)")
    train.add_argument("--out", metavar="RUN", help="the run folder to create (runs/NAME-DATE-TIME)")
    train.add_argument("--resume", metavar="RUN", help="continue an interrupted run; no other settings allowed")
    train.add_argument("--quiet", action="store_true", help="print only the result")
    add_definitions(train)
    train.set_defaults(run=_train, together=True)


def add_fine_tune(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    tune = commands.add_parser(
        "fine-tune",
        help="the transfer-learning recipe: a pretrained network, a new top, cats and dogs",
        description="Replace the top of a pretrained network, train the new top with the base frozen (the base's"
        " features are computed once), then unfreeze everything and train it at a low learning rate. Batch norms stay"
        " frozen in both phases, because their statistics are those that the other weights were trained with. Writes a"
        " run folder with a report. The numbers in brackets are for VGG16, and then for other networks.",
    )
    tune.add_argument(
        "--base", metavar="BASE", help="vgg16 (the default), resnet50, mobilenet_v2, efficientnet_b0, or a .keras or"
        " .h5 file",
    )  # fmt: skip
    tune.add_argument(
        "--weights", metavar="FILE", help="the weights of a BASE that is named, see `minitorch-cnn weights fetch`"
    )
    add_preprocessing(tune, "a BASE")
    tune.add_argument("--data", metavar="DIR", help="the folder with the photos (default: downloaded once)")
    tune.add_argument("--top-epochs", type=positive_integer, metavar="N", help="epochs with the base frozen (25; 20)")
    tune.add_argument("--all-epochs", type=whole, metavar="N", help="epochs with all layers trained (2; 1)")
    tune.add_argument("--batch-size", type=positive_integer, metavar="N", help="photos in a training step (32)")
    tune.add_argument("--size", type=positive_integer, metavar="N",
                      help="photos are scaled to NxN (150; 224, or what the file says)")  # fmt: skip
    tune.add_argument("--top-rate", type=positive, metavar="RATE", help="learning rate with frozen base (1e-4; 1e-3)")
    tune.add_argument("--all-rate", type=positive, metavar="RATE", help="learning rate with all trained (2e-5; 1e-5)")
    tune.add_argument("--seed", type=seed, metavar="N", help="for new weights, order, flips, dropout (0)")
    tune.add_argument("--backend", choices=BACKENDS, help="numpy (the processor) or cupy (an NVIDIA GPU)")
    tune.add_argument("--beside", metavar="RUN", help="a run of `train cats-vs-dogs` to compare with in the report")
    tune.add_argument("--out", metavar="RUN", help="the run folder to create (runs/fine-tune-DATE-TIME)")
    tune.add_argument("--resume", metavar="RUN", help="continue an interrupted run; no other settings allowed")
    tune.add_argument("--quiet", action="store_true", help="print only the result")
    tune.set_defaults(run=_fine_tune, together=True)


def _train(options):
    from minitorch_cnn import runs

    without_image_warnings()
    if options.resume is not None:
        _no_settings_beside_resume(
            options, ("dataset", "data", "batch_size", "learning_rate", "seed", "backend", "out")
        )
        runs.resume(options.resume, options.epochs, progress=not options.quiet)
        return
    recipe = RECIPES[options.dataset or "digits"]
    settings = runs.Settings(
        dataset=options.dataset or "digits",
        data=options.data,
        epochs=options.epochs or recipe.epochs,
        batch_size=options.batch_size or recipe.batch_size,
        learning_rate=options.learning_rate or recipe.learning_rate,
        seed=options.seed or 0,
        backend=options.backend or "numpy",
    )
    runs.start(settings, options.out, progress=not options.quiet)


def _fine_tune(options):
    from minitorch_cnn.runs import fine_tune
    from minitorch_cnn.runs.base import NAMED

    names = ("weights", "data", "size", "top_epochs", "all_epochs", "batch_size", "top_rate", "all_rate", "seed")
    names += ("beside", "backend", "base", "preprocessing")
    without_image_warnings()
    if options.resume is not None:
        _no_settings_beside_resume(options, (*names, "out"))
        fine_tune.resume(options.resume, progress=not options.quiet)
        return
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    base = given.pop("base", "vgg16")
    base = base.replace("-", "_") if base.replace("-", "_") in NAMED else base
    fine_tune.start(fine_tune.settings_for(base, **given), options.out, progress=not options.quiet)


def _no_settings_beside_resume(options, names):
    from minitorch_cnn.errors import ArgumentError

    for name in names:
        if getattr(options, name) is not None:
            raise ArgumentError(f"--resume takes its settings from the run folder; got {name.replace('_', '-')} too")
