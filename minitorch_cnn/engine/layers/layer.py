"""What a layer is: a forward pass, a backward pass, and the parameters that both need.

    y, kept = layer.forward_pass(x, training)                    `kept` is a tuple of what backward will need
    dx, gradients = layer.backward_pass(dy, kept, need_dx)       `gradients` maps parameter names to arrays

A pass keeps nothing in the layer. So one layer can serve many threads at once, and can stand at two places of a
network. At the prompt the same two passes are easier to type, because the layer remembers the last one:

    y = layer.forward(x)
    dx = layer.backward(dy)                                      layer.gradients["kernel"]

A layer knows nothing of its neighbours. To write a layer of your own, subclass `Layer` and define

    __init__          keyword arguments; `config()` gives them back, so the layer can be copied and saved
    output_shape_for  the output's shape for an input's shape, both without N (left out: the same shape)
    parameter_shapes  {name: shape}, with a function for each name in `initializers` (left out: no parameters)
    statistics        names of parameters that training changes without a gradient, such as moving averages
    random            True if the layer draws random numbers in training, False if equal inputs always give equal
                      outputs; until you say which, nothing below training is cached through this layer
    forward_pass and backward_pass, or just forward and backward with `self.cache` in between (`by_hand.py`)
"""

import re
from collections.abc import Sequence
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from minitorch_cnn.arguments import check_floats, check_name, flag, sizes
from minitorch_cnn.arrays import Array, moved, namespace
from minitorch_cnn.arrays.locks import ForkLock
from minitorch_cnn.arrays.named_arrays import NamedArrays
from minitorch_cnn.engine.convolution.geometry import check_sizes
from minitorch_cnn.engine.values import Value, connect
from minitorch_cnn.errors import ArgumentError, ShapeError

Forward: TypeAlias = "tuple[Array, tuple]"  # y, and what backward needs
Backward: TypeAlias = "tuple[Any, dict[str, Array]]"  # dx or None, and a gradient for each trained parameter

_drawing = ForkLock()


