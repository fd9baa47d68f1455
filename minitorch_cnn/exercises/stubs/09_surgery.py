"""Exercise 9: replace the top of a network and freeze the rest.

A network is a list of layers from the input to the output, each a dictionary:

    {"name": "conv1", "kernel": array, "bias": array, "trainable": True}

Transfer learning keeps the layers up to a chosen one, with the weights that they have learned. It removes the layers
after it, adds new ones, and trains only these:

    conv1  conv2  pool2 | fc1  fc2          transplant(layers, "pool2", [dense, output])
    conv1  conv2  pool2   dense  output     the first three frozen

The old network must not change. The kept layers share their arrays with it, because a copy of VGG16 would take half a
gigabyte, but only the layers of the new network are frozen.

How far down does the backward pass have to go? To the lowest trainable layer and no further.

Check it:  minitorch-cnn exercise surgery
"""

import numpy as np


def transplant(layers, after, new):
    """A list of the layers up to the one called `after`, frozen, followed by the layers in the list `new`.

    Raises ValueError, with the name in its message, if no layer is called `after`.
    """
    raise NotImplementedError


def lowest_trainable(layers):
    """The index of the first layer with trainable True, or the number of layers if there is none."""
    raise NotImplementedError
