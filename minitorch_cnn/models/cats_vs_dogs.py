"""The slides' small ConvNet for Cats vs Dogs."""

from minitorch_cnn.datasets.preprocessing import Preprocessing
from minitorch_cnn.engine import layers
from minitorch_cnn.network.sequential import Sequential


def cats_vs_dogs(
    dropout: bool = True, seed: int | None = 0, input_shape: tuple[int, int, int] = (150, 150, 3),
    preprocessing: Preprocessing | None = None, algorithm: str = "auto", classes: int = 2,
) -> Sequential:  # fmt: skip
    """150x150x3 -> convolutions of 32, 32 and 64 filters, each with a pool -> dense 64 -> dense 1, sigmoid.

    The output (N, 1) is the probability of a dog; for more than two `classes` it is a softmax, (N, classes). `dropout`
    puts a dropout rate of 0.5 before the last layer, as in the usual recipe for two thousand photos. The other
    arguments are those of `Sequential` and `Conv2D`.
    """

    def conv(filters: int) -> layers.Conv2D:
        return layers.Conv2D(filters, 3, activation="relu", algorithm=algorithm)

    return Sequential(
        [
            conv(32),  # 148x148x32
            layers.MaxPool2D(2),  # 74x74x32
            conv(32),
            layers.MaxPool2D(2),  # 36x36x32
            conv(64),
            layers.MaxPool2D(2),  # 17x17x64
            layers.Flatten(),  # 18,496
            layers.Dense(64, activation="relu"),
            *([layers.Dropout(0.5)] if dropout else []),
            layers.Dense(1, activation="sigmoid") if classes == 2 else layers.Dense(classes, activation="softmax"),
        ],
        input_shape=input_shape,
        seed=seed,
        preprocessing=preprocessing,
    )
