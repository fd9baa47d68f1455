"""The same work as an exercise's, done by the package: what a learner's time is compared with.

Each takes the arguments of the exercise's large case and gives a function without arguments, whose results are in the
exercise's order. The package has no faster im2col than that of the solution: its fast convolutions never lay out all
columns. What a layer keeps from its forward pass is made before, as in a training.
"""

from minitorch_cnn.engine import activations, layers, optimizers
from minitorch_cnn.engine.losses import CrossEntropy
from minitorch_cnn.network.sequential import Sequential


def dense_backward(dy, x, kernel):
    """`layers.Dense`."""
    return _backward(layers.Dense(kernel.shape[1]), dy, x, kernel)


def relu_forward(x):
    """The activation on an array of its own, as a layer has it."""
    return lambda: activations.get("relu").forward(x)


def relu_backward(dy, y):
    """The same on the way back."""
    return lambda: activations.get("relu").backward(dy, y)


def softmax_cross_entropy(scores, labels):
    """`losses.CrossEntropy` from the scores."""
    return lambda: CrossEntropy().from_scores(scores, labels)


def conv2d_backward(dy, x, kernel, strides, padding):
    """`layers.Conv2D` with the algorithm that it chooses for this shape."""
    return _backward(layers.Conv2D(kernel.shape[3], kernel.shape[:2], strides, padding), dy, x, kernel)


def max_pool_backward(dy, x, window, strides):
    """`layers.MaxPool2D`."""
    return _backward(layers.MaxPool2D(window, strides), dy, x)


def sgd_step(parameters, gradients, velocity, trainable, rate, momentum):
    """`sgd_update` of `optimizers.py` on every trained array; the optimizer calls it on all of them in one."""
    flat = [
        (array.reshape(-1), gradients[name].reshape(-1), velocity[name].reshape(-1))
        for name, array in parameters.items()
        if trainable[name]
    ]

    def step():
        for w, g, m in flat:
            optimizers.sgd_update(w, g, m, rate, momentum, False, 0.0)

    return step


PACKAGE = {
    each.__name__: each
    for each in (dense_backward, relu_forward, relu_backward, softmax_cross_entropy, conv2d_backward,
                 max_pool_backward, sgd_step)
}  # fmt: skip


def _backward(layer, dy, x, kernel=None):
    Sequential([layer], x.shape[1:], seed=0, dtype=x.dtype.name)
    if kernel is not None:
        layer.parameters["kernel"] = kernel
    layer.forward(x, training=True)

    def backward():
        dx = layer.backward(dy)
        return (dx, *(layer.gradients[name] for name in ("kernel", "bias") if name in layer.gradients))

    return backward
