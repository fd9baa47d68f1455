"""A Conv2D with ReLU and the 2x2 max pool behind it, run as one: see `convolution/pooled.py`.

A model runs its layers in stages, each a layer or such a pair. The pair has nothing of its own: parameters, gradients
and what is kept for the way back are the two layers', which can be called one by one as well, in either direction.
"""

from minitorch_cnn.engine.convolution import pooled
from minitorch_cnn.engine.layers.conv2d import Conv2D
from minitorch_cnn.engine.layers.max_pool2d import MaxPool2D


class ConvPool:
    """The passes of `conv` and `pool`, without the map (N, OH, OW, K) between them where the algorithm can do that."""

    activation = None

    def __init__(self, conv, pool):
        self.conv, self.pool = conv, pool

    def forward(self, x, training=False):
        """What pool.forward(conv.forward(x)) returns, to the bit."""
        algorithm = self.conv.choose(x)
        if not pooled.serves(algorithm, x):
            return self.pool.forward(self.conv.forward(x, training), training)
        y, winner = pooled.forward(x, algorithm, *self.conv.arguments())
        self.conv.keep(x, None)
        self.pool.cache = (winner,)
        return y

    def backward(self, dy, need_dx=True):
        """What conv.backward(pool.backward(dy)) returns; the bias's gradient to rounding, the others to the bit."""
        if self.conv.recall()[1] is not None:
            return self.conv.backward(self.pool.backward(dy), need_dx)
        (winner,) = self.pool.recall()
        return self.conv.backward_convolution(*pooled.backward(dy, winner, self.conv.output_shape[:2]), need_dx)

    def forget(self):
        """Drop what forward kept for backward."""
        self.conv.forget()
        self.pool.forget()

    @property
    def trainable(self):
        """The convolution's; a pool has nothing to train."""
        return self.conv.trainable

    def parameter_shapes(self):
        """The convolution's."""
        return self.conv.parameter_shapes()


def in_stages(layers):
    """`layers` in the order in which a model runs them, with a ConvPool for every two that fit."""
    found = []
    for layer in layers:
        if found and _fit(found[-1], layer):
            found.append(ConvPool(found.pop(), layer))
        else:
            found.append(layer)
    return found


def _fit(conv, pool):
    return (
        type(conv) is Conv2D
        and conv.activation.name == "relu"
        and type(pool) is MaxPool2D
        and pool.pool_size == pool.strides == (2, 2)
        and pool.pixels == ((0, 0), (0, 0))
    )
