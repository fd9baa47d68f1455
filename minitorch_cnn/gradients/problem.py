"""What a gradient check works on: a function from many numbers to one, L, and the gradient backward claims for it.

The numbers are the parameters of a model and its input; L is the loss, or sum(y * r) with a random r where there are no
labels. `slope` is the difference quotient of L in one of the numbers.
"""

from typing import Any

import numpy as np

from minitorch_cnn.arrays import moved, namespace, on_host
from minitorch_cnn.engine import passes
from minitorch_cnn.network.sequential import Sequential

ROUNDING = 2e-15  # of L in float64, relative to the numbers that add up to it


def model_of(layer: Any, input_shape: tuple) -> Sequential:
    """A float64 model of a copy of one layer, with its values."""
    twin = type(layer)(**layer.config())
    twin.draws = layer.draws
    twin.named_by_user = True
    model = Sequential([twin], input_shape, seed=0, dtype="float64")
    if layer.random:
        twin.key = layer.key
    for name, array in layer.parameters.items():
        twin.parameters[name] = array
    return model


class Problem:
    """L as a function of every number of `model` and `x`; `upstream` is r, needed only without labels."""

    def __init__(self, model, x, labels, loss, training, upstream=None):
        self.model, self.x, self.training = model, x, training
        self.labels, self.loss = labels, (loss or model.default_loss()) if labels is not None else None
        self.state = {key: np.array(on_host(value)) for key, value in model.state().items()}
        self.upstream = upstream
        self.rounding = ROUNDING * self.size()

    def in_dtype(self, dtype):
        """The same problem, computed in another dtype."""
        upstream = None if self.upstream is None else self.upstream.astype(dtype)
        self._rewind()
        model = self.model.copy(dtype)
        return Problem(model, self.x.astype(dtype), self.labels, self.loss, self.training, upstream)

    def value(self):
        """L at the present numbers; random layers and moving averages begin as at the first call."""
        self._rewind()
        if self.loss is not None:
            return self.model.loss_and_gradients(self.x, self.labels, self.loss, self.training)
        return float((self.model.forward(self.x, self.training) * self.upstream).sum())

    def size(self):
        """The sum of the numbers that add up to L, all taken as positive: L is rounded in proportion to it."""
        if self.loss is not None:
            return abs(self.value())
        self._rewind()
        return float(abs(self.model.forward(self.x, self.training) * self.upstream).sum())

    def arrays(self):
        """(name, array, gradient) for every trained parameter and for the input."""
        self._rewind()
        model = self.model
        if self.loss is not None:
            model.loss_and_gradients(self.x, self.labels, self.loss, self.training)
        else:
            model.forward(self.x, self.training)
            dx = model.backward(self.upstream, input_gradient=True)
        found = [(f"{layer.name}/{name}", layer.parameters[name], np.array(on_host(layer.gradients[name])))
                 for layer in model.layers for name in layer.gradients]  # fmt: skip
        return found if self.loss is not None else [*found, ("input", self.x, np.array(on_host(dx)))]

    def outcome(self) -> dict[str, np.ndarray]:
        """Everything that one forward and one backward pass compute, by name, on the host."""
        found = {name: gradient for name, _, gradient in self.arrays()}
        self._rewind()
        y = self.model.forward(self.x, self.training)
        self.model.forget()
        return {"prediction": np.array(on_host(y)), **found}

    def walk(self, observer: passes.Observer) -> None:
        """One forward and one backward pass, seen by `observer`."""
        self._rewind()
        if self.loss is not None:
            self.model.loss_and_gradients(self.x, self.labels, self.loss, self.training, observer)
            return
        nodes = self.model.nodes()
        needed = passes.need_gradients(nodes, {0})
        _, steps = passes.forward(nodes, [self.x], self.training, needed, observer)
        passes.backward(steps, self.upstream, needed, observer)

    def array(self, name):
        """The array that `arrays` calls `name`, to be changed in place."""
        if name == "input":
            return self.x
        layer, _, parameter = name.rpartition("/")
        return self.model.get_layer(layer).parameters[parameter]

    def _rewind(self):
        trained = {(layer.name, name) for layer in self.model.layers for name in layer.trained()}
        for layer in self.model.layers:
            for name in layer.statistics:
                if (layer.name, name) not in trained and name in layer.parameters:
                    layer.parameters[name] = self.state[layer.name, name]
            if layer.random:
                layer.draws = int(self.state[layer.name, "draws"])


def slope(problem, array, index, ahead, behind):
    """(L(w + ahead) - L(w + behind)) / (ahead - behind)."""
    before = float(array[index])
    array[index] = before + ahead
    high = problem.value()
    array[index] = before + behind
    low = problem.value()
    array[index] = before
    return (high - low) / (ahead - behind)


def slope_along(problem, array, places, signs, step):
    """The derivative of L when the numbers at the flat indices `places` all move, each by `signs` times the same."""
    flat, signs = array.reshape(-1), moved(signs, namespace(array))
    places = moved(places, namespace(array))
    before, values = flat[places].copy(), []
    for way in (step, -step):
        flat[places] = before + way * signs
        values.append(problem.value())
    flat[places] = before
    return (values[0] - values[1]) / (2 * step)
