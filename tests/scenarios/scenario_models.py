"""Small models for the scenarios, and layers that are not the package's."""

import numpy as np

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.engine.initializers import ones

SHAPE = (20, 18, 3)
X = np.random.default_rng(0).standard_normal((16, *SHAPE)).astype("float32")
LABELS = np.arange(16) % 5


def small_net(seed=0, extra=()):
    """A convolution with a pool behind it, batch norm, dropout, and what is in `extra` before the dense layer."""
    return mtc.Sequential(
        [
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPool2D(2),
            layers.BatchNorm(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            *extra,
            layers.Dense(5, activation="softmax"),
        ],
        SHAPE,
        seed=seed,
    )


class Scale(layers.Layer):
    """y = scale * x, one number for each feature, written with the two passes."""

    initializers = {"scale": ones}
    random = False

    def __init__(self, power=1, name=None, trainable=True):
        super().__init__(name, trainable)
        self.power = power

    def parameter_shapes(self):
        return {"scale": self.input_shape}

    def forward_pass(self, x, training=False):
        return x * self.parameters["scale"] ** self.power, (x,)

    def backward_pass(self, dy, kept, need_dx=True):
        (x,) = kept
        scale = self.parameters["scale"]
        dscale = (dy * x).sum(axis=0) * self.power * scale ** (self.power - 1)
        gradients = {"scale": dscale} if self.trainable else {}
        return dy * scale**self.power if need_dx else None, gradients

    def config(self):
        return {"power": self.power, **super().config()}


class ScaleByHand(layers.Layer):
    """The same with power 1, written with forward and backward and a cache."""

    initializers = {"scale": ones}

    def parameter_shapes(self):
        return {"scale": self.input_shape}

    def forward(self, x, training=False):
        self.check_input(x)
        self.cache = x
        return x * self.parameters["scale"]

    def backward(self, dy, need_dx=True):
        self.gradients["scale"] = (dy * self.cache).sum(axis=0)
        return dy * self.parameters["scale"]


class Noise(layers.Layer):
    """Adds random numbers in training, from its own stream; says so with `random`."""

    random = True

    def forward_pass(self, x, training=False):
        if not training:
            return x, ()
        rng = np.random.default_rng([*self.key, self.draws])
        self.draws += 1
        return x + rng.standard_normal(x.shape).astype(x.dtype), ()

    def backward_pass(self, dy, kept, need_dx=True):
        return dy, {}


class Undeclared(layers.Layer):
    """Says nothing of `random`: it might be, so nothing is cached through it."""

    def forward_pass(self, x, training=False):
        return x, ()

    def backward_pass(self, dy, kept, need_dx=True):
        return dy, {}


class Declared(Undeclared):
    """The same, which says that equal inputs give equal outputs."""

    random = False
