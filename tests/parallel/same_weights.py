"""Training with everything that is random or depends on the whole batch: python same_weights.py FOLDER.

Every case one after the other, each with a file of its weights in the folder.
"""

import sys
from pathlib import Path

import numpy as np

from minitorch_cnn import Input, Model, Sequential, datasets, layers, losses, optimizers, parallel
from minitorch_cnn.arrays.dispatch import definitions_everywhere
from minitorch_cnn.models import recipes


def small(ranks, images, batch_size, epochs):
    rng = np.random.default_rng(1)
    x, labels = rng.random((images, 9, 7, 2), dtype=np.float32), rng.integers(0, 3, images)
    model = Sequential(
        [
            layers.Conv2D(4, (3, 2), activation="relu"),
            layers.BatchNorm(),
            layers.MaxPool2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(5, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ],
        input_shape=(9, 7, 2),
        seed=5 + ranks.rank,  # differs on every rank, so the first rank must send its weights and random numbers
    )
    history = model.fit(
        x, labels, optimizer=optimizers.SGD(0.02, momentum=0.9, weight_decay=1e-3), epochs=epochs,
        batch_size=batch_size, validation=(x[:11], labels[:11]), progress=False, ranks=ranks,
        augment=datasets.Augmentation(flip=True, shift=0.2, rotate=10), class_weight={0: 3, 2: 0.5},
    )  # fmt: skip
    return model, history


def digits(ranks):
    """The recipe of `minitorch-cnn train` in float64, in which rounding of sums does not decide the sign of a ReLU."""
    recipe = recipes.RECIPES["digits"]
    dataset = recipe.load(None, False)
    images, labels = dataset.train_images[:45], dataset.train_labels[:45]
    model = recipe.model(dataset, 0).copy(dtype="float64")
    history = model.fit(
        images, labels, optimizer=recipe.optimizer(0.02, 3), epochs=1, batch_size=17, progress=False, ranks=ranks,
        validation=(dataset.test_images[:9], dataset.test_labels[:9]),
        augment=datasets.Augmentation(**recipe.augment),
    )  # fmt: skip
    return model, history


def exact(ranks, optimizer, loss, outputs, activation, freeze):
    """In float64, in which an optimizer that divides by the gradient's size does not amplify rounding errors much."""
    rng = np.random.default_rng(3)
    x, labels = rng.random((38, 9, 7, 2), dtype=np.float32), rng.integers(0, 2, (38, outputs)).astype(float)
    model = Sequential(
        [
            layers.Conv2D(4, (3, 2), activation="relu"),
            layers.BatchNorm(),
            layers.Conv2D(5, 2, activation="relu"),
            layers.AveragePool2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(6, activation="tanh"),
            layers.Dense(outputs, activation=activation),
        ],
        input_shape=(9, 7, 2),
        seed=5 + ranks.rank,
        dtype="float64",
    )
    for name in freeze:
        model.get_layer(name).trainable = False
    history = model.fit(
        x, labels, loss=loss, optimizer=optimizer, epochs=34, batch_size=13, validation=(x[:2], labels[:2]),
        progress=False, ranks=ranks, augment=None if "batch_norm_1" in freeze else datasets.Augmentation(flip=True),
    )  # fmt: skip
    return model, history


def branches(ranks):
    """A network with two inputs, a residual connection, batch norm, a shared layer and two outputs, in float64."""
    rng = np.random.default_rng(4)
    x = [rng.random((29, 9, 7, 2)), rng.random((29, 9, 7, 2))]
    labels = [rng.integers(0, 3, 29), rng.random((29, 1))]
    first, second = Input((9, 7, 2)), Input((9, 7, 2))
    shared = layers.Conv2D(4, 3, padding="same", activation="relu")
    a, b = shared(first), layers.BatchNorm()(shared(second))
    y = layers.Flatten()(layers.Concatenate()([a, layers.Add()([a, b])]))
    outputs = [layers.Dense(3, activation="softmax")(layers.Dropout(0.3)(y)), layers.Dense(1)(y)]
    model = Model([first, second], outputs, seed=5 + ranks.rank, dtype="float64")
    history = model.fit(
        x, labels, optimizer=optimizers.SGD(0.02, momentum=0.9), epochs=20, batch_size=13, progress=False, ranks=ranks,
        validation=([part[:11] for part in x], [part[:11] for part in labels], np.linspace(0, 2, 11)),
        sample_weight=np.linspace(2, 0, 29),
    )  # fmt: skip
    return model, history


# Every step clips the gradient, so ranks agree only if they use the norm of the whole batch's gradient.
OPTIONS = {"weight_decay": 0.01, "clip_norm": 0.02, "multipliers": {"dense": 3.0}}
EXACT = {
    "SGD, mean squared error": (
        optimizers.SGD(0.1, momentum=0.9, nesterov=True, **OPTIONS), losses.MeanSquaredError(), 3, None, [],
    ),
    "Adam, binary cross-entropy, a frozen layer between": (
        optimizers.Adam(0.003, **OPTIONS), losses.BinaryCrossEntropy(), 1, "sigmoid", ["conv2d_2"],
    ),
    "Muon, mean squared error": (
        optimizers.Muon(0.01, momentum=0.9, **OPTIONS), losses.MeanSquaredError(), 2, None, [],
    ),
    "RMSprop, a frozen base whose features are kept": (
        optimizers.RMSprop(0.003, **OPTIONS), losses.MeanSquaredError(), 2, "sigmoid", ["conv2d_1", "batch_norm_1"],
    ),
}  # fmt: skip

CASES = {
    "uneven": lambda ranks: small(ranks, images=47, batch_size=13, epochs=25),  # batches of 13, 13, 13 and 8
    "fewer images than ranks": lambda ranks: small(ranks, images=27, batch_size=13, epochs=34),  # 13, 13 and 1
    "digits": digits,
    "branches": branches,
    **{name: lambda ranks, case=case: exact(ranks, *case) for name, case in EXACT.items()},
}


def main(folder):
    ranks = parallel.world()
    for case, train in CASES.items():
        if case == "digits" and ranks.size > 2:
            continue  # the largest: two are enough
        with definitions_everywhere():
            model, history = train(ranks)
        assert len(set(ranks.gather(model.vector.values.tobytes()))) == 1, case  # every rank made the same updates
        if ranks.reports:
            weights = {"/".join(key): np.asarray(value) for key, value in model.state().items()}
            measured = {
                name: history[name] for name in ("loss", "accuracy", "val_loss", "val_accuracy") if name in history
            }
            np.savez(Path(folder) / f"{case}.npz", ranks=ranks.size, **weights, **measured)


if __name__ == "__main__":
    main(*sys.argv[1:])
