"""The command line: `minitorch-cnn train`, `fine-tune`, `predict`, `summary`, `weights`; the others in `cli_*.py`.

Every mistake of a user ends in one line on the error output and exit code 2; Ctrl-C in 130; a check that fails in 1.
"""

import argparse
import os
import sys
import traceback

from minitorch_cnn import cli_exercise, cli_explain, cli_export, cli_gradients, parallel
from minitorch_cnn.backend import BACKENDS
from minitorch_cnn.errors import TooLittleMemory, UserError
from minitorch_cnn.interrupts import deaf
from minitorch_cnn.printable import printable

EXAMPLES = """examples:
  minitorch-cnn train                                   the digits that come with the package; under a minute
  minitorch-cnn train cifar10 --data ~/cifar --epochs 20
  minitorch-cnn train --resume runs/cifar10-20260101-120000
  minitorch-cnn predict runs/digits-20260101-120000 seven.png
  minitorch-cnn summary cifar10 --batch-size 128
  minitorch-cnn weights fetch vgg16 --no-top --out weights
  minitorch-cnn weights inspect weights/vgg16_weights.h5 --model vgg16-no-top
  minitorch-cnn check-gradients --page gradients.html
  minitorch-cnn explain vgg16 photo.jpg --weights weights/vgg16_weights.h5 --page step.html
  minitorch-cnn exercise start
  minitorch-cnn export tiny-vgg --weights tiny.weights.h5 --cnn-explainer data
"""

# What a network is called on the command line: (function of `models`, its arguments).
NETWORKS = {
    "cifar10": ("cifar10", {}),
    "cats-vs-dogs": ("cats_vs_dogs", {}),
    "vgg16": ("vgg16", {}),
    "vgg16-no-top": ("vgg16", {"include_top": False}),
    "transfer-net": ("transfer_net", {}),
    "tiny-vgg": ("tiny_vgg", {}),
}


def main(arguments=None):
    """Run the command line; returns the exit code."""
    options = parallel.parse_once(_parser(), arguments)
    if not getattr(options, "together", False):
        parallel.go_on_alone()
    try:
        return options.run(options) or 0
    except UserError as error:
        return parallel.fail(f"minitorch-cnn: {printable(error)}", 2, together=getattr(error, "together", False))
    except KeyboardInterrupt as error:
        with deaf():
            message = f"minitorch-cnn: {printable(error) or 'interrupted'}"
            return parallel.fail(message, 130, together=getattr(error, "together", False))
    except BrokenPipeError:  # `minitorch-cnn summary cifar10 | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a name that no file can have, a disk that fails where nobody thought of it
        return parallel.fail(f"minitorch-cnn: {printable(error.filename or 'error')}: {error.strerror or error}", 2)
    except MemoryError as error:
        return parallel.fail(f"minitorch-cnn: {printable(TooLittleMemory.words(error))}", 2)
    except Exception as error:
        if parallel.launched() == 1:
            raise
        return parallel.fail(f"{traceback.format_exc()}{getattr(error, 'going_on', '')}", 1)


