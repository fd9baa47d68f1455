"""The slides' transfer net: VGG16's convolutions below, a new top for cats and dogs."""

from minitorch_cnn.engine import layers
from minitorch_cnn.models.vgg16 import vgg16


def transfer_net(weights=None, input_shape=(150, 150, 3), seed=0):
    """150x150x3 -> VGG16 up to `block5_pool`, frozen -> dense 256 -> dropout 0.5 -> dense 1, sigmoid.

    `weights` is the path of VGG16's weights without the top; left out, the base is as it was drawn from `seed`, which
    is of use only to try things. Raises what `vgg16` raises.
    """
    base = vgg16(include_top=False, input_shape=input_shape, seed=seed, weights=weights)
    model = base.extend(
        [
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    return model.freeze(through="block5_pool")
