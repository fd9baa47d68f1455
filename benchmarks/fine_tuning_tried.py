"""Which settings should fine-tuning VGG16 have? Each is tried by cross-validation on the training photos alone.

    python benchmarks/fine_tuning_tried.py --weights FILE --data DIR --cache FOLDER [--size 224] [--rows 0 3]

The photos are divided into five parts with equally many of each class. A row trains on four of them and answers the
fifth, so after five trainings every photo has been answered once by a network that has not seen it. The table has the
accuracy and the loss of these answers, first with the base frozen, then after block 5 has learned too. The validation
photos are not looked at. `--folds 2` answers two parts only.

The blocks below stay frozen, so what they make of the photos, of their mirror images and of changed copies is computed
once and kept in FOLDER, in half precision: at 224 pixels 0.4 gigabytes for each copy, and 0.8 where block 4 learns too.
Where every block learns, the pixels are kept.
The changed copies are those of `minitorch-cnn fine-tune`. The table is printed and stored in
`results/fine_tuning_tried.csv`.
"""

import argparse
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from minitorch_cnn.callbacks import EMA
from tables import RESULTS, print_table, replace_rows

from minitorch_cnn import Sequential, datasets, layers, models, optimizers, schedules
from minitorch_cnn.cli.arguments import positive_integer, whole
from minitorch_cnn.datasets import Augmentation, Copies, Mixup
from minitorch_cnn.datasets.preprocessing import Caffe
from minitorch_cnn.errors import UserError
from minitorch_cnn.models.vgg16 import BLOCKS
from minitorch_cnn.runs.phases import CHANGES
from minitorch_cnn.training.callback import Callback

PARTS, BATCH = 5, 32
TWELVE = tuple(f"copy{number}" for number in range(12))


@dataclass(frozen=True)
class Top:
    """The new top and how it learns while the base is frozen; `copies` are names of features."""

    scale: float = 0.02
    pool: bool = False  # the mean of each channel instead of all places
    units: int = 256
    dropout: float = 0.5
    copies: tuple = ("photo", "mirror")
    epochs: int = 6
    rate: float = 1e-4
    cosine: bool = False
    smoothing: float = 0.0  # the share of each label that is spread over both classes


@dataclass(frozen=True)
class Second:
    """How block 5 and the top learn; an epoch is one pass over as many images as there are photos."""

    epochs: int = 8
    rate: float = 1e-5
    cosine: bool = False
    copies: tuple = ("copy0", "copy1", "copy2", "copy3")
    lower: float = 1.0  # the factor of the rate of the blocks
    lowest: int = 5  # the lowest block that learns
    mixup: float = 0.0  # the alpha with which features and labels are mixed
    decay: float = 0.99  # of the moving average of the weights
    mixed: bool = True  # whether an epoch shows different copies of different photos, or the same copy of all
    alone: int = 0  # epochs on all copies in which only the top learns, before the blocks do, at the top's rate


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    title: str
    top: Top = field(default_factory=Top)
    second: Second | None = None
    photos: int = 0  # that are learned from, equally many of each class; 0: all of the other parts


