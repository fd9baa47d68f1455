"""The model: layers one after the other, run forward to predict and backward to learn.

    x -> layer 0 -> layer 1 -> ... -> prediction          forward
    dx <- layer 0 <- layer 1 <- ... <- dL/dprediction     backward, by the chain rule (`engine/passes.py`)
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array, is_array, library, library_name, moved, namespace, on_host
from minitorch_cnn.engine import layers as layer_classes
from minitorch_cnn.engine import passes
from minitorch_cnn.engine.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from minitorch_cnn.engine.metrics import count_correct
from minitorch_cnn.engine.passes import Node, Observer, chain, joint, need_gradients
from minitorch_cnn.errors import ArgumentError, LabelError, ShapeError
from minitorch_cnn.network.keras_weights import KerasWeights
from minitorch_cnn.network.layer_list import LayerList
from minitorch_cnn.network.parameters import ParameterVector
from minitorch_cnn.network.state import ModelState
from minitorch_cnn.network.summary import summary
from minitorch_cnn.network.surgery import Surgery
from minitorch_cnn.training import fit
from minitorch_cnn.training.gpu_memory import out_of_memory
from minitorch_cnn.twins.stages import in_stages


class LastPass(threading.local):
    """What the last `forward` of each thread keeps for `backward`; copies and pickles start empty."""

    steps: list | None = None

    def __reduce__(self) -> tuple:
        return LastPass, ()


class Sequential(Surgery, KerasWeights, ModelState):
    """A stack of named layers.

    Cutting, extending and freezing are in `surgery.py`, weight files in `keras_weights.py`, description, copies and
    state in `state.py`. Arguments: `layers`; `input_shape` (H, W, C) or (D,) without the batch axis (left out: taken
    from the first input); `seed` decides initial weights, shuffling, augmentation and dropout (left out: drawn at
    random and stored in `model.seed`); `dtype` "float32" or "float64"; `preprocessing` is applied to uint8 images.
    Raises ShapeError, naming the layer, if a layer does not accept the output of the one before it.
    """

    def __init__(
        self,
        layers: Iterable = (),
        input_shape: tuple | None = None,
        seed: int | None = None,
        dtype: Any = "float32",
        preprocessing: Any = None,
    ) -> None:
        self._layers: Any = LayerList(layers)
        for layer in self.layers:
            if not isinstance(layer, layer_classes.Layer):
                raise ArgumentError(f"Sequential: expected layers, got {type(layer).__name__}")
        self.seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else int(seed)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ArgumentError(f"dtype: expected float32 or float64, got {dtype!r}")
        self.preprocessing = preprocessing
        self.prediction: Any = None  # for the last batch that `loss_and_gradients` computed
        self.backend = "numpy"
        self.input_shape: tuple | None = None
        self._last = LastPass()
        self._name_layers()
        if input_shape is not None:
            self.build(input_shape)

    @property
    def layers(self) -> Any:
        """The layers in order; `extend` and `cut` make a model with other layers."""
        return self._layers

    # Building.

    def _name_layers(self) -> None:
        """Name the layers conv2d_1, conv2d_2, ...: the number counts layers of a kind; the user's names stay."""
        taken = {layer.name for layer in self.layers if layer.named_by_user}
        counts: dict[str, int] = {}
        for layer in self.layers:
            if layer.named_by_user:
                continue
            while True:
                counts[layer.kind()] = counts.get(layer.kind(), 0) + 1
                layer._name = f"{layer.kind()}_{counts[layer.kind()]}"
                if layer.name not in taken:
                    break
        seen = set()
        for layer in self.layers:
            if layer.name in seen:
                raise ArgumentError(f"{layer.name}: two layers have this name; give one of them another")
            seen.add(layer.name)

    def build(self, input_shape: tuple) -> None:
        """Compute all shapes from `input_shape` (without N) to the prediction, and prepare the initial weights."""
        if not self.layers:
            raise ArgumentError("Sequential: expected at least one layer, got none")
        for layer in self.layers:
            if layer.input_shape is not None:
                raise ArgumentError(f"{layer.name}: already belongs to a model; make a new layer for this one")
        shape = tuple(int(size) for size in input_shape)
        for index, layer in enumerate(self.layers):
            layer.build(shape)
            layer.key = (self.seed & 0xFFFFFFFF, index)
            shape = layer.output_shape
        self.input_shape = self.layers[0].input_shape
        self._lay_out()

    def _lay_out(self) -> None:
        """Put the layers' parameters into one vector, on the device where the model computes."""
        self.vector = ParameterVector(self.layers, self.dtype, self.seed)
        for layer in self.layers:
            layer.in_model = True
        if self.backend != "numpy":
            self.to(self.backend)

    def to(self, backend: str) -> Sequential:
        """Move the model to "cupy" (an NVIDIA GPU) or "numpy" (the host); returns the model.

        From then on it computes there, and images are sent there batch by batch. The weights keep their exact values;
        those not drawn yet are drawn on the host. An optimizer in use moves its state at its next step. Raises
        BackendError, which says what to install, if there is no CuPy or no GPU.
        """
        xp = library(backend)
        self.backend, self.prediction = backend, None
        if self.input_shape is not None:
            self.vector.move(xp)
        return self

    @property
    def xp(self) -> ModuleType:
        """The array library that the model computes with: NumPy or CuPy."""
        return library(self.backend)

    @property
    def output_shape(self) -> tuple:
        """The prediction's shape without N."""
        return self.layers[-1].output_shape

    def get_layer(self, name: str) -> Any:
        """The layer called `name`; ArgumentError, which lists the names, if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ArgumentError(f"no layer is called {name!r}; there are {', '.join(layer.name for layer in self.layers)}")

    def summary(self, batch_size: int = 32, file: Any = None) -> None:
        """Print the table of layers: shapes, parameters, trainable or frozen, and the memory for a batch."""
        self._require_built()
        print(summary(self, batch_size), file=file)

    # The passes.

    def nodes(self) -> list[Node]:
        """The layers at their places in the network, for the passes in `engine/passes.py`."""
        return chain(self.layers)

    def forward(self, x: Any, training: bool = False) -> Array:
        """The prediction (N, ...) for x (N, *input_shape); each thread stores what its `backward` needs."""
        x = self.receive(x)
        nodes = in_stages(self.nodes())
        y, self._last.steps = passes.forward(nodes, [x], training, keep={node.output for node in nodes})
        return y

    def backward(self, dy: Any, input_gradient: bool | None = None) -> Array | None:
        """Fill `layer.gradients` from dy = dL/dprediction, after `forward`; returns dL/dinput, or None.

        The backward pass stops at the lowest trainable layer. With `input_gradient` True it continues to the input and
        returns its gradient, with False it does not; left out, it does unless the bottom of the model is frozen.
        """
        self._require_built()
        nodes = self.nodes()
        lowest = self.lowest_trainable()
        if input_gradient is None:
            input_gradient = not any(node.layer.parameter_shapes() for node in nodes[:lowest])
        dy = self._here(dy).astype(self.dtype, copy=False)
        if tuple(dy.shape[1:]) != self.output_shape:
            wanted = ", ".join(map(str, self.output_shape))
            raise ShapeError(f"{self.layers[-1].name}: expected dy of shape (N, {wanted}), got {tuple(dy.shape)}")
        if not self._last.steps:
            raise ArgumentError(f"{self.layers[-1].name}: backward needs a forward pass before it")
        self.segments()
        needed = need_gradients(nodes, {0} if input_gradient else ())
        steps = [step for step in self._last.steps if step.node.output in needed]
        return passes.backward(steps, dy, needed).get(0)

    def loss_and_gradients(
        self, x: Any, labels: Any, loss: Any, training: bool = True, observer: Observer | None = None
    ) -> float:
        """The loss (float) of one batch x (N, *input_shape); fills `layer.gradients` of the trainable layers.

        If the loss belongs to the last layer's activation (cross-entropy after softmax), both are differentiated
        together, from the scores. An `observer` sees the layers one by one (`engine/passes.py`).
        """
        x = self.receive(x)
        nodes = self.nodes()
        needed, last = need_gradients(nodes), self.layers[-1]
        if observer is None:
            nodes = in_stages(nodes)
        self.forget()
        self.segments()
        if joint(loss, last):
            scores, steps = passes.forward(nodes, [x], training, needed, observer, scores=True)
            value, dy = loss.from_scores(scores, labels)
            self.prediction = last.activation.forward(scores)
        else:
            self.prediction, steps = passes.forward(nodes, [x], training, needed, observer)
            value, dy = loss.value_and_gradient(self.prediction, labels)
        if observer is not None:
            observer.after_loss(value, dy)
        passes.backward(steps, dy, needed, observer)
        return value

    def receive(self, x: Any) -> Array:
        """The input in the model's dtype: uint8 pixels go through the preprocessing, floats stay as they are."""
        x = self._here(x)
        if self.input_shape is None:
            self.build(x.shape[1:])
        if tuple(x.shape[1:]) != self.input_shape:
            wanted = ", ".join(map(str, self.input_shape or ()))
            raise ShapeError(f"{self.layers[0].name}: expected input of shape (N, {wanted}), got {tuple(x.shape)}")
        if len(x) == 0:
            raise ShapeError(f"{self.layers[0].name}: expected at least one image, got none")
        if self.preprocessing is not None and x.dtype == np.uint8:
            return self.preprocessing(x, self.dtype)
        if x.dtype.kind not in "fiub":
            raise ArgumentError(f"{self.layers[0].name}: expected input of real numbers, got dtype {x.dtype}")
        return x.astype(self.dtype, copy=False)

    def _here(self, x: Any) -> Array:
        """An array or list on the model's device; ArgumentError if it is on a GPU and the model is on the host."""
        there = library_name(namespace(x)) if is_array(x) else "numpy"
        if there != self.backend and self.backend == "numpy":
            raise ArgumentError(f'the model is on the host, but got an array of {there}; move it: model.to("{there}")')
        if there != self.backend and getattr(x, "dtype", None) == np.float64:
            x = x.astype(self.dtype, copy=False)  # halves the bytes to send
        return moved(x, self.xp)

    # Training.

    def lowest_trainable(self) -> int:
        """The index of the lowest layer that learns, or the number of layers if all are frozen."""
        self._require_built()
        return next((index for index, layer in enumerate(self.layers) if layer.learns), len(self.layers))

    def segments(self) -> list:
        """The trainable parameters and their gradients as long vectors (`Segment`), for an optimizer."""
        self._require_built()
        return self.vector.segments()

    def train_step(self, x: Any, labels: Any, loss: Any, optimizer: Any) -> float:
        """Take one step as in `fit`: forward, backward, update; returns the loss before the update."""
        value = self.loss_and_gradients(x, labels, loss, training=True)
        optimizer.step(self)
        return value

    def fit(self, x: Any, labels: Any = None, **options: Any) -> dict[str, list]:
        """Train; `training.Trainer` lists the arguments. Returns the history, {name: [one value per epoch]}."""
        return fit(self, x, labels, **options)

    def predict(self, x: Any, batch_size: int = 128) -> Array:
        """Predictions (N, ...) for x (N, *input_shape), computed batch by batch without storing anything.

        They are NumPy arrays unless x is an array of another library. Several threads may predict at the same time.
        """
        if len(x) == 0:
            raise ShapeError("predict: expected at least one image, got none")
        xp = namespace(x) if is_array(x) else np
        results = [self._predict_batch(x[i : i + batch_size]) for i in range(0, len(x), batch_size)]
        return xp.concatenate([on_host(result) if xp is np else result for result in results])

    def _predict_batch(self, x: Any) -> Array:
        try:
            x = self.receive(x)
            return passes.forward(in_stages(self.nodes()), [x])[0]
        except MemoryError:
            if self.backend == "numpy":
                raise
            raise out_of_memory(self, len(x)) from None

    def evaluate(self, x: Any, labels: Any, loss: Any = None, batch_size: int = 128) -> dict[str, float]:
        """{"loss": mean loss, "accuracy": share of correct classes} over x (N, ...) and its labels.

        `loss` (left out: the one that belongs to the last activation).
        """
        if len(x) != len(labels) or len(x) == 0:
            raise LabelError(f"evaluate: expected a label for each image, got {len(x)} images and {len(labels)} labels")
        loss = loss or self.default_loss()
        total, correct = 0.0, 0
        for i in range(0, len(x), batch_size):
            prediction = self._predict_batch(x[i : i + batch_size])
            wanted = labels[i : i + batch_size]
            value, _ = loss.value_and_gradient(prediction, wanted)
            total += value * len(prediction)
            correct += count_correct(prediction, wanted)
        return {"loss": total / len(x), "accuracy": correct / len(x)}

    def default_loss(self) -> Any:
        """Cross-entropy after softmax, binary cross-entropy after sigmoid, mean squared error otherwise."""
        follows: Any = getattr(self.layers[-1].activation, "name", None)
        return {"softmax": CrossEntropy, "sigmoid": BinaryCrossEntropy}.get(follows, MeanSquaredError)()

    def above(self, depth: int) -> Sequential:
        """A model of the layers from index `depth` on; the layers and their weights are shared."""
        upper = object.__new__(type(self))
        upper.__dict__.update(self.__dict__, _layers=LayerList(self.layers[depth:]), _last=LastPass())
        upper.input_shape, upper.preprocessing = upper.layers[0].input_shape, None
        return upper

    def forget(self) -> None:
        """Drop what the last `forward` of this thread stored for `backward`."""
        self._last.steps = None

    def _require_built(self) -> None:
        if self.input_shape is None:
            raise ArgumentError("the model has no shapes yet: give Sequential an input_shape, or call build")

    def __repr__(self) -> str:
        return f"Sequential({len(self.layers)} layers, {self.input_shape} -> {self.output_shape})"
