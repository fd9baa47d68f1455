"""What does each trick of `train cifar10 --recipe fast` bring? The slides' network first, then one trick more a row.

    python benchmarks/tricks.py --data DIR [--seeds 5] [--rows 0 11] [--validation 5000]
    python benchmarks/tricks.py --data DIR --rows 10 --validation 5000 --images 10000 --jpeg 50
    python benchmarks/tricks.py --data DIR --quick

Each row is trained with several seeds. The table has the mean accuracy with its standard deviation over them, the
seconds of an epoch, and the multiplications that an image's forward pass takes. Settings are to be chosen with
`--validation N`: the last N training images are then set aside and measured, and the test images are not looked at.
`--jpeg QUALITY` shows how much of the accuracy lies in what JPEG throws away. `--quick` trains two epochs of 5,000
images with one seed: it shows that everything runs, and says little about a trick.

The table is printed, and stored in `results/tricks.csv`, where the rows measured now replace those measured before.
"""

import argparse
import io
import statistics
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import charts
import numpy as np
from minitorch_cnn.callbacks import EMA
from PIL import Image
from tables import RESULTS, print_table, read_rows, replace_rows

from minitorch_cnn import Sequential, datasets, losses, optimizers, schedules
from minitorch_cnn.cli.arguments import positive_integer, whole
from minitorch_cnn.datasets import Augmentation, Mixup
from minitorch_cnn.engine import layers
from minitorch_cnn.errors import UserError
from minitorch_cnn.models.fast_recipe import BETA_FACTOR, FAST, LONG, net
from minitorch_cnn.models.recipes import RECIPES

QUICK_EPOCHS, QUICK_IMAGES = 2, 5000
SLIDES = RECIPES["cifar10"]
# Of the rows before Muon, as Jordan's airbench94 has them for batches of 512 (2024).
SGD_RATE, SGD_SETTINGS = 0.75, {"momentum": 0.85, "nesterov": True, "weight_decay": 0.009}
RANDOM = {"flip": True, "shift": FAST.augment["shift"], "fill": "reflect"}


@dataclass(frozen=True)
class Row:
    """One row of the table: what is new in it, and what its training is made of."""

    title: str
    network: bool = True  # the fast network instead of the slides'
    gelu: bool = False
    whitening: bool = False
    identity: bool = False
    shifts: bool = False  # batch norms without gain, whose shifts learn fast
    smoothing: float = 0.0
    augment: dict = field(default_factory=dict)
    average_over: tuple = ()
    ema: float = 0.0
    mixup: float = 0.0
    muon: bool = False  # Muon instead of SGD
    recipe: object = None  # a whole recipe instead


def rows():
    """The rows: each has the tricks of the one before it and one more; the last ones try something else."""
    found, now = [Row("the slides' network and recipe", network=False)], {}
    for title, new in (
        ("the fast network, triangular rate, batches of 512", {}),
        ("+ flips and reflected shifts at random", {"augment": RANDOM}),
        ("+ GELU instead of ReLU", {"gelu": True}),
        ("+ first layer whitens", {"whitening": True}),
        ("+ kernels begin as the identity", {"identity": True}),
        ("+ batch norms without gain, fast shifts", {"shifts": True}),
        ("+ label smoothing 0.2", {"smoothing": FAST.label_smoothing}),
        ("+ alternating flips", {"augment": FAST.augment}),
        ("+ Muon instead of SGD", {"muon": True}),
        ("+ mean over six views (--recipe fast)", {"average_over": FAST.average_over}),
    ):
        now |= new
        found.append(Row(title, **now))
    found.append(Row("tried: moving average of the weights", **now | {"ema": 0.99}))
    found.append(Row("tried: cutout of 8 pixels", **now | {"augment": {**FAST.augment, "cutout": 0.25}}))
    found.append(Row("tried: mixup", **now | {"mixup": 0.2}))
    return [*found, Row("--recipe long", recipe=LONG)]


