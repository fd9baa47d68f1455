"""Exercise 9: chop off the top, put on a new one, freeze the rest.

A network is a list of layers from the input to the output, each a dictionary:

    {"name": "conv1", "kernel": array, "bias": array, "trainable": True}

Transfer learning keeps the layers up to one of them with the weights they have learnt, tosses those behind, adds new
ones and trains only these:

    conv1  conv2  pool2 | fc1  fc2          transplant(layers, "pool2", [dense, output])
    conv1  conv2  pool2   dense  output     the first three frozen

The old network stays what it was: kept layers share their arrays with it (a copy of VGG16 is half a gigabyte), but
being frozen is the new network's business.

And how far does the gradient have to go back? To the lowest layer that learns, and no further.

Check it:  minitorch-cnn exercise surgery
"""

import numpy as np


def transplant(layers, after, new):
    """The list of layers up to the one called `after`, frozen, then those of the list `new`.

    Raises ValueError, naming it, where no layer is called `after`.
    """
    raise NotImplementedError


def lowest_trainable(layers):
    """The index of the first layer with trainable True; the number of layers where there is none."""
    raise NotImplementedError
