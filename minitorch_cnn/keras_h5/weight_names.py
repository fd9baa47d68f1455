"""What a weight's name tells: its layer, its role in that layer, and in Keras 1 the backend.

====================  ==========================================================================
Keras 1, Theano       `convolution2d_1_W`
Keras 1, TensorFlow   `convolution2d_1_W:0`, or `block1_conv1_W_1:0` in the published VGG16 files
Keras 2, tf.keras     `conv2d_1/kernel:0`, or `conv2d_1_1/kernel:0` in a session's second model
Keras 2, Theano       `conv2d_1/kernel`
Keras 3.0 to 3.2      `kernel`
Keras 3.3 and later   `sequential/conv2d_1/kernel`; inside a nested model `block1_conv1/kernel`
====================  ==========================================================================
"""

from __future__ import annotations

import re

KERAS_1_ROLES = {
    "W": "kernel", "b": "bias", "gamma": "gamma", "beta": "beta",
    "running_mean": "moving_mean", "running_std": "moving_variance",
}  # fmt: skip

KERAS_1_NAME = re.compile(r"(?P<layer>.+)_(?P<role>W|b|gamma|beta|running_mean|running_std)(_\d+)?(?P<device>:\d+)?")
KERAS_2_NAME = re.compile(
    r"(?P<role>kernel|depthwise_kernel|pointwise_kernel|bias|gamma|beta|moving_mean|moving_variance|alpha|mean|variance"
    r"|count)(_\d+)?(:\d+)?"
)


def weight_role(name: str) -> str | None:
    """ "kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", or None if the name does not tell."""
    last = name.rsplit("/", 1)[-1]
    if match := KERAS_2_NAME.fullmatch(last):
        return match["role"]
    if match := KERAS_1_NAME.fullmatch(last):
        return KERAS_1_ROLES[match["role"]]
    return None


def owner_path(name: str) -> str | None:
    """The path of a weight's layer as far as its own name tells; "" for a bare `kernel`, None if unknown."""
    path, _, last = name.rpartition("/")
    if KERAS_2_NAME.fullmatch(last):
        return path
    if match := KERAS_1_NAME.fullmatch(last):
        return f"{path}/{match['layer']}" if path else match["layer"]
    return None


def is_running_std(name: str) -> bool:
    """Whether this is Keras 1's `running_std`, a standard deviation up to 1.0.5 and a variance from 1.0.6."""
    match = KERAS_1_NAME.fullmatch(name.rsplit("/", 1)[-1])
    return match is not None and match["role"] == "running_std"


def is_keras_2(name: str) -> bool:
    """Whether the name is spelled as in Keras 2 and later: `conv2d/kernel:0`, `kernel`."""
    return KERAS_2_NAME.fullmatch(name.rsplit("/", 1)[-1]) is not None


def keras_1_backend(name: str) -> str | None:
    """ "tensorflow" for a name of Keras 1 that ends in ":0", "theano" for one that does not, else None."""
    match = KERAS_1_NAME.fullmatch(name.rsplit("/", 1)[-1])
    if match is None or is_keras_2(name):
        return None
    return "tensorflow" if match["device"] else "theano"