def make_model(row, data, seed, widths):
    """The network of a row, with initial weights."""
    if row.recipe is not None or not row.network:
        return (row.recipe or SLIDES).model(data, seed)
    given = net(widths)(data, seed)
    config = given.config()
    for layer in config["layers"]:
        if not row.gelu and layer.get("activation") == "gelu":
            layer["activation"] = "relu"
        if not row.identity:
            layer.pop("kernel_initializer", None)
        if not row.shifts and layer["class"] == "BatchNorm":
            layer["scale"] = True
        if layer["name"] == "whiten":
            layer["trainable"] = not row.whitening
    model = Sequential.from_config(config)
    if row.whitening:
        model.get_layer("whiten").parameters["kernel"] = given.get_layer("whiten").parameters["kernel"]
    return model


def make_optimizer(row, steps):
    """Muon as in the recipe, or SGD; without fast shifts every parameter of SGD has the same rate and decay."""
    if row.recipe is not None or not row.network or row.muon:
        recipe = row.recipe or (FAST if row.network else SLIDES)
        return recipe.optimizer(recipe.learning_rate, steps)
    fast = {"multipliers": {"beta": BETA_FACTOR}, "exclude_from_weight_decay": ["beta"]} if row.shifts else {}
    return optimizers.SGD(schedules.Triangle(SGD_RATE, steps), **SGD_SETTINGS, **fast)


def make_augmentation(settings, mixup):
    """What transforms the images of a batch; None if there is nothing to do."""
    augment = Augmentation(**settings) if settings else None
    return Mixup(mixup, classes=10, augment=augment) if mixup else augment