def rows():
    """All rows, in the order in which they were tried."""
    usual, chosen, second = Top(), Top(epochs=3), Second()
    in_turn = replace(second, mixed=False)
    changed = ("photo", "mirror", "copy0", "copy1", "copy2", "copy3")
    return [
        Row("features as they are", replace(usual, scale=1.0)),
        Row("features x 0.02, no mirror images", replace(usual, copies=("photo",), epochs=8)),
        Row("features x 0.02", usual),
        Row("features x 0.02, rate falls as a cosine", replace(usual, cosine=True)),
        Row("features x 0.005", replace(usual, scale=0.005)),
        Row("features x 0.1", replace(usual, scale=0.1)),
        Row("rate 2e-5", replace(usual, rate=2e-5, epochs=8)),
        Row("four changed copies as well", replace(usual, copies=changed, epochs=3)),
        Row(
            "mean of each channel, x 0.1, rate 1e-3, no hidden units",
            replace(usual, pool=True, scale=0.1, units=0, rate=1e-3, epochs=12),
        ),
        Row("mean of each channel, x 0.1, rate 5e-4", replace(usual, pool=True, scale=0.1, rate=5e-4, epochs=12)),
        Row("block 5 and top 1e-5", chosen, in_turn),
        Row("block 5 and top 2e-5, cosine", chosen, replace(in_turn, rate=2e-5, cosine=True, epochs=6)),
        Row("block 5 and top 1e-5, on one copy", chosen, replace(in_turn, copies=("copy0",))),
        Row(
            "block 5 and top 1e-5, after 1 epoch of the top on the copies too",
            replace(usual, copies=changed, epochs=1),
            replace(in_turn, epochs=4),
        ),
        Row(
            "block 5 1e-5, top 1e-4, on the photos and mirror images too",
            chosen,
            replace(second, rate=1e-4, lower=0.1, epochs=6, copies=changed),
        ),
        Row(
            "block 5 1e-5, top 1e-4, after 2 epochs of the top",
            replace(usual, epochs=2),
            replace(in_turn, rate=1e-4, lower=0.1, epochs=4),
        ),
        Row(
            "block 5 1e-5, top 1e-4, after 1 epoch of the top",
            replace(usual, epochs=1),
            replace(second, rate=1e-4, lower=0.1, epochs=4),
        ),
        Row("the top alone on the copies, then block 5 and top 1e-5", chosen, replace(second, epochs=4, alone=1)),
        Row(
            "block 5 1e-5, top 1e-4, cosine, after 1 epoch of the top",
            replace(usual, epochs=1),
            replace(second, rate=1e-4, lower=0.1, epochs=4, cosine=True),
        ),
        Row(
            "block 5 1e-5, top 1e-4, cosine, after 4 epochs of the top",
            replace(usual, epochs=4),
            replace(second, rate=1e-4, lower=0.1, epochs=4, cosine=True),
        ),
        *(  # the same with fewer photos, seen more often, as a learning curve
            Row(
                f"the same, {photos} photos",
                replace(usual, epochs=4 * times),
                replace(second, rate=1e-4, lower=0.1, epochs=4 * min(times, 2), cosine=True),
                photos,
            )
            for photos, times in ((250, 6), (500, 3), (1000, 2))
        ),
        Row(
            "block 5 2e-5, top 1e-4, cosine, on twelve copies, each seen once, after 4 epochs of the top",
            replace(usual, epochs=4),
            replace(second, rate=1e-4, lower=0.2, epochs=12, cosine=True, copies=TWELVE),
        ),
        *(
            Row(
                f"block 5 {block5}, top 1e-4, cosine, after 4 epochs of the top",
                replace(usual, epochs=4),
                replace(second, rate=1e-4, lower=lower, epochs=4, cosine=True),
            )
            for block5, lower in (("3e-6", 0.03), ("not at all", 0.0))
        ),
        *(
            Row(f"features x 0.02, labels smoothed by {share}", replace(usual, smoothing=share))
            for share in (0.01, 0.03)
        ),
        *(
            Row(
                f"{how}, top 1e-4, cosine, after 4 epochs of the top",
                replace(usual, epochs=4),
                replace(second, rate=1e-4, lower=0.1, epochs=4, cosine=True, **settings),
            )
            for how, settings in (
                ("block 5 1e-5, mixup 0.2", {"mixup": 0.2}),
                ("blocks 4 and 5 1e-5", {"lowest": 4}),
                ("all blocks 1e-5", {"lowest": 1}),
            )
        ),
    ]


class Passes(Callback):
    """The features of the chosen photos, of another copy of each photo in every epoch, in an order of its own."""

    dtype = np.dtype(np.float32)

    def __init__(self, copies, chosen, mixed):
        self.copies, self.chosen, self.now = copies, chosen, 0
        self.order = np.tile(np.arange(len(copies)), (len(chosen), 1))
        if mixed:
            self.order = np.random.default_rng(0).permuted(self.order, axis=1)

    def __len__(self):
        return len(self.chosen)

    def __getitem__(self, rows):
        numbers = self.order[rows, self.now % len(self.copies)]
        found = [self.copies[number][row] for number, row in zip(numbers, self.chosen[rows])]
        return np.stack(found).astype(np.float32)

    def reset(self):
        self.now = 0

    def on_epoch_end(self, trainer, results):
        self.now += 1


