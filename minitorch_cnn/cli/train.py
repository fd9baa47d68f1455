"""`minitorch-cnn train` and `minitorch-cnn fine-tune`: start a run folder, or resume the training in one."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

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
from minitorch_cnn.datasets.images import is_folder
from minitorch_cnn.models.fast_recipe import VARIANTS
from minitorch_cnn.models.recipes import RECIPES

DATASET = (
    f"{', '.join(RECIPES)}, or a folder with one folder for each class, in train/ and validation/ or directly inside,"
    " where a fifth of each class is then set aside for testing (default: the digits of the package)"
)


def add_train(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    train = commands.add_parser(
        "train",
        help="train a network of the slides, on your own images too; writes a run folder with a report",
        description="Train the slides' network on a data set, or on a folder with a folder of images for each class."
        " Writes a run folder with settings, history, checkpoint, the trained model, and a report.html to open in a"
        " browser. Ctrl-C saves; --resume continues exactly.",
    )
    train.add_argument("dataset", nargs="?", type=dataset_or_folder, metavar="NAME|FOLDER", help=DATASET)
    train.add_argument("--data", metavar="DIR", help="the folder or archive with the data (default: downloaded once)")
    add_recipe(train)
    train.add_argument("--epochs", type=positive_integer, metavar="N", help="passes over the training images")
    train.add_argument("--batch-size", type=positive_integer, metavar="N", help="images in a training step")
    train.add_argument("--learning-rate", type=positive, metavar="RATE", help="highest rate of the one-cycle schedule")
    train.add_argument("--size", type=positive_integer, metavar="N", help="images of a FOLDER are scaled to NxN (32, or"
                       " 150 if most are larger than 64 pixels)")  # fmt: skip
    train.add_argument("--color-mode", choices=("rgb", "grayscale"), help="of a FOLDER's images: three channels, or one"
                       " (which of them its images have)")  # fmt: skip
    _add_choices(train, "best for a FOLDER, last for the others", "a FOLDER's images")
    train.add_argument("--seed", type=seed, metavar="N", help="for the images set aside, initial weights, order,"
                       " augmentation, dropout (0)")  # fmt: skip
    train.add_argument("--backend", choices=BACKENDS, help="numpy (the processor) or cupy (an NVIDIA GPU)")
    train.add_argument("--out", metavar="RUN", help="the run folder to create (runs/NAME-DATE-TIME)")
    train.add_argument("--resume", metavar="RUN", help="continue an interrupted run, or a finished one up to --epochs"
                       " N; no other settings allowed")  # fmt: skip
    train.add_argument("--quiet", action="store_true", help="print only the result")
    add_definitions(train)
    train.set_defaults(run=_train, together=True)


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Add --recipe."""
    parser.add_argument("--recipe", choices=sorted({name for named in VARIANTS.values() for name in named}),
                        help="of cifar10: another network, which learns more in less time")  # fmt: skip