def train(row, data, seed, epochs, widths):
    """(accuracy on the test images, median seconds of an epoch, model) for one training."""
    recipe = row.recipe or (FAST if row.network else SLIDES)
    whole = row.recipe is not None or not row.network
    model = make_model(row, data, seed, widths)
    steps = -(-len(data.train_images) // recipe.batch_size) * epochs
    smoothing, augment = (recipe.label_smoothing, recipe.augment) if whole else (row.smoothing, row.augment)
    history = model.fit(
        data.train_images, data.train_labels, optimizer=make_optimizer(row, steps), epochs=epochs,
        loss=losses.CrossEntropy(smoothing), batch_size=recipe.batch_size, seed=seed,
        augment=make_augmentation(augment, row.mixup), callbacks=[EMA(row.ema)] if row.ema else [],
        progress=sys.stderr.isatty(),
    )  # fmt: skip
    views = recipe.average_over if whole else row.average_over
    answers = model.predict(data.test_images, batch_size=500, average_over=views).argmax(axis=1)
    return float(np.mean(answers == data.test_labels)), statistics.median(history["seconds"]), model


def multiplications(model):
    """Millions of multiplications that the convolutions and dense layers do for one image, forward, by definition."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, (layers.Conv2D, layers.Dense)):
            pixels = int(np.prod(layer.output_shape[:-1]))
            total += pixels * int(np.prod(layer.parameter_shapes()["kernel"]))
    return total / 1e6


def load(options):
    """The data set; with --validation the last training images in place of the test images."""
    try:
        data = datasets.cifar10(options.data, progress=False)
    except UserError as error:
        raise SystemExit(str(error)) from None
    x, y, test_x, test_y = data.train_images, data.train_labels, data.test_images, data.test_labels
    if last := options.validation:
        x, y, test_x, test_y = x[:-last], y[:-last], x[-last:], y[-last:]
    if options.images:
        x, y = x[: options.images], y[: options.images]
    if options.jpeg:
        x, test_x = compressed(x, options.jpeg), compressed(test_x, options.jpeg)
    if options.quick:
        x, y, test_x, test_y = x[:QUICK_IMAGES], y[:QUICK_IMAGES], test_x[:QUICK_IMAGES], test_y[:QUICK_IMAGES]
    return replace(data, train_images=x, train_labels=y, test_images=test_x, test_labels=test_y)


def compressed(images, quality):
    """The images (N, H, W, 3) as they come back from JPEG files of this quality."""
    found = np.empty_like(images)
    for number, image in enumerate(images):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        found[number] = np.asarray(Image.open(file))
    return found


def measured_on(options):
    """What a row was measured on, in words; rows of the same words are comparable."""
    return ", ".join(filter(None, (
        "validation" if options.validation else "test", f"{options.images} training images" if options.images else "",
        f"JPEG of quality {options.jpeg}" if options.jpeg else "",
    )))  # fmt: skip


def measure(number, row, data, options):
    """The row's entry in the table."""
    epochs = options.epochs or (row.recipe or FAST).epochs
    trained = [train(row, data, seed, epochs, tuple(options.widths)) for seed in range(options.seeds)]
    accuracies = [accuracy for accuracy, _, _ in trained]
    spread = statistics.stdev(accuracies) if len(accuracies) > 1 else None
    return {
        "row": number, "trick": row.title, "measured_on": measured_on(options),
        "epochs": epochs, "seeds": options.seeds, "accuracy": round(statistics.mean(accuracies), 5),
        "deviation": "" if spread is None else round(spread, 5),
        "seconds_an_epoch": round(statistics.median(seconds for _, seconds, _ in trained), 2),
        "million_multiplications": round(multiplications(trained[0][2]), 1),
    }  # fmt: skip


def show(found):
    """Print the table."""
    table = []
    for row in found:
        spread = f" +- {100 * float(row['deviation']):.2f}" if row["deviation"] != "" else ""
        table.append((
            row["trick"], f"{100 * float(row['accuracy']):.2f} %{spread}", row["epochs"], row["seeds"],
            row["seconds_an_epoch"], row["million_multiplications"],
        ))  # fmt: skip
    print(f"measured on: {found[-1]['measured_on']}")
    print_table(("trick", "accuracy", "epochs", "seeds", "s an epoch", "million mult."), table)


def draw(found):
    """The chart of the CSV file's rows that were measured on the same images, those of which there are most."""
    count = Counter(row["measured_on"] for row in found)
    images = max(count, key=count.get)
    entries = [(row["trick"], [{"accuracy": (100 * float(row["accuracy"]), f"{100 * float(row['accuracy']):.2f}")}])
               for row in sorted(found, key=lambda row: int(row["row"])) if row["measured_on"] == images]  # fmt: skip
    return charts.dots(f"Accuracy in %, one trick more a row ({images})", entries, names=330)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="the folder or archive with CIFAR-10 (default: downloaded once)")
    parser.add_argument(
        "--seeds", type=positive_integer, default=5, help="trainings of each row, with the seeds 0, 1, ..."
    )
    parser.add_argument("--epochs", type=positive_integer, help="passes over the training images (each recipe's own)")
    parser.add_argument("--rows", type=whole, nargs="+", help="the numbers of rows, from 0 (all)")
    parser.add_argument("--validation", type=whole, default=0, metavar="N", help="measure on so many training images")
    parser.add_argument("--images", type=positive_integer, metavar="N", help="train on the first N training images")
    parser.add_argument("--jpeg", type=positive_integer, metavar="QUALITY", help="send all images through JPEG first")
    parser.add_argument(
        "--widths", type=positive_integer, nargs="+", default=[64, 128, 128], help="filters of the network's blocks"
    )
    parser.add_argument("--quick", action="store_true", help="two epochs of a part of the images, one seed")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file and the chart go")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.epochs = 1, options.epochs or QUICK_EPOCHS
    every = rows()
    numbers = range(len(every)) if options.rows is None else options.rows
    if wrong := [number for number in numbers if not 0 <= number < len(every)]:
        parser.error(f"--rows: expected numbers from 0 to {len(every) - 1}, got {wrong[0]}")
    if options.jpeg is not None and not 1 <= options.jpeg <= 95:
        parser.error(f"--jpeg: expected a quality from 1 to 95, got {options.jpeg}")
    data, found, path = load(options), [], options.results / "tricks.csv"
    for number in numbers:
        found.append(measure(number, every[number], data, options))
        show(found[-1:])
        replace_rows(path, found[-1:], ("row", "measured_on"))
    show(found)
    charts.save(draw(read_rows(path)), path.with_suffix(".svg"))


if __name__ == "__main__":
    main()
