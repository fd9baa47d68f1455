"""The slides' ConvNet for CIFAR-10."""

from minitorch_cnn.datasets.preprocessing import Preprocessing
from minitorch_cnn.engine import layers
from minitorch_cnn.network.sequential import Sequential


def cifar10(
    dropout: bool = True, classes: int = 10, seed: int | None = 0, preprocessing: Preprocessing | None = None,
    algorithm: str = "auto", input_shape: tuple[int, int, int] = (32, 32, 3),
) -> Sequential:  # fmt: skip
    """32x32x3 -> two convolutions of 32 -> pool -> two convolutions of 64 -> pool -> dense 512 -> softmax.

    The output (N, classes) are probabilities. `dropout` adds a dropout rate of 0.1 after each pool and of 0.3 before
    the last layer; the usual rates of 0.25 and 0.5 suit training for longer than the twenty epochs of the recipe. The
    other arguments are those of `Sequential` and `Conv2D`.
    """

    def conv(filters: int, padding: str) -> layers.Conv2D:
        return layers.Conv2D(filters, 3, padding=padding, activation="relu", algorithm=algorithm)

    def drop(rate: float) -> list[layers.Dropout]:
        return [layers.Dropout(rate)] if dropout else []

    return Sequential(
        [
            conv(32, "same"),  # 32x32x32
            conv(32, "same"),
            layers.MaxPool2D(2),  # 16x16x32
            *drop(0.1),
            conv(64, "same"),  # 16x16x64
            conv(64, "valid"),  # 14x14x64
            layers.MaxPool2D(2),  # 7x7x64
            *drop(0.1),
            layers.Flatten(),  # 3136
            layers.Dense(512, activation="relu"),
            *drop(0.3),
            layers.Dense(classes, activation="softmax"),
        ],
        input_shape=input_shape,
        seed=seed,
        preprocessing=preprocessing,
    )