def add_fine_tune(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    tune = commands.add_parser(
        "fine-tune",
        help="the transfer-learning recipe: a pretrained network, a new top, cats and dogs or your own photos",
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
    tune.add_argument("--data", metavar="DIR", help="the folder with the photos: cats and dogs (default: downloaded"
                      " once), or any classes, as for `minitorch-cnn train FOLDER`")  # fmt: skip
    tune.add_argument("--top-epochs", type=positive_integer, metavar="N", help="epochs with the base frozen (4, or"
                      " 12 with a FOLDER of your own; 20)")  # fmt: skip
    tune.add_argument("--all-epochs", "--epochs", dest="all_epochs", type=whole, metavar="N",
                      help="epochs of the second phase (1, or 2 with a FOLDER of your own; 1)")  # fmt: skip
    tune.add_argument("--unfreeze", metavar="LAYER", help="the lowest layer of the base that learns in the second"
                      " phase, or all (block5_conv1; all)")  # fmt: skip
    tune.add_argument("--copies", type=positive_integer, metavar="N", help="unless all layers learn: how many changed"
                      " copies of each photo the second phase learns from (4)")  # fmt: skip
    tune.add_argument("--batch-size", type=positive_integer, metavar="N", help="photos in a training step (32)")
    tune.add_argument("--size", type=positive_integer, metavar="N",
                      help="photos are scaled to NxN (224, or what the file says)")  # fmt: skip
    tune.add_argument("--top-rate", type=positive, metavar="RATE", help="learning rate with frozen base (1e-4; 1e-3)")
    tune.add_argument("--all-rate", type=positive, metavar="RATE", help="learning rate of the second phase (1e-4, and"
                      " a tenth of it for VGG16's own layers; 1e-5)")  # fmt: skip
    _add_choices(tune, "best for a FOLDER of your own, last for cats and dogs", "photos")
    tune.add_argument("--seed", type=seed, metavar="N", help="for new weights, order, flips, dropout (0)")
    tune.add_argument("--backend", choices=BACKENDS, help="numpy (the processor) or cupy (an NVIDIA GPU)")
    tune.add_argument("--beside", metavar="RUN", help="a run of `train cats-vs-dogs` to compare with in the report")
    tune.add_argument("--out", metavar="RUN", help="the run folder to create (runs/fine-tune-DATE-TIME)")
    tune.add_argument("--resume", metavar="RUN", help="continue an interrupted run, or with --epochs N a finished one"
                      " up to N; no other settings allowed")  # fmt: skip
    tune.add_argument("--quiet", action="store_true", help="print only the result")
    tune.set_defaults(run=_fine_tune, together=True)


def dataset_or_folder(text: str) -> str:
    """`text` if it names a data set or is a folder."""
    if text not in RECIPES and not is_folder(Path(os.path.expanduser(text))):
        raise argparse.ArgumentTypeError(f"expected {', '.join(RECIPES)} or a folder, got {text[:300]!r}")
    return text


def _add_choices(parser, keep, images):
    parser.add_argument("--keep", choices=("best", "last"), help="the weights of which epoch to keep: the one with the"
                        f" lowest loss on the images that were set aside, or the last ({keep})")  # fmt: skip
    parser.add_argument("--class-weights", choices=("balanced",), help="let every class count alike in the loss,"
                        " however few images it has")  # fmt: skip
    parser.add_argument("--flip", action=argparse.BooleanOptionalAction, help=f"train on mirror images of {images} too;"
                        " not for letters or signs")  # fmt: skip


def _train(options):
    from minitorch_cnn import runs

    without_image_warnings()
    names = ("data", "size", "batch_size", "learning_rate", "seed", "backend", "keep", "class_weights", "flip")
    names += ("color_mode", "recipe")
    if options.resume is not None:
        _no_settings_beside_resume(options, ("dataset", *names, "out"))
        runs.resume(options.resume, options.epochs, progress=not options.quiet)
        return
    runs.start(train_settings(options, ("epochs", *names)), options.out, progress=not options.quiet)


def train_settings(options: argparse.Namespace, names: tuple[str, ...]) -> Any:
    """The settings of a training on `options.dataset`: the options called `names` that were given, else defaults.

    Raises ArgumentError for options that do not fit together, and DataError for a folder without classes.
    """
    from minitorch_cnn import runs

    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    dataset = options.dataset or "digits"
    if dataset in RECIPES:
        _only_for_a_folder(options, [name for name in ("size", "flip", "color_mode") if name in given])
        return runs.settings_for(dataset, **given)
    _no_data_beside_folder(options)
    return runs.settings_for_folder(dataset, **given)


def _only_for_a_folder(options, names):
    from minitorch_cnn.errors import ArgumentError

    for name in names:
        option, dataset = f"--{name.replace('_', '-')}", options.dataset or "digits"
        raise ArgumentError(f"{option} is for a folder of your own images, got {dataset}")


def _no_data_beside_folder(options):
    from minitorch_cnn.errors import ArgumentError

    if options.data is not None:
        raise ArgumentError(f"--data: the images come from the folder {options.dataset}, got {options.data} too")
    if options.recipe is not None:
        known = ", ".join(VARIANTS)
        raise ArgumentError(f"--recipe: expected a data set with several ({known}), got the folder {options.dataset}")


def _fine_tune(options):
    from minitorch_cnn.runs import fine_tune

    names = ("weights", "data", "size", "top_epochs", "all_epochs", "batch_size", "top_rate", "all_rate", "seed")
    names += ("beside", "backend", "base", "preprocessing", "keep", "class_weights", "flip", "unfreeze", "copies")
    without_image_warnings()
    if options.resume is not None:
        _no_settings_beside_resume(options, (*(name for name in names if name != "all_epochs"), "out"))
        fine_tune.resume(options.resume, options.all_epochs, progress=not options.quiet)
        return
    fine_tune.start(fine_tune_settings(options, names), options.out, progress=not options.quiet)


def fine_tune_settings(options: argparse.Namespace, names: tuple[str, ...]) -> Any:
    """The settings of a fine-tuning run: the options called `names` that were given, and the base's own defaults."""
    from minitorch_cnn.errors import ArgumentError
    from minitorch_cnn.runs import fine_tune
    from minitorch_cnn.runs.base import ALL, NAMED

    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    base = given.pop("base", "vgg16")
    settings = fine_tune.settings_for(base.replace("-", "_") if base.replace("-", "_") in NAMED else base, **given)
    if "copies" in given and settings.unfreeze == ALL:
        raise ArgumentError(f"--copies: expected --unfreeze LAYER, below which the base stays frozen, got {ALL}")
    return settings


def _no_settings_beside_resume(options, names):
    from minitorch_cnn.errors import ArgumentError

    for name in names:
        if getattr(options, name) is not None:
            got = options.dataset if name == "dataset" else f"--{name.replace('_', '-')}"
            raise ArgumentError(f"--resume takes its settings from the run folder; got {got} too")
