"""The parts of `train cifar10 --recipe fast` on a GPU, on the stand-in: the same training as on the host."""

import numpy as np
import pytest
from minitorch_cnn.callbacks import EMA

from minitorch_cnn import Sequential, datasets, layers, losses
from minitorch_cnn.arrays import on_host
from minitorch_cnn.datasets.preprocessing import Standardize
from minitorch_cnn.models.fast_recipe import FAST

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (12, 8, 9, 3), np.uint8), np.arange(12) % 10
AUGMENT = {**FAST.augment, "cutout": 0.25}


def trained(backend, augment):
    stack = [
        layers.Conv2D(4, 3, padding="same", use_bias=False, kernel_initializer="identity"),
        layers.BatchNorm(scale=False),
        layers.ReLU(),
        layers.MaxPool2D(2),
        layers.Flatten(),
        layers.Rescaling(1 / 9),
        layers.Dense(10, activation="softmax", use_bias=False),
    ]
    model = Sequential(stack, IMAGES.shape[1:], seed=0, preprocessing=Standardize.of(IMAGES)).to(backend)
    history = model.fit(
        IMAGES, LABELS, optimizer=FAST.optimizer(0.02, 4), loss=losses.CrossEntropy(0.2), epochs=2, batch_size=6,
        augment=augment, validation=(IMAGES[:3], LABELS[:3]), callbacks=[EMA(0.5)], progress=False,
    )  # fmt: skip
    return model, history, model.predict(IMAGES, average_over=FAST.average_over)


@pytest.mark.parametrize("mixing", [None, 0.4])
def test_the_training_is_the_host_s(xp, mixing):
    augment = datasets.Augmentation(**AUGMENT)
    augment = datasets.Mixup(mixing, 10, augment) if mixing else augment
    (host, wanted, expected), (there, history, found) = (trained(backend, augment) for backend in ("numpy", "cupy"))
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-4)
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(history[name], wanted[name], rtol=1e-3)
    for key, array in host.state().items():
        np.testing.assert_allclose(on_host(there.state()[key]), array, rtol=2e-2, atol=2e-3, err_msg=str(key))
