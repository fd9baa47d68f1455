"""A small training or fine-tuning through the command line, in which something happens to one of the processes.

    python happening.py WHAT WHERE RANK train --out RUN

WHAT is a function below, or "nothing"; WHERE is a key of `PLACES`; RANK is the number of the process.
"""

import os
import signal
import sys
import time

import numpy as np
from minitorch_cnn.callbacks import Checkpoint
from minitorch_cnn.preprocessing import Standardize

from minitorch_cnn import Sequential, cli, datasets, features, layers, models, parallel, runs
from minitorch_cnn.arrays.dispatch import definitions_everywhere
from minitorch_cnn.errors import DataError
from minitorch_cnn.models import recipes
from minitorch_cnn.parallel import launch
from minitorch_cnn.runs import resuming


def small_data(*_, **options):
    rng = np.random.default_rng(2)
    images, labels = rng.integers(0, 256, (62, 12, 10, 3), dtype=np.uint8), rng.integers(0, 2, 62)
    return datasets.Dataset("small", images[:47], labels[:47], images[47:], labels[47:], ("cat", "dog"))


def small_model(dataset, seed):
    stack = [
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNorm(),
        layers.MaxPool2D(2),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(2, activation="softmax"),
    ]
    return Sequential(stack, (12, 10, 3), seed=seed, preprocessing=Standardize.of(dataset.train_images))


def small_transfer_net(weights, input_shape, seed, classes=2):
    stack = [
        layers.Conv2D(3, 3, activation="relu"),
        layers.MaxPool2D(2, name="block5_pool"),
        layers.Flatten(),
        layers.Dense(5, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(1, activation="sigmoid"),
    ]
    model = Sequential(stack, (12, 10, 3), seed=seed, preprocessing=Standardize.of(small_data().train_images))
    return model.freeze(through="block5_pool")


def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def exception(*_):
    raise ValueError("an unexpected error")


def memory(*_):
    raise MemoryError


def damaged(*_):
    raise DataError("photo.jpg: cannot be read")


def interrupted(*_):
    os.kill(os.getpid(), signal.SIGINT)


def terminated(*_):
    os.kill(os.getpid(), signal.SIGTERM)


def slow(*_):
    time.sleep(600)


def diverges(callback, trainer):
    trainer.model.get_layer("conv2d_1").parameters["kernel"][0, 0, 0, 0] = np.inf


def stops(callback, trainer, results):
    trainer.stop("enough")


# (owner, name of its method, number of the call at which it happens)
PLACES = {
    "loading": (sys.modules[__name__], "small_data", 1),
    "features": (features, "on_host", 1),
    "batch": (Checkpoint, "on_batch_end", 6),
    "validation": (Sequential, "evaluate", 2),
    "epoch end": (Checkpoint, "on_epoch_end", 2),
    "report": (runs.RunFolder, "save_model", 1),
}


def inject(what, where, rank):
    owner, name, number = PLACES[where]
    function, calls = getattr(owner, name), []

    def happening(*arguments, **options):
        calls.append(None)
        if len(calls) == number and parallel.world().rank == rank:
            what(*arguments)
        return function(*arguments, **options)

    setattr(owner, name, happening)


def main():
    what, where, rank, *arguments = sys.argv[1:]
    if what != "nothing":
        inject(globals()[what], where, int(rank))
    recipes.RECIPES["digits"] = recipes.Recipe("Small", small_data, small_model, 3, 13, 0.01, augment={"flip": True})
    datasets.cats_vs_dogs, models.transfer_net = small_data, small_transfer_net
    resuming.CHECKPOINT_SECONDS = 0.0
    launch.PATIENCE = 0.5
    with definitions_everywhere():  # nothing to compile
        return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
