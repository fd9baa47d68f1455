"""A ConvNet for CIFAR-10 that learns more in fewer epochs than the slides' network; `docs/tricks.md` explains it.

It follows the published speed runs (Page 2019, "How to train your ResNet"; Jordan 2024, arXiv:2404.00498): a first
layer that whitens, batch norms that let the learning rate be high, GELU, and kernels that begin as the identity.
"""

from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine import initializers, layers
from minitorch_cnn.network.sequential import Sequential

WINDOW = 2  # of the whitening convolution
WHITENED = 5000  # images whose patches it is computed from
STATISTICS = 0.8  # momentum of the batch norms: after few epochs the statistics must be those of the last steps
TEMPERATURE = 1 / 9  # what the features, and so the scores, are multiplied by, so that the softmax begins flat


def cifar10_fast(
    widths: tuple[int, ...] = (64, 128, 128), classes: int = 10, seed: int | None = 0, preprocessing: Any = None,
    input_shape: tuple[int, int, int] = (32, 32, 3), images: Array | None = None,
) -> Sequential:  # fmt: skip
    """32x32x3 -> 2x2 whitening, GELU -> three blocks of two convolutions -> max pool 3 -> dense -> softmax.

    A block of `widths` filters is: convolution, max pool, batch norm, GELU, convolution, batch norm, GELU; so 31x31
    become 15x15, 7x7 and 3x3. `images` (N, 32, 32, 3) of the training set give the whitening kernel, which stays
    frozen; without them it is random. The other arguments are those of `Sequential`. The output (N, classes) are
    probabilities.
    """

    def block(filters: int) -> list[layers.Layer]:
        return [
            _conv(filters),
            layers.MaxPool2D(2),
            *_normalised(),
            _conv(filters),
            *_normalised(),
        ]

    filters = 2 * WINDOW * WINDOW * input_shape[-1]
    whiten = layers.Conv2D(filters, WINDOW, use_bias=False, name="whiten", trainable=False)
    model = Sequential(
        [
            whiten,
            layers.Activation("gelu"),
            *(layer for filters in widths for layer in block(filters)),
            layers.MaxPool2D(3),
            layers.Flatten(),
            layers.Rescaling(TEMPERATURE),
            layers.Dense(classes, activation="softmax", use_bias=False),
        ],
        input_shape=input_shape,
        seed=seed,
        preprocessing=preprocessing,
    )
    if images is not None:
        some = images[:: max(1, len(images) // WHITENED)]
        whiten.parameters["kernel"] = initializers.whitening(model.receive(some), WINDOW)
    return model


def _conv(filters: int) -> layers.Conv2D:
    """A convolution without bias, because the batch norm after it would subtract it again."""
    return layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="identity")


def _normalised() -> list[layers.Layer]:
    """A batch norm without gain, which a convolution after it can provide as well, and GELU."""
    return [layers.BatchNorm(momentum=STATISTICS, scale=False), layers.Activation("gelu")]
