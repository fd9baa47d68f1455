"""The model: layers one after the other, run forwards to predict and backwards to learn.

    x -> layer 0 -> layer 1 -> ... -> prediction          forward
    dx <- layer 0 <- layer 1 <- ... <- dL/dprediction     backward, the same way home (the chain rule)
"""

import numpy as np

from minitorch_cnn.arrays import is_array, library, library_name, moved, namespace, on_host
from minitorch_cnn.engine import layers as layer_classes
from minitorch_cnn.engine.layers.conv_pool import in_stages
from minitorch_cnn.engine.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from minitorch_cnn.engine.metrics import count_correct
from minitorch_cnn.engine.parameters import ParameterVector
from minitorch_cnn.engine.passes import joint
from minitorch_cnn.errors import ArgumentError, LabelError, ShapeError
from minitorch_cnn.network.keras_weights import KerasWeights
from minitorch_cnn.network.state import ModelState
from minitorch_cnn.network.summary import summary
from minitorch_cnn.network.surgery import Surgery
from minitorch_cnn.training.gpu_memory import out_of_memory


class Sequential(Surgery, KerasWeights, ModelState):
    """A stack of named layers. Cutting, extending and freezing: `surgery.py`; weight files: `keras_weights.py`;
    description and state: `model_state.py`.

    Arguments: `layers`; `input_shape` (H, W, C) or (D,) without the batch axis (left out: taken from the first input);
    `seed` decides initial weights, shuffling, augmentation and dropout (left out: drawn, and kept in `model.seed`);
    `dtype` "float32" or "float64"; `preprocessing` is applied to images of whole numbers.
    Raises ShapeError, naming the layer, when a layer cannot take what the one before it puts out.
    """

    def __init__(self, layers=(), input_shape=None, seed=None, dtype="float32", preprocessing=None):
        self.layers = list(layers)
        for layer in self.layers:
            if not isinstance(layer, layer_classes.Layer):
                raise ArgumentError(f"Sequential: expected layers, got {type(layer).__name__}")
        self.seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else int(seed)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ArgumentError(f"dtype: expected float32 or float64, got {dtype!r}")
        self.preprocessing = preprocessing
        self.prediction = None  # of the last batch that `loss_and_gradients` saw
        self.backend = "numpy"
        self.input_shape = None
        self._name_layers()
        if input_shape is not None:
            self.build(input_shape)

    # Building.

    def _name_layers(self):
        """conv2d_1, conv2d_2, ...: the number counts the layers of a kind; names given by the user stay."""
        taken = {layer.name for layer in self.layers if layer.named_by_user}
        counts = {}
        for layer in self.layers:
            if layer.named_by_user:
                continue
            while True:
                counts[layer.kind()] = counts.get(layer.kind(), 0) + 1
                layer.name = f"{layer.kind()}_{counts[layer.kind()]}"
                if layer.name not in taken:
                    break
        seen = set()
        for layer in self.layers:
            if layer.name in seen:
                raise ArgumentError(f"{layer.name}: two layers have this name; names must differ")
            seen.add(layer.name)

    def build(self, input_shape):
        """Fix the shapes from the input to the prediction and draw the initial weights."""
        if not self.layers:
            raise ArgumentError("Sequential: expected at least one layer, got none")
        for layer in self.layers:
            if layer.input_shape is not None:
                raise ArgumentError(f"{layer.name}: belongs to a model already; make a new layer for this one")
        shape = tuple(int(size) for size in input_shape)
        for index, layer in enumerate(self.layers):
            layer.build(shape)
            if hasattr(layer, "key"):
                layer.key = (self.seed & 0xFFFFFFFF, index)
            shape = layer.output_shape
        self.input_shape = self.layers[0].input_shape
        self.vector = ParameterVector(self.layers, self.dtype, self.seed)
        if self.backend != "numpy":
            self.to(self.backend)

    def to(self, backend):
        """Take the model to "cupy" (an NVIDIA GPU) or "numpy" (the host); returns the model.

        What it computes is computed there from then on, and images are taken there as they come. The weights stay the
        same to the bit, those not drawn yet are drawn on the host. An optimizer in use follows with its state. Raises
        BackendError, in one line that says what to install, where there is no CuPy or no GPU.
        """
        xp = library(backend)
        self.backend, self.prediction = backend, None
        if self.input_shape is not None:
            self.vector.move(xp)
        return self

    @property
    def xp(self):
        """The array library that the model computes with."""
        return library(self.backend)

    @property
    def output_shape(self):
        """The prediction's shape without N."""
        return self.layers[-1].output_shape

    def get_layer(self, name):
        """The layer called `name`; ArgumentError that lists the names there are."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ArgumentError(f"no layer is called {name!r}; there are {', '.join(layer.name for layer in self.layers)}")

    def summary(self, batch_size=32, file=None):
        """Print the table of layers: shapes, parameters, trainable or frozen, memory for a batch."""
        self._require_built()
        print(summary(self, batch_size), file=file)

    # The passes.

    def forward(self, x, training=False):
        """The prediction (N, ...) for x (N, *input_shape); every layer keeps what `backward` needs."""
        x = self.receive(x)
        for stage in in_stages(self.layers):
            x = stage.forward(x, training)
        return x

    def backward(self, dy, input_gradient=None):
        """Fill `layer.gradients` from dy = dL/dprediction, after `forward`; returns dL/dinput, or None.

        The way back ends at the lowest trainable layer. `input_gradient` True goes on to the input and returns its
        gradient, False never does; left out, it is computed unless the bottom of the model is frozen.
        """
        self._require_built()
        stages = in_stages(self.layers)
        lowest = lowest_trainable(stages)
        if input_gradient is None:
            input_gradient = not any(stage.parameter_shapes() for stage in stages[:lowest])
        dy = self._here(dy).astype(self.dtype, copy=False)
        if tuple(dy.shape[1:]) != self.output_shape:
            wanted = ", ".join(map(str, self.output_shape))
            raise ShapeError(f"{self.layers[-1].name}: expected dy of shape (N, {wanted}), got {tuple(dy.shape)}")
        return self._backward(stages, dy, lowest, input_gradient)

    def loss_and_gradients(self, x, labels, loss, training=True):
        """The loss (float) of one batch; fills `layer.gradients` of the trainable layers.

        Where the loss follows the last layer's activation (cross-entropy after softmax) the two are differentiated
        together, from the scores.
        """
        x = self.receive(x)
        stages = in_stages(self.layers)
        lowest, last = lowest_trainable(stages), stages[-1]
        for index, stage in enumerate(stages[:-1]):
            x = stage.forward(x, training)
            if index < lowest:
                stage.forget()
        if joint(loss, last):
            scores = last.scores(x, training)
            value, dscores = loss.from_scores(scores, labels)
            self.prediction = last.activation.forward(scores)
            self._backward(stages, dscores, lowest, False, from_scores=True, forget=True)
        else:
            self.prediction = last.forward(x, training)
            value, dy = loss.value_and_gradient(self.prediction, labels)
            self._backward(stages, dy, lowest, False, forget=True)
        return value

    def _backward(self, stages, dy, lowest, input_gradient, from_scores=False, forget=False):
        self.segments()
        stop = 0 if input_gradient else lowest
        for index in range(len(stages) - 1, stop - 1, -1):
            stage = stages[index]
            backward = stage.backward_scores if from_scores else stage.backward
            dy = backward(dy, need_dx=index > stop or input_gradient)
            from_scores = False
            if forget:
                stage.forget()
        return dy if input_gradient else None

    def receive(self, x):
        """The input as an array of the model's dtype: pixels through the preprocessing, floats as they are."""
        x = self._here(x)
        if self.input_shape is None:
            self.build(x.shape[1:])
        if tuple(x.shape[1:]) != self.input_shape:
            wanted = ", ".join(map(str, self.input_shape))
            raise ShapeError(f"{self.layers[0].name}: expected input of shape (N, {wanted}), got {tuple(x.shape)}")
        if self.preprocessing is not None and x.dtype == np.uint8:
            return self.preprocessing(x, self.dtype)
        if x.dtype.kind not in "fiub":
            raise ArgumentError(f"{self.layers[0].name}: expected input of real numbers, got dtype {x.dtype}")
        return x.astype(self.dtype, copy=False)

    def _here(self, x):
        """An array, or a list of numbers, where the model is; ArgumentError where it is on a GPU and the model not."""
        there = library_name(namespace(x)) if is_array(x) else "numpy"
        if there != self.backend and self.backend == "numpy":
            raise ArgumentError(f'the model is on the host and got an array of {there}: model.to("{there}") moves it')
        if there != self.backend and getattr(x, "dtype", None) == np.float64:
            x = x.astype(self.dtype, copy=False)  # half the bytes to send
        return moved(x, self.xp)

    # Training.

    def lowest_trainable(self):
        """The place of the lowest layer with something to train; the number of layers where all is frozen."""
        self._require_built()
        return lowest_trainable(self.layers)

    def segments(self):
        """The trainable parameters and their gradients as long vectors, for an optimizer."""
        self._require_built()
        return self.vector.segments()

    def train_step(self, x, labels, loss, optimizer):
        """One step of what `fit` does: forward, backward, update; returns the loss before the update."""
        value = self.loss_and_gradients(x, labels, loss, training=True)
        optimizer.step(self)
        return value

    def fit(self, x, labels=None, **options):
        """Train; see `training.fit` for the arguments. Returns the history, {name: [value of each epoch]}."""
        from minitorch_cnn.training import fit  # the loop knows the model; the model only passes the call on

        return fit(self, x, labels, **options)

    def predict(self, x, batch_size=128):
        """Predictions (N, ...) for x (N, *input_shape), a batch at a time; nothing is kept for a backward pass.

        They are NumPy's unless x is an array of another library.
        """
        if len(x) == 0:
            raise ShapeError("predict: expected at least one image, got none")
        xp = namespace(x) if is_array(x) else np
        results = [self._predict_batch(x[i : i + batch_size]) for i in range(0, len(x), batch_size)]
        return xp.concatenate([on_host(result) if xp is np else result for result in results])

    def _predict_batch(self, x):
        try:
            x = self.receive(x)
            for stage in in_stages(self.layers):
                x = stage.forward(x, False)
                stage.forget()
            return x
        except MemoryError:
            if self.backend == "numpy":
                raise
            raise out_of_memory(self, len(x)) from None

    def evaluate(self, x, labels, loss=None, batch_size=128):
        """{"loss": mean loss, "accuracy": share of right classes} over x (N, ...) and its labels.

        `loss` left out is the one that belongs to the last activation.
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

    def default_loss(self):
        """Cross-entropy after softmax, binary cross-entropy after sigmoid, mean squared error otherwise."""
        follows = getattr(self.layers[-1].activation, "name", None)
        return {"softmax": CrossEntropy, "sigmoid": BinaryCrossEntropy}.get(follows, MeanSquaredError)()

    def _require_built(self):
        if self.input_shape is None:
            raise ArgumentError("the model has no shapes yet: give Sequential an input_shape, or call build")

    def __repr__(self):
        return f"Sequential({len(self.layers)} layers, {self.input_shape} -> {self.output_shape})"


def lowest_trainable(stages):
    """The place of the first of `stages` with something to train; their number where all is frozen."""
    for index, stage in enumerate(stages):
        if stage.trainable and stage.parameter_shapes():
            return index
    return len(stages)