class Features:
    """What the frozen blocks make of the photos, computed once and kept in a folder."""

    def __init__(self, options):
        self.folder = options.cache / f"{options.size}"
        self.folder.mkdir(parents=True, exist_ok=True)
        shape = (options.size, options.size, 3)
        self.data = datasets.cats_vs_dogs(options.data, *shape[:2])
        self.labels = np.asarray(self.data.train_labels)
        self.vgg16 = models.vgg16(include_top=False, input_shape=shape, seed=0, weights=options.weights)
        self.frozen = {1: _Pixels(shape)}
        for block in (4, 5):
            self.frozen[block] = self.vgg16.copy().cut(after=f"block{block - 1}_pool")
        self.block5 = self.model([])

    def model(self, top, seed=0, lowest=5):
        """The blocks from the lowest one that learns on, with VGG16's weights, and a top."""
        stack = []
        for block, (convolutions, filters) in enumerate(BLOCKS[lowest - 1 :], lowest):
            names = [f"block{block}_conv{number}" for number in range(1, convolutions + 1)]
            stack += [layers.Conv2D(filters, 3, padding="same", activation="relu", name=name) for name in names]
            stack.append(layers.MaxPool2D(2, name=f"block{block}_pool"))
        model = Sequential([*stack, *top], self.frozen[lowest].output_shape, seed=seed)
        for layer in stack:
            if layer.parameters:
                layer.load(dict(self.vgg16.get_layer(layer.name).parameters))
        return model

    def below(self, block, name):
        """(N, h, w, C) in half precision, on disk, the features that the block is given: of the "photo", its "mirror"
        image, or "copy" number n."""
        return self._kept(f"block{block - 1}-{name}", self._copies(name), self.frozen[block])

    def at_block5(self, name):
        """(N, h/2, w/2, 512) in half precision, above block 5 with VGG16's weights."""
        return self._kept(f"block5-{name}", self.below(5, name), self.block5)

    def _copies(self, name):
        photos = self.data.train_images
        if name == "photo":
            return photos
        if name == "mirror":
            return Copies(photos, ["mirror"])
        number = int(name.removeprefix("copy"))
        every = Copies(photos, [Augmentation(flip=True, **CHANGES)] * (number + 1))
        return _From(every, number * len(photos))

    def _kept(self, name, images, model):
        path = self.folder / f"{name}.npy"
        if not path.exists():
            began, unfinished = time.perf_counter(), path.with_suffix(".part")
            shape = (len(self.labels), *model.output_shape)
            found = np.lib.format.open_memmap(unfinished, "w+", np.float16, shape)
            for first in range(0, len(found), 100):
                some = np.arange(first, min(first + 100, len(found)))
                pixels = images[some]
                found[some] = model.predict(pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32))
            found.flush()
            unfinished.rename(path)
            print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
        return np.load(path, mmap_mode="r")


class _Pixels:
    """What is below block 1."""

    def __init__(self, shape):
        self.output_shape, self.predict = shape, Caffe()


class _From:
    def __init__(self, items, first):
        self.items, self.first = items, first

    def __getitem__(self, rows):
        return self.items[self.first + rows]


def parts(labels):
    """The number of the part that each photo belongs to."""
    found, rng = np.empty(len(labels), int), np.random.default_rng(0)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        found[members] = np.arange(len(members)) % PARTS
    return found