class Layer:
    """Base of all layers; the module's docstring says what a subclass defines."""

    initializers: dict = {}
    statistics: tuple = ()
    random: bool | None = None
    keeps_output = True  # False: a pass keeps nothing besides what the layer below has passed on
    activation: Any = None  # set by layers that end in one

    def __init__(self, name: str | None = None, trainable: bool = True) -> None:
        if name is not None:
            self._check_name(name)
        self._name = name or self.kind()
        self.named_by_user = name is not None
        self.in_model = False
        self.trainable = flag(trainable, f"{self._name}: trainable")
        self.input_shape: Any = None  # a tuple once the layer is built, like the output's
        self.output_shape: Any = None
        self.cache: Any = None  # what the last `forward` keeps for `backward`
        self.key, self.draws = (0, 0), 0  # random layers: the stream of random bits, and how often it was drawn from
        self.share: Any = None  # the part of the batch that this process has, where several share it
        self._arrays: dict = {}
        self._gradients: dict = {}
        self._undrawn: np.random.Generator | None = None  # initial values that have not been needed yet

    @classmethod
    def kind(cls) -> str:
        """The class name in snake case, the stem of automatic names: `max_pool2d`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    @property
    def name(self) -> str:
        """The layer's name, fixed once the layer belongs to a model."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        if self.in_model:
            raise ArgumentError(
                f"{self._name}: cannot be renamed to {name!r}: its model, the optimizer and saved weights know it by"
                " its name; name it when it is made, as in Dense(10, name='top')"
            )
        self._check_name(name)
        self._name, self.named_by_user = name, True

    def _check_name(self, name: Any) -> None:
        if not isinstance(name, str):
            raise ArgumentError(f"{self.kind()}: name: expected a text or None, got {name!r}")
        check_name(name, f"{self.kind()}: name")

    # Shapes, all without the batch axis.

    def build(self, input_shape: tuple) -> None:
        """Fix the input's shape, and with it `output_shape`; ShapeError if the layer cannot take that input."""
        input_shape = sizes(input_shape, f"{self.name}: input_shape")
        check_sizes(self.name, input_shape)
        self.take_shapes(input_shape)

    def take_shapes(self, input_shape: tuple) -> None:
        """Fix the shapes for `input_shape`, a tuple of integers or, for several inputs, a tuple of such tuples."""
        self.output_shape = tuple(self.output_shape_for(input_shape))
        self.input_shape = input_shape
        check_sizes(self.name, self.output_shape, *self.parameter_shapes().values())

    def output_shape_for(self, input_shape: tuple) -> tuple:
        """The output's shape for `input_shape`, both without N; nothing in the layer changes."""
        return input_shape

    def parameter_shapes(self) -> dict[str, tuple]:
        """{name: shape} of all parameters, statistics included; needs `build`."""
        return {}

    # Parameters.

    @property
    def parameters(self) -> NamedArrays:
        """The arrays by name. Initial values are drawn when they are first needed, and not at all if others are loaded.

        `parameters["kernel"] = values` copies values in, after checking their shape.
        """
        if self._undrawn is not None:
            self._draw()
        return NamedArrays(self, self._arrays)

    @property
    def gradients(self) -> NamedArrays:
        """The gradients of the last backward pass by name, for those parameters that are trained."""
        return NamedArrays(self, self._gradients)

    @gradients.setter
    def gradients(self, gradients: dict[str, Array]) -> None:
        self.take_gradients(gradients)

    def _draw(self) -> None:
        with _drawing:  # two threads that both predict first must not both draw
            if self._undrawn is None:
                return
            for name, array in self._arrays.items():
                if name not in self.initializers:
                    raise ArgumentError(f"{self.name}: {name} has no initial value; add it to `initializers`")
                array[...] = self.initializers[name](self._undrawn, array.shape)
            self._undrawn = None

    def initialize(self, rng: np.random.Generator, dtype: Any, storage: dict | None = None) -> None:
        """Make the parameters, to be drawn from `rng`; in the arrays of `storage` ({name: array}) where it has them."""
        for name, shape in self.parameter_shapes().items():
            self._arrays[name] = storage[name] if storage and name in storage else np.empty(shape, dtype)
        self._undrawn = rng

    def load(self, values: dict[str, Array]) -> None:
        """Overwrite every parameter with its array in `values` ({name: array}), shapes checked."""
        if values.keys() != self._arrays.keys():
            expected, got = (", ".join(names) or "none" for names in (self._arrays, values))
            raise ArgumentError(f"{self.name}: expected values for {expected}, got {got}")
        self._undrawn = None
        for name, value in values.items():
            self.parameters[name] = value

    def move(self, xp: ModuleType) -> None:
        """Make the parameters arrays of the namespace `xp`; what the last forward pass kept is dropped."""
        for name, array in self.parameters.items():
            self._arrays[name] = moved(array, xp)
        self.forget()

    def trained(self) -> list[str]:
        """Names of the parameters that have a gradient."""
        return [name for name in self.parameter_shapes() if name not in self.statistics]

    @property
    def learns(self) -> bool:
        """Whether a training step changes the layer's parameters."""
        return self.trainable and bool(self.parameter_shapes())

    # Passes.

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        """(y, kept): y for x (N, *input_shape), and what `backward_pass` needs to know of this pass.

        `training` switches on what only training does (dropout, batch statistics).
        """
        raise NotImplementedError(f"{type(self).__name__}: define forward_pass and backward_pass")

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """(dx, gradients): dL/dx (N, *input_shape) for dy = dL/dy, and dL/dparameter of each trained parameter.

        A layer with several inputs gets a list x, and returns a list dx.
        With need_dx=False no layer below needs dL/dx: it is not computed, and dx is None.
        """
        raise NotImplementedError(f"{type(self).__name__}: define forward_pass and backward_pass")

    def __call__(self, values: Any) -> Value:
        """The place of this layer in a network with branches: what it makes of one value or of a list (`values.py`)."""
        return connect(self, values)

    def forward(self, x: Array, training: bool = False) -> Array:
        """y for x (N, *input_shape); the layer remembers what `backward` needs."""
        self.check_input(x)
        y, self.cache = self.forward_pass(x, training)
        return y

    def backward(self, dy: Array, need_dx: bool = True) -> Array | None:
        """dx for dy = dL/dy, after `forward`; fills `gradients` if the layer is trainable."""
        kept = self.recall()
        check_floats(self.name, dy, "dy")
        dx, gradients = self.backward_pass(dy, kept, need_dx)
        self.take_gradients(gradients)
        return dx

    def take_gradients(self, gradients: dict[str, Array], add: bool = False) -> None:
        """Make `gradients` ({name: array}) the layer's own; with `add`, add them to those that are there."""
        for name, gradient in gradients.items():
            self.gradients[name] = self._gradients[name] + gradient if add else gradient

    def forget(self) -> None:
        """Drop what `forward` kept for `backward`."""
        self.cache = None

    def recall(self) -> Any:
        """What `forward` kept; ArgumentError if there was no forward pass."""
        if self.cache is None:
            raise ArgumentError(f"{self.name}: backward needs a forward pass before it")
        return self.cache

    def check_input(self, x: Array) -> None:
        """Check that x is (N, *input_shape) of floats. A layer used on its own is built by the first x that it gets."""
        check_floats(self.name, x, "input")
        if self.input_shape is None:
            self.build(x.shape[1:])
            self.initialize(np.random.default_rng(0), x.dtype)
            self.move(namespace(x))
        if not self._arrays and self.parameter_shapes():
            raise ArgumentError(f"{self.name}: has shapes but no weights yet; put it into a model, or call initialize")
        if tuple(x.shape[1:]) != self.input_shape:
            wanted = ", ".join(map(str, self.input_shape))
            raise ShapeError(f"{self.name}: expected input of shape (N, {wanted}), got {tuple(x.shape)}")

    def require_image(self, input_shape: tuple) -> None:
        """Check that a shape is (H, W, C); ShapeError otherwise."""
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise ShapeError(f"{self.name}: expected input of shape (H, W, C), got {tuple(input_shape)}")

    # Description.

    def config(self) -> dict:
        """The constructor's arguments, ready for JSON; `type(self)(**config)` makes the same layer."""
        return {"name": self.name, "trainable": self.trainable}

    def describe(self) -> str:
        """What the summary shows beside the shape, in a few characters."""
        return ""

    def count_parameters(self) -> int:
        """How many numbers the layer's parameters hold."""
        return sum(int(np.prod(shape)) for shape in self.parameter_shapes().values())

    def kept_elements(self) -> int:
        """How many numbers an image leaves in `kept`, not counting those that the layer below has passed on."""
        return int(np.prod(self.output_shape)) if self.keeps_output else 0

    def column_elements(self) -> int:
        """How many numbers im2col would lay out for one image."""
        return 0

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.config().items())
        return f"{type(self).__name__}({arguments})"

    def __getstate__(self) -> dict:
        """What a copy or a pickle holds: all but the last pass; arrays of their own instead of views of a model's."""
        _ = self.parameters
        arrays = {name: array.copy() for name, array in self._arrays.items()}
        return {**self.__dict__, "_arrays": arrays, "_gradients": {}, "cache": None, "share": None, "in_model": False}
