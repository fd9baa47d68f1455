"""Does the network wait for its images? Training steps with a batch at hand, and with the preparation of batches.

    python benchmarks/input_pipeline.py [--images 256] [--rounds 5] [--workers 2]

Two recipes are measured: that of CIFAR-10 (an array of images, mirrored and moved) and that of Cats vs Dogs (JPEG files
of 500x375 pixels, decoded, mirrored, moved and enlarged). The columns are milliseconds per step:

    at hand         the step alone: the same prepared batch again and again
    first epoch     `Batches` decodes, augments and converts in the background while the network trains
    later epochs    the same, but the decoded images are in memory already
    preparing       preparing the batches of a later epoch alone, without a network

If the network does not wait, later epochs take little more than the step alone. They take a little more because the
threads that prepare the next batches share the cores with the network.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import charts
import numpy as np
from PIL import Image
from tables import RESULTS, figures, print_table, write_rows
from works import WORKS

from minitorch_cnn.cli.arguments import positive_integer
from minitorch_cnn.datasets import Augmentation, Batches, ImageFolder
from minitorch_cnn.models.recipes import RECIPES

PHOTO = 500, 375  # pixels
WARM_UP = 3  # steps


def array_of_images(count, folder):
    """All images in one array, like those of CIFAR-10."""
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def photos(count, folder):
    """JPEG files of smooth noise, about as hard to decode as photographs."""
    rng, paths = np.random.default_rng(0), []
    for number in range(count):
        small = rng.integers(0, 256, (PHOTO[1] // 6, PHOTO[0] // 6, 3), dtype=np.uint8)
        paths.append(folder / f"{number}.jpg")
        Image.fromarray(small).resize(PHOTO, Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return ImageFolder(paths, None, 150, 150)


COLUMNS = {
    "at hand": "at_hand_ms",
    "first epoch": "first_epoch_ms",
    "later epochs": "later_epochs_ms",
    "preparing": "preparing_ms",
}
IMAGES = {"cifar10": (array_of_images, 8), "cats-vs-dogs": (photos, 1)}  # (what makes them, factor for --images)


def seconds_a_step(model, batches, epoch, train):
    """The mean over an epoch of seconds per step; without `train` the batches are only prepared."""
    loss, optimizer = model.default_loss(), RECIPES["digits"].optimizer(1e-3, 10**6)
    start = time.perf_counter()
    for x, labels in batches.epoch(epoch):
        if train:
            model.train_step(x, labels, loss, optimizer)
    return (time.perf_counter() - start) / len(batches)


def measure(name, options, folder):
    """The table's row for a network."""
    make, times = IMAGES[name]
    model, recipe = WORKS[name].network(), RECIPES[name]
    count = max(options.images * times // recipe.batch_size, 2) * recipe.batch_size
    images, labels = make(count, folder), np.arange(count) % 2
    settings = {"seed": 0, "transform": lambda x: model.receive(x.astype(np.float32) / 255), "workers": options.workers}
    batches = Batches(images, labels, recipe.batch_size, augment=Augmentation(**recipe.augment), **settings)
    one = [next(batches.epoch(0))]
    for _ in range(WARM_UP):
        model.train_step(*one[0], model.default_loss(), recipe.optimizer(1e-3, 10**6))

    class AtHand:
        def __len__(self):
            return len(batches)

        def epoch(self, epoch):
            return iter(one * len(batches))

    if isinstance(images, ImageFolder):
        images = batches.images = ImageFolder(images.paths, None, images.height, images.width)  # nothing decoded yet
    first = seconds_a_step(model, batches, 0, True)
    found = {"at hand": [], "later epochs": [], "preparing": []}
    for number in range(options.rounds):
        found["at hand"].append(seconds_a_step(model, AtHand(), 0, True))
        found["later epochs"].append(seconds_a_step(model, batches, 1 + number, True))
        found["preparing"].append(seconds_a_step(model, batches, 1 + number, False))
    ratios = [later / alone for later, alone in zip(found["later epochs"], found["at hand"])]
    row = {"network": name, "batch_size": recipe.batch_size, "images": count, "first_epoch_ms": first * 1e3}
    row |= {f"{kind.replace(' ', '_')}_ms": statistics.median(times) * 1e3 for kind, times in found.items()}
    return row | {"later_over_at_hand": statistics.median(ratios)}


def draw(rows):
    """The chart: a row for each kind of step, with a dot at its time."""
    entries = []
    for row in rows:
        entries.append((WORKS[row["network"]].title, []))
        for name, column in COLUMNS.items():
            entries.append((name, [{"ms": (row[column], f"{figures(row[column])} ms")}]))
    return charts.dots("Does the network wait for its images? Milliseconds per step", entries)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=list(IMAGES), default=list(IMAGES))
    parser.add_argument("--images", type=positive_integer, default=256, help="photos; eight times as many small images")
    parser.add_argument("--rounds", type=positive_integer, default=5)
    parser.add_argument("--workers", type=positive_integer, default=2, help="threads that prepare batches")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file and the chart go")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(name, options, Path(folder)) for name in options.networks]
    table = []
    for row in rows:
        times = (figures(row[column]) for column in COLUMNS.values())
        table.append((row["network"], row["batch_size"], *times, f"{row['later_over_at_hand']:.2f}"))
    print_table(("network", "batch", *(f"{name}, ms" for name in COLUMNS), "later / at hand"), table)
    write_rows(options.results / "input_pipeline.csv", rows)
    charts.save(draw(rows), options.results / "input_pipeline.svg")


if __name__ == "__main__":
    main()
