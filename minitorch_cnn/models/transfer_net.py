"""The slides' transfer net: VGG16's convolutions with a new top for cats and dogs."""

from pathlib import Path

from minitorch_cnn.engine import layers
from minitorch_cnn.models.vgg16 import vgg16
from minitorch_cnn.network.sequential import Sequential

SCALE = 0.02  # of the features, which are then about one


def transfer_net(
    weights: str | Path | None = None, input_shape: tuple[int, int, int] = (150, 150, 3), seed: int | None = 0,
    classes: int = 2,
) -> Sequential:  # fmt: skip
    """150x150x3 -> VGG16 up to `block5_pool`, frozen -> times 0.02 -> dense 256 -> dropout 0.5 -> dense 1, sigmoid.

    VGG16 has no normalisation, so its features are tens to hundreds large, and a dense layer's random weights are made
    for numbers of about one: unscaled, the first answers are far from one half, and the training ends over-confident.
    For more than two `classes` it ends in a softmax. `weights` is the path of VGG16's weights without the top; None
    leaves the base with random weights drawn from `seed`, which is useful only for trying things out. Raises the same
    errors as `vgg16`.
    """
    base = vgg16(include_top=False, input_shape=input_shape, seed=seed, weights=weights)
    model = base.extend(
        [
            layers.Rescaling(SCALE),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid") if classes == 2 else layers.Dense(classes, activation="softmax"),
        ]
    )
    return model.freeze(through="block5_pool")
