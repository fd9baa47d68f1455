"""A small training with dropout, batch normalisation and augmentation, checkpointed after every batch.

Run as a program it trains, or goes on from its checkpoint if there is one: `python small_run.py FOLDER`. The test kills
it at random moments.
"""

import sys
from pathlib import Path

import numpy as np
from minitorch_cnn.callbacks import Checkpoint, CSVLog, EarlyStopping

from minitorch_cnn import Sequential, datasets, layers, optimizers, schedules

EPOCHS = 6


def images_and_labels(count=50):
    rng = np.random.default_rng(1)
    return rng.random((count, 9, 7, 2), dtype=np.float32), rng.integers(0, 3, count)


def small_model():
    return Sequential(
        [
            layers.Conv2D(4, (3, 2), activation="relu"),
            layers.BatchNorm(),
            layers.MaxPool2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ],
        input_shape=(9, 7, 2),
        seed=5,
    )


def train(folder, resume=False, epochs=EPOCHS, extra=(), optimizer=None, seconds=0.0):
    """Returns (model, history)."""
    x, labels = images_and_labels()
    model = small_model()
    path = Path(folder) / "checkpoint.npz"
    optimizer = optimizer or optimizers.SGD(
        schedules.Cosine(0.1, EPOCHS * 4), momentum=0.9, nesterov=True, weight_decay=1e-3
    )
    history = model.fit(
        x,
        labels,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=13,  # 50 = 3 * 13 + 11: the last batch is smaller
        validation=images_and_labels(20),
        augment=datasets.Augmentation(flip=True, shift=0.2, rotate=10),
        callbacks=[
            CSVLog(Path(folder) / "history.csv"),
            EarlyStopping(patience=50, restore_best=False),
            Checkpoint(path, seconds),
            *extra,
        ],
        progress=False,
        resume=path if resume and path.exists() else None,
    )
    return model, history


if __name__ == "__main__":
    model, _ = train(sys.argv[1], resume=True)
    np.savez(Path(sys.argv[1]) / "final.npz", **{"/".join(key): np.asarray(v) for key, v in model.state().items()})
    print("finished")