def learners(labels, fold, photos):
    """The numbers of the photos that are learned from while part `fold` is to be answered, sorted."""
    part = parts(labels)
    chosen = [np.flatnonzero((part != fold) & (labels == label)) for label in np.unique(labels)]
    rng = np.random.default_rng(fold)
    return np.sort(np.concatenate([rng.permutation(some)[: photos // len(chosen) or None] for some in chosen]))


def top_layers(top):
    """The layers of a new top."""
    return [
        *([layers.GlobalAveragePool2D()] if top.pool else []),
        layers.Rescaling(top.scale),
        layers.Flatten(),
        *([layers.Dense(top.units, activation="relu")] if top.units else []),
        layers.Dropout(top.dropout),
        layers.Dense(1, activation="sigmoid"),
    ]


def adam(rate, cosine, steps, **more):
    """Adam, at a constant rate or one that falls to zero as a cosine."""
    return optimizers.Adam(schedules.Cosine(rate, steps) if cosine else rate, **more)


class Answers(Callback):
    """What the network answers for photos that it does not train on, after each epoch, in three variants.

    `found` has for each name a list of probabilities (n,): "" with the weights of the last step, "averaged" with their
    moving average, if an EMA callback comes after this one, and "half" with weights half-way between the average and
    those that training began with.
    """

    def __init__(self, features, which):
        self.x = np.asarray(features[which], np.float32)
        self.start, self.found = {}, {}

    def on_train_begin(self, trainer):
        self.start = {layer.name: {name: array.copy() for name, array in layer.parameters.items()}
                      for layer in trainer.model.layers}  # fmt: skip

    def on_evaluation_begin(self, trainer):
        self._ask(trainer.model, "")

    def on_epoch_end(self, trainer, results):
        if len(trainer.callbacks) == 1:
            return
        self._ask(trainer.model, "averaged")
        ends = {layer.name: dict(layer.parameters) for layer in trainer.model.layers}
        for layer in trainer.model.layers:
            old = self.start[layer.name]
            layer.parameters.update({name: (array + old[name]) / 2 for name, array in ends[layer.name].items()})
        self._ask(trainer.model, "half")
        for layer in trainer.model.layers:
            layer.parameters.update(ends[layer.name])

    def _ask(self, model, name):
        self.found.setdefault(name, []).append(model.predict(self.x).ravel().astype(float))


def train_top(features, top, fold, photos=0, trained=None):
    """A top trained on photos of the other parts; returns it and its answers for this part after each epoch.

    It begins with the weights of `trained`, if that is given.
    """
    chosen, own = learners(features.labels, fold, photos), np.flatnonzero(parts(features.labels) == fold)
    answers = Answers(features.at_block5("photo"), own)
    x = np.concatenate([features.at_block5(name)[chosen] for name in top.copies]).astype(np.float32)
    y = np.concatenate([features.labels[chosen]] * len(top.copies))
    model = Sequential(top_layers(top), x.shape[1:], seed=fold)
    if trained:
        load(model.layers, trained)
    optimizer = adam(top.rate, top.cosine, top.epochs * -(-len(x) // BATCH))
    if top.smoothing:
        y = y * (1 - top.smoothing) + top.smoothing / 2
    model.fit(x, y, optimizer=optimizer, epochs=top.epochs, batch_size=BATCH, callbacks=[answers], progress=False)
    return model, answers.found


def load(above, trained):
    """Give the layers `above` the weights of those of a trained top."""
    for layer, old in zip(above, trained.layers):
        if old.parameters:
            layer.load(dict(old.parameters))


def train_second(features, row, trained, fold):
    """Train blocks and a trained top on the changed copies of the other parts; returns the answers for this part."""
    second = row.second
    model = features.model(top_layers(row.top), fold, second.lowest)
    before = {}
    if second.alone:
        alone = replace(row.top, copies=second.copies, epochs=second.alone)
        trained, found = train_top(features, alone, fold, row.photos, trained)
        before["top alone"] = found[""]
    load(model.layers[-len(trained.layers) :], trained)
    chosen, own = learners(features.labels, fold, row.photos), np.flatnonzero(parts(features.labels) == fold)
    answers = Answers(features.below(second.lowest, "photo"), own)
    passes = Passes([features.below(second.lowest, name) for name in second.copies], chosen, second.mixed)
    steps = second.epochs * -(-len(chosen) // BATCH)
    multipliers = {f"block{block}": second.lower for block in range(second.lowest, 6)} if second.lower != 1 else None
    optimizer = adam(second.rate, second.cosine, steps, multipliers=multipliers)
    model.fit(
        passes, features.labels[chosen], optimizer=optimizer, epochs=second.epochs, batch_size=BATCH,
        callbacks=[answers, passes, EMA(second.decay)], augment=Mixup(second.mixup) if second.mixup else None,
        progress=False,
    )  # fmt: skip
    return before | answers.found


def score(probabilities, labels):
    """(accuracy, cross-entropy)."""
    p = np.clip(probabilities, 1e-7, 1 - 1e-7)
    return float(np.mean((p > 0.5) == labels)), float(-np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p)))


def measure(number, row, features, options, tops):
    """The row's entries in the table, one for each variant; `tops` keeps the trained tops for other rows."""
    part, began = parts(features.labels), time.perf_counter()
    labels = np.concatenate([features.labels[part == fold] for fold in range(options.folds)])
    folds = range(options.folds)
    for fold in folds:
        if (row.top, row.photos, fold) not in tops:
            tops[row.top, row.photos, fold] = train_top(features, row.top, fold, row.photos)
    trained, answers = zip(*(tops[row.top, row.photos, fold] for fold in folds))
    frozen = joined(answers)[""]
    found = joined([train_second(features, row, trained[fold], fold) for fold in folds]) if row.second else {
        "": frozen}  # fmt: skip
    seconds = round(time.perf_counter() - began)
    for variant, epochs in found.items():
        scores = [score(answers, labels) for answers in epochs]
        best = min(range(len(scores)), key=lambda epoch: scores[epoch][1])
        entry = {"row": number, "size": options.size, "tried": row.title, "weights": variant or "last step"}
        entry |= {"photos": len(labels), "frozen_accuracy": "", "frozen_loss": ""}
        entry |= {"best_epoch": best + 1, "accuracy": scores[best][0], "loss": scores[best][1]}
        entry |= {"last_epoch": len(scores), "last_accuracy": scores[-1][0], "last_loss": scores[-1][1]}
        entry |= {"put_right": "", "made_wrong": "", "seconds": seconds}
        if row.second:
            was, now = ((answers > 0.5) == labels for answers in (frozen[-1], epochs[best]))
            entry["frozen_accuracy"], entry["frozen_loss"] = score(frozen[-1], labels)
            entry["put_right"], entry["made_wrong"] = int((~was & now).sum()), int((was & ~now).sum())
        yield {name: round(value, 4) if isinstance(value, float) else value for name, value in entry.items()}
        print(*(f"{accuracy:.4f}/{loss:.4f}" for accuracy, loss in scores), flush=True)


def joined(found):
    """For each variant, the answers after each epoch for the photos of all folds, from those of each fold."""
    return {name: [np.concatenate(each) for each in zip(*(fold[name] for fold in found))] for name in found[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, help="VGG16's weights without the top")
    parser.add_argument("--data", required=True, help="the folder with the photos")
    parser.add_argument("--cache", type=Path, required=True, help="where the features are kept")
    parser.add_argument("--size", type=positive_integer, default=224, help="photos are scaled to so many pixels")
    parser.add_argument("--folds", type=positive_integer, default=PARTS, help="how many of the five parts are answered")
    parser.add_argument("--rows", type=whole, nargs="+", help="the numbers of rows, from 0 (all)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file goes")
    options = parser.parse_args()
    every, tops = rows(), {}
    numbers = range(len(every)) if options.rows is None else options.rows
    if wrong := [number for number in numbers if not 0 <= number < len(every)]:
        parser.error(f"--rows: expected numbers from 0 to {len(every) - 1}, got {wrong[0]}")
    if not 1 <= options.folds <= PARTS:
        parser.error(f"--folds: expected 1 to {PARTS}, got {options.folds}")
    try:
        features = Features(options)
    except UserError as error:
        raise SystemExit(str(error)) from None
    for number in numbers:
        entries = list(measure(number, every[number], features, options, tops))
        replace_rows(options.results / "fine_tuning_tried.csv", entries, ("row", "size", "weights"))
        print_table(tuple(entries[0]), [tuple(entry.values()) for entry in entries])


if __name__ == "__main__":
    main()
