"""The slides' small ConvNet for Cats vs Dogs."""

from minitorch_cnn.engine import layers
from minitorch_cnn.network.sequential import Sequential


def cats_vs_dogs(dropout=True, seed=0, input_shape=(150, 150, 3), preprocessing=None, algorithm="auto"):
    """150x150x3 -> three times convolution and pool, 32, 32 and 64 filters -> dense 64 -> the probability of a dog.

    With `dropout` half is dropped before the last layer, as in the usual recipe for two thousand photos.
    """

    def conv(filters):
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
            layers.Dense(1, activation="sigmoid"),
        ],
        input_shape=input_shape,
        seed=seed,
        preprocessing=preprocessing,
    )