def _parser():
    parser = argparse.ArgumentParser(
        prog="minitorch-cnn",
        description="Convolutional networks written out by hand on NumPy.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    from minitorch_cnn.recipes import RECIPES

    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    train = commands.add_parser(
        "train",
        help="train a network of the slides; writes a run folder with a report",
        description="Train the slides' network on a data set. Writes a run folder: settings, history, checkpoint, the"
        " trained model, and report.html to open in a browser. Ctrl-C saves; --resume goes on to the same bits.",
    )
    train.add_argument("dataset", nargs="?", choices=list(RECIPES), help="left out: the digits in the package")
    train.add_argument("--data", metavar="DIR", help="the folder or archive with the data; left out: downloaded once")
    train.add_argument("--epochs", type=_positive_integer, metavar="N", help="passes over the training images")
    train.add_argument("--batch-size", type=_positive_integer, metavar="N", help="images in a training step")
    train.add_argument("--learning-rate", type=_positive, metavar="RATE", help="the top of the one-cycle schedule")
    train.add_argument("--seed", type=_seed, metavar="N", help="decides weights, order, augmentation, dropout (0)")
    train.add_argument("--backend", choices=BACKENDS, help="numpy (the processor) or cupy (an NVIDIA GPU)")
    train.add_argument("--out", metavar="RUN", help="the run folder to make (runs/NAME-DATE-TIME)")
    train.add_argument("--resume", metavar="RUN", help="go on with an interrupted run; takes no other settings")
    train.add_argument("--quiet", action="store_true", help="only the result")
    train.set_defaults(run=_train, together=True)

    tune = commands.add_parser(
        "fine-tune",
        help="VGG16's ImageNet weights, a new top, cats and dogs: the transfer-learning recipe in one go",
        description="Cut the top off VGG16, put a new one on, train it with the base frozen (the base's features are"
        " computed once), then unfreeze everything and train it gently. Writes a run folder with a report.",
    )
    tune.add_argument("--weights", metavar="FILE", help="VGG16's weights; `minitorch-cnn weights fetch vgg16 --no-top`")
    tune.add_argument("--data", metavar="DIR", help="the folder with the photos; left out: downloaded once")
    tune.add_argument("--top-epochs", type=_positive_integer, metavar="N", help="epochs with the base frozen (25)")
    tune.add_argument("--all-epochs", type=_positive_integer, metavar="N", help="epochs with everything trained (2)")
    tune.add_argument("--batch-size", type=_positive_integer, metavar="N", help="photos in a training step (32)")
    tune.add_argument("--size", type=_positive_integer, metavar="N", help="photos are scaled to NxN (150)")
    tune.add_argument("--top-rate", type=_positive, metavar="RATE", help="learning rate with the base frozen (1e-4)")
    tune.add_argument("--all-rate", type=_positive, metavar="RATE", help="learning rate of everything (2e-5)")
    tune.add_argument("--seed", type=_seed, metavar="N", help="decides the new weights, order, flips, dropout (0)")
    tune.add_argument("--backend", choices=BACKENDS, help="numpy (the processor) or cupy (an NVIDIA GPU)")
    tune.add_argument("--beside", metavar="RUN", help="a run of `train cats-vs-dogs`, shown in the report to compare")
    tune.add_argument("--out", metavar="RUN", help="the run folder to make (runs/fine-tune-DATE-TIME)")
    tune.add_argument("--resume", metavar="RUN", help="go on with an interrupted run; takes no other settings")
    tune.add_argument("--quiet", action="store_true", help="only the result")
    tune.set_defaults(run=_fine_tune, together=True)

    predict = commands.add_parser("predict", help="name what is in an image", description="Name what is in an image.")
    predict.add_argument("run_folder", metavar="RUN", help="the folder of a finished run")
    predict.add_argument("images", nargs="+", metavar="IMAGE", help="image files; scaled to the network's size")
    predict.set_defaults(run=_predict)

    summary = commands.add_parser(
        "summary", help="shapes, parameters and memory of a network", description="Shapes, parameters and memory."
    )
    summary.add_argument("model", metavar="MODEL", help=f"{', '.join(NETWORKS)}, or a run folder")
    summary.add_argument("--batch-size", type=_positive_integer, default=32, metavar="N", help="memory for N (32)")
    summary.set_defaults(run=_summary)

    weights = commands.add_parser(
        "weights",
        help="fetch published weights, or say what is in a Keras weight file",
        description="Fetch published weights, or say what is in a Keras weight file.",
    )
    actions = weights.add_subparsers(title="actions", required=True, metavar="ACTION")
    fetch = actions.add_parser(
        "fetch",
        help="download published weights once and check them",
        description="Download published weights, unless they are there already; check their MD5; print where they are.",
    )
    fetch.add_argument("model", metavar="MODEL", help="vgg16: trained on ImageNet, 553 MB")
    fetch.add_argument("--no-top", action="store_true", help="without the dense layers: 59 MB, for any image size")
    fetch.add_argument("--out", metavar="DIR", help="where to keep the file; left out: the cache folder")
    fetch.add_argument("--quiet", action="store_true", help="only the path")
    fetch.set_defaults(run=_fetch_weights)
    inspect = actions.add_parser(
        "inspect",
        help="which dialect a weight file is written in, which layers it holds, what fits a network",
        description="Say what a Keras weight file holds. With --model also what goes where; exit code 1 where it does"
        " not fit.",
    )
    inspect.add_argument("file", metavar="FILE", help=".h5, .weights.h5 or .keras")
    inspect.add_argument("--model", metavar="MODEL", help="compare with this network: as for summary")
    inspect.set_defaults(run=_inspect_weights)

    cli_gradients.add_check_gradients(commands, _positive_integer, _named_model)
    cli_exercise.add_exercise(commands, _positive)
    cli_explain.add_explain(commands, _positive)
    cli_export.add_export(commands, _named_model)
    return parser


def _train(options):
    from minitorch_cnn import runs
    from minitorch_cnn.recipes import RECIPES

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
    from minitorch_cnn import fine_tune
    from minitorch_cnn.errors import ArgumentError

    names = ("weights", "data", "size", "top_epochs", "all_epochs", "batch_size", "top_rate", "all_rate", "seed")
    names += ("beside", "backend")
    if options.resume is not None:
        _no_settings_beside_resume(options, (*names, "out"))
        fine_tune.resume(options.resume, progress=not options.quiet)
        return
    if options.weights is None:
        raise ArgumentError("fine-tune: expected --weights FILE; get it: minitorch-cnn weights fetch vgg16 --no-top")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    fine_tune.start(fine_tune.FineTuneSettings(**{"data": None, **given}), options.out, progress=not options.quiet)


def _no_settings_beside_resume(options, names):
    from minitorch_cnn.errors import ArgumentError

    for name in names:
        if getattr(options, name) is not None:
            raise ArgumentError(f"--resume takes its settings from the run folder; got {name.replace('_', '-')} too")


def _predict(options):
    import numpy as np

    from minitorch_cnn.datasets import load_image
    from minitorch_cnn.metrics import class_probabilities
    from minitorch_cnn.runs import RunFolder

    model, names = RunFolder(options.run_folder).load_model()
    height, width = model.input_shape[:2]
    images = np.stack([load_image(path, height, width) for path in options.images])
    for path, probabilities in zip(options.images, class_probabilities(model.predict(images))):
        best = int(probabilities.argmax())
        label = f"{printable(path)}: " if len(options.images) > 1 else ""
        print(f"{label}{printable(names[best])}, {probabilities[best]:.2f}")


def _summary(options):
    _named_model(options.model).summary(options.batch_size)


def _fetch_weights(options):
    from minitorch_cnn import weight_files

    print(weight_files.fetch(options.model, not options.no_top, options.out, progress=not options.quiet))


def _inspect_weights(options):
    from minitorch_cnn import keras_h5

    report = keras_h5.inspect(options.file, None if options.model is None else _named_model(options.model))
    print(report)
    return 1 if report.fits is False else 0


def _named_model(name):
    from pathlib import Path

    from minitorch_cnn import models
    from minitorch_cnn.errors import ArgumentError
    from minitorch_cnn.runs import RunFolder

    if name.replace("_", "-") in NETWORKS:
        function, arguments = NETWORKS[name.replace("_", "-")]
        return getattr(models, function)(**arguments)
    if Path(name).is_dir():
        return RunFolder(name).load_model()[0]
    raise ArgumentError(f"{name}: expected a run folder or one of {', '.join(NETWORKS)}")


def _positive_integer(text):
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return number


def _seed(text):
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


def _positive(text):
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


if __name__ == "__main__":
    sys.exit(main())
