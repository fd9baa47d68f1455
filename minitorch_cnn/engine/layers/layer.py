"""What a layer is: something with a forward pass, a backward pass, and the arrays they need.

    build(input_shape)      says which shapes follow; nothing is computed
    forward(x, training)    y, and keeps in `cache` what backward will need
    backward(dy, need_dx)   fills `gradients`, returns dx

A layer knows nothing of its neighbours: it is given an array and gives one back.
"""

import re

import numpy as np

from minitorch_cnn.arrays import moved, namespace
from minitorch_cnn.errors import ArgumentError, ShapeError


class Arrays(dict):
    """Named arrays of a layer. Assigning to a name that is there writes into the array, after checking the shape.

    The arrays may be views of one long vector that the optimizer works on; replacing one would cut it off from there.
    """

    def __init__(self, owner):
        super().__init__()
        self.owner = owner

    def __setitem__(self, name, value):
        if name not in self:
            known = self.owner.parameter_shapes()
            if name not in known:
                raise ArgumentError(f"{self.owner.name}: no parameter is called {name!r}; there are {', '.join(known)}")
            super().__setitem__(name, value)
            return
        array = self[name]
        value = moved(value, namespace(array), array.dtype)
        if value.shape != array.shape:
            raise ShapeError(f"{self.owner.name}: {name} has shape {array.shape}, got {value.shape}")
        array[...] = value

    def rebind(self, name, array):
        """Let `name` stand for `array` itself from now on."""
        super().__setitem__(name, array)


class Layer:
    """Base of all layers.

    Fields a layer declares: `initializers` maps the name of each parameter to the function that draws it;
    `statistics` are those of them that no gradient reaches (moving averages).
    """

    initializers: dict = {}
    statistics: tuple = ()
    activation = None  # set by layers that end in one

    def __init__(self, name=None, trainable=True):
        self.name = name or self.kind()
        self.named_by_user = name is not None
        self.trainable = trainable
        self._parameters = Arrays(self)
        self._undrawn = None  # the random numbers of initial values that nobody has looked at yet
        self.gradients = Arrays(self)
        self.input_shape = None
        self.output_shape = None
        self.cache = None
        self.share = None  # which part of the batch this process has, where several share it (`parallel/`)

    @classmethod
    def kind(cls):
        """The class name in snake case, the stem of automatic names: `max_pool2d`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    # Shapes: all without the batch axis.

    def build(self, input_shape):
        """Fix the input shape (without N); sets `output_shape`. ShapeError when the layer cannot take it."""
        self.input_shape = tuple(int(size) for size in input_shape)
        self.output_shape = self.output_shape_for(self.input_shape)

    def output_shape_for(self, input_shape):
        """The output's shape for `input_shape`, both without N."""
        return input_shape

    def parameter_shapes(self):
        """{name: shape} of all parameters, statistics included; needs `build`."""
        return {}

    @property
    def parameters(self):
        """The arrays by name. Initial values are drawn when somebody first looks, and never if others are loaded."""
        if self._undrawn is not None:
            rng, self._undrawn = self._undrawn, None
            for name, array in self._parameters.items():
                array[...] = self.initializers[name](rng, array.shape)
        return self._parameters

    def initialize(self, rng, dtype, storage=None):
        """Make the parameters, to be drawn from `rng`; in the arrays of `storage` ({name: array}) where given."""
        for name, shape in self.parameter_shapes().items():
            array = storage[name] if storage and name in storage else np.empty(shape, dtype)
            self._parameters.rebind(name, array)
        self._undrawn = rng

    def load(self, values):
        """Overwrite every parameter with its array in `values` ({name: array}), shapes checked."""
        if values.keys() != self._parameters.keys():
            expected, got = (", ".join(names) or "none" for names in (self._parameters, values))
            raise ArgumentError(f"{self.name}: expected values for {expected}, got {got}")
        for name, value in values.items():
            self._parameters[name] = value
        self._undrawn = None

    def move(self, xp):
        """Let the parameters be arrays of the namespace `xp`; what a forward pass kept is dropped."""
        for name, array in self.parameters.items():
            self._parameters.rebind(name, moved(array, xp))
        self.forget()

    def trained(self):
        """Names of the parameters that gradients reach."""
        return [name for name in self.parameter_shapes() if name not in self.statistics]

    # Passes.

    def forward(self, x, training=False):
        """y for x (N, *input_shape); `training` switches on what only training does (dropout, batch statistics)."""
        raise NotImplementedError

    def backward(self, dy, need_dx=True):
        """dx (N, *input_shape) for dy = dL/dy; fills `gradients` if the layer is trainable.

        With need_dx=False the gradient for the input is neither computed nor returned: nothing below needs it.
        """
        raise NotImplementedError

    def forget(self):
        """Drop what forward kept for backward."""
        self.cache = None

    def recall(self):
        """What forward kept; ArgumentError where there was no forward pass."""
        if self.cache is None:
            raise ArgumentError(f"{self.name}: backward needs a forward pass before it")
        return self.cache

    def check_input(self, x):
        """Check that x is (N, *input_shape) of floats. A layer used on its own is built by the first x that it sees."""
        if x.dtype not in (np.float32, np.float64):
            raise ArgumentError(f"{self.name}: expected input of float32 or float64, got {x.dtype}")
        if self.input_shape is None:
            self.build(x.shape[1:])
            self.initialize(np.random.default_rng(0), x.dtype)
            self.move(namespace(x))
        if tuple(x.shape[1:]) != self.input_shape:
            wanted = ", ".join(str(size) for size in self.input_shape)
            raise ShapeError(f"{self.name}: expected input of shape (N, {wanted}), got {tuple(x.shape)}")

    def require_image(self, input_shape):
        """Check that a shape is (H, W, C); ShapeError otherwise."""
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise ShapeError(f"{self.name}: expected input of shape (H, W, C), got {tuple(input_shape)}")

    # Description.

    def config(self):
        """The constructor's arguments, ready for JSON; `type(self)(**config)` makes the same layer."""
        return {"name": self.name, "trainable": self.trainable}

    def describe(self):
        """What the summary shows beside the shape, in a few characters."""
        return ""

    def count_parameters(self):
        """How many numbers the layer's parameters hold."""
        return sum(int(np.prod(shape)) for shape in self.parameter_shapes().values())

    def kept_elements(self):
        """How many numbers per image forward keeps for backward, beside what the layer below hands on."""
        return int(np.prod(self.output_shape))

    def __repr__(self):
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.config().items())
        return f"{type(self).__name__}({arguments})"


class Activated(Layer):
    """A layer that ends in an activation: forward is activation(scores(x)).

    The scores are what goes into the activation; a loss that is differentiated together with a softmax or a sigmoid
    takes them, and hands dL/dscores to `backward_scores`.
    """

    def forward(self, x, training=False):
        y = self.activation.forward(self.scores(x, training))
        self.cache = (*self.cache, y)
        return y

    def backward(self, dy, need_dx=True):
        *_, y = self.recall()
        return self.backward_scores(self.activation.backward(dy, y), need_dx)

    def scores(self, x, training=False):
        """What goes into the activation; keeps in `cache` what `backward_scores` needs."""
        raise NotImplementedError

    def backward_scores(self, dscores, need_dx=True):
        """As `backward`, from the gradient of the scores."""
        raise NotImplementedError
